//! The ways of computing attention, and which one a mode uses.

use super::DeviceLimits;
use values::{mode::AttentionKernel, numeric::NumberFormat};

/// Maximum bytes of scores that a plan stores. A larger map is larger than any picture that an unfused framework
/// computes.
pub const MAX_SCORE_BYTES: usize = 1 << 36;

/// Queries per CTA of the kernels that store no scores, except Hopper's.
const QUERIES: usize = 64;
/// Threads of the warps that share these queries and process one block of keys at a time.
const THREADS: usize = 128;
/// Queries per CTA of Hopper's kernel, and also if its two warpgroups share them.
const HOPPER_QUERIES: usize = 128;
const HOPPER_SHARED_QUERIES: usize = 64;
/// Threads of Hopper's kernel: two warpgroups that multiply, one that copies.
const HOPPER_THREADS: usize = 384;
/// Keys per block of Hopper's kernel.
const HOPPER_KEYS: usize = 128;

/// The launch of attention that stores no scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionLaunch {
    /// The kernel's source file, without its extension.
    pub file: &'static str,
    /// Its entry point, without the format.
    pub entry: String,
    /// Queries per CTA.
    pub queries: usize,
    /// Threads per CTA.
    pub threads: usize,
    /// Dynamic shared memory per CTA, in bytes.
    pub shared_bytes: usize,
}

impl AttentionLaunch {
    /// The launch of any kernel except the naive one, for a number of queries, keys, and heads of all images, with maps
    /// in `storage` on a device.
    pub fn new(
        kernel: AttentionKernel,
        head_size: usize,
        [queries, keys, heads]: [usize; 3],
        storage: NumberFormat,
        limits: &DeviceLimits,
    ) -> Self {
        let ctas = |queries_each: usize| queries.div_ceil(queries_each) * heads;
        // If every CTA has a multiprocessor to itself, two groups share its queries and take blocks of keys in turn.
        let may_share = kernel == AttentionKernel::Online && storage == NumberFormat::Fp32;
        let parts = match plain_bytes(head_size, 2) {
            bytes if !may_share || bytes > limits.shared_bytes_per_cta => 1,
            _ if ctas(QUERIES) > limits.multiprocessors || keys <= plain_keys(head_size) => 1,
            _ => 2,
        };
        let plain = Self {
            file: "attention",
            entry: format!("attention_{kernel}_{head_size}"),
            queries: QUERIES,
            threads: THREADS * parts,
            shared_bytes: plain_bytes(head_size, parts),
        };
        if kernel != AttentionKernel::Flash {
            return plain;
        }
        // The number of CTAs from which Hopper's kernel was faster, although it leaves multiprocessors idle.
        let least = match head_size {
            64 => limits.multiprocessors / 2,
            128 => limits.multiprocessors / 4,
            _ => usize::MAX,
        };
        // Warpgroups that share the queries of a CTA each take every second block of keys, so at least two blocks are
        // required. Sharing pays off as long as all CTAs run at once.
        let is_shared = matches!(head_size, 64 | 128)
            && queries > HOPPER_SHARED_QUERIES
            && keys > HOPPER_KEYS
            && ctas(HOPPER_SHARED_QUERIES) <= limits.multiprocessors;
        if limits.compute_capability == (9, 0) && (is_shared || ctas(HOPPER_QUERIES) >= least) {
            return Self {
                file: "attention_wgmma",
                entry: format!("attention_wgmma_{head_size}"),
                queries: if is_shared { HOPPER_SHARED_QUERIES } else { HOPPER_QUERIES },
                threads: HOPPER_THREADS,
                shared_bytes: hopper_bytes(head_size),
            };
        }
        let is_idle = ctas(QUERIES) <= 2 * limits.multiprocessors;
        let has_room = flash_bytes(head_size, 2) <= limits.shared_bytes_per_cta;
        let parts = if is_idle && has_room { 2 } else { 1 };
        Self {
            file: "attention_flash",
            entry: format!("attention_flash_{head_size}x{parts}"),
            threads: THREADS * parts,
            shared_bytes: flash_bytes(head_size, parts),
            ..plain
        }
    }
}

/// Keys per block of `kernels/attention.cu`.
const fn plain_keys(head_size: usize) -> usize {
    if head_size > 64 { 32 } else { 64 }
}

/// Shared memory in bytes, as `kernels/attention.cu` divides it.
const fn plain_bytes(head_size: usize, parts: usize) -> usize {
    let keys = plain_keys(head_size);
    let (pitch, weight_pitch) = (head_size + 4, keys + 16);
    4 * (QUERIES * pitch + parts * (keys * pitch + QUERIES * weight_pitch))
}

/// Shared memory in bytes, as `kernels/attention_flash.cu` divides it.
const fn flash_bytes(head_size: usize, parts: usize) -> usize {
    parts * 4 * plain_keys(head_size) * (2 * head_size + 16)
}

/// Shared memory in bytes, as `kernels/attention_wgmma.cu` divides it.
const fn hopper_bytes(head_size: usize) -> usize {
    let stages = if head_size == 128 { 2 } else { 3 };
    2 * stages * HOPPER_KEYS * 2 * head_size
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::mode::{AttentionChoice, Mode, Precision, Variant};

    #[test]
    fn heads_without_a_kernel_of_their_size_keep_their_scores() {
        for precision in [Precision::Fp32, Precision::Fp16] {
            for head_size in [1, 8, 31, 32, 48, 64, 128, 256] {
                let has_kernel = matches!(head_size, 32 | 64 | 128);
                let picked =
                    |variant| AttentionKernel::picked(Mode::new(variant, precision), head_size);
                assert_eq!(picked(Variant::Baseline), AttentionKernel::Naive);
                assert_eq!(picked(Variant::Fused) == AttentionKernel::Naive, !has_kernel);
                for &way in AttentionKernel::ALL {
                    let taken = way.that_exists(precision, head_size);
                    assert!(has_kernel || taken == AttentionKernel::Naive, "{way}");
                    for &variant in Variant::ALL {
                        let mode = Mode::new(variant, precision)
                            .with_attention(AttentionChoice::Fixed(way));
                        assert_eq!(AttentionKernel::picked(mode, head_size), taken, "{mode}");
                    }
                }
            }
        }
    }

    /// Compares with the kernels' headers.
    #[test]
    fn shared_memory_is_as_the_kernels_cut_it() {
        let bytes = |parts| [32, 64, 128].map(|head_size| plain_bytes(head_size, parts));
        assert_eq!(bytes(1), [38_912, 55_296, 62_976]);
        assert!(bytes(1).iter().all(|&bytes| bytes <= 64 * 1024));
        assert_eq!(bytes(2), [68_608, 93_184, 92_160]);
        let bytes = [(32, 1), (64, 1), (64, 2), (128, 1), (128, 2)]
            .map(|(head_size, parts)| flash_bytes(head_size, parts));
        assert_eq!(bytes, [20_480, 36_864, 73_728, 34_816, 69_632]);
        assert_eq!([64, 128].map(hopper_bytes), [98_304, 131_072]);
    }

    /// Few queries are shared by more warps, if there is enough shared memory.
    #[test]
    fn flash_fills_a_device() {
        let h200 = DeviceLimits {
            compute_capability: (9, 0),
            multiprocessors: 132,
            shared_bytes_per_cta: 227 << 10,
            shared_bytes_per_multiprocessor: 228 << 10,
        };
        let t4 = DeviceLimits {
            compute_capability: (7, 5),
            multiprocessors: 40,
            shared_bytes_per_cta: 64 << 10,
            shared_bytes_per_multiprocessor: 64 << 10,
        };
        let launch = |head_size, (queries, heads), limits| {
            let size = [queries, queries, heads];
            let kernel = AttentionKernel::Flash;
            AttentionLaunch::new(kernel, head_size, size, NumberFormat::Fp16, limits)
        };
        let entry = |head_size, size, limits| launch(head_size, size, limits).entry;
        assert_eq!(entry(64, (64, 3), &h200), "attention_flash_64x2");
        assert_eq!(entry(64, (1024, 3), &h200), "attention_wgmma_64");
        let queries = |size| launch(64, size, &h200).queries;
        assert_eq!([(1024, 3), (1024, 8), (3600, 3)].map(queries), [64, 64, 128]);
        assert_eq!(entry(64, (3600, 3), &h200), "attention_wgmma_64");
        assert_eq!(entry(64, (4096, 8), &h200), "attention_wgmma_64");
        assert_eq!(entry(32, (4096, 8), &h200), "attention_flash_32x1");
        assert_eq!(entry(128, (128, 3), &h200), "attention_flash_128x2");
        assert_eq!(entry(64, (256, 3), &t4), "attention_flash_64x1");
        assert_eq!(entry(32, (256, 3), &t4), "attention_flash_32x2");
        let threads = |(queries, heads), limits| {
            let size = [queries, queries, heads];
            let kernel = AttentionKernel::Online;
            AttentionLaunch::new(kernel, 64, size, NumberFormat::Fp32, limits).threads
        };
        assert_eq!([(64, 3), (1024, 8)].map(|s| threads(s, &h200)), [128, 256]);
        assert_eq!([(1024, 9), (3600, 3)].map(|s| threads(s, &h200)), [128; 2]);
        assert_eq!(threads((1024, 1), &t4), 128, "no room");
    }
}
