// Linear layers on tokens, with norm, function and sum.
//
// For every token m and output n: to[m, n] = f(sum over k of g[m, k] * weights[n, k] + bias[n]) + residual[m, n], where
// g is the map, or its layer norm (a token's channels minus their mean, divided by their deviation),
// and f is GELU or nothing. The norm's scale and shift are already in the weights and the bias.
//
// Entries, of _f32, _f16 and, from sm_80 on, _bf16: token_linear_MxN; MxN: tokens x outputs of a CTA. _f32 multiplies in fp32 on
// the FMA units, up to 64x64.
// GEMM: M = tokens of the batch, N = outputs, K = inputs. Weights are (N stored, K up to a multiple of 64 bytes), K contiguous.
//
// Launch: block 32 * warps, grid (ceil(tokens / M), ceil(stored outputs / N)), dynamic shared memory: of a map a ring of
// 4 stages (3 before sm_80) of 128 bytes of every row of the tokens and of the weights; of a norm all channels of the
// tokens, normalised in place, and the ring of weights; at least the sums of three groups of warps in f32.
//
// Work: 2 * M * N * K FLOP; 1024 tokens, 192 to 768: 0.3 GFLOP, 2.3 MB, 130 FLOP per byte.
// Roofline: latency up to some thousand tokens.
// Measured: NVIDIA H200, driver 580.159, 2026-11-22, 20 launches in a graph, medians of 30, microseconds:
//   1024 tokens: norm 192 to 576 6.9, 192 to 192 and sum 3.6, norm 192 to 768 and GELU 8.4, 768 to 192 and sum 6.0; PyTorch
//   in the same run: norm and linear layer 9.6, layer and sum 4.4, the whole feed-forward part 17.5 (14.4 in two of these)
//   norm 512 to 2048 and GELU, then 2048 to 512 and sum: 64 tokens 7.1 and 11.1 (PyTorch, both 16.8), 1024 tokens 22.6 and 16.1
//   (24.7), 4096 tokens 83.1 and 35.5 (242 TFLOP/s; PyTorch, both 59.3)
// _f32, NVIDIA H100, driver 580.159, 2026-11-25: 1024 tokens: norm 192 to 576 19.5, 192 to 192 and sum 10.2, norm 192 to 768 and
//   GELU 20.3, 768 to 192 and sum 22.7; norm, 512 to 2048, GELU, back and sum 63, 196 and 596 (64, 1024 and 4096 tokens); PyTorch
//   in the same run: 39, 151 and 411.
// Every CTA of some tokens computes their norm again, which is expensive if there are many outputs.
//
// Numerics: operands rounded once to the storage type (a norm's result too), sums in fp32 in a fixed order; mean and
// variance in two passes in fp32. Residual and function are applied in fp32, then the value is rounded once.
//
// Barriers: one per stage; around the norm; around the sums of the groups of warps that share the inputs.
#include "core_mma.cuh"
#include "entries.cuh"
#include "token_params.cuh"

namespace sf {

constexpr int TOKEN_BYTES = 128;  // of a row's channels in a stage
constexpr int TOKEN_PITCH = TOKEN_BYTES + 16;

// How a warp multiplies: WM tokens by WN outputs, both as rows in shared memory. A thread has the same values as in
// tensor core fragments: of every 16 rows lane / 4 and the one 8 below, of every 8 columns lane % 4 * 2 and the next one.
template <class T, int WM, int WN> struct WarpProducts {
    static constexpr int MT = WM / 16, NT = WN / 8;
    u32 token_lane, weight_lane;

    // Offsets of the lane's rows from the warp's first row.
    __device__ __forceinline__ void place(int lane, int row_pitch) {
        token_lane = (u32)((lane & 15) * row_pitch + (lane >> 4) * 16);
        weight_lane = (u32)(((lane & 7) + ((lane >> 4) & 1) * 8) * TOKEN_PITCH + ((lane >> 3) & 1) * 16);
    }

    template <int BYTES>
    __device__ __forceinline__ void run(float (&acc)[MT][NT][4], u32 tokens, u32 weights, int row_pitch) const {
        // The operands of the next 16 channels are in flight while these are multiplied.
        u32 a[2][MT][4], b[2][NT / 2][4];
        auto fetch = [&](int k) {
#pragma unroll
            for (int m = 0; m < MT; ++m) load_matrices(a[k % 2][m], tokens + token_lane + (u32)(m * 16 * row_pitch + k * 32));
#pragma unroll
            for (int c = 0; c < NT / 2; ++c) load_matrices(b[k % 2][c], weights + weight_lane + (u32)(c * 16 * TOKEN_PITCH + k * 32));
        };
        fetch(0);
#pragma unroll
        for (int k = 0; k < BYTES / 32; ++k) {
            if (k + 1 < BYTES / 32) fetch(k + 1);
#pragma unroll
            for (int c = 0; c < NT; ++c)
#pragma unroll
                for (int m = 0; m < MT; ++m)
                    MultiplyStep<T>::run(acc[m][c], a[k % 2][m], b[k % 2][c / 2][c % 2 * 2], b[k % 2][c / 2][c % 2 * 2 + 1]);
        }
    }
};

template <int WM, int WN> struct WarpProducts<float, WM, WN> {
    static constexpr int MT = WM / 16, NT = WN / 8;
    u32 token_lane, weight_lane;

    __device__ __forceinline__ void place(int lane, int row_pitch) {
        token_lane = (u32)(lane / 4 * row_pitch);
        weight_lane = (u32)(lane % 4 * 2 * TOKEN_PITCH);
    }

    __device__ __forceinline__ static float4 four(u32 at) {
        float4 v;
        asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "r"(at));
        return v;
    }

    template <int BYTES>
    __device__ __forceinline__ void run(float (&acc)[MT][NT][4], u32 tokens, u32 weights, int row_pitch) const {
        // The operands of the next four channels are in flight while these are multiplied.
        float4 a[2][2 * MT], b[2][2 * NT];
        auto fetch = [&](int k) {
#pragma unroll
            for (int c = 0; c < 2 * NT; ++c) b[k % 2][c] = four(weights + weight_lane + (u32)((c / 2 * 8 + c % 2) * TOKEN_PITCH + k * 16));
#pragma unroll
            for (int m = 0; m < 2 * MT; ++m) a[k % 2][m] = four(tokens + token_lane + (u32)(8 * m * row_pitch + k * 16));
        };
        fetch(0);
#pragma unroll
        for (int k = 0; k < BYTES / 16; ++k) {
            if (k + 1 < BYTES / 16) fetch(k + 1);
#pragma unroll
            for (int m = 0; m < 2 * MT; ++m)
#pragma unroll
                for (int c = 0; c < 2 * NT; ++c) {
                    float& sum = acc[m / 2][c / 2][m % 2 * 2 + c % 2];
                    sum = fmaf(a[k % 2][m].x, b[k % 2][c].x, sum);
                    sum = fmaf(a[k % 2][m].y, b[k % 2][c].y, sum);
                    sum = fmaf(a[k % 2][m].z, b[k % 2][c].z, sum);
                    sum = fmaf(a[k % 2][m].w, b[k % 2][c].w, sum);
                }
        }
    }
};

// Two neighbouring values of a map.
template <class T> struct TwoValues {
    u32 word;
    __device__ __forceinline__ void widened(float& low, float& high) const { widen_pair<T>(word, low, high); }
    __device__ __forceinline__ static TwoValues narrowed(float low, float high) { return {narrow_pair<T>(low, high)}; }
};
template <> struct TwoValues<float> {
    float2 values;
    __device__ __forceinline__ void widened(float& low, float& high) const { low = values.x; high = values.y; }
    __device__ __forceinline__ static TwoValues narrowed(float low, float high) { return {make_float2(low, high)}; }
};

// The layer norm of rows in shared memory, in place: eight lanes per row, four rows per warp at once. Padding channels
// are zero before it; after it their values are multiplied by weights of zero.
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
            // Weights of padding channels are zero.
#pragma unroll
            for (int i = 0; i < COUNT; ++i) v[i] = (v[i] - mean) * factor;
            store_pack(values + at, v);
        }
    }
}

template <class T, int BM, int BN, int WARPS_M, int WARPS_N, int WARPS_K>
__device__ __forceinline__ void token_linear(const TokenLinearParams& p) {
    constexpr int WARPS = WARPS_M * WARPS_N, THREADS = 32 * WARPS * WARPS_K, MT = BM / WARPS_M / 16, NT = BN / WARPS_N / 8;
    constexpr int WEIGHT_BYTES = BN * TOKEN_PITCH;
    constexpr int COUNT = Pack<T>::COUNT, DEPTH = TOKEN_BYTES / (int)sizeof(T);
    static_assert(NT % 2 == 0, "weights are loaded for two tiles at once");
    extern __shared__ __align__(16) char memory[];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % WARPS, part = threadIdx.x / 32 / WARPS;
    const int first_token = (int)blockIdx.x * BM, first_output = (int)blockIdx.y * BN;
    const int steps = (p.weight_pitch + DEPTH - 1) / DEPTH;
    // For a norm: all channels of the tokens, after the ring.
    const bool has_norm = p.has_norm != 0;
    const int row_pitch = has_norm ? steps * TOKEN_BYTES + 16 : TOKEN_PITCH;
    const u32 stage_bytes = has_norm ? WEIGHT_BYTES : WEIGHT_BYTES + BM * TOKEN_PITCH;
    const u32 shared = shared_address(memory), rows = shared + STAGES * stage_bytes;
    // A thread copies the same 16 bytes of a step of every STRIDE-th row, step after step.
    constexpr int STRIDE = THREADS / 8;
    const int row = (int)threadIdx.x / 8, piece = (int)threadIdx.x % 8 * COUNT;
    const T* own_weights = static_cast<const T*>(p.weights) + (u64)(u32)(first_output + row) * (u32)p.weight_pitch + (u32)piece;
    const T* own_tokens = static_cast<const T*>(p.from) + (u64)(u32)(first_token + row) * (u32)p.from_pitch + (u32)piece;
    const u64 weight_stride = (u64)(STRIDE * (u32)p.weight_pitch), token_stride = (u64)(STRIDE * (u32)p.from_pitch);
    const int weight_rows = p.to_pitch - first_output - row, token_rows = p.tokens - first_token - row;
    const u32 own_place = (u32)(row * TOKEN_PITCH + piece * (int)sizeof(T));
    const u32 own_row = (u32)(row * row_pitch + piece * (int)sizeof(T));
    auto load_weights = [&](int step) {
        const u32 to = shared + (u32)(step % STAGES) * stage_bytes + own_place;
        const bool is_there = step * DEPTH + piece < p.weight_pitch;
        const T* at = own_weights + step * DEPTH;
#pragma unroll
        for (int r = 0; r < BN; r += STRIDE) {
            const bool reads = is_there && r < weight_rows;
            copy_16_or_zeros(to + (u32)(r * TOKEN_PITCH), reads ? at + r / STRIDE * weight_stride : p.weights, reads);
        }
    };
    auto load_tokens = [&](int step, u32 to) {
        const bool is_there = step * DEPTH + piece < p.from_pitch;
        const T* at = own_tokens + step * DEPTH;
#pragma unroll
        for (int r = 0; r < BM; r += STRIDE) {
            const bool reads = is_there && r < token_rows;
            copy_16_or_zeros(to + own_row + (u32)(r * row_pitch), reads ? at + r / STRIDE * token_stride : p.from, reads);
        }
    };
    // Weights do not depend on the previous launch.
    if (has_norm) {
        load_weights(0);
#if __CUDA_ARCH__ >= 900
        asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
        for (int step = 0; step < steps; ++step) load_tokens(step, rows + (u32)step * TOKEN_BYTES);
        commit_copies();
#pragma unroll
        for (int step = 1; step < STAGES - 1; ++step) {
            if (step < steps) load_weights(step);
            commit_copies();
        }
        wait_for_copies<STAGES - 2>();
        // The tokens have arrived.
        __syncthreads();
        norm_rows<T, BM, WARPS * WARPS_K>(p, memory + STAGES * stage_bytes, row_pitch);
    } else {
#if __CUDA_ARCH__ >= 900
        asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
#pragma unroll
        for (int step = 0; step < STAGES - 1; ++step) {
            if (step < steps) {
                load_weights(step);
                load_tokens(step, shared + (u32)step * stage_bytes + WEIGHT_BYTES);
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
    // Each group of warps takes its share of the channels of every stage.
    constexpr int SHARE = TOKEN_BYTES / WARPS_K;
    WarpProducts<T, BM / WARPS_M, BN / WARPS_N> products;
    products.place(lane, row_pitch);
    const u32 own_token_rows = (u32)(warp_token * row_pitch + part * SHARE), own_weight_rows = (u32)(warp_output * TOKEN_PITCH + part * SHARE);
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
        wait_for_copies<STAGES - 2>();
        // This stage has arrived (and the norm is done), and the previous one, which the next one overwrites, is read.
        __syncthreads();
        const int next = step + STAGES - 1;
        if (next < steps) {
            load_weights(next);
            if (!has_norm) load_tokens(next, shared + (u32)(next % STAGES) * stage_bytes + WEIGHT_BYTES);
        }
        commit_copies();
        const u32 stage = shared + (u32)(step % STAGES) * stage_bytes;
        const u32 tokens = has_norm ? rows + (u32)step * TOKEN_BYTES : stage + WEIGHT_BYTES;
        products.template run<SHARE>(acc, tokens + own_token_rows, stage + own_weight_rows, row_pitch);
    }

    // If several groups of warps have sums for the same values, each gets some fragments, OWN from `first_own` on.
    constexpr int ALL = MT * NT, OWN = ALL / WARPS_K;
    const int first_own = part * OWN;
    float own[OWN][4];
#pragma unroll
    for (int f = 0; f < ALL; ++f)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (WARPS_K == 1 || f / OWN == part) own[f % OWN][i] = acc[f / NT][f % NT][i];
    if constexpr (WARPS_K > 1) {
        // [other group][fragment and value of a lane][thread]; the ring and the tokens are read.
        float* sums = reinterpret_cast<float*>(memory) + threadIdx.x % (32 * WARPS);
        wait_for_copies<0>();
        __syncthreads();
#pragma unroll
        for (int f = 0; f < ALL; ++f) {
            const int other = part < f / OWN ? part : part - 1;
#pragma unroll
            for (int i = 0; i < 4; ++i)
                if (f / OWN != part) sums[((other * ALL + f) * 4 + i) * (32 * WARPS)] = acc[f / NT][f % NT][i];
        }
        __syncthreads();
#pragma unroll
        for (int other = 0; other < WARPS_K - 1; ++other)
#pragma unroll
            for (int j = 0; j < OWN; ++j)
#pragma unroll
                for (int i = 0; i < 4; ++i) own[j][i] += sums[((other * ALL + first_own + j) * 4 + i) * (32 * WARPS)];
    }

    // All reads are before the first write, which may be to the same map.
    float2 bias[OWN];
    TwoValues<T> residual[OWN][2];
    auto output_of = [&](int j) { return first_output + warp_output + (first_own + j) % NT * 8 + lane % 4 * 2; };
    auto place = [&](int j, int half) {
        const int token = first_token + warp_token + (first_own + j) / NT * 16 + half * 8 + lane / 4, output = output_of(j);
        const u64 at = (u64)(u32)token * (u32)p.to_pitch + (u32)output;
        return token < p.tokens && output < p.to_pitch ? (long long)at : -1ll;
    };
#pragma unroll
    for (int j = 0; j < OWN; ++j) {
        const int output = output_of(j);
        bias[j] = output < p.to_pitch ? __ldg(reinterpret_cast<const float2*>(p.bias + output)) : make_float2(0.0f, 0.0f);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const long long at = p.residual != nullptr ? place(j, half) : -1ll;
            residual[j][half] = at >= 0 ? *reinterpret_cast<const TwoValues<T>*>(static_cast<const T*>(p.residual) + at)
                                        : TwoValues<T>::narrowed(0.0f, 0.0f);
        }
    }
    float largest = 0.0f;
#pragma unroll
    for (int j = 0; j < OWN; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float x = own[j][2 * half] + bias[j].x, y = own[j][2 * half + 1] + bias[j].y, low, high;
            if (p.is_gelu) {
                x = gelu<T>(x);
                y = gelu<T>(y);
            }
            residual[j][half].widened(low, high);
            low += x;
            high += y;
            const long long at = place(j, half);
            if (at < 0) continue;
            largest = larger(larger(largest, low), high);
            *reinterpret_cast<TwoValues<T>*>(static_cast<T*>(p.to) + at) = TwoValues<T>::narrowed(low, high);
        }
    note_overflow<T>(p.overflow, largest);
}

#define ENTRY(m, n, warps_m, warps_n, warps_k, precision, T)                                                                      \
    extern "C" __global__ void __launch_bounds__(32 * warps_m * warps_n * warps_k)                                                \
        token_linear_##m##x##n##_##precision(const __grid_constant__ TokenLinearParams p) {                                       \
        token_linear<T, m, n, warps_m, warps_n, warps_k>(p);                                                                      \
    }

// fp32 products read shared memory four times for every load of a warp, so a thread has as many values as fit.
ENTRY(32, 64, 1, 2, 4, f32, float)
ENTRY(64, 64, 1, 2, 4, f32, float)
HALF_ENTRIES(ENTRY, 32, 64, 1, 4, 2)
HALF_ENTRIES(ENTRY, 64, 64, 2, 2, 2)
// Hopper has its own kernels for many tokens, and on other GPUs this one's ring does not fit.
#if __CUDA_ARCH__ == 800 || __CUDA_ARCH__ == 1000
HALF_ENTRIES(ENTRY, 128, 128, 2, 4, 1)
#endif

}  // namespace sf
