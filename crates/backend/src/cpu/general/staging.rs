//! Staged rows of a convolution's input: padded copies of the channels of one group.

use super::{
    super::simd::{At, Simd, copy},
    run::{Run, constant, source},
};
use network::graph::PadMode;
use plan::{
    Phase,
    cpu::{MapId, general::GeneralConv},
};

/// The input from which rows are staged.
#[derive(Clone, Copy)]
pub struct StagedInput {
    start: *const f32,
    height: usize,
    width: usize,
    stored: usize,
    border: PadMode,
    /// The group's first channel.
    first_channel: usize,
    /// Number of channels of the group.
    channels: usize,
    /// Reading the group's channels in whole vectors stays inside every pixel.
    is_vectors: bool,
}

impl StagedInput {
    /// The input of a convolution, reading the channels from `first_channel` that are staged together.
    #[inline(always)]
    pub fn new<S: Simd>(
        run: &Run<'_>,
        conv: &GeneralConv,
        from: MapId,
        first_channel: usize,
    ) -> Self {
        let map = run.maps[from];
        let channels = conv.staged_channels();
        Self {
            start: run.start(from),
            height: map.shape.height,
            width: map.shape.width,
            stored: map.stored_channels,
            border: conv.border,
            first_channel,
            channels,
            is_vectors: first_channel + channels.next_multiple_of(S::LANES) <= map.stored_channels,
        }
    }

    /// Copies one pixel, or fills it with the constant.
    ///
    /// # Safety
    /// As [`Simd`]; `to` is valid for the channels, rounded up to whole vectors.
    #[inline(always)]
    unsafe fn pixel<S: Simd>(&self, row: Option<usize>, position: isize, to: *mut f32) {
        let column = source(self.border, position, self.width);
        // SAFETY: sources are inside the map; the target is the caller's promise.
        unsafe {
            let (Some(row), Some(column)) = (row, column) else {
                let value = constant(self.border);
                for c in 0..self.channels {
                    *to.at(c) = value;
                }
                return;
            };
            let pixel = (row * self.width + column) * self.stored + self.first_channel;
            self.copy::<S>(self.start.at(pixel), to);
        }
    }

    /// # Safety
    /// As [`StagedInput::pixel`]; `from` points to the group's first channel of a pixel.
    #[inline(always)]
    unsafe fn copy<S: Simd>(&self, from: *const f32, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.is_vectors {
                copy::<S>(from, to, self.channels);
            } else {
                std::ptr::copy_nonoverlapping(from, to, self.channels);
            }
        }
    }

    /// Stages the columns `first..first + columns` of a row, pixel after pixel.
    ///
    /// # Safety
    /// As [`Simd`]; `to` is valid for all pixels and one more vector; the map is valid.
    #[inline(always)]
    pub unsafe fn row<S: Simd>(&self, to: *mut f32, row: isize, first: isize, columns: usize) {
        let row = source(self.border, row, self.height);
        // SAFETY: targets are the caller's promise; values that run past a pixel are overwritten by the next.
        unsafe {
            let mut i = 0;
            let outside = (-first).clamp(0, columns as isize) as usize;
            while i < outside {
                self.pixel::<S>(row, first + i as isize, to.at(i * self.channels));
                i += 1;
            }
            if let Some(row) = row {
                let inside = (self.width as isize - first).clamp(0, columns as isize) as usize;
                let start = (row * self.width) as isize + first;
                if self.channels == self.stored && i < inside {
                    let from = self.start.at((start + i as isize) as usize * self.stored);
                    let len = (inside - i) * self.stored;
                    std::ptr::copy_nonoverlapping(from, to.at(i * self.channels), len);
                    i = inside;
                }
                while i < inside {
                    let pixel = (start + i as isize) as usize * self.stored + self.first_channel;
                    self.copy::<S>(self.start.at(pixel), to.at(i * self.channels));
                    i += 1;
                }
            }
            while i < columns {
                self.pixel::<S>(row, first + i as isize, to.at(i * self.channels));
                i += 1;
            }
        }
    }

    /// Stages what the taps of a phase read, for each of `places` places that are `in_step` apart and start at `first`.
    ///
    /// # Safety
    /// As [`StagedInput::row`], for places times taps pixels.
    #[inline(always)]
    pub unsafe fn taps<S: Simd>(
        &self,
        to: *mut f32,
        row: isize,
        phase: &Phase,
        (first, places, in_step): (usize, usize, usize),
    ) {
        let row = source(self.border, row, self.height);
        let mut to = to;
        for place in first..first + places {
            for tap in &phase.taps {
                let position = (place * in_step) as isize + tap.offset;
                // SAFETY: the caller's promise.
                unsafe { self.pixel::<S>(row, position, to) };
                to = to.at(self.channels);
            }
        }
    }
}
