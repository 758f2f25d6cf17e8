//! The interface of a recording's outputs, called by the recorder's thread.

use std::time::{Duration, Instant};

use pictures::MediaError;
use values::frame::Frame;

/// A frame to record.
pub struct Shot {
    /// Starts at 1.
    pub number: u64,
    /// Since the first frame.
    pub at: Duration,
    pub frame: Frame,
}

/// The files of a recording. Belongs to the recorder's thread.
pub trait Output: Send {
    /// Adds a frame. Not called again after an error.
    ///
    /// # Errors
    /// Why it was not written, for the user.
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError>;

    /// Ends the recording; called once, also after a failure.
    fn end(&mut self) -> RecordingEnd;

    /// Bytes written so far.
    fn bytes(&self) -> u64;

    /// True if the output has ended on its own, so that this is detected without waiting for the next frame.
    fn has_ended(&self) -> bool {
        false
    }

    /// Adds the sound that was recorded from the first frame on, at most until the end of the recording. Returns a
    /// message for the user if no more sound is recorded.
    fn add_sound(&mut self, _from: Option<Instant>, _until: Option<Instant>) -> Option<String> {
        None
    }
}

/// The result of ending a recording.
#[derive(Default)]
pub struct RecordingEnd {
    /// Recorded frames, if not every accepted frame was recorded.
    pub frames: Option<u64>,
    /// How the recording differs from the frames, in sentences for the user.
    pub notes: Vec<String>,
    /// Why not everything is on the disk.
    pub failure: Option<MediaError>,
}
