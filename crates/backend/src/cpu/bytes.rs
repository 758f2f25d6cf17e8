//! Products of bytes (int8). The unsigned bytes of a staged row are multiplied by the small integers of the weights
//! ([`network::quantisation`]), four at a time, and added up in 32 bits without rounding. Every instruction set
//! therefore computes the same sums.

use super::{
    simd::At,
    tiles::{Product, TileSet},
};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Bytes that one step multiplies: four neighbours in K.
pub const BYTES: usize = 4;

/// Register tiles for bytes. The scale is one value for every column.
pub type ByteTileSet = TileSet<u8, i8, *const f32>;

/// Sums in plain Rust, for CPUs that have no instruction for them.
#[derive(Clone, Copy)]
pub struct PlainDot<const LANES: usize>;

// SAFETY: plain Rust runs everywhere; pointers are the caller's promise.
unsafe impl<const LANES: usize> Product for PlainDot<LANES> {
    type A = u8;
    type B = i8;
    type Scale = *const f32;
    type Sums = [i32; LANES];
    type Row = [i32; BYTES];
    type Columns = [[i8; BYTES]; LANES];
    const LANES: usize = LANES;
    const DEPTH: usize = BYTES;

    #[inline(always)]
    unsafe fn no_sums() -> Self::Sums {
        [0; LANES]
    }
    #[inline(always)]
    unsafe fn load_columns(from: *const i8) -> Self::Columns {
        // SAFETY: valid for all lanes by contract.
        unsafe { from.cast::<Self::Columns>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_row(from: *const u8) -> Self::Row {
        // SAFETY: valid for four bytes by contract.
        unsafe { from.cast::<[u8; BYTES]>().read_unaligned() }.map(i32::from)
    }
    #[inline(always)]
    unsafe fn add_products(sums: Self::Sums, a: Self::Row, weights: Self::Columns) -> Self::Sums {
        std::array::from_fn(|lane| {
            let w = weights[lane].map(i32::from);
            sums[lane] + (a[0] * w[0] + a[1] * w[1]) + (a[2] * w[2] + a[3] * w[3])
        })
    }
    #[inline(always)]
    unsafe fn store_sums(to: *mut f32, sums: Self::Sums, scale: *const f32, first: usize) {
        for (lane, sum) in sums.into_iter().enumerate() {
            // SAFETY: valid for all lanes by contract.
            unsafe { *to.at(lane) = sum as f32 * *scale.at(first + lane) };
        }
    }
}

/// Implements [`Product`] for bytes with one x86-64 register type and its instruction for byte products.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_byte_dot {
    ($(#[$doc:meta])* $name:ident, $register:ty, $lanes:literal, $zero:path, $load:path, $splat:path, $dot:path,
     $float:path, $load_floats:path, $mul:path, $store:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name;

        // SAFETY: every intrinsic is one instruction of the set that the trait's contract promises.
        unsafe impl Product for $name {
            type A = u8;
            type B = i8;
            type Scale = *const f32;
            type Sums = $register;
            type Row = $register;
            type Columns = $register;
            const LANES: usize = $lanes;
            const DEPTH: usize = BYTES;

            #[inline(always)]
            unsafe fn no_sums() -> Self::Sums {
                // SAFETY: the instruction set exists by contract.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn load_columns(from: *const i8) -> Self::Columns {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn load_row(from: *const u8) -> Self::Row {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $splat(_mm_castps_si128(_mm_load_ss(from.cast()))) }
            }
            #[inline(always)]
            unsafe fn add_products(sums: Self::Sums, a: Self::Row, w: Self::Columns) -> Self::Sums {
                // SAFETY: the instruction set exists by contract.
                unsafe { $dot(sums, a, w) }
            }
            #[inline(always)]
            unsafe fn store_sums(to: *mut f32, sums: Self::Sums, scale: *const f32, first: usize) {
                // SAFETY: instruction set and pointers are valid by contract.
                unsafe { $store(to, $mul($float(sums), $load_floats(scale.at(first)))) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_byte_dot!(
    /// Sixteen sums, with one instruction for 64 products.
    Vnni512, __m512i, 16, _mm512_setzero_si512, _mm512_loadu_si512,
    _mm512_broadcastd_epi32, _mm512_dpbusd_epi32, _mm512_cvtepi32_ps, _mm512_loadu_ps,
    _mm512_mul_ps, _mm512_storeu_ps
);
#[cfg(target_arch = "x86_64")]
x86_byte_dot!(
    /// Eight sums, with one instruction for 32 products.
    Vnni256, __m256i, 8, _mm256_setzero_si256, _mm256_loadu_si256,
    _mm256_broadcastd_epi32, _mm256_dpbusd_avx_epi32, _mm256_cvtepi32_ps, _mm256_loadu_ps,
    _mm256_mul_ps, _mm256_storeu_ps
);

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "x86_64")]
    use super::super::simd_x86;
    use super::{
        super::{kernel::PLAIN, tiles::Segment},
        *,
    };

    /// Every set of byte register tiles that this CPU can run, with the number of columns of its vectors.
    fn byte_tile_sets() -> Vec<(usize, &'static ByteTileSet)> {
        let mut sets = vec![(4, &PLAIN)];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2");
            let avx512 = avx2 && is_x86_feature_detected!("avx512f");
            let candidates = [
                (avx2, 8, &simd_x86::PLAIN256),
                (avx2 && is_x86_feature_detected!("avxvnni"), 8, &simd_x86::VNNI256),
                (avx512, 16, &simd_x86::PLAIN512),
                (avx512 && is_x86_feature_detected!("avx512vnni"), 16, &simd_x86::VNNI512),
            ];
            let there = candidates.into_iter().filter(|(there, ..)| *there);
            sets.extend(there.map(|(_, lanes, set)| (lanes, set)));
        }
        sets
    }

    /// Compares sums of two segments of K, some with the largest possible values, with the definition.
    #[test]
    fn every_instruction_set_has_the_same_sums() {
        let (lens, a_stride, rows) = ([36, 64], 16, 19);
        let byte = |at: usize| {
            if at.is_multiple_of(7) { 255 } else { (at * 37 % 256) as u8 }
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
                    Segment { a: a.as_ptr(), b: b.as_ptr(), len: lens[0] },
                    Segment {
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
                        let sum: i32 =
                            (first.chain(second)).map(|(a, w)| i32::from(a) * i32::from(w)).sum();
                        let found = c[m * c_stride + n];
                        assert_eq!(found, sum as f32 * scale[n], "{lanes} lanes, {m} {n}");
                    }
                }
            }
        }
    }
}
