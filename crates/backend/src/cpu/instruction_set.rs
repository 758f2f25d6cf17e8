//! The instruction sets for which kernels are compiled, and the choice between them at run time.

use super::kernel::{Kernel, PLAIN, Tiles};
#[cfg(target_arch = "x86_64")]
use super::simd_x86::{self, Sse2};
#[cfg(any(test, not(target_arch = "x86_64")))]
use super::{kernel::PORTABLE, simd::Portable};

/// Instructions for vectors. A CPU only has those of [`InstructionSet::available`].
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "other CPUs have one set"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    Avx512,
    Avx2,
    Sse2,
    /// Plain Rust, for CPUs other than x86-64. Unit tests also run it on x86-64.
    Portable,
}

impl InstructionSet {
    /// Every set that this CPU can run, fastest first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                if is_x86_feature_detected!("avx512f") {
                    sets.push(Self::Avx512);
                }
                sets.push(Self::Avx2);
            }
            sets.push(Self::Sse2);
        }
        if cfg!(any(test, not(target_arch = "x86_64"))) {
            sets.push(Self::Portable);
        }
        sets
    }

    /// The fastest set that this CPU can run.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// Name for the user, for example `AVX-512`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Sse2 => "SSE2",
            Self::Portable if cfg!(target_arch = "aarch64") => "NEON",
            Self::Portable => "portable",
        }
    }

    /// Values per vector.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Avx512 => 16,
            Self::Avx2 => 8,
            Self::Sse2 | Self::Portable => 4,
        }
    }

    /// Runs a kernel.
    ///
    /// # Safety
    /// The set is available; the rest as [`Kernel::run`].
    pub unsafe fn run(self, kernel: impl Kernel) {
        #[cfg(target_arch = "x86_64")]
        let has_bytes = self.multiplies_bytes();
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => {
                    let bytes = if has_bytes { &simd_x86::VNNI512 } else { &simd_x86::PLAIN512 };
                    simd_x86::run_avx512(kernel, Tiles { single: &simd_x86::AVX512, bytes });
                }
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => {
                    let bytes = if has_bytes { &simd_x86::VNNI256 } else { &simd_x86::PLAIN256 };
                    simd_x86::run_avx2(kernel, Tiles { single: &simd_x86::AVX2, bytes });
                }
                #[cfg(any(test, not(target_arch = "x86_64")))]
                Self::Portable => {
                    kernel.run::<Portable>(Tiles { single: &PORTABLE, bytes: &PLAIN });
                }
                #[cfg(target_arch = "x86_64")]
                _ => kernel.run::<Sse2>(Tiles { single: &simd_x86::SSE2, bytes: &PLAIN }),
                #[cfg(not(target_arch = "x86_64"))]
                _ => unreachable!("only x86-64 has the others"),
            }
        }
    }

    /// `a * b + c`, rounded as often as the set's vectors round: once if they have a fused instruction. Vectors of four
    /// lanes have one only on aarch64.
    pub fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        let is_fused = self.lanes() > 4 || cfg!(target_arch = "aarch64");
        if is_fused { a.mul_add(b, c) } else { a * b + c }
    }

    /// True if one instruction multiplies bytes and adds up four products.
    pub fn multiplies_bytes(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Avx512 => return is_x86_feature_detected!("avx512vnni"),
            Self::Avx2 => return is_x86_feature_detected!("avxvnni"),
            _ => {}
        }
        false
    }
}
