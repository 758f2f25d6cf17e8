// Shared by all kernels: how values are stored, positions beyond an edge, functions of a value.
//
// A map is (row, column, channel), its channels padded with zeros to whole packs of four. PACK_BITS is 32 for maps in
// f32, 16 for maps in halves; arithmetic is in f32 in both cases. Needs neither 16-bit arithmetic nor subgroups.
//
// Bindings of every kernel: 0 its parameters, 1 the flag that a value did not fit its format, 2 what it writes, 3 and
// more what it reads. A binding may begin within a map: `output_first` and `input_first` are its first pack.

// Set if a value is NaN, or infinite in the format of the maps.
@group(0) @binding(1) var<storage, read_write> flag: array<u32>;

const NONE: u32 = 0xffffffffu;

const EDGE_MIRRORED: u32 = 1u;
const EDGE_REPEATED: u32 = 2u;

// The bits of the smallest f32 that a half rounds to infinity.
const HALF_END: u32 = 0x477ff000u;

// A value as it is stored; notes values that do not fit.
fn pack(v: vec4<f32>) -> Pack {
    if PACK_BITS == 16u {
        let bits = bitcast<vec4<u32>>(v) & vec4(0x7fffffffu);
        if any(bits >= vec4(HALF_END)) { flag[0] = 1u; }
    }
    return packed(v);
}

// The index on a side of a map that a position reads; -1 if it reads the fill value.
fn place_on(position: i32, side: i32, edge: u32) -> i32 {
    if position >= 0 && position < side { return position; }
    if edge == EDGE_MIRRORED {
        let p = abs(position);
        return select(p, 2 * side - 2 - p, p >= side);
    }
    if edge == EDGE_REPEATED { return clamp(position, 0, side - 1); }
    return -1;
}

// The index of a thread among those of all workgroups of 256 threads.
fn thread(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * 256u + local;
}

// The complementary error function, with a relative error of 1.2e-7 (Press et al., Numerical Recipes, 6.2).
fn complement_of_erf(x: f32) -> f32 {
    let z = abs(x);
    let t = 1.0 / (1.0 + 0.5 * z);
    var s = fma(t, 0.17087277, -0.82215223);
    s = fma(t, s, 1.48851587);
    s = fma(t, s, -1.13520398);
    s = fma(t, s, 0.27886807);
    s = fma(t, s, -0.18628806);
    s = fma(t, s, 0.09678418);
    s = fma(t, s, 0.37409196);
    s = fma(t, s, 1.00002368);
    let value = t * exp(fma(-z, z, fma(t, s, -1.26551223)));
    return select(value, 2.0 - value, x < 0.0);
}

fn error_function(x: f32) -> f32 {
    if abs(x) >= 0.5 { return 1.0 - complement_of_erf(x); }
    // Taylor's series, which keeps small values exact.
    let q = x * x;
    var s = fma(q, 0.00012055333, -0.00085483270);
    s = fma(q, s, 0.0052239776);
    s = fma(q, s, -0.026866171);
    s = fma(q, s, 0.11283792);
    s = fma(q, s, -0.37612639);
    return x * fma(q, s, 1.1283792);
}

// exp(x) - 1 for x < 0.
fn exp_minus_one(x: f32) -> f32 {
    if x < -0.35 { return exp(x) - 1.0; }
    var s = fma(x, 1.0 / 5040.0, 1.0 / 720.0);
    s = fma(x, s, 1.0 / 120.0);
    s = fma(x, s, 1.0 / 24.0);
    s = fma(x, s, 1.0 / 6.0);
    s = fma(x, s, 0.5);
    return x * fma(x, s, 1.0);
}

// A function of a value. The numbers are those of `PointFunction` in crates/plan/src/general/launch.rs; `first` and
// `second` are its parameters.
fn applied(function: u32, x: f32, first: f32, second: f32) -> f32 {
    switch function {
        case 1u: { return select(x, 0.0, x < 0.0); }
        case 2u: { return select(x, first * x, x < 0.0); }
        case 3u: {
            if x < 0.0 { return first * exp_minus_one(x); }
            return x;
        }
        case 4u: { return 1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0))); }
        case 5u: { return clamp(first * x + second, 0.0, 1.0); }
        case 6u: {
            // By exp(-2|x|), which never overflows; near zero by the series.
            let z = abs(x);
            let q = x * x;
            if z < 0.1 { return x * fma(q, fma(q, fma(q, -0.053968254, 0.13333333), -0.33333333), 1.0); }
            let e = exp(-2.0 * min(z, 20.0));
            return sign(x) * (1.0 - e) / (1.0 + e);
        }
        case 7u: { return min(max(x, first), second); }
        case 8u: { return sqrt(x); }
        case 9u: { return 1.0 / x; }
        case 10u: { return abs(x); }
        case 11u: { return exp(x); }
        case 12u: {
            let e = exp(-abs(x));
            return max(x, 0.0) + select(log(1.0 + e), e * (1.0 - 0.5 * e), e < 0.001);
        }
        case 13u: { return error_function(x); }
        // By the complement, which is precise if the function is near zero.
        case 14u: { return 0.5 * x * complement_of_erf(-0.70710678 * x); }
        default: { return x; }
    }
}

fn applied_to_all(function: u32, v: vec4<f32>, first: f32, second: f32) -> vec4<f32> {
    if function == 0u { return v; }
    if function == 1u { return select(v, vec4(0.0), v < vec4(0.0)); }
    return vec4(applied(function, v.x, first, second), applied(function, v.y, first, second),
        applied(function, v.z, first, second), applied(function, v.w, first, second));
}

// Keeps the lanes of channels that exist; padding channels are zero.
fn only_real(v: vec4<f32>, channel: u32, real: u32) -> vec4<f32> {
    return select(vec4(0.0), v, vec4(channel, channel + 1u, channel + 2u, channel + 3u) < vec4(real));
}
