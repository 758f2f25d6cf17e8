//! Memory by the bytes that are really allocated: compared with the prediction for a photo, and for hostile picture
//! files. Memory of readers of weights is tested in `readers`.

#![allow(clippy::expect_used, reason = "a broken test should panic")]

#[path = "../../../tests/support/counting.rs"]
mod counting;
#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/packed.rs"]
mod packed;

use std::sync::Arc;

use backend::{
    Backend, BackendError, DeviceOptions, RunControl, SessionSpec, cpu::CpuBackend, opener,
};
use counting::{alone, peak_of};
use engine::paint::{OutputSize, PROGRAM_BYTES, PaintError, PaintSettings, Painter, WorkingSize};
use network::{
    Network,
    graph::{
        Conv, Function, Graph, NodeId, Op, PadMode, Sides,
        resize::{Coordinates, Interpolation, Resize, Target},
    },
    models::johnson::NetworkSpec,
};
use pictures::{
    decode,
    encode::{self, Encoding, Format},
    scale,
};
use values::{
    compose::Look,
    frame::Frame,
    mode::{Mode, Precision, Variant},
};

fn photo(width: usize, height: usize, alpha: u8) -> Frame {
    Frame::from_fn(width, height, |x, y| [x as u8, y as u8, (x + y) as u8, alpha])
}

#[test]
fn counting_counts() {
    let _alone = alone();
    let (kept, counted) = peak_of(|| {
        drop(vec![0u8; 1_000_000]);
        vec![1u8; 400_000]
    });
    assert!((1_000_000..1_010_000).contains(&counted), "{counted}");
    drop(kept);
}

#[test]
fn sessions_take_what_is_predicted_and_not_more() {
    let _alone = alone();
    for (widths, blocks) in [([32, 64, 128], 5), ([16, 32, 64], 5), ([5, 7, 9], 2)] {
        let spec = NetworkSpec { blocks, ..NetworkSpec::with_widths(widths) };
        let network = Arc::new(spec.random(2).expect("a valid shape"));
        for threads in [1, 2, 5] {
            let backend = CpuBackend::new(Some(threads)).expect("threads");
            for (mode, (width, height)) in backend
                .modes()
                .into_iter()
                .flat_map(|mode| [(1, 1), (100, 80), (338, 531)].map(|size| (mode, size)))
            {
                let spec = SessionSpec::single(width, height, mode);
                let predicted =
                    backend.predicted_bytes(network.graph(), &spec).expect("a prediction");
                let ((), counted) = peak_of(|| {
                    let input = photo(width, height, 255);
                    let mut painted = input.clone();
                    let mut session = backend.open(&network, &spec).expect("a session");
                    assert_eq!(session.summary().peak_bytes, predicted);
                    for _ in 0..2 {
                        session.paint(&input, &mut painted, &RunControl::default()).expect("a run");
                    }
                });
                let what = format!("{widths:?}, {mode}, {threads} threads, {width} x {height}");
                assert!(counted <= predicted, "{what}: {counted} of {predicted}");
                // For small pictures the weights dominate, and they are estimated by an upper bound.
                if width > 300 {
                    let slack = 2 * counted;
                    assert!(predicted <= slack, "{what}: {predicted} for {counted}");
                }
            }
        }
    }
}

/// A network without specialised kernels: transposed convolutions, skips, norms of other kinds, changes of size.
fn general_graph() -> Graph {
    let mut graph = Graph::default();
    let mut count = 0;
    let mut add = |op, inputs: &[NodeId]| {
        count += 1;
        let name = format!("n{count}");
        graph.add(&name, &name, op, inputs).expect("a node")
    };
    let zero = |margin_px| Op::Pad { mode: PadMode::Constant(0.0), sides: Sides::all(margin_px) };
    let photo = add(Op::Photo, &[]);
    let padded = add(zero(4), &[photo]);
    let first = add(Op::Conv2d(Conv::square(3, 24, 9, 1)), &[padded]);
    let first = add(Op::Relu, &[first]);
    let padded = add(zero(1), &[first]);
    let small = add(Op::Conv2d(Conv::square(24, 48, 3, 2)), &[padded]);
    let mut x = add(Op::Affine, &[small]);
    for _ in 0..2 {
        let padded = add(zero(1), &[x]);
        let conv = add(Op::Conv2d(Conv::square(48, 48, 3, 1)), &[padded]);
        let statistics = add(Op::InstanceStatistics, &[conv]);
        let norm = add(Op::InstanceNorm { eps: 1e-5 }, &[conv, statistics]);
        let relu = add(Op::Function(Function::LeakyRelu { slope: 0.2 }), &[norm]);
        x = add(Op::Add, &[x, relu]);
    }
    let up =
        Op::ConvTranspose2d { conv: Conv::square(48, 24, 3, 2), cut: Sides::all(1), extra: [1, 1] };
    let up = add(up, &[x]);
    let like = Resize {
        interpolation: Interpolation::Linear,
        coordinates: Coordinates::HalfPixel,
        target: Target::Like,
    };
    let up = add(Op::Resize(like), &[up, first]);
    let both = add(Op::Concat { count: 2 }, &[up, first]);
    let depthwise = Conv { groups: 48, ..Conv::square(48, 48, 3, 1) };
    let padded = add(zero(1), &[both]);
    let deep = add(Op::Conv2d(depthwise), &[padded]);
    let padded = add(zero(4), &[deep]);
    let rgb = add(Op::Conv2d(Conv::square(48, 3, 9, 1)), &[padded]);
    add(Op::Picture, &[rgb]);
    graph
}

#[test]
fn sessions_of_any_graph_take_what_is_predicted_and_not_more() {
    let _alone = alone();
    let network = Network::random(general_graph(), 2).expect("all weights");
    let network = Arc::new(network);
    for threads in [1, 2, 5] {
        let backend = CpuBackend::new(Some(threads)).expect("threads");
        for mode in [Variant::Baseline, Variant::Fused].map(|v| Mode::new(v, Precision::Fp32)) {
            for (width, height) in [(1, 1), (100, 80), (338, 531)] {
                let spec = SessionSpec::single(width, height, mode);
                let predicted =
                    backend.predicted_bytes(network.graph(), &spec).expect("a prediction");
                let ((), counted) = peak_of(|| {
                    let input = photo(width, height, 255);
                    let mut painted = input.clone();
                    let mut session = backend.open(&network, &spec).expect("a session");
                    assert_eq!(session.summary().peak_bytes, predicted);
                    for _ in 0..2 {
                        session.paint(&input, &mut painted, &RunControl::default()).expect("a run");
                    }
                });
                let what = format!("{mode}, {threads} threads, {width} x {height}");
                assert!(counted <= predicted, "{what}: {counted} of {predicted}");
                if width > 300 {
                    assert!(predicted <= 2 * counted, "{what}: {predicted} for {counted}");
                }
            }
        }
    }
}

#[test]
fn sixteen_megapixels_are_painted_at_full_size_within_four_gigabytes() {
    let _alone = alone();
    let network = NetworkSpec::with_widths([32, 64, 128]).random(2).expect("valid");
    let backend = Arc::new(CpuBackend::new(Some(16)).expect("threads"));
    let painter = Painter::new(backend, opener(Default::default()));
    let settings = PaintSettings {
        working_size: WorkingSize::Original,
        max_memory_bytes: Some(4_000_000_000),
        ..PaintSettings::default()
    };
    assert!(painter.fits_as_requested(&network, (4000, 4000), settings));
    assert!(!painter.fits_as_requested(&network, (8000, 8000), settings));
}

/// From the photo to the finished picture, with limits that make the work smaller or not.
#[test]
fn painters_stay_within_their_limit() {
    let _alone = alone();
    let spec = NetworkSpec::with_widths([16, 32, 64]);
    let network = Arc::new(spec.random(2).expect("a valid shape"));
    for (alpha, limit, shrinks) in
        [(255, 400_000_000, false), (255, 90_000_000, true), (128, 90_000_000, true)]
    {
        let backend = Arc::new(CpuBackend::new(Some(2)).expect("threads"));
        let mut painter = Painter::new(backend, opener(Default::default()));
        let settings = PaintSettings {
            working_size: WorkingSize::Original,
            max_memory_bytes: Some(limit),
            ..PaintSettings::default()
        };
        // The second photo reuses the first one's session.
        for (width, height) in [(1300, 900), (1200, 1000)] {
            let (finished, counted) = peak_of(|| {
                let photo = Arc::new(photo(width, height, alpha));
                let painting = painter
                    .paint(&photo, &network, settings, &RunControl::default())
                    .expect("painted");
                assert_eq!(!painting.notes.is_empty(), shrinks, "{:?}", painting.notes);
                painting.finished(&photo, OutputSize::Original, Look::default())
            });
            assert_eq!((finished.width(), finished.height()), (width, height));
            let left = limit - PROGRAM_BYTES;
            assert!(counted <= left, "alpha {alpha}: {counted} of {left}");
            if shrinks {
                assert!(4 * counted > left, "alpha {alpha}: {counted} of {left}");
            }
        }
    }
}

/// The scaler's tables have an entry for every column and row. For long pictures these are more than the pixels.
#[test]
fn scaling_takes_what_is_predicted_and_not_more() {
    let _alone = alone();
    for (from, to) in [
        ((1_000_000, 1), (1280, 1)),
        ((1_000_000, 3), (999_999, 3)),
        ((1280, 1), (1_000_000, 1)),
        ((2, 700_000), (1, 300)),
        ((1300, 900), (640, 443)),
        ((640, 443), (1300, 900)),
        ((9, 9), (1, 1)),
    ] {
        for alpha in [255, 128] {
            let photo = photo(from.0, from.1, alpha);
            let (small, counted) = peak_of(|| scale::scaled(&photo, to.0, to.1));
            let predicted = scale::scaling_bytes(from, to, alpha == 255);
            let besides = counted - small.rgba().len() as u64;
            let slack = 65_536;
            assert!(besides <= predicted + slack, "{from:?} {to:?}: {besides} of {predicted}");
            assert!(predicted <= 2 * besides + slack, "{from:?} {to:?}: {predicted}, {besides}");
        }
    }
}

/// A colour profile that unpacks to the maximum that is allowed.
#[test]
fn a_profile_that_unpacks_to_much_is_dropped_before_it_does() {
    // Allocations here would count in a test that runs at the same time.
    let _alone = alone();
    let profile = vec![0; 200 << 20];
    let png = Encoding::of(Format::Png);
    let (bytes, _) =
        encode::to_bytes("bomb", &photo(8, 8, 255), Some(&profile), png).expect("encoded");
    drop(profile);
    let (read, peak_bytes) = peak_of(|| decode::from_bytes("bomb", &bytes));
    assert_eq!(read.ok().and_then(|photo| photo.profile), None);
    assert!(peak_bytes < PROGRAM_BYTES, "{peak_bytes}");
}

/// Files that fuzzing found: decoders panicked on them or allocated hundreds of megabytes.
#[test]
fn inputs_found_by_fuzzing_are_read_or_refused_within_bounds() {
    let archive = crate::home::project().join("tests/pictures/found.tar.xz");
    let found = packed::files(&archive);
    let _alone = alone();
    let mut too_much = Vec::new();
    for (name, bytes) in &found {
        let (read, peak_bytes) = peak_of(|| decode::from_bytes("found", bytes));
        // Memory that a decoder may use in addition to the pixels.
        if peak_bytes > 256 << 20 {
            too_much.push((name, peak_bytes));
        }
        if let Err(error) = read {
            assert!(error.to_string().len() < 500, "{error}");
        }
    }
    assert!(found.len() >= 20, "{}", found.len());
    assert!(too_much.is_empty(), "{too_much:?}");
}

/// Finding a size that fits the memory plans many times; each plan checks for cancellation.
#[test]
fn planning_ends_when_it_is_cancelled() {
    let _alone = alone();
    let backend = CpuBackend::new(Some(1)).expect("a thread");
    let painter = Painter::new(Arc::new(backend), opener(DeviceOptions::default()));
    let network = Network::random(general_graph(), 5).expect("all weights");
    let control = RunControl::default();
    let settings = PaintSettings { max_memory_bytes: Some(1 << 20), ..PaintSettings::default() };
    let photo = photo(640, 480, 255);
    control.cancel();
    let size = painter.working_size(&network, &photo, settings, &control);
    assert!(matches!(size, Err(PaintError::Backend(BackendError::Cancelled))), "{size:?}");
}
