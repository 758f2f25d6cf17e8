//! The photo's convolution (5x5 to 9x9) in blocks of 3x3 weights, each by Winograd's F(3x3, 3x3).
//!
//! Neighbouring blocks are as far apart as neighbouring tiles, so one transformed tile serves all blocks, and the
//! products of all blocks are one sum. The three channels of each tile in a row of tiles are adjacent, followed by
//! those of the next tiles, which the next blocks read. Every row of blocks is a segment of K. A task computes some
//! rows of tiles.

use super::{
    super::{
        gather::{Border, PhotoInput, StagedRow},
        kernel::{Tasks, Tiles},
        pack::Panels,
        simd::{At, Simd},
        statistics::Running,
        tiles::Segment,
    },
    RawMap, ThreeOutputs, TileInput, Transform,
    transform::{transform_output, transform_tile},
};
use plan::cpu::{BlockTasks, Blocks, PANEL_COLUMNS, TILE_SLACK};

pub struct PhotoConv<'a> {
    pub photo: PhotoInput,
    /// How the kernel is cut.
    pub blocks: Blocks,
    /// Packed, transformed weights: one group for each point.
    pub panels: &'a Panels,
    /// The results, in the photo's size.
    pub output: RawMap,
}

/// Staged rows of the photo. Every third pixel is stored side by side, colour by colour, followed by the other two
/// thirds.
struct StagedRows {
    start: *mut f32,
    /// Values in one third.
    len: usize,
    /// The first row of the window.
    first: isize,
}

impl StagedRows {
    /// A row of the padded photo. Five consecutive rows have separate places.
    #[inline(always)]
    fn row(&self, row: isize) -> *mut f32 {
        let place = row.rem_euclid(ThreeOutputs::WINDOW as isize) as usize;
        self.start.at(place * 3 * self.len)
    }
}

impl TileInput for StagedRows {
    #[inline(always)]
    unsafe fn value<S: Simd>(&self, i: usize, j: usize, c: usize) -> S::V {
        // SAFETY: thirds have room for the next tile's values.
        unsafe {
            let third = self.row(self.first + i as isize).at(j % 3 * self.len);
            S::load(third.at(Blocks::COLOURS * (j / 3) + c))
        }
    }
}

impl Tasks for PhotoConv<'_> {
    fn count(&self) -> usize {
        BlockTasks::of_photo(self.output.size).count()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: &mut [f32], tiles: Tiles) {
        let Blocks { side: blocks, reach } = self.blocks;
        let own = BlockTasks::of_photo(self.output.size).task(task);
        let across = own.columns.len() + blocks - 1;
        let points = ThreeOutputs::POINTS * ThreeOutputs::POINTS;

        // The thirds of a staged row are as long as the tiles' points.
        let third = self.blocks.photo_point_len();
        let (staged, rest) = scratch.split_at_mut(ThreeOutputs::WINDOW * 3 * third);
        let apart = third;
        let (transformed, rest) = rest.split_at_mut(blocks * points * apart);
        let (products, rest) =
            rest.split_at_mut(points * Blocks::PHOTO_PRODUCTS_LEN + TILE_SLACK * PANEL_COLUMNS);
        let (tile, rest) = rest.split_at_mut(9 * PANEL_COLUMNS);
        let (mean, squares) = rest.split_at_mut(rest.len() / 2);
        let (transformed, tile) = (transformed.as_mut_ptr(), tile.as_mut_ptr());
        let slot = |row: usize| transformed.at(row % blocks * points * apart);

        // Subtracts the first pixel, like `Centre`; levels are exact.
        // SAFETY: every photo has a first pixel.
        let first_pixel = unsafe { self.photo.rgba.cast::<[u8; 4]>().read_unaligned() };
        let mut rows = StagedRows { start: staged.as_mut_ptr(), len: third, first: 0 };
        let (mut staged_until, mut transformed_until) = (isize::MIN, 0);
        let mut all = Running::of(mean, squares);
        for tile_row in own.rows.clone() {
            for row in tile_row.max(transformed_until)..tile_row + blocks {
                rows.first = (3 * row) as isize - reach;
                let end = rows.first + ThreeOutputs::WINDOW as isize;
                for y in rows.first.max(staged_until)..end {
                    let source = StagedRow {
                        row: y,
                        first_column: (3 * own.columns.start) as isize - reach,
                        columns: 3 * across + 2,
                        owned: None,
                    };
                    let to = rows.row(y);
                    // SAFETY: the thirds have room for the row.
                    unsafe {
                        self.photo.stage_each(source, Border::Reflect, |x, pixel| {
                            let to = to.at(x % 3 * third + x / 3 * Blocks::COLOURS);
                            for c in 0..Blocks::COLOURS {
                                *to.at(c) = f32::from(pixel[c]) - f32::from(first_pixel[c]);
                            }
                        });
                    }
                }
                staged_until = end;
                // SAFETY: the window's rows are staged; there is room for the row of tiles.
                unsafe {
                    let to = slot(row);
                    transform_tile::<S, ThreeOutputs>(&rows, Blocks::COLOURS * across, to, apart);
                }
            }
            transformed_until = tile_row + blocks;
            let mut count = 0;
            for panel in self.panels.panels() {
                let width = self.panels.width(panel);
                let depth = Blocks::COLOURS * blocks;
                // SAFETY: every pointer stays inside scratch, packed weights and the layer's own map.
                unsafe {
                    for point in 0..points {
                        let group = self.panels.group(panel, point);
                        let segments: [Segment; Blocks::MOST] =
                            std::array::from_fn(|block| Segment {
                                a: slot(tile_row + block).at(point * apart).cast_const(),
                                b: group.at(block * depth * width),
                                len: depth,
                            });
                        tiles.single.panel_product(
                            &segments[..blocks],
                            Blocks::COLOURS,
                            own.columns.len(),
                            (panel.vectors, ()),
                            products.as_mut_ptr().at(point * Blocks::PHOTO_PRODUCTS_LEN),
                            PANEL_COLUMNS,
                        );
                    }
                    let mut running = all.starting_at(panel.first);
                    let channels = width.min(self.output.channels - panel.first);
                    for (t, column) in own.columns.clone().enumerate() {
                        transform_output::<S, ThreeOutputs>(
                            (products.as_ptr().at(t * PANEL_COLUMNS), Blocks::PHOTO_PRODUCTS_LEN),
                            (tile, PANEL_COLUMNS),
                            panel.vectors,
                        );
                        let (place, of) = ((3 * tile_row, 3 * column), (panel.first, channels));
                        (self.output).take_tile::<S>((tile, 3), place, of, &mut running);
                    }
                    count = running.count;
                }
            }
            all.count = count;
        }
        // SAFETY: every task has its own part; means and squares of all channels are written.
        unsafe { self.output.write_part(task, &all) };
    }
}
