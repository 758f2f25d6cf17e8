alias Input = Pack;
alias Output = u32;

fn compute_pixel(y: u32, x: u32) {
    let v = unpack(input[(y * p.input_width + x) * p.packs - p.input_first]).xyz;
    let is_finite = (bitcast<vec3<u32>>(v) & vec3(INFINITE)) < vec3(INFINITE);
    if !all(is_finite) { flag[0] = 1u; }
    let level = vec3<u32>(floor(clamp(select(vec3(0.0), v, is_finite), vec3(0.0), vec3(255.0)) + vec3(0.5)));
    let alpha = photo[y * p.photo_width + x - p.photo_first] & 0xff000000u;
    output[y * p.width + x - p.output_first] = level.x | (level.y << 8u) | (level.z << 16u) | alpha;
}
