//! Vectors of f32 for each instruction set, and the product of a small tile.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once per instruction set inside a
//! function that enables it (see `kernels.rs`). Everything here is `inline(always)`: only then does
//! a vector live in registers of the caller's instruction set.

/// Pointer arithmetic for kernels: an address and nothing else. `add` asserts in builds with debug
/// assertions, which would sit inside every inner loop; whether an address may be used is what the
/// `SAFETY` comment at its use says.
pub trait At {
    /// The address `count` elements further.
    fn at(self, count: usize) -> Self;
}

impl<T> At for *const T {
    #[inline(always)]
    fn at(self, count: usize) -> Self {
        self.wrapping_add(count)
    }
}

impl<T> At for *mut T {
    #[inline(always)]
    fn at(self, count: usize) -> Self {
        self.wrapping_add(count)
    }
}

/// A number whose sum with a small whole number holds that number in its last bits.
pub const EXPONENT_BASE: f32 = (3 << 22) as f32;
/// The bits of one: the exponent's bias.
const ONE_BITS: i32 = 127 << 23;

/// One instruction set's vector of f32 and what kernels do with it.
///
/// # Safety
/// Every method may only run where the instruction set exists, and pointers must be valid for
/// `LANES` values; alignment is not needed.
#[allow(clippy::missing_safety_doc)] // One contract, stated above, holds for all methods.
pub unsafe trait Simd: Copy {
    /// The register.
    type V: Copy;
    /// Values in one register.
    const LANES: usize;

    /// The same value in every lane.
    unsafe fn splat(value: f32) -> Self::V;
    /// One value from memory in every lane.
    unsafe fn broadcast(from: *const f32) -> Self::V;
    /// `LANES` values from memory.
    unsafe fn load(from: *const f32) -> Self::V;
    /// `LANES` values to memory.
    unsafe fn store(to: *mut f32, value: Self::V);
    /// `a + b`
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the instruction set can.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a / b`
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// The larger of each lane; the second where the first is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of each lane; the second where the first is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// Two to the power of `n`, a whole number from -126 to 127, of [`EXPONENT_BASE`]` + n`.
    unsafe fn power_of_two(based: Self::V) -> Self::V;
    /// Stores each lane as a byte: rounded to nearest, ties to even, from 0 to 255; NaN becomes 0.
    unsafe fn store_bytes(to: *mut u8, value: Self::V);
}

/// Four lanes in plain Rust, which the compiler turns into NEON on aarch64.
#[cfg(any(test, not(target_arch = "x86_64")))]
#[derive(Clone, Copy)]
pub struct Portable;

#[cfg(any(test, not(target_arch = "x86_64")))]
#[inline(always)]
fn lanes4(f: impl Fn(usize) -> f32) -> [f32; 4] {
    [f(0), f(1), f(2), f(3)]
}

#[cfg(any(test, not(target_arch = "x86_64")))]
// SAFETY: plain Rust runs everywhere; pointers are the caller's promise.
unsafe impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn broadcast(from: *const f32) -> Self::V {
        // SAFETY: valid for one value by contract.
        [unsafe { from.read_unaligned() }; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: valid for four values by contract.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        // SAFETY: valid for four values by contract.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        lanes4(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        lanes4(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        lanes4(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Without a fused instruction `f32::mul_add` would be a call into the C library.
        if cfg!(target_arch = "aarch64") {
            lanes4(|i| a[i].mul_add(b[i], c[i]))
        } else {
            lanes4(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        lanes4(|i| a[i] / b[i])
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        lanes4(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        lanes4(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn power_of_two(based: Self::V) -> Self::V {
        lanes4(|i| f32::from_bits((based[i].to_bits() << 23).wrapping_add(ONE_BITS as u32)))
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: Self::V) {
        // The cast saturates.
        let bytes = value.map(|v| v.round_ties_even() as u8);
        // SAFETY: valid for four bytes by contract.
        unsafe { to.cast::<[u8; 4]>().write_unaligned(bytes) }
    }
}

/// Copies `values` values, a multiple of the lanes: a call to copy so few would take longer.
///
/// # Safety
/// As [`Simd`]; both are valid for them and do not overlap, or are the same.
#[inline(always)]
pub unsafe fn copy<S: Simd>(from: *const f32, to: *mut f32, values: usize) {
    let mut at = 0;
    while at < values {
        // SAFETY: the caller's promise.
        unsafe { S::store(to.at(at), S::load(from.at(at))) };
        at += S::LANES;
    }
}

/// Implements [`Simd`] with one x86-64 register type.
#[cfg(target_arch = "x86_64")]
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
            unsafe fn splat(value: f32) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn broadcast(from: *const f32) -> Self::V {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $splat(x86::_mm_cvtss_f32(x86::_mm_load_ss(from))) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self::V {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, value: Self::V) {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $store(to, value) }
            }
            #[inline(always)]
            unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $fma(a, b, c) }
            }
            #[inline(always)]
            unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $div(a, b) }
            }
            #[inline(always)]
            unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $max(a, b) }
            }
            #[inline(always)]
            unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $min(a, b) }
            }
            #[inline(always)]
            unsafe fn power_of_two(based: Self::V) -> Self::V {
                // SAFETY: the instruction set exists by contract.
                unsafe { $power(based) }
            }
            #[inline(always)]
            unsafe fn store_bytes(to: *mut u8, value: Self::V) {
                // SAFETY: instruction set and pointer are valid by contract.
                unsafe { $store_bytes(to, value) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

/// Multiply, then add: what every x86-64 processor can.
///
/// # Safety
/// SSE2 exists on every x86-64 processor.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sse2_mul_add(a: x86::__m128, b: x86::__m128, c: x86::__m128) -> x86::__m128 {
    // SAFETY: as above.
    unsafe { x86::_mm_add_ps(x86::_mm_mul_ps(a, b), c) }
}

/// Defines [`Simd::power_of_two`] of one x86-64 register type: the last bits become the exponent.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_power_of_two {
    ($name:ident, $register:ty, $bits:path, $shift:ident, $add:path, $splat:path, $number:path) => {
        /// # Safety
        /// As [`Simd`].
        #[inline(always)]
        unsafe fn $name(based: $register) -> $register {
            // SAFETY: the instruction set exists by the caller's promise.
            unsafe { $number($add(x86::$shift::<23>($bits(based)), $splat(ONE_BITS))) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_power_of_two!(
    sse2_power_of_two,
    x86::__m128,
    x86::_mm_castps_si128,
    _mm_slli_epi32,
    x86::_mm_add_epi32,
    x86::_mm_set1_epi32,
    x86::_mm_castsi128_ps
);
#[cfg(target_arch = "x86_64")]
x86_power_of_two!(
    avx2_power_of_two,
    x86::__m256,
    x86::_mm256_castps_si256,
    _mm256_slli_epi32,
    x86::_mm256_add_epi32,
    x86::_mm256_set1_epi32,
    x86::_mm256_castsi256_ps
);
#[cfg(target_arch = "x86_64")]
x86_power_of_two!(
    avx512_power_of_two,
    x86::__m512,
    x86::_mm512_castps_si512,
    _mm512_slli_epi32,
    x86::_mm512_add_epi32,
    x86::_mm512_set1_epi32,
    x86::_mm512_castsi512_ps
);

/// The four lanes as bytes in the lowest lane.
///
/// # Safety
/// SSE2 exists on every x86-64 processor.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sse2_store_bytes(to: *mut u8, value: x86::__m128) {
    // SAFETY: as above; valid for four bytes by the caller's promise.
    unsafe {
        // NaN becomes 0 here: the second operand where the first is NaN.
        let held =
            x86::_mm_min_ps(x86::_mm_max_ps(value, x86::_mm_setzero_ps()), x86::_mm_set1_ps(255.0));
        let words = x86::_mm_cvtps_epi32(held);
        let words = x86::_mm_packs_epi32(words, words);
        let bytes = x86::_mm_cvtsi128_si32(x86::_mm_packus_epi16(words, words));
        to.cast::<i32>().write_unaligned(bytes);
    }
}

/// # Safety
/// AVX2 exists; valid for eight bytes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn avx2_store_bytes(to: *mut u8, value: x86::__m256) {
    // SAFETY: the caller's promise.
    unsafe {
        sse2_store_bytes(to, x86::_mm256_castps256_ps128(value));
        sse2_store_bytes(to.at(4), x86::_mm256_extractf128_ps::<1>(value));
    }
}

/// # Safety
/// AVX-512F exists; valid for sixteen bytes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn avx512_store_bytes(to: *mut u8, value: x86::__m512) {
    // SAFETY: the caller's promise.
    unsafe {
        let held = x86::_mm512_max_ps(value, x86::_mm512_setzero_ps());
        let bytes = x86::_mm512_cvtusepi32_epi8(x86::_mm512_cvtps_epi32(held));
        x86::_mm_storeu_si128(to.cast(), bytes);
    }
}

#[cfg(target_arch = "x86_64")]
x86_simd!(
    /// Four lanes, on every x86-64 processor; multiply-add is rounded twice.
    Sse2, x86::__m128, 4, x86::_mm_set1_ps, x86::_mm_loadu_ps, x86::_mm_storeu_ps,
    x86::_mm_add_ps, x86::_mm_sub_ps, x86::_mm_mul_ps, sse2_mul_add, x86::_mm_div_ps, x86::_mm_max_ps,
    x86::_mm_min_ps, sse2_power_of_two, sse2_store_bytes
);
#[cfg(target_arch = "x86_64")]
x86_simd!(
    /// Eight lanes with fused multiply-add.
    Avx2, x86::__m256, 8, x86::_mm256_set1_ps, x86::_mm256_loadu_ps, x86::_mm256_storeu_ps, x86::_mm256_add_ps,
    x86::_mm256_sub_ps, x86::_mm256_mul_ps, x86::_mm256_fmadd_ps, x86::_mm256_div_ps,
    x86::_mm256_max_ps, x86::_mm256_min_ps, avx2_power_of_two, avx2_store_bytes
);
#[cfg(target_arch = "x86_64")]
x86_simd!(
    /// Sixteen lanes.
    Avx512, x86::__m512, 16, x86::_mm512_set1_ps, x86::_mm512_loadu_ps, x86::_mm512_storeu_ps, x86::_mm512_add_ps,
    x86::_mm512_sub_ps, x86::_mm512_mul_ps, x86::_mm512_fmadd_ps, x86::_mm512_div_ps,
    x86::_mm512_max_ps, x86::_mm512_min_ps, avx512_power_of_two, avx512_store_bytes
);
