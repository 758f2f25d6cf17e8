// Upscales a painting to the size of its source, sharp at the source's edges, and blends it with the source:
// the same as crates/media/src/upscale and crates/values/src/compose.rs on the CPU.
//
// Computes, for every pixel of `picture` (the source): its position between four pixels of the painting; for each of
// these a linear model of the painting's colours by the source's luma, from 3 x 3 pixels of `painting` and `scaled`
// (the source at the painting's size), and the painting's range there; the mix of all four, the model at the source's
// luma, clamped to the range; the source's chroma instead of the painting's if `keep_colours` is 1; the blend with
// the source by `strength` percent. Alpha is the source's. Coordinates beyond a side are clamped.
//
// Entry: compose.
// Layouts: RGBA8, red in the lowest byte, 4-byte alignment. `painting` (small_height, small_width), `scaled`
// (small_height, scaled_width), `picture` (height, width), read and written in place.
//
// Launch: a thread per pixel, block 256 (32 x 8 pixels), grid (ceil(width / 32), ceil(height / 8)), no dynamic shared
// memory. Any sizes of at least 1; a side of the painting may be larger than the picture's.
//
// Work: at 1280x720 from 640x360, at least 9.2 MB and about 2.4 GFLOP, 260 FLOP per byte: each thread computes its four models
// for each colour, from pixels in the L1 cache. Roofline: instructions.
// Measured: H200, 640x360 upscaled to 1280x720: 0.185 ms, device events, median.
//
// Numerics: the CPU's operations in the CPU's order, in fp32 and for positions in fp64, each rounded separately: no product
// is fused with a sum. So the result equals the CPU's bit for bit; the rule allows one level.
//
// Barriers: one; after it the positions of the block's columns and rows are in shared memory.
#include "element.cuh"

using namespace sf;

// Of `compose`.
struct ComposeParams {
    u32* picture;  // RGBA8 (height, width): the source, composed in place
    const u32* painting;  // RGBA8 (small_height, small_width)
    const u32* scaled;  // RGBA8 (small_height, scaled_width): the source at the painting's size
    double across;  // small_width / width
    double down;  // small_height / height
    int width;  // width of the picture in pixels
    int height;  // height of the picture in pixels
    int small_width;  // width of the painting in pixels
    int small_height;  // height of the painting in pixels
    int scaled_width;  // pixels from a row of `scaled` to the next
    int nearest;  // 1: the range is that of the painting's nearest pixel only
    int strength;  // percent
    int keep_colours;  // 1 to keep the source's chroma
};
static_assert(sizeof(ComposeParams) == 72, "as params.rs lays it out");

enum { TILE_WIDTH = 32, TILE_HEIGHT = 8 };

// A position between two pixels of the painting.
struct Between {
    int first;
    float share;
};

// Three vertically adjacent pixels of the painting: sums of a colour, of the scaled source's luma and of luma's products with
// both, and the colour's range; colour and luma of the middle one.
struct Column {
    float colours, lights, products, squares, least, most, colour, light;
};

// A pixel's linear model of a colour by the source's luma.
struct Model {
    float colour, light, gain, least, most;
};

// Colour `c` of a pixel, by adding it to the bits of 2^23: conversions would take longer.
__device__ __forceinline__ float colour_of(u32 pixel, int c) {
    return __uint_as_float(__byte_perm(pixel, 0x4b000000, 0x7440 + c)) - 8388608.0f;
}

__device__ __forceinline__ float luma(float red, float green, float blue) {
    return __fmul_rn(0.299f, red) + __fmul_rn(0.587f, green) + __fmul_rn(0.114f, blue);
}

__device__ __forceinline__ float luma(u32 pixel) {
    return luma(colour_of(pixel, 0), colour_of(pixel, 1), colour_of(pixel, 2));
}

__device__ __forceinline__ float mix(float a, float b, float share) { return a + __fmul_rn(share, b - a); }

__device__ __forceinline__ int within(int at, int side) { return min(max(at, 0), side - 1); }

__device__ __forceinline__ Between between(int at, double ratio, int side) {
    const double last = side - 1;
    double centre = __dmul_rn(at + 0.5, ratio) - 0.5;
    centre = centre < 0.0 ? 0.0 : centre > last ? last : centre;
    const int first = (int)centre;
    return {first, (float)(centre - first)};
}

__device__ __forceinline__ Column column_at(const ComposeParams& p, int x, int y, int c) {
    Column to = {0.0f, 0.0f, 0.0f, 0.0f, 255.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 1
    for (int i = -1; i < 2; i++) {
        const u64 row = within(y + i, p.small_height);
        const float colour = colour_of(p.painting[row * p.small_width + x], c);
        const float light = luma(p.scaled[row * p.scaled_width + x]);
        to.colours += colour;
        to.lights += light;
        to.products += __fmul_rn(light, colour);
        to.squares += __fmul_rn(light, light);
        to.least = fminf(to.least, colour);
        to.most = fmaxf(to.most, colour);
        if (i == 0) {
            to.colour = colour;
            to.light = light;
        }
    }
    return to;
}

// Rounded like a division, for numbers far from the limits of fp32.
__device__ __forceinline__ float reciprocal(float of) {
    float near;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(near) : "f"(of));
    return __fmaf_rn(near, __fmaf_rn(-of, near, 1.0f), near);
}

__device__ __forceinline__ float mean(float a, float b, float c) { return __fmul_rn(a + b + c, 1.0f / 9.0f); }

// The model of the pixel whose columns these are; the constants are those of media/upscale/models.rs.
__device__ __forceinline__ Model model_of(const Column& a, const Column& b, const Column& c) {
    constexpr float FLAT = 60.0f, LARGEST_GAIN = 2.5f, STROKES = 0.4f;
    const float light = mean(a.lights, b.lights, c.lights), colour = mean(a.colours, b.colours, c.colours);
    const float variance = mean(a.squares, b.squares, c.squares) - __fmul_rn(light, light);
    const float covariance = mean(a.products, b.products, c.products) - __fmul_rn(colour, light);
    const float gain = __fmul_rn(covariance, reciprocal(fmaxf(variance, 0.0f) + FLAT));
    return {b.colour + __fmul_rn(STROKES, b.colour - colour),
            b.light,
            fminf(fmaxf(gain, -LARGEST_GAIN), LARGEST_GAIN),
            fminf(fminf(a.least, b.least), c.least),
            fmaxf(fmaxf(a.most, b.most), c.most)};
}

__device__ __forceinline__ Model mixed(const Model& a, const Model& b, float share, bool nearest) {
    const float range_share = nearest ? (share < 0.5f ? 0.0f : 1.0f) : share;
    return {mix(a.colour, b.colour, share), mix(a.light, b.light, share), mix(a.gain, b.gain, share),
            mix(a.least, b.least, range_share), mix(a.most, b.most, range_share)};
}

// The colours of `source` (their distances from luma) at the luma of `painted`.
__device__ __forceinline__ u32 keep_colours(u32 source, u32 painted) {
    const float light = luma(source);
    float distance[3], lowest = 0.0f, highest = 0.0f;
#pragma unroll
    for (int c = 0; c < 3; c++) {
        distance[c] = colour_of(source, c) - light;
        lowest = fminf(lowest, distance[c]);
        highest = fmaxf(highest, distance[c]);
    }
    const float luma_kept = fminf(fmaxf(luma(painted), -lowest), 255.0f - highest);
    u32 to = 0;
#pragma unroll
    for (int c = 0; c < 3; c++) {
        // Rounded half away from zero: half of the number below 1 rounds like the CPU.
        to |= (u32)fminf(fmaxf(luma_kept + distance[c], 0.0f) + 0.49999997f, 255.0f) << (8 * c);
    }
    return to;
}

extern "C" __global__ void __launch_bounds__(TILE_WIDTH * TILE_HEIGHT) compose(ComposeParams p) {
    __shared__ Between places[TILE_WIDTH + TILE_HEIGHT];
    const int thread = threadIdx.x, left = blockIdx.x * TILE_WIDTH, top = blockIdx.y * TILE_HEIGHT;
    if (thread < TILE_WIDTH + TILE_HEIGHT) {
        const bool is_row = thread >= TILE_WIDTH;
        const int at = is_row ? top + thread - TILE_WIDTH : left + thread;
        places[thread] = between(at, is_row ? p.down : p.across, is_row ? p.small_height : p.small_width);
    }
    __syncthreads();
    const int x = thread % TILE_WIDTH, y = thread / TILE_WIDTH;
    if (left + x >= p.width || top + y >= p.height) return;
    const Between column = places[x], row = places[TILE_WIDTH + y];
    u32& pixel = p.picture[(u64)(top + y) * p.width + left + x];
    const u32 source = pixel;

    u32 painted = 0;
    // Not unrolled: that would be many times the code.
#pragma unroll 1
    for (int c = 0; c < 3; c++) {
        Model upper = {}, lower = {};
#pragma unroll 1
        for (int j = 0; j < 2; j++) {
            Column left_of = {}, middle = {}, right_of = {};
            Model previous = {}, current = {};
#pragma unroll 1
            for (int i = -1; i < 3; i++) {
                left_of = middle;
                middle = right_of;
                right_of = column_at(p, within(column.first + i, p.small_width), row.first + j, c);
                previous = current;
                current = model_of(left_of, middle, right_of);
            }
            upper = lower;
            lower = mixed(previous, current, column.share, p.nearest);
        }
        const Model model = mixed(upper, lower, row.share, p.nearest);
        const float colour = model.colour + __fmul_rn(model.gain, luma(source) - model.light);
        const float kept = fminf(fmaxf(colour, model.least), model.most);
        // The sum contains the level, rounded, in its last bits.
        painted |= (__float_as_uint(kept + 12582912.0f) & 255) << (8 * c);
    }
    if (p.keep_colours) painted = keep_colours(source, painted);
    u32 to = source & 0xff000000u;
#pragma unroll 1
    for (int shift = 0; shift < 24; shift += 8) {
        const u32 blend = (source >> shift & 255) * (100 - p.strength) + (painted >> shift & 255) * p.strength;
        to |= (blend + 50) / 100 << shift;
    }
    pixel = to;
}
