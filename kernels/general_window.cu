// Values from neighbours in the same channel, and of whole channels, for graphs that the specialised kernels do not
// compute.
//
// Computes, on maps of element.cuh, for every n, c and, if applicable, y, x:
//   general_resize          to[y,x] = sum over the taps of row y and column x of their weights * from[row, column]
//   general_pool            the largest value, or the mean, of the part of the window of (y, x) on the map; the mean
//                           may count the padding as zeros (`counts`), but nothing after it
//   general_reduce_partial  of a strip of pixels: mean and sum of squared distances from it, or the largest value
//   general_reduce_finish   of all strips: mean and biased variance (fp32), or the mean or largest value as a map
//
// Entries: each name above with _f32, _f16 and _bf16 (from sm_80 on), the type of the maps.
//
// Layouts: channels are a multiple of 16, of which the first `real` exist. `rows` and `columns` have four pairs of
// position (int) and weight (float) per output row or column. Parts of strips are (n, strip, channel) pairs of fp32; a
// strip has `strip_pixels` pixels, the last one the remainder; none is empty. Statistics are the means (n, channels)
// followed by the variances.
//
// Launch: block 256. resize, pool: grid (ceil(out_width * channels * sizeof(T) / 16 / 256), out_height, batch), a
// thread per 16 bytes of the result. reduce_partial: grid (strips, ceil(channels * sizeof(T) / 64), batch), 64 bytes of
// every pixel per block; static shared memory at most 16.3 KiB (f32) or 32.6 KiB (f16). reduce_finish: grid
// (ceil(channels / 32), batch).
//
// Work: the statistics of 512x512x32 fp16 read 16.8 MB for 42 MFLOP, 2.5 FLOP per byte. Roofline: memory.
// Measured: NOT MEASURED.
//
// Numerics: arithmetic in fp32; statistics as in moments.cuh, merged in a fixed order. A NaN in a window or channel
// may be lost by the largest value. A value outside the type's range (only from cubic weights) sets `overflow`.
//
// Barriers: the threads' parts in shared memory before they are merged.
#include "entries.cuh"
#include "general.cuh"
#include "moments.cuh"

using namespace sf;

// Of `general_resize_*`.
struct GeneralResizeParams {
    const void* from;  // map (n, in_height, in_width, channels)
    void* to;  // map (n, out_height, out_width, channels) to write
    const void* rows;  // four positions and weights for each output row
    const void* columns;  // four positions and weights for each output column
    u32* overflow;  // set if a value does not fit the map; unused for f32
    int in_height;  // rows of `from`
    int in_width;  // columns of `from`
    int out_height;  // rows of `to`
    int out_width;  // columns of `to`
    int channels;  // channels, padding included
    int taps;  // number of positions that are used per axis: 1, 2 or 4
};
static_assert(sizeof(GeneralResizeParams) == 64, "as params.rs lays it out");

// A window begins at y * stride_y - top; its rows after `limit_y` do not exist.
struct GeneralPoolParams {
    const void* from;  // map (n, in_height, in_width, channels)
    void* to;  // map (n, out_height, out_width, channels) to write
    int in_height;  // rows of `from`
    int in_width;  // columns of `from`
    int out_height;  // rows of `to`
    int out_width;  // columns of `to`
    int channels;  // channels, padding included
    int kernel_y;  // rows of a window
    int kernel_x;  // columns of a window
    int stride_y;  // rows from one window to the next
    int stride_x;  // columns from one window to the next
    int top;  // rows of padding before the map
    int left;  // columns of padding before the map
    int limit_y;  // rows of the map and of the padding after it
    int limit_x;  // columns of the map and of the padding after it
    int is_mean;  // computes the mean instead of the maximum
    int counts;  // padding counts in the mean
    int spare;
};
static_assert(sizeof(GeneralPoolParams) == 80, "as params.rs lays it out");

// Of `general_reduce_partial_*`.
struct GeneralReducePartialParams {
    const void* map;  // map (n, pixels, channels)
    float* parts;  // fp32 (n, strips, channels, 2) to write
    int pixels;  // pixels per image
    int channels;  // channels, padding included
    int strips;  // strips per image
    int strip_pixels;  // pixels per strip
    int is_largest;  // computes the maximum
    int spare;
};
static_assert(sizeof(GeneralReducePartialParams) == 40, "as params.rs lays it out");

// Of `general_reduce_finish_*`.
struct GeneralReduceFinishParams {
    const float* parts;  // fp32 (n, strips, channels, 2), from the previous launch
    void* to;  // statistics, fp32 (2, n, channels), or map (n, 1, 1, channels) to write
    int pixels;  // pixels of an image
    int channels;  // channels, padding included
    int real;  // channels, without padding
    int strips;  // strips of an image
    int strip_pixels;  // pixels of a strip
    int kind;  // the kind of reduction
    int batch;
    int spare;
};
static_assert(sizeof(GeneralReduceFinishParams) == 48, "as params.rs lays it out");

// The numbers are those of `ReduceKind` in crates/plan/src/cuda/general/launch.rs.
enum { REDUCE_STATISTICS = 0, REDUCE_MEAN = 1, REDUCE_LARGEST = 2 };

struct ResizeTap {
    int place;
    float weight;
};

template <class T> __device__ __forceinline__ void resize(const GeneralResizeParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    Spot s = spot(p.out_width, p.channels / COUNT);
    if (!s.is_inside) return;
    const ResizeTap* rows = static_cast<const ResizeTap*>(p.rows) + 4 * s.y;
    const ResizeTap* columns = static_cast<const ResizeTap*>(p.columns) + 4 * s.x;
    const T* from = static_cast<const T*>(p.from) + s.unit * COUNT;
    float sum[COUNT] = {};
#pragma unroll 1
    for (int i = 0; i < p.taps; ++i) {
        const ResizeTap row = rows[i];
        float of_row[COUNT] = {};
#pragma unroll 1
        for (int j = 0; j < p.taps; ++j) {
            const ResizeTap column = columns[j];
            float v[COUNT];
            load_pack(from + pixel_at(s.n, row.place, column.place, p.in_height, p.in_width, p.channels), v);
#pragma unroll
            for (int k = 0; k < COUNT; ++k) of_row[k] = fmaf(column.weight, v[k], of_row[k]);
        }
#pragma unroll
        for (int k = 0; k < COUNT; ++k) sum[k] = fmaf(row.weight, of_row[k], sum[k]);
    }
    float largest = 0.0f;
#pragma unroll
    for (int k = 0; k < COUNT; ++k) largest = larger(largest, sum[k]);
    store_pack(static_cast<T*>(p.to) + pixel_at(s.n, s.y, s.x, p.out_height, p.out_width, p.channels) + s.unit * COUNT, sum);
    note_overflow<T>(p.overflow, largest);
}

template <class T> __device__ __forceinline__ void pool(const GeneralPoolParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    Spot s = spot(p.out_width, p.channels / COUNT);
    if (!s.is_inside) return;
    const T* from = static_cast<const T*>(p.from) + s.unit * COUNT;
    const int first_y = s.y * p.stride_y - p.top, first_x = s.x * p.stride_x - p.left;
    const int last_y = min(first_y + p.kernel_y, p.limit_y), last_x = min(first_x + p.kernel_x, p.limit_x);
    const int from_y = max(first_y, 0), from_x = max(first_x, 0);
    const int to_y = min(last_y, p.in_height), to_x = min(last_x, p.in_width);
    float all[COUNT];
#pragma unroll
    for (int k = 0; k < COUNT; ++k) all[k] = p.is_mean ? 0.0f : __int_as_float(0xff800000);
#pragma unroll 1
    for (int y = from_y; y < to_y; ++y) {
#pragma unroll 1
        for (int x = from_x; x < to_x; ++x) {
            float v[COUNT];
            load_pack(from + pixel_at(s.n, y, x, p.in_height, p.in_width, p.channels), v);
#pragma unroll
            for (int k = 0; k < COUNT; ++k) all[k] = p.is_mean ? all[k] + v[k] : fmaxf(all[k], v[k]);
        }
    }
    if (p.is_mean) {
        const int count = p.counts ? (last_y - first_y) * (last_x - first_x) : (to_y - from_y) * (to_x - from_x);
#pragma unroll
        for (int k = 0; k < COUNT; ++k) all[k] /= (float)count;
    }
    store_pack(static_cast<T*>(p.to) + pixel_at(s.n, s.y, s.x, p.out_height, p.out_width, p.channels) + s.unit * COUNT, all);
}

// Packs of a pixel that a block of reduce_partial processes.
constexpr int PACKS = 4;

template <class T> __device__ __forceinline__ void reduce_partial(const GeneralReducePartialParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, THREADS = 256;
    __shared__ Moments slots[THREADS * COUNT];
    __shared__ float counts[THREADS];
    const Seat at = seat(PACKS, THREADS);
    const int n = (int)blockIdx.z, channel = ((int)blockIdx.y * PACKS + at.lane) * COUNT;
    const int first = (int)blockIdx.x * p.strip_pixels, last = min(first + p.strip_pixels, p.pixels);
    // The last block may extend beyond the channels; its extra lanes take part in the merge.
    const bool is_real = channel < p.channels;
    const T* from = static_cast<const T*>(p.map) + (u64)n * (u32)p.pixels * (u32)p.channels + (u32)channel;
    auto load = [&](int pixel, float(&v)[COUNT]) {
        uint4 raw = make_uint4(0u, 0u, 0u, 0u);
        if (is_real) raw = *reinterpret_cast<const uint4*>(from + (u64)(u32)pixel * (u32)p.channels);
        widen_pack<T>(raw, v);
    };
    float* parts = p.parts + 2 * (((u64)n * (u32)p.strips + blockIdx.x) * (u32)p.channels);
    const int base = (int)blockIdx.y * PACKS * COUNT;
    if (p.is_largest) {
        float largest[COUNT];
#pragma unroll
        for (int k = 0; k < COUNT; ++k) largest[k] = __int_as_float(0xff800000);
#pragma unroll 1
        for (int pixel = first + at.row; pixel < last; pixel += at.rows) {
            float v[COUNT];
            load(pixel, v);
#pragma unroll
            for (int k = 0; k < COUNT; ++k) largest[k] = fmaxf(largest[k], v[k]);
        }
#pragma unroll
        for (int k = 0; k < COUNT; ++k) slots[at.row * PACKS * COUNT + at.lane * COUNT + k].mean = largest[k];
        // Orders the rows' values before the reads of all of them.
        __syncthreads();
        const int c = (int)threadIdx.x;
        if (c >= PACKS * COUNT || base + c >= p.channels) return;
        float all = slots[c].mean;
        for (int row = 1; row < at.rows; ++row) all = fmaxf(all, slots[row * PACKS * COUNT + c].mean);
        parts[2 * (base + c)] = all;
        return;
    }
    Gathered<T> own;
    int pixel = first + at.row;
#pragma unroll 1
    for (; pixel + 3 * at.rows < last; pixel += 4 * at.rows) {
        float v[4][COUNT];
#pragma unroll
        for (int k = 0; k < 4; ++k) load(pixel + k * at.rows, v[k]);
        own.take(v);
    }
#pragma unroll 1
    for (; pixel < last; pixel += at.rows) {
        float v[COUNT];
        load(pixel, v);
        own.take(v);
    }
    merge_block<THREADS>(own, at, PACKS, slots, counts, [&](int c, float, const Moments& m) {
        if (base + c >= p.channels) return;
        parts[2 * (base + c)] = m.mean;
        parts[2 * (base + c) + 1] = m.m2;
    });
}

template <class T> __device__ __forceinline__ void reduce_finish(const GeneralReduceFinishParams& p) {
    __shared__ Moments slots[256];
    __shared__ float counts[256];
    // 8 threads per channel, each every eighth strip.
    const int c = (int)(blockIdx.x * 32 + threadIdx.x % 32), n = (int)blockIdx.y;
    const bool is_largest = p.kind == REDUCE_LARGEST;
    Moments all = {is_largest ? __int_as_float(0xff800000) : 0.0f, 0.0f};
    float count = 0.0f;
    auto take = [&](const Moments& m, float theirs) {
        if (is_largest)
            all.mean = fmaxf(all.mean, m.mean);
        else
            merge(all, m, count, share_of(count, theirs));
        count += theirs;
    };
    if (c < p.channels) {
        const float* parts = p.parts + 2 * ((u64)n * (u32)p.strips * (u32)p.channels + (u32)c);
#pragma unroll 4
        for (int s = (int)threadIdx.x / 32; s < p.strips; s += 8) {
            const float2 part = *reinterpret_cast<const float2*>(parts + 2 * ((u64)(u32)s * (u32)p.channels));
            take({part.x, part.y}, (float)min(p.strip_pixels, p.pixels - s * p.strip_pixels));
        }
    }
    slots[threadIdx.x] = all;
    counts[threadIdx.x] = count;
    // Orders the eight parts of a channel before the reads of all of them.
    __syncthreads();
    if (threadIdx.x >= 32 || c >= p.channels) return;
#pragma unroll 1
    for (int k = 1; k < 8; ++k) take(slots[32 * k + threadIdx.x], counts[32 * k + threadIdx.x]);
    const int at = n * p.channels + c;
    if (p.kind == REDUCE_STATISTICS) {
        float* to = static_cast<float*>(p.to);
        to[at] = all.mean;
        to[p.batch * p.channels + at] = all.m2 / (float)p.pixels;
    } else {
        static_cast<T*>(p.to)[at] = narrow<T>(c < p.real ? all.mean : 0.0f);
    }
}

GENERAL_ENTRIES(resize, GeneralResizeParams)
GENERAL_ENTRIES(pool, GeneralPoolParams)
GENERAL_ENTRIES(reduce_partial, GeneralReducePartialParams)
GENERAL_ENTRIES(reduce_finish, GeneralReduceFinishParams)
