//! How a large kernel is cut into blocks of 3x3 weights, and a map into tasks of tiles of 3x3 outputs.

use std::ops::Range;

use super::{CHANNEL_ALIGNMENT, PANEL_COLUMNS, TILE_SLACK, padded_channels, point_len};
use crate::plan::ConvLayer;

/// A kernel cut into blocks of 3x3 weights, the last of them filled up with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks in each direction.
    pub side: usize,
    /// Pixels that the kernel reaches up and to the left.
    pub reach: usize,
}

/// The tiles of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockTask {
    /// Rows of tiles.
    pub rows: Range<usize>,
    /// Columns of tiles.
    pub columns: Range<usize>,
}

/// Pixels of a tile in each direction.
const TILE: usize = 3;
/// Points of a transformed tile.
const POINTS: usize = 25;

impl Blocks {
    /// Most blocks in each direction: of 9x9 weights.
    pub const MOST: usize = 3;
    /// Columns of tiles of one task.
    pub const COLUMNS: usize = 32;
    /// Channels of the photo and of the picture.
    pub const COLOURS: usize = 3;
    /// Values from one point of the photo's products to the next.
    pub const PRODUCTS_LEN: usize = point_len(Self::COLUMNS, PANEL_COLUMNS);
    /// Values that are added up at once for a tile of the picture: its colours and one that is not used.
    pub const SUMS: usize = 4;

    /// The blocks of the photo's or the picture's convolution, where they pay; smaller kernels are quick enough, and
    /// larger ones are not cut.
    pub fn of(conv: &ConvLayer) -> Option<Self> {
        let is_outer = conv.reads_photo != conv.makes_picture;
        let fits = (5..=TILE * Self::MOST).contains(&conv.kernel);
        (is_outer && fits && conv.stride == 1 && !conv.upsample).then(|| Self {
            side: conv.kernel.div_ceil(TILE),
            reach: conv.kernel / 2,
        })
    }

    /// Rows of tiles that a task of the photo's convolution computes: as [`strip_rows`](super::strip_rows).
    pub const fn photo_strip(height: usize) -> usize {
        if height >= 256 { 6 } else { 3 }
    }

    /// Rows of tiles that a task of the picture's convolution computes. It multiplies the rows that its last blocks
    /// reach as well, so that few rows cost more, and many leave processors of many cores without work.
    pub fn picture_strip(height: usize) -> usize {
        (height / 20).clamp(4, 24)
    }

    /// Number of tasks of so many rows of tiles.
    pub const fn tasks((height, width): (usize, usize), strip: usize) -> usize {
        height.div_ceil(TILE * strip) * width.div_ceil(TILE * Self::COLUMNS)
    }

    /// The tiles of a task.
    pub fn task((height, width): (usize, usize), strip: usize, task: usize) -> BlockTask {
        let (rows, columns) = (height.div_ceil(TILE), width.div_ceil(TILE));
        let across = columns.div_ceil(Self::COLUMNS);
        let (row, column) = (task / across * strip, task % across * Self::COLUMNS);
        BlockTask {
            rows: row..(row + strip).min(rows),
            columns: column..(column + Self::COLUMNS).min(columns),
        }
    }

    /// Tiles side by side whose inputs a task transforms, register-tile slack included.
    pub const fn tiles_across(&self) -> usize {
        Self::COLUMNS + self.side - 1 + TILE_SLACK
    }

    /// Values of a point of a row of the photo's tiles, and of every third pixel of a staged row of it.
    pub const fn photo_point_len(&self) -> usize {
        (Self::COLOURS * self.tiles_across()).next_multiple_of(CHANNEL_ALIGNMENT)
    }

    /// Working memory of a task without its statistics, in f32.
    pub(super) fn scratch(&self, conv: &ConvLayer) -> usize {
        if conv.reads_photo {
            let rows = 5 * TILE + self.side * POINTS;
            let products = POINTS * Self::PRODUCTS_LEN + (TILE_SLACK + TILE * TILE) * PANEL_COLUMNS;
            rows * self.photo_point_len() + products
        } else {
            let inputs = padded_channels(conv.in_channels);
            let columns = (Self::COLOURS * self.side * self.side).next_multiple_of(16);
            let sums = self.side * POINTS + TILE * TILE;
            self.tiles_across() * (POINTS * inputs + columns) + sums * Self::COLUMNS * Self::SUMS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tile belongs to one task.
    #[test]
    fn tasks_cover_the_map_once() {
        for (size, strip) in [
            ((1_usize, 1_usize), 4),
            ((288, 384), 8),
            ((97, 289), 3),
            ((720, 1280), 16),
        ] {
            let columns = size.1.div_ceil(TILE);
            let mut seen = vec![0; size.0.div_ceil(TILE) * columns];
            for task in 0..Blocks::tasks(size, strip) {
                let own = Blocks::task(size, strip, task);
                for row in own.rows {
                    for column in own.columns.clone() {
                        seen[row * columns + column] += 1;
                    }
                }
            }
            assert!(seen.iter().all(|&times| times == 1), "{size:?}");
        }
    }
}
