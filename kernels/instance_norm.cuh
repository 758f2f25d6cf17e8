// Shared by the kernels of InstanceNorm: walks over pixels, and the norm in one pass over memory.
#pragma once
#include "hopper.cuh"
#include "moments.cuh"

namespace sf {

// Of `norm_plane_*` and `norm_cluster_*`.
struct NormPlaneParams {
    const void* from;  // map (n, pixels, channels)
    const void* residual;  // map that is added, or null for none
    void* to;  // map to write; may be `from` or `residual`
    const float* gamma;  // fp32 (channels), 0 in the padding
    const float* beta;  // fp32 (channels), 0 in the padding
    int pixels;  // pixels of an image
    int channels;  // channels, padding included
    int group_packs;  // 16-byte packs of channels of a block, 1 or 2; divides channels * bytes / 16
    int relu;  // 1 for ReLU (before a residual), otherwise 0
    float eps;  // added to the variance
};
static_assert(sizeof(NormPlaneParams) == 64, "as params.rs lays it out");

// The pixels of a strip: from `first` to before `last`.
struct Strip {
    int first;
    int last;
};

__device__ __forceinline__ Strip strip(int at, int strip_pixels, int pixels) {
    int first = at * strip_pixels;
    return {first, min(first + strip_pixels, pixels)};
}

// Index of the first element of this thread's channels of image n.
__device__ __forceinline__ u64 image(int n, int pixels, int channels, int channel) {
    return (u64)n * (u32)pixels * (u32)channels + (u32)channel;
}

// Calls visit(pixel[4], raw[4]) or visit(pixel[1], raw[1]) for the pixels of a strip in this thread's
// row: four at a time, so that four loads are in flight together.
template <class T, class Visit4, class Visit1>
__device__ __forceinline__ void walk(const T* from, const Strip& s, const Seat& at, int channels,
                                     Visit4 visit4, Visit1 visit1) {
    int p = s.first + at.row;
    // Not unrolled beyond the four: registers would spill.
#pragma unroll 1
    for (; p + 3 * at.rows < s.last; p += 4 * at.rows) {
        uint4 raw[4];
#pragma unroll
        for (int k = 0; k < 4; ++k)
            raw[k] = *reinterpret_cast<const uint4*>(from + (u64)(u32)(p + k * at.rows) * (u32)channels);
        visit4(p, raw);
    }
#pragma unroll 1
    for (; p < s.last; p += at.rows)
        visit1(p, *reinterpret_cast<const uint4*>(from + (u64)(u32)p * (u32)channels));
}

// Gathers the pixels of a strip in this thread's row.
template <class T, class Keep>
__device__ __forceinline__ void gather(const T* from, const Strip& s, const Seat& at, int channels,
                                       Gathered<T>& own, Keep keep) {
    constexpr int COUNT = Pack<T>::COUNT;
    walk(from, s, at, channels,
         [&](int pixel, const uint4(&raw)[4]) {
             float v[4][COUNT];
#pragma unroll
             for (int k = 0; k < 4; ++k) {
                 widen_pack<T>(raw[k], v[k]);
                 keep(pixel + k * at.rows, raw[k]);
             }
             own.take(v);
         },
         [&](int pixel, const uint4& raw) {
             float v[COUNT];
             widen_pack<T>(raw, v);
             keep(pixel, raw);
             own.take(v);
         });
}

// Merges the strips of an image, `parts` threads per channel, each every parts-th strip, and calls finish(channel, moments)
// once for each channel. All threads call this. `slots` and `counts` are shared memory of THREADS values each.
template <int THREADS, class Finish>
__device__ __forceinline__ void merge_strips(const Moments* of_image, int strips, int strip_pixels, int pixels, int channels,
                                             Moments* slots, float* counts, Finish finish) {
    int across = min(channels, THREADS), parts = THREADS / across;
    int part = (int)threadIdx.x / across;
#pragma unroll 1
    for (int first = 0; first < channels; first += across) {
        int c = first + (int)threadIdx.x % across;
        Moments all = {0.0f, 0.0f};
        float count = 0.0f;
        if (part < parts && c < channels) {
#pragma unroll 1
            for (int s = part; s < strips; s += 8 * parts) {
                // Eight loads are in flight together; the merges follow in the strips' order.
                Moments theirs[8];
                float their_counts[8];
#pragma unroll
                for (int k = 0; k < 8; ++k) {
                    int from = s + k * parts;
                    bool is_there = from < strips;
                    // Bypasses the L1 cache, which may contain old data.
                    float2 pair = is_there ? __ldcg(reinterpret_cast<const float2*>(
                                                 of_image + (u64)(u32)from * (u32)channels + (u32)c))
                                           : make_float2(0.0f, 0.0f);
                    theirs[k] = {pair.x, pair.y};
                    Strip that = strip(from, strip_pixels, pixels);
                    their_counts[k] = is_there ? (float)(that.last - that.first) : 0.0f;
                }
#pragma unroll
                for (int k = 0; k < 8; ++k) {
                    merge(all, theirs[k], count, share_of(count, their_counts[k]));
                    count += their_counts[k];
                }
            }
        }
        // Orders the reads of the slots' former contents before these writes.
        __syncthreads();
        slots[threadIdx.x] = all;
        counts[threadIdx.x] = count;
        // Orders the parts' moments before the reads of all of them.
        __syncthreads();
        if (part == 0 && c < channels) {
#pragma unroll 1
            for (int k = 1; k < parts; ++k) {
                int at_part = (int)threadIdx.x + k * across;
                float theirs = counts[at_part];
                merge(all, slots[at_part], count, share_of(count, theirs));
                count += theirs;
            }
            finish(c, all);
        }
    }
}

// The norm's factors for the values of a lane.
template <class T> struct NormFactors {
    float scale[Pack<T>::COUNT];
    float mean[Pack<T>::COUNT];
    float beta[Pack<T>::COUNT];
};

// Writes (v - mean) * scale + beta, with ReLU or a residual, for one pixel of a lane.
template <class T>
__device__ __forceinline__ void write_normalised(T* to, const uint4& raw, const uint4& residual,
                                                 bool has_residual, bool has_relu,
                                                 const NormFactors<T>& f) {
    constexpr int COUNT = Pack<T>::COUNT;
    float v[COUNT];
    widen_pack<T>(raw, v);
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        v[i] = (v[i] - f.mean[i]) * f.scale[i] + f.beta[i];
        // Written so that a NaN is kept.
        if (has_relu) v[i] = v[i] < 0.0f ? 0.0f : v[i];
    }
    if (has_residual) {
        float r[COUNT];
        widen_pack<T>(residual, r);
#pragma unroll
        for (int i = 0; i < COUNT; ++i) v[i] += r[i];
    }
    store_pack(to, v);
}

// A whole norm, one group of channels per CTA, or per cluster of CLUSTER CTAs, each of which has a share of the
// pixels in its shared memory and reads the others' statistics from theirs.
template <class T, int CLUSTER> __device__ __forceinline__ void norm_plane(const NormPlaneParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, THREADS = 512;
    extern __shared__ uint4 kept[];
    // A group has at most 2 * COUNT channels, and each warp one slot for them.
    __shared__ Moments slots[THREADS / 32 * 2 * COUNT], gathered[CLUSTER > 1 ? 2 * COUNT : 1];
    __shared__ float counts[THREADS / 32];
    __shared__ float scales[2 * COUNT], means[2 * COUNT];
    int n = (int)blockIdx.y, packs = p.group_packs, share = (p.pixels + CLUSTER - 1) / CLUSTER;
    // Pixels of a CTA of the cluster; the last CTAs may have none.
    auto pixels_of = [&](int rank) { return max(min((rank + 1) * share, p.pixels) - rank * share, 0); };
    int rank = 0;
    if constexpr (CLUSTER > 1) rank = (int)cluster_rank();
    int first = rank * share, last = first + pixels_of(rank);
    Seat at = seat(packs, THREADS);
    int group = (int)blockIdx.x * packs * COUNT;
    u64 base = image(n, p.pixels, p.channels, group + at.lane * COUNT);
    Gathered<T> own;
    gather(static_cast<const T*>(p.from) + base, Strip{first, last}, at, p.channels, own,
           [&](int pixel, const uint4& raw) { kept[(pixel - first) * packs + at.lane] = raw; });
    merge_block<THREADS>(own, at, packs, slots, counts, [&](int c, float count, const Moments& m) {
        if constexpr (CLUSTER > 1) {
            gathered[c] = m;
        } else {
            scales[c] = scale_of(m, count, p.eps, p.gamma[group + c]);
            means[c] = m.mean;
        }
    });
    if constexpr (CLUSTER > 1) {
        meet_cluster();
        int c = (int)threadIdx.x;
        if (c < packs * COUNT) {
            Moments all = {0.0f, 0.0f};
            float count = 0.0f;
            u32 here = shared_address(&gathered[c]);
#pragma unroll
            for (int r = 0; r < CLUSTER; ++r) {
                Moments theirs;
                asm volatile("ld.shared::cluster.v2.f32 {%0, %1}, [%2];"
                             : "=f"(theirs.mean), "=f"(theirs.m2)
                             : "r"(place_of(here, (u32)r))
                             : "memory");
                float more = (float)pixels_of(r);
                merge(all, theirs, count, share_of(count, more));
                count += more;
            }
            scales[c] = scale_of(all, count, p.eps, p.gamma[group + c]);
            means[c] = all.mean;
        }
        arrive_at_cluster();
    }
    // Orders the factors before their use. The kept pixels are read by the threads that wrote them.
    __syncthreads();
    NormFactors<T> factors;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        factors.scale[i] = scales[at.lane * COUNT + i];
        factors.mean[i] = means[at.lane * COUNT + i];
        factors.beta[i] = p.beta[group + at.lane * COUNT + i];
    }
    const T* residual = p.residual ? static_cast<const T*>(p.residual) + base : nullptr;
    T* to = static_cast<T*>(p.to) + base;
#pragma unroll 1
    for (int from = first + at.row; from < last; from += 2 * at.rows) {
        uint4 others[2];
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            int pixel = from + k * at.rows;
            others[k] = residual && pixel < last
                            ? *reinterpret_cast<const uint4*>(residual + (u64)(u32)pixel * (u32)p.channels)
                            : make_uint4(0u, 0u, 0u, 0u);
        }
#pragma unroll
        for (int k = 0; k < 2; ++k) {
            int pixel = from + k * at.rows;
            if (pixel < last)
                write_normalised(to + (u64)(u32)pixel * (u32)p.channels, kept[(pixel - first) * packs + at.lane],
                                 others[k], residual != nullptr, p.relu != 0, factors);
        }
    }
    // No CTA ends while others read its statistics.
    if constexpr (CLUSTER > 1) wait_for_cluster();
}

}  // namespace sf
