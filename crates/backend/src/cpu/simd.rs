//! Vectors of f32 for each instruction set, and the product of a small tile.
//!
//! A kernel is written once, generic over [`Simd`], and compiled for each instruction set inside a function that
//! enables that set (see `instruction_set.rs`). Everything here is `inline(always)`. Otherwise vectors would not stay in
//! registers of the caller's instruction set.

/// Pointer arithmetic for kernels. It only computes an address. The standard `add` has assertions in debug builds,
/// which would run inside every inner loop. The `SAFETY` comment at each use says why the address may be accessed.
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

/// Adding a small integer to this number puts that integer into the last bits of the sum.
pub const EXPONENT_BASE: f32 = (3 << 22) as f32;
/// The bit pattern of 1.0, which is the exponent's bias.
pub const ONE_BITS: i32 = 127 << 23;

/// One instruction set's vector of f32 and the operations of kernels on it.
///
/// # Safety
/// Every method may only run if the CPU has the instruction set. Pointers must be valid for `LANES` values; alignment
/// is not needed.
#[allow(clippy::missing_safety_doc)] // One contract, stated above, holds for all methods.
pub unsafe trait Simd: Copy {
    /// The register type.
    type V: Copy;
    /// Values in one register.
    const LANES: usize;

    /// The same value in every lane.
    unsafe fn splat(value: f32) -> Self::V;
    /// One value from memory in every lane.
    unsafe fn broadcast(from: *const f32) -> Self::V;
    /// Reads `LANES` values from memory.
    unsafe fn load(from: *const f32) -> Self::V;
    /// Writes `LANES` values to memory.
    unsafe fn store(to: *mut f32, value: Self::V);
    /// `a + b`
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once if the instruction set can fuse it.
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a / b`
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// The larger value of each lane; the second if one is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller value of each lane; the second if one is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// 2 to the power of `n`, an integer from -126 to 127. The argument is [`EXPONENT_BASE`]` + n`.
    unsafe fn power_of_two(based: Self::V) -> Self::V;
    /// Stores each lane as a byte: rounded to nearest, ties to even, from 0 to 255; NaN becomes 0.
    unsafe fn store_bytes(to: *mut u8, value: Self::V);
}

/// Four lanes in plain Rust. The compiler turns them into NEON on aarch64.
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
        // Without a fused instruction, `f32::mul_add` would call the C library.
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

/// Copies `values` values, a multiple of the lanes. A library call would take longer for this few.
///
/// # Safety
/// As [`Simd`]; both are valid for `values` values and do not overlap, or are the same.
#[inline(always)]
pub unsafe fn copy<S: Simd>(from: *const f32, to: *mut f32, values: usize) {
    let mut at = 0;
    while at < values {
        // SAFETY: the caller's promise.
        unsafe { S::store(to.at(at), S::load(from.at(at))) };
        at += S::LANES;
    }
}
