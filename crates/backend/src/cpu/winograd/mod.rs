//! Convolutions by Winograd's algorithms. Tiles of the input are transformed, multiplied point by point by transformed
//! weights, and transformed back. This takes fewer multiplications than the direct form.
//!
//! - 3x3, of an unchanged map (36 products for 16 outputs of 9 weights: a quarter), of an upsampled map (25 for 16:
//!   0.39 of the multiplications of four 2x2 convolutions), or at stride 2 (49 for 9: 0.6): [`tiles`].
//! - 5x5 to 9x9, in blocks of 3x3 weights whose products are added up before the inverse transform (25 products for 9
//!   outputs of 9 weights: 0.31): [`photo`] for photo to map, [`picture`] for map to picture.
//!
//! Rounding errors are larger than those of the direct form, and far below one level of the picture.

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
    shared::Shared,
    simd::{At, Simd, copy},
    statistics::{Running, part_len},
    tiles::{Segment, TileSet},
};
use plan::cpu::{PANEL_COLUMNS, WINOGRAD_TILES, point_len};

/// Values from one point of a task's products to the next.
pub const PRODUCTS_LEN: usize = point_len(WINOGRAD_TILES, PANEL_COLUMNS);

/// Rows and columns of tiles of `side` x `side` outputs.
pub fn tile_grid((height, width): (usize, usize), side: usize) -> (usize, usize) {
    (height.div_ceil(side), width.div_ceil(side))
}

/// Tasks of consecutive tiles that compute an output of this size.
pub fn tile_tasks(size: (usize, usize), side: usize) -> usize {
    let (rows, columns) = tile_grid(size, side);
    (rows * columns).div_ceil(WINOGRAD_TILES)
}

/// A raw map to which tiles are written.
#[derive(Clone, Copy)]
pub struct RawMap {
    /// First value; channels-last.
    pub raw: *mut f32,
    /// Rows and columns.
    pub size: (usize, usize),
    pub channels: usize,
    /// One statistics part per task.
    pub parts: Shared,
}

// SAFETY: only an address; tasks write disjoint pixels.
unsafe impl Sync for RawMap {}

impl RawMap {
    /// Writes the statistics of a task.
    ///
    /// # Safety
    /// No other task writes that part; the statistics are those of all channels.
    #[inline(always)]
    pub unsafe fn write_part(&self, task: usize, running: &Running) {
        let len = part_len(self.channels, running.extremes.is_some());
        // SAFETY: the caller's promise.
        unsafe { running.write(self.parts.slice_mut(task * len, len), self.channels) };
    }

    /// Writes the pixels of a tile that are inside the map, and adds them to the statistics. The tile has `side` x
    /// `side` pixels, [`PANEL_COLUMNS`] values apart, with `channels` channels from `first`. Moves those pixels to the
    /// front of `tile`.
    ///
    /// # Safety
    /// As [`Simd`]; the tile belongs to this task, and `running` starts at channel `first`.
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
                // SAFETY: the pixel is inside the tile and the map; stored channels are whole vectors.
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
        // SAFETY: that many pixels are at the front.
        unsafe { running.take::<S>(tile, rows * columns, PANEL_COLUMNS, channels) };
    }
}

/// Multiplies the points of a task's tiles by a panel's weights. Point `p` of tile `t` is at `p *
/// point_len(WINOGRAD_TILES, inputs) + t * inputs` of the transformed inputs. Its products are at `p *
/// `[`PRODUCTS_LEN`]` + t * PANEL_COLUMNS`.
///
/// # Safety
/// All pointers are valid for [`WINOGRAD_TILES`] tiles. The products of all of them are computed even if a task has
/// fewer tiles; the scratch after the last tile contains old finite values.
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
