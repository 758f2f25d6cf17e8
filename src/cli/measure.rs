//! Measuring: several modes paint the same frames in turn, round by round, so that whatever drifts
//! (clocks, heat, other programs) drifts for all of them.
//!
//! Knows no tables and no files; `bench` and `compare` show what comes out.

use std::{ffi::OsStr, sync::Arc, time::Instant};

use super::{CliError, style_choice::choose};
use crate::{
    backend::{Backend, RunControl, Session, SessionSpec},
    frame::Frame,
    media::memory,
    mode::{Mode, ModelSize},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    timing::{Percentiles, StepTiming, TimingMethod},
    verify::Equality,
    weights::StyleLibrary,
};

/// Different frames that are painted in turn, so that no run finds its input where the one before
/// left it.
const PICTURES: usize = 4;
/// Most frames that are run step by step for the times of the kernels.
const MOST_PROFILED: u32 = 20;

/// What is painted with.
pub struct Subject {
    /// What reports call it.
    pub name: String,
    /// The size of the style, where it has one.
    pub model: Option<ModelSize>,
    /// The weights.
    pub network: Arc<Network>,
}

impl Subject {
    /// The style that was typed, or random weights of the model's size.
    ///
    /// # Errors
    /// [`CliError`] when the style cannot be had.
    pub fn new(style: Option<&OsStr>, model: Option<ModelSize>) -> Result<Self, CliError> {
        if let Some(typed) = style {
            let chosen = choose(&StyleLibrary::standard(), typed, model)?;
            return Ok(Self {
                name: chosen.label,
                model: chosen.model,
                network: chosen.network,
            });
        }
        let model = model.unwrap_or_default();
        let widths = match model {
            ModelSize::Full => [32, 64, 128],
            ModelSize::Lite => [16, 32, 64],
        };
        let network = Network::random(NetworkSpec::with_widths(widths), 1)
            .map_err(|e| CliError::Failed(e.to_string()))?;
        Ok(Self {
            name: "random weights".to_owned(),
            model: Some(model),
            network: Arc::new(network),
        })
    }

    /// Name and size for the head of a table.
    pub fn label(&self) -> String {
        match self.model {
            Some(model) => format!("{} {model}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What is measured.
pub struct Setup<'a> {
    /// The device.
    pub backend: &'a dyn Backend,
    /// The network.
    pub subject: &'a Subject,
    /// Columns and rows, in pixels.
    pub size: (usize, usize),
    /// Frames of one run.
    pub batch: usize,
    /// Measured runs of every mode.
    pub frames: u32,
    /// Runs that come first and do not count.
    pub warmup: u32,
}

/// One mode and what was measured of it.
pub struct Contender {
    /// Variant and precision.
    pub mode: Mode,
    /// What a run does and needs.
    pub summary: PlanSummary,
    /// How `times` were taken.
    pub method: TimingMethod,
    /// Spread of the runs as the device measures them.
    pub times: Percentiles,
    /// Spread of the same runs on the host's clock, waiting included.
    pub host_times: Percentiles,
    /// What the last run painted.
    pub painted: Vec<Frame>,
    /// Median of every kernel over the frames that were run step by step; empty when none was.
    pub kernels: Vec<StepTiming>,
    /// Frames that were run step by step.
    pub profiled_frames: usize,
}

impl Contender {
    /// Whether this and `other` painted the same pictures in their last runs.
    pub fn equality(&self, other: &Self) -> Option<Equality> {
        let precisions = [self.mode.precision, other.mode.precision];
        let pairs = self.painted.iter().zip(&other.painted);
        pairs
            .map(|(a, b)| Equality::between(a, b, precisions))
            .reduce(Equality::worse)
    }
}

impl Setup<'_> {
    fn spec(&self, mode: Mode) -> SessionSpec {
        let (width, height) = self.size;
        SessionSpec {
            batch: self.batch,
            ..SessionSpec::single(width, height, mode)
        }
    }

    /// Refuses a measurement that would not fit, before anything is measured. All modes are held at
    /// once.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] says what it needs and what to choose instead; that a device does not
    /// have a mode comes first.
    pub fn check(&self, modes: &[Mode], max_memory_bytes: Option<u64>) -> Result<(), CliError> {
        let (width, height) = self.size;
        let frame_bytes = 4 * width as u64 * height as u64;
        // The pictures, and what every mode paints.
        let frames = PICTURES + self.batch + modes.len() * self.batch;
        let mut needed = frame_bytes.saturating_mul(frames as u64);
        for &mode in modes {
            self.backend.supports(mode)?;
            let network = self.subject.network.spec();
            let run = self.backend.predicted_bytes(network, &self.spec(mode));
            needed = needed.saturating_add(run);
        }
        let limit = max_memory_bytes
            .or_else(|| self.backend.free_bytes())
            .or_else(memory::available_bytes);
        match limit {
            Some(limit) if needed > limit => {
                let names: Vec<String> = modes.iter().map(Mode::to_string).collect();
                Err(CliError::WrongUse(format!(
                    "{} at {width}x{height} needs {} MB of memory, {} MB may be taken; choose a \
                     smaller --size or fewer modes, raise --max-memory or close other programs",
                    names.join(" and "),
                    needed.div_ceil(1_000_000),
                    limit / 1_000_000
                )))
            }
            _ => Ok(()),
        }
    }

    /// Measures `modes` in turn, and the kernels of each when `profile` says so.
    ///
    /// # Errors
    /// [`CliError`] when a session cannot be opened or a run fails or is stopped.
    pub fn measure(
        &self,
        modes: &[Mode],
        profile: bool,
        control: &RunControl,
    ) -> Result<Vec<Contender>, CliError> {
        let (width, height) = self.size;
        // A window of `batch` frames may begin at every picture.
        let pictures: Vec<Frame> = (0..PICTURES + self.batch - 1)
            .map(|index| test_picture(width, height, index % PICTURES))
            .collect();
        let mut lanes = modes
            .iter()
            .map(|&mode| {
                let spec = self.spec(mode);
                Ok(Lane {
                    mode,
                    session: self.backend.open(&self.subject.network, &spec)?,
                    painted: pictures[..self.batch].to_vec(),
                    times_ms: Vec::new(),
                    host_ms: Vec::new(),
                    method: TimingMethod::Host,
                    kernels_ms: Vec::new(),
                    kernels: Vec::new(),
                })
            })
            .collect::<Result<Vec<_>, CliError>>()?;
        for round in 0..self.warmup + self.frames {
            let start = round as usize % PICTURES;
            let inputs = &pictures[start..start + self.batch];
            // There and back, so that no mode always follows the same one.
            let mut order: Vec<&mut Lane> = lanes.iter_mut().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for lane in order {
                lane.run(inputs, control, round >= self.warmup)?;
            }
        }
        if profile {
            for round in 0..self.frames.min(MOST_PROFILED) {
                let picture = &pictures[round as usize % PICTURES];
                let mut output = picture.clone();
                for lane in &mut lanes {
                    lane.profile(picture, &mut output, control)?;
                }
            }
        }
        lanes.into_iter().map(Lane::finished).collect()
    }
}

/// A mode while it is measured.
struct Lane {
    mode: Mode,
    session: Box<dyn Session>,
    painted: Vec<Frame>,
    times_ms: Vec<f64>,
    host_ms: Vec<f64>,
    method: TimingMethod,
    /// One list per kernel.
    kernels_ms: Vec<Vec<f64>>,
    kernels: Vec<StepTiming>,
}

impl Lane {
    fn run(
        &mut self,
        inputs: &[Frame],
        control: &RunControl,
        counts: bool,
    ) -> Result<(), CliError> {
        let started = Instant::now();
        let timing = match (inputs, self.painted.as_mut_slice()) {
            ([input], [output]) => self.session.paint(input, output, control)?,
            (inputs, outputs) => self.session.paint_batch(inputs, outputs, control)?,
        };
        let host_ms = started.elapsed().as_secs_f64() * 1e3;
        if counts {
            self.method = timing.method;
            self.times_ms.push(timing.total_ms);
            self.host_ms.push(host_ms);
        }
        Ok(())
    }

    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<(), CliError> {
        self.kernels = self.session.profile(input, output, control)?;
        self.kernels_ms.resize(self.kernels.len(), Vec::new());
        for (list, kernel) in self.kernels_ms.iter_mut().zip(&self.kernels) {
            list.push(kernel.ms);
        }
        Ok(())
    }

    fn finished(mut self) -> Result<Contender, CliError> {
        let unmeasured = || CliError::Failed("no frame was measured".to_owned());
        for (kernel, list) in self.kernels.iter_mut().zip(&self.kernels_ms) {
            kernel.ms = Percentiles::of(list).ok_or_else(unmeasured)?.p50_ms;
        }
        Ok(Contender {
            mode: self.mode,
            summary: self.session.summary(),
            method: self.method,
            times: Percentiles::of(&self.times_ms).ok_or_else(unmeasured)?,
            host_times: Percentiles::of(&self.host_ms).ok_or_else(unmeasured)?,
            painted: self.painted,
            profiled_frames: self.kernels_ms.first().map_or(0, Vec::len),
            kernels: self.kernels,
        })
    }
}

/// Waves and edges: nothing that a norm would find trivial. Every index is another picture.
fn test_picture(width: usize, height: usize, index: usize) -> Frame {
    let ahead = 57 * index;
    Frame::from_fn(width, height, |x, y| {
        let wave = |fx: f64, fy: f64| {
            let phase = (x + ahead) as f64 * fx + y as f64 * fy;
            (127.5 + 127.0 * phase.sin()) as u8
        };
        let edge = if ((x + ahead) / 32 + y / 24).is_multiple_of(2) {
            40
        } else {
            215
        };
        [wave(0.031, 0.017), wave(-0.013, 0.05), edge, 255]
    })
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
