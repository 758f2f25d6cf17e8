//! The styles as they ship, and a picture to paint in them.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use values::frame::Frame;

/// The folders of the shipped styles.
pub const STYLES: [&str; 6] =
    ["candy", "mosaic", "udnie", "rain_princess", "starry_night", "great_wave"];

/// A picture of waves of several lengths with noise from a congruential generator, which needs no file and no decoder
/// and has the same bytes everywhere. Another `seed` changes the noise.
pub fn waves(width: usize, height: usize, seed: u32) -> Frame {
    let mut state = 12345 + seed;
    Frame::from_fn(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 27) as usize;
        let wave = |a: usize, b: usize| ((x * a + y * b) % 224 + noise) as u8;
        [wave(3, 1), wave(1, 5), wave(7, 2), 255]
    })
}
