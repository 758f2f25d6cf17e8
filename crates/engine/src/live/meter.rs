//! Rates and delays of live pictures over the last few seconds.
//!
//! Uses fixed memory: recording and reading allocate nothing. Pure: times are passed in. For one thread at a time.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Maximum number of events in a rate or a spread.
const KEPT: usize = 256;
/// Age beyond which an event is ignored.
const WINDOW: Duration = Duration::from_secs(3);

/// A ring of the newest values with their times.
#[derive(Clone)]
pub struct Recent {
    values: [(Option<Instant>, f32); KEPT],
    next: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { values: [(None, 0.0); KEPT], next: 0 }
    }
}

/// Percentiles of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub p50: f32,
    pub p95: f32,
}

impl Recent {
    /// Records a value; times must not decrease.
    pub fn note(&mut self, at: Instant, value: f32) {
        self.values[self.next] = (Some(at), value);
        self.next = (self.next + 1) % KEPT;
    }

    fn of_window(&self, now: Instant) -> impl Iterator<Item = (Instant, f32)> + '_ {
        self.values
            .iter()
            .filter_map(|&(at, value)| at.map(|at| (at, value)))
            .filter(move |&(at, _)| now.saturating_duration_since(at) <= WINDOW)
    }

    /// Events per second over the last seconds; 0 with fewer than two.
    pub fn per_second(&self, now: Instant) -> f32 {
        let mut count = 0u32;
        let mut ends: Option<(Instant, Instant)> = None;
        for (at, _) in self.of_window(now) {
            count += 1;
            ends = Some(ends.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
        match ends {
            Some((first, last)) if count > 1 && last > first => {
                // An overdue event lowers the rate before it arrives.
                let between = (last - first).as_secs_f32() / (count - 1) as f32;
                let waiting = now.saturating_duration_since(last).as_secs_f32();
                1.0 / between.max(if waiting > 2.0 * between { waiting } else { 0.0 })
            }
            _ => 0.0,
        }
    }

    /// Spread of the values of the last seconds; `None` without any.
    pub fn spread(&self, now: Instant) -> Option<Spread> {
        let mut values = [0.0f32; KEPT];
        let mut len = 0;
        for (_, value) in self.of_window(now) {
            values[len] = value;
            len += 1;
        }
        Spread::of(&mut values[..len])
    }
}

impl Spread {
    /// Spread of sorted values; `None` without any.
    pub fn of(values: &mut [f32]) -> Option<Self> {
        values.sort_unstable_by(f32::total_cmp);
        let len = values.len();
        let rank = |percent: usize| values[((len * percent).div_ceil(100)).max(1) - 1];
        (len > 0).then(|| Self { p50: rank(50), p95: rank(95) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_the_last_seconds() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut recent = Recent::default();
        assert_eq!(recent.per_second(start), 0.0);
        for frame in 0..60 {
            recent.note(at(frame * 40), 5.0);
        }
        assert!((recent.per_second(at(2370)) - 25.0).abs() < 0.1);
        assert!(recent.per_second(at(4360)) < 1.0, "it stalled two seconds ago");
        assert_eq!(recent.per_second(at(9000)), 0.0);
        assert_eq!(recent.spread(at(9000)), None);
    }

    #[test]
    fn spreads_are_by_nearest_rank() {
        let start = Instant::now();
        let mut recent = Recent::default();
        for value in 1..=100 {
            recent.note(start, value as f32);
        }
        let spread = recent.spread(start).expect("values");
        assert_eq!((spread.p50, spread.p95), (50.0, 95.0));
    }
}
