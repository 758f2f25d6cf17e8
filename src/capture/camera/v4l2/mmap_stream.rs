//! A stream of memory-mapped buffers: the frames of a camera in a format that nokhwa cannot carry.

use std::time::Duration;

use v4l::{
    Device as V4lDevice,
    buffer::{Flags as BufferFlags, Type},
    io::{
        mmap::Stream as V4lStream,
        traits::{CaptureStream, Stream as _},
    },
};

use super::{node, problem};
use crate::capture::problem::CaptureProblem;

/// Buffers that circulate between the driver and us.
const BUFFERS: u32 = 4;
/// No driver has more buffers than this (`VIDEO_MAX_FRAME`).
const MOST_BUFFERS: usize = 32;

/// A camera that streams. Dropping it stops the camera and closes it.
pub struct MmapStream {
    /// `None` only while it is dropped.
    stream: Option<V4lStream<'static>>,
}

impl MmapStream {
    /// Starts streaming in the format that the camera is set to.
    ///
    /// # Errors
    /// [`CaptureProblem`], from the system's refusal.
    pub fn start(device: &V4lDevice) -> Result<Self, CaptureProblem> {
        let mut stream = V4lStream::with_buffers(device, Type::VideoCapture, BUFFERS)
            .map_err(|e| problem(&e))?;
        // All but the first, which the first call of `next` hands to the driver. A driver may have
        // made fewer or more than requested.
        for index in 1..MOST_BUFFERS {
            if CaptureStream::queue(&mut stream, index).is_err() {
                break;
            }
        }
        let started = stream.start();
        let mut mapped = Self { stream: Some(stream) };
        started.map_err(|e| problem(&e))?;
        if let Some(running) = &mut mapped.stream {
            running.set_timeout(Duration::from_millis(1));
        }
        Ok(mapped)
    }

    /// Waits for a frame, at most `patience`. Gives its bytes, which are empty when the driver says
    /// that they are damaged, or nothing when there was none.
    ///
    /// # Errors
    /// [`CaptureProblem`] when there will be none any more.
    pub fn next(&mut self, patience: Duration) -> Result<Option<&[u8]>, CaptureProblem> {
        let Some(stream) = &mut self.stream else {
            return Err(CaptureProblem::Unplugged);
        };
        if !node::wait(&stream.handle(), patience)? {
            return Ok(None);
        }
        let (bytes, about) = CaptureStream::next(stream).map_err(|e| problem(&e))?;
        let damaged = about.flags.contains(BufferFlags::ERROR);
        let filled = match about.bytesused as usize {
            _ if damaged => 0,
            // Old drivers do not report that.
            0 => bytes.len(),
            used => used.min(bytes.len()),
        };
        Ok(Some(&bytes[..filled]))
    }
}

impl Drop for MmapStream {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        // Dropping a stream that cannot be stopped panics, unless its device is gone. It is left to
        // the end of the program then; the driver is broken anyway.
        match stream.stop() {
            Err(e) if e.raw_os_error() != Some(libc::ENODEV) => std::mem::forget(stream),
            _ => drop(stream),
        }
    }
}
