// Main loop on tensor cores: warps multiply 32 pixels each by their share of the CTA's channels.
//
// A k-step is 32 bytes of channels: 16 fp16 or bf16 values, 8 tf32 values, 32 bytes. Both operands are read from
// shared memory by ldmatrix, whose 8 x 16-byte matrices are the fragments of either type.
#pragma once
#include "byte_rows.cuh"
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

template <> struct MultiplyStep<byte_t> {
    static __device__ __forceinline__ void run(int (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
        asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    }
};

// BM pixels (BW wide) x BN channels by 8 warps.
template <class O, int BM, int BN, int BW> struct MmaCore {
    static constexpr int THREADS = 256;
    static constexpr int GATHER_DEPTH = BN == 128 ? 4 : 2, PLAIN_DEPTH = 2 * GATHER_DEPTH;  // pixels' loads in flight that leave enough registers
    static constexpr int SLOTS = BM / 32;          // warps along the pixels
    static constexpr int WARPS_N = 8 / SLOTS;
    static constexpr int MT = 2, NT = BN / WARPS_N / 8;
    static constexpr int ROWS = MT * 2, COLUMNS = NT * 2;  // values of a thread
    static constexpr int FIRST_LANE_MASK = 4;      // lanes that differ from this bit on share columns
    static constexpr int SUMS_GAP = 4;             // spreads the picture's sums over the banks
    static constexpr int STEP_BYTES = 32, ROW_BYTES = 64, ROW_PITCH = 80;
    static_assert(WARPS_N >= 1 && NT % 2 == 0, "warps do not cover the tile");
    typedef WeightRing<THREADS, BN, ROW_BYTES, ROW_PITCH> Ring;
    typedef O Operand;
    typedef typename SumOf<O>::Type Sum;
    // The same for bytes, and the distance of their 16-byte pieces in a row of the tile, in pieces.
    typedef MmaCore<byte_t, BM, BN, BW> Bytes;
    static constexpr int SPREAD = sizeof(O) == 1 ? 2 : 1;

    Sum acc[MT][NT][4];
    int from[MT];  // byte offset of this lane's row in the input tile, first tap
    int weights;   // byte offset of this lane's row in a stage

    __device__ __forceinline__ static int warp() { return threadIdx.x / 32; }
    __device__ __forceinline__ static int lane() { return threadIdx.x % 32; }
    __device__ __forceinline__ static int slot() { return warp() % SLOTS; }
    __device__ __forceinline__ static int pixel(int row) { return slot() * 32 + (row / 2) * 16 + (row % 2) * 8 + lane() / 4; }
    __device__ __forceinline__ static int column(int c) {
        return warp() / SLOTS * (NT * 8) + (c / 2) * 8 + (lane() % 4) * 2 + c % 2;
    }
    __device__ __forceinline__ Sum& value(int row, int c) { return acc[row / 2][c / 2][(row % 2) * 2 + c % 2]; }

    // A chunk has as many channels as a number of blocks of weights, which then belong to one tap each; or those of one step
    // (plan::cuda::chunking): then a block belongs to two taps, and weights of zero follow an odd number of taps.
    __device__ __forceinline__ static bool is_one_step(const ConvParams& p) {
        return p.chunk_channels * (int)sizeof(O) < ROW_BYTES;
    }
    __device__ __forceinline__ static int blocks(const ConvParams& p) {
        const int taps = p.taps_y * p.taps_x;
        return is_one_step(p) ? (taps + 1) / 2 : taps * blocks_per_tap(p);
    }
    __device__ __forceinline__ static int blocks_per_tap(const ConvParams& p) {
        return p.chunk_channels * (int)sizeof(O) / ROW_BYTES;
    }

    __device__ __forceinline__ void place(const ConvParams& p) {
#pragma unroll
        for (int m = 0; m < MT; ++m) {
            const int px = slot() * 32 + m * 16 + (lane() & 15);
            from[m] = ((px / BW) * p.stride * p.tile_columns + (px % BW) * p.stride) * p.pitch + (lane() >> 4) * 16 * SPREAD;
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
                for (int i = 0; i < 4; ++i) acc[m][n][i] = (Sum)0;
    }

    // One chunk of channels, all taps. `offset`: bytes from the tile's start to the first tap. A block's second step is multiplied when the
    // next block's first one is in flight, so that there is work right after a barrier.
    __device__ __forceinline__ void run(const ConvParams& p, const char* tile, int offset, Ring& ring, u32& stage) {
        const bool one_step = is_one_step(p);
        const int per_tap = one_step ? 1 : blocks_per_tap(p);
        const u32 to_next_row = (p.tile_columns - p.taps_x + 1) * p.pitch;
        u32 tap = shared_address(tile) + offset;
        int tap_x = 0;
        u32 a[2][MT][4], b[2][NT / 2][4];
        const auto multiply = [&](int step) {
#pragma unroll
            for (int n = 0; n < NT; ++n)
#pragma unroll
                for (int m = 0; m < MT; ++m)
                    MultiplyStep<O>::run(acc[m][n], a[step][m], b[step][n / 2][n % 2 * 2], b[step][n / 2][n % 2 * 2 + 1]);
        };
        bool is_first = true;
        const auto to_next_tap = [&] {
            tap_x = tap_x + 1 == p.taps_x ? 0 : tap_x + 1;
            tap += tap_x == 0 ? to_next_row : p.pitch;
        };
        for (int left = p.taps_y * p.taps_x; left > 0; --left) {
            u32 pixels = tap, apart = STEP_BYTES * SPREAD;  // of the first step, and from there to the second one's
            to_next_tap();
            if (one_step) {
                apart = left > 1 ? tap - pixels : 0u;
                to_next_tap();
                --left;
            }
#pragma unroll 1
            for (int block = 0; block < per_tap; ++block, pixels += ROW_BYTES * SPREAD) {
                wait_for_copies<STAGES - 2>();
                // Orders the arrival of this block, the gathered tile, and the last reads of the stage
                // that the next request overwrites.
                __syncthreads();
                const u32 rows = ring.shared + stage + weights;
                stage = Ring::next(stage);
                const auto load = [&](int step) {
                    const u32 own = pixels + step * apart;
#pragma unroll
                    for (int m = 0; m < MT; ++m) load_matrices(a[step][m], own + from[m]);
#pragma unroll
                    for (int n = 0; n < NT / 2; ++n) load_matrices(b[step][n], rows + n * 16 * ROW_PITCH + step * STEP_BYTES);
                };
                load(0);
                if (!is_first) multiply(1);
                is_first = false;
                ring.request();
                load(1);
                multiply(0);
            }
        }
        multiply(1);
    }

    template <int COUNT, class S>
    __device__ __forceinline__ void store_row(int row, int first, S* to, int channels, u32 cell, int pitch) {
        store_fragment_row<COUNT>(*this, row, first, to, channels, cell, pitch);
    }
};

}  // namespace sf
