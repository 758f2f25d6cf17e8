// Convolutions to more than 64 channels on Hopper, and chains of them: layers of equal shape that run one after
// another in one launch, each reading what the one before wrote. That is the row of residual blocks. One layer
// is a chain too. Formulas, fusions, layouts and numerics are those of conv_wgmma.cuh.
//
// Entries (wgmma_fp16.cu, wgmma_tf32.cu, wgmma_bf16.cu, wgmma_mixed.cu, wgmma_fp16x2.cu, wgmma_int8.cu), PxN being
// output pixels x channels of a CTA:
//   wgmma_PxN_*          map to raw map, one layer or several
//
// GEMM: M = output pixels, N = output channels (128 at a time), K = taps x input channels.
//
// Between layers nothing goes back to the driver: the CTAs tell each other their statistics and that their
// maps are written (exchange.cuh). Meanwhile the next layer's weights come. A CTA that has a single tile
// leaves its values where they are, in shared memory, and reads only its halo, from the CTAs around, while the statistics are
// exchanged.
//
// Launch: block 384: two warpgroups compute (the team); the third gives registers away: one warp prefetches weights, the others
// tell that the map is written and bring the halo; grid (CTAs of
// an image, channel tiles, images), all of them on the device at once where there are several layers;
// dynamic shared memory = ring of weights + input tile + list of its pixels (+ output tile in 16 bits).
//
// Work: a layer of 128 to 128 channels, 3x3, 128x128: 4.83 GFLOP. Operands: 96 of 128 bytes a clock (core_wgmma.cuh). Roofline: arithmetic, of the tensor cores.
// Measured: NVIDIA H100, driver 580.159, 2026-11-25, launches between device events, medians of 30, the network
// at 512x512 in fp16: ten residual layers 129 to 132 us (370 TFLOP/s), the layer to 128 channels before them 28. Of
// a layer's 24,000 clocks the products take 10,100, the exchange some 6,000 (2,400 to 3,400 of them until the parts of all CTAs have
// come, 900 until they are merged, 1,500 until that is known), the norm 1,800 (3,600 where the residual stream is
// added), storing and statistics 3,500. Before a channel was merged by one CTA and the halo brought by warps of its own: 141 us.
// Slower: the residual stream brought by those warps while the layer before is multiplied (137 us), whose copies take shared memory
// from the products. Where a multiprocessor has several
// tiles, deep_wgmma.cuh is faster in 16 bits: at 1280x720 the ten layers took 500 us here, of which the products took 39 %.
// Slower there: two tiles in turn, the next one normalised by the same warps while one is multiplied (52 to 57 us a layer).
//
// Barriers: of the CTA before the warpgroups part; of the team (sync_team) after the tile was copied by others,
// after it is normalised, after it is multiplied, after it is staged; bar 3 of a half of the team or of the halo's warps when
// the maps of other CTAs are written; in shared memory, that the team has stored its map (`stored`) and that the halo is there
// (`came`). These two are in shared memory because racecheck does not follow barriers by number at which some arrive without
// waiting. The ring's own are in core_wgmma.cuh.
#pragma once
#include "byte_planes.cuh"
#include "chain_params.cuh"
#include "conv_wgmma.cuh"
#include "exchange.cuh"
#include "row_statistics.cuh"

namespace sf {

// A load that stays where it is written.
__device__ __forceinline__ uint4 load_early(const void* from) {
    uint4 v;
    asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from) : "memory");
    return v;
}

// What the norm does to the channels from `channel` on, as the exchange left it.
template <int PACK, class Memory> __device__ __forceinline__ void read_factors(Factors<PACK>& f, const Memory& statistics, int channel) {
#pragma unroll
    for (int k = 0; k < PACK; k += 4) {
        copy_four(f.scale + k, statistics.reduce[0] + channel + k);
        copy_four(f.shift + k, statistics.reduce[1] + channel + k);
    }
}

// Loads an input tile into shared memory as gather.cuh does, in two steps where maps and operands are as
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
    const char* input;  // that place in the input, where it is not copied
    uint2* pixels;

    __device__ __forceinline__ TileGather(const ConvParams& params, const ChainLayer& of_chain, u32 at, uint2* list)
        : p(params), layer(of_chain), start(0), input(nullptr), pixels(list) {
        const int packs = p.chunk_channels / PACK, pack = thread() % packs;
        per_round = THREADS / packs;
        first = thread() / packs;
        channel = pack * PACK;
        total = first < per_round ? p.tile_rows * p.tile_columns : 0;
        tile = at + CellPlanes::channel(p, channel * (int)sizeof(O));
    }

    __device__ __forceinline__ static int thread() {
        return thread_number() - FIRST;
    }
    __device__ __forceinline__ static void sync() { asm volatile("bar.sync %0, %1;" ::"n"(BAR), "n"(THREADS) : "memory"); }

    __device__ __forceinline__ void start_at(int first_y, int first_x) {
        const long long pixel = ((long long)blockIdx.z * p.in_height + first_y) * p.in_width + first_x;
        start = (pixel * p.in_channels + channel) * (long long)sizeof(S);
        if constexpr (!IN_PLACE) input = static_cast<const char*>(layer.input) + start;
    }

    // Makes the list one for the tile at `first_y`, `first_x`; `is_inner`: it is one for an inner tile. Behind it come
    // the pixels of other CTAs `again`, `halo` of them. All threads call it while nobody reads the list; it may be
    // read behind it.
    __device__ __forceinline__ void list(int first_y, int first_x, int block_rows, int block_columns, bool& is_inner, int* halo, bool again) const {
        const bool inner = !again && is_inner_tile(p, first_y, first_x);
        if (inner && is_inner) return;
        is_inner = inner;
        if (again) {
            if (thread() == 0) *halo = 0;
            sync();
        }
        list_tile<S, THREADS>(p, pixels, thread(), first_y, first_x, inner, block_rows, block_columns, [&](const uint2& pixel) {
            if (again && !(pixel.y & OWNED)) pixels[p.tile_rows * p.tile_columns + atomicAdd(halo, 1)] = pixel;
        });
        sync();
    }

    __device__ __forceinline__ static u32 place(const uint2& pixel) { return pixel.y & ~OWNED; }

    // Asks for the raw values of some of `count` listed pixels: those from `i` on that are `apart`. Three places are
    // read together.
    __device__ __forceinline__ static void copy_some(u32 to, const char* from, const uint2* listed, int i, int apart, int count) {
        constexpr int SOME = 3;
#pragma unroll 1
        for (; i + (SOME - 1) * apart < count; i += SOME * apart) {
            uint2 pixel[SOME];
#pragma unroll
            for (int d = 0; d < SOME; ++d) pixel[d] = listed[i + d * apart];
#pragma unroll
            for (int d = 0; d < SOME; ++d) copy_async(to + place(pixel[d]), from + (int)pixel[d].x);
        }
#pragma unroll 1
        for (; i < count; i += apart) {
            const uint2 pixel = listed[i];
            copy_async(to + place(pixel), from + (int)pixel.x);
        }
    }

    // Asks for the values of `map` that belong to what this thread normalises, `to` being where its channels go.
    __device__ __forceinline__ void copy_own(u32 to, const void* map) const {
        if constexpr (IN_PLACE) copy_some(to, static_cast<const char*>(map) + start, pixels, first, per_round, total);
    }
    // The raw values.
    __device__ __forceinline__ void copy_own() const { copy_own(tile, layer.input); }
    // Those of pixels that other CTAs have, of this thread's.
    __device__ __forceinline__ void copy_halo() const {
        constexpr int FOUR = 4;
        const char* from = static_cast<const char*>(layer.input) + start;
#pragma unroll 1
        for (int i = first; i < total; i += FOUR * per_round) {
            uint2 pixel[FOUR];
#pragma unroll
            for (int d = 0; d < FOUR; ++d) pixel[d] = pixels[min(i + d * per_round, total - 1)];
#pragma unroll
            for (int d = 0; d < FOUR; ++d) {
                if (!(pixel[d].y & OWNED)) copy_async(tile + pixel[d].y, from + (int)pixel[d].x);
            }
        }
    }

    // The raw values in GROUPS, the first ones of OF_GROUP pixels, that normalise_groups waits for one after another.
    static constexpr int GROUPS = 4, OF_GROUP = 2 * TOGETHER;
    __device__ __forceinline__ int end_of(int group) const {
        return group + 1 < GROUPS ? min(total, first + (group + 1) * OF_GROUP * per_round) : total;
    }
    __device__ __forceinline__ void copy_groups() const {
        int from = first;
#pragma unroll 1
        for (int group = 0; group < GROUPS; ++group, from += OF_GROUP * per_round) {
            copy_some(tile, static_cast<const char*>(layer.input) + start, pixels, from, per_round, end_of(group));
            commit_copies();
        }
    }
    template <bool RELU> __device__ __forceinline__ void normalise_groups(const Factors<PACK>& f) const {
        static_assert(GROUPS == 4, "as many are waited for");
        int from = first;
#pragma unroll 1
        for (int group = 0; group < GROUPS; ++group, from += OF_GROUP * per_round) {
            if (group == 0) wait_for_copies<3>();
            if (group == 1) wait_for_copies<2>();
            if (group == 2) wait_for_copies<1>();
            if (group == 3) wait_for_copies<0>();
            normalise_plain<RELU>(from, end_of(group), f);
        }
    }

    // Asks for the raw values of `count` listed pixels, by the CTA's threads from OF_FIRST on, COPIERS of them.
    template <int OF_FIRST, int COPIERS> __device__ __forceinline__ void copy_listed(u32 to, const uint2* listed, int count) const {
        if constexpr (IN_PLACE) {
            const int packs = p.chunk_channels / PACK, at_once = COPIERS / packs;
            const int number = thread() + FIRST - OF_FIRST, pack = number % packs;
            if (number / packs >= at_once) return;
            const char* from = static_cast<const char*>(layer.input) + start + (pack * PACK - channel) * (int)sizeof(S);
            copy_some(to + pack * p.pitch, from, listed, number / packs, at_once, count);
        }
    }

    // Asks for values of the residual stream.
    __device__ __forceinline__ void prefetch(uint4 (&stream)[DEPTH], int from) const {
        if (layer.skip == nullptr) return;
        const char* skip = static_cast<const char*>(layer.skip) + start;
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            const int i = from + d * per_round;
            if (i < total) stream[d] = load_early(skip + (int)pixels[i].x);
        }
    }

    // The raw values of a pixel's channels.
    __device__ __forceinline__ uint4 raw(const uint2& pixel) const {
        if constexpr (IN_PLACE) return load_shared(tile + place(pixel));
        return load_early(input + (int)pixel.x);
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
    template <bool RELU> __device__ __forceinline__ void normalise_plain(int i, int end, const Factors<PACK>& f) const {
#pragma unroll 1
        for (; i + (TOGETHER - 1) * per_round < end; i += TOGETHER * per_round) normalise_some<RELU, TOGETHER>(i, f);
#pragma unroll 1
        for (; i < end; i += per_round) normalise_some<RELU, 1>(i, f);
    }
    __device__ __forceinline__ void normalise_plain(const Factors<PACK>& f) const {
        if (layer.relu) {
            normalise_plain<true>(first, total, f);
        } else {
            normalise_plain<false>(first, total, f);
        }
    }

    // What happens to a pixel's channels behind the norm, read once: a layer's parameters take their time.
    struct Behind {
        bool adds, relu;
        char* keep;  // where the residual stream of this thread's channels begins, null where it is not this CTA that writes it
    };
    __device__ __forceinline__ Behind behind(bool owned) const {
        return Behind{layer.skip != nullptr, layer.relu != 0, layer.keep != nullptr && owned ? static_cast<char*>(layer.keep) + start : nullptr};
    }
    __device__ __forceinline__ void finish(const uint2& pixel, float (&value)[PACK], const uint4& stream, const Behind& then) const {
        if (then.adds) {
            float more[PACK];
            widen_pack<S>(stream, more);
#pragma unroll
            for (int k = 0; k < PACK; ++k) value[k] += more[k];
        }
        if (then.relu) {
#pragma unroll
            for (int k = 0; k < PACK; ++k) value[k] = fmaxf(value[k], 0.0f);
        }
        put_pack<O, false>(tile + place(pixel), value);
        // The residual stream is written by the CTA in whose block a pixel lies.
        if (then.keep != nullptr && pixel.y & OWNED) store_pack(reinterpret_cast<S*>(then.keep + (int)pixel.x), value);
    }

    // DEPTH pixels from `from` on, where values are added or kept.
    __device__ __forceinline__ void add_some(int from, const uint4 (&stream)[DEPTH], const Factors<PACK>& f, const Behind& then) const {
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            if (from + d * per_round >= total) break;
            const uint2 pixel = pixels[from + d * per_round];
            float value[PACK];
            widen_pack<S>(raw(pixel), value);
            f.apply(value);
            finish(pixel, value, stream[d], then);
        }
    }

    __device__ __forceinline__ bool is_plain() const { return layer.skip == nullptr && layer.keep == nullptr; }

    // Normalises what was copied, and the residual stream with it, `beside` bytes behind the values that it is added to.
    __device__ __forceinline__ void normalise_copied(u32 beside, const Factors<PACK>& f, bool owned) const {
        if (is_plain()) return normalise_plain(f);
        constexpr int COUNT = 3;
        const Behind then = behind(owned);
#pragma unroll 1
        for (int from = first; from < total; from += COUNT * per_round) {
            uint2 pixel[COUNT];
            uint4 v[COUNT], stream[COUNT];
#pragma unroll
            for (int d = 0; d < COUNT; ++d) pixel[d] = pixels[min(from + d * per_round, total - 1)];
#pragma unroll
            for (int d = 0; d < COUNT; ++d) {
                v[d] = raw(pixel[d]);
                if (then.adds) stream[d] = load_shared(tile + beside + place(pixel[d]));
            }
#pragma unroll
            for (int d = 0; d < COUNT; ++d) {
                if (from + d * per_round >= total) break;
                float value[PACK];
                widen_pack<S>(v[d], value);
                f.apply(value);
                finish(pixel[d], value, stream[d], then);
            }
        }
    }

    // Normalises what was copied. `stream` was asked for from `first` on.
    __device__ __forceinline__ void normalise(uint4 (&stream)[DEPTH], const Factors<PACK>& f, bool owned) const {
        if (is_plain()) return normalise_plain(f);
        const Behind then = behind(owned);
        for (int from = first; from < total; from += DEPTH * per_round) {
            if (from != first) prefetch(stream, from);
            add_some(from, stream, f, then);
        }
    }
};

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

// Which of PIXELS pixels side by side in a tile of ROWS x COLUMNS, from the one in `row`, `column` on, other CTAs read, a bit for
// each: those as near to the tile's border as a tap reaches.
template <int PIXELS, int ROWS, int COLUMNS> __device__ __forceinline__ u32 shared_pixels(int reach, int row, int column) {
    if (row < reach || row >= ROWS - reach) return ~0u;
    const u32 from_left = (1u << max(0, min(PIXELS, reach - column))) - 1u;
    return from_left | ~0u << max(0, min(PIXELS, COLUMNS - reach - column));
}

// Stores those of PIXELS staged pixels side by side, from the one at `y`, `x` of the grid on, that `stored` has a bit for, and
// takes all of them into the statistics: 8 channels from `channel` on, which lie at `from` in shared memory.
// `then` is called between both.
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

template <bool ROWS, class Core> struct StatisticsOf { typedef LaneStatistics<Core> Type; };
template <class Core> struct StatisticsOf<true, Core> { typedef RowStatistics Type; };

// Multiplies a layer's tile that is there, in halves, or as bytes: then they are made first, TOGETHER cells of a thread at a time,
// in the place of the halves, and the weights' factors lie behind those of all CTAs. `first`: bytes from the tile's start to the
// first tap of this warpgroup's first pixel. The team calls it.
template <bool BYTES, int TOGETHER, int SLOTS, int BN, class Core, class Stream>
__device__ __forceinline__ void multiply_tile(const ChainParams& chain, int at, u32 tile, int first, Core& core, Stream& stream,
                                              StatisticsMemory<SLOTS, BN>& statistics) {
    const ConvParams& p = chain.all;
    if constexpr (BYTES) {
        const char* weights = static_cast<const char*>(chain.layers[at].weights);
        const auto& factors = reinterpret_cast<const SumFactors<BN>*>(weights + (long long)gridDim.y * p.walk_blocks * Stream::BLOCK_BYTES)[blockIdx.y];
        // Merges between layers leave that place to others.
        ByteMemory& memory = *reinterpret_cast<ByteMemory*>(statistics.reduce[2]);
        // Behind a ReLU nothing is negative.
        const bool is_positive = chain.layers[at].relu != 0;
        bytes_of_planes<TOGETHER>(p, tile, is_positive, factors, memory, sync_team);
        publish_to_products();
        sync_team();
        typename Core::Bytes sums;
        begin_sums(sums, factors, is_positive);
        sums.run(p, tile + first, stream);
        scale_sums(sums, core, memory);
    } else {
        core.clear();
        core.run(p, tile + first, stream);
    }
}

// Threads of a chain's team, then a warp that prefetches weights, then those that bring the halo.
constexpr int TEAM = 256, FIRST_OF_HALO = TEAM + 32, OF_HALO = 96;

// Barriers between the team and the halo's warps, and the exchange's tag before the first one.
struct HaloBarriers {
    u64 stored;  // TEAM threads have stored their values of the map
    u64 came;  // OF_HALO threads have their values of the halo in shared memory
    u32 tag;
};

// What the halo's warps do: between two layers each they tell that this CTA's map is written, and where the tile
// `stays` in shared memory they bring its halo.
template <int BN, int ROWS, int COLUMNS, class Gather>
__device__ __forceinline__ void bring_halos(const ChainParams& chain, HaloBarriers& barriers, u32 tile, uint2* listed, const int& halo, bool stays) {
    const ConvParams& p = chain.all;
    const bool tells = threadIdx.x / 32 == FIRST_OF_HALO / 32 + 1;
    if (!stays && !tells) return;
    const u32 stored = shared_address(&barriers.stored), came = shared_address(&barriers.came);
    Exchange<BN> exchange(chain, 0);
    const int place = tile_taken(p, blockIdx.x), near = exchange.template if_near<ROWS, COLUMNS>(place);
    for (int at = 1; at < chain.count; ++at) {
        // The team has stored its map.
        wait_barrier(stored, at - 1 & 1);
        exchange.tag = barriers.tag + at;
        if (tells) {
            __syncwarp();
            if (threadIdx.x % 32 == 0) exchange.tell_written();
        }
        if (!stays) continue;
        if (threadIdx.x / 32 == FIRST_OF_HALO / 32) exchange.wait_for_maps(near);
        // The maps around are written.
        meet<OF_HALO>(3);
        Gather gather(p, chain.layers[at], tile, listed);
        gather.start_at(place / p.tiles_x * ROWS * p.stride - p.origin, place % p.tiles_x * COLUMNS * p.stride - p.origin);
        gather.template copy_listed<FIRST_OF_HALO, OF_HALO>(tile, listed + p.tile_rows * p.tile_columns, halo);
        wait_for_copies();
        arrive(came);
    }
}

// TILES x 128 pixels, BW side by side, from maps; the parameters say which layers. BYTES: halves are multiplied as bytes.
template <class S, class O, int TILES, int BN, int BW, int STEPS, int DEPTH, bool BYTES = false>
__device__ __forceinline__ void convolve_chain(const ChainParams& chain) {
    constexpr int BM = 128 * TILES, BH = BM / BW;
    typedef WgmmaCore<O, TILES, BN, BW, STEPS, true> Core;
    typedef typename Core::Stream Stream;
    typedef TileGather<S, O, Core::THREADS, DEPTH> Gather;
    constexpr int PACK = Gather::PACK;
    extern __shared__ __align__(128) char memory[];
    __shared__ StatisticsMemory<Core::SLOTS, BN> statistics;
    __shared__ RingBarriers barriers;
    __shared__ HaloBarriers of_halo;
    __shared__ int halo;  // pixels of the tile that other CTAs have

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
    const u32 stored = shared_address(&of_halo.stored), came = shared_address(&of_halo.came);
    if (threadIdx.x == 0) {
        init_barrier(stored, TEAM);
        init_barrier(came, OF_HALO);
        publish_barriers();
    }
    // The barriers are there.
    __syncthreads();
    let_next_launch_begin();
    if (threadIdx.x >= Core::THREADS) {
        give_registers<40>();
        if (threadIdx.x == TEAM) stream.prefetch(chain.layers, chain.count, n_tile, mine);
        if (threadIdx.x >= FIRST_OF_HALO && chain.count > 1) {
            wait_for_launch_before();
            bring_halos<BN, BH, BW, Gather>(chain, of_halo, tile, pixels, halo, Gather::IN_PLACE && mine == 1);
        }
    } else {
        take_registers<232>();
        wait_for_launch_before();

        Exchange<BN> exchange(chain);
        if (threadIdx.x == 0) of_halo.tag = exchange.tag;
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
            auto turn_to = [&](int number) {
                const int t = tile_taken(p, number);
                const int first_y = t / p.tiles_x * BH * p.stride - p.origin, first_x = t % p.tiles_x * BW * p.stride - p.origin;
                gather.start_at(first_y, first_x);
                // A single tile stays the same from layer to layer.
                if (at == 0 || mine > 1) gather.list(first_y, first_x, BH, BW, is_inner, &halo, mine == 1 && chain.count > 1);
            };
            own.clear();

            // The first tile, and what the norm does.
            turn_to(blockIdx.x);
            uint4 skipped[DEPTH];
            // Not what the layer before keeps: it may be written only now.
            const bool is_early = at == 0 || layer.skip != chain.layers[at - 1].keep;
            if (is_early) gather.prefetch(skipped, gather.first);
            Factors<PACK> f;
            if (at == 0) {
                gather.copy_own();
                f.read(p, image, gather.channel);
                wait_for_copies();
            } else {
                if (threadIdx.x < BN) {
                    exchange.merge(p, chain.layers[at - 1], statistics);
                } else if (!kept) {
                    if (threadIdx.x / 32 == BN / 32) exchange.wait_for_maps(-1);
                    // All maps are written.
                    meet<TEAM - BN>(3);
                    gather.template copy_listed<BN, TEAM - BN>(tile, pixels, listed);
                    wait_for_copies();
                }
                // What others copied is there, and what the norm does to it.
                if (kept) wait_barrier(came, at - 1 & 1);
                sync_team();
                read_factors(f, statistics, gather.channel);
                if (!is_early) gather.prefetch(skipped, gather.first);
            }
            gather.normalise(skipped, f, n_tile == 0);
            publish_to_products();
            // The tile is there.
            sync_team();

            for (int t = blockIdx.x;;) {
                const int place = tile_taken(p, t), y0 = place / p.tiles_x * BH, x0 = place % p.tiles_x * BW, next = t + (int)gridDim.x;
                for (int phase = 0; phase < p.phases; ++phase) {
                    const int first = (phase >> 1) * p.walk_row + (phase & 1) * 16 + Core::warpgroup() * TILES * p.walk_tile;
                    multiply_tile<BYTES, 3>(chain, at, tile, first, core, stream, statistics);
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
                        // What stays here nobody reads from the map but neighbours, where no edge mirrors it.
                        const bool shares = keeps && is_inner_tile(p, y0 - p.origin, x0 - p.origin);
                        const u32 shared = shares ? shared_pixels<8, BH, BW>(p.origin, row, 0) : ~0u;
                        store_pixels<S, 8>(p, layer.output, to + pack * pitch + row * row_bytes, own, y0 + row, x0, n_tile * BN + pack * 8, phase, shared, [&] {
                            if (phase == p.phases - 1 && next >= tiles && at + 1 < chain.count) arrive(stored);
                        });
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
                gather.prefetch(skipped, gather.first);
                wait_for_copies();
                gather.normalise(skipped, f, n_tile == 0);
                publish_to_products();
                // The tile is there.
                sync_team();
            }
            if (at + 1 == chain.count) break;
            if constexpr (!STAGES) arrive(stored);
            gather_warps(own, statistics);
            // The warps' parts are complete.
            sync_team();
            ++exchange.tag;
            if (threadIdx.x < BN) exchange.tell_part(statistics);
        }
        if (chain.count > 1) exchange.end();
        if (p.out_scale != nullptr) finish_statistics(p, own, statistics);
    }
}

}  // namespace sf
