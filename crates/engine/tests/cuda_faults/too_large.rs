//! Sizes that are too large for a GPU: predicted before anything is allocated, refused with the size that fits, and
//! painted smaller if the photo allows it.

use measure::{MeasureError, Setup, Subject};
use values::frame::largest_size;
use weights::StyleNetwork;

use super::*;

/// A mode that stores the scores of attention, and one that does not.
const WITH_SCORES: Mode = Mode::new(Variant::Baseline, Precision::Fp16);

/// The network for any style picture, in one style.
fn with_attention() -> Arc<Network> {
    let transformer = StyleNetwork::built_in().expect("weights").transformer;
    let code = vec![0.5; transformer.spec().code_len()];
    let code = transformer.code_of_values(code).expect("a code");
    Arc::new(transformer.network(&code).expect("a network"))
}

/// A size whose tokens have more scores than a plan may store.
const LARGE: (usize, usize) = (5200, 3900);

/// Checks that `fits` is the largest size with the aspect ratio of `size` at which a session opens.
fn check_that_it_fits(
    backend: &dyn Backend,
    network: &Arc<Network>,
    spec: SessionSpec,
    fits: Option<(usize, usize)>,
) {
    let (width, height) = fits.expect("a size");
    let at = |(width, height)| {
        let spec = SessionSpec { width, height, ..spec };
        backend.open(network, &spec).map(drop)
    };
    assert_eq!(at((width, height)), Ok(()));
    // Tokens are counted in whole patches.
    let wider = (width + 64).min(spec.width);
    let larger = largest_size((spec.width, spec.height), |(w, _)| w <= wider);
    let larger = at(larger.expect("a size"));
    assert!(larger.is_err(), "{width} x {height} is not the largest");
}

#[test]
fn more_scores_than_a_plan_keeps_are_refused_with_the_size_that_fits() {
    let gpu = FakeGpu::new();
    gpu.leave_free(200_000_000);
    let backend = gpu.backend().expect("a GPU");
    let network = with_attention();
    let spec = SessionSpec::single(LARGE.0, LARGE.1, WITH_SCORES);
    let predicted = backend.predicted_bytes(network.graph(), &spec);
    assert!(matches!(predicted, Err(BackendError::TooLarge { fits: None, .. })), "{predicted:?}");
    let refused = backend.open(&network, &spec).map(drop).expect_err("too large");
    let BackendError::TooLarge { fits, .. } = refused else {
        panic!("{refused:?}");
    };
    check_that_it_fits(&backend, &network, spec, fits);
    let said = refused.to_string();
    let (width, height) = fits.expect("a size");
    for words in [
        "cannot paint 5200 x 3900 pixels in baseline fp16",
        "GB of scores of 79300 tokens for 79300",
        &format!("; {width} x {height} pixels fit"),
    ] {
        assert!(said.contains(words), "no '{words}' in {said}");
    }

    // A measurement is refused for the same reason, with the size that fits the memory limit. The mode that stores no
    // scores is not refused.
    let subject = Subject { name: "any".to_owned(), model: None, network };
    let setup =
        Setup { backend: &backend, subject: &subject, size: LARGE, batch: 1, frames: 1, warmup: 0 };
    let why = setup.refusal(WITH_SCORES);
    assert!(matches!(why, Some(BackendError::TooLarge { .. })), "{why:?}");
    assert_eq!(setup.refusal(FUSED), None);
    let fused_norm = setup.refusal(Mode::new(Variant::FusedNorm, Precision::Fp16));
    assert!(matches!(fused_norm, Some(BackendError::Unsupported { .. })), "{fused_norm:?}");
    let within = |bytes| match setup.check(&[WITH_SCORES], Some(bytes)) {
        Err(MeasureError::Backend(BackendError::TooLarge { fits, .. })) => fits,
        other => panic!("{other:?}"),
    };
    let (little, much) = (within(4_000_000_000), within(1 << 50));
    assert!(little > Some((300, 200)) && little < much, "{little:?}");
    assert!(much < Some(LARGE), "{much:?}");
}

#[test]
fn a_photo_with_more_scores_than_a_plan_keeps_is_painted_smaller() {
    let gpu = FakeGpu::new();
    gpu.leave_free(200_000_000);
    let open = gpu.opener();
    let selected = open(DeviceChoice::Auto).expect("a GPU");
    let mut painter = Painter::new(selected.backend, open);
    let settings = PaintSettings {
        working_size: WorkingSize::Original,
        mode: ModeChoice::new(Variant::Baseline, PrecisionChoice::Auto),
        max_memory_bytes: Some(400_000_000),
        ..PaintSettings::default()
    };
    let photo = Frame::from_fn(LARGE.0, LARGE.1, |x, y| [x as u8, y as u8, 77, 255]).into();
    let painting = painter
        .paint(&photo, &with_attention(), settings, &RunControl::default())
        .expect("a painting");
    let (width, height) = (painting.painted.width(), painting.painted.height());
    assert!((64..1600).contains(&width), "{width} x {height}");
    let [note] = &painting.notes[..] else {
        panic!("{:?}", painting.notes);
    };
    let begins = format!("painted at {width} x {height}: Fake GPU cannot paint 5200 x 3900 pixels");
    assert!(note.starts_with(&begins) && note.contains("GB of scores"), "{note}");
    drop(painter);
    assert_eq!(gpu.leaks(), [""; 0]);
}

#[test]
fn a_session_that_does_not_fit_is_refused_with_the_size_that_does() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    gpu.leave_free(5_000_000);
    let spec = SessionSpec::single(400, 300, FUSED);
    let refused = backend.open(&network(), &spec).map(drop).expect_err("too large");
    let BackendError::OutOfDeviceMemory { fits, .. } = refused else {
        panic!("{refused:?}");
    };
    check_that_it_fits(&backend, &network(), spec, fits);
    let (width, height) = fits.expect("a size");
    let words = format!("choose a smaller working size (at most {width} x {height}) or close");
    assert!(refused.to_string().contains(&words), "{refused}");
}
