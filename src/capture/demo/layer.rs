//! A picture that is drawn once and laid over each frame, moved to the side by any distance.

use rayon::prelude::*;

/// A strip of the picture, wider than it, in RGBA with straight alpha.
pub struct Layer {
    width: usize,
    /// The frame's row in which it begins.
    top: usize,
    pixels: Vec<[u8; 4]>,
}

impl Layer {
    /// A strip from row `top` to row `bottom`, computed pixel by pixel, on all cores.
    pub fn new(
        width: usize,
        (top, bottom): (usize, usize),
        pixel: impl Fn(usize, usize) -> [f32; 4] + Sync,
    ) -> Self {
        let places = top * width..bottom * width;
        let pixels = places.into_par_iter().with_min_len(width).map(|i| {
            let colour = pixel(i % width, i / width);
            colour.map(|v| (v + 0.5).clamp(0.0, 255.0) as u8)
        });
        Self {
            width,
            top,
            pixels: pixels.collect(),
        }
    }

    /// Lays the strip over the frame, `frame_width` pixels wide, with its column `shift` at the
    /// frame's left edge. Beyond its right end it goes on from its left one.
    pub fn lay_over(&self, frame: &mut [[u8; 4]], frame_width: usize, shift: f64) {
        let whole = shift.floor();
        let part = ((shift - whole) * 256.0) as u32;
        let start = whole.rem_euclid(self.width as f64) as usize % self.width;
        let rows = self.pixels.chunks_exact(self.width);
        let frame_rows = frame.chunks_exact_mut(frame_width).skip(self.top);
        for (row, frame_row) in rows.zip(frame_rows) {
            let (mut x, mut rest) = (start, frame_row);
            while !rest.is_empty() {
                let run = (self.width - x).min(rest.len());
                let (now, later) = rest.split_at_mut(run);
                let (last, others) = match now.split_last_mut() {
                    Some((last, others)) if x + run == self.width => (Some(last), others),
                    _ => (None, now),
                };
                for (pair, below) in row[x..].windows(2).zip(others) {
                    lay(below, pair[0], pair[1], part);
                }
                if let Some(last) = last {
                    lay(last, row[self.width - 1], row[0], part);
                }
                (x, rest) = (0, later);
            }
        }
    }
}

/// Lays a pixel that is `part` of 256 on its way from `here` to `next` over `below`.
#[inline]
fn lay(below: &mut [u8; 4], here: [u8; 4], next: [u8; 4], part: u32) {
    let between = |c: usize| (u32::from(here[c]) * (256 - part) + u32::from(next[c]) * part) >> 8;
    let alpha = between(3);
    if alpha == 0 {
        return;
    }
    // 255 becomes 256, so that opaque is opaque.
    let alpha = alpha + (alpha >> 7);
    for (c, value) in below.iter_mut().take(3).enumerate() {
        let under = u32::from(*value);
        *value = ((under * (256 - alpha) + between(c) * alpha) >> 8) as u8;
    }
}
