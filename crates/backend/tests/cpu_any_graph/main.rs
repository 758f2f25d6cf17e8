//! The CPU backend runs any graph: random graphs of all operations, compared with the oracle.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod growing;
#[path = "../../../../tests/support/home.rs"]
mod home;
mod tokens;

use std::{collections::BTreeSet, mem::discriminant, sync::Arc};

use backend::{Backend, BackendError, Job, RunControl, SessionSpec, cpu::CpuBackend};
use network::{
    Network,
    graph::{Arithmetic, Conv, Function, Graph, Node, Op, PadMode, Sides},
};
use oracle::Map;
use proptest::prelude::*;
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
    tensor::{Shape, Tensor},
};

use growing::{Growing, random_graph, random_graph_on_maps};

/// Maximum error relative to the largest value.
const TOLERANCE: f64 = 1e-4;

fn photo((width, height): (usize, usize)) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        [(x * 37 + y * 5) as u8, (y * 53 + x) as u8, (x * y * 7) as u8, 255]
    })
}

/// Largest error of the CPU's picture relative to the largest value.
fn error(backend: &CpuBackend, network: &Arc<Network>, photo: &Frame, variant: Variant) -> f64 {
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = backend.open(network, &spec).expect("a session");
    let inspected = session.inspect().expect("a look into it");
    let painted = inspected.run_tensor(photo, &RunControl::default(), None).expect("a run");
    let judged = oracle::judge(network, photo).output;
    largest_error(&painted, &judged)
}

fn largest_error(painted: &Tensor, judged: &Map) -> f64 {
    assert_eq!(painted.data.len(), judged.data.len());
    let largest = judged.data.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
    let off = painted.data.iter().zip(&judged.data).map(|(&a, b)| (f64::from(a) - b).abs());
    // NaN must not count as no error.
    off.fold(0.0, |most: f64, off| if off <= most { most } else { off }) / largest
}

/// Maps for a graph that takes maps as inputs.
fn input_maps(graph: &Graph, (width, height): (usize, usize)) -> Vec<Tensor> {
    let map = |(input, channels): (usize, usize)| {
        let shape = Shape::new(channels, height, width);
        let value = |i: usize| ((i * 37 + input * 11) % 101) as f32 / 50.0 - 1.0;
        Tensor { shape, data: (0..shape.len()).map(value).collect() }
    };
    graph.inputs().map(map).collect()
}

/// Like [`error`], for a graph that takes maps as inputs.
fn error_on_maps(
    backend: &CpuBackend,
    network: &Arc<Network>,
    size: (usize, usize),
    variant: Variant,
) -> f64 {
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(size.0, size.1, mode);
    let mut session = backend.open(network, &spec).expect("a session");
    let maps = input_maps(network.graph(), size);
    let inspected = session.inspect().expect("a look into it");
    let made = inspected.run_maps(&maps).expect("a run");
    let doubled = maps.iter().map(|map| Map {
        channels: map.shape.channels,
        height: map.shape.height,
        width: map.shape.width,
        data: map.data.iter().map(|&v| f64::from(v)).collect(),
    });
    let judged = oracle::judge_maps(network, &doubled.collect::<Vec<_>>()).expect("a run");
    largest_error(&made, &judged)
}

/// One line per node.
fn described(graph: &Graph) -> String {
    let nodes = graph.nodes().iter();
    let line = |node: &Node| format!("{} {:?} {:?}\n", node.name, node.op, node.inputs);
    nodes.map(line).collect()
}

const PHOTOS: [(usize, usize); 4] = [(9, 7), (1, 1), (37, 23), (5, 14)];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_graph_is_computed(
        numbers in prop::collection::vec(any::<u16>(), 60..160),
        size in 0usize..PHOTOS.len(),
        steps in 1usize..12,
        is_fused in any::<bool>(),
    ) {
        let variant = if is_fused { Variant::Fused } else { Variant::Baseline };
        let graph = random_graph(&numbers, PHOTOS[size], steps);
        let network = Arc::new(Network::random(graph.clone(), 5).expect("all weights"));
        let backend = CpuBackend::new(Some(1)).expect("a thread");
        let error = error(&backend, &network, &photo(PHOTOS[size]), variant);
        prop_assert!(error < TOLERANCE, "{variant} {:?} {error}\n{}", PHOTOS[size], described(&graph));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_graph_on_maps_is_computed(
        numbers in prop::collection::vec(any::<u16>(), 60..160),
        size in 0usize..PHOTOS.len(),
        steps in 0usize..8,
        is_fused in any::<bool>(),
    ) {
        let variant = if is_fused { Variant::Fused } else { Variant::Baseline };
        let graph = random_graph_on_maps(&numbers, PHOTOS[size], steps);
        let network = Arc::new(Network::random(graph.clone(), 5).expect("all weights"));
        let backend = CpuBackend::new(Some(1)).expect("a thread");
        let error = error_on_maps(&backend, &network, PHOTOS[size], variant);
        prop_assert!(error < TOLERANCE, "{variant} {:?} {error}\n{}", PHOTOS[size], described(&graph));
    }
}

/// Size of the photo of the fixed graphs; its sides can be divided.
const FIXED: (usize, usize) = (18, 12);

/// Graphs that together contain every operation, the same in every run.
fn fixed_graphs(photo: (usize, usize)) -> impl Iterator<Item = Graph> {
    (0..80u64).map(move |seed| {
        // SplitMix64.
        let number = |i: u64| {
            let mut z = (seed * 1009 + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (z ^ (z >> 27)) as u16
        };
        let numbers: Vec<u16> = (0..120).map(number).collect();
        random_graph(&numbers, photo, 9)
    })
}

#[test]
fn every_operation_is_among_the_fixed_graphs() {
    let mut seen = BTreeSet::new();
    let mut on_maps = Growing::on_maps(FIXED, &[4]);
    let constant = Op::Constant(Shape::new(4, 1, 1));
    on_maps.add(constant, &[]).expect("no inputs");
    for graph in fixed_graphs(FIXED).chain([on_maps.graph]) {
        for node in graph.nodes() {
            let kind = format!("{:?}", discriminant(&node.op));
            seen.insert(kind);
        }
    }
    assert_eq!(seen.len(), 28, "{seen:?}");
}

#[test]
fn every_instruction_set_computes_any_graph() {
    let photo = photo(FIXED);
    for backend in CpuBackend::for_each_instruction_set(Some(2)).expect("threads") {
        for graph in fixed_graphs(FIXED) {
            let network = Arc::new(Network::random(graph, 3).expect("all weights"));
            for variant in [Variant::Baseline, Variant::Fused] {
                let error = error(&backend, &network, &photo, variant);
                let instructions = backend.device().instructions;
                assert!(
                    error < TOLERANCE,
                    "{instructions} {variant} {error}\n{}",
                    described(network.graph())
                );
            }
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_again() {
    let size = (70, 45);
    let photo = photo(size);
    let painted = |graph: &Graph, variant, threads| {
        let network = Arc::new(Network::random(graph.clone(), 8).expect("all weights"));
        let backend = CpuBackend::new(Some(threads)).expect("threads");
        let spec = SessionSpec::single(size.0, size.1, Mode::new(variant, Precision::Fp32));
        let mut session = backend.open(&network, &spec).expect("a session");
        let session = session.inspect().expect("a look into it");
        let first = session.run_tensor(&photo, &RunControl::default(), None).expect("a run");
        let again = session.run_tensor(&photo, &RunControl::default(), None).expect("a run");
        assert!(first == again, "a second run differs\n{}", described(graph));
        first
    };
    for graph in fixed_graphs(size).take(20) {
        for variant in [Variant::Baseline, Variant::Fused] {
            let one = painted(&graph, variant, 1);
            assert!(
                one == painted(&graph, variant, 3),
                "{variant}: threads change the bits\n{}",
                described(&graph)
            );
        }
    }
}

/// Channels are stored in groups of sixteen. The padding channels must not become NaN or infinite, or enter a sum.
#[test]
fn channels_that_are_only_stored_reach_nothing() {
    let mut growing = Growing::new((9, 7));
    let mut x = growing.maps[0];
    let around = Op::Pad { mode: PadMode::Constant(0.5), sides: Sides::all(1) };
    for _ in 0..3 {
        let conv = Op::Conv2d(Conv::square(growing.channels(x), 5, 3, 1));
        let padded = growing.add(around, &[x]).expect("fits");
        let conv = growing.add(conv, &[padded]).expect("fits");
        // Two nodes read it, so it is stored, with zeros after its five channels.
        let positive = Op::Function(Function::Sigmoid);
        let positive = growing.add(positive, &[conv]).expect("fits");
        let inverse = Op::Function(Function::Reciprocal);
        x = growing.add(inverse, &[positive]).expect("fits");
        let quotient = Op::Combine(Arithmetic::Quotient);
        let quotient = growing.add(quotient, &[x, positive]).expect("fits");
        growing.maps.extend([x, quotient]);
    }
    let graph = growing.finished();
    let network = Arc::new(Network::random(graph, 4).expect("all weights"));
    let backend = CpuBackend::new(Some(1)).expect("a thread");
    for variant in [Variant::Baseline, Variant::Fused] {
        let error = error(&backend, &network, &photo((9, 7)), variant);
        assert!(error < TOLERANCE, "{variant}: {error}");
    }
}

#[test]
fn a_session_refuses_what_its_network_does_not_read() {
    let backend = CpuBackend::new(Some(1)).expect("a thread");
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    let spec = SessionSpec::single(FIXED.0, FIXED.1, mode);
    let open = |graph: Graph| {
        let network = Arc::new(Network::random(graph, 4).expect("all weights"));
        backend.open(&network, &spec).expect("a session")
    };
    let on_maps = Growing::on_maps(FIXED, &[5, 2]).graph;
    let maps = input_maps(&on_maps, FIXED);
    let mut session = open(on_maps);
    let session = session.inspect().expect("a look into it");
    let error = session.run_maps(&maps[..1]).expect_err("one is missing");
    let text =
        "this session needs maps of 5 x 12 x 18 and 2 x 12 x 18 and got a map of 5 x 12 x 18";
    assert_eq!(error.to_string(), text);
    let photo = photo(FIXED);
    let refused = |error: BackendError| matches!(error, BackendError::WrongInputs { .. });
    assert!(refused(
        session.run_tensor(&photo, &RunControl::default(), None).expect_err("a photo")
    ));
    let mut painted = photo.clone();
    let control = RunControl::default();
    let error =
        session.run(Job::frames(&[&photo], std::slice::from_mut(&mut painted)), &control, None);
    assert!(refused(error.expect_err("a photo")));
    let mut session = open(Growing::new(FIXED).finished());
    let session = session.inspect().expect("a look into it");
    assert!(refused(session.run_maps(&maps).expect_err("no photo")));
}

#[test]
fn pictures_are_clamped_rounded_and_cropped() {
    let mut growing = Growing::new((7, 5));
    let conv = Op::Conv2d(Conv::square(3, 3, 3, 1));
    let pad = Op::Pad { mode: PadMode::Replicate, sides: Sides::all(2) };
    // Larger than the photo on two sides.
    let padded = growing.add(pad, &[0]).expect("fits");
    let rgb = growing.add(conv, &[padded]).expect("fits");
    growing.add(Op::Picture, &[rgb]).expect("three channels");
    let network = Arc::new(Network::random(growing.graph, 4).expect("all weights"));
    let photo = photo((7, 5));
    let judged = oracle::judge(&network, &photo).picture(&photo);
    let backend = CpuBackend::new(Some(1)).expect("a thread");
    let refused = Mode::new(Variant::Fused, Precision::Int8);
    let error = backend
        .open(&network, &SessionSpec::single(7, 5, refused))
        .err()
        .expect("no norms")
        .to_string();
    assert!(error.contains("int8 needs a norm") && error.contains("choose fp32"), "{error}");
    for mode in backend.modes() {
        if mode == refused {
            continue;
        }
        let spec = SessionSpec::single(7, 5, mode);
        let mut session = backend.open(&network, &spec).expect("a session");
        let mut painted = photo.clone();
        let control = RunControl::default();
        session.paint(&photo, &mut painted, &control).expect("a run");
        assert_eq!(control.progress(), 1.0);
        assert!(painted == judged, "{mode}");
    }
}
