//! Composes a painting with its photo: strength, keeping the photo's colours, alpha.
//!
//! Pure functions on pixels, so that strength and colours can change without running the network again. Can be called
//! from any thread.

use std::array::from_fn;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::{
    deep_frame::{DeepFrame, deep_level, value_of},
    frame::Frame,
};

/// How a painting is blended with its photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// 0 is exactly the photo, 100 exactly the painting; linear between them.
    #[serde(rename = "strength", deserialize_with = "percent")]
    pub strength_percent: u8,
    /// Luma from the painting, chroma from the photo.
    pub keep_colors: bool,
}

impl Look {
    /// This strength, and whose colours; nothing else is changed.
    pub const fn new(strength_percent: u8, keep_colors: bool) -> Self {
        Self { strength_percent, keep_colors }
    }
}

impl Default for Look {
    fn default() -> Self {
        Self::new(100, false)
    }
}

/// An integer from 0 to 100.
fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    u8::try_from(i64::deserialize(from)?)
        .ok()
        .filter(|percent| *percent <= 100)
        .ok_or_else(|| D::Error::custom("expected an integer of 0 to 100"))
}

/// One value per pixel of a picture, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    width: usize,
    values: Vec<u8>,
}

impl Plane {
    /// `values` in rows of `width`; an incomplete last row is ignored.
    pub fn new(width: usize, values: Vec<u8>) -> Self {
        Self { width: width.max(1), values }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.values.len() / self.width)
    }

    pub fn values(&self) -> &[u8] {
        &self.values
    }

    fn row(&self, y: usize) -> &[u8] {
        self.values.get(y * self.width..(y + 1) * self.width).unwrap_or_default()
    }
}

/// How strongly a painting covers its photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength<'a> {
    /// The same everywhere, in percent.
    Uniform(u8),
    /// Per pixel of the finished picture: 0 is the photo, 255 the painting at this percentage.
    Mask(&'a Plane, u8),
}

/// A [`Look`] whose strength may differ from pixel to pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blend<'a> {
    /// See [`Look::strength_percent`].
    pub strength: Strength<'a>,
    /// See [`Look::keep_colors`].
    pub keep_colors: bool,
}

impl From<Look> for Blend<'_> {
    fn from(look: Look) -> Self {
        Self { strength: Strength::Uniform(look.strength_percent), keep_colors: look.keep_colors }
    }
}

impl Blend<'_> {
    /// The look, if the strength is the same everywhere.
    pub fn look(&self) -> Option<Look> {
        match self.strength {
            Strength::Uniform(percent) => Some(Look::new(percent, self.keep_colors)),
            Strength::Mask(..) => None,
        }
    }

    /// True if the photo is left as it is.
    pub fn is_off(&self) -> bool {
        matches!(self.strength, Strength::Uniform(0) | Strength::Mask(_, 0))
    }

    /// True if a picture of these columns and rows can be composed.
    pub fn fits(&self, size: (usize, usize)) -> bool {
        match self.strength {
            Strength::Uniform(_) => true,
            Strength::Mask(mask, _) => mask.size() == size,
        }
    }

    /// [`compose_rows`] on row `y` of a picture.
    pub fn compose_row(&self, y: usize, photo: &[u8], painting: &mut [u8]) {
        match self.strength {
            Strength::Uniform(percent) => {
                compose_rows(photo, painting, Look::new(percent, self.keep_colors));
            }
            Strength::Mask(mask, percent) => {
                compose_rows(photo, painting, Look::new(100, self.keep_colors));
                let photo = photo.as_chunks::<4>().0;
                let pixels = painting.as_chunks_mut::<4>().0.iter_mut().zip(photo);
                for ((to, below), &level) in pixels.zip(mask.row(y)) {
                    let share = u32::from(level) * u32::from(percent.min(100));
                    for (to, &below) in to.iter_mut().zip(below) {
                        let sum = u32::from(below) * (WHOLE - share) + u32::from(*to) * share;
                        *to = ((sum + WHOLE / 2) / WHOLE) as u8;
                    }
                }
            }
        }
    }
}

/// Blends `painting` over `photo` (equal sizes), in the painting's own memory, because full-size pictures are too large
/// for an extra copy. Alpha always comes from the photo.
///
/// Keeping colours works in full-range BT.601 YCbCr. The photo's Cb and Cr are kept, and the painting's Y is limited to
/// the range in which they can be displayed, so that clipping never shifts the hue.
///
/// Returns `None` if the sizes differ.
pub fn compose(photo: &Frame, mut painting: Frame, look: Look) -> Option<Frame> {
    compose_into(photo, &mut painting, look).then_some(painting)
}

/// [`compose`] in place. Returns `false` and changes nothing if the sizes differ, including the size of a mask.
pub fn compose_into<'a>(photo: &Frame, painting: &mut Frame, blend: impl Into<Blend<'a>>) -> bool {
    let blend = blend.into();
    let size = photo.size();
    if size != painting.size() || !blend.fits(size) {
        return false;
    }
    if let Some(look) = blend.look() {
        compose_rows(photo.rgba(), painting.rgba_mut(), look);
        return true;
    }
    let rows = photo.rgba().chunks_exact(4 * size.0);
    for (y, (photo, painting)) in
        rows.zip(painting.rgba_mut().chunks_exact_mut(4 * size.0)).enumerate()
    {
        blend.compose_row(y, photo, painting);
    }
    true
}

/// [`compose_into`] on RGBA pixels, up to the length of the shorter slice.
pub fn compose_rows(photo: &[u8], painting: &mut [u8], look: Look) {
    let (painting, rest) = painting.as_chunks_mut::<BLOCK_BYTES>();
    let (photo, photo_rest) = photo.as_chunks::<BLOCK_BYTES>();
    for (painting, photo) in painting.iter_mut().zip(photo) {
        *painting = composed(photo, painting, look);
    }
    let [mut last, mut last_photo] = [[0; BLOCK_BYTES]; 2];
    let count = rest.len().min(photo_rest.len());
    last[..count].copy_from_slice(&rest[..count]);
    last_photo[..count].copy_from_slice(&photo_rest[..count]);
    rest[..count].copy_from_slice(&composed(&last_photo, &last, look)[..count]);
}

/// [`compose_into`] with 16 bits per channel.
pub fn compose_deep<'a>(
    photo: &DeepFrame,
    painting: &mut DeepFrame,
    blend: impl Into<Blend<'a>>,
) -> bool {
    let blend = blend.into();
    if photo.size() != painting.size() || !blend.fits(photo.size()) {
        return false;
    }
    let strength_of = |pixel: usize| match blend.strength {
        Strength::Uniform(percent) => f32::from(percent.min(100)) / 100.0,
        Strength::Mask(mask, percent) => {
            let level = mask.values().get(pixel).copied().unwrap_or_default();
            f32::from(level) * f32::from(percent.min(100)) / WHOLE as f32
        }
    };
    let blocks = painting.pixels.chunks_mut(BLOCK).zip(photo.pixels.chunks(BLOCK));
    for (block, (painting, photo)) in blocks.enumerate() {
        let of = |pixels: &[[u16; 4]]| -> [[f32; BLOCK]; 3] {
            from_fn(|c| from_fn(|i| pixels.get(i).map_or(0.0, |pixel| value_of(pixel[c]))))
        };
        let (below, painted) = (of(photo), of(painting));
        let top = if blend.keep_colors { recolored(below, &painted) } else { painted };
        for (i, (to, photo)) in painting.iter_mut().zip(photo).enumerate() {
            let strength = strength_of(block * BLOCK + i);
            for c in 0..3 {
                let mixed = below[c][i] + (top[c][i] - below[c][i]) * strength;
                to[c] = deep_level(mixed);
            }
            to[3] = photo[3];
        }
    }
    true
}

/// The share of a painting where a mask is white, at 100 percent.
const WHOLE: u32 = 255 * 100;

/// Pixels per iteration, in loops that the compiler can vectorise.
const BLOCK: usize = 8;
const BLOCK_BYTES: usize = 4 * BLOCK;

/// Adding this to a level rounds it to an integer in the low bits of the sum.
pub const ROUNDING: f32 = (3 << 22) as f32;

/// One block of `painting` over the same block of `photo`.
#[inline(always)]
fn composed(
    photo: &[u8; BLOCK_BYTES],
    painting: &[u8; BLOCK_BYTES],
    look: Look,
) -> [u8; BLOCK_BYTES] {
    let mut to = if look.keep_colors { with_luma_of(photo, painting) } else { *painting };
    let strength = u16::from(look.strength_percent.min(100));
    if strength < 100 {
        for (to, &below) in to.iter_mut().zip(photo) {
            *to = mixed(below, *to, strength);
        }
    }
    for (to, photo) in to.as_chunks_mut::<4>().0.iter_mut().zip(photo.as_chunks::<4>().0) {
        to[3] = photo[3];
    }
    to
}

/// Blends two levels by a strength in percent, rounded.
#[inline(always)]
fn mixed(below: u8, top: u8, strength: u16) -> u8 {
    ((u16::from(below) * (100 - strength) + u16::from(top) * strength + 50) / 100) as u8
}

/// The colours of `source` (their Cb and Cr) at the lumas of `painted`.
#[inline(always)]
fn with_luma_of(source: &[u8; BLOCK_BYTES], painted: &[u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
    let mut to = [0u32; BLOCK];
    for (c, channel) in recolored(levels(source), &levels(painted)).iter().enumerate() {
        for i in 0..BLOCK {
            // Rounds to the nearest integer, halves up.
            let whole = channel[i] + ROUNDING - ROUNDING;
            let whole = if channel[i] - whole >= 0.5 { whole + 1.0 } else { whole };
            to[i] |= ((whole + ROUNDING).to_bits() & 255) << (8 * c);
        }
    }
    let mut bytes = [0; BLOCK_BYTES];
    for (bytes, pixel) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(to) {
        *bytes = pixel.to_le_bytes();
    }
    bytes
}

/// [`with_luma_of`] on channels, not rounded.
#[inline(always)]
fn recolored(source: [[f32; BLOCK]; 3], painted: &[[f32; BLOCK]; 3]) -> [[f32; BLOCK]; 3] {
    let mut distances = source;
    let (source_luma, painted_luma) = (luma(&distances), luma(painted));
    let (mut lowest, mut highest) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
    for distance in &mut distances {
        for i in 0..BLOCK {
            // Keeping Cb and Cr means keeping each channel's distance from luma.
            distance[i] -= source_luma[i];
            lowest[i] = smaller(lowest[i], distance[i]);
            highest[i] = larger(highest[i], distance[i]);
        }
    }
    for distance in &mut distances {
        for i in 0..BLOCK {
            // Not `clamp`, which panics if min > max. A colour that spans the whole range allows only one luma, and
            // rounding may then make min exceed max.
            let y = smaller(larger(painted_luma[i], -lowest[i]), 255.0 - highest[i]);
            distance[i] = smaller(larger(y + distance[i], 0.0), 255.0);
        }
    }
    distances
}

/// Red, green and blue of a block.
#[inline(always)]
fn levels(pixels: &[u8; BLOCK_BYTES]) -> [[f32; BLOCK]; 3] {
    let (pixels, _) = pixels.as_chunks::<4>();
    let pixels: [u32; BLOCK] = from_fn(|i| u32::from_le_bytes(pixels[i]));
    from_fn(|c| from_fn(|i| (pixels[i] >> (8 * c) & 255) as i32 as f32))
}

#[inline(always)]
fn luma([red, green, blue]: &[[f32; BLOCK]; 3]) -> [f32; BLOCK] {
    from_fn(|i| 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i])
}

/// A single instruction, unlike `f32::min`, which checks for NaN.
#[inline(always)]
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn pair() -> (Frame, Frame) {
        let photo =
            Frame::from_fn(16, 16, |x, y| [(x * 16) as u8, (y * 16) as u8, 90, (x * y) as u8]);
        let painting = Frame::from_fn(16, 16, |x, y| [255 - (y * 9) as u8, (x * 15) as u8, 7, 255]);
        (photo, painting)
    }

    /// The colour of `source` with the luma of `painted`, before rounding.
    fn kept(source: [u8; 4], painted: [u8; 4]) -> [f32; 3] {
        let luma = |p: [u8; 4]| {
            0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2])
        };
        let distance = [0, 1, 2].map(|c| f32::from(source[c]) - luma(source));
        let lowest = distance.iter().copied().fold(0.0, f32::min);
        let highest = distance.iter().copied().fold(0.0, f32::max);
        let y = luma(painted).max(-lowest).min(255.0 - highest);
        distance.map(|d| y + d)
    }

    /// One pixel, computed directly from the definition.
    fn defined(source: [u8; 4], painted: [u8; 4], look: Look) -> [u8; 4] {
        let kept = kept(source, painted);
        let strength = u32::from(look.strength_percent);
        let mut to = source;
        for c in 0..3 {
            let top = if look.keep_colors { kept[c].round() as u8 } else { painted[c] };
            let mixed = u32::from(source[c]) * (100 - strength) + u32::from(top) * strength;
            to[c] = ((mixed + 50) / 100) as u8;
        }
        to
    }

    proptest! {
        #[test]
        fn every_pixel_is_what_the_definition_says(
            pixels in vec(any::<[[u8; 4]; 2]>(), 1..70),
            strength_percent in 0..=100u8,
            keep_colors: bool,
        ) {
            let look = Look::new(strength_percent, keep_colors);
            let [photo, mut painting] = [0, 1].map(|of| {
                pixels.iter().flat_map(|pair| pair[of]).collect::<Vec<u8>>()
            });
            compose_rows(&photo, &mut painting, look);
            for (&[source, painted], composed) in pixels.iter().zip(painting.chunks(4)) {
                prop_assert_eq!(composed, defined(source, painted, look));
            }
        }
    }

    #[test]
    fn halves_are_rounded_up() {
        let look = Look::new(100, true);
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((state >> 32) as u32).to_le_bytes()
        };
        let mut halves = 0;
        for _ in 0..60_000 {
            let (photo, painted): ([_; 8], [_; 8]) = (from_fn(|_| random()), from_fn(|_| random()));
            let mut composed = painted.concat();
            compose_rows(&photo.concat(), &mut composed, look);
            for ((composed, source), painted) in composed.chunks(4).zip(photo).zip(painted) {
                assert_eq!(composed, defined(source, painted, look));
                halves += usize::from(kept(source, painted).iter().any(|v| v.fract() == 0.5));
            }
        }
        assert!(halves > 0);
    }

    #[test]
    fn ends_of_strength_are_exact() {
        let (photo, painting) = pair();
        let none = Look::new(0, true);
        assert_eq!(compose(&photo, painting.clone(), none), Some(photo.clone()));
        let full = compose(&photo, painting.clone(), Look::default()).expect("same size");
        for (o, p) in full.rgba().chunks(4).zip(painting.rgba().chunks(4)) {
            assert_eq!(o[..3], p[..3]);
        }
        assert!(full.rgba().chunks(4).zip(photo.rgba().chunks(4)).all(|(o, p)| o[3] == p[3]));
    }

    #[test]
    fn kept_colours_keep_chroma() {
        let (photo, painting) = pair();
        let look = Look::new(100, true);
        let kept = compose(&photo, painting.clone(), look).expect("same size");
        let chroma = |p: &[u8]| {
            let (r, g, b) = (f64::from(p[0]), f64::from(p[1]), f64::from(p[2]));
            (-0.168_736 * r - 0.331_264 * g + 0.5 * b, 0.5 * r - 0.418_688 * g - 0.081_312 * b)
        };
        let mut mean = 0.0;
        for (k, p) in kept.rgba().chunks(4).zip(photo.rgba().chunks(4)) {
            let ((kb, kr), (pb, pr)) = (chroma(k), chroma(p));
            mean += (kb - pb).abs() + (kr - pr).abs();
        }
        mean /= 2.0 * photo.pixel_count() as f64;
        assert!(mean < 1.0, "mean chroma difference {mean}");
        assert_ne!(kept, photo, "the luma must be the painting's");
    }

    #[test]
    fn colours_that_span_the_whole_range_are_kept() {
        let look = Look::new(100, true);
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let photo = Frame::from_fn(256, 1, |x, _| {
                let mut pixel = [0, 0, 0, 255];
                pixel[order[0]] = 255;
                pixel[order[1]] = x as u8;
                pixel
            });
            for level in [0, 128, 255] {
                let painting = Frame::from_fn(256, 1, |_, _| [level, level, level, 255]);
                let kept = compose(&photo, painting, look).expect("same size");
                for (k, p) in kept.rgba().iter().zip(photo.rgba()) {
                    assert!(k.abs_diff(*p) <= 1, "only one luma can show them");
                }
            }
        }
    }

    #[test]
    fn a_uniform_mask_equals_the_uniform_strength() {
        let (photo, painting) = pair();
        for keep_colors in [false, true] {
            let uniform = |strength_percent| {
                let look = Look::new(strength_percent, keep_colors);
                compose(&photo, painting.clone(), look).expect("same size")
            };
            let masked = |percent: u8, value: &dyn Fn(usize) -> u8| {
                let mask = Plane::new(16, (0..256).map(value).collect());
                let mut to = painting.clone();
                let strength = Strength::Mask(&mask, percent);
                assert!(compose_into(
                    &photo,
                    &mut to,
                    Blend { strength, ..Look::new(100, keep_colors).into() }
                ));
                to
            };
            for percent in 0..=100 {
                assert_eq!(masked(percent, &|_| 255), uniform(percent));
            }
            // Two values, alternating by rows and by columns.
            let ends = [uniform(0), uniform(85)];
            for is_second in [|i: usize| i / 16 >= 5, |i: usize| i % 16 >= 11] {
                let to = masked(85, &|i| if is_second(i) { 255 } else { 0 });
                for (i, pixel) in to.rgba().chunks(4).enumerate() {
                    let expected = &ends[usize::from(is_second(i))].rgba()[4 * i..4 * i + 4];
                    assert_eq!(pixel, expected, "pixel {i}");
                }
            }
        }
    }

    #[test]
    fn sizes_must_agree() {
        let (photo, mut painting) = pair();
        let mask = Plane::new(15, vec![50; 240]);
        let blend = Blend { strength: Strength::Mask(&mask, 100), ..Look::new(100, false).into() };
        assert!(!compose_into(&photo, &mut painting, blend));
        assert_eq!(painting, pair().1);
        assert_eq!(compose(&photo, painting.crop(0, 0, 5, 5), Look::default()), None);
    }
}
