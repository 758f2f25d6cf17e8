//! The cost of live frames for the rate control. Pure.

use std::time::Duration;

use super::{
    frame_loop::FrameInProgress,
    picture::{Facts, Stages},
};

/// Weight of the newest frame in the mean.
const NEWEST: f64 = 0.2;
/// Minimum share of the budget for painting, even if taking the source's frame leaves less.
const MIN_SHARE: f64 = 0.25;

/// The cost of a painted frame.
#[derive(Clone, Copy, Debug)]
pub struct FrameCost {
    /// The engine's work that depends on the working size, mostly the network.
    pub painting_ms: f64,
    /// The engine's work that depends on the size of the source's frame: copying it.
    pub taking_ms: f64,
    /// Scaling the source's frame to the working size, and the picture back to the source's size. Close to zero at the
    /// source's own size.
    pub scaling_ms: f64,
    /// The source's time to decode or draw the frame.
    pub decode_ms: f64,
    /// Long side at which it was painted.
    pub painted_px: usize,
    /// Long side of the source's frame.
    pub source_px: usize,
}

impl FrameCost {
    /// The cost of a frame whose picture has these facts and took `work`.
    pub fn of(begun: &FrameInProgress, facts: &Facts, work: Duration) -> Self {
        let taking_ms = f64::from(begun.copy_ms.unwrap_or(0.0));
        let Stages { scale_ms, compose_ms, decode_ms, .. } = facts.stages;
        // If the working size is the source's size, nothing is scaled down or up.
        let upscaling_ms = if facts.working == begun.size { 0.0 } else { compose_ms };
        let scaling_ms = f64::from(scale_ms + upscaling_ms);
        Self {
            painting_ms: (work.as_secs_f64() * 1e3 - taking_ms - scaling_ms).max(0.0),
            taking_ms,
            scaling_ms,
            decode_ms: f64::from(decode_ms),
            painted_px: facts.working.0.max(facts.working.1),
            source_px: begun.size.0.max(begun.size.1),
        }
    }

    /// The mean cost after including `frame`, in milliseconds.
    pub fn mean_after(before: Option<Self>, frame: &Self) -> Self {
        let mean = before.unwrap_or(*frame);
        let moved = |mean: f64, newest: f64| mean + NEWEST * (newest - mean);
        Self {
            painting_ms: moved(mean.painting_ms, frame.painting_ms),
            taking_ms: moved(mean.taking_ms, frame.taking_ms),
            scaling_ms: moved(mean.scaling_ms, frame.scaling_ms),
            decode_ms: moved(mean.decode_ms, frame.decode_ms),
            ..*frame
        }
    }

    pub fn total_ms(&self) -> f64 {
        self.painting_ms + self.taking_ms + self.scaling_ms
    }

    /// True if a working size with `pixel_ratio` times the pixels can be painted in `budget_ms`. `scales` says whether
    /// the source's frame is scaled to it. Painting has at least `MIN_SHARE` of the budget: if taking the source's
    /// frame needs nearly all of it, a small working size would gain nothing.
    pub fn fits(&self, pixel_ratio: f64, budget_ms: f64, scales: bool) -> bool {
        let scaling_ms = if scales { self.scaling_ms } else { 0.0 };
        let taken_ms = self.taking_ms + scaling_ms;
        let left_ms = (budget_ms - taken_ms).max(budget_ms * MIN_SHARE);
        self.painting_ms * pixel_ratio < left_ms
    }
}
