// The parameters of every attention kernel.
#pragma once
#include "element.cuh"

namespace sf {

// Maps are rows of tokens: token t of image n at (n * tokens + t) * pitch; the pointers are to the first
// channel of the first head. `scores` is only used by the kernels that store them. `scale` is the factor of a product of a query
// and a key: log2(e) / sqrt(head_size), because weights are powers of two.
struct AttentionParams {
    const void* queries;
    const void* keys;
    const void* values;
    void* to;
    float* scores;
    u32* overflow;
    int query_tokens;
    int key_tokens;
    int query_pitch;
    int key_pitch;
    int value_pitch;
    int to_pitch;
    int heads;
    int head_size;
    int batch;
    float scale;
};
static_assert(sizeof(AttentionParams) == 88, "mirrored in params.rs");

// Index of the first value of a token's head in a map.
template <class T>
__device__ __forceinline__ T* head_of(T* map, int n, int tokens, int token, int pitch, int head, int head_size) {
    return map + ((u64)n * (u32)tokens + (u32)token) * (u32)pitch + (u32)(head * head_size);
}

// 2 to the power of x; 0 for minus infinity. Weights that underflow count as 0.
__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

}  // namespace sf
