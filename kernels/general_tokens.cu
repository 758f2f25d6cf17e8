// Operations on a pixel as a token, for graphs of transformers: the norm over its channels, and positions.
//
// Computes, on maps of element.cuh, for every pixel:
//   general_layer_norm   to[c] = (from[c] - mean) / sqrt(variance + eps) * scale[c] + shift[c], mean and biased variance
//                        of the pixel's channels
//   general_positions    to[c] = from[c] + table[y, c] in the first half of the channels,
//                        from[c] + table[height + x, c - half] in the second
//
// Entries: each name above with _f32, _f16 and _bf16 (from sm_80 on), the type of the maps.
//
// Layouts: channels are a multiple of 16, of which the first `real` exist; the others are and remain zero. Scales and
// shifts are fp32 (channels), the table is fp32 (height + width, real / 2).
//
// Launch: block 256, no shared memory. layer_norm: grid (ceil(pixels of all images / 8)), a warp per pixel. positions: grid
// (ceil(width * channels * sizeof(T) / 16 / 256), height, batch), a thread per 16 bytes.
//
// Work: the norm of 1024 tokens of 512 channels, fp16: 1 MB each are read and written for 4 MFLOP, 2 FLOP per byte.
// Roofline: memory.
// Measured: NOT MEASURED.
//
// Numerics: arithmetic in fp32, rounded once to the map's type. Means are computed from distances to the first channel,
// which are small if the mean is large; variances from distances to the mean, in a second pass. A value outside the type's
// range sets `overflow`.
//
// Barriers: none; the lanes of a warp exchange sums.
#include "entries.cuh"
#include "general.cuh"

using namespace sf;

// Of `general_layer_norm_*`.
struct GeneralLayerNormParams {
    const void* from;  // map (pixels, channels)
    void* to;  // map to write
    const float* scale;  // fp32 (channels)
    const float* shift;  // fp32 (channels)
    u32* overflow;  // set if a value does not fit the map; unused for f32
    int pixels;  // pixels of all images
    int channels;  // channels, padding included
    int real;  // channels, without padding
    float eps;  // added to the variance
};
static_assert(sizeof(GeneralLayerNormParams) == 56, "as params.rs lays it out");

// Of `general_positions_*`.
struct GeneralPositionsParams {
    const void* from;  // map (n, height, width, channels)
    void* to;  // map to write
    const float* table;  // fp32 (height + width, real / 2)
    u32* overflow;  // set if a value does not fit the map; unused for f32
    int width;  // width in pixels
    int height;  // height in pixels
    int channels;  // channels, padding included
    int real;  // channels, without padding
};
static_assert(sizeof(GeneralPositionsParams) == 48, "as params.rs lays it out");

__device__ __forceinline__ float sum_of_warp(float v) {
#pragma unroll
    for (int other = 16; other > 0; other /= 2) v += __shfl_xor_sync(0xffffffffu, v, other);
    return v;
}

template <class T> __device__ __forceinline__ void layer_norm(const GeneralLayerNormParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, STEP = 32 * COUNT;
    const int pixel = (int)(blockIdx.x * 8 + threadIdx.x / 32);
    if (pixel >= p.pixels) return;
    const int first = (int)threadIdx.x % 32 * COUNT;
    const u64 at = (u64)(u32)pixel * (u32)p.channels;
    const T* from = static_cast<const T*>(p.from) + at;
    T* to = static_cast<T*>(p.to) + at;
    const float pivot = widen(from[0]), count = (float)p.real;

    float sum = 0.0f;
    for (int c = first; c < p.real; c += STEP) {
        float v[COUNT];
        load_pack(from + c, v);
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
            if (c + i < p.real) sum += v[i] - pivot;
        }
    }
    const float mean = sum_of_warp(sum) / count;
    float squares = 0.0f;
    for (int c = first; c < p.real; c += STEP) {
        float v[COUNT];
        load_pack(from + c, v);
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
            const float distance = v[i] - pivot - mean;
            if (c + i < p.real) squares = fmaf(distance, distance, squares);
        }
    }
    const float share = 1.0f / sqrtf(sum_of_warp(squares) / count + p.eps);
    float largest = 0.0f;
    for (int c = first; c < p.channels; c += STEP) {
        float v[COUNT];
        load_pack(from + c, v);
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
            v[i] = (v[i] - pivot - mean) * share * p.scale[c + i] + p.shift[c + i];
            if (c + i >= p.real) v[i] = 0.0f;
            largest = larger(largest, v[i]);
        }
        store_pack(to + c, v);
    }
    note_overflow<T>(p.overflow, largest);
}

template <class T> __device__ __forceinline__ void positions(const GeneralPositionsParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    const Spot s = spot(p.width, p.channels / COUNT);
    if (!s.is_inside) return;
    const int half = p.real / 2;
    const float* row = p.table + (u64)(u32)s.y * (u32)half;
    const float* column = p.table + (u64)(u32)(p.height + s.x) * (u32)half;
    const u64 at = pixel_at(s.n, s.y, s.x, p.height, p.width, p.channels) + (u32)(s.unit * COUNT);
    float v[COUNT];
    load_pack(static_cast<const T*>(p.from) + at, v);
    float largest = 0.0f;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        const int c = s.unit * COUNT + i;
        if (c < p.real) v[i] += c < half ? row[c] : column[c - half];
        largest = larger(largest, v[i]);
    }
    store_pack(static_cast<T*>(p.to) + at, v);
    note_overflow<T>(p.overflow, largest);
}

GENERAL_ENTRIES(layer_norm, GeneralLayerNormParams)
GENERAL_ENTRIES(positions, GeneralPositionsParams)
