//! The painter and the engine on a GPU that is lost, hangs or has too little memory: which device takes over, and the
//! messages that the user reads.

use super::*;

/// A painter on the GPU, as the commands and the window create it.
pub fn painter(gpu: &FakeGpu) -> Painter {
    let open = gpu.opener();
    let selected = open(DeviceChoice::Auto).expect("a GPU");
    Painter::new(selected.backend, open)
}

fn paint(painter: &mut Painter, settings: PaintSettings) -> Result<Painting, PaintError> {
    painter.paint(&photo().into(), &network(), settings, &RunControl::default())
}

/// The CPU's painting of the photo.
fn by_the_processor(settings: PaintSettings) -> Painting {
    let cpu = CpuBackend::new(Some(1)).expect("threads");
    let mut painter = Painter::new(Arc::new(cpu), opener(Default::default()));
    paint(&mut painter, settings).expect("a painting")
}

#[test]
fn the_processor_paints_the_same_photo_when_the_gpu_is_lost() {
    // When a session is opened, when a frame is painted, and at its end.
    for call in ["cuMemcpyHtoD", "cuGraphLaunch", "cuStreamSynchronize"] {
        let gpu = FakeGpu::new();
        let settings = PaintSettings::default();
        let mut painter = painter(&gpu);
        let usual = paint(&mut painter, settings).expect("a painting");
        assert_eq!((usual.mode, painter.take_notices()), (FUSED, Vec::new()));
        painter.forget_sessions();
        gpu.fail(call, 0, LAUNCH_FAILED);
        let last = paint(&mut painter, settings).expect("the same photo, by the processor");
        let expected = by_the_processor(settings);
        assert_eq!((last.mode, &last.painted), (expected.mode, &expected.painted));
        assert_eq!(
            painter.take_notices(),
            [format!(
                "CPU: the GPU was lost ({call}: as the test wished (error 719)); restart StyleForge \
                 to use the GPU again; painting in fused fp32 instead of fused fp16"
            )]
        );
        // The GPU is not opened again, and has no memory allocated.
        paint(&mut painter, settings).expect("a painting");
        assert_eq!(painter.take_notices(), [""; 0]);
        assert_eq!((gpu.opened(), painter.backend().device().kind), (1, DeviceChoice::Cpu));
        assert_eq!(gpu.leaks(), [""; 0]);
    }
}

#[test]
fn the_processor_paints_the_same_photo_when_the_gpu_hangs() {
    let gpu = FakeGpu::new();
    let settings = PaintSettings::default();
    let mut painter = painter(&gpu);
    paint(&mut painter, settings).expect("a painting");
    gpu.hang("cuGraphLaunch", 0);
    let last = paint(&mut painter, settings).expect("the same photo, by the processor");
    let expected = by_the_processor(settings);
    assert_eq!((last.mode, &last.painted), (expected.mode, &expected.painted));
    assert_eq!(
        painter.take_notices(),
        [
            "CPU: the GPU was lost (no answer within 20 s); restart StyleForge to use the GPU again; \
             painting in fused fp32 instead of fused fp16"
        ]
    );
    // Every reading of the clock advances it by one second.
    assert!((21..30).contains(&gpu.waited().as_secs()), "{:?}", gpu.waited());
    // The GPU may still write to its memory, so nothing was freed, and it is not opened again.
    let left = gpu.leaks();
    let memory = |what: &str| left.iter().any(|kept| kept.ends_with(what));
    assert!(memory("device memory") && memory("pinned memory") && memory("graphs"), "{left:?}");
    paint(&mut painter, settings).expect("a painting");
    assert_eq!((painter.take_notices().len(), gpu.opened(), gpu.leaks()), (0, 1, left));
}

#[test]
fn frames_in_a_row_end_too_when_the_gpu_hangs() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    let spec = SessionSpec::single(40, 28, FUSED);
    let mut session = backend.open(&network(), &spec).expect("a session");
    let photos = [photo(), photo(), photo()];
    gpu.hang("cuGraphLaunch", 1);
    let painted = session.paint_all(&photos, &mut photos.clone(), &RunControl::default());
    assert!(painted.is_err_and(|error| error.is_lost()));
}

#[test]
fn the_deadline_of_a_frame_grows_with_its_work() {
    let gpu = FakeGpu::new();
    let backend = gpu.backend().expect("a GPU");
    let network = NetworkSpec::with_widths([32, 64, 128]).random(1).expect("a valid shape");
    let (width, height) = (1280, 720);
    let spec = SessionSpec::single(width, height, FUSED);
    let mut session = backend.open(&Arc::new(network), &spec).expect("a session");
    let photo = Frame::from_fn(width, height, |_, _| [7; 4]);
    gpu.hang("cuGraphLaunch", 0);
    // The way in which live painting waits.
    let mut calls = 0;
    let mut count = || calls += 1;
    let (frames, mut painted) = ([photo.clone()], [photo]);
    let control = RunControl::default();
    let hung =
        session.run(Job::frames(&frames.each_ref(), &mut painted), &control, Some(&mut count));
    let seconds = 20 + session.summary().flops / 10_000_000_000;
    assert!(seconds > 30, "{seconds}");
    assert_eq!(
        hung,
        Err(BackendError::DeviceLost {
            device: fake::NAME.to_owned(),
            reason: format!("no answer within {seconds} s")
        })
    );
    assert_eq!(calls, seconds + 1);
}

#[test]
fn opening_a_session_ends_too_when_the_gpu_hangs() {
    let gpu = FakeGpu::new();
    gpu.install_library();
    let backend = gpu.backend().expect("a GPU");
    gpu.hang("cudnnBackendExecute", 0);
    let baseline = Mode::new(Variant::Baseline, Precision::Fp16);
    let error = opened(&backend, baseline).expect_err("hangs");
    assert_eq!(
        error.to_string(),
        "Fake GPU was lost (no answer within 120 s); restart StyleForge to use it again"
    );
}

#[test]
fn a_mode_that_the_processor_lacks_is_replaced_and_reported() {
    let gpu = FakeGpu::new();
    let settings = PaintSettings {
        mode: Mode::new(Variant::FusedNorm, Precision::Bf16).into(),
        ..PaintSettings::default()
    };
    let mut painter = painter(&gpu);
    gpu.fail("cuGraphLaunch", 0, LAUNCH_FAILED);
    let painting = paint(&mut painter, settings).expect("a painting");
    assert_eq!(painting.mode, Mode::new(Variant::Fused, Precision::Fp32));
    let news = painter.take_notices().join(" ");
    assert!(news.ends_with("; painting in fused fp32 instead of fused-norm bf16"), "{news}");
    let cpu = CpuBackend::new(Some(1)).expect("threads");
    let mut asked = Painter::new(Arc::new(cpu), opener(Default::default()));
    assert!(
        matches!(
            paint(&mut asked, settings),
            Err(PaintError::Backend(BackendError::Unsupported { .. }))
        ),
        "a processor that was chosen refuses it"
    );
}

#[test]
fn a_batch_survives_a_loss() {
    let gpu = FakeGpu::new();
    let mut painter = painter(&gpu);
    let photos = [photo(), photo(), photo()].map(Arc::new);
    let frames: Vec<&Arc<Frame>> = photos.iter().collect();
    gpu.fail("cuGraphLaunch", 0, LAUNCH_FAILED);
    let control = RunControl::default();
    let paintings = painter
        .paint_batch(&frames, 3, &network(), PaintSettings::default(), &control)
        .expect("painted");
    assert_eq!(paintings.len(), 3);
    assert_eq!((painter.take_notices().len(), control.progress()), (1, 1.0));
    let expected = by_the_processor(PaintSettings::default());
    assert!(paintings.iter().all(|painting| painting.painted == expected.painted));
    assert_eq!(gpu.leaks(), [""; 0]);
}

/// A photo whose session needs more than a few megabytes.
fn large_photo() -> Frame {
    Frame::from_fn(400, 300, |x, y| [x as u8, y as u8, 9, 255])
}

fn paint_large(painter: &mut Painter, settings: PaintSettings) -> Result<Painting, PaintError> {
    painter.paint(&large_photo().into(), &network(), settings, &RunControl::default())
}

#[test]
fn photos_too_large_for_the_gpu_are_painted_smaller_and_reported() {
    for working_size in [WorkingSize::Auto, WorkingSize::Original] {
        let gpu = FakeGpu::new();
        let settings = PaintSettings { working_size, ..PaintSettings::default() };
        let mut painter = painter(&gpu);
        // Another program allocates after the painter queried the free memory.
        gpu.leave_free(4_000_000);
        let painting = paint_large(&mut painter, settings).expect("a painting");
        let (width, height) = (painting.painted.width(), painting.painted.height());
        assert!((100..400).contains(&width), "{width} x {height}");
        assert_eq!(
            painting.notes,
            [format!(
                "painted at {width} x {height} instead of 400 x 300 to stay below 4 MB of the GPU's \
                 memory"
            )]
        );
        assert_eq!(painting.mode, FUSED);
        drop(painter);
        assert_eq!(gpu.leaks(), [""; 0]);
    }
}

#[test]
fn a_photo_that_fits_at_no_size_is_refused_with_what_is_missing() {
    let gpu = FakeGpu::new();
    let mut painter = painter(&gpu);
    gpu.leave_free(1000);
    let error = paint_large(&mut painter, PaintSettings::default()).expect_err("no memory");
    let said = error.to_string();
    assert!(said.starts_with("400 x 300 pixels need "), "{said}");
    assert!(
        said.ends_with(
            "MB of GPU memory, and 0 MB are free; choose a smaller working size or close other \
             programs that use the GPU"
        ),
        "{said}"
    );
    drop(painter);
    assert_eq!(gpu.leaks(), [""; 0]);
}

#[test]
fn a_memory_that_says_it_is_free_and_is_not_comes_to_an_end() {
    let gpu = FakeGpu::new();
    let mut painter = painter(&gpu);
    // The allocation fails although a thousand times as much memory is reported as free.
    gpu.fail("cuMemAlloc", 0, OUT_OF_MEMORY);
    let painting = paint_large(&mut painter, PaintSettings::default()).expect("a painting");
    assert!(painting.painted.width() < 400, "tried again, smaller");
}

#[test]
fn kept_sessions_go_before_a_picture_is_painted_smaller() {
    let gpu = FakeGpu::new();
    let mut painter = painter(&gpu);
    let kept = network();
    let control = RunControl::default();
    let photo = Arc::new(large_photo());
    let settings = PaintSettings::default();
    painter.paint(&photo, &kept, settings, &control).expect("a painting");
    gpu.leave_free(1000);
    // Another network needs the memory of the session that is kept.
    let painting = paint_large(&mut painter, settings).expect("a painting");
    assert_eq!((painting.painted.width(), painting.notes.len()), (400, 0));
}

/// The next event of the engine.
fn next(engine: &mut Engine) -> Event {
    let started = Instant::now();
    loop {
        if let Some(event) = engine.poll() {
            return event;
        }
        assert!(started.elapsed() < PATIENCE, "no event");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_engine_reports_the_device_that_took_over() {
    let gpu = FakeGpu::new();
    let mut engine = Engine::start(gpu.opener(), Arc::new(|| {})).expect("a thread");
    let device = |engine: &mut Engine| match next(engine) {
        Event::Device { info, notice } => (info.kind, notice.unwrap_or_default()),
        other => panic!("{other:?}"),
    };
    assert_eq!(device(&mut engine), (DeviceChoice::Cuda, String::new()));
    gpu.hang("cuGraphLaunch", 0);
    engine.paint(PaintJob {
        photo: Arc::new(photo()),
        network: network(),
        settings: PaintSettings::default(),
        draft: false,
    });
    let (kind, notice) = device(&mut engine);
    assert_eq!(kind, DeviceChoice::Cpu);
    assert!(notice.starts_with("CPU: the GPU was lost ("), "{notice}");
    assert!(matches!(next(&mut engine), Event::Painted { .. }));
    assert!(engine.shutdown(PATIENCE), "the thread ends without the GPU");
}
