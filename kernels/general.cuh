// Shared by the kernels of general graphs: positions in maps, edges, and pointwise functions.
//
// Maps are those of element.cuh. Padding channels are zero after every kernel.
#pragma once
#include "element.cuh"

namespace sf {

// Values beyond the edge of a map: the numbers are those of `Edge` in crates/plan/src/cuda/general/launch.rs.
enum { EDGE_OUTSIDE = 0, EDGE_MIRRORED = 1, EDGE_REPEATED = 2 };

// Pointwise functions: the numbers are those of `PointFunction` in crates/plan/src/cuda/general/launch.rs.
enum {
    FUNCTION_NONE = 0,
    FUNCTION_RELU = 1,
    FUNCTION_LEAKY_RELU = 2,
    FUNCTION_ELU = 3,
    FUNCTION_SIGMOID = 4,
    FUNCTION_HARD_SIGMOID = 5,
    FUNCTION_TANH = 6,
    FUNCTION_CLIP = 7,
    FUNCTION_SQRT = 8,
    FUNCTION_RECIPROCAL = 9,
    FUNCTION_ABS = 10,
    FUNCTION_EXP = 11,
    FUNCTION_SOFTPLUS = 12,
    FUNCTION_ERF = 13,
    FUNCTION_GELU = 14,
};

// The function of a value; `first` and `second` are its parameters. Not inlined: it is the
// same for all values of a launch, and unrolled loops would contain it many times.
__device__ __noinline__ float applied(int function, float x, float first, float second) {
    switch (function) {
        // Written so that a NaN is kept.
        case FUNCTION_RELU: return x < 0.0f ? 0.0f : x;
        case FUNCTION_LEAKY_RELU: return x < 0.0f ? first * x : x;
        case FUNCTION_ELU: return x < 0.0f ? first * expm1f(x) : x;
        case FUNCTION_SIGMOID: return 1.0f / (1.0f + expf(-x));
        case FUNCTION_HARD_SIGMOID: return fminf(fmaxf(first * x + second, 0.0f), 1.0f);
        case FUNCTION_TANH: return tanhf(x);
        case FUNCTION_CLIP: return fminf(fmaxf(x, first), second);
        case FUNCTION_SQRT: return sqrtf(x);
        case FUNCTION_RECIPROCAL: return 1.0f / x;
        case FUNCTION_ABS: return fabsf(x);
        case FUNCTION_EXP: return expf(x);
        case FUNCTION_SOFTPLUS: return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
        case FUNCTION_ERF: return erff(x);
        // By the complement, which is precise if the function is near zero.
        case FUNCTION_GELU: return 0.5f * x * erfcf(-0.70710678f * x);
        default: return x;
    }
}

// The value from which a type of 16 bits rounds to infinity, and the bits that are set in infinity and NaN only. Maps in
// fp32 have a limit only if they are rounded to halves for products.
template <class T> struct Range;
template <> struct Range<float> { static constexpr float END = 65520.0f; };
template <> struct Range<half_t> {
    static constexpr float END = 65520.0f;
    static constexpr u32 EXPONENT = 0x7c00u;
};
template <> struct Range<bfloat_t> {
    static constexpr float END = 3.3961775e38f;
    static constexpr u32 EXPONENT = 0x7f80u;
};

// Reports that a value does not fit 16 bits, if requested. A NaN counts too.
template <class T> __device__ __forceinline__ void note_overflow(u32* overflow, float largest) {
    // All writers write the same value.
    if (overflow != nullptr && !(largest < Range<T>::END)) *overflow = 1u;
}

// The larger magnitude; keeps a NaN.
__device__ __forceinline__ float larger(float largest, float v) {
    float magnitude = fabsf(v);
    return magnitude <= largest ? largest : magnitude;
}

// The index on a side of a map that a position reads; -1 if it reads the fill value.
__device__ __forceinline__ int place_on(int position, int side, int edge) {
    if ((u32)position < (u32)side) return position;
    if (edge == EDGE_MIRRORED) return reflected(position, side);
    if (edge == EDGE_REPEATED) return position < 0 ? 0 : side - 1;
    return -1;
}

// Index of the first value of a pixel.
__device__ __forceinline__ u64 pixel_at(int n, int y, int x, int height, int width, int channels) {
    return (((u64)n * (u32)height + (u32)y) * (u32)width + (u32)x) * (u32)channels;
}

// The position of a thread of the row grid: unit `unit` of `units` of a pixel of row y of image n. The grid is
// (ceil(width * units / 256), height, batch), blocks have 256 threads.
struct Spot {
    int n;
    int y;
    int x;
    int unit;
    bool is_inside;
};

__device__ __forceinline__ Spot spot(int width, int units) {
    int at = (int)(blockIdx.x * 256 + threadIdx.x);
    Spot s;
    s.n = (int)blockIdx.z;
    s.y = (int)blockIdx.y;
    s.x = at / units;
    s.unit = at - s.x * units;
    s.is_inside = s.x < width;
    return s;
}

}  // namespace sf
