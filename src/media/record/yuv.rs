//! Converts pictures to the colours of video: BT.709, 16 to 235, one chroma sample for four pixels.

use crate::frame::Frame;

/// Fractional bits of the factors below.
pub const BITS: u32 = 16;
/// Weights of red, green and blue in luma, scaled to 219 levels.
const Y: [i32; 3] = [11_966, 40_254, 4_064];
/// Weights in Cb, scaled to 224 levels.
const CB: [i32; 3] = [-6_596, -22_189, 28_785];
/// Weights in Cr, scaled to 224 levels.
const CR: [i32; 3] = [28_785, -26_146, -2_639];

/// The stored size of a picture: even, at most one pixel more per side.
pub const fn even(width: usize, height: usize) -> (usize, usize) {
    (width + width % 2, height + height % 2)
}

/// Number of bytes that [`append_i420`] appends.
pub const fn i420_bytes(width: usize, height: usize) -> usize {
    let (width, height) = even(width, height);
    width * height * 3 / 2
}

/// Appends `frame` as planar 4:2:0 (`I420`): the luma plane, then Cb and Cr at half the width and height. An odd side
/// is made even by repeating its last row or column. Alpha is ignored.
pub fn append_i420(frame: &Frame, out: &mut Vec<u8>) {
    let (width, height) = even(frame.width(), frame.height());
    let (right, bottom) = (frame.width() - 1, frame.height() - 1);
    let repeated;
    let frame = if frame.size() == (width, height) {
        frame
    } else {
        repeated = Frame::from_fn(width, height, |x, y| frame.pixel(x.min(right), y.min(bottom)));
        &repeated
    };
    let from = out.len();
    out.resize(from + i420_bytes(width, height), 0);
    let (luma, chroma) = out[from..].split_at_mut(width * height);
    let (blue, red) = chroma.split_at_mut(width * height / 4);
    let half = width / 2;
    let rows = frame.rgba().chunks_exact(8 * width).zip(luma.chunks_exact_mut(2 * width));
    let chroma = blue.chunks_exact_mut(half).zip(red.chunks_exact_mut(half));
    for ((rows, luma), chroma) in rows.zip(chroma) {
        pair(rows, luma, chroma);
    }
}

/// Converts two rows of pixels.
fn pair(rows: &[u8], luma: &mut [u8], (blue, red): (&mut [u8], &mut [u8])) {
    let (pixels, _) = rows.as_chunks::<4>();
    for (pixel, out) in pixels.iter().zip(luma) {
        *out = level(weighted(Y, [pixel[0], pixel[1], pixel[2]].map(i32::from)), BITS, 16);
    }
    // Players expect the chroma sample at the first of two columns and midway between two rows. So this column counts
    // twice, and its two neighbours once each.
    let (quads, _) = rows.as_chunks::<8>();
    let (first, second) = quads.split_at(quads.len() / 2);
    let column = |a: &[u8], b: &[u8], at: usize| -> [i32; 3] {
        std::array::from_fn(|c| i32::from(a[at + c]) + i32::from(b[at + c]))
    };
    let mut before = None;
    let quads = first.iter().zip(second);
    for ((a, b), (blue, red)) in quads.zip(blue.iter_mut().zip(red)) {
        let (here, right) = (column(a, b, 0), column(a, b, 4));
        let left = before.unwrap_or(here);
        (*blue, *red) = colour(left, here, right);
        before = Some(right);
    }
}

/// Cb and Cr, from sums over two rows: of the column at the sample and of those to its left and right.
fn colour(left: [i32; 3], here: [i32; 3], right: [i32; 3]) -> (u8, u8) {
    let sums = std::array::from_fn(|c| left[c] + 2 * here[c] + right[c]);
    (level(weighted(CB, sums), BITS + 3, 128), level(weighted(CR, sums), BITS + 3, 128))
}

pub fn weighted(weights: [i32; 3], [r, g, b]: [i32; 3]) -> i32 {
    weights[0] * r + weights[1] * g + weights[2] * b
}

/// Rounds, and adds `zero`. The factors keep every level within a byte.
pub fn level(value: i32, bits: u32, zero: i32) -> u8 {
    (((value + (1 << (bits - 1))) >> bits) + zero) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planes(frame: &Frame) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let mut out = vec![7];
        append_i420(frame, &mut out);
        let (w, h) = even(frame.width(), frame.height());
        assert_eq!(out.len(), 1 + i420_bytes(frame.width(), frame.height()));
        let colours = 1 + w * h;
        let red = colours + w * h / 4;
        (out[1..colours].to_vec(), out[colours..red].to_vec(), out[red..].to_vec())
    }

    /// BT.709 in floating point.
    fn exact([r, g, b, _]: [u8; 4]) -> [f64; 3] {
        let [r, g, b] = [r, g, b].map(|v| f64::from(v) / 255.0);
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        [16.0 + 219.0 * y, 128.0 + 224.0 * (b - y) / 1.8556, 128.0 + 224.0 * (r - y) / 1.5748]
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        for r in (0..=255).step_by(17) {
            for g in (0..=255).step_by(15) {
                for b in [0, 1, 100, 128, 200, 254, 255] {
                    let pixel = [r, g, b, 255];
                    let (luma, blue, red) = planes(&Frame::from_fn(4, 2, |_, _| pixel));
                    for (plane, exact) in [luma, blue, red].iter().zip(exact(pixel)) {
                        let off = (f64::from(plane[0]) - exact).abs();
                        assert!(off < 0.51, "{pixel:?}: {} for {exact}", plane[0]);
                        assert!(plane.iter().all(|v| *v == plane[0]));
                    }
                }
            }
        }
    }

    #[test]
    fn odd_sides_repeat_their_last_pixels() {
        for (width, height) in [(1, 1), (5, 4), (4, 5), (7, 3)] {
            let frame =
                Frame::from_fn(width, height, |x, y| [(40 * x) as u8, (50 * y) as u8, 9, 255]);
            let (w, h) = even(width, height);
            let whole =
                Frame::from_fn(w, h, |x, y| frame.pixel(x.min(width - 1), y.min(height - 1)));
            assert!(planes(&frame) == planes(&whole), "{width} x {height}");
        }
    }

    #[test]
    fn colour_stands_on_the_first_of_two_columns_and_between_two_rows() {
        let grey = Frame::from_fn(4, 2, |x, y| {
            let level = (60 * x + 9 * y) as u8;
            [level, level, level, 255]
        });
        let (luma, blue, red) = planes(&grey);
        assert_eq!((&blue[..], &red[..]), (&[128; 2][..], &[128; 2][..]), "grey has no colour");
        assert_eq!((luma[0], luma[3], luma[4]), (16, 171, 24));
        // Full red is 240. A column next to the sample counts once, the one at it twice, and one of the two rows counts
        // half.
        for (columns, rows, expected) in [
            ([true, false, false, false], [true, true], [212, 128]),
            ([false, true, false, false], [true, true], [156, 156]),
            ([false, false, true, false], [true, true], [128, 184]),
            ([false, false, false, true], [true, true], [128, 156]),
            ([false, false, true, false], [true, false], [128, 156]),
        ] {
            let red = |x: usize, y: usize| if columns[x] && rows[y] { 255 } else { 0 };
            let (_, _, red) = planes(&Frame::from_fn(4, 2, |x, y| [red(x, y), 0, 0, 255]));
            assert_eq!(red, expected, "{columns:?} {rows:?}");
        }
    }
}
