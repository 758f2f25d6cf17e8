// The convolution kernels of Hopper: the same formulas, fusions and numerics as conv.cuh, with products of
// whole warpgroups (core_wgmma.cuh), bulk copies of weights, and launches that begin while the one before
// still ends (their weights are on the way by then).
//
// Entries (wgmma_fp16.cu, wgmma_tf32.cu, wgmma_bf16.cu, wgmma_mixed.cu), PxN being output pixels x
// channels of a CTA:
//   wgmma_PxN_*          map to raw map (with 128 channels: chain_wgmma.cuh, deep_wgmma.cuh)
//   wgmma_picture_PxN_*  map to picture
//   wgmma_photo_PxN_*    photo to raw map
//
// GEMM: M = output pixels, N = output channels (BN at a time), K = taps x input channels; 9x9 from the
// photo: K = 9 rows x 12 pixels (10 in tf32) x 4, of which 9 x 3 count; 9x9 to the picture: N = 27 of 32.
//
// Layouts: maps as in element.cuh; weights as `src/backend/cuda/pack.rs` writes them, [cell][channel] of
// 16 bytes; the input tile in shared memory as [cell plane][row][column] of 16 bytes, so that 8 pixels side
// by side are a core matrix. Tiles are therefore 8 or 64 pixels wide. The photo lies as it is, four values
// a pixel: a core matrix is 16 bytes from each of 8 pixels that are 16 bytes apart, that is every second one
// in 16 bits, so one warpgroup takes the even and one the odd columns, from a copy that is moved by one.
//
// Launch: block 256; grid (CTAs of an image, channel tiles, images); dynamic shared memory = ring of weights
// + input tile + list of its pixels. A CTA walks over the tiles of one image with a fixed stride.
//
// Work and roofline: as conv.cuh.
// What bounds them is neither: few warps that wait for each other. So tiles come by a list of places (listed.cuh), what
// the products are told is computed for a warp as a whole, and statistics stay in their lanes to the end.
// Measured: NVIDIA H200, driver 580.159, 2026-11-20, launches between device events, medians of 60, the network at
// 512x512 in fp16: photo to 32 channels 34 us, to 64 25, doubled to 64 24, doubled to 32 29, to the picture 36; at
// 1280x720 88, 68, 58, 78, 91. Slower there: copies that come while the tile before is stored, then normalised in place.
//
// Barriers: before a tile, so that the tile before is read; after its list has changed; after it is gathered, for the
// products, which see shared memory through another path (fence.proxy.async); around the statistics' merges; before the
// picture's sums take the place of the input tile. The ring's own are in core_wgmma.cuh.
#pragma once
#include "conv.cuh"
#include "columns.cuh"
#include "core_wgmma.cuh"

namespace sf {

// What a CTA shares beside its ring and tile.
template <class Core, int BN> struct ConvMemory {
    StatisticsMemory<Core::SLOTS, BN> statistics;
    RingBarriers barriers;
    Asking asking;
    alignas(16) char turns[8 * TURN_BYTES];  // where the warps turn accumulators
};

// The tiles of a CTA, one after another: bring(t) puts tile t into shared memory, use(t, ...) multiplies it and stores the
// result. Here is what the kernels have in common beside: weights, statistics, when the launch before is over.
template <bool COUNTS, class Core, int BN, class Memory, class Bring, class Use>
__device__ __forceinline__ void walk_tiles(const ConvParams& p, Memory& shared, char* memory, Bring bring, Use use) {
    typedef typename Core::Stream Stream;
    const int tiles = p.tiles_x * p.tiles_y, mine = (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
    const int blocks = p.phases * p.walk_blocks;
    Stream stream;
    stream.start(&shared.barriers, &shared.asking, memory,
                 static_cast<const char*>(p.weights) + (long long)blockIdx.y * blocks * Stream::BLOCK_BYTES, p.ring_stages, blocks, mine);
    ColumnStatistics<Core> own;
    own.clear();
    wait_for_launch_before();
    let_next_launch_begin();
    Core core;
    for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
        // The tile before is multiplied, or its sums are read.
        __syncthreads();
        bring(t);
        publish_to_products();
        // The tile is there.
        __syncthreads();
        use(t, core, own, stream);
    }
    if constexpr (COUNTS) {
        if (p.out_scale != nullptr) finish_statistics(p, own, shared.statistics);
    }
}

// TILES x 128 pixels, BW (8 or 64) side by side, from a map.
template <class S, class O, int TILES, int BN, int BW, int STEPS, int TO, int DEPTH, int PLAIN>
__device__ __forceinline__ void convolve_wgmma(const ConvParams& p) {
    constexpr int BM = 128 * TILES, BH = BM / BW;
    typedef WgmmaCore<O, TILES, BN, BW, STEPS> Core;
    extern __shared__ __align__(128) char memory[];
    __shared__ ConvMemory<Core, BN> shared;

    char* tile = memory + p.ring_stages * Core::Stream::BLOCK_BYTES;
    const int image = blockIdx.z, n_tile = blockIdx.y;
    const int block_columns = TO == TO_PICTURE ? BW - p.photo_kernel + 1 : BW;
    const ListedGather<S, O, Core::THREADS> gather(p, shared_address(tile), tile + p.tile_bytes);
    auto first_y = [&](int t) { return t / p.tiles_x * BH * p.stride - p.origin; };
    auto first_x = [&](int t) { return t % p.tiles_x * block_columns * p.stride - p.origin; };
    auto bring = [&](int t) {
        const int before = t - (int)gridDim.x;
        gather.turn_to(first_y(t), first_x(t), before >= 0 && is_inner_tile(p, first_y(before), first_x(before)), BH, BW);
        gather.template gather<DEPTH, PLAIN>(image, first_y(t), first_x(t), n_tile == 0);
    };
    auto use = [&](int t, Core& core, ColumnStatistics<Core>& own, typename Core::Stream& stream) {
        const int y0 = t / p.tiles_x * BH, x0 = t % p.tiles_x * block_columns;
        for (int phase = 0; phase < p.phases; ++phase) {
            core.clear();
            core.run(p, shared_address(tile) + (phase >> 1) * p.walk_row + (phase & 1) * 16 + Core::warpgroup() * TILES * p.walk_tile, stream);
            if constexpr (TO == TO_PICTURE) {
                write_picture<Core, BM, BN, BW>(p, core, reinterpret_cast<float*>(tile), image, y0, x0);
            } else {
                const u32 turn = shared_address(shared.turns) + threadIdx.x / 32 * TURN_BYTES;
                write_columns<S, BN>(p, core, own, turn, image, n_tile, phase, [&](int pixel, int& y, int& x) {
                    y = y0 + pixel / BW;
                    x = x0 + pixel % BW;
                });
            }
        }
    };
    walk_tiles<TO == TO_MAP, Core, BN>(p, shared, memory, bring, use);
}

// TILES rows of 128 pixels, from the photo.
template <class S, class O, int TILES, int BN, int STEPS>
__device__ __forceinline__ void convolve_photo_wgmma(const ConvParams& p) {
    constexpr int WIDE = 128, PIXEL_BYTES = 4 * (int)sizeof(O);
    // In 16 bits two pixels are a cell: odd columns start in the middle of one, and have a copy for it.
    constexpr int COPIES = 16 / PIXEL_BYTES;
    typedef WgmmaCore<O, TILES, BN, WIDE, STEPS> Core;
    extern __shared__ __align__(128) char memory[];
    __shared__ ConvMemory<Core, BN> shared;

    char* tile = memory + p.ring_stages * Core::Stream::BLOCK_BYTES;
    const int copy_bytes = p.tile_rows * p.pitch;
    const u32* photo = static_cast<const u32*>(p.input) + (long long)blockIdx.z * p.in_height * p.in_width;
    const int second = Core::warpgroup();
    auto put = [&](char* to, int column, u32 levels) {
        float value[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
        for (int c = 0; c < 3; ++c) value[c] = level_of(levels, c, p.photo_scale);
        to += column * PIXEL_BYTES;
        if constexpr (COPIES == 2) {
            const uint2 half_cell = make_uint2(narrow_pair<O>(value[0], value[1]), narrow_pair<O>(value[2], value[3]));
            *reinterpret_cast<uint2*>(to) = half_cell;
            if (column > 0) *reinterpret_cast<uint2*>(to + copy_bytes - PIXEL_BYTES) = half_cell;
            if (column == p.tile_columns - 1) *reinterpret_cast<uint2*>(to + copy_bytes) = half_cell;
        } else {
            *reinterpret_cast<uint4*>(to) = narrow_pack<O>(value);
        }
    };
    auto bring = [&](int t) {
        const int first_y = t / p.tiles_x * TILES - p.origin, first_x = t % p.tiles_x * WIDE - p.origin;
        // A warp takes every eighth row, two of them together, a lane every 32nd pixel of it.
        constexpr int ROWS = 2, ACROSS = 5, APART = Core::THREADS / 32;
#pragma unroll 1
        for (int top = threadIdx.x / 32; top < p.tile_rows; top += ROWS * APART) {
#pragma unroll 1
            for (int left = threadIdx.x % 32; left < p.tile_columns; left += 32 * ACROSS) {
                u32 levels[ROWS][ACROSS];
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    const u32* line = photo + (long long)source_index(first_y + top + r * APART, p.in_height, EDGE_REFLECT) * p.in_width;
#pragma unroll
                    for (int a = 0; a < ACROSS; ++a) levels[r][a] = line[source_index(first_x + left + 32 * a, p.in_width, EDGE_REFLECT)];
                }
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    if (top + r * APART >= p.tile_rows) break;
#pragma unroll
                    for (int a = 0; a < ACROSS; ++a) {
                        if (left + 32 * a < p.tile_columns) put(tile + (top + r * APART) * p.pitch, left + 32 * a, levels[r][a]);
                    }
                }
            }
        }
    };
    auto use = [&](int t, Core& core, ColumnStatistics<Core>& own, typename Core::Stream& stream) {
        const int y0 = t / p.tiles_x * TILES, x0 = t % p.tiles_x * WIDE;
        core.clear();
        core.run(p, shared_address(tile) + second * (COPIES == 2 ? copy_bytes : WIDE / 2 * PIXEL_BYTES), stream);
        // A warpgroup has every second pixel of TILES rows, or a half of each.
        const u32 turn = shared_address(shared.turns) + threadIdx.x / 32 * TURN_BYTES;
        write_columns<S, BN>(p, core, own, turn, blockIdx.z, 0, 0, [&](int pixel, int& y, int& x) {
            const int place = pixel % 64;
            y = y0 + pixel / 64 - second * TILES;
            x = x0 + (COPIES == 2 ? 2 * place + second : second * (WIDE / 2) + place);
        });
    };
    walk_tiles<true, Core, BN>(p, shared, memory, bring, use);
}

}  // namespace sf
