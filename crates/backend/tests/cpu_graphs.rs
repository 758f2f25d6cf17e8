//! The CPU backend against the oracle on random graphs of the operations of Johnson's network. Some are planned with
//! the kernels for that network, the others with general kernels. `cpu_any_graph` covers all operations.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../tests/support/home.rs"]
mod home;

use std::sync::Arc;

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use network::{
    Network,
    graph::{Conv, Graph, Node, NodeId, Op},
};
use proptest::prelude::*;
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
};

/// Large enough that no rounding error is amplified much.
const EPS: f64 = 0.1;

fn photo() -> Frame {
    Frame::from_fn(9, 7, |x, y| [(x * 37 + y) as u8, (y * 53) as u8, (x * y * 7) as u8, 255])
}

/// A graph under construction whose last map can always be read.
#[derive(Default)]
struct Growing {
    graph: Graph,
    layer: String,
    /// Maps with their channels and the number of times that they have been doubled.
    maps: Vec<(NodeId, usize, u32)>,
}

impl Growing {
    fn add(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> NodeId {
        self.graph.add(name, &self.layer, op, inputs).expect("earlier nodes")
    }

    fn conv(
        &mut self,
        name: &str,
        from: NodeId,
        channels: (usize, usize),
        kernel_px: usize,
    ) -> NodeId {
        self.layer = name.to_owned();
        let margin_px = kernel_px / 2;
        let pad = self.add(&format!("{name}.pad"), Op::reflect(margin_px), &[from]);
        let op = Op::Conv2d(Conv::square(channels.0, channels.1, kernel_px, 1));
        self.add(name, op, &[pad])
    }
}

/// A graph in which each choice selects an operation and how many maps back it reads.
fn random_graph(choices: &[(u8, usize, usize)]) -> Graph {
    let mut growing = Growing::default();
    let photo = growing.add("photo", Op::Photo, &[]);
    growing.maps.push((photo, 3, 0));
    for (step, &(what, a, b)) in choices.iter().enumerate() {
        let back = |by: usize| growing.maps.len() - 1 - by % growing.maps.len();
        let (x, channels, scale) = growing.maps[back(a)];
        let (y, y_channels, y_scale) = growing.maps[back(b)];
        let name = format!("n{step}");
        let made = match what % 6 {
            0 | 1 => {
                let out = [3, 5, 16, 18][b % 4];
                (growing.conv(&name, x, (channels, out), [1, 3][a % 2]), out, scale)
            }
            2 => {
                let statistics =
                    growing.add(&format!("{name}.statistics"), Op::InstanceStatistics, &[x]);
                let norm = growing.add(&name, Op::InstanceNorm { eps: EPS }, &[x, statistics]);
                (norm, channels, scale)
            }
            3 => (growing.add(&name, Op::Relu, &[x]), channels, scale),
            4 if (channels, scale) == (y_channels, y_scale) => {
                (growing.add(&name, Op::Add, &[x, y]), channels, scale)
            }
            5 if scale < 1 => (growing.add(&name, Op::Upsample, &[x]), channels, scale + 1),
            _ => continue,
        };
        growing.maps.push(made);
    }
    let (last, channels, _) = growing.maps[growing.maps.len() - 1];
    let rgb = growing.conv("last", last, (channels, 3), 3);
    growing.add("picture", Op::Picture, &[rgb]);
    growing.graph
}

/// Largest error of the CPU's picture relative to the largest value.
fn error(graph: Graph, variant: Variant) -> f64 {
    let network = Arc::new(Network::random(graph, 5).expect("all weights"));
    let photo = photo();
    let backend = CpuBackend::new(Some(1)).expect("a thread");
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = backend.open(&network, &spec).expect("a session");
    let inspected = session.inspect().expect("a look into it");
    let painted = inspected.run_tensor(&photo, &RunControl::default(), None).expect("a run");
    let judged = oracle::judge(&network, &photo).output;
    let largest = judged.data.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
    let off = painted
        .data
        .iter()
        .zip(&judged.data)
        .map(|(&a, b)| (f64::from(a) - b).abs())
        .fold(0.0, f64::max);
    off / largest
}

/// One line per node.
fn described(graph: &Graph) -> String {
    let nodes = graph.nodes().iter();
    let line = |node: &Node| format!("{} {:?} {:?}\n", node.name, node.op, node.inputs);
    nodes.map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_graphs_are_computed(
        choices in prop::collection::vec((any::<u8>(), 0usize..3, 0usize..4), 1..12),
        is_fused in any::<bool>(),
    ) {
        let variant = if is_fused { Variant::Fused } else { Variant::Baseline };
        let graph = random_graph(&choices);
        let error = error(graph.clone(), variant);
        prop_assert!(error < 1e-4, "{variant} {error}\n{}", described(&graph));
    }
}

#[test]
fn graphs_unlike_any_network_are_computed() {
    let conv_op = |i, o, k, s| Op::Conv2d(Conv::square(i, o, k, s));
    let norm = |g: &mut Growing, name: &str, x: NodeId| {
        let s = g.add(&format!("{name}.s"), Op::InstanceStatistics, &[x]);
        g.add(name, Op::InstanceNorm { eps: EPS }, &[x, s])
    };
    let finish = |g: &mut Growing, x: NodeId, c: usize| {
        let rgb = g.conv("last", x, (c, 3), 3);
        g.add("picture", Op::Picture, &[rgb]);
    };
    let mut all: Vec<(&str, Graph)> = Vec::new();
    let mut case = |name: &'static str, make: &dyn Fn(&mut Growing, NodeId)| {
        let mut g = Growing::default();
        let photo = g.add("photo", Op::Photo, &[]);
        make(&mut g, photo);
        all.push((name, g.graph));
    };
    case("raw skip", &|g, p| {
        let c = g.conv("c1", p, (3, 16), 3);
        let n = norm(g, "n1", c);
        let y = g.add("y", Op::Add, &[c, n]);
        finish(g, y, 16);
    });
    case("two norms of one conv", &|g, p| {
        let c = g.conv("c1", p, (3, 16), 3);
        let s = g.add("s", Op::InstanceStatistics, &[c]);
        let a = g.add("na", Op::InstanceNorm { eps: EPS }, &[c, s]);
        let b = g.add("nb", Op::InstanceNorm { eps: EPS }, &[c, s]);
        let a = g.add("ra", Op::Relu, &[a]);
        let b = g.add("rb", Op::Relu, &[b]);
        for (last, from) in [("last1", a), ("last2", b)] {
            let rgb = g.conv(last, from, (16, 3), 3);
            g.add(&format!("{last}.picture"), Op::Picture, &[rgb]);
        }
    });
    case("an unused convolution", &|g, p| {
        g.conv("c1", p, (3, 16), 3);
        let rgb = g.conv("last", p, (3, 3), 3);
        g.add("picture", Op::Picture, &[rgb]);
        g.conv("c2", p, (3, 16), 3);
    });
    case("statistics of another", &|g, p| {
        let c1 = g.conv("c1", p, (3, 16), 3);
        let c2 = g.conv("c2", p, (3, 16), 3);
        let s1 = g.add("s1", Op::InstanceStatistics, &[c1]);
        let n = g.add("n", Op::InstanceNorm { eps: EPS }, &[c2, s1]);
        let r = g.add("r", Op::Relu, &[n]);
        finish(g, r, 16);
    });
    case("two pads", &|g, p| {
        g.layer = "c1".to_owned();
        let a = g.add("pa", Op::reflect(1), &[p]);
        let a = g.add("pb", Op::reflect(1), &[a]);
        let c = g.add("c1", conv_op(3, 16, 5, 1), &[a]);
        let n = norm(g, "n", c);
        let r = g.add("r", Op::Relu, &[n]);
        finish(g, r, 16);
    });
    case("no pad", &|g, p| {
        g.layer = "c1".to_owned();
        let c = g.add("c1", conv_op(3, 16, 3, 1), &[p]);
        let n = norm(g, "n", c);
        let r = g.add("r", Op::Relu, &[n]);
        let c = g.add("c2", conv_op(16, 16, 3, 1), &[r]);
        let n = norm(g, "n2", c);
        let r = g.add("r2", Op::Relu, &[n]);
        g.layer = "last".to_owned();
        let a = g.add("pa", Op::reflect(3), &[r]);
        let c = g.add("last", conv_op(16, 3, 3, 1), &[a]);
        g.add("picture", Op::Picture, &[c]);
    });
    for k in [2usize, 3, 4] {
        case(["even 2", "wide 3", "even 4"][k - 2], &move |g, p| {
            let mut x = p;
            let mut channels = 3;
            for (name, out) in [("c1", 16), ("c2", 16)] {
                g.layer = name.to_owned();
                let a = g.add(&format!("{name}.p"), Op::reflect(2), &[x]);
                let c = g.add(name, conv_op(channels, out, k, 1), &[a]);
                let n = norm(g, &format!("{name}.n"), c);
                x = g.add(&format!("{name}.r"), Op::Relu, &[n]);
                channels = out;
            }
            finish(g, x, 16);
        });
    }
    case("stride 3", &|g, p| {
        g.layer = "c1".to_owned();
        let a = g.add("p", Op::reflect(2), &[p]);
        let c = g.add("c1", conv_op(3, 16, 5, 3), &[a]);
        let n = norm(g, "n", c);
        let r = g.add("r", Op::Relu, &[n]);
        let u = g.add("u", Op::Upsample, &[r]);
        let c = g.conv("c2", u, (16, 16), 3);
        let n = norm(g, "n2", c);
        let r = g.add("r2", Op::Relu, &[n]);
        let u = g.add("u2", Op::Upsample, &[r]);
        finish(g, u, 16);
    });
    case("picture and norm of one conv", &|g, p| {
        let c = g.conv("c1", p, (3, 3), 3);
        let n = norm(g, "n", c);
        let r = g.add("r", Op::Relu, &[n]);
        let c2 = g.conv("c2", r, (3, 3), 3);
        g.add("early", Op::Picture, &[c]);
        g.add("picture", Op::Picture, &[c2]);
    });
    case("photo doubled", &|g, p| {
        let u = g.add("u", Op::Upsample, &[p]);
        let c = g.conv("c1", u, (3, 16), 3);
        let n = norm(g, "n", c);
        let r = g.add("r", Op::Relu, &[n]);
        finish(g, r, 16);
    });
    case("photo to picture", &|g, p| {
        let rgb = g.conv("last", p, (3, 3), 3);
        g.add("picture", Op::Picture, &[rgb]);
    });
    case("bare picture", &|g, p| {
        g.add("picture", Op::Picture, &[p]);
    });
    case("upsampled picture conv without norm before", &|g, p| {
        let c = g.conv("c1", p, (3, 16), 3);
        let n = norm(g, "n", c);
        let u = g.add("u", Op::Upsample, &[n]);
        finish(g, u, 16);
    });
    for (name, graph) in all {
        for variant in [Variant::Baseline, Variant::Fused] {
            let error = error(graph.clone(), variant);
            assert!(error < 1e-4, "{name}, {variant}: {error}");
        }
    }
}
