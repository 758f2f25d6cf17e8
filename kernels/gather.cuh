// Gather: loads the input tile of one CTA into shared memory, ready to be multiplied.
//
// The tile holds every input pixel that the CTA's output pixels touch, one chunk of channels at a
// time. On the way the norm before is applied, then ReLU or the residual add; positions outside the map are
// mirrored or repeated. Arithmetic in fp32; rounded once, to the operand type.
#pragma once
#include "conv_params.cuh"

namespace sf {

// tf32 lies in memory as fp32 whose low bits are rounded away.
union tfloat_t { float value; u32 bits; };
template <> __device__ __forceinline__ tfloat_t narrow<tfloat_t>(float v) {
    tfloat_t t = {v};
#if __CUDA_ARCH__ >= 800
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(t.bits) : "f"(v));
#endif
    return t;
}

// A number as the sum of two halves, the nearest one and what it leaves: 21 bits of fraction, within the range of halves.
// A pack of four lies as the four nearest halves and the four others, and so do weights, whose packs
// hold the same half twice: one product is over both of a pixel's.
struct split_t { u16 high, low; };
template <> __device__ __forceinline__ split_t narrow<split_t>(float v) {
    const half_t high = narrow<half_t>(v);
    return {high.bits, narrow<half_t>(v - widen(high)).bits};
}
template <> __device__ __forceinline__ uint4 narrow_pack<split_t>(const float (&v)[4]) {
    u32 high[2], low[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        float a, b;
        high[i] = narrow_pair<half_t>(v[2 * i], v[2 * i + 1]);
        widen_pair<half_t>(high[i], a, b);
        low[i] = narrow_pair<half_t>(v[2 * i] - a, v[2 * i + 1] - b);
    }
    return make_uint4(high[0], high[1], low[0], low[1]);
}

__device__ __forceinline__ int clamped(int p, int side) { return max(0, min(p, side - 1)); }

// A tile hangs over the map's end: what is read there counts for nothing, it only has to exist.
__device__ __forceinline__ int source_index(int p, int side, int edge) {
    return clamped(edge == EDGE_REFLECT ? reflected(p, side) : p, side);
}

// The tile as [row][column][channel], `pitch` bytes from pixel to pixel.
struct PixelRows {
    static __device__ __forceinline__ int at(const ConvParams& p, int row, int column) {
        return (row * p.tile_columns + column) * p.pitch;
    }
    static __device__ __forceinline__ int channel(const ConvParams&, int byte) { return byte; }
};

// Loads a tile into shared memory: storage type S in memory, operand type O in shared memory; DEPTH loads are in
// flight. All of the CTA's THREADS call it; the caller synchronises before and after. `first_y`, `first_x`: the
// tile's first pixel in the (possibly doubled) input. `owned`: this CTA writes the residual stream.
template <class S, class O, int THREADS, int DEPTH>
__device__ __forceinline__ void gather_map(const ConvParams& p, char* tile, int image, int first_y, int first_x,
                                           int chunk, bool owned, int block_rows, int block_columns) {
    constexpr int PACK = Pack<S>::COUNT;
    const int packs = p.chunk_channels / PACK;
    const int per_round = THREADS / packs;
    const int pack = threadIdx.x % packs;
    const int first = threadIdx.x / packs;
    if (first >= per_round) return;

    const int channel = chunk * p.chunk_channels + pack * PACK;
    const bool real = channel < p.in_channels;
    float scale[PACK], mean[PACK], beta[PACK];
#pragma unroll
    for (int i = 0; i < PACK; ++i) {
        const bool normed = p.in_scale != nullptr && real;
        scale[i] = normed ? p.in_scale[image * p.in_channels + channel + i] : 1.0f;
        mean[i] = normed ? p.in_mean[image * p.in_channels + channel + i] : 0.0f;
        beta[i] = normed ? p.in_beta[channel + i] : 0.0f;
    }
    const int height = p.upsample ? 2 * p.in_height : p.in_height;
    const int width = p.upsample ? 2 * p.in_width : p.in_width;
    const long long plane = (long long)image * p.in_height * p.in_width * p.in_channels + channel;
    const S* input = static_cast<const S*>(p.input) + plane;
    const S* skip = static_cast<const S*>(p.skip) + plane;
    S* keep = static_cast<S*>(p.keep) + plane;
    const bool adds = p.skip != nullptr, keeps = owned && p.keep != nullptr && real;
    // Most tiles do not touch the map's edges.
    const bool inside = first_y >= 0 && first_x >= 0 && first_y + p.tile_rows <= height && first_x + p.tile_columns <= width;

    const int of_pack = PixelRows::channel(p, pack * PACK * (int)sizeof(O));
    int row = first / p.tile_columns, column = first % p.tile_columns;
    auto advance = [&](int& r, int& c) {
        c += per_round;
        while (c >= p.tile_columns) { c -= p.tile_columns; ++r; }
    };
    while (row < p.tile_rows) {
        uint4 v[DEPTH], r[DEPTH];
        int there = row, across = column;
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            if (there < p.tile_rows) {
                int y = first_y + there, x = first_x + across;
                if (!inside) {
                    y = source_index(y, height, p.edge);
                    x = source_index(x, width, p.edge);
                }
                if (p.upsample) { y >>= 1; x >>= 1; }
                const long long at = (long long)((u32)y * (u32)p.in_width + (u32)x) * p.in_channels;
                // Channels that are not there become zeros: their factors leave them as they are.
                v[d] = real ? *reinterpret_cast<const uint4*>(input + at) : make_uint4(0u, 0u, 0u, 0u);
                if (adds) r[d] = real ? *reinterpret_cast<const uint4*>(skip + at) : make_uint4(0u, 0u, 0u, 0u);
            }
            advance(there, across);
        }
#pragma unroll
        for (int d = 0; d < DEPTH; ++d, advance(row, column)) {
            if (row >= p.tile_rows) continue;
            float value[PACK];
            widen_pack<S>(v[d], value);
#pragma unroll
            for (int i = 0; i < PACK; ++i) value[i] = fmaf(value[i] - mean[i], scale[i], beta[i]);
            if (adds) {
                float stream[PACK];
                widen_pack<S>(r[d], stream);
#pragma unroll
                for (int i = 0; i < PACK; ++i) value[i] += stream[i];
            }
            if (p.relu) {
#pragma unroll
                for (int i = 0; i < PACK; ++i) value[i] = fmaxf(value[i], 0.0f);
            }
            // The residual stream is written by the CTA in whose block a pixel lies.
            const int y = first_y + row, x = first_x + column;
            if (keeps && (u32)(row - p.origin) < (u32)block_rows && (u32)(column - p.origin) < (u32)block_columns &&
                y < p.in_height && x < p.in_width) {
                store_pack(keep + (long long)((u32)y * (u32)p.in_width + (u32)x) * p.in_channels, value);
            }
            char* to = tile + PixelRows::at(p, row, column) + of_pack;
            if constexpr (sizeof(O) == 2 && PACK == 4) {
                *reinterpret_cast<uint2*>(to) = make_uint2(narrow_pair<O>(value[0], value[1]), narrow_pair<O>(value[2], value[3]));
            } else {
                *reinterpret_cast<uint4*>(to) = narrow_pack<O>(value);
            }
        }
    }
}

// A level of a pixel, times the photo's factor; `colour` is 0 to 2. 2^23 + level is put together bit by
// bit, because whole numbers are converted far more slowly than they are added.
__device__ __forceinline__ float level_of(u32 pixel, int colour, float scale) {
    const float shifted = __uint_as_float(0x4b000000u | (pixel >> (8 * colour) & 255u));
    return (shifted - 8388608.0f) * scale;
}

// The photo: every pixel of the tile gets the `kernel` pixels of its row as 3 * kernel channels,
// index kx * 3 + colour, zeros behind them. `staged`: tile_rows x (tile_columns + kernel - 1) words.
template <class O, int THREADS>
__device__ __forceinline__ void gather_photo(const ConvParams& p, char* tile, u32* staged, int image, int first_y,
                                             int first_x) {
    const int kernel = p.photo_kernel;
    const int wide = p.tile_columns + kernel - 1;
    const u32* photo = static_cast<const u32*>(p.input) + (long long)image * p.in_height * p.in_width;
    for (int i = threadIdx.x; i < p.tile_rows * wide; i += THREADS) {
        const int y = source_index(first_y + i / wide, p.in_height, EDGE_REFLECT);
        const int x = source_index(first_x + i % wide, p.in_width, EDGE_REFLECT);
        staged[i] = photo[(long long)y * p.in_width + x];
    }
    __syncthreads();
    constexpr int PACK = 16 / (int)sizeof(O);
    // The colours of 8 pixels are whole packs, so that it is known beforehand where each level goes.
    constexpr int WORDS = 8, GROUP = 3 * WORDS / PACK;
    const int packs = p.chunk_channels / PACK, total = p.tile_rows * p.tile_columns;
    for (int pixel = threadIdx.x; pixel < total; pixel += THREADS) {
        const int row = pixel / p.tile_columns;
        const u32* from = staged + row * wide + (pixel - row * p.tile_columns);
        char* to = tile + pixel * p.pitch;
#pragma unroll 1
        for (int first = 0; first * PACK < p.chunk_channels; first += GROUP, from += WORDS) {
            const int left = kernel - first / GROUP * WORDS;
            u32 word[WORDS];
#pragma unroll
            for (int k = 0; k < WORDS; ++k) word[k] = k < left ? from[k] : 0u;
#pragma unroll
            for (int pack = 0; pack < GROUP; ++pack) {
                float value[PACK];
#pragma unroll
                for (int e = 0; e < PACK; ++e) {
                    const int channel = pack * PACK + e;
                    value[e] = channel / 3 < left ? level_of(word[channel / 3], channel % 3, p.photo_scale) : 0.0f;
                }
                if (first + pack < packs) *reinterpret_cast<uint4*>(to + (first + pack) * 16) = narrow_pack<O>(value);
            }
        }
    }
}

}  // namespace sf
