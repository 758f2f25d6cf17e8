//! Finds the network in a graph by its structure: what the nodes compute and how they are wired, not what they
//! are called.
//!
//! The graph is followed from its result back to the photo. Every step says what has to stand there; the first
//! difference is the error. Widths and kernels are left to the fit of the weights. Knows no file format.

use crate::{
    graph::{NORM_EPS, NodeId, Op},
    models::{Difference, Found, Trained},
};

use super::{MAX_BLOCKS, keys};

/// The nodes with trained values of the network whose picture is `output`: every convolution with the norm behind
/// it. The graph's nodes are seen through `at`; a fixed number of them is looked at, however large the graph is.
///
/// # Errors
/// [`Difference`] names the layer and what stands in its place.
pub fn find<'g>(
    output: NodeId,
    at: impl Fn(NodeId) -> Found<'g>,
) -> Result<Vec<Trained>, Difference> {
    let mut path = Path { at, trained: Vec::new() };
    let mut x = match path.op(output) {
        Some((Op::Picture, &[x])) => x,
        _ => return Err(path.differs("the picture that is made", output)),
    };
    x = path.last_conv("deconv3", x)?;
    x = path.conv_norm_relu("deconv2", "in5", x, 1)?;
    x = path.upsampled("deconv2", x)?;
    x = path.conv_norm_relu("deconv1", "in4", x, 1)?;
    x = path.upsampled("deconv1", x)?;
    // Blocks are met last first; their numbers are known when all have been met.
    let mut blocks = Vec::new();
    while let Some((Op::Add, &[a, b])) = path.op(x) {
        if blocks.len() == MAX_BLOCKS {
            return Err(Difference(format!("it has more than {MAX_BLOCKS} residual blocks")));
        }
        let block = path.block(a, b).or_else(|_| path.block(b, a))?;
        x = block.input;
        blocks.push(block);
    }
    x = path.conv_norm_relu("conv3", "in3", x, 2)?;
    x = path.conv_norm_relu("conv2", "in2", x, 2)?;
    x = path.conv_norm_relu("conv1", "in1", x, 1)?;
    if !matches!(path.op(x), Some((Op::Photo, _))) {
        return Err(path.differs("the picture", x));
    }
    let mut trained = path.trained;
    for (block, number) in blocks.into_iter().rev().zip(1..) {
        for ((conv, norm), half) in block.halves.into_iter().zip(1..) {
            trained.push((conv, keys::conv_module(&format!("res{number}.conv{half}"))));
            trained.push((norm, format!("res{number}.in{half}")));
        }
    }
    Ok(trained)
}

/// A residual block that was met.
struct Block {
    /// Its convolutions, each with the norm behind it.
    halves: [(NodeId, NodeId); 2],
    input: NodeId,
}

/// The path from the result back to the photo.
struct Path<F> {
    at: F,
    /// What was met outside the residual blocks.
    trained: Vec<Trained>,
}

impl<'g, F: Fn(NodeId) -> Found<'g>> Path<F> {
    /// An operation of the graph with what it reads.
    fn op(&self, id: NodeId) -> Option<(Op, &'g [NodeId])> {
        let found = (self.at)(id);
        Some((found.op?, found.inputs))
    }

    fn differs(&self, needed: &str, id: NodeId) -> Difference {
        let found = (self.at)(id).name;
        Difference(format!("where {needed} belongs there is {found}"))
    }

    /// A convolution with the reflection padding that keeps the size; gives what it reads.
    fn padded_conv(&self, name: &str, id: NodeId, needed_px: usize) -> Result<NodeId, Difference> {
        let Some((Op::Conv2d(conv), &[input])) = self.op(id) else {
            return Err(self.differs(&format!("the convolution {name}"), id));
        };
        let Some((kernel_px, stride_px)) = conv.as_square() else {
            return Err(Difference(format!(
                "{name} is grouped, dilated or not square, the network's convolutions are not"
            )));
        };
        if stride_px != needed_px {
            return Err(Difference(format!(
                "{name} has stride {stride_px}, the network has {needed_px}"
            )));
        }
        let needed_px = kernel_px / 2;
        let (margin_px, before) = match self.op(input) {
            Some((pad, &[before])) => match pad.reflected_px() {
                Some(margin_px) => (margin_px, before),
                None => (0, input),
            },
            _ => (0, input),
        };
        if margin_px != needed_px {
            return Err(Difference(format!(
                "{name} is padded by {margin_px} pixels, the network reflects {needed_px}"
            )));
        }
        Ok(before)
    }

    /// The convolution whose result is the picture.
    fn last_conv(&mut self, name: &str, id: NodeId) -> Result<NodeId, Difference> {
        let before = self.padded_conv(name, id, 1)?;
        self.trained.push((id, keys::conv_module(name)));
        Ok(before)
    }

    /// What the norm behind a convolution reads.
    fn norm(&self, conv: &str, id: NodeId) -> Result<NodeId, Difference> {
        if let Some((Op::InstanceNorm { eps: NORM_EPS }, &[input, statistics])) = self.op(id)
            && let Some((Op::InstanceStatistics, &[of])) = self.op(statistics)
            && of == input
        {
            return Ok(input);
        }
        Err(self.differs(&format!("the norm behind {conv}"), id))
    }

    fn relu(&self, name: &str, id: NodeId) -> Result<NodeId, Difference> {
        match self.op(id) {
            Some((Op::Relu, &[x])) => Ok(x),
            _ => Err(self.differs(&format!("the Relu behind {name}"), id)),
        }
    }

    fn conv_norm_relu(
        &mut self,
        conv: &str,
        norm: &str,
        id: NodeId,
        stride_px: usize,
    ) -> Result<NodeId, Difference> {
        let norm_id = self.relu(conv, id)?;
        let conv_id = self.norm(conv, norm_id).map_err(|error| match self.op(norm_id) {
            Some((Op::Add, _)) => Difference(
                "a Relu follows the sum of a residual block, the network has none there".to_owned(),
            ),
            _ => error,
        })?;
        let before = self.padded_conv(conv, conv_id, stride_px)?;
        self.trained.push((conv_id, keys::conv_module(conv)));
        self.trained.push((norm_id, norm.to_owned()));
        Ok(before)
    }

    fn upsampled(&self, conv: &str, id: NodeId) -> Result<NodeId, Difference> {
        match self.op(id) {
            Some((Op::Upsample, &[x])) => Ok(x),
            _ => Err(self.differs(&format!("the upsampling before {conv}"), id)),
        }
    }

    /// A residual block that adds `original` to what it made of it.
    fn block(&self, changed: NodeId, original: NodeId) -> Result<Block, Difference> {
        let first = "a residual block's first convolution";
        let second = "a residual block's second convolution";
        let second_conv = self.norm(second, changed)?;
        let x = self.padded_conv(second, second_conv, 1)?;
        let first_norm = self.relu("a residual block's first norm", x)?;
        let first_conv = self.norm(first, first_norm)?;
        let input = self.padded_conv(first, first_conv, 1)?;
        if input != original {
            return Err(Difference(
                "a residual block adds something else than its own input".to_owned(),
            ));
        }
        Ok(Block { halves: [(first_conv, first_norm), (second_conv, changed)], input })
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{
        graph::{Graph, Node},
        models::johnson::NetworkSpec,
    };

    fn network(blocks: usize) -> Graph {
        let spec = NetworkSpec { blocks, ..NetworkSpec::with_widths([2, 3, 4]) };
        spec.graph().expect("valid")
    }

    /// Looks for the network in nodes some of which are none of this program's.
    fn found(nodes: &[Node], foreign: &[NodeId]) -> Result<Vec<Trained>, String> {
        let at = |id: NodeId| Found {
            op: (!foreign.contains(&id)).then_some(nodes[id].op),
            inputs: &nodes[id].inputs,
            name: &nodes[id].name,
        };
        find(nodes.len() - 1, at).map_err(|difference| difference.to_string())
    }

    /// The nodes of a network, one of them changed.
    fn changed(name: &str, change: impl Fn(&mut Node)) -> Vec<Node> {
        let mut nodes = network(2).nodes().to_vec();
        let node = nodes.iter_mut().find(|node| node.name == name);
        change(node.expect("a node of this name"));
        nodes
    }

    #[test]
    fn every_node_of_the_network_gets_its_published_name() {
        for blocks in [1, 2, 16] {
            let graph = network(blocks);
            let names: BTreeMap<NodeId, String> =
                found(graph.nodes(), &[]).expect("the network itself").into_iter().collect();
            let nodes = graph.nodes().iter().enumerate();
            let expected: BTreeMap<NodeId, String> = nodes
                .filter(|(_, node)| matches!(node.op, Op::Conv2d(_) | Op::InstanceNorm { .. }))
                .map(|(id, node)| (id, keys::module(node)))
                .collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn a_sum_may_name_the_blocks_input_first_or_last() {
        let nodes = changed("res2.conv2.add", |node| node.inputs.reverse());
        let names: BTreeSet<Trained> =
            found(&nodes, &[]).expect("the network").into_iter().collect();
        let straight = found(network(2).nodes(), &[]).expect("the network");
        assert_eq!(names, straight.into_iter().collect());
    }

    #[test]
    fn the_first_difference_from_the_end_is_named() {
        let photo = |node: &mut Node| node.inputs[0] = 0;
        for (name, change, difference) in [
            (
                "conv2.statistics",
                &photo as &dyn Fn(&mut Node),
                "where the norm behind conv2 belongs there is in2",
            ),
            (
                "in4",
                &|node| node.op = Op::InstanceNorm { eps: 1e-3 },
                "where the norm behind deconv1 belongs there is in4",
            ),
            (
                "deconv3.pad",
                &|node| node.op = Op::reflect(3),
                "deconv3 is padded by 3 pixels, the network reflects 4",
            ),
            (
                "conv1.pad",
                &|node| node.op = Op::Relu,
                "conv1 is padded by 0 pixels, the network reflects 4",
            ),
            (
                "deconv1.upsample",
                &|node| node.op = Op::Relu,
                "where the upsampling before deconv1 belongs there is deconv1.upsample",
            ),
            ("res1.conv1.pad", &photo, "a residual block adds something else than its own input"),
        ] {
            let error = found(&changed(name, change), &[]).expect_err("another network");
            assert_eq!(error, difference, "{name}");
        }
        let graph = network(2);
        assert_eq!(
            found(&graph.nodes()[..graph.nodes().len() - 1], &[]),
            Err("where the picture that is made belongs there is deconv3".to_owned())
        );
    }

    #[test]
    fn what_no_graph_holds_is_a_difference_whatever_it_stands_for() {
        let graph = network(1);
        for id in 0..graph.nodes().len() {
            assert!(found(graph.nodes(), &[id]).is_err(), "{id}");
        }
    }

    #[test]
    fn more_blocks_than_run_are_refused() {
        let mut graph = network(1);
        let nodes = graph.nodes().to_vec();
        let is_block = |node: &Node| node.layer.starts_with("res1");
        let start = nodes.iter().position(is_block).expect("a block");
        let block: Vec<Node> = nodes.iter().filter(|n| is_block(n)).cloned().collect();
        let mut long = nodes[..start].to_vec();
        for _ in 0..MAX_BLOCKS + 1 {
            let shift = long.len() - start;
            long.extend(block.iter().cloned().map(|mut node| {
                node.inputs.iter_mut().for_each(|input| *input += shift);
                node
            }));
        }
        let shift = long.len() - start - block.len();
        long.extend(nodes[start + block.len()..].iter().cloned().map(|mut node| {
            node.inputs.iter_mut().for_each(|input| *input += shift);
            node
        }));
        let error = found(&long, &[]).expect_err("too deep");
        assert_eq!(error, "it has more than 16 residual blocks");
        graph = Graph::try_from(long).expect("a graph");
        assert_eq!(NetworkSpec::recognise(&graph), None);
    }
}
