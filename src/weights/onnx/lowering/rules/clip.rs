//! Limits of 0 and 255, as attributes or inputs.

use super::{LoweredNode, Lowering, Node, NodeId, Step, WeightsError, refused};

pub(super) fn clip(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    let x = graph.map(node, 0)?;
    let bound = |name: &str, index: usize| match node.attribute(name) {
        Some(attribute) => Some(attribute.f),
        None => graph.constant(node, index),
    };
    if (bound("min", 1), bound("max", 2)) != (Some(0.0), Some(255.0)) {
        return Err(refused(format!("{} clips, but not to 0..255", node.label())));
    }
    graph.add_like(LoweredNode::new(Step::Clip, &[x]), x)
}
