//! The CPU backend against the oracle on whole pictures: every variant and instruction set, odd and tiny sizes,
//! adversarial pictures, unusual widths and kernels, repeatability, cancellation.
#![allow(clippy::expect_used)]

#[path = "../../../tests/support/home.rs"]
mod home;

use std::sync::Arc;

use backend::{Backend, BackendError, RunControl, SessionSpec, cpu::CpuBackend};
use network::{
    Network,
    graph::{Function, Graph, Op},
    models::{
        self,
        johnson::{Kernels, NetworkSpec},
    },
};
use values::{
    frame::{Frame, PictureDifference},
    mode::{Mode, ModeChoice, Precision, Variant},
};

fn network(widths: [usize; 3], blocks: usize, kernels: Kernels, seed: u64) -> Arc<Network> {
    let spec = NetworkSpec { widths, blocks, kernels };
    Arc::new(spec.random(seed).expect("a valid shape"))
}

/// A picture with detail at every scale, including alpha.
fn photo(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        let wave = (((x * x + 3 * y) as f64 / 17.0).sin() * 60.0 + 128.0) as u8;
        [wave, ((x * 31 + y * 17) % 256) as u8, ((x ^ y) * 5 % 256) as u8, (x + y) as u8]
    })
}

fn paint(backend: &CpuBackend, network: &Arc<Network>, photo: &Frame, mode: Mode) -> Frame {
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = backend.open(network, &spec).expect("a session");
    let mut painted = photo.clone();
    session.paint(photo, &mut painted, &RunControl::default()).expect("a run");
    painted
}

/// The limit for fp32: no byte differs by more than 1, and at most 0.5 % of bytes differ, among all bytes and also
/// among the outer 8 pixels. In pictures of a few pixels one byte may differ.
fn assert_same_picture(painted: &Frame, judged: &Frame, what: &str) {
    for (part, difference) in [
        ("all", PictureDifference::between(painted, judged)),
        ("outer frame", PictureDifference::on_outer_frame(painted, judged, 8)),
    ] {
        let d = difference.expect("pictures of one size");
        let bytes = 3.0 * painted.pixel_count() as f64;
        assert!(d.largest <= 1, "{what}, {part}: off by {}", d.largest);
        assert!(
            d.differing_share <= 0.005 || d.differing_share * bytes <= 1.0,
            "{what}, {part}: {} of all bytes differ",
            d.differing_share
        );
    }
    let alpha = |f: &Frame| f.rgba().iter().skip(3).step_by(4).copied().collect::<Vec<_>>();
    assert_eq!(alpha(painted), alpha(judged), "{what}: alpha");
}

/// The modes in single precision. `crates/measure/tests/verify.rs` checks the accuracy of int8.
fn exact_modes(backend: &CpuBackend) -> impl Iterator<Item = Mode> {
    backend.modes().into_iter().filter(|mode| mode.precision == Precision::Fp32)
}

fn judge_everywhere(network: &Arc<Network>, photo: &Frame, what: &str) {
    let judged = oracle::judge(network, photo).picture(photo);
    for backend in CpuBackend::for_each_instruction_set(Some(2)).expect("threads") {
        for mode in exact_modes(&backend) {
            let what = format!("{what}, {mode}, {}", backend.device().instructions);
            assert_same_picture(&paint(&backend, network, photo, mode), &judged, &what);
        }
    }
}

#[test]
fn odd_and_tiny_sizes() {
    let net = network([8, 16, 32], 2, Kernels::default(), 1);
    for (width, height) in [
        (1, 1),
        (1, 9),
        (13, 1),
        (2, 2),
        (4, 3),
        (5, 7),
        (7, 5),
        (8, 8),
        (33, 21),
        (98, 35),
        (131, 70),
        (338, 531),
    ] {
        judge_everywhere(&net, &photo(width, height), &format!("{width} x {height}"));
    }
}

#[test]
fn unusual_widths_depths_and_kernels() {
    for (name, net) in models::adversarial().expect("valid shapes") {
        judge_everywhere(&Arc::new(net), &photo(45, 30), name);
    }
    let largest = Kernels { last: 15, ..Kernels::default() };
    let deepest = network([1, 1, 1], 16, largest, 7);
    judge_everywhere(&deepest, &photo(45, 30), "the most blocks, the largest kernel");
}

#[test]
fn adversarial_pictures() {
    let net = network([8, 16, 32], 2, Kernels::default(), 3);
    let (width, height) = (37, 26);
    let flat = |level: u8| Frame::from_fn(width, height, |_, _| [level, level, level, 255]);
    for level in [0, 90, 255] {
        judge_everywhere(&net, &flat(level), &format!("all {level}"));
    }
    for (cx, cy) in [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)] {
        let hot = Frame::from_fn(width, height, |x, y| {
            if (x, y) == (cx, cy) { [255, 255, 255, 255] } else { [10, 20, 30, 255] }
        });
        judge_everywhere(&net, &hot, &format!("hot pixel at {cx}, {cy}"));
    }
}

#[test]
fn published_width_at_a_size_of_several_tiles() {
    let net = network([32, 64, 128], 5, Kernels::default(), 11);
    let photo = photo(203, 118);
    let judged = oracle::judge(&net, &photo).picture(&photo);
    let backend = CpuBackend::new(None).expect("threads");
    for mode in exact_modes(&backend) {
        let painted = paint(&backend, &net, &photo, mode);
        assert_same_picture(&painted, &judged, &mode.to_string());
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads_and_again() {
    let net = network([8, 16, 32], 2, Kernels::default(), 5);
    let photo = photo(211, 150);
    for variant in [Variant::Baseline, Variant::Fused] {
        let floats = |threads: usize| {
            let backend = CpuBackend::new(Some(threads)).expect("threads");
            let spec = SessionSpec::single(211, 150, Mode::new(variant, Precision::Fp32));
            let mut session = backend.open(&net, &spec).expect("a session");
            let session = session.inspect().expect("a look into it");
            let first = session.run_tensor(&photo, &RunControl::default(), None).expect("a run");
            let second = session.run_tensor(&photo, &RunControl::default(), None).expect("a run");
            assert!(first == second, "{variant}: a second run differs");
            first
        };
        let one = floats(1);
        assert!(one == floats(2) && one == floats(5), "{variant}: threads change the bits");
    }
}

#[test]
fn a_cancelled_run_says_so_and_the_session_continues() {
    let net = network([8, 16, 32], 1, Kernels::default(), 2);
    let photo = photo(64, 48);
    let backend = CpuBackend::new(Some(1)).expect("threads");
    let mut session =
        backend.open(&net, &SessionSpec::single(64, 48, Mode::default())).expect("a session");
    let control = RunControl::default();
    control.cancel();
    let mut painted = photo.clone();
    assert_eq!(session.paint(&photo, &mut painted, &control), Err(BackendError::Cancelled));
    let control = RunControl::default();
    session.paint(&photo, &mut painted, &control).expect("a run");
    assert_eq!(control.progress(), 1.0);
    assert_ne!(painted, photo);
}

#[test]
fn colours_that_are_nan_or_infinite_are_an_error() {
    let johnson = NetworkSpec::with_widths([8, 16, 32]).random(1).expect("a valid shape");
    let (graph, mut weights) = johnson.into_parts();
    let conv = graph.nodes().iter().find(|node| matches!(node.op, Op::Conv2d(_))).expect("a node");
    // Their sums are infinite, and so is the mean.
    weights.of_mut(&conv.name).weight.fill(1e37);
    let johnson = Network::new(graph, weights).expect("complete");
    let of = |functions: &[Function]| {
        let mut graph = Graph::default();
        let mut last = graph.add("photo", "", Op::Photo, &[]).expect("the first node");
        for (number, &function) in functions.iter().enumerate() {
            let op = Op::Function(function);
            last = graph.add(&format!("f{number}"), "", op, &[last]).expect("earlier nodes");
        }
        graph.add("picture", "", Op::Picture, &[last]).expect("earlier nodes");
        Network::random(graph, 1).expect("no weights")
    };
    // Not a number for black; the limits must not hide it.
    let root = of(&[Function::Log, Function::Sqrt, Function::Clip { least: 0.0, most: 255.0 }]);
    let colors = |level: u8| Frame::from_fn(40, 30, |x, _| [level + x as u8, 200, 9, 255]);
    let networks = [(johnson, false), (of(&[Function::Reciprocal]), true), (root, true)];
    for (network, paints_others) in networks {
        let network = Arc::new(network);
        for backend in CpuBackend::for_each_instruction_set(Some(2)).expect("threads") {
            for mode in exact_modes(&backend) {
                let spec = SessionSpec::single(40, 30, mode);
                let mut session = backend.open(&network, &spec).expect("a session");
                let mut paint = |photo: Frame| {
                    session.paint(&photo, &mut photo.clone(), &RunControl::default()).map(drop)
                };
                let error = paint(colors(0)).expect_err("infinite").to_string();
                assert!(error.contains("colours that are NaN or infinite"), "{mode}: {error}");
                if paints_others {
                    paint(colors(3)).expect("finite");
                }
            }
        }
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let net = network([8, 16, 32], 1, Kernels::default(), 2);
    let backend = CpuBackend::new(Some(1)).expect("threads");
    let mut session =
        backend.open(&net, &SessionSpec::single(20, 10, Mode::default())).expect("a session");
    let (right, wrong) = (photo(20, 10), photo(10, 20));
    let error = session
        .paint(&wrong, &mut right.clone(), &RunControl::default())
        .expect_err("another size")
        .to_string();
    assert!(error.contains("20 x 10") && error.contains("10 x 20"), "{error}");
}

#[test]
fn modes_that_the_processor_does_not_have_are_refused_with_advice() {
    let net = network([8, 16, 32], 1, Kernels::default(), 2);
    let backend = CpuBackend::new(Some(1)).expect("threads");
    let names: Vec<String> = backend.modes().iter().map(Mode::to_string).collect();
    assert_eq!(names, ["baseline fp32", "fused fp32", "fused int8"]);
    for (variant, precision, advice) in [
        (Variant::FusedNorm, Precision::Fp32, "the variants baseline and fused"),
        (Variant::Fused, Precision::Bf16, "the precision fp32"),
        (Variant::Baseline, Precision::Int8, "the variant fused"),
    ] {
        let mode = Mode::new(variant, precision);
        let spec = SessionSpec::single(20, 10, mode);
        let refused = backend.supports(mode).expect_err("not there");
        let predicted = backend.predicted_bytes(net.graph(), &spec);
        assert_eq!(predicted, Err(refused.clone()));
        assert_eq!(backend.open(&net, &spec).err(), Some(refused.clone()));
        let words = refused.to_string();
        assert!(words.contains(&mode.to_string()) && words.contains(advice), "{words}");
    }
    let auto = backend.mode(ModeChoice::default());
    assert_eq!(auto, Mode::default());
}

#[test]
fn a_batch_is_painted_frame_by_frame() {
    let net = network([8, 16, 32], 1, Kernels::default(), 2);
    let backend = CpuBackend::new(Some(2)).expect("threads");
    let mut photos = vec![photo(20, 10); 2];
    photos[1].rgba_mut()[0] ^= 255;
    let spec = SessionSpec { batch: 2, ..SessionSpec::single(20, 10, Mode::default()) };
    let mut session = backend.open(&net, &spec).expect("a session");
    let mut painted = photos.clone();
    let timing = session.paint_all(&photos, &mut painted, &RunControl::default()).expect("a run");
    let steps = session.inspect().expect("a look into it").step_times();
    assert_eq!(steps.len(), session.summary().steps.len());
    let last_ms: f64 = steps.iter().map(|s| s.ms).sum();
    assert!(last_ms > 0.0 && timing.total_ms >= last_ms);
    for (photo, painted) in photos.iter().zip(&painted) {
        let alone = paint(&backend, &net, photo, Mode::default());
        assert!(*painted == alone);
    }
    let control = RunControl::default();
    for (inputs, outputs) in [(2, 1), (0, 0)] {
        let refused = session.paint_all(&photos[..inputs], &mut painted[..outputs], &control);
        assert_eq!(refused, Err(BackendError::WrongBatch { inputs, outputs }));
    }
}
