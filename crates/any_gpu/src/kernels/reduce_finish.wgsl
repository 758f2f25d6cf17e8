// Merges the strips of reduce_partial.wgsl: mean and biased variance of whole channels, or the mean or largest value as
// a map of one pixel.
//
// Layouts: STATISTICS: `output` are the means of all stored channels, then the variances, in f32.
//
// Launch: 256 threads, 8 for each of 32 channels; grid (channels / 32). Workgroup memory: 3 KiB.
// Roofline: latency. Measured: NOT MEASURED on a GPU.
// Numerics: Chan's merging in f32, in one order. Barriers: parts before they are merged.

struct Params {
    pixels: u32,
    channels: u32,  // as stored
    real: u32,
    strips: u32,
    strip_pixels: u32,
    is_largest: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Output>;
@group(0) @binding(3) var<storage, read> parts: array<vec2<f32>>;

// Mean, sum of squared distances and count.
var<workgroup> all: array<vec3<f32>, 256>;

fn merged(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    if b.z == 0.0 { return a; }
    if p.is_largest == 1u { return vec3(select(max(a.x, b.x), b.x, a.z == 0.0), 0.0, a.z + b.z); }
    let share = b.z / (a.z + b.z);
    let distance = b.x - a.x;
    return vec3(fma(distance, share, a.x), a.y + b.y + distance * distance * (a.z * share), a.z + b.z);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = group.x * 32u + local % 32u;
    var own = vec3(0.0);
    if channel < p.channels {
        for (var strip = local / 32u; strip < p.strips; strip += 8u) {
            let part = parts[strip * p.channels + channel];
            let count = min(p.strip_pixels, p.pixels - strip * p.strip_pixels);
            own = merged(own, vec3(part, f32(count)));
        }
    }
    all[local] = own;
    workgroupBarrier();
    if local < 32u {
        for (var k = 1u; k < 8u; k++) { own = merged(own, all[32u * k + local]); }
        all[local] = own;
    }
    workgroupBarrier();
    if local >= 32u || channel >= p.channels { return; }
    write_channel(channel, local);
}
