// Main loop on tensor cores: warps multiply 32 pixels each by their share of the CTA's channels.
//
// A k-step is 32 bytes of channels: 16 fp16 or bf16 values, 8 tf32 values. Both operands come out of
// shared memory by ldmatrix, whose 8 x 16-byte matrices are the fragments of either kind.
#pragma once
#include "fragment.cuh"
#include "gather.cuh"
#include "ring.cuh"

namespace sf {

__device__ __forceinline__ void load_matrices(u32 (&r)[4], u32 address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// acc += a * b over one k-step: a is 16 pixels x 32 bytes, b is 8 channels x 32 bytes.
template <class O> struct MultiplyStep;

template <> struct MultiplyStep<half_t> {
    static __device__ __forceinline__ void run(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#if __CUDA_ARCH__ >= 800
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
        asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(b0));
        asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
    }
};

#if __CUDA_ARCH__ >= 800
template <> struct MultiplyStep<bfloat_t> {
    static __device__ __forceinline__ void run(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
};

template <> struct MultiplyStep<tfloat_t> {
    static __device__ __forceinline__ void run(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
        asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
};
#endif

// BM pixels (BW wide) x BN channels by 8 warps.
template <class O, int BM, int BN, int BW> struct MmaCore {
    static constexpr int THREADS = 256;
    static constexpr int GATHER_DEPTH = 2;           // loads in flight that leave enough registers
    static constexpr int SLOTS = BM / 32;          // warps side by side along the pixels
    static constexpr int WARPS_N = 8 / SLOTS;
    static constexpr int MT = 2, NT = BN / WARPS_N / 8;
    static constexpr int ROWS = MT * 2, COLUMNS = NT * 2;  // values of a thread
    static constexpr int FIRST_LANE_MASK = 4;      // lanes that differ from this bit on share columns
    static constexpr int SUMS_GAP = 4;             // spreads the picture's sums over the banks
    static constexpr int STEP_BYTES = 32, ROW_BYTES = 64, ROW_PITCH = 80;
    static_assert(WARPS_N >= 1 && NT % 2 == 0, "warps do not cover the tile");
    typedef WeightRing<THREADS, BN, ROW_BYTES, ROW_PITCH> Ring;
    typedef O Operand;

    float acc[MT][NT][4];
    int from[MT];  // byte offset of this lane's row in the input tile, first tap
    int weights;   // byte offset of this lane's row in a stage

    __device__ __forceinline__ static int warp() { return threadIdx.x / 32; }
    __device__ __forceinline__ static int lane() { return threadIdx.x % 32; }
    __device__ __forceinline__ static int slot() { return warp() % SLOTS; }
    __device__ __forceinline__ static int pixel(int row) { return slot() * 32 + (row / 2) * 16 + (row % 2) * 8 + lane() / 4; }
    __device__ __forceinline__ static int column(int c) {
        return warp() / SLOTS * (NT * 8) + (c / 2) * 8 + (lane() % 4) * 2 + c % 2;
    }
    __device__ __forceinline__ float& value(int row, int c) { return acc[row / 2][c / 2][(row % 2) * 2 + c % 2]; }

    __device__ __forceinline__ static int blocks(const ConvParams& p) {
        return (steps(p) + 1) / 2;
    }
    __device__ __forceinline__ static int steps(const ConvParams& p) {
        return p.taps_y * p.taps_x * (p.chunk_channels * (int)sizeof(O) / STEP_BYTES);
    }

    __device__ __forceinline__ void place(const ConvParams& p) {
#pragma unroll
        for (int m = 0; m < MT; ++m) {
            const int px = slot() * 32 + m * 16 + (lane() & 15);
            from[m] = ((px / BW) * p.stride * p.tile_columns + (px % BW) * p.stride) * p.pitch + (lane() >> 4) * 16;
        }
        const int n = warp() / SLOTS * (NT * 8) + (lane() & 7) + ((lane() >> 4) & 1) * 8;
        weights = n * ROW_PITCH + ((lane() >> 3) & 1) * 16;
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int m = 0; m < MT; ++m)
#pragma unroll
            for (int n = 0; n < NT; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) acc[m][n][i] = 0.0f;
    }

    // One chunk of channels, all taps. `offset`: bytes from the tile's start to the first tap.
    __device__ __forceinline__ void run(const ConvParams& p, const char* tile, int offset, Ring& ring, int& stage) {
        const int per_tap = p.chunk_channels * (int)sizeof(O) / STEP_BYTES;
        const int total = steps(p);
        const u32 tile_address = shared_address(tile), ring_address = shared_address(ring.shared);
        int step = 0, in_tap = 0, tap_x = 0;
        for (int block = blocks(p); block > 0; --block) {
            wait_for_copies<STAGES - 2>();
            // Orders the arrival of this block, the gathered tile, and the last reads of the stage
            // that the next request overwrites.
            __syncthreads();
            ring.request();
            const u32 stage_address = ring_address + stage * Ring::STAGE_BYTES + weights;
            stage = stage + 1 == STAGES ? 0 : stage + 1;
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                u32 a[MT][4];
#pragma unroll
                for (int m = 0; m < MT; ++m) load_matrices(a[m], tile_address + from[m] + offset);
#pragma unroll
                for (int n = 0; n < NT; n += 2) {
                    u32 b[4];
                    load_matrices(b, stage_address + n * 8 * ROW_PITCH + half * STEP_BYTES);
#pragma unroll
                    for (int m = 0; m < MT; ++m) {
                        MultiplyStep<O>::run(acc[m][n], a[m], b[0], b[1]);
                        MultiplyStep<O>::run(acc[m][n + 1], a[m], b[2], b[3]);
                    }
                }
                // The step after the last has zero weights; it reads the last one's pixels again,
                // because whatever else lies there might not be finite.
                if (++step < total) {
                    offset += STEP_BYTES;
                    if (++in_tap == per_tap) {
                        in_tap = 0;
                        offset += p.pitch - per_tap * STEP_BYTES;
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
    __device__ __forceinline__ void store_row(int row, int first, S* to, int channels, u32 cell, int pitch) {
        store_fragment_row<COUNT>(*this, row, first, to, channels, cell, pitch);
    }
};

}  // namespace sf
