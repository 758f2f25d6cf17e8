//! Reads a convolution's input: reflection, upsampling, and the norm of the previous layer are applied while loading.

use std::mem::MaybeUninit;

use super::simd::{At, Simd};
use plan::{MAX_LAYER_CHANNELS, cpu::padded_channels};

/// A raw map in memory and what turns it into the input of the next layer.
#[derive(Clone, Copy)]
pub struct MapInput {
    /// Raw convolution output, channels-last.
    pub raw: *const f32,
    /// One value for every stored channel.
    pub scale: *const f32,
    /// One value for every stored channel.
    pub shift: *const f32,
    /// The residual stream to add; ReLU is applied instead when null.
    pub skip: *const f32,
    /// Where the result of the sum or of ReLU is kept; it is not kept when null.
    pub keep: *mut f32,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

// SAFETY: only addresses; each use states what is written and by which task.
unsafe impl Sync for MapInput {}

/// RGBA bytes in memory.
#[derive(Clone, Copy)]
pub struct PhotoInput {
    pub rgba: *const u8,
    pub height: usize,
    pub width: usize,
}

// SAFETY: only an address, which tasks read.
unsafe impl Sync for PhotoInput {}

impl PhotoInput {
    /// Passes the RGBA bytes of one padded row to `each`, pixel by pixel.
    ///
    /// # Safety
    /// The photo is valid.
    #[inline(always)]
    pub unsafe fn stage_each(
        &self,
        staged: StagedRow,
        border: Border,
        each: impl Fn(usize, [u8; 4]),
    ) {
        let row = border.source(staged.row, self.height) * self.width;
        for i in 0..staged.columns {
            let x = border.source(staged.first_column + i as isize, self.width);
            // SAFETY: the pixel is inside by `Border::source`.
            each(i, unsafe { self.rgba.at(4 * (row + x)).cast::<[u8; 4]>().read_unaligned() });
        }
    }
}

/// What a convolution reads.
#[derive(Clone, Copy)]
pub enum Input {
    Photo(PhotoInput),
    /// A map of the previous layer.
    Map(MapInput),
}

impl Input {
    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Photo(photo) => (photo.height, photo.width),
            Self::Map(map) => (map.height, map.width),
        }
    }
}

/// Position of a padded index on a side of `n`: reflected without repeating the edge. Columns that only fill up a
/// register tile are clamped to the inside.
#[inline(always)]
pub fn reflected(position: isize, n: usize) -> usize {
    let last = n as isize - 1;
    let p = if position < 0 { -position } else { position };
    let p = if p > last { 2 * last - p } else { p };
    p.clamp(0, last) as usize
}

/// Like [`reflected`], but repeats the edge.
#[inline(always)]
pub fn replicated(position: isize, n: usize) -> usize {
    position.clamp(0, n as isize - 1) as usize
}

/// How indices beyond the edge are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// Reflection padding of the map.
    Reflect,
    /// Reflection padding of the map after nearest upsampling by 2.
    ReflectUpsampled,
    /// Repeats the edge. This is what reflection by one pixel of an upsampled map means on the small map.
    Replicate,
}

impl Border {
    /// Source index of a padded index on a side of `n` (of the small map).
    #[inline(always)]
    pub fn source(self, position: isize, n: usize) -> usize {
        match self {
            Self::Reflect => reflected(position, n),
            Self::ReflectUpsampled => reflected(position, 2 * n) / 2,
            Self::Replicate => replicated(position, n),
        }
    }
}

impl MapInput {
    /// The vector of channels from `c` at pixel `index`: normalised, with ReLU or residual.
    ///
    /// # Safety
    /// As [`Simd`]; the pixel and the channels are inside the map.
    #[inline(always)]
    pub unsafe fn value<S: Simd>(&self, index: usize, c: usize) -> S::V {
        // SAFETY: inside the map by contract; scale and shift contain every stored channel.
        unsafe {
            let at = index * self.channels + c;
            let raw = S::load(self.raw.at(at));
            let normed = S::mul_add(raw, S::load(self.scale.at(c)), S::load(self.shift.at(c)));
            if self.skip.is_null() {
                S::max(S::splat(0.0), normed)
            } else {
                S::add(normed, S::load(self.skip.at(at)))
            }
        }
    }

    /// Passes the vectors of one padded row to `each` (pixel, first channel, values), and stores them if they are to be
    /// kept.
    ///
    /// # Safety
    /// As [`Simd`]; the map is valid.
    #[inline(always)]
    unsafe fn stage_each<S: Simd>(
        &self,
        staged: StagedRow,
        border: Border,
        each: impl Fn(usize, usize, S::V),
    ) {
        let row = border.source(staged.row, self.height) * self.width;
        let kept = match staged.owned {
            Some((first, end)) if !self.keep.is_null() => first as isize..end as isize,
            _ => 0..0,
        };
        for i in 0..staged.columns {
            let position = staged.first_column + i as isize;
            let x = border.source(position, self.width);
            let mut c = 0;
            while c < self.channels {
                // SAFETY: the pixel is inside by `Border::source`.
                unsafe {
                    let value = self.value::<S>(row + x, c);
                    if kept.contains(&position) {
                        S::store(self.keep.at((row + x) * self.channels + c), value);
                    }
                    each(i, c, value);
                }
                c += S::LANES;
            }
        }
    }
}

/// One value for every stored channel, subtracted from a convolution's input: the map's first pixel.
///
/// Subtracting a constant from an input channel only adds a constant to every output channel, which the norm after the
/// convolution subtracts again. On a flat map (a picture of a single colour) the input becomes exactly zero. Otherwise
/// rounding errors would form a pattern that each of the following norms amplifies by up to 1 / sqrt(eps) = 316.
pub struct Centre([MaybeUninit<f32>; padded_channels(MAX_LAYER_CHANNELS)]);

impl Centre {
    /// Subtracts nothing: for a convolution without a norm after it.
    pub const NONE: Self = Self([MaybeUninit::new(0.0); padded_channels(MAX_LAYER_CHANNELS)]);

    /// The first pixel of a map.
    ///
    /// # Safety
    /// As [`Simd`]; the map is valid.
    #[inline(always)]
    pub unsafe fn of<S: Simd>(map: &MapInput) -> Self {
        assert!(map.channels <= padded_channels(MAX_LAYER_CHANNELS), "a map's channels");
        // Values after the map's channels are never read.
        let mut centre = Self([MaybeUninit::uninit(); padded_channels(MAX_LAYER_CHANNELS)]);
        let mut c = 0;
        while c < map.channels {
            // SAFETY: every map has a first pixel; the array has room for the channels of the widest network.
            unsafe { S::store(centre.0.as_mut_ptr().cast::<f32>().at(c), map.value::<S>(0, c)) };
            c += S::LANES;
        }
        centre
    }

    /// The vector of channels from `c`.
    ///
    /// # Safety
    /// As [`Simd`]; `c` is less than the stored channels of the map whose first pixel this is.
    #[inline(always)]
    pub unsafe fn at<S: Simd>(&self, c: usize) -> S::V {
        // SAFETY: inside the array and written by contract.
        unsafe { S::load(self.0.as_ptr().cast::<f32>().at(c)) }
    }
}

/// A staged row: its row and columns in the padded map, and which of those columns this task owns.
#[derive(Clone, Copy)]
pub struct StagedRow {
    /// Row in the padded map; starts at minus the padding.
    pub row: isize,
    /// First column in the padded map.
    pub first_column: isize,
    pub columns: usize,
    /// Columns that this task writes to the kept map; `None` if another task owns the row.
    pub owned: Option<(usize, usize)>,
}

impl Input {
    /// Writes one padded row to `to` as bytes, pixel after pixel, using `low` and `bytes_per_unit` for each channel.
    /// The photo's four bytes per pixel are copied unchanged.
    ///
    /// # Safety
    /// As [`Input::stage`].
    #[inline(always)]
    pub unsafe fn stage_bytes<S: Simd>(
        &self,
        to: *mut u8,
        staged: StagedRow,
        border: Border,
        (low, bytes_per_unit): (*const f32, *const f32),
    ) {
        // SAFETY: sources are inside by `Border::source`, targets by contract.
        unsafe {
            match self {
                Self::Photo(photo) => photo.stage_each(staged, border, |i, pixel| {
                    to.at(4 * i).cast::<[u8; 4]>().write_unaligned(pixel);
                }),
                Self::Map(map) => map.stage_each::<S>(staged, border, |i, c, value| {
                    let above = S::sub(value, S::load(low.at(c)));
                    let byte = S::mul(above, S::load(bytes_per_unit.at(c)));
                    S::store_bytes(to.at(i * map.channels + c), byte);
                }),
            }
        }
    }

    /// Writes one padded row to `to`, pixel after pixel.
    ///
    /// # Safety
    /// As [`Simd`]; `to` is valid for all pixels of the row plus one vector; the map is valid.
    #[inline(always)]
    pub unsafe fn stage<S: Simd>(
        &self,
        to: *mut f32,
        staged: StagedRow,
        border: Border,
        centre: &Centre,
    ) {
        // SAFETY: as above.
        unsafe {
            match self {
                Self::Photo(photo) => photo.stage_each(staged, border, |i, pixel| {
                    for (c, &level) in pixel[..3].iter().enumerate() {
                        *to.at(3 * i + c) = f32::from(level);
                    }
                }),
                Self::Map(map) => map.stage_each::<S>(staged, border, |i, c, value| {
                    let value = S::sub(value, centre.at::<S>(c));
                    S::store(to.at(i * map.channels + c), value);
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders() {
        let list = |b: Border| (-2..7).map(|p| b.source(p, 4)).collect::<Vec<_>>();
        assert_eq!(list(Border::Reflect), [2, 1, 0, 1, 2, 3, 2, 1, 0]);
        assert_eq!(list(Border::Replicate), [0, 0, 0, 1, 2, 3, 3, 3, 3]);
        let up: Vec<_> = (-1..9).map(|p| Border::ReflectUpsampled.source(p, 4)).collect();
        assert_eq!(up, [0, 0, 0, 1, 1, 2, 2, 3, 3, 3]);
    }
}
