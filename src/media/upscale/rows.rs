//! One row after the other: the model of the working size's row, that row spread over the source's columns, and a row of
//! the result.
//!
//! Pure arithmetic on slices. Colours are levels of 0 to 255.

use std::array::from_fn;

use crate::frame::Frame;

/// Four numbers of one pixel: red, green, blue, and luma where there is one. The compiler keeps them in a register.
type Lanes = [f32; 4];

/// The lane of luma.
const LUMA: usize = 3;
/// Variance of luma below which a neighbourhood counts as flat, in squared levels: noise of a camera must not
/// become an edge.
const FLAT: f32 = 60.0;
/// Largest gain: a faint edge of the source does not make a strong one with all of the source's noise on it.
const LARGEST_GAIN: f32 = 2.5;
/// How strongly the painting's own strokes are sharpened.
const STROKES: f32 = 0.4;
/// A number whose sum with a level holds the level, rounded, in its last bits.
const ROUNDING: f32 = (3 << 22) as f32;

#[inline(always)]
fn lanes(f: impl Fn(usize) -> f32) -> Lanes {
    [f(0), f(1), f(2), f(3)]
}

#[inline(always)]
fn mix(a: Lanes, b: Lanes, share: f32) -> Lanes {
    lanes(|i| a[i] + share * (b[i] - a[i]))
}

#[inline(always)]
fn least(a: Lanes, b: Lanes) -> Lanes {
    lanes(|i| if a[i] < b[i] { a[i] } else { b[i] })
}

#[inline(always)]
fn most(a: Lanes, b: Lanes) -> Lanes {
    lanes(|i| if a[i] > b[i] { a[i] } else { b[i] })
}

/// Luma of a pixel, in levels.
#[inline(always)]
fn luma(pixel: [u8; 4]) -> f32 {
    0.299 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
}

/// Where a position of the source lies between two of the working size.
#[derive(Clone, Copy, Default)]
pub struct Between {
    /// The left or upper one.
    pub first: usize,
    /// The right or lower one; the same at the end.
    pub second: usize,
    /// Share of the second, 0 to 1.
    pub share: f32,
}

/// Every position of a side of `to` pixels among `from`.
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

/// What one pixel of the working size says about the source's pixels around it.
#[derive(Clone, Copy, Default)]
struct Model {
    /// The painting, and luma of the scaled source.
    painting: Lanes,
    /// By how much each colour changes with the source's luma.
    gain: Lanes,
    /// The least level of each colour near by.
    least: Lanes,
    /// The largest.
    most: Lanes,
}

/// Pixels of a [`Block`].
const BLOCK: usize = 8;

/// A number for each of some neighbouring pixels.
type Pixels = [f32; BLOCK];

/// The models of some neighbouring pixels, in the order in which they are computed with.
#[derive(Clone, Copy, Default)]
struct Block {
    light: Pixels,
    painting: [Pixels; 3],
    gain: [Pixels; 3],
    least: [Pixels; 3],
    most: [Pixels; 3],
}

/// Sums over three rows of one column.
#[derive(Clone, Copy, Default)]
struct Column {
    sum: Lanes,
    /// Of products with luma.
    products: Lanes,
    least: Lanes,
    most: Lanes,
}

/// Memory for one band of rows.
#[derive(Default)]
pub struct Scratch {
    /// The last three small rows: painting, and luma of the scaled source.
    small: [Vec<Lanes>; 3],
    small_next: usize,
    columns: Vec<Column>,
    models: Vec<Model>,
    /// The last two rows, spread over the source's columns.
    spread: [Vec<Block>; 2],
    spread_next: usize,
}

impl Scratch {
    /// Makes it large enough for a picture, before any row.
    pub fn begin(&mut self, small_width: usize, width: usize) {
        for small in &mut self.small {
            small.resize(small_width, Lanes::default());
        }
        self.columns.resize(small_width, Column::default());
        self.models.resize(small_width, Model::default());
        for spread in &mut self.spread {
            spread.resize(width.div_ceil(BLOCK), Block::default());
        }
        self.small_next = 0;
        self.spread_next = 0;
    }

    /// Spreads small row `at` of `scaled` and `painting`, computed from its neighbours, over `columns`. Rows come
    /// in rising order.
    pub fn spread(&mut self, scaled: &Frame, painting: &Frame, at: usize, columns: &[Between]) {
        if at < self.spread_next {
            return;
        }
        let (width, height) = (scaled.width(), scaled.height());
        let (first, last) = (at.saturating_sub(1), (at + 1).min(height - 1));
        for y in first.max(self.small_next)..=last {
            let range = 4 * width * y..4 * width * (y + 1);
            let (scaled, _) = scaled.rgba()[range.clone()].as_chunks::<4>();
            let (painting, _) = painting.rgba()[range].as_chunks::<4>();
            for ((to, &s), &p) in self.small[y % 3].iter_mut().zip(scaled).zip(painting) {
                *to = [f32::from(p[0]), f32::from(p[1]), f32::from(p[2]), luma(s)];
            }
        }
        self.small_next = last + 1;
        let rows = [first, at, last].map(|y| self.small[y % 3].as_slice());
        sum_rows(rows, &mut self.columns);
        model(rows[1], &self.columns, &mut self.models);
        let blocks = self.spread[at % 2].iter_mut();
        for (to, columns) in blocks.zip(columns.chunks(BLOCK)) {
            for (i, between) in columns.iter().enumerate() {
                let (a, b) = (&self.models[between.first], &self.models[between.second]);
                let painting = mix(a.painting, b.painting, between.share);
                let gain = mix(a.gain, b.gain, between.share);
                let least = mix(a.least, b.least, between.share);
                let most = mix(a.most, b.most, between.share);
                to.light[i] = painting[LUMA];
                for c in 0..3 {
                    to.painting[c][i] = painting[c];
                    to.gain[c][i] = gain[c];
                    to.least[c][i] = least[c];
                    to.most[c][i] = most[c];
                }
            }
        }
        self.spread_next = at + 1;
    }

    /// One row of the result at `row` of the source, whose small rows were spread.
    pub fn finish(&self, row: &Between, source: &[u8], to: &mut [u8]) {
        let upper = self.spread[row.first % 2].as_slice();
        let lower = self.spread[row.second % 2].as_slice();
        let (source, _) = source.as_chunks::<4>();
        let (to, _) = to.as_chunks_mut::<4>();
        let (wholes, rest) = source.as_chunks::<BLOCK>();
        let (results, rest_to) = to.as_chunks_mut::<BLOCK>();
        let blocks = upper.iter().zip(lower);
        for ((to, source), (a, b)) in results.iter_mut().zip(wholes).zip(blocks) {
            *to = block(a, b, row.share, source);
        }
        if let (Some(a), Some(b)) = (upper.get(wholes.len()), lower.get(wholes.len())) {
            let mut source = [[0; 4]; BLOCK];
            source[..rest.len()].copy_from_slice(rest);
            let to = block(a, b, row.share, &source);
            rest_to.copy_from_slice(&to[..rest.len()]);
        }
    }
}

/// The result's pixels over `source`, from the models of the row above and the one below.
#[inline(always)]
fn block(a: &Block, b: &Block, share: f32, source: &[[u8; 4]; BLOCK]) -> [[u8; 4]; BLOCK] {
    let mix = |a: &Pixels, b: &Pixels| -> Pixels { from_fn(|i| a[i] + share * (b[i] - a[i])) };
    let light = mix(&a.light, &b.light);
    let source: [u32; BLOCK] = from_fn(|i| u32::from_le_bytes(source[i]));
    let level = |i: usize, c: u32| (source[i] >> (8 * c) & 255) as i32 as f32;
    let detail: Pixels =
        from_fn(|i| 0.299 * level(i, 0) + 0.587 * level(i, 1) + 0.114 * level(i, 2) - light[i]);
    let mut to = source.map(|s| s & 0xff00_0000);
    for c in 0..3 {
        let painting = mix(&a.painting[c], &b.painting[c]);
        let gain = mix(&a.gain[c], &b.gain[c]);
        let least = mix(&a.least[c], &b.least[c]);
        let most = mix(&a.most[c], &b.most[c]);
        for i in 0..BLOCK {
            let painted = painting[i] + gain[i] * detail[i];
            let painted = if painted > least[i] {
                painted
            } else {
                least[i]
            };
            let painted = if painted < most[i] { painted } else { most[i] };
            to[i] |= ((painted + ROUNDING).to_bits() & 255) << (8 * c);
        }
    }
    to.map(u32::to_le_bytes)
}

/// Adds up three rows column by column.
fn sum_rows(rows: [&[Lanes]; 3], columns: &mut [Column]) {
    let rows = rows[0].iter().zip(rows[1]).zip(rows[2]);
    for (((&a, &b), &c), to) in rows.zip(columns) {
        *to = Column {
            sum: lanes(|i| a[i] + b[i] + c[i]),
            products: lanes(|i| a[i] * a[LUMA] + b[i] * b[LUMA] + c[i] * c[LUMA]),
            least: least(least(a, b), c),
            most: most(most(a, b), c),
        };
    }
}

/// The model of every pixel of a small row from its columns' sums.
fn model(row: &[Lanes], columns: &[Column], models: &mut [Model]) {
    const SHARE: f32 = 1.0 / 9.0;
    let last = columns.len() - 1;
    for (x, (to, own)) in models.iter_mut().zip(row).enumerate() {
        let [a, b, c] = [x.saturating_sub(1), x, (x + 1).min(last)].map(|x| &columns[x]);
        let mean = lanes(|i| (a.sum[i] + b.sum[i] + c.sum[i]) * SHARE);
        let products = lanes(|i| (a.products[i] + b.products[i] + c.products[i]) * SHARE);
        let covariance = lanes(|i| products[i] - mean[i] * mean[LUMA]);
        let scale = 1.0 / (covariance[LUMA].max(0.0) + FLAT);
        let gain = lanes(|i| covariance[i] * scale);
        let gain = least(most(gain, [-LARGEST_GAIN; 4]), [LARGEST_GAIN; 4]);
        let mut painting = lanes(|i| own[i] + STROKES * (own[i] - mean[i]));
        painting[LUMA] = own[LUMA];
        *to = Model {
            painting,
            gain,
            least: least(least(a.least, b.least), c.least),
            most: most(most(a.most, b.most), c.most),
        };
    }
}
