// Moves values unchanged: padding, cropping, joining and selecting channels, blocks of pixels to channels and back,
// doubling. As kernels/general_move.cu, with channels as units, and
//   DOUBLED (4)   output = input[y / 2, x / 2, c]
//
// Launch: 256 threads, one for each pack of the output's rows, from `first` on. A pack of which only some channels are
// written keeps the others. Roofline: memory. Measured: NOT MEASURED on a GPU.
// Numerics: none, except for values of `fill`. Barriers: none; threads share nothing.

struct Params {
    input_height: i32,
    input_width: i32,
    input_packs: u32,
    input_first: u32,
    output_width: u32,
    output_packs: u32,
    output_first: u32,
    first_row: u32,
    rows: u32,
    first: u32,  // first channel that is written
    count: u32,  // channels that are written
    real: u32,  // number of these that are read; the others become zero
    source: u32,  // first channel that is read
    kind: u32,
    edge: u32,
    top: i32,
    left: i32,
    block: u32,
    block_channels: u32,
    fill: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> input: array<Pack>;

const BLOCK_FIRST: u32 = 1u;
const CHANNEL_FIRST: u32 = 2u;
const TO_CHANNELS: u32 = 3u;
const DOUBLED: u32 = 4u;

// Row, column and channel of the input that channel `c` of the written ones reads.
fn read_place(y: u32, x: u32, c: u32) -> vec3<i32> {
    let down = y % p.block;
    let across = x % p.block;
    switch p.kind {
        case DOUBLED: { return vec3(i32(y / 2u), i32(x / 2u), i32(c)); }
        case BLOCK_FIRST: {
            return vec3(i32(y / p.block), i32(x / p.block), i32((down * p.block + across) * p.block_channels + c));
        }
        case CHANNEL_FIRST: {
            return vec3(i32(y / p.block), i32(x / p.block), i32((c * p.block + down) * p.block + across));
        }
        case TO_CHANNELS: {
            let at = c / p.block_channels;
            return vec3(i32(y * p.block + at / p.block), i32(x * p.block + at % p.block), i32(c % p.block_channels));
        }
        default: {
            let from_y = place_on(i32(y) - p.top, p.input_height, p.edge);
            return vec3(from_y, place_on(i32(x) - p.left, p.input_width, p.edge), i32(c + p.source));
        }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {
    let at = thread(group, groups, local);
    let first_pack = p.first / 4u;
    let packs = (p.first + p.count + 3u) / 4u - first_pack;
    let row_packs = p.output_width * packs;
    if at / row_packs >= p.rows { return; }
    let y = p.first_row + at / row_packs;
    let x = at % row_packs / packs;
    let own = first_pack + at % packs;
    let to = (y * p.output_width + x) * p.output_packs + own - p.output_first;
    var v = vec4(0.0);
    let begin = 4u * own;
    if begin < p.first || begin + 4u > p.first + p.count { v = unpack(output[to]); }
    for (var lane = 0u; lane < 4u; lane++) {
        let channel = begin + lane;
        if channel < p.first || channel >= p.first + p.count { continue; }
        let c = channel - p.first;
        var value = 0.0;
        if c < p.real {
            let place = read_place(y, x, c);
            value = p.fill;
            if place.x >= 0 && place.y >= 0 {
                let pixel = u32(place.x * p.input_width + place.y) * p.input_packs;
                value = unpack(input[pixel + u32(place.z) / 4u - p.input_first])[u32(place.z) % 4u];
            }
        }
        v[lane] = value;
    }
    output[to] = packed(v);
}
