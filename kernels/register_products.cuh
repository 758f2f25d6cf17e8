// Products of a warpgroup with the first operand in registers.
#pragma once
#include "hopper.cuh"

namespace sf {

// Set in the upper half of an operand's descriptor: rows of 128 bytes whose 16-byte pieces are swizzled, piece p of
// row r at p ^ r % 8. Then `down` is the distance of 8 rows, and `across` of 128 bytes along N if N is contiguous in the rows.
constexpr u32 SWIZZLE_128 = 1u << 30;

// acc = a * b, plus acc if `adds`, over 16 values of the depth: a is 64 rows in the fragments of m16n8k16, a warp 16 rows;
// b is N columns in shared memory, with the depth in its rows (TRANSPOSED 0) or its columns together (1).
template <class O, int N, int TRANSPOSED> struct RegisterProduct;

#define SF_REGISTER_PRODUCT(O, TYPES, N, VALUES, TRANSPOSED, LIST, A, B, ADDS, ...)                                      \
    template <> struct RegisterProduct<O, N, TRANSPOSED> {                                                              \
        static __device__ __forceinline__ void run(float(&d)[VALUES], const u32(&a)[4], u32 b, u32 b_high, bool adds) { \
            asm volatile("{\n.reg .pred adds;\n.reg .b64 b;\nsetp.ne.u32 adds, " ADDS ", 0;\n"                         \
                         "mov.b64 b, {" B "};\n"                                                                        \
                         "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPES " {" LIST "}, {" A "}, b, adds, 1, 1, " #TRANSPOSED \
                         ";\n}"                                                                                         \
                         : __VA_ARGS__                                                                                  \
                         : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b), "r"(b_high), "r"((u32)adds));           \
        }                                                                                                               \
    };

#define SF_REGISTER_PRODUCTS(O, TYPES, TRANSPOSED)                                                                       \
    SF_REGISTER_PRODUCT(O, TYPES, 32, 16, TRANSPOSED, SF_LIST16, "%16,%17,%18,%19", "%20,%21", "%22", SF_F16(0))         \
    SF_REGISTER_PRODUCT(O, TYPES, 64, 32, TRANSPOSED, SF_LIST32, "%32,%33,%34,%35", "%36,%37", "%38", SF_F32(0))         \
    SF_REGISTER_PRODUCT(O, TYPES, 128, 64, TRANSPOSED, SF_LIST64, "%64,%65,%66,%67", "%68,%69", "%70", SF_F32(0), SF_F32(32))

SF_REGISTER_PRODUCTS(half_t, "f16.f16", 0)
SF_REGISTER_PRODUCTS(half_t, "f16.f16", 1)
SF_REGISTER_PRODUCTS(bfloat_t, "bf16.bf16", 0)
SF_REGISTER_PRODUCTS(bfloat_t, "bf16.bf16", 1)

}  // namespace sf
