// Linear layers on tokens, on tensor cores, with what stands around them.
//
// For every token m and output n: to[m, n] = f(sum over k of g[m, k] * weights[n, k] + bias[n]) + residual[m, n], where
// g is the map, or its layer norm (a token's channels less their mean, over their deviation),
// and f is GELU or nothing. The norm's scale and shift are in the weights and the bias already.
//
// Entries, of _f16 and, from sm_80 on, _bf16: token_linear_MxN for a map, token_linear_norm_MxN for its layer norm; MxN: tokens x outputs of a CTA.
// GEMM: M = tokens of the batch, N = outputs, K = inputs. Weights lie as (N stored, K up to a multiple of 32), K together.
//
// Launch: block 32 * warps, grid (ceil(tokens / M), ceil(stored outputs / N)), dynamic shared memory: of a map a ring of
// 4 stages (3 before sm_80) of 64 channels of the tokens and of the weights; of a norm all channels of the tokens,
// normalised in place, and the ring of weights.
//
// Work: 2 * M * N * K FLOP; 1024 tokens, 192 to 768: 0.3 GFLOP, 2.3 MB: 130 FLOP a byte: latency.
//
// Roofline: latency up to some thousand tokens.
// Measured: NVIDIA H200, driver 580.159, 2026-11-22, 20 launches in a graph, medians of 30, microseconds:
//   1024 tokens: norm 192 to 576 6.9, 192 to 192 and sum 3.6, norm 192 to 768 and GELU 8.4, 768 to 192 and sum 6.0; PyTorch
//   in the same run: norm and linear layer 9.6, layer and sum 4.4, the whole feed-forward part 17.5 (14.4 in two of these)
//   64 tokens: norm 512 to 2048 and GELU 7.1, 2048 to 512 and sum 11.1; PyTorch, both 16.8
//   1024 tokens: 22.6 and 16.1; PyTorch, both 24.7. 4096 tokens: 83.1 and 35.5 (242 TFLOP/s); PyTorch, both 59.3
// Beside a norm every CTA of some tokens computes it again, which costs most where outputs are many.
//
// Numerics: operands rounded once to the storage type (a norm's result as well), sums in fp32 in a fixed order; mean and
// variance in two passes in fp32. Residual and function are taken in fp32, then the value is rounded once.
//
// Barriers: one a stage; around the norm.
#include "core_mma.cuh"
#include "entries.cuh"
#include "token_params.cuh"

namespace sf {

constexpr int TOKEN_DEPTH = 64;  // channels of a stage
constexpr int TOKEN_PITCH = 2 * TOKEN_DEPTH + 16;

// The layer norm of rows in shared memory, in place: eight lanes a row, four rows a warp at once. Channels that do not
// exist are zero before and behind it.
template <class T, int BM, int WARPS> __device__ __forceinline__ void norm_rows(const TokenLinearParams& p, char* rows, int pitch) {
    constexpr int COUNT = Pack<T>::COUNT;
    const int lane = threadIdx.x % 8;
    const float part = 1.0f / (float)p.channels;
#pragma unroll 2
    for (int row = (int)threadIdx.x / 8; row < BM; row += 4 * WARPS) {
        T* values = reinterpret_cast<T*>(rows + row * pitch);
        float sum = 0.0f;
        for (int at = lane * COUNT; at < p.from_pitch; at += 8 * COUNT) {
            float v[COUNT];
            load_pack(values + at, v);
#pragma unroll
            for (int i = 0; i < COUNT; ++i) sum += v[i];
        }
        const float mean = sum_of_eight(sum) * part;
        float squares = 0.0f;
        for (int at = lane * COUNT; at < p.from_pitch; at += 8 * COUNT) {
            float v[COUNT];
            load_pack(values + at, v);
#pragma unroll
            for (int i = 0; i < COUNT; ++i) {
                const float off = at + i < p.channels ? v[i] - mean : 0.0f;
                squares = fmaf(off, off, squares);
            }
        }
        const float factor = rsqrtf(fmaf(sum_of_eight(squares), part, p.eps));
        for (int at = lane * COUNT; at < p.from_pitch; at += 8 * COUNT) {
            float v[COUNT];
            load_pack(values + at, v);
            // Weights of channels that do not exist are zero.
#pragma unroll
            for (int i = 0; i < COUNT; ++i) v[i] = (v[i] - mean) * factor;
            store_pack(values + at, v);
        }
    }
}

template <class T, int BM, int BN, int WARPS_M, int WARPS_N, int WARPS_K, bool NORM>
__device__ __forceinline__ void token_linear(const TokenLinearParams& p) {
    constexpr int WARPS = WARPS_M * WARPS_N, THREADS = 32 * WARPS * WARPS_K, MT = BM / WARPS_M / 16, NT = BN / WARPS_N / 8;
    constexpr int WEIGHT_BYTES = BN * TOKEN_PITCH, TOKEN_BYTES = NORM ? 0 : BM * TOKEN_PITCH, STAGE_BYTES = WEIGHT_BYTES + TOKEN_BYTES;
    static_assert(NT % 2 == 0, "weights are loaded for two tiles at once");
    extern __shared__ __align__(16) char memory[];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % WARPS, part = threadIdx.x / 32 / WARPS;
    const int first_token = (int)blockIdx.x * BM, first_output = (int)blockIdx.y * BN;
    const int steps = (p.weight_pitch + TOKEN_DEPTH - 1) / TOKEN_DEPTH;
    // Of a norm: all channels of the tokens, behind the ring.
    const int row_pitch = NORM ? steps * 2 * TOKEN_DEPTH + 16 : TOKEN_PITCH;
    const u32 shared = shared_address(memory), rows = shared + STAGES * STAGE_BYTES;
    // A thread copies the same 16 bytes of 64 channels of every STRIDE-th row, step after step.
    constexpr int STRIDE = THREADS / 8;
    const int row = (int)threadIdx.x / 8, piece = (int)threadIdx.x % 8 * 8;
    const T* own_weights = static_cast<const T*>(p.weights) + (u64)(u32)(first_output + row) * (u32)p.weight_pitch + (u32)piece;
    const T* own_tokens = static_cast<const T*>(p.from) + (u64)(u32)(first_token + row) * (u32)p.from_pitch + (u32)piece;
    const u64 weight_stride = (u64)(STRIDE * (u32)p.weight_pitch), token_stride = (u64)(STRIDE * (u32)p.from_pitch);
    const int weight_rows = p.to_pitch - first_output - row, token_rows = p.tokens - first_token - row;
    const u32 own_place = (u32)(row * TOKEN_PITCH + piece * 2), own_row = (u32)(row * row_pitch + piece * 2);
    auto load_weights = [&](int step) {
        const u32 to = shared + (u32)(step % STAGES) * STAGE_BYTES + own_place;
        const bool is_there = step * TOKEN_DEPTH + piece < p.weight_pitch;
        const T* at = own_weights + step * TOKEN_DEPTH;
#pragma unroll
        for (int r = 0; r < BN; r += STRIDE) {
            const bool reads = is_there && r < weight_rows;
            copy_16_or_zeros(to + (u32)(r * TOKEN_PITCH), reads ? at + r / STRIDE * weight_stride : p.weights, reads);
        }
    };
    auto load_tokens = [&](int step, u32 to) {
        const bool is_there = step * TOKEN_DEPTH + piece < p.from_pitch;
        const T* at = own_tokens + step * TOKEN_DEPTH;
#pragma unroll
        for (int r = 0; r < BM; r += STRIDE) {
            const bool reads = is_there && r < token_rows;
            copy_16_or_zeros(to + own_row + (u32)(r * row_pitch), reads ? at + r / STRIDE * token_stride : p.from, reads);
        }
    };
    // Weights are not of the launch before.
    if constexpr (NORM) {
        load_weights(0);
#if __CUDA_ARCH__ >= 900
        asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
        for (int step = 0; step < steps; ++step) load_tokens(step, rows + (u32)step * 2 * TOKEN_DEPTH);
        commit_copies();
#pragma unroll
        for (int step = 1; step < STAGES - 1; ++step) {
            if (step < steps) load_weights(step);
            commit_copies();
        }
        wait_for_copies<STAGES - 2>();
        // The tokens have come.
        __syncthreads();
        norm_rows<T, BM, WARPS * WARPS_K>(p, memory + STAGES * STAGE_BYTES, row_pitch);
    } else {
#if __CUDA_ARCH__ >= 900
        asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
#pragma unroll
        for (int step = 0; step < STAGES - 1; ++step) {
            if (step < steps) {
                load_weights(step);
                load_tokens(step, shared + (u32)(step * STAGE_BYTES + WEIGHT_BYTES));
            }
            commit_copies();
        }
    }
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif

    float acc[MT][NT][4];
#pragma unroll
    for (int m = 0; m < MT; ++m)
#pragma unroll
        for (int c = 0; c < NT; ++c)
#pragma unroll
            for (int i = 0; i < 4; ++i) acc[m][c][i] = 0.0f;
    const int warp_token = warp % WARPS_M * (BM / WARPS_M), warp_output = warp / WARPS_M * (BN / WARPS_N);
    // Of every stage each part of the warps takes its share of the channels.
    constexpr int SHARE = TOKEN_DEPTH / WARPS_K;
    const u32 token_lane = (u32)((warp_token + (lane & 15)) * row_pitch + (lane >> 4) * 16 + part * SHARE * 2);
    const u32 weight_lane = (u32)((warp_output + (lane & 7) + ((lane >> 4) & 1) * 8) * TOKEN_PITCH + ((lane >> 3) & 1) * 16 + part * SHARE * 2);
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
        wait_for_copies<STAGES - 2>();
        // This stage has come (and the norm is done), and the one before, whose place the next one takes, is read.
        __syncthreads();
        const int next = step + STAGES - 1;
        if (next < steps) {
            load_weights(next);
            if constexpr (!NORM) load_tokens(next, shared + (u32)(next % STAGES * STAGE_BYTES + WEIGHT_BYTES));
        }
        commit_copies();
        const u32 stage = shared + (u32)(step % STAGES) * STAGE_BYTES;
        const u32 tokens = (NORM ? rows + (u32)step * 2 * TOKEN_DEPTH : stage + WEIGHT_BYTES) + token_lane;
        // The operands of the next 16 channels are on their way while these are multiplied.
        u32 a[2][MT][4], b[2][NT / 2][4];
        auto fetch = [&](int k) {
#pragma unroll
            for (int m = 0; m < MT; ++m) load_matrices(a[k % 2][m], tokens + (u32)(m * 16 * row_pitch + k * 32));
#pragma unroll
            for (int c = 0; c < NT / 2; ++c) load_matrices(b[k % 2][c], stage + weight_lane + (u32)(c * 16 * TOKEN_PITCH + k * 32));
        };
        fetch(0);
#pragma unroll
        for (int k = 0; k < SHARE / 16; ++k) {
            if (k + 1 < SHARE / 16) fetch(k + 1);
#pragma unroll
            for (int c = 0; c < NT; ++c)
#pragma unroll
                for (int m = 0; m < MT; ++m)
                    MultiplyStep<T>::run(acc[m][c], a[k % 2][m], b[k % 2][c / 2][c % 2 * 2], b[k % 2][c / 2][c % 2 * 2 + 1]);
        }
    }

    if constexpr (WARPS_K > 1) {
        // [value of a lane][thread]; the ring and the tokens are read.
        static_assert(WARPS_K == 2, "the second part is added to the first");
        float* sums = reinterpret_cast<float*>(memory) + threadIdx.x % (32 * WARPS);
        wait_for_copies<0>();
        __syncthreads();
#pragma unroll
        for (int m = 0; m < MT; ++m)
#pragma unroll
            for (int c = 0; c < NT; ++c)
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    if (part > 0) sums[((m * NT + c) * 4 + i) * (32 * WARPS)] = acc[m][c][i];
        __syncthreads();
        if (part > 0) return;
#pragma unroll
        for (int m = 0; m < MT; ++m)
#pragma unroll
            for (int c = 0; c < NT; ++c)
#pragma unroll
                for (int i = 0; i < 4; ++i) acc[m][c][i] += sums[((m * NT + c) * 4 + i) * (32 * WARPS)];
    }

    // All reads come before the first write, which might be to the same map.
    float2 bias[NT];
    u32 residual[MT][2][NT];
#pragma unroll
    for (int c = 0; c < NT; ++c) {
        const int output = first_output + warp_output + c * 8 + lane % 4 * 2;
        bias[c] = output < p.to_pitch ? __ldg(reinterpret_cast<const float2*>(p.bias + output)) : make_float2(0.0f, 0.0f);
    }
    auto place = [&](int m, int half, int c) {
        const int token = first_token + warp_token + m * 16 + half * 8 + lane / 4;
        const int output = first_output + warp_output + c * 8 + lane % 4 * 2;
        const u64 at = (u64)(u32)token * (u32)p.to_pitch + (u32)output;
        return token < p.tokens && output < p.to_pitch ? (long long)at : -1ll;
    };
    if (p.residual != nullptr) {
#pragma unroll
        for (int m = 0; m < MT; ++m)
#pragma unroll
            for (int half = 0; half < 2; ++half)
#pragma unroll
                for (int c = 0; c < NT; ++c) {
                    const long long at = place(m, half, c);
                    residual[m][half][c] = at >= 0 ? *reinterpret_cast<const u32*>(static_cast<const T*>(p.residual) + at) : 0u;
                }
    } else {
#pragma unroll
        for (int i = 0; i < MT * 2 * NT; ++i) residual[i / (2 * NT)][i / NT % 2][i % NT] = 0u;
    }
    if (p.is_gelu) {
#pragma unroll
        for (int m = 0; m < MT; ++m)
#pragma unroll
            for (int c = 0; c < NT; ++c)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    acc[m][c][i] = gelu(acc[m][c][i] + (i % 2 ? bias[c].y : bias[c].x));
                }
#pragma unroll
        for (int c = 0; c < NT; ++c) bias[c] = make_float2(0.0f, 0.0f);
    }
    float largest = 0.0f;
#pragma unroll
    for (int m = 0; m < MT; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half)
#pragma unroll
            for (int c = 0; c < NT; ++c) {
                float low, high;
                widen_pair<T>(residual[m][half][c], low, high);
                low += acc[m][c][2 * half] + bias[c].x;
                high += acc[m][c][2 * half + 1] + bias[c].y;
                const long long at = place(m, half, c);
                if (at < 0) continue;
                largest = larger(larger(largest, low), high);
                *reinterpret_cast<u32*>(static_cast<T*>(p.to) + at) = narrow_pair<T>(low, high);
            }
    note_overflow<T>(p.overflow, largest);
}

#define ENTRY(name, m, n, warps_m, warps_n, warps_k, norm, precision, T)                                                          \
    extern "C" __global__ void __launch_bounds__(32 * warps_m * warps_n * warps_k)                                                \
        token_linear_##name##m##x##n##_##precision(const __grid_constant__ TokenLinearParams p) {                        \
        token_linear<T, m, n, warps_m, warps_n, warps_k, norm>(p);                                                                \
    }

HALF_ENTRIES(ENTRY, , 32, 64, 1, 4, 2, false)
HALF_ENTRIES(ENTRY, , 64, 64, 2, 2, 2, false)
HALF_ENTRIES(ENTRY, , 128, 128, 2, 4, 1, false)
HALF_ENTRIES(ENTRY, norm_, 32, 64, 1, 4, 2, true)
HALF_ENTRIES(ENTRY, norm_, 64, 64, 2, 2, 2, true)
HALF_ENTRIES(ENTRY, norm_, 128, 128, 2, 4, 1, true)

}  // namespace sf
