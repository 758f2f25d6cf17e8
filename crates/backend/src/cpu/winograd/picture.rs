//! The picture's convolution (5x5 to 9x9) in blocks of 3x3 weights, each by Winograd's F(3x3, 3x3).
//!
//! Neighbouring blocks are as far apart as neighbouring tiles, so one transformed tile serves all blocks. There are
//! only three output channels, so the blocks are the columns of the product. The nine times three sums of a tile belong
//! to nine output tiles. They are added up there before the inverse transform, which runs once. A task computes some
//! rows of tiles.

use super::{
    super::{
        gather::{Border, Centre, MapInput},
        kernel::{Tasks, Tiles},
        pack::Panels,
        rows::PictureOutput,
        simd::{At, Simd},
        tiles::Segment,
    },
    ThreeOutputs, Transform,
    transform::{MapWindow, transform_output, transform_tile},
};
use plan::cpu::{BlockTasks, Blocks, point_len};

pub struct PictureConv<'a> {
    pub input: MapInput,
    /// How the kernel is cut.
    pub blocks: Blocks,
    /// Packed, transformed weights: one group for each point, with the blocks' colours as columns.
    pub panels: &'a Panels,
    pub output: PictureOutput,
    /// Number of threads for which the tasks are cut.
    pub threads: usize,
}

impl Tasks for PictureConv<'_> {
    fn count(&self) -> usize {
        BlockTasks::of_picture(self.output.size, self.threads).count()
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: &mut [f32], tiles: Tiles) {
        let Blocks { side: blocks, reach } = self.blocks;
        let size = self.output.size;
        let own = BlockTasks::of_picture(size, self.threads).task(task);
        let across = own.columns.len() + blocks - 1;
        let (inputs, columns) = (self.input.channels, self.panels.columns);
        let points = ThreeOutputs::POINTS * ThreeOutputs::POINTS;

        let most = self.blocks.picture_across();
        let apart = point_len(most, inputs);
        let (transformed, rest) = scratch.split_at_mut(points * apart);
        let (products, rest) = rest.split_at_mut(most * columns);
        let line = Blocks::SUMS_LEN;
        let (sums, rest) = rest.split_at_mut(blocks * points * line);
        let pixels = rest.as_mut_ptr();
        let transformed = transformed.as_mut_ptr();
        let sums_of = |row: usize| sums.as_ptr().cast_mut().at(row % blocks * points * line);
        for row in own.rows.start..own.rows.end + blocks - 1 {
            let start = |tile: usize| (3 * tile) as isize - reach;
            for t in 0..across {
                let corner = (start(row), start(own.columns.start + t));
                let window = MapWindow::<{ ThreeOutputs::WINDOW }>::new(
                    &self.input,
                    &Centre::NONE,
                    corner,
                    Border::Reflect,
                    0,
                );
                // SAFETY: the tile's points are inside the scratch.
                unsafe {
                    let to = transformed.at(t * inputs);
                    transform_tile::<S, ThreeOutputs>(&window, inputs, to, apart);
                }
            }
            for point in 0..points {
                for panel in self.panels.panels() {
                    let segment = Segment {
                        a: transformed.at(point * apart).cast_const(),
                        b: self.panels.group(panel, point),
                        len: inputs,
                    };
                    // SAFETY: every pointer stays inside scratch and packed weights.
                    unsafe {
                        tiles.single.panel_product(
                            &[segment],
                            inputs,
                            across,
                            (panel.vectors, ()),
                            products.as_mut_ptr().at(panel.first),
                            columns,
                        );
                    }
                }
                for block in 0..blocks {
                    // The row of output tiles that reads this row of tiles in the given row of blocks.
                    let Some(tile_row) = row.checked_sub(block) else {
                        break;
                    };
                    if !own.rows.contains(&tile_row) {
                        continue;
                    }
                    let to = sums_of(tile_row).at(point * line);
                    let from = products.as_ptr().at(block * blocks * 3);
                    // SAFETY: the sums of a point have room for all tiles, four values each; the products have room for the
                    // columns of all blocks and one more.
                    unsafe {
                        match blocks {
                            2 => add_blocks::<2>(from, columns, block > 0, own.columns.len(), to),
                            _ => add_blocks::<{ Blocks::MOST }>(
                                from,
                                columns,
                                block > 0,
                                own.columns.len(),
                                to,
                            ),
                        }
                    }
                }
            }
            if row + 1 < own.rows.start + blocks {
                continue;
            }
            let tile_row = row + 1 - blocks;
            let vectors = (own.columns.len() * Blocks::SUMS).div_ceil(S::LANES);
            // SAFETY: all blocks of the row are added up; the pixels belong to this task.
            unsafe {
                transform_output::<S, ThreeOutputs>(
                    (sums_of(tile_row), line),
                    (pixels, line),
                    vectors,
                );
                for y in 0..(size.0 - 3 * tile_row).min(3) {
                    for x in 3 * own.columns.start..(3 * own.columns.end).min(size.1) {
                        let own = x - 3 * own.columns.start;
                        let from = pixels.at((3 * y + own % 3) * line + own / 3 * Blocks::SUMS);
                        let sums = from.cast::<[f32; 3]>().read();
                        let colours = std::array::from_fn(|c| sums[c] + self.output.bias[c]);
                        self.output.write(3 * tile_row + y, x, colours);
                    }
                }
            }
        }
    }
}

/// Adds up the products of a row of `BLOCKS` blocks, for `tiles` output tiles. The product of the n-th block comes from
/// the n-th tile to the right. If `is_more`, they are added to the existing sums.
///
/// # Safety
/// Valid for all tiles and blocks.
#[inline(always)]
unsafe fn add_blocks<const BLOCKS: usize>(
    from: *const f32,
    stride: usize,
    is_more: bool,
    tiles: usize,
    to: *mut f32,
) {
    for t in 0..tiles {
        // SAFETY: the caller's promise.
        unsafe {
            let to = to.at(t * Blocks::SUMS).cast::<[f32; Blocks::SUMS]>();
            let mut sum = if is_more { to.read_unaligned() } else { [0.0; Blocks::SUMS] };
            for block in 0..BLOCKS {
                let part = from
                    .at((t + block) * stride + 3 * block)
                    .cast::<[f32; Blocks::SUMS]>()
                    .read_unaligned();
                sum = std::array::from_fn(|lane| sum[lane] + part[lane]);
            }
            to.write_unaligned(sum);
        }
    }
}
