//! Limits how long reading a picture may take: every decoder asks a clock between its steps. A file may name one part
//! of itself a thousand times, or contain any number of frames that are not shown.

use std::{
    borrow::Cow,
    cell::Cell,
    io::{self, BufRead, Cursor, ErrorKind, Read, Seek, SeekFrom},
    time::Duration,
};

use image::ImageResult;

use super::foreign::invalid;

/// Bytes of a file after which the clock is asked. A call of a reader counts as [`CALL_BYTES`].
const STEP_BYTES: usize = 64 << 10;
const CALL_BYTES: usize = 64;

/// Maximum time for an image.
pub(super) fn patience((width, height): (u32, u32)) -> Duration {
    const TIME: Duration = Duration::from_secs(5);
    const TIME_PER_MEGAPIXEL: Duration = Duration::from_millis(500);
    TIME + TIME_PER_MEGAPIXEL.mul_f64(f64::from(width) * f64::from(height) / 1e6)
}

/// The time that is left to read one picture.
pub(super) struct Clock<'a> {
    /// Time since the start.
    now: &'a dyn Fn() -> Duration,
    end: Cell<Duration>,
    has_stopped: Cell<bool>,
}

impl<'a> Clock<'a> {
    /// A clock for a header.
    pub fn new(now: &'a dyn Fn() -> Duration) -> Self {
        Self { now, end: Cell::new(now() + patience((0, 0))), has_stopped: Cell::new(false) }
    }

    /// Begins the time for an image of this size.
    pub fn begin(&self, size: (u32, u32)) {
        self.end.set((self.now)() + patience(size));
    }

    /// Ends a decoder if its time is over.
    pub fn ask(&self) -> io::Result<()> {
        if (self.now)() > self.end.get() {
            self.has_stopped.set(true);
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// What a decoder returned, unless its time was over: then it may have returned half an image, or any error.
    pub fn checked<T>(&self, result: ImageResult<T>) -> ImageResult<T> {
        if self.has_stopped.get() {
            return Err(invalid("it takes too long to decode for an image of its size"));
        }
        result
    }
}

/// A file whose reader asks a clock.
pub(super) struct Steps<'a> {
    file: Cursor<Cow<'a, [u8]>>,
    clock: &'a Clock<'a>,
    /// Bytes until the clock is asked.
    left: usize,
}

impl<'a> Steps<'a> {
    pub fn new(bytes: impl Into<Cow<'a, [u8]>>, clock: &'a Clock<'a>) -> Self {
        Self { file: Cursor::new(bytes.into()), clock, left: 0 }
    }
}

impl Read for Steps<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(to)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Steps<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left < CALL_BYTES {
            self.clock.ask()?;
            self.left = STEP_BYTES;
        }
        self.left -= CALL_BYTES;
        let rest = self.file.fill_buf()?;
        Ok(&rest[..rest.len().min(STEP_BYTES)])
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.file.consume(count);
    }
}

impl Seek for Steps<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.clock.ask()?;
        self.file.seek(to)
    }
}
