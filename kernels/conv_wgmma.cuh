// The convolution kernels of Hopper: the formulas, fusions and numerics of conv.cuh, with warpgroup
// products (core_wgmma.cuh), bulk copies of weights, and launches that begin while the previous one
// still runs (their weights are loaded meanwhile).
//
// Entries (wgmma_fp16.cu, wgmma_tf32.cu, wgmma_bf16.cu, wgmma_mixed.cu, wgmma_fp16x2.cu), PxN being output
// pixels x channels of a CTA:
//   wgmma_PxN_*          map to raw map (with 128 channels: chain_wgmma.cuh, deep_wgmma.cuh)
//   wgmma_picture_PxN_*  map to picture
//   wgmma_photo_PxN_*    photo to raw map
//
// GEMM: M = output pixels, N = output channels (BN at a time), K = taps x input channels. From the photo and to the picture
// two rows of the output are columns of one product, because a narrow product waits for its operands: for each step a product
// of N columns reads 2 KB + 32 N bytes of shared memory at 128 per clock and takes N / 2 clocks; with N = 32, 24 instead of 16.
// 9x9 from the photo: N = 2 rows x 32 channels, K = 9 columns x 32, of which 10 rows x 3 colours count; 9x9 to the picture:
// N = 2 rows x 27 of 56, K = 10 rows x channels, of which a row of the output has 9.
//
// Layouts: maps as in element.cuh; weights as `crates/backend/src/cuda/pack.rs` writes them, [cell][channel] of
// 16 bytes; the input tile in shared memory as [cell plane][row][column] of 16 bytes, so that 8 neighbouring pixels
// are a core matrix. Tiles are therefore 8 or 64 pixels wide. In the photo's tile a pixel's channels are the colours of the
// 10 rows at its column, once for every two rows of the output, so that a tap is a column.
//
// Launch: block 256; grid (CTAs of an image, channel tiles, images); dynamic shared memory = ring of weights
// + input tile + list of its pixels. A CTA walks over the tiles of one image with a fixed stride. If two or four times as many
// CTAs as tiles fit on the device at once, the phases of a doubled layer are divided among them; each loads the tile.
//
// Work and roofline: as conv.cuh. In practice few warps wait for each other. So tiles are loaded by a list of pixels
// (listed.cuh), the products' descriptors are computed per warp, and statistics remain in their lanes to the end.
// Measured: NVIDIA H200, driver 580.159, 2026-11-23, launches between device events, medians of 20, the network at
// 512x512 in fp16: photo to 32 channels 28 us, to 64 23, doubled to 64 23, doubled to 32 27, to the picture 30; at
// 1280x720 64, 62, 52, 70, 77. The shared-memory pipe is half busy; a third of the clocks is for loading tiles, a
// quarter to a third each for products and for the epilogue.
//
// Barriers: before a tile, so that the previous tile is read; after its list has changed; after it is gathered, for the
// products, which read shared memory through another path (fence.proxy.async); around the statistics' merges; before the
// picture's sums overwrite the input tile. The ring's own barriers are in core_wgmma.cuh.
#pragma once
#include "conv.cuh"
#include "columns.cuh"
#include "core_wgmma.cuh"
#include "tagged.cuh"

namespace sf {

// CTAs of a group whose statistics a lane merges, enough for two per SM: MOST_POLLED_OF_GROUP in conv.rs.
constexpr int MOST_POLLED = 9;

// Shared memory of a CTA in addition to its ring and tile.
template <class Core, int BN, bool TO_MAPS> struct ConvMemory {
    StatisticsMemory<Core::SLOTS, BN> statistics;
    RingBarriers barriers;
    Prefetch prefetch;
    int is_inner;  // the tile that the gather's list describes
    alignas(16) char transposes[8 * TRANSPOSE_BYTES];  // memory in which the warps transpose accumulators
};
template <class Core, int BN> struct ConvMemory<Core, BN, false> {
    RingBarriers barriers;
    Prefetch prefetch;
    int is_inner;  // the tile that the gather's list describes
};

// Row and column of a tile among the tiles. Division is expensive; do one per tile.
struct TilePlace {
    int row, column;
    __device__ __forceinline__ TilePlace(const ConvParams& p, int t) {
        const int tile = tile_taken(p, t);
        row = (u32)tile / (u32)p.tiles_x;
        column = tile - row * p.tiles_x;
    }
};

// This CTA's part of a tile's phases, if they are divided.
__device__ __forceinline__ int part_of_tile(const ConvParams& p) { return blockIdx.x & ((1 << p.split) - 1); }

// The tiles of a CTA, one after another: load_tile(t, place) loads tile t into shared memory, use(t, place, ...) multiplies it
// and stores the result. The rest is common to the kernels: weights, statistics, the wait for the previous launch.
template <bool COUNTS, class Core, int BN, class Memory, class LoadTile, class Use>
__device__ __forceinline__ void walk_tiles(const ConvParams& p, Memory& shared, char* memory, LoadTile load_tile, Use use) {
    typedef typename Core::Stream Stream;
    const int tiles = p.tiles_x * p.tiles_y, first = blockIdx.x >> p.split, mine = (tiles - first + (int)gridDim.x - 1) / (int)gridDim.x;
    const int blocks = (p.phases >> p.split) * p.walk_blocks;
    Stream stream;
    stream.start(&shared.barriers, &shared.prefetch, memory,
                 static_cast<const char*>(p.weights) + (long long)((blockIdx.y << p.split) + part_of_tile(p)) * blocks * Stream::BLOCK_BYTES,
                 p.ring_stages, blocks, mine);
    ColumnStatistics<Core> own;
    own.clear();
    wait_for_launch_before();
    let_next_launch_begin();
    Core core;
    for (int t = first; t < tiles; t += gridDim.x) {
        // The previous tile is multiplied, or its sums are read.
        __syncthreads();
        load_tile(t, TilePlace(p, t));
        publish_to_products();
        // The tile is loaded.
        __syncthreads();
        // Divided again: keeping the position would take registers.
        int again = t;
        stay(again);
        use(t, TilePlace(p, again), core, own, stream);
    }
    if constexpr (COUNTS) {
        if (p.out_scale != nullptr) merge_launch<true, MOST_POLLED>(p, own, shared.statistics);
    }
}

// TILES x 128 pixels, BW (8 or 64) wide, from a map.
template <class S, class O, int TILES, int BN, int BW, int STEPS, int TO, int DEPTH, int PLAIN>
__device__ __forceinline__ void convolve_wgmma(const ConvParams& p) {
    constexpr int BM = 128 * TILES, BH = BM / BW;
    // Two rows of the picture are columns of one product.
    constexpr int TOGETHER = TO == TO_PICTURE ? 2 : 1, PRODUCTS = TILES / TOGETHER;
    typedef WgmmaCore<O, PRODUCTS, BN, BW, STEPS> Core;
    extern __shared__ __align__(128) char memory[];
    __shared__ ConvMemory<Core, BN, TO == TO_MAP> shared;

    char* tile = memory + p.ring_stages * Core::Stream::BLOCK_BYTES;
    const int image = blockIdx.z, n_tile = blockIdx.y;
    const int block_columns = TO == TO_PICTURE ? BW - p.photo_kernel + 1 : BW;
    const ListedGather<S, O, Core::THREADS> gather(p, shared_address(tile), tile + p.tile_bytes);
    if (threadIdx.x == 0) shared.is_inner = 0;
    auto load_tile = [&](int, const TilePlace& place) {
        const int first_y = place.row * BH * p.stride - p.origin, first_x = place.column * block_columns * p.stride - p.origin;
        gather.turn_to(first_y, first_x, shared.is_inner, BH, BW);
        gather.template gather<DEPTH, PLAIN>(image, first_y, first_x, n_tile == 0 && part_of_tile(p) == 0);
    };
    auto use = [&](int, const TilePlace& place, Core& core, ColumnStatistics<Core>& own, typename Core::Stream& stream) {
        const int y0 = place.row * BH, x0 = place.column * block_columns;
        const int phases = p.phases >> p.split, first_phase = part_of_tile(p) * phases;
        for (int phase = first_phase; phase < first_phase + phases; ++phase) {
            core.clear();
            core.run(p, shared_address(tile) + (phase >> 1) * p.walk_row + (phase & 1) * 16 + Core::warpgroup() * PRODUCTS * p.walk_tile, stream);
            if constexpr (TO == TO_PICTURE) {
                write_picture<Core, BM, BN, BW, TOGETHER>(p, core, reinterpret_cast<float*>(tile), image, y0, x0);
            } else {
                const u32 transpose = shared_address(shared.transposes) + threadIdx.x / 32 * TRANSPOSE_BYTES;
                write_columns<S, BN>(p, core, own, transpose, image, n_tile, phase, [&](int pixel, int& y, int& x) {
                    y = y0 + pixel / BW;
                    x = x0 + pixel % BW;
                });
            }
        }
    };
    walk_tiles<TO == TO_MAP, Core, BN>(p, shared, memory, load_tile, use);
}

// TILES rows of 128 pixels, from the photo. The rows of a kernel, for two rows of the output together, are channels.
template <class S, class O, int TILES, int BN, int STEPS>
__device__ __forceinline__ void convolve_photo_wgmma(const ConvParams& p) {
    constexpr int WIDE = 128, PAIRS = TILES / 2, MOST_ROWS = 10, COLOURS = 3;
    constexpr int PACK = 16 / (int)sizeof(O), MOST_PLANES = (COLOURS * MOST_ROWS + PACK - 1) / PACK;
    typedef WgmmaCore<O, TILES, BN, WIDE, STEPS, false, 2> Core;
    static_assert(PAIRS * WIDE == Core::THREADS, "a thread has a pixel of each tile, and some have one at its right edge");
    extern __shared__ __align__(128) char memory[];
    __shared__ ConvMemory<Core, BN, true> shared;

    const u32 tile = shared_address(memory) + p.ring_stages * Core::Stream::BLOCK_BYTES, words = tile + p.tile_bytes;
    const u32* photo = static_cast<const u32*>(p.input) + (long long)blockIdx.z * p.in_height * p.in_width;
    const int rows = p.photo_kernel + 1, planes = p.chunk_channels / PACK, tiles = p.tiles_x * p.tiles_y;
    // Zeros where no pixel's values are written.
    for (int at = 16 * threadIdx.x; at < p.tile_bytes; at += 16 * Core::THREADS) store_shared(tile + at, make_uint4(0u, 0u, 0u, 0u));
    // The photo's words are loaded while the previous tile is multiplied. A warp takes every eighth row, a lane every 32nd pixel.
    auto load = [&](const TilePlace& place) {
        const int top = place.row * TILES - p.origin, left = place.column * WIDE - p.origin, all_rows = TILES - 2 + rows;
        // Most tiles do not touch the photo's edges.
        const bool inside = top >= 0 && left >= 0 && top + all_rows <= p.in_height && left + p.tile_columns <= p.in_width;
#pragma unroll 1
        for (int y = threadIdx.x / 32; y < all_rows; y += Core::THREADS / 32) {
            const u32 to = words + 4 * y * p.tile_columns;
            if (inside) {
                const u32* from = photo + (long long)(top + y) * p.in_width + left;
                for (int x = threadIdx.x % 32; x < p.tile_columns; x += 32) copy_async_word(to + 4 * x, from + x);
                continue;
            }
            const u32* from = photo + (long long)source_index(top + y, p.in_height, EDGE_REFLECT) * p.in_width;
#pragma unroll 1
            for (int x = threadIdx.x % 32; x < p.tile_columns; x += 32) {
                copy_async_word(to + 4 * x, from + source_index(left + x, p.in_width, EDGE_REFLECT));
            }
        }
    };
    auto word_at = [&](int y, int x) { return load_shared_word(words + 4 * (y * p.tile_columns + x)); };
    // Like level_of, with one sum.
    const float below = -8388608.0f * p.photo_scale;
    auto value_of = [&](u32 word, int colour) {
        return fmaf(__uint_as_float(__byte_perm(word, 0x4b000000u, 0x7540u + colour)), p.photo_scale, below);
    };
    auto load_tile = [&](int t, const TilePlace& place) {
        if (t == (int)blockIdx.x) {
            load(place);
            wait_for_copies();
            __syncthreads();
        }
        const int pair = threadIdx.x / WIDE, column = threadIdx.x % WIDE;
        const u32 to = tile + pair * p.walk_tile + column * 16;
        u32 levels[MOST_ROWS];
#pragma unroll
        for (int j = 0; j < MOST_ROWS; ++j) levels[j] = j < rows ? word_at(2 * pair + j, column) : 0u;
#pragma unroll
        for (int plane = 0; plane < MOST_PLANES; ++plane) {
            float value[PACK];
#pragma unroll
            for (int k = 0; k < PACK; ++k) {
                const int channel = plane * PACK + k;
                value[k] = channel < COLOURS * MOST_ROWS ? value_of(levels[channel / COLOURS], channel % COLOURS) : 0.0f;
            }
            if (plane < planes) store_shared(to + plane * p.pitch, narrow_pack<O>(value));
        }
        // At the right edge each thread has one row of a column.
        const int edge_columns = p.tile_columns - WIDE;
        if ((int)threadIdx.x < PAIRS * rows * edge_columns) {
            const int x = WIDE + (int)threadIdx.x % edge_columns, y = (int)threadIdx.x / edge_columns % rows;
            const int edge_pair = (int)threadIdx.x / (edge_columns * rows);
            const u32 word = word_at(2 * edge_pair + y, x);
#pragma unroll
            for (int c = 0; c < COLOURS; ++c) {
                const int channel = COLOURS * y + c;
                const u32 at = tile + edge_pair * p.walk_tile + x * 16 + channel / PACK * p.pitch + channel % PACK * NEXT_BYTES<O>;
                store_value(at, narrow<O>(value_of(word, c)));
            }
        }
    };
    auto use = [&](int t, const TilePlace& place, Core& core, ColumnStatistics<Core>& own, typename Core::Stream& stream) {
        const int y0 = place.row * TILES, x0 = place.column * WIDE + Core::warpgroup() * 64;
        core.clear();
        NoMore more;
        core.run(p, tile + Core::warpgroup() * (64 * 16), stream, more, [&] {
            if (t + (int)gridDim.x < tiles) load(TilePlace(p, t + gridDim.x));
        });
        // A warpgroup has 64 columns of all rows.
        const u32 transpose = shared_address(shared.transposes) + threadIdx.x / 32 * TRANSPOSE_BYTES;
        write_columns<S, BN>(p, core, own, transpose, blockIdx.z, 0, 0, [&](int pixel, int& y, int& x) {
            y = y0 + pixel / 64 % TILES;
            x = x0 + pixel % 64;
        });
        wait_for_copies();
    };
    walk_tiles<true, Core, BN>(p, shared, memory, load_tile, use);
}

}  // namespace sf
