//! Register tiles: products of a few rows with one or two vectors of columns. Larger products are cut into such tiles.

use super::simd::{At, Simd};
use network::graph::MAX_KERNEL_PX;

/// Maximum number of segments of K: one for each kernel row.
pub const MAX_SEGMENTS: usize = MAX_KERNEL_PX;

/// One segment of the sum over K: `len` values of every row of A times `len` rows of B.
pub struct Segment<A = f32, B = f32> {
    /// First value of row 0.
    pub a: *const A,
    /// First row of the packed panel, `NV * LANES` values per row.
    pub b: *const B,
    /// At least 1.
    pub len: usize,
}

impl<A, B> Segment<A, B> {
    /// Unused segment.
    pub const EMPTY: Self = Self { a: std::ptr::null(), b: std::ptr::null(), len: 0 };
}

/// What a register tile of one instruction set multiplies and adds up: values, or bytes ([`super::bytes`]).
///
/// # Safety
/// Every method may only run if the CPU has the instruction set. Pointers are valid for what each method describes.
#[allow(clippy::missing_safety_doc)] // One contract, stated above, holds for all methods.
pub unsafe trait Product: Copy {
    /// Element type of A.
    type A;
    /// Element type of B.
    type B;
    /// Final factor on a column's sum, for all columns; `()` for none.
    type Scale: Copy;
    /// One sum for each column of a vector.
    type Sums: Copy;
    /// [`Product::DEPTH`] values of a row of A, the same for every column.
    type Row: Copy;
    /// [`Product::DEPTH`] values of each column.
    type Columns: Copy;
    /// Columns per vector.
    const LANES: usize;
    /// Neighbours in K that are multiplied in one step.
    const DEPTH: usize;

    unsafe fn no_sums() -> Self::Sums;
    /// `DEPTH` values of A, for every column.
    unsafe fn load_row(from: *const Self::A) -> Self::Row;
    /// `LANES * DEPTH` values of B, column after column.
    unsafe fn load_columns(from: *const Self::B) -> Self::Columns;
    /// Adds the products of a row with each column.
    unsafe fn add_products(sums: Self::Sums, row: Self::Row, columns: Self::Columns) -> Self::Sums;
    /// Stores the sums of the columns from `first`, each times its scale.
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

/// Repeats a block with `$i` as a constant from 0 to below `$n` (at most 12). It is written out instead of relying on
/// the optimiser. Unless every index is a constant, the accumulators of [`tile_product`] are kept in memory instead of
/// registers, which is eight times slower.
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

/// `C[m][n] = scale[n] * sum over segments and k of A[m][k] * B[k][n]`, for `MR` rows of A and `NV` vectors of columns.
/// The first row of A starts `a_first` values after each segment's start, and rows of A are `a_stride` values apart.
/// Rows of C are `c_stride` values apart.
///
/// The whole tile of C stays in registers: MR x NV accumulators (at most 12 x 2), NV registers of B and one broadcast.
///
/// # Safety
/// As [`Product`]; no segment is empty, and its length is a multiple of `DEPTH`; A is valid for `(MR - 1) * a_stride +
/// len` values starting `a_first` values after each `a`, B for `len * NV * LANES` from each `b`, C for `(MR - 1) *
/// c_stride + NV * LANES`, the scale for `NV * LANES`.
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
            // The loop tests at its end. With another test before the first step, the compiler keeps two copies of
            // every accumulator and spills half of them.
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

/// The register tiles that cover `rows`: the number of tiles of `big` rows, then the number of tiles of `small` rows,
/// with the least overshoot. In 32 bits, because this runs for every panel and 64-bit divisions are slow.
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

/// The register tiles of one instruction set. Each is a separate function. If they were inlined into one loop, their
/// accumulators would not stay in registers.
#[derive(Clone, Copy)]
pub struct TileSet<A = f32, B = f32, Scale = ()> {
    pub big_rows: usize,
    /// Large tiles with one and with two vectors of columns.
    pub big: [TileProduct<A, B, Scale>; 2],
    pub small_rows: usize,
    /// Small tiles with one and with two vectors of columns.
    pub small: [TileProduct<A, B, Scale>; 2],
}

impl<A, B, Scale: Copy> TileSet<A, B, Scale> {
    /// Product of `rows` rows of A, `a_stride` apart, with one panel of `vectors` vectors of columns and its `scale`.
    /// The segments are those of the first row.
    ///
    /// # Safety
    /// As [`tile_product`], with up to `big_rows - 1` more rows than `rows` readable and writable.
    pub unsafe fn panel_product(
        &self,
        segments: &[Segment<A, B>],
        a_stride: usize,
        rows: usize,
        (vectors, scale): (usize, Scale),
        c: *mut f32,
        c_stride: usize,
    ) {
        // The loop over a segment tests at its end, so a segment must not be empty.
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
