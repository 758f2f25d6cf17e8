// Convolutions to more than 64 channels on Hopper where a multiprocessor has several tiles: the same chains of layers
// as chain_wgmma.cuh, with tiles of 256 pixels, and what lies around the products done by other warps meanwhile.
// Formulas, fusions and layouts are those of conv_wgmma.cuh.
//
// Entries (wgmma_fp16.cu, wgmma_bf16.cu), PxN being output pixels x channels of a CTA:
//   wgmma_PxN_*          map to raw map, one layer or several
//
// GEMM: M = output pixels, N = output channels (128 at a time), K = taps x input channels.
//
// Launch: block 512: two warpgroups multiply; of two others, which give them registers, seven warps tend the tiles and
// one asks for weights; grid (CTAs of an image,
// channel tiles, images), all of them on the device at once where there are several layers; dynamic shared memory =
// ring of weights + two input tiles + list of a tile's pixels.
//
// A tile goes round: its tenders copy and normalise the input, the multipliers multiply it and put their values, rounded
// as they are stored, into the place of the input, from where the tenders store them and gather the statistics. Two
// tiles lie in shared memory, so while one is multiplied the other one is stored and the next one brought. Between
// layers the multipliers, who have registers to spare then, exchange the statistics. A block of weights serves 256
// pixels: half of the traffic of tiles of 128.
//
// Work: a layer of 128 to 128 channels, 3x3, 320x180: 17.0 GFLOP. Roofline: arithmetic, of the tensor cores.
// Measured: NVIDIA H200, driver 580.159, 2026-11-21, launches between device events, medians of 20, the network in fp16:
// ten residual layers at 1280x720 408 us (417 TFLOP/s), at 1920x1080 752 us (509). Without bringing the tiles they take
// 316 and 560 us, without storing them either 282 and 513: what is left to gain lies before a layer's first tile and behind
// its last one, where nothing else is done meanwhile. Slower: weights asked for by a thread that multiplies (537 us).
//
// Barriers: of each tile in shared memory, that it is there (`ready`) and that it is multiplied and its values lie in
// its place (`staged`); of a layer, that its tenders have gathered its statistics and stored its map (`gathered`) and
// that it is known what the next norm does (`merged`); of the multipliers (sync_team) when both have multiplied a tile,
// and in the exchange; bar 4 of the tenders after a tile is stored and around its list. All threads of a kind arrive:
// one for its warp takes longer, and compute-sanitizer follows barriers thread by thread. The ring's own are in
// core_wgmma.cuh.
#pragma once
#include "chain_wgmma.cuh"

namespace sf {

// Barriers between multipliers and tenders: of the two tiles in shared memory, and of a layer.
struct TurnBarriers {
    u64 ready[2];
    u64 staged[2];
    u64 gathered;
    u64 merged;
};

// The multipliers' part of a tile's way out: puts their values, rounded as they are stored, into cell planes in shared
// memory, `pitch` bytes apart; of a plane's rows of 8 pixels come the 16 of the left half first.
template <class S, class Core> __device__ __forceinline__ void stage_halves(Core& core, u32 to, int pitch) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, row = warp / 4 * 16 + warp % 4 * 2 + lane / 8 % 2;
    const u32 at = to + lane / 16 * pitch + row * 128 + lane % 8 * 16;
#pragma unroll
    for (int t = 0; t < 2; ++t)
#pragma unroll
        for (int plane = 0; plane < Core::COLUMNS / 2; plane += 2) {
            const float* v = core.acc[t] + 4 * plane;
            asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at + plane * pitch + t * 8 * 128),
                         "r"(narrow_pair<S>(v[0], v[1])), "r"(narrow_pair<S>(v[2], v[3])), "r"(narrow_pair<S>(v[4], v[5])),
                         "r"(narrow_pair<S>(v[6], v[7]))
                         : "memory");
        }
}

// Threads of each kind, the multipliers first; the last warp asks for weights.
constexpr int MULTIPLIERS = 256, TENDERS = 224;

// 16 x 16 pixels, 128 channels, from maps; the parameters say which layers. DEPTH loads of the residual stream are
// under way together.
template <class S, int STEPS, int DEPTH> __device__ __forceinline__ void convolve_deep(const ChainParams& chain) {
    constexpr int BN = 128, SIDE = 16, HALF = 8, PITCH = 16 * SIDE * SIDE + 16, TOGETHER = 4;
    typedef WgmmaCore<S, 2, BN, SIDE, STEPS, true> Core;
    typedef typename Core::Stream Stream;
    typedef TileGather<S, S, TENDERS, DEPTH, 3, MULTIPLIERS, 4> Gather;
    constexpr int PACK = Gather::PACK;
    static_assert(sizeof(S) == 2, "values lie in the place of the input");
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ TurnBarriers turns;

    const int image = blockIdx.z, n_tile = blockIdx.y;
    const ConvParams& p = chain.all;
    const u32 ring_bytes = p.ring_stages * Stream::BLOCK_BYTES, tile = shared_address(memory) + ring_bytes;
    const u32 ready = shared_address(turns.ready), staged = shared_address(turns.staged);
    const u32 gathered = shared_address(&turns.gathered), merged = shared_address(&turns.merged);
    const int tiles = p.tiles_x * p.tiles_y, mine = (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
    Stream stream;
    stream.start(&barriers, memory, p.ring_stages, p.walk_blocks, chain.count);
    // The last of the slots that the statistics have for eight warps stays empty.
    if (threadIdx.x < BN) statistics.mean[Core::SLOTS - 1][threadIdx.x] = statistics.squares[Core::SLOTS - 1][threadIdx.x] = 0.0f;
    if (threadIdx.x == 0) {
        statistics.count[Core::SLOTS - 1] = 0.0f;
        for (int b = 0; b < 2; ++b) {
            init_barrier(ready + 8 * b, TENDERS);
            init_barrier(staged + 8 * b, MULTIPLIERS);
        }
        init_barrier(gathered, TENDERS);
        init_barrier(merged, MULTIPLIERS);
        publish_barriers();
    }
    // The barriers are there.
    __syncthreads();
    let_next_launch_begin();
    if (threadIdx.x < MULTIPLIERS) {
        take_registers<160>();
        wait_for_launch_before();
        Exchange<BN> exchange(chain);
        Core core;
        int turn = 0;
#pragma unroll 1
        for (int at = 0;; ++at) {
#pragma unroll 1
            for (int i = 0; i < mine; ++i, ++turn) {
                const u32 here = tile + (turn & 1) * p.tile_bytes;
                core.clear();
                wait_barrier(ready + 8 * (turn & 1), turn >> 1 & 1);
                core.run(p, here + Core::warpgroup() * HALF * 16, stream);
                // Both halves are multiplied, whose edges overlap.
                sync_team();
                stage_halves<S>(core, here, PITCH);
                arrive(staged + 8 * (turn & 1));
            }
            if (at + 1 == chain.count) break;
            wait_barrier(gathered, at & 1);
            exchange.tell(statistics);
            if (threadIdx.x < BN) exchange.merge(p, chain.layers[at], statistics);
            arrive(merged);
        }
        if (chain.count > 1) exchange.end();
        if (p.out_scale != nullptr) {
            wait_barrier(gathered, chain.count - 1 & 1);
            finish_gathered(p, statistics);
        }
        return;
    }
    give_registers<96>();
    if (threadIdx.x >= MULTIPLIERS + TENDERS) {
        if (threadIdx.x == MULTIPLIERS + TENDERS) stream.ask(chain.layers, chain.count, n_tile, mine);
    } else {
        wait_for_launch_before();
        Exchange<BN> exchange(chain);
        bool is_inner = false;  // the listed tile does not touch the map's edges
        int turn = 0, listed = -1;
#pragma unroll 1
        for (int at = 0;; ++at) {
            const ChainLayer& layer = chain.layers[at];
            Gather gather(p, layer, tile, reinterpret_cast<uint2*>(memory + ring_bytes + 2 * p.tile_bytes));
            const u32 channels = gather.tile - tile;
            // Brings tile t to its turn. What the norm does is known behind its first tile's copy.
            auto bring = [&](int t, int which, bool is_first) {
                const int first_y = t / p.tiles_x * SIDE - p.origin, first_x = t % p.tiles_x * SIDE - p.origin;
                gather.start_at(first_y, first_x);
                if (t != listed) gather.list(first_y, first_x, SIDE, SIDE, is_inner, nullptr, false);
                listed = t;
                gather.tile = tile + (which & 1) * p.tile_bytes + channels;
                gather.copy_own();
                uint4 skipped[DEPTH];
                Factors<PACK> f;
                gather.ask(skipped, gather.first);
                if (at > 0) {
                    if (is_first) wait_barrier(merged, at - 1 & 1);
#pragma unroll
                    for (int k = 0; k < PACK; k += 4) {
                        copy_four(f.scale + k, statistics.reduce[0] + gather.channel + k);
                        copy_four(f.shift + k, statistics.reduce[1] + gather.channel + k);
                    }
                } else {
                    f.read(p, image, gather.channel);
                }
                wait_for_copies();
                gather.normalise(skipped, f, n_tile == 0);
                publish_to_products();
                arrive(ready + 8 * (which & 1));
            };
            if (at > 0) {
                if (threadIdx.x / 32 == MULTIPLIERS / 32) exchange.wait_as_warp();
                // The layer before is written.
                Gather::sync();
            }
            bring(blockIdx.x, turn, true);
#pragma unroll 1
            for (int t = blockIdx.x; t < tiles; t += gridDim.x, ++turn) {
                // The list was read, and so was what lay where the next tile comes.
                Gather::sync();
                if (t + (int)gridDim.x < tiles) bring(t + gridDim.x, turn + 1, false);
                wait_barrier(staged + 8 * (turn & 1), turn >> 1 & 1);
                const u32 here = tile + (turn & 1) * p.tile_bytes;
                const int y = t / p.tiles_x * SIDE, x = t % p.tiles_x * SIDE, pack = Gather::thread() % 16;
                RowStatistics own;
                own.clear();
                // The rows of 8 pixels of both halves, some pixels at a time.
#pragma unroll 1
                for (int i = Gather::thread() / 16; i < 2 * SIDE * HALF / TOGETHER; i += TENDERS / 16) {
                    const int row = i * TOGETHER / HALF, across = i * TOGETHER % HALF;
                    store_pixels<S, TOGETHER>(p, layer.output, here + pack * PITCH + row * 128 + across * 16, own, y + row % SIDE,
                                              x + row / SIDE * HALF + across, n_tile * BN + pack * 8, 0);
                }
                // What a warp has gathered lies in shared memory: registers are needed for the next tile.
                if (t == (int)blockIdx.x) {
                    gather_warps(own, statistics);
                } else {
                    gather_warps<true>(own, statistics);
                }
            }
            if (p.out_scale == nullptr) break;
            arrive(gathered);
            if (at + 1 == chain.count) break;
            ++exchange.tag;
        }
    }
}

}  // namespace sf
