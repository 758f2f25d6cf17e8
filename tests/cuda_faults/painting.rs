//! The painter and the engine on a GPU that is lost, hangs or has too little memory: what takes over, and what
//! a person reads.

use super::*;

/// A painter on the GPU, as the surfaces make it.
fn painter(gpu: &FakeGpu) -> Painter {
    let open = gpu.opener();
    let selected = open(DeviceChoice::Auto).expect("a GPU");
    Painter::new(selected.backend, open)
}

fn paint(painter: &mut Painter, settings: PaintSettings) -> Result<Painting, PaintError> {
    painter.paint(&photo().into(), &network(), settings, &RunControl::default())
}

/// The processor's painting of the photo.
fn by_the_processor(settings: PaintSettings) -> Painting {
    let cpu = CpuBackend::new(Some(1)).expect("threads");
    let mut painter = Painter::new(Arc::new(cpu), opener(Default::default()));
    paint(&mut painter, settings).expect("a painting")
}

#[test]
fn a_lost_gpu_is_opened_again_once_and_then_the_processor_paints() {
    let gpu = FakeGpu::new();
    let settings = PaintSettings::default();
    let mut painter = painter(&gpu);
    let usual = paint(&mut painter, settings).expect("a painting");
    assert_eq!(painter.take_notices(), [""; 0]);
    assert_eq!(usual.mode, FUSED);

    gpu.fail("cuStreamSynchronize", 0, LAUNCH_FAILED);
    let again = paint(&mut painter, settings).expect("the same photo, by the new context");
    assert_eq!((gpu.opened(), painter.backend().device().name), (2, fake::NAME.to_owned()));
    assert_eq!((again.mode, &again.painted), (FUSED, &usual.painted));
    assert_eq!(
        painter.take_notices(),
        ["the GPU was lost and opened again (cuStreamSynchronize: as the test wished (error \
             719))"]
    );

    gpu.fail("cuGraphLaunch", 0, LAUNCH_FAILED);
    let last = paint(&mut painter, settings).expect("the same photo, by the processor");
    let expected = by_the_processor(settings);
    assert_eq!((last.mode, &last.painted), (expected.mode, &expected.painted));
    assert_eq!(
        painter.take_notices(),
        ["CPU: the GPU was lost twice (cuGraphLaunch: as the test wished (error 719)); the \
             processor paints until StyleForge is started again; painting in fused fp32 instead of \
             fused fp16"]
    );
    // For good: the GPU is not touched again, and holds nothing.
    paint(&mut painter, settings).expect("a painting");
    assert_eq!(painter.take_notices(), [""; 0]);
    assert_eq!(gpu.opened(), 2);
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn a_driver_that_hangs_is_reported_and_the_processor_paints() {
    let gpu = FakeGpu::new();
    let settings = PaintSettings::default();
    let mut painter = painter(&gpu);
    gpu.fail("cuStreamSynchronize", 0, LAUNCH_FAILED);
    paint(&mut painter, settings).expect("a painting, by another process");
    assert_eq!(painter.take_notices().len(), 1);
    gpu.hang("cuGraphLaunch", 0);
    let last = paint(&mut painter, settings).expect("the same photo, by the processor");
    let expected = by_the_processor(settings);
    assert_eq!((last.mode, &last.painted), (expected.mode, &expected.painted));
    assert_eq!(
        painter.take_notices(),
        ["CPU: the GPU did not answer the request to paint 40 x 28 pixels within 6 s, its driver \
             hangs; the processor paints until StyleForge is started again; painting in fused fp32 \
             instead of fused fp16"]
    );
    // For good, and it was not tried again: it would only hang again.
    paint(&mut painter, settings).expect("a painting");
    assert_eq!((painter.take_notices().len(), gpu.opened()), (0, 2));
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn a_gpu_that_does_not_come_back_leaves_the_work_to_the_processor() {
    let gpu = FakeGpu::new();
    let settings = PaintSettings::default();
    let mut painter = painter(&gpu);
    gpu.refuse_to_open();
    gpu.fail("cuMemcpyHtoD", 1, LAUNCH_FAILED);
    let painting = paint(&mut painter, settings).expect("a painting");
    assert_eq!(painting.painted, by_the_processor(settings).painted);
    let news = painter.take_notices().join(" ");
    assert!(
        news.starts_with("CPU: the GPU was lost and could not be opened again (cuMemcpyHtoD"),
        "{news}"
    );
    assert!(news.contains("no CUDA-capable device"), "{news}");
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn a_mode_that_the_processor_lacks_is_replaced_and_that_is_said() {
    let gpu = FakeGpu::new();
    let settings = PaintSettings {
        variant: Variant::FusedNorm,
        precision: PrecisionChoice::Fixed(Precision::Bf16),
        ..PaintSettings::default()
    };
    let mut painter = painter(&gpu);
    gpu.refuse_to_open();
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
fn a_gpu_that_came_back_refuses_what_it_refused_before() {
    let gpu = FakeGpu::of((7, 5));
    let mut painter = painter(&gpu);
    gpu.fail("cuGraphLaunch", 0, LAUNCH_FAILED);
    paint(&mut painter, PaintSettings::default()).expect("a painting");
    let bf16 = PaintSettings {
        precision: PrecisionChoice::Fixed(Precision::Bf16),
        ..PaintSettings::default()
    };
    assert!(matches!(
        paint(&mut painter, bf16),
        Err(PaintError::Backend(BackendError::Unsupported { .. }))
    ));
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
    // One by one in the new context: each its launches.
    let launches = gpu.launched().len();
    paint(&mut painter, PaintSettings::default()).expect("a painting");
    assert_eq!(launches, 3 * gpu.launched().len());
}

/// A photo as large as its session needs more than a few megabytes.
fn large_photo() -> Frame {
    Frame::from_fn(400, 300, |x, y| [x as u8, y as u8, 9, 255])
}

fn paint_large(painter: &mut Painter, settings: PaintSettings) -> Result<Painting, PaintError> {
    painter.paint(&large_photo().into(), &network(), settings, &RunControl::default())
}

#[test]
fn what_does_not_fit_the_gpu_is_painted_smaller_and_that_is_said() {
    for working_size in [WorkingSize::Auto, WorkingSize::Original] {
        let gpu = FakeGpu::new();
        let settings = PaintSettings { working_size, ..PaintSettings::default() };
        let mut painter = painter(&gpu);
        // Another program, after the painter asked what is free.
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
        assert_eq!(gpu.left_behind(), [""; 0]);
    }
}

#[test]
fn what_fits_in_no_size_says_what_is_missing() {
    let gpu = FakeGpu::new();
    let mut painter = painter(&gpu);
    gpu.leave_free(1000);
    let error = paint_large(&mut painter, PaintSettings::default()).expect_err("no memory");
    let said = error.to_string();
    assert!(said.starts_with("400 x 300 pixels need "), "{said}");
    assert!(
        said.ends_with(
            "MB of the GPU's memory, 0 MB are free; choose a smaller working size or close other \
             programs that use the GPU"
        ),
        "{said}"
    );
    drop(painter);
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn a_memory_that_says_it_is_free_and_is_not_comes_to_an_end() {
    let gpu = FakeGpu::new();
    let mut painter = painter(&gpu);
    // The allocation fails although a thousand times as much is said to be free.
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
    // Another network needs what the kept one holds.
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
fn the_engine_tells_of_the_device_that_took_over() {
    let gpu = FakeGpu::new();
    let mut engine = Engine::start(gpu.opener(), Arc::new(|| {})).expect("a thread");
    let device = |engine: &mut Engine| match next(engine) {
        Event::Device { info, notice } => (info.kind, notice.unwrap_or_default()),
        other => panic!("{other:?}"),
    };
    assert_eq!(device(&mut engine), (DeviceChoice::Cuda, String::new()));
    for (kind, beginning) in [
        (DeviceChoice::Cuda, "the GPU was lost and opened again ("),
        (DeviceChoice::Cpu, "CPU: the GPU was lost twice ("),
    ] {
        gpu.fail("cuStreamSynchronize", 0, LAUNCH_FAILED);
        engine.paint(PaintJob {
            photo: Arc::new(photo()),
            network: network(),
            settings: PaintSettings::default(),
            draft: false,
        });
        let (now, notice) = device(&mut engine);
        assert_eq!(now, kind);
        assert!(notice.starts_with(beginning), "{notice}");
        assert!(matches!(next(&mut engine), Event::Painted { .. }));
    }
    engine.shutdown(PATIENCE);
    drop(engine);
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn the_engine_goes_on_when_a_driver_hangs() {
    let gpu = FakeGpu::new();
    let mut engine = Engine::start(gpu.opener(), Arc::new(|| {})).expect("a thread");
    assert!(matches!(next(&mut engine), Event::Device { .. }));
    let job = || PaintJob {
        photo: Arc::new(photo()),
        network: network(),
        settings: PaintSettings::default(),
        draft: false,
    };
    gpu.fail("cuStreamSynchronize", 0, LAUNCH_FAILED);
    engine.paint(job());
    assert!(matches!(next(&mut engine), Event::Device { .. }));
    assert!(matches!(next(&mut engine), Event::Painted { .. }));
    gpu.hang("cuStreamSynchronize", 0);
    engine.paint(job());
    match next(&mut engine) {
        Event::Device { info, notice } => {
            let notice = notice.expect("a notice");
            assert_eq!(info.kind, DeviceChoice::Cpu);
            assert!(notice.starts_with("CPU: the GPU did not answer the request to "), "{notice}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(next(&mut engine), Event::Painted { .. }));
    engine.shutdown(Duration::from_secs(60));
    drop(engine);
    assert_eq!(gpu.left_behind(), [""; 0]);
}
