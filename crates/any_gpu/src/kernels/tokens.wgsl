// Operations on a pixel as a token: the norm over its channels, and positions.
//
// Computes, for every pixel:
//   LAYER_NORM  output[c] = (input[c] - mean) / sqrt(variance + eps) * scale[c] + shift[c], over the pixel's channels
//   positions   output[c] = input[c] + table[y, c] in the first half of the channels,
//               input[c] + table[height + x, c - half] in the second
//
// Launch: 256 threads, one for each pixel. Roofline: memory. Measured: NOT MEASURED on a GPU.
// Numerics: as kernels/general_tokens.cu. Barriers: none; threads share nothing.

struct Params {
    end_pixel: u32,
    width: u32,
    height: u32,
    packs: u32,
    real: u32,
    scale: u32,
    shift: u32,
    table: u32,
    eps: f32,
    first_pixel: u32,  // that this launch computes
    input_first: u32,
    output_first: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> input: array<Pack>;
@group(0) @binding(4) var<storage, read> constants: array<u32>;

fn normalise(pixel: u32) {
    let at = pixel * p.packs - p.input_first;
    let to = pixel * p.packs - p.output_first;
    let pivot = vec4(unpack(input[at]).x);
    var sum = vec4(0.0);
    for (var i = 0u; i < p.packs; i++) { sum += only_real(unpack(input[at + i]) - pivot, 4u * i, p.real); }
    let mean = vec4((sum.x + sum.y + sum.z + sum.w) / f32(p.real));
    var squares = vec4(0.0);
    for (var i = 0u; i < p.packs; i++) {
        let distance = only_real(unpack(input[at + i]) - pivot - mean, 4u * i, p.real);
        squares = fma(distance, distance, squares);
    }
    let share = 1.0 / sqrt((squares.x + squares.y + squares.z + squares.w) / f32(p.real) + p.eps);
    for (var i = 0u; i < p.packs; i++) {
        let v = (unpack(input[at + i]) - pivot - mean) * share;
        let scaled = v * channels_at(p.scale, 4u * i) + channels_at(p.shift, 4u * i);
        output[to + i] = pack(only_real(scaled, 4u * i, p.real));
    }
}

fn place(pixel: u32) {
    let half = p.real / 2u;
    let row = p.table + pixel / p.width * half;
    let column = p.table + (p.height + pixel % p.width) * half;
    for (var i = 0u; i < p.packs; i++) {
        var v = unpack(input[pixel * p.packs + i - p.input_first]);
        for (var lane = 0u; lane < 4u; lane++) {
            let c = 4u * i + lane;
            if c < p.real { v[lane] += bitcast<f32>(constants[select(column + c - half, row + c, c < half)]); }
        }
        output[pixel * p.packs + i - p.output_first] = pack(v);
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {
    let pixel = p.first_pixel + thread(group, groups, local);
    if pixel >= p.end_pixel { return; }
    if LAYER_NORM == 1u { normalise(pixel); } else { place(pixel); }
}
