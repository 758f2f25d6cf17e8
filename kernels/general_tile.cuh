// Tiles of products in registers, for the kernels of general graphs: rows of pixels times rows of channels.
//
// A warp multiplies some pixels with some channels, both as rows in shared memory: ROW_BYTES of the summed dimension, and
// ROW_PITCH bytes from row to row, so that neighbouring rows are in different banks.
#pragma once
#include "core_mma.cuh"

namespace sf {

constexpr int ROW_BYTES = 64, ROW_PITCH = 80;

// In fp32: a thread has every fourth pixel and every eighth channel of its warp's part.
template <int WARP_PIXELS, int WARP_CHANNELS> struct FmaTile {
    static constexpr int ROWS = WARP_PIXELS / 4, COLUMNS = WARP_CHANNELS / 8;
    float acc[ROWS][COLUMNS];

    __device__ __forceinline__ static int row(int i) { return (int)threadIdx.x % 32 / 8 + 4 * i; }
    __device__ __forceinline__ static int column(int j) { return (int)threadIdx.x % 8 + 8 * j; }

    // The first `bytes` of each row exist; the rest is zero.
    __device__ __forceinline__ void multiply(const char* pixels, const char* channels, int bytes) {
        // Not unrolled further: registers would spill.
#pragma unroll 1
        for (int k = 0; k < bytes; k += 16) {
            float4 b[COLUMNS];
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) b[j] = *reinterpret_cast<const float4*>(channels + column(j) * ROW_PITCH + k);
#pragma unroll
            for (int i = 0; i < ROWS; ++i) {
                float4 a = *reinterpret_cast<const float4*>(pixels + row(i) * ROW_PITCH + k);
#pragma unroll
                for (int j = 0; j < COLUMNS; ++j) {
                    acc[i][j] = fmaf(a.x, b[j].x, acc[i][j]);
                    acc[i][j] = fmaf(a.y, b[j].y, acc[i][j]);
                    acc[i][j] = fmaf(a.z, b[j].z, acc[i][j]);
                    acc[i][j] = fmaf(a.w, b[j].w, acc[i][j]);
                }
            }
        }
    }
};

// On tensor cores, values of 16 bits: fragments of 16 pixels x 8 channels.
template <class T, int WARP_PIXELS, int WARP_CHANNELS> struct MmaTile {
    static constexpr int DOWN = WARP_PIXELS / 16, ACROSS = WARP_CHANNELS / 8;
    static constexpr int ROWS = 2 * DOWN, COLUMNS = 2 * ACROSS;
    float acc[ROWS][COLUMNS];

    __device__ __forceinline__ static int lane() { return (int)threadIdx.x % 32; }
    __device__ __forceinline__ static int row(int i) { return i / 2 * 16 + i % 2 * 8 + lane() / 4; }
    // Neighbours have neighbouring addresses.
    __device__ __forceinline__ static int column(int j) { return j / 2 * 8 + lane() % 4 * 2 + j % 2; }

    __device__ __forceinline__ void multiply(const char* pixels, const char* channels, int bytes) {
        auto word = [](const char* at) { return *reinterpret_cast<const u32*>(at); };
#pragma unroll
        for (int k = 0; k < ROW_BYTES; k += 32) {
            if (k >= bytes) break;
            u32 b[ACROSS][2];
#pragma unroll
            for (int j = 0; j < ACROSS; ++j) {
                const char* at = channels + (8 * j + lane() / 4) * ROW_PITCH + k + lane() % 4 * 4;
                b[j][0] = word(at);
                b[j][1] = word(at + 16);
            }
#pragma unroll
            for (int i = 0; i < DOWN; ++i) {
                const char* at = pixels + (16 * i + lane() / 4) * ROW_PITCH + k + lane() % 4 * 4;
                u32 a[4] = {word(at), word(at + 8 * ROW_PITCH), word(at + 16), word(at + 8 * ROW_PITCH + 16)};
#pragma unroll
                for (int j = 0; j < ACROSS; ++j) {
                    float c[4] = {acc[2 * i][2 * j], acc[2 * i][2 * j + 1], acc[2 * i + 1][2 * j], acc[2 * i + 1][2 * j + 1]};
                    MultiplyStep<T>::run(c, a, b[j][0], b[j][1]);
                    acc[2 * i][2 * j] = c[0];
                    acc[2 * i][2 * j + 1] = c[1];
                    acc[2 * i + 1][2 * j] = c[2];
                    acc[2 * i + 1][2 * j + 1] = c[3];
                }
            }
        }
    }
};

template <class T, int WARP_PIXELS, int WARP_CHANNELS> struct TileOf { typedef MmaTile<T, WARP_PIXELS, WARP_CHANNELS> Type; };
template <int WARP_PIXELS, int WARP_CHANNELS> struct TileOf<float, WARP_PIXELS, WARP_CHANNELS> {
    typedef FmaTile<WARP_PIXELS, WARP_CHANNELS> Type;
};

}  // namespace sf
