//! Register tiles: how many rows of a product are computed together, and the functions that do it.

use super::simd::{At, Segment};
use crate::graph::MAX_KERNEL_PX;

/// Most stretches of K: one for each kernel row.
pub const MAX_SEGMENTS: usize = MAX_KERNEL_PX;

/// Register tiles that cover `rows`: so many of `big` rows, then so many of `small`, with the least
/// overshoot.
pub fn tiles_for(rows: usize, big: usize, small: usize) -> (usize, usize) {
    let mut best = (rows.div_ceil(big), 0);
    for smalls in 1..=3 {
        let bigs = rows.saturating_sub(smalls * small).div_ceil(big);
        if bigs * big + smalls * small < best.0 * big + best.1 * small
            && bigs * big + smalls * small >= rows
        {
            best = (bigs, smalls);
        }
    }
    best
}

/// [`tile_product`](super::simd::tile_product) compiled for one instruction set, number of rows and number of vectors.
pub type TileProduct = unsafe fn(&[Segment], usize, *mut f32, usize);

/// The register tiles of one instruction set. Each is a function of its own: inlined side by side
/// into one loop, their accumulators no longer stay in registers.
#[derive(Clone, Copy)]
pub struct TileSet {
    /// Rows of the large tiles.
    pub big_rows: usize,
    /// Large tiles of one and of two vectors of columns.
    pub big: [TileProduct; 2],
    /// Rows of the small tiles.
    pub small_rows: usize,
    /// Small tiles of one and of two vectors of columns.
    pub small: [TileProduct; 2],
}

impl TileSet {
    /// Products of `rows` rows of A (from the given segments on, `a_stride` apart) with one panel
    /// of `vectors` vectors of columns.
    ///
    /// # Safety
    /// As [`tile_product`](super::simd::tile_product), with up to `big_rows - 1` rows more than `rows` readable
    /// and writable.
    pub unsafe fn panel_product(
        &self,
        base: &[Segment],
        a_stride: usize,
        rows: usize,
        vectors: usize,
        c: *mut f32,
        c_stride: usize,
    ) {
        let (bigs, smalls) = tiles_for(rows, self.big_rows, self.small_rows);
        let mut segments = [Segment::EMPTY; MAX_SEGMENTS];
        let segments = &mut segments[..base.len()];
        let mut m = 0;
        for tile in 0..bigs + smalls {
            let (product, tile_rows) = if tile < bigs {
                (self.big[vectors - 1], self.big_rows)
            } else {
                (self.small[vectors - 1], self.small_rows)
            };
            for (s, b) in segments.iter_mut().zip(base) {
                s.a = b.a.at(m * a_stride);
                s.b = b.b;
                s.len = b.len;
            }
            // SAFETY: the caller's promise.
            unsafe { product(segments, a_stride, c.at(m * c_stride), c_stride) };
            m += tile_rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_with_little_overshoot() {
        for rows in 1..400 {
            for (big, small) in [(12, 8), (6, 4), (8, 4), (4, 4)] {
                let (b, s) = tiles_for(rows, big, small);
                let covered = b * big + s * small;
                assert!(
                    covered >= rows && covered < rows + big,
                    "{rows}: {b} x {big} + {s} x {small}"
                );
            }
        }
        assert_eq!(tiles_for(128, 12, 8), (10, 1));
        assert_eq!(tiles_for(96, 12, 8), (8, 0));
        assert_eq!(tiles_for(16, 12, 8), (0, 2));
    }
}
