//! Instance norm as one node.

use crate::graph::{NORM_EPS, Op};

use super::{super::TensorId, LoweredNode, Lowering, Node, NodeId, Step, WeightsError, refused};

pub(super) fn instance_norm(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    let x = graph.map(node, 0)?;
    check_eps(node, node.attribute("epsilon").map_or(1e-5, |a| a.f))?;
    let scale = graph.per_channel(node, 1, x)?;
    let shift = graph.per_channel(node, 2, x)?;
    add(graph, x, scale, shift)
}

/// The norm of a map: its statistics, and what they are applied to.
pub(super) fn add(
    graph: &mut Lowering<'_>,
    x: NodeId,
    scale: TensorId,
    shift: TensorId,
) -> Result<NodeId, WeightsError> {
    let sizes = graph.of_channels(x);
    let statistics = LoweredNode::new(Step::Op(Op::InstanceStatistics), &[x]);
    let statistics = graph.add(statistics, sizes)?;
    let op = Op::InstanceNorm { eps: NORM_EPS };
    let norm = LoweredNode {
        weight: Some(scale),
        bias: Some(shift),
        ..LoweredNode::new(Step::Op(op), &[x, statistics])
    };
    graph.add_like(norm, x)
}

/// The norm's epsilon is 1e-5 up to its own rounding.
pub(super) fn check_eps(node: &Node<'_>, eps: f32) -> Result<(), WeightsError> {
    if (eps - NORM_EPS as f32).abs() <= 1e-7 {
        return Ok(());
    }
    Err(refused(format!("{} has epsilon {eps:e}, the network has 1e-5", node.label())))
}
