//! The messages between a surface and the engine thread: commands one way, events the other.
//!
//! Plain data. A command has no return value; its outcome is an event. Events carry a number, so that events of
//! replaced commands can be dropped: a paint command's [`Generation`], a repaint's [`RepaintNumber`], and
//! the settings number of live painting ([`NumberedSettings`](super::live::NumberedSettings)).
//! Measurements need none, because only one runs at a time.

use std::{sync::Arc, time::Instant};

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
    Live(LiveEvent),
    Measured(Result<Arc<MeasureReport>, MeasureError>),
}
