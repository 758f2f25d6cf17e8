// Accumulators of tensor cores: a lane has pairs of neighbouring columns.
#pragma once
#include "element.cuh"

namespace sf {

// Writes the values of one row of the tile pair by pair, COUNT columns from `first` on; `to` is the pixel's
// first channel of this CTA, null if nothing is written; `cell` is its address in a tile of cell
// planes in shared memory, `pitch` bytes apart, 0 if it is not kept there. All lanes of a warp call it together.
template <int COUNT, class S, class Core>
__device__ __forceinline__ void store_fragment_row(Core& core, int row, int first, S* to, int channels, u32 cell, int pitch) {
    if constexpr (sizeof(S) == 4) {
#pragma unroll
        for (int i = 0; i < COUNT; i += 2) {
            const int c = first + i;
            if (to != nullptr && core.column(c) < channels) {
                *reinterpret_cast<float2*>(to + core.column(c)) = make_float2(core.value(row, c), core.value(row, c + 1));
            }
            if (cell != 0) {
                const int byte = core.column(c) * 4;
                asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(cell + (byte >> 4) * pitch + (byte & 15)),
                             "f"(core.value(row, c)), "f"(core.value(row, c + 1))
                             : "memory");
            }
        }
    } else {
        // Neighbouring lanes swap halves, so that each writes 8 bytes instead of twice 4.
        const bool odd = threadIdx.x & 1;
        const int shift = odd ? core.column(2) - core.column(0) - 2 : 0;
#pragma unroll
        for (int i = 0; i < COUNT; i += 4) {
            const int c = first + i;
            const u32 low = narrow_pair<S>(core.value(row, c), core.value(row, c + 1));
            const u32 high = narrow_pair<S>(core.value(row, c + 2), core.value(row, c + 3));
            const u32 other = __shfl_xor_sync(0xffffffffu, odd ? low : high, 1);
            const int at = core.column(c) + shift;
            const uint2 four = odd ? make_uint2(other, high) : make_uint2(low, other);
            if (to != nullptr && at < channels) *reinterpret_cast<uint2*>(to + at) = four;
            if (cell != 0) {
                const int byte = at * 2;
                asm volatile("st.shared.v2.u32 [%0], {%1, %2};" ::"r"(cell + (byte >> 4) * pitch + (byte & 15)), "r"(four.x),
                             "r"(four.y)
                             : "memory");
            }
        }
    }
}

}  // namespace sf
