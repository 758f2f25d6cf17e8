//! Operations on every value of a map.

use crate::graph::Op;

use super::{
    LoweredNode, Lowering, Node, NodeId, Step, WeightsError, decomposed_norm, unsupported,
};

pub(super) fn relu(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    let x = graph.map(node, 0)?;
    graph.add_like(LoweredNode::new(Step::Op(Op::Relu), &[x]), x)
}

/// The sum of two maps of one size; that of a map and a constant belongs to a norm.
pub(super) fn sum(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    match (graph.as_map(node, 0), graph.as_map(node, 1)) {
        (Some(a), Some(b)) if graph.maps[a] == graph.maps[b] => {
            // Sums of the same two maps are equal.
            let inputs = [a.min(b), a.max(b)];
            graph.add_like(LoweredNode::new(Step::Op(Op::Add), &inputs), a)
        }
        (Some(_), Some(_)) => Err(unsupported(node)),
        _ => decomposed_norm::sum_with_constant(graph, node),
    }
}
