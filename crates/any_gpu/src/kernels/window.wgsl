// Values from neighbours in the same channel: resizing by tables, and pooling.
//
// Computes, for every pixel and channel:
//   RESIZE  the sum over the taps of row y and column x of their weights * input[row, column]
//   pool    the largest value, or the mean, of the part of the window of (y, x) on the map
// as kernels/general_window.cu. Tables in `constants`: four pairs of position and weight for each row, then column.
//
// Launch: 256 threads, one for each pack of the output's rows. Roofline: memory. Measured: NOT MEASURED on a GPU.
// Numerics: arithmetic in f32. Barriers: none; threads share nothing.

struct Params {
    input_height: i32,
    input_width: i32,
    input_first: u32,
    packs: u32,
    output_width: u32,
    output_first: u32,
    first_row: u32,
    rows: u32,
    row_taps: u32,
    column_taps: u32,
    taps: u32,
    kernel_y: i32,
    kernel_x: i32,
    stride_y: i32,
    stride_x: i32,
    top: i32,
    left: i32,
    limit_y: i32,  // rows of the map and of the padding after it
    limit_x: i32,
    is_mean: u32,
    counts: u32,  // padding counts in the mean
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> input: array<Pack>;
@group(0) @binding(4) var<storage, read> constants: array<u32>;

fn value(y: i32, x: i32, own: u32) -> vec4<f32> {
    return unpack(input[u32(y * p.input_width + x) * p.packs + own - p.input_first]);
}

fn resized(y: u32, x: u32, own: u32) -> vec4<f32> {
    var sum = vec4(0.0);
    for (var i = 0u; i < p.taps; i++) {
        let row = p.row_taps + 8u * y + 2u * i;
        var of_row = vec4(0.0);
        for (var j = 0u; j < p.taps; j++) {
            let column = p.column_taps + 8u * x + 2u * j;
            let v = value(bitcast<i32>(constants[row]), bitcast<i32>(constants[column]), own);
            of_row = fma(vec4(bitcast<f32>(constants[column + 1u])), v, of_row);
        }
        sum = fma(vec4(bitcast<f32>(constants[row + 1u])), of_row, sum);
    }
    return sum;
}

fn pooled(y: u32, x: u32, own: u32) -> vec4<f32> {
    let first = vec2(i32(y) * p.stride_y - p.top, i32(x) * p.stride_x - p.left);
    let last = min(first + vec2(p.kernel_y, p.kernel_x), vec2(p.limit_y, p.limit_x));
    let begin = max(first, vec2(0));
    let end = min(last, vec2(p.input_height, p.input_width));
    var all = vec4(0.0);
    if p.is_mean == 0u { all = value(begin.x, begin.y, own); }
    for (var from_y = begin.x; from_y < end.x; from_y++) {
        for (var from_x = begin.y; from_x < end.y; from_x++) {
            let v = value(from_y, from_x, own);
            all = select(max(all, v), all + v, p.is_mean == 1u);
        }
    }
    if p.is_mean == 0u { return all; }
    let counted = select(end - begin, last - first, p.counts == 1u);
    return all / f32(counted.x * counted.y);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {
    let at = thread(group, groups, local);
    let row_packs = p.output_width * p.packs;
    if at / row_packs >= p.rows { return; }
    let y = p.first_row + at / row_packs;
    let x = at % row_packs / p.packs;
    let own = at % p.packs;
    var v = vec4(0.0);
    if RESIZE == 1u { v = resized(y, x, own); } else { v = pooled(y, x, own); }
    output[(y * p.output_width + x) * p.packs + own - p.output_first] = pack(v);
}
