// Statistics of a convolution's output, gathered from its accumulators, rounded as they are stored.
//
// Every lane gathers (count, mean, sum of squared distances) of its rows. A warp merges its lanes by
// Chan's formula (Chan, Golub, LeVeque 1983), so that each lane ends with a share of the columns, and adds
// them to its result of the previous tiles. At the end a CTA merges its warps, the last CTA of a group
// merges the group, and the last group merges all of them into the scale and mean that the next layer
// applies: two short merges instead of one long one, because the next launch waits for them. On Hopper, CTAs that are all on
// the device exchange their parts instead (tagged.cuh) and merge all of them
// at once: the mean first, counted from one part's mean, then the distances from it. Every order
// is fixed by the shape. No floating-point atomics: equal input gives equal bits. Sums of squares are not
// used, because they cancel if a channel's mean is far from zero.
#pragma once
#include "conv_params.cuh"

namespace sf {

// Synchronises all computing threads of the CTA; a warp that loads weights does not take part.
__device__ __forceinline__ void sync_team() { asm volatile("bar.sync 1, 256;" ::: "memory"); }

// The same, and returns to all of them whether the condition holds for any.
__device__ __forceinline__ bool sync_team_or(bool mine) {
    u32 any;
    asm volatile("{\n"
                 ".reg .pred mine, any;\n"
                 "setp.ne.u32 mine, %1, 0;\n"
                 "bar.red.or.pred any, 1, 256, mine;\n"
                 "selp.u32 %0, 1, 0, any;\n"
                 "}"
                 : "=r"(any)
                 : "r"((u32)mine)
                 : "memory");
    return any != 0;
}

template <int SLOTS, int BN> struct StatisticsMemory {
    float count[SLOTS];
    float mean[SLOTS][BN];
    float squares[SLOTS][BN];
    alignas(16) float reduce[3][256];
};

// The share of b in a merge of na and nb values; 0 if both are 0.
__device__ __forceinline__ float chan_share(float na, float nb) {
    return nb > 0.0f ? __fdividef(nb, na + nb) : 0.0f;
}
__device__ __forceinline__ float inverse_or_zero(float count) { return count > 0.0f ? __fdividef(1.0f, count) : 0.0f; }

// The statistics of a lane: one count for all of its columns. Of every LANES columns of a thread a lane
// keeps one, the one at `first` from their start; if a thread has fewer, all lanes keep the same.
template <class Core> struct LaneStatistics {
    static constexpr int LANES = 32 / Core::FIRST_LANE_MASK;  // that share columns
    static constexpr int GROUP = Core::COLUMNS < LANES ? Core::COLUMNS : LANES;
    static constexpr int COLUMNS = Core::COLUMNS / GROUP;
    float count;
    float mean[COLUMNS];
    float squares[COLUMNS];

    __device__ __forceinline__ void clear() {
        count = 0.0f;
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) mean[c] = squares[c] = 0.0f;
    }

    // Column of the thread that is kept at index `c`.
    __device__ __forceinline__ static int column(int c) {
        int first = 0;
#pragma unroll
        for (int mask = 16, left = GROUP; mask >= Core::FIRST_LANE_MASK && left > 1; mask /= 2) {
            left /= 2;
            if (threadIdx.x & mask) first += left;
        }
        return c * GROUP + first;
    }

    // How the lanes that differ in one bit merge: the share of the upper one's values, and what the
    // weight of the squared distance of their means.
    struct Step {
        float share;
        float weight;
    };

    // Merges the lanes that differ in the bit MASK and on: of N columns each keeps half, of one both.
    template <int N, int MASK, int AT>
    __device__ __forceinline__ static void exchange(const Step (&steps)[5], float (&m)[GROUP], float (&q)[GROUP]) {
        if constexpr (MASK >= Core::FIRST_LANE_MASK) {
            const bool upper = threadIdx.x & MASK;
            constexpr int LEFT = N > 1 ? N / 2 : 1, OTHER = N > 1 ? LEFT : 0;
#pragma unroll
            for (int i = 0; i < LEFT; ++i) {
                const float own_mean = upper ? m[i + OTHER] : m[i], sent_mean = upper ? m[i] : m[i + OTHER];
                const float own_squares = upper ? q[i + OTHER] : q[i], sent_squares = upper ? q[i] : q[i + OTHER];
                const float other_mean = __shfl_xor_sync(0xffffffffu, sent_mean, MASK);
                const float other_squares = __shfl_xor_sync(0xffffffffu, sent_squares, MASK);
                // The lower lane's part is always first, so both lanes compute the same bits.
                const float a = upper ? other_mean : own_mean, b = upper ? own_mean : other_mean;
                m[i] = fmaf(b - a, steps[AT].share, a);
                q[i] = fmaf((b - a) * (b - a), steps[AT].weight, own_squares + other_squares);
            }
            exchange<LEFT, MASK / 2, AT + 1>(steps, m, q);
        }
    }

    // How the values of one tile are merged.
    struct Joining {
        u32 valid;  // bit i is set where row i of this thread is a pixel of the map
        float part;  // 1 / number of this thread's valid rows
        Step steps[5];
        float share, weight;  // share of all lanes' values in the merged statistics
    };

    // Begins one tile. Then every group of columns is added.
    __device__ __forceinline__ Joining begin(u32 valid) {
        Joining j;
        j.valid = valid;
        const float mine = (float)__popc(valid);
        j.part = inverse_or_zero(mine);
        float n = mine;
#pragma unroll
        for (int at = 0, mask = 16; mask >= Core::FIRST_LANE_MASK; ++at, mask /= 2) {
            const float theirs = __shfl_xor_sync(0xffffffffu, n, mask);
            const float na = threadIdx.x & mask ? theirs : n, nb = threadIdx.x & mask ? n : theirs;
            j.steps[at].share = chan_share(na, nb);
            j.steps[at].weight = na * j.steps[at].share;
            n += theirs;
        }
        j.share = chan_share(count, n);
        j.weight = count * j.share;
        count += n;
        return j;
    }

    // Adds the columns from g * GROUP on.
    __device__ __forceinline__ void take_group(Core& core, const Joining& j, int g) {
        float m[GROUP], q[GROUP];
#pragma unroll
        for (int c = 0; c < GROUP; ++c) {
            float sum = 0.0f;
#pragma unroll
            for (int r = 0; r < Core::ROWS; ++r) sum += j.valid >> r & 1u ? core.value(r, g * GROUP + c) : 0.0f;
            m[c] = sum * j.part;
            q[c] = 0.0f;
#pragma unroll
            for (int r = 0; r < Core::ROWS; ++r) {
                const float d = core.value(r, g * GROUP + c) - m[c];
                q[c] = j.valid >> r & 1u ? fmaf(d, d, q[c]) : q[c];
            }
        }
        exchange<GROUP, 16, 0>(j.steps, m, q);
        // Merges this tile with the tiles before.
        const float delta = m[0] - mean[g];
        mean[g] = fmaf(delta, j.share, mean[g]);
        squares[g] += fmaf(delta * delta, j.weight, q[0]);
    }
};

// Writes a value for the launch's other CTAs, then counts; returns whether this is the last of `of` arrivals. The writes of all
// CTAs before their arrival are visible to it afterwards.
__device__ __forceinline__ bool arrives_last(u32* ticket, u32 of) {
    // The CTA's writes are before its one arrival.
    sync_team();
    bool last = false;
    if (threadIdx.x == 0) {
        u32 before;
        // Releases the CTA's writes and acquires the others'.
        asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(ticket) : "memory");
        last = before == of - 1u;
        if (last) *ticket = 0u;
    }
    return sync_team_or(last);
}

// The sum of some values: neighbours first, then neighbouring sums.
template <int COUNT> __device__ __forceinline__ float sum_of(const float (&values)[COUNT]) {
    float v[COUNT];
#pragma unroll
    for (int k = 0; k < COUNT; ++k) v[k] = values[k];
#pragma unroll
    for (int apart = 1; apart < COUNT; apart *= 2)
#pragma unroll
        for (int k = 0; k + apart < COUNT; k += 2 * apart) v[k] += v[k + apart];
    return v[0];
}

// A part's contribution to the sum of distances from `pivot`. Rounded, so that it is the same wherever it is added.
__device__ __forceinline__ float moved(float count, float mean, float pivot) { return __fmul_rn(count, mean - pivot); }
// Its contribution to the sum of squared distances from the mean of all, which is `sum` times `inverse` above the pivot.
__device__ __forceinline__ float spread(float count, float above_pivot, float squares, float sum, float inverse) {
    const float distance = fmaf(-sum, inverse, above_pivot);
    return fmaf(__fmul_rn(count, distance), distance, squares);
}

// One channel's part of a merge.
struct Part {
    float count;
    float mean;
    float squares;

    // Merges all of them at once; count and squares of missing parts are zero.
    template <int COUNT> __device__ __forceinline__ static Part all(const float (&n)[COUNT], const float (&m)[COUNT],
                                                                   const float (&q)[COUNT]) {
        float v[COUNT];
#pragma unroll
        for (int k = 0; k < COUNT; ++k) v[k] = moved(n[k], m[k], m[0]);
        const float count = sum_of(n), sum = sum_of(v), inverse = inverse_or_zero(count);
#pragma unroll
        for (int k = 0; k < COUNT; ++k) v[k] = spread(n[k], m[k] - m[0], q[k], sum, inverse);
        return Part{count, fmaf(sum, inverse, m[0]), sum_of(v)};
    }
};

// Maximum number of parts that are merged at once: a warp's lanes, between the layers of a chain.
constexpr int MOST_PARTS = 32;

// Merges `count` parts at `parts`, (part, 3, BN), at most MOST_PARTS, every `apart`-th of them, by all threads of the CTA, for channel
// threadIdx.x % BN. A thread's loads are in flight together.
template <int BN, class Memory>
__device__ __forceinline__ Part merge_parts(const float* parts, int apart, int count, Memory& memory) {
    constexpr int THREADS = 256 / BN, MOST = MOST_PARTS / THREADS;
    static_assert(256 % BN == 0 && MOST_PARTS % THREADS == 0, "no part is left out");
    const int thread = thread_number(), c = thread % BN, first = thread / BN * MOST;
    // Bypasses the L1 cache, which may contain old data.
    const float pivot = __ldcg(parts + BN + c);
    float n[MOST], m[MOST], q[MOST], v[MOST];
#pragma unroll
    for (int k = 0; k < MOST; ++k) {
        const bool is_there = first + k < count;
        const float* part = parts + (long long)(first + k) * apart * (3 * BN) + c;
        n[k] = is_there ? __ldcg(part) : 0.0f;
        m[k] = is_there ? __ldcg(part + BN) : pivot;
        q[k] = is_there ? __ldcg(part + 2 * BN) : 0.0f;
    }
#pragma unroll
    for (int k = 0; k < MOST; ++k) v[k] = moved(n[k], m[k], pivot);
    memory.reduce[0][thread] = sum_of(n);
    memory.reduce[1][thread] = sum_of(v);
    // All threads' sums are complete.
    sync_team();
    float counts[THREADS], moves[THREADS];
#pragma unroll
    for (int k = 0; k < THREADS; ++k) {
        counts[k] = memory.reduce[0][k * BN + c];
        moves[k] = memory.reduce[1][k * BN + c];
    }
    const float total = sum_of(counts), sum = sum_of(moves), inverse = inverse_or_zero(total);
#pragma unroll
    for (int k = 0; k < MOST; ++k) v[k] = spread(n[k], m[k] - pivot, q[k], sum, inverse);
    memory.reduce[2][thread] = sum_of(v);
    // The squares are complete.
    sync_team();
#pragma unroll
    for (int k = 0; k < THREADS; ++k) moves[k] = memory.reduce[2][k * BN + c];
    return Part{total, fmaf(sum, inverse, pivot), sum_of(moves)};
}

// Passes the lanes' statistics to the CTA; the caller synchronises afterwards.
template <class Core, int BN>
__device__ __forceinline__ void gather_warps(const LaneStatistics<Core>& own, StatisticsMemory<Core::SLOTS, BN>& memory) {
    typedef LaneStatistics<Core> Lane;
#pragma unroll
    for (int c = 0; c < Lane::COLUMNS; ++c) {
        // Lanes with the same column have the same values.
        memory.mean[Core::slot()][Core::column(Lane::column(c))] = own.mean[c];
        memory.squares[Core::slot()][Core::column(Lane::column(c))] = own.squares[c];
    }
    if (threadIdx.x % 32 == 0) memory.count[Core::slot()] = own.count;
}

// Merges the warps' parts of a channel.
template <int SLOTS, int BN>
__device__ __forceinline__ Part merge_warps(const StatisticsMemory<SLOTS, BN>& memory, int channel) {
    float n[SLOTS], m[SLOTS], q[SLOTS];
#pragma unroll
    for (int s = 0; s < SLOTS; ++s) {
        n[s] = memory.count[s];
        m[s] = memory.mean[s][channel];
        q[s] = memory.squares[s][channel];
    }
    return Part::all(n, m, q);
}

// Scale and mean of a channel, as the next layer applies them.
__device__ __forceinline__ void norm_factors(const ConvParams& p, const Part& all, int channel, float gamma,
                                             float& scale, float& mean) {
    const float variance = __fdividef(all.squares, all.count), unseen = all.mean * p.flat_share;
    // A plane whose spread is within rounding counts as flat: the norm would make the rounding as
    // large as any signal.
    const bool flat = channel >= p.norm_channels || variance <= unseen * unseen;
    scale = flat ? 0.0f : gamma / sqrtf(variance + p.eps);
    mean = all.mean;
}

// Writes a channel's part for other CTAs.
template <int BN> __device__ __forceinline__ void store_part(float* parts, int part, const Part& of_channel) {
    float* to = parts + (long long)part * (3 * BN) + threadIdx.x;
    to[0] = of_channel.count;
    to[BN] = of_channel.mean;
    to[2 * BN] = of_channel.squares;
}

// Merges this CTA's warps, whose parts are complete, publishes the result, and merges the CTAs: those of a group by
// the group's last, the groups by the last group. Every `merge_groups`-th CTA is of the same group.
template <int SLOTS, int BN>
__device__ __forceinline__ void finish_gathered(const ConvParams& p, StatisticsMemory<SLOTS, BN>& memory) {
    const int image = blockIdx.z, n_tile = blockIdx.y;
    // Values derived from them are not computed earlier: keeping them would take registers.
    int ctas = gridDim.x, groups = p.merge_groups;
    stay(ctas);
    stay(groups);
    const int plane = image * gridDim.y + n_tile;
    float* const of_ctas = p.partials + (long long)plane * (ctas + groups) * (3 * BN);
    float* of_groups = of_ctas;
    u32* tickets = p.tickets + plane * (groups + 1);
    if (threadIdx.x < BN) store_part<BN>(of_ctas, blockIdx.x, merge_warps(memory, threadIdx.x));
    if (ctas > groups) {
        const int group = (u32)blockIdx.x % (u32)groups, in_group = (u32)(ctas - group + groups - 1) / (u32)groups;
        of_groups += (long long)ctas * (3 * BN);
        if (!arrives_last(tickets + group, in_group)) return;
        const Part of_group = merge_parts<BN>(of_ctas + (long long)group * (3 * BN), groups, in_group, memory);
        if (threadIdx.x < BN) store_part<BN>(of_groups, group, of_group);
    }
    if (!arrives_last(tickets + groups, groups)) return;
    const Part all = merge_parts<BN>(of_groups, 1, groups, memory);
    const int channel = n_tile * BN + threadIdx.x;
    if (threadIdx.x < BN && channel < p.out_channels) {
        float scale, mean;
        norm_factors(p, all, channel, p.gamma[channel], scale, mean);
        p.out_scale[image * p.out_channels + channel] = scale;
        p.out_mean[image * p.out_channels + channel] = mean;
    }
}

// The same from the statistics of the team's threads.
template <class Own, int SLOTS, int BN>
__device__ __forceinline__ void finish_statistics(const ConvParams& p, const Own& own, StatisticsMemory<SLOTS, BN>& memory) {
    gather_warps(own, memory);
    // The warps' parts are complete.
    sync_team();
    finish_gathered(p, memory);
}

}  // namespace sf
