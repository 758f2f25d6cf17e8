// Converts a tile of halves in rows of pixels (gather.cuh) to bytes, in place: the first 16 of a pixel's 32 bytes become its bytes.
#pragma once
#include "bytes.cuh"
#include "gather.cuh"

namespace sf {

// THREADS threads; the caller synchronises the threads that wrote the tile before, and all threads after.
template <int THREADS> __device__ __forceinline__ void bytes_of_rows(const ConvParams& p, char* tile, const ByteFactor& bytes) {
    const int cells = p.chunk_channels / 16, cell = threadIdx.x % cells, apart = THREADS / cells, first = threadIdx.x / cells;
    // Threads that would start in the range of another thread have none.
    const int total = first < apart ? p.tile_rows * p.tile_columns : 0;
    const auto at = [&](int pixel) { return reinterpret_cast<uint4*>(tile + pixel * p.pitch + cell * 32); };
#pragma unroll 4
    for (int pixel = first; pixel < total; pixel += apart) {
        const uint4 a = at(pixel)[0], b = at(pixel)[1];
        *at(pixel) = make_uint4(bytes.four(a.x, a.y), bytes.four(a.z, a.w), bytes.four(b.x, b.y), bytes.four(b.z, b.w));
    }
}

}  // namespace sf
