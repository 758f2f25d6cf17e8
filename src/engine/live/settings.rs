//! The settings of live pictures, as one value, and the events that come in addition to the pictures.
//!
//! Plain data.

use std::sync::Arc;

use serde::Serialize;

use super::snapshot::Preparing;

use crate::{
    capture::CaptureEvent,
    compose::Look,
    engine::error::EngineError,
    frame::Frame,
    mailbox::Writer,
    mode::{DeviceChoice, Mode, ModeChoice},
    network::Network,
    plan::ConvProvider,
    timing::{Ceiling, StepTiming, TimingMethod},
};

/// The target rate when none was chosen, in frames per second.
pub const DEFAULT_TARGET_FPS: f64 = 30.0;

/// At what size the network sees live frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LiveSize {
    /// The largest at which the device holds this many frames per second, never less than 256 pixels on
    /// the long side.
    Auto {
        /// Frames per second.
        target_fps: f64,
    },
    /// This long side, in pixels; never more than the source's.
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
    /// Where it paints; `Auto` is the device in use.
    pub device: DeviceChoice,
    /// How.
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
    /// The two.
    pub modes: ModePair,
    /// What the report calls the style.
    pub style: String,
    /// Measured frames of each.
    pub frames: u32,
    /// Frames of each that come first and do not count.
    pub warmup: u32,
}

/// Settings and their number, which is larger than all before.
pub type NumberedSettings = (LiveSettings, u64);

/// Everything that decides how live frames are painted.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// The style's network; without one the source is shown as it is.
    pub network: Option<Arc<Network>>,
    /// Working size.
    pub size: LiveSize,
    /// Variant and precision.
    pub mode: ModeChoice,
    /// Strength and colours.
    pub look: Look,
    /// Whether pictures are brought up to the source's size where the working size is smaller.
    pub upscale: bool,
    /// Two modes instead of [`LiveSettings::mode`], on the same frames in turn.
    pub compare: Option<ModePair>,
    /// Holds the picture: no newer frames are painted; changes are painted on the last one.
    pub frozen: bool,
    /// Whether steps are timed now and then.
    pub sample: bool,
}

impl PartialEq for LiveSettings {
    /// The same network counts, not an equal one.
    fn eq(&self, other: &Self) -> bool {
        self.costs_like(other)
            && (self.look, self.upscale) == (other.look, other.upscale)
            && (self.frozen, self.sample) == (other.frozen, other.sample)
    }
}

impl LiveSettings {
    /// Frames as they come, painted with this network, size and mode as strongly as can be and brought up to the
    /// source's size; nothing is compared and no step timed.
    pub fn new(network: Option<Arc<Network>>, size: LiveSize, mode: ModeChoice) -> Self {
        Self {
            network,
            size,
            mode,
            look: Look::default(),
            upscale: true,
            compare: None,
            frozen: false,
            sample: false,
        }
    }

    /// Whether painting a frame takes the same time by `other`, so that measured times stay valid.
    pub(super) fn costs_like(&self, other: &Self) -> bool {
        let network = |o: &Self| o.network.as_ref().map(Arc::as_ptr);
        network(self) == network(other)
            && self.mode == other.mode
            && self.compare == other.compare
            && self.size == other.size
    }
}

/// A place for small pictures in one style, beside the large one.
pub struct Preview {
    /// The style's network.
    pub network: Arc<Network>,
    /// Where its pictures go.
    pub output: Writer<PreviewPicture>,
}

/// A picture of the preview grid.
pub struct PreviewPicture {
    /// The painted picture; one transparent pixel before the first.
    pub painted: Frame,
    /// Milliseconds from the beginning of the live pictures to when it was painted.
    pub painted_at_ms: u64,
}

impl PreviewPicture {
    /// A picture before the first one.
    pub fn empty() -> Self {
        Self { painted: Frame::from_fn(1, 1, |_, _| [0; 4]), painted_at_ms: 0 }
    }
}

/// Times of the single steps of one live frame, and the memory in use.
#[derive(Clone, Debug, Serialize)]
pub struct LiveSample {
    /// Variant and precision.
    pub mode: Mode,
    /// Who computes the convolutions, in a mode where that is a choice.
    #[serde(rename = "convolver")]
    pub conv_provider: Option<ConvProvider>,
    /// Columns that the network saw, in pixels.
    pub width: usize,
    /// Rows that the network saw, in pixels.
    pub height: usize,
    /// How the times were taken.
    pub method: TimingMethod,
    /// Milliseconds of a usual run of all steps: a recorded graph, where the device has one.
    pub total_ms: f64,
    /// Every step, in the network's order, each by itself.
    pub steps: Vec<StepTiming>,
    /// Milliseconds that taking this sample cost beyond the frame itself.
    pub cost_ms: f64,
    /// Bytes that the open sessions hold, as planned.
    pub session_bytes: u64,
    /// Bytes of the device's memory that are free; `None` where it works in the system's.
    pub free_bytes: Option<u64>,
}

/// Events of live painting.
#[derive(Clone, Debug)]
pub enum LiveEvent {
    /// The settings cannot be used; painting continues as before.
    Refused(EngineError),
    /// A sentence for people about a side effect of the settings.
    Notice(String),
    /// Steps were timed.
    Sample(Arc<LiveSample>),
    /// What the device can do at most in the precision of the samples that follow; `None` where that is
    /// not known.
    Ceiling(Option<Ceiling>),
    /// Another session or device is being prepared, or none any more.
    Preparing(Option<Preparing>),
    /// An event of the source.
    Source(CaptureEvent),
    /// The source sends no more frames.
    Ended,
}
