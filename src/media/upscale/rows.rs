//! Computes the result row by row: spreads the models of the working size's rows over the source's columns, then
//! combines them into a row of the result.
//!
//! Pure arithmetic on slices. Colours are levels of 0 to 255.

use std::array::from_fn;

use super::{
    models::{Model, NUMBERS, Numbers, model, outermost, read_row, sum_rows},
    pixels::{BLOCK, LUMA, Lanes, Pixels, levels, luma, mix, mix_pixels},
};
use crate::{compose::ROUNDING, frame::Frame};

/// The position of a source pixel between two pixels of the working size.
#[derive(Clone, Copy, Default)]
pub struct Between {
    /// The left or upper one.
    pub first: usize,
    /// The right or lower one; the same as `first` at the end.
    pub second: usize,
    /// Weight of `second`, 0 to 1.
    pub share: f32,
}

/// The positions of all `to` pixels of a side among `from` pixels.
pub fn positions(from: usize, to: usize, into: &mut Vec<Between>) {
    into.clear();
    let ratio = from as f64 / to as f64;
    into.extend((0..to).map(|at| {
        let centre = ((at as f64 + 0.5) * ratio - 0.5).clamp(0.0, (from - 1) as f64);
        let first = centre.floor();
        Between {
            first: first as usize,
            second: (first as usize + 1).min(from - 1),
            share: (centre - first) as f32,
        }
    }));
}

/// How the painting's range of colours is determined for a source pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ranges {
    /// Interpolated between the painting's surrounding pixels; otherwise their borders would be visible.
    #[default]
    Between,
    /// From the painting's nearest pixel, if that is hardly larger than a source pixel.
    Nearest,
}

impl Ranges {
    /// Selects by the sizes of the painting and the source.
    pub fn of(small: (usize, usize), large: (usize, usize)) -> Self {
        if 2 * small.0 >= large.0 && 2 * small.1 >= large.1 { Self::Nearest } else { Self::Between }
    }
}

/// The models of a block of pixels, in the order of the computation.
#[derive(Clone, Copy, Default)]
struct Block {
    light: Pixels,
    painting: [Pixels; 3],
    gain: [Pixels; 3],
}

/// The minimum and maximum level of each colour for a block of pixels, interpolated between the painting's pixels.
#[derive(Clone, Copy, Default)]
struct Wide {
    least: [Pixels; 3],
    most: [Pixels; 3],
}

/// The same, from the painting's nearest pixels.
#[derive(Clone, Copy, Default)]
struct Near {
    least: [u32; BLOCK],
    most: [u32; BLOCK],
}

/// Buffers for one band of rows.
#[derive(Default)]
pub struct Scratch {
    ranges: Ranges,
    /// The last three small rows.
    small: [Vec<Numbers>; 3],
    small_next: usize,
    /// Sums over three rows for each column of the small row; the outermost columns are repeated on either side.
    columns: [Vec<f32>; NUMBERS],
    models: Vec<Model>,
    /// The minimum and maximum bytes of each column; the outermost columns are repeated on either side.
    column_range: [Vec<u8>; 2],
    /// The minimum and maximum bytes of each pixel.
    range: [Vec<u8>; 2],
    /// The same as numbers, for [`Ranges::Between`].
    range_levels: Vec<[Lanes; 2]>,
    /// The last two rows, spread over the source's columns.
    spread: [Vec<Block>; 2],
    wide: [Vec<Wide>; 2],
    near: [Vec<Near>; 2],
    spread_next: usize,
}

impl Scratch {
    /// Resizes the buffers for a picture; must be called before any row.
    pub fn begin(&mut self, small_width: usize, width: usize, ranges: Ranges) {
        let blocks = small_width.div_ceil(BLOCK);
        for small in &mut self.small {
            small.resize(blocks, Numbers::default());
        }
        for columns in &mut self.columns {
            columns.resize(blocks * BLOCK + 2, 0.0);
        }
        self.models.resize(blocks * BLOCK, Model::default());
        for (columns, pixels) in self.column_range.iter_mut().zip(&mut self.range) {
            columns.resize(4 * (small_width + 2), 0);
            pixels.resize(4 * small_width, 0);
        }
        let blocks = width.div_ceil(BLOCK);
        let (wide, near) = match ranges {
            Ranges::Between => (blocks, 0),
            Ranges::Nearest => (0, blocks),
        };
        self.range_levels.resize(small_width, Default::default());
        for at in 0..2 {
            self.spread[at].resize(blocks, Block::default());
            self.wide[at].resize(wide, Wide::default());
            self.near[at].resize(near, Near::default());
        }
        self.ranges = ranges;
        self.small_next = 0;
        self.spread_next = 0;
    }

    /// Spreads small row `at` of `scaled` and `painting`, computed from its neighbours, over `columns`. Rows must come
    /// in increasing order.
    pub fn spread(&mut self, scaled: &Frame, painting: &Frame, at: usize, columns: &[Between]) {
        if at < self.spread_next {
            return;
        }
        let (width, height) = scaled.size();
        let (first, last) = (at.saturating_sub(1), (at + 1).min(height - 1));
        let bytes = |y: usize| 4 * width * y..4 * width * (y + 1);
        for y in first.max(self.small_next)..=last {
            let (scaled, painting) = (&scaled.rgba()[bytes(y)], &painting.rgba()[bytes(y)]);
            read_row(scaled, painting, &mut self.small[y % 3]);
        }
        self.small_next = last + 1;
        let rows = [first, at, last].map(|y| self.small[y % 3].as_slice());
        sum_rows(rows, width, &mut self.columns);
        model(rows[1], &self.columns, &mut self.models);
        let rows = [first, at, last].map(|y| &painting.rgba()[bytes(y)]);
        let [least, most] = &mut self.range;
        let [column_least, column_most] = &mut self.column_range;
        outermost(rows, |a: u8, b| a.min(b), column_least, least);
        outermost(rows, |a: u8, b| a.max(b), column_most, most);
        spread_models(&self.models, columns, &mut self.spread[at % 2]);
        let (least, most) = (least.as_chunks::<4>().0, most.as_chunks::<4>().0);
        match self.ranges {
            Ranges::Between => {
                for (to, (least, most)) in self.range_levels.iter_mut().zip(least.iter().zip(most))
                {
                    *to = [least, most].map(|bytes| bytes.map(f32::from));
                }
                spread_between(&self.range_levels, columns, &mut self.wide[at % 2]);
            }
            Ranges::Nearest => spread_nearest(least, most, columns, &mut self.near[at % 2]),
        }
        self.spread_next = at + 1;
    }

    /// One row of the result, for position `row` of the source. The small rows of `row` must have been spread.
    pub fn finish(&self, row: &Between, source: &[u8], to: &mut [u8]) {
        let (upper, lower) = (row.first % 2, row.second % 2);
        let models = [&self.spread[upper], &self.spread[lower]];
        match self.ranges {
            Ranges::Between => {
                let (a, b) = (&self.wide[upper], &self.wide[lower]);
                let mixed = |a: &Pixels, b: &Pixels| mix_pixels(a, b, row.share);
                finish_row(models, row.share, source, to, |at, c| {
                    let (a, b) = (&a[at], &b[at]);
                    [mixed(&a.least[c], &b.least[c]), mixed(&a.most[c], &b.most[c])]
                });
            }
            Ranges::Nearest => {
                let near = &self.near[if row.share < 0.5 { upper } else { lower }];
                finish_row(models, row.share, source, to, |at, c| {
                    [levels(&near[at].least, c), levels(&near[at].most, c)]
                });
            }
        }
    }
}

/// Spreads the models of a small row over the source's columns.
fn spread_models(models: &[Model], columns: &[Between], to: &mut [Block]) {
    for (to, columns) in to.iter_mut().zip(columns.chunks(BLOCK)) {
        for (i, between) in columns.iter().enumerate() {
            let (a, b) = (&models[between.first], &models[between.second]);
            let painting = mix(a.painting, b.painting, between.share);
            let gain = mix(a.gain, b.gain, between.share);
            to.light[i] = painting[LUMA];
            for c in 0..3 {
                to.painting[c][i] = painting[c];
                to.gain[c][i] = gain[c];
            }
        }
    }
}

/// Spreads the ranges of a small row over the source's columns.
fn spread_between(ranges: &[[Lanes; 2]], columns: &[Between], to: &mut [Wide]) {
    for (to, columns) in to.iter_mut().zip(columns.chunks(BLOCK)) {
        for (i, at) in columns.iter().enumerate() {
            let (a, b) = (&ranges[at.first], &ranges[at.second]);
            let [least, most] = from_fn(|end| mix(a[end], b[end], at.share));
            for c in 0..3 {
                to.least[c][i] = least[c];
                to.most[c][i] = most[c];
            }
        }
    }
}

/// Assigns the range of the nearest pixel to each of the source's columns.
fn spread_nearest(least: &[[u8; 4]], most: &[[u8; 4]], columns: &[Between], to: &mut [Near]) {
    for (to, columns) in to.iter_mut().zip(columns.chunks(BLOCK)) {
        for (i, at) in columns.iter().enumerate() {
            let nearest = if at.share < 0.5 { at.first } else { at.second };
            to.least[i] = u32::from_le_bytes(least[nearest]);
            to.most[i] = u32::from_le_bytes(most[nearest]);
        }
    }
}

/// A row of the result, from the models of the small rows above and below; `range` returns the range of a colour in a
/// block.
#[inline(always)]
fn finish_row(
    [upper, lower]: [&Vec<Block>; 2],
    share: f32,
    source: &[u8],
    to: &mut [u8],
    range: impl Fn(usize, usize) -> [Pixels; 2],
) {
    let (source, _) = source.as_chunks::<4>();
    let (to, _) = to.as_chunks_mut::<4>();
    let (wholes, rest) = source.as_chunks::<BLOCK>();
    let (results, rest_to) = to.as_chunks_mut::<BLOCK>();
    let blocks = upper.iter().zip(lower).enumerate();
    for ((to, source), (at, (a, b))) in results.iter_mut().zip(wholes).zip(blocks) {
        *to = block(a, b, share, source, |c| range(at, c));
    }
    let at = wholes.len();
    if let (Some(a), Some(b)) = (upper.get(at), lower.get(at)) {
        let mut source = [[0; 4]; BLOCK];
        source[..rest.len()].copy_from_slice(rest);
        let to = block(a, b, share, &source, |c| range(at, c));
        rest_to.copy_from_slice(&to[..rest.len()]);
    }
}

/// The result's pixels over `source`, from the models of the rows above and below, and each colour's range.
#[inline(always)]
fn block(
    a: &Block,
    b: &Block,
    share: f32,
    source: &[[u8; 4]; BLOCK],
    range: impl Fn(usize) -> [Pixels; 2],
) -> [[u8; 4]; BLOCK] {
    let light = mix_pixels(&a.light, &b.light, share);
    let source: [u32; BLOCK] = from_fn(|i| u32::from_le_bytes(source[i]));
    let detail: Pixels = {
        let luma = luma(&source);
        from_fn(|i| luma[i] - light[i])
    };
    let mut to = source.map(|s| s & 0xff00_0000);
    for c in 0..3 {
        let painting = mix_pixels(&a.painting[c], &b.painting[c], share);
        let gain = mix_pixels(&a.gain[c], &b.gain[c], share);
        let [least, most] = range(c);
        for i in 0..BLOCK {
            let painted = painting[i] + gain[i] * detail[i];
            let painted = if painted > least[i] { painted } else { least[i] };
            let painted = if painted < most[i] { painted } else { most[i] };
            to[i] |= ((painted + ROUNDING).to_bits() & 255) << (8 * c);
        }
    }
    to.map(u32::to_le_bytes)
}
