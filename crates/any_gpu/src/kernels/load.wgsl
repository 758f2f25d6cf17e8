alias Input = u32;
alias Output = Pack;

fn compute_pixel(y: u32, x: u32) {
    let rgba = input[y * p.input_width + x - p.input_first];
    let levels = vec3(rgba & 0xffu, (rgba >> 8u) & 0xffu, (rgba >> 16u) & 0xffu);
    output[y * p.width + x - p.output_first] = pack(vec4(vec3<f32>(levels), 0.0));
}
