//! Computes the result row by row: spreads the models of the working size's rows over the source's columns, then
//! combines them into a row of the result.
//!
//! Pure arithmetic on slices. Colours are levels of 0 to 255.

use std::array::from_fn;

use super::{
    models::{Model, NUMBERS, Numbers, model, outermost, read_row, sum_rows},
    pixels::{BLOCK, LUMA, Pixels, luma, mix, mix_pixels},
};
use values::{compose::ROUNDING, frame::Frame};

/// The position of a source pixel between two pixels of the working size.
#[derive(Clone, Copy, Default)]
pub struct Neighbours {
    /// The left or upper one.
    pub first: usize,
    /// The right or lower one; the same as `first` at the end.
    pub second: usize,
    /// Weight of `second`, 0 to 1.
    pub share: f32,
}

/// The positions of all `to` pixels of a side among `from` pixels.
pub fn positions(from: usize, to: usize, into: &mut Vec<Neighbours>) {
    into.clear();
    let ratio = from as f64 / to as f64;
    into.extend((0..to).map(|at| {
        let centre = ((at as f64 + 0.5) * ratio - 0.5).clamp(0.0, (from - 1) as f64);
        let first = centre.floor();
        Neighbours {
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

    /// The weight of the second of two pixels in a range, from the weight of its position.
    fn share(self, share: f32) -> f32 {
        match self {
            Self::Between => share,
            Self::Nearest if share < 0.5 => 0.0,
            Self::Nearest => 1.0,
        }
    }
}

/// The models of a block of pixels, in the order of the computation.
#[derive(Clone, Copy, Default)]
struct Block {
    light: Pixels,
    painting: [Pixels; 3],
    gain: [Pixels; 3],
    /// The minimum and maximum level.
    least: [Pixels; 3],
    most: [Pixels; 3],
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
    /// The last two rows, spread over the source's columns.
    spread: [Vec<Block>; 2],
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
        for spread in &mut self.spread {
            spread.resize(width.div_ceil(BLOCK), Block::default());
        }
        self.ranges = ranges;
        self.small_next = 0;
        self.spread_next = 0;
    }

    /// Spreads small row `at` of `scaled` and `painting`, computed from its neighbours, over `columns`. Rows must come
    /// in increasing order.
    pub fn spread(&mut self, scaled: &Frame, painting: &Frame, at: usize, columns: &[Neighbours]) {
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
        let (least, most) = (least.as_chunks::<4>().0, most.as_chunks::<4>().0);
        for (model, (least, most)) in self.models.iter_mut().zip(least.iter().zip(most)) {
            (model.least, model.most) = (least.map(f32::from), most.map(f32::from));
        }
        spread_models(&self.models, columns, self.ranges, &mut self.spread[at % 2]);
        self.spread_next = at + 1;
    }

    /// One row of the result, for position `row` of the source. The small rows of `row` must have been spread.
    pub fn finish(&self, row: &Neighbours, source: &[u8], to: &mut [u8]) {
        let (source, _) = source.as_chunks::<4>();
        let (to, _) = to.as_chunks_mut::<4>();
        let (wholes, rest) = source.as_chunks::<BLOCK>();
        let (results, rest_to) = to.as_chunks_mut::<BLOCK>();
        let shares = [row.share, self.ranges.share(row.share)];
        let mut blocks = self.spread[row.first % 2].iter().zip(&self.spread[row.second % 2]);
        for ((to, source), models) in results.iter_mut().zip(wholes).zip(blocks.clone()) {
            *to = block(models, shares, source);
        }
        if let Some(models) = blocks.nth(wholes.len()) {
            let mut source = [[0; 4]; BLOCK];
            source[..rest.len()].copy_from_slice(rest);
            rest_to.copy_from_slice(&block(models, shares, &source)[..rest.len()]);
        }
    }
}

/// Spreads the models of a small row over the source's columns.
fn spread_models(models: &[Model], columns: &[Neighbours], ranges: Ranges, to: &mut [Block]) {
    for (to, columns) in to.iter_mut().zip(columns.chunks(BLOCK)) {
        for (i, between) in columns.iter().enumerate() {
            let (a, b) = (&models[between.first], &models[between.second]);
            let range_share = ranges.share(between.share);
            let painting = mix(a.painting, b.painting, between.share);
            let gain = mix(a.gain, b.gain, between.share);
            let least = mix(a.least, b.least, range_share);
            let most = mix(a.most, b.most, range_share);
            to.light[i] = painting[LUMA];
            for c in 0..3 {
                to.painting[c][i] = painting[c];
                to.gain[c][i] = gain[c];
                to.least[c][i] = least[c];
                to.most[c][i] = most[c];
            }
        }
    }
}

/// The result's pixels over `source`, from the models of the rows above and below. The shares are those of the row below
/// in the models and in the ranges.
#[inline(always)]
fn block(
    (a, b): (&Block, &Block),
    [share, range_share]: [f32; 2],
    source: &[[u8; 4]; BLOCK],
) -> [[u8; 4]; BLOCK] {
    let light = mix_pixels(&a.light, &b.light, share);
    let source: [u32; BLOCK] = from_fn(|i| u32::from_le_bytes(source[i]));
    let luma = luma(&source);
    let detail: Pixels = from_fn(|i| luma[i] - light[i]);
    let mut to = source.map(|s| s & 0xff00_0000);
    for c in 0..3 {
        let painting = mix_pixels(&a.painting[c], &b.painting[c], share);
        let gain = mix_pixels(&a.gain[c], &b.gain[c], share);
        let least = mix_pixels(&a.least[c], &b.least[c], range_share);
        let most = mix_pixels(&a.most[c], &b.most[c], range_share);
        for i in 0..BLOCK {
            let painted = painting[i] + gain[i] * detail[i];
            let painted = if painted > least[i] { painted } else { least[i] };
            let painted = if painted < most[i] { painted } else { most[i] };
            to[i] |= ((painted + ROUNDING).to_bits() & 255) << (8 * c);
        }
    }
    to.map(u32::to_le_bytes)
}
