// Statistics of a convolution's output, gathered from its accumulators, rounded as they are stored.
//
// Every warp reduces its pixels to (count, mean, sum of squared distances) per channel, the CTA merges
// its warps and tiles in a fixed order by Chan's formula (Chan, Golub, LeVeque 1983), and the last CTA
// to finish merges all CTAs, again in a fixed order, into the scale and shift that the next layer
// applies. No floating-point atomics: equal input gives equal bits. Sums of squares are not used, they
// cancel where a channel's mean is far from zero.
#pragma once
#include "conv_params.cuh"

namespace sf {

template <int SLOTS, int BN> struct StatisticsMemory {
    float count[SLOTS];
    float mean[SLOTS][BN];
    float squares[SLOTS][BN];
    float run_count;
    float run_mean[BN];
    float run_squares[BN];
    float reduce[256];
    float total[BN];
    int last;
};

template <int SLOTS, int BN> __device__ __forceinline__ void clear_statistics(StatisticsMemory<SLOTS, BN>& m) {
    for (int c = threadIdx.x; c < BN; c += blockDim.x) {
        m.run_mean[c] = 0.0f;
        m.run_squares[c] = 0.0f;
    }
    if (threadIdx.x == 0) m.run_count = 0.0f;
}

template <int FIRST> __device__ __forceinline__ float sum_over_lanes(float v) {
#pragma unroll
    for (int mask = FIRST; mask < 32; mask <<= 1) v += __shfl_xor_sync(0xffffffffu, v, mask);
    return v;
}

// Takes in one tile. `valid`: bit i is set where row i of this thread is a pixel of the map.
template <class Core, int BN>
__device__ __forceinline__ void take_statistics(Core& core, u32 valid, StatisticsMemory<Core::SLOTS, BN>& m) {
    const float count = sum_over_lanes<Core::FIRST_LANE_MASK>((float)__popc(valid));
    const float share = count > 0.0f ? 1.0f / count : 0.0f;
    // The first lanes of a warp, one for each set of columns, write for the others.
    const bool writes = (threadIdx.x % 32) < Core::FIRST_LANE_MASK;
#pragma unroll
    for (int c = 0; c < Core::COLUMNS; ++c) {
        float sum = 0.0f;
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) sum += (valid >> r) & 1u ? core.value(r, c) : 0.0f;
        const float mean = sum_over_lanes<Core::FIRST_LANE_MASK>(sum) * share;
        float squares = 0.0f;
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            const float d = core.value(r, c) - mean;
            squares += (valid >> r) & 1u ? d * d : 0.0f;
        }
        squares = sum_over_lanes<Core::FIRST_LANE_MASK>(squares);
        if (writes) {
            m.mean[Core::slot()][Core::column(c)] = mean;
            m.squares[Core::slot()][Core::column(c)] = squares;
        }
    }
    if (threadIdx.x % 32 == 0) m.count[Core::slot()] = count;
    // The warps' parts are complete.
    __syncthreads();
    float before = m.run_count;
    for (int c = threadIdx.x; c < BN; c += blockDim.x) {
        float n = before, mean = m.run_mean[c], squares = m.run_squares[c];
#pragma unroll
        for (int s = 0; s < Core::SLOTS; ++s) {
            const float part = m.count[s];
            if (part > 0.0f) {
                const float delta = m.mean[s][c] - mean, total = n + part, weight = part / total;
                mean += delta * weight;
                squares += m.squares[s][c] + delta * delta * n * weight;
                n = total;
            }
        }
        m.run_mean[c] = mean;
        m.run_squares[c] = squares;
    }
    // Everyone has read the old count and the parts before they change.
    __syncthreads();
    if (threadIdx.x == 0) {
        float n = before;
        for (int s = 0; s < Core::SLOTS; ++s) n += m.count[s];
        m.run_count = n;
    }
}

// Adds the groups' shares of a channel in a fixed order; everyone gets the sum.
template <int BN, int GROUPS, class Memory>
__device__ __forceinline__ float merge(Memory& m, float share, int c, int g) {
    m.reduce[threadIdx.x] = share;
    __syncthreads();
    if (g == 0) {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < GROUPS; ++i) sum += m.reduce[i * BN + c];
        m.total[c] = sum;
    }
    __syncthreads();
    return m.total[c];
}

// Publishes this CTA's statistics; the last CTA merges all of them.
template <int SLOTS, int BN>
__device__ __forceinline__ void finish_statistics(const ConvParams& p, StatisticsMemory<SLOTS, BN>& m) {
    const int image = blockIdx.z, n_tile = blockIdx.y, ctas = gridDim.x;
    const long long group = (long long)image * gridDim.y + n_tile;
    float* parts = p.partials + group * ctas * (3 * BN);
    __syncthreads();
    for (int c = threadIdx.x; c < BN; c += blockDim.x) {
        float* mine = parts + (long long)blockIdx.x * (3 * BN) + c;
        mine[0] = m.run_count;
        mine[BN] = m.run_mean[c];
        mine[2 * BN] = m.run_squares[c];
    }
    // Publishes the parts before the ticket says so.
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) m.last = atomicAdd(p.tickets + group, 1u) == (u32)ctas - 1u;
    __syncthreads();
    if (!m.last) return;
    __threadfence();

    constexpr int GROUPS = 256 / BN;
    const int c = threadIdx.x % BN, g = threadIdx.x / BN;
    const float* from = parts + c;
    float count = 0.0f, sum = 0.0f;
    for (int i = g; i < ctas; i += GROUPS) {
        const float n = __ldcg(from + (long long)i * (3 * BN));
        count += n;
        sum = fmaf(n, __ldcg(from + (long long)i * (3 * BN) + BN), sum);
    }
    const float total = merge<BN, GROUPS>(m, count, c, g);
    const float mean = merge<BN, GROUPS>(m, sum, c, g) / total;
    float squares = 0.0f;
    for (int i = g; i < ctas; i += GROUPS) {
        const float* part = from + (long long)i * (3 * BN);
        const float delta = __ldcg(part + BN) - mean;
        squares += __ldcg(part + 2 * BN) + __ldcg(part) * delta * delta;
    }
    squares = merge<BN, GROUPS>(m, squares, c, g);
    const int channel = n_tile * BN + c;
    if (g == 0 && channel < p.out_channels) {
        float scale = 0.0f, shift = 0.0f;
        if (channel < p.norm_channels) {
            scale = p.gamma[channel] / sqrtf(squares / total + p.eps);
            shift = fmaf(-mean, scale, p.beta[channel]);
        }
        p.out_scale[image * p.out_channels + channel] = scale;
        p.out_shift[image * p.out_channels + channel] = shift;
    }
    if (threadIdx.x == 0) p.tickets[group] = 0u;
}

}  // namespace sf
