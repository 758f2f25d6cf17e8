//! The vectors of the x86-64 instruction sets.

use std::arch::x86_64::*;

use super::{
    bytes::{PlainDot, Vnni256, Vnni512},
    kernel::{Kernel, Tiles, tile_set},
    simd::{At, ONE_BITS, Simd},
    tiles::{Product, Segment, TileSet, tile_product},
};

/// Methods of [`Simd`] that are a single call.
macro_rules! intrinsics {
    ($($method:ident($($arg:ident: $type:ty),*) -> $result:ty = $call:path;)*) => {
        $(
            #[inline(always)]
            unsafe fn $method($($arg: $type),*) -> $result {
                // SAFETY: instruction set and pointers are valid by contract.
                unsafe { $call($($arg),*) }
            }
        )*
    };
}

/// Implements [`Simd`] with one x86-64 register type.
macro_rules! x86_simd {
    ($(#[$doc:meta])* $name:ident, $register:ty, $lanes:literal, $splat:path, $load:path,
     $store:path, $add:path, $sub:path, $mul:path, $fma:path, $div:path, $max:path, $min:path,
     $power:path, $store_bytes:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name;

        // SAFETY: every intrinsic is one instruction of the set that the trait's contract promises.
        unsafe impl Simd for $name {
            type V = $register;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn broadcast(from: *const f32) -> Self::V {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $splat(_mm_cvtss_f32(_mm_load_ss(from))) }
            }
            intrinsics! {
                splat(value: f32) -> $register = $splat;
                load(from: *const f32) -> $register = $load;
                store(to: *mut f32, value: $register) -> () = $store;
                add(a: $register, b: $register) -> $register = $add;
                sub(a: $register, b: $register) -> $register = $sub;
                mul(a: $register, b: $register) -> $register = $mul;
                mul_add(a: $register, b: $register, c: $register) -> $register = $fma;
                div(a: $register, b: $register) -> $register = $div;
                max(a: $register, b: $register) -> $register = $max;
                min(a: $register, b: $register) -> $register = $min;
                power_of_two(based: $register) -> $register = $power;
                store_bytes(to: *mut u8, value: $register) -> () = $store_bytes;
            }
        }
    };
}

/// Multiply, then add, for x86-64 CPUs without a fused instruction.
///
/// # Safety
/// Every x86-64 CPU has SSE2.
#[inline(always)]
unsafe fn sse2_mul_add(a: __m128, b: __m128, c: __m128) -> __m128 {
    // SAFETY: as above.
    unsafe { _mm_add_ps(_mm_mul_ps(a, b), c) }
}

/// Defines [`Simd::power_of_two`] for one x86-64 register type: the last bits become the exponent.
macro_rules! x86_power_of_two {
    ($name:ident, $register:ty, $bits:path, $shift:ident, $add:path, $splat:path, $number:path) => {
        /// # Safety
        /// As [`Simd`].
        #[inline(always)]
        unsafe fn $name(based: $register) -> $register {
            // SAFETY: the instruction set exists by the caller's promise.
            unsafe { $number($add($shift::<23>($bits(based)), $splat(ONE_BITS))) }
        }
    };
}

x86_power_of_two!(
    sse2_power_of_two,
    __m128,
    _mm_castps_si128,
    _mm_slli_epi32,
    _mm_add_epi32,
    _mm_set1_epi32,
    _mm_castsi128_ps
);
x86_power_of_two!(
    avx2_power_of_two,
    __m256,
    _mm256_castps_si256,
    _mm256_slli_epi32,
    _mm256_add_epi32,
    _mm256_set1_epi32,
    _mm256_castsi256_ps
);
x86_power_of_two!(
    avx512_power_of_two,
    __m512,
    _mm512_castps_si512,
    _mm512_slli_epi32,
    _mm512_add_epi32,
    _mm512_set1_epi32,
    _mm512_castsi512_ps
);

/// The four lanes as bytes in the lowest lane.
///
/// # Safety
/// Every x86-64 CPU has SSE2.
#[inline(always)]
unsafe fn sse2_store_bytes(to: *mut u8, value: __m128) {
    // SAFETY: as above; valid for four bytes by the caller's promise.
    unsafe {
        // NaN becomes 0 here: the instruction returns the second operand if the first is NaN.
        let held = _mm_min_ps(_mm_max_ps(value, _mm_setzero_ps()), _mm_set1_ps(255.0));
        let words = _mm_cvtps_epi32(held);
        let words = _mm_packs_epi32(words, words);
        let bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        to.cast::<i32>().write_unaligned(bytes);
    }
}

/// # Safety
/// AVX2 exists; valid for eight bytes.
#[inline(always)]
unsafe fn avx2_store_bytes(to: *mut u8, value: __m256) {
    // SAFETY: the caller's promise.
    unsafe {
        sse2_store_bytes(to, _mm256_castps256_ps128(value));
        sse2_store_bytes(to.at(4), _mm256_extractf128_ps::<1>(value));
    }
}

/// # Safety
/// AVX-512F exists; valid for sixteen bytes.
#[inline(always)]
unsafe fn avx512_store_bytes(to: *mut u8, value: __m512) {
    // SAFETY: the caller's promise.
    unsafe {
        let held = _mm512_max_ps(value, _mm512_setzero_ps());
        let bytes = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(held));
        _mm_storeu_si128(to.cast(), bytes);
    }
}

x86_simd!(
    /// Four lanes, on every x86-64 CPU; multiply-add rounds twice.
    Sse2, __m128, 4, _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps,
    _mm_add_ps, _mm_sub_ps, _mm_mul_ps, sse2_mul_add, _mm_div_ps, _mm_max_ps,
    _mm_min_ps, sse2_power_of_two, sse2_store_bytes
);
x86_simd!(
    /// Eight lanes with fused multiply-add.
    Avx2, __m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps,
    _mm256_sub_ps, _mm256_mul_ps, _mm256_fmadd_ps, _mm256_div_ps,
    _mm256_max_ps, _mm256_min_ps, avx2_power_of_two, avx2_store_bytes
);
x86_simd!(
    /// Sixteen lanes.
    Avx512, __m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps,
    _mm512_sub_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_div_ps,
    _mm512_max_ps, _mm512_min_ps, avx512_power_of_two, avx512_store_bytes
);

tile_set!(SSE2, sse2, Sse2, 4, 4, []);
tile_set!(AVX2, avx2, Avx2, 6, 4, [target_feature(enable = "avx2,fma")]);
tile_set!(AVX512, avx512, Avx512, 12, 8, [target_feature(enable = "avx512f,avx2,fma")]);
tile_set!(PLAIN256, plain256, PlainDot<8>, 4, 2, [target_feature(enable = "avx2")]);
tile_set!(VNNI256, vnni256, Vnni256, 6, 4, [target_feature(enable = "avx2,avxvnni")]);
tile_set!(PLAIN512, plain512, PlainDot<16>, 4, 2, [target_feature(enable = "avx512f,avx2")]);
tile_set!(VNNI512, vnni512, Vnni512, 12, 8, [target_feature(enable = "avx512f,avx512vnni")]);

/// # Safety
/// AVX-512F, AVX2 and FMA exist; the rest as [`Kernel::run`].
#[target_feature(enable = "avx512f,avx2,fma")]
pub unsafe fn run_avx512(kernel: impl Kernel, tiles: Tiles) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<Avx512>(tiles) }
}

/// # Safety
/// AVX2 and FMA exist; the rest as [`Kernel::run`].
#[target_feature(enable = "avx2,fma")]
pub unsafe fn run_avx2(kernel: impl Kernel, tiles: Tiles) {
    // SAFETY: the caller's promise.
    unsafe { kernel.run::<Avx2>(tiles) }
}
