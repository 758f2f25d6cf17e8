//! The sinks of live painting.

use std::time::Instant;

use values::{frame::Frame, sink::Sink};

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
