//! Repeatable pseudo-random numbers, and interpolation.

/// Number `i` of the series `seed`, 0 to 1.
pub fn random(i: usize, seed: u32) -> f32 {
    let mut h = (i as u32).wrapping_mul(0x9e37_79b1) ^ seed.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    ((h ^ (h >> 15)) >> 8) as f32 / (1 << 24) as f32
}

/// A jagged curve, 0 to 1: the sum of five smooth ones, each twice as fine and half as strong.
pub fn rough(x: f32, seed: u32) -> f32 {
    (0..5)
        .map(|octave| {
            let x = x * (1 << octave) as f32;
            let at = |dx: i32| random((x.floor() as i32 + dx) as usize, seed + octave);
            mix(at(0), at(1), step(0.0, 1.0, x - x.floor())) / (2 << octave) as f32
        })
        .sum::<f32>()
        / 0.96875
}

/// From `a` at 0 to `b` at 1.
pub fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// From 0 below `from` to 1 above `to`, smoothly.
pub fn step(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A sine wave of `turns_per_s`, exact for days.
pub fn wave(time_s: f64, turns_per_s: f64, offset_turns: f64) -> f32 {
    let turns = (time_s * turns_per_s + offset_turns).fract();
    (turns * std::f64::consts::TAU).sin() as f32
}

/// A sawtooth: from 0 to 1 in `seconds`, again and again.
pub fn way(time_s: f64, seconds: f64, offset: f64) -> f32 {
    (time_s / seconds + offset).rem_euclid(1.0) as f32
}
