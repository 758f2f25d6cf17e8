//! The painting that is kept from frame to frame, and the detail of what is shown.

use std::{f32::consts::PI, sync::LazyLock};

use rayon::prelude::*;

use super::{
    flow::Corners,
    motion::Motion,
    plane::{Plane, luma},
};
use values::frame::Frame;

/// The share of the painting before at steadiness 100.
const MOVING_SHARE: f32 = 0.91;
/// The same where nothing moves.
const STILL_SHARE: f32 = 0.98;
/// By how much detail is raised at most.
const MOST_GAIN: f32 = 3.0;
/// A Gaussian of sigma 1.5: what differs from it is detail.
const BLUR: [f32; 9] = [
    0.007_614, 0.036_075, 0.109_586, 0.213_445, 0.266_56, 0.213_445, 0.109_586, 0.036_075,
    0.007_614,
];
/// The mean over a side of 15 pixels.
const MEAN: [f32; 15] = [1.0 / 15.0; 15];

/// Taps of the filter that moves a painting.
pub const TAPS: usize = 6;
const PHASES: usize = 256;
/// Lanczos weights for each fraction of a pixel.
pub static LANCZOS: LazyLock<Vec<[f32; TAPS]>> = LazyLock::new(|| {
    let sinc = |x: f32| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let weight = |x: f32| if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 };
    let phase = |phase: usize| {
        let weights: [f32; TAPS] =
            std::array::from_fn(|tap| weight(phase as f32 / PHASES as f32 + 2.0 - tap as f32));
        let sum: f32 = weights.iter().sum();
        weights.map(|weight| weight / sum)
    };
    (0..=PHASES).map(phase).collect()
});

/// Red, green, blue of a painting before it is rounded, and the strength of its detail as it was painted.
type Pixel = [f32; 4];

#[derive(Debug, Default)]
pub struct History {
    size: (usize, usize),
    pixels: Vec<Pixel>,
    before: Vec<Pixel>,
    detail: Detail,
}

/// What a picture has beyond its blurred self.
#[derive(Debug, Default)]
struct Detail {
    luma: Plane,
    scratch: Plane,
    /// The detail.
    high: Plane,
    /// The mean size of the detail around each pixel. The mean square would hang on few strong strokes: where they
    /// flicker and average out, it would raise the faint grain between them to cracks.
    strength: Plane,
}

impl Detail {
    fn find(&mut self, width: usize, pixels: &[Pixel]) {
        let Self { luma: own, scratch, high, strength } = self;
        own.fill((width, pixels.len() / width), |y, row| {
            for (to, [r, g, b, _]) in row.iter_mut().zip(&pixels[y * width..]) {
                *to = luma([*r, *g, *b]);
            }
        });
        // `strength` is scratch until the end.
        strength.filtered(own, scratch, &BLUR);
        high.resize((own.width, own.height));
        high.fill_rows(|y, row| {
            let rows = own.row(y as isize).iter().zip(strength.row(y as isize));
            for (to, (sharp, blurred)) in row.iter_mut().zip(rows) {
                *to = sharp - blurred;
            }
        });
        own.fill_rows(|y, row| {
            for (to, high) in row.iter_mut().zip(high.row(y as isize)) {
                *to = high.abs();
            }
        });
        own.pad();
        strength.filtered(own, scratch, &MEAN);
    }
}

impl History {
    /// Keeps this painting alone.
    pub fn start(&mut self, painting: &Frame) {
        self.size = painting.size();
        let width = self.size.0;
        let rgba = painting.rgba().as_chunks::<4>().0;
        self.pixels.resize(rgba.len(), [0.0; 4]);
        let rows = self.pixels.par_chunks_exact_mut(width).zip(rgba.par_chunks_exact(width));
        rows.with_min_len(8).for_each(|(to, from)| {
            for (to, from) in to.iter_mut().zip(from) {
                *to = from.map(f32::from);
            }
        });
        self.detail.find(width, &self.pixels);
        let rows = self.pixels.par_chunks_exact_mut(width).with_min_len(8);
        rows.enumerate().for_each(|(y, row)| {
            for ([.., to], strength) in row.iter_mut().zip(self.detail.strength.row(y as isize)) {
                *to = *strength;
            }
        });
    }

    /// Mixes the kept painting, moved, into this one. `share` is the steadiness from 0 to 1.
    pub fn mix(&mut self, painting: &mut Frame, motion: &Motion, share: f32) {
        std::mem::swap(&mut self.pixels, &mut self.before);
        self.start(painting);
        let width = self.size.0;
        let moved = PreviousPainting { size: self.size, pixels: &self.before };
        let rows = self.pixels.par_chunks_exact_mut(width);
        rows.with_min_len(4).enumerate().for_each(|(y, row)| moved.mix_row(y, row, motion, share));
        let (detail, pixels) = (&mut self.detail, &self.pixels);
        detail.find(width, pixels);
        let rgba = painting.rgba_mut().as_chunks_mut::<4>().0;
        let rows = rgba.par_chunks_exact_mut(width).zip(pixels.par_chunks_exact(width));
        rows.with_min_len(8).enumerate().for_each(|(y, (to, from))| {
            let details = detail.high.row(y as isize).iter().zip(detail.strength.row(y as isize));
            for ((to, [r, g, b, painted]), (high, left)) in to.iter_mut().zip(from).zip(details) {
                // To the power of 1.5: the gain raises only what is detail of the detail.
                let lost = painted / left.max(0.03);
                let gain = (lost * lost.sqrt()).clamp(1.0, MOST_GAIN);
                for (to, value) in to.iter_mut().zip([r, g, b]) {
                    *to = (value + (gain - 1.0) * high).round() as u8;
                }
            }
        });
    }

    /// The kept painting, pixel by pixel.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        self.pixels.iter().flatten().copied()
    }

    /// Keeps [`History::values`] of a painting of this size, each as bytes.
    pub fn restore(&mut self, size: (usize, usize), values: &[[u8; 4]]) {
        self.size = size;
        let pixels = values.as_chunks::<4>().0.iter();
        self.pixels = pixels.map(|pixel| pixel.map(f32::from_le_bytes)).collect();
    }
}

/// The painting before, to be moved.
struct PreviousPainting<'a> {
    size: (usize, usize),
    pixels: &'a [Pixel],
}

impl PreviousPainting<'_> {
    fn mix_row(&self, y: usize, row: &mut [Pixel], motion: &Motion, share: f32) {
        let half_size = (motion.field.width, motion.field.height);
        // Of the pixel's middle, in pixels of half size.
        let half = |at: usize| (at as f32 + 0.5) * 0.5 - 0.5;
        for (x, to) in row.iter_mut().enumerate() {
            let corners = Corners::new(half(x), half(y), half_size);
            let confidence = corners.mean(&motion.confidence);
            if confidence <= 0.0 {
                continue;
            }
            let u = 2.0 * corners.mean(&motion.field.across);
            let v = 2.0 * corners.mean(&motion.field.down);
            let is_still = motion.is_still && u == 0.0 && v == 0.0;
            let most = if is_still { STILL_SHARE } else { MOVING_SHARE };
            let part = most * share * confidence;
            let moved = self.sample(x as f32 + u, y as f32 + v);
            for (to, moved) in to.iter_mut().zip(moved) {
                *to += part * (moved - *to);
            }
            to[3] = to[3].max(0.0);
        }
    }

    /// The pixel between pixels; outside it repeats.
    #[inline(always)]
    fn sample(&self, x: f32, y: f32) -> Pixel {
        let (width, height) = self.size;
        let (x, y) = (x.clamp(0.0, (width - 1) as f32), y.clamp(0.0, (height - 1) as f32));
        let (left, top) = (x as usize, y as usize);
        let phase = |fraction: f32| &LANCZOS[(fraction * PHASES as f32 + 0.5) as usize];
        let (across, down) = (phase(x - left as f32), phase(y - top as f32));
        let is_inside = left >= 2 && left + 3 < width && top >= 2 && top + 3 < height;
        let mut sum = [0.0; 4];
        for (tap, weight) in down.iter().enumerate() {
            let mut line = [0.0; 4];
            let mut add = |pixel: &Pixel, weight: f32| {
                for (to, value) in line.iter_mut().zip(pixel) {
                    *to += weight * value;
                }
            };
            if is_inside {
                let start = (top + tap - 2) * width + left - 2;
                let pixels: &[Pixel; TAPS] =
                    self.pixels[start..].first_chunk().unwrap_or(&[[0.0; 4]; TAPS]);
                for (pixel, weight) in pixels.iter().zip(across) {
                    add(pixel, *weight);
                }
            } else {
                let at =
                    |at: usize, tap: usize, side: usize| (at + tap).saturating_sub(2).min(side - 1);
                for (i, weight) in across.iter().enumerate() {
                    add(&self.pixels[at(top, tap, height) * width + at(left, i, width)], *weight);
                }
            }
            for (to, value) in sum.iter_mut().zip(line) {
                *to += weight * value;
            }
        }
        sum
    }
}
