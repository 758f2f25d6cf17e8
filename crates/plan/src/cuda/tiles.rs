//! The tables of tiles (output pixels and channels of one CTA), their shared memory and the order of weights. `conv`
//! and `conv_wgmma` decide which tile a layer uses.
//!
//! Pure functions of layer, numeric format, size and the device's limits. The constants are those of the kernels
//! (`kernels/core_mma.cuh`, `core_fma.cuh`, `core_wgmma.cuh`, `ring.cuh`, `statistics.cuh`);
//! `static_shared_memory_is_what_the_plans_count_with` in `crates/backend/tests/kernels.rs` compares them with the
//! compiled kernels. Weights pass through shared memory in blocks, in a ring of stages: one block is multiplied while
//! others are loaded. A kernel with several phases computes as many interleaved outputs one after another (four for an
//! upsampled map). Each phase has its own taps, which are positions of the kernel.

use super::{DeviceLimits, Taps};
use values::numeric::NumberFormat;

/// Stored channels of a map are a multiple of this.
pub const CHANNEL_ALIGNMENT: usize = 16;
/// Threads per convolution CTA that compute.
pub const CONV_THREADS: u32 = 256;
/// Threads of the producer warpgroup, if there is one. It only loads weights.
pub const WEIGHT_LOADER_THREADS: u32 = 128;
/// Threads per CTA of [`Tile::DEEP`]: those that multiply, and equally many that load the next tile and weights.
pub const DEEP_THREADS: u32 = 2 * CONV_THREADS;
/// Bytes between the pixels of a tile in shared memory, in addition to their channels. They spread neighbouring pixels
/// over the banks.
const PIXEL_GAP_BYTES: usize = 16;

/// Bytes of a channel's weights in a block, and therefore of a pixel's channels that are multiplied between two
/// barriers, in all loops except Hopper's.
pub(super) const BLOCK_ROW_BYTES: usize = 64;

/// Channels as stored: padded with zeros.
pub const fn stored_channels(channels: usize) -> usize {
    channels.next_multiple_of(CHANNEL_ALIGNMENT)
}

/// Suffix of the entry points that work on maps stored in a format.
pub const fn suffix(storage: NumberFormat) -> &'static str {
    match storage {
        NumberFormat::Fp32 | NumberFormat::Fp16x2 | NumberFormat::Tf32 => "f32",
        NumberFormat::Fp16 => "f16",
        NumberFormat::Bf16 => "bf16",
        NumberFormat::Int8 => "s8",
    }
}

/// Channels that one step of the main loop multiplies: 32 bytes on tensor cores, otherwise 4 values.
pub const fn step_channels(operand: NumberFormat) -> usize {
    match operand {
        NumberFormat::Fp32 => 4,
        _ => 32 / operand.bytes(),
    }
}

/// Number of products per step. Weights that are sums of two numbers have two products. The smaller numbers are
/// multiplied first, for all steps. Tensor cores discard bits that do not fit below a sum, so small numbers are added
/// while the sum is small.
pub const fn step_products(operand: NumberFormat) -> usize {
    match operand {
        NumberFormat::Fp16x2 => 2,
        _ => 1,
    }
}

/// The flat share: a standard deviation up to this share of the mean is a rounding error, and the map counts as flat.
/// All values of a flat map are stored equal, but their mean, a sum of some hundred values at a time, is rounded.
pub const FLAT_SHARE: f32 = 1.0 / (1 << 17) as f32;

/// The flat share of a map whose four phases add up equal values in different orders: half a unit in the last place of
/// a stored value, or [`FLAT_SHARE`] if maps are stored in single precision.
pub const fn four_phase_flat_share(storage: NumberFormat) -> f32 {
    match storage {
        NumberFormat::Fp32 => FLAT_SHARE,
        _ => 1.0 / (2 << storage.fraction_bits()) as f32,
    }
}

/// Output pixels and channels of one CTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    pub pixels: usize,
    pub channels: usize,
    /// Adjacent pixels in a row of a piece.
    pub columns: usize,
    /// Number of pieces at any positions in the map, each with its own surrounding pixels. If 1, the pixels are one
    /// rectangle.
    pub pieces: usize,
}

impl Tile {
    const fn new(pixels: usize, channels: usize, columns: usize) -> Self {
        Self { pixels, channels, columns, pieces: 1 }
    }

    /// Rows of pixels in a piece.
    pub const fn rows(self) -> usize {
        self.pixels / self.pieces / self.columns
    }

    /// The tile for a layer of `channels` output channels.
    pub const fn for_channels(channels: usize, main_loop: MainLoop) -> Self {
        match (main_loop, channels) {
            (Wgmma, 0..=32) => Self::new(128, 32, 8),
            (Wgmma, 33..=64) => Self::new(128, 64, 8),
            (Wgmma, _) => Self::CHAIN,
            (_, 0..=32) => Self::new(256, 32, 32),
            (_, 33..=64) => Self::MIDDLE,
            _ => Self::WIDE,
        }
    }

    /// Channels of the tiles whose kernel computes several layers one after another.
    pub const CHAIN_CHANNELS: usize = 128;

    /// Hopper's tile for more than 64 channels.
    pub const CHAIN: Self = Self::new(128, Self::CHAIN_CHANNELS, 8);

    /// Like [`Self::CHAIN`] with half the pixels. For layers with only one tile per multiprocessor.
    pub const SMALL_CHAIN: Self = Self::new(64, Self::CHAIN_CHANNELS, 8);
    /// Like [`Self::CHAIN`] with half as many pixels again. For layers with only one tile per multiprocessor.
    pub const LARGE_CHAIN: Self = Self::new(192, Self::CHAIN_CHANNELS, 8);

    /// Hopper's tile of this many pieces of 8 x 8 pixels. Pieces can be divided among multiprocessors so that each
    /// multiprocessor keeps all of its pieces in shared memory from layer to layer. With larger tiles, some
    /// multiprocessors would have one tile more than fits.
    pub const fn of_pieces(pieces: usize) -> Self {
        Self { pixels: 64 * pieces, channels: Self::CHAIN_CHANNELS, columns: 8, pieces }
    }

    /// Hopper's tiles that stay in shared memory from layer to layer if each multiprocessor has only one, fastest
    /// first. Three pieces are faster than a tile of 256 pixels, which is faster than four pieces.
    pub const STAYING: [Self; 6] = [
        Self::of_pieces(3),
        Self::DEEP,
        Self::of_pieces(4),
        Self::of_pieces(5),
        Self::of_pieces(6),
        Self::of_pieces(7),
    ];

    /// True if its kernel is that of `kernels/chain_wgmma.cuh`, among Hopper's tiles.
    pub const fn is_chain(self) -> bool {
        self.channels == Self::CHAIN_CHANNELS
            && self.columns == Self::CHAIN.columns
            && self.pieces == 1
    }

    /// Hopper's tile for more than 64 channels if a multiprocessor has several tiles. It is twice as large, and the
    /// next tile is loaded while one is multiplied.
    pub const DEEP: Self = Self::new(256, Self::CHAIN_CHANNELS, 16);

    /// True if its kernel is that of `kernels/deep_wgmma.cuh`, among Hopper's tiles.
    const fn is_deep(self) -> bool {
        self.channels == Self::CHAIN_CHANNELS && self.columns == Self::DEEP.columns
    }

    /// For up to 64 channels.
    pub const MIDDLE: Self = Self::new(128, 64, 16);

    /// For more than 64 channels. Its input channels may pass through shared memory in chunks. To keep the program
    /// small, the only other tile that is compiled for chunks is [`Tile::MIDDLE`] in fp32, which needs them in the 64
    /// KB of sm_75.
    pub const WIDE: Self = Self::new(128, 128, 16);

    /// The tile of the layer that reads the photo's bytes.
    pub const fn photo(main_loop: MainLoop) -> Self {
        match main_loop {
            Wgmma => Self::new(512, 32, 128),
            Mma => Self::new(256, 32, 16),
            Fma => Self::new(128, 32, 16),
        }
    }

    /// The tile of the layer that makes the picture: the kernel's columns times three colours.
    pub const fn picture(main_loop: MainLoop) -> Self {
        match main_loop {
            // For two rows.
            Wgmma => Self::new(512, 56, 64),
            _ => Self::new(256, 32, 32),
        }
    }
}

/// How a convolution multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MainLoop {
    /// On the ordinary arithmetic units, exactly (`kernels/core_fma.cuh`).
    Fma,
    /// On tensor cores, a warp at a time (`kernels/core_mma.cuh`).
    Mma,
    /// On Hopper's tensor cores, four warps at a time (`kernels/core_wgmma.cuh`).
    Wgmma,
}

use MainLoop::*;

impl MainLoop {
    /// The fastest main loop of the device for operands of a format.
    pub const fn of(operand: NumberFormat, limits: &DeviceLimits) -> Self {
        match (operand, limits.compute_capability) {
            (NumberFormat::Fp32, _) => Self::Fma,
            (_, (9, 0)) => Self::Wgmma,
            _ => Self::Mma,
        }
    }
}

/// Stages of the ring through which weights pass, if the number does not depend on the layer.
pub const fn ring_stages(limits: &DeviceLimits) -> usize {
    if limits.compute_capability.0 >= 8 { 4 } else { 3 }
}

/// Steps of the main loop whose weights form one block.
pub const fn block_steps(taps: Taps, tile: Tile, main_loop: MainLoop) -> usize {
    match (main_loop, taps, tile.channels) {
        (Wgmma, Taps::PhotoColumns, _) => 9,
        (Wgmma, Taps::ShiftedColumns, _) => 5,
        // For tiles whose pixels fill most of shared memory.
        (Wgmma, _, 128) if tile.is_deep() || tile.pieces > 5 => 2,
        (Wgmma, _, 128) => 4,
        (Wgmma, _, _) => 8,
        _ => 2,
    }
}

/// Columns of the products of a CTA: its channels, for all rows that are multiplied together.
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
pub const fn stage_bytes(
    steps: usize,
    tile: Tile,
    operand: NumberFormat,
    main_loop: MainLoop,
) -> usize {
    match main_loop {
        // Two steps' rows are 16 bytes further apart, which spreads them over the banks.
        Mma => tile.channels * 80,
        _ => block_bytes(steps, tile.channels, operand),
    }
}

/// Static shared memory of a convolution that collects statistics, in bytes: the statistics, and on Hopper the ring's
/// barriers. For up to 64 channels also the producer's state and the memory in which warps transpose their values.
pub const fn static_bytes(tile: Tile, main_loop: MainLoop) -> usize {
    let slots = match main_loop {
        Mma => tile.pixels / 32,
        _ => 8,
    };
    let statistics = 4 * (slots + 2 * slots * tile.channels + 3 * 256);
    let bytes = match main_loop {
        Wgmma if tile.is_deep() => statistics.next_multiple_of(8) + ALTERNATION_BARRIER_BYTES,
        Wgmma if tile.pieces > 1 => statistics + PIECES_BYTES,
        Wgmma if tile.channels == Tile::CHAIN_CHANNELS => statistics + HALO_BYTES,
        // The picture has no statistics, and nothing is transposed.
        Wgmma if tile.channels == Tile::picture(main_loop).channels => WEIGHT_LOADER_BYTES,
        Wgmma => statistics.next_multiple_of(16) + WEIGHT_LOADER_BYTES + TRANSPOSE_BYTES,
        _ => return statistics.next_multiple_of(16),
    };
    (bytes + BARRIER_BYTES).next_multiple_of(128)
}

/// Bytes of the barriers of Hopper's ring.
const BARRIER_BYTES: usize = 256;
/// Bytes of the barriers of two tiles that are filled alternately, and of the layer to which they belong.
const ALTERNATION_BARRIER_BYTES: usize = 72;
/// Bytes of the barriers of the warps that load a chain's halo, of a tag and of the halo's size.
const HALO_BYTES: usize = 36;
/// Bytes of the barriers of the warps that load what surrounds pieces, of a tag and of the pixels' numbers.
const PIECES_BYTES: usize = 56;
/// Bytes of the state of the thread that loads weights, and of what the list of a tile's pixels belongs to.
const WEIGHT_LOADER_BYTES: usize = 32;
/// Bytes in which eight warps transpose accumulators into packs of channels.
const TRANSPOSE_BYTES: usize = 8 * 1024;
/// Maximum number of steps of a phase in the list of Hopper's loop (`walk`).
pub(super) const MAX_SMEM_STEPS: usize = 384;
/// Maximum number of stages of Hopper's ring.
const MAX_STAGES: usize = 16;

/// How a layer's input channels pass through shared memory: all at once, or in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// Channels per chunk.
    pub channels: usize,
    pub chunks: usize,
    /// Bytes from pixel to pixel; on Hopper from plane to plane.
    pub pitch: usize,
    /// Bytes of the input tile in shared memory.
    pub tile_bytes: usize,
    /// Dynamic shared memory of the CTA.
    pub shared_bytes: usize,
}

/// The parts of a CTA's shared memory other than the input tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// Minimum size of the tile's space, which the picture's sums use later.
    pub min_tile_bytes: usize,
    /// Bytes in addition to the tile: ring, staged photo.
    pub beside_bytes: usize,
    /// Static shared memory.
    pub static_bytes: usize,
}

/// The smallest number of chunks of `in_channels` stored channels for which the input pixels of a tile fit. Chunks
/// consist of whole blocks of weights. They consist of the channels of one step if there are no more channels, or if
/// not even those of one block fit. `None` if those do not fit either. For the layout pixel by pixel, which all loops
/// except Hopper's read.
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
        let tile_bytes = (input_pixels * pitch).max(fixed.min_tile_bytes);
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

/// Bytes from plane to plane of a tile of `tile_pixels` input pixels for Hopper's loop. This is 16 for each pixel, plus
/// a gap so that the 8 cells that neighbouring threads write are in different banks.
pub const fn plane_bytes(channels: usize, tile_pixels: usize, operand: NumberFormat) -> usize {
    let planes = channels * operand.bytes() / 16;
    let apart = match planes {
        2 => 4,
        4 => 2,
        _ => 1,
    };
    // The smallest number of cells of at least `tile_pixels` that leaves the remainder `apart` when divided by 8.
    let cells = tile_pixels + (8 + apart - tile_pixels % 8) % 8;
    16 * cells
}

/// Extra floats between the columns of the picture's sums, which spread them over the banks.
pub const fn sums_gap(main_loop: MainLoop) -> usize {
    match main_loop {
        Fma => 1,
        Mma | Wgmma => 4,
    }
}

/// Stages of Hopper's ring. All blocks if they fit, so that each is loaded once. Otherwise as many as allow two CTAs to
/// share a multiprocessor (of one launch, or of two consecutive launches), otherwise as many as fit. A tile of a chain
/// has a multiprocessor to itself. The more weights of the next layer are loaded while the CTAs wait for each other,
/// the better.
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
        (least..=blocks.min(MAX_STAGES))
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

/// Maximum number of parts of statistics that are merged at once.
pub(super) const MAX_PARTS: usize = 32;

/// Maximum number of CTAs per image that follows from this: a group's parts are merged at once, and so are the groups.
const MAX_CTAS: usize = MAX_PARTS * MAX_PARTS;

/// Number of groups of CTAs whose statistics are merged. The last CTA of a group merges its group, or, between the
/// layers of a chain, a lane of a warp does. The last group, or the warp, then merges the groups.
pub fn merge_groups(ctas: usize) -> usize {
    ctas.min(MAX_PARTS)
}

/// CTAs with this shared memory, in bytes, that fit on the device at once, if registers allow `per_multiprocessor` CTAs
/// per multiprocessor.
pub fn resident_at_once(
    shared_bytes: usize,
    per_multiprocessor: usize,
    limits: &DeviceLimits,
) -> usize {
    let by_memory = limits.shared_bytes_per_multiprocessor / (shared_bytes + RESERVED_BYTES);
    (limits.multiprocessors * per_multiprocessor.min(by_memory).max(1)).min(MAX_CTAS)
}

/// CTAs that work on one image and one tile of channels. With n CTAs, each processes every n-th tile. There are at most
/// `resident` CTAs, which fit on the device at once, so that each keeps its statistics over all its tiles. There are
/// enough CTAs that no multiprocessor has more tiles than necessary.
pub fn resident_ctas(tiles: usize, resident: usize, limits: &DeviceLimits) -> usize {
    // Equal shares: with 5 tiles for 4 places, 3 CTAs with up to 2 tiles are as fast as 4 CTAs and merge less.
    let rounds = tiles.div_ceil(resident);
    let equal = tiles.div_ceil(rounds.max(1));
    // If multiprocessors hold several CTAs, equal shares can leave some with only one; a full grid never does.
    match busiest_tiles(tiles, equal, limits.multiprocessors) {
        most if most <= tiles.div_ceil(limits.multiprocessors) => equal,
        _ => resident,
    }
}

/// Tiles of the busiest multiprocessor. CTAs are assigned to multiprocessors in turn, so this is the first one.
fn busiest_tiles(tiles: usize, ctas: usize, multiprocessors: usize) -> usize {
    let of_cta = |cta: usize| tiles.saturating_sub(cta).div_ceil(ctas);
    (0..ctas).step_by(multiprocessors).map(of_cta).sum()
}
