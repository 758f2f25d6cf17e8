//! Sinks: recordings that receive finished pictures in addition to the surface's mailbox.

use std::time::Instant;

use crate::{frame::Frame, media::record::FrameSink};

/// All sinks of live painting. Each has its own thread, queue and size.
#[derive(Default)]
pub struct Sinks(Vec<FrameSink>);

impl Sinks {
    /// Adds a sink, which receives every picture from now on.
    pub fn add(&mut self, sink: FrameSink) {
        self.0.push(sink);
    }

    /// Sends a picture of the frame that was captured at time `at` to every sink that has not ended. Runs on the
    /// engine's thread, and allocates nothing after the first pictures of a size.
    pub fn take(&mut self, picture: &Frame, at: Instant) {
        self.0.retain(|sink| !sink.has_ended());
        for sink in &mut self.0 {
            sink.push(picture, at);
        }
    }
}
