//! The warning that the device does not hold the target rate of the automatic size. It comes and goes slowly,
//! so that it can be read.
//!
//! Pure: times are handed in.

use std::time::{Duration, Instant};

/// Share of the target rate below which it counts as lost.
const LOST_BELOW: f64 = 0.80;
/// Share above which it counts as held again.
const HELD_ABOVE: f64 = 0.92;
/// How long it has to stay so before the warning comes or goes.
const PATIENCE: Duration = Duration::from_secs(2);
/// The warning, and since when the rate speaks for the opposite.
#[derive(Clone, Debug, Default)]
pub(super) struct RateWarning {
    /// Whether the warning is shown.
    lost: bool,
    /// Since when the warning and the rate have not agreed.
    otherwise_since: Option<Instant>,
}

impl RateWarning {
    /// Whether the target rate is not held here.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Notes the rate of the last seconds. The rate can only be lost at the least size: above it, the size
    /// gives way.
    pub(super) fn note(&mut self, fps: f64, target_fps: f64, is_least: bool, now: Instant) {
        let limit = if self.lost { HELD_ABOVE } else { LOST_BELOW };
        let lost = is_least && fps < limit * target_fps;
        if lost == self.lost {
            self.otherwise_since = None;
            return;
        }
        let since = *self.otherwise_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= PATIENCE {
            self.lost = lost;
            self.otherwise_since = None;
        }
    }

    /// No rate is known for a while; the warning stays as it is.
    pub(super) fn pause(&mut self) {
        self.otherwise_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_comes_late_and_steadily() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut warning = RateWarning::default();
        let mut shown = Vec::new();
        // It swings about the limit, falls, swings about its new value, and comes back.
        for tick in 0..200u64 {
            let swing = [1.0, -1.0][tick as usize % 2];
            let fps = match tick {
                0..40 => 24.0 + 2.0 * swing,
                40..120 => 12.0 + swing,
                _ => 30.0,
            };
            warning.note(fps, 30.0, true, at(100 * tick));
            if shown.last() != Some(&warning.is_lost()) {
                shown.push(warning.is_lost());
            }
        }
        assert_eq!(shown, [false, true, false]);
    }

    #[test]
    fn a_pause_and_a_size_that_can_still_shrink_tell_nothing() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut warning = RateWarning::default();
        for tick in 0..100 {
            warning.note(5.0, 30.0, false, at(100 * tick));
        }
        assert!(!warning.is_lost(), "the size gives way first");
        for tick in 0..100 {
            match tick % 15 {
                14 => warning.pause(),
                _ => warning.note(5.0, 30.0, true, at(100 * tick)),
            }
        }
        assert!(!warning.is_lost());
        for tick in 100..130 {
            warning.note(5.0, 30.0, true, at(100 * tick));
        }
        assert!(warning.is_lost());
        warning.pause();
        assert!(warning.is_lost(), "the warning stays");
    }
}
