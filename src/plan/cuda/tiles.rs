//! How a convolution is cut for the GPU: tiles of pixels and channels, shared memory, weights' order.
//!
//! Pure functions of layer, precision, size and the device's limits. The constants are those of the
//! kernels (`kernels/core_mma.cuh`, `core_fma.cuh`, `ring.cuh`, `statistics.cuh`); a test against the
//! compiled kernels keeps both together.

use crate::mode::Precision;

/// Channels of a stored map are a multiple of this.
pub const CHANNEL_ALIGNMENT: usize = 16;
/// Threads of every convolution's CTA.
pub const CONV_THREADS: u32 = 256;
/// Bytes between the pixels of a tile in shared memory beyond their channels: spreads neighbouring
/// pixels over the banks.
const PIXEL_GAP_BYTES: usize = 16;

/// Channels as stored: padded with zeros.
pub const fn stored_channels(channels: usize) -> usize {
    channels.next_multiple_of(CHANNEL_ALIGNMENT)
}

/// How values of maps lie in the device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// bfloat16.
    Bf16,
}

impl Storage {
    /// How maps are kept in a precision. `mixed` and `tf32` keep full single precision.
    pub const fn of(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 | Precision::Tf32 | Precision::Mixed => Self::F32,
            Precision::Fp16 => Self::F16,
            Precision::Bf16 => Self::Bf16,
        }
    }

    /// Bytes of one value.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Suffix of the entries that work on it.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// Bytes of one operand value in shared memory.
pub const fn operand_bytes(precision: Precision) -> usize {
    match precision {
        Precision::Fp32 | Precision::Tf32 => 4,
        Precision::Fp16 | Precision::Bf16 | Precision::Mixed => 2,
    }
}

/// Channels that one step of the main loop multiplies: 32 bytes on tensor cores, 4 values else.
pub const fn step_channels(precision: Precision) -> usize {
    match precision {
        Precision::Fp32 => 4,
        _ => 32 / operand_bytes(precision),
    }
}

/// What a plan has to know of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Compute capability, major and minor.
    pub compute_capability: (i32, i32),
    /// Streaming multiprocessors.
    pub multiprocessors: usize,
    /// Most shared memory of one CTA, static and dynamic together, in bytes.
    pub shared_bytes_per_cta: usize,
    /// Shared memory of one multiprocessor, in bytes.
    pub shared_bytes_per_multiprocessor: usize,
}

/// Output pixels and channels of one CTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Pixels.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Pixels side by side.
    pub columns: usize,
}

impl Tile {
    const fn new(pixels: usize, channels: usize, columns: usize) -> Self {
        Self {
            pixels,
            channels,
            columns,
        }
    }

    /// Pixels one above the other.
    pub const fn rows(self) -> usize {
        self.pixels / self.columns
    }

    /// The tile for a layer of `channels` output channels.
    pub const fn for_channels(channels: usize) -> Self {
        match channels {
            0..=32 => Self::new(256, 32, 32),
            33..=64 => Self::MIDDLE,
            _ => Self::WIDE,
        }
    }

    /// For up to 64 channels.
    pub const MIDDLE: Self = Self::new(128, 64, 16);

    /// For more channels, and the tile whose input channels may go through shared memory in turn. The
    /// others are not compiled for that, to keep the program small, but for the middle one in fp32,
    /// which the 64 KB of sm_75 need.
    pub const WIDE: Self = Self::new(128, 128, 16);

    /// The tile of the layer that reads the photo's bytes.
    pub const PHOTO: Self = Self::new(128, 32, 16);

    /// The tile of the layer that makes the picture: the kernel's columns times three colours.
    pub const PICTURE: Self = Self::new(256, 32, 32);
}

/// Stages of the ring that weights stream through.
const fn stages(limits: &DeviceLimits) -> usize {
    if limits.compute_capability.0 >= 8 {
        4
    } else {
        3
    }
}

/// Bytes of the ring.
pub fn ring_bytes(tile: Tile, precision: Precision, limits: &DeviceLimits) -> usize {
    let stage = match precision {
        Precision::Fp32 => 8 * tile.channels * 4,
        _ => tile.channels * 80,
    };
    stages(limits) * stage
}

/// Bytes of a block of weights: two steps for every channel of the tile.
pub const fn block_bytes(tile: Tile, precision: Precision) -> usize {
    match precision {
        Precision::Fp32 => 8 * tile.channels * 4,
        _ => tile.channels * 64,
    }
}

/// Bytes of the statistics, which lie in static shared memory.
pub const fn statistics_bytes(tile: Tile, precision: Precision) -> usize {
    let slots = match precision {
        Precision::Fp32 => 8,
        _ => tile.pixels / 32,
    };
    4 * (slots + 2 * slots * tile.channels + 1 + 2 * tile.channels + 256 + tile.channels + 1)
}

/// How a layer's channels go through shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// Channels at once.
    pub channels: usize,
    /// How often.
    pub chunks: usize,
    /// Bytes from pixel to pixel.
    pub pitch: usize,
    /// Dynamic shared memory of the CTA, in bytes.
    pub shared_bytes: usize,
}

/// Parts of a CTA's shared memory beside the input tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Least bytes of the tile's place, which the picture's sums take later.
    pub least_tile_bytes: usize,
    /// Words of the photo that are staged.
    pub staged_words: usize,
}

/// The fewest chunks of `in_channels` stored channels with which a tile of `tile_pixels` input pixels
/// fits; `None` when not even 16 channels fit.
pub fn chunking(
    in_channels: usize,
    tile_pixels: usize,
    tile: Tile,
    precision: Precision,
    fixed: Fixed,
    limits: &DeviceLimits,
) -> Option<Chunking> {
    let beside = ring_bytes(tile, precision, limits) + 4 * fixed.staged_words;
    let limit = limits
        .shared_bytes_per_cta
        .checked_sub(beside + statistics_bytes(tile, precision))?;
    let groups = in_channels.div_ceil(CHANNEL_ALIGNMENT);
    (1..=groups).find_map(|chunks| {
        let channels = groups.div_ceil(chunks) * CHANNEL_ALIGNMENT;
        let pitch = channels * operand_bytes(precision) + PIXEL_GAP_BYTES;
        let tile_bytes = (tile_pixels * pitch).max(fixed.least_tile_bytes);
        (tile_bytes <= limit).then(|| Chunking {
            channels,
            chunks: groups.div_ceil(groups.div_ceil(chunks)),
            pitch,
            shared_bytes: tile_bytes + beside,
        })
    })
}

/// CTAs that work on one image and one tile of channels: as many as the device holds at once, so that
/// each keeps its statistics over all its tiles.
pub fn resident_ctas(
    tiles: usize,
    shared_bytes: usize,
    per_multiprocessor: usize,
    limits: &DeviceLimits,
) -> usize {
    /// What the driver keeps of each CTA's shared memory.
    const RESERVED_BYTES: usize = 1024;
    let by_memory = limits.shared_bytes_per_multiprocessor / (shared_bytes + RESERVED_BYTES);
    let resident = limits.multiprocessors * per_multiprocessor.min(by_memory).max(1);
    // Equal shares: with 5 tiles for 4 places, 3 CTAs of 2 are as fast as 4 and merge less.
    let rounds = tiles.div_ceil(resident);
    tiles.div_ceil(rounds.max(1))
}
