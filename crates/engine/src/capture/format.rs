//! The formats of cameras, and how one is chosen.

use std::fmt::{Display, Formatter};

use serde::{Serialize, Serializer};

use super::CaptureSettings;

pub use values::raw_frame::PixelFormat;

/// The cost of a frame: about the milliseconds of decoding a million pixels, and a penalty for lost quality.
fn cost_of(pixels: PixelFormat) -> (f32, f32) {
    match pixels {
        PixelFormat::Yuyv => (2.0, 0.0),
        PixelFormat::Nv12 => (2.5, 0.0),
        PixelFormat::Uyvy | PixelFormat::Yvyu => (3.0, 0.0),
        PixelFormat::Nv21 | PixelFormat::Yu12 | PixelFormat::Yv12 => (3.5, 0.0),
        PixelFormat::Rgb | PixelFormat::Bgr => (0.5, 0.0),
        PixelFormat::Bgra => (1.0, 0.0),
        // Compression blocks and halos become visible in the painting.
        PixelFormat::Mjpeg => (2.0, 5.0),
        // No colour.
        PixelFormat::Grey | PixelFormat::Grey10 | PixelFormat::Grey16 => (0.5, 200.0),
    }
}

/// Seconds between two frames, as a fraction such as 1/30 or 1001/30000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameInterval {
    /// Never 0.
    pub numerator: u32,
    /// Never 0.
    pub denominator: u32,
}

impl FrameInterval {
    /// `None` if a part is 0.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        (numerator != 0 && denominator != 0).then_some(Self { numerator, denominator })
    }

    pub fn fps(self) -> f32 {
        self.denominator as f32 / self.numerator as f32
    }
}

impl Serialize for FrameInterval {
    /// As frames per second.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f32(self.fps())
    }
}

/// One format that a camera can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct CameraFormat {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    #[serde(rename = "fps")]
    pub interval: FrameInterval,
    pub pixels: PixelFormat,
}

/// Maximum columns or rows of a frame.
pub(super) const MAX_SIDE_PX: u32 = 16_384;
/// Maximum pixels of a frame, which is held in memory several times.
const MAX_FRAME_PIXELS: u32 = 1 << 27;

impl CameraFormat {
    /// True if frames of this size are accepted. A driver may claim any size.
    pub(super) fn is_within_limits(&self) -> bool {
        let sides = 1..=MAX_SIDE_PX;
        sides.contains(&self.width)
            && sides.contains(&self.height)
            && self.width * self.height <= MAX_FRAME_PIXELS
    }

    /// Frames per second, as declared by the camera.
    pub fn fps(&self) -> f32 {
        self.interval.fps()
    }

    fn megapixels(&self) -> f32 {
        self.width as f32 * self.height as f32 / 1e6
    }

    fn aspect(&self) -> f32 {
        self.width as f32 / self.height as f32
    }
}

impl Display for CameraFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let fps = self.fps();
        let fps = if (fps - fps.round()).abs() < 0.005 {
            format!("{fps:.0}")
        } else {
            format!("{fps:.2}")
        };
        let Self { width, height, .. } = self;
        write!(f, "{width} x {height}, {fps} fps, {}", self.pixels)
    }
}

/// Target rate of live pictures, in frames per second.
const LIVE_FPS: f32 = 30.0;
/// How much lower another format's cost must be before a running camera is reopened for it.
const WORTH_REOPENING: f32 = 15.0;

/// The format of `offered` that suits `request` best; the first one among equals.
pub(super) fn choose(offered: &[CameraFormat], request: &CaptureSettings) -> Option<CameraFormat> {
    let native_aspect = native_aspect(offered);
    let cost = |format: &CameraFormat| cost(format, request, native_aspect);
    offered.iter().min_by(|a, b| cost(a).total_cmp(&cost(b))).copied()
}

/// A format that suits `request` better than `current` by enough to reopen the camera.
pub(super) fn choose_instead(
    offered: &[CameraFormat],
    request: &CaptureSettings,
    current: &CameraFormat,
) -> Option<CameraFormat> {
    let best = choose(offered, request)?;
    let cost = |format: &CameraFormat| cost(format, request, native_aspect(offered));
    (cost(current) > cost(&best) + WORTH_REOPENING).then_some(best)
}

/// Probably the sensor's own aspect ratio: that of the largest picture. Other formats are cropped from it.
fn native_aspect(offered: &[CameraFormat]) -> f32 {
    offered
        .iter()
        .max_by(|a, b| a.megapixels().total_cmp(&b.megapixels()))
        .map_or(1.0, CameraFormat::aspect)
}

/// How badly a format suits; lower is better. Half the rate or half the size costs 100.
fn cost(format: &CameraFormat, request: &CaptureSettings, native_aspect: f32) -> f32 {
    let fps = format.fps();
    let mut cost = match request.fps {
        Some(requested) => 400.0 * (fps / requested as f32).log2().abs(),
        None if fps < LIVE_FPS => 100.0 * (LIVE_FPS / fps - 1.0),
        // Frames beyond the display rate would be decoded unnecessarily.
        None => 0.2 * (fps - LIVE_FPS),
    };
    match request.size {
        Some((width, height)) => {
            let apart = |a: u32, b: u32| (a as f32 / b.max(1) as f32).log2().abs();
            cost += 2000.0 * (apart(format.width, width) + apart(format.height, height));
        }
        None => {
            let long_px = format.width.max(format.height) as f32;
            cost += 120.0 * (request.source_px as f32 / long_px - 1.0).max(0.0);
            cost += 10.0 * format.megapixels() * fps / LIVE_FPS;
            if (format.aspect() / native_aspect - 1.0).abs() > 0.02 {
                cost += 4.0;
            }
        }
    }
    let (per_megapixel, loss) = cost_of(format.pixels);
    cost += loss + per_megapixel * format.megapixels();
    if request.format.is_some_and(|requested| requested != format.pixels) {
        cost += 10_000.0;
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(pixels: PixelFormat, width: u32, height: u32, fps: u32) -> CameraFormat {
        CameraFormat { width, height, interval: FrameInterval::new(1, fps).expect("not 0"), pixels }
    }

    /// The formats of a common USB camera.
    fn common() -> Vec<CameraFormat> {
        use PixelFormat::{Mjpeg, Yuyv};
        vec![
            format(Yuyv, 640, 480, 30),
            format(Yuyv, 160, 120, 30),
            format(Yuyv, 640, 360, 30),
            format(Yuyv, 1280, 720, 10),
            format(Yuyv, 1920, 1080, 5),
            format(Mjpeg, 160, 90, 120),
            format(Mjpeg, 640, 480, 30),
            format(Mjpeg, 1280, 720, 30),
            format(Mjpeg, 1280, 720, 60),
            format(Mjpeg, 1920, 1080, 30),
        ]
    }

    fn request(source_px: usize) -> CaptureSettings {
        CaptureSettings { source_px, ..CaptureSettings::default() }
    }

    fn chosen(request: CaptureSettings) -> String {
        choose(&common(), &request).expect("one").to_string()
    }

    #[test]
    fn sizes_that_no_memory_holds_are_not_taken() {
        let taken =
            |width, height| format(PixelFormat::Mjpeg, width, height, 30).is_within_limits();
        assert!(taken(1, 1) && taken(16_384, 8192) && taken(8192, 16_384));
        assert!(!taken(0, 480) && !taken(640, 0));
        assert!(!taken(16_384, 16_384) && !taken(16_385, 1) && !taken(u32::MAX, u32::MAX));
    }

    #[test]
    fn the_working_size_decides() {
        assert_eq!(chosen(request(256)), "640 x 360, 30 fps, YUYV");
        assert_eq!(chosen(request(640)), "640 x 360, 30 fps, YUYV");
        assert_eq!(chosen(request(1000)), "1280 x 720, 30 fps, MJPEG");
        assert_eq!(chosen(request(1280)), "1280 x 720, 30 fps, MJPEG");
        assert_eq!(chosen(request(1920)), "1920 x 1080, 30 fps, MJPEG");
        assert_eq!(chosen(request(4000)), "1920 x 1080, 30 fps, MJPEG");
    }

    #[test]
    fn the_rate_comes_before_the_size() {
        let slow_when_large =
            [format(PixelFormat::Yuyv, 1280, 720, 10), format(PixelFormat::Yuyv, 640, 480, 30)];
        let best = choose(&slow_when_large, &request(1280)).expect("one");
        assert_eq!(best.width, 640);
        let ntsc = CameraFormat {
            interval: FrameInterval::new(1001, 30000).expect("not 0"),
            ..format(PixelFormat::Yuyv, 640, 480, 1)
        };
        assert_eq!(ntsc.to_string(), "640 x 480, 29.97 fps, YUYV");
        let best = choose(&[format(PixelFormat::Grey, 640, 480, 30), ntsc], &request(640));
        assert_eq!(best, Some(ntsc), "colour comes before a whole number");
    }

    #[test]
    fn manual_settings_take_precedence() {
        let by_hand = CaptureSettings { size: Some((1280, 720)), ..request(256) };
        assert_eq!(chosen(by_hand.clone()), "1280 x 720, 30 fps, MJPEG");
        let fast = CaptureSettings { fps: Some(60), ..by_hand.clone() };
        assert_eq!(chosen(fast), "1280 x 720, 60 fps, MJPEG");
        let raw = CaptureSettings { format: Some(PixelFormat::Yuyv), ..by_hand.clone() };
        assert_eq!(chosen(raw), "1280 x 720, 10 fps, YUYV");
        let unknown = CaptureSettings {
            size: Some((1300, 700)),
            format: Some(PixelFormat::Nv12),
            ..request(256)
        };
        assert_eq!(chosen(unknown), "1280 x 720, 30 fps, MJPEG", "the nearest");
    }

    #[test]
    fn a_running_camera_is_opened_again_only_for_much_better() {
        let current = format(PixelFormat::Yuyv, 640, 360, 30);
        let small = choose_instead(&common(), &request(600), &current);
        assert_eq!(small, None);
        let large = choose_instead(&common(), &request(1280), &current).expect("another");
        assert_eq!(large.width, 1280);
        assert!(choose_instead(&[], &request(1280), &current).is_none());
    }
}
