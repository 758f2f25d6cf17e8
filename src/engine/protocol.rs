//! Between a surface and the engine thread: commands one way, events the other.
//!
//! Plain data. A command has no return value; its outcome is an event. Those of a paint command carry its
//! [`Generation`], a trial's its [`TrialNumber`], a repaint's its [`RepaintNumber`], those of live painting the number of its settings
//! ([`NumberedSettings`](super::live::NumberedSettings)), so that events of replaced ones can be dropped; of
//! batches and measurements there is one at a time.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::{
    error::EngineError,
    live::{LiveEvent, LiveStart, MeasureJob, Preview, Sink},
    paint::{PaintSettings, Painting},
};
use crate::{
    backend::{DeviceInfo, RunControl},
    compose::Look,
    frame::Frame,
    measure::{MeasureError, MeasureReport},
    mode::Mode,
    network::Network,
};

/// Numbers the paint commands of one engine, in the order in which they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// One photo to paint.
#[derive(Clone)]
pub struct PaintJob {
    /// The photo at its own size.
    pub photo: Arc<Frame>,
    /// The style's network.
    pub network: Arc<Network>,
    /// Brush size, variant and memory limit of the finished run.
    pub settings: PaintSettings,
    /// Whether a small draft is painted first.
    pub draft: bool,
}

/// Numbers the trials of one engine, in the order in which they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialNumber(pub u64);

/// A small painting by which the user judges a network that is no style yet.
#[derive(Clone)]
pub struct TrialJob {
    /// The photo, of any size.
    pub photo: Arc<Frame>,
    /// The network; its sessions are closed afterwards.
    pub network: Arc<Network>,
}

/// Numbers the repaints of one engine, in the order in which they were requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepaintNumber(pub u64);

/// A live frame to be painted once more.
#[derive(Clone)]
pub struct RepaintJob {
    /// The frame, at its own size.
    pub frame: Arc<Frame>,
    /// The style's network.
    pub network: Arc<Network>,
    /// Working size, mode and memory limit.
    pub settings: PaintSettings,
    /// Strength and colours.
    pub look: Look,
}

/// A live frame that was painted once more.
#[derive(Debug)]
pub struct Repainted {
    /// The picture, at the frame's size.
    pub picture: Frame,
    /// Columns and rows that the network saw, in pixels.
    pub working: (usize, usize),
    /// Variant and precision.
    pub mode: Mode,
    /// Notes for people, for example about a working size that had to shrink.
    pub notes: Vec<String>,
}

/// Several photos to paint one after the other.
///
/// The engine knows no files: [`PhotoSource`] hands it pictures and takes its paintings.
pub struct BatchJob {
    /// Where the photos come from and the results go.
    pub source: Box<dyn PhotoSource>,
    /// The networks of the styles; [`PhotoSource::network`] tells which of them paints which photo.
    pub networks: Vec<Arc<Network>>,
    /// Brush size, variant and memory limit.
    pub settings: PaintSettings,
}

/// The result of one photo of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPhoto {
    /// Where it is.
    pub path: PathBuf,
    /// Notes for people, for example about a working size that had to shrink.
    pub notes: Vec<String>,
}

/// Why a photo of a batch has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpainted {
    /// Its result was there already: this file.
    Exists(PathBuf),
    /// Something failed; a sentence for people.
    Failed(String),
}

impl From<String> for Unpainted {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// A list of photos, opened and finished one at a time on the engine thread.
pub trait PhotoSource: Send {
    /// Photos in all.
    fn len(&self) -> usize;

    /// Whether there is nothing to paint.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of photo `index`, for people.
    fn name(&self, index: usize) -> String;

    /// Place of the network that paints photo `index` among those of the job.
    fn network(&self, index: usize) -> usize;

    /// Opens photo `index`.
    ///
    /// # Errors
    /// Why it is not painted.
    fn open(&mut self, index: usize) -> Result<Frame, Unpainted>;

    /// Takes the painting of photo `index` and says where the result is.
    ///
    /// # Errors
    /// A sentence for people: why it could not be saved.
    fn finish(
        &mut self,
        index: usize,
        photo: &Frame,
        painting: &Painting,
    ) -> Result<SavedPhoto, String>;
}

/// A command to the engine.
pub enum Command {
    /// Paints one photo, instead of every paint command before it.
    Paint {
        /// Its number.
        generation: Generation,
        /// What to paint.
        job: PaintJob,
        /// Progress; cancelled to stop.
        control: Arc<RunControl>,
    },
    /// Paints a small picture, instead of every one of its kind before it.
    Try {
        /// Its number.
        number: TrialNumber,
        /// What to paint.
        job: TrialJob,
        /// Cancelled to stop.
        control: Arc<RunControl>,
    },
    /// Paints a live frame once more, after those that wait for it, beside everything else.
    Repaint {
        /// Its number.
        number: RepaintNumber,
        /// What to paint.
        job: RepaintJob,
        /// Cancelled to stop.
        control: Arc<RunControl>,
    },
    /// Paints several photos. Single photos are painted between them.
    Batch {
        /// What to paint.
        job: BatchJob,
        /// Progress of the present photo; cancelled to stop the whole batch.
        control: Arc<RunControl>,
    },
    /// Paints a source's frames, between everything else, instead of the source before.
    StartLive(Box<LiveStart>),
    /// Paints previews of live pictures too; for none, none.
    SetPreviews(Vec<Preview>),
    /// Measures two modes on the live source's frames.
    Measure {
        /// The modes and frames.
        job: MeasureJob,
        /// Progress; cancelled to stop.
        control: Arc<RunControl>,
    },
    /// Hands this sink every live picture from now on, of whichever source.
    AddSink(Box<dyn Sink>),
    /// Records this picture of the held frame too, as shown from this time on.
    RecordFiner(Arc<Repainted>, Instant),
    /// Ends live painting.
    StopLive,
}

/// An event of the engine.
#[derive(Debug)]
pub enum Event {
    /// The device that paints: the first event, and again when another took its place.
    Device {
        /// What it is.
        info: DeviceInfo,
        /// A fallback or a loss as text, for example `CPU: no NVIDIA driver found`.
        notice: Option<String>,
    },
    /// There is no device to paint on; comes once, every later paint command fails.
    NoDevice(EngineError),
    /// A painting, or a draft of one that is still being painted.
    Painted {
        /// The command that it belongs to.
        generation: Generation,
        /// Whether the finished painting is still to come.
        draft: bool,
        /// The network's picture.
        painting: Arc<Painting>,
    },
    /// A paint command was cancelled.
    Cancelled(Generation),
    /// A paint command failed.
    Failed {
        /// The command that failed.
        generation: Generation,
        /// Why.
        error: EngineError,
    },
    /// A trial has ended without being cancelled.
    Tried {
        /// The number of its command.
        number: TrialNumber,
        /// The network's picture, or why there is none.
        result: Result<Arc<Painting>, EngineError>,
    },
    /// A live frame was painted once more, or could not be; it was not cancelled.
    Repainted {
        /// The number of its command.
        number: RepaintNumber,
        /// The picture, or why there is none.
        result: Result<Arc<Repainted>, EngineError>,
    },
    /// A photo of the batch is done, well or not.
    BatchPhoto {
        /// Photos done so far, this one included.
        done: usize,
        /// Photos in all.
        total: usize,
        /// Name of the photo.
        name: String,
        /// Where the result is, or why there is none.
        outcome: Result<SavedPhoto, Unpainted>,
    },
    /// Something about live painting.
    Live(LiveEvent),
    /// A measurement has ended.
    Measured(Result<Arc<MeasureReport>, MeasureError>),
    /// The batch ended.
    BatchEnded {
        /// Whether someone stopped it.
        cancelled: bool,
    },
}
