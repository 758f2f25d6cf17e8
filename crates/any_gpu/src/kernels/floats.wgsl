alias Input = Pack;
alias Output = f32;

fn compute_pixel(y: u32, x: u32) {
    let v = unpack(input[(y * p.input_width + x) * p.packs - p.input_first]);
    let at = y * p.width + x;
    output[at] = v.x;
    output[p.plane + at] = v.y;
    output[2u * p.plane + at] = v.z;
}
