//! Scales the source's frame to the working size. Belongs to the engine's thread.

use media::resample::Resampler;
use values::frame::Frame;

/// The current frame at the working size, scaled on first use.
pub struct Scaler {
    frame: Frame,
    /// The working size, once the frame was scaled.
    made: Option<(usize, usize)>,
    resampler: Resampler,
}

impl Default for Scaler {
    fn default() -> Self {
        Self { frame: pixel(), made: None, resampler: Resampler::default() }
    }
}

impl Scaler {
    /// Invalidates the scaled frame before another frame or size.
    pub fn begin(&mut self) {
        self.made = None;
    }

    /// Scales the source's frame, once.
    pub fn make(&mut self, source: &Frame, size: (usize, usize)) {
        if self.made.replace(size).is_some() || size == source.size() {
            return;
        }
        fit(&mut self.frame, size);
        self.resampler.resample(source, &mut self.frame);
    }

    /// The frame at the working size `size`: the scaled frame, or the source's if that already has the size. Requires
    /// [`Scaler::make`].
    pub fn of<'a>(&'a self, source: &'a Frame, size: (usize, usize)) -> &'a Frame {
        if size == source.size() { source } else { &self.frame }
    }

    /// The scaled frame if there is one, otherwise the source's frame.
    pub fn smallest<'a>(&'a self, source: &'a Frame) -> &'a Frame {
        self.made.map_or(source, |size| self.of(source, size))
    }
}

/// A frame of one pixel, to be resized.
pub fn pixel() -> Frame {
    Frame::empty(1, 1)
}

/// Resizes `frame` to `size`. Its pixels are undefined afterwards.
pub fn fit(frame: &mut Frame, (width, height): (usize, usize)) {
    frame.resize(width, height);
}
