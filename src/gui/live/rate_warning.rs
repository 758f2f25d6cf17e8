//! The warning that the device does not reach the target rate of the automatic size. It appears and disappears slowly,
//! so that the user can read it.
//!
//! Has no clock: the caller passes times.

use std::time::{Duration, Instant};

/// Share of the target rate below which it counts as missed.
const LOST_BELOW: f64 = 0.80;
/// Share above which it counts as reached again.
const HELD_ABOVE: f64 = 0.92;
/// How long the rate must stay beyond a limit before the warning changes.
const PATIENCE: Duration = Duration::from_secs(2);
/// The warning, and since when the rate contradicts it.
#[derive(Clone, Default)]
pub struct RateWarning {
    /// Whether the target rate is missed, and the warning is shown.
    pub is_lost: bool,
    /// Since when the rate has contradicted the warning.
    otherwise_since: Option<Instant>,
}

impl RateWarning {
    /// Notes the rate of the last seconds. The target can only be missed at the minimum size: at larger sizes, the size
    /// is reduced instead.
    pub fn note(&mut self, fps: f64, target_fps: f64, is_least: bool, now: Instant) {
        let limit = if self.is_lost { HELD_ABOVE } else { LOST_BELOW };
        let lost = is_least && fps < limit * target_fps;
        if lost == self.is_lost {
            self.otherwise_since = None;
            return;
        }
        let since = *self.otherwise_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= PATIENCE {
            self.is_lost = lost;
            self.otherwise_since = None;
        }
    }

    /// Notes that no rate is known for a while; the warning stays as it is.
    pub fn pause(&mut self) {
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
        // The rate varies around the limit, falls, varies around its new value, and returns.
        for tick in 0..200u64 {
            let swing = [1.0, -1.0][tick as usize % 2];
            let fps = match tick {
                0..40 => 24.0 + 2.0 * swing,
                40..120 => 12.0 + swing,
                _ => 30.0,
            };
            warning.note(fps, 30.0, true, at(100 * tick));
            if shown.last() != Some(&warning.is_lost) {
                shown.push(warning.is_lost);
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
        assert!(!warning.is_lost, "the size gives way first");
        for tick in 0..100 {
            match tick % 15 {
                14 => warning.pause(),
                _ => warning.note(5.0, 30.0, true, at(100 * tick)),
            }
        }
        assert!(!warning.is_lost);
        for tick in 100..130 {
            warning.note(5.0, 30.0, true, at(100 * tick));
        }
        assert!(warning.is_lost);
        warning.pause();
        assert!(warning.is_lost, "the warning stays");
    }
}
