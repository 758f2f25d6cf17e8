//! Reading a convolution's input: reflection, upsampling, and the norm of the layer before, applied
//! while loading.

use super::simd::{At, Simd};

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
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Stored channels.
    pub channels: usize,
}

/// What a convolution reads.
#[derive(Clone, Copy)]
pub enum Input {
    /// RGBA bytes.
    Photo {
        /// First byte.
        rgba: *const u8,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A map of the layer before.
    Map(MapInput),
}

impl Input {
    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Photo { height, width, .. } => (*height, *width),
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

/// A staged row: which row and columns of the padded map, and which of them this task owns.
#[derive(Clone, Copy)]
pub struct RowWanted {
    /// Row of the padded map, from -padding on.
    pub row: isize,
    /// First column of the padded map.
    pub first_column: isize,
    /// Columns.
    pub columns: usize,
    /// Columns that this task owns, if it owns the row: it writes those to the kept map.
    pub owned: Option<(usize, usize)>,
}

impl Input {
    /// Writes one padded row to `to`, pixel after pixel.
    ///
    /// # Safety
    /// As [`Simd`]; `to` valid for all pixels of the row plus one vector; the map valid.
    #[inline(always)]
    pub unsafe fn stage<S: Simd>(&self, to: *mut f32, wanted: RowWanted, border: Border) {
        // SAFETY: sources are inside by `Border::source`, targets by contract.
        unsafe {
            match self {
                Self::Photo {
                    rgba,
                    height,
                    width,
                } => {
                    let row = rgba.at(border.source(wanted.row, *height) * width * 4);
                    for i in 0..wanted.columns {
                        let x = border.source(wanted.first_column + i as isize, *width);
                        for c in 0..3 {
                            *to.at(3 * i + c) = f32::from(*row.at(4 * x + c));
                        }
                    }
                }
                Self::Map(map) => {
                    let row = border.source(wanted.row, map.height) * map.width;
                    for i in 0..wanted.columns {
                        let x = border.source(wanted.first_column + i as isize, map.width);
                        let mut c = 0;
                        while c < map.channels {
                            let value = map.value::<S>(row + x, c);
                            S::store(to.at(i * map.channels + c), value);
                            c += S::LANES;
                        }
                    }
                    if let (Some((first, end)), false) = (wanted.owned, map.keep.is_null()) {
                        for x in first..end {
                            let i = (x as isize - wanted.first_column) as usize;
                            let kept = map.keep.at((row + x) * map.channels);
                            let staged = to.at(i * map.channels);
                            std::ptr::copy_nonoverlapping(staged, kept, map.channels);
                        }
                    }
                }
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
        let up: Vec<_> = (-1..9)
            .map(|p| Border::ReflectUpsampled.source(p, 4))
            .collect();
        assert_eq!(up, [0, 0, 0, 1, 1, 2, 2, 3, 3, 3]);
    }
}
