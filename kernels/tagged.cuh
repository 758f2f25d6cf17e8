// Statistics that Hopper's CTAs exchange in memory: each value has a tag, 16 bytes that are written and read in one
// piece. A reader polls a value until its tag is the expected one, so no barrier is needed.
//
// The merges are those of statistics.cuh, in the same order: a group's parts are merged by a lane and the groups by its warp. Used
// between the layers of a chain (exchange.cuh) and at the end of a launch.
#pragma once
#include "hopper.cuh"
#include "statistics.cuh"

namespace sf {

// A value and whether it has arrived.
struct Tagged {
    u32 tag;
    Part part;
};

__device__ __forceinline__ void copy_four(float* to, const float* from) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    to[0] = four.x; to[1] = four.y; to[2] = four.z; to[3] = four.w;
}

__device__ __forceinline__ void store_tagged(uint4* to, u32 tag, const Part& part) {
    const u64 low = (u64)tag | (u64)__float_as_uint(part.count) << 32;
    const u64 high = (u64)__float_as_uint(part.mean) | (u64)__float_as_uint(part.squares) << 32;
    asm volatile("{\n.reg .b128 all;\nmov.b128 all, {%1, %2};\nst.relaxed.gpu.global.b128 [%0], all;\n}" ::"l"(to),
                 "l"(low), "l"(high)
                 : "memory");
}

// If it has not arrived: zeros, with the tag `tag`.
__device__ __forceinline__ Tagged load_tagged(const uint4* from, bool is_there = true, u32 tag = 0) {
    u64 low = tag, high = 0;
    asm volatile("{\n.reg .b128 all;\n.reg .pred there;\nsetp.ne.u32 there, %3, 0;\nmov.b128 all, {%0, %1};\n"
                 "@there ld.relaxed.gpu.global.b128 all, [%2];\nmov.b128 {%0, %1}, all;\n}"
                 : "+l"(low), "+l"(high)
                 : "l"(from), "r"((u32)is_there)
                 : "memory");
    return Tagged{(u32)low, Part{__uint_as_float((u32)(low >> 32)), __uint_as_float((u32)high),
                                 __uint_as_float((u32)(high >> 32))}};
}

// Waits for a group's parts, those of the CTAs `first`, `first` + 32 and so on of `ctas`, at most MOST of them, and merges them.
// `from`: CTA 0's.
template <int MOST> __device__ __forceinline__ Part wait_for_group(const uint4* from, int first, int ctas, u32 tag) {
    Tagged seen[MOST];
    bool waits;
    Rounds rounds;
    do {
        // All loads are in flight together.
#pragma unroll
        for (int k = 0; k < MOST; ++k) seen[k] = load_tagged(from + first + MOST_PARTS * k, first + MOST_PARTS * k < ctas, tag);
        waits = false;
#pragma unroll
        for (int k = 0; k < MOST; ++k) waits |= seen[k].tag != tag;
        rounds.next();
    } while (waits);
    float n[MOST], m[MOST], q[MOST];
#pragma unroll
    for (int k = 0; k < MOST; ++k) {
        n[k] = seen[k].part.count;
        m[k] = seen[k].part.mean;
        q[k] = seen[k].part.squares;
    }
    return Part::all(n, m, q);
}

// The sum of the lanes of a warp in the order of sum_of: by shuffles, or through `place`, shared memory for a value of each lane.
template <bool SHUFFLES> __device__ __forceinline__ float sum_of_lanes(float value, float* place) {
    if constexpr (SHUFFLES) {
#pragma unroll
        for (int apart = 1; apart < MOST_PARTS; apart *= 2) value += __shfl_xor_sync(0xffffffffu, value, apart);
        return value;
    }
    place[thread_number() % 32] = value;
    __syncwarp();
    float all[MOST_PARTS];
#pragma unroll
    for (int k = 0; k < MOST_PARTS; k += 4) copy_four(all + k, place + k);
    __syncwarp();
    return sum_of(all);
}

// Merges the groups, of which each lane has one. `place` and `of_counts` as in sum_of_lanes.
template <bool SHUFFLES> __device__ __forceinline__ Part merge_lanes(const Part& part, float* place, float* of_counts) {
    float pivot;
    if constexpr (SHUFFLES) {
        pivot = __shfl_sync(0xffffffffu, part.mean, 0);
    } else {
        of_counts[thread_number() % 32] = part.mean;
        __syncwarp();
        pivot = of_counts[0];
        __syncwarp();
    }
    const float count = sum_of_lanes<SHUFFLES>(part.count, of_counts);
    const float sum = sum_of_lanes<SHUFFLES>(moved(part.count, part.mean, pivot), place), inverse = inverse_or_zero(count);
    const float squares = sum_of_lanes<SHUFFLES>(spread(part.count, part.mean - pivot, part.squares, sum, inverse), place);
    return Part{count, fmaf(sum, inverse, pivot), squares};
}

// CTAs of an image and a tile of channels that merge its parts at the end of a launch: so few that waiting CTAs never occupy all the
// slots of those that they wait for (may_poll in conv.rs).
constexpr int MERGING_CTAS = 32;

// The end of a launch whose CTAs are all on the device at once: like finish_gathered, but the first CTAs merge all parts, some channels
// each, without counting arrivals. A group has at most MOST CTAs. The parts are in the memory of the tickets, which is zero before and after.
template <bool SHUFFLES, int MOST, int SLOTS, int BN>
__device__ __forceinline__ void finish_polling(const ConvParams& p, StatisticsMemory<SLOTS, BN>& memory) {
    int ctas = gridDim.x;
    stay(ctas);
    const int image = blockIdx.z, n_tile = blockIdx.y, thread = thread_number(), lane = thread % 32, warp = thread / 32;
    uint4* const parts = reinterpret_cast<uint4*>(p.tickets) + (long long)(image * gridDim.y + n_tile) * ctas * BN;
    if (thread < BN) store_tagged(parts + (long long)thread * ctas + blockIdx.x, 1u, merge_warps(memory, thread));
    const int merging = min(ctas, MERGING_CTAS);
    if ((int)blockIdx.x >= merging) return;
#pragma unroll 1
    for (int c = blockIdx.x + warp * merging; c < BN; c += 8 * merging) {
        const int channel = n_tile * BN + c;
        const bool is_there = channel < p.out_channels;
        const float gamma = is_there ? p.gamma[channel] : 0.0f;
        uint4* const of_channel = parts + (long long)c * ctas;
        const Part part = wait_for_group<MOST>(of_channel, lane, ctas, 1u);
#pragma unroll 1
        for (int cta = lane; cta < ctas; cta += MOST_PARTS) store_tagged(of_channel + cta, 0u, Part{0.0f, 0.0f, 0.0f});
        const Part all = merge_lanes<SHUFFLES>(part, memory.reduce[0] + warp * 32, memory.reduce[1] + warp * 32);
        float scale, mean;
        norm_factors(p, all, channel, gamma, scale, mean);
        if (lane == 0 && is_there) {
            p.out_scale[image * p.out_channels + channel] = scale;
            p.out_mean[image * p.out_channels + channel] = mean;
        }
    }
}

// Merges a launch's statistics from those of the CTA's warps in `memory`: if all CTAs are on the device at once, they exchange
// them, otherwise the last ones merge. The team calls it.
template <bool SHUFFLES, int MOST, int SLOTS, int BN>
__device__ __forceinline__ void merge_launch(const ConvParams& p, StatisticsMemory<SLOTS, BN>& memory) {
    if (p.merge_groups == 0) {
        finish_polling<SHUFFLES, MOST>(p, memory);
    } else {
        finish_gathered(p, memory);
    }
}

// The same from the statistics of the team's threads.
template <bool SHUFFLES, int MOST, class Own, int SLOTS, int BN>
__device__ __forceinline__ void merge_launch(const ConvParams& p, const Own& own, StatisticsMemory<SLOTS, BN>& memory) {
    gather_warps(own, memory);
    // The warps' parts are complete.
    sync_team();
    merge_launch<SHUFFLES, MOST>(p, memory);
}

}  // namespace sf
