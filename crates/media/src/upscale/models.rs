//! Computes the model and the colour range of each pixel in a row of the working size, from its 3 x 3 neighbourhood.

use std::array::from_fn;

use super::pixels::{BLOCK, LUMA, Lanes, Pixels, lanes, levels, luma, whole};

/// Variance of luma below which a neighbourhood counts as flat, in squared levels. Camera noise must not become an
/// edge.
const FLAT: f32 = 60.0;
/// Maximum gain. A faint edge of the source must not become a strong one with all of the source's noise.
const LARGEST_GAIN: f32 = 2.5;
/// How strongly the painting's own strokes are sharpened.
const STROKES: f32 = 0.4;
/// Numbers per pixel of the working size: the painting's colours, luma of the scaled source, and the products of all
/// four with luma.
pub const NUMBERS: usize = 8;
/// Index of the first product.
const PRODUCTS: usize = 4;

/// The numbers of a block of neighbouring pixels.
pub type Numbers = [Pixels; NUMBERS];

/// The linear model of one pixel of the working size.
#[derive(Clone, Copy, Default)]
pub struct Model {
    /// The painting's colours, and luma of the scaled source.
    pub painting: Lanes,
    /// Change of each colour with the source's luma.
    pub gain: Lanes,
    /// The minimum and maximum level of each colour around it.
    pub least: Lanes,
    pub most: Lanes,
}

/// Reads a row of the scaled source and of the painting.
pub fn read_row(scaled: &[u8], painting: &[u8], to: &mut [Numbers]) {
    let (scaled, scaled_rest) = scaled.as_chunks::<{ 4 * BLOCK }>();
    let (painting, painting_rest) = painting.as_chunks::<{ 4 * BLOCK }>();
    let wholes = scaled.iter().zip(painting);
    for (to, (scaled, painting)) in to.iter_mut().zip(wholes) {
        *to = numbers(scaled, painting);
    }
    if let Some(to) = to.get_mut(scaled.len()) {
        let [mut scaled, mut painting] = [[0; 4 * BLOCK]; 2];
        scaled[..scaled_rest.len()].copy_from_slice(scaled_rest);
        painting[..painting_rest.len()].copy_from_slice(painting_rest);
        *to = numbers(&scaled, &painting);
    }
}

/// The numbers of a block.
#[inline(always)]
fn numbers(scaled: &[u8; 4 * BLOCK], painting: &[u8; 4 * BLOCK]) -> Numbers {
    let luma = luma(&whole(scaled));
    let painting = whole(painting);
    let [red, green, blue] = from_fn(|c| levels(&painting, c));
    let mut numbers = [red, green, blue, luma, luma, luma, luma, luma];
    let (plain, products) = numbers.split_at_mut(PRODUCTS);
    for (to, of) in products.as_flattened_mut().iter_mut().zip(plain.as_flattened()) {
        *to *= of;
    }
    numbers
}

/// Sums three rows column by column. The outermost of the `width` columns are repeated.
pub fn sum_rows(rows: [&[Numbers]; 3], width: usize, columns: &mut [Vec<f32>; NUMBERS]) {
    let triples = rows[0].iter().zip(rows[1]).zip(rows[2]);
    for (at, ((a, b), c)) in triples.enumerate() {
        for (n, columns) in columns.iter_mut().enumerate() {
            let sums: Pixels = from_fn(|i| a[n][i] + b[n][i] + c[n][i]);
            columns[BLOCK * at + 1..][..BLOCK].copy_from_slice(&sums);
        }
    }
    for columns in columns {
        columns[0] = columns[1];
        columns[width + 1] = columns[width];
    }
}

/// Computes the model of every pixel of a small row from the sums of its columns.
pub fn model(row: &[Numbers], columns: &[Vec<f32>; NUMBERS], models: &mut [Model]) {
    let (models, _) = models.as_chunks_mut::<BLOCK>();
    for (at, (to, own)) in models.iter_mut().zip(row).enumerate() {
        let light = means(&columns[LUMA], at);
        let mut scale = means(&columns[PRODUCTS + LUMA], at);
        for i in 0..BLOCK {
            // Rounding may make the variance negative.
            let variance = (scale[i] - light[i] * light[i]).clamp(0.0, f32::MAX);
            scale[i] = 1.0 / (variance + FLAT);
        }
        let (mut painting, mut gain) = ([own[LUMA]; 4], [[0.0; BLOCK]; 4]);
        for c in 0..3 {
            let mean = means(&columns[c], at);
            let products = means(&columns[PRODUCTS + c], at);
            for i in 0..BLOCK {
                let steep = (products[i] - mean[i] * light[i]) * scale[i];
                gain[c][i] = steep.clamp(-LARGEST_GAIN, LARGEST_GAIN);
                painting[c][i] = own[c][i] + STROKES * (own[c][i] - mean[i]);
            }
        }
        for i in 0..BLOCK {
            to[i].painting = lanes(|c| painting[c][i]);
            to[i].gain = lanes(|c| gain[c][i]);
        }
    }
}

/// Means over the neighbourhoods of a block's pixels, from the sums of its columns.
#[inline(always)]
fn means(columns: &[f32], block: usize) -> Pixels {
    const SHARE: f32 = 1.0 / 9.0;
    let around = &columns[BLOCK * block..][..BLOCK + 2];
    let mut means = [0.0; BLOCK];
    for i in 0..BLOCK {
        means[i] = (around[i] + around[i + 1] + around[i + 2]) * SHARE;
    }
    means
}

/// The minimum or maximum byte of each colour in the 3 x 3 neighbourhoods of a row. `further` selects one of two bytes.
/// Reduces the three `rows` to `columns` first.
#[inline(always)]
pub fn outermost(
    rows: [&[u8]; 3],
    further: impl Fn(u8, u8) -> u8,
    columns: &mut [u8],
    pixels: &mut [u8],
) {
    let width = rows[1].len();
    let triples = rows[0].iter().zip(rows[1]).zip(rows[2]);
    for (((&a, &b), &c), to) in triples.zip(&mut columns[4..]) {
        *to = further(further(a, b), c);
    }
    columns.copy_within(4..8, 0);
    columns.copy_within(width..width + 4, width + 4);
    let neighbours = columns.iter().zip(&columns[4..]).zip(&columns[8..]);
    for (((&a, &b), &c), to) in neighbours.zip(pixels) {
        *to = further(further(a, b), c);
    }
}
