//! Parameter blocks of instance normalisation.

params! {
    /// Of `mean_partial_*` and `variance_partial_*`.
    PartialParams = 40 in "instance_norm.cu" {
        /// Map (n, pixels, channels).
        map: u64,
        /// fp32 (n, channels), from `mean_finish`; `mean_partial` does not read it.
        mean: u64,
        /// fp32 (n, strips, channels) to write.
        sums: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips of an image: pixels / strip_pixels, rounded up.
        strips: i32,
        /// Pixels of a strip.
        strip_pixels: i32,
    }

    /// Of `mean_finish` and `variance_finish`.
    FinishParams = 48 in "instance_norm.cu" {
        /// fp32 (n, strips, channels), from the previous launch.
        sums: u64,
        /// fp32 (n, channels) to write: the mean, or 1 / sqrt(variance + eps).
        result: u64,
        /// fp32 (n, channels), from `mean_finish`, which itself does not read it.
        mean: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips of an image.
        strips: i32,
        /// Added to the variance; `mean_finish` does not read it.
        eps: f32,
        /// A standard deviation up to this share of the mean counts as a rounding error; `mean_finish` does not read
        /// it.
        flat_share: f32,
    }

    /// Of `norm_statistics_*`.
    NormStatisticsParams = 72 in "instance_norm.cu" {
        /// Map (n, pixels, channels).
        map: u64,
        /// Scratch: pairs of fp32 (n, strips, channels).
        moments: u64,
        /// A 32-bit zero for each image; zero again after the launch.
        tickets: u64,
        /// fp32 (channels), 0 in the padding.
        gamma: u64,
        /// fp32 (n, channels) to write.
        scale: u64,
        /// fp32 (n, channels) to write.
        mean: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips of an image: pixels / strip_pixels, rounded up.
        strips: i32,
        /// Pixels of a strip.
        strip_pixels: i32,
        /// Added to the variance.
        eps: f32,
    }

    /// Of `norm_apply_*`.
    NormApplyParams = 64 in "instance_norm.cu" {
        /// Map (n, pixels, channels).
        from: u64,
        /// Map that is added, or 0 for none.
        residual: u64,
        /// Map to write; may be `from` or `residual`.
        to: u64,
        /// fp32 (n, channels), from `norm_statistics`.
        scale: u64,
        /// fp32 (n, channels), from `norm_statistics`.
        mean: u64,
        /// fp32 (channels), 0 in the padding.
        beta: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Pixels of a block.
        strip_pixels: i32,
        /// 1 for ReLU (before a residual), otherwise 0.
        relu: i32,
    }

    /// Of `norm_resident_*`.
    NormResidentParams = 88 in "instance_norm_resident.cu" {
        /// Map (n, pixels, channels).
        from: u64,
        /// Map that is added, or 0 for none.
        residual: u64,
        /// Map to write; may be `from` or `residual`.
        to: u64,
        /// fp32 (channels), 0 in the padding.
        gamma: u64,
        /// fp32 (channels), 0 in the padding.
        beta: u64,
        /// Scratch: pairs of fp32 (n, strips, channels).
        moments: u64,
        /// 32-bit numbers (n, flag_pitch), zero before the first launch.
        flags: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// Strips of an image: pixels / strip_pixels, rounded up.
        strips: i32,
        /// Pixels of a strip.
        strip_pixels: i32,
        /// Pixels of a strip that stay in shared memory.
        kept_pixels: i32,
        /// Numbers of an image in `flags`: at least strips + 1.
        flag_pitch: i32,
        /// 1 for ReLU (before a residual), otherwise 0.
        relu: i32,
        /// Added to the variance.
        eps: f32,
    }

    /// Of `norm_plane_*` and `norm_cluster_*`.
    NormPlaneParams = 64 in "instance_norm.cuh" {
        /// Map (n, pixels, channels).
        from: u64,
        /// Map that is added, or 0 for none.
        residual: u64,
        /// Map to write; may be `from` or `residual`.
        to: u64,
        /// fp32 (channels), 0 in the padding.
        gamma: u64,
        /// fp32 (channels), 0 in the padding.
        beta: u64,
        /// Pixels of an image.
        pixels: i32,
        /// Channels, padding included.
        channels: i32,
        /// 16-byte packs of channels of a block, 1 or 2; divides channels * bytes / 16.
        group_packs: i32,
        /// 1 for ReLU (before a residual), otherwise 0.
        relu: i32,
        /// Added to the variance.
        eps: f32,
    }
}
