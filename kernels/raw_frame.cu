// A camera's frame as it came, to the photo that a network reads: decoded, turned upright, and extended by reflection, as
// src/raw_frame.rs and src/frame.rs do on the processor.
//
// Computes, for the pixel at (x, y) of `photo`: its place (u, v) in the upright frame, reflected at the far sides; from there
// its place in the raw one, first + u * across + v * down; its brightness Y and colours U and V, or its RGB; and
// R = (a (Y - black) + b V' + 2^12) >> 13, G and B likewise, with U' = U - 128 and V' = V - 128, within 0 and 255.
//
// Entry: raw_frame.
//
// Layouts: `raw` without bytes between rows: yuyv (Y U Y V for two columns), nv12 (a plane of Y, then rows of U V, one for
// two rows), rgb, bgr, grey. `photo` (extended_height, extended_width) in RGBA8, red in the lowest byte, 4-byte alignment.
//
// Launch: a thread a pixel, block 256 (32 x 8 pixels), grid (ceil(extended_width / 32), ceil(extended_height / 8)), no shared
// memory. Any sizes of at least 1.
//
// Work: a pixel reads 1 to 3 bytes and writes 4: at 1920x1080 in yuyv 12.4 MB, 20 operations a pixel.
// Roofline: bandwidth. Measured: NOT MEASURED.
//
// Numerics: whole numbers; the bytes are the processor's.
//
// Barriers: none.
#include "element.cuh"

using namespace sf;

struct RawFrameParams {
    u32* photo;
    const void* raw;
    int format;  // 0 yuyv, 1 nv12, 2 rgb, 3 bgr, 4 grey
    int row_bytes;
    int rows;    // of the raw frame; nv12's colours follow them
    int width;   // of the upright frame
    int height;
    int extended_width;
    int extended_height;
    int first[2];
    int across[2];
    int down[2];
    int black;
    int brightness;
    int red_of_v;
    int green_of_u;
    int green_of_v;
    int blue_of_u;
};
static_assert(sizeof(RawFrameParams) == 96, "mirrored in params");

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
