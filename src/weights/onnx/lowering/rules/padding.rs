//! Reflection padding, its amounts an attribute or an input.

use crate::graph::Op;

use super::{
    super::super::shown, LoweredNode, Lowering, Node, NodeId, Step, WeightsError, grown, refused,
    shortened,
};

pub(super) fn padding(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    let x = graph.map(node, 0)?;
    match node.text("mode", "constant") {
        "reflect" => {}
        "constant" => {
            return Err(refused(format!(
                "{} pads with a constant (zero padding), the network reflects",
                node.label()
            )));
        }
        other => {
            return Err(refused(format!(
                "{} pads in mode {}, the network reflects",
                node.label(),
                shortened(other)
            )));
        }
    }
    let pads = graph.ints(node, "pads", 1)?;
    let axes = graph.fixed_numbers(node, 3)?;
    let axes = axes.as_ref().map_or(Some(&[0, 1, 2, 3][..]), |n| n.as_ints());
    let spatial = match (pads.as_deref(), axes) {
        (Some([0, 0, top, left, 0, 0, bottom, right]), Some([0, 1, 2, 3]))
        | (Some([top, left, bottom, right]), Some([2, 3] | [-2, -1])) => {
            Some([*top, *left, *bottom, *right])
        }
        _ => None,
    };
    let margin_px = spatial
        .filter(|sides| sides.iter().all(|side| *side == sides[0]))
        .and_then(|sides| usize::try_from(sides[0]).ok())
        .filter(|margin_px| *margin_px < 1 << 16)
        .ok_or_else(|| {
            refused(format!(
                "{} pads by {}, the network pads all four sides alike",
                node.label(),
                shown(pads.as_deref().unwrap_or_default())
            ))
        })?;
    if margin_px == 0 {
        return Ok(x);
    }
    let maps = grown(&graph.maps[x], node, |side| side + 2 * margin_px)?;
    graph.add(LoweredNode::new(Step::Op(Op::reflect(margin_px)), &[x]), maps)
}
