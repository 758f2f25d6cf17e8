// Types and elements: the layout of values in memory, and how they are widened and rounded.
//
// Maps are channels-last, element (n, y, x, c) at ((n * height + y) * width + x) * channels + c,
// with `channels` padded to a multiple of 16 and zeros in the padding. Arithmetic is in fp32; a
// storage type only defines how a value is stored. All vector accesses are 16 bytes and aligned.
//
// Only files of this folder are included: the run-time compiler has no system headers.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

namespace sf {

// Computations with the value stay after this point: hoisted out of a loop they would only take registers.
__device__ __forceinline__ void stay(int& value) { asm volatile("" : "+r"(value)); }
__device__ __forceinline__ void stay(float& value) { asm volatile("" : "+f"(value)); }
// threadIdx.x, read when it is needed: keeping it and values computed from it would take registers.
__device__ __forceinline__ int thread_number() {
    int number;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(number));
    return number;
}

// One of two types.
template <bool FIRST, class A, class B> struct Either { typedef A Type; };
template <class A, class B> struct Either<false, A, B> { typedef B Type; };

// Storage types. `half_t` and `bfloat_t` are bit patterns; conversions are inline PTX, so that no
// vendor header is needed.
struct half_t { u16 bits; };
struct bfloat_t { u16 bits; };

__device__ __forceinline__ float widen(float v) { return v; }
__device__ __forceinline__ float widen(half_t v) {
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v.bits));
    return f;
}
__device__ __forceinline__ float widen(bfloat_t v) { return __int_as_float((int)((u32)v.bits << 16)); }

// Rounds to nearest, ties to even.
template <class T> __device__ __forceinline__ T narrow(float v);
template <> __device__ __forceinline__ float narrow<float>(float v) { return v; }
template <> __device__ __forceinline__ half_t narrow<half_t>(float v) {
    half_t h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(v));
    return h;
}
template <> __device__ __forceinline__ bfloat_t narrow<bfloat_t>(float v) {
    bfloat_t b;
    // From sm_80 on, like all its entries.
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(b.bits) : "f"(v));
    return b;
}

// Rounds two values to a word, the first one in the low half.
template <class T> __device__ __forceinline__ u32 narrow_pair(float low, float high) {
    return (u32)narrow<T>(low).bits | ((u32)narrow<T>(high).bits << 16);
}
#if __CUDA_ARCH__ >= 800
template <> __device__ __forceinline__ u32 narrow_pair<half_t>(float low, float high) {
    u32 pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
template <> __device__ __forceinline__ u32 narrow_pair<bfloat_t>(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
#endif

// The same, after a ReLU if RELU is set.
template <class T, bool RELU> __device__ __forceinline__ u32 narrow_pair_relu(float low, float high) {
    return RELU ? narrow_pair<T>(fmaxf(low, 0.0f), fmaxf(high, 0.0f)) : narrow_pair<T>(low, high);
}
#if __CUDA_ARCH__ >= 800
template <> __device__ __forceinline__ u32 narrow_pair_relu<half_t, true>(float low, float high) {
    u32 pair;
    asm("cvt.rn.relu.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
template <> __device__ __forceinline__ u32 narrow_pair_relu<bfloat_t, true>(float low, float high) {
    u32 pair;
    asm("cvt.rn.relu.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
#endif

// The values of such a word.
template <class T> __device__ __forceinline__ void widen_pair(u32 pair, float& low, float& high) {
    T l, h;
    l.bits = (u16)pair;
    h.bits = (u16)(pair >> 16);
    low = widen(l);
    high = widen(h);
}

// 16 bytes of a map: 8 two-byte or 4 four-byte values.
template <class T> struct Pack {
    static constexpr int COUNT = 16 / (int)sizeof(T);
};

// The values of a pack in registers.
template <class T> __device__ __forceinline__ void widen_pack(const uint4& raw, float (&v)[Pack<T>::COUNT]) {
    union { uint4 whole; T e[Pack<T>::COUNT]; } u;
    u.whole = raw;
#pragma unroll
    for (int i = 0; i < Pack<T>::COUNT; ++i) v[i] = widen(u.e[i]);
}

// Reads 16 aligned bytes as fp32 values.
template <class T> __device__ __forceinline__ void load_pack(const T* from, float (&v)[Pack<T>::COUNT]) {
    widen_pack<T>(*reinterpret_cast<const uint4*>(from), v);
}

// Rounds the values of a pack.
template <class T> __device__ __forceinline__ uint4 narrow_pack(const float (&v)[Pack<T>::COUNT]) {
    if constexpr (sizeof(T) == 2) {
        return make_uint4(narrow_pair<T>(v[0], v[1]), narrow_pair<T>(v[2], v[3]), narrow_pair<T>(v[4], v[5]),
                          narrow_pair<T>(v[6], v[7]));
    } else {
        union { uint4 whole; T e[4]; } u;
#pragma unroll
        for (int i = 0; i < 4; ++i) u.e[i] = narrow<T>(v[i]);
        return u.whole;
    }
}

// Rounds and writes 16 aligned bytes.
template <class T> __device__ __forceinline__ void store_pack(T* to, const float (&v)[Pack<T>::COUNT]) {
    *reinterpret_cast<uint4*>(to) = narrow_pack<T>(v);
}

// Index of a position at most `side - 1` beyond either end, mirrored without repeating the end.
__device__ __forceinline__ int reflected(int p, int side) {
    p = p < 0 ? -p : p;
    return p >= side ? 2 * side - 2 - p : p;
}

// A level of the picture: clamped to 0..255, rounded to nearest (half away from zero).
__device__ __forceinline__ u32 level(float v) {
    // NaN becomes 0, so that a check sees a wrong level instead of an undefined one.
    return (u32)(int)floorf(fminf(fmaxf(v, 0.0f), 255.0f) + 0.5f);
}

}  // namespace sf
