// Softmax attention in three launches with all scores in memory, as a framework computes it without fusion.
//
// Computes, for every image, head and query q:
//   attention_naive_scores    score[k] = scale * sum over the head's channels c of queries[q, c] * keys[k, c]
//   attention_naive_softmax   score[k] becomes 2^(score[k] - m), m being the row's largest; their sum is stored too
//   attention_naive_product   to[q, c] = sum over k of score[k] * values[k, c], over that sum
//
// Entries: scores and product with _f32, _f16 and _bf16 (from sm_80 on), the type of the maps; attention_naive_softmax_f32,
// because scores are always fp32.
// GEMMs of a head: scores M = queries, N = keys, K = head_size; product M = queries, N = head_size, K = keys.
//
// Layouts: maps as in attention_params.cuh. Heads may have any number of channels; if they are aligned to 16 bytes, 16
// bytes are read at a time. Channels after the last head are padding and become zero. Scores are
// (batch, heads, queries, pitch), pitch being keys rounded up to 4, followed by the sums (batch, heads, queries).
//
// Launch: block 256. scores: grid (ceil(keys / 64), ceil(queries / 128), heads * batch). softmax: grid
// (ceil(batch * heads * queries / 8)), a warp per row. product: grid (ceil(queries / 128), ceil(head_size / 64),
// heads * batch). Scores and product have 30 KiB of static shared memory: two stages of 64 bytes of K.
//
// Work: 8 heads of 64, 1024 tokens, fp16: 2.1 GFLOP, and 168 MB of scores and weights, 13 FLOP per byte. Roofline: memory.
// Measured: NVIDIA H200, driver 580.159, 2026-11-24, tools/bench_attention.py, fp16, 8 heads of 64: 64 tokens 14.2 us, 256
// 17.5, 1024 80.8, 4096 989. PyTorch's math backend in the same run: 29, 38, 183 and 2136.
//
// Numerics: sums in fp32 (16 bits: products on tensor cores, with weights rounded to the type), one rounding
// to the map's type. Only NaN sets `overflow`.
//
// Barriers: a stage of shared memory before it is read, and its reads before it is written again.
#include "attention_params.cuh"
#include "entries.cuh"
#include "general.cuh"
#include "general_tile.cuh"

using namespace sf;

// Rows and columns of a tile; a warp has 32 x 32 of it.
constexpr int TILE_ROWS = 128, TILE_COLUMNS = 64, WARP_SIDE = 32, WARPS_ACROSS = TILE_COLUMNS / WARP_SIDE;
constexpr int THREADS = 256;

__device__ __forceinline__ int pitch_of_scores(const AttentionParams& p) { return (p.key_tokens + 3) / 4 * 4; }

// The index of a query's row among all heads of all images; head_of_image counts the heads of all images.
__device__ __forceinline__ u64 score_row(const AttentionParams& p, u32 head_of_image, int query) {
    return (u64)head_of_image * (u32)p.query_tokens + (u32)query;
}

__device__ __forceinline__ float* sums_of_scores(const AttentionParams& p) {
    return p.scores + score_row(p, (u32)(p.batch * p.heads), 0) * (u32)pitch_of_scores(p);
}

// 16 bytes of a head's channels from `channel` on; zeros beyond its last.
template <class T> __device__ __forceinline__ uint4 load_channels(const T* head, int channel, int head_size) {
    constexpr int COUNT = Pack<T>::COUNT;
    if (head_size % COUNT == 0) {
        return channel < head_size ? *reinterpret_cast<const uint4*>(head + channel) : make_uint4(0u, 0u, 0u, 0u);
    }
    union { uint4 whole; T e[COUNT]; } u;
    u.whole = make_uint4(0u, 0u, 0u, 0u);
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        if (channel + i < head_size) u.e[i] = head[channel + i];
    }
    return u.whole;
}

// Two stages of operands.
struct Stages {
    char (*rows)[TILE_ROWS * ROW_PITCH];
    char (*columns)[TILE_COLUMNS * ROW_PITCH];
};

template <class T> struct Product {
    typedef typename TileOf<T, WARP_SIDE, WARP_SIDE>::Type Tile;
    Tile tile;

    // The warp's part of the CTA's tile.
    __device__ __forceinline__ static int first_row() { return (int)threadIdx.x / 32 / WARPS_ACROSS * WARP_SIDE; }
    __device__ __forceinline__ static int first_column() { return (int)threadIdx.x / 32 % WARPS_ACROSS * WARP_SIDE; }
    __device__ __forceinline__ static int row(int i) { return first_row() + Tile::row(i); }
    __device__ __forceinline__ static int column(int j) { return first_column() + Tile::column(j); }

    // Adds this many steps; `load` fetches the next one and `keep` writes it to a stage.
    template <class Load, class Keep>
    __device__ __forceinline__ void run(const Stages& shared, int steps, Load load, Keep keep) {
#pragma unroll
        for (int i = 0; i < Tile::ROWS; ++i)
#pragma unroll
            for (int j = 0; j < Tile::COLUMNS; ++j) tile.acc[i][j] = 0.0f;
        load(0);
        keep(0);
        // Orders the first stage before its reads.
        __syncthreads();
#pragma unroll 1
        for (int step = 0; step < steps; ++step) {
            const bool has_next = step + 1 < steps;
            if (has_next) load(step + 1);
            tile.multiply(shared.rows[step & 1] + first_row() * ROW_PITCH, shared.columns[step & 1] + first_column() * ROW_PITCH,
                          ROW_BYTES);
            if (has_next) keep((step + 1) & 1);
            // Orders the next stage before its reads, and the reads of this one before it is written again.
            __syncthreads();
        }
    }
};

template <class T> __device__ __forceinline__ void scores(const AttentionParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, DEPTH = ROW_BYTES / (int)sizeof(T);
    constexpr int LOADED = THREADS / 4, LOADS = TILE_ROWS / LOADED;
    __shared__ __align__(16) char rows[2][TILE_ROWS * ROW_PITCH];
    __shared__ __align__(16) char columns[2][TILE_COLUMNS * ROW_PITCH];
    const int n = (int)blockIdx.z / p.heads, head = (int)blockIdx.z % p.heads;
    const int first_key = (int)blockIdx.x * TILE_COLUMNS, first_query = (int)blockIdx.y * TILE_ROWS;
    const int row = (int)threadIdx.x / 4, pack = (int)threadIdx.x % 4;

    uint4 of_queries[LOADS], of_keys;
    auto load = [&](int step) {
        const uint4 none = make_uint4(0u, 0u, 0u, 0u);
        const int channel = step * DEPTH + pack * COUNT;
#pragma unroll
        for (int l = 0; l < LOADS; ++l) {
            const int query = first_query + l * LOADED + row;
            const T* from = head_of(static_cast<const T*>(p.queries), n, p.query_tokens, query, p.query_pitch, head, p.head_size);
            of_queries[l] = query < p.query_tokens ? load_channels(from, channel, p.head_size) : none;
        }
        const int key = first_key + row;
        const T* from = head_of(static_cast<const T*>(p.keys), n, p.key_tokens, key, p.key_pitch, head, p.head_size);
        of_keys = key < p.key_tokens ? load_channels(from, channel, p.head_size) : none;
    };
    auto keep = [&](int stage) {
        const int at = row * ROW_PITCH + pack * 16;
#pragma unroll
        for (int l = 0; l < LOADS; ++l) *reinterpret_cast<uint4*>(rows[stage] + at + l * LOADED * ROW_PITCH) = of_queries[l];
        *reinterpret_cast<uint4*>(columns[stage] + at) = of_keys;
    };
    typedef Product<T> Own;
    Own own;
    own.run({rows, columns}, (p.head_size + DEPTH - 1) / DEPTH, load, keep);

    const int pitch = pitch_of_scores(p);
#pragma unroll
    for (int i = 0; i < Own::Tile::ROWS; ++i) {
        const int query = first_query + Own::row(i);
        if (query >= p.query_tokens) continue;
        float* to = p.scores + score_row(p, blockIdx.z, query) * (u32)pitch;
#pragma unroll
        for (int j = 0; j < Own::Tile::COLUMNS; ++j) {
            const int key = first_key + Own::column(j);
            if (key < p.key_tokens) to[key] = own.tile.acc[i][j] * p.scale;
        }
    }
}

__device__ __forceinline__ void softmax(const AttentionParams& p) {
    const u64 row = (u64)blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
    if (row >= score_row(p, (u32)(p.batch * p.heads), 0)) return;
    const int lane = (int)threadIdx.x % 32, pitch = pitch_of_scores(p);
    float4* const at = reinterpret_cast<float4*>(p.scores + row * (u32)pitch);
    // Nothing is written beyond the last key.
    auto read = [&](int four, float(&v)[4]) {
        const float4 all = at[four];
        v[0] = all.x;
        v[1] = all.y;
        v[2] = all.z;
        v[3] = all.w;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if (4 * four + i >= p.key_tokens) v[i] = __int_as_float(0xff800000);
        }
    };
    float largest = __int_as_float(0xff800000), sum = 0.0f;
#pragma unroll 4
    for (int four = lane; four < pitch / 4; four += 32) {
        float v[4];
        read(four, v);
        largest = fmaxf(largest, fmaxf(fmaxf(v[0], v[1]), fmaxf(v[2], v[3])));
    }
#pragma unroll
    for (int other = 16; other > 0; other /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, other));
#pragma unroll 4
    for (int four = lane; four < pitch / 4; four += 32) {
        float v[4];
        read(four, v);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            v[i] = exp2f(v[i] - largest);
            sum += v[i];
        }
        at[four] = make_float4(v[0], v[1], v[2], v[3]);
    }
#pragma unroll
    for (int other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, other);
    if (lane == 0) sums_of_scores(p)[row] = sum;
}

template <class T> __device__ __forceinline__ void product(const AttentionParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, DEPTH = ROW_BYTES / (int)sizeof(T);
    // Four weights at a time.
    constexpr int PIECES = DEPTH / 4, LOADED = THREADS / PIECES, LOADS = TILE_ROWS / LOADED;
    __shared__ __align__(16) char rows[2][TILE_ROWS * ROW_PITCH];
    __shared__ __align__(16) char columns[2][TILE_COLUMNS * ROW_PITCH];
    const int n = (int)blockIdx.z / p.heads, head = (int)blockIdx.z % p.heads;
    const int first_query = (int)blockIdx.x * TILE_ROWS, first_channel = (int)blockIdx.y * TILE_COLUMNS;
    const int piece = (int)threadIdx.x % PIECES, row = (int)threadIdx.x / PIECES;
    // Neighbouring threads have neighbouring keys, so that their transposed writes are adjacent.
    const int own_key = (int)threadIdx.x % DEPTH, own_channel = (int)threadIdx.x / DEPTH * COUNT;
    static_assert(THREADS / DEPTH * COUNT == TILE_COLUMNS, "threads do not cover the channels");
    const int pitch = pitch_of_scores(p);

    float4 of_weights[LOADS];
    uint4 of_values;
    auto load = [&](int step) {
        const int four = step * DEPTH + 4 * piece;
#pragma unroll
        for (int l = 0; l < LOADS; ++l) {
            const int query = first_query + l * LOADED + row;
            of_weights[l] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (query < p.query_tokens && four < pitch)
                of_weights[l] = *reinterpret_cast<const float4*>(p.scores + score_row(p, blockIdx.z, query) * (u32)pitch + (u32)four);
        }
        const int key = step * DEPTH + own_key;
        const T* from = head_of(static_cast<const T*>(p.values), n, p.key_tokens, key, p.value_pitch, head, p.head_size);
        of_values = make_uint4(0u, 0u, 0u, 0u);
        if (key < p.key_tokens) of_values = load_channels(from, first_channel + own_channel, p.head_size);
    };
    auto keep = [&](int stage) {
#pragma unroll
        for (int l = 0; l < LOADS; ++l) {
            char* at = rows[stage] + (l * LOADED + row) * ROW_PITCH + piece * 4 * (int)sizeof(T);
            const float4 w = of_weights[l];
            if constexpr (sizeof(T) == 2)
                *reinterpret_cast<uint2*>(at) = make_uint2(narrow_pair<T>(w.x, w.y), narrow_pair<T>(w.z, w.w));
            else
                *reinterpret_cast<float4*>(at) = w;
        }
        union { uint4 whole; T e[COUNT]; } u;
        u.whole = of_values;
#pragma unroll
        for (int i = 0; i < COUNT; ++i)
            *reinterpret_cast<T*>(columns[stage] + (own_channel + i) * ROW_PITCH + own_key * (int)sizeof(T)) = u.e[i];
    };
    typedef Product<T> Own;
    Own own;
    own.run({rows, columns}, (p.key_tokens + DEPTH - 1) / DEPTH, load, keep);

    const float* sums = sums_of_scores(p);
    float largest = 0.0f;
#pragma unroll
    for (int i = 0; i < Own::Tile::ROWS; ++i) {
        const int query = first_query + Own::row(i);
        if (query >= p.query_tokens) continue;
        const float sum = sums[score_row(p, blockIdx.z, query)];
        T* to = head_of(static_cast<T*>(p.to), n, p.query_tokens, query, p.to_pitch, head, p.head_size);
#pragma unroll
        for (int j = 0; j < Own::Tile::COLUMNS; ++j) {
            const int channel = first_channel + Own::column(j);
            if (channel >= p.head_size) continue;
            const float mean = own.tile.acc[i][j] / sum;
            largest = larger(largest, mean);
            to[channel] = narrow<T>(mean);
        }
    }
    note_overflow<T>(p.overflow, largest);
    // Padding channels after the last head.
    const int filled = p.to_pitch - p.heads * p.head_size;
    if (blockIdx.y > 0 || head + 1 < p.heads) return;
    for (int at = (int)threadIdx.x; at < TILE_ROWS * filled; at += THREADS) {
        const int query = first_query + at / filled;
        if (query >= p.query_tokens) break;
        T* to = head_of(static_cast<T*>(p.to), n, p.query_tokens, query, p.to_pitch, p.heads, p.head_size);
        to[at % filled] = narrow<T>(0.0f);
    }
}

// An operation's entry for one type. An SM holds two blocks, so that one multiplies while the other waits.
#define ENTRY(operation, precision, T)                                                              \
    extern "C" __global__ void __launch_bounds__(256, 2)                                            \
        attention_naive_##operation##_##precision(const __grid_constant__ AttentionParams p) {      \
        operation<T>(p);                                                                            \
    }

ENTRIES(ENTRY, scores)
ENTRIES(ENTRY, product)
extern "C" __global__ void __launch_bounds__(256, 2) attention_naive_softmax_f32(const __grid_constant__ AttentionParams p) { softmax(p); }
