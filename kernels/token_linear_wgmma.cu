// targets: sm_90a
// Linear layers on tokens by Hopper's warpgroup products, with what stands around them.
//
// Computes what token_linear.cu computes, GELU only behind a norm, a sum with another map only without one.
// Entries, each with _f16 and _bf16: token_linear_wgmma_MxN for a map, token_linear_wgmma_norm_MxN for its layer norm,
// token_linear_wgmma_norm_gelu_MxN with GELU behind; MxN: tokens x outputs of a CTA.
// token_linear_wgmma_split_64x64: eight CTAs of a cluster share the inputs of a tile, for few tokens and many inputs.
// GEMM: M = tokens of the batch, N = outputs, K = inputs.
//
// Weights: [block of 64 outputs][panel of 64 inputs][output][input], 8 KB a block and panel, which one bulk copy brings. A
// row of a panel is 128 bytes, whose 16-byte pieces are exchanged as the products' 128-byte swizzle has it: piece p of
// row r lies at p ^ r % 8. Tokens lie likewise in shared memory.
//
// Launch: block 128 * M / 64 consumers and 32 (norm) or 128 producers, grid (ceil(tokens / M), ceil(outputs / N), 1, or 8 of a
// split), dynamic shared memory: a ring of STAGES panels of weights and, but for a norm, of tokens; the tile; of a norm
// all panels of the tokens. The inputs of a norm are whole panels, at most NORM_PANELS.
//
// Work: as token_linear.cu. Operand bytes of a warpgroup's k-step of 16: 2 KB of tokens and 32 * N of weights beside N / 2
// clocks of products.
//
// Roofline: latency up to some thousand tokens; beyond, the copies of the tokens (64 GB/s a CTA were seen).
// Measured: NVIDIA H200, driver 580.159, 2026-11-22, 20 launches in a graph, medians of 30, microseconds:
//   64 tokens: norm 512 to 2048 and GELU 5.2 (64x32), 2048 to 512 and sum 3.9 (split), both in turn 9.1
//   1024 tokens: 11.5 (64x128) and 8.2 (64x64), both 21.6; norm 192 to 576 4.8, 192 to 192 and sum 2.2, norm 192 to 768
//   and GELU 5.3, 768 to 192 and sum 3.8
//   4096 tokens: 42.5 (64x128) and 18.3 (128x128)
// PyTorch in the same run, norm, both layers, GELU and sum: 14.6 (64 tokens), 22.4 (1024) and 55.3 (4096); with 192 and 768
// channels 15.1 (1024 tokens). What did not pay: a whole tile of 128x128 with a norm (5 % at 1024 and 4096 tokens; it
// leaves no room for the next launch's CTA), clusters of four (at 1024 tokens not all of them fit the device at once:
// 17.8 for 2048 to 512), values written straight from the fragments (5 us more for a tile of 128x128: thousands of
// instructions that run once), channels' guards inside the norm (6 us for four rounds; 3 without).
//
// Numerics: as token_linear.cu; a split sum is added up in the order of the inputs.
//
// Barriers (mbarrier): full and empty for every stage, one for the map that is added.
#include "token_params.cuh"
#include "hopper.cuh"
#include "register_products.cuh"

namespace sf {

// Channels of a panel: rows of 128 bytes.
constexpr int PANEL = 64;
constexpr u32 PANEL_BYTES = 64 * 128;
// Most panels of a layer norm.
constexpr int NORM_PANELS = 12;

// A tile of 64 * GROUPS tokens and BN outputs, of whose inputs one of SPLIT CTAs takes its share.
template <int GROUPS, int BN, int SPLIT, bool NORM> struct LinearTile {
    static constexpr int PRODUCERS = NORM ? 32 : 128;
    static constexpr u32 WEIGHT_BYTES = 128 * BN, TOKEN_BYTES = PANEL_BYTES * GROUPS;
    static constexpr u32 STAGE_BYTES = WEIGHT_BYTES + (NORM ? 0 : TOKEN_BYTES);
    // What is written; the sums of a split take the ring's place.
    static constexpr u32 BYTES = SPLIT > 1 ? 0 : 64 * GROUPS * BN * 2;
};

// The layer norm of a warp's 16 rows, into the panels: eight lanes a row, four rows at once, the next four on their way.
template <class T> __device__ __forceinline__ void norm_rows(const TokenLinearParams& p, int first, u32 to, u32 panel_bytes) {
    const int lane = (int)threadIdx.x % 32, part = lane % 8, panels = p.from_pitch / PANEL;
    const float share = 1.0f / (float)p.channels;
    uint4 next[NORM_PANELS];
    auto fetch = [&](int round) {
        const int token = min(first + round * 4 + lane / 8, p.tokens - 1);
        const uint4* row = reinterpret_cast<const uint4*>(static_cast<const T*>(p.from) + (u64)(u32)token * (u32)p.from_pitch) + part;
#pragma unroll
        for (int i = 0; i < NORM_PANELS; ++i)
            if (i < panels) next[i] = row[i * 8];
    };
    fetch(0);
#pragma unroll 1
    for (int round = 0; round < 4; ++round) {
        float x[NORM_PANELS][8];
        float sums[2] = {0.0f, 0.0f};
#pragma unroll
        for (int i = 0; i < NORM_PANELS; ++i)
            if (i < panels) {
                widen_pair<T>(next[i].x, x[i][0], x[i][1]);
                widen_pair<T>(next[i].y, x[i][2], x[i][3]);
                widen_pair<T>(next[i].z, x[i][4], x[i][5]);
                widen_pair<T>(next[i].w, x[i][6], x[i][7]);
#pragma unroll
                for (int j = 0; j < 8; ++j) sums[j % 2] += x[i][j];
            }
        if (round < 3) fetch(round + 1);
        const float mean = sum_of_eight(sums[0] + sums[1]) * share;
        float squares[2] = {0.0f, 0.0f};
#pragma unroll
        for (int i = 0; i < NORM_PANELS; ++i)
            if (i < panels) {
#pragma unroll
                for (int j = 0; j < 8; ++j) {
                    x[i][j] -= mean;
                    squares[j % 2] = fmaf(x[i][j], x[i][j], squares[j % 2]);
                }
            }
        const float factor = rsqrtf(fmaf(sum_of_eight(squares[0] + squares[1]), share, p.eps));
        const int row = round * 4 + lane / 8;
        const u32 place = to + (u32)row * 128 + (u32)((part ^ row) % 8) * 16;
#pragma unroll
        for (int i = 0; i < NORM_PANELS; ++i)
            if (i < panels) {
                u32 words[4];
#pragma unroll
                for (int j = 0; j < 4; ++j) words[j] = narrow_pair<T>(x[i][2 * j] * factor, x[i][2 * j + 1] * factor);
                asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(place + (u32)i * panel_bytes), "r"(words[0]), "r"(words[1]),
                             "r"(words[2]), "r"(words[3])
                             : "memory");
            }
    }
}

template <class T, int GROUPS, int BN, int SPLIT, int STAGES, bool NORM, bool GELU>
__device__ __forceinline__ void token_linear_hopper(const TokenLinearParams& p) {
    typedef LinearTile<GROUPS, BN, SPLIT, NORM> Tile;
    constexpr int BM = 64 * GROUPS, CONSUMERS = 128 * GROUPS, CHUNKS = BN / 8, EXCHANGED = CHUNKS < 8 ? CHUNKS : 8;
    extern __shared__ __align__(1024) char memory[];
    __shared__ __align__(8) u64 barriers[2 * STAGES + 1];
    __shared__ __align__(16) float bias[BN];
    const u32 shared = shared_address(memory), full = shared_address(barriers), empty = full + 8 * STAGES;
    const u32 residual_here = full + 16 * STAGES;
    const int first_token = (int)blockIdx.x * BM, first_output = (int)blockIdx.y * BN;
    const int all_steps = p.weight_pitch / PANEL;
    const u32 rank = SPLIT > 1 ? cluster_rank() : 0u;
    const int first_step = all_steps * (int)rank / SPLIT, steps = all_steps * ((int)rank + 1) / SPLIT - first_step;
    // Of eight values of the tile: whether they exist, and where in a map.
    auto is_there = [&](int row, int chunk) { return first_token + row < p.tokens && first_output + chunk * 8 < p.to_pitch; };
    auto place = [&](int row, int chunk) { return (u64)(u32)(first_token + row) * (u32)p.to_pitch + (u32)(first_output + chunk * 8); };
    // Behind the ring: the tile; behind it all channels of the tokens.
    const u32 tile = shared + STAGES * Tile::STAGE_BYTES, panels = tile + Tile::BYTES;
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; ++i) {
            init_barrier(full + 8 * i, NORM ? 1 : 129);
            init_barrier(empty + 8 * i, 4 * GROUPS);
        }
        init_barrier(residual_here, 128);
        publish_barriers();
    }
    // The barriers are initialised.
    __syncthreads();

    if (threadIdx.x >= CONSUMERS) {
        const int thread = (int)threadIdx.x - CONSUMERS, row = thread / 8, piece = thread % 8;
        const u32 own_place = (u32)row * 128 + (u32)((piece ^ row) % 8) * 16;
        const T* own_tokens = static_cast<const T*>(p.from) + (u64)(u32)(first_token + row) * (u32)p.from_pitch;
        own_tokens += piece * 8 + first_step * PANEL;
        const u64 token_stride = 16 * (u64)(u32)p.from_pitch;
        const int token_rows = p.tokens - first_token - row;
        // Blocks of 64 outputs of a step lie one behind the other.
        const u32 first_panel = (u32)(first_output / 64 * all_steps + first_step);
        const char* own_weights = static_cast<const char*>(p.weights) + (u64)first_panel * PANEL_BYTES + (u32)(first_output % 64 * 128);
        const int weight_blocks = min((BN + 63) / 64, (p.to_pitch + 63) / 64 - first_output / 64);
        auto load_weights = [&](int step, u32 to, u32 barrier) {
            if (thread != 0) return;
            constexpr u32 BYTES = BN < 64 ? Tile::WEIGHT_BYTES : PANEL_BYTES;
            arrive_expecting(barrier, (u32)weight_blocks * BYTES);
            for (int block = 0; block < weight_blocks; ++block)
                bulk_copy(to + (u32)block * BYTES, own_weights + (u64)(u32)(block * all_steps + step) * PANEL_BYTES, BYTES, barrier);
        };
        auto load_tokens = [&](int step, u32 to, u32 barrier) {
            const bool has_piece = (first_step + step) * PANEL + piece * 8 < p.from_pitch;
            const T* from = own_tokens + step * PANEL;
#pragma unroll
            for (int r = 0; r < BM; r += 16) {
                const bool reads = has_piece && r < token_rows;
                copy_16_or_zeros(to + own_place + (u32)(r * 128), reads ? from : p.from, reads);
                from += token_stride;
            }
            arrive_behind_copies(barrier);
        };
        // Weights are not of the launch before.
        const int early = min(steps, STAGES);
        for (int step = 0; step < early; ++step) load_weights(step, shared + (u32)step * Tile::STAGE_BYTES, full + 8 * step);
        if constexpr (!NORM) {
            wait_for_launch_before();
            const u32 tokens = shared + Tile::WEIGHT_BYTES;
            for (int step = 0; step < early; ++step) load_tokens(step, tokens + (u32)step * Tile::STAGE_BYTES, full + 8 * step);
            if (SPLIT == 1 && p.residual != nullptr) {
                for (int at = thread; at < BM * CHUNKS; at += 128) {
                    const int r = at / CHUNKS, chunk = at % CHUNKS;
                    const bool reads = is_there(r, chunk);
                    const T* from = static_cast<const T*>(p.residual) + place(r, chunk);
                    copy_16_or_zeros(tile + (u32)(r * BN * 2 + (chunk ^ r % EXCHANGED) * 16), reads ? from : p.residual, reads);
                }
                arrive_behind_copies(residual_here);
            }
        }
        RingPlace<STAGES> ring;
#pragma unroll 1
        for (int step = STAGES; step < steps; ++step) {
            const u32 stage = shared + (u32)ring.stage * Tile::STAGE_BYTES;
            wait_barrier(empty + 8 * ring.stage, ring.parity);
            load_weights(step, stage, full + 8 * ring.stage);
            if constexpr (!NORM) load_tokens(step, stage + Tile::WEIGHT_BYTES, full + 8 * ring.stage);
            ring.next();
        }
        return;
    }

    const int group = (int)threadIdx.x / 128, lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32 % 4;
    if (threadIdx.x < BN) bias[threadIdx.x] = first_output + (int)threadIdx.x < p.to_pitch ? __ldg(p.bias + first_output + threadIdx.x) : 0.0f;
    wait_for_launch_before();
    let_next_launch_begin();
    if constexpr (NORM) {
        norm_rows<T>(p, first_token + group * 64 + warp * 16, panels + (u32)(group * 64 + warp * 16) * 128, Tile::TOKEN_BYTES);
        publish_to_products();
        meet<128>(1 + group);
    }
    float acc[BN / 2];
#pragma unroll
    for (int i = 0; i < BN / 2; ++i) acc[i] = 0.0f;
    const u32 high = describe_high(1024) | SWIZZLE_128;
    RingPlace<STAGES> ring;
    int before = -1;
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
        const u32 stage = shared + (u32)ring.stage * Tile::STAGE_BYTES;
        const u32 tokens = (NORM ? panels + (u32)step * Tile::TOKEN_BYTES : stage + Tile::WEIGHT_BYTES) + (u32)group * PANEL_BYTES;
        wait_barrier(full + 8 * ring.stage, ring.parity);
        if constexpr (!NORM) publish_to_products();
        const u32 a = describe_low(tokens, 16), b = describe_low(stage, 16);
        begin_products();
#pragma unroll
        for (int k = 0; k < 4; ++k) WarpgroupProduct<T, BN>::run(acc, a + 2 * k, high, b + 2 * k, high);
        commit_products();
        wait_for_products<1>();
        if (before >= 0) {
            __syncwarp();
            if (lane == 0) arrive(empty + 8 * before);
        }
        before = ring.stage;
        ring.next();
    }
    wait_for_products<0>();
    // The ring is read, and the bias is there.
    meet<CONSUMERS>(3);

    // Bits 15 and 31 are set by a value whose exponent says that it is infinite or no number.
    constexpr u32 EXPONENTS = Range<T>::EXPONENT * 0x10001u, LOWEST = EXPONENTS & ~(EXPONENTS << 1);
    u32 overflows = 0u;
    auto write = [&](int row, int chunk, uint4 v) {
        if (!is_there(row, chunk)) return;
        const u32 words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
        for (int i = 0; i < 4; ++i) overflows |= (words[i] & EXPONENTS) + LOWEST;
        *reinterpret_cast<uint4*>(static_cast<T*>(p.to) + place(row, chunk)) = v;
    };
    if constexpr (SPLIT == 1) {
        if (!NORM && p.residual != nullptr) wait_barrier(residual_here, 0);
        const int row = group * 64 + warp * 16 + lane / 4;
        // Row and row + 8 lie alike.
        const u32 own = tile + (u32)(row * BN * 2 + lane % 4 * 4);
        const bool sums = !NORM && p.residual != nullptr;
#pragma unroll
        for (int c = 0; c < CHUNKS; ++c) {
            const float2 b = *reinterpret_cast<const float2*>(bias + c * 8 + lane % 4 * 2);
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 at = own + (u32)(half * 8 * BN * 2 + (c ^ row % EXCHANGED) * 16);
                float low = acc[4 * c + 2 * half] + b.x, above = acc[4 * c + 2 * half + 1] + b.y;
                if (GELU) {
                    low = gelu(low);
                    above = gelu(above);
                }
                if (sums) {
                    u32 pair;
                    float x, y;
                    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(pair) : "r"(at));
                    widen_pair<T>(pair, x, y);
                    low += x;
                    above += y;
                }
                asm volatile("st.shared.u32 [%0], %1;" ::"r"(at), "r"(narrow_pair<T>(low, above)) : "memory");
            }
        }
        __syncwarp();
        // A warp writes its own 16 rows.
#pragma unroll 4
        for (int at = lane; at < 16 * CHUNKS; at += 32) {
            const int r = group * 64 + warp * 16 + at / CHUNKS, chunk = at % CHUNKS;
            uint4 v;
            asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                         : "r"(tile + (u32)(r * BN * 2 + (chunk ^ r % EXCHANGED) * 16)));
            write(r, chunk, v);
        }
    } else {
        constexpr u32 PITCH = (BN + 8) * 4;
        static_assert(BM * PITCH <= STAGES * Tile::STAGE_BYTES, "the sums have room");
        const u32 own = shared + (u32)(group * 64 + warp * 16 + lane / 4) * PITCH + (u32)(lane % 4 * 8);
#pragma unroll
        for (int i = 0; i < BN / 4; ++i)
            asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(own + (u32)(i % 2 * 8) * PITCH + (u32)(i / 2 * 32)), "f"(acc[2 * i]),
                         "f"(acc[2 * i + 1])
                         : "memory");
        meet_cluster();
        constexpr int ROWS = BM / SPLIT;
#pragma unroll 1
        for (int at = (int)threadIdx.x; at < ROWS * CHUNKS; at += CONSUMERS) {
            const int row = (int)rank * ROWS + at / CHUNKS, chunk = at % CHUNKS;
            const u32 sums = shared + (u32)row * PITCH + (u32)(chunk * 32);
            uint4 other = make_uint4(0u, 0u, 0u, 0u);
            if (p.residual != nullptr && is_there(row, chunk))
                other = *reinterpret_cast<const uint4*>(static_cast<const T*>(p.residual) + place(row, chunk));
            float v[8];
#pragma unroll
            for (int i = 0; i < 8; ++i) v[i] = 0.0f;
#pragma unroll
            for (u32 r = 0; r < SPLIT; ++r) {
                const u32 there = place_of(sums, r);
                float part[8];
#pragma unroll
                for (int i = 0; i < 8; i += 4)
                    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                                 : "=f"(part[i]), "=f"(part[i + 1]), "=f"(part[i + 2]), "=f"(part[i + 3])
                                 : "r"(there + (u32)i * 4)
                                 : "memory");
#pragma unroll
                for (int i = 0; i < 8; ++i) v[i] += part[i];
            }
            const u32 others[4] = {other.x, other.y, other.z, other.w};
            u32 words[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                float x, y;
                widen_pair<T>(others[i], x, y);
                float low = v[2 * i] + bias[chunk * 8 + 2 * i], above = v[2 * i + 1] + bias[chunk * 8 + 2 * i + 1];
                if (GELU) {
                    low = gelu(low);
                    above = gelu(above);
                }
                words[i] = narrow_pair<T>(low + x, above + y);
            }
            write(row, chunk, make_uint4(words[0], words[1], words[2], words[3]));
        }
        // Nobody goes while others read its sums.
        meet_cluster();
    }
    // All who write here write the same.
    if (p.overflow != nullptr && (overflows & 0x80008000u) != 0u) *p.overflow = 1u;
}

#define ENTRY(name, groups, n, split, stages, norm, gelu, precision, T)                                                          \
    extern "C" __global__ void __launch_bounds__(128 * groups + (norm ? 32 : 128), 1) __cluster_dims__(1, 1, split)               \
        token_linear_wgmma_##name##_##precision(const __grid_constant__ TokenLinearParams p) {                                   \
        token_linear_hopper<T, groups, n, split, stages, norm, gelu>(p);                                                         \
    }
#define ENTRIES(precision, T)                                                                                                    \
    ENTRY(64x32, 1, 32, 1, 8, false, false, precision, T)                                                                        \
    ENTRY(64x64, 1, 64, 1, 6, false, false, precision, T)                                                                        \
    ENTRY(128x128, 2, 128, 1, 5, false, false, precision, T)                                                                     \
    ENTRY(split_64x64, 1, 64, 8, 4, false, false, precision, T)                                                                  \
    ENTRY(norm_64x32, 1, 32, 1, 6, true, false, precision, T)                                                                    \
    ENTRY(norm_64x64, 1, 64, 1, 4, true, false, precision, T)                                                                    \
    ENTRY(norm_64x128, 1, 128, 1, 2, true, false, precision, T)                                                                  \
    ENTRY(norm_gelu_64x32, 1, 32, 1, 6, true, true, precision, T)                                                                \
    ENTRY(norm_gelu_64x64, 1, 64, 1, 4, true, true, precision, T)                                                                \
    ENTRY(norm_gelu_64x128, 1, 128, 1, 2, true, true, precision, T)

ENTRIES(f16, half_t)
ENTRIES(bf16, bfloat_t)

}  // namespace sf
