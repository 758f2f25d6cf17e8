// The exchange between the CTAs of an image from layer to layer of a chain, without a launch in between: the statistics of
// what they wrote, and that it can be read.
//
// Values are stored with a tag (tagged.cuh). Every layer of every launch has its own tag, counted up from the last one of the
// previous launch. All CTAs of the launch must be on the device at once.
//
// The merges are those of statistics.cuh, in the same order: a chain computes the same bits as its layers launched one by one.
// A channel is merged by one CTA, a group's parts by a lane and the groups by a warp, and the norm's factors of the channel are
// sent to all CTAs. So a value travels twice, and each of the first threads waits for its channel's.
// Measured: NVIDIA H100, 2026-11-25, 128 CTAs: 5,000 to 6,000 clocks of a layer: 1,900 to 2,300 until the parts of all CTAs
// have arrived, 1,000 to 1,500 until they are merged, 1,500 to 2,500 until all CTAs know the result. In a chain the lanes add by
// shuffles; in deep_wgmma.cuh shuffles would cost the surrounding loop its uniform registers.
#pragma once
#include "chain_params.cuh"
#include "tagged.cuh"

namespace sf {

// The exchange of one image. Layout: the tag of the last exchange (256 bytes), flags of the CTAs, their parts by channel, the
// norm's factors of each channel, in copies of which a CTA reads one. Memory is overwritten only after every CTA has published a value
// that depends on its contents.
template <int BN, bool SHUFFLES> struct Exchange {
    static constexpr int COPIES = 4;
    static constexpr int MOST = 5;  // CTAs of a group: MOST_CHAINED_OF_GROUP in chain.rs
    const ChainParams& chain;
    u32 tag;

    // Addresses. Computed when they are needed: keeping them would take registers.
    struct Places {
        int ctas;
        u32* last;
        u32* flags;
        uint4* of_ctas;
        uint4* factors;
    };
    __device__ __forceinline__ Places places() const {
        Places at;
        at.ctas = gridDim.x;
        stay(at.ctas);
        const int flag_bytes = (4 * at.ctas + 255) / 256 * 256;
        const long long bytes = 256 + flag_bytes + (long long)(at.ctas + COPIES) * BN * 16;
        char* mine = static_cast<char*>(chain.exchange) + blockIdx.z * bytes;
        at.last = reinterpret_cast<u32*>(mine);
        at.flags = reinterpret_cast<u32*>(mine + 256);
        at.of_ctas = reinterpret_cast<uint4*>(mine + 256 + flag_bytes);
        at.factors = at.of_ctas + (long long)at.ctas * BN;
        return at;
    }

    // `first`: the tag of the last exchange of the previous launch.
    __device__ __forceinline__ Exchange(const ChainParams& params, u32 first) : chain(params), tag(first) {}
    // Reads that tag: before this CTA has taken part in an exchange; otherwise CTA 0 may have written the next launch's.
    __device__ __forceinline__ Exchange(const ChainParams& params) : chain(params), tag(0) {
        if (chain.count > 1) tag = __ldcg(places().last);
    }

    // Publishes this CTA's part of the statistics, which its warps have gathered in `memory`. The first BN threads call it,
    // with the next exchange's tag.
    template <class Memory> __device__ __forceinline__ void publish_part(const Memory& memory) const {
        const Places at = places();
        const int channel = thread_number();
        store_tagged(at.of_ctas + (long long)channel * at.ctas + blockIdx.x, tag, merge_warps(memory, channel));
    }
    // Publishes that this CTA's map is written, by all threads with which this one is synchronised.
    __device__ __forceinline__ void publish_written() const {
        asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(places().flags + blockIdx.x), "r"(tag) : "memory");
    }

    // Merges the parts of all CTAs into scale and shift of every channel, in memory.reduce: CTA b the channels b, b + CTAs
    // and so on, for all CTAs. The first BN threads call it; the caller synchronises afterwards.
    template <class Memory> __device__ __forceinline__ void merge(const ConvParams& p, const ChainLayer& layer, Memory& memory) const {
        const Places at = places();
        const int thread = thread_number(), lane = thread % 32, warp = thread / 32;
        float* const place = memory.reduce[0] + warp * 32;
        float* const of_counts = memory.reduce[1] + warp * 32;
#pragma unroll 1
        for (int channel = blockIdx.x + warp * at.ctas; channel < BN; channel += BN / 32 * at.ctas) {
            const bool is_real = channel < p.out_channels;
            const float gamma = is_real ? layer.gamma[channel] : 0.0f, beta = is_real ? layer.beta[channel] : 0.0f;
            // A lane has a group's parts.
            const Part part = wait_for_group<MOST>(at.of_ctas + (long long)channel * at.ctas, lane, at.ctas, tag);
            const Part all = merge_lanes<SHUFFLES>(part, place, of_counts);
            float scale, mean;
            norm_factors(p, all, channel, gamma, scale, mean);
            // Scale and shift are sent in a part's first two values.
            if (lane < COPIES) store_tagged(at.factors + lane * BN + channel, tag, Part{scale, fmaf(-mean, scale, beta), 0.0f});
        }
        const uint4* const own_factors = at.factors + blockIdx.x % COPIES * BN + thread;
        Tagged seen;
        Rounds rounds;
        do {
            seen = load_tagged(own_factors);
            rounds.next();
        } while (seen.tag != tag);
        __syncwarp();
        memory.reduce[0][thread] = seen.part.count;
        memory.reduce[1][thread] = seen.part.mean;
    }

    // Waits until the maps are written and may be read: those of all CTAs, or, if `tile` is a tile, only of those that have it
    // and its neighbours. One warp calls it; threads that synchronise with it may read the maps as well.
    __device__ __forceinline__ void wait_for_maps(int tile) const {
        constexpr int TOGETHER = 5;
        const Places at = places();
        const int lane = thread_number() % 32;
        stay(tile);
        if (tile >= 0) {
            const ConvParams& p = chain.all;
            const int row = (u32)tile / (u32)p.tiles_x, y = row + lane / 3 - 1, x = tile - row * p.tiles_x + lane % 3 - 1;
            if (lane < 9 && y >= 0 && y < p.tiles_y && x >= 0 && x < p.tiles_x) {
                wait_for_flags<1>(at.flags + (u32)tile_taken(p, y * p.tiles_x + x) % (u32)at.ctas, 1);
            }
        } else {
            for (int i = lane; i < at.ctas; i += 32 * TOGETHER) wait_for_flags<TOGETHER>(at.flags + i, at.ctas - i);
        }
        __syncwarp();
    }
    // Waits for every 32nd flag from `from` on, at most COUNT of them: `left` flags remain from there on.
    template <int COUNT> __device__ __forceinline__ void wait_for_flags(const u32* from, int left) const {
        bool waits;
        Rounds rounds;
        do {
            u32 seen[COUNT];
#pragma unroll
            for (int k = 0; k < COUNT; ++k) {
                asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen[k]) : "l"(from + (32 * k < left ? 32 * k : 0)) : "memory");
            }
            waits = false;
#pragma unroll
            for (int k = 0; k < COUNT; ++k) waits |= (int)(seen[k] - tag) < 0;
            rounds.next();
        } while (waits);
    }
    // The tile if computing it reads no further than the neighbouring tiles, otherwise none.
    template <int ROWS, int COLUMNS> __device__ __forceinline__ int if_near(int tile) const {
        const ConvParams& p = chain.all;
        const int reach = max(p.tile_rows - ROWS, p.tile_columns - COLUMNS);
        return reach <= (ROWS < COLUMNS ? ROWS : COLUMNS) ? tile : -1;
    }

    // After the last exchange: the next launch continues counting from here.
    __device__ __forceinline__ void end() {
        if (blockIdx.x == 0 && threadIdx.x == 0) *places().last = tag;
    }
};

}  // namespace sf
