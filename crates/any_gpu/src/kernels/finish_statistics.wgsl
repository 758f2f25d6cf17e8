alias Output = f32;

fn write_channel(channel: u32, local: u32) {
    output[channel] = all[local].x;
    output[p.channels + channel] = all[local].y / f32(p.pixels);
}
