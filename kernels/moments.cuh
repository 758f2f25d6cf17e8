// Mean and variance of a map's channels: one pass, no cancellation, the same bits every time.
//
// Values are gathered as (count, mean, M2), M2 being the sum of squared distances from the mean,
// and two such triples are merged by Chan's formula:
//   n = na + nb,  d = mean_b - mean_a,  mean = mean_a + d * nb / n,  M2 = M2a + M2b + d^2 * na * nb / n
// A sum of squares would cancel if |mean| >> std. The order of all merges is fixed by the shape.
//
// The threads of a block are rows x lanes over the pixels x packs of a map: thread t has lane
// t % packs (16 bytes of channels) and row t / packs; rows walk over the pixels together. Threads
// beyond rows * packs have no lane and gather nothing.
#pragma once
#include "element.cuh"

namespace sf {

struct Moments {
    float mean;
    float m2;
};

// The share of b in a merge of na and nb values. Exactly 0 or 1 when one side is empty; otherwise the fast
// quotient is sufficient: its error (2 ulp) scales the difference of two means, not a mean.
__device__ __forceinline__ float share_of(float na, float nb) {
    float share = __fdividef(nb, na + nb);
    return nb > 0.0f ? (na > 0.0f ? share : 1.0f) : 0.0f;
}

// Merges b into a, which has `na` values; `share` is share_of(na, nb).
__device__ __forceinline__ void merge(Moments& a, const Moments& b, float na, float share) {
    float d = b.mean - a.mean;
    a.mean += d * share;
    a.m2 += b.m2 + d * d * (na * share);
}

// A thread's row and lane in its block.
struct Seat {
    int lane;
    int row;
    int rows;
    bool is_taken;
};

__device__ __forceinline__ Seat seat(int packs, int threads) {
    Seat s;
    s.rows = threads / packs;
    s.row = (int)threadIdx.x / packs;
    s.lane = (int)threadIdx.x - s.row * packs;
    s.is_taken = s.row < s.rows;
    return s;
}

// The statistics of one thread: one count for all the channels of its lane.
template <class T> struct Gathered {
    static constexpr int COUNT = Pack<T>::COUNT;
    float count = 0.0f;
    Moments of[COUNT] = {};

    // Adds the values of one pixel.
    __device__ __forceinline__ void take(const float (&v)[COUNT]) {
        float share = share_of(count, 1.0f), before = count;
        count += 1.0f;
#pragma unroll
        for (int i = 0; i < COUNT; ++i) merge(of[i], Moments{v[i], 0.0f}, before, share);
    }

    // Adds the values of four pixels: one merge for four.
    __device__ __forceinline__ void take(const float (&v)[4][COUNT]) {
        float share = share_of(count, 4.0f), before = count;
        count += 4.0f;
#pragma unroll
        for (int i = 0; i < COUNT; ++i) {
            Moments four;
            four.mean = ((v[0][i] + v[1][i]) + (v[2][i] + v[3][i])) * 0.25f;
            four.m2 = 0.0f;
#pragma unroll
            for (int k = 0; k < 4; ++k) {
                float d = v[k][i] - four.mean;
                four.m2 += d * d;
            }
            merge(of[i], four, before, share);
        }
    }
};

// Merges the statistics of all threads of a block, and calls finish(channel, count, moments) once for
// each of the packs * COUNT channels, on thread `channel % THREADS`. All threads call this. `slots`
// and `counts` are shared memory: a slot of packs * COUNT moments for each row, or for each warp
// if packs divides 32; THREADS * COUNT moments and THREADS counts are enough for any packs.
//
// First within each warp by shuffles, if lanes repeat within a warp (packs divides 32), then the
// warps, or otherwise the rows, one after the other.
template <int THREADS, class T, class Finish>
__device__ __forceinline__ void merge_block(Gathered<T>& own, const Seat& at, int packs,
                                            Moments* slots, float* counts, Finish finish) {
    constexpr int COUNT = Pack<T>::COUNT;
    int channels = packs * COUNT, slot = at.row, used = at.rows;
    bool writes = at.is_taken;
    if (32 % packs == 0) {
        // THREADS is a multiple of 32, so every thread has a lane. Only the first `packs` threads
        // of a warp end with the result; the other values are not used.
#pragma unroll 1
        for (int offset = 16; offset >= packs; offset >>= 1) {
            float theirs = __shfl_down_sync(0xffffffffu, own.count, offset);
            float share = share_of(own.count, theirs);
#pragma unroll
            for (int i = 0; i < COUNT; ++i) {
                Moments other;
                other.mean = __shfl_down_sync(0xffffffffu, own.of[i].mean, offset);
                other.m2 = __shfl_down_sync(0xffffffffu, own.of[i].m2, offset);
                merge(own.of[i], other, own.count, share);
            }
            own.count += theirs;
        }
        slot = (int)threadIdx.x / 32;
        used = THREADS / 32;
        writes = (int)threadIdx.x % 32 < packs;
    }
    if (writes) {
#pragma unroll
        for (int i = 0; i < COUNT; ++i) slots[slot * channels + at.lane * COUNT + i] = own.of[i];
        // All lanes of a slot have seen the same pixels.
        if (at.lane == 0) counts[slot] = own.count;
    }
    // Orders the slots' writes before the reads of all of them.
    __syncthreads();
#pragma unroll 1
    for (int channel = (int)threadIdx.x; channel < channels; channel += THREADS) {
        Moments all = {0.0f, 0.0f};
        float count = 0.0f;
#pragma unroll 4
        for (int s = 0; s < used; ++s) {
            float theirs = counts[s];
            merge(all, slots[s * channels + channel], count, share_of(count, theirs));
            count += theirs;
        }
        finish(channel, count, all);
    }
}

// The factor of a channel's distances from its mean; the variance is the biased one.
__device__ __forceinline__ float scale_of(const Moments& all, float count, float eps, float gamma) {
    return gamma * (1.0f / sqrtf(all.m2 / count + eps));
}

}  // namespace sf
