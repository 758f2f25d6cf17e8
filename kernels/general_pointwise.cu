// Pointwise functions and arithmetic, for graphs that the specialised kernels do not compute.
//
// Computes, on maps of element.cuh, for every n, y, x, c:
//   general_pointwise   to = function(normalised(from) * scale[c] + shift[c]), where
//                       normalised(v) = (v - mean[n,c]) / sqrt(variance[n,c] + eps)
//   general_combine     to = a + b, a - b, a * b or a / b; one channel, row or column is broadcast
//
// Entries: each name above with _f32, _f16 and _bf16 (from sm_80 on), the type of the maps. Vectors of a channel are
// fp32; mean and variance are (n, channels), the others (channels).
//
// Layouts: maps and vectors are aligned to 16 bytes; channels are a multiple of 16, of which the first `real` exist. `to`
// may be `from`.
//
// Launch: block 256, grid (ceil(width * channels * sizeof(T) / 16 / 256), height, batch) of `to`, no shared memory;
// a thread per 16 bytes of the map.
//
// Work: at 512x512x32 fp16, 16.8 MB each are read and written for 8 to 30 MFLOP, about 1 FLOP per byte. Roofline: memory.
// Measured: NOT MEASURED.
//
// Numerics: arithmetic in fp32, rounded once to the map's type, to nearest even. A value outside the type's range sets
// `overflow`.
//
// Barriers: none; threads share nothing.
#include "entries.cuh"
#include "general.cuh"

using namespace sf;

// May be null: `mean` and `variance` (nothing is normalised), `scale` and `shift`, and `slopes`, which replace
// the function.
struct GeneralPointwiseParams {
    const void* from;  // map (n, height, width, channels)
    void* to;  // map to write; may be `from`
    const float* mean;  // fp32 (n, channels), or null
    const float* variance;  // fp32 (n, channels), if there is a mean
    const float* scale;  // fp32 (channels), or null
    const float* shift;  // fp32 (channels), if there is a scale
    const float* slopes;  // fp32 (channels), or null
    u32* overflow;  // set if a value does not fit the map; unused for f32
    int width;  // width in pixels
    int height;  // height in pixels
    int channels;  // channels, padding included
    int real;  // channels, without padding
    int function;  // the function that is applied to the values
    float first;  // the function's first parameter
    float second;  // the function's second parameter
    float eps;  // added to the variance
};
static_assert(sizeof(GeneralPointwiseParams) == 96, "as params.rs lays it out");

// For `a` and `b`, `channels` are those that exist, `stored` includes padding.
struct GeneralCombineParams {
    const void* a;  // map (n, a_height, a_width, a_stored)
    const void* b;  // map (n, b_height, b_width, b_stored)
    void* to;  // map (n, height, width, channels) to write
    u32* overflow;  // set if a value does not fit the map; unused for f32
    int a_width;  // width of `a`, or 1
    int a_height;  // height of `a`, or 1
    int a_channels;  // channels of `a`, without padding: `real`, or 1
    int a_stored;  // channels of `a`, padding included
    int b_width;  // width of `b`, or 1
    int b_height;  // height of `b`, or 1
    int b_channels;  // channels of `b`, without padding: `real`, or 1
    int b_stored;  // channels of `b`, padding included
    int width;  // width in pixels
    int height;  // height in pixels
    int channels;  // channels, padding included
    int real;  // channels, without padding
    int arithmetic;  // sum, difference, product or quotient
    int spare;
};
static_assert(sizeof(GeneralCombineParams) == 88, "as params.rs lays it out");

// The numbers are those of `Arithmetic` in crates/network/src/graph/op.rs, in its order.
enum { ARITHMETIC_SUM = 0, ARITHMETIC_DIFFERENCE = 1, ARITHMETIC_PRODUCT = 2, ARITHMETIC_QUOTIENT = 3 };

template <class T> __device__ __forceinline__ void pointwise(const GeneralPointwiseParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    Spot s = spot(p.width, p.channels / COUNT);
    if (!s.is_inside) return;
    const int channel = s.unit * COUNT;
    const u64 at = pixel_at(s.n, s.y, s.x, p.height, p.width, p.channels) + (u32)channel;
    float v[COUNT];
    load_pack(static_cast<const T*>(p.from) + at, v);
    const int of_image = s.n * p.channels + channel;
    float largest = 0.0f;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        if (p.mean) v[i] = (v[i] - p.mean[of_image + i]) * (1.0f / sqrtf(p.variance[of_image + i] + p.eps));
        if (p.scale) v[i] = v[i] * p.scale[channel + i] + p.shift[channel + i];
        if (p.slopes)
            v[i] = v[i] < 0.0f ? v[i] * p.slopes[channel + i] : v[i];
        else if (p.function != FUNCTION_NONE)
            v[i] = applied(p.function, v[i], p.first, p.second);
        if (channel + i >= p.real) v[i] = 0.0f;
        largest = larger(largest, v[i]);
    }
    store_pack(static_cast<T*>(p.to) + at, v);
    note_overflow<T>(p.overflow, largest);
}

// The values of a factor or addend at a position of the result.
template <class T>
__device__ __forceinline__ void load_spread(const void* map, const Spot& s, int width, int height, int channels, int stored,
                                            int real, float (&v)[Pack<T>::COUNT]) {
    constexpr int COUNT = Pack<T>::COUNT;
    const T* from = static_cast<const T*>(map) +
                    pixel_at(s.n, height == 1 ? 0 : s.y, width == 1 ? 0 : s.x, height, width, stored);
    if (channels == real) {
        load_pack(from + s.unit * COUNT, v);
        return;
    }
    const float one = widen(from[0]);
#pragma unroll
    for (int i = 0; i < COUNT; ++i) v[i] = one;
}

template <class T> __device__ __forceinline__ void combine(const GeneralCombineParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    Spot s = spot(p.width, p.channels / COUNT);
    if (!s.is_inside) return;
    float a[COUNT], b[COUNT];
    load_spread<T>(p.a, s, p.a_width, p.a_height, p.a_channels, p.a_stored, p.real, a);
    load_spread<T>(p.b, s, p.b_width, p.b_height, p.b_channels, p.b_stored, p.real, b);
    float largest = 0.0f;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        switch (p.arithmetic) {
            case ARITHMETIC_SUM: a[i] += b[i]; break;
            case ARITHMETIC_DIFFERENCE: a[i] -= b[i]; break;
            case ARITHMETIC_PRODUCT: a[i] *= b[i]; break;
            default: a[i] /= b[i];
        }
        if (s.unit * COUNT + i >= p.real) a[i] = 0.0f;
        largest = larger(largest, a[i]);
    }
    store_pack(static_cast<T*>(p.to) + pixel_at(s.n, s.y, s.x, p.height, p.width, p.channels) + s.unit * COUNT, a);
    note_overflow<T>(p.overflow, largest);
}

GENERAL_ENTRIES(pointwise, GeneralPointwiseParams)
GENERAL_ENTRIES(combine, GeneralCombineParams)
