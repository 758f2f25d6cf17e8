// Operands of one byte. A tile's values, rounded to halves, become whole numbers by one factor for the whole tile: the
// largest of them, or the largest magnitude where there are negative ones, becomes 255, or 127. So a CTA finds it
// by itself, and no picture need be known beforehand. What is never negative is moved down by 128, which is taken back
// in the sums. Weights are whole numbers with a scale for each output channel (`src/quantisation.rs`); sums are exact in
// 32 bits, and a sum is worth the scale of its channel times that of the tile.
#pragma once
#include "conv_params.cuh"

namespace sf {

struct byte_t { signed char value; };

// What sums of products of operands are kept in.
template <class O> struct SumOf { typedef float Type; };
template <> struct SumOf<byte_t> { typedef int Type; };

// How a tile's halves become bytes.
struct ByteFactor {
    u32 inverse;  // as a pair of halves
    u32 shift;    // the pair of numbers that is added
    float step;   // what a byte of one is worth

    // `largest`: bits of the tile's largest magnitude, a half.
    __device__ __forceinline__ ByteFactor(u32 largest, bool is_positive) {
        half_t half;
        half.bits = (u16)largest;
        // Rounded down, so that the largest byte is not exceeded; the largest half where hardly anything is there.
        const float ideal = fminf(__fdividef(is_positive ? 255.0f : 127.0f, widen(half)), 65504.0f);
        asm("cvt.rz.f16.f32 %0, %1;" : "=h"(half.bits) : "f"(ideal));
        inverse = (u32)half.bits | (u32)half.bits << 16;
        step = __fdividef(1.0f, widen(half));
        // Halves from 1024 to 2048 are whole numbers, whose lower byte is that of the number.
        shift = is_positive ? 0x65806580u : 0x66006600u;
    }

    // The bytes of four halves.
    __device__ __forceinline__ u32 four(u32 low, u32 high) const {
        asm("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(low) : "r"(inverse), "r"(shift));
        asm("fma.rn.f16x2 %0, %0, %1, %2;" : "+r"(high) : "r"(inverse), "r"(shift));
        return __byte_perm(low, high, 0x6420);
    }
};

// What the threads that make a tile's bytes tell each other, in shared memory.
struct ByteMemory {
    u32 largest[8];            // each warp's largest half
    alignas(16) float scale[128];  // what a sum of each of the CTA's channels is worth
};

// How far down the bytes of what is never negative are moved.
constexpr int MOVED = 128;

// The largest magnitudes so far, of the even and of the odd ones of some halves.
__device__ __forceinline__ void take_largest(u32& largest, const uint4& halves) {
    // Halves above zero are in the order of their bits.
    largest = __vmaxu2(largest, halves.x & 0x7fff7fffu);
    largest = __vmaxu2(largest, halves.y & 0x7fff7fffu);
    largest = __vmaxu2(largest, halves.z & 0x7fff7fffu);
    largest = __vmaxu2(largest, halves.w & 0x7fff7fffu);
}

// What lies behind the weights of CHANNELS channels: what a sum of each is worth beside what a byte is, and the sum of its
// weights.
template <int CHANNELS> struct SumFactors {
    float scale[CHANNELS];
    int weights[CHANNELS];
};

// How the halves of 256 threads become bytes, of which each has found its `largest`; what sums are worth is left in memory, which
// nobody may be reading. All threads call it and synchronise behind it; `meet` is their barrier.
template <int CHANNELS, class Meet>
__device__ __forceinline__ ByteFactor common_factor(u32 largest, bool is_positive, const SumFactors<CHANNELS>& factors, ByteMemory& memory, Meet meet) {
    largest = max(largest & 0xffffu, largest >> 16);
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) largest = max(largest, __shfl_xor_sync(0xffffffffu, largest, mask));
    if (threadIdx.x % 32 == 0) memory.largest[threadIdx.x / 32] = largest;
    meet();
#pragma unroll
    for (int w = 0; w < 8; ++w) largest = max(largest, memory.largest[w]);
    const ByteFactor factor(largest, is_positive);
    if (threadIdx.x < CHANNELS) memory.scale[threadIdx.x] = factors.scale[threadIdx.x] * factor.step;
    return factor;
}

// Begins a thread's sums with what was taken off the bytes.
template <class Sums, int CHANNELS>
__device__ __forceinline__ void begin_sums(Sums& sums, const SumFactors<CHANNELS>& factors, bool is_positive) {
#pragma unroll
    for (int c = 0; c < Sums::COLUMNS; c += 2) {
        const int2 two = *reinterpret_cast<const int2*>(factors.weights + Sums::column(c));
#pragma unroll
        for (int r = 0; r < Sums::ROWS; ++r) {
            sums.value(r, c) = is_positive ? two.x * MOVED : 0;
            sums.value(r, c + 1) = is_positive ? two.y * MOVED : 0;
        }
    }
}

// The values of a thread's sums.
template <class Sums, class Core> __device__ __forceinline__ void scale_sums(Sums& sums, Core& core, const ByteMemory& memory) {
#pragma unroll
    for (int c = 0; c < Core::COLUMNS; c += 2) {
        const float2 two = *reinterpret_cast<const float2*>(memory.scale + Core::column(c));
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            core.value(r, c) = (float)sums.value(r, c) * two.x;
            core.value(r, c + 1) = (float)sums.value(r, c + 1) * two.y;
        }
    }
}

}  // namespace sf
