//! How long the client waits for an answer, by the kind of the request.
//!
//! A driver that hangs gives no error: the only sign of it is time. So every request has a deadline,
//! far beyond what it takes on the slowest GPU that the kernels run on.
//!
//! - Opening the GPU or a session on it: [`OPENING`], because a library may try algorithms meanwhile.
//! - Frames: ten times their predicted time and five seconds. The slowest frame that the session
//!   measured so far predicts the next; before the first one, the operations of the plan at
//!   [`LEAST_FLOPS_PER_MS`] do. What goes through the pipes counts at [`LEAST_BYTES_PER_MS`].
//! - Everything else is a call to the driver or to a table: [`ANSWER`].
//!
//! Knows no clock: the caller has a [`Timer`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, after};

use crate::{plan::PlanSummary, timing::RunTiming};

/// Gives a channel that receives a value once a duration has passed: the client's clock.
pub type Timer = Arc<dyn Fn(Duration) -> Receiver<Instant> + Send + Sync>;

/// The system's clock.
pub(super) fn system_timer() -> Timer {
    Arc::new(after)
}

/// For opening the GPU or a session.
pub(super) const OPENING: Duration = Duration::from_secs(120);
/// For requests that the server answers from a table or by one call of the driver.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// For the server's process to be gone after it was ended.
pub(super) const ENDING: Duration = Duration::from_secs(2);

/// Times the predicted time that frames may take.
const FACTOR: f64 = 10.0;
/// Besides [`FACTOR`].
const ALLOWANCE: Duration = Duration::from_secs(5);
/// The longest deadline, whatever was predicted.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Operations per millisecond of the slowest GPU in its slowest mode, ten times too low: 0.1 TFLOP/s.
const LEAST_FLOPS_PER_MS: f64 = 1e8;
/// Bytes per millisecond through a pipe while the system is short of memory: 0.1 GB/s.
const LEAST_BYTES_PER_MS: f64 = 1e5;

/// How fast a session paints, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// By the plan's operations.
    planned_frame_ms: f64,
    /// As the device measured it.
    slowest_frame_ms: Option<f64>,
}

impl Pace {
    /// Of a session that has painted nothing yet.
    pub fn planned(summary: &PlanSummary) -> Self {
        let frames = summary.batch.max(1) as f64;
        Self {
            planned_frame_ms: summary.flops as f64 / frames / LEAST_FLOPS_PER_MS,
            slowest_frame_ms: None,
        }
    }

    /// Takes note of a run of so many frames.
    pub fn measured(&mut self, frames: usize, run: &RunTiming) {
        let frame_ms = (run.total_ms + run.upload_ms + run.download_ms) / frames.max(1) as f64;
        if frame_ms.is_finite() {
            self.slowest_frame_ms = Some(self.slowest_frame_ms.unwrap_or(0.0).max(frame_ms));
        }
    }

    /// How long to wait for so many frames, for which so many bytes go through the pipes.
    pub fn patience(&self, frames: usize, piped_bytes: u64) -> Duration {
        let frame_ms = self.slowest_frame_ms.unwrap_or(self.planned_frame_ms);
        let predicted_ms = frame_ms * frames as f64 + piped_bytes as f64 / LEAST_BYTES_PER_MS;
        Duration::try_from_secs_f64(FACTOR * predicted_ms / 1e3)
            .unwrap_or(LONGEST)
            .saturating_add(ALLOWANCE)
            .min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::Mode;

    fn pace(flops: u64, batch: usize) -> Pace {
        Pace::planned(&PlanSummary {
            flops,
            ..PlanSummary::without_steps(Mode::default(), batch, (8, 6))
        })
    }

    #[test]
    fn the_plan_predicts_the_first_frame_and_the_slowest_one_the_next() {
        // 1e12 operations for 2 frames: 5 s each.
        let mut pace = pace(1_000_000_000_000, 2);
        assert_eq!(pace.patience(1, 0), Duration::from_secs(55));
        assert_eq!(pace.patience(2, 0), Duration::from_secs(105));
        // 100 MB: 1 s.
        assert_eq!(pace.patience(1, 100_000_000), Duration::from_secs(65));
        pace.measured(2, &RunTiming::host(400.0));
        assert_eq!(pace.patience(1, 0), Duration::from_secs(7));
        pace.measured(1, &RunTiming::host(3.0));
        assert_eq!(pace.patience(1, 0), Duration::from_secs(7));
    }

    #[test]
    fn nothing_is_waited_for_for_ever() {
        assert_eq!(pace(u64::MAX, 1).patience(usize::MAX, u64::MAX), LONGEST);
        let mut pace = pace(0, 1);
        for nonsense_ms in [f64::NAN, f64::INFINITY, -7.0] {
            pace.measured(1, &RunTiming::host(nonsense_ms));
            assert_eq!(pace.patience(1, 0), ALLOWANCE, "{nonsense_ms}");
        }
        pace.measured(1, &RunTiming::host(f64::MAX));
        assert_eq!(pace.patience(1, 0), LONGEST);
    }
}
