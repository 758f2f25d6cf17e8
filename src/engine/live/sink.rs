//! Sinks: where finished pictures go in addition to the surface, whose mailbox they are painted into.

use std::time::Instant;

use crate::{frame::Frame, media::record::FrameSink};

/// Takes every live picture, of whichever source, until it has ended. A sink brings its own thread, queue, size and
/// rate.
pub trait Sink: Send {
    /// Takes a picture of the frame that was captured at this time. Runs on the engine's thread: it must not wait, and
    /// allocate nothing after the first pictures of a size.
    fn take(&mut self, picture: &Frame, at: Instant);

    /// Whether it takes no more pictures.
    fn has_ended(&self) -> bool;
}

impl Sink for FrameSink {
    fn take(&mut self, picture: &Frame, at: Instant) {
        self.push(picture, at);
    }

    fn has_ended(&self) -> bool {
        FrameSink::has_ended(self)
    }
}

/// All sinks of live painting.
#[derive(Default)]
pub struct Sinks(Vec<Box<dyn Sink>>);

impl Sinks {
    /// Adds one, which gets every picture from now on.
    pub fn add(&mut self, sink: Box<dyn Sink>) {
        self.0.push(sink);
    }

    /// Hands a picture to every sink that has not ended.
    pub fn take(&mut self, picture: &Frame, at: Instant) {
        self.0.retain(|sink| !sink.has_ended());
        for sink in &mut self.0 {
            sink.take(picture, at);
        }
    }
}
