//! Decides which nodes of a graph become one step of a general plan.

use crate::graph::{Graph, NodeId, Op};

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

/// Whether each output value depends only on the value at the same position of its first input, or of one of its
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

/// Whether it adds values around a map.
const fn is_padding(op: &Op) -> bool {
    matches!(op, Op::Pad { .. } | Op::PadSame { .. })
}

/// The steps of a graph in execution order: sorted by their last nodes, when the inputs of all their nodes exist.
pub fn units(graph: &Graph, is_fused: bool) -> Vec<Unit> {
    let nodes = graph.nodes();
    let readers = graph.readers();
    let is_conv = |id: NodeId| matches!(nodes[id].op, Op::Conv2d(_));
    let mut is_taken = vec![false; nodes.len()];
    let mut units = Vec::new();
    for id in 0..nodes.len() {
        if is_taken[id] {
            continue;
        }
        let op = &nodes[id].op;
        if !is_fused {
            let unit = Unit { nodes: vec![id], pad: None };
            units.push(unit);
            continue;
        }
        let is_attention = |&reader: &NodeId| matches!(nodes[reader].op, Op::Attention { .. });
        let is_slice = matches!(op, Op::Channels { .. });
        if is_slice && !readers[id].is_empty() && readers[id].iter().all(is_attention) {
            // Attention reads some of a map's channels in place.
            continue;
        }
        let is_pad = is_padding(op);
        if is_pad && !readers[id].is_empty() && readers[id].iter().all(|&reader| is_conv(reader)) {
            // Every convolution that reads it pads while loading.
            continue;
        }
        let mut unit = Unit { nodes: vec![id], pad: None };
        if is_conv(id) {
            let input = nodes[id].inputs[0];
            unit.pad = is_padding(&nodes[input].op).then_some(input);
        }
        if is_pointwise(op) || matches!(op, Op::Conv2d(_) | Op::ConvTranspose2d { .. }) {
            let mut last = id;
            while let [reader] = readers[last][..] {
                let fits = is_pointwise(&nodes[reader].op) && !is_taken[reader];
                // A norm's statistics need a stored map.
                let is_norm = matches!(nodes[reader].op, Op::InstanceNorm { .. });
                if !fits || is_norm {
                    break;
                }
                is_taken[reader] = true;
                unit.nodes.push(reader);
                last = reader;
            }
        }
        units.push(unit);
    }
    units.sort_by_key(Unit::last);
    units
}
