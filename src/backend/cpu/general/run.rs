//! What the tasks of a general plan's steps share: maps, weights, the photo and the picture.

use std::ops::Range;

use super::super::{gather, run_input::RunInput, simd::At, tiles::TileSet};
use super::weights::GeneralWeights;
use crate::{
    graph::PadMode,
    plan::cpu::{
        MapBuffer, MapId,
        general::{GeneralParts, Pointwise},
    },
};

/// Passes over pixels `first..end` of a row of a map, in place: the map, the row, the pixels.
pub type ChainPass = unsafe fn(&Run<'_>, &[Pointwise], MapId, usize, (usize, usize));

/// One run of a general plan.
pub struct Run<'a> {
    /// The arena.
    pub base: *mut f32,
    /// The plan's maps.
    pub maps: &'a [MapBuffer],
    /// What the plan keeps of the network.
    pub parts: &'a GeneralParts,
    /// The same, packed.
    pub weights: &'a GeneralWeights,
    /// The photo, or the maps that are handed in.
    pub input: RunInput<'a>,
    /// RGBA of the picture; alpha is left alone.
    pub rgba: *mut u8,
    /// Channel-major floats of the picture before clamping, or of the map that is handed out, when not null; then no
    /// bytes are written.
    pub floats: *mut f32,
    /// Rows and columns of the picture.
    pub picture: (usize, usize),
    /// The register tiles.
    pub tiles: &'static TileSet,
    /// [`super::pointwise::chain`] for the instruction set.
    pub chain: ChainPass,
}

// SAFETY: tasks of a step read maps that no task writes, and write disjoint pixels; in place, they read and write
// the same pixels.
unsafe impl Sync for Run<'_> {}

impl Run<'_> {
    /// The first value of a map.
    pub fn start(&self, map: MapId) -> *mut f32 {
        self.base.at(self.maps[map].offset)
    }

    /// Pixels `first..end` of row `y` of a map.
    ///
    /// # Safety
    /// Nobody writes them meanwhile.
    pub unsafe fn pixels(&self, map: MapId, y: usize, (first, end): (usize, usize)) -> &[f32] {
        let MapBuffer { shape, stored_channels, .. } = self.maps[map];
        assert!(y < shape.height && first <= end && end <= shape.width, "pixels of a map");
        let offset = (y * shape.width + first) * stored_channels;
        // SAFETY: the pixels lie inside the map, which lies inside the arena; the rest is the caller's promise.
        unsafe {
            std::slice::from_raw_parts(self.start(map).at(offset), (end - first) * stored_channels)
        }
    }

    /// Whole rows of a map, one after another.
    ///
    /// # Safety
    /// As [`Run::pixels`].
    pub unsafe fn rows(&self, map: MapId, rows: Range<usize>) -> &[f32] {
        let MapBuffer { shape, stored_channels, .. } = self.maps[map];
        assert!(rows.start <= rows.end && rows.end <= shape.height, "rows of a map");
        let row_len = shape.width * stored_channels;
        // SAFETY: the rows are inside the map, which is inside the arena; the rest is the caller's promise.
        unsafe {
            let start = self.start(map).at(rows.start * row_len);
            std::slice::from_raw_parts(start, rows.len() * row_len)
        }
    }

    /// As [`Run::pixels`], to write.
    ///
    /// # Safety
    /// Nobody else touches them meanwhile.
    #[allow(clippy::mut_from_ref)] // The tasks of a step share the run, and write disjoint pixels.
    pub unsafe fn pixels_mut(
        &self,
        map: MapId,
        y: usize,
        (first, end): (usize, usize),
    ) -> &mut [f32] {
        let MapBuffer { shape, stored_channels, .. } = self.maps[map];
        assert!(y < shape.height && first <= end && end <= shape.width, "pixels of a map");
        let offset = (y * shape.width + first) * stored_channels;
        let len = (end - first) * stored_channels;
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start(map).at(offset), len) }
    }

    /// A whole row of a map.
    ///
    /// # Safety
    /// As [`Run::pixels`].
    pub unsafe fn row(&self, map: MapId, y: usize) -> &[f32] {
        // SAFETY: the caller's promise.
        unsafe { self.pixels(map, y, (0, self.maps[map].shape.width)) }
    }

    /// A whole row of a map, to write.
    ///
    /// # Safety
    /// As [`Run::pixels_mut`].
    #[allow(clippy::mut_from_ref)] // As above.
    pub unsafe fn row_mut(&self, map: MapId, y: usize) -> &mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { self.pixels_mut(map, y, (0, self.maps[map].shape.width)) }
    }
}

/// Where a position of a padded side of `side` pixels is read; `None` for a constant.
#[inline(always)]
pub fn source(border: PadMode, position: isize, side: usize) -> Option<usize> {
    match border {
        PadMode::Reflect => Some(gather::reflected(position, side)),
        PadMode::Replicate => Some(gather::replicated(position, side)),
        PadMode::Constant(_) => usize::try_from(position).ok().filter(|&at| at < side),
    }
}

/// The value of a padding of constants.
#[inline(always)]
pub fn constant(border: PadMode) -> f32 {
    match border {
        PadMode::Constant(value) => value as f32,
        PadMode::Reflect | PadMode::Replicate => 0.0,
    }
}
