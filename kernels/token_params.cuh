// Shared by the linear layers on tokens: their parameters and GELU.
#pragma once
#include "general.cuh"

namespace sf {

// Of `token_linear_*`.
struct TokenLinearParams {
    const void* from;  // map (tokens, from_pitch)
    const void* weights;  // in the order that the kernel defines
    const void* residual;  // map (tokens, to_pitch), or null
    void* to;  // map (tokens, to_pitch) to write; may be the residual
    const float* bias;  // (to_pitch); after them, for a norm on Hopper, the sums of every output's weights
    u32* overflow;  // set if a value does not fit the map; null: not reported
    int tokens;  // of all images
    int channels;  // inputs that exist
    int from_pitch;  // inputs, padding included
    int weight_pitch;  // the same, up to a multiple of 64 bytes, or of 64 inputs on Hopper
    int to_pitch;  // outputs, padding included
    int is_gelu;  // GELU follows
    float eps;  // added to the variance
    int has_norm;  // the map's layer norm is multiplied; Hopper's kernels have separate entries for that
};
static_assert(sizeof(TokenLinearParams) == 80, "as params.rs lays it out");

// GELU: x times the share of a normal distribution below x, for results of type T. The share beyond |x| is two to the power of a
// polynomial, fitted so that the result is within 5e-7, or for fp32 4e-8; it keeps falling, so that it vanishes for large |x|.
template <class T> __device__ __forceinline__ float gelu(float x) {
    const float away = fabsf(x);
    float power;
    if constexpr (sizeof(T) == 4) {
        power = fmaf(away, -1.6903855e-6f, 2.5083087e-5f);
        power = fmaf(away, power, -1.1446146e-4f);
        power = fmaf(away, power, -3.2334565e-4f);
        power = fmaf(away, power, 0.00733339f);
        power = fmaf(away, power, -0.052714203f);
        power = fmaf(away, power, -0.45911545f);
        power = fmaf(away, power, -1.1511233f);
        power = fmaf(away, power, -0.99999887f);
    } else {
        power = fmaf(away, -0.000473303766f, 0.00708453107f);
        power = fmaf(away, power, -0.0518273459f);
        power = fmaf(away, power, -0.459992452f);
        power = fmaf(away, power, -1.15078786f);
        power = fmaf(away, power, -1.00003762f);
    }
    float share;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(share) : "f"(power));
    return fmaf(-away, share, fmaxf(x, 0.0f));
}

// Sum over the eight lanes that share a row.
__device__ __forceinline__ float sum_of_eight(float v) {
#pragma unroll
    for (int mask = 4; mask > 0; mask /= 2) v += __shfl_xor_sync(0xffffffffu, v, mask);
    return v;
}

}  // namespace sf
