//! Paints one photo: working size, memory, the run itself, and scaling of the result.
//!
//! [`Painter`] blocks: the window runs it on its own thread, the command line on the main thread. It keeps the sessions
//! of recent sizes and styles while they fit the memory limit.

mod limits;
mod painter;
mod painters;

use std::{
    borrow::Cow,
    fmt::{Display, Formatter},
    str::FromStr,
    sync::Arc,
};

pub use painter::{Painter, long_minutes};
pub use painters::Painters;

use backend::{BackendError, Steadiness};
use pictures::{
    decode, memory,
    scale::{scaled, scaled_deep, size_with_long_side, size_within},
};
use values::{
    compose::{Blend, Look, compose_deep, compose_into},
    deep_frame::DeepFrame,
    frame::Frame,
    mode::{Mode, ModeChoice},
    timing::RunTiming,
};

/// Long side of the default working size, in pixels. Stroke width is fixed in working pixels; at this size a
/// 12-megapixel photo looks painted rather than covered in hair-thin strokes.
pub const DEFAULT_WORKING_PX: usize = 1280;
/// Smallest working size that the user may choose, in pixels on the long side.
pub const MIN_WORKING_PX: usize = 16;
/// Largest size that the user may type, in pixels on the long side: the maximum of JPEG. More would be a typing error.
pub const MAX_WORKING_PX: usize = 65_535;

/// The size of the network's input, which sets the brush size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WorkingSize {
    /// [`DEFAULT_WORKING_PX`] on the long side, or the photo's size if that is less.
    #[default]
    Auto,
    /// Pixels on the long side, or the photo's size if that is less.
    LongSide(usize),
    /// The photo's own size.
    Original,
}

impl WorkingSize {
    /// Columns and rows for a photo of the given size.
    pub fn resolve(self, width: usize, height: usize) -> (usize, usize) {
        match self {
            Self::Auto => size_within(width, height, DEFAULT_WORKING_PX),
            Self::LongSide(px) => size_within(width, height, px.max(MIN_WORKING_PX)),
            Self::Original => (width, height),
        }
    }
}

impl FromStr for WorkingSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "original" => Ok(Self::Original),
            _ => typed_px(text, "\"auto\", \"original\"").map(Self::LongSide),
        }
    }
}

impl Display for WorkingSize {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::LongSide(px) => write!(f, "{px}"),
            Self::Original => f.write_str("original"),
        }
    }
}

/// The long side that the user typed instead of these `words`, in pixels.
fn typed_px(text: &str, words: &str) -> Result<usize, String> {
    (text.parse().ok()).filter(|px| (MIN_WORKING_PX..=MAX_WORKING_PX).contains(px)).ok_or_else(
        || format!("give {words} or the long side in pixels, {MIN_WORKING_PX} to {MAX_WORKING_PX}"),
    )
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutputSize {
    /// The photo's size.
    #[default]
    Original,
    Working,
    /// Pixels on the long side; a smaller photo is enlarged, up to [`most_long_side_px`].
    LongSide(usize),
}

/// Maximum ratio of a finished picture's long side to its photo's. Beyond it only the pixels get larger.
pub const MAX_ENLARGED: usize = 4;

/// The longest side of a finished picture of a photo of these columns and rows, in pixels: at most [`MAX_ENLARGED`]
/// times the photo's, and within the pixel limit for opening pictures.
pub fn most_long_side_px((width, height): (usize, usize)) -> usize {
    let long = width.max(height);
    let pixels = (width as f64 * height as f64).max(1.0);
    let by_pixels = long as f64 * (decode::MAX_PIXELS as f64 / pixels).sqrt();
    let most = (long.saturating_mul(MAX_ENLARGED)).min(MAX_WORKING_PX);
    // Rounded down: the short side may be rounded up.
    most.min((by_pixels * 0.9999) as usize).max(long)
}

impl OutputSize {
    /// Columns and rows of the finished picture of a photo that was painted at the size `painted`.
    pub fn resolve(self, photo: (usize, usize), painted: (usize, usize)) -> (usize, usize) {
        match self {
            Self::Original => photo,
            Self::Working => painted,
            Self::LongSide(px) => {
                // A photo below the minimum keeps its size.
                let least = MIN_WORKING_PX.min(photo.0.max(photo.1));
                size_with_long_side(photo, px.clamp(least, most_long_side_px(photo)))
            }
        }
    }

    /// A note about a photo of this size whose result cannot have the chosen size.
    pub fn note(self, photo: (usize, usize)) -> Option<String> {
        let Self::LongSide(px) = self else {
            return None;
        };
        let (width, height) = self.resolve(photo, photo);
        (width.max(height) < px).then(|| {
            format!("enlarged to {width}x{height} instead of {px} pixels, which is the maximum for this photo")
        })
    }
}

impl Display for OutputSize {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Original => f.write_str("original"),
            Self::Working => f.write_str("working"),
            Self::LongSide(px) => write!(f, "{px}"),
        }
    }
}

impl FromStr for OutputSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "original" => Ok(Self::Original),
            "working" => Ok(Self::Working),
            _ => typed_px(text, "\"original\", \"working\"").map(Self::LongSide),
        }
    }
}

/// Memory of the program itself: its code, the styles in it, one network, threads. If the CPU paints, memory limits
/// apply to the whole program, and this counts towards them.
pub const PROGRAM_BYTES: u64 = 64_000_000;

/// The settings of a run of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaintSettings {
    pub working_size: WorkingSize,
    pub mode: ModeChoice,
    /// Maximum memory, in bytes. On the CPU it limits the whole program ([`PROGRAM_BYTES`], the photo, the run, the
    /// result and saving it); on other devices it limits the run and its pictures. `None` means
    /// [`default_memory_limit_bytes`], or the memory that the device had free when the [`Painter`] was created.
    pub max_memory_bytes: Option<u64>,
    /// Paintings keep 16 bits per channel ([`Painting::deep`]).
    pub is_deep: bool,
    /// Bytes that the caller holds throughout, in addition to the photo, for example other photos.
    pub held_bytes: u64,
    /// Bytes that the caller needs to save the result, in addition to the result.
    pub saving_bytes: u64,
}

impl PaintSettings {
    /// The default settings with this mode.
    pub fn of_mode(mode: ModeChoice) -> Self {
        Self { mode, ..Self::default() }
    }
}

/// 4 GB, or half of the free memory if that is less. Reads system files.
pub fn default_memory_limit_bytes() -> u64 {
    default_limit_of(memory::available_bytes())
}

/// [`default_memory_limit_bytes`] for `free_bytes`, if known.
fn default_limit_of(free_bytes: Option<u64>) -> u64 {
    let ceiling = 4_000_000_000;
    free_bytes.map_or(ceiling, |free| ceiling.min(free / 2))
}

/// Why a photo was not painted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaintError {
    /// The device failed, or the run was cancelled.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Even the smallest working size exceeds the memory limit.
    #[error(
        "painting needs at least {needed_mb} MB, the limit is {limit_mb} MB; raise --max-memory or close other programs"
    )]
    MemoryLimit {
        /// For the smallest working size.
        needed_mb: u64,
        limit_mb: u64,
    },
}

impl PaintError {
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Backend(BackendError::Cancelled))
    }
}

/// How a frame of a film is steadied by the device that paints it, if it can.
#[derive(Clone, Debug)]
pub struct Steadying {
    pub steadiness: Steadiness,
    /// [`Painting::steady`] of the frame before, if another run painted it.
    pub restored: Option<Arc<[u8]>>,
    /// The state after this frame is needed.
    pub is_saved: bool,
}

#[derive(Clone, Debug)]
pub struct Painting {
    /// The network's picture at the working size, before strength, colours and output size are applied.
    pub painted: Frame,
    /// The same picture before it was rounded to 8 bits, if it was requested ([`PaintSettings::is_deep`]).
    pub deep: Option<DeepFrame>,
    /// The state of the steadiness after it, if the device steadied it; empty unless it was requested.
    pub steady: Option<Vec<u8>>,
    /// Messages for the user, for example about a reduced working size.
    pub notes: Vec<String>,
    pub mode: Mode,
    /// Time of the run alone, as the device measures it.
    pub run: RunTiming,
    /// Time including resizing, by the host clock.
    pub total_ms: f64,
}

impl Painting {
    /// The finished picture for `photo`, which must be the photo that was painted.
    /// A mask must have the size of the finished picture ([`OutputSize::resolve`]).
    pub fn finished<'a>(
        &self,
        photo: &Frame,
        output: OutputSize,
        blend: impl Into<Blend<'a>>,
    ) -> Frame {
        finished(Cow::Borrowed(&self.painted), photo, output, blend.into())
    }

    /// [`Painting::finished`], in the memory of the painting if the size stays.
    pub fn into_finished<'a>(
        self,
        photo: &Frame,
        output: OutputSize,
        blend: impl Into<Blend<'a>>,
    ) -> Frame {
        finished(Cow::Owned(self.painted), photo, output, blend.into())
    }

    /// [`Painting::finished`] with 16 bits per channel, if the painting still has them; takes them.
    pub fn finished_deep<'a>(
        &mut self,
        photo: &Frame,
        output: OutputSize,
        blend: impl Into<Blend<'a>>,
    ) -> Option<DeepFrame> {
        let deep = self.deep.take()?;
        let (width, height) = output.resolve(photo.size(), deep.size());
        let photo = scaled_deep(DeepFrame::from(photo), width, height);
        let mut painting = scaled_deep(deep, width, height);
        compose_deep(&photo, &mut painting, blend).then_some(painting)
    }
}

fn finished(painted: Cow<'_, Frame>, photo: &Frame, output: OutputSize, blend: Blend<'_>) -> Frame {
    let (width, height) = output.resolve(photo.size(), painted.size());
    let is_own_size = photo.size() == painted.size() && painted.size() == (width, height);
    if is_own_size && blend == Look::default().into() {
        // It has the photo's alpha already.
        return painted.into_owned();
    }
    let base = at_size(photo, width, height);
    if blend.is_off() {
        return base.into_owned();
    }
    let mut top = if painted.size() == (width, height) {
        painted.into_owned()
    } else {
        scaled(&painted, width, height)
    };
    if compose_into(&base, &mut top, blend) { top } else { base.into_owned() }
}

/// Bytes of a picture in RGBA8.
pub fn frame_bytes((width, height): (usize, usize)) -> u64 {
    4 * width as u64 * height as u64
}

/// `photo` in `width` x `height` pixels, copied only if its size differs.
pub fn at_size(photo: &Frame, width: usize, height: usize) -> Cow<'_, Frame> {
    if photo.size() == (width, height) {
        Cow::Borrowed(photo)
    } else {
        Cow::Owned(scaled(photo, width, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_results_are_written_and_read() {
        for output in [OutputSize::Original, OutputSize::Working, OutputSize::LongSide(2048)] {
            assert_eq!(output.to_string().parse(), Ok(output));
        }
        for wrong in ["", "large", "15", "-3", "20.5", "65536", "99999999999999999999"] {
            assert!(wrong.parse::<OutputSize>().is_err(), "{wrong}");
        }
        let long = OutputSize::LongSide(400);
        assert_eq!(long.resolve((1000, 500), (20, 10)), (400, 200));
        assert_eq!(long.resolve((300, 200), (20, 10)), (400, 267), "a smaller one is enlarged");
        assert_eq!(long.resolve((60, 30), (20, 10)), (240, 120), "four times at most");
        assert_eq!(OutputSize::LongSide(9).resolve((12, 6), (12, 6)), (12, 6));
        // A picture is never larger than what can be opened again.
        let large = OutputSize::LongSide(60_000).resolve((12_000, 10_000), (20, 10));
        assert!((large.0 * large.1) as u64 <= decode::MAX_PIXELS && large.0 > 15_000, "{large:?}");
    }

    #[test]
    fn working_sizes_are_read() {
        let good = [
            ("auto", WorkingSize::Auto),
            ("original", WorkingSize::Original),
            ("640", WorkingSize::LongSide(640)),
            ("65535", WorkingSize::LongSide(65_535)),
        ];
        for (text, size) in good {
            assert_eq!(text.parse(), Ok(size));
        }
        for wrong in ["3", "65536", "-1", "9999999", ""] {
            assert!(wrong.parse::<WorkingSize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn half_of_what_is_free_is_taken_and_never_more_than_four_gigabytes() {
        for (free, limit) in [
            (Some(6_000_000_000), 3_000_000_000),
            (Some(8_000_000_000), 4_000_000_000),
            (Some(64_000_000_000), 4_000_000_000),
            (Some(0), 0),
            (None, 4_000_000_000),
        ] {
            assert_eq!(default_limit_of(free), limit, "{free:?}");
        }
        let here = default_memory_limit_bytes();
        assert!((1..=4_000_000_000).contains(&here), "{here}");
    }
}
