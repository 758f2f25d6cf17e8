// The sum, difference, product or quotient of two maps. A single channel, row or column is read for all of the other's.
//
// Launch: 256 threads, one for each pack of the output's rows. Roofline: memory. Measured: NOT MEASURED on a GPU.
// Numerics: arithmetic in f32, one rounding to the map's format. Barriers: none; threads share nothing.

// Of one of the two maps.
struct Operand {
    height: u32,
    width: u32,
    packs: u32,
    channels: u32,  // without padding
    first: u32,
}

struct Params {
    width: u32,
    packs: u32,
    real: u32,
    first_row: u32,
    rows: u32,
    output_first: u32,
    arithmetic: u32,  // as in `Arithmetic`
    @align(16) a: Operand,
    @align(16) b: Operand,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> first: array<Pack>;
@group(0) @binding(4) var<storage, read> second: array<Pack>;

// The pack of a map at a position of the output.
fn place_of(o: Operand, y: u32, x: u32, own: u32) -> u32 {
    let pixel = select(y, 0u, o.height == 1u) * o.width + select(x, 0u, o.width == 1u);
    return pixel * o.packs + select(0u, own, o.channels == p.real) - o.first;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {
    let at = thread(group, groups, local);
    let row_packs = p.width * p.packs;
    if at / row_packs >= p.rows { return; }
    let y = p.first_row + at / row_packs;
    let x = at % row_packs / p.packs;
    let own = at % p.packs;
    var a = unpack(first[place_of(p.a, y, x, own)]);
    var b = unpack(second[place_of(p.b, y, x, own)]);
    if p.a.channels != p.real { a = vec4(a.x); }
    if p.b.channels != p.real { b = vec4(b.x); }
    var v = a + b;
    switch p.arithmetic {
        case 1u: { v = a - b; }
        case 2u: { v = a * b; }
        case 3u: { v = a / b; }
        default: {}
    }
    output[(y * p.width + x) * p.packs + own - p.output_first] = pack(only_real(v, 4u * own, p.real));
}
