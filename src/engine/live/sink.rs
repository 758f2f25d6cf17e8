//! Sinks: receivers of finished pictures in addition to the surface's mailbox.

use std::time::Instant;

use crate::{frame::Frame, media::record::FrameSink};

/// Receives every live picture, of any source, until it has ended. A sink has its own thread, queue, size and rate.
pub trait Sink: Send {
    /// Takes a picture of the frame that was captured at time `at`. Runs on the engine's thread: it must not wait, and
    /// must not allocate after the first pictures of a size.
    fn take(&mut self, picture: &Frame, at: Instant);

    /// True if it takes no more pictures.
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
    /// Adds a sink, which receives every picture from now on.
    pub fn add(&mut self, sink: Box<dyn Sink>) {
        self.0.push(sink);
    }

    /// Sends a picture to every sink that has not ended.
    pub fn take(&mut self, picture: &Frame, at: Instant) {
        self.0.retain(|sink| !sink.has_ended());
        for sink in &mut self.0 {
            sink.take(picture, at);
        }
    }
}
