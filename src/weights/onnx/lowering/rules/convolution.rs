//! Convolutions without padding of their own.

use crate::graph::{Conv, Op};

use super::{
    super::super::shown, LoweredNode, Lowering, Node, NodeId, Step, WeightsError, refused,
    shortened,
};

pub(super) fn convolution(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    let x = graph.map(node, 0)?;
    let (weight, shape) = graph.weight(node, 1)?;
    let list = |name: &str| node.attribute(name).map_or(&[][..], |a| &a.ints);
    let wrong = |what: String| Err(refused(format!("{} {what}", node.label())));
    if !matches!(node.text("auto_pad", "NOTSET"), "NOTSET" | "VALID")
        || list("pads").iter().any(|pad| *pad != 0)
    {
        return wrong("pads with zeros inside the convolution, the network reflects".to_owned());
    }
    if list("dilations").iter().any(|d| *d != 1) {
        return wrong(format!("has dilations {}, the network has none", shown(list("dilations"))));
    }
    if node.attribute("group").is_some_and(|a| a.i != 1) {
        return wrong("is grouped, the network's convolutions are not".to_owned());
    }
    let stride_px = match list("strides") {
        [] => 1,
        [a, b] if a == b && (1..=2).contains(a) => *a as usize,
        other => return wrong(format!("has strides {}", shown(other))),
    };
    let [out_channels, in_channels, kernel_px, width] = *shape else {
        return Err(wrong_shape(graph, node, "[out, in, side, side]".to_owned()));
    };
    if in_channels != graph.channels(x) || kernel_px != width || kernel_px == 0 {
        let needed = format!("[out, {}, side, side]", graph.channels(x));
        return Err(wrong_shape(graph, node, needed));
    }
    let mut maps = Vec::new();
    for [_, h, w] in &graph.maps[x] {
        let side = |s: usize| Some(s.checked_sub(kernel_px)? / stride_px + 1);
        let (Some(h), Some(w)) = (side(*h), side(*w)) else {
            return wrong("has a kernel larger than its map".to_owned());
        };
        maps.push([out_channels, h, w]);
    }
    let bias = match node.input(2) {
        Some(_) => Some(graph.weight(node, 2)?.0),
        None => None,
    };
    let op = Op::Conv2d(Conv::square(in_channels, out_channels, kernel_px, stride_px));
    let conv = LoweredNode { weight: Some(weight), bias, ..LoweredNode::new(Step::Op(op), &[x]) };
    graph.add(conv, maps)
}

/// The weight of a convolution has a shape that does not fit.
fn wrong_shape(graph: &Lowering<'_>, node: &Node<'_>, needed: String) -> WeightsError {
    let got = graph.weight(node, 1).map(|(_, shape)| shape.to_vec());
    WeightsError::Shape {
        key: shortened(node.input(1).unwrap_or_default()),
        got: got.unwrap_or_default(),
        needed,
    }
}
