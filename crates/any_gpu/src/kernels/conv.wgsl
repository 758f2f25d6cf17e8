// Convolutions of any shape, and transposed ones, as implicit matrix products.
//
// Computes, for every output pixel (y, x) and channel c:
//   sum = bias[c] + sum over the taps t of (y, x)'s phase and channels i of
//         gathered(input[qy * stride_y + dy[t], qx * stride_x + dx[t], i]) * weights[t, i, c]
//   output[y, x, c] = function(sum * factor * scale[c] + shift[c])
// with phases, taps and edges as in kernels/general_conv.cu. NORM: gathered(v) = relu(v * scale[i] + shift[i]), the
// norm of the input and ReLU after it if `gather_function` is 1; otherwise v.
//
// Layouts: weights (tap, input channel, output channel), both padded to whole packs. `phases` and `taps` as for CUDA.
//
// Launch: TILE_PIXELS / 4 * TILE_CHANNELS / 4 threads, each of which computes 4 pixels x 4 channels; grid (tiles of the
// largest phase's rows, tiles of channels, phases). Workgroup memory: CHUNK packs of every pixel of the tile, and their
// weights; at most 12 KiB.
//
// Work: 3x3, 128 to 128 channels at 128x128: 4.8 GFLOP. Roofline: arithmetic. Measured: NOT MEASURED on a GPU.
//
// Numerics: sums in f32, in the order of taps and channels; one rounding to the map's format. The tile depends on the
// shape alone, so that bits repeat.
//
// Barriers: a chunk in workgroup memory before it is read, and its reads before it is written again.

struct Params {
    input_height: i32,
    input_width: i32,
    input_packs: u32,
    input_first: u32,
    output_width: u32,
    output_packs: u32,
    output_first: u32,
    output_real: u32,  // channels without padding
    first_row: u32,  // first row of each phase that this launch computes
    rows: u32,  // rows of each phase
    stride_y: i32,
    stride_x: i32,
    step_y: u32,
    step_x: u32,
    edge: u32,
    factor: f32,
    bias: u32,
    phases: u32,
    taps: u32,
    group_in: u32,  // unused, as in conv_grouped.wgsl
    group_out: u32,
    gather_function: u32,
    @align(16) change: Change,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> input: array<Pack>;
@group(0) @binding(4) var<storage, read> weights: array<Pack>;
@group(0) @binding(5) var<storage, read> constants: array<u32>;
@group(0) @binding(6) var<storage, read> scales: array<vec4<f32>>;

const TILE_PACKS: u32 = TILE_CHANNELS / 4u;
const LANES: u32 = TILE_PIXELS / 4u;
const THREADS: u32 = LANES * TILE_PACKS;
const AWAY: i32 = -0x1000000;

var<workgroup> pixels: array<vec4<f32>, CHUNK * TILE_PIXELS>;
var<workgroup> kernel: array<vec4<f32>, CHUNK * 4u * TILE_PACKS>;
// First input position of each pixel of the tile.
var<workgroup> origins: array<vec2<i32>, TILE_PIXELS>;

fn number(at: u32) -> i32 { return bitcast<i32>(constants[at]); }

// Four values of an input pixel, with what is computed while they are loaded.
fn gathered(y: i32, x: i32, pack_index: u32) -> vec4<f32> {
    let at = u32(y * p.input_width + x) * p.input_packs + pack_index - p.input_first;
    let v = unpack(input[at]);
    if NORM == 0u { return v; }
    let normalised = fma(v, scales[pack_index], scales[p.input_packs + pack_index]);
    return select(normalised, max(normalised, vec4(0.0)), p.gather_function == 1u);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let phase = p.phases + 8u * group.z;
    let first_tap = u32(number(phase));
    let tap_count = u32(number(phase + 1u));
    let top = u32(number(phase + 2u));
    let left = u32(number(phase + 3u));
    let columns = u32(number(phase + 5u));
    let end_row = min(u32(number(phase + 4u)), p.first_row + p.rows);
    let count = (max(end_row, p.first_row) - p.first_row) * columns;
    let base = group.x * TILE_PIXELS;
    let first_pack = group.y * TILE_PACKS;

    for (var e = local; e < TILE_PIXELS; e += THREADS) {
        let at = base + e;
        let row = p.first_row + at / columns;
        let place = vec2(i32(row) * p.stride_y, i32(at % columns) * p.stride_x);
        origins[e] = select(vec2(AWAY), place, at < count);
    }
    workgroupBarrier();

    let lane = local / TILE_PACKS;
    let own = local % TILE_PACKS;
    var sum0 = vec4(0.0);
    var sum1 = vec4(0.0);
    var sum2 = vec4(0.0);
    var sum3 = vec4(0.0);
    let depth = tap_count * p.input_packs;
    for (var start = 0u; start < depth; start += CHUNK) {
        for (var e = local; e < CHUNK * TILE_PIXELS; e += THREADS) {
            let place = start + e % CHUNK;
            let pixel = e / CHUNK;
            var value = vec4(0.0);
            let origin = origins[pixel];
            if place < depth && origin.x != AWAY {
                let tap = p.taps + 4u * (first_tap + place / p.input_packs);
                let y = place_on(origin.x + number(tap), p.input_height, p.edge);
                let x = place_on(origin.y + number(tap + 1u), p.input_width, p.edge);
                if y >= 0 && x >= 0 { value = gathered(y, x, place % p.input_packs); }
            }
            pixels[(e % CHUNK) * TILE_PIXELS + pixel] = value;
        }
        for (var e = local; e < CHUNK * 4u * TILE_PACKS; e += THREADS) {
            let row = e / TILE_PACKS;
            let place = start + row / 4u;
            let to = first_pack + e % TILE_PACKS;
            var value = vec4(0.0);
            if place < depth && to < p.output_packs {
                let tap = u32(number(p.taps + 4u * (first_tap + place / p.input_packs) + 2u));
                let input_channel = (place % p.input_packs) * 4u + row % 4u;
                value = unpack(weights[(tap * p.input_packs * 4u + input_channel) * p.output_packs + to]);
            }
            kernel[e] = value;
        }
        workgroupBarrier();
        for (var k = 0u; k < CHUNK; k++) {
            let a = k * TILE_PIXELS + lane;
            let b = k * 4u * TILE_PACKS + own;
            let a0 = pixels[a];
            let a1 = pixels[a + LANES];
            let a2 = pixels[a + 2u * LANES];
            let a3 = pixels[a + 3u * LANES];
            let b0 = kernel[b];
            let b1 = kernel[b + TILE_PACKS];
            let b2 = kernel[b + 2u * TILE_PACKS];
            let b3 = kernel[b + 3u * TILE_PACKS];
            sum0 = fma(vec4(a0.w), b3, fma(vec4(a0.z), b2, fma(vec4(a0.y), b1, fma(vec4(a0.x), b0, sum0))));
            sum1 = fma(vec4(a1.w), b3, fma(vec4(a1.z), b2, fma(vec4(a1.y), b1, fma(vec4(a1.x), b0, sum1))));
            sum2 = fma(vec4(a2.w), b3, fma(vec4(a2.z), b2, fma(vec4(a2.y), b1, fma(vec4(a2.x), b0, sum2))));
            sum3 = fma(vec4(a3.w), b3, fma(vec4(a3.z), b2, fma(vec4(a3.y), b1, fma(vec4(a3.x), b0, sum3))));
        }
        workgroupBarrier();
    }

    let pack_index = first_pack + own;
    if pack_index >= p.output_packs { return; }
    let channel = 4u * pack_index;
    let bias = channels_at(p.bias, channel);
    var sums = array(sum0, sum1, sum2, sum3);
    for (var i = 0u; i < 4u; i++) {
        let at = base + lane + i * LANES;
        if at >= count { continue; }
        let y = top + (p.first_row + at / columns) * p.step_y;
        let x = left + (at % columns) * p.step_x;
        let v = only_real(changed((sums[i] + bias) * p.factor, channel, p.change), channel, p.output_real);
        output[(y * p.output_width + x) * p.output_packs + pack_index - p.output_first] = pack(v);
    }
}
