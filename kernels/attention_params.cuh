// The parameters of every attention kernel.
#pragma once
#include "element.cuh"

namespace sf {

// Maps are rows of tokens: token t of image n at (n * tokens + t) * pitch; the pointers are to the first
// channel of the first head. `scores` is only used by the kernels that store them. `scale` is the factor of a product of a query
// and a key: log2(e) / sqrt(head_size), because weights are powers of two.
struct AttentionParams {
    const void* queries;  // first channel of the queries in a map (n, query_tokens, query_pitch)
    const void* keys;  // first channel of the keys in a map (n, key_tokens, key_pitch)
    const void* values;  // first channel of the values in a map (n, key_tokens, value_pitch)
    void* to;  // map (n, query_tokens, to_pitch) to write; null if scores are written instead
    float* scores;  // fp32 (n, heads, query_tokens, key_tokens rounded up to 4) and (n, heads, query_tokens); null for kernels that store no scores
    u32* overflow;  // set if a value does not fit the map; unused for f32
    int query_tokens;  // number of queries
    int key_tokens;  // number of keys
    int query_pitch;  // channels of a token of queries, as stored
    int key_pitch;  // channels of a token of keys, as stored
    int value_pitch;  // channels of a token of values, as stored
    int to_pitch;  // channels of a token of `to`, as stored
    int heads;
    int head_size;  // channels of a head
    int batch;
    float scale;  // factor on the products of queries and keys: log2(e) / sqrt(head_size), because weights are powers of two
};
static_assert(sizeof(AttentionParams) == 88, "as params.rs lays it out");

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
