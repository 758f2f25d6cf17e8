// Gather: loads the input tile of one CTA into shared memory, ready to be multiplied.
//
// The tile contains every input pixel that the CTA's output pixels read, one chunk of channels at a
// time. While loading, the previous norm is applied, then ReLU or the residual sum; positions outside the map are
// mirrored or repeated. Arithmetic in fp32, rounded once, to the operand type.
#pragma once
#include "conv_params.cuh"

namespace sf {

// tf32 is stored as fp32 whose low bits are rounded away.
union tfloat_t { float value; u32 bits; };
template <> __device__ __forceinline__ tfloat_t narrow<tfloat_t>(float v) {
    tfloat_t t = {v};
#if __CUDA_ARCH__ >= 800
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(t.bits) : "f"(v));
#endif
    return t;
}

// A number as the sum of two halves, the nearest one and the remainder: 21 bits of fraction, within the range of halves.
// A pack of four is stored as the four nearest halves and the four remainders, and so are weights, whose packs
// contain the same half twice: one product is over both halves of a pixel.
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

// A tile may extend beyond the map's end: values read there are not used, but the addresses must be valid.
__device__ __forceinline__ int source_index(int p, int side, int edge) {
    return clamped(edge == EDGE_REFLECT ? reflected(p, side) : p, side);
}

// The norm of a thread's channels: one product and one sum, or, APART, the mean is subtracted first, which is more exact if it is
// far larger than the difference.
template <int PACK, bool APART = false> struct Factors {
    float scale[PACK], shift[PACK];
    float mean[APART ? PACK : 1];

    __device__ __forceinline__ void set(int k, float factor, float of_mean, float beta) {
        scale[k] = factor;
        if constexpr (APART) {
            mean[k] = of_mean;
            shift[k] = beta;
        } else {
            shift[k] = fmaf(-of_mean, factor, beta);
        }
    }
    // The norm before the first layer, from `channel` on; without a norm, or for channels that do not exist, the identity.
    template <class P> __device__ __forceinline__ void read(const P& p, int image, int channel, bool is_real = true) {
        if (p.in_scale == nullptr || !is_real) {
#pragma unroll
            for (int k = 0; k < PACK; ++k) set(k, 1.0f, 0.0f, 0.0f);
            return;
        }
        const int at = image * p.in_channels + channel;
#pragma unroll
        for (int k = 0; k < PACK; k += 4) {
            const float4 factor = *reinterpret_cast<const float4*>(p.in_scale + at + k);
            const float4 of_mean = *reinterpret_cast<const float4*>(p.in_mean + at + k);
            const float4 beta = *reinterpret_cast<const float4*>(p.in_beta + channel + k);
            set(k, factor.x, of_mean.x, beta.x);
            set(k + 1, factor.y, of_mean.y, beta.y);
            set(k + 2, factor.z, of_mean.z, beta.z);
            set(k + 3, factor.w, of_mean.w, beta.w);
        }
    }
    __device__ __forceinline__ void apply(float (&value)[PACK]) const {
#pragma unroll
        for (int k = 0; k < PACK; ++k) {
            if constexpr (APART) value[k] -= mean[k];
            value[k] = fmaf(value[k], scale[k], shift[k]);
        }
    }
};

// Does nothing with operands.
struct Ignored {
    __device__ __forceinline__ void operator()(const uint4&) const {}
};

// Maps in full precision, in which rounding by their norm would be visible.
template <class S> constexpr bool IS_EXACT = false;
template <> constexpr bool IS_EXACT<float> = true;

// A thread's part of loading a tile: some channels of every n-th pixel.
template <class S> struct TilePart {
    const S* input;  // those channels of the map's first pixel
    const S* skip;   // of the added residual stream; null: none
    S* keep;         // where the residual stream is stored; null: nowhere
    char* to;        // of the tile's first pixel
    int first, apart;  // the first pixel, and the step to the next
    int first_y, first_x;  // the tile's first pixel in the (possibly doubled) input
    int block_rows, block_columns;  // of the CTA's output
    bool is_real;  // these channels exist
};

// Loads it, COUNT pixels at a time. ADDS: a residual stream is added.
template <class S, class O, bool ADDS, int COUNT, class Norm, class Find>
__device__ __forceinline__ void gather_part(const ConvParams& p, const TilePart<S>& part, const Norm& f, Find find) {
    constexpr int PACK = Pack<S>::COUNT;
    const int doubled = p.upsample != 0, height = p.in_height << doubled, width = p.in_width << doubled;
    const int columns = p.tile_columns, total = p.tile_rows * columns;
    // Most tiles do not touch the map's edges.
    const bool inside = part.first_y >= 0 && part.first_x >= 0 && part.first_y + p.tile_rows <= height && part.first_x + columns <= width;
    const bool keeps = part.keep != nullptr, relu = p.relu != 0;
    int row = part.first / columns, column = part.first - row * columns;
    const int rows_on = part.apart / columns, columns_on = part.apart - rows_on * columns;
    char* to = part.to + part.first * p.pitch;
#pragma unroll 1
    for (int i = part.first; i < total; i += COUNT * part.apart) {
        uint4 v[COUNT], r[ADDS ? COUNT : 1];
        u32 at[COUNT], kept = 0;
#pragma unroll
        for (int d = 0; d < COUNT; ++d) {
            int y = part.first_y + row, x = part.first_x + column;
            // The CTA whose block contains a pixel writes the residual stream.
            const bool is_own = (u32)(row - p.origin) < (u32)part.block_rows && (u32)(column - p.origin) < (u32)part.block_columns;
            if (keeps && is_own && y < p.in_height && x < p.in_width) kept |= 1u << d;
            if (!inside) {
                y = source_index(y, height, p.edge);
                x = source_index(x, width, p.edge);
            }
            at[d] = (u32)(y >> doubled) * (u32)p.in_width + (u32)(x >> doubled);
            // Padding channels become zeros: their factors are the identity.
            const bool is_there = part.is_real && i + d * part.apart < total;
            const long long from = (long long)at[d] * p.in_channels;
            v[d] = is_there ? *reinterpret_cast<const uint4*>(part.input + from) : make_uint4(0u, 0u, 0u, 0u);
            if constexpr (ADDS) r[d] = is_there ? *reinterpret_cast<const uint4*>(part.skip + from) : make_uint4(0u, 0u, 0u, 0u);
            row += rows_on;
            column += columns_on;
            if (column >= columns) {
                column -= columns;
                ++row;
            }
        }
#pragma unroll
        for (int d = 0; d < COUNT; ++d, to += part.apart * p.pitch) {
            if (i + d * part.apart >= total) break;
            float value[PACK];
            widen_pack<S>(v[d], value);
            f.apply(value);
            if constexpr (ADDS) {
                float stream[PACK];
                widen_pack<S>(r[d], stream);
#pragma unroll
                for (int k = 0; k < PACK; ++k) value[k] += stream[k];
            }
            if (relu) {
#pragma unroll
                for (int k = 0; k < PACK; ++k) value[k] = fmaxf(value[k], 0.0f);
            }
            if (kept >> d & 1u) store_pack(part.keep + (long long)at[d] * p.in_channels, value);
            if constexpr (sizeof(O) == 2 && PACK == 4) {
                *reinterpret_cast<uint2*>(to) = make_uint2(narrow_pair<O>(value[0], value[1]), narrow_pair<O>(value[2], value[3]));
            } else {
                const uint4 operands = narrow_pack<O>(value);
                find(operands);
                *reinterpret_cast<uint4*>(to) = operands;
            }
        }
    }
}

// Loads a tile into shared memory, as [row][column][channel], `pitch` bytes from pixel to pixel: storage type S in memory, operand type O in shared memory; DEPTH pixels' loads of a thread are in
// flight if a residual stream is added, otherwise PLAIN. All of the CTA's THREADS call it; the caller synchronises before and after. `first_y`,
// `first_x`: the tile's first pixel in the (possibly doubled) input. `owned`: this CTA writes the residual stream. `find` is called
// with each 16 bytes of operands.
template <class S, class O, int THREADS, int DEPTH, int PLAIN, class Find = Ignored>
__device__ __forceinline__ void gather_map(const ConvParams& p, char* tile, int image, int first_y, int first_x,
                                           int chunk, bool owned, int block_rows, int block_columns, Find find = {}) {
    constexpr int PACK = Pack<S>::COUNT;
    const int packs = p.chunk_channels / PACK, apart = THREADS / packs, pack = threadIdx.x % packs, first = threadIdx.x / packs;
    if (first >= apart) return;
    const int channel = chunk * p.chunk_channels + pack * PACK;
    const bool is_real = channel < p.in_channels;
    Factors<PACK, IS_EXACT<S>> f;
    f.read(p, image, channel, is_real);
    const long long plane = (long long)image * p.in_height * p.in_width * p.in_channels + channel;
    S* const keep = owned && p.keep != nullptr && is_real ? static_cast<S*>(p.keep) + plane : nullptr;
    char* const to = tile + pack * PACK * (int)sizeof(O);
    const TilePart<S> part{static_cast<const S*>(p.input) + plane, static_cast<const S*>(p.skip) + plane, keep, to, first, apart, first_y, first_x,
                           block_rows, block_columns, is_real};
    if (p.skip != nullptr) {
        gather_part<S, O, true, DEPTH>(p, part, f, find);
    } else {
        gather_part<S, O, false, PLAIN>(p, part, f, find);
    }
}

// A level of a pixel, times the photo's factor; `colour` is 0 to 2. 2^23 + level is assembled byte by
// byte, because integers are converted far more slowly than added. The product is exact before 2^23 times the factor is subtracted.
__device__ __forceinline__ float level_of(u32 pixel, int colour, float scale) {
    return fmaf(__uint_as_float(__byte_perm(pixel, 0x4b000000u, 0x7650u + colour)), scale, -8388608.0f * scale);
}

// True if two levels are converted at once: to halves, if the photo's factor is one.
template <class O> constexpr bool PAIRS_LEVELS = false;
template <> constexpr bool PAIRS_LEVELS<half_t> = true;
// The byte before a level, in the position of the pixel's alpha: as a half both are 1024 + level.
constexpr u32 BEFORE_LEVEL = 0x64000000u;
// The levels of two consecutive channels of some adjacent pixels, times the factor; `scale` and `off` are pairs of the factor and of
// 1024 times the factor.
__device__ __forceinline__ u32 two_levels(const u32* words, int channel, u32 scale, u32 off) {
    const int next = channel + 1;
    // Bytes of the first word are numbered from 0, those of the second from 4.
    u32 pair = __byte_perm(words[channel / 3], words[next / 3], 0x7030u + (channel % 3) + (4 + next % 3 << 8));
    asm("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(pair) : "r"(scale), "r"(off));
    return pair;
}

// The photo: every pixel of the tile gets the `kernel` pixels of its row as 3 * kernel channels,
// index kx * 3 + colour, followed by zeros. `staged`: tile_rows x (tile_columns + kernel - 1) words.
template <class O, int THREADS>
__device__ __forceinline__ void gather_photo(const ConvParams& p, char* tile, u32* staged, int image, int first_y,
                                             int first_x) {
    const int kernel = p.photo_kernel;
    const int wide = p.tile_columns + kernel - 1;
    const u32* photo = static_cast<const u32*>(p.input) + (long long)image * p.in_height * p.in_width;
    for (int i = threadIdx.x; i < p.tile_rows * wide; i += THREADS) {
        const int y = source_index(first_y + i / wide, p.in_height, EDGE_REFLECT);
        const int x = source_index(first_x + i % wide, p.in_width, EDGE_REFLECT);
        staged[i] = photo[(long long)y * p.in_width + x] & 0xffffffu | BEFORE_LEVEL;
    }
    __syncthreads();
    constexpr int PACK = 16 / (int)sizeof(O);
    // The colours of 8 pixels are whole packs, so that the position of each level is known at compile time.
    constexpr int WORDS = 8, GROUP = 3 * WORDS / PACK;
    const int packs = p.chunk_channels / PACK, total = p.tile_rows * p.tile_columns;
    // Both exact: the factor is a power of two.
    const u32 scale = narrow_pair<half_t>(p.photo_scale, p.photo_scale), off = narrow_pair<half_t>(-1024.0f * p.photo_scale, -1024.0f * p.photo_scale);
    for (int pixel = threadIdx.x; pixel < total; pixel += THREADS) {
        const int row = pixel / p.tile_columns;
        const u32* from = staged + row * wide + (pixel - row * p.tile_columns);
        char* to = tile + pixel * p.pitch;
#pragma unroll 1
        for (int first = 0; first * PACK < p.chunk_channels; first += GROUP, from += WORDS) {
            const int left = kernel - first / GROUP * WORDS;
            u32 word[WORDS];
#pragma unroll
            for (int k = 0; k < WORDS; ++k) word[k] = k < left ? from[k] : BEFORE_LEVEL;
#pragma unroll
            for (int pack = 0; pack < GROUP; ++pack) {
                if (first + pack >= packs) break;
                uint4 operands;
                if constexpr (PAIRS_LEVELS<O>) {
                    const int c = pack * PACK;
                    operands = make_uint4(two_levels(word, c, scale, off), two_levels(word, c + 2, scale, off), two_levels(word, c + 4, scale, off),
                                          two_levels(word, c + 6, scale, off));
                } else {
                    float value[PACK];
#pragma unroll
                    for (int e = 0; e < PACK; ++e) {
                        const int channel = pack * PACK + e;
                        value[e] = level_of(word[channel / 3], channel % 3, p.photo_scale);
                    }
                    operands = narrow_pack<O>(value);
                }
                *reinterpret_cast<uint4*>(to + (first + pack) * 16) = operands;
            }
        }
    }
}

}  // namespace sf
