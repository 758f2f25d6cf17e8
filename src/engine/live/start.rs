//! The inputs that start a live run.

use std::sync::Arc;

use super::{
    input::Input,
    picture::LivePicture,
    settings::{LiveSettings, NumberedSettings},
    snapshot::Snapshot,
};
use crate::{
    backend::RunControl,
    engine::WakeUp,
    mailbox::{Reader, Writer},
};

/// The inputs that start a live run.
pub struct LiveStart {
    /// Source of the frames.
    pub input: Input,
    /// Receives the pictures.
    pub output: Writer<LivePicture>,
    /// Called after each picture, on the engine's thread.
    pub wake_up: WakeUp,
    /// Receives the snapshots.
    pub snapshot: Writer<Snapshot>,
    /// Initial settings.
    pub settings: LiveSettings,
    /// Number of the initial settings.
    pub number: u64,
    /// Delivers later settings, with their numbers.
    pub changes: Reader<Option<NumberedSettings>>,
    /// Cancelled to stop.
    pub control: Arc<RunControl>,
}
