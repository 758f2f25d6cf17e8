//! Register tiles: products of a few rows with one or two vectors of columns, and the functions that cut larger
//! products into them.

use super::simd::{At, Simd};
use crate::graph::MAX_KERNEL_PX;

/// Most stretches of K: one for each kernel row.
pub const MAX_SEGMENTS: usize = MAX_KERNEL_PX;

/// One stretch of the sum over K: `len` values of every row of A against `len` rows of B.
pub struct Segment<A = f32, B = f32> {
    /// First value of row 0.
    pub a: *const A,
    /// First row of the packed panel, `NV * LANES` values a row.
    pub b: *const B,
    /// Length of the stretch, at least 1.
    pub len: usize,
}

impl<A, B> Segment<A, B> {
    /// No stretch at all.
    pub const EMPTY: Self = Self { a: std::ptr::null(), b: std::ptr::null(), len: 0 };
}

/// What one instruction set multiplies and sums in a register tile: values, or bytes ([`super::bytes`]).
///
/// # Safety
/// Every method may only run where the instruction set exists; pointers are valid for what is said there.
#[allow(clippy::missing_safety_doc)] // One contract, stated above, holds for all methods.
pub unsafe trait Product: Copy {
    /// What A holds.
    type A;
    /// What B holds.
    type B;
    /// What a column's sum is multiplied by at the end, for all columns; `()` for nothing.
    type Scale: Copy;
    /// One sum for each column of a vector.
    type Sums: Copy;
    /// [`Product::DEPTH`] values of a row of A, the same for every column.
    type Row: Copy;
    /// [`Product::DEPTH`] values of each column.
    type Columns: Copy;
    /// Columns of a vector.
    const LANES: usize;
    /// Neighbours in K that are multiplied in one step.
    const DEPTH: usize;

    /// Sums of nothing.
    unsafe fn no_sums() -> Self::Sums;
    /// `DEPTH` values of A, for every column.
    unsafe fn load_row(from: *const Self::A) -> Self::Row;
    /// `LANES * DEPTH` values of B, column after column.
    unsafe fn load_columns(from: *const Self::B) -> Self::Columns;
    /// Adds the products of a row with each column.
    unsafe fn add_products(sums: Self::Sums, row: Self::Row, columns: Self::Columns) -> Self::Sums;
    /// Stores the sums of the columns from `first` on, each times its scale.
    unsafe fn store_sums(to: *mut f32, sums: Self::Sums, scale: Self::Scale, first: usize);
}

// SAFETY: every instruction is one of the set that the trait's contract promises.
unsafe impl<S: Simd> Product for S {
    type A = f32;
    type B = f32;
    type Scale = ();
    type Sums = S::V;
    type Row = S::V;
    type Columns = S::V;
    const LANES: usize = <S as Simd>::LANES;
    const DEPTH: usize = 1;

    #[inline(always)]
    unsafe fn no_sums() -> S::V {
        // SAFETY: the instruction set exists by contract.
        unsafe { S::splat(0.0) }
    }
    #[inline(always)]
    unsafe fn load_row(from: *const f32) -> S::V {
        // SAFETY: instruction set and pointer are valid by contract.
        unsafe { S::broadcast(from) }
    }
    #[inline(always)]
    unsafe fn load_columns(from: *const f32) -> S::V {
        // SAFETY: as above.
        unsafe { S::load(from) }
    }
    #[inline(always)]
    unsafe fn add_products(sums: S::V, row: S::V, columns: S::V) -> S::V {
        // SAFETY: the instruction set exists by contract.
        unsafe { S::mul_add(row, columns, sums) }
    }
    #[inline(always)]
    unsafe fn store_sums(to: *mut f32, sums: S::V, (): (), _first: usize) {
        // SAFETY: instruction set and pointer are valid by contract.
        unsafe { S::store(to, sums) }
    }
}

/// Repeats a block with `$i` as a constant from 0 up to below `$n` (12 at most). Written out here
/// rather than left to the optimiser: unless every index is a constant, the accumulators of
/// [`tile_product`] live in memory instead of registers and everything is eight times slower.
macro_rules! unrolled {
    ($i:ident < $n:expr => $body:block) => {
        unrolled!(@ $i, $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $i:ident, $n:expr, $body:block, $($k:literal)*) => {
        $({
            let $i: usize = $k;
            if $i < $n $body
        })*
    };
}

/// `C[m][n] = scale[n] * sum over segments and k of A[m][k] * B[k][n]`, for `MR` rows of A, the first of them `a_first`
/// values behind each segment's begin and the others `a_stride` apart, and `NV` vectors of columns; rows of C lie
/// `c_stride` values apart.
///
/// The whole tile of C stays in registers: MR x NV accumulators (12 x 2 at most), NV registers of B
/// and one broadcast.
///
/// # Safety
/// As [`Product`]; no segment is empty, its length a multiple of `DEPTH`; A valid for `(MR - 1) * a_stride + len`
/// values from `a_first` behind each `a` on, B for `len * NV * LANES` from each `b`, C for `(MR - 1) * c_stride + NV * LANES`, the scale
/// for `NV * LANES`.
#[inline(always)]
pub unsafe fn tile_product<P: Product, const MR: usize, const NV: usize>(
    segments: &[Segment<P::A, P::B>],
    (a_first, a_stride): (usize, usize),
    c: *mut f32,
    c_stride: usize,
    scale: P::Scale,
) {
    const { assert!(MR <= 12 && (NV == 1 || NV == 2)) };
    // SAFETY: all reads and writes are inside the ranges that the caller promises.
    unsafe {
        let mut acc = [[P::no_sums(); 2]; 12];
        for segment in segments {
            let (mut a, mut b) = (segment.a.at(a_first), segment.b);
            // Tested at the end: with a test before the first step too, the compiler keeps two
            // copies of every accumulator and spills half of them.
            let end = a.at(segment.len);
            loop {
                let second = b.at((NV - 1) * P::LANES * P::DEPTH);
                let columns = [P::load_columns(b), P::load_columns(second)];
                unrolled!(m < MR => {
                    let row = P::load_row(a.at(m.wrapping_mul(a_stride)));
                    acc[m][0] = P::add_products(acc[m][0], row, columns[0]);
                    if NV == 2 {
                        acc[m][1] = P::add_products(acc[m][1], row, columns[1]);
                    }
                });
                a = a.at(P::DEPTH);
                b = b.at(NV * P::LANES * P::DEPTH);
                if a == end {
                    break;
                }
            }
        }
        unrolled!(m < MR => {
            P::store_sums(c.at(m * c_stride), acc[m][0], scale, 0);
            if NV == 2 {
                P::store_sums(c.at(m * c_stride + P::LANES), acc[m][1], scale, P::LANES);
            }
        });
    }
}

/// Register tiles that cover `rows`: so many of `big` rows, then so many of `small`, with the least
/// overshoot. In 32 bits, because every panel asks and wide divisions take long.
pub fn tiles_for(rows: u32, big: u32, small: u32) -> (u32, u32) {
    let mut best = (rows.div_ceil(big), 0);
    for smalls in 1..=3 {
        if best.0 * big + best.1 * small == rows {
            break;
        }
        let bigs = rows.saturating_sub(smalls * small).div_ceil(big);
        if bigs * big + smalls * small < best.0 * big + best.1 * small
            && bigs * big + smalls * small >= rows
        {
            best = (bigs, smalls);
        }
    }
    best
}

/// [`tile_product`] compiled for one instruction set, number of rows and number of vectors.
pub type TileProduct<A, B, Scale> =
    unsafe fn(&[Segment<A, B>], (usize, usize), *mut f32, usize, Scale);

/// The register tiles of one instruction set. Each is a function of its own: inlined side by side
/// into one loop, their accumulators no longer stay in registers.
#[derive(Clone, Copy)]
pub struct TileSet<A = f32, B = f32, Scale = ()> {
    /// Rows of the large tiles.
    pub big_rows: usize,
    /// Large tiles of one and of two vectors of columns.
    pub big: [TileProduct<A, B, Scale>; 2],
    /// Rows of the small tiles.
    pub small_rows: usize,
    /// Small tiles of one and of two vectors of columns.
    pub small: [TileProduct<A, B, Scale>; 2],
}

impl<A, B, Scale: Copy> TileSet<A, B, Scale> {
    /// Products of `rows` rows of A (from the given segments on, `a_stride` apart) with one panel
    /// of `vectors` vectors of columns, which has its `scale`.
    ///
    /// # Safety
    /// As [`tile_product`], with up to `big_rows - 1` rows more than `rows` readable and writable.
    pub unsafe fn panel_product(
        &self,
        segments: &[Segment<A, B>],
        a_stride: usize,
        rows: usize,
        (vectors, scale): (usize, Scale),
        c: *mut f32,
        c_stride: usize,
    ) {
        // The loop over a segment's rows asks at its end whether one is left.
        assert!(segments.iter().all(|segment| segment.len > 0), "an empty segment");
        let (bigs, smalls) = tiles_for(rows as u32, self.big_rows as u32, self.small_rows as u32);
        let mut m = 0;
        for tile in 0..bigs + smalls {
            let (product, tile_rows) = if tile < bigs {
                (self.big[vectors - 1], self.big_rows)
            } else {
                (self.small[vectors - 1], self.small_rows)
            };
            let rows_of_a = (m * a_stride, a_stride);
            // SAFETY: the caller's promise.
            unsafe { product(segments, rows_of_a, c.at(m * c_stride), c_stride, scale) };
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
