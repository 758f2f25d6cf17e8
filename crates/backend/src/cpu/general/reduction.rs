//! Reductions of whole channels: mean, mean and variance, or maximum.

use super::{
    super::{
        kernel::{Tasks, Tiles},
        shared::Shared,
        simd::Simd,
        statistics::{Running, part_len},
    },
    run::Run,
};
use plan::cpu::{MapId, TILE_COLUMNS, strip_rows};

/// Statistics, or maxima, of every stored channel of a map: a part for each strip of rows, as [`part_len`] without
/// extremes. Maxima take the place of the count and the first means.
pub struct StripStatistics<'a> {
    pub run: &'a Run<'a>,
    pub map: MapId,
    pub is_largest: bool,
    pub parts: Shared,
}

impl Tasks for StripStatistics<'_> {
    fn count(&self) -> usize {
        let height = self.run.maps[self.map].shape.height;
        height.div_ceil(strip_rows(height))
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: &mut [f32], _: Tiles) {
        let map = self.run.maps[self.map];
        let (channels, height) = (map.stored_channels, map.shape.height);
        let (strip, len) = (strip_rows(height), part_len(channels, false));
        let rows = task * strip..height.min((task + 1) * strip);
        // SAFETY: no task writes the map; every task has its own part.
        let (pixels, part) =
            unsafe { (self.run.rows(self.map, rows), self.parts.slice_mut(task * len, len)) };
        if self.is_largest {
            let part = &mut part[..channels];
            part.fill(f32::NEG_INFINITY);
            for pixel in pixels.chunks_exact(channels) {
                for (v, p) in part.iter_mut().zip(pixel) {
                    *v = v.max(*p);
                }
            }
            return;
        }
        let (mean, squares) = scratch[..2 * channels].split_at_mut(channels);
        let mut running = Running::of(mean, squares);
        // SAFETY: the slices have the lengths that the pixels and channels need.
        unsafe {
            // In pieces, because long sums in single precision lose precision.
            for piece in pixels.chunks(TILE_COLUMNS * channels) {
                running.take::<S>(piece.as_ptr(), piece.len() / channels, channels, channels);
            }
            running.write(part, channels);
        }
    }
}
