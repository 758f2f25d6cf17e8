// Convolutions to more than 64 channels on Hopper, and chains of them: layers of equal shape that run one after
// another in one launch, each reading what the one before wrote. That is the row of residual blocks. One layer
// is a chain too. Formulas, fusions, layouts and numerics are those of conv_wgmma.cuh.
//
// Entries (wgmma_fp16.cu, wgmma_tf32.cu, wgmma_bf16.cu, wgmma_mixed.cu), PxN being output pixels x
// channels of a CTA:
//   wgmma_PxN_*          map to raw map, one layer or several
//
// GEMM: M = output pixels, N = output channels (128 at a time), K = taps x input channels.
//
// Between layers nothing goes back to the driver: the CTAs tell each other their statistics and that their
// maps are written (exchange.cuh). Meanwhile the next layer's weights come. A CTA that has a single tile
// leaves its values where they are, in shared memory, and reads only the pixels around it.
//
// Launch: block 384: two warpgroups compute and one gives its registers away and asks for weights; grid (CTAs of
// an image, channel tiles, images), all of them on the device at once where there are several layers;
// dynamic shared memory = ring of weights + input tile + list of its pixels (+ output tile in 16 bits).
//
// Work: a layer of 128 to 128 channels, 3x3, 128x128: 4.83 GFLOP. Roofline: arithmetic, of the tensor cores.
// Measured: NVIDIA H200, driver 580.159, 2026-11-20, launches between device events, medians of 60, the network
// at 512x512 in fp16: ten residual layers 147 us (330 TFLOP/s of 650 to 790), the layer to 128 channels before them 28. Of
// a layer's 28,000 clocks the products take 10,600, the exchange 8,500, the norm 2,000. Where a multiprocessor has several
// tiles, deep_wgmma.cuh is faster in 16 bits: at 1280x720 the ten layers took 500 us here, of which the products took 39 %.
// Slower there: two tiles in turn, the next one normalised by the same warps while one is multiplied (52 to 57 us a layer).
//
// Barriers: of the CTA before the warpgroups part; of the team (sync_team) after the tile was copied by others,
// after it is normalised, after it is multiplied, after it is staged; bar 2 and 3 within a half of the team
// in the exchange. The ring's own are in core_wgmma.cuh.
#pragma once
#include "chain_params.cuh"
#include "conv_wgmma.cuh"
#include "exchange.cuh"

namespace sf {

// A load that stays where it is written.
__device__ __forceinline__ uint4 load_early(const void* from) {
    uint4 v;
    asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from) : "memory");
    return v;
}
__device__ __forceinline__ void copy_four(float* to, const float* from) {
    const float4 four = *reinterpret_cast<const float4*>(from);
    to[0] = four.x; to[1] = four.y; to[2] = four.z; to[3] = four.w;
}

// Brings an input tile into shared memory as gather.cuh does, in two steps where maps and operands are as
// wide: the raw values are copied while something else is computed, then they are normalised in place, by
// the thread that copied them. DEPTH loads of the residual stream are under way
// together, and TOGETHER values are normalised at once where there is none. The CTA's threads from
// FIRST on do it, THREADS of them, and synchronise by the barrier BAR.
template <class S, class O, int THREADS, int DEPTH, int TOGETHER = 5, int FIRST = 0, int BAR = 1>
struct TileGather {
    static constexpr int PACK = Pack<S>::COUNT;
    static constexpr bool IN_PLACE = sizeof(S) == sizeof(O);
    const ConvParams& p;
    const ChainLayer& layer;
    u32 tile;  // where this thread's channels lie
    int channel, per_round, first, total;
    long long start;  // bytes from a map's start to this thread's channels of the tile's first pixel
    uint2* pixels;

    __device__ __forceinline__ TileGather(const ConvParams& params, const ChainLayer& of_chain, u32 at, uint2* list)
        : p(params), layer(of_chain), start(0), pixels(list) {
        const int packs = p.chunk_channels / PACK, pack = thread() % packs;
        per_round = THREADS / packs;
        first = thread() / packs;
        channel = pack * PACK;
        total = first < per_round ? p.tile_rows * p.tile_columns : 0;
        tile = at + CellPlanes::channel(p, channel * (int)sizeof(O));
    }

    __device__ __forceinline__ static int thread() { return (int)threadIdx.x - FIRST; }
    __device__ __forceinline__ static void sync() { asm volatile("bar.sync %0, %1;" ::"n"(BAR), "n"(THREADS) : "memory"); }

    __device__ __forceinline__ void start_at(int first_y, int first_x) {
        const long long pixel = ((long long)blockIdx.z * p.in_height + first_y) * p.in_width + first_x;
        start = (pixel * p.in_channels + channel) * (long long)sizeof(S);
    }

    // Makes the list one for the tile at `first_y`, `first_x`; `is_inner`: it is one for an inner tile. Behind it come
    // the pixels of other CTAs `again`, `around` of them. All threads call it while nobody reads the list; it may be
    // read behind it.
    __device__ __forceinline__ void list(int first_y, int first_x, int block_rows, int block_columns, bool& is_inner, int* around, bool again) const {
        const bool inner = !again && is_inner_tile(p, first_y, first_x);
        if (inner && is_inner) return;
        is_inner = inner;
        if (again) {
            if (thread() == 0) *around = 0;
            sync();
        }
        list_tile<S, THREADS>(p, pixels, thread(), first_y, first_x, inner, block_rows, block_columns, [&](const uint2& pixel) {
            if (again && !(pixel.y & OWNED)) pixels[p.tile_rows * p.tile_columns + atomicAdd(around, 1)] = pixel;
        });
        sync();
    }

    __device__ __forceinline__ S* of(const void* map, const uint2& pixel) const {
        return reinterpret_cast<S*>(static_cast<char*>(const_cast<void*>(map)) + start + (int)pixel.x);
    }
    __device__ __forceinline__ static u32 place(const uint2& pixel) { return pixel.y & ~OWNED; }

    // Asks for the raw values of some of `count` listed pixels: those from `i` on that are `apart`. FOUR places are
    // read together.
    __device__ __forceinline__ static void copy_some(u32 to, const char* from, const uint2* listed, int i, int apart, int count) {
        constexpr int FOUR = 4;
#pragma unroll 1
        for (; i + (FOUR - 1) * apart < count; i += FOUR * apart) {
            uint2 pixel[FOUR];
#pragma unroll
            for (int d = 0; d < FOUR; ++d) pixel[d] = listed[i + d * apart];
#pragma unroll
            for (int d = 0; d < FOUR; ++d) copy_async(to + place(pixel[d]), from + (int)pixel[d].x);
        }
#pragma unroll 1
        for (; i < count; i += apart) {
            const uint2 pixel = listed[i];
            copy_async(to + place(pixel), from + (int)pixel.x);
        }
    }

    // Asks for the raw values that this thread normalises.
    __device__ __forceinline__ void copy_own() const {
        if constexpr (IN_PLACE) copy_some(tile, static_cast<const char*>(layer.input) + start, pixels, first, per_round, total);
    }

    // Asks for the raw values of `count` listed pixels, by the last half of the threads.
    __device__ __forceinline__ void copy_by_half(u32 memory, const uint2* listed, int count) const {
        if constexpr (IN_PLACE) {
            const int packs = p.chunk_channels / PACK, at_once = THREADS / 2 / packs;
            const int of_half = thread() - THREADS / 2, pack = of_half % packs;
            if (of_half / packs >= at_once) return;
            const char* from = static_cast<const char*>(layer.input) + start + (pack * PACK - channel) * (int)sizeof(S);
            copy_some(memory + pack * p.pitch, from, listed, of_half / packs, at_once, count);
        }
    }

    // Asks for values of the residual stream.
    __device__ __forceinline__ void ask(uint4 (&stream)[DEPTH], int from) const {
        if (layer.skip == nullptr) return;
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            const int i = from + d * per_round;
            if (i < total) stream[d] = load_early(of(layer.skip, pixels[i]));
        }
    }

    // The raw values of a pixel's channels.
    __device__ __forceinline__ uint4 raw(const uint2& pixel) const {
        if constexpr (IN_PLACE) return load_shared(tile + place(pixel));
        return load_early(of(layer.input, pixel));
    }
    // COUNT pixels from `from` on, all there.
    template <bool RELU, int COUNT> __device__ __forceinline__ void normalise_some(int from, const Factors<PACK>& f) const {
        uint2 pixel[COUNT];
        uint4 v[COUNT];
#pragma unroll
        for (int d = 0; d < COUNT; ++d) pixel[d] = pixels[from + d * per_round];
#pragma unroll
        for (int d = 0; d < COUNT; ++d) v[d] = raw(pixel[d]);
#pragma unroll
        for (int d = 0; d < COUNT; ++d) {
            float value[PACK];
            widen_pack<S>(v[d], value);
            f.apply(value);
            put_pack<O, RELU>(tile + place(pixel[d]), value);
        }
    }

    // Normalises what was copied, where nothing is added or kept.
    template <bool RELU> __device__ __forceinline__ void normalise_plain(const Factors<PACK>& f) const {
        int i = first;
#pragma unroll 1
        for (; i + (TOGETHER - 1) * per_round < total; i += TOGETHER * per_round) normalise_some<RELU, TOGETHER>(i, f);
#pragma unroll 1
        for (; i < total; i += per_round) normalise_some<RELU, 1>(i, f);
    }

    // What happens to a pixel's channels behind the norm.
    __device__ __forceinline__ void finish(const uint2& pixel, float (&value)[PACK], const uint4& stream, bool owned) const {
        if (layer.skip != nullptr) {
            float more[PACK];
            widen_pack<S>(stream, more);
#pragma unroll
            for (int k = 0; k < PACK; ++k) value[k] += more[k];
        }
        if (layer.relu) {
#pragma unroll
            for (int k = 0; k < PACK; ++k) value[k] = fmaxf(value[k], 0.0f);
        }
        put_pack<O, false>(tile + place(pixel), value);
        // The residual stream is written by the CTA in whose block a pixel lies.
        if (layer.keep != nullptr && owned && pixel.y & OWNED) store_pack(of(layer.keep, pixel), value);
    }

    // DEPTH pixels from `from` on, where values are added or kept.
    __device__ __forceinline__ void add_some(int from, const uint4 (&stream)[DEPTH], const Factors<PACK>& f, bool owned) const {
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            if (from + d * per_round >= total) break;
            const uint2 pixel = pixels[from + d * per_round];
            float value[PACK];
            widen_pack<S>(raw(pixel), value);
            f.apply(value);
            finish(pixel, value, stream[d], owned);
        }
    }

    // Normalises what was copied. `stream` was asked for from `first` on.
    __device__ __forceinline__ void normalise(uint4 (&stream)[DEPTH], const Factors<PACK>& f, bool owned) const {
        if (layer.skip == nullptr && layer.keep == nullptr) {
            if (layer.relu) {
                normalise_plain<true>(f);
            } else {
                normalise_plain<false>(f);
            }
            return;
        }
        for (int from = first; from < total; from += DEPTH * per_round) {
            if (from != first) ask(stream, from);
            add_some(from, stream, f, owned);
        }
    }
};

// Statistics as of LaneStatistics, gathered from rows of 8 pixels in shared memory: a thread has 8 channels.
struct RowStatistics {
    float count;
    float mean[8];
    float squares[8];

    __device__ __forceinline__ void clear() {
        count = 0.0f;
#pragma unroll
        for (int c = 0; c < 8; ++c) mean[c] = squares[c] = 0.0f;
    }

    // Takes in the first `n` of some pixels, as they are stored.
    template <class S, int PIXELS> __device__ __forceinline__ void take(const uint4 (&row)[PIXELS], int n) {
        if (n <= 0) return;
        float sum[8], q[8];
#pragma unroll
        for (int c = 0; c < 8; ++c) sum[c] = q[c] = 0.0f;
#pragma unroll
        for (int k = 0; k < PIXELS; ++k) {
            if (k < n) {
                float value[8];
                widen_pack<S>(row[k], value);
#pragma unroll
                for (int c = 0; c < 8; ++c) sum[c] += value[c];
            }
        }
        const float part = __fdividef(1.0f, (float)n);
#pragma unroll
        for (int k = 0; k < PIXELS; ++k) {
            if (k < n) {
                float value[8];
                widen_pack<S>(row[k], value);
#pragma unroll
                for (int c = 0; c < 8; ++c) {
                    const float d = fmaf(-part, sum[c], value[c]);
                    q[c] = fmaf(d, d, q[c]);
                }
            }
        }
        const float share = chan_share(count, (float)n), weight = count * share;
#pragma unroll
        for (int c = 0; c < 8; ++c) {
            const float delta = sum[c] * part - mean[c];
            mean[c] = fmaf(delta, share, mean[c]);
            squares[c] += fmaf(delta * delta, weight, q[c]);
        }
        count += (float)n;
    }
};

// Hands them over to the CTA; the caller synchronises behind it. The halves of a warp have the same channels. With
// JOINS they join what the warp handed over before.
template <bool JOINS = false, int SLOTS, int BN>
__device__ __forceinline__ void gather_warps(const RowStatistics& own, StatisticsMemory<SLOTS, BN>& memory) {
    static_assert(BN == 128, "16 threads have all channels");
    const int warp = threadIdx.x / 32 % SLOTS, first = threadIdx.x % 16 * 8;
    const float n = __shfl_down_sync(0xffffffffu, own.count, 16);
    const float share = chan_share(own.count, n), weight = own.count * share;
    const float before = JOINS ? memory.count[warp] : 0.0f;
    const float joining = JOINS ? chan_share(before, own.count + n) : 0.0f, joining_weight = before * joining;
#pragma unroll
    for (int c = 0; c < 8; ++c) {
        const float m = __shfl_down_sync(0xffffffffu, own.mean[c], 16), q = __shfl_down_sync(0xffffffffu, own.squares[c], 16);
        const float delta = m - own.mean[c];
        float mean = fmaf(delta, share, own.mean[c]), squares = own.squares[c] + fmaf(delta * delta, weight, q);
        if (threadIdx.x % 32 < 16) {
            if (JOINS) {
                const float there = memory.mean[warp][first + c], step = mean - there;
                mean = fmaf(step, joining, there);
                squares = memory.squares[warp][first + c] + fmaf(step * step, joining_weight, squares);
            }
            memory.mean[warp][first + c] = mean;
            memory.squares[warp][first + c] = squares;
        }
    }
    // The count was read.
    if (JOINS) __syncwarp();
    if (threadIdx.x % 32 == 0) memory.count[warp] = before + own.count + n;
    if (JOINS) __syncwarp();
}

// Puts a tile's values, rounded as they are stored, into cell planes in shared memory, `pitch` bytes apart,
// rows of 8 pixels `row_bytes` apart.
template <class S, class Core> __device__ __forceinline__ void stage_tile(Core& core, u32 to, int pitch, int row_bytes) {
    const int lane = threadIdx.x % 32, y = threadIdx.x / 32 * 2 + lane / 8 % 2;
    const u32 at = to + lane / 16 * pitch + y * row_bytes + lane % 8 * 16;
#pragma unroll
    for (int plane = 0; plane < Core::COLUMNS / 2; plane += 2) {
        const float* v = core.acc[0] + 4 * plane;
        asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at + plane * pitch),
                     "r"(narrow_pair<S>(v[0], v[1])), "r"(narrow_pair<S>(v[2], v[3])), "r"(narrow_pair<S>(v[4], v[5])),
                     "r"(narrow_pair<S>(v[6], v[7]))
                     : "memory");
    }
}

// Stores PIXELS staged pixels side by side, from the one at `y`, `x` of the grid on, and takes them into the statistics:
// 8 channels from `channel` on, which lie at `from` in shared memory.
template <class S, int PIXELS>
__device__ __forceinline__ void store_pixels(const ConvParams& p, void* output, u32 from, RowStatistics& own, int y, int x, int channel, int phase) {
    const int scale = p.phases == 4 ? 2 : 1, n = y < p.grid_height ? min(PIXELS, p.grid_width - x) : 0;
    uint4 row[PIXELS];
#pragma unroll
    for (int k = 0; k < PIXELS; ++k) row[k] = load_shared(from + 16 * k);
    const u32 pixel = (blockIdx.z * p.out_height + y * scale + (phase >> 1)) * p.out_width + x * scale + (phase & 1);
    S* to = static_cast<S*>(output) + (long long)pixel * p.out_channels + channel;
    if (channel < p.out_channels) {
#pragma unroll
        for (int k = 0; k < PIXELS; ++k) {
            if (k < n) *reinterpret_cast<uint4*>(to + (long long)(k * scale) * p.out_channels) = row[k];
        }
    }
    if (p.out_scale != nullptr) own.take<S>(row, n);
}

template <bool ROWS, class Core> struct StatisticsOf { typedef LaneStatistics<Core> Type; };
template <class Core> struct StatisticsOf<true, Core> { typedef RowStatistics Type; };

// TILES x 128 pixels, BW side by side, from maps; the parameters say which layers.
template <class S, class O, int TILES, int BN, int BW, int STEPS, int DEPTH>
__device__ __forceinline__ void convolve_chain(const ChainParams& chain) {
    constexpr int BM = 128 * TILES, BH = BM / BW;
    typedef WgmmaCore<O, TILES, BN, BW, STEPS, true> Core;
    typedef typename Core::Stream Stream;
    typedef TileGather<S, O, Core::THREADS, DEPTH> Gather;
    constexpr int PACK = Gather::PACK;
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ int around;  // pixels of the tile that other CTAs have

    const int image = blockIdx.z, n_tile = blockIdx.y;
    const ConvParams& p = chain.all;
    const u32 tile = shared_address(memory) + p.ring_stages * Stream::BLOCK_BYTES;
    const int listed = p.tile_rows * p.tile_columns;
    // Behind the tile.
    uint2* pixels = reinterpret_cast<uint2*>(memory + p.ring_stages * Stream::BLOCK_BYTES + p.tile_bytes);
    const int blocks = p.phases * p.walk_blocks;
    const int tiles = p.tiles_x * p.tiles_y, mine = (tiles - (int)blockIdx.x + (int)gridDim.x - 1) / (int)gridDim.x;
    Stream stream;
    stream.start(&barriers, memory, p.ring_stages, blocks, chain.count);
    // The ring's barriers are there.
    __syncthreads();
    let_next_launch_begin();
    if (threadIdx.x >= Core::THREADS) {
        give_registers<24>();
        if (threadIdx.x == Core::THREADS) stream.ask(chain.layers, chain.count, n_tile, mine);
    } else {
        take_registers<240>();
        wait_for_launch_before();

        Exchange<BN> exchange(chain);
        // In two bytes a tile goes through shared memory on its way out: less to do, and a program that is
        // shorter, which counts where it runs once.
        constexpr bool STAGES = sizeof(S) == 2;
        const u32 staged = shared_address(pixels + 2 * listed);
        typename StatisticsOf<STAGES, Core>::Type own;
        Core core;
        bool is_inner = false;  // the listed tile does not touch the map's edges
        for (int at = 0;; ++at) {
            const ChainLayer& layer = chain.layers[at];
            Gather gather(p, layer, tile, pixels);
            // Of a single tile, the layer before left its values in place.
            const bool single = Gather::IN_PLACE && mine == 1;
            const bool kept = single && at > 0, keeps = single && at + 1 < chain.count;
            auto turn_to = [&](int t) {
                const int first_y = t / p.tiles_x * BH * p.stride - p.origin, first_x = t % p.tiles_x * BW * p.stride - p.origin;
                gather.start_at(first_y, first_x);
                // A single tile stays the same from layer to layer.
                if (at == 0 || mine > 1) gather.list(first_y, first_x, BH, BW, is_inner, &around, mine == 1 && chain.count > 1);
            };
            own.clear();

            // The first tile, and what the norm does.
            turn_to(blockIdx.x);
            uint4 skipped[DEPTH];
            gather.ask(skipped, gather.first);
            Factors<PACK> f;
            if (at == 0) {
                gather.copy_own();
                f.read(p, image, gather.channel);
                wait_for_copies();
            } else {
                if (threadIdx.x < Core::THREADS / 2) {
                    exchange.merge(p, chain.layers[at - 1], statistics);
                } else {
                    exchange.wait_for_maps();
                    gather.copy_by_half(tile, kept ? pixels + listed : pixels, kept ? around : listed);
                }
                wait_for_copies();
                // What others copied is there, and what the norm does to it.
                sync_team();
#pragma unroll
                for (int k = 0; k < PACK; k += 4) {
                    copy_four(f.scale + k, statistics.reduce[0] + gather.channel + k);
                    copy_four(f.shift + k, statistics.reduce[1] + gather.channel + k);
                }
            }
            gather.normalise(skipped, f, n_tile == 0);
            publish_to_products();
            // The tile is there.
            sync_team();

            for (int t = blockIdx.x;;) {
                const int y0 = t / p.tiles_x * BH, x0 = t % p.tiles_x * BW, next = t + (int)gridDim.x;
                for (int phase = 0; phase < p.phases; ++phase) {
                    core.clear();
                    const int first = (phase >> 1) * p.walk_row + (phase & 1) * 16 + Core::warpgroup() * TILES * p.walk_tile;
                    core.run(p, tile + first, stream);
                    // The tile is multiplied.
                    sync_team();
                    if (phase == p.phases - 1 && next < tiles) {
                        // The next one comes while this one's values are stored.
                        turn_to(next);
                        gather.copy_own();
                    }
                    if constexpr (STAGES) {
                        static_assert(TILES == 1 && BW == 8 && BN == 128, "as stage_tile wants it");
                        if (p.bias != nullptr) add_bias(p, core, n_tile * BN);
                        const int row_bytes = keeps ? 16 * p.tile_columns : 16 * BW, pitch = keeps ? p.pitch : 16 * BM + 16;
                        const u32 to = keeps ? tile + p.origin * (16 * p.tile_columns + 16) : staged;
                        stage_tile<S>(core, to, pitch, row_bytes);
                        // All values are there.
                        sync_team();
                        const int row = threadIdx.x / 16, pack = threadIdx.x % 16;
                        store_pixels<S, 8>(p, layer.output, to + pack * pitch + row * row_bytes, own, y0 + row, x0, n_tile * BN + pack * 8, phase);
                    } else {
                        write_map<S, BN>(p, layer.output, core, own, image, n_tile, phase, [&](int row, int& y, int& x) {
                            y = y0 + Core::pixel(row) / BW;
                            x = x0 + Core::pixel(row) % BW;
                            const int in_tile = (y - y0 + p.origin) * p.tile_columns + x - x0 + p.origin;
                            return keeps ? tile + 16 * in_tile : 0u;
                        });
                    }
                }
                if (next >= tiles) break;
                t = next;
                gather.ask(skipped, gather.first);
                wait_for_copies();
                gather.normalise(skipped, f, n_tile == 0);
                publish_to_products();
                // The tile is there.
                sync_team();
            }
            if (at + 1 == chain.count) break;
            exchange.publish(own, statistics);
        }
        if (chain.count > 1) exchange.end();
        if (p.out_scale != nullptr) finish_statistics(p, own, statistics);
    }
}

}  // namespace sf
