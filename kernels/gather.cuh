// Gather: brings the input tile of one CTA into shared memory, ready to be multiplied.
//
// The tile holds every input pixel that the CTA's output pixels touch, one chunk of channels at a
// time, as [row][column][channel] with `pitch` bytes from pixel to pixel. On the way the norm before
// is applied (scale and shift), then ReLU or the residual add; positions outside the map are
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

__device__ __forceinline__ int clamped(int p, int side) { return max(0, min(p, side - 1)); }

// A tile hangs over the map's end: what is read there counts for nothing, it only has to exist.
__device__ __forceinline__ int source_index(int p, int side, int edge) {
    return clamped(edge == EDGE_REFLECT ? reflected(p, side) : p, side);
}

// Widens the 16 bytes of a pack.
template <class S> __device__ __forceinline__ void widen_pack(const uint4& raw, float (&v)[Pack<S>::COUNT]) {
    union { uint4 raw; S e[Pack<S>::COUNT]; } u;
    u.raw = raw;
#pragma unroll
    for (int i = 0; i < Pack<S>::COUNT; ++i) v[i] = widen(u.e[i]);
}

// Storage type S in memory, operand type O in shared memory; DEPTH loads are in flight. All of the
// CTA's THREADS call it; the caller synchronises before and after. `first_y`, `first_x`: the tile's
// first pixel in the (possibly doubled) input. `owned`: this CTA writes the residual stream.
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
    float scale[PACK], shift[PACK];
#pragma unroll
    for (int i = 0; i < PACK; ++i) {
        scale[i] = p.in_scale != nullptr && real ? p.in_scale[image * p.in_channels + channel + i] : 1.0f;
        shift[i] = p.in_scale != nullptr && real ? p.in_shift[image * p.in_channels + channel + i] : 0.0f;
    }
    const int height = p.upsample ? 2 * p.in_height : p.in_height;
    const int width = p.upsample ? 2 * p.in_width : p.in_width;
    const long long plane = (long long)image * p.in_height * p.in_width * p.in_channels + channel;
    const S* input = static_cast<const S*>(p.input) + plane;
    const S* skip = static_cast<const S*>(p.skip) + plane;
    S* keep = static_cast<S*>(p.keep) + plane;
    const bool adds = p.skip != nullptr, keeps = owned && p.keep != nullptr && real;

    int row = first / p.tile_columns, column = first % p.tile_columns;
    while (row < p.tile_rows) {
        uint4 v[DEPTH], r[DEPTH];
        u32 pixels[DEPTH];  // in the input map
        int places[DEPTH];  // in the tile; negative: beyond its end
        bool kept[DEPTH];
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            places[d] = -1;
            if (row < p.tile_rows) {
                int y = source_index(first_y + row, height, p.edge);
                int x = source_index(first_x + column, width, p.edge);
                if (p.upsample) { y >>= 1; x >>= 1; }
                pixels[d] = (u32)y * (u32)p.in_width + (u32)x;
                places[d] = row * p.tile_columns + column;
                // The residual stream is written by the CTA in whose block a pixel lies.
                kept[d] = keeps && (u32)(row - p.origin) < (u32)block_rows &&
                          (u32)(column - p.origin) < (u32)block_columns && first_y + row < p.in_height &&
                          first_x + column < p.in_width;
                if (real) {
                    const long long at = (long long)pixels[d] * p.in_channels;
                    v[d] = *reinterpret_cast<const uint4*>(input + at);
                    if (adds) r[d] = *reinterpret_cast<const uint4*>(skip + at);
                }
            }
            column += per_round;
            while (column >= p.tile_columns) { column -= p.tile_columns; ++row; }
        }
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            if (places[d] < 0) continue;
            float value[PACK], stream[PACK];
            widen_pack<S>(v[d], value);
#pragma unroll
            for (int i = 0; i < PACK; ++i) value[i] = fmaf(value[i], scale[i], shift[i]);
            if (adds) {
                widen_pack<S>(r[d], stream);
#pragma unroll
                for (int i = 0; i < PACK; ++i) value[i] += stream[i];
            }
            union { O e[PACK]; uint4 whole; uint2 half_pack; } u;
#pragma unroll
            for (int i = 0; i < PACK; ++i) {
                if (p.relu) value[i] = fmaxf(value[i], 0.0f);
                if (!real) value[i] = 0.0f;
                u.e[i] = narrow<O>(value[i]);
            }
            if (kept[d]) store_pack(keep + (long long)pixels[d] * p.in_channels, value);
            char* to = tile + places[d] * p.pitch + pack * PACK * (int)sizeof(O);
            if constexpr (sizeof(O) * PACK >= 16) {
                *reinterpret_cast<uint4*>(to) = u.whole;
            } else {
                *reinterpret_cast<uint2*>(to) = u.half_pack;
            }
        }
    }
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
    const int packs = p.chunk_channels / PACK;
    const int total = p.tile_rows * p.tile_columns * packs;
    for (int i = threadIdx.x; i < total; i += THREADS) {
        const int pack = i % packs, pixel = i / packs;
        const u32* from = staged + (pixel / p.tile_columns) * wide + pixel % p.tile_columns;
        union { O e[PACK]; uint4 whole; } u;
#pragma unroll
        for (int e = 0; e < PACK; ++e) {
            const int channel = pack * PACK + e;
            const int kx = channel / 3, colour = channel - 3 * kx;
            float value = 0.0f;
            if (kx < kernel) value = (float)((from[kx] >> (8 * colour)) & 255u) * p.photo_scale;
            u.e[e] = narrow<O>(value);
        }
        *reinterpret_cast<uint4*>(tile + pixel * p.pitch + pack * 16) = u.whole;
    }
}

}  // namespace sf
