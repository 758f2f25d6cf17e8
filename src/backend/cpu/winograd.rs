//! 3x3 convolution at stride 1 by Winograd's F(4x4, 3x3) (Lavin and Gray 2016).
//!
//! A task takes a run of 4x4 output tiles: it transforms their 6x6 inputs (normalised, padded and
//! with the residual added while loading), multiplies the 36 points with the transformed weights,
//! and transforms back, gathering statistics tile by tile. A quarter of the multiplications of the
//! direct form; rounding errors are about nine times larger and far below one level of the picture.

use super::{
    gather::{Centre, MapInput, reflected},
    pack::Panels,
    simd::{At, Simd},
    statistics::{Running, part_len},
    tiles::{Segment, TileSet},
};
use crate::plan::cpu::{WINOGRAD_POINTS, WINOGRAD_TILES};

/// Columns of the widest panel: two vectors of sixteen lanes.
pub const MAX_PANEL: usize = 32;
/// Pixels of one output tile.
pub const TILE_PIXELS: usize = 16;

/// One layer's convolution.
pub struct WinogradConv<'a> {
    /// What is read.
    pub input: MapInput,
    /// Packed, transformed weights: 36 groups.
    pub panels: &'a Panels,
    /// Raw output, channels-last, of the input's height and width.
    pub raw: *mut f32,
    /// Stored channels of the output.
    pub channels: usize,
    /// One statistics part per task.
    pub parts: *mut f32,
}

// SAFETY: tasks read shared inputs and write disjoint tiles and their own statistics part.
unsafe impl Sync for WinogradConv<'_> {}

impl WinogradConv<'_> {
    fn tile_grid(&self) -> (usize, usize) {
        (self.input.height.div_ceil(4), self.input.width.div_ceil(4))
    }

    /// Number of tasks.
    pub fn tasks(&self) -> usize {
        let (rows, columns) = self.tile_grid();
        (rows * columns).div_ceil(WINOGRAD_TILES)
    }
}

/// Runs one task of a layer.
///
/// # Safety
/// As [`Simd`]; the layer's pointers are valid for its sizes, `scratch` has the plan's length, and
/// no other thread runs the same task.
#[inline(always)]
pub unsafe fn winograd_task<S: Simd>(
    layer: &WinogradConv<'_>,
    task: usize,
    scratch: &mut [f32],
    tiles: &TileSet,
) {
    let inputs = layer.input.channels;
    let (tile_rows, tile_columns) = layer.tile_grid();
    let first = task * WINOGRAD_TILES;
    let end = (first + WINOGRAD_TILES).min(tile_rows * tile_columns);

    let (transformed, rest) = scratch.split_at_mut(WINOGRAD_POINTS * WINOGRAD_TILES * inputs);
    let (products, rest) = rest.split_at_mut(WINOGRAD_POINTS * WINOGRAD_TILES * MAX_PANEL);
    let (tile, rest) = rest.split_at_mut(TILE_PIXELS * MAX_PANEL);
    let (mean, squares) = rest.split_at_mut(rest.len() / 2);
    let transformed = transformed.as_mut_ptr();
    // SAFETY: the map is valid by the caller's promise.
    let centre = unsafe { Centre::of::<S>(&layer.input) };
    for t in first..end {
        let to = transformed.wrapping_add((t - first) * inputs);
        let tile = NormalisedTile::new(&layer.input, &centre, t / tile_columns, t % tile_columns);
        // SAFETY: the tile exists; `to` and its 36 points lie inside the scratch.
        unsafe { transform_tile::<S>(&tile, inputs, to) };
    }
    let mut count = 0;
    for panel in layer.panels.panels() {
        let width = layer.panels.width(panel);
        // SAFETY: every pointer stays inside scratch, packed weights and the layer's own maps.
        unsafe {
            for point in 0..WINOGRAD_POINTS {
                let segment = Segment {
                    a: transformed.at(point * WINOGRAD_TILES * inputs),
                    b: layer.panels.group(panel, point),
                    len: inputs,
                };
                // Always all tiles of the task: the scratch behind the last holds old finite
                // values, whose products are not read.
                tiles.panel_product(
                    &[segment],
                    inputs,
                    WINOGRAD_TILES,
                    (panel.vectors, ()),
                    products.as_mut_ptr().at(point * WINOGRAD_TILES * MAX_PANEL),
                    MAX_PANEL,
                );
            }
            // A panel's channels see all pixels of the task before the next panel's do.
            let mut running = Running {
                mean: mean.as_mut_ptr().at(panel.first),
                squares: squares.as_mut_ptr().at(panel.first),
                extremes: None,
                count: 0,
            };
            let channels = width.min(layer.channels - panel.first);
            for t in first..end {
                let from = products.as_ptr().at((t - first) * MAX_PANEL);
                transform_output::<S>(from, tile.as_mut_ptr(), panel.vectors);
                let pixels = compact(tile, layer, t / tile_columns, t % tile_columns);
                write_tile(
                    tile,
                    layer,
                    t / tile_columns,
                    t % tile_columns,
                    panel.first,
                    channels,
                );
                running.take::<S>(tile.as_ptr(), pixels, MAX_PANEL, channels);
            }
            count = running.count;
        }
    }
    let running = Running {
        mean: mean.as_mut_ptr(),
        squares: squares.as_mut_ptr(),
        extremes: None,
        count,
    };
    // SAFETY: every task has its own part; means and squares of all channels are written.
    unsafe {
        let len = part_len(layer.channels, false);
        let part = std::slice::from_raw_parts_mut(layer.parts.at(task * len), len);
        running.write(part, layer.channels);
    }
}

/// Rows and columns of a tile that lie inside the map.
#[inline(always)]
fn extent(layer: &WinogradConv<'_>, tile_row: usize, tile_column: usize) -> (usize, usize) {
    (
        (layer.input.height - 4 * tile_row).min(4),
        (layer.input.width - 4 * tile_column).min(4),
    )
}

/// Brings the tile's inside pixels to the front of `tile`; returns how many they are.
#[inline(always)]
fn compact(
    tile: &mut [f32],
    layer: &WinogradConv<'_>,
    tile_row: usize,
    tile_column: usize,
) -> usize {
    let (rows, columns) = extent(layer, tile_row, tile_column);
    if columns < 4 {
        for y in 1..rows {
            for x in 0..columns {
                let from = (4 * y + x) * MAX_PANEL;
                tile.copy_within(from..from + MAX_PANEL, (y * columns + x) * MAX_PANEL);
            }
        }
    }
    rows * columns
}

/// Writes the compacted pixels of a tile to the raw map.
#[inline(always)]
unsafe fn write_tile(
    tile: &[f32],
    layer: &WinogradConv<'_>,
    tile_row: usize,
    tile_column: usize,
    first_channel: usize,
    channels: usize,
) {
    let (rows, columns) = extent(layer, tile_row, tile_column);
    for y in 0..rows {
        for x in 0..columns {
            let pixel = (4 * tile_row + y) * layer.input.width + 4 * tile_column + x;
            let from = tile[(y * columns + x) * MAX_PANEL..].as_ptr();
            // SAFETY: the pixel lies inside the map and belongs to this task.
            unsafe {
                let to = layer.raw.at(pixel * layer.channels + first_channel);
                std::ptr::copy_nonoverlapping(from, to, channels);
            }
        }
    }
}

/// `B^T d` of one column or row of six.
#[inline(always)]
unsafe fn forward<S: Simd>(d: [S::V; 6]) -> [S::V; 6] {
    // SAFETY: the instruction set exists by the caller's promise.
    unsafe {
        let (two, four, five) = (S::splat(2.0), S::splat(4.0), S::splat(-5.0));
        let a = S::mul_add(S::splat(-4.0), d[2], d[4]);
        let b = S::mul_add(S::splat(-4.0), d[1], d[3]);
        let c = S::sub(d[4], d[2]);
        let e = S::mul(two, S::sub(d[3], d[1]));
        [
            S::mul_add(four, d[0], S::mul_add(five, d[2], d[4])),
            S::add(a, b),
            S::sub(a, b),
            S::add(c, e),
            S::sub(c, e),
            S::mul_add(four, d[1], S::mul_add(five, d[3], d[5])),
        ]
    }
}

/// `A^T m` of one column or row of six.
#[inline(always)]
unsafe fn backward<S: Simd>(m: [S::V; 6]) -> [S::V; 4] {
    // SAFETY: the instruction set exists by the caller's promise.
    unsafe {
        let (near_sum, near_difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (far_sum, far_difference) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(S::add(m[0], near_sum), far_sum),
            S::mul_add(S::splat(2.0), far_difference, near_difference),
            S::mul_add(S::splat(4.0), far_sum, near_sum),
            S::add(
                S::mul_add(S::splat(8.0), far_difference, near_difference),
                m[5],
            ),
        ]
    }
}

/// The inputs of a tile of a raw map. Keeps the tile's own pixels where the map says where.
struct NormalisedTile<'a> {
    map: &'a MapInput,
    centre: &'a Centre,
    pixels: [[usize; 6]; 6],
    /// Rows and columns of the tile's own pixels that lie inside the map.
    inside: (usize, usize),
}

impl<'a> NormalisedTile<'a> {
    #[inline(always)]
    fn new(map: &'a MapInput, centre: &'a Centre, tile_row: usize, tile_column: usize) -> Self {
        let mut pixels = [[0usize; 6]; 6];
        for (i, row) in pixels.iter_mut().enumerate() {
            let y = reflected((4 * tile_row + i) as isize - 1, map.height);
            for (j, pixel) in row.iter_mut().enumerate() {
                *pixel = y * map.width + reflected((4 * tile_column + j) as isize - 1, map.width);
            }
        }
        Self {
            map,
            centre,
            pixels,
            inside: (
                (map.height - 4 * tile_row).min(4),
                (map.width - 4 * tile_column).min(4),
            ),
        }
    }
}

impl TileInput for NormalisedTile<'_> {
    #[inline(always)]
    unsafe fn value<S: Simd>(&self, i: usize, j: usize, c: usize) -> S::V {
        let pixel = self.pixels[i][j];
        // SAFETY: all pixels and channels are inside the map.
        unsafe {
            let value = self.map.value::<S>(pixel, c);
            let is_inside = (1..=self.inside.0).contains(&i) && (1..=self.inside.1).contains(&j);
            if !self.map.keep.is_null() && is_inside {
                S::store(self.map.keep.at(pixel * self.map.channels + c), value);
            }
            S::sub(value, self.centre.at::<S>(c))
        }
    }
}

/// The values of the 6x6 inputs of a tile.
pub trait TileInput {
    /// The vector of channels from `c` on at row `i` and column `j` of the tile.
    ///
    /// # Safety
    /// As [`Simd`]; the channels are inside the map.
    unsafe fn value<S: Simd>(&self, i: usize, j: usize, c: usize) -> S::V;
}

/// Transforms the 6x6 inputs of a tile; point `p` of channel `c` goes to `to[p * WINOGRAD_TILES * channels + c]`.
///
/// # Safety
/// As [`Simd`]; `to` is valid for all points.
#[inline(always)]
pub unsafe fn transform_tile<S: Simd>(input: &impl TileInput, channels: usize, to: *mut f32) {
    let mut c = 0;
    while c < channels {
        // SAFETY: the caller's promise.
        unsafe {
            let mut half = [[S::splat(0.0); 6]; 6];
            for j in 0..6 {
                let mut column = [S::splat(0.0); 6];
                for (i, value) in column.iter_mut().enumerate() {
                    *value = input.value::<S>(i, j, c);
                }
                let column = forward::<S>(column);
                for (row, value) in half.iter_mut().zip(column) {
                    row[j] = value;
                }
            }
            for (i, row) in half.iter().enumerate() {
                for (j, value) in forward::<S>(*row).into_iter().enumerate() {
                    S::store(to.at((6 * i + j) * WINOGRAD_TILES * channels + c), value);
                }
            }
        }
        c += S::LANES;
    }
}

/// Transforms one tile back: point `p` of column `n` is read at
/// `from[p * WINOGRAD_TILES * MAX_PANEL + n]`, pixel `q` written at `tile[q * MAX_PANEL + n]`.
///
/// # Safety
/// As [`Simd`]; both are valid for all points and pixels.
#[inline(always)]
pub unsafe fn transform_output<S: Simd>(from: *const f32, tile: *mut f32, vectors: usize) {
    for v in 0..vectors {
        let n = v * S::LANES;
        // SAFETY: points and pixels lie inside the scratch.
        unsafe {
            let mut half = [[S::splat(0.0); 6]; 4];
            for j in 0..6 {
                let mut column = [S::splat(0.0); 6];
                for (i, value) in column.iter_mut().enumerate() {
                    *value = S::load(from.at((6 * i + j) * WINOGRAD_TILES * MAX_PANEL + n));
                }
                let column = backward::<S>(column);
                for (row, value) in half.iter_mut().zip(column) {
                    row[j] = value;
                }
            }
            for (y, row) in half.iter().enumerate() {
                for (x, value) in backward::<S>(*row).into_iter().enumerate() {
                    S::store(tile.at((4 * y + x) * MAX_PANEL + n), value);
                }
            }
        }
    }
}
