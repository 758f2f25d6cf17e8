//! The passes that only the baseline variant has: im2col with its product, and the norm in two passes. All others are
//! nodes as in general plans.

use super::{
    general::{reduction::StripStatistics, run::Run},
    kernel::{Tasks, Tiles},
    pack::{Packed, Panels},
    session::{CpuSession, Progress},
    shared::Shared,
    simd::Simd,
    statistics::{self, ScaleShift, part_len},
    tiles::Segment,
};
use plan::cpu::{MapId, PANEL_COLUMNS, TILE_COLUMNS, TILE_SLACK};

/// A convolution on a padded map. A task computes one row. Patches of up to [`TILE_COLUMNS`] pixels are copied into a
/// matrix, which is multiplied by the weights.
struct Im2col<'a> {
    run: &'a Run<'a>,
    from: MapId,
    to: MapId,
    kernel: usize,
    /// 1 or 2.
    stride: usize,
    panels: &'a Panels,
    /// One value per stored output channel.
    bias: &'a [f32],
}

impl Tasks for Im2col<'_> {
    fn count(&self) -> usize {
        self.run.maps[self.to].shape.height
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, y: usize, scratch: &mut [f32], tiles: Tiles) {
        let from = self.run.maps[self.from];
        let (channels, stored) = (from.stored_channels, self.bias.len());
        let (stretch, depth) = (self.kernel * channels, self.panels.depth);
        let c_stride = self.panels.columns.next_multiple_of(PANEL_COLUMNS);
        let rows = y * self.stride..y * self.stride + self.kernel;
        // SAFETY: no task writes the padded map; the row belongs to this task.
        let (padded, to) =
            unsafe { (self.run.rows(self.from, rows), self.run.row_mut(self.to, y)) };
        // Register tiles may write past the last patch.
        let (patches, computed) = scratch.split_at_mut((TILE_COLUMNS + TILE_SLACK) * depth);
        for (tile, pixels) in to.chunks_mut(TILE_COLUMNS * stored).enumerate() {
            let columns = pixels.len() / stored;
            for (i, patch) in patches.chunks_exact_mut(depth).take(columns).enumerate() {
                let x = (tile * TILE_COLUMNS + i) * self.stride;
                for (ky, part) in patch.chunks_exact_mut(stretch).enumerate() {
                    let start = (ky * from.shape.width + x) * channels;
                    part.copy_from_slice(&padded[start..start + stretch]);
                }
            }
            for panel in self.panels.panels() {
                let b = self.panels.group(panel, 0);
                let segment = Segment { a: patches.as_ptr(), b, len: depth };
                let (c, columns_of) = (computed[panel.first..].as_mut_ptr(), (panel.vectors, ()));
                // SAFETY: patches and computed rows have room for the register tiles that run past the end.
                unsafe {
                    (tiles.single).panel_product(
                        &[segment],
                        depth,
                        columns,
                        columns_of,
                        c,
                        c_stride,
                    );
                }
            }
            let rows = computed.chunks_exact(c_stride);
            for (pixel, row) in pixels.chunks_exact_mut(stored).zip(rows) {
                for ((p, v), b) in pixel.iter_mut().zip(row).zip(self.bias) {
                    *p = v + b;
                }
            }
        }
    }
}

/// Scales and shifts every channel of a map, in place. A task computes one row.
struct Normalise<'a> {
    pub run: &'a Run<'a>,
    pub map: MapId,
    pub norm: &'a ScaleShift,
}

impl Tasks for Normalise<'_> {
    fn count(&self) -> usize {
        self.run.maps[self.map].shape.height
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, y: usize, _: &mut [f32], _: Tiles) {
        let ScaleShift { scale, shift, .. } = self.norm;
        // SAFETY: the row belongs to this task.
        let row = unsafe { self.run.row_mut(self.map, y) };
        for pixel in row.chunks_exact_mut(scale.len()) {
            for ((v, a), b) in pixel.iter_mut().zip(scale).zip(shift) {
                *v = *v * a + b;
            }
        }
    }
}

impl CpuSession {
    pub fn im2col(
        &self,
        run: &Run<'_>,
        progress: &Progress<'_>,
        conv: usize,
        (from, to): (MapId, MapId),
    ) {
        // Baseline plans are in single precision.
        if let Packed::Single(panels) = &self.weights[conv].packed {
            let (spec, bias) = (&self.plan.convs[conv], &self.weights[conv].bias);
            let (kernel, stride) = (spec.kernel, spec.stride);
            self.run_tasks(&Im2col { run, from, to, kernel, stride, panels, bias }, progress);
        }
    }

    pub fn statistics(&mut self, run: &Run<'_>, progress: &Progress<'_>, conv: usize, map: MapId) {
        let parts = Shared::of(&mut self.parts);
        let tasks =
            self.run_tasks(&StripStatistics { run, map, is_largest: false, parts }, progress);
        if let Some(norm) = &self.weights[conv].norm {
            let channels = run.maps[map].stored_channels;
            let used = &self.parts[..tasks * part_len(channels, false)];
            statistics::finish(used, (channels, false), norm, &mut self.norms[conv]);
        }
    }

    pub fn normalise(&self, run: &Run<'_>, progress: &Progress<'_>, conv: usize, map: MapId) {
        self.run_tasks(&Normalise { run, map, norm: &self.norms[conv] }, progress);
    }
}
