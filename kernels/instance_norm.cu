// InstanceNorm: mean and variance of every channel of every image, and normalisation.
//
// Computes, with sums over the `pixels` = height * width values of one channel of one image:
//   mean = sum(v) / pixels,  var = sum((v - mean)^2) / pixels,  rstd = 1 / sqrt(var + eps)
//   y = (v - mean) * rstd * gamma[c] + beta[c], then ReLU or the sum with a residual map
//
// Entries, for maps of type f32, f16, bf16:
//   mean_partial_*, variance_partial_*      sums of strips: the baseline's two reductions, which
//   mean_finish, variance_finish            each end in a launch of their own (fp32 only: no maps)
//   norm_statistics_*                       both at once: mean, and scale = gamma * rstd
//   norm_apply_*                            y = (v - mean) * scale + beta [ReLU] [+ residual]
//   norm_plane_*                            all of it in one pass over memory, if the pixels
//                                           of one group of channels fit a block's shared memory
//
// Layouts: maps of element.cuh, aligned to 16 bytes; channels a multiple of 16, at most 1024. Vectors are
// fp32: gamma and beta (channels), 0 in the padding; mean, rstd and scale (n, channels).
// Sums of the baseline's strips are (n, strip, channel); moments of norm_statistics' strips are
// (n, strip, channel) pairs. A strip is `strip_pixels` pixels, the last one the remainder:
// strips = ceil(pixels / strip_pixels), none empty. `tickets` has one zero for each image before
// the first launch; every launch leaves it zero. `to` may be `from` or `residual`.
//
// Launch, packs being channels * sizeof(T) / 16:
//   *_partial: block 256, grid (strips, n)        *_finish: block 256, grid (ceil(channels / 32), n)
//   norm_statistics: block 512, grid (strips, n)  norm_apply: block 256, grid (strips, n), with
//                                                 its own strips; 4 * (256 / packs) pixels keep all busy
//   norm_plane: block 512, grid (packs / group_packs, n), dynamic shared memory
//               pixels * group_packs * 16 bytes; group_packs is 1 or 2 and divides packs
// Static shared memory: at most 8 KiB in *_partial, 18 KiB (f32) or 34 KiB (16 bits) in
// norm_statistics, 5 KiB or less in norm_plane.
//
// Work: at 128x128x128 fp16, 4.2 MB are read for the statistics and read and written to apply them:
// 12.6 MB in two launches, 8.4 MB in norm_plane, for about 15 MFLOP, 1 to 2 FLOP per byte.
// Roofline: memory; at such sizes the L2 cache, and the last block's merge of the strips.
// Measured: NVIDIA H200, driver 580.159, 2026-11-20, launches between device events, medians of 20, fp16. At
// 512x512x32: mean_partial 8.5 us, variance_partial 7.8, *_finish 6, norm_statistics 14.3, norm_apply 9.2
// (3.6 TB/s of 4.25). At 128x128x128: mean_partial and variance_partial 5.6, norm_statistics 15.6,
// norm_apply 5.8; norm_plane at 64x64x128, where it fits, with ReLU: 11.2.
//
// Numerics: all sums in fp32, of at most some hundred terms each before they are merged. The
// baseline's variance is computed around the finished mean; norm_* use moments.cuh. No atomic touches a
// sum: two runs give the same bits.
//
// Barriers: in a block, partial results in shared memory before they are merged; norm_statistics:
// the strips' moments, written and fenced by all blocks, before the ticket that makes the last block
// of an image read them.
#include "entries.cuh"
#include "instance_norm.cuh"

using namespace sf;

// `mean` is read by variance_partial only.
struct PartialParams {
    const void* map;  // map (n, pixels, channels)
    const float* mean;  // fp32 (n, channels), from `mean_finish`; `mean_partial` does not read it
    float* sums;  // fp32 (n, strips, channels) to write
    int pixels;  // pixels of an image
    int channels;  // channels, padding included
    int strips;  // strips of an image: pixels / strip_pixels, rounded up
    int strip_pixels;  // pixels of a strip
};
static_assert(sizeof(PartialParams) == 40, "as params.rs lays it out");

// `result` is the mean or the rstd; `mean`, `eps` and `flat_share` are read by variance_finish only.
struct FinishParams {
    const float* sums;  // fp32 (n, strips, channels), from the previous launch
    float* result;  // fp32 (n, channels) to write: the mean, or 1 / sqrt(variance + eps)
    const float* mean;  // fp32 (n, channels), from `mean_finish`, which itself does not read it
    int pixels;  // pixels of an image
    int channels;  // channels, padding included
    int strips;  // strips of an image
    float eps;  // added to the variance; `mean_finish` does not read it
    float flat_share;  // a standard deviation up to this share of the mean counts as a rounding error; `mean_finish` does not read it
};
static_assert(sizeof(FinishParams) == 48, "as params.rs lays it out");

// Of `norm_statistics_*`.
struct NormStatisticsParams {
    const void* map;  // map (n, pixels, channels)
    Moments* moments;  // scratch: pairs of fp32 (n, strips, channels)
    u32* tickets;  // a 32-bit zero for each image; zero again after the launch
    const float* gamma;  // fp32 (channels), 0 in the padding
    float* scale;  // fp32 (n, channels) to write
    float* mean;  // fp32 (n, channels) to write
    int pixels;  // pixels of an image
    int channels;  // channels, padding included
    int strips;  // strips of an image: pixels / strip_pixels, rounded up
    int strip_pixels;  // pixels of a strip
    float eps;  // added to the variance
};
static_assert(sizeof(NormStatisticsParams) == 72, "as params.rs lays it out");

// `residual` is null when there is none; `relu` is 0 or 1.
struct NormApplyParams {
    const void* from;  // map (n, pixels, channels)
    const void* residual;  // map that is added, or null for none
    void* to;  // map to write; may be `from` or `residual`
    const float* scale;  // fp32 (n, channels), from `norm_statistics`
    const float* mean;  // fp32 (n, channels), from `norm_statistics`
    const float* beta;  // fp32 (channels), 0 in the padding
    int pixels;  // pixels of an image
    int channels;  // channels, padding included
    int strip_pixels;  // pixels of a block
    int relu;  // 1 for ReLU (before a residual), otherwise 0
};
static_assert(sizeof(NormApplyParams) == 64, "as params.rs lays it out");

// ---- the baseline's reductions -----------------------------------------------------------------

// Sums `term(value, i)` of every channel over this block's strip; i counts in this thread's lane.
template <class T, class Term>
__device__ __forceinline__ void partial_sums(const PartialParams& p, Term term) {
    constexpr int COUNT = Pack<T>::COUNT;
    __shared__ float room[256 * COUNT];
    int packs = p.channels / COUNT, n = (int)blockIdx.y;
    Seat at = seat(packs, 256);
    float sum[COUNT] = {};
    if (at.is_taken) {
        auto one = [&](int, const uint4& raw) {
            float v[COUNT];
            widen_pack<T>(raw, v);
#pragma unroll
            for (int i = 0; i < COUNT; ++i) sum[i] += term(v[i], i);
        };
        const T* from = static_cast<const T*>(p.map) + image(n, p.pixels, p.channels, at.lane * COUNT);
        walk(from, strip((int)blockIdx.x, p.strip_pixels, p.pixels), at, p.channels,
             [&](int pixel, const uint4(&raw)[4]) {
#pragma unroll
                 for (int k = 0; k < 4; ++k) one(pixel, raw[k]);
             },
             one);
#pragma unroll
        for (int i = 0; i < COUNT; ++i) room[at.row * p.channels + at.lane * COUNT + i] = sum[i];
    }
    // Orders the rows' sums before the reads of all of them.
    __syncthreads();
    float* sums = p.sums + ((u64)n * (u32)p.strips + blockIdx.x) * (u32)p.channels;
    for (int c = (int)threadIdx.x; c < p.channels; c += 256) {
        float all = 0.0f;
        for (int row = 0; row < at.rows; ++row) all += room[row * p.channels + c];
        sums[c] = all;
    }
}

template <class T> __device__ __forceinline__ void mean_partial(const PartialParams& p) {
    partial_sums<T>(p, [](float v, int) { return v; });
}

template <class T> __device__ __forceinline__ void variance_partial(const PartialParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    Seat at = seat(p.channels / COUNT, 256);
    float mean[COUNT];
#pragma unroll
    for (int i = 0; i < COUNT; ++i)
        mean[i] = p.mean[(int)blockIdx.y * p.channels + at.lane * COUNT + i];
    partial_sums<T>(p, [&](float v, int i) {
        float d = v - mean[i];
        return d * d;
    });
}

// Sums of the strips, 32 channels per block: 8 threads per channel, each every eighth strip. Calls
// finish(n * channels + channel, sum) for each channel.
template <class Finish>
__device__ __forceinline__ void finish_sums(const FinishParams& p, Finish finish) {
    __shared__ float room[256];
    int c = (int)(blockIdx.x * 32 + threadIdx.x % 32), n = (int)blockIdx.y;
    float sum = 0.0f;
    if (c < p.channels) {
        const float* sums = p.sums + (u64)n * (u32)p.strips * (u32)p.channels + (u32)c;
#pragma unroll 4
        for (int s = (int)threadIdx.x / 32; s < p.strips; s += 8) sum += sums[(u64)(u32)s * (u32)p.channels];
    }
    room[threadIdx.x] = sum;
    // Orders the eight sums of a channel before the read of all of them.
    __syncthreads();
    if (threadIdx.x < 32 && c < p.channels) {
        float all = 0.0f;
#pragma unroll
        for (int k = 0; k < 8; ++k) all += room[32 * k + (int)threadIdx.x];
        finish(n * p.channels + c, all);
    }
}

extern "C" __global__ void __launch_bounds__(256) mean_finish(const __grid_constant__ FinishParams p) {
    finish_sums(p, [&](int at, float sum) { p.result[at] = sum / (float)p.pixels; });
}

extern "C" __global__ void __launch_bounds__(256)
    variance_finish(const __grid_constant__ FinishParams p) {
    finish_sums(p, [&](int at, float sum) {
        // The mean of equal values has a rounding error, and so has every distance from it.
        float variance = sum / (float)p.pixels, unseen = p.mean[at] * p.flat_share;
        p.result[at] = variance > unseen * unseen ? 1.0f / sqrtf(variance + p.eps) : 0.0f;
    });
}

// ---- fused: statistics, then normalise with ReLU or residual ------------------------------------

template <class T> __device__ __forceinline__ void norm_statistics(const NormStatisticsParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, THREADS = 512;
    __shared__ Moments slots[THREADS * COUNT];
    __shared__ float counts[THREADS];
    __shared__ bool is_last;
    int packs = p.channels / COUNT, n = (int)blockIdx.y;
    Seat at = seat(packs, THREADS);
    Gathered<T> own;
    if (at.is_taken) {
        const T* from = static_cast<const T*>(p.map) + image(n, p.pixels, p.channels, at.lane * COUNT);
        gather(from, strip((int)blockIdx.x, p.strip_pixels, p.pixels), at, p.channels, own,
               [](int, const uint4&) {});
    }
    Moments* of_image = p.moments + (u64)n * (u32)p.strips * (u32)p.channels;
    Moments* of_strip = of_image + (u64)blockIdx.x * (u32)p.channels;
    merge_block<THREADS>(own, at, packs, slots, counts,
                         [&](int c, float, const Moments& m) { of_strip[c] = m; });

    // Every thread's own writes are visible to the device before thread 0 counts the block.
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        is_last = atomicAdd(&p.tickets[n], 1u) == (u32)p.strips - 1u;
        if (is_last) p.tickets[n] = 0u;
    }
    __syncthreads();
    if (!is_last) return;
    __threadfence();

    merge_strips<THREADS>(of_image, p.strips, p.strip_pixels, p.pixels, p.channels, slots, counts, [&](int c, const Moments& all) {
        p.scale[n * p.channels + c] = scale_of(all, (float)p.pixels, p.eps, p.gamma[c]);
        p.mean[n * p.channels + c] = all.mean;
    });
}

template <class T> __device__ __forceinline__ void norm_apply(const NormApplyParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    int n = (int)blockIdx.y;
    Seat at = seat(p.channels / COUNT, 256);
    if (!at.is_taken) return;
    NormFactors<T> factors;
    int first = n * p.channels + at.lane * COUNT;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        factors.scale[i] = p.scale[first + i];
        factors.mean[i] = p.mean[first + i];
        factors.beta[i] = p.beta[at.lane * COUNT + i];
    }
    u64 base = image(n, p.pixels, p.channels, at.lane * COUNT);
    const T* residual = p.residual ? static_cast<const T*>(p.residual) + base : nullptr;
    T* to = static_cast<T*>(p.to) + base;
    auto element = [&](int pixel) { return (u64)(u32)pixel * (u32)p.channels; };
    auto residual_of = [&](int pixel) {
        return residual ? *reinterpret_cast<const uint4*>(residual + element(pixel))
                        : make_uint4(0u, 0u, 0u, 0u);
    };
    auto write = [&](int pixel, const uint4& raw, const uint4& other) {
        write_normalised(to + element(pixel), raw, other, residual != nullptr, p.relu != 0, factors);
    };
    walk(static_cast<const T*>(p.from) + base, strip((int)blockIdx.x, p.strip_pixels, p.pixels), at,
         p.channels,
         [&](int pixel, const uint4(&raw)[4]) {
             // All loads before the first store, which may go to the same map.
             uint4 others[4];
#pragma unroll
             for (int k = 0; k < 4; ++k) others[k] = residual_of(pixel + k * at.rows);
#pragma unroll
             for (int k = 0; k < 4; ++k) write(pixel + k * at.rows, raw[k], others[k]);
         },
         [&](int pixel, const uint4& raw) { write(pixel, raw, residual_of(pixel)); });
}

template <class T> __device__ __forceinline__ void norm_plane(const NormPlaneParams& p) {
    norm_plane<T, 1>(p);
}

// An operation's entry for one type.
#define ENTRY(operation, Params, threads, precision, T)                                             \
    extern "C" __global__ void __launch_bounds__(threads)                                           \
        operation##_##precision(const __grid_constant__ Params p) {                                 \
        operation<T>(p);                                                                            \
    }

ENTRIES(ENTRY, mean_partial, PartialParams, 256)
ENTRIES(ENTRY, variance_partial, PartialParams, 256)
ENTRIES(ENTRY, norm_statistics, NormStatisticsParams, 512)
ENTRIES(ENTRY, norm_apply, NormApplyParams, 256)
ENTRIES(ENTRY, norm_plane, NormPlaneParams, 512)
