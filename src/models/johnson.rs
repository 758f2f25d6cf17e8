//! Johnson's TransformerNet as a graph.

use crate::{
    graph::{Graph, GraphError, NodeId, Op},
    network::{NORM_EPS, NetworkSpec, Tail},
};

/// The network of these widths, blocks and kernels, one node for every operation, named as in the
/// published state dicts.
///
/// # Errors
/// [`GraphError`] never happens for a valid shape; it is the builder's own check.
pub fn graph(spec: &NetworkSpec) -> Result<Graph, GraphError> {
    let mut graph = Graph::default();
    let convs = spec.convs();
    let first = convs.first().map_or("", |conv| &conv.name);
    let mut x: NodeId = graph.add("photo", first, Op::Photo, &[])?;
    // What the residual block at hand adds to its result.
    let mut block_input = x;
    for (index, conv) in convs.iter().enumerate() {
        let layer = &conv.name;
        let mut add = |what: &str, op: Op, inputs: &[NodeId]| {
            let name = match what {
                "" => layer.clone(),
                what => format!("{layer}.{what}"),
            };
            graph.add(&name, layer, op, inputs)
        };
        let opens_block = (convs.get(index + 1)).is_some_and(|next| next.tail == Tail::NormAdd);
        if opens_block {
            block_input = x;
        }
        if conv.upsample {
            x = add("upsample", Op::Upsample, &[x])?;
        }
        let margin_px = conv.padding();
        x = add("pad", Op::ReflectPad { margin_px }, &[x])?;
        let op = Op::Conv2d {
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            kernel_px: conv.kernel,
            stride_px: conv.stride,
        };
        x = add("", op, &[x])?;
        if conv.tail == Tail::Picture {
            add("picture", Op::Picture, &[x])?;
            break;
        }
        let statistics = add("statistics", Op::InstanceStatistics, &[x])?;
        let norm = conv.norm_name.as_deref().unwrap_or_default();
        x = graph.add(
            norm,
            layer,
            Op::InstanceNorm { eps: NORM_EPS },
            &[x, statistics],
        )?;
        let name = |what: &str| format!("{layer}.{what}");
        x = match conv.tail {
            Tail::NormAdd => graph.add(&name("add"), layer, Op::Add, &[block_input, x])?,
            _ => graph.add(&name("relu"), layer, Op::Relu, &[x])?,
        };
    }
    Ok(graph)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn its_maps_are_the_networks() {
        let spec = NetworkSpec::with_widths([8, 16, 32]);
        let graph = graph(&spec).expect("a graph");
        let shapes = graph.shapes(339, 531).expect("maps");
        let of_convs: Vec<_> = graph
            .nodes()
            .iter()
            .zip(shapes)
            .filter(|(node, _)| matches!(node.op, Op::Conv2d { .. }))
            .map(|(_, shape)| shape)
            .collect();
        assert_eq!(of_convs, spec.maps(339, 531));
    }
}
