//! What all steps of a plan share: maps, weights, the photo and the picture.

use std::ops::Range;

use super::{
    super::{
        gather, instruction_set::InstructionSet, rows::PictureOutput, run_input::RunInput, simd::At,
    },
    weights::GeneralWeights,
};
use network::graph::PadMode;
use plan::cpu::{MapBuffer, MapId, general::GeneralParts};

/// One run of a plan.
pub struct Run<'a> {
    pub base: *mut f32,
    pub maps: &'a [MapBuffer],
    /// What the plan keeps of the network.
    pub parts: &'a GeneralParts,
    /// The packed weights of `parts`.
    pub weights: &'a GeneralWeights,
    /// The photo, or the maps that are passed in.
    pub input: RunInput<'a>,
    /// Where the picture goes; for a graph on maps, the floats of the resulting map.
    pub picture: PictureOutput,
    pub instructions: InstructionSet,
}

// SAFETY: tasks of a step read maps that no task writes, and write disjoint pixels; in place, they read and write
// the same pixels.
unsafe impl Sync for Run<'_> {}

impl Run<'_> {
    /// The first value of a map.
    pub fn start(&self, map: MapId) -> *mut f32 {
        self.base.at(self.maps[map].offset)
    }

    /// Pixels `first..end` of row `y` of a map: the first value, and the number of values.
    fn span(&self, map: MapId, y: usize, (first, end): (usize, usize)) -> (*mut f32, usize) {
        let MapBuffer { shape, stored_channels, .. } = self.maps[map];
        assert!(y < shape.height && first <= end && end <= shape.width, "pixels of a map");
        let offset = (y * shape.width + first) * stored_channels;
        (self.start(map).at(offset), (end - first) * stored_channels)
    }

    /// Pixels `first..end` of row `y` of a map.
    ///
    /// # Safety
    /// Nothing writes them at the same time.
    pub unsafe fn pixels(&self, map: MapId, y: usize, pixels: (usize, usize)) -> &[f32] {
        let (start, len) = self.span(map, y, pixels);
        // SAFETY: the pixels are inside the map, which is inside the arena; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(start, len) }
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

    /// Like [`Run::pixels`], but writable.
    ///
    /// # Safety
    /// Nothing else reads or writes them at the same time.
    #[allow(clippy::mut_from_ref)] // The tasks of a step share the run, and write disjoint pixels.
    pub unsafe fn pixels_mut(&self, map: MapId, y: usize, pixels: (usize, usize)) -> &mut [f32] {
        let (start, len) = self.span(map, y, pixels);
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    /// A whole row of a map.
    ///
    /// # Safety
    /// As [`Run::pixels`].
    pub unsafe fn row(&self, map: MapId, y: usize) -> &[f32] {
        // SAFETY: the caller's promise.
        unsafe { self.pixels(map, y, (0, self.maps[map].shape.width)) }
    }

    /// A whole row of a map, writable.
    ///
    /// # Safety
    /// As [`Run::pixels_mut`].
    #[allow(clippy::mut_from_ref)] // As above.
    pub unsafe fn row_mut(&self, map: MapId, y: usize) -> &mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { self.pixels_mut(map, y, (0, self.maps[map].shape.width)) }
    }
}

/// The position to read for a position on a padded side of `side` pixels; `None` for a constant.
#[inline(always)]
pub fn source(border: PadMode, position: isize, side: usize) -> Option<usize> {
    match border {
        PadMode::Reflect => Some(gather::reflected(position, side)),
        PadMode::Replicate => Some(gather::replicated(position, side)),
        PadMode::Constant(_) => usize::try_from(position).ok().filter(|&at| at < side),
    }
}

/// The constant of a constant padding.
#[inline(always)]
pub fn constant(border: PadMode) -> f32 {
    match border {
        PadMode::Constant(value) => value as f32,
        PadMode::Reflect | PadMode::Replicate => 0.0,
    }
}
