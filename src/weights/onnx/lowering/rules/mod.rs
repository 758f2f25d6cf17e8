//! The rules by which nodes that the picture goes through become operations of the graph: one file for everything
//! that is rewritten.

mod clip;
mod convolution;
mod decomposed_norm;
mod instance_norm;
mod padding;
mod pointwise;
mod unchanged;
mod upsampling;

use super::{
    super::messages::Node, LoweredNode, Lowering, MAX_SIDE_PX, Map, NodeId, Step, WeightsError,
    refused, shortened, unsupported,
};

/// Rewrites a node of the file; the id of the map that it makes. At least one input is a map.
///
/// Its error is [`WeightsError::Graph`] with the node and what it does that has no place in a graph, or names a
/// tensor.
pub(super) type Rule = fn(&mut Lowering<'_>, &Node<'_>) -> Result<NodeId, WeightsError>;

/// The rule of an operator.
pub(super) fn rule(operator: &str) -> Option<Rule> {
    Some(match operator {
        "Add" => pointwise::sum,
        "Cast" => unchanged::cast,
        "Clip" => clip::clip,
        "Conv" => convolution::convolution,
        "Div" => decomposed_norm::quotient,
        "Dropout" | "Identity" => unchanged::identity,
        "InstanceNormalization" => instance_norm::instance_norm,
        "GlobalAveragePool" => decomposed_norm::global_mean,
        "Mul" => decomposed_norm::product,
        "Pad" => padding::padding,
        "Pow" => decomposed_norm::power,
        "Reciprocal" => decomposed_norm::inverse,
        "ReduceMean" => decomposed_norm::mean,
        "Relu" => pointwise::relu,
        "Resize" | "Upsample" => upsampling::upsampling,
        "Sqrt" => decomposed_norm::root,
        "Sub" => decomposed_norm::difference,
        _ => return None,
    })
}

/// The sizes of a map with longer sides. A long chain of these must not run out of numbers.
fn grown(
    maps: &[Map],
    node: &Node<'_>,
    side: impl Fn(usize) -> usize,
) -> Result<Vec<Map>, WeightsError> {
    let larger = |[c, h, w]: &Map| {
        let fits = h.max(w) <= &MAX_SIDE_PX;
        let problem = || refused(format!("{} makes too large a map", node.label()));
        fits.then(|| [*c, side(*h), side(*w)]).ok_or_else(problem)
    };
    maps.iter().map(larger).collect()
}
