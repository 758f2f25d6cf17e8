//! Finds the network in a graph by what its nodes compute and how they are connected, not by their names.
//!
//! Every operation of the network needs the one before it, so there is only one order in which they can run. The
//! operations are compared one by one with those of the network that the graph's convolutions describe. This module
//! knows no file format.

use crate::graph::{Function, Graph, Node, NodeId, Op, SizeRule};

use super::NetworkSpec;

/// Maximum difference of eps from the network's: files store it in single precision.
const EPS_TOLERANCE: f64 = 1e-7;

/// If a graph is this network: the network's own graph, and for each node of it the corresponding node of `graph`. A
/// padding of 0 pixels corresponds to any node. `None` for another network.
pub fn find(graph: &Graph) -> Option<(Graph, Vec<NodeId>)> {
    let own = NetworkSpec::of_graph(graph)?.graph().ok()?;
    let (theirs, their_places) = essential(graph.nodes());
    let (ours, our_places) = essential(own.nodes());
    let is_same = |(&ours, &theirs): (&NodeId, &NodeId)| {
        let (ours, theirs) = (&own.nodes()[ours], &graph.nodes()[theirs]);
        let inputs = |node: &Node, places: &[usize]| {
            let mut inputs: Vec<usize> = node.inputs.iter().map(|&input| places[input]).collect();
            if node.op == Op::Add {
                inputs.sort_unstable();
            }
            inputs
        };
        let is_same_op = match (ours.op, theirs.op) {
            (Op::InstanceNorm { eps: ours }, Op::InstanceNorm { eps: theirs }) => {
                (ours - theirs).abs() <= EPS_TOLERANCE
            }
            (ours, theirs) => ours == theirs,
        };
        is_same_op && inputs(ours, &our_places) == inputs(theirs, &their_places)
    };
    (ours.len() == theirs.len() && ours.iter().zip(&theirs).all(is_same))
        .then(|| (own, our_places.iter().map(|&place| theirs[place]).collect()))
}

/// The nodes that change something, and for every node its index among these. A node that changes nothing has the index
/// of its input. A padding of 0 pixels changes nothing, nor does a clip to the range to which the picture is clipped
/// anyway. A fixed size in a file is ignored as well: the network runs at any size.
fn essential(nodes: &[Node]) -> (Vec<NodeId>, Vec<usize>) {
    let (mut kept, mut places) = (Vec::new(), Vec::new());
    for (id, node) in nodes.iter().enumerate() {
        let changes_nothing = match node.op {
            Op::Sized(SizeRule::Exactly(_)) => true,
            Op::Function(Function::Clip { least, most }) => {
                (least, most) == (0.0, 255.0) && id + 2 == nodes.len()
            }
            op => op.reflected_px() == Some(0),
        };
        match (changes_nothing, node.inputs.first()) {
            (true, Some(&input)) => places.push(places[input]),
            _ => {
                places.push(kept.len());
                kept.push(id);
            }
        }
    }
    (kept, places)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::models::johnson::Kernels;

    /// A change that makes a node different.
    type Change<'a> = &'a dyn Fn(&mut Node);

    fn network(blocks: usize) -> Graph {
        let spec = NetworkSpec { blocks, ..NetworkSpec::with_widths([2, 3, 4]) };
        spec.graph().expect("valid")
    }

    /// The graph of a network with other node names, and the node `name` changed.
    fn changed(name: &str, change: impl Fn(&mut Node)) -> Graph {
        let mut nodes = network(2).nodes().to_vec();
        change(nodes.iter_mut().find(|node| node.name == name).expect("a node of this name"));
        for (id, node) in nodes.iter_mut().enumerate() {
            node.name = id.to_string();
        }
        Graph::try_from(nodes).expect("a graph")
    }

    #[test]
    fn the_network_is_found_whatever_its_nodes_are_called() {
        let kernels = Kernels { last: 1, down: [1, 3], ..Kernels::default() };
        let small = NetworkSpec { kernels, ..NetworkSpec::with_widths([2, 3, 4]) };
        for graph in [network(1), network(16), small.graph().expect("valid")] {
            let mut nodes = graph.nodes().to_vec();
            nodes.iter_mut().for_each(|node| node.name = format!("{}.Node", node.name));
            let (own, places) = find(&Graph::try_from(nodes).expect("a graph")).expect("found");
            assert_eq!(own, graph);
            for (at, place) in places.into_iter().enumerate() {
                assert!(at == place || own.nodes()[at].op.reflected_px() == Some(0), "{at}");
            }
        }
    }

    #[test]
    fn irrelevant_changes_are_ignored() {
        let same: [(&str, Change<'_>); 2] = [
            ("res2.conv2.add", &|node| node.inputs.reverse()),
            ("in4", &|node| node.op = Op::InstanceNorm { eps: f64::from(1e-5f32) }),
        ];
        for (name, change) in same {
            let (own, _) = find(&changed(name, change)).expect("the network");
            assert_eq!(own, network(2), "{name}");
        }
        // A fixed size at the start, and limits at the end.
        for (limit, is_found) in [(255.0, true), (254.0, false)] {
            let mut graph = Graph::default();
            for node in network(2).nodes() {
                // Only the first padding reads the photo, which now comes after the size.
                let moved = node.inputs.iter().map(|&input| input + 1);
                let mut inputs: Vec<NodeId> = moved.collect();
                if node.op == Op::Picture {
                    let clip = Op::Function(Function::Clip { least: 0.0, most: limit });
                    inputs = vec![graph.add("clip", "", clip, &inputs).expect("a node")];
                }
                graph.add(&node.name, "", node.op, &inputs).expect("a node");
                if node.op == Op::Photo {
                    let size = Op::Sized(SizeRule::Exactly([24, 32]));
                    graph.add("size", "", size, &[0]).expect("a node");
                }
            }
            assert_eq!(find(&graph).is_some(), is_found, "{limit}");
        }
    }

    #[test]
    fn every_other_network_is_not_recognised() {
        let photo = |node: &mut Node| node.inputs[0] = 0;
        let others: [(&str, Change<'_>); 7] = [
            ("conv2.statistics", &photo),
            ("in4", &|node| node.op = Op::InstanceNorm { eps: 1e-3 }),
            ("deconv3.pad", &|node| node.op = Op::reflect(3)),
            ("conv1.pad", &|node| node.op = Op::Relu),
            ("deconv1.upsample", &|node| node.op = Op::Relu),
            ("res1.conv1.pad", &photo),
            ("res2.conv2.add", &|node| node.inputs[0] = 0),
        ];
        for (name, change) in others {
            assert!(find(&changed(name, change)).is_none(), "{name}");
        }
        let nodes = network(2).nodes().to_vec();
        let short = Graph::try_from(nodes[..nodes.len() - 1].to_vec());
        assert!(short.is_ok_and(|graph| find(&graph).is_none()));
        assert!(find(&Graph::default()).is_none());
    }
}
