//! 3x3 convolutions of an unchanged map, of an upsampled map, or at stride 2, in tiles of 4x4 or 3x3 outputs.
//!
//! A task computes consecutive tiles. It transforms their inputs (normalised, padded and with the residual added while
//! loading), multiplies the points by the transformed weights, and transforms the products back. It updates the
//! statistics after each tile.

use super::{
    super::{
        gather::{Border, Centre, MapInput},
        kernel::{Tasks, Tiles},
        pack::Panels,
        simd::{At, Simd},
        statistics::Running,
        tiles::TileSet,
    },
    Doubled, FourOutputs, PRODUCTS_LEN, RawMap, Strided, Transform, multiply_points, tile_grid,
    tile_tasks,
    transform::{MapWindow, transform_output, transform_tile},
};
use plan::cpu::{PANEL_COLUMNS, TileKind, WINOGRAD_TILES, point_len};

pub struct WinogradConv<'a> {
    pub input: MapInput,
    /// The kind of tile.
    pub kind: TileKind,
    pub panels: &'a Panels,
    pub output: RawMap,
}

impl Tasks for WinogradConv<'_> {
    fn count(&self) -> usize {
        let side = match self.kind {
            TileKind::Plain => FourOutputs::OUTPUTS,
            TileKind::Doubled => Doubled::OUTPUTS,
            TileKind::Strided => Strided::OUTPUTS,
        };
        tile_tasks(self.output.size, side)
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: &mut [f32], tiles: Tiles) {
        let tiles = tiles.single;
        // SAFETY: the caller's promise.
        unsafe {
            match self.kind {
                TileKind::Plain => {
                    task_of::<S, FourOutputs, { FourOutputs::WINDOW }>(self, task, scratch, tiles);
                }
                TileKind::Doubled => {
                    task_of::<S, Doubled, { Doubled::WINDOW }>(self, task, scratch, tiles);
                }
                TileKind::Strided => {
                    task_of::<S, Strided, { Strided::WINDOW }>(self, task, scratch, tiles);
                }
            }
        }
    }
}

/// Runs one task by one algorithm, whose tiles read windows of `WINDOW` x `WINDOW` pixels.
#[inline(always)]
unsafe fn task_of<S: Simd, T: Transform, const WINDOW: usize>(
    layer: &WinogradConv<'_>,
    task: usize,
    scratch: &mut [f32],
    tiles: &TileSet,
) {
    let inputs = layer.input.channels;
    let (tile_rows, tile_columns) = tile_grid(layer.output.size, T::OUTPUTS);
    let first = task * WINOGRAD_TILES;
    let end = (first + WINOGRAD_TILES).min(tile_rows * tile_columns);
    let points = T::POINTS * T::POINTS;

    let apart = point_len(WINOGRAD_TILES, inputs);
    let (transformed, rest) = scratch.split_at_mut(T::WINDOW * T::WINDOW * apart);
    let (products, rest) = rest.split_at_mut(points * PRODUCTS_LEN);
    let (tile, rest) = rest.split_at_mut(T::OUTPUTS * T::OUTPUTS * PANEL_COLUMNS);
    let (mean, squares) = rest.split_at_mut(rest.len() / 2);
    let (transformed, tile) = (transformed.as_mut_ptr(), tile.as_mut_ptr());
    // SAFETY: the map is valid by the caller's promise.
    let centre = unsafe { Centre::of::<S>(&layer.input) };
    // Reflection by one pixel of an upsampled map repeats the edge of the small map.
    let border = match layer.kind {
        TileKind::Doubled => Border::Replicate,
        TileKind::Plain | TileKind::Strided => Border::Reflect,
    };
    for t in first..end {
        let start = |tile: usize| (T::STEP * tile) as isize - 1;
        let corner = (start(t / tile_columns), start(t % tile_columns));
        let window = MapWindow::<WINDOW>::new(&layer.input, &centre, corner, border, T::STEP);
        let to = transformed.wrapping_add((t - first) * inputs);
        // SAFETY: the tile exists; `to` and its points are inside the scratch.
        unsafe { transform_tile::<S, T>(&window, inputs, to, apart) };
    }
    let mut all = Running::of(mean, squares);
    for panel in layer.panels.panels() {
        let width = layer.panels.width(panel);
        // SAFETY: every pointer stays inside scratch, packed weights and the layer's own maps.
        unsafe {
            multiply_points::<T>(
                tiles,
                (transformed, inputs),
                (layer.panels, panel),
                products.as_mut_ptr(),
            );
            // A panel's channels process all pixels of the task before the next panel starts.
            let mut running = Running { count: 0, ..all.starting_at(panel.first) };
            let channels = width.min(layer.output.channels - panel.first);
            for t in first..end {
                let from = products.as_ptr().at((t - first) * PANEL_COLUMNS);
                transform_output::<S, T>(
                    (from, PRODUCTS_LEN),
                    (tile, PANEL_COLUMNS),
                    panel.vectors,
                );
                let place = [t / tile_columns, t % tile_columns].map(|at| T::OUTPUTS * at);
                let of = (panel.first, channels);
                let tile = (tile, T::OUTPUTS);
                (layer.output).take_tile::<S>(tile, place.into(), of, &mut running);
            }
            all.count = running.count;
        }
    }
    // SAFETY: every task has its own part; means and squares of all channels are written.
    unsafe { layer.output.write_part(task, &all) };
}
