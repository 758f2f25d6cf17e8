//! Failures of the GPU: every failure of NVIDIA's driver, produced on a fake one, and the messages that the user reads.
//! Needs no GPU.
#![allow(
    clippy::expect_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

mod external;
mod fake;
#[path = "../../../../tests/support/home.rs"]
mod home;
mod library;
mod painting;
#[path = "../../../../tests/support/real_time.rs"]
mod real_time;
mod sent;
mod several;
mod too_large;

use std::{
    slice::from_mut,
    sync::Arc,
    time::{Duration, Instant},
};

use backend::{
    Backend, BackendError, Composition, Input, Inspect, Job, RunControl, SentFrames, Session,
    SessionSpec, Steadiness, audit::Fill, cpu::CpuBackend, cuda::driver::DriverFailure, opener,
    unless_declined,
};
use engine::{
    Engine,
    paint::{PaintError, PaintSettings, Painter, Painting, WorkingSize},
    protocol::{Event, PaintJob},
};
use fake::{
    FakeGpu, INVALID_VALUE, LAUNCH_FAILED, LIBRARY, LaunchFilter, NO_BINARY, NOT_RECORDED,
    NOT_SUPPORTED, OUT_OF_MEMORY, OUT_OF_RESOURCES,
};
use measure::{Setup, Subject};
use network::{Network, models::johnson::NetworkSpec};
use plan::{ConvProvider, PlanSummary};
use real_time::PATIENCE;
use values::{
    compose::Look,
    frame::Frame,
    mode::{DeviceChoice, Mode, ModeChoice, ModelSize, Precision, PrecisionChoice, Variant},
    raw_frame::{Layout, PixelFormat, RawFrame},
    rotation::Rotation,
};

/// Number of convolutions in the network.
fn convolutions() -> usize {
    network().graph().nodes().iter().filter(|node| node.op.is_conv()).count()
}

fn network() -> Arc<Network> {
    let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([8, 16, 24]) };
    Arc::new(spec.random(5).expect("a valid shape"))
}

fn photo() -> Frame {
    Frame::from_fn(40, 28, |x, y| [(x * 6) as u8, (y * 9) as u8, 77, 255])
}

/// The painting of the photo by a session in `mode`, or the error.
fn opened(backend: &dyn Backend, mode: Mode) -> Result<Frame, BackendError> {
    let photo = photo();
    let mut painted = photo.clone();
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = backend.open(&network(), &spec)?;
    session.paint(&photo, &mut painted, &RunControl::default())?;
    Ok(painted)
}

/// Uses every function of a session: one photo, a batch with a remainder, step by step, timed and untimed, map by map,
/// kernel by kernel.
fn exercised(backend: &dyn Backend, mode: Mode) -> Result<(), BackendError> {
    let photos = [photo(), photo(), photo()];
    let mut painted = photos.clone();
    let control = RunControl::default();
    let spec = SessionSpec {
        batch: 2,
        ..SessionSpec::single(photos[0].width(), photos[0].height(), mode)
    };
    let mut session = backend.open(&network(), &spec)?;
    session.paint(&photos[0], &mut painted[0], &control)?;
    session.paint_all(&photos, &mut painted, &control)?;
    let session = session.inspect().expect("a look into it");
    session.profile(&photos[0], &mut painted[0], &control)?;
    session.paint_step_by_step(&photos[0], &mut painted[0], &control)?;
    session.run_tensor(&photos[0], &RunControl::default(), Some(&mut |_, _| ()))?;
    let fill = Fill { mean: 1.0, deviation: 1.0, seed: 3 };
    session.audit(&photos[0], Some(fill), &mut |_| ())?;
    Ok(())
}

const FUSED: Mode = Mode::new(Variant::Fused, Precision::Fp16);

/// The launches for a photo in a network of the published widths on a GPU that runs `ctas` CTAs at once.
fn launched_where_fit(gpu: &FakeGpu, ctas: usize) -> Vec<String> {
    gpu.hold_at_once(ctas);
    let backend = gpu.backend().expect("a GPU");
    let photo = photo();
    let mut painted = photo.clone();
    let network = NetworkSpec::with_widths([32, 64, 128]).random(1);
    let network = Arc::new(network.expect("a valid shape"));
    let spec = SessionSpec::single(photo.width(), photo.height(), FUSED);
    let mut session = backend.open(&network, &spec).expect("a session");
    gpu.launched();
    (session.paint(&photo, &mut painted, &RunControl::default())).expect("a painting");
    let launched = gpu.launched();
    let (steps, launched_count) = (session.summary().steps, launched.len());
    assert_eq!(steps.len(), launched_count, "{steps:?}");
    let looked = session.inspect().expect("a look into it");
    let profile = looked.profile(&photo, &mut painted, &RunControl::default());
    assert_eq!(profile.expect("times").len(), launched.len());
    drop(session);
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
    launched
}

#[test]
fn layers_whose_ctas_do_not_fit_at_once_are_launched_one_by_one() {
    let chained = launched_where_fit(&FakeGpu::new(), 132);
    let single = launched_where_fit(&FakeGpu::new(), 1);
    assert_eq!(single.len(), 16, "one for each convolution: {single:?}");
    assert_eq!(chained.len(), 16 - 10, "eleven in one: {chained:?}");
}

#[test]
fn a_driver_that_refuses_special_launches_gets_plain_ones() {
    let special: [LaunchFilter; 2] = [|shape| shape.early, |shape| shape.cooperative];
    for (which, code) in special.into_iter().flat_map(|s| [(s, NOT_SUPPORTED), (s, NOT_RECORDED)]) {
        let gpu = FakeGpu::new();
        gpu.refuse_launches(which, code);
        assert_eq!(launched_where_fit(&gpu, 132).len(), 16);
    }
    let gpu = FakeGpu::new();
    gpu.refuse_launches(|_| true, NOT_SUPPORTED);
    let backend = gpu.backend().expect("a GPU");
    let error = opened(&backend, FUSED).expect_err("nothing can be launched");
    assert!(matches!(error, BackendError::Kernel { .. }), "{error}");
}

/// The error of the first painting after `call` was set to fail; by then everything is freed.
fn error_of(call: &'static str, after: usize, code: u32) -> BackendError {
    let gpu = FakeGpu::new();
    gpu.fail(call, after, code);
    let backend = gpu.backend().expect("a GPU");
    let error = opened(&backend, FUSED).expect_err("a failure");
    assert!(!gpu.is_armed(), "{call} was never called");
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0], "{call}");
    error
}

#[test]
fn a_refused_kernel_is_named() {
    let error = error_of("cuModuleLoadData", 0, NO_BINARY);
    assert!(matches!(error, BackendError::Kernel { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.starts_with("the kernel wgmma_photo"), "{said}");
    assert!(
        said.ends_with(
            "failed (cuModuleLoadData: as the test wished (error 209)); update the device's driver, \
             or choose the CPU"
        ),
        "{said}"
    );
    assert!(matches!(
        error_of("cuModuleGetFunction", 3, INVALID_VALUE),
        BackendError::Kernel { .. }
    ));
    let launch = error_of("cuLaunchKernel", 2, OUT_OF_RESOURCES);
    assert!(matches!(launch, BackendError::Kernel { .. }), "{launch:?}");
    assert!(launch.to_string().contains("(error 701)"), "{launch}");
}

#[test]
fn too_little_memory_is_reported_with_the_needed_and_the_free_bytes() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    gpu.leave_free(100_000);
    let Err(BackendError::OutOfDeviceMemory {
        needed_bytes,
        free_bytes: 100_000,
        width: 40,
        height: 28,
        fits,
    }) = opened(&backend, FUSED)
    else {
        panic!("more memory than there is");
    };
    // The weights alone need more memory.
    assert_eq!(fits, None);
    let spec = SessionSpec::single(40, 28, FUSED);
    let predicted = backend.predicted_bytes(network().graph(), &spec).expect("a prediction");
    let extra = needed_bytes - predicted;
    assert!(extra < 64_000, "the prediction is {extra} bytes short");
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
    // The computer's own memory is reported differently from the GPU's.
    let pinned = error_of("cuMemHostAlloc", 0, OUT_OF_MEMORY);
    assert!(matches!(pinned, BackendError::OutOfMemory { width: 40, .. }), "{pinned:?}");
}

#[test]
fn a_lost_context_is_reported_as_such() {
    for call in [
        "cuMemAlloc",
        "cuMemsetD8",
        "cuModuleLoadData",
        "cuLaunchKernel",
        "cuGraphLaunch",
        "cuStreamSynchronize",
        "cuEventElapsedTime",
    ] {
        let error = error_of(call, 0, LAUNCH_FAILED);
        assert!(error.is_lost(), "{call}: {error:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "Fake GPU was lost ({call}: as the test wished (error 719)); restart StyleForge \
                 to use it again"
            )
        );
    }
}

#[test]
fn only_what_ends_a_context_counts_as_a_loss() {
    let lost = |code| {
        let (call, words) = ("cuLaunchKernel", String::new());
        DriverFailure { call, code, words }.is_lost()
    };
    // Invalid value, out of memory, no device, busy device, no image, unknown PTX, resources.
    for code in [1, 2, 100, 46, 209, 222, 701] {
        assert!(!lost(code), "{code}");
    }
    // Uncorrectable memory, illegal address, timeout, assertion, trap, unknown.
    for code in [214, 700, 702, 710, 719, 999] {
        assert!(lost(code), "{code}");
    }
}

#[test]
fn a_gpu_that_is_too_old_refuses_modes_and_has_no_kernels() {
    let turing = FakeGpu::of((7, 5));
    let backend = turing.backend().expect("a GPU");
    let refused = backend.supports(Mode::new(Variant::Fused, Precision::Bf16));
    assert_eq!(
        refused.expect_err("no bf16 there").to_string(),
        "Fake GPU cannot paint in fused bf16: bf16 needs compute capability 8.0, this GPU has 7.5"
    );
    let volta = FakeGpu::of((7, 0));
    let backend = volta.backend().expect("a GPU");
    assert!(backend.modes().is_empty());
    let refused = backend.function("elementwise", "load_photo_f16", 0);
    let said = refused.expect_err("no image").to_string();
    assert!(said.contains("this program has no kernels for compute capability 7.0"), "{said}");
}

#[test]
fn sums_of_two_halves_are_for_hopper() {
    let mode = Mode::new(Variant::Fused, Precision::Fp16x2);
    let ampere = FakeGpu::of((8, 6)).backend().expect("a GPU");
    assert_eq!(
        ampere.supports(mode).expect_err("no kernels").to_string(),
        "Fake GPU cannot paint in fused fp16x2: fp16x2 is computed by fused alone, on GPUs of compute capability 9.0 (this one has 8.6); choose fp32 or tf32"
    );
}

/// Every call fails once, in three ways.
#[test]
fn after_any_failure_everything_is_released() {
    for variant in [Variant::Fused, Variant::FusedNorm, Variant::Baseline] {
        assert_everything_is_released(Mode::new(variant, Precision::Fp16), FakeGpu::new);
    }
}

/// The same if a library computes the convolutions.
#[test]
fn after_any_failure_with_a_library_everything_is_released() {
    let mode = Mode::new(Variant::Baseline, Precision::Fp16);
    assert_everything_is_released(mode, || {
        let gpu = FakeGpu::new();
        gpu.install_library();
        gpu
    });
}

fn assert_everything_is_released(mode: Mode, new_gpu: impl Fn() -> FakeGpu) {
    let gpu = new_gpu();
    exercised(&gpu.backend().expect("a GPU"), mode).expect("paintings");
    // The last call is the wait before everything is freed; its error is not reported to anyone.
    let last = gpu.calls() - 1;
    assert!(last > 50, "{mode}: only {last} calls");
    for (failing, code) in
        (0..=last).flat_map(|n| [INVALID_VALUE, OUT_OF_MEMORY, LAUNCH_FAILED].map(|code| (n, code)))
    {
        let gpu = new_gpu();
        gpu.fail_any(failing, code);
        let backend = gpu.backend().expect("a GPU");
        let done = exercised(&backend, mode);
        drop(backend);
        let left = gpu.leaks();
        assert!(left.is_empty(), "{mode}, call {failing}: {left:?}");
        assert!(!gpu.is_armed(), "{mode}: fewer than {failing} calls");
        match done {
            // The library is optional; `a_library_that_fails_*` check its message.
            Ok(()) if gpu.failed_call().is_some_and(|c| c.starts_with("cudnn")) => {}
            Ok(()) => assert_eq!(failing, last, "{mode}: nothing was reported"),
            Err(error) => {
                let wanted = match code {
                    LAUNCH_FAILED => matches!(error, BackendError::DeviceLost { .. }),
                    OUT_OF_MEMORY => matches!(
                        error,
                        BackendError::OutOfDeviceMemory { .. } | BackendError::OutOfMemory { .. }
                    ),
                    _ => matches!(
                        error,
                        BackendError::Unavailable { .. }
                            | BackendError::Kernel { .. }
                            | BackendError::Library { .. }
                    ),
                };
                assert!(wanted, "{mode}, call {failing}, code {code}: {error:?}");
            }
        }
    }
}

const BASELINE: Mode = Mode::new(Variant::Baseline, Precision::Fp16);

/// In the fused variant a norm is part of the convolution that reads it.
#[test]
fn reference_shapes_are_small_sessions_that_are_timed_step_by_step() {
    let gpu = FakeGpu::of((9, 0));
    let backend = gpu.backend().expect("a GPU");
    let subject = &Subject::random(ModelSize::Full).expect("a network");
    let setup =
        Setup { backend: &backend, subject, size: (64, 48), batch: 1, frames: 2, warmup: 1 };
    for (variant, norms) in [(Variant::Fused, 0), (Variant::FusedNorm, 2), (Variant::Baseline, 2)] {
        let mode = Mode::new(variant, Precision::Fp16);
        let shapes = setup.reference_shapes(mode, &RunControl::default()).expect("times");
        let count = |kind: &str| shapes.iter().filter(|shape| shape.shape == kind).count();
        let counts = ["instance-norm", "conv-norm-relu", "residual-block"].map(count);
        assert_eq!(counts, [norms, 2, 2], "{mode}: {shapes:#?}");
        let maps: Vec<_> = shapes.iter().map(|s| (s.channels, s.height, s.width)).collect();
        assert!(maps.contains(&(32, 48, 64)) && maps.contains(&(128, 12, 16)), "{maps:?}");
    }
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
}

/// Composes pictures of three sizes and returns their number.
fn composed(gpu: &FakeGpu) -> Result<usize, BackendError> {
    let (backend, photo) = (gpu.backend().expect("a GPU"), photo());
    let spec = SessionSpec::single(photo.width(), photo.height(), FUSED);
    let mut session = backend.open(&network(), &spec)?;
    let mut count = 0;
    for (width, height) in [(80, 56), (100, 70), (60, 42)] {
        let source = Frame::from_fn(width, height, |x, _| [x as u8; 4]);
        let (mut to, mut painting) = (source.clone(), photo.clone());
        let job = Job {
            input: Input::Frames(&[&photo]),
            paintings: if width > 60 { from_mut(&mut painting) } else { &mut [] },
            composition: Some(Composition {
                source: Some(&source),
                blend: Look::default().into(),
                to: &mut to,
            }),
            steadiness: None,
        };
        let run = unless_declined(session.run(job, &RunControl::default(), None))?;
        count += usize::from(run.is_some());
    }
    Ok(count)
}

/// Paints camera frames of the session's size and of others, composed and not, and returns their number.
fn decoded(gpu: &FakeGpu) -> Result<usize, BackendError> {
    let (backend, photo) = (gpu.backend().expect("a GPU"), photo());
    let spec = SessionSpec::single(photo.width(), photo.height(), FUSED);
    let mut session = backend.open(&network(), &spec)?;
    let mut count = 0;
    let own = (photo.width(), photo.height());
    for ((width, height), look) in [
        (own, None),
        ((60, 42), Some(Look::default())),
        ((100, 70), None),
        (own, Some(Look::default())),
    ] {
        let layout = Layout::tight(PixelFormat::Nv12, width, height);
        let mut raw = RawFrame::default();
        let bytes = vec![90; layout.bytes()];
        let turn = (Rotation::None, true);
        raw.set(&layout, &bytes, turn).expect("a whole frame");
        let (mut upright, mut painting) = (photo.clone(), photo.clone());
        upright.resize(width, height);
        if look.is_some() {
            painting.resize(width, height);
        }
        let input = Input::Raw { frame: &raw, upright: &mut upright };
        let job = match look {
            None => Job::new(input, from_mut(&mut painting)),
            Some(look) => Job {
                input,
                paintings: &mut [],
                composition: Some(Composition {
                    source: None,
                    blend: look.into(),
                    to: &mut painting,
                }),
                steadiness: None,
            },
        };
        let run = unless_declined(session.run(job, &RunControl::default(), None))?;
        count += usize::from(run.is_some());
    }
    Ok(count)
}

/// Steadies four paintings, the last one composed, and returns their number.
fn steadied(gpu: &FakeGpu) -> Result<usize, BackendError> {
    let (backend, photo) = (gpu.backend().expect("a GPU"), photo());
    let spec = SessionSpec::single(photo.width(), photo.height(), FUSED);
    let mut session = backend.open(&network(), &spec)?;
    assert!(session.capabilities().steadies);
    let mut count = 0;
    for t in 0..4 {
        let (mut to, mut painting) = (photo.clone(), photo.clone());
        let composition = Composition { source: None, blend: Look::default().into(), to: &mut to };
        let job = Job {
            input: Input::Frames(&[&photo]),
            paintings: from_mut(&mut painting),
            composition: (t == 3).then_some(composition),
            steadiness: Some(Steadiness { percent: 50, is_new: t == 2 }),
        };
        let run = unless_declined(session.run(job, &RunControl::default(), None))?;
        count += usize::from(run.is_some());
    }
    Ok(count)
}

/// Makes every call of `paint` fail once. `paint` returns how many of `all` pictures it painted on the device. Checks
/// that everything is freed and that the error is returned, except for missing memory for one picture, which the caller
/// then decodes or composes itself. Returns the number of these exceptions.
fn fails_everywhere(all: usize, paint: impl Fn(&FakeGpu) -> Result<usize, BackendError>) -> usize {
    let gpu = FakeGpu::new();
    assert_eq!(paint(&gpu), Ok(all));
    let last = gpu.calls() - 1;
    let codes = [INVALID_VALUE, OUT_OF_MEMORY, LAUNCH_FAILED];
    let mut without = 0;
    for (failing, code) in (0..=last).flat_map(|n| codes.map(|code| (n, code))) {
        let gpu = FakeGpu::new();
        gpu.fail_any(failing, code);
        let done = paint(&gpu);
        assert_eq!(gpu.leaks(), [""; 0], "call {failing} with {code}");
        match done {
            Ok(painted) if painted == all - 1 => {
                assert_eq!(code, OUT_OF_MEMORY, "call {failing}");
                without += 1;
            }
            done => assert_eq!(done.is_ok(), failing == last, "call {failing}: {done:?}"),
        }
    }
    without
}

#[test]
fn after_any_failure_in_decoding_everything_is_released() {
    let without = fails_everywhere(4, decoded);
    assert!(without >= 6, "pinned and device memory, twice");
}

#[test]
fn after_any_failure_in_composing_everything_is_released() {
    let without = fails_everywhere(3, composed);
    assert!(without >= 4, "pinned and device memory, twice");
}

#[test]
fn after_any_failure_in_steadying_everything_is_released() {
    let without = fails_everywhere(4, steadied);
    assert!(without >= 3, "memory for steadying, pinned and device memory for composing");
}

/// A painting is the first one, or it follows the last one that was steadied.
#[test]
fn the_painting_before_is_used_unless_it_was_forgotten_or_lost() {
    let launches = |is_new: bool, fails: bool| {
        let gpu = FakeGpu::new();
        let (backend, photo) = (gpu.backend().expect("a GPU"), photo());
        let spec = SessionSpec::single(photo.width(), photo.height(), FUSED);
        let mut session = backend.open(&network(), &spec).expect("a session");
        let mut run = |is_new: bool| {
            let before = gpu.calls();
            let mut painting = photo.clone();
            let steadiness = Some(Steadiness { percent: 50, is_new });
            let inputs = [&photo];
            let job = Job { steadiness, ..Job::frames(&inputs, from_mut(&mut painting)) };
            session.run(job, &RunControl::default(), None).map(|_| gpu.calls() - before)
        };
        run(false).expect("the first one");
        if fails {
            gpu.fail_any(2, INVALID_VALUE);
            run(false).expect_err("a failure");
        }
        run(is_new).expect("a painting")
    };
    let continues = launches(false, false);
    assert_eq!(launches(true, false), launches(false, true));
    assert!(continues > launches(true, false) + 8, "motion is searched for");
}

#[test]
fn measuring_releases_its_memory() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    backend.sweep_caches().expect("memory");
    backend.sweep_caches().expect("the same memory");
    let ceiling = backend.ceiling(Precision::Fp16).expect("copies");
    assert!(ceiling.is_some());
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
    gpu.leave_free(1_000_000);
    let backend = gpu.backend().expect("a GPU");
    assert!(backend.sweep_caches().is_err() && backend.ceiling(Precision::Fp16).is_err());
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
}

#[test]
fn a_session_outlives_the_backend_that_opened_it() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    let photo = photo();
    let mut painted = photo.clone();
    let spec = SessionSpec::single(photo.width(), photo.height(), FUSED);
    let mut session = backend.open(&network(), &spec).expect("a session");
    drop(backend);
    session
        .paint(&photo, &mut painted, &RunControl::default())
        .expect("its kernels are still loaded");
    drop(session);
    assert_eq!(gpu.leaks(), [""; 0]);
}

/// A session is prepared in its own streams: launches of other sessions do not enter its recording, and its launches do
/// not enter their paintings.
#[test]
fn sessions_are_opened_while_others_paint() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    let photo = photo();
    let spec = |mode| SessionSpec::single(photo.width(), photo.height(), mode);
    let control = RunControl::default();
    let network = network();
    let paint = |session: &mut dyn Session| {
        let mut painted = photo.clone();
        (session.paint(&photo, &mut painted, &control)).expect("a painting");
        gpu.launched()
    };
    let mut painting = backend.open(&network, &spec(FUSED)).expect("a session");
    gpu.launched();
    let alone = paint(painting.as_mut());
    let mut opened = std::thread::scope(|threads| {
        let opening = threads.spawn(|| {
            let of = |mode| backend.open(&network, &spec(mode)).expect("a session");
            (0..20).map(|_| [of(FUSED), of(BASELINE)]).collect::<Vec<_>>()
        });
        let mut step_by_step = photo.clone();
        let painting = painting.inspect().expect("a look into it");
        while !opening.is_finished() {
            // Launch by launch; a recording in the same stream would capture these launches.
            (painting.paint_step_by_step(&photo, &mut step_by_step, &control)).expect("a painting");
        }
        opening.join().expect("no panic")
    });
    gpu.launched();
    assert_eq!(paint(painting.as_mut()), alone);
    let [_, baseline] = &mut opened[0];
    let by_library = paint(baseline.as_mut());
    for [fused, baseline] in &mut opened {
        assert_eq!(paint(fused.as_mut()), alone);
        assert_eq!(paint(baseline.as_mut()), by_library);
    }
    drop((painting, opened));
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
}

/// A cancelled session releases all that it allocated.
#[test]
fn opening_a_session_stops_when_it_is_cancelled() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    let control = RunControl::default();
    control.cancel();
    let spec = SessionSpec::single(40, 28, BASELINE);
    let opened = backend.open_unless_cancelled(&network(), &spec, &control);
    assert_eq!(opened.err(), Some(BackendError::Cancelled));
    assert_eq!(gpu.preparations(), 0);
    // Cancelled while the second algorithm is prepared.
    let control = Arc::new(RunControl::default());
    gpu.cancel_at_preparation(2, &control);
    let opened = backend.open_unless_cancelled(&network(), &spec, &control);
    assert_eq!(opened.err(), Some(BackendError::Cancelled));
    assert_eq!((gpu.preparations(), gpu.algorithms()), (2, 0));
    let opened = backend.open(&network(), &spec).expect("a session");
    drop(opened);
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
}
