//! Recordings between the wish for one and the file for it, which another thread makes.

use std::time::Instant;

use crate::{frame::Frame, gui::background::StartedRecording, media::record::Recorder};

/// A recording that was asked for, before there is a file for it.
pub(super) struct AskedRecording {
    /// When it was asked for.
    pub since: Instant,
    /// What was seen then, with which it begins.
    pub seen: Frame,
}

/// A recording that was ended before there was a file for it.
pub(in crate::gui) struct EndedRecording {
    /// How it began.
    pub(super) asked: AskedRecording,
    /// When it was ended.
    pub(super) until: Instant,
}

impl EndedRecording {
    /// Records what it would hold into the file that is there by now; to be finished.
    pub fn recorded(self, mut started: StartedRecording) -> Recorder {
        started.sink.push(&self.asked.seen, self.asked.since);
        started.recorder.hold_until(self.until);
        started.recorder
    }
}
