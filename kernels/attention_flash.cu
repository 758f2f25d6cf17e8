// Attention on tensor cores with a running softmax, for every architecture.
//
// For every image, head h and query i: to[i] = sum over keys j of w[i, j] * values[j], where w[i, ] is the softmax over
// j of queries[i] . keys[j] / sqrt(head_size). Scores are never in memory: a CTA walks over the keys in blocks, keeps
// the largest score, the sum of the weights and the weighted values of its queries, and rescales them by
// 2^(old largest - new largest) when a larger score comes (Milakov and Gimelshein 2018; Dao and others 2022).
//
// Entries: attention_flash_DxP_f16 and _bf16 (from sm_80 on) for heads of D = 32, 64, 128 channels and P = 1, 2 groups of
// warps. Each group has the same 64 queries and takes every P-th block of keys; the groups merge at the end, in order. P = 2
// is for few queries, which would leave most of an SM idle.
// Layouts: maps as in element.cuh, a token is a pixel; the channels of head h begin at h * D and are read in 16-byte pieces.
//
// Launch: block 128 * P, grid (ceil(query_tokens / 64), heads, images), dynamic shared memory: two blocks of keys and of
// values per group, 36 KB at D = 64. A warp has 16 queries; a block has 64 keys (32 at D = 128).
//
// Work: 4 * query_tokens * key_tokens * D FLOP per head; 8 heads of 64, 1024 tokens: 2.1 GFLOP, 4.2 MB.
// Roofline: tensor cores; latency below a thousand tokens.
// Measured: NVIDIA H200, driver 580.159, 2026-11-22, 10 launches in a graph, medians of 15, one image, 8 heads:
//   D 64:  256 tokens 5.3 us (P = 2), 1024 14.0 us (P = 2) or 16.0 us (P = 1), 4096 156 us (P = 1), 220 TFLOP/s
//   D 128: 256 tokens 8.9 us (P = 2), 1024 24.1 us (P = 2)
//   PyTorch's fastest in the same run (cuDNN): 7.1, 13.9 and 76 us; 8.4 and 17.8 us
//
// Numerics: products of stored values, sums, maxima and exponentials in fp32; the weights, at most 1, are rounded to
// the storage type before they are multiplied with the values. Fixed order: equal input gives equal bits.
//
// Barriers: one per block and group (the block has arrived, the previous one is read); two around the merge.
#include "core_mma.cuh"
#include "entries.cuh"
#include "general.cuh"
#include "running_softmax.cuh"

namespace sf {

__device__ __forceinline__ void load_transposed_matrices(u32 (&r)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// A block's keys and values in shared memory, two blocks per group of warps.
template <int HEAD, int KEYS> struct FlashBlock {
    static constexpr int PITCH = 2 * HEAD + 16, BYTES = KEYS * PITCH, PART_BYTES = 4 * BYTES;
};

// Orders the reads and writes of 128 threads, a group of the CTA.
__device__ __forceinline__ void sync_part(int part) { asm volatile("bar.sync %0, 128;" ::"r"(part + 1) : "memory"); }

template <class T, int HEAD, int KEYS, int PARTS> __device__ __forceinline__ void attend(const AttentionParams& p) {
    typedef FlashBlock<HEAD, KEYS> Block;
    constexpr int THREADS = 128, PITCH = Block::PITCH, BLOCK_BYTES = Block::BYTES;
    extern __shared__ __align__(16) char memory[];
    const int part = PARTS > 1 ? (int)threadIdx.x / THREADS : 0, thread = (int)threadIdx.x % THREADS;
    const u32 shared = shared_address(memory) + (u32)(part * Block::PART_BYTES);
    const int n = blockIdx.z, channel = (int)blockIdx.y * HEAD;
    const int lane = threadIdx.x % 32, first = (int)blockIdx.x * 64 + thread / 32 * 16;

    // Neighbouring threads copy the pieces of a token.
    constexpr int PIECES = HEAD / 8, STRIDE = THREADS / PIECES;
    const int row = thread / PIECES, piece = thread % PIECES;
    const T* keys = head_of(static_cast<const T*>(p.keys), n, p.key_tokens, row, p.key_pitch, blockIdx.y, HEAD) + piece * 8;
    const T* values = head_of(static_cast<const T*>(p.values), n, p.key_tokens, row, p.value_pitch, blockIdx.y, HEAD) + piece * 8;
    const u64 key_stride = (u64)(STRIDE * (u32)p.key_pitch), value_stride = (u64)(STRIDE * (u32)p.value_pitch);
    const u32 own_place = shared + (u32)(row * PITCH + piece * 16);
    auto load = [&](int block, int buffer) {
        const u32 to = own_place + (u32)buffer * 2 * BLOCK_BYTES;
        const u64 token = (u64)(u32)(block * KEYS);
        const T* key = keys + token * (u32)p.key_pitch;
        const T* value = values + token * (u32)p.value_pitch;
        const int left = p.key_tokens - block * KEYS - row;
#pragma unroll
        for (int r = 0; r < KEYS; r += STRIDE) {
            const bool is_there = r < left;
            copy_16_or_zeros(to + (u32)(r * PITCH), is_there ? key : keys, is_there);
            copy_16_or_zeros(to + BLOCK_BYTES + (u32)(r * PITCH), is_there ? value : values, is_there);
            key += key_stride;
            value += value_stride;
        }
        commit_copies();
    };
    const int blocks = (p.key_tokens + KEYS - 1) / KEYS;
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
    if (part < blocks) load(part, 0);

    u32 q[HEAD / 16][4];
    const T* queries = head_of(static_cast<const T*>(p.queries), n, p.query_tokens, 0, p.query_pitch, blockIdx.y, HEAD);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int token = min(first + lane / 4 + half * 8, p.query_tokens - 1);
        const T* from = queries + (u64)(u32)token * (u32)p.query_pitch + lane % 4 * 2;
#pragma unroll
        for (int k = 0; k < HEAD / 16; ++k) {
            q[k][half] = *reinterpret_cast<const u32*>(from + k * 16);
            q[k][half + 2] = *reinterpret_cast<const u32*>(from + k * 16 + 8);
        }
    }

    Softmax<KEYS / 2> softmax;
    softmax.clear();
    float o[HEAD / 8][4];
#pragma unroll
    for (int d = 0; d < HEAD / 8; ++d)
#pragma unroll
        for (int i = 0; i < 4; ++i) o[d][i] = 0.0f;

    const u32 key_lane = (u32)(((lane & 7) + ((lane >> 4) & 1) * 8) * PITCH + ((lane >> 3) & 1) * 16);
    const u32 value_lane = (u32)(((lane & 7) + ((lane >> 3) & 1) * 8) * PITCH + ((lane >> 4) & 1) * 16);
    int buffer = 0;
#pragma unroll 1
    for (int block = part; block < blocks; block += PARTS) {
        wait_for_copies<0>();
        // The block has arrived, and the previous one, which the next one overwrites, is read.
        sync_part(part);
        if (block + PARTS < blocks) load(block + PARTS, buffer ^ 1);
        const u32 at = shared + (u32)buffer * 2 * BLOCK_BYTES;
        buffer ^= 1;
        float s[KEYS / 2];
#pragma unroll
        for (int i = 0; i < KEYS / 2; ++i) s[i] = 0.0f;
#pragma unroll
        for (int k = 0; k < HEAD / 16; ++k) {
#pragma unroll
            for (int j = 0; j < KEYS / 16; ++j) {
                u32 b[4];
                load_matrices(b, at + key_lane + (u32)(j * 16 * PITCH + k * 32));
                MultiplyStep<T>::run(reinterpret_cast<float(&)[4]>(s[8 * j]), q[k], b[0], b[1]);
                MultiplyStep<T>::run(reinterpret_cast<float(&)[4]>(s[8 * j + 4]), q[k], b[2], b[3]);
            }
        }
        if (block + 1 == blocks) leave_out(s, lane % 4 * 2, p.key_tokens - block * KEYS);
        float factor[2];
        softmax.take(s, p.scale, factor);
#pragma unroll
        for (int d = 0; d < HEAD / 8; ++d)
#pragma unroll
            for (int i = 0; i < 4; ++i) o[d][i] *= factor[i / 2];
#pragma unroll
        for (int j = 0; j < KEYS / 16; ++j) {
            u32 w[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) w[i] = narrow_pair<T>(s[8 * j + 2 * i], s[8 * j + 2 * i + 1]);
#pragma unroll
            for (int d = 0; d < HEAD / 8; d += 2) {
                u32 b[4];
                load_transposed_matrices(b, at + BLOCK_BYTES + value_lane + (u32)(j * 16 * PITCH + d * 16));
                MultiplyStep<T>::run(o[d], w, b[0], b[1]);
                MultiplyStep<T>::run(o[d + 1], w, b[2], b[3]);
            }
        }
    }

    float sum[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) sum[r] = sum_of_row(softmax.sum[r]);
    if constexpr (PARTS > 1) {
        // [group][value of a lane][thread]; after this barrier every block is read.
        constexpr int VALUES = HEAD / 2 + 4;
        static_assert(VALUES * THREADS * 4 <= Block::PART_BYTES, "a part's results fit its blocks");
        float* results = reinterpret_cast<float*>(memory) + thread;
        __syncthreads();
        if (part > 0) {
            float* own = results + part * VALUES * THREADS;
#pragma unroll
            for (int i = 0; i < HEAD / 2; ++i) own[i * THREADS] = o[i / 4][i % 4];
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                own[(HEAD / 2 + r) * THREADS] = softmax.largest[r];
                own[(HEAD / 2 + 2 + r) * THREADS] = sum[r];
            }
        }
        __syncthreads();
        if (part > 0) return;
#pragma unroll 1
        for (int other = 1; other < PARTS; ++other) {
            const float* theirs = results + other * VALUES * THREADS;
            float mine[2], its[2];
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                const float largest = theirs[(HEAD / 2 + r) * THREADS], most = fmaxf(softmax.largest[r], largest);
                mine[r] = power_of_two((softmax.largest[r] - most) * p.scale);
                its[r] = power_of_two((largest - most) * p.scale);
                sum[r] = fmaf(sum[r], mine[r], theirs[(HEAD / 2 + 2 + r) * THREADS] * its[r]);
                softmax.largest[r] = most;
            }
#pragma unroll
            for (int i = 0; i < HEAD / 2; ++i) {
                float& value = o[i / 4][i % 4];
                value = fmaf(value, mine[i / 2 % 2], theirs[i * THREADS] * its[i / 2 % 2]);
            }
        }
    }

    float largest = 0.0f;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float share = 1.0f / sum[half];
        const int token = first + lane / 4 + half * 8;
        if (token >= p.query_tokens) continue;
        T* to = static_cast<T*>(p.to) + ((u64)(u32)n * (u32)p.query_tokens + (u32)token) * (u32)p.to_pitch + channel + lane % 4 * 2;
#pragma unroll
        for (int d = 0; d < HEAD / 8; ++d) {
            const float low = o[d][2 * half] * share, high = o[d][2 * half + 1] * share;
            largest = larger(larger(largest, low), high);
            *reinterpret_cast<u32*>(to + d * 8) = narrow_pair<T>(low, high);
        }
    }
    note_overflow<T>(p.overflow, largest);
}

#define ENTRY(head, keys, parts, precision, T)                                                                           \
    extern "C" __global__ void __launch_bounds__(128 * parts)                                                            \
        attention_flash_##head##x##parts##_##precision(const __grid_constant__ AttentionParams p) {                      \
        attend<T, head, keys, parts>(p);                                                                                 \
    }

HALF_ENTRIES(ENTRY, 32, 64, 1)
HALF_ENTRIES(ENTRY, 32, 64, 2)
HALF_ENTRIES(ENTRY, 64, 64, 1)
HALF_ENTRIES(ENTRY, 64, 64, 2)
HALF_ENTRIES(ENTRY, 128, 32, 1)
HALF_ENTRIES(ENTRY, 128, 32, 2)

}  // namespace sf
