// Norms, scales, shifts and functions, value by value.
//
// Computes, for every pixel and channel c: output = function(normalised(input) * scale[c] + shift[c]), where
// NORM: normalised(v) = (v - mean[c]) / sqrt(variance[c] + eps), otherwise v.
//
// Layouts: `statistics` are the means of all stored channels, then the variances.
//
// Launch: 256 threads, one for each pack of the map's rows. Roofline: memory. Measured: NOT MEASURED on a GPU.
// Numerics: arithmetic in f32, one rounding to the map's format. Barriers: none; threads share nothing.

struct Params {
    count: u32,  // packs
    packs: u32,  // packs of a pixel
    real: u32,
    eps: f32,
    shift: u32,  // packs before the first whole pixel, counted from a pixel's first pack
    @align(16) change: Change,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> input: array<Pack>;
@group(0) @binding(4) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> constants: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {
    let at = thread(group, groups, local);
    if at >= p.count { return; }
    let own = (at + p.shift) % p.packs;
    var v = unpack(input[at]);
    if NORM == 1u { v = (v - statistics[own]) * (vec4(1.0) / sqrt(statistics[p.packs + own] + vec4(p.eps))); }
    output[at] = pack(only_real(changed(v, 4u * own, p.change), 4u * own, p.real));
}
