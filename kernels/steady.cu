// Keeps the brush strokes of live pictures where they are on the things that they show: the same as crates/steady/src on the
// CPU, whose documentation describes the method.
//
// Entries, in the order of a frame: steady_pyramid (half-size luma of the photo, its halves, the slightly blurred luma);
// steady_search (patches of one level, both directions; coarsest level first, each starts at the motion of the level
// below); steady_spread (the motion per pixel); steady_points (the points that vote for the camera's motion);
// steady_trials (RANSAC and least squares); steady_refine (one Gauss-Newton step); steady_errors (where the camera's
// motion replaces the flow, whether the camera is still); steady_judge (the motion, its confidence); steady_detail (strength
// of the painting's detail); steady_mix (the painting before, moved, into the new one); steady_finish (detail that this
// costs, rounding in place). The first frame of a scene runs only steady_pyramid, steady_detail and steady_mix.
//
// Layouts: `painting` RGBA8 (height, width), `photo` RGBA8 (height, row). Maps of half size are fp32 (ceil(height / 2),
// ceil(width / 2)), levels one after another, finest first. `history` is (red, green, blue, energy) per pixel.
// Decisions about the whole picture stay in `state`: the host reads nothing.
//
// Launch: grids are in crates/backend/src/cuda/steady.rs; blocks of 256 threads (trials 512, points 1024). Static shared memory
// only, at most 36 KB. Any size from 16 x 16 pixels on.
//
// Work: at 1280x720 at least 50 MB and about 1 GFLOP. Roofline: latency of dependent launches, then the L1 cache (36 taps
// of 16 bytes per pixel in steady_mix).
// Measured: H200, 2026-11-29, least of 6: 0.20 ms at 1280x720 as a graph of all launches. 2026-11-28, with 4 us less in
// steady_judge, medians: 0.34 ms at 1920x1080; by ncu, us at 1280x720: steady_mix 37 (L1 cache 80 % busy), steady_search
// 50 for five levels, points and trials 31, refine 24.
//
// Numerics: fp32 with fused products, solved in fp64. Sums have a fixed order and no float is added atomically, so the
// same frames make the same bits. Other orders than the CPU's: paintings differ by a level in few pixels.
//
// Barriers: around tiles in shared memory. The last block of a launch (counted by a ticket) sees what the others wrote.
#include "element.cuh"

using namespace sf;

// Of all entries of `steady.cu`.
struct SteadyParams {
    u32* painting;  // RGBA8 (height, width), steadied in place
    const u32* photo;  // RGBA8 (height, row)
    float* now;  // luma of this frame, all levels
    const float* before;  // of the frame before
    float* soft_now;  // slightly blurred luma, finest level
    const float* soft_before;  // the same of the frame before
    float4* patches;  // motion, brightness difference; per level, both directions
    float2* flow;  // motion per pixel from `now` to `before`, then from `before` to `now`
    float4* field;  // chosen motion and confidence
    u8* follows;  // 1 where a pixel follows the camera
    float4* candidates;  // motion and texture of a point; texture is -1 if it does not vote
    float4* points;  // place and motion of the points that vote
    float* partials;  // sums of blocks
    void* state;  // decisions about the whole frame
    float* energy;  // of the painting's detail; then luma of the mixed painting
    float4* history;  // the mixed painting, which the next frame needs
    const float4* previous;  // the same of the frame before
    const float* taps;  // Lanczos weights of 257 phases, 8 floats each, of which 6 are weights
    int width;  // width of the painting in pixels
    int height;  // height of the painting in pixels
    int row;  // pixels from a row of the photo to the next
    int levels;  // levels of the pyramid
    int level;  // first level of steady_pyramid, level of steady_search
    int step;  // of steady_refine
    int continues;  // 0: the painting before is not used
    float share;  // steadiness, 0 to 1
};
static_assert(sizeof(SteadyParams) == 176, "as params.rs lays it out");

enum {
    PATCH = 8,
    STRIDE = 4,
    STEPS = 6,
    MARGIN = 12,
    GRID_PX = 4,
    TRIALS = 64,
    TRIAL_THREADS = 512,
    POINT_THREADS = 1024,
    FEWEST_POINTS = 30,
    SUMS = 27,
    PHASES = 256,
};

struct Affine {
    float a, b, c, d, e, f;
    __device__ float2 at(float x, float y) const { return {a + b * x + c * y, d + e * x + f * y}; }
};

// Decisions about the frame, and counts of blocks that are done.
struct State {
    Affine camera;
    int has_camera;
    int is_still;
    int points;
    int sure;
    u32 points_done, trials_done, errors_done, steps_done[2];
    int counts[TRIALS];
    Affine trials[TRIALS];
};
static_assert(sizeof(State) <= 4096, "its room in steady.rs");

__device__ __forceinline__ State& state_of(const SteadyParams& p) { return *(State*)p.state; }

// A level of the pyramid; `start` is its first value.
struct Level {
    int width, height, start;
};

__device__ __forceinline__ Level level_at(const SteadyParams& p, int level) {
    Level at = {(p.width + 1) / 2, (p.height + 1) / 2, 0};
    for (; level > 0; level--) at = {(at.width + 1) / 2, (at.height + 1) / 2, at.start + at.width * at.height};
    return at;
}

__device__ __forceinline__ int within(int at, int side) { return min(max(at, 0), side - 1); }

__device__ __forceinline__ float clamped(float v, float least, float most) { return fminf(fmaxf(v, least), most); }

__device__ __forceinline__ float luma(float red, float green, float blue) {
    return __fmul_rn(0.299f, red) + __fmul_rn(0.587f, green) + __fmul_rn(0.114f, blue);
}

__device__ __forceinline__ float luma_of(u32 pixel) {
    return luma(pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255);
}

// The mean of four values in the corners of a pixel.
__device__ __forceinline__ float between(float a, float b, float c, float d, float fx, float fy) {
    const float above = a + fx * (b - a), below = c + fx * (d - c);
    return above + fy * (below - above);
}

// A value between pixels; outside it repeats.
__device__ __forceinline__ float sample(const float* plane, int width, int height, float x, float y) {
    x = clamped(x, -1.0f, width);
    y = clamped(y, -1.0f, height);
    const float left = floorf(x), top = floorf(y);
    const int x0 = within((int)left, width), x1 = within((int)left + 1, width);
    const int y0 = within((int)top, height) * width, y1 = within((int)top + 1, height) * width;
    return between(plane[y0 + x0], plane[y0 + x1], plane[y1 + x0], plane[y1 + x1], x - left, y - top);
}

__device__ __forceinline__ float2 sample(const float2* field, int width, int height, float x, float y) {
    x = clamped(x, 0.0f, width - 1);
    y = clamped(y, 0.0f, height - 1);
    const int x0 = (int)x, y0 = (int)y, x1 = min(x0 + 1, width - 1), y1 = min(y0 + 1, height - 1);
    const float2 a = field[y0 * width + x0], b = field[y0 * width + x1];
    const float2 c = field[y1 * width + x0], d = field[y1 * width + x1];
    const float fx = x - x0, fy = y - y0;
    return {between(a.x, b.x, c.x, d.x, fx, fy), between(a.y, b.y, c.y, d.y, fx, fy)};
}

__device__ __forceinline__ float2 gradient(const float* plane, int width, int height, int x, int y) {
    const float* row = plane + y * width;
    return {0.5f * (row[min(x + 1, width - 1)] - row[max(x - 1, 0)]),
            0.5f * (plane[min(y + 1, height - 1) * width + x] - plane[max(y - 1, 0) * width + x])};
}

// How far a motion and the motion back at its end miss each other; infinite if it leaves the picture.
__device__ __forceinline__ float disagreement(float x, float y, float2 motion, const float2* forth, int width,
                                              int height) {
    x += motion.x;
    y += motion.y;
    if (!(x >= 0.0f && x <= width - 1 && y >= 0.0f && y <= height - 1)) return __int_as_float(0x7f800000);
    const float2 back = sample(forth, width, height, x, y);
    const float across = motion.x + back.x, down = motion.y + back.y;
    return sqrtf(across * across + down * down);
}

// True if all other blocks of the launch have come here; this one then sees what they wrote.
__device__ __forceinline__ bool is_last(u32& done) {
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicAdd(&done, 1) == gridDim.x * gridDim.y - 1;
    __syncthreads();
    __threadfence();
    return last;
}

template <class T> __device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2) value += __shfl_xor_sync(~0u, value, apart);
    return value;
}

// ---- The pyramid ----

enum { TILE = 32, TILE_LEVELS = 5 };

__device__ __forceinline__ float half_luma(const SteadyParams& p, int x, int y) {
    const int x0 = 2 * x, x1 = min(2 * x + 1, p.width - 1);
    const u32* above = p.photo + (u64)(2 * y) * p.row;
    const u32* below = p.photo + (u64)min(2 * y + 1, p.height - 1) * p.row;
    const u32 pixels[4] = {above[x0], above[x1], below[x0], below[x1]};
    u32 even = 0, green = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        even += pixels[i] & 0xff00ff;
        green += pixels[i] >> 8 & 0xff;
    }
    return 0.25f * luma(even & 0xffff, green, even >> 16);
}

// A tile of 32 x 32 pixels of level `level`, and what it becomes in five coarser levels.
extern "C" __global__ void __launch_bounds__(256) steady_pyramid(SteadyParams p) {
    constexpr int SIDE = TILE + 2;
    __shared__ float tile[SIDE * SIDE], lines[SIDE * TILE], halves[2][TILE / 2 * TILE / 2];
    Level at = level_at(p, p.level);
    int left = blockIdx.x * TILE, top = blockIdx.y * TILE;
    const bool is_finest = p.level == 0;
    for (int i = threadIdx.x; i < SIDE * SIDE; i += 256) {
        const int x = within(left + i % SIDE - 1, at.width), y = within(top + i / SIDE - 1, at.height);
        tile[i] = is_finest ? half_luma(p, x, y) : p.now[at.start + y * at.width + x];
    }
    __syncthreads();
    if (is_finest) {
        for (int i = threadIdx.x; i < SIDE * TILE; i += 256) {
            const float* from = tile + i / TILE * SIDE + i % TILE;
            lines[i] = 0.25f * from[0] + 0.5f * from[1] + 0.25f * from[2];
        }
        __syncthreads();
        for (int i = threadIdx.x; i < TILE * TILE; i += 256) {
            const int x = left + i % TILE, y = top + i / TILE;
            if (x >= at.width || y >= at.height) continue;
            const int to = y * at.width + x;
            p.now[to] = tile[(i / TILE + 1) * SIDE + i % TILE + 1];
            p.soft_now[to] = 0.25f * lines[i] + 0.5f * lines[i + TILE] + 0.25f * lines[i + 2 * TILE];
        }
        if (blockIdx.x == 0 && blockIdx.y == 0 && threadIdx.x == 0) {
            State& state = state_of(p);
            state.has_camera = state.is_still = state.sure = 0;
            state.points_done = state.trials_done = state.errors_done = 0;
            state.steps_done[0] = state.steps_done[1] = 0;
        }
    }
    const float* from = tile + SIDE + 1;
    int stride = SIDE, side = TILE;
    for (int level = p.level + 1; level < p.levels && level <= p.level + TILE_LEVELS; level++) {
        // Positions of the finer level beyond the picture repeat its last ones.
        const int last_x = at.width - 1 - left, last_y = at.height - 1 - top;
        at = {(at.width + 1) / 2, (at.height + 1) / 2, at.start + at.width * at.height};
        left /= 2;
        top /= 2;
        side /= 2;
        float* to = halves[level % 2];
        for (int i = threadIdx.x; i < side * side; i += 256) {
            const int x = i % side, y = i / side;
            if (left + x >= at.width || top + y >= at.height) continue;
            const float* above = from + 2 * y * stride;
            const float* below = from + min(2 * y + 1, last_y) * stride;
            const int x0 = 2 * x, x1 = min(2 * x + 1, last_x);
            const float mean = 0.25f * (above[x0] + above[x1] + below[x0] + below[x1]);
            to[i] = mean;
            p.now[at.start + (top + y) * at.width + left + x] = mean;
        }
        __syncthreads();
        from = to;
        stride = side;
    }
}

// ---- Optical flow ----

__device__ __forceinline__ int patches_along(int side) { return (side - PATCH + STRIDE - 1) / STRIDE + 1; }

// Where a patch begins; the last one ends with the side.
__device__ __forceinline__ int place(int index, int side) { return min(index * STRIDE, side - PATCH); }

// Two pictures of one level, and the patches between them.
struct Pair {
    const float* from;
    const float* to;
    float4* patches;
    int width, height, columns, rows;
};

__device__ __forceinline__ Pair pair_at(const SteadyParams& p, int level, int direction) {
    Level at = {(p.width + 1) / 2, (p.height + 1) / 2, 0};
    int start = 0;
    for (int i = 0;; i++) {
        const int columns = patches_along(at.width), rows = patches_along(at.height);
        if (i == level) {
            const float* now = p.now + at.start;
            const float* before = p.before + at.start;
            return {direction ? before : now,
                    direction ? now : before,
                    p.patches + start + direction * columns * rows,
                    at.width,
                    at.height,
                    columns,
                    rows};
        }
        start += 2 * columns * rows;
        at = {(at.width + 1) / 2, (at.height + 1) / 2, at.start + at.width * at.height};
    }
}

// The place of a patch in the other picture is limited to a margin.
__device__ __forceinline__ float limited(float at, int side) {
    return clamped(at, -(MARGIN - 1.0f), side + (MARGIN - 1.0f) - (PATCH + 1));
}

// The sum of the motions over a pixel, and of their weights.
struct Motions {
    float across, down, weight;
};

// The patches over a pixel, by how well they fit there: each, or only each second one from `first` on.
template <int EACH> __device__ __forceinline__ Motions motions_at(const Pair& pair, int x, int y, int first) {
    const float own = pair.from[y * pair.width + x];
    const int first_column = min(max(x - STRIDE, 0) / STRIDE, pair.columns - 1);
    int number = first;
    Motions sums = {0.0f, 0.0f, 0.0f};
    for (int row = min(max(y - STRIDE, 0) / STRIDE, pair.rows - 1); row < pair.rows; row++) {
        const int top = place(row, pair.height);
        if (top > y) break;
        for (int column = first_column; column < pair.columns; column++) {
            const int left = place(column, pair.width);
            if (left > x) break;
            if (EACH > 1 && number++ % EACH != 0) continue;
            const float4 patch = pair.patches[row * pair.columns + column];
            const float there_x = limited(left + patch.x, pair.width), there_y = limited(top + patch.y, pair.height);
            const float whole_x = floorf(there_x), whole_y = floorf(there_y);
            const int to_x = (int)whole_x + x - left, to_y = (int)whole_y + y - top;
            const int x0 = within(to_x, pair.width), x1 = within(to_x + 1, pair.width);
            const int y0 = within(to_y, pair.height) * pair.width, y1 = within(to_y + 1, pair.height) * pair.width;
            const float found = between(pair.to[y0 + x0], pair.to[y0 + x1], pair.to[y1 + x0], pair.to[y1 + x1],
                                        there_x - whole_x, there_y - whole_y);
            const float fit = __fdividef(1.0f, fmaxf(fabsf(found - own - patch.z), 1.0f));
            sums.across += fit * patch.x;
            sums.down += fit * patch.y;
            sums.weight += fit;
        }
    }
    return sums;
}

// The sum over the eight threads of a patch, in the CPU's order.
__device__ __forceinline__ float patch_sum(float value) {
    value += __shfl_xor_sync(~0u, value, 4);
    value += __shfl_xor_sync(~0u, value, 1);
    return value + __shfl_xor_sync(~0u, value, 2);
}

// The motion in the middle of a patch, by the coarser level. Each of the eight threads adds half of the patches over
// one of the four pixels around it.
__device__ __forceinline__ float2 motion_of_coarser(const Pair& pair, int x, int y) {
    const int thread = threadIdx.x % 8;
    const float at_x = clamped((x + PATCH / 2) * 0.5f - 0.5f, 0.0f, pair.width - 1);
    const float at_y = clamped((y + PATCH / 2) * 0.5f - 0.5f, 0.0f, pair.height - 1);
    const int left = (int)at_x, top = (int)at_y;
    const bool is_right = thread & 1, is_below = thread & 2;
    Motions sums = motions_at<2>(pair, min(left + is_right, pair.width - 1), min(top + is_below, pair.height - 1),
                                 thread / 4);
    sums.across += __shfl_xor_sync(~0u, sums.across, 4);
    sums.down += __shfl_xor_sync(~0u, sums.down, 4);
    sums.weight += __shfl_xor_sync(~0u, sums.weight, 4);
    const float fx = at_x - left, fy = at_y - top;
    const float weight = 2.0f * (is_right ? fx : 1.0f - fx) * (is_below ? fy : 1.0f - fy) / sums.weight;
    float2 motion = {weight * sums.across, weight * sums.down};
#pragma unroll
    for (int apart = 1; apart < 4; apart *= 2) {
        motion.x += __shfl_xor_sync(~0u, motion.x, apart);
        motion.y += __shfl_xor_sync(~0u, motion.y, apart);
    }
    return motion;
}

// Eight threads a patch, each with a column of it.
extern "C" __global__ void __launch_bounds__(256) steady_search(SteadyParams p) {
    constexpr float PIXELS = PATCH * PATCH;
    const Pair pair = pair_at(p, p.level, blockIdx.y);
    const int count = pair.columns * pair.rows, column = threadIdx.x % PATCH;
    const int index = blockIdx.x * (256 / PATCH) + threadIdx.x / PATCH, patch = min(index, count - 1);
    const int x = place(patch % pair.columns, pair.width), y = place(patch / pair.columns, pair.height);
    float2 start = {0.0f, 0.0f};
    if (p.level + 1 < p.levels) start = motion_of_coarser(pair_at(p, p.level + 1, blockIdx.y), x, y);

    float own[PATCH], across[PATCH], down[PATCH];
    float u = 0.0f, v = 0.0f, uu = 0.0f, uv = 0.0f, vv = 0.0f;
    {
        const int at = x + column, before = max(at - 1, 0), after = min(at + 1, pair.width - 1);
        const float* row = pair.from + y * pair.width;
        float above = pair.from[max(y - 1, 0) * pair.width + at];
        own[0] = row[at];
#pragma unroll
        for (int i = 0; i < PATCH; i++) {
            const float* next = pair.from + min(y + i + 1, pair.height - 1) * pair.width;
            const float below = next[at];
            across[i] = 0.5f * (row[after] - row[before]);
            down[i] = 0.5f * (below - above);
            above = own[i];
            if (i + 1 < PATCH) own[i + 1] = below;
            row = next;
            u += across[i];
            v += down[i];
            uu += across[i] * across[i];
            uv += across[i] * down[i];
            vv += down[i] * down[i];
        }
    }
    u = patch_sum(u);
    v = patch_sum(v);
    // One is added so that flat patches stay.
    uu = patch_sum(uu) - u * u / PIXELS + 1.0f;
    uv = patch_sum(uv) - u * v / PIXELS;
    vv = patch_sum(vv) - v * v / PIXELS + 1.0f;
    const float scale = 1.0f / (uu * vv - uv * uv);

    float best = __int_as_float(0x7f800000);
    float4 found = {start.x, start.y, 0.0f, 0.0f};
    float2 motion = start;
    bool is_done = false;
#pragma unroll 1
    for (int i = 0; i <= STEPS; i++) {
        const float there_x = limited(x + motion.x, pair.width), there_y = limited(y + motion.y, pair.height);
        const float whole_x = floorf(there_x), whole_y = floorf(there_y);
        const float fx = there_x - whole_x, fy = there_y - whole_y;
        const int left = (int)whole_x + column, top = (int)whole_y;
        const float* first = pair.to + within(left, pair.width);
        const int second = within(left + 1, pair.width) - within(left, pair.width);
        float line[PATCH + 1];
#pragma unroll
        for (int row = 0; row <= PATCH; row++) {
            const float* at = first + within(top + row, pair.height) * pair.width;
            line[row] = at[0] + fx * (at[second] - at[0]);
        }
        float sum = 0.0f, squares = 0.0f, product_u = 0.0f, product_v = 0.0f;
#pragma unroll
        for (int row = 0; row < PATCH; row++) {
            const float error = line[row] + fy * (line[row + 1] - line[row]) - own[row];
            sum += error;
            squares += error * error;
            product_u += error * across[row];
            product_v += error * down[row];
        }
        sum = patch_sum(sum);
        squares = patch_sum(squares);
        product_u = patch_sum(product_u) - sum * u / PIXELS;
        product_v = patch_sum(product_v) - sum * v / PIXELS;
        const float error = squares - sum * sum / PIXELS;
        is_done |= !(error < best);
        if (!is_done) {
            best = error;
            found = {motion.x, motion.y, sum / PIXELS, 0.0f};
            const float step_x = (vv * product_u - uv * product_v) * scale;
            const float step_y = (uu * product_v - uv * product_u) * scale;
            motion.x -= step_x;
            motion.y -= step_y;
            is_done = step_x * step_x + step_y * step_y < 1e-4f ||
                      fmaxf(fabsf(motion.x - start.x), fabsf(motion.y - start.y)) > PATCH;
        }
        if (__all_sync(~0u, is_done)) break;
    }
    if (column == 0 && index < count) pair.patches[patch] = found;
}

extern "C" __global__ void __launch_bounds__(256) steady_spread(SteadyParams p) {
    const Pair pair = pair_at(p, 0, blockIdx.z);
    const int x = blockIdx.x * 32 + threadIdx.x % 32, y = blockIdx.y * 8 + threadIdx.x / 32;
    if (x >= pair.width || y >= pair.height) return;
    const Motions sums = motions_at<1>(pair, x, y, 0);
    p.flow[(blockIdx.z * pair.height + y) * pair.width + x] = {sums.across / sums.weight, sums.down / sums.weight};
}

// ---- The camera ----

// Points between which the camera's motion is found. The last block lists those that vote, in order.
extern "C" __global__ void __launch_bounds__(POINT_THREADS) steady_points(SteadyParams p) {
    constexpr int WARPS = POINT_THREADS / 32;
    __shared__ float textures[WARPS];
    __shared__ int counts[WARPS];
    const Level at = level_at(p, 0);
    const int columns = (at.width + GRID_PX / 2 - 1) / GRID_PX, rows = (at.height + GRID_PX / 2 - 1) / GRID_PX;
    const int count = columns * rows, i = blockIdx.x * POINT_THREADS + threadIdx.x;
    if (i < count) {
        const int x = GRID_PX / 2 + i % columns * GRID_PX, y = GRID_PX / 2 + i / columns * GRID_PX;
        const float2 motion = p.flow[y * at.width + x];
        const float apart = disagreement(x, y, motion, p.flow + at.width * at.height, at.width, at.height);
        const float2 slope = gradient(p.now, at.width, at.height, x, y);
        p.candidates[i] = {motion.x, motion.y, apart <= 0.5f ? fabsf(slope.x) + fabsf(slope.y) : -1.0f, 0.0f};
    }
    State& state = state_of(p);
    if (!is_last(state.points_done)) return;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    // Each warp has a range of candidates.
    const int each = (count + POINT_THREADS - 1) / POINT_THREADS * 32, begin = warp * each;
    const int end = min(begin + each, count);
    float texture = 0.0f;
    int voting = 0;
    for (int at = begin + lane; at < end; at += 32) {
        const float own = __ldcg(&p.candidates[at]).z;
        texture += fmaxf(own, 0.0f);
        voting += own >= 0.0f;
    }
    texture = warp_sum(texture);
    voting = warp_sum(voting);
    if (lane == 0) {
        textures[warp] = texture;
        counts[warp] = voting;
    }
    __syncthreads();
    // Flat places have no motion of their own.
    const float least = 0.7f * (warp_sum(textures[lane]) / warp_sum(counts[lane]));
    __syncthreads();
    voting = 0;
    for (int at = begin + lane; at < end; at += 32) {
        const float own = __ldcg(&p.candidates[at]).z;
        voting += own >= 0.0f && own >= least;
    }
    voting = warp_sum(voting);
    if (lane == 0) counts[warp] = voting;
    __syncthreads();
    int to = warp_sum(lane < warp ? counts[lane] : 0);
    for (int first = begin; first < end; first += 32) {
        const int i = first + lane;
        const float4 own = i < end ? __ldcg(&p.candidates[i]) : float4{0.0f, 0.0f, -1.0f, 0.0f};
        const bool votes = own.z >= 0.0f && own.z >= least;
        const u32 voters = __ballot_sync(~0u, votes);
        if (votes) {
            const float x = GRID_PX / 2 + i % columns * GRID_PX, y = GRID_PX / 2 + i / columns * GRID_PX;
            p.points[to + __popc(voters & ((1u << lane) - 1))] = {x, y, own.x, own.y};
        }
        to += __popc(voters);
    }
    if (threadIdx.x == POINT_THREADS - 1) state.points = to;
}

// Number `n` of the CPU's sequence, counted from 1.
__device__ __forceinline__ u32 random_number(u32 n) {
    u32 seed = 1, factor = 1664525, term = 1013904223;
    for (; n > 0; n >>= 1) {
        if (n & 1) seed = seed * factor + term;
        term *= factor + 1;
        factor *= factor;
    }
    return seed;
}

__device__ __forceinline__ bool follows(const Affine& motion, float4 point) {
    const float2 own = motion.at(point.x, point.y);
    const float across = own.x - point.z, down = own.y - point.w;
    return across * across + down * down < 0.25f * 0.25f;
}

enum { COUNT, X, Y, XX, XY, YY, U, UX, UY, V, VX, VY, MOMENTS };

// The least squares of points, of which these are the sums of products, relative to a middle. `false` if they lie on a
// line.
__device__ __forceinline__ bool fit(const double (&of)[MOMENTS], double middle_x, double middle_y, Affine& to) {
    const double count = of[COUNT], x = of[X] / count, y = of[Y] / count;
    const double xx = of[XX] - of[X] * x, xy = of[XY] - of[X] * y, yy = of[YY] - of[Y] * y;
    const double determinant = xx * yy - xy * xy;
    if (count < 3.0 || !(determinant >= 1.0)) return false;
    const double ux = of[UX] - of[U] * x, uy = of[UY] - of[U] * y, vx = of[VX] - of[V] * x, vy = of[VY] - of[V] * y;
    const double b = (ux * yy - uy * xy) / determinant, c = (uy * xx - ux * xy) / determinant;
    const double e = (vx * yy - vy * xy) / determinant, f = (vy * xx - vx * xy) / determinant;
    to = {(float)(of[U] / count - b * (x + middle_x) - c * (y + middle_y)), (float)b, (float)c,
          (float)(of[V] / count - e * (x + middle_x) - f * (y + middle_y)), (float)e, (float)f};
    return true;
}

template <class T> __device__ __forceinline__ void add_moments(T (&to)[MOMENTS], T x, T y, T u, T v) {
    const T values[MOMENTS] = {1, x, y, x * x, x * y, y * y, u, u * x, u * y, v, v * x, v * y};
#pragma unroll
    for (int i = 0; i < MOMENTS; i++) to[i] += values[i];
}

// The sum of each thread's value in a block of TRIAL_THREADS threads.
__device__ __forceinline__ int block_count(int value) {
    __shared__ int counts[TRIAL_THREADS / 32];
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % 32 == 0) counts[threadIdx.x / 32] = value;
    __syncthreads();
    return warp_sum(threadIdx.x % 32 < TRIAL_THREADS / 32 ? counts[threadIdx.x % 32] : 0);
}

__device__ __forceinline__ int count_following(const SteadyParams& p, const Affine& motion, int points) {
    int count = 0;
    for (int i = threadIdx.x; i < points; i += TRIAL_THREADS) count += follows(motion, p.points[i]);
    return block_count(count);
}

// A block per trial. The last block fits the best motion to all points that follow it.
extern "C" __global__ void __launch_bounds__(TRIAL_THREADS) steady_trials(SteadyParams p) {
    constexpr int WARPS = TRIAL_THREADS / 32;
    __shared__ float sums[WARPS][MOMENTS];
    __shared__ double totals[MOMENTS];
    __shared__ Affine shared;
    __shared__ bool is_fit;
    State& state = state_of(p);
    const int points = state.points;
    if (points < FEWEST_POINTS) return;
    if (threadIdx.x == 0) {
        double moments[MOMENTS] = {};
#pragma unroll 1
        for (int i = 1; i <= 3; i++) {
            const float4 point = p.points[(random_number(3 * blockIdx.x + i) >> 8) % points];
            add_moments<double>(moments, point.x, point.y, point.z, point.w);
        }
        is_fit = fit(moments, 0.0, 0.0, shared);
    }
    __syncthreads();
    const int following = is_fit ? count_following(p, shared, points) : 0;
    if (threadIdx.x == 0) {
        state.counts[blockIdx.x] = following;
        state.trials[blockIdx.x] = shared;
    }
    if (!is_last(state.trials_done)) return;
    // The first one of the best.
    int best = -1;
#pragma unroll
    for (int i = threadIdx.x % 32; i < TRIALS; i += 32) {
        best = max(best, __ldcg(&state.counts[i]) * TRIALS + TRIALS - 1 - i);
    }
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2) best = max(best, __shfl_xor_sync(~0u, best, apart));
    if (best < TRIALS) return;
    const float* values = &state.trials[TRIALS - 1 - best % TRIALS].a;
    Affine motion = {__ldcg(values),     __ldcg(values + 1), __ldcg(values + 2),
                     __ldcg(values + 3), __ldcg(values + 4), __ldcg(values + 5)};
    // Relative to the middle, so that fp32 is exact enough.
    const float middle_x = p.width / 4, middle_y = p.height / 4;
#pragma unroll 1
    for (int pass = 0; pass < 2; pass++) {
        float own[MOMENTS] = {};
        for (int i = threadIdx.x; i < points; i += TRIAL_THREADS) {
            const float4 point = p.points[i];
            if (follows(motion, point)) add_moments(own, point.x - middle_x, point.y - middle_y, point.z, point.w);
        }
#pragma unroll
        for (int i = 0; i < MOMENTS; i++) {
            own[i] = warp_sum(own[i]);
            if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32][i] = own[i];
        }
        __syncthreads();
        if (threadIdx.x < MOMENTS) {
            double sum = 0.0;
#pragma unroll
            for (int warp = 0; warp < WARPS; warp++) sum += sums[warp][threadIdx.x];
            totals[threadIdx.x] = sum;
        }
        __syncthreads();
        if (threadIdx.x == 0) is_fit = fit(totals, middle_x, middle_y, shared);
        __syncthreads();
        if (!is_fit) return;
        motion = shared;
    }
    const int most = count_following(p, motion, points);
    if (threadIdx.x == 0 && (float)most / (float)points >= 0.4f) {
        state.camera = motion;
        state.has_camera = 1;
    }
}

// One Gauss-Newton step on the difference between both pictures, in which places that move otherwise count little.
extern "C" __global__ void __launch_bounds__(256) steady_refine(SteadyParams p) {
    constexpr int SKIP = 2, UNKNOWNS = 6;
    __shared__ float warps[8][SUMS];
    __shared__ double totals[SUMS], matrix[UNKNOWNS][UNKNOWNS + 1];
    State& state = state_of(p);
    if (!state.has_camera) return;
    const Affine camera = state.camera;
    const Level at = level_at(p, 0);
    // Places are relative to the middle, so that the equations are well conditioned.
    const float middle_x = at.width / 2.0f, middle_y = at.height / 2.0f, scale = 1.0f / at.width;
    const int columns = (at.width + SKIP - 1) / SKIP, rows = (at.height + SKIP - 1) / SKIP;
    float sums[SUMS] = {};
    for (int i = blockIdx.x * 256 + threadIdx.x; i < columns * rows; i += gridDim.x * 256) {
        const int x = i % columns * SKIP, y = i / columns * SKIP;
        const float2 motion = camera.at(x, y);
        const float there_x = x + motion.x, there_y = y + motion.y;
        if (!(there_x >= 1.0f && there_x <= at.width - 2 && there_y >= 1.0f && there_y <= at.height - 2)) continue;
        const float error =
            sample(p.soft_before, at.width, at.height, there_x, there_y) - p.soft_now[y * at.width + x];
        float weight = 1.0f / (1.0f + error * error / 25.0f);
        weight *= weight;
        const float2 slope = gradient(p.soft_now, at.width, at.height, x, y);
        const float to_x = (x - middle_x) * scale, to_y = (y - middle_y) * scale;
        const float slopes[UNKNOWNS] = {slope.x, slope.x * to_x, slope.x * to_y,
                                        slope.y, slope.y * to_x, slope.y * to_y};
        int to = 0;
#pragma unroll
        for (int i = 0; i < UNKNOWNS; i++) {
            const float weighted = weight * slopes[i];
#pragma unroll
            for (int j = i; j < UNKNOWNS; j++) sums[to++] += weighted * slopes[j];
            sums[21 + i] += weighted * error;
        }
    }
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < SUMS; i++) {
        const float sum = warp_sum(sums[i]);
        if (lane == 0) warps[warp][i] = sum;
    }
    __syncthreads();
    if (threadIdx.x < SUMS) {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; i++) sum += warps[i][threadIdx.x];
        p.partials[blockIdx.x * SUMS + threadIdx.x] = sum;
    }
    if (!is_last(state.steps_done[p.step])) return;
    for (int i = warp; i < SUMS; i += 8) {
        double sum = 0.0;
        for (int block = lane; block < gridDim.x; block += 32) sum += __ldcg(&p.partials[block * SUMS + i]);
        sum = warp_sum(sum);
        if (lane == 0) totals[i] = sum;
    }
    __syncthreads();
    // A thread per element of the matrix, with the right side as its last column.
    const int i = threadIdx.x / (UNKNOWNS + 1), j = threadIdx.x % (UNKNOWNS + 1);
    const bool has_element = i < UNKNOWNS;
    if (has_element) {
        const int low = min(i, j), high = max(i, j);
        // One on the diagonal, so that flat pictures have a solution.
        matrix[i][j] = j == UNKNOWNS ? totals[21 + i] : totals[low * (11 - low) / 2 + high] + (i == j ? 1.0 : 0.0);
    }
    __syncthreads();
#pragma unroll 1
    for (int pivot = 0; pivot < UNKNOWNS; pivot++) {
        double change = 0.0;
        if (has_element && i != pivot) change = matrix[i][pivot] / matrix[pivot][pivot] * matrix[pivot][j];
        __syncthreads();
        if (has_element) matrix[i][j] -= change;
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        float step[UNKNOWNS];
#pragma unroll
        for (int k = 0; k < UNKNOWNS; k++) step[k] = (float)(matrix[k][UNKNOWNS] / matrix[k][k]);
        const float b = step[1] * scale, c = step[2] * scale, e = step[4] * scale, f = step[5] * scale;
        state.camera = {camera.a - (step[0] - b * middle_x - c * middle_y), camera.b - b, camera.c - c,
                        camera.d - (step[3] - e * middle_x - f * middle_y), camera.e - e, camera.f - f};
    }
}

// ---- Errors and confidence ----

enum { ERROR_WIDTH = 32, ERROR_HEIGHT = 16 };

// The errors of a tile with its surroundings, and their sums along rows.
template <int REACH> struct Errors {
    float values[ERROR_HEIGHT + 2 * REACH][ERROR_WIDTH + 2 * REACH];
    float lines[ERROR_HEIGHT + 2 * REACH][ERROR_WIDTH];

    __device__ __forceinline__ void add_lines() {
        for (int i = threadIdx.x; i < (ERROR_HEIGHT + 2 * REACH) * ERROR_WIDTH; i += 256) {
            float sum = 0.0f;
#pragma unroll
            for (int j = 0; j <= 2 * REACH; j++) {
                sum += 1.0f / (2 * REACH + 1) * values[i / ERROR_WIDTH][i % ERROR_WIDTH + j];
            }
            lines[i / ERROR_WIDTH][i % ERROR_WIDTH] = sum;
        }
    }

    // The mean around a pixel.
    __device__ __forceinline__ float mean(int x, int y) const {
        float sum = 0.0f;
#pragma unroll
        for (int j = 0; j <= 2 * REACH; j++) sum += 1.0f / (2 * REACH + 1) * lines[y + j][x];
        return sum;
    }
};

__device__ __forceinline__ float error_of(const SteadyParams& p, const Level& at, int x, int y, float2 motion) {
    const float there = sample(p.soft_before, at.width, at.height, x + motion.x, y + motion.y);
    return fabsf(p.soft_now[y * at.width + x] - there);
}

__device__ __forceinline__ float length(float2 of) { return sqrtf(of.x * of.x + of.y * of.y); }

// Where the pictures agree with the camera's motion nearly as well as with the flow, and the flow is near it or unsure;
// whether the camera is still.
extern "C" __global__ void __launch_bounds__(256) steady_errors(SteadyParams p) {
    constexpr int REACH = 2, WIDTH = ERROR_WIDTH + 2 * REACH, HEIGHT = ERROR_HEIGHT + 2 * REACH;
    __shared__ Errors<REACH> of_flow, of_camera, of_rest;
    __shared__ float warps[2][8];
    State& state = state_of(p);
    if (!state.has_camera) return;
    const Affine camera = state.camera;
    const Level at = level_at(p, 0);
    const float right = at.width - 1, bottom = at.height - 1;
    const float longest = fmaxf(fmaxf(length(camera.at(0.0f, 0.0f)), length(camera.at(right, 0.0f))),
                                fmaxf(length(camera.at(0.0f, bottom)), length(camera.at(right, bottom))));
    // Half a pixel of the pictures.
    const bool may_be_still = longest < 0.25f;
    const int left = blockIdx.x * ERROR_WIDTH, top = blockIdx.y * ERROR_HEIGHT;
    for (int i = threadIdx.x; i < WIDTH * HEIGHT; i += 256) {
        const int x = within(left + i % WIDTH - REACH, at.width), y = within(top + i / WIDTH - REACH, at.height);
        of_flow.values[i / WIDTH][i % WIDTH] = error_of(p, at, x, y, p.flow[y * at.width + x]);
        of_camera.values[i / WIDTH][i % WIDTH] = error_of(p, at, x, y, camera.at(x, y));
        if (may_be_still) of_rest.values[i / WIDTH][i % WIDTH] = error_of(p, at, x, y, {0.0f, 0.0f});
    }
    __syncthreads();
    of_flow.add_lines();
    of_camera.add_lines();
    if (may_be_still) of_rest.add_lines();
    __syncthreads();
    float camera_sum = 0.0f, rest_sum = 0.0f;
    for (int i = threadIdx.x; i < ERROR_WIDTH * ERROR_HEIGHT; i += 256) {
        const int tile_x = i % ERROR_WIDTH, tile_y = i / ERROR_WIDTH, x = left + tile_x, y = top + tile_y;
        if (x >= at.width || y >= at.height) continue;
        const float by_camera = of_camera.mean(tile_x, tile_y);
        bool is_following = by_camera <= 1.1f * of_flow.mean(tile_x, tile_y) + 0.3f;
        if (is_following) {
            const float2 flow = p.flow[y * at.width + x], motion = camera.at(x, y);
            is_following =
                length({motion.x - flow.x, motion.y - flow.y}) < 0.25f ||
                disagreement(x, y, flow, p.flow + at.width * at.height, at.width, at.height) > 0.5f;
        }
        p.follows[y * at.width + x] = is_following;
        if (may_be_still) {
            const float2 slope = gradient(p.soft_now, at.width, at.height, x, y);
            if (fabsf(slope.x) + fabsf(slope.y) > 6.0f) {
                camera_sum += by_camera;
                rest_sum += of_rest.mean(tile_x, tile_y);
            }
        }
    }
    if (!may_be_still) return;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, block = blockIdx.y * gridDim.x + blockIdx.x;
    camera_sum = warp_sum(camera_sum);
    rest_sum = warp_sum(rest_sum);
    if (lane == 0) {
        warps[0][warp] = camera_sum;
        warps[1][warp] = rest_sum;
    }
    __syncthreads();
    if (threadIdx.x < 2) {
        float sum = 0.0f;
        for (int i = 0; i < 8; i++) sum += warps[threadIdx.x][i];
        p.partials[2 * block + threadIdx.x] = sum;
    }
    if (!is_last(state.errors_done) || warp > 0) return;
    double by_camera = 0.0, by_rest = 0.0;
    for (int i = lane; i < gridDim.x * gridDim.y; i += 32) {
        by_camera += __ldcg(&p.partials[2 * i]);
        by_rest += __ldcg(&p.partials[2 * i + 1]);
    }
    by_camera = warp_sum(by_camera);
    by_rest = warp_sum(by_rest);
    if (lane == 0) state.is_still = by_rest <= 1.03 * by_camera;
}

// 1 up to `low`, 0 from `high` on.
__device__ __forceinline__ float falling(float value, float low, float high) {
    return clamped((high - value) / (high - low), 0.0f, 1.0f);
}

// The motion of each pixel, a mean of 5x5, and its confidence: both directions agree, the pictures do, and neighbours
// move alike.
extern "C" __global__ void __launch_bounds__(256) steady_judge(SteadyParams p) {
    // Pixels to the farthest one of a mean, and to the neighbours that are compared.
    constexpr int SMOOTH = 2, NEAR = 2, APART = SMOOTH + NEAR, ERRORS = 1;
    constexpr int WIDTH = ERROR_WIDTH + 2 * APART, HEIGHT = ERROR_HEIGHT + 2 * APART;
    __shared__ float2 motions[HEIGHT][WIDTH], lines[HEIGHT][WIDTH];
    __shared__ Errors<ERRORS> errors;
    State& state = state_of(p);
    const Affine camera = state.camera;
    const bool has_camera = state.has_camera, is_still = state.is_still;
    const Level at = level_at(p, 0);
    const int left = blockIdx.x * ERROR_WIDTH - APART, top = blockIdx.y * ERROR_HEIGHT - APART;
    for (int i = threadIdx.x; i < WIDTH * HEIGHT; i += 256) {
        const int x = within(left + i % WIDTH, at.width), y = within(top + i / WIDTH, at.height);
        float2 motion = p.flow[y * at.width + x];
        if (has_camera && p.follows[y * at.width + x]) motion = is_still ? float2{0.0f, 0.0f} : camera.at(x, y);
        motions[i / WIDTH][i % WIDTH] = motion;
    }
    __syncthreads();
    if (!is_still) {
        const auto mean = [](const float2* from, int step) {
            float2 sum = {0.0f, 0.0f};
#pragma unroll
            for (int j = -SMOOTH; j <= SMOOTH; j++) {
                sum.x += 0.2f * from[j * step].x;
                sum.y += 0.2f * from[j * step].y;
            }
            return sum;
        };
        // What is beyond the picture repeats the mean at its edge.
        constexpr int INNER = WIDTH - 2 * SMOOTH;
        for (int i = threadIdx.x; i < INNER * HEIGHT; i += 256) {
            const int column = SMOOTH + i % INNER, row = i / INNER;
            lines[row][column] = mean(&motions[row][within(left + column, at.width) - left], 1);
        }
        __syncthreads();
        for (int i = threadIdx.x; i < INNER * (HEIGHT - 2 * SMOOTH); i += 256) {
            const int column = SMOOTH + i % INNER, row = SMOOTH + i / INNER;
            motions[row][column] = mean(&lines[within(top + row, at.height) - top][column], WIDTH);
        }
        __syncthreads();
    }
    constexpr int AROUND = ERROR_WIDTH + 2 * ERRORS;
    for (int i = threadIdx.x; i < AROUND * (ERROR_HEIGHT + 2 * ERRORS); i += 256) {
        const int column = i % AROUND + APART - ERRORS, row = i / AROUND + APART - ERRORS;
        const int x = within(left + column, at.width), y = within(top + row, at.height);
        errors.values[i / AROUND][i % AROUND] = error_of(p, at, x, y, motions[row][column]);
    }
    __syncthreads();
    errors.add_lines();
    __syncthreads();
    int sure = 0;
    for (int i = threadIdx.x; i < ERROR_WIDTH * ERROR_HEIGHT; i += 256) {
        const int column = i % ERROR_WIDTH + APART, row = i / ERROR_WIDTH + APART;
        const int x = left + column, y = top + row;
        if (x >= at.width || y >= at.height) continue;
        const float2 motion = motions[row][column];
        float spread = 0.0f;
#pragma unroll
        for (int j = 0; j < 9; j++) {
            const float2 other = motions[row + (j / 3 - 1) * NEAR][column + (j % 3 - 1) * NEAR];
            spread = fmaxf(spread, length({other.x - motion.x, other.y - motion.y}));
        }
        const float apart = disagreement(x, y, motion, p.flow + at.width * at.height, at.width, at.height);
        const float error = errors.mean(column - APART, row - APART);
        const float confidence =
            falling(apart, 0.6f, 1.6f) * (is_still ? falling(error, 3.0f, 8.0f) : falling(error, 8.0f, 24.0f)) * falling(spread, 0.3f, 1.0f);
        p.field[y * at.width + x] = {motion.x, motion.y, confidence, 0.0f};
        sure += confidence > 0.3f;
    }
    sure = warp_sum(sure);
    if (threadIdx.x % 32 == 0) atomicAdd(&state.sure, sure);
}

// True if the painting shows the scene of the one before.
__device__ __forceinline__ bool continues(const SteadyParams& p) {
    const Level at = level_at(p, 0);
    return p.continues && (float)state_of(p).sure >= 0.25f * (float)(at.width * at.height);
}

// ---- The painting ----

enum { DETAIL_WIDTH = 64, DETAIL_HEIGHT = 32, BLUR_REACH = 4, MEAN_REACH = 7, REACH = BLUR_REACH + MEAN_REACH };

// The detail of a tile of a picture and the mean of its size around each pixel; its own memory for each block.
// `luma_at` returns the picture's luma, `store` receives column, row, detail and energy of each pixel.
template <class LumaAt, class Store>
__device__ __forceinline__ void find_detail(int width, int height, LumaAt luma_at, Store store) {
    constexpr int LUMA_WIDTH = DETAIL_WIDTH + 2 * REACH, LUMA_HEIGHT = DETAIL_HEIGHT + 2 * REACH;
    constexpr int HIGH_WIDTH = DETAIL_WIDTH + 2 * MEAN_REACH, HIGH_HEIGHT = DETAIL_HEIGHT + 2 * MEAN_REACH;
    // Odd, so that the threads of a warp can have a row each.
    constexpr int STRIDE = LUMA_WIDTH + 1, LINE = HIGH_WIDTH + 1, MEAN_LINE = DETAIL_WIDTH + 1;
    // A Gaussian of sigma 1.5: what differs from it is detail.
    constexpr float BLUR[2 * BLUR_REACH + 1] = {0.007614f, 0.036075f, 0.109586f, 0.213445f, 0.26656f,
                                                0.213445f, 0.109586f, 0.036075f, 0.007614f};
    constexpr float MEAN = 1.0f / (2 * MEAN_REACH + 1);
    __shared__ float tile[LUMA_HEIGHT * STRIDE], lines[LUMA_HEIGHT * LINE];
    const int thread = threadIdx.x, left = blockIdx.x * DETAIL_WIDTH, top = blockIdx.y * DETAIL_HEIGHT;
    for (int i = thread; i < LUMA_HEIGHT * LUMA_WIDTH; i += 256) {
        const int x = within(left + i % LUMA_WIDTH - REACH, width), y = within(top + i / LUMA_WIDTH - REACH, height);
        tile[i / LUMA_WIDTH * STRIDE + i % LUMA_WIDTH] = luma_at(x, y);
    }
    __syncthreads();
    {
        // Blurred across: each thread makes 20 columns of a row; the last ones overlap.
        constexpr int EACH = 20;
        const int row = thread % LUMA_HEIGHT, first = min(thread / LUMA_HEIGHT * EACH, HIGH_WIDTH - EACH);
        if (thread < LUMA_HEIGHT * ((HIGH_WIDTH + EACH - 1) / EACH)) {
            const float* from = tile + row * STRIDE + first;
            float window[2 * BLUR_REACH + 1];
#pragma unroll
            for (int i = 0; i < EACH + 2 * BLUR_REACH; i++) {
                window[i % (2 * BLUR_REACH + 1)] = from[i];
                if (i < 2 * BLUR_REACH) continue;
                float sum = 0.0f;
#pragma unroll
                for (int j = 0; j <= 2 * BLUR_REACH; j++) {
                    sum += BLUR[j] * window[(i - 2 * BLUR_REACH + j) % (2 * BLUR_REACH + 1)];
                }
                lines[row * LINE + first + i - 2 * BLUR_REACH] = sum;
            }
        }
    }
    __syncthreads();
    {
        // Blurred down; the detail replaces the luma.
        constexpr int EACH = 16;
        const int column = thread % HIGH_WIDTH, first = thread / HIGH_WIDTH * EACH;
        const float* from = lines + first * LINE + column;
        float* to = tile + (first + BLUR_REACH) * STRIDE + column + BLUR_REACH;
        float window[2 * BLUR_REACH + 1];
#pragma unroll
        for (int i = 0; i < EACH + 2 * BLUR_REACH; i++) {
            if (first + i >= LUMA_HEIGHT) break;
            window[i % (2 * BLUR_REACH + 1)] = from[i * LINE];
            if (i < 2 * BLUR_REACH) continue;
            float sum = 0.0f;
#pragma unroll
            for (int j = 0; j <= 2 * BLUR_REACH; j++) {
                sum += BLUR[j] * window[(i - 2 * BLUR_REACH + j) % (2 * BLUR_REACH + 1)];
            }
            to[(i - 2 * BLUR_REACH) * STRIDE] -= sum;
        }
    }
    __syncthreads();
    // Detail beyond the picture repeats its outermost one.
    const float* high = tile + BLUR_REACH * STRIDE + BLUR_REACH;
    {
        // The mean of squares across: each thread makes 16 columns of a row.
        constexpr int EACH = 16;
        const int row = thread % HIGH_HEIGHT, first = thread / HIGH_HEIGHT * EACH;
        if (first < DETAIL_WIDTH) {
            float window[EACH + 2 * MEAN_REACH];
#pragma unroll
            for (int i = 0; i < EACH + 2 * MEAN_REACH; i++) {
                const int x = within(left - MEAN_REACH + first + i, width) - left + MEAN_REACH;
                window[i] = fabsf(high[row * STRIDE + x]);
            }
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                float sum = 0.0f;
#pragma unroll
                for (int j = 0; j <= 2 * MEAN_REACH; j++) sum += window[i + j];
                lines[row * MEAN_LINE + first + i] = MEAN * sum;
            }
        }
    }
    __syncthreads();
    constexpr int EACH = DETAIL_HEIGHT * DETAIL_WIDTH / 256;
    const int column = thread % DETAIL_WIDTH, first = thread / DETAIL_WIDTH * EACH, x = left + column;
    if (x >= width) return;
    float window[EACH + 2 * MEAN_REACH];
#pragma unroll
    for (int i = 0; i < EACH + 2 * MEAN_REACH; i++) {
        const int y = within(top - MEAN_REACH + first + i, height) - top + MEAN_REACH;
        window[i] = lines[y * MEAN_LINE + column];
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        const int y = top + first + i;
        if (y >= height) return;
        float sum = 0.0f;
#pragma unroll
        for (int j = 0; j <= 2 * MEAN_REACH; j++) sum += window[i + j];
        store(x, y, high[(first + i + MEAN_REACH) * STRIDE + column + MEAN_REACH], MEAN * sum);
    }
}

extern "C" __global__ void __launch_bounds__(256) steady_detail(SteadyParams p) {
    find_detail(
        p.width, p.height, [&](int x, int y) { return luma_of(p.painting[(u64)y * p.width + x]); },
        [&](int x, int y, float, float energy) { p.energy[(u64)y * p.width + x] = energy; });
}

enum { TAPS = 6 };

// The kept painting between pixels; outside it repeats. INSIDE: all taps are pixels of it.
template <bool INSIDE>
__device__ __forceinline__ float4 moved_pixel(const SteadyParams& p, int x, int y, const float* across,
                                              const float* down) {
    const float4 first = *(const float4*)across;
    const float2 second = *(const float2*)(across + 4);
    const float weights[TAPS] = {first.x, first.y, first.z, first.w, second.x, second.y};
    float4 moved = {0.0f, 0.0f, 0.0f, 0.0f};
    const float4* from = p.previous + (long long)(y - 2) * p.width + x - 2;
#pragma unroll
    for (int row = 0; row < TAPS; row++) {
        if (!INSIDE) from = p.previous + (long long)within(y + row - 2, p.height) * p.width;
        float4 line = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
        for (int column = 0; column < TAPS; column++) {
            const float4 pixel = from[INSIDE ? column : within(x + column - 2, p.width)];
            line.x += weights[column] * pixel.x;
            line.y += weights[column] * pixel.y;
            line.z += weights[column] * pixel.z;
            line.w += weights[column] * pixel.w;
        }
        const float weight = down[row];
        moved.x += weight * line.x;
        moved.y += weight * line.y;
        moved.z += weight * line.z;
        moved.w += weight * line.w;
        if (INSIDE) from += p.width;
    }
    return moved;
}

// The kept painting, moved, mixed into the new one.
extern "C" __global__ void __launch_bounds__(256) steady_mix(SteadyParams p) {
    constexpr float MOVING_SHARE = 0.91f, STILL_SHARE = 0.98f;
    const int x = blockIdx.x * 32 + threadIdx.x % 32, y = blockIdx.y * 8 + threadIdx.x / 32;
    if (x >= p.width || y >= p.height) return;
    const u64 i = (u64)y * p.width + x;
    const u32 painted = p.painting[i];
    float4 to = {(float)(painted & 255), (float)(painted >> 8 & 255), (float)(painted >> 16 & 255), p.energy[i]};
    if (continues(p)) {
        const Level half = level_at(p, 0);
        // Of the pixel's middle, in pixels of half size.
        const float half_x = clamped((x + 0.5f) * 0.5f - 0.5f, 0.0f, half.width - 1);
        const float half_y = clamped((y + 0.5f) * 0.5f - 0.5f, 0.0f, half.height - 1);
        const int left = (int)half_x, above = (int)half_y;
        const int x1 = min(left + 1, half.width - 1), y1 = min(above + 1, half.height - 1);
        const float4 a = p.field[above * half.width + left], b = p.field[above * half.width + x1];
        const float4 c = p.field[y1 * half.width + left], d = p.field[y1 * half.width + x1];
        const float fx = half_x - left, fy = half_y - above;
        const float confidence = between(a.z, b.z, c.z, d.z, fx, fy);
        if (confidence > 0.0f) {
            const float u = 2.0f * between(a.x, b.x, c.x, d.x, fx, fy);
            const float v = 2.0f * between(a.y, b.y, c.y, d.y, fx, fy);
            const bool is_still = state_of(p).is_still && u == 0.0f && v == 0.0f;
            const float part = (is_still ? STILL_SHARE : MOVING_SHARE) * p.share * confidence;
            const float there_x = clamped(x + u, 0.0f, p.width - 1), there_y = clamped(y + v, 0.0f, p.height - 1);
            const int whole_x = (int)there_x, whole_y = (int)there_y;
            const float* across = p.taps + 8 * (int)((there_x - whole_x) * PHASES + 0.5f);
            const float* down = p.taps + 8 * (int)((there_y - whole_y) * PHASES + 0.5f);
            const bool is_inside =
                whole_x >= 2 && whole_x + 3 < p.width && whole_y >= 2 && whole_y + 3 < p.height;
            const float4 moved = is_inside ? moved_pixel<true>(p, whole_x, whole_y, across, down)
                                           : moved_pixel<false>(p, whole_x, whole_y, across, down);
            to.x += part * (moved.x - to.x);
            to.y += part * (moved.y - to.y);
            to.z += part * (moved.z - to.z);
            to.w = fmaxf(to.w + part * (moved.w - to.w), 0.0f);
        }
        p.energy[i] = luma(to.x, to.y, to.z);
    }
    p.history[i] = to;
}

// Raises the detail of what is shown to that of what was painted.
extern "C" __global__ void __launch_bounds__(256) steady_finish(SteadyParams p) {
    constexpr float MOST_GAIN = 3.0f;
    if (!continues(p)) return;
    find_detail(
        p.width, p.height, [&](int x, int y) { return p.energy[(u64)y * p.width + x]; },
        [&](int x, int y, float high, float left) {
            const u64 i = (u64)y * p.width + x;
            const float4 kept = p.history[i];
            // To the power of 1.5.
            const float lost = kept.w / fmaxf(left, 0.03f);
            const float more = (clamped(lost * sqrtf(lost), 1.0f, MOST_GAIN) - 1.0f) * high;
            u32& pixel = p.painting[i];
            pixel = (pixel & 0xff000000u) | level(kept.x + more) | level(kept.y + more) << 8 |
                    level(kept.z + more) << 16;
        });
}
