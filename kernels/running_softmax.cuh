// Shared by the attention kernels with a running softmax: scores in the fragments of products.
#pragma once
#include "attention_params.cuh"

namespace sf {

// Minus infinity: the score of keys beyond the last one.
__device__ __forceinline__ float no_score() { return __int_as_float((int)0xff800000u); }

// Across the four lanes that share a row of a fragment.
__device__ __forceinline__ float sum_of_row(float v) {
    v += __shfl_xor_sync(0xffffffffu, v, 1);
    return v + __shfl_xor_sync(0xffffffffu, v, 2);
}

// Converts a block of scores of two rows of a fragment to weights: COUNT values, of which 4 i + {0, 1} belong to the first
// row and 4 i + {2, 3} to the second. Keeps the largest score and the sum of the weights so far of this lane's share,
// and returns the factor of everything so far.
template <int COUNT> struct Softmax {
    float largest[2];
    float sum[2];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            largest[r] = no_score();
            sum[r] = 0.0f;
        }
    }

    // Updates the largest scores by the block's; the sums so far are multiplied by `factor`.
    __device__ __forceinline__ void find_largest(const float (&s)[COUNT], float scale, float (&factor)[2]) {
        // Two chains per row, so that few values wait for the previous one.
        float most[4];
#pragma unroll
        for (int r = 0; r < 4; ++r) most[r] = r % 2 ? largest[r / 2] : s[2 * (r / 2)];
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
            float& m = most[i / 2 % 2 * 2 + i % 2];
            m = fmaxf(m, s[i]);
        }
#pragma unroll
        for (int r = 0; r < 2; ++r) most[r] = fmaxf(most[2 * r], most[2 * r + 1]);
#pragma unroll
        for (int r = 0; r < 2; ++r) most[r] = fmaxf(most[r], __shfl_xor_sync(0xffffffffu, most[r], 1));
#pragma unroll
        for (int r = 0; r < 2; ++r) most[r] = fmaxf(most[r], __shfl_xor_sync(0xffffffffu, most[r], 2));
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            factor[r] = power_of_two((largest[r] - most[r]) * scale);
            largest[r] = most[r];
            sum[r] *= factor[r];
        }
    }

    __device__ __forceinline__ void take(float (&s)[COUNT], float scale, float (&factor)[2]) {
        find_largest(s, scale, factor);
        float total[4] = {sum[0], 0.0f, sum[1], 0.0f};
        const float offset[2] = {largest[0] * scale, largest[1] * scale};
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
            s[i] = power_of_two(fmaf(s[i], scale, -offset[i / 2 % 2]));
            total[i / 2 % 2 * 2 + i % 2] += s[i];
        }
#pragma unroll
        for (int r = 0; r < 2; ++r) sum[r] = total[2 * r] + total[2 * r + 1];
    }
};

// Excludes the keys from `keys` on: `column` is the key of the lane's first score; both are counted from the start of the block.
template <int COUNT> __device__ __forceinline__ void leave_out(float (&s)[COUNT], int column, int keys) {
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        if (column + i / 4 * 8 + i % 2 >= keys) s[i] = no_score();
    }
}

}  // namespace sf
