// Convolutions of any shape, and transposed ones, for graphs that the specialised kernels do not compute.
//
// Computes, for every image n, output pixel (y, x) and output channel c:
//   sum = bias[c] + sum over the taps t of (y, x)'s phase and input channels i of
//         from[n, qy * stride_y + dy[t], qx * stride_x + dx[t], i] * weights[t, c, i]
//   to[n, y, x, c] = function(sum * factor * scale[c] + shift[c])
// A phase contains the outputs that read the same taps: y = top + qy * step_y, x = left + qx * step_x. A
// convolution has one phase (step 1) and all its taps, dy = row of the kernel * dilation - padding. A transposed one
// has a phase for each remainder of y and x by its stride, and gathers: the phase's taps are the kernel's
// rows and columns that fall onto input pixels (stride 1). Positions beyond the map are zeros, mirrored or
// repeated (`edge`), so that padding needs no launch of its own.
//
// Entries, for maps of type f32, f16 and (from sm_80 on) bf16:
//   general_conv_128x64_*, _128x32_*, _128x16_*    all input channels; tiles of 128 pixels x this many channels
//   general_conv_grouped_*                         `group_out` outputs from `group_in` inputs each
//   general_conv_depthwise_*                       every channel separately
//
// GEMM of the tiled entries: M = batch * rows * columns of a phase, N = out_stored, K = taps * in_stored.
//
// Layouts: maps of element.cuh, aligned to 16 bytes, channels a multiple of 16. Weights have the maps' type, and are zero in
// padding channels: tiled (tap, out_stored, in_padded), in_padded being in_stored rounded up to 64
// bytes; grouped (tap, group_in, out_stored); depthwise (tap, out_stored). Vectors are fp32 (out_stored). `phases`
// has 8 numbers per phase: first tap, taps, top, left, rows, columns, and two spare; phase (top, left) is number
// top * step_x + left. `taps` has 4 numbers per tap: dy, dx, tap of the weights, one spare; aligned to 16 bytes.
//
// Launch: block 256, no dynamic shared memory. Tiled: grid (ceil(M / 128) of the largest phase,
// ceil(out_stored / tile), phases); static shared memory 30, 25 or 22.5 KiB: two stages of 64
// bytes of K for every pixel and channel of the tile. Grouped: grid (ceil(out_width * out_stored / 256),
// out_height, batch). Depthwise: grid (ceil(out_width * out_stored * sizeof(T) / 16 / 256), out_height, batch).
//
// Work: 3x3, 128 to 128 channels at 128x128, fp16: 4.8 GFLOP for 8.7 MB, 550 FLOP per byte.
// Roofline: tiled, arithmetic; depthwise, memory.
// Measured: NOT MEASURED.
//
// Numerics: sums in fp32 (16 bits: products on tensor cores), one rounding to the map's type. A value outside the type's
// range sets `overflow`.
//
// Barriers: a stage of shared memory before it is read, and its reads before it is written again.
#include "general.cuh"
#include "general_tile.cuh"

using namespace sf;

// `scale`, `shift` and `slopes` may be null; `slopes` replace the function.
struct GeneralConvParams {
    const void* from;  // map (n, in_height, in_width, in_stored)
    const void* weights;  // weights in the order of the entry
    void* to;  // map (n, out_height, out_width, out_stored) to write
    const int* phases;  // eight numbers per phase
    const int* taps;  // four numbers per tap
    const float* bias;  // fp32 (out_stored)
    const float* scale;  // fp32 (out_stored), or null
    const float* shift;  // fp32 (out_stored), if there is a scale
    const float* slopes;  // fp32 (out_stored), or null
    u32* overflow;  // set if a value does not fit the map; unused for f32
    int batch;
    int in_height;  // rows of `from`
    int in_width;  // columns of `from`
    int in_stored;  // channels of `from`, padding included
    int out_height;  // rows of `to`
    int out_width;  // columns of `to`
    int out_channels;  // channels of `to`, without padding
    int out_stored;  // channels of `to`, padding included
    int stride_y;  // rows of `from` from one output to the next in a phase
    int stride_x;  // columns of `from` from one output to the next in a phase
    int step_y;  // rows of `to` from one output to the next in a phase
    int step_x;  // columns of `to` from one output to the next in a phase
    int edge;  // the border beyond the edge of `from`
    int group_in;  // inputs per group
    int group_out;  // outputs per group
    int function;  // the function that is applied to the sums
    float first;  // the function's first parameter
    float second;  // the function's second parameter
    float factor;  // factor on the sums
    int in_channels;  // channels of `from`, without padding
};
static_assert(sizeof(GeneralConvParams) == 160, "as params.rs lays it out");

constexpr int TILE_PIXELS = 128;

struct Phase {
    int first_tap;
    int taps;
    int top;
    int left;
    int rows;
    int columns;
};

__device__ __forceinline__ Phase phase_of(const GeneralConvParams& p, int number) {
    const int* at = p.phases + 8 * number;
    return {at[0], at[1], at[2], at[3], at[4], at[5]};
}

// A sum as it is stored. Not inlined: unrolled loops would contain it many times.
__device__ __noinline__ float finished(const GeneralConvParams& p, int channel, float sum) {
    if (channel >= p.out_channels) return 0.0f;
    float v = (sum + p.bias[channel]) * p.factor;
    if (p.scale) v = v * p.scale[channel] + p.shift[channel];
    if (p.slopes) return v < 0.0f ? v * p.slopes[channel] : v;
    if (p.function == FUNCTION_NONE) return v;
    return applied(p.function, v, p.first, p.second);
}

// The first input position that an output pixel of a phase reads.
struct Origin {
    u64 image;
    int y;
    int x;
    bool is_there;
};

template <class T, int CHANNELS> __device__ __forceinline__ void conv_tile(const GeneralConvParams& p) {
    constexpr int COUNT = Pack<T>::COUNT, DEPTH = ROW_BYTES / (int)sizeof(T);
    constexpr int WARPS_ACROSS = CHANNELS / 32 ? CHANNELS / 32 : 1, WARPS_DOWN = 8 / WARPS_ACROSS;
    constexpr int WARP_PIXELS = TILE_PIXELS / WARPS_DOWN, WARP_CHANNELS = CHANNELS / WARPS_ACROSS;
    // Pixels of 64 bytes that 256 threads load at a time, 16 bytes each.
    constexpr int LOADED = 64, LOADS = TILE_PIXELS / LOADED;
    __shared__ __align__(16) char pixels[2][TILE_PIXELS * ROW_PITCH];
    __shared__ __align__(16) char channels[2][CHANNELS * ROW_PITCH];

    const Phase phase = phase_of(p, (int)blockIdx.z);
    const int per_image = phase.rows * phase.columns, count = p.batch * per_image;
    const int first_pixel = (int)blockIdx.x * TILE_PIXELS, first_channel = (int)blockIdx.y * CHANNELS;
    if (first_pixel >= count) return;

    const int row = (int)threadIdx.x / 4, pack = (int)threadIdx.x % 4 * COUNT;
    Origin origin[LOADS];
#pragma unroll
    for (int l = 0; l < LOADS; ++l) {
        int at = first_pixel + l * LOADED + row;
        int n = at / per_image, rest = at - n * per_image, y = rest / phase.columns;
        origin[l].image = (u64)n * (u32)p.in_height * (u32)p.in_width;
        origin[l].y = y * p.stride_y;
        origin[l].x = (rest - y * phase.columns) * p.stride_x;
        origin[l].is_there = at < count;
    }
    const T* from = static_cast<const T*>(p.from);
    const T* weights = static_cast<const T*>(p.weights);
    const int chunks = (p.in_stored + DEPTH - 1) / DEPTH, steps = phase.taps * chunks;
    const bool loads_channel = row < CHANNELS && first_channel + row < p.out_stored;

    int tap = 0, chunk = 0;
    uint4 of_pixels[LOADS], of_channels;
    auto load = [&]() {
        const uint4 none = make_uint4(0u, 0u, 0u, 0u);
        const int4 t = *reinterpret_cast<const int4*>(p.taps + 4 * (phase.first_tap + tap));
        const int channel = chunk * DEPTH + pack;
#pragma unroll
        for (int l = 0; l < LOADS; ++l) {
            const int y = place_on(origin[l].y + t.x, p.in_height, p.edge);
            const int x = place_on(origin[l].x + t.y, p.in_width, p.edge);
            const bool is_read = origin[l].is_there && y >= 0 && x >= 0 && channel < p.in_stored;
            const u64 at = (origin[l].image + (u64)(u32)y * (u32)p.in_width + (u32)x) * (u32)p.in_stored + (u32)channel;
            of_pixels[l] = is_read ? *reinterpret_cast<const uint4*>(from + at) : none;
        }
        const u64 at = ((u64)(u32)t.z * (u32)p.out_stored + (u32)(first_channel + row)) * (u32)(chunks * DEPTH) + (u32)channel;
        of_channels = loads_channel ? *reinterpret_cast<const uint4*>(weights + at) : none;
        if (++chunk == chunks) {
            chunk = 0;
            ++tap;
        }
    };
    auto keep = [&](int stage) {
        const int at = row * ROW_PITCH + (int)threadIdx.x % 4 * 16;
#pragma unroll
        for (int l = 0; l < LOADS; ++l) *reinterpret_cast<uint4*>(pixels[stage] + at + l * LOADED * ROW_PITCH) = of_pixels[l];
        if (row < CHANNELS) *reinterpret_cast<uint4*>(channels[stage] + at) = of_channels;
    };

    const int warp = (int)threadIdx.x / 32;
    const int warp_pixel = warp / WARPS_ACROSS * WARP_PIXELS, warp_channel = warp % WARPS_ACROSS * WARP_CHANNELS;
    typedef typename TileOf<T, WARP_PIXELS, WARP_CHANNELS>::Type Tile;
    Tile tile;
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i)
#pragma unroll
        for (int j = 0; j < Tile::COLUMNS; ++j) tile.acc[i][j] = 0.0f;

    if (steps > 0) {
        load();
        keep(0);
    }
    // Orders the first stage before its reads.
    __syncthreads();
    // Bytes of existing channels from this step's first channel on: for the photo's three channels, a part of a step.
    int bytes = p.in_channels * (int)sizeof(T);
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
        const bool has_next = step + 1 < steps;
        if (has_next) load();
        tile.multiply(pixels[step & 1] + warp_pixel * ROW_PITCH, channels[step & 1] + warp_channel * ROW_PITCH,
                      min(bytes, ROW_BYTES));
        bytes = bytes > ROW_BYTES ? bytes - ROW_BYTES : p.in_channels * (int)sizeof(T);
        if (has_next) keep((step + 1) & 1);
        // Orders the next stage before its reads, and the reads of this one before it is written again.
        __syncthreads();
    }

    float largest = 0.0f;
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i) {
        const int at = first_pixel + warp_pixel + Tile::row(i);
        if (at >= count) continue;
        const int n = at / per_image, rest = at - n * per_image, qy = rest / phase.columns;
        const int y = phase.top + qy * p.step_y, x = phase.left + (rest - qy * phase.columns) * p.step_x;
        T* to = static_cast<T*>(p.to) + pixel_at(n, y, x, p.out_height, p.out_width, p.out_stored);
#pragma unroll
        for (int j = 0; j < Tile::COLUMNS; ++j) {
            const int channel = first_channel + warp_channel + Tile::column(j);
            if (channel >= p.out_stored) continue;
            const float v = finished(p, channel, tile.acc[i][j]);
            largest = larger(largest, v);
            if constexpr (sizeof(T) == 2) {
                // Two neighbouring values at once.
                tile.acc[i][j] = v;
                if (j % 2 == 1)
                    *reinterpret_cast<u32*>(to + channel - 1) = narrow_pair<T>(tile.acc[i][j - 1], v);
            } else {
                to[channel] = narrow<T>(v);
            }
        }
    }
    note_overflow<T>(p.overflow, largest);
}

// The phase of an output pixel and the position that its first tap reads.
struct Reading {
    Phase phase;
    int y;
    int x;
};

__device__ __forceinline__ Reading reading(const GeneralConvParams& p, const Spot& s) {
    int top = s.y % p.step_y, left = s.x % p.step_x;
    Reading r;
    r.phase = phase_of(p, top * p.step_x + left);
    r.y = s.y / p.step_y * p.stride_y;
    r.x = s.x / p.step_x * p.stride_x;
    return r;
}

// Calls visit(tap of the weights, index of the input pixel) for the taps of an output pixel that read the map.
template <class Visit> __device__ __forceinline__ void each_tap(const GeneralConvParams& p, const Spot& s, Visit visit) {
    const Reading r = reading(p, s);
#pragma unroll 1
    for (int t = 0; t < r.phase.taps; ++t) {
        const int4 tap = *reinterpret_cast<const int4*>(p.taps + 4 * (r.phase.first_tap + t));
        const int y = place_on(r.y + tap.x, p.in_height, p.edge), x = place_on(r.x + tap.y, p.in_width, p.edge);
        if (y >= 0 && x >= 0) visit(tap.z, pixel_at(s.n, y, x, p.in_height, p.in_width, p.in_stored));
    }
}

template <class T> __device__ __forceinline__ void conv_grouped(const GeneralConvParams& p) {
    Spot s = spot(p.out_width, p.out_stored);
    if (!s.is_inside) return;
    const int first = s.unit / p.group_out * p.group_in;
    const T* from = static_cast<const T*>(p.from) + (s.unit < p.out_channels ? first : 0);
    const T* weights = static_cast<const T*>(p.weights) + s.unit;
    float sum = 0.0f;
    each_tap(p, s, [&](int tap, u64 at) {
        for (int i = 0; i < p.group_in; ++i) {
            u64 weight = ((u64)(u32)tap * (u32)p.group_in + (u32)i) * (u32)p.out_stored;
            sum = fmaf(widen(from[at + (u32)i]), widen(weights[weight]), sum);
        }
    });
    const float v = finished(p, s.unit, sum);
    static_cast<T*>(p.to)[pixel_at(s.n, s.y, s.x, p.out_height, p.out_width, p.out_stored) + (u32)s.unit] = narrow<T>(v);
    note_overflow<T>(p.overflow, larger(0.0f, v));
}

template <class T> __device__ __forceinline__ void conv_depthwise(const GeneralConvParams& p) {
    constexpr int COUNT = Pack<T>::COUNT;
    Spot s = spot(p.out_width, p.out_stored / COUNT);
    if (!s.is_inside) return;
    const int channel = s.unit * COUNT;
    const T* from = static_cast<const T*>(p.from) + channel;
    const T* weights = static_cast<const T*>(p.weights) + channel;
    float sum[COUNT] = {};
    each_tap(p, s, [&](int tap, u64 at) {
        float v[COUNT], w[COUNT];
        load_pack(from + at, v);
        load_pack(weights + (u64)(u32)tap * (u32)p.out_stored, w);
#pragma unroll
        for (int i = 0; i < COUNT; ++i) sum[i] = fmaf(v[i], w[i], sum[i]);
    });
    float largest = 0.0f;
#pragma unroll
    for (int i = 0; i < COUNT; ++i) {
        sum[i] = finished(p, channel + i, sum[i]);
        largest = larger(largest, sum[i]);
    }
    store_pack(static_cast<T*>(p.to) + pixel_at(s.n, s.y, s.x, p.out_height, p.out_width, p.out_stored) + channel, sum);
    note_overflow<T>(p.overflow, largest);
}

// An operation's entry for one type. An SM holds two blocks, so that one multiplies while the other waits.
#define ENTRY(name, operation, precision, ...)                                                                  \
    extern "C" __global__ void __launch_bounds__(256, 2)                                                        \
        general_##name##_##precision(const __grid_constant__ GeneralConvParams p) {                             \
        operation<__VA_ARGS__>(p);                                                                              \
    }

ENTRY(conv_128x64, conv_tile, f32, float, 64)
ENTRY(conv_128x32, conv_tile, f32, float, 32)
ENTRY(conv_128x16, conv_tile, f32, float, 16)
ENTRY(conv_grouped, conv_grouped, f32, float)
ENTRY(conv_depthwise, conv_depthwise, f32, float)
ENTRY(conv_128x64, conv_tile, f16, half_t, 64)
ENTRY(conv_128x32, conv_tile, f16, half_t, 32)
ENTRY(conv_128x16, conv_tile, f16, half_t, 16)
ENTRY(conv_grouped, conv_grouped, f16, half_t)
ENTRY(conv_depthwise, conv_depthwise, f16, half_t)

// Tensor cores multiply bf16 from sm_80 on.
#if __CUDA_ARCH__ >= 800
ENTRY(conv_128x64, conv_tile, bf16, bfloat_t, 64)
ENTRY(conv_128x32, conv_tile, bf16, bfloat_t, 32)
ENTRY(conv_128x16, conv_tile, bf16, bfloat_t, 16)
ENTRY(conv_grouped, conv_grouped, bf16, bfloat_t)
ENTRY(conv_depthwise, conv_depthwise, bf16, bfloat_t)
#endif
