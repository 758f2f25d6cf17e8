// The convolution kernel: gather, main loop and epilogue.
//
// Computes, for every image n, position (y, x) of the grid, output channel o and phase f (of 1 or 4):
//   raw[n, y', x', o] = sum over taps (ty, tx) and channels c of
//                       g[n, y * stride - origin + ty + f / 2, x * stride - origin + tx + f % 2, c]
//                       * weight[f, o, ty, tx, c]
// where (y', x') = (y, x), or (2y + f / 2, 2x + f % 2) with four phases, and g is the gathered input:
//   g = ReLU(n) or n + skip, with n = (input - in_mean) * in_scale + in_beta, mirrored or repeated
//   beyond the edges; or the photo's row of kernel x 3 levels as channels.
// Then the epilogue: mean and variance of raw become out_mean and out_scale of the next norm
// (statistics.cuh), or the last layer's kernel columns are shifted, added and stored as RGBA8.
//
// Entries (conv_fp32.cu, conv_tf32.cu, conv_fp16.cu, conv_bf16.cu, conv_mixed.cu), PxN being output
// pixels x channels of a CTA:
//   conv_PxN_*           map to raw map            conv_photo_PxN_*    photo to raw map
//   conv_PxN_chunked_*   the same, channels in turn   conv_picture_PxN_*  map to picture
//
// GEMM: M = output pixels (BM at a time, BW wide), N = output channels (BN at a time), K = taps x input
// channels; 9x9 from the photo: K = 9 x 32 of which 27 count; 9x9 to the picture: N = 27 of 32.
//
// Layouts: maps as in element.cuh; weights as `crates/backend/src/cuda/pack.rs` writes them; the input tile in
// shared memory as [row][column][channel], 16 bytes between pixels to spread them over the banks.
//
// Launch: block 256; grid (CTAs of an image, channel tiles, images); dynamic shared memory = input tile
// + ring of 4 stages of weights (3 before sm_80) (+ staged photo). A CTA walks over the tiles of one
// image with a fixed stride, so that its statistics remain in shared memory until the end.
//
// Work: 128 to 128 channels, 3x3, 128x128: 4.83 GFLOP; 4.2 MB in, 4.2 MB out, 0.3 MB of weights in fp16,
// 560 FLOP per byte. Roofline: tensor cores (fp32: FMA units).
// Measured: as compute capability 8.0 on an NVIDIA H200, 2026-11-27, a frame in fp16: 0.444 ms at 512x512, 1.342 at
// 1280x720. One layer (2026-11-20, driver 580.159, device events, medians of 20, 128 to 128 channels at 128x128, 3x3, fused):
// fp16 36 us, 134 TFLOP/s; fp32 152 us, 32 TFLOP/s, half of the FMA units' 67.
//
// Numerics: products of operands rounded once, sums in fp32 in a fixed order; no float atomics: equal
// input gives equal bits.
//
// Barriers: before a tile, so that the previous tile is read; one for every
// block of weights (main loop); around the statistics' merges; before the picture's sums overwrite
// the input tile.
#pragma once
#include "core_fma.cuh"
#include "core_mma.cuh"
#include "statistics.cuh"

namespace sf {

constexpr int FROM_MAP = 0, FROM_PHOTO = 1;
constexpr int TO_MAP = 0, TO_PICTURE = 1;

// The next layer normalises the stored values, so the statistics must be of these: if a plane is
// (nearly) constant, the norm makes any difference between the two as large as a signal. COUNT columns from
// `first` on.
template <class S, int COUNT, class Core> __device__ __forceinline__ void round_as_stored(Core& core, int first) {
    if constexpr (sizeof(S) == 2) {
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r)
#pragma unroll
            for (int i = 0; i < COUNT; i += 2) {
                float& low = core.value(r, first + i);
                float& high = core.value(r, first + i + 1);
                widen_pair<S>(narrow_pair<S>(low, high), low, high);
            }
    }
}

template <class Core> __device__ __forceinline__ void add_bias(const ConvParams& p, Core& core, int first) {
#pragma unroll
    for (int c = 0; c < Core::COLUMNS; ++c) {
        const int channel = first + core.column(c);
        const float bias = channel < p.norm_channels ? p.bias[channel] : 0.0f;
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            const float v = core.value(r, c) + bias;
            // Keeps a NaN.
            core.value(r, c) = p.out_relu && v < 0.0f ? 0.0f : v;
        }
    }
}

// In mixed, values of an fp32 map that are out of range for the halves of the next products are reported if requested.
// `valid`: which of the tile's pixels exist; the others are undefined.
template <class S, class Core> __device__ __forceinline__ void note_beyond_halves(const ConvParams& p, Core& core, u32 valid) {
    if constexpr (sizeof(S) == 4 && sizeof(typename Core::Operand) == 2) {
        if (p.overflow == nullptr) return;
        float largest = 0.0f;
#pragma unroll
        for (int c = 0; c < Core::COLUMNS; ++c)
#pragma unroll
            for (int r = 0; r < Core::ROWS; ++r) {
                const float v = fabsf(core.value(r, c));
                // Keeps a NaN.
                largest = v <= largest || !(valid >> r & 1u) ? largest : v;
            }
        // All writers write the same value.
        if (!(largest < 65520.0f)) *p.overflow = 1u;
    }
}

// Stores a tile's values and adds them to the statistics, some columns at a time, so that few
// registers are needed in addition to the values. `place(row, y, x)` sets their position and returns where they
// are kept in shared memory, or 0.
template <class S, int BN, class Core, class Place>
__device__ __forceinline__ void write_map(const ConvParams& p, void* output, Core& core, LaneStatistics<Core>& own,
                                          int image, int n_tile, int phase, Place place) {
    typedef LaneStatistics<Core> Lane;
    constexpr int COUNT = Lane::GROUP % 4 == 0 ? Lane::GROUP : Core::COLUMNS;
    if (p.bias != nullptr) add_bias(p, core, n_tile * BN);
    u32 valid = 0;
    u32 pixel[Core::ROWS], cell[Core::ROWS];
    const int scale = p.phases == 4 ? 2 : 1;
#pragma unroll
    for (int r = 0; r < Core::ROWS; ++r) {
        int y, x;
        cell[r] = place(r, y, x);
        if (y < p.grid_height && x < p.grid_width) {
            valid |= 1u << r;
        } else {
            cell[r] = 0u;
        }
        pixel[r] = ((u32)image * p.out_height + y * scale + (phase >> 1)) * p.out_width + x * scale + (phase & 1);
    }
    note_beyond_halves<S>(p, core, valid);
    S* first_channel = static_cast<S*>(output) + n_tile * BN;
    int channels = p.out_channels - n_tile * BN;
    stay(channels);
    const typename Lane::Joining joining = own.begin(valid);
#pragma unroll
    for (int first = 0; first < Core::COLUMNS; first += COUNT) {
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            S* to = valid >> r & 1u ? first_channel + (long long)pixel[r] * p.out_channels : nullptr;
            core.template store_row<COUNT>(r, first, to, channels, cell[r], p.pitch);
        }
        if (p.out_scale != nullptr) {
            round_as_stored<S, COUNT>(core, first);
#pragma unroll
            for (int g = first / Lane::GROUP; g < (first + COUNT) / Lane::GROUP; ++g) own.take_group(core, joining, g);
        }
    }
}

// The last layer: column 3 * kx + colour of the product belongs to the pixel kx columns to the left;
// the shifted columns are added here and become levels. TOGETHER rows of the picture are columns of one product, those of
// a row after those of the row above.
template <class Core, int BM, int BN, int BW, int TOGETHER = 1>
__device__ __forceinline__ void write_picture(const ConvParams& p, Core& core, float* sums, int image, int y0, int x0) {
    // Row by row of the tile as [column of the product][pixel].
    constexpr int PITCH = BW + Core::SUMS_GAP;
    const int used = 3 * p.photo_kernel;
    constexpr int MOST = (BM + Core::THREADS - 1) / Core::THREADS;  // pixels of a thread
    const int columns = BW - p.photo_kernel + 1, pixels = columns * (BM / BW);
    // The photo's alpha is in flight meanwhile.
    u32 alpha[MOST];
#pragma unroll
    for (int k = 0; k < MOST; ++k) {
        const int i = threadIdx.x + k * Core::THREADS, y = y0 + i / columns, x = x0 + i % columns;
        alpha[k] = 0;
        if (i < pixels && y < p.out_height && x < p.out_width && p.output_floats == nullptr) {
            const u8* lender = p.photo + 4 * (((long long)image * p.photo_height + y) * p.photo_width + x) + 3;
            asm volatile("ld.global.u8 %0, [%1];" : "=r"(alpha[k]) : "l"(lender));
        }
    }
    // The tile is read; the product overwrites it.
    __syncthreads();
#pragma unroll
    for (int c = 0; c < Core::COLUMNS; ++c) {
        if (core.column(c) >= TOGETHER * used) continue;
        float* to = sums + core.column(c) * PITCH;
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            to[core.pixel(r) / BW * (TOGETHER * used * PITCH) + core.pixel(r) % BW] = core.value(r, c);
        }
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < MOST; ++k) {
        const int i = threadIdx.x + k * Core::THREADS, row = i / columns, column = i % columns;
        const int y = y0 + row, x = x0 + column;
        if (i >= pixels || y >= p.out_height || x >= p.out_width) continue;
        float rgb[3];
#pragma unroll
        for (int c = 0; c < 3; ++c) rgb[c] = p.bias[c];
        const float* from = sums + row * (used * PITCH) + column;
        for (int kx = 0; kx < p.photo_kernel; ++kx) {
#pragma unroll
            for (int c = 0; c < 3; ++c) rgb[c] += from[(3 * kx + c) * PITCH + kx];
        }
        // Values out of a map's range (infinity, NaN) propagate to every sum that reads them. All writers write the same value.
        if (p.overflow != nullptr && !(fabsf(rgb[0]) + fabsf(rgb[1]) + fabsf(rgb[2]) < 1e30f)) *p.overflow = 1u;
        const long long at = ((long long)image * p.out_height + y) * p.out_width + x;
        if (p.output_floats != nullptr) {
            const long long plane = (long long)p.out_height * p.out_width;
            float* to = p.output_floats + 2 * image * plane + at;
#pragma unroll
            for (int c = 0; c < 3; ++c) to[c * plane] = rgb[c];
        } else {
            static_cast<u32*>(p.output)[at] = level(rgb[0]) | level(rgb[1]) << 8 | level(rgb[2]) << 16 | alpha[k] << 24;
        }
    }
}

// The main loop: the core itself, or the one for bytes.
template <class Core, bool BYTES> struct ProductsOf { typedef Core Type; };
template <class Core> struct ProductsOf<Core, true> { typedef typename Core::Bytes Type; };

// S: storage type of maps. Core: the main loop. FROM, TO: the source of the input and the target of the
// output. CHUNKED: the channels do not all fit in shared memory and are gathered in turn, between the
// products; without it there is one chunk, gathered once for all phases.
// BYTES: the gathered values are converted to bytes before they are multiplied.
template <class S, class Core, int BM, int BN, int BW, int FROM, int TO, bool CHUNKED, bool BYTES = false>
__device__ __forceinline__ void convolve(const ConvParams& p) {
    constexpr int BH = BM / BW;
    typedef typename Core::Operand O;
    typedef typename Core::Ring Ring;
    extern __shared__ __align__(16) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;

    char* tile = memory;
    const int tile_bytes = p.tile_rows * p.tile_columns * p.pitch;
    const int picture_bytes = TO == TO_PICTURE ? BM / BW * 3 * p.photo_kernel * (BW + Core::SUMS_GAP) * 4 : 0;
    char* ring_memory = memory + max(tile_bytes, picture_bytes);
    u32* staged = reinterpret_cast<u32*>(ring_memory + Ring::BYTES);

    const int image = blockIdx.z, n_tile = blockIdx.y;
    const int block_columns = TO == TO_PICTURE ? BW - p.photo_kernel + 1 : BW;
    typedef typename ProductsOf<Core, BYTES>::Type Products;
    const int blocks = p.phases * p.chunks * Products::blocks(p);
    const char* weights = static_cast<const char*>(p.weights) +
                          (long long)n_tile * blocks * Ring::BLOCK_BYTES;
    const bool counts = TO == TO_MAP && p.out_scale != nullptr;
    LaneStatistics<Core> own;
    own.clear();

    Products products;
    products.place(p);
    Ring ring;
    ring.place(ring_memory);
    const int tiles = p.tiles_x * p.tiles_y;
    for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
        const int place = tile_taken(p, t), y0 = place / p.tiles_x * BH, x0 = place % p.tiles_x * block_columns;
        // The previous tile is read.
        __syncthreads();
        ring.start(weights, blocks);
        u32 stage = 0;
        int loaded = CHUNKED ? -1 : 0;
        const int first_y = y0 * p.stride - p.origin, first_x = x0 * p.stride - p.origin;
        if constexpr (FROM == FROM_PHOTO) {
            gather_photo<O, Core::THREADS>(p, tile, staged, image, first_y, first_x);
        } else if constexpr (!CHUNKED) {
            u32 largest = 0;
            gather_map<S, O, Core::THREADS, Core::GATHER_DEPTH, Core::PLAIN_DEPTH>(p, tile, image, first_y, first_x, 0, n_tile == 0, BH, BW, [&](const uint4& operands) {
                if constexpr (BYTES) take_largest(largest, operands);
            });
            if constexpr (BYTES) publish_largest(published_largest(statistics, 0) + threadIdx.x / 32, largest);
        }
        const auto write = [&](Core& core, int phase) {
            if constexpr (TO == TO_PICTURE) {
                write_picture<Core, BM, BN, BW>(p, core, reinterpret_cast<float*>(memory), image, y0, x0);
            } else {
                write_map<S, BN>(p, p.output, core, own, image, n_tile, phase, [&](int row, int& y, int& x) {
                    y = y0 + core.pixel(row) / BW;
                    x = x0 + core.pixel(row) % BW;
                    return 0u;
                });
            }
        };
        for (int phase = 0; phase < p.phases; ++phase) {
            const int first_tap = (phase >> 1) * p.tile_columns + (phase & 1);
            if constexpr (BYTES) {
                static_assert(!CHUNKED, "the largest value of all channels is needed first");
                ByteMemory& memory = byte_memory(statistics);
                const char* after_weights = static_cast<const char*>(p.weights) + (long long)gridDim.y * blocks * Ring::BLOCK_BYTES;
                const SumFactors<BN>& factors = reinterpret_cast<const SumFactors<BN>*>(after_weights)[n_tile];
                // After a ReLU no value is negative.
                const bool is_positive = p.relu != 0;
                const ChannelFactor<BN> own_factor(factors, is_positive);
                // The tile is loaded.
                __syncthreads();
                const ByteFactor bytes(largest_of<Core::THREADS / 32>(published_largest(statistics, 0)), is_positive);
                bytes_of_rows<Core::THREADS>(p, tile, bytes);
                // The main loop's first barrier publishes both.
                own_factor.publish(memory, bytes);
                products.clear();
                products.run(p, tile, first_tap * p.pitch, ring, stage);
                Core core;
                scale_sums(products, core, memory);
                write(core, phase);
            } else {
                products.clear();
            }
            for (int chunk = 0; chunk < (BYTES ? 0 : CHUNKED ? p.chunks : 1); ++chunk) {
                if constexpr (CHUNKED) {
                    if (chunk != loaded) {
                        // The previous chunk is multiplied; the main loop's first barrier publishes this
                        // one. Few loads in flight: the accumulators take the registers.
                        __syncthreads();
                        const bool owned = n_tile == 0 && phase == 0;
                        gather_map<S, O, Core::THREADS, 1, 1>(p, tile, image, first_y, first_x, chunk, owned, BH, BW);
                        loaded = chunk;
                    }
                }
                products.run(p, tile, first_tap * p.pitch, ring, stage);
            }
            if constexpr (!BYTES) write(products, phase);
        }
    }
    if (counts) finish_statistics(p, own, statistics);
}

}  // namespace sf
