// Convolutions whose outputs read a group of the input channels, and depthwise ones. The formula is conv.wgsl's.
//
// Layouts: weights (tap, input of a group, output channel), outputs padded to whole packs.
//
// Launch: 256 threads, one for each pack of the output's rows. DEPTHWISE: every channel reads its own alone.
//
// Roofline: memory. Measured: NOT MEASURED on a GPU. Numerics: sums in f32, in the order of taps and channels.
// Barriers: none; threads share nothing.

struct Params {
    input_height: i32,
    input_width: i32,
    input_packs: u32,
    input_first: u32,
    output_width: u32,
    output_packs: u32,
    output_first: u32,
    output_real: u32,
    first_row: u32,
    rows: u32,
    stride_y: i32,
    stride_x: i32,
    step_y: u32,
    step_x: u32,
    edge: u32,
    factor: f32,
    bias: u32,
    phases: u32,
    taps: u32,
    group_in: u32,
    group_out: u32,
    spare: u32,
    @align(16) change: Change,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> input: array<Pack>;
@group(0) @binding(4) var<storage, read> weights: array<Pack>;
@group(0) @binding(5) var<storage, read> constants: array<u32>;

fn number(at: u32) -> i32 { return bitcast<i32>(constants[at]); }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {
    let at = thread(group, groups, local);
    let row_packs = p.output_width * p.output_packs;
    if at / row_packs >= p.rows { return; }
    let y = p.first_row + at / row_packs;
    let x = at % row_packs / p.output_packs;
    let own = at % p.output_packs;
    let phase = p.phases + 8u * (y % p.step_y * p.step_x + x % p.step_x);
    let first_tap = u32(number(phase));
    let tap_count = u32(number(phase + 1u));
    let origin = vec2(i32(y / p.step_y) * p.stride_y, i32(x / p.step_x) * p.stride_x);
    var sum = vec4(0.0);
    for (var t = 0u; t < tap_count; t++) {
        let tap = p.taps + 4u * (first_tap + t);
        let from_y = place_on(origin.x + number(tap), p.input_height, p.edge);
        let from_x = place_on(origin.y + number(tap + 1u), p.input_width, p.edge);
        if from_y < 0 || from_x < 0 { continue; }
        let pixel = u32(from_y * p.input_width + from_x) * p.input_packs - p.input_first;
        let weight = u32(number(tap + 2u)) * p.group_in * p.output_packs + own;
        if DEPTHWISE == 1u {
            sum = fma(unpack(input[pixel + own]), unpack(weights[weight]), sum);
            continue;
        }
        let first = (vec4(4u * own) + vec4(0u, 1u, 2u, 3u)) / p.group_out * p.group_in;
        for (var i = 0u; i < p.group_in; i++) {
            var v = vec4(0.0);
            for (var lane = 0u; lane < 4u; lane++) {
                let c = min(first[lane] + i, 4u * p.input_packs - 1u);
                v[lane] = unpack(input[pixel + c / 4u])[c % 4u];
            }
            sum = fma(v, unpack(weights[weight + i * p.output_packs]), sum);
        }
    }
    let channel = 4u * own;
    let v = changed((sum + channels_at(p.bias, channel)) * p.factor, channel, p.change);
    output[(y * p.output_width + x) * p.output_packs + own - p.output_first] = pack(only_real(v, channel, p.output_real));
}
