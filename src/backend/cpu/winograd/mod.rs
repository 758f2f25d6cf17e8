//! Convolutions by Winograd's algorithms: tiles of the input are transformed, multiplied point by point
//! with transformed weights, and transformed back, which takes fewer multiplications than the direct form.
//!
//! - 3x3, of a map as it is (36 products for 16 outputs of 9 weights: a quarter), doubled (25 for 16: 0.39 of what
//!   four 2x2 convolutions take) or at stride 2 (49 for 9: 0.6): [`tiles`].
//! - 5x5 to 9x9, in blocks of 3x3 weights whose tiles are multiplied as one sum (25 products for 9 outputs of 9
//!   weights: 0.31): [`photo`] to a map, [`picture`] from one.
//!
//! Rounding errors are larger than those of the direct form and far below one level of the picture.

pub mod photo;
pub mod picture;
pub mod tiles;
mod transform;

pub use transform::{
    Doubled, FourOutputs, Strided, ThreeOutputs, TileInput, Transform, transform_output,
    transform_tile,
};

use super::{
    pack::{Panel, Panels},
    simd::{At, Simd, copy},
    statistics::{Running, part_len},
    tiles::{Segment, TileSet},
};
use crate::plan::cpu::{PANEL_COLUMNS, WINOGRAD_TILES, point_len};

/// Values from one point of a task's products to the next.
pub const PRODUCTS_LEN: usize = point_len(WINOGRAD_TILES, PANEL_COLUMNS);

/// A raw map that tiles are written to.
#[derive(Clone, Copy)]
pub struct RawMap {
    /// First value, channels-last.
    pub raw: *mut f32,
    /// Rows and columns.
    pub size: (usize, usize),
    pub channels: usize,
    /// One statistics part per task.
    pub parts: *mut f32,
}

impl RawMap {
    /// Writes the statistics of a task: means and squared distances of all channels, over so many pixels.
    ///
    /// # Safety
    /// Nobody else writes that task's part.
    #[inline(always)]
    unsafe fn write_part(
        &self,
        task: usize,
        (mean, squares): (&mut [f32], &mut [f32]),
        count: usize,
    ) {
        let running = Running {
            mean: mean.as_mut_ptr(),
            squares: squares.as_mut_ptr(),
            extremes: None,
            count,
        };
        let len = part_len(self.channels, false);
        // SAFETY: every task has a part, this one's by the caller's promise.
        unsafe {
            let part = std::slice::from_raw_parts_mut(self.parts.at(task * len), len);
            running.write(part, self.channels);
        }
    }

    /// Writes what of a tile of `side` x `side` pixels, [`PANEL_COLUMNS`] values apart, lies inside the map and takes it
    /// into the statistics: `channels` channels from `first` on. Brings those pixels to the front of `tile`.
    ///
    /// # Safety
    /// As [`Simd`]; the tile is this task's own, `running` is that of the channels from `first` on.
    #[inline(always)]
    unsafe fn take_tile<S: Simd>(
        &self,
        (tile, side): (*mut f32, usize),
        (row, column): (usize, usize),
        (first, channels): (usize, usize),
        running: &mut Running,
    ) {
        let (rows, columns) = ((self.size.0 - row).min(side), (self.size.1 - column).min(side));
        for y in 0..rows {
            for x in 0..columns {
                let pixel = (row + y) * self.size.1 + column + x;
                // SAFETY: the pixel lies inside the tile and the map; stored channels are whole vectors.
                unsafe {
                    let from = tile.at((side * y + x) * PANEL_COLUMNS);
                    let to = self.raw.at(pixel * self.channels + first);
                    copy::<S>(from, to, channels);
                    if columns < side && y > 0 {
                        std::ptr::copy(
                            from,
                            tile.at((columns * y + x) * PANEL_COLUMNS),
                            PANEL_COLUMNS,
                        );
                    }
                }
            }
        }
        // SAFETY: so many pixels are at the front.
        unsafe { running.take::<S>(tile, rows * columns, PANEL_COLUMNS, channels) };
    }
}

/// Multiplies the points of a task's tiles with a panel's weights. Point `p` of tile `t` lies at
/// `p * point_len(WINOGRAD_TILES, inputs) + t * inputs` of what is transformed, its products at `p * `[`PRODUCTS_LEN`]` + t * PANEL_COLUMNS`.
///
/// # Safety
/// All are valid for [`WINOGRAD_TILES`] tiles, whose products are computed even where a task has fewer: the scratch
/// behind the last holds old finite values.
#[inline(always)]
pub unsafe fn multiply_points<T: Transform>(
    tiles: &TileSet,
    (transformed, inputs): (*const f32, usize),
    (panels, panel): (&Panels, Panel),
    products: *mut f32,
) {
    for point in 0..T::POINTS * T::POINTS {
        // SAFETY: the caller's promise.
        unsafe {
            let segment = Segment {
                a: transformed.at(T::input_of(point) * point_len(WINOGRAD_TILES, inputs)),
                b: panels.group(panel, T::weights_of(point)),
                len: inputs,
            };
            tiles.panel_product(
                &[segment],
                inputs,
                WINOGRAD_TILES,
                (panel.vectors, ()),
                products.at(point * PRODUCTS_LEN),
                PANEL_COLUMNS,
            );
        }
    }
}
