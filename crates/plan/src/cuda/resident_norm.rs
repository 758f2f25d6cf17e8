//! Norms in one launch whose CTAs keep their pixels in shared memory while they exchange their statistics.

use super::{DeviceLimits, RowPartition};

/// Threads per CTA.
const THREADS: usize = 512;
/// Maximum number of channels whose factors fit next to the pixels.
const MAX_CHANNELS: usize = 256;
/// Maximum static shared memory.
const STATIC_BYTES: usize = 5 * 1024;
/// Bytes of the mean and the squared distances of a channel.
const MOMENT_BYTES: usize = 8;
/// Strips whose moments all threads of a CTA load at the same time, for 128 channels.
const STRIPS_TOGETHER: usize = 32;

/// How a norm's statistics and its application run as one launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResidentNorm {
    /// One CTA for each strip.
    pub strips: RowPartition,
    /// Pixels of a strip that stay in shared memory. Threads keep some of the others in registers, and the rest is read
    /// again.
    pub kept_pixels: usize,
    /// Dynamic shared memory.
    pub shared_bytes: usize,
}

impl ResidentNorm {
    /// For a map with this number of pixels, stored channels and bytes per value; `None` if it does not pay off. A
    /// batch is divided like a single image, so that it produces the same bits.
    pub(super) fn of(
        pixels: usize,
        channels: usize,
        value_bytes: usize,
        limits: &DeviceLimits,
    ) -> Option<Self> {
        // Every thread reads the moments of the same number of strips.
        let ctas = limits.multiprocessors / STRIPS_TOGETHER * STRIPS_TOGETHER;
        let packs = channels * value_bytes / 16;
        if limits.compute_capability != (9, 0) || ctas == 0 || channels > MAX_CHANNELS {
            return None;
        }
        let strips = RowPartition::among(pixels, ctas);
        let slots = match 32 % packs {
            0 => THREADS / 32 * channels,
            _ => THREADS * 16 / value_bytes,
        };
        let slot_bytes = slots.max(THREADS) * MOMENT_BYTES;
        let room = (limits.shared_bytes_per_cta).checked_sub(STATIC_BYTES + slot_bytes)?;
        let (most, together) = (room / (channels * value_bytes), 4 * (THREADS / packs));
        let kept_pixels =
            if strips.pixels <= most { strips.pixels } else { most / together * together };
        (kept_pixels > 0).then_some(Self {
            strips,
            kept_pixels,
            shared_bytes: kept_pixels * channels * value_bytes + slot_bytes,
        })
    }
}
