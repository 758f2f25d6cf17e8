// One-byte operands. A tile's values, rounded to halves, become integers by one factor for the whole tile: the largest
// value, or the largest magnitude if there are negative ones, becomes 255, or 127. So each CTA finds its factor and no
// calibration image is needed. Values that are never negative are shifted down by 128; the sums compensate for it.
// Weights are integers with a scale for each output channel (`crates/network/src/quantisation.rs`). Sums are exact in 32 bits; a sum is
// multiplied by the scale of its channel and that of the tile.
#pragma once
#include "conv_params.cuh"

namespace sf {

struct byte_t { signed char value; };

// The accumulator type of products of operands.
template <class O> struct SumOf { typedef float Type; };
template <> struct SumOf<byte_t> { typedef int Type; };

// How a tile's halves are converted to bytes.
struct ByteFactor {
    u32 inverse;  // as a pair of halves
    u32 shift;    // the pair of numbers that is added
    float step;   // the value of one step of a byte

    // `largest`: bits of the tile's largest magnitude, a half.
    __device__ __forceinline__ ByteFactor(u32 largest, bool is_positive) {
        half_t half;
        half.bits = (u16)largest;
        // Rounded down, so that the largest byte is not exceeded; the largest half if all values are near zero.
        const float ideal = fminf(__fdividef(is_positive ? 255.0f : 127.0f, widen(half)), 65504.0f);
        asm("cvt.rz.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(ideal));
        inverse = (u32)half.bits | (u32)half.bits << 16;
        step = __fdividef(1.0f, widen(half));
        // Halves from 1024 to 2048 are integers; their lower byte is that of the integer.
        shift = is_positive ? 0x65806580u : 0x66006600u;
    }

    // The bytes of four halves.
    __device__ __forceinline__ u32 four(u32 low, u32 high) const {
        asm("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(low) : "r"(inverse), "r"(shift));
        asm("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(high) : "r"(inverse), "r"(shift));
        return __byte_perm(low, high, 0x6420);
    }
};

// For each of the CTA's channels, in shared memory, while a tile is multiplied.
struct ByteMemory {
    float scale[128];  // the factor of a sum
    int offset[128];   // what is added to it first
};

// The shift of bytes whose values are never negative.
constexpr int MOVED = 128;

// Location of both: in the memory for merges between layers (`reduce` of statistics.cuh), whose last row and
// last columns of the other rows the merges do not use. `place`: which of two tiles.
template <class Statistics> __device__ __forceinline__ ByteMemory& byte_memory(Statistics& statistics) {
    static_assert(sizeof(ByteMemory) <= sizeof(statistics.reduce[2]), "has room");
    return *reinterpret_cast<ByteMemory*>(statistics.reduce[2]);
}
// Maximum number of warps that write a tile's halves.
constexpr int MOST_PUBLISHERS = 16;
template <class Statistics> __device__ __forceinline__ u32* published_largest(Statistics& statistics, int place) {
    static_assert(4 * (128 + 2 * MOST_PUBLISHERS) <= sizeof(statistics.reduce[0]), "has room");
    return reinterpret_cast<u32*>(statistics.reduce[0] + 128) + place * MOST_PUBLISHERS;
}

// The largest magnitudes so far of the even and of the odd halves.
__device__ __forceinline__ void take_largest(u32& largest, const uint4& halves) {
    // Positive halves compare like their bits.
    largest = __vmaxu2(largest, halves.x & 0x7fff7fffu);
    largest = __vmaxu2(largest, halves.y & 0x7fff7fffu);
    largest = __vmaxu2(largest, halves.z & 0x7fff7fffu);
    largest = __vmaxu2(largest, halves.w & 0x7fff7fffu);
}

// The data after the weights of CHANNELS channels: the scale of each channel's sums, and the sum of its
// weights.
template <int CHANNELS> struct SumFactors {
    float scale[CHANNELS];
    int weights[CHANNELS];
};

// Publishes the largest magnitude of a warp's threads. All of its threads call it; readers synchronise before reading.
__device__ __forceinline__ void publish_largest(u32* published, u32 largest) {
    largest = max(largest & 0xffffu, largest >> 16);
    asm volatile("redux.sync.max.u32 %0, %0, 0xffffffff;" : "+r"(largest));
    if (thread_number() % 32 == 0) *published = largest;
}
// The largest magnitude that COUNT warps published.
template <int COUNT> __device__ __forceinline__ u32 largest_of(const u32* published) {
    u32 largest = 0;
#pragma unroll
    for (int w = 0; w < COUNT; ++w) largest = max(largest, published[w]);
    return largest;
}

// The factors of this thread's channel, if it has one: in flight from memory while bytes are made.
template <int CHANNELS> struct ChannelFactor {
    float scale = 0.0f;
    int offset = 0;

    __device__ __forceinline__ ChannelFactor(const SumFactors<CHANNELS>& factors, bool is_positive) {
        if (threadIdx.x >= CHANNELS) return;
        scale = factors.scale[threadIdx.x];
        if (is_positive) offset = factors.weights[threadIdx.x] * MOVED;
    }
    // No thread may be reading the old value; readers synchronise before reading.
    __device__ __forceinline__ void publish(ByteMemory& memory, const ByteFactor& bytes) const {
        if (threadIdx.x >= CHANNELS) return;
        memory.scale[threadIdx.x] = scale * bytes.step;
        memory.offset[threadIdx.x] = offset;
    }
};

// The values of a thread's sums, corrected for the shift of the bytes.
template <class Sums, class Core> __device__ __forceinline__ void scale_sums(Sums& sums, Core& core, const ByteMemory& memory) {
#pragma unroll
    for (int c = 0; c < Core::COLUMNS; c += 2) {
        const float2 scale = *reinterpret_cast<const float2*>(memory.scale + Core::column(c));
        const int2 offset = *reinterpret_cast<const int2*>(memory.offset + Core::column(c));
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            core.value(r, c) = (float)(sums.value(r, c) + offset.x) * scale.x;
            core.value(r, c + 1) = (float)(sums.value(r, c + 1) + offset.y) * scale.y;
        }
    }
}

}  // namespace sf
