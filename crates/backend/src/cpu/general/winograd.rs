//! 3x3 convolutions at stride 1 with any padding, by Winograd's F(4x4, 3x3), with their epilogue.

use super::{
    super::{
        simd::{At, Simd},
        tiles::TileSet,
        winograd::{
            FourOutputs, PRODUCTS_LEN, TileInput, Transform, multiply_points, tile_grid,
            tile_tasks, transform_output, transform_tile,
        },
    },
    conv::ConvStep,
    pointwise,
    run::{Run, constant, source},
};
use network::graph::PadMode;
use plan::cpu::{PANEL_COLUMNS, WINOGRAD_POINTS, WINOGRAD_TILES, point_len};
use values::tensor::Shape;

/// Pixels of one output tile.
const TILE_PIXELS: usize = FourOutputs::OUTPUTS * FourOutputs::OUTPUTS;

pub fn tasks(output: Shape) -> usize {
    tile_tasks((output.height, output.width), FourOutputs::OUTPUTS)
}

/// The inputs of a tile of a padded map.
struct PaddedTile {
    start: *const f32,
    /// Index of the first value of every pixel; `None` for a constant.
    pixels: [[Option<usize>; 6]; 6],
    constant: f32,
}

impl PaddedTile {
    #[inline(always)]
    fn new(run: &Run<'_>, step: &ConvStep<'_>, tile_row: usize, tile_column: usize) -> Self {
        let map = run.maps[step.from];
        let [top, left] = step.conv.axes.each_ref().map(|axis| axis.offsets().0);
        let border = step.conv.border;
        let at = |tile: usize, i: usize, first: isize| (4 * tile + i) as isize + first;
        let rows: [_; 6] =
            std::array::from_fn(|i| source(border, at(tile_row, i, top), map.shape.height));
        let columns: [_; 6] =
            std::array::from_fn(|j| source(border, at(tile_column, j, left), map.shape.width));
        let pixel = |y: Option<usize>, x: Option<usize>| {
            Some((y? * map.shape.width + x?) * map.stored_channels)
        };
        Self {
            start: run.start(step.from),
            pixels: rows.map(|y| columns.map(|x| pixel(y, x))),
            constant: constant(border),
        }
    }
}

impl TileInput for PaddedTile {
    #[inline(always)]
    unsafe fn value<S: Simd>(&self, i: usize, j: usize, c: usize) -> S::V {
        // SAFETY: all pixels and channels are inside the map.
        unsafe {
            match self.pixels[i][j] {
                Some(pixel) => S::load(self.start.at(pixel + c)),
                None => S::splat(self.constant),
            }
        }
    }
}

/// Runs one task of a step.
///
/// # Safety
/// As [`Simd`]; the run's pointers are valid, `scratch` has the plan's length, and no other thread runs the same
/// task.
#[inline(always)]
pub unsafe fn winograd_task<S: Simd>(
    run: &Run<'_>,
    step: ConvStep<'_>,
    task: usize,
    scratch: &mut [f32],
    tiles: &TileSet,
) {
    assert!(step.packed.panels[0].depth == run.maps[step.from].stored_channels, "packed weights");
    debug_assert!(!matches!(step.conv.border, PadMode::Constant(v) if v.is_nan()));
    let inputs = run.maps[step.from].stored_channels;
    let to = run.maps[step.to];
    let output = to.shape;
    let (tile_rows, tile_columns) = tile_grid((output.height, output.width), FourOutputs::OUTPUTS);
    let first = task * WINOGRAD_TILES;
    let end = (first + WINOGRAD_TILES).min(tile_rows * tile_columns);

    let apart = point_len(WINOGRAD_TILES, inputs);
    let (transformed, rest) = scratch.split_at_mut(WINOGRAD_POINTS * apart);
    let (products, rest) = rest.split_at_mut(WINOGRAD_POINTS * PRODUCTS_LEN);
    let tile = rest[..TILE_PIXELS * PANEL_COLUMNS].as_mut_ptr();
    let transformed = transformed.as_mut_ptr();
    for t in first..end {
        let input = PaddedTile::new(run, &step, t / tile_columns, t % tile_columns);
        // SAFETY: the tile's 36 points are inside the scratch.
        unsafe {
            let to = transformed.at((t - first) * inputs);
            transform_tile::<S, FourOutputs>(&input, inputs, to, apart);
        }
    }
    let panels = &step.packed.panels[0];
    for panel in panels.panels() {
        let channels = panels.width(panel).min(to.stored_channels - panel.first);
        // SAFETY: every pointer stays inside scratch, packed weights and the task's own tiles.
        unsafe {
            multiply_points::<FourOutputs>(
                tiles,
                (transformed, inputs),
                (panels, panel),
                products.as_mut_ptr(),
            );
            let bias = step.packed.bias.as_ptr().at(panel.first);
            for t in first..end {
                let from = products.as_ptr().at((t - first) * PANEL_COLUMNS);
                transform_output::<S, FourOutputs>(
                    (from, PRODUCTS_LEN),
                    (tile, PANEL_COLUMNS),
                    panel.vectors,
                );
                let (row, column) = (4 * (t / tile_columns), 4 * (t % tile_columns));
                for y in 0..(output.height - row).min(4) {
                    for x in 0..(output.width - column).min(4) {
                        let pixel = (row + y) * output.width + column + x;
                        let to = run.start(step.to).at(pixel * to.stored_channels + panel.first);
                        let from = tile.at((4 * y + x) * PANEL_COLUMNS);
                        let mut c = 0;
                        while c < channels {
                            let value = S::add(S::load(from.at(c)), S::load(bias.at(c)));
                            S::store(to.at(c), value);
                            c += S::LANES;
                        }
                    }
                }
            }
        }
    }
    // Tiles in one row of tiles are adjacent pixels of a row.
    let mut t = first;
    while t < end {
        let row = t / tile_columns;
        let row_end = end.min((row + 1) * tile_columns);
        let columns =
            (4 * (t % tile_columns), output.width.min(4 * (row_end - row * tile_columns)));
        for y in 4 * row..output.height.min(4 * row + 4) {
            // SAFETY: the pixels belong to this task's tiles.
            unsafe { pointwise::apply(run, step.epilogue, step.to, y, columns) };
        }
        t = row_end;
    }
}
