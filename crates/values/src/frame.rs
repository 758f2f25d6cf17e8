//! Pictures as they are passed between the user interfaces and the backends: RGBA, 8 bits, straight alpha.
//!
//! Does not depend on file formats or devices. Plain data: any thread may hold it.

/// A picture in RGBA8, row by row from the top left, with straight (not premultiplied) alpha.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width: usize,
    height: usize,
    rgba: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({}x{})", self.width, self.height)
    }
}

/// Why bytes do not form a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("an image needs at least one pixel; this one is {width} x {height}")]
    Empty { width: usize, height: usize },
    /// The byte count does not match the size.
    #[error("{width} x {height} pixels need {needed} bytes of RGBA, got {got}")]
    Length {
        width: usize,
        height: usize,
        /// Bytes that the size requires.
        needed: usize,
        /// Actual bytes.
        got: usize,
    },
}

impl Frame {
    /// The frame enlarged to `width` x `height` pixels, neither less than its own. It is extended to the right and
    /// downwards by reflection, repeatedly if needed; a side of one pixel is repeated.
    pub fn extended(&self, width: usize, height: usize) -> Self {
        let mut extended = Self::empty(width, height);
        self.extend_into(extended.width, &mut extended.rgba);
        extended
    }

    /// [`Frame::extended`] into an existing RGBA buffer, in rows of `width` pixels; as many rows as the buffer holds.
    pub fn extend_into(&self, width: usize, to: &mut [u8]) {
        let own = 4 * self.width.min(width);
        for (y, to) in to.chunks_exact_mut(4 * width).enumerate() {
            let begin = 4 * self.width * folded(y, self.height);
            let from = &self.rgba[begin..][..4 * self.width];
            let (kept, margin) = to.split_at_mut(own);
            kept.copy_from_slice(&from[..own]);
            for (x, pixel) in (self.width..).zip(margin.chunks_exact_mut(4)) {
                pixel.copy_from_slice(&from[4 * folded(x, self.width)..][..4]);
            }
        }
    }

    /// Takes `width * height * 4` bytes of RGBA.
    ///
    /// # Errors
    /// [`FrameError`] if a side is zero or the byte count does not match.
    pub fn from_rgba(width: usize, height: usize, rgba: Vec<u8>) -> Result<Self, FrameError> {
        if width == 0 || height == 0 {
            return Err(FrameError::Empty { width, height });
        }
        let needed = width.saturating_mul(height).saturating_mul(4);
        if rgba.len() != needed {
            return Err(FrameError::Length { width, height, needed, got: rgba.len() });
        }
        Ok(Self { width, height, rgba })
    }

    /// A transparent black picture. A side of 0 counts as 1.
    pub fn empty(width: usize, height: usize) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, rgba: vec![0; 4 * width * height] }
    }

    /// A picture computed pixel by pixel: `pixel(x, y)` returns RGBA. A side of 0 counts as 1.
    pub fn from_fn(
        width: usize,
        height: usize,
        mut pixel: impl FnMut(usize, usize) -> [u8; 4],
    ) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        let mut rgba = Vec::with_capacity(width * height * 4);
        for y in 0..height {
            for x in 0..width {
                rgba.extend_from_slice(&pixel(x, y));
            }
        }
        Self { width, height, rgba }
    }

    /// Resizes the frame to `width` x `height` pixels, each at least one; its pixels are stale afterwards. Allocates
    /// only if the frame has never been as large.
    pub fn resize(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width.max(1), height.max(1));
        let bytes = 4 * self.width * self.height;
        if bytes > self.rgba.capacity() {
            // The old content is not copied.
            self.rgba = vec![0; bytes];
        }
        self.rgba.resize(bytes, 0);
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Reads every pixel.
    pub fn is_opaque(&self) -> bool {
        self.rgba.chunks_exact(4).all(|p| p[3] == 255)
    }

    pub fn pixel_count(&self) -> usize {
        self.width * self.height
    }

    /// The RGBA bytes, row by row.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    pub fn rgba_mut(&mut self) -> &mut [u8] {
        &mut self.rgba
    }

    pub fn into_rgba(self) -> Vec<u8> {
        self.rgba
    }

    /// RGBA of the pixel at column `x`, row `y`.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 4] {
        let i = (y * self.width + x) * 4;
        [self.rgba[i], self.rgba[i + 1], self.rgba[i + 2], self.rgba[i + 3]]
    }

    /// The part of `width` x `height` pixels with its top left at (`x`, `y`), limited to the picture (at least one
    /// pixel).
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        let (x, y) = (x.min(self.width - 1), y.min(self.height - 1));
        let width = width.clamp(1, self.width - x);
        let height = height.clamp(1, self.height - y);
        let mut rgba = Vec::with_capacity(width * height * 4);
        for row in y..y + height {
            let start = (row * self.width + x) * 4;
            rgba.extend_from_slice(&self.rgba[start..start + width * 4]);
        }
        Self { width, height, rgba }
    }
}

/// The difference between two pictures of equal size, in levels of 0 to 255, colour channels only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PictureDifference {
    /// Number of colour bytes that were compared.
    pub bytes: u64,
    /// Largest difference of one byte, in levels.
    pub largest: u8,
    /// Mean difference, in levels.
    pub mean: f64,
    /// Share of colour bytes that differ, 0 to 1.
    pub differing_share: f64,
    /// Peak signal-to-noise ratio; infinite for equal pictures.
    pub psnr_db: f64,
}

impl PictureDifference {
    /// Compares the pixels of `a` and `b` for which `counts(x, y)` is true. `None` if the sizes differ or no pixel
    /// counts.
    pub fn over(a: &Frame, b: &Frame, counts: impl Fn(usize, usize) -> bool) -> Option<Self> {
        if a.size() != b.size() {
            return None;
        }
        let (mut largest, mut sum, mut squares, mut differing, mut bytes) =
            (0u8, 0u64, 0u64, 0u64, 0u64);
        for y in 0..a.height {
            for x in 0..a.width {
                if !counts(x, y) {
                    continue;
                }
                let (p, q) = (a.pixel(x, y), b.pixel(x, y));
                for c in 0..3 {
                    let d = p[c].abs_diff(q[c]);
                    largest = largest.max(d);
                    sum += u64::from(d);
                    squares += u64::from(d) * u64::from(d);
                    differing += u64::from(d != 0);
                    bytes += 1;
                }
            }
        }
        if bytes == 0 {
            return None;
        }
        let mse = squares as f64 / bytes as f64;
        Some(Self {
            bytes,
            largest,
            mean: sum as f64 / bytes as f64,
            differing_share: differing as f64 / bytes as f64,
            psnr_db: 10.0 * (255.0f64 * 255.0 / mse).log10(),
        })
    }

    /// Compares whole pictures; `None` if the sizes differ.
    pub fn between(a: &Frame, b: &Frame) -> Option<Self> {
        Self::over(a, b, |_, _| true)
    }

    /// Compares only the border of `border_px` pixels, where padding mistakes show.
    pub fn on_outer_frame(a: &Frame, b: &Frame, border_px: usize) -> Option<Self> {
        let (w, h) = (a.width, a.height);
        Self::over(a, b, |x, y| {
            x < border_px || y < border_px || x + border_px >= w || y + border_px >= h
        })
    }
}

/// Index of a position beyond a side, reflected repeatedly if needed; a side of one pixel is repeated.
fn folded(position: usize, side: usize) -> usize {
    if side == 1 {
        return 0;
    }
    let period = 2 * (side - 1);
    let p = position % period;
    if p < side { p } else { period - p }
}

/// The size scaled down to `long_side_px` on the long side, keeping the aspect ratio; never enlarged.
pub fn size_within(width: usize, height: usize, long_side_px: usize) -> (usize, usize) {
    if width.max(height) <= long_side_px {
        return (width, height);
    }
    size_with_long_side((width, height), long_side_px)
}

/// The size scaled to `long_side_px` on the long side, keeping the aspect ratio; may be enlarged.
pub fn size_with_long_side((width, height): (usize, usize), long_side_px: usize) -> (usize, usize) {
    let long = width.max(height).max(1);
    let side = |s: usize| {
        let exact = s as f64 * long_side_px as f64 / long as f64;
        (exact.round() as usize).max(1)
    };
    (side(width), side(height))
}

/// The longest side below `too_long` for which `fits` is true, by bisection; 0 if there is none. If a side fits, every
/// shorter one must fit.
pub fn longest_side(too_long: usize, mut fits: impl FnMut(usize) -> bool) -> usize {
    let (mut longest, mut too_long) = (0, too_long);
    while too_long.saturating_sub(longest) > 1 {
        let middle = longest + (too_long - longest) / 2;
        if fits(middle) { longest = middle } else { too_long = middle }
    }
    longest
}

/// The largest width and height with the aspect ratio of `size`, at most `size`, that `fits`; see [`longest_side`].
pub fn largest_size(
    (width, height): (usize, usize),
    mut fits: impl FnMut((usize, usize)) -> bool,
) -> Option<(usize, usize)> {
    let within = |long_side_px| size_within(width, height, long_side_px);
    let side = longest_side(width.max(height) + 1, |side| fits(within(side)));
    (side > 0).then(|| within(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_extended_by_reflection() {
        for (width, height) in [(1, 1), (2, 1), (3, 4), (16, 5)] {
            let frame = Frame::from_fn(width, height, |x, y| [x as u8, y as u8, 7, 255]);
            for (wide, high) in [(width, height), (width + 1, height), (width + 40, height + 9)] {
                let wanted = Frame::from_fn(wide, high, |x, y| {
                    frame.pixel(folded(x, width), folded(y, height))
                });
                let extended = frame.extended(wide, high);
                assert_eq!(extended, wanted, "{width}x{height} to {wide}x{high}");
            }
        }
        let row = Frame::from_fn(3, 1, |x, _| [x as u8; 4]).extended(8, 1);
        let places: Vec<u8> = row.rgba().iter().copied().step_by(4).collect();
        assert_eq!(places, [0, 1, 2, 1, 0, 1, 2, 1]);
    }

    #[test]
    fn a_resized_frame_is_whole() {
        let mut frame = Frame::from_fn(5, 4, |_, _| [9; 4]);
        for (width, height) in [(5, 4), (2, 3), (40, 30), (7, 9), (0, 0)] {
            frame.resize(width, height);
            let (width, height) = (width.max(1), height.max(1));
            assert_eq!((frame.width(), frame.height()), (width, height));
            assert_eq!(frame.rgba().len(), 4 * width * height);
        }
    }

    #[test]
    fn rejects_wrong_lengths() {
        assert!(Frame::from_rgba(2, 2, vec![0; 15]).is_err());
        assert!(Frame::from_rgba(0, 2, vec![]).is_err());
        assert!(Frame::from_rgba(usize::MAX, 2, vec![]).is_err());
    }

    #[test]
    fn outer_frame_sees_only_the_border() {
        let a = Frame::from_fn(20, 20, |_, _| [10, 10, 10, 255]);
        let mut b = a.clone();
        b.rgba_mut()[(10 * 20 + 10) * 4] = 60;
        let whole = PictureDifference::between(&a, &b).expect("same size");
        assert_eq!(whole.largest, 50);
        let border = PictureDifference::on_outer_frame(&a, &b, 8).expect("same size");
        assert_eq!(border.largest, 0);
        assert!(border.psnr_db.is_infinite());
    }

    #[test]
    fn crop_is_cut_to_what_exists() {
        let a = Frame::from_fn(5, 4, |x, y| [x as u8, y as u8, 0, 255]);
        let c = a.crop(3, 2, 10, 10);
        assert_eq!((c.width(), c.height()), (2, 2));
        assert_eq!(c.pixel(1, 1), [4, 3, 0, 255]);
    }

    #[test]
    fn the_largest_size_that_fits_is_found() {
        let pixels = |most: usize| largest_size((300, 200), |(w, h)| w * h <= most);
        assert_eq!(pixels(60_000), Some((300, 200)));
        assert_eq!(pixels(59_999), Some((299, 199)));
        assert_eq!(pixels(1_000_000), Some((300, 200)));
        assert_eq!(pixels(1), Some((1, 1)));
        assert_eq!(pixels(0), None);
        let mut asked = 0;
        let found = longest_side(4096, |side| {
            asked += 1;
            side <= 1234
        });
        assert_eq!((found, asked), (1234, 12));
    }
}
