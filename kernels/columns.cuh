// Epilogue of Hopper's kernels for up to 64 channels: statistics and stores directly from the accumulators.
//
// A thread keeps mean and sum of squared distances of each of its columns. A tile's values are counted as
// distances from the mean so far: with N values before, n in the tile and the sum s of their distances, the mean moves
// by s / (N + n) and the squared distances grow by those of the tile minus s^2 / (N + n). The subtracted part is at
// most half if the means differ, so nothing cancels. In the first tile the first value stands for the mean,
// which costs at most a factor of n in rounding. At the end lanes merge, then warps and CTAs (statistics.cuh).
// Equal input gives equal bits.
#pragma once
#include "listed.cuh"
#include "statistics.cuh"

namespace sf {

template <class Core> struct ColumnStatistics {
    float count;
    float mean[Core::COLUMNS];
    float squares[Core::COLUMNS];

    __device__ __forceinline__ void clear() {
        count = 0.0f;
#pragma unroll
        for (int c = 0; c < Core::COLUMNS; ++c) mean[c] = squares[c] = 0.0f;
    }

    // Call before a tile's columns: `valid` has a bit for every row that is a pixel of the map. Returns 1 / count of all
    // values, 0 if there are none.
    __device__ __forceinline__ float begin(Core& core, u32 valid) {
        if (count == 0.0f && valid != 0u) {
            const int row = __ffs(valid) - 1;
#pragma unroll
            for (int c = 0; c < Core::COLUMNS; ++c)
#pragma unroll
                for (int r = 0; r < Core::ROWS; ++r) mean[c] = r == row ? core.value(r, c) : mean[c];
        }
        count += (float)__popc(valid);
        return count > 0.0f ? __fdividef(1.0f, count) : 0.0f;
    }

    // One column. WHOLE: all rows are valid.
    template <bool WHOLE> __device__ __forceinline__ void take(Core& core, u32 valid, float share, int c) {
        float sum = 0.0f;
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            float d = core.value(r, c) - mean[c];
            if (!WHOLE && !(valid >> r & 1u)) d = 0.0f;
            sum += d;
            squares[c] = fmaf(d, d, squares[c]);
        }
        const float move = sum * share;
        mean[c] += move;
        squares[c] = fmaf(-move, sum, squares[c]);
    }
};

// Passes the lanes' statistics to the CTA; the caller synchronises afterwards. Lanes that differ from bit
// FIRST_LANE_MASK on share columns.
template <class Core, int BN>
__device__ __forceinline__ void gather_warps(const ColumnStatistics<Core>& own, StatisticsMemory<Core::SLOTS, BN>& memory) {
    float shares[5], weights[5], n = own.count;
#pragma unroll
    for (int at = 0, mask = Core::FIRST_LANE_MASK; mask < 32; ++at, mask *= 2) {
        const float theirs = __shfl_xor_sync(0xffffffffu, n, mask);
        const bool upper = threadIdx.x & mask;
        const float before = upper ? theirs : n, after = upper ? n : theirs;
        shares[at] = chan_share(before, after);
        weights[at] = before * shares[at];
        n += theirs;
    }
#pragma unroll
    for (int c = 0; c < Core::COLUMNS; ++c) {
        float mean = own.mean[c], squares = own.squares[c];
#pragma unroll
        for (int at = 0, mask = Core::FIRST_LANE_MASK; mask < 32; ++at, mask *= 2) {
            const float other = __shfl_xor_sync(0xffffffffu, mean, mask);
            // The lower lane's part is always first, so both lanes compute the same bits.
            const bool upper = threadIdx.x & mask;
            const float before = upper ? other : mean, delta = (upper ? mean : other) - before;
            squares = fmaf(delta * delta, weights[at], squares + __shfl_xor_sync(0xffffffffu, squares, mask));
            mean = fmaf(delta, shares[at], before);
        }
        if (threadIdx.x % 32 < Core::FIRST_LANE_MASK) {
            memory.mean[Core::slot()][Core::column(c)] = mean;
            memory.squares[Core::slot()][Core::column(c)] = squares;
        }
    }
    if (threadIdx.x % 32 == 0) memory.count[Core::slot()] = n;
}

// Bytes of shared memory in which a warp transposes 16 pixels x 32 channels from accumulators to packs of 16 bytes.
constexpr int TRANSPOSE_BYTES = 1024;

// Stores a tile's values and adds them to the statistics. `place(pixel, y, x)` returns the position of a pixel of the
// tile, counted as in Core::pixel. `transpose`: this warp's TRANSPOSE_BYTES.
template <class S, int BN, class Core, class Place>
__device__ __forceinline__ void write_columns(const ConvParams& p, Core& core, ColumnStatistics<Core>& own, u32 transpose, int image,
                                              int n_tile, int phase, Place place) {
    if (p.bias != nullptr) add_bias(p, core, n_tile * BN);
    const int lane = threadIdx.x % 32, scale = p.phases == 4 ? 2 : 1;
    u32 valid = 0;
#pragma unroll
    for (int r = 0; r < Core::ROWS; ++r) {
        int y, x;
        place(Core::pixel(r), y, x);
        if (y < p.grid_height && x < p.grid_width) valid |= 1u << r;
    }
    note_beyond_halves<S>(p, core, valid);
    auto pixel_at = [&](int y, int x) {
        return ((u32)image * p.out_height + y * scale + (phase >> 1)) * p.out_width + x * scale + (phase & 1);
    };
    const int channels = p.out_channels - n_tile * BN;
    S* output = static_cast<S*>(p.output) + n_tile * BN;
    if constexpr (sizeof(S) == 2) {
#pragma unroll
        for (int t = 0; t < Core::ROWS / 2; ++t) {
            // Four lanes store 64 adjacent bytes of one of the warp's first 8 pixels, then of one of the others.
            S* to[2];
            int left[2];
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                int y, x;
                place(Core::first_pixel(t) + 8 * i + lane / 4, y, x);
                to[i] = output + (long long)pixel_at(y, x) * p.out_channels + lane % 4 * 8;
                left[i] = y < p.grid_height && x < p.grid_width ? channels - lane % 4 * 8 : 0;
            }
#pragma unroll
            for (int first = 0; first < Core::COLUMNS; first += 8) {
                // The old contents are read.
                __syncwarp();
#pragma unroll
                for (int c = first; c < first + 8; c += 4) {
                    u32 pairs[4];
#pragma unroll
                    for (int k = 0; k < 4; ++k) {
                        float& low = core.value(2 * t + k % 2, c + k / 2 * 2);
                        float& high = core.value(2 * t + k % 2, c + k / 2 * 2 + 1);
                        pairs[k] = narrow_pair<S>(low, high);
                        // Rounded as they are stored; the statistics are of these values.
                        widen_pair<S>(pairs[k], low, high);
                    }
                    // Matrices of 8 pixels x 8 channels: the pixels' halves of 8 channels, then those of the next 8. The
                    // position of a pixel depends on the channels, so that there are no bank conflicts in either direction.
                    const int cell = (c - first) / 2 + lane / 16;
                    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                                     transpose + (2 * cell + lane / 8 % 2) * 128 + (lane % 8 ^ 2 * cell) * 16),
                                 "r"(pairs[0]), "r"(pairs[1]), "r"(pairs[2]), "r"(pairs[3])
                                 : "memory");
                }
                __syncwarp();
                const int cell = lane % 4;
                const u32 from = transpose + cell * 256 + (lane / 4 ^ 2 * cell) * 16;
                const uint4 some = load_shared(from), others = load_shared(from + 128);
                if (first * 4 < left[0]) *reinterpret_cast<uint4*>(to[0] + first * 4) = some;
                if (first * 4 < left[1]) *reinterpret_cast<uint4*>(to[1] + first * 4) = others;
            }
        }
    } else {
#pragma unroll
        for (int r = 0; r < Core::ROWS; ++r) {
            int y, x;
            place(Core::pixel(r), y, x);
            S* to = valid >> r & 1u ? output + (long long)pixel_at(y, x) * p.out_channels : nullptr;
#pragma unroll
            for (int c = 0; c < Core::COLUMNS; c += 2) {
                if (to != nullptr && Core::column(c) < channels) {
                    *reinterpret_cast<float2*>(to + Core::column(c)) = make_float2(core.value(r, c), core.value(r, c + 1));
                }
            }
        }
    }
    if (p.out_scale != nullptr) {
        const float share = own.begin(core, valid);
        if (__all_sync(0xffffffffu, valid == (1u << Core::ROWS) - 1u)) {
#pragma unroll
            for (int c = 0; c < Core::COLUMNS; ++c) own.template take<true>(core, valid, share, c);
        } else {
#pragma unroll
            for (int c = 0; c < Core::COLUMNS; ++c) own.template take<false>(core, valid, share, c);
        }
    }
}

}  // namespace sf
