//! The writer that delivers the frames of a source.

use std::{convert::Infallible, time::Instant};

use super::{CaptureSettings, Captured, feed::milliseconds, orient::Orient};
use values::{
    mailbox::Writer,
    raw_frame::{Layout, Unusable},
};

/// Receives a source's frames; rotates, mirrors and numbers them from 1. A new frame replaces an unread one, so the
/// source never waits for the reader.
pub(super) struct FrameWriter {
    writer: Writer<Captured>,
    sequence: u64,
    orient: Orient,
}

/// When a frame was captured, and how long the source waited for it.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub at: Instant,
    pub waited_ms: f32,
}

impl From<Instant> for Arrival {
    fn from(at: Instant) -> Self {
        Self { at, waited_ms: 0.0 }
    }
}

impl FrameWriter {
    pub fn new(writer: Writer<Captured>, settings: &CaptureSettings) -> Self {
        let orient = Orient::new(settings.rotate, settings.mirror, settings.frame_px);
        Self { writer, sequence: 0, orient }
    }

    /// True if a frame of this size is delivered without scaling.
    pub fn keeps_size(&self, size: (usize, usize)) -> bool {
        self.orient.keeps_size(size)
    }

    /// Delivers a frame of this size, written by `decode`.
    ///
    /// # Errors
    /// Those of `decode`; nothing is delivered then.
    pub fn put<E>(
        &mut self,
        size: (usize, usize),
        arrival: Arrival,
        decode: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let captured = &mut self.writer.value;
        captured.is_raw = false;
        self.orient.fill(&mut captured.frame, size, decode)?;
        self.hand_over(arrival);
        Ok(())
    }

    /// Delivers a frame of this size, written by `draw`.
    pub fn draw(&mut self, size: (usize, usize), at: Instant, draw: impl FnOnce(&mut [u8])) {
        let Ok(()) = self.put(size, at.into(), |rgba| {
            draw(rgba);
            Ok::<(), Infallible>(())
        });
    }

    /// Delivers a camera's frame for the reader to decode; it must [keep its size](Self::keeps_size).
    ///
    /// # Errors
    /// [`Unusable`]; nothing is delivered then.
    pub fn put_raw(
        &mut self,
        layout: &Layout,
        bytes: &[u8],
        arrival: Arrival,
    ) -> Result<(), Unusable> {
        let captured = &mut self.writer.value;
        captured.is_raw = true;
        captured.raw.set(layout, bytes, self.orient.turn())?;
        self.hand_over(arrival);
        Ok(())
    }

    fn hand_over(&mut self, arrival: Arrival) {
        self.sequence += 1;
        let captured = &mut self.writer.value;
        captured.sequence = self.sequence;
        captured.captured_at = arrival.at;
        captured.capture_ms = arrival.waited_ms;
        captured.decode_ms = milliseconds(arrival.at.elapsed());
        self.writer.put();
    }
}
