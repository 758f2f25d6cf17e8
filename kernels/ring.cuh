// The ring that streams weights from memory into shared memory while the main loop multiplies.
//
// Weights lie in memory exactly in the order in which they are consumed, in blocks of BYTES; a stage
// of the ring holds one block. From sm_80 the copies are asynchronous; before, they are ordinary.
#pragma once
#include "element.cuh"

namespace sf {

#if __CUDA_ARCH__ >= 800
constexpr int STAGES = 4;
#else
constexpr int STAGES = 3;
#endif

__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

__device__ __forceinline__ void copy_16(char* to, const char* from) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
#else
    *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
#endif
}

// Copies 16 bytes without waiting; zeros where there is nothing to read.
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

// Waits until at most the newest LEFT groups of copies are under way.
template <int LEFT> __device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
#endif
}

// ROWS rows of ROW_BYTES, in shared memory ROW_PITCH apart.
template <int THREADS, int ROWS, int ROW_BYTES, int ROW_PITCH> struct WeightRing {
    static constexpr int STAGE_BYTES = ROWS * ROW_PITCH;
    static constexpr int BYTES = STAGES * STAGE_BYTES;
    static constexpr int BLOCK_BYTES = ROWS * ROW_BYTES;  // in memory
    char* shared;
    const char* next;
    int left;   // blocks that are still to be asked for
    int stage;  // where the next block goes

    __device__ __forceinline__ void start(const void* weights, int blocks) {
        next = static_cast<const char*>(weights);
        left = blocks;
        stage = 0;
#pragma unroll
        for (int s = 0; s < STAGES - 1; ++s) request();
    }

    // Asks for the next block, if there is one; one group of copies either way.
    __device__ __forceinline__ void request() {
        if (left > 0) {
            constexpr int PER_ROW = ROW_BYTES / 16;
            char* to = shared + stage * STAGE_BYTES;
            for (int i = threadIdx.x; i < ROWS * PER_ROW; i += THREADS) {
                copy_16(to + (i / PER_ROW) * ROW_PITCH + (i % PER_ROW) * 16, next + i * 16);
            }
            next += ROWS * ROW_BYTES;
            --left;
        }
        commit_copies();
        stage = stage + 1 == STAGES ? 0 : stage + 1;
    }
};

}  // namespace sf
