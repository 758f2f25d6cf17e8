//! Plans what a fused convolution loads, from the nodes that its group gathers.
//!
//! The kernels support only these patterns. A group that gathers anything else has no kernel.

use super::Grouped;
use network::graph::{NodeId, Op, fusion::Group};
use values::tensor::Shape;

/// The input of a convolution. Maps are those of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In RGBA8.
    Photo,
    /// An unchanged map.
    Map(usize),
    /// A raw convolution output. Scale and shift of its norm are applied while loading.
    Normalised {
        map: usize,
        /// The convolution that made it.
        conv: usize,
        /// ReLU follows.
        relu: bool,
        /// The residual stream that is added.
        skip: Option<usize>,
        /// Where the result is kept as the residual stream.
        keep: Option<usize>,
    },
}

impl Source {
    /// The maps that it reads.
    pub(super) fn maps(&self) -> impl Iterator<Item = usize> {
        let (map, skip) = match *self {
            Self::Photo => (None, None),
            Self::Map(map) => (Some(map), None),
            Self::Normalised { map, skip, .. } => (Some(map), skip),
        };
        map.into_iter().chain(skip)
    }
}

impl Grouped<'_> {
    /// What a convolution's group loads, and the node whose map that is; `None` for a pattern that no kernel supports.
    /// `kept` contains the map of every earlier node. `add_map` adds a map in which the loaded one is kept.
    pub fn source(
        &self,
        group: &Group,
        kept: &mut [Option<usize>],
        add_map: impl FnOnce(Shape) -> usize,
    ) -> Option<(Source, NodeId)> {
        let nodes = self.nodes;
        let is_gathered = |id: NodeId| group.gather.contains(&id);
        let step_over = |id: NodeId, is_step: fn(&Op) -> bool| {
            let found = is_gathered(id) && is_step(nodes.op(id));
            (found, if found { nodes.input(id) } else { id })
        };
        let padded = *nodes.node(group.op).inputs.first()?;
        let (is_padded, input) = step_over(padded, |op| op.margin_px().is_some());
        let margin_px = nodes.op(padded).margin_px().filter(|_| is_padded).unwrap_or_default();
        let Op::Conv2d(conv) = *nodes.op(group.op) else {
            return None;
        };
        let (upsample, map) = step_over(input, |op| matches!(op, Op::Upsample));
        // Around the photo there may be more, which is cut off before the picture.
        let usual_px = conv.as_square()?.0 as isize / 2;
        let is_picture = group.epilogue.iter().any(|&id| *nodes.op(id) == Op::Picture);
        let has_kernel = margin_px == usual_px
            || (margin_px > usual_px && *nodes.op(map) == Op::Photo)
            || (margin_px < usual_px && is_picture);
        if !has_kernel {
            return None;
        }
        let raw_of = |norm: NodeId| match nodes.op(norm) {
            Op::InstanceNorm { .. } if is_gathered(norm) => {
                nodes.conv_of_norm(norm).filter(|raw| !is_gathered(*raw))
            }
            _ => None,
        };
        // A convolution before a norm leaves out its bias, so its stored output is not its map.
        let is_finished = |id: NodeId| !is_gathered(id) && !nodes.op(id).is_conv();
        // The convolution, whether a ReLU follows its norm, and the map that is added.
        let (norm, relu, skip) = match (nodes.op(map), &nodes.node(map).inputs[..]) {
            _ if !is_gathered(map) => return None,
            (Op::Photo, _) => (None, false, None),
            (Op::Relu, [norm]) => (Some(*norm), true, None),
            (Op::Add, [a, b]) if is_finished(*a) => (Some(*b), false, Some(*a)),
            (Op::Add, [a, b]) if is_finished(*b) => (Some(*a), false, Some(*b)),
            (Op::InstanceNorm { .. }, _) => (Some(map), false, None),
            _ => return None,
        };
        // No other node may remain.
        let count = [padded != input, upsample, relu, skip.is_some()].map(usize::from);
        if 1 + count.iter().sum::<usize>() != group.gather.len() {
            return None;
        }
        let keep = group.writes.contains(&map).then(|| add_map(nodes.shapes[map]));
        let source = match norm {
            None => Source::Photo,
            Some(norm) => {
                let raw = raw_of(norm)?;
                let skip = match skip {
                    Some(skip) => Some(kept[skip]?),
                    None => None,
                };
                Source::Normalised { map: kept[raw]?, conv: self.conv_id(raw)?, relu, skip, keep }
            }
        };
        kept[map] = keep;
        Some((source, map))
    }
}
