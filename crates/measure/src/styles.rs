//! Several styles of one frame: measures the gain of sending the frame to the device once.
//!
//! Does not depend on tables or files.

use std::time::Instant;

use serde::Serialize;

use super::{MeasureError, Setup};
use backend::{BackendError, Input, Job, RunControl, Session, unless_declined};
use values::{frame::Frame, mode::Mode, timing::Percentiles};

/// Paintings per second of one frame in several styles, one after another, by the host's clock. Includes copies,
/// transfers and waiting.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SeveralStyles {
    /// Number of styles.
    pub styles: usize,
    /// If the frame is sent once.
    pub sent_once_fps: f64,
    /// If the frame is sent for every style.
    pub sent_each_fps: f64,
}

/// Paints the frames in every session and returns the time in milliseconds. Returns `None` if `is_shared` is set but
/// the sessions cannot share the frames.
fn paint(
    sessions: &mut [Box<dyn Session>],
    frames: &[Frame],
    outputs: &mut [Vec<Frame>],
    is_shared: bool,
    control: &RunControl,
) -> Result<Option<f64>, BackendError> {
    let started = Instant::now();
    let mut sent = None;
    for (session, outputs) in sessions.iter_mut().zip(outputs) {
        match &sent {
            Some(sent) => {
                let job = Job::new(Input::Sent(sent), outputs);
                if unless_declined(session.run(job, control, None))?.is_none() {
                    return Ok(None);
                }
            }
            None => {
                session.paint_all(frames, outputs, control)?;
                if is_shared {
                    sent = session.sent();
                    if sent.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
    }
    Ok(Some(started.elapsed().as_secs_f64() * 1e3))
}

impl Setup<'_> {
    /// Measures this many styles of one frame, or of one batch, in a mode, alternating both ways. `None` for a device
    /// without transfers.
    ///
    /// # Errors
    /// [`MeasureError::Backend`] if a session cannot be opened, or a run fails or is cancelled;
    /// [`MeasureError::Different`] if the two ways paint different pictures.
    pub fn several_styles(
        &self,
        mode: Mode,
        styles: usize,
        control: &RunControl,
    ) -> Result<Option<SeveralStyles>, MeasureError> {
        let network = &self.subject.network;
        let spec = self.spec(mode);
        let open = || self.backend.open_unless_cancelled(network, &spec, control);
        let pictures = self.pictures();
        let frames = &pictures[..self.batch];
        let mut first = open()?;
        if !first.capabilities().keeps_sent {
            return Ok(None);
        }
        first.paint_all(frames, &mut frames.to_vec(), control)?;
        let mut sessions = vec![first];
        while sessions.len() < styles {
            sessions.push(open()?);
        }
        let mut once = vec![frames.to_vec(); styles];
        let mut each = once.clone();
        let (mut once_ms, mut each_ms) = (Vec::new(), Vec::new());
        for round in 0..self.warmup + self.frames {
            control.check(BackendError::Cancelled)?;
            let from = round as usize % (pictures.len() + 1 - self.batch);
            let frames = &pictures[from..from + self.batch];
            let Some(shared) = paint(&mut sessions, frames, &mut once, true, control)? else {
                return Ok(None);
            };
            let apart = paint(&mut sessions, frames, &mut each, false, control)?;
            if once != each {
                return Err(MeasureError::Different);
            }
            if round >= self.warmup {
                each_ms.extend(apart);
                once_ms.push(shared);
            }
        }
        let paintings = (styles * self.batch) as f64;
        let fps = |ms: &[f64]| Percentiles::of(ms).map_or(0.0, |ms| 1e3 * paintings / ms.p50_ms);
        Ok(Some(SeveralStyles {
            styles,
            sent_once_fps: fps(&once_ms),
            sent_each_fps: fps(&each_ms),
        }))
    }
}
