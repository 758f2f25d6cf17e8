//! The baseline's convolutions by a library, on the fake driver, and what happens when the library fails.

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
fn the_baseline_leaves_its_convolutions_to_the_library() {
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
    let by_library = launched.iter().filter(|name| *name == LIBRARY);
    assert_eq!(by_library.count(), convolutions, "{launched:?}");
    // A convolution and its separate bias.
    assert_eq!(launched.len(), summary.steps.len());
    assert_eq!(summary.steps.len(), own.steps.len() + convolutions);
    let named = summary.steps.iter().filter(|(_, kernel)| kernel.starts_with(LIBRARY));
    assert_eq!(named.count(), convolutions);

    let (again, _) = baseline_of(&gpu, &backend);
    assert_eq!(again, summary);
    // The prediction reserves the most that the library may take.
    let spec = SessionSpec::single(40, 28, BASELINE);
    let predicted = backend.predicted_bytes(network().graph(), &spec).expect("a prediction");
    assert!(predicted > summary.peak_bytes && summary.peak_bytes > 1 << 20);
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
}

#[test]
fn modes_that_no_library_computes_do_not_ask_for_one() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    for mode in [FUSED, Mode::new(Variant::Baseline, Precision::Mixed)] {
        opened(&backend, mode).expect("a painting");
        assert_eq!(gpu.preparations(), 0, "{mode}");
    }
}

#[test]
fn our_kernels_replace_a_failing_library_and_that_is_reported() {
    // When the first algorithm is prepared; at the first convolution; and at the first that is recorded.
    for (call, after) in [
        ("cudnnBackendFinalize", 0),
        ("cudnnBackendExecute", 0),
        ("cudnnBackendExecute", convolutions()),
    ] {
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
        assert_eq!(gpu.leaks(), [""; 0], "{call}");
    }
}

/// Algorithms that the library holds at most when no session is open.
const MAX_KEPT: usize = 32;

/// Layers and sessions of one shape share an algorithm. However many sizes were painted, the library holds few, and
/// those of an open session stay.
#[test]
fn algorithms_unused_for_long_are_released() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    let open = |width| {
        let spec = SessionSpec::single(width, 28, BASELINE);
        backend.open(&network(), &spec).expect("a session")
    };
    let first = open(40);
    let shapes = gpu.algorithms();
    assert!(shapes > 1 && shapes < convolutions(), "{shapes}");
    drop(open(40));
    assert_eq!((gpu.algorithms(), gpu.preparations()), (shapes, shapes));
    let mut held = Vec::new();
    for width in (44..124).step_by(4) {
        open(width);
        held.push(gpu.algorithms());
    }
    let most = held.iter().max().expect("sessions");
    assert_eq!(held.last(), Some(most), "full, and no fuller");
    assert!(*most <= MAX_KEPT + shapes, "{most}");
    assert!(held.len() * shapes > 2 * most, "{held:?}");
    let photo = photo();
    let mut painted = photo.clone();
    let (mut first, control) = (first, RunControl::default());
    first.paint(&photo, &mut painted, &control).expect("its algorithms are still prepared");
    drop(first);
    assert!(gpu.algorithms() <= MAX_KEPT);
    // Those that were given back are prepared again.
    let preparations = gpu.preparations();
    drop(open(40));
    assert_eq!(gpu.preparations(), preparations + shapes);
    drop(backend);
    assert_eq!(gpu.leaks(), [""; 0]);
}
