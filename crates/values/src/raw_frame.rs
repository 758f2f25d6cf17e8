//! Frames in the formats of cameras, and their conversion to RGBA8.

mod pixel_format;
mod yuv;

pub use pixel_format::PixelFormat;
pub use yuv::{ColorMatrix, Yuv};

use crate::{
    frame::Frame,
    parallel_copy,
    rotation::{Rotation, turn_into},
};

/// The memory layout of a raw frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub pixels: PixelFormat,
    pub width: usize,
    pub height: usize,
    /// Bytes from one row to the next, in the first plane.
    pub stride: usize,
    pub matrix: ColorMatrix,
    /// Luma uses 0 to 255 instead of 16 to 235.
    pub full_range: bool,
}

/// Why a frame is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Truncated or corrupt; the next frame may be fine.
    Damaged,
    /// Complete, but of another size than negotiated.
    OtherFormat,
}

impl Layout {
    /// A layout without padding between rows, by BT.601 in the limited range. For MJPEG the stride has no meaning.
    pub fn tight(pixels: PixelFormat, width: usize, height: usize) -> Self {
        let stride = row_bytes(pixels, width);
        Self { pixels, width, height, stride, matrix: ColorMatrix::Bt601, full_range: false }
    }

    /// The same layout with `stride` bytes per row, if that is enough for a row.
    pub fn with_stride(self, stride: usize) -> Self {
        Self { stride: stride.max(row_bytes(self.pixels, self.width)), ..self }
    }

    /// Bytes from the first pixel to the last one; saturates if the driver's numbers are too large.
    pub fn bytes(&self) -> usize {
        let row = row_bytes(self.pixels, self.width);
        let chroma_rows = self.height.div_ceil(2);
        // The last row may lack padding.
        let (above, row) = match self.pixels {
            PixelFormat::Nv12 | PixelFormat::Nv21 => {
                let rows = self.height.saturating_add(chroma_rows);
                (self.stride.saturating_mul(rows.saturating_sub(1)), row)
            }
            // Rows of U and V have half the length.
            PixelFormat::Yu12 | PixelFormat::Yv12 => {
                let halves = chroma_rows.saturating_mul(2).saturating_sub(1);
                let luma = self.stride.saturating_mul(self.height);
                (luma.saturating_add((self.stride / 2).saturating_mul(halves)), row / 2)
            }
            _ => (self.stride.saturating_mul(self.height.saturating_sub(1)), row),
        };
        above.saturating_add(row)
    }

    /// True if `bytes` contain a frame of at least one pixel.
    fn is_complete(&self, bytes: &[u8]) -> bool {
        self.width > 0 && self.height > 0 && bytes.len() >= self.bytes()
    }

    /// Decodes `bytes` into `rgba`, which has `width * height * 4` bytes.
    ///
    /// # Errors
    /// [`Unusable::Damaged`] if bytes are missing or there is no pixel; [`Unusable::OtherFormat`] for MJPEG and for formats that are
    /// [kept as](PixelFormat::kept_as) another.
    pub fn decode(&self, bytes: &[u8], rgba: &mut [u8]) -> Result<(), Unusable> {
        if !self.is_complete(bytes) {
            return Err(Unusable::Damaged);
        }
        let (rgba, _) = rgba.as_chunks_mut::<4>();
        let yuv = Yuv::new(self.matrix, self.full_range);
        for (y, row) in rgba.chunks_exact_mut(self.width).take(self.height).enumerate() {
            let line = &bytes[y * self.stride..][..row_bytes(self.pixels, self.width)];
            match self.pixels {
                PixelFormat::Yuyv => {
                    let (pairs, _) = line.as_chunks::<4>();
                    for (pixels, &[y0, u, y1, v]) in row.chunks_mut(2).zip(pairs) {
                        let colour = yuv.colour(u, v);
                        for (pixel, brightness) in pixels.iter_mut().zip([y0, y1]) {
                            *pixel = yuv.rgba(brightness, colour);
                        }
                    }
                }
                PixelFormat::Nv12 => {
                    let colours = &bytes[(self.height + y / 2) * self.stride..];
                    let (colours, _) = colours.as_chunks::<2>();
                    let pairs = line.chunks(2).zip(colours);
                    for (pixels, (brightness, &[u, v])) in row.chunks_mut(2).zip(pairs) {
                        let colour = yuv.colour(u, v);
                        for (pixel, &b) in pixels.iter_mut().zip(brightness) {
                            *pixel = yuv.rgba(b, colour);
                        }
                    }
                }
                PixelFormat::Rgb => {
                    pixels(row.as_flattened_mut(), line, |[r, g, b]: [u8; 3]| [r, g, b, 255]);
                }
                PixelFormat::Bgr => {
                    pixels(row.as_flattened_mut(), line, |[b, g, r]: [u8; 3]| [r, g, b, 255]);
                }
                PixelFormat::Grey => {
                    pixels(row.as_flattened_mut(), line, |[level]| [level, level, level, 255]);
                }
                _ => return Err(Unusable::OtherFormat),
            }
        }
        Ok(())
    }

    /// Writes `bytes` to `kept` in the format [as which](PixelFormat::kept_as) this one is kept, without padding.
    fn reorder(&self, bytes: &[u8], kept: &mut [u8]) {
        let stride = row_bytes(self.pixels.kept_as(), self.width);
        let (luma, chroma) = kept.split_at_mut(stride * self.height);
        for (to, from) in luma.chunks_exact_mut(stride).zip(bytes.chunks(self.stride)) {
            match self.pixels {
                PixelFormat::Uyvy => {
                    pixels(to, from, |[u, y0, v, y1]: [u8; 4]| [y0, u, y1, v]);
                }
                PixelFormat::Yvyu => {
                    pixels(to, from, |[y0, v, y1, u]: [u8; 4]| [y0, u, y1, v]);
                }
                PixelFormat::Bgra => pixels(to, from, |[b, g, r, _]: [u8; 4]| [b, g, r]),
                PixelFormat::Grey10 => {
                    pixels(to, from, |level| [(u16::from_le_bytes(level) >> 2).min(255) as u8]);
                }
                PixelFormat::Grey16 => pixels(to, from, |[_, high]: [u8; 2]| [high]),
                _ => to.copy_from_slice(&from[..stride]),
            }
        }
        let from = bytes.get(self.stride * self.height..).unwrap_or_default();
        let half = self.stride / 2;
        let second = half * self.height.div_ceil(2);
        for (y, to) in chroma.chunks_exact_mut(stride).enumerate() {
            if self.pixels == PixelFormat::Nv21 {
                pixels(to, &from[y * self.stride..], |[v, u]: [u8; 2]| [u, v]);
                continue;
            }
            let (mut u, mut v) = (&from[y * half..], &from[second + y * half..]);
            if self.pixels == PixelFormat::Yv12 {
                (u, v) = (v, u);
            }
            for (to, (u, v)) in to.as_chunks_mut::<2>().0.iter_mut().zip(u.iter().zip(v)) {
                *to = [*u, *v];
            }
        }
    }
}

/// Converts a row, pixel by pixel or pair by pair.
fn pixels<const M: usize, const N: usize>(
    to: &mut [u8],
    from: &[u8],
    convert: impl Fn([u8; N]) -> [u8; M],
) {
    for (to, from) in to.as_chunks_mut::<M>().0.iter_mut().zip(from.as_chunks::<N>().0) {
        *to = convert(*from);
    }
}

/// Bytes of one row of the first plane.
fn row_bytes(pixels: PixelFormat, width: usize) -> usize {
    match pixels {
        PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Yvyu => {
            width.div_ceil(2).saturating_mul(4)
        }
        // The chroma planes have one pair for every two columns.
        PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::Yu12 | PixelFormat::Yv12 => {
            width.div_ceil(2).saturating_mul(2)
        }
        PixelFormat::Rgb | PixelFormat::Bgr => width.saturating_mul(3),
        PixelFormat::Bgra => width.saturating_mul(4),
        PixelFormat::Grey => width,
        PixelFormat::Grey10 | PixelFormat::Grey16 => width.saturating_mul(2),
        PixelFormat::Mjpeg => 0,
    }
}

/// Maps pixels of the upright frame to the camera's frame: the position of the first pixel, and the steps to the next
/// pixel on the right and below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// The pixel at the top left: column and row.
    pub first: [i32; 2],
    /// From a pixel to the one on its right.
    pub across: [i32; 2],
    /// From a pixel to the one below it.
    pub down: [i32; 2],
}

/// A camera's frame without padding between rows, in the format [as which](PixelFormat::kept_as) its own is kept, and its
/// rotation. Not for MJPEG.
#[derive(Clone, Debug)]
pub struct RawFrame {
    layout: Layout,
    bytes: Vec<u8>,
    rotate: Rotation,
    mirror: bool,
}

impl Default for RawFrame {
    /// A black pixel.
    fn default() -> Self {
        Self {
            layout: Layout::tight(PixelFormat::Grey, 1, 1),
            bytes: vec![0],
            rotate: Rotation::None,
            mirror: false,
        }
    }
}

impl RawFrame {
    /// Sets the frame to `bytes`, which may be longer than the frame, with a clockwise rotation and then mirroring.
    /// Allocates only if the frame is larger than any before.
    ///
    /// # Errors
    /// See [`Layout::decode`]; the frame is unchanged then.
    pub fn set(
        &mut self,
        layout: &Layout,
        bytes: &[u8],
        (rotate, mirror): (Rotation, bool),
    ) -> Result<(), Unusable> {
        if layout.pixels == PixelFormat::Mjpeg {
            return Err(Unusable::OtherFormat);
        }
        if !layout.is_complete(bytes) {
            return Err(Unusable::Damaged);
        }
        let pixels = layout.pixels.kept_as();
        let stride = row_bytes(pixels, layout.width);
        self.layout = Layout { pixels, stride, ..*layout };
        (self.rotate, self.mirror) = (rotate, mirror);
        self.bytes.resize(self.layout.bytes(), 0);
        if pixels != layout.pixels {
            layout.reorder(bytes, &mut self.bytes);
        } else if layout.stride == stride {
            parallel_copy::copy(&mut self.bytes, &bytes[..self.layout.bytes()]);
        } else {
            let rows = bytes.chunks(layout.stride);
            for (to, from) in self.bytes.chunks_exact_mut(stride).zip(rows) {
                to.copy_from_slice(&from[..stride]);
            }
        }
        Ok(())
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The bytes, row by row and plane by plane.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Width and height of the upright frame.
    pub fn size(&self) -> (usize, usize) {
        self.rotate.size((self.layout.width, self.layout.height))
    }

    /// Where the upright frame's pixels are in this frame.
    pub fn places(&self) -> Places {
        let (right, bottom) = (self.layout.width as i32 - 1, self.layout.height as i32 - 1);
        let (first, across, down) = match self.rotate {
            Rotation::None => ([0, 0], [1, 0], [0, 1]),
            Rotation::Quarter => ([0, bottom], [0, -1], [1, 0]),
            Rotation::Half => ([right, bottom], [-1, 0], [0, -1]),
            Rotation::ThreeQuarters => ([right, 0], [0, 1], [-1, 0]),
        };
        if !self.mirror {
            return Places { first, across, down };
        }
        let last = self.size().0 as i32 - 1;
        Places {
            first: [0, 1].map(|i| first[i] + last * across[i]),
            across: across.map(|step| -step),
            down,
        }
    }

    /// Decodes the upright frame to RGBA8, into `to`; `scratch` is only used if the frame is rotated.
    pub fn decode_into(&self, to: &mut Frame, scratch: &mut Frame) {
        let (width, height) = (self.layout.width, self.layout.height);
        let is_upright = self.rotate == Rotation::None && !self.mirror;
        let decoded = if is_upright { &mut *to } else { &mut *scratch };
        decoded.resize(width, height);
        // Cannot fail: all bytes are present, and the format is not MJPEG.
        let _ = self.layout.decode(&self.bytes, decoded.rgba_mut());
        if !is_upright {
            turn_into(scratch, to, self.rotate, self.mirror);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The formulas of the standard.
    fn exact([y, u, v]: [u8; 3], matrix: ColorMatrix, full_range: bool) -> [f64; 3] {
        let (y, cb, cr) = if full_range {
            (f64::from(y) / 255.0, (f64::from(u) - 128.0) / 255.0, (f64::from(v) - 128.0) / 255.0)
        } else {
            (
                (f64::from(y) - 16.0) / 219.0,
                (f64::from(u) - 128.0) / 224.0,
                (f64::from(v) - 128.0) / 224.0,
            )
        };
        let (kr, kb) = match matrix {
            ColorMatrix::Bt601 => (0.299, 0.114),
            ColorMatrix::Bt709 => (0.2126, 0.0722),
            ColorMatrix::Bt2020 => (0.2627, 0.0593),
            ColorMatrix::Smpte240m => (0.2122, 0.0865),
        };
        let r = y + 2.0 * (1.0 - kr) * cr;
        let b = y + 2.0 * (1.0 - kb) * cb;
        let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
        [r, g, b].map(|c| (c * 255.0).clamp(0.0, 255.0))
    }

    pub(crate) fn noise(count: usize) -> Vec<u8> {
        let mut state = 77u32;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    fn decoded(layout: Layout, bytes: &[u8]) -> Vec<[u8; 4]> {
        let mut rgba = vec![0; layout.width * layout.height * 4];
        let mut frame = RawFrame::default();
        frame.set(&layout, bytes, Default::default()).expect("whole");
        frame.layout().decode(frame.bytes(), &mut rgba).expect("whole");
        rgba.as_chunks::<4>().0.to_vec()
    }

    /// Checks every pixel against the one that `yuv(x, y)` returns for its position.
    fn agrees(layout: Layout, bytes: &[u8], yuv: impl Fn(usize, usize) -> [u8; 3]) {
        for (i, got) in decoded(layout, bytes).into_iter().enumerate() {
            let (x, y) = (i % layout.width, i / layout.width);
            let expected = exact(yuv(x, y), layout.matrix, layout.full_range);
            for c in 0..3 {
                let apart = (f64::from(got[c]) - expected[c]).abs();
                // Half a level from rounding, the rest from coefficients of 13 bits.
                assert!(apart <= 0.53, "{layout:?} {x},{y}: {got:?} for {expected:?}");
            }
            assert_eq!(got[3], 255);
        }
    }

    #[test]
    fn yuv_follows_the_standard_at_odd_sizes() {
        for (width, height) in [(6, 4), (7, 5), (1, 1), (338, 3)] {
            for padding in [0, 5] {
                for (matrix, full_range) in [
                    (ColorMatrix::Bt601, false),
                    (ColorMatrix::Bt601, true),
                    (ColorMatrix::Bt709, false),
                    (ColorMatrix::Bt2020, true),
                    (ColorMatrix::Smpte240m, false),
                ] {
                    let layout = |pixels| {
                        let tight = Layout::tight(pixels, width, height);
                        let padded = tight.with_stride(tight.stride + padding);
                        Layout { matrix, full_range, ..padded }
                    };
                    // Offsets of the first luma, of U and of V in two pixels.
                    for (pixels, [luma, u, v]) in [
                        (PixelFormat::Yuyv, [0, 1, 3]),
                        (PixelFormat::Yvyu, [0, 3, 1]),
                        (PixelFormat::Uyvy, [1, 0, 2]),
                    ] {
                        let layout = layout(pixels);
                        let bytes = noise(layout.bytes());
                        agrees(layout, &bytes, |x, y| {
                            let pair = y * layout.stride + x / 2 * 4;
                            [luma + x % 2 * 2, u, v].map(|at| bytes[pair + at])
                        });
                    }
                    for (pixels, [u, v]) in
                        [(PixelFormat::Nv12, [0, 1]), (PixelFormat::Nv21, [1, 0])]
                    {
                        let layout = layout(pixels);
                        let bytes = noise(layout.bytes());
                        agrees(layout, &bytes, |x, y| {
                            let chroma = (height + y / 2) * layout.stride + x / 2 * 2;
                            [y * layout.stride + x, chroma + u, chroma + v].map(|at| bytes[at])
                        });
                    }
                    for (pixels, [u, v]) in
                        [(PixelFormat::Yu12, [0, 1]), (PixelFormat::Yv12, [1, 0])]
                    {
                        let layout = layout(pixels);
                        let bytes = noise(layout.bytes());
                        agrees(layout, &bytes, |x, y| {
                            let half = layout.stride / 2;
                            let plane = half * height.div_ceil(2);
                            let chroma = height * layout.stride + y / 2 * half + x / 2;
                            let at =
                                [y * layout.stride + x, chroma + u * plane, chroma + v * plane];
                            at.map(|at| bytes[at])
                        });
                    }
                }
            }
        }
    }

    #[test]
    fn plain_colours_are_copied() {
        let (width, height) = (5, 3);
        for pixels in [
            PixelFormat::Rgb,
            PixelFormat::Bgr,
            PixelFormat::Bgra,
            PixelFormat::Grey,
            PixelFormat::Grey10,
            PixelFormat::Grey16,
        ] {
            let layout = Layout::tight(pixels, width, height).with_stride(23);
            let bytes = noise(layout.bytes());
            for (i, got) in decoded(layout, &bytes).into_iter().enumerate() {
                let row = &bytes[i / width * 23..];
                let x = i % width;
                let expected = match pixels {
                    PixelFormat::Rgb => [row[x * 3], row[x * 3 + 1], row[x * 3 + 2]],
                    PixelFormat::Bgr => [row[x * 3 + 2], row[x * 3 + 1], row[x * 3]],
                    PixelFormat::Bgra => [row[x * 4 + 2], row[x * 4 + 1], row[x * 4]],
                    // Ten bits at most: the noise has more.
                    PixelFormat::Grey10 => {
                        let level = u16::from_le_bytes([row[x * 2], row[x * 2 + 1]]);
                        [u8::try_from(level / 4).unwrap_or(255); 3]
                    }
                    PixelFormat::Grey16 => [row[x * 2 + 1]; 3],
                    _ => [row[x]; 3],
                };
                assert_eq!(got[..3], expected, "{pixels}");
            }
        }
    }

    #[test]
    fn sizes_beyond_counting_fit_no_frame() {
        let most = u32::MAX as usize;
        let raw = |pixels: &PixelFormat| *pixels != PixelFormat::Mjpeg;
        for pixels in PixelFormat::ALL.into_iter().filter(raw) {
            for stride in [0, most, usize::MAX] {
                let layout = Layout::tight(pixels, most, most).with_stride(stride);
                let decoded = layout.decode(&[0; 64], &mut []);
                assert!(decoded.is_err(), "{pixels} {stride}");
            }
        }
    }

    #[test]
    fn a_raw_frame_is_decoded_where_its_places_say() {
        let raw = |pixels: &PixelFormat| *pixels != PixelFormat::Mjpeg;
        for pixels in PixelFormat::ALL.into_iter().filter(raw) {
            for (width, height, padding) in [(1, 1, 0), (7, 4, 0), (6, 5, 9), (1, 3, 2)] {
                let tight = Layout::tight(pixels, width, height);
                let layout =
                    Layout { full_range: true, ..tight.with_stride(tight.stride + padding) };
                let bytes = noise(layout.bytes() + 3);
                let plain = decoded(layout, &bytes);
                for (rotate, mirror) in
                    Rotation::ALL.into_iter().flat_map(|rotate| [(rotate, false), (rotate, true)])
                {
                    let mut frame = RawFrame::default();
                    assert_eq!(frame.set(&layout, &bytes, (rotate, mirror)), Ok(()));
                    assert_eq!(frame.bytes().len(), frame.layout().bytes());
                    let mut upright = Frame::from_fn(3, 3, |_, _| [9; 4]);
                    frame.decode_into(&mut upright, &mut Frame::from_fn(1, 1, |_, _| [0; 4]));
                    assert_eq!((upright.width(), upright.height()), frame.size());
                    let Places { first, across, down } = frame.places();
                    for y in 0..upright.height() {
                        for x in 0..upright.width() {
                            let [column, row] = [0, 1].map(|i| {
                                (first[i] + across[i] * x as i32 + down[i] * y as i32) as usize
                            });
                            let wanted = plain[row * width + column];
                            assert_eq!(upright.pixel(x, y), wanted, "{pixels} {rotate} {mirror}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_invalid_raw_frame_changes_nothing() {
        let mut frame = RawFrame::default();
        let whole = Layout::tight(PixelFormat::Yuyv, 4, 2);
        assert_eq!(frame.set(&whole, &[7; 16], Default::default()), Ok(()));
        let mjpeg = Layout::tight(PixelFormat::Mjpeg, 4, 2);
        let empty = Layout::tight(PixelFormat::Grey, 0, 2);
        for (layout, bytes, why) in [
            (whole, 15, Unusable::Damaged),
            (mjpeg, 99, Unusable::OtherFormat),
            (empty, 99, Unusable::Damaged),
        ] {
            let set = frame.set(&layout, &vec![1; bytes], (Rotation::Half, true));
            assert_eq!(set, Err(why));
            assert_eq!((frame.size(), frame.bytes()), ((4, 2), &[7; 16][..]));
        }
    }

    #[test]
    fn truncated_frames_are_not_painted() {
        for pixels in PixelFormat::ALL.into_iter().filter(|p| *p != PixelFormat::Mjpeg) {
            let layout = Layout::tight(pixels, 9, 7);
            let bytes = noise(layout.bytes() - 1);
            let mut rgba = vec![3; 9 * 7 * 4];
            assert_eq!(layout.decode(&bytes, &mut rgba), Err(Unusable::Damaged));
            assert!(rgba.iter().all(|&v| v == 3), "nothing was written");
            let set = RawFrame::default().set(&layout, &bytes, Default::default());
            assert_eq!(set, Err(Unusable::Damaged), "{pixels}");
        }
    }
}
