// Attention that stores no scores.
//
// Computes, for every query and head: the mean of the values, weighted by exp(query . key / sqrt(head_size)), with the
// running largest score and sum of Milakov and Gimelshein.
//
// Layouts: queries, keys and values are maps of pixels as tokens; a head's channels are adjacent and need not begin at a
// pack. HEAD_PACKS packs have room for the channels of a head.
//
// Launch: 64 threads, one for each query; grid (queries / 64, heads). Workgroup memory: KEYS keys and values, at most
// 16 KiB. Work: 4 * queries * keys * channels. Roofline: arithmetic. Measured: NOT MEASURED on a GPU.
//
// Numerics: arithmetic in f32. Barriers: keys and values before they are read, and reads before they are replaced.

struct Params {
    queries: u32,
    keys: u32,
    query_packs: u32,
    key_packs: u32,
    value_packs: u32,
    output_packs: u32,
    query_first: u32,  // channels
    key_first: u32,
    value_first: u32,
    head_size: u32,
    heads_each: u32,  // heads that a workgroup computes
    scale: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Pack>;
@group(0) @binding(3) var<storage, read> queries: array<Pack>;
@group(0) @binding(4) var<storage, read> keys: array<Pack>;
@group(0) @binding(5) var<storage, read> values: array<Pack>;

var<workgroup> key_tile: array<vec4<f32>, KEYS * HEAD_PACKS>;
var<workgroup> value_tile: array<vec4<f32>, KEYS * HEAD_PACKS>;

// Keeps the lanes of a head's pack `i` that are below its size.
fn of_head(v: vec4<f32>, i: u32) -> vec4<f32> { return only_real(v, 4u * i, p.head_size); }

fn query(token: u32, channel: u32) -> vec4<f32> {
    let at = token * p.query_packs;
    if channel % 4u == 0u { return unpack(queries[at + channel / 4u]); }
    var v = vec4(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let c = min(channel + lane, 4u * p.query_packs - 1u);
        v[lane] = unpack(queries[at + c / 4u])[c % 4u];
    }
    return v;
}

fn key(token: u32, channel: u32) -> vec4<f32> {
    let at = token * p.key_packs;
    if channel % 4u == 0u { return unpack(keys[at + channel / 4u]); }
    var v = vec4(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let c = min(channel + lane, 4u * p.key_packs - 1u);
        v[lane] = unpack(keys[at + c / 4u])[c % 4u];
    }
    return v;
}

fn value(token: u32, channel: u32) -> vec4<f32> {
    let at = token * p.value_packs;
    if channel % 4u == 0u { return unpack(values[at + channel / 4u]); }
    var v = vec4(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let c = min(channel + lane, 4u * p.value_packs - 1u);
        v[lane] = unpack(values[at + c / 4u])[c % 4u];
    }
    return v;
}

// Writes the channels of a head. If heads begin within packs, one thread writes all heads of a token, one after another.
fn write_head(token: u32, head: u32, total: f32, sums: ptr<function, array<vec4<f32>, HEAD_PACKS>>) {
    let at = token * p.output_packs;
    if p.head_size % 4u == 0u {
        for (var i = 0u; 4u * i < p.head_size; i++) { output[at + head / 4u + i] = pack((*sums)[i] / total); }
        return;
    }
    if head == 0u {
        for (var i = 0u; i < p.output_packs; i++) { output[at + i] = packed(vec4(0.0)); }
    }
    for (var c = 0u; c < p.head_size; c++) {
        let to = at + (head + c) / 4u;
        var v = unpack(output[to]);
        v[(head + c) % 4u] = (*sums)[c / 4u][c % 4u] / total;
        output[to] = pack(v);
    }
}

fn attend(token: u32, head: u32, local: u32) {
    var own: array<vec4<f32>, HEAD_PACKS>;
    var sums: array<vec4<f32>, HEAD_PACKS>;
    for (var i = 0u; i < HEAD_PACKS; i++) {
        own[i] = vec4(0.0);
        sums[i] = vec4(0.0);
        if token < p.queries { own[i] = of_head(query(token, p.query_first + head + 4u * i), i) * p.scale; }
    }
    var largest = -3.0e38;
    var total = 0.0;
    for (var start = 0u; start < p.keys; start += KEYS) {
        for (var e = local; e < KEYS * HEAD_PACKS; e += 64u) {
            let at = start + e / HEAD_PACKS;
            let i = e % HEAD_PACKS;
            let channel = head + 4u * i;
            var k = vec4(0.0);
            var v = vec4(0.0);
            if at < p.keys {
                k = of_head(key(at, p.key_first + channel), i);
                v = of_head(value(at, p.value_first + channel), i);
            }
            key_tile[e] = k;
            value_tile[e] = v;
        }
        workgroupBarrier();
        let count = min(KEYS, p.keys - start);
        for (var k = 0u; k < count; k++) {
            var products = vec4(0.0);
            for (var i = 0u; i < HEAD_PACKS; i++) { products = fma(own[i], key_tile[k * HEAD_PACKS + i], products); }
            let score = products.x + products.y + products.z + products.w;
            if score > largest {
                let kept = exp(largest - score);
                total *= kept;
                for (var i = 0u; i < HEAD_PACKS; i++) { sums[i] *= kept; }
                largest = score;
            }
            let weight = exp(score - largest);
            total += weight;
            for (var i = 0u; i < HEAD_PACKS; i++) {
                sums[i] = fma(vec4(weight), value_tile[k * HEAD_PACKS + i], sums[i]);
            }
        }
        workgroupBarrier();
    }
    if token >= p.queries { return; }
    write_head(token, head, total, &sums);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    for (var h = 0u; h < p.heads_each; h++) {
        attend(group.x * 64u + local, (group.y * p.heads_each + h) * p.head_size, local);
    }
}
