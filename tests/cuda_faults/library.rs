//! The baseline's convolutions by a library, on the fake driver: which algorithm is chosen, and what happens if the
//! library fails.

use super::*;

/// A baseline session's summary of its convolutions, and its launches for a photo.
fn baseline_of(gpu: &FakeGpu, backend: &dyn Backend) -> (PlanSummary, Vec<String>) {
    let photo = photo();
    let mut painted = photo.clone();
    let spec = SessionSpec::single(photo.width(), photo.height(), BASELINE);
    let mut session = backend.open(&network(), &spec).expect("a session");
    gpu.launched();
    session.paint(&photo, &mut painted, &RunControl::default()).expect("a painting");
    (session.summary(), gpu.launched())
}

#[test]
fn the_baseline_leaves_its_convolutions_to_the_fastest_of_the_library() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    let (own, launched) = baseline_of(&gpu, &backend);
    let conv_provider = own.conv_provider.as_ref().expect("a choice");
    assert_eq!(conv_provider.name, "own kernels");
    let reason = conv_provider.reason.as_deref();
    assert_eq!(reason, Some("cuDNN 9 is not installed"));
    let is_ours = |name: &&String| name.starts_with("conv_") || name.starts_with("wgmma_");
    let ours = |names: &[String]| names.iter().filter(is_ours).count();
    let convolutions = convolutions();
    assert_eq!(ours(&launched), convolutions);

    // The library is looked for only once.
    drop(backend);
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    let (summary, launched) = baseline_of(&gpu, &backend);
    let label = ConvProvider::mode_label(summary.mode, summary.conv_provider.as_ref());
    assert_eq!(label, format!("baseline fp16 ({LIBRARY})"));
    assert_eq!(ours(&launched), 0);
    let chosen = format!("{LIBRARY} of 2 ms");
    let by_library = launched.iter().filter(|name| **name == chosen);
    assert_eq!(by_library.count(), convolutions, "{launched:?}");
    // A convolution and its separate bias.
    assert_eq!(launched.len(), summary.steps.len());
    assert_eq!(summary.steps.len(), own.steps.len() + convolutions);
    let named = summary.steps.iter().filter(|(_, kernel)| kernel.starts_with(LIBRARY));
    assert_eq!(named.count(), convolutions);

    // Layers of the same shape, and later sessions, share the measurements.
    let searches = gpu.searches();
    assert!(searches < convolutions, "{searches}");
    let (again, _) = baseline_of(&gpu, &backend);
    assert_eq!((gpu.searches(), &again), (searches, &summary));
    // The prediction reserves the maximum that the library may use.
    let spec = SessionSpec::single(40, 28, BASELINE);
    let predicted = backend.predicted_bytes(network().graph(), &spec);
    let predicted = predicted.expect("a prediction");
    assert!(predicted > summary.peak_bytes && summary.peak_bytes > 1 << 20);
    drop(backend);
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn modes_that_no_library_computes_do_not_ask_for_one() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    for mode in [FUSED, Mode::new(Variant::Baseline, Precision::Mixed)] {
        opened(&backend, mode).expect("a painting");
        assert_eq!(gpu.searches(), 0, "{mode}");
    }
}

#[test]
fn a_library_that_fails_leaves_the_work_to_our_kernels_and_that_is_said() {
    // At the first search, then at the first convolution of the recording, when all shapes are measured.
    let measured = {
        let gpu = FakeGpu::new();
        gpu.install_library();
        baseline_of(&gpu, &gpu.backend().expect("a GPU"));
        let recorded = convolutions();
        gpu.convolutions() - recorded
    };
    for (call, after) in [("cudnnBackendFinalize", 0), ("cudnnBackendExecute", measured)] {
        let gpu = FakeGpu::new();
        gpu.install_library();
        gpu.fail(call, after, 5000);
        let backend = gpu.backend().expect("a GPU");
        let (summary, launched) = baseline_of(&gpu, &backend);
        assert!(!gpu.is_armed(), "{call} was never called");
        assert!(launched.iter().all(|name| !name.starts_with(LIBRARY)));
        let conv_provider = summary.conv_provider.expect("a choice");
        assert_eq!(conv_provider.name, "own kernels");
        assert_eq!(
            conv_provider.reason.expect("a reason"),
            format!("cuDNN failed: {call}: as the test wished (error 5000)")
        );
        drop(backend);
        assert_eq!(gpu.left_behind(), [""; 0], "{call}");
    }
}

/// A baseline session for photos of this width.
fn open(backend: &dyn Backend, width: usize) -> Result<Box<dyn Session>, BackendError> {
    backend.open(&network(), &SessionSpec::single(width, 28, BASELINE))
}

/// Paints a photo of this width and returns its launches.
fn paint(gpu: &FakeGpu, session: &mut dyn Session, width: usize) -> Vec<String> {
    let photo = Frame::from_fn(width, 28, |x, y| [x as u8, y as u8, 9, 255]);
    let mut painted = photo.clone();
    gpu.launched();
    session.paint(&photo, &mut painted, &RunControl::default()).expect("a painting");
    gpu.launched()
}

/// Maximum number of algorithms that the library keeps while no session is open.
const MOST_PREPARED: usize = 32;

/// Opens sessions until the library has freed every algorithm that was prepared before.
fn open_others(backend: &dyn Backend) {
    for width in (44..68).step_by(4) {
        open(backend, width).expect("a session");
    }
}

/// After any number of painted sizes the library keeps few algorithms, and those of an open session stay.
#[test]
fn algorithms_that_were_not_used_for_long_are_given_back() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    let mut first = open(&backend, 40).expect("a session");
    paint(&gpu, first.as_mut(), 40);
    let of_a_session = gpu.algorithms();
    let mut held = Vec::new();
    for width in (44..124).step_by(4) {
        let mut session = open(&backend, width).expect("a session");
        paint(&gpu, session.as_mut(), width);
        drop(session);
        held.push(gpu.algorithms());
    }
    let most = held.iter().max().expect("sessions");
    assert_eq!(held.last(), Some(most), "full, and no fuller");
    assert!(*most <= MOST_PREPARED + of_a_session, "{most}");
    assert!(held.len() * of_a_session > 2 * most, "{held:?}");
    // The session that stayed open still has its algorithms.
    let searches = gpu.searches();
    paint(&gpu, first.as_mut(), 40);
    assert_eq!((gpu.searches(), gpu.preparations()), (searches, 0));
    drop(first);
    assert!(gpu.algorithms() <= MOST_PREPARED);
    drop(backend);
    assert_eq!(gpu.left_behind(), [""; 0]);
}

/// The result of a search is kept permanently. An algorithm that was freed is prepared again when needed: the same one,
/// without announcing a search.
#[test]
fn a_shape_is_searched_once_and_prepared_again_when_it_is_needed_again() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    let (network, spec) = (network(), SessionSpec::single(40, 28, BASELINE));
    assert!(backend.searches(network.graph(), &spec));
    let mut session = open(&backend, 40).expect("a session");
    let of_a_session = gpu.searches();
    let launched = paint(&gpu, session.as_mut(), 40);
    let summary = session.summary();
    drop(session);
    open_others(&backend);

    let searches = gpu.searches();
    assert!(!backend.searches(network.graph(), &spec));
    let mut session = open(&backend, 40).expect("a session");
    assert_eq!((gpu.searches(), gpu.preparations()), (searches, of_a_session));
    assert_eq!(paint(&gpu, session.as_mut(), 40), launched);
    assert_eq!(session.summary(), summary);
    // Sessions share the prepared algorithms.
    let again = open(&backend, 40).expect("a session");
    assert_eq!((gpu.searches(), gpu.preparations()), (searches, of_a_session));
    drop((session, again));
    drop(backend);
    assert_eq!(gpu.left_behind(), [""; 0]);
}

/// For every call that fails while algorithms are prepared again: all is freed, a lost GPU is reported, and if the
/// library only failed to prepare an algorithm, it is searched again.
#[test]
fn an_algorithm_that_cannot_be_prepared_again_is_searched_for_again() {
    let given_back = || {
        let gpu = FakeGpu::new();
        gpu.install_library();
        let backend = gpu.backend().expect("a GPU");
        open(&backend, 40).expect("a session");
        open_others(&backend);
        (gpu, backend)
    };
    let (gpu, backend) = given_back();
    let (searches, calls) = (gpu.searches(), gpu.calls());
    gpu.fail("cudnnBackendFinalize", 1, 5000);
    let mut session = open(&backend, 40).expect("a session");
    assert!(!gpu.is_armed());
    assert_eq!(gpu.searches(), searches + 1, "the second one alone");
    let calls = gpu.calls() - calls;
    let chosen = format!("{LIBRARY} of 2 ms");
    let launched = paint(&gpu, session.as_mut(), 40);
    let by_library = launched.iter().filter(|name| **name == chosen);
    assert_eq!(by_library.count(), convolutions(), "{launched:?}");
    drop(session);
    drop(backend);
    assert_eq!(gpu.left_behind(), [""; 0]);

    for failing in 0..calls {
        for code in [INVALID_VALUE, LAUNCH_FAILED] {
            let (gpu, backend) = given_back();
            gpu.fail_any(failing, code);
            let opened = open(&backend, 40);
            // A session that does not search needs fewer calls.
            if code == LAUNCH_FAILED && !gpu.is_armed() {
                let error = opened.as_ref().err();
                let is_lost = error.is_some_and(BackendError::is_lost);
                assert!(is_lost, "call {failing}: {error:?}");
            }
            drop(opened);
            drop(backend);
            assert_eq!(gpu.left_behind(), [""; 0], "call {failing}, code {code}");
        }
    }
}
