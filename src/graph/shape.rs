//! How large the map of a node is.

use super::{
    MAX_MAP_SIDE_PX,
    attributes::{Conv, PadMode, Pool, Sides},
    op::Op,
};
use crate::tensor::Shape;

/// Rows or columns of a convolution's result.
fn conv_side(side: usize, conv: &Conv, axis: usize) -> Option<usize> {
    Some(side.checked_sub(conv.reach()[axis])? / conv.stride[axis] + 1)
}

/// Rows or columns of a pooling's result.
fn pool_side(side: usize, pool: &Pool, axis: usize) -> Option<usize> {
    let Sides { top, left, .. } = pool.sides;
    let (before, padding) = ([top, left][axis], pool.sides.sums()[axis]);
    let (kernel, stride) = (pool.kernel[axis], pool.stride[axis]);
    let room = (side + padding).checked_sub(kernel)?;
    let windows = if pool.is_ceil {
        let windows = room.div_ceil(stride) + 1;
        // A window that begins behind the map would read nothing of it.
        windows - usize::from((windows - 1) * stride >= side + before)
    } else {
        room / stride + 1
    };
    Some(windows)
}

impl Op {
    /// The map that it makes of given maps, for a photo, or maps handed in, of so many rows and columns; `None` where it cannot read
    /// them.
    pub fn shape(&self, given: &[Shape], photo: (usize, usize)) -> Option<Shape> {
        let made = shape_of(self, given, photo);
        made.filter(|map| map.height.max(map.width) <= MAX_MAP_SIDE_PX)
    }
}

/// The map that an operation makes; `None` where it cannot read the given maps.
fn shape_of(op: &Op, given: &[Shape], (height, width): (usize, usize)) -> Option<Shape> {
    let channel_counts: Vec<usize> = given.iter().map(|map| map.channels).collect();
    let channels = op.channels(&channel_counts)?;
    let first = given.first().copied();
    let of = |sides: [usize; 2]| Shape::new(channels, sides[0], sides[1]);
    let both = |side: &dyn Fn(usize, usize) -> Option<usize>| {
        let map = first?;
        Some(of([side(map.height, 0)?, side(map.width, 1)?]))
    };
    match *op {
        Op::Photo | Op::Input { .. } => Some(of([height, width])),
        Op::Constant(shape) => Some(shape),
        Op::Pad { .. } | Op::PadSame { .. } => {
            let map = first.filter(|map| !map.is_empty())?;
            let (mode, sides) = op.padding(map.height, map.width)?;
            let Sides { top, left, bottom, right } = sides;
            let ends = [top.max(bottom), left.max(right)];
            both(&|side, axis| {
                // Reflection reaches at most to the far edge.
                let is_reflected = matches!(mode, PadMode::Reflect);
                (!is_reflected || side > ends[axis]).then_some(side + sides.sums()[axis])
            })
        }
        Op::Sized(rule) => first.filter(|map| rule.allows(map.height, map.width)),
        Op::Conv2d(conv) => both(&|side, axis| conv_side(side, &conv, axis)),
        Op::ConvTranspose2d { conv, cut, extra } => both(&|side, axis| {
            let whole = side.checked_sub(1)? * conv.stride[axis] + conv.reach()[axis] + extra[axis];
            whole.checked_sub(cut.sums()[axis]).filter(|&side| side > 0)
        }),
        Op::InstanceStatistics | Op::SpatialMean | Op::SpatialMax => first.map(|_| of([1, 1])),
        Op::InstanceNorm { .. } => {
            let [map, statistics] = *given else {
                return None;
            };
            (statistics == Shape::new(map.channels, 1, 1)).then_some(map)
        }
        Op::Attention { .. } => {
            let [queries, keys, values] = *given else {
                return None;
            };
            (keys == values && !keys.is_empty()).then_some(queries)
        }
        Op::Add => {
            let [a, b] = *given else { return None };
            (a == b).then_some(a)
        }
        Op::Combine(_) => {
            let [a, b] = *given else { return None };
            let side = |a: usize, b: usize| (a == b || a == 1 || b == 1).then_some(a.max(b));
            Some(of([side(a.height, b.height)?, side(a.width, b.width)?]))
        }
        Op::Concat { .. } => {
            let map = first?;
            let is_alike = |other: &Shape| (other.height, other.width) == (map.height, map.width);
            given.iter().all(is_alike).then(|| of([map.height, map.width]))
        }
        Op::Crop(sides) => {
            both(&|side, axis| side.checked_sub(sides.sums()[axis]).filter(|&side| side > 0))
        }
        Op::Upsample => both(&|side, _| Some(2 * side)),
        Op::Resize(resize) => {
            let like = given.get(1).map(|map| [map.height, map.width]);
            let map = first?;
            resize.size([map.height, map.width], like).map(of)
        }
        Op::DepthToSpace { block, .. } => both(&|side, _| Some(block * side)),
        Op::SpaceToDepth { block } => {
            both(&|side, _| side.is_multiple_of(block).then_some(side / block))
        }
        Op::MaxPool(pool) | Op::AveragePool { pool, .. } => {
            both(&|side, axis| pool_side(side, &pool, axis))
        }
        Op::LayerNorm { .. }
        | Op::Positions
        | Op::Affine
        | Op::Relu
        | Op::Prelu
        | Op::Function(_)
        | Op::Channels { .. }
        | Op::Picture => first.map(|map| of([map.height, map.width])),
    }
}
