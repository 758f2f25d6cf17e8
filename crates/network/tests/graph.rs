//! Graphs and how they are split into groups. A group must compute the same as the graph from its inputs, for Johnson's
//! network and for random graphs with forks.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../tests/support/home.rs"]
mod home;

use std::collections::HashMap;

use network::{
    NodeWeights, Weights,
    graph::{
        Class, Conv, Graph, NodeId, Op,
        fusion::{self, Group, Violation, check},
    },
    models::johnson::{Kernels, NetworkSpec},
};
use oracle::{Interpreter, Map, Rounding};
use proptest::prelude::*;
use values::{frame::Frame, mode::Variant};

fn photo(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        [(x * 37 + y) as u8, (y * 53) as u8, (x * y * 7) as u8, 255]
    })
}

/// Computes group by group, where each group only gets the maps that it declares as inputs; returns every map that any
/// group stores.
fn walk_groups(
    graph: &Graph,
    groups: &[Group],
    interpreter: &Interpreter<'_>,
) -> HashMap<NodeId, Map> {
    let mut kept: HashMap<NodeId, Map> = HashMap::new();
    for group in groups {
        let mut seen: HashMap<NodeId, Map> =
            group.reads.iter().map(|id| (*id, kept[id].clone())).collect();
        for id in group.nodes() {
            let node = &graph.nodes()[id];
            let inputs: Vec<&Map> = node.inputs.iter().map(|input| &seen[input]).collect();
            let map = interpreter.node(id, &inputs);
            seen.insert(id, map);
        }
        for id in &group.writes {
            kept.insert(*id, seen[id].clone());
        }
    }
    kept
}

/// Checks that groups are valid and store the maps of the graph bit by bit.
fn assert_groups_compute_the_graph(graph: &Graph, weights: &Weights, photo: &Frame) {
    let rounding = Rounding::none(Variant::Baseline);
    let interpreter = Interpreter::new(graph, weights, photo, rounding);
    let mut maps = Vec::new();
    interpreter.walk(|_, map| maps.push(map.clone()));
    for &level in Variant::ALL {
        let groups = fusion::group(graph, level).expect("groups");
        check(graph, &groups).unwrap_or_else(|violation| panic!("{level:?}: {violation}"));
        let kept = walk_groups(graph, &groups, &interpreter);
        for (id, map) in &kept {
            assert_eq!(map, &maps[*id], "{level:?}: {}", graph.nodes()[*id].name);
        }
        let outputs = graph.nodes().iter().enumerate();
        for (id, node) in outputs.filter(|(_, node)| node.op.class() == Class::Output) {
            assert!(kept.contains_key(&id), "{level:?}: {}", node.name);
        }
    }
}

fn specs() -> Vec<NetworkSpec> {
    let odd = Kernels { first: 5, down: [5, 3], residual: 3, up: [3, 5], last: 7 };
    vec![
        NetworkSpec { blocks: 2, ..NetworkSpec::with_widths([4, 5, 6]) },
        NetworkSpec { blocks: 1, kernels: odd, ..NetworkSpec::with_widths([3, 4, 4]) },
    ]
}

#[test]
fn groups_of_the_network_compute_it() {
    for spec in specs() {
        let network = spec.random(8).expect("valid");
        let photo = photo(11, 14);
        assert_groups_compute_the_graph(network.graph(), network.weights(), &photo);
    }
}

#[test]
fn fusion_happens() {
    let spec = NetworkSpec::with_widths([32, 64, 128]);
    let graph = spec.graph().expect("a graph");
    let count = |level| fusion::group(&graph, level).expect("groups").len();
    let (convs, norms) = (16, 15);
    // Photo, picture, two upsamplings; padding and convolution; statistics, norm, ReLU or sum.
    assert_eq!(count(Variant::Baseline), 4 + 2 * convs + 3 * norms);
    assert_eq!(count(Variant::FusedNorm), 4 + 2 * convs + norms);
    assert_eq!(count(Variant::Fused), convs);
    // The residual stream is stored where a block begins, by the group that computes it.
    let groups = fusion::group(&graph, Variant::Fused).expect("groups");
    let keeps = |layer: &str| {
        let of_layer = |group: &&Group| graph.nodes()[group.op].name == layer;
        groups
            .iter()
            .find(of_layer)
            .expect("a group")
            .writes
            .iter()
            .map(|&id| graph.nodes()[id].name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(keeps("res1.conv1"), ["conv3.relu", "res1.conv1", "res1.conv1.statistics"]);
    assert_eq!(keeps("res2.conv1")[0], "res1.conv2.add");
    assert_eq!(keeps("deconv1"), ["deconv1", "deconv1.statistics"]);
    assert_eq!(keeps("deconv3"), ["deconv3.picture"]);
}

#[test]
fn wrong_groups_are_found() {
    let spec = specs()[0];
    let graph = spec.graph().expect("a graph");
    let groups = fusion::group(&graph, Variant::Fused).expect("groups");
    let violation = |change: &dyn Fn(&mut Vec<Group>)| {
        let mut changed = groups.clone();
        change(&mut changed);
        check(&graph, &changed).expect_err("a wrong grouping")
    };
    let missing = violation(&|groups| {
        groups.pop();
    });
    assert!(matches!(missing, Violation::Missing(_)), "{missing}");
    let early = violation(&|groups| groups.swap(2, 3));
    assert!(matches!(early, Violation::TooEarly { .. }), "{early}");
    let unwritten = violation(&|groups| {
        groups[3].writes.clear();
    });
    assert!(matches!(unwritten, Violation::TooEarly { .. }), "{unwritten}");
    let twice = violation(&|groups| {
        let again = groups[0].clone();
        groups.push(again);
    });
    assert!(matches!(twice, Violation::Repeated(_)), "{twice}");
    let unread = violation(&|groups| {
        groups[1].reads.clear();
    });
    assert!(matches!(unread, Violation::NotWritten(_)), "{unread}");
}

/// A random graph of maps with three channels. Each step picks an operation and its inputs among earlier maps, so that
/// any number of nodes may read a map.
fn random_graph(choices: &[(u8, usize, usize)]) -> (Graph, Weights) {
    let mut graph = Graph::default();
    let mut weights = Weights::default();
    let photo = graph.add("photo", "", Op::Photo, &[]).expect("no inputs");
    // Maps with the number of times that they have been doubled minus the number of times that they have been halved.
    let mut maps: Vec<(NodeId, i32)> = vec![(photo, 0)];
    for (step, &(what, a, b)) in choices.iter().enumerate() {
        let (x, scale) = maps[a % maps.len()];
        let name = format!("n{step}");
        let mut add = |name: &str, op, inputs: &[NodeId]| {
            graph.add(name, "", op, inputs).expect("earlier nodes")
        };
        let values = |count: usize, seed: usize| -> Vec<f32> {
            let value = |i: usize| ((i * 31 + seed * 17) % 23) as f32 / 23.0 - 0.4;
            (0..count).map(value).collect()
        };
        match what % 6 {
            0 | 1 => {
                let padded = add(&format!("{name}.pad"), Op::reflect(1), &[x]);
                let op = Op::Conv2d(Conv::square(3, 3, 3, 1));
                let conv = add(&name, op, &[padded]);
                let own = NodeWeights { weight: values(81, step), bias: values(3, step) };
                *weights.of_mut(&name) = own;
                maps.push((conv, scale));
            }
            2 => {
                let statistics = add(&format!("{name}.statistics"), Op::InstanceStatistics, &[x]);
                let norm = add(&name, Op::InstanceNorm { eps: 1e-5 }, &[x, statistics]);
                let own = NodeWeights { weight: values(3, step), bias: values(3, step + 1) };
                *weights.of_mut(&name) = own;
                maps.push((norm, scale));
            }
            3 => maps.push((add(&name, Op::Relu, &[x]), scale)),
            4 => {
                let fitting: Vec<NodeId> =
                    maps.iter().filter(|(_, other)| *other == scale).map(|(id, _)| *id).collect();
                let y = fitting[b % fitting.len()];
                maps.push((add(&name, Op::Add, &[x, y]), scale));
            }
            _ if scale < 1 => maps.push((add(&name, Op::Upsample, &[x]), scale + 1)),
            _ => {}
        }
    }
    // Every map without a reader becomes an output of the network.
    let readers = graph.readers();
    for (id, readers) in readers.iter().enumerate() {
        if readers.is_empty() && id > 0 {
            graph.add(&format!("picture{id}"), "", Op::Picture, &[id]).expect("an earlier node");
        }
    }
    (graph, weights)
}

proptest! {
    #[test]
    fn groups_of_random_graphs_compute_them(
        choices in prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>()), 1..24)
    ) {
        let (graph, weights) = random_graph(&choices);
        let photo = photo(5, 4);
        prop_assert!(graph.shapes(4, 5).is_ok());
        assert_groups_compute_the_graph(&graph, &weights, &photo);
    }
}
