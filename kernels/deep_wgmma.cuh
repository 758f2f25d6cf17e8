// Convolutions to more than 64 channels on Hopper if an SM has several tiles: the same chains of layers as chain_wgmma.cuh,
// with tiles of 256 pixels and other warps for everything but the products. Formulas, fusions and layouts are those of
// conv_wgmma.cuh.
//
// Entries (wgmma_fp16.cu, wgmma_bf16.cu, wgmma_int8.cu), PxN being output pixels x channels of a CTA:
//   wgmma_PxN_*          map to raw map, one layer or several
//
// GEMM: M = output pixels, N = output channels (128 at a time), K = taps x input channels.
//
// Launch: block 512: two warpgroups multiply; of two others, which release registers for them, seven warps load and store the tiles and
// one prefetches weights; grid (CTAs of an image, channel tiles, images), all of them on the device at once if there are several
// layers; dynamic shared memory = ring of weights + two input tiles + list of a tile's pixels.
//
// The cycle of a tile: its producers load and normalise the input; the consumers multiply it and write their values, rounded
// as they are stored, over the input; the producers store them and gather the statistics. With two tiles in shared memory,
// one is multiplied while the other is stored and the next one loaded. Between layers the consumers, which have free
// registers then, exchange the statistics. A block of weights serves 256 pixels: half of the traffic of tiles of 128.
// Every second layer takes the tiles backwards: its first tile is the last one of the previous layer, whose values are still in
// shared memory. Only its halo is read, only the values at its border are stored, and its residual stream is loaded, by bulk
// copies of rows, during its last products. Otherwise all SMs would read and write whole tiles at the same time, while nothing
// is multiplied.
//
// Work: a layer of 128 to 128 channels, 3x3, 320x180: 17.0 GFLOP. Operands: 96 of 128 bytes per clock (core_wgmma.cuh).
// Roofline: tensor cores.
// Measured: NVIDIA H100, driver 580.159, 2026-11-25, launches between device events, medians of 20, the network in fp16: ten
// residual layers at 1280x720 345 us (492 TFLOP/s), at 1920x1080 669 us (571).
//
// Barriers: of each tile in shared memory, that it is loaded (`ready`) and that it is multiplied and its values are in
// its place (`staged`); of a layer, that its producers have gathered its statistics and stored its map (`gathered`), that
// the next norm's factors are known (`merged`), that the residual stream of its first tile has arrived (`streamed`), and that
// the maps of other CTAs are written, around a layer's first tile or all of them (`written_around`, `written`); of the
// consumers (sync_team) when both have multiplied a tile, and in the exchange; bar 4 of the producers after a tile is stored and
// around its list. All threads of a kind arrive: one per warp takes longer, and compute-sanitizer follows barriers per
// thread. The ring's own barriers are in core_wgmma.cuh.
#pragma once
#include "chain_wgmma.cuh"

namespace sf {

// Barriers between consumers and producers: of the two tiles in shared memory, and of a layer.
struct TileBarriers {
    u64 ready[2];
    u64 staged[2];
    u64 gathered;
    u64 merged;
    u64 written_around;
    u64 written;
    u64 streamed;
};

// A tile's output in shared memory, as cell planes: the first one, and bytes from plane to plane,
// from row to row and from the left half of a row to the right one.
struct Staging {
    u32 first;
    int pitch, row, half;
};

// The consumers' part of storing a tile: writes their values there, rounded as they are stored.
template <class S, class Core> __device__ __forceinline__ void stage_halves(Core& core, const Staging& to) {
    const int thread = thread_number(), lane = thread % 32, warp = thread / 32, pitch = to.pitch;
    const u32 at = to.first + lane / 16 * pitch + (warp % 4 * 2 + lane / 8 % 2) * to.row + warp / 4 * to.half + lane % 8 * 16;
#pragma unroll
    for (int t = 0; t < 2; ++t)
#pragma unroll
        for (int plane = 0; plane < Core::COLUMNS / 2; plane += 2) {
            const float* v = core.acc[t] + 4 * plane;
            asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at + plane * pitch + t * 8 * to.row),
                         "r"(narrow_pair<S>(v[0], v[1])), "r"(narrow_pair<S>(v[2], v[3])), "r"(narrow_pair<S>(v[4], v[5])),
                         "r"(narrow_pair<S>(v[6], v[7]))
                         : "memory");
        }
}

// Threads of each kind, the consumers first; the last warp prefetches weights.
constexpr int CONSUMERS = 256, PRODUCERS = 224;

// 16 x 16 pixels, 128 channels, from maps; the parameters define the layers. DEPTH loads are in flight together if nothing is added.
// BYTES: halves are multiplied as bytes.
template <class S, int STEPS, int DEPTH, bool BYTES = false> __device__ __forceinline__ void convolve_deep(const ChainParams& chain) {
    constexpr int BN = 128, SIDE = 16, HALF = 8, PITCH = 16 * SIDE * SIDE + 16, TOGETHER = 4;
    typedef WgmmaCore<S, 2, BN, SIDE, STEPS, true> Core;
    typedef typename Core::Stream Stream;
    typedef TileGather<S, S, PRODUCERS, 3, 3, CONSUMERS, 4, ConvParams, BYTES> Gather;
    constexpr int PACK = Gather::PACK;
    static_assert(sizeof(S) == 2, "values replace the input");
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ TileBarriers of_tiles;

    const int image = blockIdx.z, n_tile = blockIdx.y;
    const ConvParams& p = chain.all;
    const u32 ring_bytes = p.ring_stages * Stream::BLOCK_BYTES, tile = shared_address(memory) + ring_bytes;
    const u32 ready = shared_address(of_tiles.ready), staged = shared_address(of_tiles.staged);
    const u32 gathered = shared_address(&of_tiles.gathered), merged = shared_address(&of_tiles.merged);
    const u32 written_around = shared_address(&of_tiles.written_around), written = shared_address(&of_tiles.written);
    const u32 streamed = shared_address(&of_tiles.streamed);
    uint2* const pixels = reinterpret_cast<uint2*>(memory + ring_bytes + 2 * p.tile_bytes);
    const int tiles = p.tiles_x * p.tiles_y, mine = (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
    Stream stream;
    stream.start(&barriers, memory, p.ring_stages, p.walk_blocks, chain.count);
    // The last of the statistics' eight slots for warps is unused.
    if (threadIdx.x < BN) statistics.mean[Core::SLOTS - 1][threadIdx.x] = statistics.squares[Core::SLOTS - 1][threadIdx.x] = 0.0f;
    if (threadIdx.x == 0) {
        statistics.count[Core::SLOTS - 1] = 0.0f;
        for (int b = 0; b < 2; ++b) {
            init_barrier(ready + 8 * b, PRODUCERS);
            init_barrier(staged + 8 * b, CONSUMERS);
        }
        init_barrier(gathered, PRODUCERS);
        init_barrier(merged, BN);
        init_barrier(written_around, 32);
        init_barrier(written, 32);
        init_barrier(streamed, 1);
        publish_barriers();
    }
    // The barriers are initialised.
    __syncthreads();
    let_next_launch_begin();
    // Which of the two slots in shared memory a tile has, and the parity of its barriers, a bit for each slot; after them that of the
    // residual stream's.
    int which = 0;
    u32 parity = 0;
    const auto tile_at = [&](int at, int i) { return tile_taken(p, (int)(blockIdx.x + (at + p.turned & 1 ? mine - 1 - i : i) * gridDim.x)); };
    const auto staging = [&](bool stays) {
        const u32 here = tile + which * p.tile_bytes;
        return stays ? Staging{here + p.origin * (16 * p.tile_columns + 16), p.pitch, 16 * p.tile_columns, 16 * HALF}
                     : Staging{here, PITCH, 16 * HALF, 16 * HALF * SIDE};
    };
    const auto next_stage = [&](bool stays) {
        parity ^= 1u << which;
        if (!stays) which ^= 1;
    };
    if (threadIdx.x < CONSUMERS) {
        take_registers<160>();
        wait_for_launch_before();
        Exchange<BN, false> exchange(chain);
        Core core;
        NoMore more;
#pragma unroll 1
        for (int at = 0;; ++at) {
#pragma unroll 1
            for (int i = 0; i < mine; ++i) {
                const u32 here = tile + which * p.tile_bytes;
                wait_barrier(ready + 8 * which, parity >> which & 1u);
                multiply_tile<BYTES, 4, PRODUCERS / 32>(chain, at, here, p.tile_rows * p.tile_columns, published_largest(statistics, which),
                                                        Core::warpgroup() * HALF * 16, core, more, stream, statistics);
                // Both halves are multiplied; their edges overlap.
                sync_team();
                const bool stays = at + 1 != chain.count && i + 1 == mine;
                stage_halves<S>(core, staging(stays));
                arrive(staged + 8 * which);
                next_stage(stays);
            }
            if (at + 1 == chain.count) break;
            wait_barrier(gathered, at & 1);
            ++exchange.tag;
            if (threadIdx.x < BN) {
                exchange.publish_part(statistics);
                exchange.merge(p, chain.layers[at], statistics);
                arrive(merged);
            } else if (threadIdx.x < BN + 32) {
                if (threadIdx.x == BN) exchange.publish_written();
                exchange.wait_for_maps(exchange.template if_near<SIDE, SIDE>(tile_at(at + 1, 0)));
                arrive(written_around);
                exchange.wait_for_maps(-1);
                arrive(written);
            }
        }
        if (chain.count > 1) exchange.end();
        if (p.out_scale != nullptr) {
            wait_barrier(gathered, chain.count - 1 & 1);
            merge_launch<false, Exchange<BN, false>::MOST>(p, statistics);
        }
        return;
    }
    give_registers<96>();
    if (threadIdx.x >= CONSUMERS + PRODUCERS) {
        if (threadIdx.x == CONSUMERS + PRODUCERS) stream.prefetch(chain.layers, chain.count, n_tile, mine, p.walk_blocks);
    } else {
        wait_for_launch_before();
        bool is_inner = false;  // the listed tile does not touch the map's edges
        // The first warp loads it.
        const bool streams_first = threadIdx.x / 32 == CONSUMERS / 32;
#pragma unroll 1
        for (int at = 0;; ++at) {
            const ChainLayer& layer = chain.layers[at];
            const bool is_last = at + 1 == chain.count;
            Gather gather(p, layer, tile, pixels);
            const u32 channels = gather.tile - tile;
            // Loads tile t into a slot.
            auto load_tile = [&](int t, int to) {
                const int first_y = t / p.tiles_x * SIDE - p.origin, first_x = t % p.tiles_x * SIDE - p.origin;
                gather.start_at(first_y, first_x);
                gather.list(first_y, first_x, SIDE, SIDE, is_inner, nullptr, false);
                gather.tile = tile + to * p.tile_bytes + channels;
                Factors<PACK> f;
                if (at > 0) {
                    read_factors(f, statistics, gather.channel);
                } else {
                    f.read(p, image, gather.channel);
                }
                gather.template load<DEPTH>(f, n_tile == 0);
                gather.publish_found(published_largest(statistics, to));
                publish_to_products();
                arrive(ready + 8 * to);
            };
            if (at == 0) {
                load_tile(tile_at(at, 0), which);
            } else {
                // The first tile is in shared memory except for its halo, and so is its list.
                const int t = tile_at(at, 0);
                gather.start_at(t / p.tiles_x * SIDE - p.origin, t % p.tiles_x * SIDE - p.origin);
                gather.tile = tile + which * p.tile_bytes + channels;
                const u32 other_tile = tile + (which ^ 1) * p.tile_bytes;
                const bool is_streamed = layer.skip != nullptr;
                wait_barrier(written_around, at - 1 & 1);
                gather.copy_halo();
                if (streams_first && is_streamed && layer.skip == chain.layers[at - 1].keep) gather.bring_stream(other_tile, streamed);
                wait_barrier(merged, at - 1 & 1);
                Factors<PACK> f;
                read_factors(f, statistics, gather.channel);
                wait_for_copies();
                if (is_streamed) {
                    wait_barrier(streamed, parity >> 2);
                    parity ^= 4u;
                }
                gather.normalise_streamed(is_streamed ? other_tile : 0u, f, n_tile == 0);
                gather.publish_found(published_largest(statistics, which));
                publish_to_products();
                arrive(ready + 8 * which);
            }
#pragma unroll 1
            for (int i = 0; i < mine; ++i) {
                const int t = tile_at(at, i), y = t / p.tiles_x * SIDE, x = t % p.tiles_x * SIDE;
                const bool stays = !is_last && i + 1 == mine;
                // The previous layer is written.
                if (at > 0 && i == 0) wait_barrier(written, at - 1 & 1);
                // The list is read, and so is the tile that the next one overwrites.
                Gather::sync();
                if (i + 1 < mine) {
                    load_tile(tile_at(at, i + 1), which ^ 1);
                } else if (stays) {
                    // The residual stream of the tile that stays is loaded into the free slot, unless it is written only now.
                    const ChainLayer& next = chain.layers[at + 1];
                    if (streams_first && next.skip != nullptr && next.skip != layer.keep) {
                        Gather of_next(p, next, tile, pixels);
                        of_next.start_at(y - p.origin, x - p.origin);
                        of_next.bring_stream(tile + (which ^ 1) * p.tile_bytes, streamed);
                    }
                }
                wait_barrier(staged + 8 * which, parity >> which & 1u);
                const Staging from = staging(stays);
                const int pack = Gather::thread() % 16;
                // Only neighbours read pixels that stay here from the map, unless an edge mirrors them.
                const bool shares = stays && is_inner_tile(p, y - p.origin, x - p.origin);
                void* const output = layer.output;
                RowStatistics own;
                own.clear();
                // The rows of 8 pixels of both halves, some pixels at a time.
#pragma unroll 1
                for (int k = Gather::thread() / 16; k < 2 * SIDE * HALF / TOGETHER; k += PRODUCERS / 16) {
                    const int row = k * TOGETHER / HALF % SIDE, half = k * TOGETHER / HALF / SIDE, across = k * TOGETHER % HALF;
                    const int column = half * HALF + across;
                    store_pixels<S, TOGETHER>(p, output, from.first + pack * from.pitch + row * from.row + half * from.half + across * 16, own,
                                              y + row, x + column, n_tile * BN + pack * 8, 0,
                                              shares ? shared_pixels<TOGETHER, SIDE, SIDE>(p.origin, row, column) : ~0u, [] {});
                }
                // A warp's statistics are in shared memory: the next tile needs the registers.
                if (i == 0) {
                    gather_warps(own, statistics);
                } else {
                    gather_warps<true>(own, statistics);
                }
                next_stage(stays);
            }
            if (p.out_scale == nullptr) break;
            arrive(gathered);
            if (is_last) break;
        }
    }
}

}  // namespace sf
