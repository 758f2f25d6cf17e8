// Main loop in fp32 on the FMA units: every thread keeps 8 pixels of one row
// x TN channels in registers.
#pragma once
#include "gather.cuh"
#include "ring.cuh"

namespace sf {

// BM pixels (BW wide) x BN channels by 256 threads.
template <int BM, int BN, int BW> struct FmaCore {
    static constexpr int THREADS = 256;
    static constexpr int GATHER_DEPTH = 1, PLAIN_DEPTH = 1;  // pixels' loads in flight that leave enough registers
    static constexpr int PIXELS = 8;
    static constexpr int TN = BM * BN / THREADS / PIXELS;   // 8, 4 or 2
    static constexpr int TX = BN / TN;                      // threads along the channels
    static constexpr int VECTOR = TN < 4 ? TN : 4;
    static constexpr int ROWS = PIXELS, COLUMNS = TN;
    static constexpr int FIRST_LANE_MASK = TX;
    static constexpr int SLOTS = 8;                         // every warp has its own pixels
    static constexpr int SUMS_GAP = 1;                      // spreads the picture's sums over the banks
    static constexpr int STEP_CHANNELS = 4, BLOCK_CHANNELS = 8;
    static_assert(BW % PIXELS == 0 && TX * (BM / PIXELS) == THREADS && TX <= 32, "threads do not cover the tile");
    typedef WeightRing<THREADS, BLOCK_CHANNELS, BN * 4, BN * 4> Ring;
    typedef float Operand;

    float acc[PIXELS][TN];
    int from;

    __device__ __forceinline__ static int tx() { return threadIdx.x % TX; }
    __device__ __forceinline__ static int ty() { return threadIdx.x / TX; }
    __device__ __forceinline__ static int slot() { return threadIdx.x / 32; }
    __device__ __forceinline__ static int pixel(int row) { return ty() * PIXELS + row; }
    __device__ __forceinline__ static int column(int c) { return (c / VECTOR) * (TX * VECTOR) + tx() * VECTOR + c % VECTOR; }
    __device__ __forceinline__ float& value(int row, int c) { return acc[row][c]; }

    __device__ __forceinline__ static int steps(const ConvParams& p) {
        return p.taps_y * p.taps_x * (p.chunk_channels / STEP_CHANNELS);
    }
    __device__ __forceinline__ static int blocks(const ConvParams& p) { return (steps(p) + 1) / 2; }

    __device__ __forceinline__ void place(const ConvParams& p) {
        const int px = ty() * PIXELS;
        from = ((px / BW) * p.stride * p.tile_columns + (px % BW) * p.stride) * p.pitch;
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < PIXELS; ++i)
#pragma unroll
            for (int c = 0; c < TN; ++c) acc[i][c] = 0.0f;
    }

    __device__ __forceinline__ void run(const ConvParams& p, const char* tile, int offset, Ring& ring, u32& stage) {
        const int per_tap = p.chunk_channels / STEP_CHANNELS;
        const int total = steps(p);
        const int across = p.stride * p.pitch;
        int step = 0, in_tap = 0, tap_x = 0;
        for (int block = blocks(p); block > 0; --block) {
            wait_for_copies<STAGES - 2>();
            // As in the tensor core loop: orders the arrival of the block, the tile, and the reads of the next stage.
            __syncthreads();
            ring.request();
            const char* rows = ring.memory + stage + tx() * (VECTOR * 4);
            stage = Ring::next(stage);
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                float4 a[PIXELS];
#pragma unroll
                for (int i = 0; i < PIXELS; ++i) {
                    a[i] = *reinterpret_cast<const float4*>(tile + from + offset + i * across);
                }
#pragma unroll
                for (int k = 0; k < STEP_CHANNELS; ++k) {
                    float b[TN];
#pragma unroll
                    for (int v = 0; v < TN / VECTOR; ++v) {
                        const char* at = rows + (half * STEP_CHANNELS + k) * (BN * 4) + v * (TX * VECTOR * 4);
                        if constexpr (VECTOR == 4) {
                            const float4 w = *reinterpret_cast<const float4*>(at);
                            b[v * 4] = w.x; b[v * 4 + 1] = w.y; b[v * 4 + 2] = w.z; b[v * 4 + 3] = w.w;
                        } else {
                            const float2 w = *reinterpret_cast<const float2*>(at);
                            b[0] = w.x; b[1] = w.y;
                        }
                    }
#pragma unroll
                    for (int i = 0; i < PIXELS; ++i) {
                        const float x = k == 0 ? a[i].x : k == 1 ? a[i].y : k == 2 ? a[i].z : a[i].w;
#pragma unroll
                        for (int c = 0; c < TN; ++c) acc[i][c] = fmaf(x, b[c], acc[i][c]);
                    }
                }
                if (++step < total) {
                    offset += STEP_CHANNELS * 4;
                    if (++in_tap == per_tap) {
                        in_tap = 0;
                        offset += p.pitch - per_tap * STEP_CHANNELS * 4;
                        if (++tap_x == p.taps_x) {
                            tap_x = 0;
                            offset += (p.tile_columns - p.taps_x) * p.pitch;
                        }
                    }
                }
            }
        }
    }

    template <int COUNT, class S>
    __device__ __forceinline__ void store_row(int row, int first, S* to, int channels, u32, int) {
#pragma unroll
        for (int i = 0; i < COUNT; i += VECTOR) {
            const int c = first + i;
            if (to != nullptr && column(c) < channels) {
                if constexpr (VECTOR == 4) {
                    *reinterpret_cast<float4*>(to + column(c)) =
                        make_float4(acc[row][c], acc[row][c + 1], acc[row][c + 2], acc[row][c + 3]);
                } else {
                    *reinterpret_cast<float2*>(to + column(c)) = make_float2(acc[row][c], acc[row][c + 1]);
                }
            }
        }
    }
};

}  // namespace sf
