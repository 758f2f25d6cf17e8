//! The size to which a photo is extended: the oracle's own rule, from the operations' definitions.

use network::graph::{
    Graph, Op, PadMode, Pool, Sides, SizeRule,
    resize::{Interpolation, Resize, Target},
};

/// Maximum number of pixels by which any graph extends a photo.
const MAX_PX: usize = 1 << 10;

/// The length of a map along one axis.
fn side(op: &Op, sides: &[usize], photo: usize, axis: usize) -> Option<usize> {
    let first = sides.first().copied().unwrap_or(photo);
    let pair = |pair: [usize; 2]| pair[axis];
    let cut_px = |sides: Sides| sides.of_axis(axis).iter().sum::<usize>() as isize;
    let positive = |side: isize| usize::try_from(side).ok().filter(|&side| side > 0);
    Some(match *op {
        Op::Pad { mode, sides } => {
            let ends = sides.of_axis(axis);
            if mode == PadMode::Reflect && ends.iter().any(|&end| end >= first) {
                return None;
            }
            first + ends[0] + ends[1]
        }
        Op::Sized(SizeRule::MultipleOf(px)) => (first % px == 0).then_some(first)?,
        Op::Sized(SizeRule::Exactly(size)) => (first == pair(size)).then_some(first)?,
        Op::PadSame { reach, stride, .. } => {
            first.max((first.div_ceil(pair(stride)) - 1) * pair(stride) + pair(reach))
        }
        Op::Conv2d(conv) => {
            let reach = pair(conv.dilation) * (pair(conv.kernel) - 1) + 1;
            positive((first as isize - reach as isize).div_euclid(pair(conv.stride) as isize) + 1)?
        }
        Op::ConvTranspose2d { conv, cut, extra } => {
            let reach = pair(conv.dilation) * (pair(conv.kernel) - 1) + 1;
            let whole = (first - 1) * pair(conv.stride) + reach + pair(extra);
            positive(whole as isize - cut_px(cut))?
        }
        Op::Crop(cut) => positive(first as isize - cut_px(cut))?,
        Op::Constant(shape) => pair([shape.height, shape.width]),
        Op::Upsample => 2 * first,
        Op::Resize(Resize { target, interpolation, .. }) => {
            let made = match target {
                Target::Scale(scales) => positive((first as f64 * scales[axis]).floor() as isize)?,
                Target::Size(size) => pair(size),
                Target::LikeOnAxis(other) if other != axis => first,
                Target::Like | Target::LikeOnAxis(_) => sides[1],
                Target::MultipleOf(px) => first.div_ceil(pair(px)) * pair(px),
            };
            let more = made.saturating_sub(first);
            let longest = match interpolation {
                Interpolation::Fit { beyond: PadMode::Reflect, is_centred: true } => {
                    more.div_ceil(2)
                }
                Interpolation::Fit { beyond: PadMode::Reflect, .. } => more,
                _ => 0,
            };
            (longest < first).then_some(made)?
        }
        Op::DepthToSpace { block, .. } => block * first,
        Op::SpaceToDepth { block } => (first % block == 0).then_some(first / block)?,
        Op::MaxPool(pool) | Op::AveragePool { pool, .. } => windows(&pool, first, axis)?,
        Op::InstanceStatistics | Op::SpatialMean | Op::SpatialMax => 1,
        Op::Add | Op::Concat { .. } => {
            sides.iter().all(|&other| other == first).then_some(first)?
        }
        Op::Combine(_) => {
            let most = sides.iter().copied().max()?;
            sides.iter().all(|&side| side == 1 || side == most).then_some(most)?
        }
        // The queries decide, because the keys may belong to another map.
        Op::Attention { .. }
        | Op::Photo
        | Op::Input { .. }
        | Op::InstanceNorm { .. }
        | Op::LayerNorm { .. }
        | Op::Positions
        | Op::Affine
        | Op::Relu
        | Op::Prelu
        | Op::Function(_)
        | Op::Channels { .. }
        | Op::Picture => first,
    })
}

/// The number of windows. Each starts on the map or before it, and ends inside unless it may extend beyond.
pub fn windows(pool: &Pool, side: usize, axis: usize) -> Option<usize> {
    let ends = pool.sides.of_axis(axis);
    let (kernel, stride) = (pool.kernel[axis], pool.stride[axis]);
    let end = side + ends[0] + ends[1];
    let starts = (0..side + ends[0]).step_by(stride);
    let mut count = 0;
    for start in starts {
        if start + kernel <= end {
            count += 1;
        } else {
            // One more window that extends beyond the edge.
            let is_needed = count > 0 && start - stride + kernel < end;
            count += usize::from(pool.is_ceil && is_needed);
            break;
        }
    }
    (count > 0).then_some(count)
}

/// Length of the last map along an axis, for a photo of length `photo`.
fn last(graph: &Graph, photo: usize, axis: usize) -> Option<usize> {
    let mut made: Vec<usize> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let sides: Vec<usize> = node.inputs.iter().map(|&input| made[input]).collect();
        made.push(side(&node.op, &sides, photo, axis)?);
    }
    made.last().copied()
}

/// Rows and columns that a photo needs so that every operation can run and the picture covers the photo. The photo's
/// own size if no such size exists.
pub fn extended(graph: &Graph, (height, width): (usize, usize)) -> (usize, usize) {
    let axis = |photo: usize, axis: usize| {
        let sides = photo..photo + 2 * MAX_PX;
        let mut fitting =
            sides.filter(|&side| last(graph, side, axis).is_some_and(|made| made >= photo));
        fitting.next().unwrap_or(photo)
    };
    (axis(height, 0), axis(width, 1))
}
