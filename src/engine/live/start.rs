//! What a live run begins with.

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

/// Live painting to be started.
pub struct LiveStart {
    /// Where frames come from.
    pub input: Input,
    /// Where pictures go.
    pub output: Writer<LivePicture>,
    /// Called after each picture, on the engine's thread.
    pub wake_up: WakeUp,
    /// Where snapshots go.
    pub snapshot: Writer<Snapshot>,
    /// How frames are painted at first.
    pub settings: LiveSettings,
    /// Number of these settings.
    pub number: u64,
    /// Where later settings come, with their numbers.
    pub changes: Reader<Option<NumberedSettings>>,
    /// Cancelled to stop.
    pub control: Arc<RunControl>,
}
