//! Video's usual pixel format: a plane of luma and two of chroma with a sample for four pixels (YUV 4:2:0, 8 bits).
//!
//! Chroma samples lie between two rows, on every second column, as in H.264 and MPEG-2. Between them chroma is
//! interpolated linearly. Everything is computed in 16 bits, so that the compiler can use vector instructions.

use crate::raw_frame::{ColorMatrix, Yuv};

/// The conversion between such pictures and RGBA8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yuv420 {
    to_rgb: Yuv,
    /// Factors of red, green and blue in Y, U and V, times 2 to the 15th power.
    from_rgb: [[i16; 3]; 3],
}

/// The upper half of a product.
#[inline(always)]
fn high(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

impl Yuv420 {
    /// For a matrix and range with ffmpeg's names; `None` if this does not know the matrix.
    pub fn named(matrix: &str, range: &str) -> Option<Self> {
        let matrix = match matrix {
            "bt709" => ColorMatrix::Bt709,
            "smpte170m" | "bt470" => ColorMatrix::Bt601,
            "smpte240m" => ColorMatrix::Smpte240m,
            "bt2020" => ColorMatrix::Bt2020,
            _ => return None,
        };
        let is_full = range == "pc";
        let (luma, chroma) = if is_full { (1.0, 1.0) } else { (219.0 / 255.0, 224.0 / 255.0) };
        let (kr, kb) = matrix.red_and_blue();
        let kg = 1.0 - kr - kb;
        let fixed = |v: f64| (v * f64::from(1 << 15)).round() as i16;
        let (u, v) = (chroma / 2.0 / (1.0 - kb), chroma / 2.0 / (1.0 - kr));
        let from_rgb = [
            [luma * kr, luma * kg, luma * kb],
            [-u * kr, -u * kg, chroma / 2.0],
            [chroma / 2.0, -v * kg, -v * kb],
        ]
        .map(|row| row.map(fixed));
        Some(Self { to_rgb: Yuv::new(matrix, is_full), from_rgb })
    }

    /// Bytes of a picture of this width and height.
    pub const fn bytes(width: usize, height: usize) -> usize {
        width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
    }

    /// Converts a picture to opaque RGBA8.
    ///
    /// # Panics
    /// If `yuv` does not have [`Self::bytes`].
    pub fn decode(&self, size: (usize, usize), yuv: &[u8]) -> Vec<u8> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has these instructions.
            return unsafe { self.decode_with_avx2(size, yuv) };
        }
        self.decode_rows(size, yuv)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn decode_with_avx2(&self, size: (usize, usize), yuv: &[u8]) -> Vec<u8> {
        self.decode_rows(size, yuv)
    }

    #[inline(always)]
    fn decode_rows(&self, (width, height): (usize, usize), yuv: &[u8]) -> Vec<u8> {
        assert_eq!(yuv.len(), Self::bytes(width, height), "bytes of a picture");
        let (half, halves) = (width.div_ceil(2), height.div_ceil(2));
        let (luma, chroma) = yuv.split_at(width * height);
        let (u, v) = chroma.split_at(half * halves);
        let mut rgba = vec![255; 4 * width * height];
        let mut columns = [(); 2].map(|()| vec![0_i16; 2 * half]);
        let Yuv { black, brightness, red_of_v, green_of_u, green_of_v, blue_of_u } = self.to_rgb;
        // All are below 4, times 2 to the 13th power.
        let [black, brightness, v_red, u_green, v_green, u_blue] =
            [black, brightness, red_of_v, green_of_u, green_of_v, blue_of_u].map(|v| v as i16);
        let rows = rgba.chunks_exact_mut(4 * width).zip(luma.chunks_exact(width));
        for (y, (row, luma)) in rows.enumerate() {
            let near = y / 2;
            let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(halves - 1) };
            for (plane, columns) in [u, v].into_iter().zip(&mut columns) {
                let line = |at: usize| &plane[at * half..][..half];
                widen(line(near), line(far), columns);
            }
            let pixels = row.as_chunks_mut::<4>().0.iter_mut().zip(luma);
            for ((pixel, &luma), (&u, &v)) in pixels.zip(columns[0].iter().zip(&columns[1])) {
                // With four fraction bits; half a level, and what the products lost by being cut off.
                let base = high((i16::from(luma) - black) << 7, brightness) + 8;
                let red = base + high(v, v_red) + 1;
                let green = base + high(u, u_green) + high(v, v_green) + 1;
                let blue = base + high(u, u_blue) + 1;
                let [r, g, b] = [red, green, blue].map(|level| (level >> 4).clamp(0, 255) as u8);
                *pixel = [r, g, b, 255];
            }
        }
        rgba
    }

    /// Converts RGBA8 to such a picture in `yuv`; alpha is ignored.
    ///
    /// # Panics
    /// If `rgba` does not have `4 * width * height` bytes.
    pub fn encode(&self, size: (usize, usize), rgba: &[u8], yuv: &mut Vec<u8>) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has these instructions.
            return unsafe { self.encode_with_avx2(size, rgba, yuv) };
        }
        self.encode_rows(size, rgba, yuv);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn encode_with_avx2(&self, size: (usize, usize), rgba: &[u8], yuv: &mut Vec<u8>) {
        self.encode_rows(size, rgba, yuv);
    }

    #[inline(always)]
    fn encode_rows(&self, (width, height): (usize, usize), rgba: &[u8], yuv: &mut Vec<u8>) {
        assert_eq!(rgba.len(), 4 * width * height, "bytes of a picture");
        yuv.resize(Self::bytes(width, height), 0);
        let half = width.div_ceil(2);
        let (luma, chroma) = yuv.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(half * height.div_ceil(2));
        let dot =
            |[r, g, b]: [i16; 3], by: [i16; 3]| high(r, by[0]) + high(g, by[1]) + high(b, by[2]);
        // With six fraction bits; half a level, and what the products lost by being cut off.
        const ROUND: i16 = 32 + 1;
        let [to_y, to_u, to_v] = self.from_rgb;
        let black = self.to_rgb.black as i16;
        // The channels of two rows, and their sums with a pixel more at both ends.
        let mut rows = [(); 2].map(|()| [(); 3].map(|()| vec![0_i16; width]));
        let mut sums = [(); 3].map(|()| vec![0_i16; 2 * half + 2]);
        let mut means = [(); 3].map(|()| vec![0_i16; half]);
        let pairs = rgba.chunks(8 * width).zip(luma.chunks_mut(2 * width));
        let chroma = u.chunks_exact_mut(half).zip(v.chunks_exact_mut(half));
        for ((pair, luma), (u, v)) in pairs.zip(chroma) {
            let lines = pair.chunks_exact(4 * width).zip(luma.chunks_exact_mut(width));
            for ((line, luma), [reds, greens, blues]) in lines.zip(&mut rows) {
                let channels = reds.iter_mut().zip(&mut *greens).zip(&mut *blues);
                for (((r, g), b), pixel) in channels.zip(line.as_chunks::<4>().0) {
                    [*r, *g, *b] = [pixel[0], pixel[1], pixel[2]].map(i16::from);
                }
                let channels = reds.iter().zip(&*greens).zip(&*blues);
                for (((r, g), b), luma) in channels.zip(luma) {
                    let level = dot([r << 7, g << 7, b << 7], to_y) + ROUND;
                    *luma = ((level >> 6) + black).clamp(0, 255) as u8;
                }
            }
            let [upper, lower] = &rows;
            // The last row of an odd number has no other.
            let lower = if pair.len() > 4 * width { lower } else { upper };
            for (sums, (upper, lower)) in sums.iter_mut().zip(upper.iter().zip(lower)) {
                for (sum, (upper, lower)) in sums[1..].iter_mut().zip(upper.iter().zip(lower)) {
                    *sum = upper + lower;
                }
                sums[0] = sums[1];
                if width % 2 == 1 {
                    sums[width + 1] = sums[width];
                }
            }
            // Weights 1, 2, 1 around the sample's column.
            for (means, sums) in means.iter_mut().zip(&sums) {
                let (pairs, _) = sums.as_chunks::<2>();
                for ((mean, [left, middle]), [right, _]) in
                    means.iter_mut().zip(pairs).zip(&pairs[1..])
                {
                    *mean = (left + 2 * middle + right) << 4;
                }
            }
            let [reds, greens, blues] = &means;
            for (((u, v), (r, g)), b) in u.iter_mut().zip(v).zip(reds.iter().zip(greens)).zip(blues)
            {
                let pixel = [*r, *g, *b];
                *u = (((dot(pixel, to_u) + ROUND) >> 6) + 128).clamp(0, 255) as u8;
                *v = (((dot(pixel, to_v) + ROUND) >> 6) + 128).clamp(0, 255) as u8;
            }
        }
    }
}

/// Chroma of a row from its `near` and `far` row of samples, without its offset of 128, times 2 to the 7th power.
#[inline(always)]
fn widen(near: &[u8], far: &[u8], columns: &mut [i16]) {
    let fours = |at: usize| 3 * i16::from(near[at]) + i16::from(far[at]) - 512;
    let last = near.len() - 1;
    let (pairs, _) = columns.as_chunks_mut::<2>();
    for (at, pair) in pairs[..last].iter_mut().enumerate() {
        let (left, right) = (fours(at), fours(at + 1));
        *pair = [left << 5, (left + right) << 4];
    }
    pairs[last] = [fours(last) << 5; 2];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_frame::tests::noise;

    /// The weights of the standards, black, and the ranges of luma and chroma.
    fn standards() -> [(Yuv420, [f64; 2], [f64; 3]); 4] {
        [
            ("bt709", "tv", [0.2126, 0.0722]),
            ("smpte170m", "pc", [0.299, 0.114]),
            ("bt2020", "tv", [0.2627, 0.0593]),
            ("smpte240m", "pc", [0.2122, 0.0865]),
        ]
        .map(|(matrix, range, weights)| {
            let yuv = Yuv420::named(matrix, range).expect("known");
            let ranges = if range == "pc" { [0.0, 255.0, 255.0] } else { [16.0, 219.0, 224.0] };
            (yuv, weights, ranges)
        })
    }

    /// A sample of a plane, or the nearest one.
    fn sample(plane: &[u8], (width, height): (usize, usize), x: i64, y: i64) -> f64 {
        let clamp = |v: i64, side: usize| v.clamp(0, side as i64 - 1) as usize;
        f64::from(plane[clamp(y, height) * width + clamp(x, width)])
    }

    const SIZES: [(usize, usize); 6] = [(1, 1), (2, 2), (7, 5), (338, 6), (1, 4), (5, 1)];

    #[test]
    fn decoding_follows_the_standards_at_any_size() {
        for ((yuv, [kr, kb], [black, luma, chroma]), size) in
            standards().into_iter().flat_map(|of| SIZES.map(|size| (of, size)))
        {
            let (width, height) = size;
            let bytes = noise(Yuv420::bytes(width, height));
            let halves = (width.div_ceil(2), height.div_ceil(2));
            let (ys, chromas) = bytes.split_at(width * height);
            let planes = [0, 1].map(|i| &chromas[i * halves.0 * halves.1..]);
            let decoded = yuv.decode(size, &bytes);
            assert_eq!(decoded, yuv.decode_rows(size, &bytes), "without AVX2");
            for (i, got) in decoded.as_chunks::<4>().0.iter().enumerate() {
                let (x, y) = ((i % width) as i64, (i / width) as i64);
                let far = if y % 2 == 0 { y / 2 - 1 } else { y / 2 + 1 };
                let [u, v] = planes.map(|plane| {
                    let column = |x| {
                        0.75 * sample(plane, halves, x, y / 2)
                            + 0.25 * sample(plane, halves, x, far)
                    };
                    ((column(x / 2) + column((x + 1) / 2)) / 2.0 - 128.0) / chroma
                });
                let level = (f64::from(ys[i]) - black) / luma;
                let (red, blue) = (level + 2.0 * (1.0 - kr) * v, level + 2.0 * (1.0 - kb) * u);
                let green = (level - kr * red - kb * blue) / (1.0 - kr - kb);
                for (got, expected) in got.iter().zip([red, green, blue]) {
                    let expected = (255.0 * expected).clamp(0.0, 255.0);
                    assert!(
                        (f64::from(*got) - expected).abs() < 0.66,
                        "{size:?} {x},{y} {got} {expected}"
                    );
                }
                assert_eq!(got[3], 255);
            }
        }
    }

    #[test]
    fn encoding_follows_the_standards_at_any_size() {
        for ((yuv, [kr, kb], [black, luma, chroma]), size) in
            standards().into_iter().flat_map(|of| SIZES.map(|size| (of, size)))
        {
            let (width, height) = size;
            let rgba = noise(4 * width * height);
            let channel = |c: usize| rgba.iter().skip(c).step_by(4).copied().collect::<Vec<_>>();
            let channels = [channel(0), channel(1), channel(2)];
            let mut bytes = Vec::new();
            yuv.encode(size, &rgba, &mut bytes);
            let mut without = Vec::new();
            yuv.encode_rows(size, &rgba, &mut without);
            assert_eq!(bytes, without, "without AVX2");
            let of = |[r, g, b]: [f64; 3]| kr * r + (1.0 - kr - kb) * g + kb * b;
            let near = |got: u8, expected: f64| {
                assert!((f64::from(got) - expected).abs() < 0.56, "{size:?} {got} {expected}");
            };
            for (i, got) in bytes[..width * height].iter().enumerate() {
                let pixel = [0, 1, 2].map(|c| f64::from(channels[c][i]) / 255.0);
                near(*got, black + luma * of(pixel));
            }
            let (half, halves) = (width.div_ceil(2), height.div_ceil(2));
            let (us, vs) = bytes[width * height..].split_at(half * halves);
            for (i, (u, v)) in us.iter().zip(vs).enumerate() {
                let (x, y) = (2 * (i % half) as i64, 2 * (i / half) as i64);
                let pixel = [0, 1, 2].map(|c| {
                    let column =
                        |x| sample(&channels[c], size, x, y) + sample(&channels[c], size, x, y + 1);
                    (column(x - 1) + 2.0 * column(x) + column(x + 1)) / 8.0 / 255.0
                });
                near(*u, 128.0 + chroma * (pixel[2] - of(pixel)) / 2.0 / (1.0 - kb));
                near(*v, 128.0 + chroma * (pixel[0] - of(pixel)) / 2.0 / (1.0 - kr));
            }
        }
    }
}
