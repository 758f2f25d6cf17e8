//! A stream of memory-mapped buffers: for camera formats that nokhwa does not support.

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

/// Buffers that circulate between the driver and the program.
const BUFFERS: u32 = 4;
/// Upper bound for all drivers (`VIDEO_MAX_FRAME`).
const MAX_BUFFERS: usize = 32;

/// A streaming camera. Dropping it stops and closes the camera.
pub struct MmapStream {
    /// `None` only during drop.
    stream: Option<V4lStream<'static>>,
}

impl MmapStream {
    /// Starts streaming in the format that the camera is set to.
    ///
    /// # Errors
    /// [`CaptureProblem`] if the system refuses.
    pub fn start(device: &V4lDevice) -> Result<Self, CaptureProblem> {
        let mut stream =
            V4lStream::with_buffers(device, Type::VideoCapture, BUFFERS).map_err(problem)?;
        // Queues all buffers except the first, which the first call of `next` queues. A driver may have allocated fewer
        // or more than requested.
        for index in 1..MAX_BUFFERS {
            if CaptureStream::queue(&mut stream, index).is_err() {
                break;
            }
        }
        let started = stream.start();
        let mut mapped = Self { stream: Some(stream) };
        started.map_err(problem)?;
        if let Some(running) = &mut mapped.stream {
            running.set_timeout(Duration::from_millis(1));
        }
        Ok(mapped)
    }

    /// Waits for a frame, at most `patience`. Returns its bytes, or `None` if there was none. The bytes are empty if
    /// the driver reports them as damaged.
    ///
    /// # Errors
    /// [`CaptureProblem`] if no more frames will arrive.
    pub fn next(&mut self, patience: Duration) -> Result<Option<&[u8]>, CaptureProblem> {
        let Some(stream) = &mut self.stream else {
            return Err(CaptureProblem::Unplugged);
        };
        if !node::wait(&stream.handle(), patience)? {
            return Ok(None);
        }
        let (bytes, about) = CaptureStream::next(stream).map_err(problem)?;
        let damaged = about.flags.contains(BufferFlags::ERROR);
        let filled = match about.bytesused as usize {
            _ if damaged => 0,
            // Old drivers do not report the length.
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
        // Dropping a stream that cannot be stopped panics, unless its device is gone. It is then leaked; the driver is
        // broken anyway.
        match stream.stop() {
            Err(e) if e.raw_os_error() != Some(libc::ENODEV) => std::mem::forget(stream),
            _ => drop(stream),
        }
    }
}
