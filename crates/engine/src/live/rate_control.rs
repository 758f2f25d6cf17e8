//! Rate control: finds, while painting, the working size at which the device holds the target rate, and the size that
//! the source has to send for it.
//!
//! The network's time grows with the number of pixels, so the time at the current size predicts the time at the next
//! smaller and larger sizes. Taking the source's frame takes the same time at all sizes. So does scaling it, except at
//! the source's own size, where nothing is scaled. Both are measured separately.
//!
//! The size shrinks soon after the rate is lost. It grows late, and by one step at a time unless there is much room, so
//! that it does not oscillate. If the source's frames are the limit and the device has room, the source is asked for
//! larger frames, as long as it can decode or draw them at that rate. Both sizes come from a short list, so that sizes
//! recur: a device keeps what it has tuned for a size.
//!
//! Pure: times are passed in. Belongs to the engine's thread.

use std::time::{Duration, Instant};

pub use super::frame_cost::FrameCost;
use super::settings::LiveSize;
use crate::capture::LARGEST_FRAME_PX;
use values::mode::DeviceChoice;

/// The available long sides of pictures and of the source's frames, in pixels.
pub const STEPS_PX: [usize; 17] = [
    256,
    288,
    320,
    384,
    448,
    512,
    640,
    768,
    896,
    1024,
    1280,
    1600,
    1920,
    2560,
    3200,
    3840,
    LARGEST_FRAME_PX,
];
/// Initial automatic size, in pixels.
const FIRST_PX: usize = 512;
/// Initial automatic size on the CPU.
const FIRST_PX_ON_CPU: usize = 320;
/// Initial long side of a source's frames, in pixels.
const FIRST_SOURCE_PX: usize = 1280;
/// Initial long side of a source's frames if the CPU paints.
const FIRST_SOURCE_PX_ON_CPU: usize = 640;
/// Share of the frame interval that painting may take. The rest is for the window and for slow frames.
const BUDGET_SHARE: f64 = 0.80;
/// The next larger size is chosen if its predicted time is below this share of the budget.
const GROWS_BELOW: f64 = 0.85;
/// A size beyond the next one is chosen directly if its predicted time is below this share of the budget.
const GROWS_FAR_BELOW: f64 = 0.5;
/// Number of slow frames before the size shrinks.
const SLOW_FRAMES: u32 = 6;
/// Same, if frames take more than twice the budget.
const VERY_SLOW_FRAMES: u32 = 2;
/// How long there has to be room before the size grows.
const GROWS_AFTER: Duration = Duration::from_millis(1500);
/// How long a size that proved too large is not tried again.
const REMEMBERS: Duration = Duration::from_secs(20);
/// Frames of a new size whose time is ignored: caches are cold and memory is touched for the first time.
const WARM_UP_FRAMES: u32 = 2;
/// Maximum and minimum growth factor of a source's frames in one step.
const SOURCE_GROWTH: (f64, f64) = (2.0, 1.1);

/// The initial long side of the source's frames for pictures of this size on a device of this kind, in pixels. Pictures
/// that are upscaled to the source's size (`upscale`) benefit from a larger one.
pub fn first_source_px(size: LiveSize, upscale: bool, device: DeviceChoice) -> usize {
    match (size, device) {
        (LiveSize::LongSide(px), _) if upscale => {
            px.max(first_source_px(LiveSize::default(), false, device))
        }
        (LiveSize::LongSide(px), _) => px,
        (LiveSize::Auto { .. }, DeviceChoice::Cuda) => FIRST_SOURCE_PX,
        (LiveSize::Auto { .. }, DeviceChoice::Cpu | DeviceChoice::Auto) => FIRST_SOURCE_PX_ON_CPU,
    }
}

/// Chooses the long side for a target rate.
#[derive(Clone, Debug)]
pub struct RateControl {
    size: LiveSize,
    long_side_px: usize,
    /// Long side that the source should send, and its minimum.
    source_px: usize,
    first_source_px: usize,
    /// Mean cost of a frame at the current size.
    mean: Option<FrameCost>,
    frames: u32,
    slow: u32,
    room_since: Option<Instant>,
    /// A size that was too large, and until when it is avoided.
    too_large: Option<(usize, Instant)>,
}

impl RateControl {
    /// Starts with `size` on a device of this kind.
    pub fn new(size: LiveSize, device: DeviceChoice) -> Self {
        Self {
            size,
            long_side_px: match device {
                DeviceChoice::Cpu => FIRST_PX_ON_CPU,
                DeviceChoice::Cuda | DeviceChoice::Auto => FIRST_PX,
            },
            source_px: first_source_px(size, false, device),
            first_source_px: first_source_px(LiveSize::default(), false, device),
            mean: None,
            frames: 0,
            slow: 0,
            room_since: None,
            too_large: None,
        }
    }

    /// Changes the size; an automatic one starts at the current size.
    pub fn set_size(&mut self, size: LiveSize) {
        if size == self.size {
            return;
        }
        self.size = size;
        self.forget();
        if let LiveSize::LongSide(px) = size {
            self.source_px = px;
        }
    }

    /// The long side to paint at, in pixels, before the source's own size limits it.
    pub fn long_side_px(&self) -> usize {
        match self.size {
            LiveSize::Auto { .. } => self.long_side_px,
            LiveSize::LongSide(px) => px,
        }
    }

    /// The long side that the source should send, in pixels. For pictures that are upscaled to its size (`upscale`) it
    /// is at least the initial one.
    pub fn source_px(&self, upscale: bool) -> usize {
        if upscale { self.source_px.max(self.first_source_px) } else { self.source_px }
    }

    /// Forgets the times of frames after a change other than the size, such as the style or mode.
    pub fn forget(&mut self) {
        self.begin_at(self.long_side_px);
        self.too_large = None;
    }

    /// Records a frame that was painted at time `now`. Returns whether the size changed.
    pub fn note(&mut self, frame: FrameCost, now: Instant) -> bool {
        let FrameCost { painted_px, source_px, .. } = frame;
        let LiveSize::Auto { target_fps } = self.size else {
            return false;
        };
        if painted_px != self.long_side_px.min(source_px) {
            // The frame still has the previous size.
            return false;
        }
        self.frames += 1;
        if self.frames <= WARM_UP_FRAMES {
            return false;
        }
        let mean = FrameCost::mean_after(self.mean, &frame);
        self.mean = Some(mean);
        let budget_ms = 1e3 / target_fps.max(1.0) * BUDGET_SHARE;
        self.slow = if mean.fits(1.0, budget_ms, true) { 0 } else { self.slow + 1 };
        let patience =
            if mean.total_ms() > 2.0 * budget_ms { VERY_SLOW_FRAMES } else { SLOW_FRAMES };
        if self.slow >= patience && painted_px > STEPS_PX[0] {
            self.too_large = Some((painted_px, now + REMEMBERS));
            // Directly to a size that fits, not step by step.
            let fits = |px: usize| mean.fits(pixel_ratio(painted_px, px), budget_ms, true);
            let below = STEPS_PX.iter().rev().copied().find(|&px| px < painted_px && fits(px));
            self.begin_at(below.unwrap_or(STEPS_PX[0]));
            if 2 * self.long_side_px < self.source_px {
                // Decoding frames that are then scaled down a lot is wasted work.
                self.source_px = self.long_side_px.max(self.first_source_px);
            }
            return true;
        }
        let is_source_the_limit = painted_px >= source_px;
        let too_large = self.too_large.filter(|&(_, until)| now < until);
        // Sizes beyond the first step that covers the source gain nothing.
        let covers = STEPS_PX.into_iter().find(|&px| px >= source_px);
        let most_px = covers.filter(|_| !is_source_the_limit);
        let larger = STEPS_PX.into_iter().filter(|&px| {
            px > painted_px
                && px <= most_px.unwrap_or(LARGEST_FRAME_PX)
                && too_large.is_none_or(|(large, _)| px < large)
        });
        let limit_px = if is_source_the_limit { usize::MAX } else { source_px };
        let is_below = |px: usize, share: f64| {
            let ratio = pixel_ratio(painted_px, px.min(limit_px));
            if is_source_the_limit {
                // Larger frames of the source also take longer to copy.
                mean.total_ms() * ratio < budget_ms * share
            } else {
                mean.fits(ratio, budget_ms * share, px < source_px)
            }
        };
        let next = larger.clone().next().filter(|&px| is_below(px, GROWS_BELOW));
        let far = larger.filter(|&px| is_below(px, GROWS_FAR_BELOW)).max();
        let up = next.max(far);
        match (up, self.room_since) {
            (None, _) => self.room_since = None,
            (Some(_), None) => self.room_since = Some(now),
            (Some(px), Some(since)) if now - since >= GROWS_AFTER => {
                if is_source_the_limit {
                    self.room_since = None;
                    self.request_more(source_px, budget_ms / mean.decode_ms);
                    return false;
                }
                self.begin_at(px);
                return true;
            }
            (Some(_), Some(_)) => {}
        }
        false
    }

    /// Requests larger frames from a source that now sends `from_px` and could decode or draw `room` times as many
    /// pixels in time.
    fn request_more(&mut self, from_px: usize, room: f64) {
        let (most, least) = SOURCE_GROWTH;
        // For a source with negligible cost, the room is infinite.
        let growth = room.sqrt().min(most);
        if growth >= least {
            let most_px = from_px as f64 * growth;
            let mut steps = STEPS_PX.into_iter().rev();
            let px = steps.find(|&px| px as f64 <= most_px).unwrap_or(0);
            self.source_px = self.source_px.max(px);
        }
    }

    fn begin_at(&mut self, px: usize) {
        self.long_side_px = px;
        self.mean = None;
        self.frames = 0;
        self.slow = 0;
        self.room_since = None;
    }
}

/// The ratio of the pixel counts of two pictures of the same shape, from their long sides.
fn pixel_ratio(from_px: usize, to_px: usize) -> f64 {
    let ratio = to_px as f64 / from_px as f64;
    ratio * ratio
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTO: LiveSize = LiveSize::Auto { target_fps: 30.0 };

    /// A simulated device and source. The device needs a given number of nanoseconds per pixel of a square picture. The
    /// source sends at most `largest_px` and needs `decode_ns` per pixel to decode and `taking_ns` to take.
    struct Run {
        control: RateControl,
        largest_px: usize,
        decode_ns: f64,
        taking_ns: f64,
        scaling_ns: f64,
        t: f64,
        start: Instant,
    }

    impl Run {
        fn new(device: DeviceChoice, largest_px: usize) -> Self {
            Self {
                control: RateControl::new(AUTO, device),
                largest_px,
                decode_ns: 0.1,
                taking_ns: 0.0,
                scaling_ns: 0.0,
                t: 0.0,
                start: Instant::now(),
            }
        }

        fn for_seconds(&mut self, seconds: f64, ns_a_pixel: impl Fn(f64) -> f64) -> Vec<usize> {
            let mut sizes = vec![self.control.long_side_px()];
            let end = self.t + seconds;
            while self.t < end {
                let source_px = self.control.source_px(false).min(self.largest_px);
                let painted_px = self.control.long_side_px().min(source_px);
                let ms = |px: usize, ns: f64| (px * px) as f64 * ns / 1e6;
                let painting_ms = ms(painted_px, ns_a_pixel(self.t));
                let taking_ms = ms(source_px, self.taking_ns);
                let scaling_ms = match painted_px < source_px {
                    true => ms(source_px, self.scaling_ns),
                    false => 0.0,
                };
                self.t += ((painting_ms + taking_ms + scaling_ms) / 1e3).max(1.0 / 30.0);
                let cost = FrameCost {
                    painting_ms,
                    taking_ms,
                    scaling_ms,
                    decode_ms: ms(source_px, self.decode_ns),
                    painted_px,
                    source_px,
                };
                self.control.note(cost, self.start + Duration::from_secs_f64(self.t));
                if sizes.last() != Some(&self.control.long_side_px()) {
                    sizes.push(self.control.long_side_px());
                }
            }
            sizes
        }
    }

    #[test]
    fn a_fast_device_grows_to_the_source_whatever_its_size() {
        for largest_px in [640, 1280, 1920, 3840, LARGEST_FRAME_PX] {
            let mut run = Run::new(DeviceChoice::Cuda, largest_px);
            let sizes = run.for_seconds(60.0, |_| 1.0);
            assert_eq!(run.control.long_side_px(), largest_px);
            assert!(run.control.source_px(false) >= largest_px);
            assert!(sizes.is_sorted(), "{sizes:?}");
        }
    }

    #[test]
    fn much_room_is_taken_at_once() {
        let mut run = Run::new(DeviceChoice::Cuda, 1920);
        let sizes = run.for_seconds(6.0, |_| 1.0);
        assert_eq!(sizes, [512, 1280, 1920], "a request for more between");
    }

    #[test]
    fn the_time_for_a_large_frame_holds_no_size_back() {
        // Taking 1920 px leaves 15 of the 26.7 ms; painting at that size needs 7.4.
        let mut run = Run::new(DeviceChoice::Cuda, 1920);
        (run.control.source_px, run.taking_ns) = (1920, 3.2);
        run.for_seconds(20.0, |_| 2.0);
        assert_eq!(run.control.long_side_px(), 1920);
        // If taking uses all of the time, a quarter of the budget still decides: 6.7 ms are 1826 px.
        run.taking_ns = 10.0;
        run.for_seconds(60.0, |_| 2.0);
        let size = run.control.long_side_px();
        assert!((1280..=1600).contains(&size), "{size}");
    }

    #[test]
    fn a_size_that_needs_no_scaling_is_not_held_back_by_it() {
        // Scaling a frame of 1920 px down takes 22 of the 26.7 ms; painting at that size needs 7.4, and no scaling.
        let mut run = Run::new(DeviceChoice::Cuda, 1920);
        (run.control.source_px, run.scaling_ns) = (1920, 6.0);
        run.for_seconds(20.0, |_| 2.0);
        assert_eq!(run.control.long_side_px(), 1920);
        // If that is too much for the device (29.5 ms), the source is made to send what it can paint, in 20.5 ms.
        run.for_seconds(60.0, |_| 8.0);
        assert_eq!((run.control.long_side_px(), run.control.source_px(false)), (1600, 1600));
    }

    #[test]
    fn a_slow_device_shrinks_at_once_and_stays() {
        let mut run = Run::new(DeviceChoice::Cuda, 1280);
        run.for_seconds(20.0, |_| 1.0);
        run.control.forget();
        let sizes = run.for_seconds(2.0, |_| 200.0);
        assert_eq!(sizes, [1280, 320], "26.7 ms for 133000 pixels");
        assert_eq!(run.control.source_px(false), FIRST_SOURCE_PX);
        let sizes = run.for_seconds(60.0, |_| 200.0);
        assert_eq!(sizes, [320], "and does not swing");
    }

    #[test]
    fn the_size_stays_above_the_minimum_and_then_the_rate_falls() {
        let mut run = Run::new(DeviceChoice::Cuda, 1280);
        run.for_seconds(20.0, |_| 5000.0);
        assert_eq!(run.control.long_side_px(), STEPS_PX[0]);
    }

    #[test]
    fn noise_around_the_budget_moves_nothing_for_long() {
        // 512 px take 23 to 29 ms: sometimes over the budget of 26.7.
        let mut run = Run::new(DeviceChoice::Cuda, 1280);
        let sizes = run.for_seconds(60.0, |t| 100.0 + 11.0 * (t * 40.0).sin());
        assert!(sizes.len() <= 2, "{sizes:?}");
    }

    #[test]
    fn sources_send_no_more_than_they_can_in_time() {
        // 26.7 ms are enough for 1633 px at 10 ns a pixel.
        let mut run = Run::new(DeviceChoice::Cuda, 3840);
        run.decode_ns = 10.0;
        run.for_seconds(60.0, |_| 1.0);
        assert_eq!(run.control.source_px(false), 1600);
    }

    #[test]
    fn few_sizes_are_requested_and_painted_for_any_source() {
        for decode_ns in 1..40 {
            let mut run = Run::new(DeviceChoice::Cuda, LARGEST_FRAME_PX);
            run.decode_ns = f64::from(decode_ns);
            let sizes = run.for_seconds(30.0, |_| 1.0);
            let source_px = run.control.source_px(false);
            assert!(STEPS_PX.contains(&source_px), "{source_px} px");
            assert!(sizes.iter().all(|px| STEPS_PX.contains(px)), "{sizes:?}");
        }
    }

    #[test]
    fn sources_are_not_reopened_again_and_again() {
        // Paints 1920 px in 18.4 ms; sending 3840 would be wasted.
        let mut run = Run::new(DeviceChoice::Cuda, 3840);
        run.for_seconds(60.0, |_| 5.0);
        let (size, source_px) = (run.control.long_side_px(), run.control.source_px(false));
        for _ in 0..60 {
            run.for_seconds(1.0, |_| 5.0);
            let control = &run.control;
            assert_eq!((control.long_side_px(), control.source_px(false)), (size, source_px));
        }
        assert!((1920..=2560).contains(&size), "{size}");
    }

    #[test]
    fn a_chosen_size_is_painted_and_sent() {
        let mut control = RateControl::new(LiveSize::LongSide(900), DeviceChoice::Cpu);
        assert_eq!((control.long_side_px(), control.source_px(false)), (900, 900));
        control.set_size(LiveSize::LongSide(3840));
        assert_eq!((control.long_side_px(), control.source_px(false)), (3840, 3840));
        control.set_size(AUTO);
        assert_eq!(control.long_side_px(), FIRST_PX_ON_CPU);
    }

    #[test]
    fn when_the_load_goes_the_size_comes_back() {
        let mut run = Run::new(DeviceChoice::Cuda, 1280);
        run.for_seconds(5.0, |_| 300.0);
        assert!(run.control.long_side_px() <= 288);
        run.for_seconds(60.0, |_| 40.0);
        assert_eq!(run.control.long_side_px(), 640, "16 ms; 768 would take 24 of 27");
    }
}
