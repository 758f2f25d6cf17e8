// Hopper's (sm_90a) own instructions, one function each: barriers in shared memory
// that count bytes, bulk copies, warpgroup products, and launches that begin early.
//
// Barriers and targets of copies are addresses in shared memory. Names and rules are those of the PTX ISA (mbarrier,
// cp.async.bulk, wgmma, griddepcontrol).
#pragma once
#include "bytes.cuh"
#include "gather.cuh"
#include "ring.cuh"

namespace sf {

__device__ __forceinline__ void init_barrier(u32 barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

// Makes the initialised barriers known to the copy engine.
__device__ __forceinline__ void publish_barriers() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

// Arrives and announces the number of bytes to come.
__device__ __forceinline__ void arrive_expecting(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                 : "memory");
}

// Counts the rounds of a loop that waits. Compiled with BOUNDED_WAITS, a wait that does not end within some seconds traps,
// instead of hanging the device.
struct Rounds {
#ifdef BOUNDED_WAITS
    u32 count = 0;
    __device__ __forceinline__ void next() {
        if (++count == 1u << 26) __trap();
    }
#else
    __device__ __forceinline__ void next() {}
#endif
};

// Waits until the phase of this parity is over.
__device__ __forceinline__ void wait_barrier(u32 barrier, u32 parity) {
#ifdef BOUNDED_WAITS
    u32 is_over;
    Rounds rounds;
    do {
        asm volatile(
            "{\n.reg .pred done;\n"
            "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
            "selp.u32 %0, 1, 0, done;\n}"
            : "=r"(is_over)
            : "r"(barrier), "r"(parity)
            : "memory");
        rounds.next();
    } while (is_over == 0);
#else
    asm volatile(
        "{\n.reg .pred done;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@done bra over;\n"
        "bra again;\n"
        "over:\n}" ::"r"(barrier),
        "r"(parity)
        : "memory");
#endif
}

// Copies `bytes` (a multiple of 16) and counts them in the barrier when they have arrived.
__device__ __forceinline__ void bulk_copy(u32 to, const char* from, u32 bytes, u32 barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
                 "l"(from), "r"(bytes), "r"(barrier)
                 : "memory");
}

// This thread's copies in flight (copy_16_or_zeros) count as one arrival when they are complete.
__device__ __forceinline__ void arrive_after_copies(u32 barrier) {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}

// A stage of a ring of STAGES in shared memory, and the parity of its barriers' phase.
template <int STAGES> struct RingPlace {
    int stage = 0;
    u32 parity = 0;
    __device__ __forceinline__ void next() {
        if (++stage == STAGES) {
            stage = 0;
            parity ^= 1u;
        }
    }
};

// For a cluster of CTAs: the rank of this one, a barrier of all (writes before it are visible after it), and
// an address in another CTA's shared memory.
__device__ __forceinline__ u32 cluster_rank() {
    u32 rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
__device__ __forceinline__ void meet_cluster() {
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// The same in two halves, between which a CTA continues.
__device__ __forceinline__ void arrive_at_cluster() {
    asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ __forceinline__ void wait_for_cluster() {
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
__device__ __forceinline__ u32 place_of(u32 address, u32 rank) {
    u32 there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
    return there;
}

// Orders ordinary reads and writes, of this thread and of those with which it is synchronised, before its bulk copies.
__device__ __forceinline__ void publish_to_copies() { asm volatile("fence.proxy.async;" ::: "memory"); }
// Makes ordinary writes to shared memory visible to the warpgroup products after the next barrier.
__device__ __forceinline__ void publish_to_products() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Waits for the previous launch, whose results may be read from here on. Does nothing if this launch
// did not begin early.
__device__ __forceinline__ void wait_for_launch_before() { asm volatile("griddepcontrol.wait;" ::: "memory"); }

// Lets the next launch begin as soon as there is space.
__device__ __forceinline__ void let_next_launch_begin() {
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

// One of 16 barriers of THREADS threads: waits for the others, or arrives without waiting.
template <int THREADS> __device__ __forceinline__ void meet(int barrier) {
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(THREADS) : "memory");
}
template <int THREADS> __device__ __forceinline__ void meet_later(int barrier) {
    asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "n"(THREADS) : "memory");
}

// A warpgroup that needs few registers releases some for the others; COUNT is a multiple of 8.
template <int COUNT> __device__ __forceinline__ void give_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
}
template <int COUNT> __device__ __forceinline__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
}

__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int LEFT> __device__ __forceinline__ void wait_for_products() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(LEFT) : "memory");
}

// Describes an operand in shared memory without swizzle, in two halves. Its core matrices are 8 rows x 16
// bytes, 128 contiguous bytes; neighbours along K are `across` bytes apart, neighbours along M or N `down` bytes.
// All are multiples of 16. To move it by n * 16 bytes, add n to
// the lower half.
__device__ __forceinline__ u32 describe_low(u32 address, u32 across) { return (address & 0x3ffffu) >> 4 | across >> 4 << 16; }
__device__ __forceinline__ u32 describe_high(u32 down) { return down >> 4; }

// acc += a * b over one step of 32 bytes of channels: a is 64 pixels, b is N channels.
template <class O, int N> struct WarpgroupProduct;

#define SF_F4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SF_F16(i) SF_F4(i), SF_F4(i + 4), SF_F4(i + 8), SF_F4(i + 12)
#define SF_F32(i) SF_F16(i), SF_F16(i + 16)
#define SF_LIST16 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define SF_LIST28 SF_LIST16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27"
#define SF_LIST32 SF_LIST16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define SF_LIST64                                                                            \
    SF_LIST32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49,%50" \
              ",%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"

#define SF_PRODUCT(O, N, VALUES, SHAPE, TAIL, LIST, A, A_HIGH, B, B_HIGH, ...)                                  \
    template <> struct WarpgroupProduct<O, N> {                                                                 \
        static __device__ __forceinline__ void run(SumOf<O>::Type(&d)[VALUES], u32 a, u32 a_high, u32 b, u32 b_high) {     \
            asm volatile("{\n.reg .pred adds;\n.reg .b64 a, b;\nsetp.eq.u32 adds, 0, 0;\n"                       \
                         "mov.b64 a, {%" #A ", %" #A_HIGH "};\nmov.b64 b, {%" #B ", %" #B_HIGH "};\n"            \
                         "wgmma.mma_async.sync.aligned.m64n" #N SHAPE " {" LIST "}, a, b, adds" TAIL ";\n}" \
                         : __VA_ARGS__                                                                          \
                         : "r"(a), "r"(a_high), "r"(b), "r"(b_high));                                           \
        }                                                                                                       \
    };

#define SF_PRODUCTS(O, SHAPE, TAIL)                                            \
    SF_PRODUCT(O, 32, 16, SHAPE, TAIL, SF_LIST16, 16, 17, 18, 19, SF_F16(0))   \
    SF_PRODUCT(O, 56, 28, SHAPE, TAIL, SF_LIST28, 28, 29, 30, 31, SF_F16(0), SF_F4(16), SF_F4(20), SF_F4(24)) \
    SF_PRODUCT(O, 64, 32, SHAPE, TAIL, SF_LIST32, 32, 33, 34, 35, SF_F32(0))   \
    SF_PRODUCT(O, 128, 64, SHAPE, TAIL, SF_LIST64, 64, 65, 66, 67, SF_F32(0), SF_F32(32))

SF_PRODUCTS(half_t, "k16.f32.f16.f16", ", 1, 1, 0, 0")
SF_PRODUCTS(bfloat_t, "k16.f32.bf16.bf16", ", 1, 1, 0, 0")
SF_PRODUCTS(split_t, "k16.f32.f16.f16", ", 1, 1, 0, 0")
SF_PRODUCTS(tfloat_t, "k8.f32.tf32.tf32", ", 1, 1")

#define SF_R4(i) "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3])
#define SF_R16(i) SF_R4(i), SF_R4(i + 4), SF_R4(i + 8), SF_R4(i + 12)
#define SF_R32(i) SF_R16(i), SF_R16(i + 16)
SF_PRODUCT(byte_t, 64, 32, "k32.s32.s8.s8", "", SF_LIST32, 32, 33, 34, 35, SF_R32(0))
SF_PRODUCT(byte_t, 128, 64, "k32.s32.s8.s8", "", SF_LIST64, 64, 65, 66, 67, SF_R32(0), SF_R32(32))

}  // namespace sf
