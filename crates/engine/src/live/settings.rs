//! The settings of live pictures, as one value, the events that accompany the pictures, and the state of live painting.
//!
//! Plain data.

use std::{
    fmt::{Display, Formatter},
    sync::Arc,
};

use serde::Serialize;

use super::input::SourceState;
use crate::{Stylization, capture::CaptureEvent, error::EngineError};
use network::Network;
use plan::ConvProvider;
use values::{
    compose::Look,
    frame::Frame,
    mailbox::Writer,
    mode::{DeviceChoice, Mode, ModeChoice},
    timing::{Ceiling, StepTiming, TimingMethod},
};

/// Default target rate, in frames per second.
pub const DEFAULT_TARGET_FPS: f64 = 30.0;

/// The size of the network's input for live frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LiveSize {
    /// The largest size at which the device holds the target rate, at least 256 pixels on the long side.
    Auto {
        /// Frames per second.
        target_fps: f64,
    },
    /// The long side, in pixels; at most the source's.
    LongSide(usize),
}

impl Default for LiveSize {
    fn default() -> Self {
        Self::Auto { target_fps: DEFAULT_TARGET_FPS }
    }
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandidateChoice {
    /// `Auto` is the device in use.
    pub device: DeviceChoice,
    pub mode: ModeChoice,
}

/// Two ways to paint the same frames, which are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModePair {
    /// The reference, and what is compared with it.
    pub candidates: [CandidateChoice; 2],
}

/// A measurement of two modes against each other.
#[derive(Clone, Debug)]
pub struct MeasureJob {
    pub modes: ModePair,
    /// Name of the style in the report.
    pub style: String,
    /// Measured frames per mode.
    pub frames: u32,
    /// Frames per mode that are painted first and ignored.
    pub warmup: u32,
}

/// Settings and their number, which is larger than all before.
pub type NumberedSettings = (LiveSettings, u64);

/// Everything that decides how live frames are painted.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSettings {
    /// Comparisons are not steadied.
    pub stylization: Stylization<LiveSize>,
    /// Whether pictures are upscaled to the source's size if the working size is smaller.
    pub upscale: bool,
    /// Two modes instead of [`Stylization::mode`], alternating on the same frames.
    pub compare: Option<ModePair>,
    /// Holds the picture: no newer frames are painted; changes are applied to the last one.
    pub frozen: bool,
    /// Steps are timed occasionally.
    pub sample: bool,
}

impl LiveSettings {
    /// Default settings with this network, size and mode: full strength, upscaled to the source's size, no comparison,
    /// no step timing.
    pub fn new(network: Option<Arc<Network>>, size: LiveSize, mode: ModeChoice) -> Self {
        let network = network.map(Into::into);
        let look = Look::default();
        let stylization = Stylization { network, size, mode, look, steadiness: 0, mask: None };
        stylization.into()
    }

    /// True if painting a frame takes the same time with `other`, so that measured times stay valid.
    pub(super) fn costs_like(&self, other: &Self) -> bool {
        let [own, others] = [self, other].map(|settings| {
            let Stylization { network, size, mode, look: _, steadiness, mask: _ } =
                &settings.stylization;
            (network, size, mode, *steadiness > 0)
        });
        own == others && self.compare == other.compare
    }
}

impl From<Stylization<LiveSize>> for LiveSettings {
    /// Upscaled to the source's size, without comparison and step timing.
    fn from(stylization: Stylization<LiveSize>) -> Self {
        Self { stylization, upscale: true, compare: None, frozen: false, sample: false }
    }
}

/// A destination for small pictures in one style, next to the large one.
pub struct Preview {
    pub network: Arc<Network>,
    pub output: Writer<PreviewPicture>,
}

/// A picture of the preview grid.
pub struct PreviewPicture {
    /// The painted picture; one transparent pixel before the first.
    pub painted: Frame,
    /// Milliseconds from the start of live painting to when it was painted.
    pub painted_at_ms: u64,
}

impl PreviewPicture {
    /// The initial value, before the first picture.
    pub fn empty() -> Self {
        Self { painted: Frame::empty(1, 1), painted_at_ms: 0 }
    }
}

/// Times of the single steps of one live frame, and the memory in use.
#[derive(Clone, Debug, Serialize)]
pub struct LiveSample {
    pub mode: Mode,
    /// The library that computes the convolutions, in a mode with a choice.
    #[serde(rename = "convolver")]
    pub conv_provider: Option<ConvProvider>,
    /// Columns of the network's input.
    pub width: usize,
    /// Rows of the network's input.
    pub height: usize,
    /// How the times were measured.
    pub method: TimingMethod,
    /// Milliseconds of a normal run of all steps: a recorded graph, if the device has one.
    pub total_ms: f64,
    /// Every step timed alone, in the network's order.
    pub steps: Vec<StepTiming>,
    /// Milliseconds that this sample cost in addition to the frame.
    pub cost_ms: f64,
    /// Bytes of the open sessions, as planned.
    pub session_bytes: u64,
    /// Free bytes of the device's memory; `None` if it uses system memory.
    pub free_bytes: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// The settings cannot be used; painting continues unchanged.
    Refused(EngineError),
    /// A message for the user about a side effect of the settings.
    Notice(String),
    /// Steps were timed.
    Sample(Arc<LiveSample>),
    /// The device's maximum throughput in the precision of the following samples; `None` if unknown.
    Ceiling(Option<Ceiling>),
    /// Another session or device is being prepared; `None` when preparation ends.
    Preparing(Option<Preparing>),
    /// An event of the source.
    Source(CaptureEvent),
    /// The source sends no more frames.
    Ended,
}

/// The state of live painting: its source, and what is being prepared. Plain data; each snapshot replaces the previous
/// one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub source: SourceState,
    /// Number of truncated or damaged camera frames that were skipped.
    pub damaged_frames: u64,
    /// The session or device that is being prepared for the settings. Painting continues unchanged meanwhile. Other
    /// settings cancel it.
    pub preparing: Option<Preparing>,
}

/// A session or device that is being prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparing {
    Session {
        mode: Mode,
        /// Columns and rows of the network's input.
        size: (usize, usize),
    },
    /// The second device of a comparison.
    Device(DeviceChoice),
}

impl Display for Preparing {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session { mode, size: (width, height) } => {
                write!(f, "{mode} at {width} × {height} px")
            }
            Self::Device(kind) => write!(f, "the second device ({})", kind.name()),
        }
    }
}
