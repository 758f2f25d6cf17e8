// What the CTAs of an image tell each other between two layers of a chain, without a launch in between:
// the statistics of what they wrote, and that it can be read.
//
// Values travel with a tag, 16 bytes that are written and read in one piece: who waits for a value reads it
// until its tag is the expected one, so no barrier is paid for. Every layer of every launch has a tag of
// its own, counted up from where the launch before ended. All CTAs of the launch have to be on the device
// at once.
//
// The merges are those of statistics.cuh, in the same order: a chain gives the bits that its layers give
// when they are launched one by one. A group's parts are merged by its members, each some of the channels;
// the groups' parts by every CTA for itself.
#pragma once
#include "chain_params.cuh"
#include "hopper.cuh"
#include "statistics.cuh"

namespace sf {

// A value and whether it is there.
struct Tagged {
    u32 tag;
    Part part;
};

__device__ __forceinline__ void store_tagged(uint4* to, u32 tag, const Part& part) {
    const u64 low = (u64)tag | (u64)__float_as_uint(part.count) << 32;
    const u64 high = (u64)__float_as_uint(part.mean) | (u64)__float_as_uint(part.squares) << 32;
    asm volatile("{\n.reg .b128 all;\nmov.b128 all, {%1, %2};\nst.relaxed.gpu.global.b128 [%0], all;\n}" ::"l"(to),
                 "l"(low), "l"(high)
                 : "memory");
}

__device__ __forceinline__ Tagged load_tagged(const uint4* from) {
    u64 low, high;
    asm volatile("{\n.reg .b128 all;\nld.relaxed.gpu.global.b128 all, [%2];\nmov.b128 {%0, %1}, all;\n}"
                 : "=l"(low), "=l"(high)
                 : "l"(from)
                 : "memory");
    return Tagged{(u32)low, Part{__uint_as_float((u32)(low >> 32)), __uint_as_float((u32)high),
                                 __uint_as_float((u32)(high >> 32))}};
}

// The exchange of one image. Layout: the tag of the last exchange (256 bytes), flags of the CTAs, their
// parts, the groups' parts twice, because the next layer's come while some CTA still reads this one's.
template <int BN> struct Exchange {
    static constexpr int MOST = 8;  // loads under way together
    static_assert(256 / BN == 2, "two threads a channel");
    const ChainParams& chain;
    u32 tag;

    // Where things lie. Computed where they are needed: kept, they would take registers.
    struct Places {
        int ctas, group_size, groups, group, in_group;
        u32* last;
        u32* flags;
        uint4* of_ctas;
        uint4* of_groups;
    };
    __device__ __forceinline__ Places places() const {
        Places at;
        at.ctas = gridDim.x;
        stay(at.ctas);
        at.group_size = chain.all.group_size;
        at.groups = (at.ctas + at.group_size - 1) / at.group_size;
        at.group = blockIdx.x / at.group_size;
        at.in_group = min(at.group_size, at.ctas - at.group * at.group_size);
        const int flag_bytes = (4 * at.ctas + 255) / 256 * 256;
        const long long bytes = 256 + flag_bytes + (long long)(at.ctas + 2 * at.groups) * BN * 16;
        char* mine = static_cast<char*>(chain.exchange) + blockIdx.z * bytes;
        at.last = reinterpret_cast<u32*>(mine);
        at.flags = reinterpret_cast<u32*>(mine + 256);
        at.of_ctas = reinterpret_cast<uint4*>(mine + 256 + flag_bytes);
        at.of_groups = at.of_ctas + ((long long)at.ctas + (tag & 1) * at.groups) * BN;
        return at;
    }

    __device__ __forceinline__ Exchange(const ChainParams& params) : chain(params), tag(0) {
        if (chain.count > 1) tag = __ldcg(places().last);
    }

    // Tells the others this CTA's part and that its map is written. `memory`: what the warps gathered. All
    // threads call it.
    template <class Own, int SLOTS>
    __device__ __forceinline__ void publish(const Own& own, StatisticsMemory<SLOTS, BN>& memory) {
        gather_warps(own, memory);
        // The warps' parts are complete, and this CTA's stores done.
        sync_team();
        tell(memory);
    }
    // The same where that was gathered and all of them are synchronised.
    template <class Memory> __device__ __forceinline__ void tell(const Memory& memory) {
        ++tag;
        const Places at = places();
        if (threadIdx.x < BN) {
            store_tagged(at.of_ctas + (long long)blockIdx.x * BN + threadIdx.x, tag, merge_warps(memory, threadIdx.x));
        } else if (threadIdx.x == BN) {
            asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(at.flags + blockIdx.x), "r"(tag) : "memory");
        }
    }

    // Waits for a channel's parts, `count` of them from `from` on, and merges every second one by itself, as
    // merge_parts does it with two threads.
    __device__ __forceinline__ Part merged(const uint4* from, int count) const {
        Part even = {0.0f, 0.0f, 0.0f}, odd = {0.0f, 0.0f, 0.0f};
#pragma unroll 1
        for (int first = 0; first < count; first += 2 * MOST) {
            Tagged seen[2 * MOST];
            bool waits;
            Rounds rounds;
            do {
                // All loads are under way together; past the end the last part is read again.
#pragma unroll
                for (int k = 0; k < 2 * MOST; ++k) seen[k] = load_tagged(from + (long long)min(first + k, count - 1) * BN);
                waits = false;
#pragma unroll
                for (int k = 0; k < 2 * MOST; ++k) waits |= seen[k].tag != tag;
                rounds.next();
            } while (waits);
            float n[2][MOST], m[2][MOST], q[2][MOST];
#pragma unroll
            for (int k = 0; k < 2 * MOST; ++k) {
                const bool is_there = first + k < count;
                n[k % 2][k / 2] = is_there ? seen[k].part.count : 0.0f;
                m[k % 2][k / 2] = seen[k].part.mean;
                q[k % 2][k / 2] = is_there ? seen[k].part.squares : 0.0f;
            }
            const Part some = Part::all(n[0], m[0], q[0]), others = Part::all(n[1], m[1], q[1]);
            even.join(some.count, some.mean, some.squares);
            odd.join(others.count, others.mean, others.squares);
        }
        even.join(odd.count, odd.mean, odd.squares);
        return even;
    }

    // Merges the parts of all CTAs into scale and shift of every channel, in memory.reduce. The first BN
    // threads call it; the caller synchronises behind it.
    template <class Memory> __device__ __forceinline__ void merge(const ConvParams& p, const ChainLayer& layer, Memory& memory) const {
        const Places at = places();
        const int c = threadIdx.x;
        const float gamma = c < p.out_channels ? layer.gamma[c] : 0.0f, beta = c < p.out_channels ? layer.beta[c] : 0.0f;
        // Every member of a group merges some of the channels.
        const int share = (BN + at.in_group - 1) / at.in_group, channel = (blockIdx.x - at.group * at.group_size) * share + c;
        if (c < share && channel < BN) {
            const Part of_group = merged(at.of_ctas + (long long)at.group * at.group_size * BN + channel, at.in_group);
            store_tagged(at.of_groups + (long long)at.group * BN + channel, tag, of_group);
        }
        // Only few values are read again and again, or the traffic would slow down what is waited for.
        if (c < 32) {
            const uint4* some = at.of_groups + (long long)(c % at.groups) * BN + c * (BN / 32);
            for (Rounds rounds; load_tagged(some).tag != tag;) rounds.next();
            __syncwarp();
        }
        asm volatile("bar.sync 2, %0;" ::"n"(BN) : "memory");
        const Part all = merged(at.of_groups + c, at.groups);
        float scale, mean;
        norm_factors(p, all, c, gamma, scale, mean);
        memory.reduce[0][c] = scale;
        memory.reduce[1][c] = fmaf(-mean, scale, beta);
    }

    // Waits until all CTAs have written their maps. The last BN threads of the team call it and may read the
    // maps then.
    __device__ __forceinline__ void wait_for_maps() const {
        if (threadIdx.x / 32 == BN / 32) wait_as_warp();
        asm volatile("bar.sync 3, %0;" ::"n"(BN) : "memory");
    }
    // The same by one warp; who synchronises with it may read the maps.
    __device__ __forceinline__ void wait_as_warp() const {
        const Places at = places();
        for (int i = threadIdx.x % 32; i < at.ctas; i += 32) {
            u32 seen;
            Rounds rounds;
            do {
                asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(at.flags + i) : "memory");
                rounds.next();
            } while ((int)(seen - tag) < 0);
        }
        asm volatile("fence.acq_rel.gpu;" ::: "memory");
    }

    // After the last exchange: the next launch goes on counting from here.
    __device__ __forceinline__ void end() {
        if (blockIdx.x == 0 && threadIdx.x == 0) *places().last = tag;
    }
};

}  // namespace sf
