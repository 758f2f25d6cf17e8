//! Reading a convolution's input: reflection, upsampling, and the norm of the layer before, applied
//! while loading.

use std::mem::MaybeUninit;

use super::simd::{At, Simd};
use crate::plan::{MAX_LAYER_CHANNELS, cpu::padded_channels};

/// A raw map in memory and what turns it into the next layer's input.
#[derive(Clone, Copy)]
pub struct MapInput {
    /// Raw convolution output, channels-last.
    pub raw: *const f32,
    /// Scale of every stored channel.
    pub scale: *const f32,
    /// Shift of every stored channel.
    pub shift: *const f32,
    /// The residual stream to add; ReLU instead when null.
    pub skip: *const f32,
    /// Where the sum or the ReLU's result is kept; nowhere when null.
    pub keep: *mut f32,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

// SAFETY: only addresses; each use says who writes what.
unsafe impl Sync for MapInput {}

/// RGBA bytes in memory.
#[derive(Clone, Copy)]
pub struct PhotoInput {
    /// First byte.
    pub rgba: *const u8,
    pub height: usize,
    pub width: usize,
}

impl PhotoInput {
    /// Hands over the RGBA bytes of one padded row, pixel by pixel.
    ///
    /// # Safety
    /// The photo valid.
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
    /// A photo.
    Photo(PhotoInput),
    /// A map of the layer before.
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

/// Position of a padded index inside a side of `n`: reflected without repeating the edge, and held
/// inside for the columns that only fill up a register tile.
#[inline(always)]
pub fn reflected(position: isize, n: usize) -> usize {
    let last = n as isize - 1;
    let p = if position < 0 { -position } else { position };
    let p = if p > last { 2 * last - p } else { p };
    p.clamp(0, last) as usize
}

/// As [`reflected`], repeating the edge.
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
    /// Repeats the edge: what reflection by one of an upsampled map means on the small map.
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
    /// The vector of channels from `c` on at pixel `index`, normalised, with ReLU or residual.
    ///
    /// # Safety
    /// As [`Simd`]; the pixel and the channels are inside the map.
    #[inline(always)]
    pub unsafe fn value<S: Simd>(&self, index: usize, c: usize) -> S::V {
        // SAFETY: inside the map by contract; scale and shift hold every stored channel.
        unsafe {
            let at = index * self.channels + c;
            let raw = S::load(self.raw.at(at));
            let normed = S::mul_add(raw, S::load(self.scale.at(c)), S::load(self.shift.at(c)));
            if self.skip.is_null() {
                S::max(normed, S::splat(0.0))
            } else {
                S::add(normed, S::load(self.skip.at(at)))
            }
        }
    }
}

impl MapInput {
    /// Hands over the vectors of one padded row (pixel, first channel, values), and keeps those that are kept.
    ///
    /// # Safety
    /// As [`Simd`]; the map valid.
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

/// A value of every stored channel that is subtracted from a convolution's input: the map's first pixel.
///
/// A constant subtracted from a channel only adds a constant to every output channel, which the norm behind the
/// convolution subtracts again. On a flat map (a picture of one colour) the input becomes exactly zero, so that
/// no rounding pattern arises for the following norms to amplify (each by up to 1 / sqrt(eps) = 316).
pub struct Centre([MaybeUninit<f32>; padded_channels(MAX_LAYER_CHANNELS)]);

impl Centre {
    /// Subtracts nothing: for a convolution without a norm behind it.
    pub const NONE: Self = Self([MaybeUninit::new(0.0); padded_channels(MAX_LAYER_CHANNELS)]);

    /// The first pixel of a map.
    ///
    /// # Safety
    /// As [`Simd`]; the map is valid.
    #[inline(always)]
    pub unsafe fn of<S: Simd>(map: &MapInput) -> Self {
        assert!(map.channels <= padded_channels(MAX_LAYER_CHANNELS), "a map's channels");
        // What is behind the map's channels is never read.
        let mut centre = Self([MaybeUninit::uninit(); padded_channels(MAX_LAYER_CHANNELS)]);
        let mut c = 0;
        while c < map.channels {
            // SAFETY: every map has a first pixel; the array holds the widest network's channels.
            unsafe { S::store(centre.0.as_mut_ptr().cast::<f32>().at(c), map.value::<S>(0, c)) };
            c += S::LANES;
        }
        centre
    }

    /// The vector of channels from `c` on.
    ///
    /// # Safety
    /// As [`Simd`]; `c` is below the stored channels of the map whose first pixel this is.
    #[inline(always)]
    pub unsafe fn at<S: Simd>(&self, c: usize) -> S::V {
        // SAFETY: inside the array and written by contract.
        unsafe { S::load(self.0.as_ptr().cast::<f32>().at(c)) }
    }
}

/// A staged row: which row and columns of the padded map, and which of them this task owns.
#[derive(Clone, Copy)]
pub struct StagedRow {
    /// Row of the padded map, from -padding on.
    pub row: isize,
    /// First column of the padded map.
    pub first_column: isize,
    pub columns: usize,
    /// Columns that this task owns, if it owns the row: it writes those to the kept map.
    pub owned: Option<(usize, usize)>,
}

impl Input {
    /// Writes one padded row to `to` as bytes, pixel after pixel: `low` and `bytes_per_unit` by channel. Of the photo
    /// its four bytes a pixel, as they are.
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
    /// As [`Simd`]; `to` valid for all pixels of the row plus one vector; the map valid.
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
