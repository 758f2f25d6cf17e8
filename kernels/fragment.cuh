// Accumulators as the tensor cores hand them out: a lane has pairs of neighbouring columns.
#pragma once
#include "element.cuh"

namespace sf {

// Writes the values of one row of the tile pair by pair; `to` is the pixel's first channel of this
// CTA, null where nothing is to be written. All lanes of a warp call it together.
template <class S, class Core>
__device__ __forceinline__ void store_fragment_row(Core& core, int row, S* to, int channels) {
    if constexpr (sizeof(S) == 4) {
#pragma unroll
        for (int c = 0; c < Core::COLUMNS; c += 2) {
            if (to != nullptr && core.column(c) < channels) {
                *reinterpret_cast<float2*>(to + core.column(c)) = make_float2(core.value(row, c), core.value(row, c + 1));
            }
        }
    } else {
        // Neighbouring lanes swap halves, so that each writes 8 bytes instead of twice 4.
        const bool odd = threadIdx.x & 1;
#pragma unroll
        for (int c = 0; c < Core::COLUMNS; c += 4) {
            const u32 first = narrow_pair<S>(core.value(row, c), core.value(row, c + 1));
            const u32 second = narrow_pair<S>(core.value(row, c + 2), core.value(row, c + 3));
            const u32 other = __shfl_xor_sync(0xffffffffu, odd ? first : second, 1);
            const int at = odd ? core.column(c + 2) - 2 : core.column(c);
            if (to != nullptr && at < channels) {
                *reinterpret_cast<uint2*>(to + at) = odd ? make_uint2(other, second) : make_uint2(first, other);
            }
        }
    }
}

}  // namespace sf
