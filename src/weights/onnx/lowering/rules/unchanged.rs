//! Nodes that hand the picture on as it is.

use super::{Lowering, Node, NodeId, WeightsError, refused, unsupported};

/// Largest number that counts as none when it is added. Exports for ONNX.js add it so that a node takes two different
/// values: 1e-9, or 1e-100, which is 0 in their numbers. A value of 1 is the same with 1e-9 added.
const NOTHING: f32 = 1e-9;

/// The sum of a map and a number that is as good as 0.
pub(super) fn sum_with_nothing(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    let (x, constant) = match (graph.as_map(node, 0), graph.as_map(node, 1)) {
        (Some(x), None) => (x, 1),
        (None, Some(x)) => (x, 0),
        _ => return Err(unsupported(node)),
    };
    // More sides than one could be more than the map has, which would get them.
    let numbers = graph.fixed_numbers(node, constant).ok().flatten();
    let number = numbers.filter(|numbers| numbers.shape().len() <= 1);
    match number.and_then(|numbers| numbers.scalar()) {
        Some(number) if number.abs() <= NOTHING => Ok(x),
        Some(number) => Err(refused(format!(
            "{} adds {number} to every value, the network adds nothing",
            node.label()
        ))),
        None => Err(unsupported(node)),
    }
}

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
