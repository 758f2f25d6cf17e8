// Bias, scale, shift, slopes and function that follow a sum. Offsets count words of `constants`; NONE leaves a part out.

struct Change {
    scale: u32,  // scales by channel, followed at `shift` by shifts
    shift: u32,
    slopes: u32,  // slopes of negative values, instead of the function
    function: u32,
    first: f32,  // parameters of the function
    second: f32,
}

fn channels_at(offset: u32, channel: u32) -> vec4<f32> {
    let at = offset + channel;
    return bitcast<vec4<f32>>(vec4(constants[at], constants[at + 1u], constants[at + 2u], constants[at + 3u]));
}

fn changed(value: vec4<f32>, channel: u32, c: Change) -> vec4<f32> {
    var v = value;
    if c.scale != NONE { v = v * channels_at(c.scale, channel) + channels_at(c.shift, channel); }
    if c.slopes != NONE { return select(v, v * channels_at(c.slopes, channel), v < vec4(0.0)); }
    return applied_to_all(c.function, v, c.first, c.second);
}
