// targets: sm_90a
// InstanceNorm in one launch: every CTA keeps its strip of pixels, with all channels, in shared memory while the
// CTAs exchange their moments, so that the map is read from memory once.
//
// Computes the same as norm_statistics and norm_apply of instance_norm.cu in turn, bit for bit.
// Entries, for maps of type f32, f16, bf16: norm_resident_*
//
// Launch: cooperative, because the CTAs of an image wait for each other; block 512, grid (strips, n), a CTA for each of at
// most 512 strips; dynamic shared memory kept_pixels * channels * sizeof(T) bytes for the first pixels of a strip, then 16 *
// channels moments (512 * 16 / sizeof(T) if packs = channels * sizeof(T) / 16 does not divide 32), at least 512. kept_pixels
// is a multiple of 4 * (512 / packs), or the strip fits. Of the pixels after them each thread keeps 32 values in registers;
// the remainder is read a second time. `flags` has flag_pitch numbers for each image, zero before the first launch: the number
// of launches, followed by a flag for each strip, which is set to that number once this launch has written the strip's moments.
//
// Work: at 512x512x32 fp32, 33.6 MB are read and 33.6 written, for 60 MFLOP. Roofline: memory.
// Measured: NVIDIA H200, driver 580.159, 2026-11-25, maps in turn in a graph, cold caches: 512x512x32 fp32 with ReLU 27.1 us, 62 %
// of a copy's bandwidth (norm_statistics and norm_apply: 32.7). About 7 us are needed for a map of a few pixels: launch,
// moments, and waiting for the other CTAs.
//
// Numerics: those of norm_statistics: strips are gathered and merged in the same order.
//
// Barriers: the copies of a strip's pieces, before they are read; in a CTA, moments in shared memory before they are merged
// and before their memory is written again; of an image's CTAs (`flags`), between writing and reading the strips' moments.
#include "entries.cuh"
#include "instance_norm.cuh"

using namespace sf;

// Of `norm_resident_*`.
struct NormResidentParams {
    const void* from;  // map (n, pixels, channels)
    const void* residual;  // map that is added, or null for none
    void* to;  // map to write; may be `from` or `residual`
    const float* gamma;  // fp32 (channels), 0 in the padding
    const float* beta;  // fp32 (channels), 0 in the padding
    Moments* moments;  // scratch: pairs of fp32 (n, strips, channels)
    u32* flags;  // 32-bit numbers (n, flag_pitch), zero before the first launch
    int pixels;  // pixels of an image
    int channels;  // channels, padding included
    int strips;  // strips of an image: pixels / strip_pixels, rounded up
    int strip_pixels;  // pixels of a strip
    int kept_pixels;  // pixels of a strip that stay in shared memory
    int flag_pitch;  // numbers of an image in `flags`: at least strips + 1
    int relu;  // 1 for ReLU (before a residual), otherwise 0
    float eps;  // added to the variance
};
static_assert(sizeof(NormResidentParams) == 88, "as params.rs lays it out");

// Pieces of a strip: the first ones are gathered while the others are in flight.
constexpr int PIECES = 8;
constexpr int MOST_RESIDENT_CHANNELS = 256;

// Packs of a pixel that a thread keeps in registers: the same number of values in every type.
template <class T> constexpr int HELD = 32 / Pack<T>::COUNT;

// Writes the four pixels q, q + rows, ... before `last`; their loads are in flight together.
template <class Residual, class Write, class Raw>
__device__ __forceinline__ void each_of_four(int q, int rows, int last, Residual residual_of, Write write, Raw raw_of) {
    uint4 raw[4], others[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        others[k] = raw[k] = make_uint4(0u, 0u, 0u, 0u);
        if (q + k * rows >= last) continue;
        raw[k] = raw_of(k);
        others[k] = residual_of(q + k * rows);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k)
        if (q + k * rows < last) write(q + k * rows, raw[k], others[k]);
}

template <class T> __device__ __forceinline__ void norm_resident(const NormResidentParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, THREADS = 512;
    extern __shared__ __align__(128) uint4 kept[];
    __shared__ u64 come[PIECES];
    __shared__ float counts[THREADS], scales[MOST_RESIDENT_CHANNELS], means[MOST_RESIDENT_CHANNELS];
    int n = (int)blockIdx.y, packs = p.channels / COUNT;
    Seat at = seat(packs, THREADS);
    Strip own_strip = strip((int)blockIdx.x, p.strip_pixels, p.pixels);
    int first = own_strip.first, in_strip = own_strip.last - first, here = min(p.kept_pixels, in_strip);
    Moments* slots = reinterpret_cast<Moments*>(kept + p.kept_pixels * packs);
    const T* from = static_cast<const T*>(p.from) + image(n, p.pixels, p.channels, 0) + (u64)(u32)first * (u32)p.channels;
    int piece_pixels = (p.kept_pixels + PIECES - 1) / PIECES;
    u32 barriers = shared_address(come);
    if (threadIdx.x == 0) {
        for (int i = 0; i < PIECES; ++i) init_barrier(barriers + 8u * (u32)i, 1u);
        publish_barriers();
        u32 pixel_bytes = (u32)(p.channels * (int)sizeof(T)), to = shared_address(kept);
        const char* bytes = reinterpret_cast<const char*>(from);
        for (int i = 0; i < PIECES; ++i) {
            int begin = i * piece_pixels;
            u32 size = (u32)max(min(piece_pixels, here - begin), 0) * pixel_bytes;
            arrive_expecting(barriers + 8u * (u32)i, size);
            if (size != 0u) bulk_copy(to + (u32)begin * pixel_bytes, bytes + (u64)(u32)begin * pixel_bytes, size, barriers + 8u * (u32)i);
        }
        // Data that is read twice should be in the L2 cache.
        int held_end = here + HELD<T> * at.rows;
        if (in_strip > held_end)
            asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(bytes + (u64)(u32)held_end * pixel_bytes),
                         "r"((u32)(in_strip - held_end) * pixel_bytes)
                         : "memory");
    }
    // The number of the previous launch. It is written once all CTAs of the image have set their flags, and so have read it.
    u32* last_launch = p.flags + (u64)n * (u32)p.flag_pitch;
    u32* flags = last_launch + 1;
    u32 launch;
    asm volatile("ld.global.cg.u32 %0, [%1];" : "=r"(launch) : "l"(last_launch) : "memory");
    ++launch;
    const uint4* in_memory = reinterpret_cast<const uint4*>(from) + at.lane;
    auto global = [&](int q) { return in_memory[(u64)(u32)q * (u32)packs]; };
    uint4 held[HELD<T>];
#pragma unroll
    for (int k = 0; k < HELD<T>; ++k) {
        int q = here + at.row + k * at.rows;
        held[k] = at.is_taken && q < in_strip ? global(q) : make_uint4(0u, 0u, 0u, 0u);
    }
    int held_end = min(here + HELD<T> * at.rows, in_strip);
    __syncthreads();
    Gathered<T> own;
    if (at.is_taken) {
        int pieces = 0;
        auto take_four = [&](const uint4(&raw)[4]) {
            float v[4][COUNT];
#pragma unroll
            for (int k = 0; k < 4; ++k) widen_pack<T>(raw[k], v[k]);
            own.take(v);
        };
        auto take_one = [&](const uint4& raw) {
            float v[COUNT];
            widen_pack<T>(raw, v);
            own.take(v);
        };
        auto in_shared = [&](int q) { return kept[q * packs + at.lane]; };
        auto wait_until = [&](int q) {
            for (; pieces * piece_pixels <= q; ++pieces) wait_barrier(barriers + 8u * (u32)pieces, 0u);
        };
        int q = at.row;
#pragma unroll 1
        for (; q + 3 * at.rows < here; q += 4 * at.rows) {
            wait_until(q + 3 * at.rows);
            const uint4 raw[4] = {in_shared(q), in_shared(q + at.rows), in_shared(q + 2 * at.rows), in_shared(q + 3 * at.rows)};
            take_four(raw);
        }
        // Only if the whole strip is kept.
#pragma unroll 1
        for (; q < here; q += at.rows) {
            wait_until(q);
            take_one(in_shared(q));
        }
#pragma unroll
        for (int k = 0; k < HELD<T>; k += 4) {
            if (here + at.row + (k + 3) * at.rows < in_strip) {
                const uint4 raw[4] = {held[k], held[k + 1], held[k + 2], held[k + 3]};
                take_four(raw);
            } else {
#pragma unroll
                for (int i = k; i < k + 4; ++i)
                    if (here + at.row + i * at.rows < in_strip) take_one(held[i]);
            }
        }
        walk(reinterpret_cast<const T*>(in_memory), Strip{held_end, in_strip}, at, p.channels,
             [&](int, const uint4(&raw)[4]) { take_four(raw); }, [&](int, const uint4& raw) { take_one(raw); });
    }
    Moments* of_image = p.moments + (u64)n * (u32)p.strips * (u32)p.channels;
    Moments* of_strip = of_image + (u64)blockIdx.x * (u32)p.channels;
    merge_block<THREADS>(own, at, packs, slots, counts, [&](int c, float, const Moments& m) { of_strip[c] = m; });
    // All of this CTA's moments are written before its flag.
    __syncthreads();
    if (threadIdx.x == 0) asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(flags + blockIdx.x), "r"(launch) : "memory");
    // One thread per strip, so that all flags are polled together.
    if ((int)threadIdx.x < p.strips) {
        u32 seen;
        Rounds rounds;
        do {
            asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(seen) : "l"(flags + threadIdx.x) : "memory");
            rounds.next();
        } while (seen != launch);
    }
    __syncthreads();
    // All CTAs of the image have read the number of the previous launch.
    if (blockIdx.x == 0 && threadIdx.x == 0) *last_launch = launch;
    merge_strips<THREADS>(of_image, p.strips, p.strip_pixels, p.pixels, p.channels, slots, counts, [&](int c, const Moments& all) {
        scales[c] = scale_of(all, (float)p.pixels, p.eps, p.gamma[c]);
        means[c] = all.mean;
    });
    // Orders the factors before their use.
    __syncthreads();
    if (!at.is_taken) return;
    NormFactors<T> factors;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        int c = at.lane * COUNT + i;
        factors.scale[i] = scales[c];
        factors.mean[i] = means[c];
        factors.beta[i] = p.beta[c];
    }
    u64 base = image(n, p.pixels, p.channels, at.lane * COUNT) + (u64)(u32)first * (u32)p.channels;
    const T* residual = p.residual ? static_cast<const T*>(p.residual) + base : nullptr;
    T* to = static_cast<T*>(p.to) + base;
    auto element = [&](int q) { return (u64)(u32)q * (u32)p.channels; };
    auto residual_of = [&](int q) {
        return residual ? *reinterpret_cast<const uint4*>(residual + element(q)) : make_uint4(0u, 0u, 0u, 0u);
    };
    auto write = [&](int q, const uint4& raw, const uint4& other) {
        write_normalised(to + element(q), raw, other, residual != nullptr, p.relu != 0, factors);
    };
#pragma unroll 1
    for (int q = held_end + at.row; q < in_strip; q += 4 * at.rows) each_of_four(q, at.rows, in_strip, residual_of, write, [&](int k) { return global(q + k * at.rows); });
#pragma unroll
    for (int i = 0; i < HELD<T>; i += 4) each_of_four(here + at.row + i * at.rows, at.rows, held_end, residual_of, write, [&](int k) { return held[i + k]; });
#pragma unroll 1
    for (int q = at.row; q < here; q += 4 * at.rows) each_of_four(q, at.rows, here, residual_of, write, [&](int k) { return kept[(q + k * at.rows) * packs + at.lane]; });
}

#define ENTRY(operation, Params, threads, precision, T)                                                                  \
    extern "C" __global__ void __launch_bounds__(threads) operation##_##precision(const __grid_constant__ Params p) {    \
        operation<T>(p);                                                                                                 \
    }

ENTRIES(ENTRY, norm_resident, NormResidentParams, 512)
