//! The tables of tiles (output pixels and channels of one CTA), their shared memory and the order of weights.
//! Which tile a layer gets is decided in `conv` and `conv_wgmma`.
//!
//! Pure functions of layer, numeric format, size and the device's limits. The constants are those of the
//! kernels (`kernels/core_mma.cuh`, `core_fma.cuh`, `core_wgmma.cuh`, `ring.cuh`, `statistics.cuh`);
//! `static_shared_memory_is_what_the_plans_count_with` in `tests/kernels.rs` holds them against the compiled
//! kernels. Weights go through shared memory in blocks, in a ring of stages: one block is multiplied while
//! others are loaded. A kernel of several phases computes as many interleaved outputs one after another (four
//! for an upsampled map), each with its own taps, the positions of the kernel.

use super::{DeviceLimits, Taps};
use crate::numeric::NumberFormat;

/// Channels of a stored map are a multiple of this.
pub const CHANNEL_ALIGNMENT: usize = 16;
/// Threads of a convolution's CTA that compute.
pub const CONV_THREADS: u32 = 256;
/// Threads of the producer warpgroup, which only loads weights, where there is one.
pub const WEIGHT_LOADER_THREADS: u32 = 128;
/// Threads of the CTA of [`Tile::DEEP`]: those that multiply, and as many that load the next tile and weights.
pub const DEEP_THREADS: u32 = 2 * CONV_THREADS;
/// Bytes between the pixels of a tile in shared memory beyond their channels: spreads neighbouring
/// pixels over the banks.
const PIXEL_GAP_BYTES: usize = 16;

/// Bytes of a channel's weights in a block, and so of a pixel's channels that are multiplied between two barriers, where
/// all loops but Hopper's run.
pub(super) const BLOCK_ROW_BYTES: usize = 64;

/// Channels as stored: padded with zeros.
pub const fn stored_channels(channels: usize) -> usize {
    channels.next_multiple_of(CHANNEL_ALIGNMENT)
}

/// Suffix of the entries that work on maps stored in a format.
pub const fn suffix(storage: NumberFormat) -> &'static str {
    match storage {
        NumberFormat::Fp32 | NumberFormat::Fp16x2 | NumberFormat::Tf32 => "f32",
        NumberFormat::Fp16 => "f16",
        NumberFormat::Bf16 => "bf16",
        NumberFormat::Int8 => "s8",
    }
}

/// Channels that one step of the main loop multiplies: 32 bytes on tensor cores, 4 values else.
pub const fn step_channels(operand: NumberFormat) -> usize {
    match operand {
        NumberFormat::Fp32 => 4,
        _ => 32 / operand.bytes(),
    }
}

/// Products that a step takes: of weights that are sums of two numbers, what the nearest numbers leave comes first, for all
/// steps. Tensor cores cut off what does not fit below a sum, so small numbers are added while it is small.
pub const fn step_products(operand: NumberFormat) -> usize {
    match operand {
        NumberFormat::Fp16x2 => 2,
        _ => 1,
    }
}

/// The flat share: a standard deviation up to this share of the mean is rounding, and the map counts as flat.
/// On a flat map all values are stored equal, but their mean, a sum of some hundred at a time, is rounded.
pub const FLAT_SHARE: f32 = 1.0 / (1 << 17) as f32;

/// The flat share of a map whose four phases sum equal values in different orders: half a unit in the last
/// place of a stored value, or [`FLAT_SHARE`] where maps are kept in single precision.
pub const fn four_phase_flat_share(storage: NumberFormat) -> f32 {
    match storage {
        NumberFormat::Fp32 => FLAT_SHARE,
        _ => 1.0 / (2 << storage.fraction_bits()) as f32,
    }
}

/// Output pixels and channels of one CTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Pixels.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Pixels side by side, of a piece.
    pub columns: usize,
    /// Pieces that lie anywhere in the map, each with pixels of its own around; 1: the pixels are one rectangle.
    pub pieces: usize,
}

impl Tile {
    const fn new(pixels: usize, channels: usize, columns: usize) -> Self {
        Self { pixels, channels, columns, pieces: 1 }
    }

    /// Pixels one above the other, of a piece.
    pub const fn rows(self) -> usize {
        self.pixels / self.pieces / self.columns
    }

    /// The tile for a layer of `channels` output channels.
    pub const fn for_channels(channels: usize, main_loop: MainLoop) -> Self {
        match (main_loop, channels) {
            (MainLoop::Wgmma, 0..=32) => Self::new(128, 32, 8),
            (MainLoop::Wgmma, 33..=64) => Self::new(128, 64, 8),
            (MainLoop::Wgmma, _) => Self::CHAIN,
            (_, 0..=32) => Self::new(256, 32, 32),
            (_, 33..=64) => Self::MIDDLE,
            _ => Self::WIDE,
        }
    }

    /// Channels of the tiles whose kernel takes several layers one after another.
    pub const CHAIN_CHANNELS: usize = 128;

    /// Hopper's tile for more than 64 channels.
    pub const CHAIN: Self = Self::new(128, Self::CHAIN_CHANNELS, 8);

    /// The same with half the pixels, and with half as many more: where each multiprocessor has but one of them.
    pub const SMALL_CHAIN: Self = Self::new(64, Self::CHAIN_CHANNELS, 8);
    /// See [`Self::SMALL_CHAIN`].
    pub const LARGE_CHAIN: Self = Self::new(192, Self::CHAIN_CHANNELS, 8);

    /// Hopper's tile of so many pieces of 8 x 8 pixels. Pieces can be divided among multiprocessors so that each keeps
    /// all of its own in shared memory from layer to layer, where some would have one larger tile more than has room there.
    pub const fn of_pieces(pieces: usize) -> Self {
        Self { pixels: 64 * pieces, channels: Self::CHAIN_CHANNELS, columns: 8, pieces }
    }

    /// Hopper's tiles of which one stays in shared memory from layer to layer where a multiprocessor has no other, the fastest first: three
    /// pieces are faster than a tile of 256 pixels, and that is faster than four.
    pub const STAYING: [Self; 6] = [
        Self::of_pieces(3),
        Self::DEEP,
        Self::of_pieces(4),
        Self::of_pieces(5),
        Self::of_pieces(6),
        Self::of_pieces(7),
    ];

    /// Whether its kernel is that of `kernels/chain_wgmma.cuh`, among Hopper's tiles.
    pub const fn is_chain(self) -> bool {
        self.channels == Self::CHAIN_CHANNELS
            && self.columns == Self::CHAIN.columns
            && self.pieces == 1
    }

    /// Hopper's tile for more than 64 channels where a multiprocessor has several tiles: it is twice as large,
    /// and the next one is loaded while one is multiplied.
    pub const DEEP: Self = Self::new(256, Self::CHAIN_CHANNELS, 16);

    /// Whether its kernel is that of `kernels/deep_wgmma.cuh`, among Hopper's tiles.
    const fn is_deep(self) -> bool {
        self.channels == Self::CHAIN_CHANNELS && self.columns == Self::DEEP.columns
    }

    /// For up to 64 channels.
    pub const MIDDLE: Self = Self::new(128, 64, 16);

    /// For more than 64 channels. Its input channels may go through shared memory in chunks; to keep the
    /// program small, no other tile is compiled for chunks but [`Tile::MIDDLE`] in fp32, which needs them in
    /// the 64 KB of sm_75.
    pub const WIDE: Self = Self::new(128, 128, 16);

    /// The tile of the layer that reads the photo's bytes.
    pub const fn photo(main_loop: MainLoop) -> Self {
        match main_loop {
            MainLoop::Wgmma => Self::new(512, 32, 128),
            MainLoop::Mma => Self::new(256, 32, 16),
            MainLoop::Fma => Self::new(128, 32, 16),
        }
    }

    /// The tile of the layer that makes the picture: the kernel's columns times three colours.
    pub const fn picture(main_loop: MainLoop) -> Self {
        match main_loop {
            // Of two rows.
            MainLoop::Wgmma => Self::new(512, 56, 64),
            _ => Self::new(256, 32, 32),
        }
    }
}

/// How a convolution is multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MainLoop {
    /// On the ordinary arithmetic units, exactly (`kernels/core_fma.cuh`).
    Fma,
    /// On tensor cores, a warp at a time (`kernels/core_mma.cuh`).
    Mma,
    /// On Hopper's tensor cores, four warps at a time (`kernels/core_wgmma.cuh`).
    Wgmma,
}

impl MainLoop {
    /// The fastest that the device has for operands of a format.
    pub const fn of(operand: NumberFormat, limits: &DeviceLimits) -> Self {
        match (operand, limits.compute_capability) {
            (NumberFormat::Fp32, _) => Self::Fma,
            (_, (9, 0)) => Self::Wgmma,
            _ => Self::Mma,
        }
    }
}

/// Stages of the ring that weights stream through, where they do not depend on the layer.
pub const fn ring_stages(limits: &DeviceLimits) -> usize {
    if limits.compute_capability.0 >= 8 { 4 } else { 3 }
}

/// Steps of the main loop that come as one block of weights.
pub const fn block_steps(taps: Taps, tile: Tile, main_loop: MainLoop) -> usize {
    match (main_loop, taps, tile.channels) {
        (MainLoop::Wgmma, Taps::PhotoColumns, _) => 9,
        (MainLoop::Wgmma, Taps::ShiftedColumns, _) => 5,
        // Where most of shared memory is taken by the pixels.
        (MainLoop::Wgmma, _, 128) if tile.is_deep() || tile.pieces > 5 => 2,
        (MainLoop::Wgmma, _, 128) => 4,
        (MainLoop::Wgmma, _, _) => 8,
        _ => 2,
    }
}

/// Columns of the products of a CTA: its channels, of as many rows as are multiplied together.
pub const fn product_columns(taps: Taps, tile: Tile) -> usize {
    match taps {
        Taps::PhotoColumns => 2 * tile.channels,
        _ => tile.channels,
    }
}

/// Bytes of a block of weights in memory.
pub const fn block_bytes(steps: usize, columns: usize, operand: NumberFormat) -> usize {
    steps * step_channels(operand) * operand.bytes() * columns
}

/// Bytes of a block of weights in shared memory.
const fn stage_bytes(
    steps: usize,
    tile: Tile,
    operand: NumberFormat,
    main_loop: MainLoop,
) -> usize {
    match main_loop {
        // Rows of two steps lie 16 bytes further apart, which spreads them over the banks.
        MainLoop::Mma => tile.channels * 80,
        _ => block_bytes(steps, tile.channels, operand),
    }
}

/// Bytes of the ring.
pub const fn ring_bytes(
    stages: usize,
    steps: usize,
    tile: Tile,
    operand: NumberFormat,
    main_loop: MainLoop,
) -> usize {
    stages * stage_bytes(steps, tile, operand, main_loop)
}

/// Static shared memory of a convolution that gathers statistics, in bytes: the statistics, and on Hopper the
/// ring's barriers, and for up to 64 channels the producer's state and the memory in which warps transpose
/// their values.
pub const fn static_bytes(tile: Tile, main_loop: MainLoop) -> usize {
    let slots = match main_loop {
        MainLoop::Mma => tile.pixels / 32,
        _ => 8,
    };
    let statistics = 4 * (slots + 2 * slots * tile.channels + 3 * 256);
    match main_loop {
        MainLoop::Wgmma if tile.is_deep() => {
            let beside = BARRIER_BYTES + ALTERNATION_BARRIER_BYTES;
            (statistics.next_multiple_of(8) + beside).next_multiple_of(128)
        }
        MainLoop::Wgmma if tile.pieces > 1 => {
            (statistics + BARRIER_BYTES + PIECES_BYTES).next_multiple_of(128)
        }
        MainLoop::Wgmma if tile.channels == Tile::CHAIN_CHANNELS => {
            (statistics + BARRIER_BYTES + HALO_BYTES).next_multiple_of(128)
        }
        // Of the picture no statistics are gathered, and nothing is transposed.
        MainLoop::Wgmma if tile.channels == Tile::picture(main_loop).channels => {
            (BARRIER_BYTES + WEIGHT_LOADER_BYTES).next_multiple_of(128)
        }
        MainLoop::Wgmma => {
            let beside = BARRIER_BYTES + WEIGHT_LOADER_BYTES + TRANSPOSE_BYTES;
            (statistics.next_multiple_of(16) + beside).next_multiple_of(128)
        }
        _ => statistics.next_multiple_of(16),
    }
}

/// Bytes of the barriers of Hopper's ring.
const BARRIER_BYTES: usize = 256;
/// Bytes of the barriers of two tiles that are filled alternately, and of the layer that they belong to.
const ALTERNATION_BARRIER_BYTES: usize = 72;
/// Bytes of the barriers of the warps that bring a chain's halo, of a tag and of the halo's size.
const HALO_BYTES: usize = 36;
/// Bytes of the barriers of the warps that bring what is around pieces, of a tag and of the pixels' numbers.
const PIECES_BYTES: usize = 56;
/// Bytes of the state of the thread that loads weights, and of what the list of a tile's pixels is one of.
const WEIGHT_LOADER_BYTES: usize = 32;
/// Bytes in which eight warps transpose accumulators into packs of channels.
const TRANSPOSE_BYTES: usize = 8 * 1024;
/// Most steps of a phase in the list of Hopper's loop (`walk`).
pub(super) const MOST_SMEM_STEPS: usize = 384;
/// Most stages of Hopper's ring.
const MOST_STAGES: usize = 16;

/// How a layer's input channels go through shared memory: all at once, or in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// Channels at once.
    pub channels: usize,
    /// How often.
    pub chunks: usize,
    /// Bytes from pixel to pixel; on Hopper from plane to plane.
    pub pitch: usize,
    /// Bytes of the input tile in shared memory.
    pub tile_bytes: usize,
    /// Dynamic shared memory of the CTA, in bytes.
    pub shared_bytes: usize,
}

/// Parts of a CTA's shared memory beside the input tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Least bytes of the tile's place, which the picture's sums take later.
    pub least_tile_bytes: usize,
    /// Bytes beside the tile: ring, staged photo.
    pub beside_bytes: usize,
    /// Static shared memory.
    pub static_bytes: usize,
}

/// The fewest chunks of `in_channels` stored channels with which the input pixels of a tile fit: in whole blocks of weights,
/// or where there are no more channels, or not even those of one block fit, in the channels of one step; `None` when those do
/// not fit either. For the layout pixel by pixel, which all loops but Hopper's read.
pub fn chunking(
    in_channels: usize,
    input_pixels: usize,
    operand: NumberFormat,
    fixed: Fixed,
    limits: &DeviceLimits,
) -> Option<Chunking> {
    let limit = limits.shared_bytes_per_cta.checked_sub(fixed.beside_bytes + fixed.static_bytes)?;
    let of = |channels: usize| {
        let pitch = channels * operand.bytes() + PIXEL_GAP_BYTES;
        let tile_bytes = (input_pixels * pitch).max(fixed.least_tile_bytes);
        (tile_bytes <= limit).then(|| Chunking {
            channels,
            chunks: in_channels.div_ceil(channels),
            pitch,
            tile_bytes,
            shared_bytes: tile_bytes + fixed.beside_bytes,
        })
    };
    if in_channels <= CHANNEL_ALIGNMENT {
        return of(CHANNEL_ALIGNMENT);
    }
    let block = CHANNEL_ALIGNMENT.max(BLOCK_ROW_BYTES / operand.bytes());
    let blocks = in_channels.div_ceil(block);
    (1..=blocks)
        .find_map(|chunks| of(blocks.div_ceil(chunks) * block))
        .or_else(|| of(CHANNEL_ALIGNMENT))
}

/// Bytes from plane to plane of a tile of `tile_pixels` input pixels for Hopper's loop: 16 for each
/// pixel, and so many more that the 8 cells which neighbouring threads write lie in different banks.
pub const fn plane_bytes(channels: usize, tile_pixels: usize, operand: NumberFormat) -> usize {
    let planes = channels * operand.bytes() / 16;
    let apart = match planes {
        2 => 4,
        4 => 2,
        _ => 1,
    };
    // The least number of cells from `tile_pixels` on that leaves the rest `apart` by 8.
    let cells = tile_pixels + (8 + apart - tile_pixels % 8) % 8;
    16 * cells
}

/// Floats between the columns of the picture's sums beyond their pixels, which spread them over the banks.
pub const fn sums_gap(main_loop: MainLoop) -> usize {
    match main_loop {
        MainLoop::Fma => 1,
        MainLoop::Mma | MainLoop::Wgmma => 4,
    }
}

/// Stages of Hopper's ring: all blocks if they fit, so that they are loaded once; else as many as let two
/// CTAs share a multiprocessor (of one launch, or of two that follow each other), else as many as fit. A
/// tile of a chain has a multiprocessor for itself: the more weights of the next layer are there while the
/// CTAs wait for each other, the better.
pub fn wgmma_stages(
    tile: Tile,
    blocks: usize,
    stage_bytes: usize,
    tile_bytes: usize,
    static_bytes: usize,
    limits: &DeviceLimits,
) -> Option<usize> {
    let least = blocks.min(3);
    let fits = |resident: usize| {
        (least..=blocks.min(MOST_STAGES))
            .rev()
            .filter(|&s| s == blocks || s <= 8 || tile.channels == Tile::CHAIN_CHANNELS)
            .find(|&s| {
                let bytes = s * stage_bytes + tile_bytes + static_bytes;
                bytes <= limits.shared_bytes_per_cta
                    && resident * (bytes + RESERVED_BYTES) <= limits.shared_bytes_per_multiprocessor
            })
    };
    if tile.channels == Tile::CHAIN_CHANNELS {
        return fits(1);
    }
    fits(2).or_else(|| fits(1))
}

/// Bytes of each CTA's shared memory that the driver uses.
const RESERVED_BYTES: usize = 1024;

/// Most parts of statistics that are merged at once.
pub(super) const MOST_PARTS: usize = 32;

/// Most CTAs of an image, then: a group's are merged at once, and so are the groups.
const MOST_CTAS: usize = MOST_PARTS * MOST_PARTS;

/// Groups of CTAs whose statistics are merged by the last of a group, or, between the layers of a chain, by a lane of a warp; the
/// groups are merged by the last group, or by the warp.
pub fn merge_groups(ctas: usize) -> usize {
    ctas.min(MOST_PARTS)
}

/// CTAs of so many bytes of shared memory that the device holds at once, of which registers let a multiprocessor hold
/// `per_multiprocessor`.
pub fn resident_at_once(
    shared_bytes: usize,
    per_multiprocessor: usize,
    limits: &DeviceLimits,
) -> usize {
    let by_memory = limits.shared_bytes_per_multiprocessor / (shared_bytes + RESERVED_BYTES);
    (limits.multiprocessors * per_multiprocessor.min(by_memory).max(1)).min(MOST_CTAS)
}

/// CTAs that work on one image and one tile of channels, each on every so many-th tile: no more than `resident`, which the device holds
/// at once, so that each keeps its statistics over all its tiles, and so many that no multiprocessor has more tiles
/// than it must.
pub fn resident_ctas(tiles: usize, resident: usize, limits: &DeviceLimits) -> usize {
    // Equal shares: with 5 tiles for 4 places, 3 CTAs of 2 are as fast as 4 and merge less.
    let rounds = tiles.div_ceil(resident);
    let equal = tiles.div_ceil(rounds.max(1));
    // Where multiprocessors hold several CTAs, equal shares can leave some with one of them; a full grid never does.
    match busiest_tiles(tiles, equal, limits.multiprocessors) {
        most if most <= tiles.div_ceil(limits.multiprocessors) => equal,
        _ => resident,
    }
}

/// Tiles of the multiprocessor that has most of them, CTAs being dealt out to one after the other: the first's.
fn busiest_tiles(tiles: usize, ctas: usize, multiprocessors: usize) -> usize {
    let of_cta = |cta: usize| tiles.saturating_sub(cta).div_ceil(ctas);
    (0..ctas).step_by(multiprocessors).map(of_cta).sum()
}
