// targets: sm_90a
// Attention on Hopper's warpgroup products with a running softmax, for many queries.
//
// Computes the same as attention_flash.cu. Entries: attention_wgmma_D_f16 and _bf16 for heads of D = 64 and 128 channels.
//
// Layout in shared memory: a block of 128 keys (or values) as [64 channels][key][channel], rows of 128 bytes with the
// 128-byte swizzle of the products: piece p of row r is at p ^ r % 8. Neighbouring threads copy the pieces of a token, a
// whole line, and write to different banks. Scores sum over channels (K-major), weighted values over keys (MN-major).
//
// Launch: block 384, grid (ceil(query_tokens / 128), heads, images), dynamic shared memory = STAGES blocks of keys and of
// values. Warpgroup 0 copies, 1 and 2 multiply 64 queries each: the scores of the next block are computed while the weights
// of this block are multiplied with their values, and the exponentials meanwhile. At D = 64 the two warpgroups alternate
// (named barriers), so that one computes exponentials while the other multiplies. If that leaves SMs idle, the grid has
// ceil(query_tokens / 64) instead: both warpgroups have the same queries and every second block of keys (at least two), and the
// second one's sums are added to the first one's at the end.
//
// Weights are powers of two of a score minus a reference, which cancels in the end. The exact reference is the largest score
// so far, which must be known before the first exponential. At D = 64 there are registers for the weights of two blocks: a
// block's weights are computed with the reference of the previous blocks while its largest score is searched, and computed
// again in the rare case that one of them exceeds 2^8.
//
// Work: as attention_flash.cu. Operands of a block and warpgroup at D = 64: 16 KB of keys and 16 KB of values (the queries
// and the weights are in registers): 256 clocks of loads and 512 of products. The exponentials take 512.
// Roofline: the products and the exponentials, which take equally long.
// Measured: NVIDIA H200, driver 580.159, 2026-11-22, 3 to 10 launches in a graph, medians of 15, one image, 8 heads:
//   D 64:  256 tokens 4.1 us, 1024 9.4, 4096 81.9 (419 TFLOP/s), 16384 1293 (425 TFLOP/s)
//   D 128: 256 tokens 5.7 us, 1024 17.6, 4096 132 (522 TFLOP/s), 16384 2190 (502 TFLOP/s)
//   PyTorch's fastest in the same run (cuDNN): 7.7, 14.7, 77.5 and 1134 us; D 128, from 1024 tokens on: 18.3, 108 and 1857 us
//
// Numerics: as attention_flash.cu. Barriers (mbarrier): full and empty for every stage.
#include "general.cuh"
#include "running_softmax.cuh"
#include "hopper.cuh"
#include "register_products.cuh"

namespace sf {

constexpr int ATTENTION_KEYS = 128;
// Bytes of 64 channels of a block.
constexpr u32 ATTENTION_PANEL = 128 * ATTENTION_KEYS;

template <int HEAD> struct AttentionStages {
    static constexpr u32 BYTES = HEAD / 64 * ATTENTION_PANEL;
    static constexpr int COUNT = HEAD == 128 ? 2 : 3;
};

// The reference is updated when a weight exceeds two to this power: 16 bits have the range, and sums are in
// fp32.
constexpr float MOST_ABOVE = 8.0f;

// One warpgroup's 64 queries.
template <class T, int HEAD> struct Attending {
    static constexpr int KEYS = ATTENTION_KEYS;
    // The weights of a block, as fragments.
    typedef u32 BlockWeights[KEYS / 16][4];
    u32 q[HEAD / 16][4];
    float s[KEYS / 2];
    float o[HEAD / 2];
    Softmax<KEYS / 2> softmax;

    __device__ __forceinline__ void load(const T* queries, int first, int tokens, int pitch) {
        const int lane = threadIdx.x % 32;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int token = min(first + lane / 4 + half * 8, tokens - 1);
            const T* row = queries + (u64)(u32)token * (u32)pitch + lane % 4 * 2;
#pragma unroll
            for (int k = 0; k < HEAD / 16; ++k) {
                q[k][half] = *reinterpret_cast<const u32*>(row + k * 16);
                q[k][half + 2] = *reinterpret_cast<const u32*>(row + k * 16 + 8);
            }
        }
        softmax.clear();
#pragma unroll
        for (int i = 0; i < HEAD / 2; ++i) o[i] = 0.0f;
    }

    // Starts the scores of a block of keys: 16 channels are 32 bytes of its rows, 8 keys 1024 bytes.
    __device__ __forceinline__ void begin_scores(u32 keys) {
        const u32 low = describe_low(keys, 16), high = describe_high(1024) | SWIZZLE_128;
        begin_products();
#pragma unroll
        for (int k = 0; k < HEAD / 16; ++k)
            RegisterProduct<T, KEYS, 0>::run(s, q[k], low + (k / 4 * ATTENTION_PANEL + k % 4 * 32) / 16, high, k > 0);
        commit_products();
    }

    // Starts adding a block of values by the weights: 8 keys are 1024 bytes, 64 channels a panel.
    __device__ __forceinline__ void begin_mixing(u32 values, const BlockWeights& w) {
        const u32 low = describe_low(values, ATTENTION_PANEL), high = describe_high(1024) | SWIZZLE_128;
        begin_products();
#pragma unroll
        for (int k = 0; k < KEYS / 16; ++k) RegisterProduct<T, HEAD, 1>::run(o, w[k], low + k * (2 * 1024 / 16), high, true);
        commit_products();
    }

    __device__ __forceinline__ void keep_weights(BlockWeights& w) const {
#pragma unroll
        for (int k = 0; k < KEYS / 16; ++k)
#pragma unroll
            for (int i = 0; i < 4; ++i) w[k][i] = narrow_pair<T>(s[8 * k + 2 * i], s[8 * k + 2 * i + 1]);
    }

    // Computes the weights of a block and their sum with the current reference; returns whether none is too large.
    __device__ __forceinline__ bool weigh(BlockWeights& w, float scale, float (&sum)[2]) const {
        float most[4] = {s[0], s[1], s[2], s[3]}, total[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        const float offset[2] = {softmax.largest[0] * scale, softmax.largest[1] * scale};
#pragma unroll
        for (int i = 0; i < KEYS / 4; ++i) {
            const int r = i % 2;
            const float low = power_of_two(fmaf(s[2 * i], scale, -offset[r])), high = power_of_two(fmaf(s[2 * i + 1], scale, -offset[r]));
            most[2 * r] = fmaxf(most[2 * r], s[2 * i]);
            most[2 * r + 1] = fmaxf(most[2 * r + 1], s[2 * i + 1]);
            total[2 * r] += low;
            total[2 * r + 1] += high;
            w[i / 4][i % 4] = narrow_pair<T>(low, high);
        }
        bool fits = true;
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            sum[r] = total[2 * r] + total[2 * r + 1];
            fits = fits && fmaf(fmaxf(most[2 * r], most[2 * r + 1]), scale, -offset[r]) <= MOST_ABOVE;
        }
        return fits;
    }

    // Computes them again if one was too large for any lane of the warp; returns whether that was so.
    __device__ __forceinline__ bool weigh_ahead(BlockWeights& w, float scale, float (&factor)[2]) {
        float sum[2];
        const bool moves = __any_sync(0xffffffffu, !weigh(w, scale, sum));
        if (moves) {
            softmax.find_largest(s, scale, factor);
            weigh(w, scale, sum);
        }
#pragma unroll
        for (int r = 0; r < 2; ++r) softmax.sum[r] += sum[r];
        return moves;
    }

    __device__ __forceinline__ void multiply(const float (&factor)[2]) {
#pragma unroll
        for (int i = 0; i < HEAD / 2; ++i) o[i] *= factor[i / 2 % 2];
    }
};

template <class T, int HEAD> __device__ __forceinline__ void attend_hopper(const AttentionParams& p) {
    constexpr int KEYS = ATTENTION_KEYS, STAGES = AttentionStages<HEAD>::COUNT;
    constexpr u32 BYTES = AttentionStages<HEAD>::BYTES;
    constexpr bool IS_AHEAD = HEAD == 64;
    extern __shared__ __align__(1024) char memory[];
    __shared__ __align__(8) u64 barriers[4 * STAGES];
    __shared__ float2 merged[2][128];
    const u32 shared = shared_address(memory);
    const u32 full_keys = shared_address(barriers), full_values = full_keys + 8 * STAGES;
    const u32 empty_keys = full_keys + 16 * STAGES, empty_values = full_keys + 24 * STAGES;
    const int n = blockIdx.z, channel = (int)blockIdx.y * HEAD;
    const int blocks = (p.key_tokens + KEYS - 1) / KEYS;
    // True if both warpgroups have the same queries.
    const bool is_shared = (int)gridDim.x * 128 >= p.query_tokens + 128;
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2 * STAGES; ++i) {
            init_barrier(full_keys + 8 * i, 128);
            // Every multiplying warp.
            init_barrier(empty_keys + 8 * i, is_shared ? 4 : 8);
        }
    }
    // The barriers are initialised.
    __syncthreads();

    if (threadIdx.x < 128) {
        give_registers<56>();
        wait_for_launch_before();
        // Neighbouring threads have the pieces of a token. Its row of 128 bytes determines their positions.
        constexpr int PIECES = HEAD / 8, STRIDE = 128 / PIECES;
        const int row = (int)threadIdx.x / PIECES, piece = (int)threadIdx.x % PIECES;
        static_assert(STRIDE % 8 == 0, "all rows of a thread are exchanged alike");
        const u32 own_place = (u32)(piece / 8) * ATTENTION_PANEL + (u32)row * 128 + (u32)((piece ^ row) % 8) * 16;
        const T* keys = head_of(static_cast<const T*>(p.keys), n, p.key_tokens, row, p.key_pitch, blockIdx.y, HEAD) + piece * 8;
        const T* values = head_of(static_cast<const T*>(p.values), n, p.key_tokens, row, p.value_pitch, blockIdx.y, HEAD) + piece * 8;
        auto copy = [&](const T* from, int pitch, u32 to, int block) {
            const u64 stride = (u64)(STRIDE * (u32)pitch);
            const T* at = from + (u64)(u32)(block * KEYS) * (u32)pitch;
            const int left = p.key_tokens - block * KEYS - row;
#pragma unroll
            for (int key = 0; key < KEYS; key += STRIDE) {
                const bool is_there = key < left;
                copy_16_or_zeros(to + own_place + (u32)key * 128, is_there ? at : from, is_there);
                at += stride;
            }
        };
        RingPlace<STAGES> place;
        for (int block = 0; block < blocks; ++block) {
            const u32 at = 8 * place.stage;
            wait_barrier(empty_keys + at, place.parity ^ 1u);
            copy(keys, p.key_pitch, shared + place.stage * BYTES, block);
            arrive_after_copies(full_keys + at);
            wait_barrier(empty_values + at, place.parity ^ 1u);
            copy(values, p.value_pitch, shared + (STAGES + place.stage) * BYTES, block);
            arrive_after_copies(full_values + at);
            place.next();
        }
        return;
    }

    take_registers<224>();
    const int group = (int)threadIdx.x / 128 - 1, lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32 % 4;
    const int first = (is_shared ? (int)blockIdx.x * 64 : (int)blockIdx.x * 128 + group * 64) + warp * 16;
    // The blocks of keys of this warpgroup.
    const int stride = is_shared ? 2 : 1, begin = is_shared ? group : 0;
    wait_for_launch_before();
    let_next_launch_begin();
    Attending<T, HEAD> own;
    own.load(head_of(static_cast<const T*>(p.queries), n, p.query_tokens, 0, p.query_pitch, blockIdx.y, HEAD), first, p.query_tokens, p.query_pitch);

    auto release = [&](u32 barrier) {
        __syncwarp();
        if (lane == 0) arrive(barrier);
    };
    RingPlace<STAGES> of_keys, of_values;
    if (begin == 1) {
        of_keys.next();
        of_values.next();
    }
    auto begin_scores = [&]() {
        wait_barrier(full_keys + 8 * of_keys.stage, of_keys.parity);
        // Products read what ordinary copies wrote.
        publish_to_products();
        own.begin_scores(shared + of_keys.stage * BYTES);
    };
    auto begin_mixing = [&](const typename Attending<T, HEAD>::BlockWeights& w) {
        wait_barrier(full_values + 8 * of_values.stage, of_values.parity);
        publish_to_products();
        own.begin_mixing(shared + (STAGES + of_values.stage) * BYTES, w);
    };
    auto end_scores = [&](int block) {
        release(empty_keys + 8 * of_keys.stage);
        of_keys.next();
        if (is_shared) of_keys.next();
        if (block + 1 == blocks) leave_out(own.s, lane % 4 * 2, p.key_tokens - block * KEYS);
    };
    auto end_mixing = [&]() {
        // Sums are never negative, so this never runs. It keeps the exponentials before the wait, while products run.
        asm volatile("{\n.reg .pred p;\nsetp.lt.f32 p, %0, 0f00000000;\n@p nanosleep.u32 1;\n}" ::"f"(own.softmax.sum[0] + own.softmax.sum[1])
                     : "memory");
        wait_for_products<0>();
        release(empty_values + 8 * of_values.stage);
        of_values.next();
        if (is_shared) of_values.next();
    };
    // Two, so that products read one while the other is written; with large heads one.
    typename Attending<T, HEAD>::BlockWeights w[IS_AHEAD ? 2 : 1];
    float factor[2];
    begin_scores();
    wait_for_products<0>();
    end_scores(begin);
    if constexpr (IS_AHEAD) {
        // Warpgroups take turns: barrier 1 is the first one's, 2 the second one's. The first one starts.
        if (group == 1) meet_later<256>(1);
        own.softmax.find_largest(own.s, p.scale, factor);
        own.weigh(w[0], p.scale, own.softmax.sum);
        auto step = [&](int block, const typename Attending<T, HEAD>::BlockWeights& before, typename Attending<T, HEAD>::BlockWeights& now) {
            meet<256>(1 + group);
            begin_scores();
            begin_mixing(before);
            meet_later<256>(2 - group);
            wait_for_products<1>();
            end_scores(block);
            const bool moves = own.weigh_ahead(now, p.scale, factor);
            end_mixing();
            if (moves) own.multiply(factor);
        };
        int block = begin + stride;
#pragma unroll 1
        for (; block + stride < blocks; block += 2 * stride) {
            step(block, w[0], w[1]);
            step(block + stride, w[1], w[0]);
        }
        if (block < blocks) {
            step(block, w[0], w[1]);
            begin_mixing(w[1]);
        } else {
            begin_mixing(w[0]);
        }
    } else {
        own.softmax.take(own.s, p.scale, factor);
        own.keep_weights(w[0]);
#pragma unroll 1
        for (int block = begin + stride; block < blocks; block += stride) {
            begin_scores();
            begin_mixing(w[0]);
            wait_for_products<1>();
            end_scores(block);
            own.softmax.take(own.s, p.scale, factor);
            end_mixing();
            own.multiply(factor);
            own.keep_weights(w[0]);
        }
        begin_mixing(w[0]);
    }
    wait_for_products<0>();
    if (is_shared) {
        // The second warpgroup's last block is multiplied, and no other follows.
        const int last = (blocks - 2) / 2 * 2 + 1;
        const u32 sums = shared + (u32)(last % STAGES) * BYTES + (threadIdx.x % 128) * 4;
        if (group == 1) {
#pragma unroll
            for (int i = 0; i < HEAD / 2; ++i) asm volatile("st.shared.f32 [%0], %1;" ::"r"(sums + i * 512), "f"(own.o[i]) : "memory");
#pragma unroll
            for (int r = 0; r < 2; ++r) merged[r][threadIdx.x % 128] = make_float2(own.softmax.largest[r], own.softmax.sum[r]);
            meet_later<256>(3);
            return;
        }
        meet<256>(3);
        float parts[2][2];
#pragma unroll
        for (int r = 0; r < 2; ++r) {
            const float2 other = merged[r][threadIdx.x % 128];
            const float most = fmaxf(own.softmax.largest[r], other.x);
            parts[r][0] = power_of_two((own.softmax.largest[r] - most) * p.scale);
            parts[r][1] = power_of_two((other.x - most) * p.scale);
            own.softmax.sum[r] = own.softmax.sum[r] * parts[r][0] + other.y * parts[r][1];
        }
#pragma unroll
        for (int i = 0; i < HEAD / 2; ++i) {
            float other;
            asm volatile("ld.shared.f32 %0, [%1];" : "=f"(other) : "r"(sums + i * 512) : "memory");
            own.o[i] = own.o[i] * parts[i / 2 % 2][0] + other * parts[i / 2 % 2][1];
        }
    }

    float largest = 0.0f;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float part = 1.0f / sum_of_row(own.softmax.sum[half]);
        const int token = first + lane / 4 + half * 8;
        if (token >= p.query_tokens) continue;
        T* row = static_cast<T*>(p.to) + ((u64)(u32)n * (u32)p.query_tokens + (u32)token) * (u32)p.to_pitch + channel + lane % 4 * 2;
#pragma unroll
        for (int d = 0; d < HEAD / 8; ++d) {
            const float low = own.o[4 * d + 2 * half] * part, high = own.o[4 * d + 2 * half + 1] * part;
            largest = larger(larger(largest, low), high);
            *reinterpret_cast<u32*>(row + d * 8) = narrow_pair<T>(low, high);
        }
    }
    note_overflow<T>(p.overflow, largest);
}

#define ENTRY(head, precision, T)                                                                                        \
    extern "C" __global__ void __launch_bounds__(384, 1) attention_wgmma_##head##_##precision(                           \
        const __grid_constant__ AttentionParams p) {                                                                     \
        attend_hopper<T, head>(p);                                                                                       \
    }

ENTRY(64, f16, half_t)
ENTRY(128, f16, half_t)
ENTRY(64, bf16, bfloat_t)
ENTRY(128, bf16, bfloat_t)

}  // namespace sf
