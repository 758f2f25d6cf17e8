// Chains of convolutions of 65 to 128 channels on Hopper (chain_wgmma.cuh) if a CTA has several pieces of 8 x 8 pixels, each
// with its halo, all of which remain in shared memory from layer to layer. Pieces are divided among SMs more evenly than tiles.
//
// Entries (wgmma_fp16.cu, wgmma_bf16.cu, wgmma_int8.cu): wgmma_Kx64x128_*, K pieces of a CTA.
//
// GEMM: M = 64 pixels of each piece, N = 128 channels, K = taps x input channels. Up to five pieces are multiplied at once, so
// that weights are loaded once; of six and seven first four, then the others. With an odd count both warpgroups multiply the last
// piece, each half of the channels.
//
// In shared memory the pieces are stacked as if they were one tile. Their output overwrites the input, because every piece has
// its own halo. The team normalises the pixels of the first pieces; the halo's warps load the pixels of other CTAs, normalise them
// and prepare the other pieces while the first are multiplied. The residual stream is loaded where it is added.
//
// Launch: block 384 as in chain_wgmma.cuh; grid (CTAs of an image, channel tiles, images), all of them on the device at once if
// there are several layers; dynamic shared memory = ring of weights + pieces + list of their pixels.
//
// Work: a layer of 128 to 128 channels, 3x3, of 320x180 pixels: 17.0 GFLOP. Operands and roofline as in chain_wgmma.cuh.
// Measured: NVIDIA H200, driver 580.159, 2026-11-26, recorded graphs, the network in fp16, medians of 30: a frame takes 0.34 ms
// at 600x600 (three pieces), 0.44 at 960x540 (four), 0.47 at 720x720 (five) and 0.59 at 1024x768 (six).
//
// Barriers, in shared memory: that the team has stored its map (`stored`), that the norm's factors are known (`merged`), that
// pieces are loaded (`came`); of the team (sync_team) after it has normalised, after pieces are multiplied and staged, and in the
// exchange; bar 3 of the halo's warps when the maps of other CTAs are written. The ring's own barriers are in core_wgmma.cuh.
#pragma once
#include "chain_wgmma.cuh"

namespace sf {

// Barriers between the team and the halo's warps, and shared data.
struct PieceBarriers {
    u64 stored;  // TEAM threads have stored their values of the map
    u64 merged;  // a thread per channel has published the norm's factors
    u64 came[2];  // OF_HALO threads have their values in shared memory: of the pieces multiplied first, and of the others
    u32 tag;  // the exchange's, before the first one
    int own[2];  // pixels of the same pieces that belong to this CTA
    int halo[2];  // and to other CTAs
};

// COUNT pieces that are multiplied at once, from number FROM on.
template <class O, int FROM, int COUNT, int BN, int STEPS> struct PiecesAtOnce {
    static constexpr int FIRST = FROM, TILES = COUNT / 2, ALL = COUNT;
    static constexpr bool SHARES = COUNT % 2 != 0;
    typedef WgmmaCore<O, TILES, BN, 8, STEPS, true> Core;
    typedef typename Either<SHARES, SharedPixels<O, BN>, NoMore>::Type More;
};

// The pieces of a CTA.
template <int PIECES> struct PiecesOfCta {
    static constexpr int SIDE = 8;
    const ConvParams& p;
    int first, there;  // number of the first one, and their count
    int rows, cells;  // of a piece's input

    __device__ __forceinline__ PiecesOfCta(const ConvParams& params)
        : p(params), first(PIECES * blockIdx.x), there(min(PIECES, p.tiles_x * p.tiles_y - first)), rows(p.tile_rows / PIECES), cells(rows * p.tile_columns) {}

    // The first pixel of a piece in the map.
    __device__ __forceinline__ void begin(int piece, int& y, int& x) const {
        const int place = tile_taken(p, first + piece), row = (u32)place / (u32)p.tiles_x;
        y = row * SIDE;
        x = (place - row * p.tiles_x) * SIDE;
    }
};

// Multiplies SOME loaded pieces and stores their values, which overwrite the input first. `published`: the largest half of
// each of PUBLISHERS warps. `then` is called after a thread's last values. The team calls it.
template <class S, class SOME, bool BYTES, int PUBLISHERS, class Stream, class Statistics, int PIECES, class Then>
__device__ __forceinline__ void compute_pieces(const ChainParams& chain, int at, const PiecesOfCta<PIECES>& pieces, u32 tile, const u32* published, Stream& stream,
                                               Statistics& statistics, RowStatistics& own, Then then) {
    constexpr int SIDE = PiecesOfCta<PIECES>::SIDE, TILES = SOME::TILES;
    typedef typename SOME::Core Core;
    typedef typename SOME::More More;
    const ConvParams& p = chain.all;
    Core core;
    More more;
    const u32 here = tile + SOME::FIRST * p.walk_tile;
    // Nothing is stored for pieces that do not exist.
    const int input_pixels = pieces.cells * max(1, min(pieces.there - SOME::FIRST, SOME::ALL));
    multiply_tile<BYTES, 3, PUBLISHERS>(chain, at, here, input_pixels, published, Core::warpgroup() * TILES * p.walk_tile, core, more, stream, statistics);
    // They are multiplied.
    sync_team();
    const int row_bytes = 16 * p.tile_columns;
    const u32 to = here + p.origin * (row_bytes + 16);
#pragma unroll
    for (int t = 0; t < TILES; ++t) {
        stage_product<S>(core.acc[t], to + (Core::warpgroup() * TILES + t) * p.walk_tile, thread_number() / 32 % 4 * 2, p.pitch, row_bytes);
    }
    if constexpr (SOME::SHARES) {
        stage_product<S>(more.acc, to + 2 * TILES * p.walk_tile + More::first_column() / 8 * p.pitch, thread_number() / 32 % 4 * 2, p.pitch, row_bytes);
    }
    // All values are complete.
    sync_team();
    // A row of 8 pixels of a thread's 8 channels at a time.
    constexpr int ROWS = SIDE * SOME::ALL, APART = TEAM / 16;
    static_assert(ROWS >= APART, "every thread has a row");
    const int pack = thread_number() % 16, channel = blockIdx.y * 128 + pack * 8;
    void* const output = chain.layers[at].output;
#pragma unroll 1
    for (int k = thread_number() / 16; k < ROWS; k += APART) {
        const int piece = k / SIDE, row = k % SIDE;
        int y, x;
        pieces.begin(SOME::FIRST + piece, y, x);
        // Only neighbours read pixels that stay here from the map, unless an edge mirrors them.
        const bool shares = at + 1 < chain.count && is_inner_tile(p, y - p.origin, x - p.origin, pieces.rows);
        const u32 from = to + pack * p.pitch + piece * p.walk_tile + row * row_bytes;
        const bool is_there = SOME::FIRST + piece < pieces.there && y + row < p.grid_height;
        store_pixels<S, SIDE>(p, output, from, own, is_there ? y + row : p.grid_height, x, channel, 0,
                              shares ? shared_pixels<SIDE, SIDE, SIDE>(p.origin, row, 0) : ~0u, [&] {
            if (k + APART >= ROWS) then();
        });
    }
}

// PIECES of a CTA; the parameters define the layers. BYTES: halves are multiplied as bytes.
template <class S, int PIECES, int STEPS, bool BYTES> __device__ __forceinline__ void convolve_pieces(const ChainParams& chain) {
    constexpr int BN = 128, AT_ONCE = PIECES > 5 ? 4 : PIECES, LEFT = PIECES - AT_ONCE, PARTS = LEFT > 0 ? 2 : 1;
    // Loads of the residual stream that a thread of the team has in flight; five pieces leave few registers.
    constexpr int EARLY = AT_ONCE < 5 ? 8 : BYTES ? 2 : 4;
    constexpr int THREADS = FIRST_OF_HALO + OF_HALO, REGISTERS = 168;
    // Warps of the team, and together with those of the halo: both normalise the pieces multiplied first, the halo's warps all others.
    constexpr int OF_TEAM = TEAM / 32, ALL = OF_TEAM + OF_HALO / 32;
    typedef PiecesAtOnce<S, 0, AT_ONCE, BN, STEPS> First;
    typedef PiecesAtOnce<S, AT_ONCE, LEFT, BN, STEPS> Second;
    typedef typename First::Core::Stream Stream;
    typedef TileGather<S, S, TEAM, EARLY, 6, 0, 1, ConvParams, BYTES> Gather;
    // Five pieces leave the halo's warps few registers, above all if they also keep the largest half.
    constexpr bool IS_TIGHT = BYTES && AT_ONCE == 5;
    constexpr int LOADS = IS_TIGHT ? 6 : 8;
    typedef TileGather<S, S, OF_HALO, (IS_TIGHT ? 3 : BYTES || AT_ONCE == 5 ? 4 : 6), 4, FIRST_OF_HALO, 3, ConvParams, BYTES> HaloGather;
    constexpr int PACK = Gather::PACK;
    constexpr int HALO_REGISTERS = IS_TIGHT ? 88 : BYTES || AT_ONCE == 5 ? 104 : 120;
    static_assert(sizeof(S) == 2, "values replace the input");
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<First::Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ PieceBarriers of_pieces;

    const int image = blockIdx.z, n_tile = blockIdx.y;
    const ConvParams& p = chain.all;
    const PiecesOfCta<PIECES> pieces(p);
    const int ring_bytes = p.ring_stages * Stream::BLOCK_BYTES;
    const u32 tile = shared_address(memory) + ring_bytes;
    uint2* const pixels = reinterpret_cast<uint2*>(memory + ring_bytes + p.tile_bytes);
    const u32 stored = shared_address(&of_pieces.stored), merged = shared_address(&of_pieces.merged), came = shared_address(of_pieces.came);
    Stream stream;
    stream.start(&barriers, memory, p.ring_stages, p.walk_blocks, chain.count);
    if (threadIdx.x == 0) {
        init_barrier(stored, TEAM);
        init_barrier(merged, BN);
        init_barrier(came, OF_HALO);
        init_barrier(came + 8, OF_HALO);
        publish_barriers();
        of_pieces.own[0] = of_pieces.own[1] = of_pieces.halo[0] = of_pieces.halo[1] = 0;
    }
    // The barriers are initialised, and nothing is counted.
    __syncthreads();
    let_next_launch_begin();
    for (u32 at = 16 * threadIdx.x; at < (u32)p.tile_bytes; at += 16 * THREADS) store_shared(tile + at, uint4{});
    int first_y, first_x;
    pieces.begin(0, first_y, first_x);
    first_y -= p.origin;
    first_x -= p.origin;
    // For the pieces that are multiplied together, this CTA's pixels from the front and those of others from the back. Pixels that no tap reads
    // are not listed, and zero.
    const auto end_of = [&](int part) { return pieces.cells * min(pieces.there, part == 0 ? AT_ONCE : PIECES); };
    const auto own_of = [&](int part) { return pixels + part * AT_ONCE * pieces.cells; };
    const auto halo_of = [&](int part) { return pixels + end_of(part) - of_pieces.halo[part]; };
#pragma unroll 1
    for (int k = 0; k < pieces.there; ++k) {
        int y, x;
        pieces.begin(k, y, x);
        y -= p.origin;
        x -= p.origin;
        const int part = k >= AT_ONCE;
        const ListedRows of_piece{k * pieces.rows, pieces.rows, first_y * p.in_width + first_x};
        each_pixel<S, THREADS>(p, threadIdx.x, y, x, is_inner_tile(p, y, x, pieces.rows), pieces.SIDE, pieces.SIDE, of_piece, [&](int, const uint2& pixel, bool is_read) {
            if (pixel.y & OWNED) {
                own_of(part)[atomicAdd(&of_pieces.own[part], 1)] = pixel;
            } else if (is_read) {
                pixels[end_of(part) - 1 - atomicAdd(&of_pieces.halo[part], 1)] = pixel;
            }
        });
    }
    // The lists are complete.
    __syncthreads();
    if (threadIdx.x >= TEAM) {
        give_registers<HALO_REGISTERS>();
        if (threadIdx.x == TEAM) stream.prefetch(chain.layers, chain.count, n_tile, PARTS, p.walk_blocks);
        if (threadIdx.x < FIRST_OF_HALO) return;
        wait_for_launch_before();
        Exchange<BN, true> exchange(chain, 0);
#pragma unroll 1
        for (int at = 0; at < chain.count; ++at) {
            HaloGather gather(p, chain.layers[at], tile, pixels);
            gather.start_at(first_y, first_x);
            Factors<PACK> f;
            if (at == 0) {
                f.read(p, image, gather.channel);
            } else {
                // The team has stored its map.
                wait_barrier(stored, at - 1 & 1);
                exchange.tag = of_pieces.tag + at;
                if (threadIdx.x / 32 == FIRST_OF_HALO / 32 + 1) {
                    __syncwarp();
                    if (threadIdx.x % 32 == 0) exchange.publish_written();
                }
                if (threadIdx.x / 32 == FIRST_OF_HALO / 32) exchange.wait_for_maps(-1);
                // The neighbouring maps are written.
                meet<OF_HALO>(3);
            }
            const auto know_norm = [&] {
                if (at == 0) return;
                wait_barrier(merged, at - 1 & 1);
                read_factors(f, statistics, gather.channel);
            };
#pragma unroll 1
            for (int part = 0; part < PARTS; ++part) {
                if (PARTS > 1 && part == 1) {
                    // Threads without a pixel do not know it.
                    know_norm();
                    gather.take(own_of(1), of_pieces.own[1]);
                    if (at == 0) gather.copy_all();
                    gather.normalise_loading(f, n_tile == 0);
                }
                gather.take(halo_of(part), of_pieces.halo[part]);
                gather.template load<LOADS>(f, false, know_norm);
                gather.publish_found(published_largest(statistics, part) + OF_TEAM);
                publish_to_products();
                arrive(came + 8 * part);
            }
        }
        return;
    }
    take_registers<(REGISTERS * THREADS - (THREADS - TEAM) * HALO_REGISTERS) / TEAM>();
    wait_for_launch_before();
    Exchange<BN, true> exchange(chain);
    if (threadIdx.x == 0) of_pieces.tag = exchange.tag;
    RowStatistics own;
#pragma unroll 1
    for (int at = 0;; ++at) {
        Gather gather(p, chain.layers[at], tile, pixels);
        gather.start_at(first_y, first_x);
        gather.take(own_of(0), of_pieces.own[0]);
        Factors<PACK> f;
        own.clear();
        // Loaded early: this CTA has stored the residual stream of its own pixels itself.
        uint4 skipped[EARLY];
        gather.prefetch(skipped, gather.first);
        if (at == 0) {
            f.read(p, image, gather.channel);
            gather.copy_all();
        } else {
            if (threadIdx.x < BN) {
                exchange.merge(p, chain.layers[at - 1], statistics);
                arrive(merged);
            }
            // The norm's factors are known.
            sync_team();
            read_factors(f, statistics, gather.channel);
        }
        gather.normalise(skipped, f, n_tile == 0);
        gather.publish_found(published_largest(statistics, 0));
        publish_to_products();
        // If all threads wait, the compiler does not keep the state of the weights' ring in uniform registers.
        if (threadIdx.x >= BN) wait_barrier(came, at & 1);
        // The pieces are loaded.
        sync_team();
        const auto has_stored = [&] {
            if (at + 1 < chain.count) arrive(stored);
        };
        if constexpr (PARTS > 1) {
            compute_pieces<S, First, BYTES, ALL>(chain, at, pieces, tile, published_largest(statistics, 0), stream, statistics, own, [] {});
            if (threadIdx.x >= BN) wait_barrier(came + 8, at & 1);
            // The others are loaded as well.
            sync_team();
            const u32* const of_halo = published_largest(statistics, 1) + OF_TEAM;
            compute_pieces<S, Second, BYTES, ALL - OF_TEAM>(chain, at, pieces, tile, of_halo, stream, statistics, own, has_stored);
        } else {
            compute_pieces<S, First, BYTES, ALL>(chain, at, pieces, tile, published_largest(statistics, 0), stream, statistics, own, has_stored);
        }
        if (at + 1 == chain.count) break;
        gather_warps(own, statistics);
        // The warps' parts are complete.
        sync_team();
        ++exchange.tag;
        if (threadIdx.x < BN) exchange.publish_part(statistics);
    }
    if (chain.count > 1) exchange.end();
    if (p.out_scale != nullptr) merge_launch<true, Exchange<BN, true>::MOST>(p, own, statistics);
}

}  // namespace sf

// For maps of S, with operands in BYTES or of the maps' type.
#define SF_PIECES(NAME, S, PIECES, STEPS, BYTES)                                                        \
    extern "C" __global__ void __launch_bounds__(384, 1) NAME(const __grid_constant__ ChainParams p) {  \
        convolve_pieces<S, PIECES, STEPS, BYTES>(p);                                                    \
    }
#define SF_ALL_PIECES(S, BYTES, FORMAT)                 \
    SF_PIECES(wgmma_3x64x128_##FORMAT, S, 3, 4, BYTES)  \
    SF_PIECES(wgmma_4x64x128_##FORMAT, S, 4, 4, BYTES)  \
    SF_PIECES(wgmma_5x64x128_##FORMAT, S, 5, 4, BYTES)  \
    SF_PIECES(wgmma_6x64x128_##FORMAT, S, 6, 2, BYTES)  \
    SF_PIECES(wgmma_7x64x128_##FORMAT, S, 7, 2, BYTES)
