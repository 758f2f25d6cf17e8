// Converts a camera's frame to the photo that a network reads: decodes it, turns it upright, scales it to the network's size, and
// extends it by reflection, as crates/values/src/raw_frame.rs, crates/media/src/resample.rs and crates/values/src/frame.rs do on the CPU.
//
// raw_frame computes, for the pixel at (x, y) of `photo`: its position (u, v) in the upright frame, reflected at the far sides;
// its position in the raw frame, first + u * across + v * down; its brightness Y and colours U and V, or its RGB; and
// R = (a (Y - black) + b V' + 2^12) >> 13, G and B likewise, with U' = U - 128 and V' = V - 128, clamped to 0 and 255.
// shrink computes the mean of the area of `from` that a pixel covers, or of some positions of it, evenly spread, if the area
// is large: sums of values times weights of its columns and of its rows, which sum to 4096 in each direction.
//
// Entries: raw_frame, shrink.
// Layouts: `raw` without bytes between rows: yuyv (Y U Y V for two columns), nv12 (a plane of Y, then rows of U V, one for
// two rows), rgb, bgr, grey. `photo` (extended_height, extended_width) and `from` in RGBA8, red in the lowest byte, 4-byte
// alignment.
//
// Launch: a thread per pixel, block 256 (32 x 8 pixels), grid (ceil(extended_width / 32), ceil(extended_height / 8)), no dynamic
// shared memory. Any sizes of at least 1.
//
// Work: raw_frame reads 1 to 3 bytes per pixel and writes 4: at 1920x1080 in yuyv 12.4 MB, 20 operations per pixel. shrink reads
// 4 bytes of each pixel that counts and writes 4; 40 threads compute the weights of a CTA's columns and rows.
// Roofline: memory.
// Measured: NVIDIA H200, driver 580.159, 2026-11-25, a ring of 8 frames, medians of 40, the host's clock: from a frame in yuyv,
// nv12 or rgb in memory to its painting and the decoded frame in memory, 0.7, 1.3 and 4.1 ms more than the network takes at
// 1280x720, 1920x1080 and 3840x2160. The share of the kernels was not measured separately.
//
// Numerics: raw_frame and the weights of shrink in integers; its sums in fp32, each operation rounded separately and in the
// CPU's order: both return the CPU's bytes.
//
// Barriers: one in shrink; after it the weights of the block's columns and rows are in shared memory.
#include "element.cuh"

using namespace sf;

// Of `raw_frame`.
struct RawFrameParams {
    u32* photo;  // RGBA8 (extended_height, extended_width)
    const void* raw;  // the raw frame, without bytes between rows
    int format;  // 0 yuyv, 1 nv12, 2 rgb, 3 bgr, 4 grey
    int row_bytes;  // bytes of a row of the first plane
    int rows;  // of the raw frame; nv12's colours follow them
    int width;  // of the upright frame
    int height;  // height of the upright frame in pixels
    int extended_width;  // width of the photo in pixels
    int extended_height;  // height of the photo in pixels
    int first[2];  // column and row of the upright frame's first pixel in the raw one
    int across[2];  // columns and rows from a pixel to its right neighbour
    int down[2];  // columns and rows from a pixel to the one below it
    int black;  // level of black
    int brightness;  // coefficient of brightness, with 13 fraction bits, like the others
    int red_of_v;  // of V in red
    int green_of_u;  // of U in green
    int green_of_v;  // of V in green
    int blue_of_u;  // of U in blue
};
static_assert(sizeof(RawFrameParams) == 96, "as params.rs lays it out");

// Of `shrink`.
struct ShrinkParams {
    u32* photo;  // RGBA8 (extended_height, extended_width)
    const u32* from;  // RGBA8 (from_height, from_width)
    int from_width;  // width of `from` in pixels
    int from_height;  // height of `from` in pixels
    int width;  // width after resizing, in pixels
    int height;  // height after resizing, in pixels
    int extended_width;  // width of the photo in pixels
    int extended_height;  // height of the photo in pixels
};
static_assert(sizeof(ShrinkParams) == 40, "as params.rs lays it out");

enum { TILE_WIDTH = 32, TILE_HEIGHT = 8 };
enum { YUYV, NV12, RGB, BGR };

__device__ __forceinline__ int folded(int at, int side) {
    if (at < side) return at;
    if (side == 1) return 0;
    const int period = 2 * (side - 1), within = at % period;
    return within < side ? within : period - within;
}

__device__ __forceinline__ u32 level_of(int sum) { return min(max(sum >> 13, 0), 255); }

__device__ __forceinline__ u32 packed(u32 red, u32 green, u32 blue) {
    return red | green << 8 | blue << 16 | 0xff000000u;
}

extern "C" __global__ void __launch_bounds__(TILE_WIDTH * TILE_HEIGHT) raw_frame(RawFrameParams p) {
    const int x = blockIdx.x * TILE_WIDTH + threadIdx.x % TILE_WIDTH;
    const int y = blockIdx.y * TILE_HEIGHT + threadIdx.x / TILE_WIDTH;
    if (x >= p.extended_width || y >= p.extended_height) return;
    const int u = folded(x, p.width), v = folded(y, p.height);
    const int column = p.first[0] + u * p.across[0] + v * p.down[0];
    const int row = p.first[1] + u * p.across[1] + v * p.down[1];
    const unsigned char* raw = static_cast<const unsigned char*>(p.raw);
    const unsigned char* line = raw + (u64)row * p.row_bytes;
    u32& to = p.photo[(u64)y * p.extended_width + x];
    if (p.format == RGB || p.format == BGR) {
        const unsigned char* pixel = line + 3 * column;
        const int red = p.format == BGR ? 2 : 0;
        to = packed(pixel[red], pixel[1], pixel[2 - red]);
        return;
    }
    if (p.format != YUYV && p.format != NV12) {
        const u32 grey = line[column];
        to = packed(grey, grey, grey);
        return;
    }
    const int even = column & ~1;
    int bright, colour_u, colour_v;
    if (p.format == YUYV) {
        bright = line[2 * column];
        colour_u = line[2 * even + 1];
        colour_v = line[2 * even + 3];
    } else {
        const unsigned char* colours = raw + (u64)(p.rows + row / 2) * p.row_bytes + even;
        bright = line[column];
        colour_u = colours[0];
        colour_v = colours[1];
    }
    colour_u -= 128;
    colour_v -= 128;
    const int base = p.brightness * (bright - p.black) + (1 << 12);
    to = packed(level_of(base + p.red_of_v * colour_v),
                level_of(base + p.green_of_u * colour_u + p.green_of_v * colour_v),
                level_of(base + p.blue_of_u * colour_u));
}

// The positions that a pixel averages, in one direction.
struct Span {
    int first;
    int count;
    int stride;
    float weights[8];
};

// For the pixel at `at` when `from` positions become `to`, as Axis::set in crates/media/src/resample.rs: up to 7 positions are all
// read, of more every stride-th, at most 6. Lengths are in fractions of a position, 1 / `to` each.
__device__ __forceinline__ void set(Span& span, u32 at, u32 from, u32 to) {
    const u32 start = at * from, end = start + from;
    const u32 first = start / to, stride = max(from / to / 3, 1u);
    const u32 last = min((end + to - 1) / to, from), count = (last - first + stride - 1) / stride;
    span.first = first;
    span.count = count;
    span.stride = stride;
    u32 sum = 0;
    // Not unrolled: that would be many times the code.
#pragma unroll 1
    for (u32 i = 0; i < count; i++) {
        u32 weight = 4096 / count;
        if (stride == 1) {
            const u32 begin = (first + i) * to;
            const u32 covered = min(end, begin + to) - max(start, begin);
            weight = (2 * 4096 * covered + from) / (2 * from);
        }
        span.weights[i] = weight;
        sum += weight;
    }
    // One position gets the rounding remainder: the middle one if all are read.
    span.weights[stride == 1 ? count / 2 : 0] += (int)(4096 - sum);
}

extern "C" __global__ void __launch_bounds__(TILE_WIDTH * TILE_HEIGHT) shrink(ShrinkParams p) {
    __shared__ Span spans[TILE_WIDTH + TILE_HEIGHT];
    const int thread = threadIdx.x, left = blockIdx.x * TILE_WIDTH, top = blockIdx.y * TILE_HEIGHT;
    if (thread < TILE_WIDTH + TILE_HEIGHT) {
        const bool is_row = thread >= TILE_WIDTH;
        const int side = is_row ? p.height : p.width, from = is_row ? p.from_height : p.from_width;
        const int at = folded(is_row ? top + thread - TILE_WIDTH : left + thread, side);
        set(spans[thread], at, from, side);
    }
    __syncthreads();
    const int x = thread % TILE_WIDTH, y = thread / TILE_WIDTH;
    if (left + x >= p.extended_width || top + y >= p.extended_height) return;
    const Span &columns = spans[x], &rows = spans[TILE_WIDTH + y];
    float total[4] = {};
#pragma unroll 1
    for (int i = 0; i < columns.count; i++) {
        const u32* from = p.from + (u64)rows.first * p.from_width + columns.first + i * columns.stride;
        // Integers below 2^24: exact in any order.
        float sums[4] = {};
#pragma unroll 1
        for (int j = 0; j < rows.count; j++, from += (u64)rows.stride * p.from_width) {
            const u32 pixel = *from;
#pragma unroll
            for (int c = 0; c < 4; c++) sums[c] += (float)(pixel >> 8 * c & 255) * rows.weights[j];
        }
#pragma unroll
        for (int c = 0; c < 4; c++) total[c] = __fadd_rn(total[c], __fmul_rn(sums[c], columns.weights[i]));
    }
    u32 to = 0;
#pragma unroll
    for (int c = 0; c < 4; c++) to |= min((u32)__fadd_rn(total[c] * 0x1p-24f, 0.5f), 255u) << 8 * c;
    p.photo[(u64)(top + y) * p.extended_width + left + x] = to;
}
