// Converts a tile of halves in cell planes (listed.cuh) to bytes, in place: two planes of 8 channels become one of 16,
// in the memory of the first. So the products' planes are twice as far apart.
#pragma once
#include "bytes.cuh"
#include "listed.cuh"

namespace sf {

// 256 threads; the caller synchronises the threads that wrote the tile before, and all threads after; each converts
// TOGETHER cells at a time. The first `pixels` of a plane exist.
template <int TOGETHER> __device__ __forceinline__ void bytes_of_planes(const ConvParams& p, u32 tile, int pixels, const ByteFactor& bytes) {
    const int planes = p.chunk_channels / 16, apart = 2 * p.pitch;
    // Consecutive threads have consecutive pixels, plane after plane, so that neighbours are adjacent.
    const int thread = thread_number();
    const int over = 256u / (u32)pixels, within = 256 - over * pixels;
    int plane = (u32)thread / (u32)pixels, pixel = thread - plane * pixels;
    const auto next = [&] {
        plane += over;
        pixel += within;
        if (pixel >= pixels) {
            pixel -= pixels;
            ++plane;
        }
    };
#pragma unroll TOGETHER
    for (; plane < planes; next()) {
        const u32 at = tile + plane * apart + pixel * 16;
        const uint4 a = load_shared(at), b = load_shared(at + p.pitch);
        store_shared(at, make_uint4(bytes.four(a.x, a.y), bytes.four(a.z, a.w), bytes.four(b.x, b.y), bytes.four(b.z, b.w)));
    }
}

}  // namespace sf
