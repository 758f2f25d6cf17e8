// Convolutions to more than 64 channels on Hopper, and chains of them: layers of equal shape (the residual blocks) that run
// one after another in one launch, each reading what the previous one wrote. One layer is a chain too. Formulas, fusions,
// layouts and numerics are those of conv_wgmma.cuh.
//
// Entries (wgmma_fp16.cu, wgmma_tf32.cu, wgmma_bf16.cu, wgmma_mixed.cu, wgmma_fp16x2.cu, wgmma_int8.cu), PxN being
// output pixels x channels of a CTA:
//   wgmma_PxN_*          map to raw map, one layer or several
//   wgmma_leading_PxN_*  the same after a layer of another shape, the strided one before the residual blocks; each CTA has one tile
//
// GEMM: M = output pixels, N = output channels (128 at a time), K = taps x input channels.
//
// Between layers the CTAs exchange their statistics and report that their maps are written (exchange.cuh), while the next
// layer's weights arrive. A CTA with a single tile keeps its values in shared memory and reads only its halo, from the
// neighbouring CTAs, during the exchange. In 16 bits the tile's residual stream is loaded then too, by bulk copies of rows.
//
// Tiles have 128 pixels, 64 for each warpgroup; in 16 bits also 64, of which each warpgroup has half of the channels, and
// 192, one and a half. The best is the smallest that gives every SM at most one tile; of larger maps pieces remain in shared
// memory (pieces_wgmma.cuh). If an SM has several tiles, deep_wgmma.cuh and pieces_wgmma.cuh are faster in 16 bits; here each
// tile is loaded by plain loads when the previous one is stored.
//
// Launch: block 384: two warpgroups compute (the team); the third releases registers: one warp prefetches weights, the others
// report that the map is written and load halo and residual stream; grid (CTAs of an image, channel tiles, images), all of them
// on the device at once if there are several layers; dynamic shared memory = ring of weights + input tile + list of its pixels
// (+ output tile or residual stream in 16 bits). With a leading layer of another shape = ring + that layer's tile, whose memory
// the later tiles reuse + lists of both. The halo's warps build the later lists while the team multiplies the first layer.
//
// Work: a layer of 128 to 128 channels, 3x3, 128x128: 4.83 GFLOP. Operands: 96 of 128 bytes per clock (core_wgmma.cuh).
// Roofline: tensor cores.
// Measured: NVIDIA H100, driver 580.159, 2026-11-25, launches between device events, medians of 20, the network in fp16: ten
// residual layers 82 us at 256x256 (147 TFLOP/s), 132 at 512x512 (367; less in the recorded graph) and 158 at 640x480 (358), in
// tiles of 64, 128 and 192 pixels.
//
// Barriers: of the CTA before the warpgroups part; of the team (sync_team) when others have copied the halo or the maps of others
// are written, and after the tile is normalised, multiplied and staged; bar 3 of the halo's warps when the maps of other CTAs are
// written; in shared memory, that the team has stored its map (`stored`), that the halo is there (`came`) and the residual stream
// (`streamed`). The first two are in shared memory because racecheck does not follow numbered barriers at which some threads
// arrive without waiting. The ring's own barriers are in core_wgmma.cuh.
#pragma once
#include "byte_planes.cuh"
#include "chain_params.cuh"
#include "conv_wgmma.cuh"
#include "exchange.cuh"
#include "row_statistics.cuh"
#include "tile_gather.cuh"

namespace sf {

// The norm's factors of the channels from `channel` on, as the exchange left them.
template <int PACK, class Memory> __device__ __forceinline__ void read_factors(Factors<PACK>& f, const Memory& statistics, int channel) {
#pragma unroll
    for (int k = 0; k < PACK; k += 4) {
        copy_four(f.scale + k, statistics.reduce[0] + channel + k);
        copy_four(f.shift + k, statistics.reduce[1] + channel + k);
    }
}

// Writes a product's values, rounded as they are stored, to cell planes in shared memory, `pitch` bytes apart,
// rows of 8 pixels `row_bytes` apart: a warp has two rows, the first of which is `row`.
template <class S, int VALUES> __device__ __forceinline__ void stage_product(const float (&values)[VALUES], u32 to, int row, int pitch, int row_bytes) {
    const int lane = thread_number() % 32, y = row + lane / 8 % 2;
    const u32 at = to + lane / 16 * pitch + y * row_bytes + lane % 8 * 16;
#pragma unroll
    for (int plane = 0; plane < VALUES / 4; plane += 2) {
        const float* v = values + 4 * plane;
        asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at + plane * pitch),
                     "r"(narrow_pair<S>(v[0], v[1])), "r"(narrow_pair<S>(v[2], v[3])), "r"(narrow_pair<S>(v[4], v[5])),
                     "r"(narrow_pair<S>(v[6], v[7]))
                     : "memory");
    }
}

// Which of PIXELS adjacent pixels in a tile of ROWS x COLUMNS, from the one at `row`, `column` on, other CTAs read, a bit for
// each: those that are within a tap's reach of the tile's border.
template <int PIXELS, int ROWS, int COLUMNS> __device__ __forceinline__ u32 shared_pixels(int reach, int row, int column) {
    if (row < reach || row >= ROWS - reach) return ~0u;
    const u32 from_left = (1u << max(0, min(PIXELS, reach - column))) - 1u;
    return from_left | ~0u << max(0, min(PIXELS, COLUMNS - reach - column));
}

// Stores those of PIXELS adjacent staged pixels, from the one at `y`, `x` of the grid on, whose bit in `stored` is set, and
// adds all of them to the statistics: 8 channels from `channel` on, which are at `from` in shared memory.
// `then` is called in between.
template <class S, int PIXELS, class Then>
__device__ __forceinline__ void store_pixels(const ConvParams& p, void* output, u32 from, RowStatistics& own, int y, int x, int channel, int phase,
                                             u32 stored, Then then) {
    const int scale = p.phases == 4 ? 2 : 1, n = y < p.grid_height ? min(PIXELS, p.grid_width - x) : 0;
    uint4 row[PIXELS];
#pragma unroll
    for (int k = 0; k < PIXELS; ++k) row[k] = load_shared(from + 16 * k);
    const u32 pixel = (blockIdx.z * p.out_height + y * scale + (phase >> 1)) * p.out_width + x * scale + (phase & 1);
    S* to = static_cast<S*>(output) + (long long)pixel * p.out_channels + channel;
    if (channel < p.out_channels) {
#pragma unroll
        for (int k = 0; k < PIXELS; ++k) {
            if (k < n && stored >> k & 1u) *reinterpret_cast<uint4*>(to + (long long)(k * scale) * p.out_channels) = row[k];
        }
    }
    then();
    if (p.out_scale != nullptr) own.take<S>(row, n);
}

// Multiplies a loaded tile of a layer, as halves or as bytes. Bytes are made first, TOGETHER cells of a thread at a time,
// over the halves, and the weights' factors are after those of all CTAs. `first`: bytes from the tile's start to the
// first tap of this warpgroup's first pixel; `pixels`: of the input tile; `published`: the largest half of each of PUBLISHERS
// warps. The team calls it.
template <bool BYTES, int TOGETHER, int PUBLISHERS, int SLOTS, int BN, class Core, class More, class Stream>
__device__ __forceinline__ void multiply_tile(const ChainParams& chain, int at, u32 tile, int pixels, const u32* published, int first, Core& core, More& more,
                                              Stream& stream, StatisticsMemory<SLOTS, BN>& statistics) {
    const ConvParams& p = chain.all;
    // The pixels that both warpgroups multiply are after the pixels of each.
    const int offset = (2 - Core::warpgroup()) * Core::PRODUCTS * p.walk_tile;
    if constexpr (BYTES) {
        const char* weights = static_cast<const char*>(chain.layers[at].weights);
        const auto& factors = reinterpret_cast<const SumFactors<BN>*>(weights + (long long)gridDim.y * p.walk_blocks * Stream::BLOCK_BYTES)[blockIdx.y];
        ByteMemory& memory = byte_memory(statistics);
        // After a ReLU no value is negative.
        const bool is_positive = chain.layers[at].relu != 0;
        const ChannelFactor<BN> own_factor(factors, is_positive);
        const ByteFactor bytes(largest_of<PUBLISHERS>(published), is_positive);
        bytes_of_planes<TOGETHER>(p, tile, pixels, bytes);
        own_factor.publish(memory, bytes);
        publish_to_products();
        // The bytes are complete.
        sync_team();
        typename Core::Bytes sums;
        typename More::Bytes more_sums;
        more_sums.set_offset(offset);
        sums.clear();
        more_sums.clear();
        sums.settle();
        more_sums.settle();
        sums.run(p, tile + first, stream, more_sums, [] {});
        scale_sums(sums, core, memory);
        if constexpr (More::IS_SOME) scale_sums(more_sums, more, memory);
    } else {
        more.set_offset(offset);
        core.clear();
        more.clear();
        core.run(p, tile + first, stream, more, [] {});
    }
}

// Threads of a chain's team, then a warp that prefetches weights, then those that bring the halo.
constexpr int TEAM = 256, FIRST_OF_HALO = TEAM + 32, OF_HALO = 96;

// Barriers between the team and the halo's warps, and the exchange's tag before its first use.
struct HaloBarriers {
    u64 stored;  // TEAM threads have stored their values of the map
    u64 came;  // OF_HALO threads have their values of the halo in shared memory
    u64 streamed;  // the residual stream of the tile has arrived, if it is added
    u32 tag;
};

// The halo's warps: between two layers they report that this CTA's map is written, and if the tile
// `stays` in shared memory they load its halo, and the residual stream to `stream_at` if S has two bytes. LISTS: they also build the list
// of its pixels, which is not needed earlier.
template <class S, int BN, int ROWS, int COLUMNS, bool LISTS, class Gather>
__device__ __forceinline__ void bring_halos(const ChainParams& chain, HaloBarriers& barriers, u32 tile, uint2* listed, int& halo, bool stays, u32 stream_at) {
    const ConvParams& p = chain.all;
    if constexpr (LISTS) {
        typedef TileGather<S, typename Gather::Operand, OF_HALO, 1, 1, FIRST_OF_HALO, 3> Lister;
        const int place = tile_taken(p, blockIdx.x);
        bool is_inner = false;
        Lister(p, chain.layers[1], tile, listed).list(place / p.tiles_x * ROWS - p.origin, place % p.tiles_x * COLUMNS - p.origin, ROWS, COLUMNS, is_inner, &halo, true);
    }
    wait_for_launch_before();
    const bool publishes = threadIdx.x / 32 == FIRST_OF_HALO / 32 + 1;
    if (!stays && !publishes) return;
    const u32 stored = shared_address(&barriers.stored), came = shared_address(&barriers.came);
    Exchange<BN, true> exchange(chain, 0);
    const int place = tile_taken(p, blockIdx.x), near = exchange.template if_near<ROWS, COLUMNS>(place);
    for (int at = 1; at < chain.count; ++at) {
        // The team has stored its map.
        wait_barrier(stored, at - 1 & 1);
        exchange.tag = barriers.tag + at;
        if (publishes) {
            __syncwarp();
            if (threadIdx.x % 32 == 0) exchange.publish_written();
        }
        if (!stays) continue;
        const ChainLayer& layer = chain.layers[at];
        Gather gather(p, layer, tile, listed);
        gather.start_at(place / p.tiles_x * ROWS * p.stride - p.origin, place % p.tiles_x * COLUMNS * p.stride - p.origin);
        const bool streams = sizeof(S) == 2 && threadIdx.x / 32 == FIRST_OF_HALO / 32 + 2 && layer.skip != nullptr;
        // The residual stream that the previous layer stores may be written only now.
        const bool is_early = layer.skip != chain.layers[at - 1].keep;
        if (streams && is_early) gather.bring_stream(stream_at, shared_address(&barriers.streamed));
        if (threadIdx.x / 32 == FIRST_OF_HALO / 32) exchange.wait_for_maps(near);
        // The neighbouring maps are written.
        meet<OF_HALO>(3);
        if (streams && !is_early) gather.bring_stream(stream_at, shared_address(&barriers.streamed));
        gather.template copy_listed<FIRST_OF_HALO, OF_HALO>(tile, listed + p.tile_rows * p.tile_columns, halo);
        wait_for_copies();
        arrive(came);
    }
}

// This CTA's tile of a leading layer of another shape, ROWS x COLUMNS pixels of the output.
template <class S, class O, int THREADS, int ROWS, int COLUMNS> struct LeadingTileGather {
    int first_y, first_x;  // its first pixel in the input
    TileGather<S, O, THREADS, 2, 4, 0, 1, LeadingLayer> gather;

    __device__ __forceinline__ LeadingTileGather(const ChainParams& chain, u32 tile, uint2* list) : gather(chain.leading, chain.layers[0], tile, list) {
        const int place = tile_taken(chain.all, blockIdx.x), row = (u32)place / (u32)chain.all.tiles_x, column = place - row * chain.all.tiles_x;
        first_y = row * ROWS * chain.leading.stride - chain.leading.origin;
        first_x = column * COLUMNS * chain.leading.stride - chain.leading.origin;
        gather.start_at(first_y, first_x);
    }
};

// PIXELS pixels, a multiple of 64, BW wide, from maps; the parameters define the layers. A warpgroup multiplies as many times 64
// of them as both can have, and half the channels of a remaining 64; with a remainder a CTA must have a single tile.
// BYTES: halves are multiplied as bytes. LEADS: the first layer has another shape, and each CTA a single tile.
template <class S, class O, int PIXELS, int BN, int BW, int STEPS, int DEPTH, bool BYTES = false, bool LEADS = false>
__device__ __forceinline__ void convolve_chain(const ChainParams& chain) {
    constexpr int BM = PIXELS, BH = BM / BW, TILES = PIXELS / 128;
    constexpr bool DIVIDES = PIXELS % 128 != 0;
    typedef WgmmaCore<O, TILES, BN, BW, STEPS, true> Core;
    typedef typename Either<DIVIDES, SharedPixels<O, BN>, NoMore>::Type More;
    typedef typename Core::Stream Stream;
    typedef TileGather<S, O, Core::THREADS, DEPTH, (PIXELS > 128 ? 6 : 4), 0, 1, ConvParams, BYTES> Gather;
    constexpr int PACK = Gather::PACK;
    typedef LeadingTileGather<S, O, Core::THREADS, BH, BW> LeadingTile;
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ HaloBarriers of_halo;
    __shared__ int halo;  // pixels of the tile that belong to other CTAs

    const int image = blockIdx.z, n_tile = blockIdx.y;
    const ConvParams& p = chain.all;
    const int listed = p.tile_rows * p.tile_columns, ring_bytes = p.ring_stages * Stream::BLOCK_BYTES;
    // After the tile, or with the list of the first layer's tile at the end of shared memory.
    const LeadingLayer& leading = chain.leading;
    const int list_bytes = 16 * listed + 8 * leading.tile_rows * leading.tile_columns;
    u32 all_bytes;
    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(all_bytes));
    uint2* pixels = reinterpret_cast<uint2*>(memory + (LEADS ? all_bytes - list_bytes - (list_bytes & 8) : ring_bytes + p.tile_bytes));
    const u32 tile = shared_address(memory) + ring_bytes;
    const int blocks = p.phases * p.walk_blocks;
    const int tiles = p.tiles_x * p.tiles_y, mine = DIVIDES || LEADS ? 1 : (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
    Stream stream;
    stream.start(&barriers, memory, p.ring_stages, blocks, chain.count);
    const u32 stored = shared_address(&of_halo.stored), came = shared_address(&of_halo.came), streamed = shared_address(&of_halo.streamed);
    // Staging memory of a tile's output; before that, of the residual stream of the tile that stays.
    const u32 staged = LEADS ? tile + p.tile_bytes : shared_address(pixels + 2 * listed);
    if (threadIdx.x == 0) {
        init_barrier(stored, TEAM);
        init_barrier(came, OF_HALO);
        init_barrier(streamed, 1);
        publish_barriers();
    }
    // The barriers are initialised.
    __syncthreads();
    let_next_launch_begin();
    if (threadIdx.x >= Core::THREADS) {
        give_registers<56>();
        if (threadIdx.x == TEAM) stream.prefetch(chain.layers, chain.count, n_tile, mine, LEADS ? leading.walk_blocks : blocks);
        if (threadIdx.x >= FIRST_OF_HALO && chain.count > 1) {
            bring_halos<S, BN, BH, BW, LEADS, Gather>(chain, of_halo, tile, pixels, halo, Gather::IN_PLACE && mine == 1, staged);
        }
    } else {
        take_registers<224>();
        if constexpr (LEADS) {
            // Reads nothing that the previous launch writes.
            bool lists_inner = false;
            LeadingTile led(chain, tile, pixels + 2 * listed);
            led.gather.list(led.first_y, led.first_x, BH, BW, lists_inner, nullptr, false);
        }
        wait_for_launch_before();

        Exchange<BN, true> exchange(chain);
        if (threadIdx.x == 0) of_halo.tag = exchange.tag;
        // With two bytes per value a tile is stored through shared memory: less work, and shorter code,
        // which matters because it runs once.
        constexpr bool STAGES = sizeof(S) == 2;
        constexpr int LOADS = 8;  // of a tile that are in flight together
        const int phases = LEADS ? 1 : p.phases;
        int streams = 0;  // layers for which the residual stream was loaded
        typename Either<STAGES, RowStatistics, LaneStatistics<Core>>::Type own;
        Core core;
        More more;
        bool is_inner = false;  // the listed tile does not touch the map's edges
        // Writes the product's values, rounded as they are stored, to where they stay or to the staging memory, and stores them.
        auto store_tile = [&](int at, const ChainLayer& layer, bool keeps, int y0, int x0, int phase, bool is_last_tile) {
            if constexpr (STAGES) {
                static_assert(TILES <= 1 && BW == 8 && BN == 128, "as stage_product wants it");
                if (!LEADS && p.bias != nullptr) {
                    if constexpr (TILES > 0) add_bias(p, core, n_tile * BN);
                    if constexpr (DIVIDES) add_bias(p, more, n_tile * BN);
                }
                const int row_bytes = keeps ? 16 * p.tile_columns : 16 * BW, pitch = keeps ? p.pitch : 16 * BM + 16;
                const u32 to = keeps ? tile + p.origin * (16 * p.tile_columns + 16) : staged;
                if constexpr (TILES > 0) stage_product<S>(core.acc[0], to, thread_number() / 32 * 2, pitch, row_bytes);
                if constexpr (DIVIDES) {
                    const u32 half = to + More::first_column() / 8 * pitch;
                    stage_product<S>(more.acc, half, TILES * 16 + thread_number() / 32 % 4 * 2, pitch, row_bytes);
                }
                // All values are complete.
                sync_team();
                // Some adjacent pixels of a thread's 8 channels at a time.
                constexpr int SOME = DIVIDES ? 4 : 8, AT_ONCE = TEAM / 16 * SOME;
                const int pack = thread_number() % 16, column = thread_number() / 16 * SOME % BW;
                // Only neighbours read pixels that stay here from the map, unless an edge mirrors them.
                const bool shares = keeps && is_inner_tile(p, y0 - p.origin, x0 - p.origin);
#pragma unroll 1
                for (int from = 0; from < BM; from += AT_ONCE) {
                    const int row = from / BW + thread_number() / 16 * SOME / BW;
                    const u32 shared = shares ? shared_pixels<SOME, BH, BW>(p.origin, row, column) : ~0u;
                    store_pixels<S, SOME>(p, layer.output, to + pack * pitch + row * row_bytes + column * 16, own, y0 + row, x0 + column,
                                          n_tile * BN + pack * 8, phase, shared, [&] {
                        const bool is_last = from + AT_ONCE >= BM && phase == phases - 1 && is_last_tile && at + 1 < chain.count;
                        if (is_last) arrive(stored);
                    });
                }
            }
        };
        // Between two layers.
        auto publish_statistics = [&] {
            gather_warps(own, statistics);
            // The warps' parts are complete.
            sync_team();
            ++exchange.tag;
            if (threadIdx.x < BN) exchange.publish_part(statistics);
        };
        if constexpr (LEADS) {
            own.clear();
            LeadingTile led(chain, tile, pixels + 2 * listed);
            Factors<PACK> f;
            f.read(leading, image, led.gather.channel);
            led.gather.template load_plain<LOADS>(f);
            publish_to_products();
            // The tile is loaded.
            sync_team();
            more.set_offset((2 - Core::warpgroup()) * Core::PRODUCTS * leading.walk_tile);
            core.clear();
            more.clear();
            // Otherwise the compiler would treat the zeros as values set between the products, and serialise these.
            core.settle();
            more.settle();
            core.run(leading, p.walk + leading.walk_first, tile + Core::warpgroup() * TILES * leading.walk_tile, stream, more, [] {});
            // The tile is multiplied.
            sync_team();
            const int place = tile_taken(p, blockIdx.x), row = (u32)place / (u32)p.tiles_x;
            store_tile(0, chain.layers[0], true, row * BH, (place - row * p.tiles_x) * BW, 0, true);
            publish_statistics();
        }
        for (int at = LEADS;; ++at) {
            const ChainLayer& layer = chain.layers[at];
            Gather gather(p, layer, tile, pixels);
            // With a single tile, the previous layer left its values in place.
            const bool single = LEADS || Gather::IN_PLACE && mine == 1;
            const bool kept = single && at > 0, keeps = single && at + 1 < chain.count;
            // The residual stream is loaded into shared memory.
            const bool is_streamed = STAGES && kept && layer.skip != nullptr;
            auto turn_to = [&](int number) {
                const int t = tile_taken(p, number);
                const int first_y = t / p.tiles_x * BH * p.stride - p.origin, first_x = t % p.tiles_x * BW * p.stride - p.origin;
                gather.start_at(first_y, first_x);
                // A single tile is the same from layer to layer.
                if (!LEADS && (at == 0 || mine > 1)) gather.list(first_y, first_x, BH, BW, is_inner, &halo, mine == 1 && chain.count > 1);
            };
            own.clear();
            uint4 skipped[DEPTH];
            Factors<PACK> f;
            // The first tile, and the norm's factors.
            turn_to(blockIdx.x);
            if (!LEADS && at == 0) {
                f.read(p, image, gather.channel);
            } else {
                // Not the residual stream that the previous layer stores: it may be written only now.
                const bool is_early = layer.skip != chain.layers[at - 1].keep;
                if (!STAGES && kept && is_early) gather.prefetch(skipped, gather.first);
                if (threadIdx.x < BN) {
                    exchange.merge(p, chain.layers[at - 1], statistics);
                } else if (kept) {
                    wait_barrier(came, at - 1 & 1);
                    if (is_streamed) wait_barrier(streamed, streams & 1);
                } else if (threadIdx.x / 32 == BN / 32) {
                    exchange.wait_for_maps(-1);
                }
                // The copies of other warps are complete, or the others' maps are written, and the norm's factors are known.
                sync_team();
                read_factors(f, statistics, gather.channel);
                if (!STAGES && kept && !is_early) gather.prefetch(skipped, gather.first);
            }
            if (!kept) {
                gather.template load<LOADS>(f, n_tile == 0);
            } else if constexpr (STAGES) {
                streams += is_streamed;
                gather.normalise_streamed(is_streamed ? staged : 0u, f, n_tile == 0);
            } else {
                gather.normalise(skipped, f, n_tile == 0);
            }
            u32* const published = published_largest(statistics, 0);
            gather.publish_found(published);
            publish_to_products();
            // The tile is loaded.
            sync_team();

            for (int t = blockIdx.x;;) {
                const int place = tile_taken(p, t), y0 = place / p.tiles_x * BH, x0 = place % p.tiles_x * BW, next = DIVIDES || LEADS ? tiles : t + (int)gridDim.x;
                for (int phase = 0; phase < phases; ++phase) {
                    const int first = (phase >> 1) * p.walk_row + (phase & 1) * 16 + Core::warpgroup() * TILES * p.walk_tile;
                    multiply_tile<BYTES, 3, TEAM / 32>(chain, at, tile, listed, published, first, core, more, stream, statistics);
                    // The tile is multiplied.
                    sync_team();
                    if constexpr (STAGES) {
                        store_tile(at, layer, keeps, y0, x0, phase, next >= tiles);
                    } else {
                        write_map<S, BN>(p, layer.output, core, own, image, n_tile, phase, [&](int row, int& y, int& x) {
                            y = y0 + Core::pixel(row) / BW;
                            x = x0 + Core::pixel(row) % BW;
                            const int in_tile = (y - y0 + p.origin) * p.tile_columns + x - x0 + p.origin;
                            return keeps ? tile + 16 * in_tile : 0u;
                        });
                    }
                }
                if (DIVIDES || LEADS || next >= tiles) break;
                t = next;
                turn_to(t);
                gather.template load<LOADS>(f, n_tile == 0);
                gather.publish_found(published);
                publish_to_products();
                // The tile is loaded.
                sync_team();
            }
            if (at + 1 == chain.count) break;
            if constexpr (!STAGES) arrive(stored);
            publish_statistics();
        }
        if (chain.count > 1) exchange.end();
        if (p.out_scale != nullptr) merge_launch<true, Exchange<BN, true>::MOST>(p, own, statistics);
    }
}

}  // namespace sf

// Entries whose maps have two bytes a value, in tiles of PIXELS.
#define SF_SHORT_CHAIN(NAME, S, PIXELS, BYTES, LEADS)                                                   \
    extern "C" __global__ void __launch_bounds__(384, 1) NAME(const __grid_constant__ ChainParams p) {  \
        convolve_chain<S, S, PIXELS, 128, 8, 4, 4, BYTES, LEADS>(p);                                    \
    }
// All of them for maps of S, with operands in BYTES or of the maps' type.
#define SF_SHORT_CHAINS(S, BYTES, FORMAT)                                 \
    SF_SHORT_CHAIN(wgmma_leading_64x128_##FORMAT, S, 64, BYTES, true)     \
    SF_SHORT_CHAIN(wgmma_leading_128x128_##FORMAT, S, 128, BYTES, true)   \
    SF_SHORT_CHAIN(wgmma_leading_192x128_##FORMAT, S, 192, BYTES, true)   \
    SF_SHORT_CHAIN(wgmma_64x128_##FORMAT, S, 64, BYTES, false)            \
    SF_SHORT_CHAIN(wgmma_128x128_##FORMAT, S, 128, BYTES, false)          \
    SF_SHORT_CHAIN(wgmma_192x128_##FORMAT, S, 192, BYTES, false)
