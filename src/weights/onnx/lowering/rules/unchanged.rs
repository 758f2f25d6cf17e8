//! Nodes that hand the picture on as it is.

use super::{Lowering, Node, NodeId, WeightsError, refused};

pub(super) fn identity(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    graph.map(node, 0)
}

/// A change of the number type that keeps fractions.
pub(super) fn cast(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    match node.attribute("to").map(|a| a.i) {
        // FLOAT, FLOAT16, DOUBLE, BFLOAT16
        Some(1 | 10 | 11 | 16) => graph.map(node, 0),
        _ => Err(refused(format!("{} rounds the picture", node.label()))),
    }
}
