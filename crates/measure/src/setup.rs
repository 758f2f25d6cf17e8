//! A measurement on one device without a source: a style, a size and generated pictures. Also single measurements of a
//! device and of a session that paints continuously, for the Lab.
//!
//! Does not depend on tables or files.

use std::sync::Arc;

use super::{
    MeasureError,
    rounds::{Candidate, Measured, Rounds, check_memory},
};
use backend::{Backend, BackendError, RunControl, Session, SessionSpec};
use network::{
    Network, NetworkError,
    models::{self, PUBLISHED_BLOCKS},
};
use values::{
    frame::Frame,
    mode::{Mode, ModelSize, Precision},
    timing::{Ceiling, StepTiming},
};

/// Number of different frames to paint in turn, so that no run finds its input in a cache.
const PICTURES: usize = 4;

/// A network to measure with.
pub struct Subject {
    /// Name in reports.
    pub name: String,
    /// The size of the style's network, if it has several.
    pub model: Option<ModelSize>,
    pub network: Arc<Network>,
}

impl Subject {
    /// Random weights of the model's size; the same every time.
    ///
    /// # Errors
    /// See [`models::random`].
    pub fn random(model: ModelSize) -> Result<Self, NetworkError> {
        Self::random_with_blocks(model, PUBLISHED_BLOCKS)
    }

    /// As [`Subject::random`], with this many residual blocks.
    ///
    /// # Errors
    /// See [`models::random`].
    pub fn random_with_blocks(model: ModelSize, blocks: usize) -> Result<Self, NetworkError> {
        Ok(Self {
            name: "random weights".to_owned(),
            model: Some(model),
            network: Arc::new(models::random(model, blocks)?),
        })
    }

    /// Name and size for the header of a table.
    pub fn label(&self) -> String {
        match self.model {
            Some(model) => format!("{} {model}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A measurement on one device, with generated pictures.
pub struct Setup<'a> {
    pub backend: &'a dyn Backend,
    pub subject: &'a Subject,
    /// Width and height, in pixels.
    pub size: (usize, usize),
    /// Frames per run.
    pub batch: usize,
    /// Measured runs per mode.
    pub frames: u32,
    /// Warm-up runs, not counted.
    pub warmup: u32,
}

impl Setup<'_> {
    pub(super) fn spec(&self, mode: Mode) -> SessionSpec {
        let (width, height) = self.size;
        SessionSpec { batch: self.batch, ..SessionSpec::single(width, height, mode) }
    }

    /// The pictures to paint: a window of `batch` frames can start at each of the first [`PICTURES`].
    pub(super) fn pictures(&self) -> Vec<Frame> {
        let (width, height) = self.size;
        (0..PICTURES + self.batch - 1)
            .map(|index| test_picture(width, height, index % PICTURES))
            .collect()
    }

    fn candidates(&self, modes: &[Mode]) -> Vec<Candidate<'_>> {
        let candidate = |&mode: &Mode| Candidate { backend: self.backend, mode };
        modes.iter().map(candidate).collect()
    }

    /// Why the device cannot compute the network in a mode at this size, regardless of memory.
    pub fn refusal(&self, mode: Mode) -> Option<BackendError> {
        let graph = self.subject.network.graph();
        self.backend.predicted_bytes(graph, &self.spec(mode)).err()
    }

    /// Refuses a measurement that would not fit into memory, before anything is measured. All modes are open at the
    /// same time.
    ///
    /// # Errors
    /// [`MeasureError::Memory`]. An unsupported mode is reported first.
    pub fn check(&self, modes: &[Mode], max_memory_bytes: Option<u64>) -> Result<(), MeasureError> {
        let pictures = PICTURES + self.batch - 1;
        let candidates = self.candidates(modes);
        let graph = self.subject.network.graph();
        check_memory(&candidates, graph, |mode| self.spec(mode), pictures, max_memory_bytes)
    }

    /// Measures `modes` in turn, and the kernels of each if `profile` is set.
    ///
    /// # Errors
    /// [`MeasureError::Backend`] if a session cannot be opened, or a run fails or is cancelled.
    pub fn measure(
        &self,
        modes: &[Mode],
        profile: bool,
        control: &RunControl,
    ) -> Result<Measured, MeasureError> {
        let pictures = self.pictures();
        let rounds = Rounds {
            network: &self.subject.network,
            pictures: &pictures,
            batch: self.batch,
            frames: self.frames,
            warmup: self.warmup,
        };
        rounds.measure(&self.candidates(modes), profile, control)
    }
}

/// The pictures that a setup of this size paints.
pub fn test_pictures(width: usize, height: usize) -> Vec<Frame> {
    (0..PICTURES).map(|index| test_picture(width, height, index)).collect()
}

/// Waves and edges, so that every map has some variance. Every index returns a different picture.
fn test_picture(width: usize, height: usize, index: usize) -> Frame {
    let ahead = 57 * index;
    Frame::from_fn(width, height, |x, y| {
        let wave = |fx: f64, fy: f64| {
            let phase = (x + ahead) as f64 * fx + y as f64 * fy;
            (127.5 + 127.0 * phase.sin()) as u8
        };
        let edge = if ((x + ahead) / 32 + y / 24).is_multiple_of(2) { 40 } else { 215 };
        [wave(0.031, 0.017), wave(-0.013, 0.05), edge, 255]
    })
}

/// Measures the device's peak rates in a precision; `None` if they are unknown.
///
/// # Errors
/// [`BackendError`] if the device fails.
pub fn ceiling(
    backend: &dyn Backend,
    precision: Precision,
) -> Result<Option<Ceiling>, BackendError> {
    backend.inspect().map_or(Ok(None), |device| device.ceiling(precision))
}

/// Times of every step of the session's last run, if the device always measures them. Otherwise `input` is painted
/// again for this, into `unseen`. Empty if the steps cannot be measured.
///
/// # Errors
/// See [`Session::run`].
pub fn step_times(
    session: &mut dyn Session,
    input: &Frame,
    unseen: &mut Frame,
    control: &RunControl,
) -> Result<Vec<StepTiming>, BackendError> {
    let Some(session) = session.inspect() else {
        return Ok(Vec::new());
    };
    let steps = session.step_times();
    if steps.is_empty() {
        return session.profile(input, unseen, control);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_another_one() {
        for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            assert_ne!(test_picture(64, 48, a), test_picture(64, 48, b), "{a} {b}");
        }
    }
}
