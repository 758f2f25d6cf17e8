//! Smooth noise that is the same on every machine: whole-number hashes, no tables.

/// A number from 0 to 1 for each whole point and seed.
pub fn at_point(x: i32, y: i32, seed: u32) -> f32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1)
        ^ (y as u32).wrapping_mul(0x85eb_ca77)
        ^ seed.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    ((h ^ (h >> 15)) >> 8) as f32 / (1 << 24) as f32
}

/// Noise between whole points, 0 to 1. Repeats in x every `period` points, if that is not 0.
pub fn smooth(x: f32, y: f32, period: i32, seed: u32) -> f32 {
    let (left, top) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - left), ease(y - top));
    let (left, top) = (left as i32, top as i32);
    let wrapped = |x: i32| if period > 0 { x.rem_euclid(period) } else { x };
    let corner = |dx: i32, dy: i32| at_point(wrapped(left + dx), top + dy, seed);
    let upper = mix(corner(0, 0), corner(1, 0), u);
    let lower = mix(corner(0, 1), corner(1, 1), u);
    mix(upper, lower, v)
}

/// The sum of `octaves` of [`smooth`], each twice as fine and half as strong; 0 to 1.
pub fn rough(x: f32, y: f32, period: i32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut weights, mut scale) = (0.0, 1.0, 0.0, 1);
    for octave in 0..octaves {
        let s = scale as f32;
        sum += weight * smooth(x * s, y * s, period * scale, seed + octave);
        weights += weight;
        weight *= 0.5;
        scale *= 2;
    }
    sum / weights
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
