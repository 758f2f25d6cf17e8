// A tile of halves in cell planes (listed.cuh) becomes one of bytes, in place: two planes of 8 channels become one of 16,
// which lies where the first of them lay. So the products' planes are twice as far apart.
#pragma once
#include "bytes.cuh"
#include "listed.cuh"

namespace sf {

// 256 threads, of which the caller has synchronised those that wrote the tile, and synchronises them behind it; each makes
// TOGETHER cells at a time. The first `pixels` of a plane are there.
template <int TOGETHER, int CHANNELS, class Meet>
__device__ __forceinline__ void bytes_of_planes(const ConvParams& p, u32 tile, int pixels, bool is_positive, const SumFactors<CHANNELS>& factors, ByteMemory& memory, Meet meet) {
    const int planes = p.chunk_channels / 16, apart = 2 * p.pitch;
    // Thread after thread takes the next pixel, plane after plane: neighbours lie side by side.
    const int thread = thread_number();
    const int first_plane = (u32)thread / (u32)pixels, first_pixel = thread - first_plane * pixels;
    const int over = 256u / (u32)pixels, beside = 256 - over * pixels;
    int plane = first_plane, pixel = first_pixel;
    const auto next = [&] {
        plane += over;
        pixel += beside;
        if (pixel >= pixels) {
            pixel -= pixels;
            ++plane;
        }
    };
    // Read twice: kept, they would take registers.
    u32 largest = 0;
#pragma unroll TOGETHER
    for (; plane < planes; next()) {
        const u32 at = tile + plane * apart + pixel * 16;
        take_largest(largest, load_shared(at));
        take_largest(largest, load_shared(at + p.pitch));
    }
    const ByteFactor bytes = common_factor(largest, is_positive, factors, memory, meet);
    plane = first_plane;
    pixel = first_pixel;
#pragma unroll TOGETHER
    for (; plane < planes; next()) {
        const u32 at = tile + plane * apart + pixel * 16;
        const uint4 a = load_shared(at), b = load_shared(at + p.pitch);
        store_shared(at, make_uint4(bytes.four(a.x, a.y), bytes.four(a.z, a.w), bytes.four(b.x, b.y), bytes.four(b.z, b.w)));
    }
}

}  // namespace sf
