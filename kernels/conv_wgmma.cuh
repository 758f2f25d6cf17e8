// The convolution kernels of Hopper: the same formulas, fusions and numerics as conv.cuh, with products of
// whole warpgroups (core_wgmma.cuh), bulk copies of weights, and launches that begin while the one before
// still ends (their weights are on the way by then).
//
// Entries (wgmma_fp16.cu, wgmma_tf32.cu, wgmma_bf16.cu, wgmma_mixed.cu), PxN being output pixels x
// channels of a CTA:
//   wgmma_PxN_*          map to raw map (with 128 channels: chain_wgmma.cuh)
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
// + input tile. A CTA walks over the tiles of one image with a fixed stride.
//
// Work and roofline: as conv.cuh.
// Measured: NVIDIA H200, driver 580.159, 2026-11-20, launches between device events, medians of 20, the network at
// 512x512 in fp16: photo to 32 channels 35 us, to 64 27, doubled to 64 28, doubled to 32 35, to the picture 45.
//
// Barriers: before a tile, so that the tile before is read; after it is gathered, for the products, which
// see shared memory through another path (fence.proxy.async); around the statistics' merges; before the
// picture's sums take the place of the input tile. The ring's own are in core_wgmma.cuh.
#pragma once
#include "conv.cuh"
#include "core_wgmma.cuh"

namespace sf {

// TILES x 128 pixels, BW (8 or 64) side by side, from a map.
template <class S, class O, int TILES, int BN, int BW, int STEPS, int TO, int DEPTH, int PLAIN>
__device__ __forceinline__ void convolve_wgmma(const ConvParams& p) {
    constexpr int BM = 128 * TILES, BH = BM / BW;
    typedef WgmmaCore<O, TILES, BN, BW, STEPS> Core;
    typedef typename Core::Stream Stream;
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ uint4 walk[MOST_WALK];

    char* tile = memory + p.ring_stages * Stream::BLOCK_BYTES;
    const int image = blockIdx.z, n_tile = blockIdx.y;
    const int block_columns = TO == TO_PICTURE ? BW - p.photo_kernel + 1 : BW;
    const int blocks = p.phases * walk_blocks(p, STEPS);
    const int tiles = p.tiles_x * p.tiles_y, mine = (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
    write_walk<STEPS>(p, walk);
    Stream stream;
    stream.start(&barriers, memory, static_cast<const char*>(p.weights) + (long long)n_tile * blocks * Stream::BLOCK_BYTES,
                 p.ring_stages, blocks, mine);
    const bool counts = TO == TO_MAP && p.out_scale != nullptr;
    LaneStatistics<Core> own;
    own.clear();
    wait_for_launch_before();
    let_next_launch_begin();

    Core core;
    for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
        const int y0 = t / p.tiles_x * BH, x0 = t % p.tiles_x * block_columns;
        // The tile before is multiplied, or its sums are read.
        __syncthreads();
        gather_map<CellPlanes, S, O, Core::THREADS, DEPTH, PLAIN>(p, tile, image, y0 * p.stride - p.origin,
                                                           x0 * p.stride - p.origin, 0, n_tile == 0, BH, BW);
        publish_to_products();
        __syncthreads();
        for (int phase = 0; phase < p.phases; ++phase) {
            core.clear();
            const int first = (phase >> 1) * p.walk_row + (phase & 1) * 16 + Core::warpgroup() * TILES * p.walk_tile;
            core.run(p, shared_address(tile) + first, walk, stream);
            if constexpr (TO == TO_PICTURE) {
                write_picture<Core, BM, BN, BW>(p, core, reinterpret_cast<float*>(tile), image, y0, x0);
            } else {
                write_map<S, BN>(p, p.output, core, own, image, n_tile, phase, [&](int row, int& y, int& x) {
                    y = y0 + Core::pixel(row) / BW;
                    x = x0 + Core::pixel(row) % BW;
                    return 0u;
                });
            }
        }
    }
    if (counts) finish_statistics(p, own, statistics);
}

// TILES rows of 128 pixels, from the photo.
template <class S, class O, int TILES, int BN, int STEPS>
__device__ __forceinline__ void convolve_photo_wgmma(const ConvParams& p) {
    constexpr int WIDE = 128, PIXEL_BYTES = 4 * (int)sizeof(O);
    // In 16 bits two pixels are a cell: odd columns start in the middle of one, and have a copy for it.
    constexpr int COPIES = 16 / PIXEL_BYTES;
    typedef WgmmaCore<O, TILES, BN, WIDE, STEPS> Core;
    typedef typename Core::Stream Stream;
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ uint4 walk[MOST_WALK];

    char* tile = memory + p.ring_stages * Stream::BLOCK_BYTES;
    const int image = blockIdx.z;
    const int copy_bytes = p.tile_rows * p.pitch;
    const int blocks = walk_blocks(p, STEPS);
    const int tiles = p.tiles_x * p.tiles_y, mine = (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
    write_walk<STEPS>(p, walk);
    Stream stream;
    stream.start(&barriers, memory, p.weights, p.ring_stages, blocks, mine);
    LaneStatistics<Core> own;
    own.clear();
    wait_for_launch_before();
    let_next_launch_begin();

    const u32* photo = static_cast<const u32*>(p.input) + (long long)image * p.in_height * p.in_width;
    const int second = Core::warpgroup();
    Core core;
    for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
        const int y0 = t / p.tiles_x * TILES, x0 = t % p.tiles_x * WIDE;
        // The tile before is multiplied.
        __syncthreads();
        const int total = p.tile_rows * p.tile_columns;
        int row = threadIdx.x / p.tile_columns, column = threadIdx.x % p.tile_columns;
#pragma unroll 4
        for (int i = threadIdx.x; i < total; i += Core::THREADS) {
            const int y = source_index(y0 - p.origin + row, p.in_height, EDGE_REFLECT);
            const int x = source_index(x0 - p.origin + column, p.in_width, EDGE_REFLECT);
            const u32 levels = photo[(long long)y * p.in_width + x];
            float value[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
            for (int c = 0; c < 3; ++c) value[c] = level_of(levels, c, p.photo_scale);
            char* to = tile + row * p.pitch + column * PIXEL_BYTES;
            if constexpr (COPIES == 2) {
                const uint2 half_cell = make_uint2(narrow_pair<O>(value[0], value[1]), narrow_pair<O>(value[2], value[3]));
                *reinterpret_cast<uint2*>(to) = half_cell;
                if (column > 0) *reinterpret_cast<uint2*>(to + copy_bytes - PIXEL_BYTES) = half_cell;
                if (column == p.tile_columns - 1) *reinterpret_cast<uint2*>(to + copy_bytes) = half_cell;
            } else {
                *reinterpret_cast<uint4*>(to) = narrow_pack<O>(value);
            }
            column += Core::THREADS;
            while (column >= p.tile_columns) { column -= p.tile_columns; ++row; }
        }
        publish_to_products();
        __syncthreads();
        core.clear();
        core.run(p, shared_address(tile) + second * (COPIES == 2 ? copy_bytes : WIDE / 2 * PIXEL_BYTES), walk, stream);
        write_map<S, BN>(p, p.output, core, own, image, 0, 0, [&](int r, int& y, int& x) {
            y = y0 + r / 2;
            x = x0 + (COPIES == 2 ? 2 * Core::place(r) + second : second * (WIDE / 2) + Core::place(r));
            return 0u;
        });
    }
    finish_statistics(p, own, statistics);
}

}  // namespace sf
