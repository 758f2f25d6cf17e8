//! Operations of transformers, which treat pixels as tokens: compared with the oracle, at sizes that are not multiples
//! of any tile.

use std::sync::Arc;

use backend::{Backend, cpu::CpuBackend};
use network::{
    Network,
    graph::{Conv, Function, Graph, NodeId, Op, Pool},
};
use values::mode::Variant;

use super::{TOLERANCE, described, error, photo};

/// A graph under construction.
struct Tokens(Graph);

impl Tokens {
    fn add(&mut self, op: Op, inputs: &[NodeId]) -> NodeId {
        let name = format!("n{}", self.0.nodes().len());
        self.0.add(&name, &name, op, inputs).expect("earlier nodes")
    }

    fn conv(&mut self, from: NodeId, channels: (usize, usize)) -> NodeId {
        let conv = Conv::square(channels.0, channels.1, 1, 1);
        self.add(Op::Conv2d(conv), &[from])
    }
}

/// A picture of attention, positions, norm and GELU. Keys and values come from a map that is smaller by the factor
/// `times`.
fn of_tokens(heads: usize, size: usize, times: usize) -> Graph {
    let mut graph = Tokens(Graph::default());
    let channels = heads * size;
    let photo = graph.add(Op::Photo, &[]);
    let scaled = Function::HardSigmoid { alpha: 1.0 / 256.0, beta: 0.0 };
    let scaled = graph.add(Op::Function(scaled), &[photo]);
    let tokens = graph.conv(scaled, (3, channels));
    let placed = graph.add(Op::Positions, &[tokens]);
    let normed = graph.add(Op::LayerNorm { eps: 1e-5 }, &[placed]);
    let all = graph.conv(normed, (channels, 3 * channels));
    let other = match times {
        1 => all,
        _ => {
            let mean = Op::AveragePool { pool: Pool::blocks(times), counts_padding: false };
            graph.add(mean, &[all])
        }
    };
    let parts = [(all, 0), (other, 1), (other, 2)].map(|(of, part)| {
        let slice = Op::Channels { first: part * channels, count: channels };
        graph.add(slice, &[of])
    });
    let answered = graph.add(Op::Attention { heads }, &parts);
    let added = graph.add(Op::Add, &[answered, placed]);
    let bent = graph.add(Op::Function(Function::Gelu), &[added]);
    let rgb = graph.conv(bent, (channels, 3));
    graph.add(Op::Picture, &[rgb]);
    graph.0
}

/// Heads, channels of a head, size of the map, and the factor by which there are fewer keys.
const CASES: [(usize, usize, (usize, usize), usize); 7] = [
    (1, 8, (1, 1), 1),
    (3, 4, (5, 3), 1),
    (2, 24, (17, 16), 2),
    (3, 32, (37, 23), 1),
    (2, 64, (19, 14), 3),
    (1, 128, (9, 7), 1),
    // More keys than are processed at once.
    (1, 20, (31, 29), 1),
];

#[test]
fn every_instruction_set_computes_attention() {
    for backend in CpuBackend::for_each_instruction_set(Some(2)).expect("threads") {
        for (heads, size, pixels, pooled) in CASES {
            let graph = of_tokens(heads, size, pooled);
            let network = Arc::new(Network::random(graph, 6).expect("all weights"));
            for variant in [Variant::Baseline, Variant::Fused] {
                let error = error(&backend, &network, &photo(pixels), variant);
                assert!(
                    error < TOLERANCE,
                    "{} {variant} {heads} x {size} {pixels:?}: {error}\n{}",
                    backend.device().instructions,
                    described(network.graph())
                );
            }
        }
    }
}

/// Scores that differ by hundreds: the softmax is computed relative to the largest.
#[test]
fn one_key_may_have_all_the_weight() {
    let graph = of_tokens(2, 32, 1);
    let mut weights = Network::random(graph.clone(), 9).expect("all weights").weights().clone();
    let conv = graph
        .nodes()
        .iter()
        .filter(|node| matches!(node.op, Op::Conv2d(_)))
        .nth(1)
        .expect("queries, keys and values");
    weights.of_mut(&conv.name).weight.iter_mut().for_each(|w| *w *= 20.0);
    let network = Arc::new(Network::new(graph, weights).expect("the same"));
    let backend = CpuBackend::new(Some(1)).expect("a thread");
    for variant in [Variant::Baseline, Variant::Fused] {
        let error = error(&backend, &network, &photo((31, 17)), variant);
        assert!(error < TOLERANCE, "{variant}: {error}");
    }
}
