// How the CTAs of chains (chain_wgmma.cuh, deep_wgmma.cuh, pieces_wgmma.cuh) load an input tile into shared memory and normalise it.
#pragma once
#include "chain_params.cuh"
#include "listed.cuh"

namespace sf {

// A load that the compiler does not move, bypassing the L1 cache, which may contain old data.
__device__ __forceinline__ uint4 load_early(const void* from) {
    uint4 v;
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from) : "memory");
    return v;
}

// Does nothing.
struct Nothing {
    __device__ __forceinline__ void operator()() const {}
};

// Loads an input tile into shared memory like gather.cuh, at once, or, if maps and operands have the same width, the part that is not there from the
// previous layer in two steps: raw values are copied during other computations, then all are normalised in
// place. DEPTH pixels are normalised together if the residual stream is added, TOGETHER
// if it is not. P defines the shape. The CTA's threads from
// FIRST on do it, THREADS of them, and synchronise by the barrier BAR. FINDS: also finds the largest magnitude, for halves that become bytes.
template <class S, class O, int THREADS, int DEPTH, int TOGETHER = 4, int FIRST = 0, int BAR = 1, class P = ConvParams, bool FINDS = false>
struct TileGather {
    typedef O Operand;
    static constexpr int PACK = Pack<S>::COUNT;
    static constexpr bool IN_PLACE = sizeof(S) == sizeof(O);
    const P& p;
    const ChainLayer& layer;
    u32 tile;  // the position of this thread's channels
    int channel, per_round, first, total;
    long long start;  // bytes from a map's start to this thread's channels of the tile's first pixel
    uint2* pixels;
    mutable u32 largest = 0;  // of this thread's values in the tile, as for take_largest

    __device__ __forceinline__ TileGather(const P& params, const ChainLayer& of_chain, u32 at, uint2* list)
        : p(params), layer(of_chain), start(0), pixels(list) {
        const int packs = p.chunk_channels / PACK, pack = thread() % packs;
        per_round = THREADS / packs;
        first = thread() / packs;
        channel = pack * PACK;
        total = first < per_round ? p.tile_rows * p.tile_columns : 0;
        tile = at + CellPlanes::channel(p, channel * (int)sizeof(O));
    }

    // Uses these `count` listed pixels from now on.
    __device__ __forceinline__ void take(uint2* list, int count) {
        pixels = list;
        total = first < per_round ? count : 0;
    }

    __device__ __forceinline__ static int thread() {
        return thread_number() - FIRST;
    }
    __device__ __forceinline__ static void sync() { asm volatile("bar.sync %0, %1;" ::"n"(BAR), "n"(THREADS) : "memory"); }

    __device__ __forceinline__ void start_at(int first_y, int first_x) {
        const long long pixel = ((long long)blockIdx.z * p.in_height + first_y) * p.in_width + first_x;
        start = (pixel * p.in_channels + channel) * (long long)sizeof(S);
    }

    // Builds the list for the tile at `first_y`, `first_x`; `is_inner`: it is for an inner tile. After it come
    // the pixels of other CTAs `again`, `halo` of them. All threads call it while no thread reads the list; it may be
    // read afterwards.
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

    // Requests the raw values of some of `count` listed pixels: those from `i` on that are `apart`. Three positions are
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

    // Copies the raw values of all pixels that this thread normalises.
    __device__ __forceinline__ void copy_all() const {
        copy_some(tile, static_cast<const char*>(layer.input) + start, pixels, first, per_round, total);
        wait_for_copies();
    }

    // Requests the raw values of other CTAs' pixels among those that this thread normalises.
    __device__ __forceinline__ void copy_halo() const {
        constexpr int FOUR = 4;
        const char* from = static_cast<const char*>(layer.input) + start;
#pragma unroll 1
        for (int i = first; i < total; i += FOUR * per_round) {
            uint2 pixel[FOUR];
#pragma unroll
            for (int d = 0; d < FOUR; ++d) pixel[d] = pixels[min(i + d * per_round, total - 1)];
            // No thread copies another thread's pixel: it may be normalised by then.
#pragma unroll
            for (int d = 0; d < FOUR; ++d) {
                if (i + d * per_round < total && !(pixel[d].y & OWNED)) copy_async(tile + pixel[d].y, from + (int)pixel[d].x);
            }
        }
    }

    // Requests the raw values of `count` listed pixels, by the CTA's threads from OF_FIRST on, COPIERS of them.
    template <int OF_FIRST, int COPIERS> __device__ __forceinline__ void copy_listed(u32 to, const uint2* listed, int count) const {
        if constexpr (IN_PLACE) {
            const int packs = p.chunk_channels / PACK, at_once = COPIERS / packs;
            const int number = thread() + FIRST - OF_FIRST, pack = number % packs;
            if (number / packs >= at_once) return;
            const char* from = static_cast<const char*>(layer.input) + start + (pack * PACK - channel) * (int)sizeof(S);
            copy_some(to + pack * p.pitch, from, listed, number / packs, at_once, count);
        }
    }

    // Requests the residual stream of all pixels, which is written to `to`, in the order of the list, and counts at the barrier
    // `streamed`. A warp calls it; no thread reads the old contents.
    __device__ __forceinline__ void bring_stream(u32 to, u32 streamed) const {
        const int pixel_bytes = p.chunk_channels * (int)sizeof(S), count = p.tile_rows * p.tile_columns, lane = thread_number() % 32;
        // Orders earlier ordinary reads there, and the ordinary writes of other CTAs.
        publish_to_copies();
        if (lane == 0) arrive_expecting(streamed, count * pixel_bytes);
        __syncwarp();
        const char* from = static_cast<const char*>(layer.skip) + start - channel * (int)sizeof(S);
        // A lane has a row. Pixels that are adjacent in the map are copied together: a copy takes 70 clocks however short it is.
#pragma unroll 1
        for (int row = lane; row < p.tile_rows; row += 32) {
#pragma unroll 1
            for (int i = row * p.tile_columns, end = i + p.tile_columns; i < end;) {
                const int at = (int)pixels[i].x;
                int side_by_side = 1;
                while (i + side_by_side < end && (int)pixels[i + side_by_side].x == at + side_by_side * pixel_bytes) ++side_by_side;
                bulk_copy(to + i * pixel_bytes, from + at, side_by_side * pixel_bytes, streamed);
                i += side_by_side;
            }
        }
    }

    // Requests values of the residual stream.
    __device__ __forceinline__ void prefetch(uint4 (&stream)[DEPTH], int from) const {
        if (layer.skip == nullptr) return;
        const char* skip = static_cast<const char*>(layer.skip) + start;
#pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            const int i = from + d * per_round;
            if (i < total) stream[d] = load_early(skip + (int)pixels[i].x);
        }
    }

    // Writes a pixel's values to the tile.
    template <bool RELU> __device__ __forceinline__ void put(u32 to, const float (&value)[PACK]) const {
        if constexpr (FINDS) {
            const uint4 halves = operands_of<O, RELU>(value);
            take_largest(largest, halves);
            store_shared(to, halves);
        } else {
            put_pack<O, RELU>(to, value);
        }
    }
    // Publishes the largest magnitude of this warp's threads and resets it to 0 for the next tile. All of THREADS call it.
    __device__ __forceinline__ void publish_found(u32* published) const {
        if constexpr (FINDS) {
            publish_largest(published + thread() / 32, largest);
            largest = 0;
        }
    }

    // The raw values of a pixel's channels, which the normalised ones overwrite.
    __device__ __forceinline__ uint4 raw(const uint2& pixel) const { return load_shared(tile + place(pixel)); }
    // Normalises if nothing is added or stored, COUNT pixels at a time: `value(pixel)` loads the thread's channels of a pixel. After the
    // last one comes the first one again, which is not stored then: without branches they are in flight together. `ready` is called when the first
    // ones are in flight.
    template <bool RELU, int COUNT, class Value, class Ready> __device__ __forceinline__ void normalise_plain(const Factors<PACK>& f, Value value_of, Ready ready) const {
#pragma unroll 1
        for (int from = first; from < total; from += COUNT * per_round) {
            u32 to[COUNT];
            uint4 v[COUNT];
#pragma unroll
            for (int d = 0; d < COUNT; ++d) {
                const uint2 pixel = pixels[from + d * per_round < total ? from + d * per_round : from];
                to[d] = tile + place(pixel);
                v[d] = value_of(pixel);
            }
            if (from == first) ready();
#pragma unroll
            for (int d = 0; d < COUNT; ++d) {
                float value[PACK];
                widen_pack<S>(v[d], value);
                f.apply(value);
                if (from + d * per_round < total) put<RELU>(to[d], value);
            }
        }
    }
    template <int COUNT, class Value, class Ready = Nothing>
    __device__ __forceinline__ void normalise_plain(const Factors<PACK>& f, Value value_of, Ready ready = {}) const {
        if (layer.relu) {
            normalise_plain<true, COUNT>(f, value_of, ready);
        } else {
            normalise_plain<false, COUNT>(f, value_of, ready);
        }
    }
    // Normalises copied pixels.
    __device__ __forceinline__ void normalise_plain(const Factors<PACK>& f) const {
        normalise_plain<TOGETHER>(f, [&](const uint2& pixel) { return raw(pixel); });
    }
    // Normalises pixels that were not copied, if nothing is added or stored: COUNT loads are in flight together.
    template <int COUNT, class Ready = Nothing> __device__ __forceinline__ void load_plain(const Factors<PACK>& f, Ready ready = {}) const {
        const char* const map = static_cast<const char*>(layer.input) + start;
        normalise_plain<COUNT>(f, [&](const uint2& pixel) { return load_early(map + (int)pixel.x); }, ready);
    }
    // Normalises pixels that were not copied: COUNT loads are in flight together, or DEPTH each of values and residual stream. Copies would write to
    // shared memory 16 bytes per clock and delay products, which read it all the time. `ready` is called when the first ones are in flight,
    // if this thread has any: the norm's factors need not be known before.
    template <int COUNT, class Ready = Nothing> __device__ __forceinline__ void load(const Factors<PACK>& f, bool owned, Ready ready = {}) const {
        if (is_plain()) return load_plain<COUNT>(f, ready);
        const char* const map = static_cast<const char*>(layer.input) + start;
        normalise_loading(f, owned, [&](const uint2& pixel) { return load_early(map + (int)pixel.x); }, ready);
    }
    // If values are added or stored; the residual stream is loaded.
    template <class Value, class Ready> __device__ __forceinline__ void normalise_loading(const Factors<PACK>& f, bool owned, Value value_of, Ready ready) const {
        const char* const skip = static_cast<const char*>(layer.skip) + start;
        const bool adds = layer.skip != nullptr;
        normalise_and_add<DEPTH, false>(f, owned, value_of, [&](int, const uint2& pixel) { return adds ? load_early(skip + (int)pixel.x) : uint4{}; }, ready);
    }

    // The operations on a pixel's channels after the norm, read once because reading a layer's parameters is slow.
    struct Epilogue {
        bool adds, relu;
        char* keep;  // start of the residual stream of this thread's channels, null if another CTA writes it
    };
    __device__ __forceinline__ Epilogue epilogue(bool owned) const {
        return Epilogue{layer.skip != nullptr, layer.relu != 0, layer.keep != nullptr && owned ? static_cast<char*>(layer.keep) + start : nullptr};
    }
    template <bool SUMS = false> __device__ __forceinline__ void finish(const uint2& pixel, float (&value)[PACK], const uint4& stream, const Epilogue& then, bool is_there = true) const {
        if (SUMS || then.adds) {
            float more[PACK];
            widen_pack<S>(stream, more);
#pragma unroll
            for (int k = 0; k < PACK; ++k) value[k] += more[k];
        }
        if (!SUMS && then.relu) {
#pragma unroll
            for (int k = 0; k < PACK; ++k) value[k] = fmaxf(value[k], 0.0f);
        }
        if (is_there) put<false>(tile + place(pixel), value);
        // The CTA whose block contains a pixel writes the residual stream.
        if (is_there && then.keep != nullptr && pixel.y & OWNED) store_pack(reinterpret_cast<S*>(then.keep + (int)pixel.x), value);
    }

    // DEPTH pixels from `from` on, if values are added or stored.
    __device__ __forceinline__ void add_some(int from, const uint4 (&stream)[DEPTH], const Factors<PACK>& f, const Epilogue& then) const {
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

    // Normalises if values are added or stored, COUNT pixels at a time: `value(pixel)` loads the thread's channels of a pixel, and
    // `stream(i, pixel)` the values added to those of listed pixel i. SUMS: values are added, and there is no ReLU
    // after that.
    template <int COUNT, bool SUMS, class Value, class Stream, class Ready = Nothing>
    __device__ __forceinline__ void normalise_and_add(const Factors<PACK>& f, bool owned, Value value_of, Stream stream, Ready ready = {}) const {
        const Epilogue then = epilogue(owned);
#pragma unroll 1
        for (int from = first; from < total; from += COUNT * per_round) {
            uint2 pixel[COUNT];
            uint4 v[COUNT], more[COUNT];
            // After the last one comes the first one again, which is not stored then: without branches they are in flight together.
#pragma unroll
            for (int d = 0; d < COUNT; ++d) {
                const int i = from + d * per_round < total ? from + d * per_round : from;
                pixel[d] = pixels[i];
                v[d] = value_of(pixel[d]);
                more[d] = stream(i, pixel[d]);
            }
            if (from == first) ready();
#pragma unroll
            for (int d = 0; d < COUNT; ++d) {
                float value[PACK];
                widen_pack<S>(v[d], value);
                f.apply(value);
                finish<SUMS>(pixel[d], value, more[d], then, from + d * per_round < total);
            }
        }
    }
    // Normalises copied pixels. The added residual stream is at `stream_at` in shared memory, in the order of
    // the list; 0: nothing is added.
    __device__ __forceinline__ void normalise_streamed(u32 stream_at, const Factors<PACK>& f, bool owned) const {
        if (is_plain()) return normalise_plain(f);
        const auto copied = [&](const uint2& pixel) { return raw(pixel); };
        const u32 here = stream_at + channel * (int)sizeof(S);
        const int pixel_bytes = p.chunk_channels * (int)sizeof(S);
        if (stream_at != 0u && !layer.relu) {
            return normalise_and_add<DEPTH, true>(f, owned, copied, [&](int i, const uint2&) { return load_shared(here + i * pixel_bytes); });
        }
        normalise_and_add<2, false>(f, owned, copied, [&](int i, const uint2&) {
            return stream_at != 0u ? load_shared(here + i * pixel_bytes) : uint4{};
        });
    }

    // Normalises in place; the residual stream is loaded meanwhile.
    __device__ __forceinline__ void normalise_loading(const Factors<PACK>& f, bool owned) const {
        if (is_plain()) return normalise_plain(f);
        normalise_loading(f, owned, [&](const uint2& pixel) { return raw(pixel); }, Nothing{});
    }

    // The same with the residual stream in registers: `stream` was loaded from `first` on.
    __device__ __forceinline__ void normalise(uint4 (&stream)[DEPTH], const Factors<PACK>& f, bool owned) const {
        if (is_plain()) return normalise_plain(f);
        const Epilogue then = epilogue(owned);
        for (int from = first; from < total; from += DEPTH * per_round) {
            if (from != first) prefetch(stream, from);
            add_some(from, stream, f, then);
        }
    }
};

}  // namespace sf
