// Reduces strips of whole channels: count, mean and sum of squared distances from it, or the largest value.
//
// Layouts: `parts` has a mean and a sum, or a largest value, for each strip and channel.
//
// Launch: 256 threads, 64 pixels of 4 packs at a time; grid (strips, packs / 4). Workgroup memory: 8 KiB.
// Roofline: memory. Measured: NOT MEASURED on a GPU.
// Numerics: Welford's means and Chan's merging in f32, in one order. Barriers: parts before they are merged.

struct Params {
    pixels: u32,
    packs: u32,
    input_first: u32,
    strip_pixels: u32,
    first_strip: u32,
    is_largest: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> parts: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> input: array<Pack>;

var<workgroup> means: array<vec4<f32>, 256>;
var<workgroup> squares: array<vec4<f32>, 256>;

// Pixels of a strip of `length` that row `row` of 64 takes.
fn count_of(row: u32, length: u32) -> u32 { return select(0u, (length - row + 63u) / 64u, row < length); }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let strip = p.first_strip + group.x;
    let first = strip * p.strip_pixels;
    let length = min(p.strip_pixels, p.pixels - first);
    let own = group.y * 4u + local % 4u;
    let row = local / 4u;
    var mean = vec4(0.0);
    var square = vec4(0.0);
    if own < p.packs && row < length {
        if p.is_largest == 1u { mean = unpack(input[(first + row) * p.packs + own - p.input_first]); }
        var count = 0.0;
        for (var pixel = row; pixel < length; pixel += 64u) {
            let v = unpack(input[(first + pixel) * p.packs + own - p.input_first]);
            if p.is_largest == 1u {
                mean = max(mean, v);
                continue;
            }
            count += 1.0;
            let distance = v - mean;
            mean += distance / count;
            square = fma(distance, v - mean, square);
        }
    }
    means[local] = mean;
    squares[local] = square;
    workgroupBarrier();
    if row != 0u || own >= p.packs { return; }
    var count = f32(count_of(0u, length));
    for (var other = 1u; other < 64u; other++) {
        let theirs = f32(count_of(other, length));
        if theirs == 0.0 { break; }
        let at = other * 4u + local;
        if p.is_largest == 1u {
            mean = max(mean, means[at]);
            continue;
        }
        let share = theirs / (count + theirs);
        let distance = means[at] - mean;
        mean = fma(distance, vec4(share), mean);
        square += squares[at] + distance * distance * (count * share);
        count += theirs;
    }
    let at = (strip * p.packs + own) * 4u;
    for (var lane = 0u; lane < 4u; lane++) { parts[at + lane] = vec2(mean[lane], square[lane]); }
}
