//! The working size that the device holds a rate at, found while it paints.
//!
//! Time of painting grows with the number of pixels, so the time of the size in use tells that of its
//! neighbours. The size shrinks soon after the rate is lost and grows late and by one step at a time, so
//! that it does not swing. Pure: times are handed in. Belongs to the engine's thread.

use std::time::{Duration, Instant};

use super::LiveSize;

/// Long sides that are chosen from, in pixels.
pub const STEPS_PX: [usize; 13] = [
    256, 288, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1600, 1920,
];
/// Share of the time between two frames that painting may take: the rest is for the window and for
/// frames that take longer than most.
const BUDGET_SHARE: f64 = 0.80;
/// Share of the budget below which the next size up has to stay before it is chosen.
const GROWS_BELOW: f64 = 0.85;
/// Frames that took too long before the size shrinks.
const SLOW_FRAMES: u32 = 6;
/// As many, when they took twice as long as they may.
const VERY_SLOW_FRAMES: u32 = 2;
/// How long there has to be room before the size grows.
const GROWS_AFTER: Duration = Duration::from_millis(1500);
/// How long a size that proved too large is not tried again.
const REMEMBERS: Duration = Duration::from_secs(20);
/// Frames of a new size whose time does not count: caches are cold and memory is touched for the first
/// time.
const WARM_UP_FRAMES: u32 = 2;
/// Weight of the newest frame in the mean.
const NEWEST: f64 = 0.2;

/// Chooses the long side for a rate.
#[derive(Clone, Debug)]
pub struct AutoSize {
    target_fps: f64,
    long_side_px: usize,
    /// Mean milliseconds of a frame at the size in use.
    mean_ms: Option<f64>,
    frames: u32,
    slow: u32,
    room_since: Option<Instant>,
    /// A size that was too large, and until when it is remembered.
    too_large: Option<(usize, Instant)>,
}

impl AutoSize {
    /// Begins at `start_px` for frames of at least `target_fps` a second.
    pub fn new(target_fps: f64, start_px: usize) -> Self {
        Self {
            target_fps: target_fps.max(1.0),
            long_side_px: nearest(start_px),
            mean_ms: None,
            frames: 0,
            slow: 0,
            room_since: None,
            too_large: None,
        }
    }

    /// The rate that is held, in frames per second.
    pub fn target_fps(&self) -> f64 {
        self.target_fps
    }

    /// The long side to paint at, in pixels, before the source's own size limits it.
    pub fn long_side_px(&self) -> usize {
        self.long_side_px
    }

    /// Forgets what frames took, because something else than the size changed: the style, the mode.
    pub fn forget(&mut self) {
        *self = Self {
            target_fps: self.target_fps,
            long_side_px: self.long_side_px,
            ..Self::new(self.target_fps, self.long_side_px)
        };
    }

    /// Takes note of a frame that took `ms` at `painted_px` on its long side, at the time `now`. The
    /// source has `source_px` on its long side; larger sizes would not differ. Returns whether the size
    /// changed.
    pub fn note(&mut self, ms: f64, painted_px: usize, source_px: usize, now: Instant) -> bool {
        if painted_px != self.long_side_px.min(source_px) {
            // Still of the size before.
            return false;
        }
        self.frames += 1;
        if self.frames <= WARM_UP_FRAMES {
            return false;
        }
        let mean = match self.mean_ms {
            Some(mean) => mean + NEWEST * (ms - mean),
            None => ms,
        };
        self.mean_ms = Some(mean);
        let budget_ms = 1e3 / self.target_fps * BUDGET_SHARE;
        self.slow = if mean > budget_ms { self.slow + 1 } else { 0 };
        let patience = if mean > 2.0 * budget_ms {
            VERY_SLOW_FRAMES
        } else {
            SLOW_FRAMES
        };
        if self.slow >= patience && painted_px > STEPS_PX[0] {
            self.too_large = Some((painted_px, now + REMEMBERS));
            // At once to where it fits, not step by step.
            let fits = |px: usize| scaled_ms(mean, painted_px, px) <= budget_ms;
            let below = STEPS_PX
                .iter()
                .rev()
                .copied()
                .find(|&px| px < painted_px && fits(px));
            self.go_to(below.unwrap_or(STEPS_PX[0]));
            return true;
        }
        let up = (STEPS_PX.iter().copied())
            .find(|&px| px > painted_px)
            // Nothing is gained beyond the source.
            .filter(|_| painted_px < source_px)
            .filter(|&px| {
                let remembered = self.too_large.filter(|&(_, until)| now < until);
                remembered.is_none_or(|(large, _)| px < large)
            })
            .filter(|&px| scaled_ms(mean, painted_px, px.min(source_px)) < budget_ms * GROWS_BELOW);
        match (up, self.room_since) {
            (None, _) => self.room_since = None,
            (Some(_), None) => self.room_since = Some(now),
            (Some(px), Some(since)) if now - since >= GROWS_AFTER => {
                self.go_to(px);
                return true;
            }
            (Some(_), Some(_)) => {}
        }
        false
    }

    fn go_to(&mut self, px: usize) {
        self.long_side_px = px;
        self.mean_ms = None;
        self.frames = 0;
        self.slow = 0;
        self.room_since = None;
    }
}

/// The long side for which a source should send when pictures are painted by `size`, in pixels: more than
/// it sends now where the automatic size has come up to that. `painted` and `source` are columns and rows
/// of the picture and of the source's frame.
pub fn wanted_px(size: LiveSize, painted: (usize, usize), source: (usize, usize)) -> usize {
    let (painted_px, source_px) = (painted.0.max(painted.1), source.0.max(source.1));
    match size {
        LiveSize::LongSide(px) => px,
        LiveSize::Auto { .. } if painted_px >= source_px => 2 * source_px,
        LiveSize::Auto { .. } => painted_px,
    }
}

/// Milliseconds at another size, if time grows with the pixels.
fn scaled_ms(ms: f64, from_px: usize, to_px: usize) -> f64 {
    let ratio = to_px as f64 / from_px as f64;
    ms * ratio * ratio
}

fn nearest(px: usize) -> usize {
    STEPS_PX
        .into_iter()
        .min_by_key(|&step| step.abs_diff(px))
        .unwrap_or(STEPS_PX[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that needs so many nanoseconds a pixel of a square picture, for so many seconds of 30
    /// frames each; every size that was used.
    fn run(auto: &mut AutoSize, ns_a_pixel: impl Fn(f64) -> f64, seconds: f64) -> Vec<usize> {
        let start = Instant::now();
        let mut sizes = vec![auto.long_side_px()];
        let mut t = 0.0;
        while t < seconds {
            let px = auto.long_side_px().min(1280);
            let ms = (px * px) as f64 * ns_a_pixel(t) / 1e6;
            t += (ms / 1e3).max(1.0 / 30.0);
            auto.note(ms, px, 1280, start + Duration::from_secs_f64(t));
            if sizes.last() != Some(&auto.long_side_px()) {
                sizes.push(auto.long_side_px());
            }
        }
        sizes
    }

    #[test]
    fn a_fast_device_grows_to_the_source() {
        let mut auto = AutoSize::new(30.0, 512);
        let sizes = run(&mut auto, |_| 1.0, 30.0);
        assert_eq!(auto.long_side_px(), 1280);
        assert!(sizes.is_sorted(), "{sizes:?}");
    }

    #[test]
    fn a_slow_device_shrinks_at_once_and_stays() {
        let mut auto = AutoSize::new(30.0, 1280);
        let sizes = run(&mut auto, |_| 200.0, 2.0);
        assert_eq!(sizes, [1280, 320], "26.7 ms for 133000 pixels");
        assert_eq!(run(&mut auto, |_| 200.0, 60.0), [320], "and does not swing");
    }

    #[test]
    fn never_below_the_least_then_the_rate_gives_way() {
        let mut auto = AutoSize::new(30.0, 512);
        run(&mut auto, |_| 5000.0, 20.0);
        assert_eq!(auto.long_side_px(), STEPS_PX[0]);
    }

    #[test]
    fn noise_around_the_budget_moves_nothing_for_long() {
        let mut auto = AutoSize::new(30.0, 512);
        // 512 px take 23 to 29 ms: over the budget of 26.7 at times.
        let sizes = run(&mut auto, |t| 100.0 + 11.0 * (t * 40.0).sin(), 60.0);
        assert!(sizes.len() <= 2, "{sizes:?}");
    }

    #[test]
    fn sources_are_asked_for_what_is_painted() {
        let auto = LiveSize::Auto { target_fps: 30.0 };
        assert_eq!(wanted_px(auto, (320, 240), (640, 480)), 320);
        assert_eq!(
            wanted_px(auto, (640, 480), (640, 480)),
            1280,
            "there may be room for more"
        );
        assert_eq!(
            wanted_px(LiveSize::LongSide(900), (640, 480), (640, 480)),
            900
        );
    }

    #[test]
    fn when_the_load_goes_the_size_comes_back() {
        let mut auto = AutoSize::new(30.0, 640);
        run(&mut auto, |_| 300.0, 5.0);
        let small = auto.long_side_px();
        assert!(small <= 288);
        run(&mut auto, |_| 40.0, 60.0);
        assert_eq!(auto.long_side_px(), 640, "16 ms; 768 would take 24 of 27");
    }
}
