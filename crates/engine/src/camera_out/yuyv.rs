//! Converts pictures to the format of cameras: YUYV in BT.601, 16 to 235, two pixels share their colour.

use values::frame::Frame;

/// Fractional bits of the factors below.
const BITS: u32 = 16;
/// Weights of red, green and blue in luma, scaled to 219 levels.
const Y: [i32; 3] = [16_829, 33_039, 6_416];
/// Weights in Cb, scaled to 224 levels.
const CB: [i32; 3] = [-9_714, -19_070, 28_784];
/// Weights in Cr, scaled to 224 levels.
const CR: [i32; 3] = [28_784, -24_103, -4_681];

/// Fills `to` with the picture in rows of `row_bytes`, at least two for each pixel. Alpha is ignored.
pub fn fill(frame: &Frame, row_bytes: usize, to: &mut Vec<u8>) {
    to.resize(row_bytes * frame.height(), 0);
    let rows = frame.rgba().chunks_exact(4 * frame.width());
    for (row, to) in rows.zip(to.chunks_exact_mut(row_bytes)) {
        let (pixels, _) = row.as_chunks::<4>();
        for (pair, to) in pixels.chunks(2).zip(to.chunks_mut(4)) {
            // The last pixel of an odd row is alone.
            let [first, second] =
                [pair[0], pair[pair.len() - 1]].map(|[r, g, b, _]| [r, g, b].map(i32::from));
            let sums = std::array::from_fn(|c| first[c] + second[c]);
            let yuyv = [
                level(weighted(Y, first), BITS, 16),
                level(weighted(CB, sums), BITS + 1, 128),
                level(weighted(Y, second), BITS, 16),
                level(weighted(CR, sums), BITS + 1, 128),
            ];
            to.copy_from_slice(&yuyv[..to.len()]);
        }
    }
}

fn weighted(weights: [i32; 3], [r, g, b]: [i32; 3]) -> i32 {
    weights[0] * r + weights[1] * g + weights[2] * b
}

/// Rounds, and adds `zero`. The factors keep every level within a byte.
fn level(value: i32, bits: u32, zero: i32) -> u8 {
    (((value + (1 << (bits - 1))) >> bits) + zero) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BT.601 in floating point.
    fn exact([r, g, b]: [u8; 3]) -> [f64; 3] {
        let [r, g, b] = [r, g, b].map(|v| f64::from(v) / 255.0);
        let y = 0.299 * r + 0.587 * g + 0.114 * b;
        [16.0 + 219.0 * y, 128.0 + 224.0 * (b - y) / 1.772, 128.0 + 224.0 * (r - y) / 1.402]
    }

    #[test]
    fn colours_are_those_of_cameras() {
        let mut yuyv = Vec::new();
        for r in (0..=255).step_by(17) {
            for g in (0..=255).step_by(15) {
                for b in [0, 1, 100, 128, 200, 254, 255] {
                    fill(&Frame::from_fn(2, 1, |_, _| [r, g, b, 255]), 4, &mut yuyv);
                    let [y, cb, cr] = exact([r, g, b]);
                    for (value, exact) in yuyv.iter().zip([y, cb, y, cr]) {
                        assert!((f64::from(*value) - exact).abs() < 0.51, "{r} {g} {b}: {yuyv:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn rows_keep_their_length() {
        let grey = Frame::from_fn(5, 2, |x, y| {
            let level = (20 * x + 100 * y) as u8;
            [level, level, level, 255]
        });
        let luma = |yuyv: &[u8]| -> Vec<u8> { yuyv.iter().step_by(2).copied().collect() };
        let mut yuyv = Vec::new();
        fill(&grey, 12, &mut yuyv);
        assert_eq!(luma(&yuyv[..10]), [16, 33, 50, 68, 85]);
        assert_eq!((yuyv.len(), yuyv[12]), (24, 102));
        fill(&grey, 10, &mut yuyv);
        assert_eq!((luma(&yuyv[..10]), yuyv.len()), (vec![16, 33, 50, 68, 85], 20));
    }
}
