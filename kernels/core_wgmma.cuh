// Main loop on Hopper: two warpgroups multiply 64 pixels each, TILES times, by all of the CTA's channels.
//
// A step is 32 bytes of channels: 16 fp16 or bf16 values, 8 tf32 values, 32 bytes. Both operands are read directly
// from shared memory, without swizzle: a core matrix is 8 pixels (or output channels) x 16 bytes, one cell each.
// So a tap is only another start address. A product of 64 pixels x BN channels reads 2 KB of pixels and 32 * BN bytes
// of weights in the BN / 2 clocks that it takes: with 64 channels 128 bytes per clock, the peak of shared memory; with 128
// channels 96; with 32 channels 192, so that it takes 24 clocks instead of 16. Weights stream through a ring of blocks of
// STEPS steps, by bulk copies that one thread prefetches; a ring that holds all of them keeps them for all tiles.
#pragma once
#include "chain_params.cuh"
#include "fragment.cuh"
#include "hopper.cuh"

namespace sf {

// Maximum number of stages of the ring.
constexpr int MOST_STAGES = 16;

// Barriers of the ring: that a block has arrived, and that all warps have multiplied it.
struct RingBarriers {
    u64 full[MOST_STAGES];
    u64 empty[MOST_STAGES];
};

// The state with which thread 0 prefetches the next block: in shared memory, to save registers.
struct Prefetch {
    int next;   // block of the tile
    int stage;  // its stage
    int parity;
    int left;   // blocks that are still to be prefetched
};

// Blocks of weights in flight. Every thread counts the multiplied blocks, thread 0 also the
// prefetched.
template <int STEPS, int BN> struct WeightStream {
    static constexpr int STEP_BYTES = 32 * BN;
    static constexpr int BLOCK_BYTES = STEPS * STEP_BYTES;
    u32 full, empty;  // the stages' barriers
    u32 ring;
    Prefetch* next_block;
    const char* weights;
    int stages;
    int blocks;     // of all phases of a tile
    bool resident;  // the ring contains all blocks
    int stage, parity, seen;

    __device__ __forceinline__ void start(RingBarriers* shared, Prefetch* of_first, char* memory, const void* from, int ring_stages,
                                          int blocks_of_tile, int tiles) {
        full = shared_address(shared->full);
        empty = shared_address(shared->empty);
        ring = shared_address(memory);
        next_block = of_first;
        weights = static_cast<const char*>(from);
        stages = ring_stages;
        blocks = blocks_of_tile;
        resident = stages >= blocks;
        stage = parity = seen = 0;
        if (threadIdx.x == 0) {
            for (int s = 0; s < stages; ++s) {
                init_barrier(full + 8 * s, 1);
                init_barrier(empty + 8 * s, 8);
            }
            publish_barriers();
            const int all = resident ? blocks : blocks * tiles, now = min(stages, all);
            for (int s = 0; s < now; ++s) prefetch(s % blocks, s);
            *next_block = Prefetch{now % blocks, 0, 0, all - now};
        }
        // No thread waits on a barrier before it is initialised.
        __syncthreads();
    }

    __device__ __forceinline__ void prefetch(int block, int at) {
        arrive_expecting(full + 8 * at, BLOCK_BYTES);
        bulk_copy(ring + at * BLOCK_BYTES, weights + (long long)block * BLOCK_BYTES, BLOCK_BYTES, full + 8 * at);
    }

    // Requests the block that overwrites the one multiplied two blocks ago: by now the slowest
    // warp is most likely done with it.
    __device__ __forceinline__ void refill() {
        if (threadIdx.x == 0 && !resident && seen >= 2) {
            Prefetch now = *next_block;
            if (now.left > 0) {
                wait_barrier(empty + 8 * now.stage, now.parity);
                prefetch(now.next, now.stage);
                now.next = now.next + 1 == blocks ? 0 : now.next + 1;
                --now.left;
                if (++now.stage == stages) {
                    now.stage = 0;
                    now.parity ^= 1;
                }
                *next_block = now;
            }
        }
        // The products are the whole warp's.
        __syncwarp();
    }

    // Waits for the next block and returns its address.
    __device__ __forceinline__ u32 take() {
        refill();
        wait_barrier(full + 8 * stage, parity);
        return ring + stage * BLOCK_BYTES;
    }

    // Advances to the next block. Resident blocks are loaded once: their barriers' first phase is over
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

// The same stream if a separate warp prefetches the blocks, of one layer of a chain after another.
template <int STEPS, int BN> struct ChainStream {
    static constexpr int STEP_BYTES = 32 * BN;
    static constexpr int BLOCK_BYTES = STEPS * STEP_BYTES;
    u32 full, empty;  // the stages' barriers
    u32 ring;
    int stages;
    int blocks;     // of all phases of a tile
    bool resident;  // the ring contains all blocks
    int stage, parity;

    // No thread waits on a barrier before the CTA is synchronised after this.
    __device__ __forceinline__ void start(RingBarriers* shared, char* memory, int ring_stages, int blocks_of_tile, int layers) {
        full = shared_address(shared->full);
        empty = shared_address(shared->empty);
        ring = shared_address(memory);
        stages = ring_stages;
        blocks = blocks_of_tile;
        resident = layers == 1 && stages >= blocks;
        stage = parity = 0;
        if (threadIdx.x == 0) {
            for (int s = 0; s < stages; ++s) {
                init_barrier(full + 8 * s, 1);
                init_barrier(empty + 8 * s, 8);
            }
            publish_barriers();
        }
    }

    // Requests all blocks, each as soon as its stage is empty. One thread calls it, which does nothing else. `of_first`: blocks of the
    // first layer.
    __device__ __forceinline__ void prefetch(const ChainLayer* layers, int count, int channel_tile, int tiles, int of_first) {
        int at = 0, phase = 0;
        bool is_first = true;
        for (int layer = 0; layer < count; ++layer) {
            const int blocks = layer == 0 ? of_first : this->blocks;
            const char* weights = static_cast<const char*>(layers[layer].weights) + (long long)channel_tile * blocks * BLOCK_BYTES;
            for (int tile = 0; tile < (resident ? 1 : tiles); ++tile) {
                for (int block = 0; block < blocks; ++block) {
                    if (!is_first) wait_barrier(empty + 8 * at, phase);
                    arrive_expecting(full + 8 * at, BLOCK_BYTES);
                    bulk_copy(ring + at * BLOCK_BYTES, weights + block * BLOCK_BYTES, BLOCK_BYTES, full + 8 * at);
                    if (++at == stages) {
                        at = 0;
                        if (!is_first) phase ^= 1;
                        is_first = false;
                    }
                }
            }
        }
    }

    // Waits for the next block and returns its address.
    __device__ __forceinline__ u32 take() {
        wait_barrier(full + 8 * stage, parity);
        return ring + stage * BLOCK_BYTES;
    }

    // Advances to the next block. Resident blocks are loaded once.
    __device__ __forceinline__ void advance() {
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

// Additional products of a warpgroup: none.
struct NoMore {
    static constexpr bool IS_SOME = false;
    typedef NoMore Bytes;
    __device__ __forceinline__ void clear() {}
    __device__ __forceinline__ void set_offset(int) {}
    __device__ __forceinline__ void multiply(u32, u32, u32, u32) {}
    __device__ __forceinline__ void settle() {}
};

// 64 pixels that both warpgroups multiply, each by half of BN channels. Rows and columns of a thread are counted as in WgmmaCore.
template <class O, int BN> struct SharedPixels {
    static constexpr bool IS_SOME = true;
    static constexpr int ROWS = 2, COLUMNS = BN / 8;
    typedef typename SumOf<O>::Type Sum;
    // The same for bytes.
    typedef SharedPixels<byte_t, BN> Bytes;
    Sum acc[BN / 4];
    u32 pixels, channels;  // their offset from the warpgroup's own pixels and from the first channel, in units of 16 bytes

    __device__ __forceinline__ static int first_column() { return thread_number() / 128 * (BN / 2); }
    __device__ __forceinline__ static int column(int c) { return first_column() + c / 2 * 8 + threadIdx.x % 4 * 2 + c % 2; }
    __device__ __forceinline__ Sum& value(int row, int c) { return acc[c / 2 * 4 + row % 2 * 2 + c % 2]; }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < BN / 4; ++i) acc[i] = (Sum)0;
    }
    // `bytes`: from the start of the warpgroup's own pixels to that of these.
    __device__ __forceinline__ void set_offset(int bytes) {
        pixels = __shfl_sync(0xffffffffu, (u32)bytes >> 4, 0);
        channels = __shfl_sync(0xffffffffu, (u32)first_column(), 0);
    }
    __device__ __forceinline__ void multiply(u32 at, u32 pixels_high, u32 weights, u32 channels_high) {
        WarpgroupProduct<O, BN / 2>::run(acc, at + pixels, pixels_high, weights + channels, channels_high);
    }
    __device__ __forceinline__ void settle() {
#pragma unroll
        for (int i = 0; i < BN / 4; ++i) stay(acc[i]);
    }
};

// TILES times 64 pixels for each of two warpgroups, BN channels, BW pixels wide.
// TOGETHER rows of the output are columns of one product, which reads the rows of all their taps.
template <class O, int TILES, int BN, int BW, int STEPS, bool CHAIN = false, int TOGETHER = 1> struct WgmmaCore {
    static constexpr int THREADS = 256;
    static constexpr int SLOTS = 8;                 // every warp has its own pixels
    static constexpr int ROWS = 2 * TILES, COLUMNS = BN / 4;
    static constexpr int FIRST_LANE_MASK = 4;       // lanes that differ from this bit on share columns
    static constexpr int SUMS_GAP = 4;              // spreads the picture's sums over the banks
    static constexpr int PRODUCTS = TILES / TOGETHER, WIDE = BN * TOGETHER;
    typedef typename Either<CHAIN, ChainStream<STEPS, WIDE>, WeightStream<STEPS, WIDE>>::Type Stream;
    typedef O Operand;
    typedef typename SumOf<O>::Type Sum;
    // The same for bytes.
    typedef WgmmaCore<byte_t, TILES, BN, BW, STEPS, CHAIN, TOGETHER> Bytes;

    Sum acc[PRODUCTS > 0 ? PRODUCTS : 1][WIDE / 2];

    __device__ __forceinline__ static int warpgroup() { return threadIdx.x / 128; }
    __device__ __forceinline__ static int slot() { return threadIdx.x / 32; }
    // Index of a row among the 64 pixels of its product.
    __device__ __forceinline__ static int place(int row) {
        return (threadIdx.x / 32) % 4 * 16 + row % 2 * 8 + threadIdx.x % 32 / 4;
    }
    // The first of the 16 pixels that this warp has of product t.
    __device__ __forceinline__ static int first_pixel(int t) { return (warpgroup() * TILES + t) * 64 + threadIdx.x / 32 % 4 * 16; }
    __device__ __forceinline__ static int pixel(int row) { return (warpgroup() * TILES + row / 2) * 64 + place(row); }
    __device__ __forceinline__ static int column(int c) { return c / 2 * 8 + threadIdx.x % 4 * 2 + c % 2; }
    __device__ __forceinline__ Sum& value(int row, int c) {
        return acc[row / 2 / TOGETHER][row / 2 % TOGETHER * (BN / 2) + c / 2 * 4 + row % 2 * 2 + c % 2];
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int t = 0; t < PRODUCTS; ++t)
#pragma unroll
            for (int i = 0; i < WIDE / 2; ++i) acc[t][i] = (Sum)0;
    }

    // Keeps operations on the sums before the following code.
    __device__ __forceinline__ void settle() {
#pragma unroll
        for (int t = 0; t < PRODUCTS; ++t)
#pragma unroll
            for (int i = 0; i < WIDE / 2; ++i) stay(acc[t][i]);
    }

    // All taps of one phase. `first`: shared address of the first tap of this warpgroup's first pixel, the same
    // for all of a warp.
    //
    // The products of a block follow one another without a branch between them, otherwise the compiler would make
    // each wait for the previous one. Their descriptors are computed per warp: the offsets of the
    // steps are parameters, and only the lower half of a descriptor changes.
    template <class AnyStream> __device__ __forceinline__ void run(const ConvParams& p, u32 first, AnyStream& stream) {
        NoMore more;
        run(p, first, stream, more, [] {});
    }
    // The same, with `more` in addition; `meanwhile()` runs while the last products are in flight.
    template <class AnyStream, class More, class Meanwhile>
    __device__ __forceinline__ void run(const ConvParams& p, u32 first, AnyStream& stream, More& more, Meanwhile meanwhile) {
        run(p, p.walk, first, stream, more, meanwhile);
    }
    // `walk`: the offset of each step in the tile.
    template <class P, class AnyStream, class More, class Meanwhile>
    __device__ __forceinline__ void run(const P& p, const u32* walk, u32 first, AnyStream& stream, More& more, Meanwhile meanwhile) {
        const int blocks = p.walk_blocks;
        const u32 pixels = describe_low(__shfl_sync(0xffffffffu, first, 0), p.walk_across);
        const u32 pixels_high = describe_high(p.walk_down), channels_high = describe_high(128);
        int before = -1;
#pragma unroll 1
        for (int block = 0; block < blocks; ++block) {
            const u32 weights = describe_low(stream.take(), 16 * WIDE);
            begin_products();
#pragma unroll
            for (int s = 0; s < STEPS; ++s) {
                const u32 at = pixels + walk[block * STEPS + s];
#pragma unroll
                for (int t = 0; t < PRODUCTS; ++t) {
                    WarpgroupProduct<O, WIDE>::run(acc[t], at + (u32)(t * p.walk_tile >> 4), pixels_high,
                                                 weights + (s * Stream::STEP_BYTES >> 4), channels_high);
                }
                more.multiply(at, pixels_high, weights + (s * Stream::STEP_BYTES >> 4), channels_high);
            }
            commit_products();
            // The previous block is multiplied when at most this one's products are in flight.
            wait_for_products<1>();
            if (before >= 0) stream.release(before);
            before = stream.stage;
            stream.advance();
        }
        meanwhile();
        wait_for_products<0>();
        // Keeps readers of the sums after the wait. Before it they would read too early, or make the compiler serialise the products
        // (its note C7514; bf16 took 2.5 % more).
        settle();
        more.settle();
        stream.release(before);
    }

    template <int COUNT, class S>
    __device__ __forceinline__ void store_row(int row, int first, S* to, int channels, u32 cell, int pitch) {
        store_fragment_row<COUNT>(*this, row, first, to, channels, cell, pitch);
    }
};

}  // namespace sf
