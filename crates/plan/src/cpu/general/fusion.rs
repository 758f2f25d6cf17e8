//! Decides which nodes of a graph become one step of a general plan.

use crate::Nodes;
use network::graph::{NodeId, Op};

/// Nodes that one step computes. The maps between them are never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// In order. Each node after the first reads the previous one.
    pub nodes: Vec<NodeId>,
    /// The padding of the first node, if that is a convolution.
    pub pad: Option<NodeId>,
}

impl Unit {
    /// The node whose map the step makes.
    pub fn last(&self) -> NodeId {
        self.nodes.last().copied().unwrap_or_default()
    }
}

/// True if each output value depends only on the value at the same position of its first input, or of one of its
/// inputs.
pub fn is_pointwise(op: &Op) -> bool {
    matches!(
        op,
        Op::Affine
            | Op::InstanceNorm { .. }
            | Op::LayerNorm { .. }
            | Op::Positions
            | Op::Relu
            | Op::Prelu
            | Op::Function(_)
            | Op::Add
    )
}

/// The steps of a graph in execution order: sorted by their last nodes, when the inputs of all their nodes exist.
pub fn units(nodes: &Nodes<'_>, is_fused: bool) -> Vec<Unit> {
    let count = nodes.shapes.len();
    let mut is_taken = vec![false; count];
    let mut units = Vec::new();
    for id in 0..count {
        let mut unit = Unit { nodes: vec![id], pad: None };
        if !is_fused {
            units.push(unit);
            continue;
        }
        // Attention and convolutions compute these while they load.
        let is_loaded = nodes.slice_of_attention(id).is_some() || nodes.is_padding_of_convs(id);
        if is_taken[id] || is_loaded {
            continue;
        }
        let op = nodes.op(id);
        if op.is_conv() {
            let input = nodes.input(id);
            unit.pad = nodes.padding(input).map(|_| input);
        }
        if is_pointwise(op) || matches!(op, Op::Conv2d(_) | Op::ConvTranspose2d { .. }) {
            while let Some(reader) = nodes.only_reader(unit.last()) {
                let op = nodes.op(reader);
                // A norm's statistics need a stored map.
                let is_norm = matches!(op, Op::InstanceNorm { .. });
                if !is_pointwise(op) || is_norm || is_taken[reader] {
                    break;
                }
                is_taken[reader] = true;
                unit.nodes.push(reader);
            }
        }
        units.push(unit);
    }
    units.sort_by_key(Unit::last);
    units
}
