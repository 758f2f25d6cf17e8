//! Recognises what a fused convolution loads, from the nodes that its group gathers.
//!
//! The kernels support only these patterns. A group that gathers anything else has no kernel.

use super::layer::conv_of_norm;
use crate::graph::{Graph, NodeId, Op, fusion::Group};

/// Where a fused convolution's values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    Photo,
    /// An unchanged map.
    Map(NodeId),
    /// A raw convolution output that is normalised while it is loaded.
    Normalised {
        raw: NodeId,
        /// Whether a ReLU follows.
        relu: bool,
        /// The map that is added.
        skip: Option<NodeId>,
    },
}

/// How a fused convolution's input is made while it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gather {
    pub(super) loaded: Loaded,
    /// The node whose map is loaded, before upsampling and padding.
    pub(super) map: NodeId,
    /// Whether that map is kept, because other nodes read it too.
    pub(super) is_kept: bool,
    /// Whether it is upsampled by 2.
    pub(super) upsample: bool,
}

/// The gather of a convolution's group; `None` for a pattern that no kernel supports.
pub fn gather_of(graph: &Graph, group: &Group) -> Option<Gather> {
    let node = |id: NodeId| &graph.nodes()[id];
    let is_gathered = |id: NodeId| group.gather.contains(&id);
    let step_over = |id: NodeId, is_step: fn(&Op) -> bool| {
        let found = is_gathered(id) && is_step(&node(id).op);
        (found, if found { node(id).inputs[0] } else { id })
    };
    let padded = *node(group.op).inputs.first()?;
    let (is_padded, input) = step_over(padded, |op| op.reflected_px().is_some());
    let margin_px = node(padded).op.reflected_px().filter(|_| is_padded);
    let Op::Conv2d(conv) = node(group.op).op else {
        return None;
    };
    conv.as_square().filter(|(kernel_px, _)| margin_px.unwrap_or_default() == kernel_px / 2)?;
    let (upsample, map) = step_over(input, |op| matches!(op, Op::Upsample));
    let raw_of = |norm: NodeId| match node(norm).op {
        Op::InstanceNorm { .. } if is_gathered(norm) => {
            conv_of_norm(graph, norm).filter(|raw| !is_gathered(*raw))
        }
        _ => None,
    };
    // A convolution before a norm leaves out its bias, so its stored output is not its map.
    let is_finished = |id: NodeId| !is_gathered(id) && !node(id).op.is_conv();
    let normalised =
        |norm: NodeId, relu, skip| raw_of(norm).map(|raw| Loaded::Normalised { raw, relu, skip });
    let loaded = match (node(map).op, &node(map).inputs[..]) {
        _ if !is_gathered(map) => Loaded::Map(map),
        (Op::Photo, _) => Loaded::Photo,
        (Op::Relu, [norm]) => normalised(*norm, true, None)?,
        (Op::Add, [a, b]) if is_finished(*a) => normalised(*b, false, Some(*a))?,
        (Op::Add, [a, b]) if is_finished(*b) => normalised(*a, false, Some(*b))?,
        (Op::InstanceNorm { .. }, _) => normalised(map, false, None)?,
        _ => return None,
    };
    // No other node may remain.
    let count = match loaded {
        Loaded::Map(_) => 0,
        Loaded::Photo => 1,
        Loaded::Normalised { relu, skip, .. } => {
            1 + usize::from(relu) + usize::from(skip.is_some())
        }
    };
    let around = usize::from(padded != input) + usize::from(upsample);
    let is_all = count + around == group.gather.len();
    is_all.then_some(Gather { loaded, map, is_kept: group.writes.contains(&map), upsample })
}
