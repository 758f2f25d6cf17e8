//! Sinks: receivers of finished pictures in addition to the surface's mailbox.

use std::time::Instant;

use crate::frame::Frame;

/// Receives every live picture, of any source, until it has ended. A sink has its own thread, queue, size and rate.
pub trait Sink: Send {
    /// Takes a picture of the frame that was captured at time `at`. Runs on the engine's thread: it must not wait, and
    /// must not allocate after the first pictures of a size.
    fn take(&mut self, picture: &Frame, at: Instant);

    /// Whether it takes no more pictures.
    fn has_ended(&self) -> bool;
}
