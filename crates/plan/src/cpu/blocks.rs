//! How a large kernel is cut into blocks of 3x3 weights, and how a map is cut into tasks of tiles of 3x3 outputs.

use std::ops::Range;

use super::{CHANNEL_ALIGNMENT, PANEL_COLUMNS, TILE_SLACK, padded_channels, point_len};
use crate::ConvLayer;

/// A kernel cut into blocks of 3x3 weights. The last blocks are filled up with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// In each direction.
    pub side: usize,
    /// Pixels that the kernel extends up and to the left of an output's position.
    pub reach: isize,
}

/// How the tiles of a map are divided into tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTasks {
    /// Rows and columns of tiles.
    tiles: (usize, usize),
    /// Rows of tiles per task.
    rows: usize,
    /// Columns of tiles per task.
    columns: usize,
}

/// The tiles of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockTask {
    /// Of tiles.
    pub rows: Range<usize>,
    /// Of tiles.
    pub columns: Range<usize>,
}

/// Pixels of a tile in each direction.
const TILE: usize = 3;
/// Points of a transformed tile.
const POINTS: usize = 25;

impl Blocks {
    /// Maximum number of blocks in each direction, for 9x9 weights.
    pub const MOST: usize = 3;
    /// Columns of tiles in a task of the photo's convolution.
    pub const PHOTO_COLUMNS: usize = 32;
    /// Columns of tiles in a task of the picture's convolution. Together with the tiles that the last of three blocks
    /// also reads, they fill whole register tiles. The slack has room for the rows of the largest register tile.
    pub const PICTURE_COLUMNS: usize = 3 * TILE_SLACK + 1 - Self::MOST;
    /// Channels of the photo and of the picture.
    pub const COLOURS: usize = 3;
    /// Values from one point of the photo's products to the next.
    pub const PHOTO_PRODUCTS_LEN: usize = point_len(Self::PHOTO_COLUMNS, PANEL_COLUMNS);
    /// Values that are added up at once for a tile of the picture: its colours and one unused value.
    pub const SUMS: usize = 4;
    /// Sums of a row of the picture's tiles.
    pub const SUMS_LEN: usize =
        (Self::PICTURE_COLUMNS * Self::SUMS).next_multiple_of(CHANNEL_ALIGNMENT);

    /// The blocks of the photo's or the picture's convolution, if they pay off. Smaller kernels are fast enough, and
    /// larger ones are not cut.
    pub fn of(conv: &ConvLayer) -> Option<Self> {
        let is_outer = conv.reads_photo != conv.makes_picture;
        let fits = (5..=TILE * Self::MOST).contains(&conv.kernel);
        (is_outer && fits && conv.stride == 1 && !conv.upsample)
            .then(|| Self { side: conv.kernel.div_ceil(TILE), reach: conv.padding })
    }

    /// Number of adjacent tiles for which a task has room: those whose inputs it transforms, plus register-tile slack.
    const fn across(&self, columns: usize) -> usize {
        columns + self.side - 1 + TILE_SLACK
    }

    /// Values of a point of a row of the photo's tiles, and of every third pixel of a staged row.
    pub const fn photo_point_len(&self) -> usize {
        (Self::COLOURS * self.across(Self::PHOTO_COLUMNS)).next_multiple_of(CHANNEL_ALIGNMENT)
    }

    /// Number of adjacent tiles for which a task of the picture's convolution has room.
    pub const fn picture_across(&self) -> usize {
        self.across(Self::PICTURE_COLUMNS)
    }

    /// Working memory of a task without its statistics, in f32.
    pub fn scratch(&self, conv: &ConvLayer) -> usize {
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
    /// Rows and columns of tiles of a map.
    fn tiles((height, width): (usize, usize)) -> (usize, usize) {
        (height.div_ceil(TILE), width.div_ceil(TILE))
    }

    /// Tasks of the photo's convolution. Their rows follow [`strip_rows`](super::strip_rows), because statistics are
    /// merged task by task, and their bits must not depend on the number of threads.
    pub fn of_photo(size: (usize, usize)) -> Self {
        Self {
            tiles: Self::tiles(size),
            rows: if size.0 >= 256 { 6 } else { 3 },
            columns: Blocks::PHOTO_COLUMNS,
        }
    }

    /// Tasks of the picture's convolution, several for each thread. A task also multiplies the rows that its last
    /// blocks read, so tasks with few rows cost more.
    pub fn of_picture(size: (usize, usize), threads: usize) -> Self {
        let tiles = Self::tiles(size);
        let columns = Blocks::PICTURE_COLUMNS;
        // Enough that all threads end at about the same time.
        let strips = (8 * threads).div_ceil(tiles.1.div_ceil(columns));
        Self {
            tiles,
            // There are two extra rows per task. They add at most half of the work, and hardly anything beyond 128
            // rows.
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

    /// Every tile belongs to exactly one task.
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
