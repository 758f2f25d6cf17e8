// The ring that streams weights from memory to shared memory while the main loop multiplies.
//
// Weights are stored in the order in which they are consumed, in blocks of BYTES; a stage
// of the ring contains one block. From sm_80 on the copies are asynchronous, before it ordinary.
#pragma once
#include "element.cuh"

namespace sf {

#if __CUDA_ARCH__ >= 800
constexpr int STAGES = 4;
#else
constexpr int STAGES = 3;
#endif

__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

__device__ __forceinline__ void copy_16(u32 to, const char* from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
#else
    const uint4 v = *reinterpret_cast<const uint4*>(from);
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
#endif
}

// Copies 16 bytes without waiting; zeros if there is nothing to read.
__device__ __forceinline__ void copy_16_or_zeros(u32 to, const void* from, bool is_there) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(is_there ? 16u : 0u) : "memory");
#else
    const uint4 none = make_uint4(0u, 0u, 0u, 0u);
    const uint4 v = is_there ? *static_cast<const uint4*>(from) : none;
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
#endif
}

__device__ __forceinline__ void commit_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most the newest LEFT groups of copies are in flight.
template <int LEFT> __device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
#endif
}

// ROWS rows of ROW_BYTES, in shared memory ROW_PITCH apart. A thread copies the same 16 bytes of every THREADS * 16 / ROW_BYTES-th
// row, so that its addresses advance by a constant.
template <int THREADS, int ROWS, int ROW_BYTES, int ROW_PITCH> struct WeightRing {
    static constexpr int STAGE_BYTES = ROWS * ROW_PITCH;
    static constexpr int BYTES = STAGES * STAGE_BYTES;
    static constexpr int BLOCK_BYTES = ROWS * ROW_BYTES;  // in memory
    static constexpr int PER_ROW = ROW_BYTES / 16, TOGETHER = THREADS / PER_ROW;
    static_assert(THREADS % PER_ROW == 0, "a thread has one place in all rows");
    const char* memory;
    u32 shared;        // address of the first stage
    u32 own;           // this thread's offset in the first one
    u32 to;            // offset of the stage of the next block
    const char* last;  // this thread's part of the block that was prefetched last
    int left;          // blocks that are still to be prefetched

    __device__ __forceinline__ void place(const char* at) {
        memory = at;
        shared = shared_address(memory);
        own = threadIdx.x / PER_ROW * ROW_PITCH + threadIdx.x % PER_ROW * 16;
    }

    __device__ __forceinline__ void start(const char* weights, int blocks) {
        last = weights + (int)threadIdx.x * 16 - BLOCK_BYTES;
        left = blocks;
        to = 0;
#pragma unroll
        for (int s = 0; s < STAGES - 1; ++s) request();
    }

    // The offset of the stage after this one.
    __device__ __forceinline__ static u32 next(u32 stage) { return stage == (STAGES - 1) * STAGE_BYTES ? 0u : stage + STAGE_BYTES; }

    // Requests the next block, if there is one; one group of copies either way.
    __device__ __forceinline__ void request() {
        if (left > 0) {
            const u32 place = shared + to + own;
            // Before the copies: after them it would wait until they have read it.
            last += BLOCK_BYTES;
#pragma unroll
            for (int row = 0; row < ROWS; row += TOGETHER) {
                // Some threads have no part of a small block.
                if (ROWS % TOGETHER == 0 || row + (int)threadIdx.x / PER_ROW < ROWS)
                    copy_16(place + row * ROW_PITCH, last + row * ROW_BYTES);
            }
            --left;
        }
        commit_copies();
        to = next(to);
    }
};

}  // namespace sf
