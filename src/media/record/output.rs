//! What a recorder's thread writes to.

use std::time::Duration;

use crossbeam_channel::{Receiver, never};

use crate::{frame::Frame, media::MediaError};

/// A frame on its way into a recording.
pub struct Shot {
    /// From 1 on.
    pub number: u64,
    /// Since the first frame.
    pub at: Duration,
    /// Its pixels.
    pub frame: Frame,
}

/// A recording's files. Belongs to the recorder's thread.
pub trait Output: Send {
    /// Takes a frame. After an error no more come.
    ///
    /// # Errors
    /// Why it was not written, for people.
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError>;

    /// Ends it; called once, after a failure too.
    fn end(&mut self) -> Ended;

    /// Bytes that are written so far.
    fn bytes(&self) -> u64;

    /// Is ready when the output has ended by itself, so that no frame has to come before that is seen.
    fn broken(&self) -> Receiver<()> {
        never()
    }
}

/// What is known at the end of a recording.
#[derive(Default)]
pub struct Ended {
    /// Frames in it, where that is not every one that was taken.
    pub frames: Option<u64>,
    /// What is not as it was handed in, in sentences for people.
    pub notes: Vec<String>,
    /// Why not all of it is on the disk.
    pub failure: Option<MediaError>,
}
