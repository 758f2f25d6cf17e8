//! Products of bytes (int8): unsigned ones of a staged row with the small integers that weights are
//! ([`crate::quantisation`]), four at a time, summed in 32 bits without rounding. So every instruction set has the
//! same sums.

use super::{
    simd::{At, Segment, unrolled},
    tiles::{MAX_SEGMENTS, tiles_for},
};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

/// Bytes that one step multiplies: four neighbours in K.
pub const BYTES: usize = 4;

/// A stretch of the sum over K; its length is a multiple of [`BYTES`].
pub type ByteSegment = Segment<u8, i8>;

/// One instruction set's vector of 32-bit sums.
///
/// # Safety
/// Every method may only run where the instruction set exists; pointers are valid for what is said there.
#[allow(clippy::missing_safety_doc)] // One contract, stated above, holds for all methods.
pub unsafe trait ByteDot: Copy {
    /// The sums.
    type Sums: Copy;
    /// [`BYTES`] bytes, the same for every lane.
    type Bytes: Copy;
    /// [`BYTES`] integers for each lane.
    type Weights: Copy;
    /// Sums in a register.
    const LANES: usize;

    /// Sums of nothing.
    unsafe fn zero() -> Self::Sums;
    /// `LANES * BYTES` integers from memory.
    unsafe fn load(from: *const i8) -> Self::Weights;
    /// [`BYTES`] bytes from memory, for every lane.
    unsafe fn broadcast(from: *const u8) -> Self::Bytes;
    /// Adds the products of bytes with the integers of each lane.
    unsafe fn add_products(sums: Self::Sums, a: Self::Bytes, weights: Self::Weights) -> Self::Sums;
    /// Stores the sums, each times the scale of its lane.
    unsafe fn store_scaled(to: *mut f32, sums: Self::Sums, scale: *const f32);
}

/// Sums in plain Rust, for what has no instruction for them.
#[derive(Clone, Copy)]
pub struct PlainDot<const LANES: usize>;

// SAFETY: plain Rust runs everywhere; pointers are the caller's promise.
unsafe impl<const LANES: usize> ByteDot for PlainDot<LANES> {
    type Sums = [i32; LANES];
    type Bytes = [i32; BYTES];
    type Weights = [[i8; BYTES]; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn zero() -> Self::Sums {
        [0; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const i8) -> Self::Weights {
        // SAFETY: valid for all lanes by contract.
        unsafe { from.cast::<Self::Weights>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn broadcast(from: *const u8) -> Self::Bytes {
        // SAFETY: valid for four bytes by contract.
        unsafe { from.cast::<[u8; BYTES]>().read_unaligned() }.map(i32::from)
    }
    #[inline(always)]
    unsafe fn add_products(sums: Self::Sums, a: Self::Bytes, weights: Self::Weights) -> Self::Sums {
        std::array::from_fn(|lane| {
            let w = weights[lane].map(i32::from);
            sums[lane] + (a[0] * w[0] + a[1] * w[1]) + (a[2] * w[2] + a[3] * w[3])
        })
    }
    #[inline(always)]
    unsafe fn store_scaled(to: *mut f32, sums: Self::Sums, scale: *const f32) {
        for (lane, sum) in sums.into_iter().enumerate() {
            // SAFETY: valid for all lanes by contract.
            unsafe { *to.at(lane) = sum as f32 * *scale.at(lane) };
        }
    }
}

/// Implements [`ByteDot`] with one x86-64 register type and its instruction for products of bytes.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_byte_dot {
    ($(#[$doc:meta])* $name:ident, $register:ty, $lanes:literal, $zero:path, $load:path, $splat:path, $dot:path,
     $float:path, $load_floats:path, $mul:path, $store:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name;

        // SAFETY: every intrinsic is one instruction of the set that the trait's contract promises.
        unsafe impl ByteDot for $name {
            type Sums = $register;
            type Bytes = $register;
            type Weights = $register;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn zero() -> Self::Sums {
                // SAFETY: the instruction set exists by contract.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn load(from: *const i8) -> Self::Weights {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn broadcast(from: *const u8) -> Self::Bytes {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $splat(x86::_mm_castps_si128(x86::_mm_load_ss(from.cast()))) }
            }
            #[inline(always)]
            unsafe fn add_products(sums: Self::Sums, a: Self::Bytes, w: Self::Weights) -> Self::Sums {
                // SAFETY: the instruction set exists by contract.
                unsafe { $dot(sums, a, w) }
            }
            #[inline(always)]
            unsafe fn store_scaled(to: *mut f32, sums: Self::Sums, scale: *const f32) {
                // SAFETY: instruction set and pointers are valid by contract.
                unsafe { $store(to, $mul($float(sums), $load_floats(scale))) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_byte_dot!(
    /// Sixteen sums with one instruction for 64 products.
    Vnni512, x86::__m512i, 16, x86::_mm512_setzero_si512, x86::_mm512_loadu_si512,
    x86::_mm512_broadcastd_epi32, x86::_mm512_dpbusd_epi32, x86::_mm512_cvtepi32_ps, x86::_mm512_loadu_ps,
    x86::_mm512_mul_ps, x86::_mm512_storeu_ps
);
#[cfg(target_arch = "x86_64")]
x86_byte_dot!(
    /// Eight sums with one instruction for 32 products.
    Vnni256, x86::__m256i, 8, x86::_mm256_setzero_si256, x86::_mm256_loadu_si256,
    x86::_mm256_broadcastd_epi32, x86::_mm256_dpbusd_avx_epi32, x86::_mm256_cvtepi32_ps, x86::_mm256_loadu_ps,
    x86::_mm256_mul_ps, x86::_mm256_storeu_ps
);

/// `C[m][n] = scale[n] * sum over segments and k of A[m][k] * B[k][n]`, for `MR` rows of A that lie `a_stride` bytes
/// apart and `NV` vectors of columns; rows of C lie `c_stride` values apart. As
/// [`tile_product`](super::simd::tile_product), four k at a time.
///
/// # Safety
/// As [`ByteDot`]; no segment is empty; A valid for `(MR - 1) * a_stride + len` bytes from each `a`, B for
/// `len * NV * LANES` from each `b`, C for `(MR - 1) * c_stride + NV * LANES` values, `scale` for `NV * LANES`.
#[inline(always)]
pub unsafe fn byte_tile_product<D: ByteDot, const MR: usize, const NV: usize>(
    segments: &[ByteSegment],
    a_stride: usize,
    c: *mut f32,
    c_stride: usize,
    scale: *const f32,
) {
    const { assert!(MR <= 12 && (NV == 1 || NV == 2)) };
    // SAFETY: all reads and writes are inside the ranges that the caller promises.
    unsafe {
        let mut acc = [[D::zero(); 2]; 12];
        for segment in segments {
            let (mut a, mut b) = (segment.a, segment.b);
            // Tested at the end, as in the product of floats.
            let end = a.at(segment.len);
            loop {
                let columns = [D::load(b), D::load(b.at((NV - 1) * D::LANES * BYTES))];
                unrolled!(m < MR => {
                    let bytes = D::broadcast(a.at(m.wrapping_mul(a_stride)));
                    acc[m][0] = D::add_products(acc[m][0], bytes, columns[0]);
                    if NV == 2 {
                        acc[m][1] = D::add_products(acc[m][1], bytes, columns[1]);
                    }
                });
                a = a.at(BYTES);
                b = b.at(NV * D::LANES * BYTES);
                if a == end {
                    break;
                }
            }
        }
        unrolled!(m < MR => {
            D::store_scaled(c.at(m * c_stride), acc[m][0], scale);
            if NV == 2 {
                D::store_scaled(c.at(m * c_stride + D::LANES), acc[m][1], scale.at(D::LANES));
            }
        });
    }
}

/// [`byte_tile_product`] compiled for one instruction set, number of rows and number of vectors.
pub type ByteTileProduct = unsafe fn(&[ByteSegment], usize, *mut f32, usize, *const f32);

/// The register tiles of one instruction set; as [`TileSet`](super::tiles::TileSet).
#[derive(Clone, Copy)]
pub struct ByteTileSet {
    /// Rows of the large tiles.
    pub big_rows: usize,
    /// Large tiles of one and of two vectors of columns.
    pub big: [ByteTileProduct; 2],
    /// Rows of the small tiles.
    pub small_rows: usize,
    /// Small tiles of one and of two vectors of columns.
    pub small: [ByteTileProduct; 2],
}

impl ByteTileSet {
    /// Products of `rows` rows of A (from the given segments on, `a_stride` bytes apart) with one panel of `vectors`
    /// vectors of columns, each column times its `scale`.
    ///
    /// # Safety
    /// As [`byte_tile_product`], with up to `big_rows - 1` rows more than `rows` readable and writable.
    pub unsafe fn panel_product(
        &self,
        base: &[ByteSegment],
        a_stride: usize,
        rows: usize,
        (vectors, scale): (usize, *const f32),
        c: *mut f32,
        c_stride: usize,
    ) {
        let (bigs, smalls) = tiles_for(rows, self.big_rows, self.small_rows);
        let mut segments = [ByteSegment::EMPTY; MAX_SEGMENTS];
        let segments = &mut segments[..base.len()];
        let mut m = 0;
        for tile in 0..bigs + smalls {
            let (product, tile_rows) = if tile < bigs {
                (self.big[vectors - 1], self.big_rows)
            } else {
                (self.small[vectors - 1], self.small_rows)
            };
            for (s, b) in segments.iter_mut().zip(base) {
                *s = ByteSegment {
                    a: b.a.at(m * a_stride),
                    ..*b
                };
            }
            // SAFETY: the caller's promise.
            unsafe { product(segments, a_stride, c.at(m * c_stride), c_stride, scale) };
            m += tile_rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::kernels::byte_tile_sets, *};

    /// Sums of two stretches of K, some of them the largest that there are, against the definition.
    #[test]
    fn every_instruction_set_has_the_same_sums() {
        let (lens, a_stride, rows) = ([36, 64], 16, 19);
        let byte = |at: usize| {
            if at.is_multiple_of(7) {
                255
            } else {
                (at * 37 % 256) as u8
            }
        };
        let a: Vec<u8> = (0..(rows + 12) * a_stride + 64).map(byte).collect();
        for (lanes, tiles) in byte_tile_sets() {
            for vectors in [1, 2] {
                let columns = vectors * lanes;
                let weight = |k: usize, n: usize| match (k + n) % 5 {
                    0 => 127,
                    1 => -127,
                    _ => ((k * 31 + n * 17) % 255) as i32 as i8,
                };
                let depth: usize = lens.iter().sum();
                let mut b = Vec::new();
                for k in (0..depth).step_by(BYTES) {
                    for n in 0..columns {
                        b.extend((k..k + BYTES).map(|k| weight(k, n)));
                    }
                }
                let scale: Vec<f32> = (0..columns).map(|n| 0.5 + n as f32).collect();
                let segments = [
                    ByteSegment {
                        a: a.as_ptr(),
                        b: b.as_ptr(),
                        len: lens[0],
                    },
                    ByteSegment {
                        a: a[5..].as_ptr(),
                        b: b[lens[0] * columns..].as_ptr(),
                        len: lens[1],
                    },
                ];
                let c_stride = columns + 3;
                let mut c = vec![0f32; (rows + 12) * c_stride];
                let column = (vectors, scale.as_ptr());
                // SAFETY: the set runs here; A and C have room for twelve rows more.
                unsafe {
                    tiles.panel_product(
                        &segments,
                        a_stride,
                        rows,
                        column,
                        c.as_mut_ptr(),
                        c_stride,
                    );
                }
                for m in 0..rows {
                    for n in 0..columns {
                        let first = (0..lens[0]).map(|k| (a[m * a_stride + k], weight(k, n)));
                        let second =
                            (0..lens[1]).map(|k| (a[5 + m * a_stride + k], weight(lens[0] + k, n)));
                        let sum: i32 = (first.chain(second))
                            .map(|(a, w)| i32::from(a) * i32::from(w))
                            .sum();
                        let found = c[m * c_stride + n];
                        assert_eq!(found, sum as f32 * scale[n], "{lanes} lanes, {m} {n}");
                    }
                }
            }
        }
    }
}
