// Softmax attention in fp32 FMAs: one launch, only the result is in memory.
//
// Computes, for every image, head, query q and channel c of the head:
//   score[k] = scale * sum over c of queries[q, c] * keys[k, c]
//   to[q, c] = sum over k of 2^(score[k] - m) * values[k, c], over the sum of 2^(score[k] - m)
// where m is the largest score of the query's row.
//
// Entries, for heads of 32, 64 and 128 channels and maps of f32, f16 and (from sm_80 on) bf16:
//   attention_tiled_SIZE_*    two passes over the keys: first for m, then for the sums
//   attention_online_SIZE_*   one pass over the keys: the sums so far are rescaled when a larger score comes
//
// GEMMs of a head: scores M = queries, N = keys, K = SIZE; sums M = queries, N = SIZE, K = keys.
// Layouts: as in attention_params.cuh; pitches are multiples of 16, and the first channel of each head is aligned to 16
// bytes. Heads fill all channels that are stored.
//
// Launch: block 128, or 256 for attention_online_*_f32 if each CTA has an SM for itself; grid (ceil(queries / 64), heads,
// batch). 128 threads process a block of keys. With two such groups each takes every second block, and the second group's
// sums are added to the first's at the end. Dynamic shared memory in fp32, rows of SIZE + 4 and of keys + 16 values against
// bank conflicts: 64 queries, and for each group 64 keys or values (32 if SIZE is 128) and the weights of each query for
// each of these keys: 38,912, 55,296 and 62,976 bytes for one group, 68,608, 93,184 and 92,160 for two.
//
// Work: 8 heads of 64, 1024 tokens: 2.1 GFLOP (tiled 3.2) for 8.4 MB in fp32, 256 FLOP per byte. Roofline: FMA units.
// Measured: NVIDIA H100, driver 580.159, 2026-11-25, fp32, 8 heads of 64, 10 launches (2 of the longest) in a graph, medians of 10,
// us at 64, 256, 1024, 4096 and 16,384 tokens: online 10.2, 22.0, 73.9, 1086 and 17,152; tiled 12.8, 34.5, 120, 1582 and
// 25,142; PyTorch's memory-efficient attention in the same run 9.3, 29.9, 107, 1275 and 16,726.
//
// Numerics: arithmetic in fp32. The order depends on the number of groups, and so on the heads of all images; 16 bits are
// rounded once, at the end. Weighted means are not larger than the values, so only NaN sets `overflow`.
//
// Barriers: keys and values use the same rows of shared memory in turn: they are complete before they are read, and read before
// they are overwritten. The same holds for weights. Each group has its own barrier (1 and 2); all threads meet when the queries
// are loaded, and around the second group's sums.
#include "attention_params.cuh"
#include "entries.cuh"
#include "general.cuh"
#include "ring.cuh"

using namespace sf;

constexpr int THREADS = 128, QUERIES = 64;
// Arrangement of threads: each has every eighth query, every sixteenth key, and adjacent channels.
constexpr int ACROSS = 16, DOWN = THREADS / ACROSS, OWN_QUERIES = QUERIES / DOWN;

template <class T, int SIZE> struct Shape {
    static constexpr int KEYS = SIZE > 64 ? 32 : 64;
    static constexpr int OWN_KEYS = KEYS / ACROSS, OWN_CHANNELS = SIZE / ACROSS;
    static constexpr int PITCH = SIZE + 4, WEIGHT_PITCH = KEYS + 16;
    static constexpr int COUNT = Pack<T>::COUNT, ROW_PACKS = SIZE / COUNT;
    static constexpr int PACKS = KEYS * ROW_PACKS / THREADS;
};

// The thread's index in its group.
__device__ __forceinline__ int own_place() { return (int)threadIdx.x % THREADS; }
__device__ __forceinline__ int across() { return own_place() % ACROSS; }
__device__ __forceinline__ int down() { return own_place() / ACROSS; }
__device__ __forceinline__ void meet_group(int group) {
    asm volatile("bar.sync %0, %1;" ::"r"(1 + group), "n"(THREADS) : "memory");
}

// Four adjacent values in shared memory, as one instruction that the compiler cannot split: otherwise it
// splits and merges such loads in an order that differs between two compilations, and so the bundle differs.
__device__ __forceinline__ float4 four_at(const float* at) {
    float4 v;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(shared_address(at))
                 : "memory");
    return v;
}

__device__ __forceinline__ float minus_infinity() { return __int_as_float(0xff800000); }

// Adjacent values in fp32 in shared memory.
template <int COUNT> __device__ __forceinline__ void keep_values(float* to, const float (&v)[COUNT]) {
#pragma unroll
    for (int i = 0; i < COUNT; i += 4) *reinterpret_cast<float4*>(to + i) = make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]);
}

// Tokens of keys or values in flight from memory; zeros after the last token.
template <class T, int SIZE> struct Staged {
    typedef Shape<T, SIZE> S;
    uint4 raw[S::PACKS];

    __device__ __forceinline__ void fetch(const T* head, int pitch, int first, int tokens) {
#pragma unroll
        for (int i = 0; i < S::PACKS; ++i) {
            const int at = own_place() + THREADS * i;
            const int token = first + at / S::ROW_PACKS, channel = at % S::ROW_PACKS * S::COUNT;
            raw[i] = make_uint4(0u, 0u, 0u, 0u);
            if (token < tokens) raw[i] = *reinterpret_cast<const uint4*>(head + (u64)(u32)token * (u32)pitch + channel);
        }
    }

    __device__ __forceinline__ void keep(float* rows) const {
#pragma unroll
        for (int i = 0; i < S::PACKS; ++i) {
            const int at = own_place() + THREADS * i;
            float v[S::COUNT];
            widen_pack<T>(raw[i], v);
            keep_values(rows + at / S::ROW_PACKS * S::PITCH + at % S::ROW_PACKS * S::COUNT, v);
        }
    }
};

// The queries of a CTA in shared memory, times `scale`.
template <class T, int SIZE>
__device__ __forceinline__ void keep_queries(float* rows, const T* head, int pitch, int first, int tokens, float scale) {
    typedef Shape<T, SIZE> S;
    for (int at = (int)threadIdx.x; at < QUERIES * S::ROW_PACKS; at += (int)blockDim.x) {
        const int row = at / S::ROW_PACKS, channel = at % S::ROW_PACKS * S::COUNT;
        float v[S::COUNT] = {};
        if (first + row < tokens) load_pack(head + (u64)(u32)(first + row) * (u32)pitch + channel, v);
#pragma unroll
        for (int i = 0; i < S::COUNT; ++i) v[i] *= scale;
        keep_values(rows + row * S::PITCH + channel, v);
    }
}

// The scores of a thread's queries for its keys; keys beyond `keys_left` get no weight.
template <class T, int SIZE>
__device__ __forceinline__ void score(const float* queries, const float* keys, int keys_left,
                                      float (&scores)[OWN_QUERIES][Shape<T, SIZE>::OWN_KEYS]) {
    typedef Shape<T, SIZE> S;
#pragma unroll
    for (int i = 0; i < OWN_QUERIES; ++i)
#pragma unroll
        for (int j = 0; j < S::OWN_KEYS; ++j) scores[i][j] = 0.0f;
#pragma unroll 2
    for (int c = 0; c < SIZE; c += 4) {
        float4 k[S::OWN_KEYS];
#pragma unroll
        for (int j = 0; j < S::OWN_KEYS; ++j) k[j] = four_at(keys + (across() + ACROSS * j) * S::PITCH + c);
#pragma unroll
        for (int i = 0; i < OWN_QUERIES; ++i) {
            const float4 q = four_at(queries + (down() + DOWN * i) * S::PITCH + c);
#pragma unroll
            for (int j = 0; j < S::OWN_KEYS; ++j) {
                float sum = scores[i][j];
                sum = fmaf(q.x, k[j].x, sum);
                sum = fmaf(q.y, k[j].y, sum);
                sum = fmaf(q.z, k[j].z, sum);
                scores[i][j] = fmaf(q.w, k[j].w, sum);
            }
        }
    }
#pragma unroll
    for (int j = 0; j < S::OWN_KEYS; ++j) {
        if (across() + ACROSS * j < keys_left) continue;
#pragma unroll
        for (int i = 0; i < OWN_QUERIES; ++i) scores[i][j] = minus_infinity();
    }
}

// Adds the weighted values to a thread's sums.
template <class T, int SIZE>
__device__ __forceinline__ void add_values(const float* weights, const float* values,
                                           float (&sums)[OWN_QUERIES][Shape<T, SIZE>::OWN_CHANNELS]) {
    typedef Shape<T, SIZE> S;
    constexpr int VECTOR = S::OWN_CHANNELS < 4 ? S::OWN_CHANNELS : 4;
#pragma unroll 2
    for (int k = 0; k < S::KEYS; k += 4) {
        float v[4][S::OWN_CHANNELS];
#pragma unroll
        for (int l = 0; l < 4; ++l) {
#pragma unroll
            for (int c = 0; c < S::OWN_CHANNELS; c += VECTOR) {
                const float* at = values + (k + l) * S::PITCH + across() * VECTOR + c * ACROSS;
                if constexpr (VECTOR == 4) {
                    const float4 four = four_at(at);
                    v[l][c] = four.x;
                    v[l][c + 1] = four.y;
                    v[l][c + 2] = four.z;
                    v[l][c + 3] = four.w;
                } else {
                    const float2 two = *reinterpret_cast<const float2*>(at);
                    v[l][c] = two.x;
                    v[l][c + 1] = two.y;
                }
            }
        }
#pragma unroll
        for (int i = 0; i < OWN_QUERIES; ++i) {
            const float4 w = four_at(weights + (down() + DOWN * i) * S::WEIGHT_PITCH + k);
#pragma unroll
            for (int c = 0; c < S::OWN_CHANNELS; ++c) {
                float sum = sums[i][c];
                sum = fmaf(w.x, v[0][c], sum);
                sum = fmaf(w.y, v[1][c], sum);
                sum = fmaf(w.z, v[2][c], sum);
                sums[i][c] = fmaf(w.w, v[3][c], sum);
            }
        }
    }
}

// Across the threads that share a query.
__device__ __forceinline__ float largest_of_row(float v) {
#pragma unroll
    for (int lane = ACROSS / 2; lane > 0; lane /= 2) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, lane));
    return v;
}
__device__ __forceinline__ float sum_of_row(float v) {
#pragma unroll
    for (int lane = ACROSS / 2; lane > 0; lane /= 2) v += __shfl_xor_sync(0xffffffffu, v, lane);
    return v;
}

template <class T, int SIZE, bool IS_ONLINE> __device__ __forceinline__ void attend(const AttentionParams& p) {
    typedef Shape<T, SIZE> S;
    extern __shared__ __align__(16) float shared[];
    constexpr bool MAY_SHARE = IS_ONLINE && sizeof(T) == 4;
    const int groups = MAY_SHARE ? (int)blockDim.x / THREADS : 1, group = MAY_SHARE ? (int)threadIdx.x / THREADS : 0;
    float* const queries = shared;
    // Keys, then values.
    float* const rows = queries + QUERIES * S::PITCH + group * (S::KEYS * S::PITCH + QUERIES * S::WEIGHT_PITCH);
    float* const weights = rows + S::KEYS * S::PITCH;
    const int first_key = group * S::KEYS, stride = groups * S::KEYS;

    const int n = (int)blockIdx.z, head = (int)blockIdx.y, first_query = (int)blockIdx.x * QUERIES;
    const T* keys = head_of(static_cast<const T*>(p.keys), n, p.key_tokens, 0, p.key_pitch, head, SIZE);
    const T* values = head_of(static_cast<const T*>(p.values), n, p.key_tokens, 0, p.value_pitch, head, SIZE);
    keep_queries<T, SIZE>(queries, head_of(static_cast<const T*>(p.queries), n, p.query_tokens, 0, p.query_pitch, head, SIZE),
                          p.query_pitch, first_query, p.query_tokens, p.scale);

    float largest[OWN_QUERIES], totals[OWN_QUERIES], sums[OWN_QUERIES][S::OWN_CHANNELS];
#pragma unroll
    for (int i = 0; i < OWN_QUERIES; ++i) {
        largest[i] = minus_infinity();
        totals[i] = 0.0f;
#pragma unroll
        for (int c = 0; c < S::OWN_CHANNELS; ++c) sums[i][c] = 0.0f;
    }
    Staged<T, SIZE> staged;
    float scores[OWN_QUERIES][S::OWN_KEYS];
    staged.fetch(keys, p.key_pitch, first_key, p.key_tokens);
    // The queries.
    __syncthreads();

    if constexpr (!IS_ONLINE) {
#pragma unroll 1
        for (int first = first_key; first < p.key_tokens; first += stride) {
            // Orders the reads of the previous keys.
            meet_group(group);
            staged.keep(rows);
            // Orders the writes of the keys.
            meet_group(group);
            staged.fetch(keys, p.key_pitch, first + stride, p.key_tokens);
            score<T, SIZE>(queries, rows, p.key_tokens - first, scores);
#pragma unroll
            for (int i = 0; i < OWN_QUERIES; ++i)
#pragma unroll
                for (int j = 0; j < S::OWN_KEYS; ++j) largest[i] = fmaxf(largest[i], scores[i][j]);
        }
#pragma unroll
        for (int i = 0; i < OWN_QUERIES; ++i) largest[i] = largest_of_row(largest[i]);
        staged.fetch(keys, p.key_pitch, first_key, p.key_tokens);
    }

#pragma unroll 1
    for (int first = first_key; first < p.key_tokens; first += stride) {
        // Orders the reads of the previous values and weights.
        meet_group(group);
        staged.keep(rows);
        // Orders the writes of the keys.
        meet_group(group);
        staged.fetch(values, p.value_pitch, first, p.key_tokens);
        score<T, SIZE>(queries, rows, p.key_tokens - first, scores);
#pragma unroll
        for (int i = 0; i < OWN_QUERIES; ++i) {
            if constexpr (IS_ONLINE) {
                float most = scores[i][0];
#pragma unroll
                for (int j = 1; j < S::OWN_KEYS; ++j) most = fmaxf(most, scores[i][j]);
                most = fmaxf(largest[i], largest_of_row(most));
                const float shrunk = power_of_two(largest[i] - most);
                largest[i] = most;
                totals[i] *= shrunk;
#pragma unroll
                for (int c = 0; c < S::OWN_CHANNELS; ++c) sums[i][c] *= shrunk;
            }
#pragma unroll
            for (int j = 0; j < S::OWN_KEYS; ++j) {
                const float weight = power_of_two(scores[i][j] - largest[i]);
                totals[i] += weight;
                weights[(down() + DOWN * i) * S::WEIGHT_PITCH + across() + ACROSS * j] = weight;
            }
        }
        // Orders the reads of the keys, and the weights.
        meet_group(group);
        staged.keep(rows);
        // Orders the writes of the values.
        meet_group(group);
        staged.fetch(keys, p.key_pitch, first + stride, p.key_tokens);
        add_values<T, SIZE>(weights, rows, sums);
    }

    if (MAY_SHARE && groups > 1) {
        // [value][thread]; all reads of shared memory are done.
        float* const other = shared + own_place();
        constexpr int VALUES = 2 + S::OWN_CHANNELS;
        __syncthreads();
        if (group > 0) {
#pragma unroll
            for (int i = 0; i < OWN_QUERIES; ++i) {
                other[(i * VALUES) * THREADS] = largest[i];
                other[(i * VALUES + 1) * THREADS] = totals[i];
#pragma unroll
                for (int c = 0; c < S::OWN_CHANNELS; ++c) other[(i * VALUES + 2 + c) * THREADS] = sums[i][c];
            }
        }
        __syncthreads();
        if (group > 0) return;
#pragma unroll
        for (int i = 0; i < OWN_QUERIES; ++i) {
            const float theirs = other[(i * VALUES) * THREADS], most = fmaxf(largest[i], theirs);
            const float own_share = power_of_two(largest[i] - most), their_share = power_of_two(theirs - most);
            totals[i] = totals[i] * own_share + other[(i * VALUES + 1) * THREADS] * their_share;
#pragma unroll
            for (int c = 0; c < S::OWN_CHANNELS; ++c)
                sums[i][c] = sums[i][c] * own_share + other[(i * VALUES + 2 + c) * THREADS] * their_share;
        }
    }

    constexpr int VECTOR = S::OWN_CHANNELS < 4 ? S::OWN_CHANNELS : 4;
    float magnitude = 0.0f;
#pragma unroll
    for (int i = 0; i < OWN_QUERIES; ++i) {
        const int query = first_query + down() + DOWN * i;
        const float total = sum_of_row(totals[i]);
        if (query >= p.query_tokens) continue;
        T* to = head_of(static_cast<T*>(p.to), n, p.query_tokens, query, p.to_pitch, head, SIZE);
#pragma unroll
        for (int c = 0; c < S::OWN_CHANNELS; c += VECTOR) {
            T v[VECTOR];
#pragma unroll
            for (int e = 0; e < VECTOR; ++e) {
                const float mean = sums[i][c + e] / total;
                magnitude = larger(magnitude, mean);
                v[e] = narrow<T>(mean);
            }
            T* at = to + across() * VECTOR + c * ACROSS;
#pragma unroll
            for (int e = 0; e < VECTOR; ++e) at[e] = v[e];
        }
    }
    note_overflow<T>(p.overflow, magnitude);
}

#define ENTRY(way, IS_ONLINE, SIZE, precision, T)                                                   \
    extern "C" __global__ void __launch_bounds__(IS_ONLINE && sizeof(T) == 4 ? 256 : 128, IS_ONLINE && sizeof(T) == 4 ? 1 : 2) \
        attention_##way##_##SIZE##_##precision(const __grid_constant__ AttentionParams p) {         \
        attend<T, SIZE, IS_ONLINE>(p);                                                              \
    }
#define WAYS(SIZE)                                                                                  \
    ENTRIES(ENTRY, tiled, false, SIZE)                                                              \
    ENTRIES(ENTRY, online, true, SIZE)

WAYS(32)
WAYS(64)
WAYS(128)
