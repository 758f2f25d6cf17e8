// Main loop on Hopper: two warpgroups multiply 64 pixels each, TILES times, by all of the CTA's channels.
//
// A step is 32 bytes of channels: 16 fp16 or bf16 values, 8 tf32 values. Both operands come straight out
// of shared memory, without swizzle: a core matrix is 8 pixels (or output channels) x 16 bytes, a cell a
// piece. So a tap is only another start address. Weights stream through a ring of blocks of STEPS steps,
// by bulk copies that one thread asks for; a ring that holds all of them keeps them for all tiles.
#pragma once
#include "fragment.cuh"
#include "hopper.cuh"

namespace sf {

// Most stages of the ring.
constexpr int MOST_STAGES = 16;

// Barriers of the ring: that a block has come, and that all warps have multiplied it.
struct RingBarriers {
    u64 full[MOST_STAGES];
    u64 empty[MOST_STAGES];
};

// Blocks of weights on their way. Everyone keeps count of what is multiplied, thread 0 also of what is
// asked for.
template <int STEPS, int BN> struct WeightStream {
    static constexpr int STEP_BYTES = 32 * BN;
    static constexpr int BLOCK_BYTES = STEPS * STEP_BYTES;
    u32 full, empty;  // the stages' barriers
    u32 ring;
    const char* weights;
    int stages;
    int blocks;     // of all phases of a tile
    bool resident;  // the ring holds all blocks
    int stage, parity, seen;
    int next, next_stage, next_parity, left;

    __device__ __forceinline__ void start(RingBarriers* shared, char* memory, const void* from, int ring_stages,
                                          int blocks_of_tile, int tiles) {
        full = shared_address(shared->full);
        empty = shared_address(shared->empty);
        ring = shared_address(memory);
        weights = static_cast<const char*>(from);
        stages = ring_stages;
        blocks = blocks_of_tile;
        resident = stages >= blocks;
        stage = parity = seen = 0;
        next = next_stage = next_parity = 0;
        left = resident ? blocks : blocks * tiles;
        if (threadIdx.x == 0) {
            for (int s = 0; s < stages; ++s) {
                init_barrier(full + 8 * s, 1);
                init_barrier(empty + 8 * s, 8);
            }
            publish_barriers();
            for (int s = 0; s < stages && left > 0; ++s) ask();
            next_stage = 0;
        }
        // Nobody waits on a barrier before it is initialised.
        __syncthreads();
    }

    __device__ __forceinline__ void ask() {
        const u32 barrier = full + 8 * next_stage;
        arrive_expecting(barrier, BLOCK_BYTES);
        bulk_copy(ring + next_stage * BLOCK_BYTES, weights + (long long)next * BLOCK_BYTES, BLOCK_BYTES, barrier);
        next = next + 1 == blocks ? 0 : next + 1;
        ++next_stage;
        --left;
    }

    // Asks for the block that takes the place of the one multiplied two blocks ago: by now the slowest
    // warp is most likely done with it.
    __device__ __forceinline__ void refill() {
        if (threadIdx.x == 0 && seen >= 2 && left > 0) {
            wait_barrier(empty + 8 * next_stage, next_parity);
            ask();
            if (next_stage == stages) {
                next_stage = 0;
                next_parity ^= 1;
            }
        }
        // The products are the whole warp's.
        __syncwarp();
    }

    // Waits for the next block and tells where it lies.
    __device__ __forceinline__ u32 take() {
        refill();
        wait_barrier(full + 8 * stage, parity);
        return ring + stage * BLOCK_BYTES;
    }

    // Goes on to the block behind. Resident blocks come once and stay: their barriers' first phase is over
    // for good.
    __device__ __forceinline__ void advance() {
        ++seen;
        if (++stage == (resident ? blocks : stages)) {
            stage = 0;
            if (!resident) parity ^= 1;
        }
    }

    // This warp has multiplied the block at `of`.
    __device__ __forceinline__ void release(int of) {
        if (!resident && threadIdx.x % 32 == 0) arrive(empty + 8 * of);
    }
};

// TILES times 64 pixels for each of two warpgroups, BN channels, BW pixels side by side.
template <class O, int TILES, int BN, int BW, int STEPS> struct WgmmaCore {
    static constexpr int THREADS = 256;
    static constexpr int SLOTS = 8;                 // every warp has its own pixels
    static constexpr int ROWS = 2 * TILES, COLUMNS = BN / 4;
    static constexpr int FIRST_LANE_MASK = 4;       // lanes that differ from this bit on share columns
    static constexpr int SUMS_GAP = 4;              // spreads the picture's sums over the banks
    typedef WeightStream<STEPS, BN> Stream;
    typedef O Operand;

    float acc[TILES][BN / 2];

    __device__ __forceinline__ static int warpgroup() { return threadIdx.x / 128; }
    __device__ __forceinline__ static int slot() { return threadIdx.x / 32; }
    // Place of a row among the 64 pixels of its product.
    __device__ __forceinline__ static int place(int row) {
        return (threadIdx.x / 32) % 4 * 16 + row % 2 * 8 + threadIdx.x % 32 / 4;
    }
    __device__ __forceinline__ static int pixel(int row) { return (warpgroup() * TILES + row / 2) * 64 + place(row); }
    __device__ __forceinline__ static int column(int c) { return c / 2 * 8 + threadIdx.x % 4 * 2 + c % 2; }
    __device__ __forceinline__ float& value(int row, int c) { return acc[row / 2][c / 2 * 4 + row % 2 * 2 + c % 2]; }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int t = 0; t < TILES; ++t)
#pragma unroll
            for (int i = 0; i < BN / 2; ++i) acc[t][i] = 0.0f;
    }

    // All taps of one phase. `first`: shared address of the first tap of this warpgroup's first pixel.
    __device__ __forceinline__ void run(const ConvParams& p, u32 first, Stream& stream) {
        const int total = p.taps_y * p.taps_x * p.walk_steps;
        const u64 pixels = describe(first, p.walk_across, p.walk_down);
        int done = 0, step = 0, tap_x = 0, before = -1;
        u32 row = 0, offset = 0;
        while (done < total) {
            const u64 channels = describe(stream.take(), 16 * BN, 128);
            begin_products();
#pragma unroll
            for (int s = 0; s < STEPS; ++s) {
                if (done < total) {
#pragma unroll
                    for (int t = 0; t < TILES; ++t) {
                        WarpgroupProduct<O, BN>::run(acc[t], pixels + ((offset + t * p.walk_tile) >> 4),
                                                     channels + (s * Stream::STEP_BYTES >> 4));
                    }
                    ++done;
                    offset += p.walk_step;
                    if (++step == p.walk_steps) {
                        step = 0;
                        offset += (tap_x & 1 ? p.walk_odd : p.walk_even) - p.walk_steps * p.walk_step;
                        if (++tap_x == p.taps_x) {
                            tap_x = 0;
                            row += p.walk_row;
                            offset = row;
                        }
                    }
                }
            }
            commit_products();
            // The block before is multiplied when at most this one's products are under way.
            wait_for_products<1>();
            if (before >= 0) stream.release(before);
            before = stream.stage;
            stream.advance();
        }
        wait_for_products<0>();
        stream.release(before);
    }

    template <class S> __device__ __forceinline__ void store_row(int row, S* to, int channels) {
        store_fragment_row(*this, row, to, channels);
    }
};

}  // namespace sf
