//! The size of each node's map.
//!
//! Rows never depend on columns, so each axis is computed separately.

use super::{
    MAX_MAP_LEN, MAX_MAP_SIDE_PX,
    attributes::{Conv, PadMode, Pool},
    op::{Op, broadcast, equal},
};
use values::tensor::Shape;

/// Rows or columns of a convolution's result.
fn conv_side(side: usize, conv: &Conv, axis: usize) -> Option<usize> {
    Some(side.checked_sub(conv.reach()[axis])? / conv.stride[axis] + 1)
}

/// Rows or columns of a pooling's result.
fn pool_side(side: usize, pool: &Pool, axis: usize) -> Option<usize> {
    let [before, after] = pool.sides.of_axis(axis);
    let (kernel, stride) = (pool.kernel[axis], pool.stride[axis]);
    let room = (side + before + after).checked_sub(kernel)?;
    let windows = if pool.is_ceil {
        let windows = room.div_ceil(stride) + 1;
        // A window that begins after the end of the map would read nothing of it.
        windows - usize::from((windows - 1) * stride >= side + before)
    } else {
        room / stride + 1
    };
    Some(windows)
}

impl Op {
    /// The map that it makes from the maps `given`. `height` and `width` are those of the photo, or of the maps that
    /// the caller passes. `None` if it cannot read them. No side is zero, and no map has more than [`MAX_MAP_LEN`]
    /// values.
    pub fn shape(&self, given: &[Shape], (height, width): (usize, usize)) -> Option<Shape> {
        let of = |part: fn(&Shape) -> usize| given.iter().map(part).collect::<Vec<_>>();
        let channels = self.channels(&of(|map| map.channels))?;
        let height = self.side(&of(|map| map.height), height, 0)?;
        let width = self.side(&of(|map| map.width), width, 1)?;
        // A side has at most 2^20 pixels, and there are at most 2^12 channels.
        (1..=MAX_MAP_LEN)
            .contains(&(channels * height * width))
            .then(|| Shape::new(channels, height, width))
    }

    /// Rows (axis 0) or columns (axis 1) of its map. `given` is the same axis of the maps that it reads, `photo` that
    /// of the photo. `None` if it cannot read them.
    pub(super) fn side(&self, given: &[usize], photo: usize, axis: usize) -> Option<usize> {
        self.side_of(given, photo, axis).filter(|side| (1..=MAX_MAP_SIDE_PX).contains(side))
    }

    fn side_of(&self, given: &[usize], photo: usize, axis: usize) -> Option<usize> {
        let first = given.first().copied();
        match *self {
            Self::Photo | Self::Input { .. } => Some(photo),
            Self::Constant(shape) => Some([shape.height, shape.width][axis]),
            Self::Pad { .. } | Self::PadSame { .. } => {
                let side = first?;
                let (mode, sides) = self.padding(side, side)?;
                let [before, after] = sides.of_axis(axis);
                // Reflection reaches at most the far edge.
                let is_too_short = mode == PadMode::Reflect && side <= before.max(after);
                (!is_too_short).then_some(side + before + after)
            }
            Self::Sized(rule) => first.filter(|&side| rule.allows_side(side, axis)),
            Self::Conv2d(conv) => conv_side(first?, &conv, axis),
            Self::ConvTranspose2d { conv, cut, extra } => {
                let reached = first?.checked_sub(1)? * conv.stride[axis] + conv.reach()[axis];
                (reached + extra[axis]).checked_sub(cut.sums()[axis])
            }
            Self::InstanceStatistics | Self::SpatialMean | Self::SpatialMax => first.and(Some(1)),
            Self::InstanceNorm { .. } => match *given {
                [side, 1] => Some(side),
                _ => None,
            },
            Self::Attention { .. } => match *given {
                [queries, keys, values] => (keys == values).then_some(queries),
                _ => None,
            },
            Self::Add | Self::Concat { .. } => equal(given),
            Self::Combine(_) => broadcast(given),
            Self::Crop(sides) => first?.checked_sub(sides.sums()[axis]),
            Self::Upsample => Some(2 * first?),
            Self::Resize(resize) => resize.side(first?, given.get(1).copied(), axis),
            Self::DepthToSpace { block, .. } => Some(block * first?),
            Self::SpaceToDepth { block } => {
                first.filter(|side| side.is_multiple_of(block)).map(|side| side / block)
            }
            Self::MaxPool(pool) | Self::AveragePool { pool, .. } => pool_side(first?, &pool, axis),
            Self::LayerNorm { .. }
            | Self::Positions
            | Self::Affine
            | Self::Relu
            | Self::Prelu
            | Self::Function(_)
            | Self::Channels { .. }
            | Self::Picture => first,
        }
    }
}
