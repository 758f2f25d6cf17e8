//! The messages between a surface and the engine thread: commands one way, events the other.
//!
//! Plain data. A command has no return value; its outcome is an event. Events carry a number, so that events of
//! replaced commands can be dropped: a paint command's [`Generation`], a repaint's [`RepaintNumber`], and
//! the settings number of live painting ([`NumberedSettings`](super::live::NumberedSettings)).
//! Batches and measurements need none, because only one of each runs at a time.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::{
    error::EngineError,
    live::{LiveEvent, LiveStart, MeasureJob, Preview},
    paint::{PaintSettings, Painting},
};
use backend::{DeviceInfo, RunControl};
use measure::{MeasureError, MeasureReport};
use network::Network;
use values::{compose::Look, frame::Frame, mode::Mode, sink::Sink};

/// Numbers the paint commands of one engine, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// One photo to paint.
#[derive(Clone)]
pub struct PaintJob {
    /// At its original size.
    pub photo: Arc<Frame>,
    pub network: Arc<Network>,
    /// Settings of the finished run.
    pub settings: PaintSettings,
    /// Paints a small draft first.
    pub draft: bool,
}

/// Numbers the repaints of one engine, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepaintNumber(pub u64);

/// A picture to paint in parallel with all other work: a live frame again at higher quality, a trial of a network, or
/// a part of a contact sheet.
#[derive(Clone)]
pub struct RepaintJob {
    /// At its original size.
    pub frame: Arc<Frame>,
    pub network: Arc<Network>,
    /// Working size, mode and memory limit.
    pub settings: PaintSettings,
    /// Strength and colours.
    pub look: Look,
}

/// A picture that was painted in parallel with other work.
#[derive(Debug)]
pub struct Repainted {
    /// At the frame's size.
    pub picture: Frame,
    /// Columns and rows of the network's input.
    pub working: (usize, usize),
    pub mode: Mode,
    /// Messages for the user, for example about a reduced working size.
    pub notes: Vec<String>,
}

/// Several photos to paint one after another.
///
/// The engine does no file I/O: [`PhotoSource`] supplies the photos and takes the paintings.
pub struct BatchJob {
    /// Supplies the photos and saves the results.
    pub source: Box<dyn PhotoSource>,
    /// The networks of the styles. [`PhotoSource::network`] returns which of them paints which photo.
    pub networks: Vec<Arc<Network>>,
    pub settings: PaintSettings,
}

/// The result of one photo of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPhoto {
    pub path: PathBuf,
    /// Messages for the user, for example about a reduced working size.
    pub notes: Vec<String>,
}

/// Why a photo of a batch has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpainted {
    /// The result already existed, in this file.
    Exists(PathBuf),
    /// A message for the user.
    Failed(String),
}

impl From<String> for Unpainted {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// A list of photos, opened and finished one at a time on the engine thread.
pub trait PhotoSource: Send {
    /// Number of photos.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of photo `index`, for display.
    fn name(&self, index: usize) -> String;

    /// Index into [`BatchJob::networks`] of the network that paints photo `index`.
    fn network(&self, index: usize) -> usize;

    /// Opens photo `index`.
    ///
    /// # Errors
    /// Why it is not painted.
    fn open(&mut self, index: usize) -> Result<Frame, Unpainted>;

    /// Saves the painting of photo `index` and returns where.
    ///
    /// # Errors
    /// A message for the user: why it could not be saved.
    fn finish(
        &mut self,
        index: usize,
        photo: &Frame,
        painting: &Painting,
    ) -> Result<SavedPhoto, String>;
}

pub enum Command {
    /// Paints one photo and replaces every earlier paint command.
    Paint {
        generation: Generation,
        job: PaintJob,
        /// Reports progress; cancelled to stop.
        control: Arc<RunControl>,
    },
    /// Paints a picture after queued repaints and in parallel with all other work.
    Repaint {
        number: RepaintNumber,
        job: RepaintJob,
        /// Cancelled to stop.
        control: Arc<RunControl>,
    },
    /// Paints several photos. Single photos are painted between them.
    Batch {
        job: BatchJob,
        /// Reports progress of the current photo; cancelled to stop the whole batch.
        control: Arc<RunControl>,
    },
    /// Pauses the batch after its current photo, or continues it.
    PauseBatch(bool),
    /// Paints a source's frames, interleaved with all other work. Replaces the previous source.
    StartLive(Box<LiveStart>),
    /// Also paints previews of live pictures; an empty list stops them.
    SetPreviews(Vec<Preview>),
    /// Measures two modes on the live source's frames.
    Measure {
        job: MeasureJob,
        /// Reports progress; cancelled to stop.
        control: Arc<RunControl>,
    },
    /// Sends this sink every live picture from now on, of any source.
    AddSink(Box<dyn Sink>),
    /// Also records this picture of the held frame, as shown from this time on.
    RecordFiner(Arc<Repainted>, Instant),
    StopLive,
}

#[derive(Debug)]
pub enum Event {
    /// The device that paints. Sent first, and again after a device was replaced.
    Device {
        info: DeviceInfo,
        /// The reason for a fallback or loss as text, for example `CPU: no NVIDIA driver found`.
        notice: Option<String>,
    },
    /// No device can paint. Sent once; every later paint command fails.
    NoDevice(EngineError),
    /// A painting, or a draft of one that is still being painted.
    Painted {
        generation: Generation,
        /// The finished painting is still to come.
        draft: bool,
        painting: Arc<Painting>,
    },
    Cancelled(Generation),
    Failed {
        generation: Generation,
        error: EngineError,
    },
    /// A repaint succeeded or failed. Not sent after a cancellation.
    Repainted {
        number: RepaintNumber,
        result: Result<Arc<Repainted>, EngineError>,
    },
    /// A photo of the batch is done, successfully or not.
    BatchPhoto {
        /// Photos done so far, including this one.
        done: usize,
        /// Photos in the batch.
        total: usize,
        /// Name of the photo.
        name: String,
        outcome: Result<SavedPhoto, Unpainted>,
    },
    Live(LiveEvent),
    Measured(Result<Arc<MeasureReport>, MeasureError>),
    BatchEnded {
        cancelled: bool,
    },
}
