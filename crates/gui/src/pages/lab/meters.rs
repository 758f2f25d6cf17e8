//! The figures of the counters: rates, latencies and their history, from the facts of each picture.
//!
//! Each number has one meaning. Uses fixed memory and no clock: the caller passes times. Does not depend on egui.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde::Serialize;

use engine::live::{
    Facts, Stages,
    meter::{Recent, Spread},
};

/// Length of the history.
pub const HISTORY: Duration = Duration::from_secs(60);
/// Time between two points of the history.
const POINT_EVERY: Duration = Duration::from_millis(250);
/// Maximum number of points of the history.
const HISTORY_POINTS: usize = (HISTORY.as_millis() / POINT_EVERY.as_millis()) as usize + 1;
/// If two points of the history are further apart than this, the time between them is unknown and drawn as a gap. As
/// long as the window of the rates, so that a slow device has a line too.
const GAP: Duration = WINDOW;
/// How long rates settle after pictures start to arrive before they are added to the history.
const SETTLES: Duration = Duration::from_millis(250);
/// Number of pictures needed for a rate.
const PICTURES_OF_A_RATE: u32 = 3;
/// Maximum number of counts in a rate.
const KEPT: usize = 256;
/// Maximum age of a count in a rate.
const WINDOW: Duration = Duration::from_secs(3);

/// The stages of a picture's latency: name and description. The first is before the source has the frame and is not
/// part of the latency. The last is the time that the others do not explain.
pub const STAGES: [(&str, &str); 11] = [
    (
        "Capture",
        "From the request for a frame to its bytes, mostly waiting for the next exposure. Not part of the latency, which starts when the source has the frame.",
    ),
    ("Decode", "Decode the source's format to pixels."),
    ("Wait", "Wait for the engine."),
    ("Scale", "Scale to the painted size."),
    ("Upload", "Copy to the device."),
    ("Network", "The network itself."),
    ("Read-back", "Copy back from the device."),
    ("Steady", "Keep the strokes where they are on moving things."),
    ("Compose", "Apply strength and colours."),
    ("Present", "Wait for the window."),
    ("Rest", "Everything else: copies, a second mode, a change of style."),
];

/// The rate at which a count increases.
#[derive(Default)]
struct CountRate {
    counts: VecDeque<(Instant, u64)>,
}

impl CountRate {
    fn note(&mut self, at: Instant, count: u64) {
        if self.counts.back().is_some_and(|&(_, last)| count < last) {
            self.counts.clear();
        }
        push_newest(&mut self.counts, KEPT, (at, count));
    }

    /// Counts per second over the last seconds; 0 with fewer than two counts.
    fn per_second(&self, now: Instant) -> f32 {
        let mut window = (self.counts.iter())
            .filter(|(at, _)| now.saturating_duration_since(*at) <= WINDOW)
            .enumerate();
        let Some((_, &(first, from))) = window.next() else {
            return 0.0;
        };
        let Some((steps, &(last, to))) = window.last() else {
            return 0.0;
        };
        let seconds = last.saturating_duration_since(first).as_secs_f32();
        let waiting = now.saturating_duration_since(last).as_secs_f32();
        // An overdue count lowers the rate before it arrives.
        let overdue = waiting > 2.0 * seconds / steps as f32;
        let seconds = if overdue { seconds + waiting } else { seconds };
        if seconds > 0.0 { (to - from) as f32 / seconds } else { 0.0 }
    }
}

/// Frames per second at three places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Frames from the source.
    pub source_fps: f32,
    /// Frames that were painted.
    pub engine_fps: f32,
    /// Frames that were shown.
    pub shown_fps: f32,
}

/// A point of the history.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub at: Instant,
    pub rates: Rates,
    /// Latency from capture to the window, in milliseconds; `None` while nothing was shown.
    pub delay_ms: Option<Spread>,
}

/// The newest picture and its data.
#[derive(Clone, Copy)]
pub struct Newest {
    pub facts: Facts,
    /// When the window received it.
    pub shown_at: Instant,
    /// Total number of pictures that were replaced by newer ones before the window received them.
    pub dropped_before_screen: u64,
}

#[derive(Default)]
pub struct Meters {
    captured: CountRate,
    painted: CountRate,
    shown: Recent,
    delay: Recent,
    stages: [Recent; STAGES.len()],
    pub newest: Option<Newest>,
    history: VecDeque<Point>,
    /// When the first picture arrived after the rates were restarted, and how many have arrived since.
    begun: Option<(Instant, u32)>,
}

impl Meters {
    /// Restarts rates and latencies after a pause. The history stays.
    pub fn resume(&mut self) {
        *self = Self {
            newest: self.newest,
            history: std::mem::take(&mut self.history),
            ..Self::default()
        };
    }

    /// Notes a picture of a frozen frame, which says nothing about rates and latencies.
    pub fn note_frozen(&mut self, facts: &Facts, shown_at: Instant, dropped_before_screen: u64) {
        self.newest = Some(Newest { facts: *facts, shown_at, dropped_before_screen });
    }

    /// Notes a picture that the window received.
    pub fn note(&mut self, facts: &Facts, shown_at: Instant, dropped_before_screen: u64) {
        let (_, came) = self.begun.get_or_insert((shown_at, 0));
        *came = came.saturating_add(1);
        self.captured.note(facts.ready_at, facts.captured);
        self.painted.note(facts.ready_at, facts.painted);
        self.shown.note(shown_at, 0.0);
        self.delay.note(shown_at, ms(shown_at, facts.captured_at));
        for (recent, ms) in self.stages.iter_mut().zip(stages_ms(facts, shown_at)) {
            recent.note(shown_at, ms);
        }
        self.note_frozen(facts, shown_at, dropped_before_screen);
        self.tick(shown_at);
    }

    /// Adds a point to the history if it is due.
    pub fn tick(&mut self, now: Instant) {
        let due = (self.history.back()).is_none_or(|p| {
            now.checked_duration_since(p.at).is_some_and(|since| since >= POINT_EVERY)
        });
        let settled = self.begun.is_some_and(|(at, came)| {
            came >= PICTURES_OF_A_RATE && now.saturating_duration_since(at) >= SETTLES
        });
        if !(due && settled) {
            return;
        }
        let point = Point { at: now, rates: self.rates(now), delay_ms: self.delay_ms(now) };
        push_newest(&mut self.history, HISTORY_POINTS, point);
    }

    /// Frames per second over the last seconds.
    pub fn rates(&self, now: Instant) -> Rates {
        Rates {
            source_fps: self.captured.per_second(now),
            engine_fps: self.painted.per_second(now),
            shown_fps: self.shown.per_second(now),
        }
    }

    /// Latency from capture to the window over the last seconds, in milliseconds.
    pub fn delay_ms(&self, now: Instant) -> Option<Spread> {
        self.delay.spread(now)
    }

    /// The latency of each stage over the last seconds, in the order of [`STAGES`]; `None` without pictures.
    pub fn stages_ms(&self, now: Instant) -> Vec<Option<Spread>> {
        self.stages.iter().map(|recent| recent.spread(now)).collect()
    }

    /// The points of the last minute, oldest first.
    pub fn history(&self, now: Instant) -> impl Iterator<Item = &Point> {
        (self.history.iter()).filter(move |p| now.saturating_duration_since(p.at) <= HISTORY)
    }
}

/// Splits a line of the history at gaps, so that nothing is drawn there. `points` are seconds and values, oldest first.
pub fn unbroken(points: impl IntoIterator<Item = [f64; 2]>) -> Vec<Vec<[f64; 2]>> {
    let mut lines: Vec<Vec<[f64; 2]>> = Vec::new();
    for point in points {
        match lines.last_mut() {
            Some(line)
                if line.last().is_some_and(|last| point[0] - last[0] <= GAP.as_secs_f64()) =>
            {
                line.push(point);
            }
            _ => lines.push(vec![point]),
        }
    }
    lines
}

/// The latency of each stage, in milliseconds, in the order of [`STAGES`].
fn stages_ms(facts: &Facts, shown_at: Instant) -> [f32; STAGES.len()] {
    let engine = facts.stages.in_order();
    let present = ms(shown_at, facts.ready_at);
    // Time before the source has the frame is not part of the latency.
    let known = engine[1..].iter().sum::<f32>() + present;
    let rest = ms(shown_at, facts.captured_at) - known;
    let mut all = [0.0; STAGES.len()];
    all[..Stages::COUNT].copy_from_slice(&engine);
    all[Stages::COUNT] = present;
    all[STAGES.len() - 1] = rest.max(0.0);
    all
}

/// Adds the newest entry of a history, and removes the oldest one of `most`.
pub fn push_newest<T>(all: &mut VecDeque<T>, most: usize, newest: T) {
    if all.len() == most {
        all.pop_front();
    }
    all.push_back(newest);
}

fn ms(later: Instant, earlier: Instant) -> f32 {
    later.saturating_duration_since(earlier).as_secs_f32() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::timing::TimingMethod;

    fn facts(start: Instant, frame: u64) -> Facts {
        let captured_at = start + Duration::from_millis(frame * 50);
        Facts {
            settings: 1,
            painted: frame + 1,
            captured: 3 * frame + 1,
            dropped: 2 * frame,
            sequence: 3 * frame + 1,
            film_seconds: 0.0,
            captured_at,
            ready_at: captured_at + Duration::from_millis(30),
            stages: Stages {
                capture_ms: 16.0,
                decode_ms: 2.0,
                wait_ms: 3.0,
                scale_ms: 1.0,
                upload_ms: 0.5,
                network_ms: 20.0,
                download_ms: 0.5,
                steady_ms: 0.0,
                compose_ms: 1.0,
            },
            working: (640, 360),
            mode: None,
            method: TimingMethod::Host,
            pair: None,
        }
    }

    fn after(frames: u64) -> (Meters, Instant) {
        let start = Instant::now();
        let mut meters = Meters::default();
        let mut now = start;
        for frame in 0..frames {
            let facts = facts(start, frame);
            now = facts.ready_at + Duration::from_millis(4);
            meters.note(&facts, now, frame / 10);
        }
        (meters, now)
    }

    #[test]
    fn each_rate_means_one_thing() {
        let (meters, now) = after(100);
        let rates = meters.rates(now);
        assert!((rates.source_fps - 60.0).abs() < 0.1, "{rates:?}");
        assert!((rates.engine_fps - 20.0).abs() < 0.1, "{rates:?}");
        assert!((rates.shown_fps - 20.0).abs() < 0.1, "{rates:?}");
        let later = meters.rates(now + Duration::from_millis(1500));
        assert!(later.source_fps < 41.0, "{later:?}: nothing came since");
        let gone = meters.rates(now + Duration::from_secs(5));
        assert_eq!(gone, Rates::default());
    }

    #[test]
    fn a_restarted_source_does_not_count_backwards() {
        let mut rate = CountRate::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for (ms, count) in [(0, 900), (100, 903), (200, 1), (300, 4)] {
            rate.note(at(ms), count);
        }
        assert!((rate.per_second(at(300)) - 30.0).abs() < 0.01);
    }

    #[test]
    fn the_parts_and_the_rest_make_the_delay() {
        let (meters, now) = after(20);
        let delay = meters.delay_ms(now).expect("pictures");
        assert!((delay.p50 - 34.0).abs() < 0.01);
        let stages: Vec<Spread> = meters.stages_ms(now).into_iter().flatten().collect();
        assert_eq!(stages[0].p50, 16.0);
        assert!((stages[9].p50 - 4.0).abs() < 0.01, "present");
        let parts: f32 = stages[1..].iter().map(|s| s.p50).sum();
        assert!((parts - delay.p50).abs() < 0.01, "{parts}");
        assert!((stages[10].p50 - 2.0).abs() < 0.01, "rest");
    }

    #[test]
    fn a_break_leaves_a_gap_and_no_zeros() {
        let (mut meters, frozen_at) = after(200);
        let before = meters.history(frozen_at).count();
        // Nothing is noted while the picture is frozen, and the first picture afterwards does not define a rate yet.
        meters.resume();
        let back = frozen_at + Duration::from_secs(30);
        let mut now = back;
        for frame in 0..40 {
            let facts = facts(back, frame);
            now = facts.ready_at + Duration::from_millis(4);
            meters.note(&facts, now, 0);
        }
        let points: Vec<_> = meters.history(now).copied().collect();
        assert!(points.len() > before, "the history continues");
        assert!(points.iter().all(|p| p.rates.shown_fps > 19.0), "{points:#?}");
        let ago = |p: &Point| -now.saturating_duration_since(p.at).as_secs_f64();
        let lines = unbroken(points.iter().map(|p| [ago(p), 1.0]));
        assert_eq!(lines.len(), 2, "one before and one after the gap");
        assert_eq!(lines[0].len(), before);
    }

    #[test]
    fn the_history_is_a_minute_long() {
        let (mut meters, now) = after(4 * 20 * 60);
        let points: Vec<_> = meters.history(now).copied().collect();
        assert!((236..=241).contains(&points.len()), "{}", points.len());
        assert!(now - points[0].at <= HISTORY);
        assert!(points.windows(2).all(|w| w[0].at < w[1].at));
        meters.tick(now + Duration::from_secs(10));
        let last = meters.history.back().expect("points");
        assert_eq!((last.rates, last.delay_ms), (Rates::default(), None));
        assert_eq!(Meters::default().history(now).count(), 0);
    }
}
