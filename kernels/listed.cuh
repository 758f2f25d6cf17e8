// A tile's pixels as a list: the position of each in the stored map and in shared memory. Once computed, a position
// costs one load instead of divisions, mirroring and products for every 16 bytes.
#pragma once
#include "hopper.cuh"

namespace sf {

// The tile as [16 bytes of channels][row][column], `pitch` bytes from plane to plane: 8 neighbouring
// pixels are a core matrix of Hopper's products. With stride 2 the even columns come first, so that
// every second pixel is a neighbour.
struct CellPlanes {
    template <class P> static __device__ __forceinline__ int column(const P& p, int column) {
        return p.stride == 2 ? (column & 1) * ((p.tile_columns + 1) >> 1) + (column >> 1) : column;
    }
    template <class P> static __device__ __forceinline__ int at(const P& p, int row, int c) {
        return (row * p.tile_columns + column(p, c)) * 16;
    }
    template <class P> static __device__ __forceinline__ int channel(const P& p, int byte) {
        return (byte >> 4) * p.pitch + (byte & 15);
    }
};

__device__ __forceinline__ uint4 load_shared(u32 from) {
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "r"(from) : "memory");
    return v;
}
__device__ __forceinline__ u32 load_shared_word(u32 from) {
    u32 v;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(v) : "r"(from) : "memory");
    return v;
}
__device__ __forceinline__ void store_shared(u32 to, const uint4& v) {
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
// Bytes from an operand to the next one of a pack.
template <class O> constexpr int NEXT_BYTES = (int)sizeof(O);
template <> constexpr int NEXT_BYTES<split_t> = (int)sizeof(half_t);
// One operand; of two halves they are a half pack apart, as narrow_pack has them.
__device__ __forceinline__ void store_value(u32 to, half_t v) { asm volatile("st.shared.u16 [%0], %1;" ::"r"(to), "h"(v.bits) : "memory"); }
__device__ __forceinline__ void store_value(u32 to, bfloat_t v) { asm volatile("st.shared.u16 [%0], %1;" ::"r"(to), "h"(v.bits) : "memory"); }
__device__ __forceinline__ void store_value(u32 to, const split_t& v) {
    asm volatile("st.shared.u16 [%0], %1;\nst.shared.u16 [%0 + 8], %2;" ::"r"(to), "h"(v.high), "h"(v.low) : "memory");
}
__device__ __forceinline__ void store_value(u32 to, tfloat_t v) { asm volatile("st.shared.u32 [%0], %1;" ::"r"(to), "r"(v.bits) : "memory"); }

// Has no memory clobber, so that several can be in flight: the reader of the copy waits for it, and the
// caller synchronises before it.
__device__ __forceinline__ void copy_async(u32 to, const void* from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from));
}
// The same for a word that is aligned to its own size only.
__device__ __forceinline__ void copy_async_word(u32 to, const void* from) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(from));
}
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// Rounds eight values to operands of two bytes, after a ReLU if RELU is set.
template <class O, bool RELU> __device__ __forceinline__ uint4 operands_of(const float (&value)[8]) {
    return make_uint4(narrow_pair_relu<O, RELU>(value[0], value[1]), narrow_pair_relu<O, RELU>(value[2], value[3]),
                      narrow_pair_relu<O, RELU>(value[4], value[5]), narrow_pair_relu<O, RELU>(value[6], value[7]));
}

// Rounds a pack to operands and writes it to a plane of the tile, after a ReLU if
// RELU is set.
template <class O, bool RELU, int PACK> __device__ __forceinline__ void put_pack(u32 to, const float (&value)[PACK]) {
    if constexpr (sizeof(O) == 2 && PACK == 4) {
        asm volatile("st.shared.v2.u32 [%0], {%1, %2};" ::"r"(to), "r"(narrow_pair_relu<O, RELU>(value[0], value[1])),
                     "r"(narrow_pair_relu<O, RELU>(value[2], value[3]))
                     : "memory");
    } else if constexpr (sizeof(O) == 2) {
        store_shared(to, operands_of<O, RELU>(value));
    } else {
        float above[PACK];
#pragma unroll
        for (int k = 0; k < PACK; ++k) above[k] = RELU ? fmaxf(value[k], 0.0f) : value[k];
        store_shared(to, narrow_pack<O>(above));
    }
}

// A flag of a listed position: the pixel is in the CTA's block, so this CTA writes the residual stream there.
constexpr u32 OWNED = 1u;

// True if a tile of `rows` rows does not touch the map's edges.
template <class P> __device__ __forceinline__ bool is_inner_tile(const P& p, int first_y, int first_x, int rows) {
    return !p.upsample && first_y >= 0 && first_x >= 0 && first_y + rows <= p.in_height && first_x + p.tile_columns <= p.in_width;
}
template <class P> __device__ __forceinline__ bool is_inner_tile(const P& p, int first_y, int first_x) {
    return is_inner_tile(p, first_y, first_x, p.tile_rows);
}

// The rows of an input tile in shared memory that a list describes, and the pixel of the map from which its positions are counted.
struct ListedRows {
    int first, count, from;
};

// Calls `pixel(i, place, is_read)` with the positions of the pixels of the tile at `first_y`, `first_x` in the stored map of S, in bytes from the pixel `rows.from`,
// and in a plane of the tile, with OWNED if a pixel belongs to the block, and whether a tap reads it. THREADS threads call it.
template <class S, int THREADS, class P, class Pixel>
__device__ __forceinline__ void each_pixel(const P& p, int thread, int first_y, int first_x, bool inner, int block_rows, int block_columns,
                                           const ListedRows& rows, Pixel pixel) {
    const int height = p.upsample ? 2 * p.in_height : p.in_height, width = p.upsample ? 2 * p.in_width : p.in_width;
    const int all = rows.count * p.tile_columns;
    for (int i = thread; i < all; i += THREADS) {
        const int r = i / p.tile_columns, c = i - r * p.tile_columns;
        int y = first_y + r, x = first_x + c;
        const bool owned = (u32)(r - p.origin) < (u32)block_rows && (u32)(c - p.origin) < (u32)block_columns &&
                           y < p.in_height && x < p.in_width;
        const bool is_read = y < height + p.origin && x < width + p.origin;
        if (!inner) {
            // Pixels that no tap reads repeat the map's end, which is in this tile: pixels mirrored from further inside may not be stored by
            // their CTAs, and the largest value of a tile matters if its values become bytes.
            y = y < height + p.origin ? source_index(y, height, p.edge) : height - 1;
            x = x < width + p.origin ? source_index(x, width, p.edge) : width - 1;
            if (p.upsample) { y >>= 1; x >>= 1; }
        }
        const int at = y * p.in_width + x - rows.from;
        pixel(i, make_uint2((u32)(at * p.in_channels * (int)sizeof(S)), (u32)CellPlanes::at(p, rows.first + r, c) | (owned ? OWNED : 0u)), is_read);
    }
}

// Lists them from the tile's first pixel on, so that tiles that do not touch the map's edges share one list. THREADS threads call it
// while no thread reads the list. `also(pixel)` is called with every pixel.
template <class S, int THREADS, class P, class Also>
__device__ __forceinline__ void list_tile(const P& p, uint2* list, int thread, int first_y, int first_x, bool inner,
                                          int block_rows, int block_columns, Also also) {
    const ListedRows all{0, p.tile_rows, first_y * p.in_width + first_x};
    each_pixel<S, THREADS>(p, thread, first_y, first_x, inner, block_rows, block_columns, all, [&](int i, const uint2& pixel, bool) {
        list[i] = pixel;
        also(list[i]);
    });
}

// Loads the input tiles of a CTA into shared memory one after another, like gather.cuh.
template <class S, class O, int THREADS> struct ListedGather {
    static constexpr int PACK = Pack<S>::COUNT;
    const ConvParams& p;
    u32 tile;
    uint2* list;

    // `address`: of the list.
    __device__ __forceinline__ ListedGather(const ConvParams& params, u32 at, char* address)
        : p(params), tile(at), list(reinterpret_cast<uint2*>(address)) {}

    // Builds the list for the tile at `first_y`, `first_x`. `is_inner`, in shared memory to save a register: the
    // list is for an inner tile. All threads call it while no thread reads the list; afterwards it may be read.
    __device__ __forceinline__ void turn_to(int first_y, int first_x, volatile int& is_inner, int block_rows, int block_columns) const {
        const bool inner = is_inner_tile(p, first_y, first_x);
        if (inner && is_inner) return;
        list_tile<S, THREADS>(p, list, threadIdx.x, first_y, first_x, inner, block_rows, block_columns, [](const uint2&) {});
        __syncthreads();
        if (threadIdx.x == 0) is_inner = inner;
    }

    // This thread's part of a tile. Computed when it is needed: keeping it would take registers.
    struct Share {
        int channel, per_round, first, total;
        u32 tile;       // the position of this thread's channels
        long long from;  // bytes from a map's start to this thread's channels of the tile's first pixel
    };
    __device__ __forceinline__ Share share(int image, int first_y, int first_x) const {
        int thread = threadIdx.x;
        stay(thread);
        const int packs = p.chunk_channels / PACK;
        Share mine;
        mine.per_round = (u32)THREADS / (u32)packs;
        mine.first = (u32)thread / (u32)packs;
        const int pack = thread - mine.first * packs;
        mine.channel = pack * PACK;
        mine.total = mine.first < mine.per_round ? p.tile_rows * p.tile_columns : 0;
        mine.tile = tile + CellPlanes::channel(p, mine.channel * (int)sizeof(O));
        const long long pixel = ((long long)image * p.in_height + first_y) * p.in_width + first_x;
        mine.from = (pixel * p.in_channels + mine.channel) * (long long)sizeof(S);
        return mine;
    }

    // COUNT pixels from `i` on; ALL of them exist, or those that the tile has. Their loads are in flight together.
    template <int COUNT, bool ALL, bool RELU> __device__ __forceinline__ void plain_some(const Share& mine, int i, const Factors<PACK>& f) const {
        const char* from = static_cast<const char*>(p.input) + mine.from;
        uint4 v[COUNT];
        u32 place[COUNT];
#pragma unroll
        for (int d = 0; d < COUNT; ++d) {
            if (ALL || i + d * mine.per_round < mine.total) {
                const uint2 pixel = list[i + d * mine.per_round];
                place[d] = pixel.y & ~OWNED;
                v[d] = *reinterpret_cast<const uint4*>(from + (int)pixel.x);
            }
        }
#pragma unroll
        for (int d = 0; d < COUNT; ++d) {
            if (ALL || i + d * mine.per_round < mine.total) {
                float value[PACK];
                widen_pack<S>(v[d], value);
                f.apply(value);
                put_pack<O, RELU>(mine.tile + place[d], value);
            }
        }
    }
    template <int DEPTH, bool RELU> __device__ __forceinline__ void plain(const Share& mine, const Factors<PACK>& f) const {
        int i = mine.first;
#pragma unroll 1
        for (; i + (DEPTH - 1) * mine.per_round < mine.total; i += DEPTH * mine.per_round) plain_some<DEPTH, true, RELU>(mine, i, f);
        if (i < mine.total) plain_some<DEPTH, false, RELU>(mine, i, f);
    }

    // If the residual stream is added or stored.
    template <int DEPTH> __device__ __forceinline__ void stream(const Share& mine, const Factors<PACK>& f, bool owned) const {
        const char* from = static_cast<const char*>(p.input) + mine.from;
        const char* skip = static_cast<const char*>(p.skip) + mine.from;
        const bool adds = p.skip != nullptr, keeps = p.keep != nullptr && owned;
#pragma unroll 1
        for (int i = mine.first; i < mine.total; i += DEPTH * mine.per_round) {
            uint4 v[DEPTH], more[DEPTH];
            uint2 pixel[DEPTH];
#pragma unroll
            for (int d = 0; d < DEPTH; ++d) {
                if (i + d * mine.per_round < mine.total) {
                    pixel[d] = list[i + d * mine.per_round];
                    v[d] = *reinterpret_cast<const uint4*>(from + (int)pixel[d].x);
                    if (adds) more[d] = *reinterpret_cast<const uint4*>(skip + (int)pixel[d].x);
                }
            }
#pragma unroll
            for (int d = 0; d < DEPTH; ++d) {
                if (i + d * mine.per_round < mine.total) {
                    float value[PACK];
                    widen_pack<S>(v[d], value);
                    f.apply(value);
                    if (adds) {
                        float stream[PACK];
                        widen_pack<S>(more[d], stream);
#pragma unroll
                        for (int k = 0; k < PACK; ++k) value[k] += stream[k];
                    }
                    if (p.relu) {
#pragma unroll
                        for (int k = 0; k < PACK; ++k) value[k] = fmaxf(value[k], 0.0f);
                    }
                    put_pack<O, false>(mine.tile + (pixel[d].y & ~OWNED), value);
                    if (keeps && pixel[d].y & OWNED) {
                        store_pack(reinterpret_cast<S*>(static_cast<char*>(p.keep) + mine.from + (int)pixel[d].x), value);
                    }
                }
            }
        }
    }

    // Gathers the tile at `first_y`, `first_x`, the one that the list describes. DEPTH loads are in flight
    // together, or PLAIN if no residual stream takes registers. `owned`: this CTA writes the residual stream.
    template <int DEPTH, int PLAIN> __device__ __forceinline__ void gather(int image, int first_y, int first_x, bool owned) const {
        const Share mine = share(image, first_y, first_x);
        Factors<PACK> f;
        f.read(p, image, mine.channel);
        if (p.skip != nullptr || p.keep != nullptr) {
            stream<DEPTH>(mine, f, owned);
        } else if (p.relu) {
            plain<PLAIN, true>(mine, f);
        } else {
            plain<PLAIN, false>(mine, f);
        }
    }
};

}  // namespace sf
