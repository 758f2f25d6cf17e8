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

/// How the tiles of a map are divided among tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTasks {
    /// Rows and columns of tiles.
    tiles: (usize, usize),
    /// Rows of tiles of a task.
    rows: usize,
    /// Columns of tiles of a task.
    columns: usize,
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
    /// Columns of tiles of a task of the photo's convolution.
    pub const PHOTO_COLUMNS: usize = 32;
    /// The same of the picture's: with those that the last of three blocks reach as well, whole register tiles, of which the
    /// largest have as many rows as there is slack for them.
    pub const PICTURE_COLUMNS: usize = 3 * TILE_SLACK + 1 - Self::MOST;
    /// Channels of the photo and of the picture.
    pub const COLOURS: usize = 3;
    /// Values from one point of the photo's products to the next.
    pub const PHOTO_PRODUCTS_LEN: usize = point_len(Self::PHOTO_COLUMNS, PANEL_COLUMNS);
    /// Values that are added up at once for a tile of the picture: its colours and one that is not used.
    pub const SUMS: usize = 4;
    /// Those of a row of the picture's tiles.
    pub const SUMS_LEN: usize =
        (Self::PICTURE_COLUMNS * Self::SUMS).next_multiple_of(CHANNEL_ALIGNMENT);

    /// The blocks of the photo's or the picture's convolution, where they pay; smaller kernels are quick enough, and
    /// larger ones are not cut.
    pub fn of(conv: &ConvLayer) -> Option<Self> {
        let is_outer = conv.reads_photo != conv.makes_picture;
        let fits = (5..=TILE * Self::MOST).contains(&conv.kernel);
        (is_outer && fits && conv.stride == 1 && !conv.upsample)
            .then(|| Self { side: conv.kernel.div_ceil(TILE), reach: conv.kernel / 2 })
    }

    /// Tiles side by side for which a task has room: those whose inputs it transforms, and register-tile slack.
    const fn across(&self, columns: usize) -> usize {
        columns + self.side - 1 + TILE_SLACK
    }

    /// Values of a point of a row of the photo's tiles, and of every third pixel of a staged row of it.
    pub const fn photo_point_len(&self) -> usize {
        (Self::COLOURS * self.across(Self::PHOTO_COLUMNS)).next_multiple_of(CHANNEL_ALIGNMENT)
    }

    /// Tiles side by side for which a task of the picture's convolution has room.
    pub const fn picture_across(&self) -> usize {
        self.across(Self::PICTURE_COLUMNS)
    }

    /// Working memory of a task without its statistics, in f32.
    pub(super) fn scratch(&self, conv: &ConvLayer) -> usize {
        if conv.reads_photo {
            let rows = 5 * TILE + self.side * POINTS;
            let products =
                POINTS * Self::PHOTO_PRODUCTS_LEN + (TILE_SLACK + TILE * TILE) * PANEL_COLUMNS;
            rows * self.photo_point_len() + products
        } else {
            let inputs = padded_channels(conv.in_channels);
            let columns =
                (Self::COLOURS * self.side * self.side).next_multiple_of(CHANNEL_ALIGNMENT);
            let sums = self.side * POINTS + TILE * TILE;
            let across = self.picture_across();
            POINTS * point_len(across, inputs) + across * columns + sums * Self::SUMS_LEN
        }
    }
}

impl BlockTasks {
    /// Tiles of a map of that many rows and columns.
    fn tiles((height, width): (usize, usize)) -> (usize, usize) {
        (height.div_ceil(TILE), width.div_ceil(TILE))
    }

    /// Those of the photo's convolution, whose rows follow [`strip_rows`](super::strip_rows): statistics are merged task by
    /// task, and their bits are not to depend on the threads.
    pub fn of_photo(size: (usize, usize)) -> Self {
        Self {
            tiles: Self::tiles(size),
            rows: if size.0 >= 256 { 6 } else { 3 },
            columns: Blocks::PHOTO_COLUMNS,
        }
    }

    /// Those of the picture's convolution, some for each of so many threads. A task multiplies the rows that its last
    /// blocks reach as well, so that few rows cost more.
    pub fn of_picture(size: (usize, usize), threads: usize) -> Self {
        let tiles = Self::tiles(size);
        let columns = Blocks::PICTURE_COLUMNS;
        // Enough that threads end about together.
        let strips = (8 * threads).div_ceil(tiles.1.div_ceil(columns));
        Self {
            tiles,
            // The rows reached besides are two: at most half more work, and hardly any less beyond 128.
            rows: tiles.0.div_ceil(strips).clamp(4, 128),
            columns,
        }
    }

    /// Number of tasks.
    pub fn count(&self) -> usize {
        self.tiles.0.div_ceil(self.rows) * self.tiles.1.div_ceil(self.columns)
    }

    /// The tiles of a task.
    pub fn task(&self, task: usize) -> BlockTask {
        let across = self.tiles.1.div_ceil(self.columns);
        let (row, column) = (task / across * self.rows, task % across * self.columns);
        BlockTask {
            rows: row..(row + self.rows).min(self.tiles.0),
            columns: column..(column + self.columns).min(self.tiles.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tile belongs to one task.
    #[test]
    fn tasks_cover_the_map_once() {
        for size in [(1, 1), (288, 384), (97, 289), (720, 1280)] {
            let mut all = vec![BlockTasks::of_photo(size)];
            all.extend([1, 2, 64].map(|threads| BlockTasks::of_picture(size, threads)));
            for tasks in all {
                let columns = tasks.tiles.1;
                let mut seen = vec![0; tasks.tiles.0 * columns];
                for task in 0..tasks.count() {
                    let own = tasks.task(task);
                    for row in own.rows {
                        for column in own.columns.clone() {
                            seen[row * columns + column] += 1;
                        }
                    }
                }
                assert!(seen.iter().all(|&times| times == 1), "{size:?} {tasks:?}");
            }
        }
    }
}
