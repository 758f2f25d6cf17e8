//! Numbers of several pixels at once, in a layout that the compiler can vectorise.
//!
//! Nested closures over arrays are not always inlined, so code that runs for each pixel is written as loops.

use std::array::from_fn;

/// Four numbers of one pixel: red, green, blue, and luma if needed. The compiler keeps them in a register.
pub type Lanes = [f32; 4];

pub const LUMA: usize = 3;
/// Number of pixels that are computed at once.
pub const BLOCK: usize = 8;

/// One number for each pixel of a block.
pub type Pixels = [f32; BLOCK];

#[inline(always)]
pub fn lanes(f: impl Fn(usize) -> f32) -> Lanes {
    [f(0), f(1), f(2), f(3)]
}

#[inline(always)]
pub fn mix(a: Lanes, b: Lanes, share: f32) -> Lanes {
    lanes(|i| a[i] + share * (b[i] - a[i]))
}

/// The pixels of a block, each as a 32-bit number.
#[inline(always)]
pub fn whole(pixels: &[u8; 4 * BLOCK]) -> [u32; BLOCK] {
    let (pixels, _) = pixels.as_chunks::<4>();
    from_fn(|i| u32::from_le_bytes(pixels[i]))
}

/// Luma of a block of 32-bit pixels, in levels.
#[inline(always)]
pub fn luma(pixels: &[u32; BLOCK]) -> Pixels {
    let [red, green, blue] = from_fn(|c| levels(pixels, c));
    from_fn(|i| 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i])
}

/// One colour of a block of 32-bit pixels.
#[inline(always)]
pub fn levels(pixels: &[u32; BLOCK], c: usize) -> Pixels {
    from_fn(|i| (pixels[i] >> (8 * c) & 255) as i32 as f32)
}

#[inline(always)]
pub fn mix_pixels(a: &Pixels, b: &Pixels, share: f32) -> Pixels {
    from_fn(|i| a[i] + share * (b[i] - a[i]))
}
