//! Brings the source's frame to the working size. Belongs to the engine's thread.

use crate::{frame::Frame, media::resample::Resampler};

/// The present frame at the working size, made when it is first needed.
pub struct Scaler {
    frame: Frame,
    /// The working size, once the frame was made.
    made: Option<(usize, usize)>,
    resampler: Resampler,
}

impl Default for Scaler {
    fn default() -> Self {
        Self { frame: pixel(), made: None, resampler: Resampler::default() }
    }
}

impl Scaler {
    /// Another frame or size follows.
    pub fn begin(&mut self) {
        self.made = None;
    }

    /// Makes it of the source's frame, unless it was made.
    pub fn make(&mut self, source: &Frame, size: (usize, usize)) {
        if self.made.replace(size).is_some() || size == sides(source) {
            return;
        }
        fit(&mut self.frame, size);
        self.resampler.resample(source, &mut self.frame);
    }

    /// It, once it was made; the source's own if that has the working size.
    pub fn of<'a>(&'a self, source: &'a Frame, size: (usize, usize)) -> &'a Frame {
        if size == sides(source) { source } else { &self.frame }
    }

    /// It if it was made, else the source's frame.
    pub fn smallest<'a>(&'a self, source: &'a Frame) -> &'a Frame {
        self.made.map_or(source, |size| self.of(source, size))
    }
}

/// A frame of one pixel, to be resized.
pub fn pixel() -> Frame {
    Frame::from_fn(1, 1, |_, _| [0; 4])
}

/// Columns and rows of a frame.
pub fn sides(frame: &Frame) -> (usize, usize) {
    (frame.width(), frame.height())
}

/// Makes `frame` as large as `size`; its pixels are stale either way.
pub fn fit(frame: &mut Frame, (width, height): (usize, usize)) {
    if sides(frame) != (width, height) {
        frame.resize(width, height);
    }
}
