// targets: sm_90a
// Linear layers on tokens by Hopper's warpgroup products, with norm, function and sum.
//
// Computes the same as token_linear.cu; GELU only after a norm, a sum with another map only without one.
// Entries, each with _f16 and _bf16: token_linear_wgmma_MxN for a map, token_linear_wgmma_norm_MxN for its layer norm;
// MxN: tokens x outputs of a CTA.
// token_linear_wgmma_split_64x64: eight CTAs of a cluster share the inputs of a tile, for few tokens and many inputs.
// GEMM: M = tokens of the batch, N = outputs, K = inputs.
//
// A norm is folded into the products: they multiply the tokens x unchanged, and afterwards
// W ((x - mean) * factor) = factor * (W x - mean * the sums of W's rows). The sums are of the weights as stored, so that
// the same values are subtracted as were added. The copying warps, which read every panel, compute mean and factor.
//
// Weights: [block of 64 outputs][panel of 64 inputs][output][input], 8 KB per block and panel, loaded by one bulk copy. A
// row of a panel is 128 bytes with the products' 128-byte swizzle: piece p of row r is at p ^ r % 8. Tokens have the same
// layout in shared memory.
//
// Launch: block 128 * M / 64 consumers and 128 producers, grid (ceil(tokens / M), ceil(outputs / N), 1, or 8 of a split),
// dynamic shared memory: a ring of STAGES panels of weights and tokens and, without norm or split, the tile. The inputs
// of a norm are whole panels.
//
// Work: as token_linear.cu. Operand bytes of a warpgroup's k-step of 16: 2 KB of tokens and 32 * N of weights, for N / 2
// clocks of products.
// Roofline: latency up to some thousand tokens; above, L2 bandwidth per SM (64 bytes per clock), and GELU.
// Measured: NVIDIA H200, driver 580.159, 2026-11-24, 20 launches in a graph, medians of 30, microseconds:
//   64 tokens: norm 512 to 2048 and GELU 4.1 (64x32), 2048 to 512 and sum 4.0 (split), both in turn 7.5
//   1024 tokens: 9.3 (128x128) and 7.7 (64x64), both 19.7; norm 192 to 576 3.4, 192 to 192 and sum 2.1, norm 192 to 768
//   and GELU 3.8, 768 to 192 and sum 3.6, the last two in turn 8.3 (3600 tokens: 13.9)
//   4096 tokens: 36.8 (128x128) and 18.0 (128x128), both 54.6
//   PyTorch in the same run, norm, both layers, GELU and sum: 14.6 (64 tokens), 22.3 (1024) and 55.7 (4096); with 192 and 768
//   channels 15.3 (1024 tokens) and 23.4 (3600). L2 delivers 44 bytes per clock and SM at 2048 inputs.
//
// Numerics: as token_linear.cu; a split sum is added in the order of the inputs.
//
// Barriers (mbarrier): full and empty for every stage, one for the map that is added.
#include "token_params.cuh"
#include "hopper.cuh"
#include "register_products.cuh"

namespace sf {

// Channels of a panel: rows of 128 bytes.
constexpr int PANEL = 64;
constexpr u32 PANEL_BYTES = 64 * 128;
constexpr int PRODUCERS = 128;

// A tile of 64 * GROUPS tokens and BN outputs.
template <int GROUPS, int BN> struct LinearTile {
    static constexpr u32 WEIGHT_BYTES = 128 * BN, TOKEN_BYTES = PANEL_BYTES * GROUPS, STAGE_BYTES = WEIGHT_BYTES + TOKEN_BYTES;
};

// Mean and variance of the rows of a tile, each row by 128 / ROWS adjacent threads, from panels of 64 values as they
// arrive. Values are taken relative to the thread's first one, so that a large mean costs no precision.
template <class T, int ROWS> struct RowStatistics {
    static constexpr int SHARED = PRODUCERS / ROWS, PIECES = 8 / SHARED;
    float first = 0.0f, sum = 0.0f, squares = 0.0f;

    // `tokens`: a panel of the rows in shared memory.
    __device__ __forceinline__ void take(u32 tokens, int thread, bool is_first) {
        const int row = thread / SHARED, part = thread % SHARED * PIECES;
        uint4 pieces[PIECES];
#pragma unroll
        for (int i = 0; i < PIECES; ++i)
            asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                         : "=r"(pieces[i].x), "=r"(pieces[i].y), "=r"(pieces[i].z), "=r"(pieces[i].w)
                         : "r"(tokens + (u32)(row * 128 + ((part + i) ^ row % 8) * 16)));
        float unused;
        if (is_first) widen_pair<T>(pieces[0].x, first, unused);
        float sums[2] = {sum, 0.0f}, of_squares[2] = {squares, 0.0f};
#pragma unroll
        for (int i = 0; i < PIECES; ++i) {
            const u32 words[4] = {pieces[i].x, pieces[i].y, pieces[i].z, pieces[i].w};
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                float x[2];
                widen_pair<T>(words[j], x[0], x[1]);
#pragma unroll
                for (int k = 0; k < 2; ++k) {
                    x[k] -= first;
                    sums[k] += x[k];
                    of_squares[k] = fmaf(x[k], x[k], of_squares[k]);
                }
            }
        }
        sum = sums[0] + sums[1];
        squares = of_squares[0] + of_squares[1];
    }

    // The factor of a row's values, and their mean: `channels` of the whole row.
    __device__ __forceinline__ float2 factor_and_mean(int channels, float eps) const {
        const float share = (float)SHARED / (float)channels;
        float mean = sum * share;
        float spread = squares - sum * mean;
        mean += first;
        if constexpr (SHARED == 2) {
            const float other = __shfl_xor_sync(0xffffffffu, mean, 1), away = mean - other;
            spread += __shfl_xor_sync(0xffffffffu, spread, 1);
            spread = fmaf(away * away, 0.25f * (float)channels, spread);
            mean = 0.5f * (mean + other);
        }
        return make_float2(rsqrtf(fmaf(fmaxf(spread, 0.0f), 1.0f / (float)channels, eps)), mean);
    }
};

// Each of SPLIT CTAs has a share of the inputs of a tile.
template <class T, int GROUPS, int BN, int SPLIT, int STAGES, bool NORM>
__device__ __forceinline__ void token_linear_hopper(const TokenLinearParams& p) {
    typedef LinearTile<GROUPS, BN> Tile;
    constexpr int BM = 64 * GROUPS, CONSUMERS = 128 * GROUPS, CHUNKS = BN / 8, EXCHANGED = CHUNKS < 8 ? CHUNKS : 8;
    extern __shared__ __align__(1024) char memory[];
    __shared__ __align__(8) u64 barriers[2 * STAGES + 1];
    __shared__ __align__(16) float bias[BN], weight_sums[NORM ? BN : 4];
    __shared__ __align__(8) float2 of_rows[NORM ? BM : 1];
    const u32 shared = shared_address(memory), full = shared_address(barriers), empty = full + 8 * STAGES;
    const u32 residual_here = full + 16 * STAGES;
    const int first_token = (int)blockIdx.x * BM, first_output = (int)blockIdx.y * BN;
    const int all_steps = p.weight_pitch / PANEL;
    const u32 rank = SPLIT > 1 ? cluster_rank() : 0u;
    const int first_step = all_steps * (int)rank / SPLIT, steps = all_steps * ((int)rank + 1) / SPLIT - first_step;
    // For eight values of the tile: whether they exist, and their position in a map.
    auto is_there = [&](int row, int chunk) { return first_token + row < p.tokens && first_output + chunk * 8 < p.to_pitch; };
    auto place = [&](int row, int chunk) { return (u64)(u32)(first_token + row) * (u32)p.to_pitch + (u32)(first_output + chunk * 8); };
    // After the ring if the added map is loaded early; otherwise in the ring, when it is read.
    const u32 tile = shared + (NORM ? 0 : STAGES * Tile::STAGE_BYTES);
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; ++i) {
            init_barrier(full + 8 * i, PRODUCERS + 1);
            init_barrier(empty + 8 * i, 4 * GROUPS + (NORM ? PRODUCERS / 32 : 0));
        }
        init_barrier(residual_here, PRODUCERS);
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
        // Blocks of 64 outputs of a step are consecutive.
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
            arrive_after_copies(barrier);
        };
        // Weights do not depend on the previous launch.
        const int early = min(steps, STAGES);
        for (int step = 0; step < early; ++step) load_weights(step, shared + (u32)step * Tile::STAGE_BYTES, full + 8 * step);
        wait_for_launch_before();
        const u32 tokens = shared + Tile::WEIGHT_BYTES;
        for (int step = 0; step < early; ++step) load_tokens(step, tokens + (u32)step * Tile::STAGE_BYTES, full + 8 * step);
        if (!NORM && SPLIT == 1 && p.residual != nullptr) {
            for (int at = thread; at < BM * CHUNKS; at += PRODUCERS) {
                const int r = at / CHUNKS, chunk = at % CHUNKS;
                const bool reads = is_there(r, chunk);
                const T* from = static_cast<const T*>(p.residual) + place(r, chunk);
                copy_16_or_zeros(tile + (u32)(r * BN * 2 + (chunk ^ r % EXCHANGED) * 16), reads ? from : p.residual, reads);
            }
            arrive_after_copies(residual_here);
        }
        RowStatistics<T, BM> statistics;
        RingPlace<STAGES> seen;
        auto look = [&](int step) {
            wait_barrier(full + 8 * seen.stage, seen.parity);
            statistics.take(tokens + (u32)seen.stage * Tile::STAGE_BYTES, thread, step == 0);
            __syncwarp();
            if (thread % 32 == 0) arrive(empty + 8 * seen.stage);
            seen.next();
        };
        RingPlace<STAGES> ring;
#pragma unroll 1
        for (int step = STAGES; step < steps; ++step) {
            const u32 stage = shared + (u32)ring.stage * Tile::STAGE_BYTES;
            if constexpr (NORM) look(step - STAGES);
            wait_barrier(empty + 8 * ring.stage, ring.parity);
            load_weights(step, stage, full + 8 * ring.stage);
            load_tokens(step, stage + Tile::WEIGHT_BYTES, full + 8 * ring.stage);
            ring.next();
        }
        if constexpr (NORM) {
#pragma unroll 1
            for (int step = steps - early; step < steps; ++step) look(step);
            const float2 found = statistics.factor_and_mean(p.channels, p.eps);
            if (thread % (PRODUCERS / BM) == 0) of_rows[thread / (PRODUCERS / BM)] = found;
            meet_later<CONSUMERS + PRODUCERS>(4);
        }
        return;
    }

    const int group = (int)threadIdx.x / 128, lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32 % 4;
    if (threadIdx.x < BN) {
        const int output = first_output + (int)threadIdx.x;
        bias[threadIdx.x] = output < p.to_pitch ? __ldg(p.bias + output) : 0.0f;
        if (NORM) weight_sums[threadIdx.x] = output < p.to_pitch ? __ldg(p.bias + p.to_pitch + output) : 0.0f;
    }
    // A launch that begins before the previous one is done would only take space and bandwidth.
    wait_for_launch_before();
    let_next_launch_begin();
    float acc[BN / 2];
#pragma unroll
    for (int i = 0; i < BN / 2; ++i) acc[i] = 0.0f;
    const u32 high = describe_high(1024) | SWIZZLE_128;
    RingPlace<STAGES> ring;
    int before = -1;
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
        const u32 stage = shared + (u32)ring.stage * Tile::STAGE_BYTES;
        const u32 tokens = stage + Tile::WEIGHT_BYTES + (u32)group * PANEL_BYTES;
        wait_barrier(full + 8 * ring.stage, ring.parity);
        publish_to_products();
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
    // The ring is read, and the factors of rows and outputs are there.
    if constexpr (NORM)
        meet<CONSUMERS + PRODUCERS>(4);
    else
        meet<CONSUMERS>(3);

    // Bits 15 and 31 are set by a value whose exponent means infinity or NaN.
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
        const int row = group * 64 + warp * 16 + lane / 4;
        // Row and row + 8 have the same swizzle.
        const u32 own = tile + (u32)(row * BN * 2 + lane % 4 * 4);
        if constexpr (NORM) {
            const float2 of_row[2] = {of_rows[row], of_rows[row + 8]};
#pragma unroll
            for (int c = 0; c < CHUNKS; ++c) {
                const float2 b = *reinterpret_cast<const float2*>(bias + c * 8 + lane % 4 * 2);
                const float2 w = *reinterpret_cast<const float2*>(weight_sums + c * 8 + lane % 4 * 2);
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    float &low = acc[4 * c + 2 * half], &above = acc[4 * c + 2 * half + 1];
                    low = fmaf(of_row[half].x, fmaf(-of_row[half].y, w.x, low), b.x);
                    above = fmaf(of_row[half].x, fmaf(-of_row[half].y, w.y, above), b.y);
                }
            }
            if (p.is_gelu) {
#pragma unroll
                for (int i = 0; i < BN / 2; ++i) acc[i] = gelu<T>(acc[i]);
            }
        } else {
#pragma unroll
            for (int c = 0; c < CHUNKS; ++c) {
                const float2 b = *reinterpret_cast<const float2*>(bias + c * 8 + lane % 4 * 2);
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    acc[4 * c + 2 * half] += b.x;
                    acc[4 * c + 2 * half + 1] += b.y;
                }
            }
            if (p.residual != nullptr) {
                wait_barrier(residual_here, 0);
#pragma unroll
                for (int i = 0; i < BN / 4; ++i) {
                    u32 pair;
                    float x, y;
                    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(pair) : "r"(own + (u32)(i % 2 * 8 * BN * 2 + (i / 2 ^ row % EXCHANGED) * 16)));
                    widen_pair<T>(pair, x, y);
                    acc[2 * i] += x;
                    acc[2 * i + 1] += y;
                }
            }
        }
#pragma unroll
        for (int i = 0; i < BN / 4; ++i)
            asm volatile("st.shared.u32 [%0], %1;" ::"r"(own + (u32)(i % 2 * 8 * BN * 2 + (i / 2 ^ row % EXCHANGED) * 16)),
                         "r"(narrow_pair<T>(acc[2 * i], acc[2 * i + 1]))
                         : "memory");
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
                words[i] = narrow_pair<T>(low + x, above + y);
            }
            write(row, chunk, make_uint4(words[0], words[1], words[2], words[3]));
        }
        // No CTA ends while others read its sums.
        meet_cluster();
    }
    // All writers write the same value.
    if (p.overflow != nullptr && (overflows & 0x80008000u) != 0u) *p.overflow = 1u;
}

#define ENTRY(name, groups, n, split, stages, norm, precision, T)                                                          \
    extern "C" __global__ void __launch_bounds__(128 * groups + 128, 1) __cluster_dims__(1, 1, split)                     \
        token_linear_wgmma_##name##_##precision(const __grid_constant__ TokenLinearParams p) {                           \
        token_linear_hopper<T, groups, n, split, stages, norm>(p);                                                       \
    }
#define ENTRIES(precision, T)                                                                                            \
    ENTRY(64x32, 1, 32, 1, 8, false, precision, T)                                                                       \
    ENTRY(64x64, 1, 64, 1, 6, false, precision, T)                                                                       \
    ENTRY(128x128, 2, 128, 1, 5, false, precision, T)                                                                    \
    ENTRY(split_64x64, 1, 64, 8, 4, false, precision, T)                                                                 \
    ENTRY(norm_64x32, 1, 32, 1, 8, true, precision, T)                                                                   \
    ENTRY(norm_64x64, 1, 64, 1, 6, true, precision, T)                                                                   \
    ENTRY(norm_128x64, 2, 64, 1, 3, true, precision, T)                                                                  \
    ENTRY(norm_128x128, 2, 128, 1, 5, true, precision, T)

ENTRIES(f16, half_t)
ENTRIES(bf16, bfloat_t)

}  // namespace sf
