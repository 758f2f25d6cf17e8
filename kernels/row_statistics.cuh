// Statistics of a convolution's output from its tile in shared memory (chain_wgmma.cuh, deep_wgmma.cuh, pieces_wgmma.cuh):
// gathered by rows of pixels, from the values as they are stored. statistics.cuh merges them.
#pragma once
#include "statistics.cuh"

namespace sf {

// Statistics like LaneStatistics, gathered from rows of 8 pixels in shared memory: a thread has 8 channels. Values are taken by
// their distance from the first one, which costs at most a factor of their number in rounding.
struct RowStatistics {
    float count;
    float first[8];
    float sum[8];
    float squares[8];

    __device__ __forceinline__ void clear() {
        count = 0.0f;
#pragma unroll
        for (int c = 0; c < 8; ++c) first[c] = sum[c] = squares[c] = 0.0f;
    }

    // Adds the first `n` of some pixels, as they are stored.
    template <class S, int PIXELS> __device__ __forceinline__ void take(const uint4 (&row)[PIXELS], int n) {
        if (n <= 0) return;
        if (count == 0.0f) widen_pack<S>(row[0], first);
        count += (float)n;
#pragma unroll
        for (int k = 0; k < PIXELS; ++k) {
            if (k < n) {
                float value[8];
                widen_pack<S>(row[k], value);
#pragma unroll
                for (int c = 0; c < 8; ++c) {
                    const float d = value[c] - first[c];
                    sum[c] += d;
                    squares[c] = fmaf(d, d, squares[c]);
                }
            }
        }
    }

    // Mean and sum of squared distances from it, of a channel; `part` is 1 / count.
    __device__ __forceinline__ void channel(int c, float part, float& mean, float& squared) const {
        const float move = sum[c] * part;
        mean = first[c] + move;
        squared = fmaxf(fmaf(-move, sum[c], squares[c]), 0.0f);
    }
};

// Values of four channels.
struct Four {
    float4 all;
    __device__ __forceinline__ float& of(int k) { return k == 0 ? all.x : k == 1 ? all.y : k == 2 ? all.z : all.w; }
    __device__ __forceinline__ float of(int k) const { return k == 0 ? all.x : k == 1 ? all.y : k == 2 ? all.z : all.w; }
};

// Passes them to the CTA; the caller synchronises afterwards. The halves of a warp have the same channels. With
// JOINS they are merged with the values that the warp passed before.
template <bool JOINS = false, int SLOTS, int BN>
__device__ __forceinline__ void gather_warps(const RowStatistics& own, StatisticsMemory<SLOTS, BN>& memory) {
    static_assert(BN == 128, "16 threads have all channels");
    const int warp = threadIdx.x / 32 % SLOTS, first = threadIdx.x % 16 * 8;
    const float n = __shfl_down_sync(0xffffffffu, own.count, 16);
    const float share = chan_share(own.count, n), weight = own.count * share;
    const float before = JOINS ? memory.count[warp] : 0.0f, part = inverse_or_zero(own.count);
    const float joining = JOINS ? chan_share(before, own.count + n) : 0.0f, joining_weight = before * joining;
    // Four channels at a time, which are adjacent in shared memory.
#pragma unroll
    for (int c = 0; c < 8; c += 4) {
        float4* const means = reinterpret_cast<float4*>(memory.mean[warp] + first + c);
        float4* const squares = reinterpret_cast<float4*>(memory.squares[warp] + first + c);
        const Four means_there = {JOINS ? *means : float4{}}, squares_there = {JOINS ? *squares : float4{}};
        Four mean, squared;
#pragma unroll
        for (int k = 0; k < 4; ++k) {
            float m, q;
            own.channel(c + k, part, m, q);
            const float theirs = __shfl_down_sync(0xffffffffu, m, 16), more = __shfl_down_sync(0xffffffffu, q, 16);
            const float delta = theirs - m;
            m = fmaf(delta, share, m);
            q += fmaf(delta * delta, weight, more);
            const float there = means_there.of(k), step = m - there;
            mean.of(k) = JOINS ? fmaf(step, joining, there) : m;
            squared.of(k) = JOINS ? squares_there.of(k) + fmaf(step * step, joining_weight, q) : q;
        }
        if (threadIdx.x % 32 < 16) {
            *means = mean.all;
            *squares = squared.all;
        }
    }
    // The count is read.
    if (JOINS) __syncwarp();
    if (threadIdx.x % 32 == 0) memory.count[warp] = before + own.count + n;
    if (JOINS) __syncwarp();
}

}  // namespace sf
