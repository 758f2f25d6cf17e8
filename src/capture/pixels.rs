//! Raw camera frames to RGBA8.
//!
//! YUV as ITU-R BT.601 defines it, in the limited range (16 to 235 and 240) unless the camera says
//! that it uses the full one; the coefficients are those of BT.601-7, section 2.5.

use super::format::PixelFormat;

/// Where the pixels of a raw frame lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How the bytes are made.
    pub pixels: PixelFormat,
    /// Columns, in pixels.
    pub width: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// Bytes from one row to the next, of the first plane.
    pub stride: usize,
    /// Brightness uses 0 to 255 instead of 16 to 235.
    pub full_range: bool,
}

/// Why a frame is not painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Truncated or corrupt: the next one may be good.
    Damaged,
    /// Whole, but of another size than agreed.
    OtherFormat,
}

impl Layout {
    /// A layout without bytes between rows. For MJPEG the stride has no meaning.
    pub fn tight(pixels: PixelFormat, width: usize, height: usize) -> Self {
        Self {
            pixels,
            width,
            height,
            stride: row_bytes(pixels, width),
            full_range: false,
        }
    }

    /// The same with `stride` bytes from row to row, if that is enough for a row.
    pub fn with_stride(self, stride: usize) -> Self {
        Self {
            stride: stride.max(row_bytes(self.pixels, self.width)),
            ..self
        }
    }

    /// Bytes from the first pixel to the last one; as many as can be counted where the driver's numbers
    /// make more than that.
    pub fn bytes(&self) -> usize {
        let row = row_bytes(self.pixels, self.width);
        let rows = match self.pixels {
            PixelFormat::Nv12 => self.height.saturating_add(self.height.div_ceil(2)),
            _ => self.height,
        };
        // The last row need not be padded.
        let above = self.stride.saturating_mul(rows.saturating_sub(1));
        above.saturating_add(row)
    }

    /// Decodes `bytes` into `rgba`, which has `width * height * 4` bytes.
    pub fn decode(&self, bytes: &[u8], rgba: &mut [u8]) -> Result<(), Unusable> {
        if bytes.len() < self.bytes() {
            return Err(Unusable::Damaged);
        }
        let (rgba, _) = rgba.as_chunks_mut::<4>();
        let rows = rgba.chunks_exact_mut(self.width.max(1));
        let line = |y: usize| &bytes[y * self.stride..][..row_bytes(self.pixels, self.width)];
        let yuv = Yuv::new(self.full_range);
        for (y, row) in rows.take(self.height).enumerate() {
            match self.pixels {
                PixelFormat::Yuyv => {
                    let (pairs, _) = line(y).as_chunks::<4>();
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
                    let pairs = line(y).chunks(2).zip(colours);
                    for (pixels, (brightness, &[u, v])) in row.chunks_mut(2).zip(pairs) {
                        let colour = yuv.colour(u, v);
                        for (pixel, &b) in pixels.iter_mut().zip(brightness) {
                            *pixel = yuv.rgba(b, colour);
                        }
                    }
                }
                PixelFormat::Rgb => {
                    for (pixel, &[r, g, b]) in row.iter_mut().zip(line(y).as_chunks::<3>().0) {
                        *pixel = [r, g, b, 255];
                    }
                }
                PixelFormat::Bgr => {
                    for (pixel, &[b, g, r]) in row.iter_mut().zip(line(y).as_chunks::<3>().0) {
                        *pixel = [r, g, b, 255];
                    }
                }
                PixelFormat::Grey => {
                    for (pixel, &level) in row.iter_mut().zip(line(y)) {
                        *pixel = [level, level, level, 255];
                    }
                }
                PixelFormat::Mjpeg => return Err(Unusable::OtherFormat),
            }
        }
        Ok(())
    }
}

/// Bytes of one row of the first plane.
fn row_bytes(pixels: PixelFormat, width: usize) -> usize {
    match pixels {
        PixelFormat::Yuyv => width.div_ceil(2).saturating_mul(4),
        // The plane of colour has a pair for each two columns.
        PixelFormat::Nv12 => width.div_ceil(2).saturating_mul(2),
        PixelFormat::Rgb | PixelFormat::Bgr => width.saturating_mul(3),
        PixelFormat::Grey => width,
        PixelFormat::Mjpeg => 0,
    }
}

/// Bits behind the point of the coefficients.
const POINT: i32 = 13;

/// Converts YUV to RGB, in whole numbers.
struct Yuv {
    black: i32,
    brightness: i32,
    red_of_v: i32,
    green_of_u: i32,
    green_of_v: i32,
    blue_of_u: i32,
}

impl Yuv {
    fn new(full_range: bool) -> Self {
        let (black, y_range, c_range) = if full_range {
            (0, 255.0, 255.0)
        } else {
            (16, 219.0, 224.0)
        };
        // Shares of red and blue in brightness, BT.601.
        let (kr, kb) = (0.299, 0.114);
        let kg = 1.0 - kr - kb;
        let colour = 2.0 * 255.0 / c_range;
        let fixed = |v: f64| (v * f64::from(1 << POINT)).round() as i32;
        Self {
            black,
            brightness: fixed(255.0 / y_range),
            red_of_v: fixed(colour * (1.0 - kr)),
            green_of_u: fixed(-colour * kb * (1.0 - kb) / kg),
            green_of_v: fixed(-colour * kr * (1.0 - kr) / kg),
            blue_of_u: fixed(colour * (1.0 - kb)),
        }
    }

    /// The colour's contribution to red, green and blue.
    #[inline]
    fn colour(&self, u: u8, v: u8) -> [i32; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        [
            self.red_of_v * v,
            self.green_of_u * u + self.green_of_v * v,
            self.blue_of_u * u,
        ]
    }

    #[inline]
    fn rgba(&self, brightness: u8, colour: [i32; 3]) -> [u8; 4] {
        let base = self.brightness * (i32::from(brightness) - self.black) + (1 << (POINT - 1));
        let [r, g, b] = colour.map(|c| ((base + c) >> POINT).clamp(0, 255) as u8);
        [r, g, b, 255]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formulas as the standard writes them.
    fn exact(y: u8, u: u8, v: u8, full_range: bool) -> [f64; 3] {
        let (y, cb, cr) = if full_range {
            (
                f64::from(y) / 255.0,
                (f64::from(u) - 128.0) / 255.0,
                (f64::from(v) - 128.0) / 255.0,
            )
        } else {
            (
                (f64::from(y) - 16.0) / 219.0,
                (f64::from(u) - 128.0) / 224.0,
                (f64::from(v) - 128.0) / 224.0,
            )
        };
        let r = y + 1.402 * cr;
        let b = y + 1.772 * cb;
        let g = (y - 0.299 * r - 0.114 * b) / 0.587;
        [r, g, b].map(|c| (c * 255.0).clamp(0.0, 255.0))
    }

    fn noise(count: usize) -> Vec<u8> {
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
        layout.decode(bytes, &mut rgba).expect("whole");
        rgba.as_chunks::<4>().0.to_vec()
    }

    /// Checks every pixel against the place where `yuv(x, y)` finds it.
    fn agrees(layout: Layout, bytes: &[u8], yuv: impl Fn(usize, usize) -> [u8; 3]) {
        for (i, got) in decoded(layout, bytes).into_iter().enumerate() {
            let (x, y) = (i % layout.width, i / layout.width);
            let [luma, u, v] = yuv(x, y);
            let expected = exact(luma, u, v, layout.full_range);
            for c in 0..3 {
                let apart = (f64::from(got[c]) - expected[c]).abs();
                assert!(
                    apart <= 0.51,
                    "{layout:?} {x},{y}: {got:?} for {expected:?}"
                );
            }
            assert_eq!(got[3], 255);
        }
    }

    #[test]
    fn yuv_follows_the_standard_at_odd_sizes() {
        for (width, height) in [(6, 4), (7, 5), (1, 1), (338, 3)] {
            for padding in [0, 5] {
                for full_range in [false, true] {
                    let layout = |pixels| {
                        let tight = Layout::tight(pixels, width, height);
                        let padded = tight.with_stride(tight.stride + padding);
                        Layout {
                            full_range,
                            ..padded
                        }
                    };
                    let yuyv = layout(PixelFormat::Yuyv);
                    let bytes = noise(yuyv.bytes());
                    agrees(yuyv, &bytes, |x, y| {
                        let pair = y * yuyv.stride + x / 2 * 4;
                        [bytes[pair + x % 2 * 2], bytes[pair + 1], bytes[pair + 3]]
                    });
                    let nv12 = layout(PixelFormat::Nv12);
                    let bytes = noise(nv12.bytes());
                    agrees(nv12, &bytes, |x, y| {
                        let colour = (height + y / 2) * nv12.stride + x / 2 * 2;
                        [bytes[y * nv12.stride + x], bytes[colour], bytes[colour + 1]]
                    });
                }
            }
        }
    }

    #[test]
    fn plain_colours_are_copied() {
        let (width, height) = (5, 3);
        for pixels in [PixelFormat::Rgb, PixelFormat::Bgr, PixelFormat::Grey] {
            let layout = Layout::tight(pixels, width, height).with_stride(23);
            let bytes = noise(layout.bytes());
            for (i, got) in decoded(layout, &bytes).into_iter().enumerate() {
                let row = &bytes[i / width * 23..];
                let x = i % width;
                let expected = match pixels {
                    PixelFormat::Rgb => [row[x * 3], row[x * 3 + 1], row[x * 3 + 2]],
                    PixelFormat::Bgr => [row[x * 3 + 2], row[x * 3 + 1], row[x * 3]],
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
    fn truncated_frames_are_not_painted() {
        for pixels in [
            PixelFormat::Yuyv,
            PixelFormat::Nv12,
            PixelFormat::Rgb,
            PixelFormat::Grey,
        ] {
            let layout = Layout::tight(pixels, 9, 7);
            let bytes = noise(layout.bytes() - 1);
            let mut rgba = vec![3; 9 * 7 * 4];
            assert_eq!(layout.decode(&bytes, &mut rgba), Err(Unusable::Damaged));
            assert!(rgba.iter().all(|&v| v == 3), "nothing was written");
        }
    }
}
