//! No graph makes a planner or a device access memory outside its own, at any size of the photo.
//!
//! `STYLEFORGE_GRAPHS=1000000 cargo test --release --test hostile_graphs` tries a million random graphs. The fuzz
//! target `graphs` tries the same kinds with the address sanitizer.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/hostile_graphs.rs"]
mod hostile;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use hostile::{DEVICES, Draw, Outcome, try_graph};
use network::{
    Network,
    graph::{
        Arithmetic, BlockOrder, Conv, Graph, GraphError, Node, NodeId, Op, PadMode, Pool, Sides,
        resize::{Coordinates, Interpolation, Resize, Rounding, Target},
    },
};
use plan::{
    arena::{self, Lifetime},
    cpu::{CpuPlan, CpuVariant},
    cuda::CudaPlan,
};
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
};

/// Default number of graphs in a run.
const GRAPHS: u64 = 4000;
/// Number of bytes from which a graph is drawn.
const BYTES: usize = 256;

/// SplitMix64.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let numbers = (0..BYTES / 8).flat_map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    });
    numbers.collect()
}

#[test]
fn random_graphs_end_with_a_picture_or_an_error() {
    let chosen = std::env::var("STYLEFORGE_GRAPHS").ok();
    let count = chosen.map_or(GRAPHS, |count| count.parse().expect("a number of graphs"));
    let threads = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let backends =
                        CpuBackend::for_each_instruction_set(Some(1)).expect("a thread each");
                    let mut counts = [0u64; 3];
                    for seed in (first..count).step_by(threads as usize) {
                        let numbers = bytes(seed);
                        let tried = catch_unwind(AssertUnwindSafe(|| {
                            try_graph(&mut Draw(numbers.iter()), &DEVICES, &backends)
                        }));
                        let outcome = tried.unwrap_or_else(|_| {
                            let (graph, _) = hostile::graph(&mut Draw(numbers.iter()));
                            panic!("graph {seed}: {graph:?}")
                        });
                        counts[outcome as usize] += 1;
                    }
                    counts
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no finding")).collect::<Vec<_>>()
    });
    let sum = |outcome: Outcome| counts.iter().map(|of| of[outcome as usize]).sum::<u64>();
    let (refused, planned) = (sum(Outcome::Refused), sum(Outcome::Planned));
    let painted = sum(Outcome::Painted);
    println!("{count} graphs: {refused} refused, {planned} only planned, {painted} painted");
    assert!(painted > count / 10, "too few graphs are painted for this test to mean anything");
}

fn add(graph: &mut Graph, op: Op, inputs: &[NodeId]) -> NodeId {
    let name = format!("n{}", graph.nodes().len());
    graph.add(&name, "", op, inputs).expect("a valid node")
}

/// A convolution of the photo, a norm and a ReLU.
fn first_layer(graph: &mut Graph) -> NodeId {
    let photo = add(graph, Op::Photo, &[]);
    layer(graph, photo, 1, Conv::square(3, 16, 3, 1))
}

fn layer(graph: &mut Graph, from: NodeId, margin: usize, conv: Conv) -> NodeId {
    let padded = add(graph, Op::reflect(margin), &[from]);
    let conv = add(graph, Op::Conv2d(conv), &[padded]);
    let statistics = add(graph, Op::InstanceStatistics, &[conv]);
    let norm = add(graph, Op::InstanceNorm { eps: 1e-5 }, &[conv, statistics]);
    add(graph, Op::Relu, &[norm])
}

fn picture(graph: &mut Graph, from: NodeId, margin: usize, conv: Conv) {
    let padded = add(graph, Op::reflect(margin), &[from]);
    let conv = add(graph, Op::Conv2d(conv), &[padded]);
    add(graph, Op::Picture, &[conv]);
}

fn photo(width: usize, height: usize, seed: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        [(x * 37 + y * 5 * seed) as u8, (y * 53 + x) as u8, (x * y * seed) as u8, 255]
    })
}

/// Paints several photos one after another in one session and compares each picture with the oracle's.
fn is_painted_right(graph: &Graph, width: usize, height: usize) {
    let network = Arc::new(Network::random(graph.clone(), 5).expect("all weights"));
    for backend in CpuBackend::for_each_instruction_set(Some(1)).expect("a thread each") {
        let mode = Mode::new(Variant::Fused, Precision::Fp32);
        let spec = SessionSpec::single(width, height, mode);
        let mut session = backend.open(&network, &spec).expect("a session");
        for seed in [1, 3] {
            let photo = photo(width, height, seed);
            let inspected = session.inspect().expect("a look into it");
            let painted =
                inspected.run_tensor(&photo, &RunControl::default(), None).expect("a run");
            let judged = oracle::judge(&network, &photo).output;
            let largest = judged.data.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
            let off = painted
                .data
                .iter()
                .zip(&judged.data)
                .fold(0.0, |most: f64, (&a, b)| most.max((f64::from(a) - b).abs()));
            assert!(off < 1e-3 * largest, "{off} of {largest}");
        }
    }
}

/// A picture convolution of stride 2 over a doubled map: the picture kernel loads rows for stride 1.
#[test]
fn a_picture_convolution_that_strides_is_computed_by_other_kernels() {
    let mut graph = Graph::default();
    let first = first_layer(&mut graph);
    let doubled = add(&mut graph, Op::Upsample, &[first]);
    picture(&mut graph, doubled, 1, Conv::square(16, 3, 3, 2));
    for (width, height) in [(8, 8), (136, 9), (97, 33)] {
        is_painted_right(&graph, width, height);
    }
}

/// A map that is read by a residual sum and that a convolution of stride 2 loads first; that convolution's kernel does
/// not write all of it.
#[test]
fn a_kept_map_is_written_whole() {
    let mut graph = Graph::default();
    let kept = first_layer(&mut graph);
    let strided = layer(&mut graph, kept, 2, Conv::square(16, 16, 5, 2));
    let doubled = add(&mut graph, Op::Upsample, &[strided]);
    let padded = add(&mut graph, Op::reflect(1), &[doubled]);
    let conv = add(&mut graph, Op::Conv2d(Conv::square(16, 16, 3, 1)), &[padded]);
    let statistics = add(&mut graph, Op::InstanceStatistics, &[conv]);
    let norm = add(&mut graph, Op::InstanceNorm { eps: 1e-5 }, &[conv, statistics]);
    let sum = add(&mut graph, Op::Add, &[norm, kept]);
    picture(&mut graph, sum, 1, Conv::square(16, 3, 3, 1));
    is_painted_right(&graph, 24, 16);
}

/// Statistics are two values for each channel, not a map.
#[test]
fn only_norms_read_statistics() {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let statistics = add(&mut graph, Op::InstanceStatistics, &[photo]);
    let norm = Op::InstanceNorm { eps: 1e-5 };
    for (op, inputs) in [
        (Op::Channels { first: 0, count: 3 }, &[statistics][..]),
        (Op::Attention { heads: 1 }, &[photo, photo, statistics]),
        (Op::Combine(Arithmetic::Sum), &[photo, statistics]),
        (Op::Picture, &[statistics]),
        (norm, &[statistics, statistics]),
        (norm, &[photo, photo]),
    ] {
        let error = graph.add("reader", "", op, inputs);
        assert_eq!(error, Err(GraphError::Statistics { node: "reader".to_owned() }), "{op:?}");
    }
    add(&mut graph, norm, &[photo, statistics]);
}

/// A picture that is smaller than the photo, at every size, or only far from the sizes that a reader tries.
#[test]
fn a_picture_that_does_not_cover_the_photo_is_refused() {
    let mean = |graph: &mut Graph, photo| add(graph, Op::SpatialMean, &[photo]);
    let long = |graph: &mut Graph, photo| {
        let sides = Sides::all(83);
        let padded = add(graph, Op::Pad { mode: PadMode::Replicate, sides }, &[photo]);
        let target = Target::Scale([0.4; 2]);
        let (interpolation, coordinates) = (Interpolation::Linear, Coordinates::HalfPixel);
        add(graph, Op::Resize(Resize { interpolation, coordinates, target }), &[padded])
    };
    let low = |graph: &mut Graph, photo| {
        let interpolation = Interpolation::Nearest(Rounding::Floor);
        let coordinates = Coordinates::Asymmetric;
        let target = Target::Size([1, 16384]);
        add(graph, Op::Resize(Resize { interpolation, coordinates, target }), &[photo])
    };
    type Make<'a> = &'a dyn Fn(&mut Graph, NodeId) -> NodeId;
    let makers: [Make<'_>; 3] = [&mean, &long, &low];
    for make in makers {
        let mut graph = Graph::default();
        let photo = add(&mut graph, Op::Photo, &[]);
        let made = make(&mut graph, photo);
        add(&mut graph, Op::Picture, &[made]);
        let size = (9000, 24);
        let expected = GraphError::TooSmall { height: size.0, width: size.1 };
        assert_eq!(graph.for_photo(size.0, size.1), Err(expected.clone()));
        for variant in CpuVariant::ALL {
            let error = CpuPlan::new(&graph, size.0, size.1, variant).expect_err("too small");
            assert_eq!(error.to_string(), expected.to_string());
        }
        for mode in Mode::all() {
            assert!(CudaPlan::new(&graph, size, 1, mode, &DEVICES[2]).is_err());
        }
    }
    // If a larger photo produces a picture that is large enough, the photo is extended.
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let cut = add(&mut graph, Op::Crop(Sides::all(700)), &[photo]);
    add(&mut graph, Op::Picture, &[cut]);
    assert_eq!(graph.for_photo(9000, 24).map(|of| of.0), Ok((10400, 1424)));
}

/// Numbers from a file are checked against their limits before anything is computed from them.
#[test]
fn numbers_out_of_range_are_refused_before_they_are_used() {
    let order = BlockOrder::BlockFirst;
    let huge = usize::MAX;
    let zero = Conv { groups: 0, ..Conv::square(4, 3, 1, 1) };
    let pool = Pool { stride: [0; 2], ..Pool::blocks(2) };
    for op in [
        Op::DepthToSpace { block: 0, order },
        Op::DepthToSpace { block: huge, order },
        Op::SpaceToDepth { block: 0 },
        Op::SpaceToDepth { block: huge },
        Op::Channels { first: huge, count: huge },
        Op::Channels { first: 1, count: huge },
        Op::Conv2d(zero),
        Op::Conv2d(Conv { stride: [0; 2], ..Conv::square(4, 3, 1, 1) }),
        Op::MaxPool(pool),
        Op::PadSame { reach: [1; 2], stride: [0; 2], is_same_upper: false },
        Op::Pad { mode: PadMode::Constant(1e300), sides: Sides::all(1) },
        Op::Crop(Sides::all(huge)),
    ] {
        let nodes = [
            (Op::Photo, vec![]),
            // Its input is invalid, so its channels are unknown.
            (Op::Conv2d(Conv::square(4, 3, 1, 1)), vec![0]),
            (op, vec![1]),
            (Op::Picture, vec![2]),
        ];
        let node = |(id, (op, inputs)): (usize, (Op, Vec<NodeId>))| Node {
            name: format!("n{id}"),
            layer: String::new(),
            op,
            inputs,
        };
        let nodes: Vec<Node> = nodes.into_iter().enumerate().map(node).collect();
        let error = Graph::try_from(nodes).expect_err("out of range");
        assert_eq!(error, GraphError::Range { node: "n2".to_owned() }, "{op:?}");
    }
}

/// Maps whose total bytes do not fit 64 bits.
#[test]
fn memory_of_a_plan_is_counted_without_overflow() {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let mut x = add(&mut graph, Op::Concat { count: 1365 }, &[photo; 1365]);
    for _ in 0..14 {
        x = add(&mut graph, Op::Upsample, &[x]);
    }
    assert!(matches!(graph.shapes(64, 64), Err(GraphError::Shapes { .. })));
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let mut x = photo;
    for _ in 0..8 {
        x = add(&mut graph, Op::Upsample, &[x]);
    }
    let all: Vec<NodeId> = (0..200).map(|_| add(&mut graph, Op::Relu, &[x])).collect();
    let sum = all.iter().fold(x, |sum, &next| add(&mut graph, Op::Add, &[sum, next]));
    add(&mut graph, Op::Picture, &[sum]);
    let plan = CpuPlan::new(&graph, 128, 128, CpuVariant::Baseline).expect("a plan");
    assert!(plan.summary(1).peak_bytes > 200 * 4 * 16 * (128u64 << 8).pow(2));
}

/// The number of sizes that are tried does not grow with the square of a graph's size.
#[test]
fn a_large_graph_is_tried_at_few_sizes() {
    let mut graph = Graph::default();
    let photo = add(&mut graph, Op::Photo, &[]);
    let mut x = add(&mut graph, Op::Channels { first: 0, count: 1 }, &[photo]);
    let one = x;
    for _ in 0..60 {
        x = add(&mut graph, Op::Concat { count: 4096 }, &[one; 4096]);
    }
    let rgb = add(&mut graph, Op::Channels { first: 0, count: 3 }, &[x]);
    let cut = add(&mut graph, Op::Crop(Sides::all(500)), &[rgb]);
    add(&mut graph, Op::Picture, &[cut]);
    // A thousand sizes would have to be tried.
    let error = graph.for_photo(64, 64).expect_err("too many steps");
    assert!(matches!(error, GraphError::Shapes { .. }), "{error}");
}

/// Chains through which thousands of convolutions would load are planned once, by a general plan.
#[test]
fn gathers_are_not_planned_again_and_again() {
    let mut graph = Graph::default();
    let mut x = add(&mut graph, Op::Photo, &[]);
    for _ in 0..1000 {
        x = add(&mut graph, Op::Relu, &[x]);
    }
    let conv = Op::Conv2d(Conv::square(3, 3, 1, 1));
    let all: Vec<NodeId> = (0..1000).map(|_| add(&mut graph, conv, &[x])).collect();
    let sum = all.into_iter().reduce(|sum, next| add(&mut graph, Op::Add, &[sum, next]));
    add(&mut graph, Op::Picture, &[sum.expect("some")]);
    let plan = CpuPlan::new(&graph, 16, 16, CpuVariant::Fused).expect("a plan");
    assert!(plan.convs.is_empty(), "a general plan");
}

/// Thousands of maps that are alive together are placed in memory.
#[test]
fn many_buffers_are_placed_apart() {
    let of = |index: usize| Lifetime { len: 1 + index % 7, first_step: index, last_step: 20_000 };
    let buffers: Vec<Lifetime> = (0..8000).map(of).collect();
    let (offsets, len) = arena::place(&buffers);
    let mut places: Vec<(usize, usize)> =
        offsets.iter().zip(&buffers).map(|(&start, of)| (start, start + of.len)).collect();
    places.sort_unstable();
    assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0));
    assert_eq!(places.last().map(|last| last.1), Some(len));
}
