// Photos and pictures: bytes of RGBA8 to maps, and back.
//
// Computes, for every pixel:
//   LOAD     output = (red, green, blue, 0), levels 0 to 255
//   STORE    output = the levels of `input`, clamped and rounded, with the alpha of `photo`
//   FLOATS   output = the three channels of `input`, one after another, in f32
// `input` may be larger than the picture, which is its top left.
//
// Launch: 256 threads, one for each pixel. Roofline: memory. Measured: NOT MEASURED on a GPU.
// Numerics: rounds half away from zero. STORE notes colours that are NaN or infinite, and makes NaN black.
// Barriers: none; threads share nothing.

struct Params {
    width: u32,
    input_width: u32,
    first_row: u32,
    rows: u32,
    input_first: u32,
    output_first: u32,
    photo_width: u32,
    photo_first: u32,
    plane: u32,  // pixels of the picture
    packs: u32,  // of a pixel of the map
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Output>;
@group(0) @binding(3) var<storage, read> input: array<Input>;
@group(0) @binding(4) var<storage, read> photo: array<u32>;

const INFINITE: u32 = 0x7f800000u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32) {
    let at = thread(group, groups, local);
    if at / p.width >= p.rows { return; }
    let y = p.first_row + at / p.width;
    let x = at % p.width;
    compute_pixel(y, x);
}
