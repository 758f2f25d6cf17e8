alias Output = Pack;

fn write_channel(channel: u32, local: u32) {
    if channel % 4u != 0u { return; }
    let v = vec4(all[local].x, all[local + 1u].x, all[local + 2u].x, all[local + 3u].x);
    output[channel / 4u] = pack(only_real(v, channel, p.real));
}
