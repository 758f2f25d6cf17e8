//! A backend behind pipes does what it does without them, and says so when its process is gone.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{bounded, never};

use styleforge::{
    backend::{
        Backend, BackendError, InspectSession, RunControl, Session, SessionSpec,
        cpu::CpuBackend,
        remote::{RemoteBackend, Timer, serve},
    },
    frame::Frame,
    mode::{Mode, Variant},
    tensor::Tensor,
    timing::StepTiming,
};

use super::{FUSED, fake::FakeGpu, network, photo};

/// A backend and the same one behind pipes.
fn pair() -> (Arc<dyn Backend>, RemoteBackend) {
    let direct: Arc<dyn Backend> = Arc::new(CpuBackend::new(Some(1)).expect("threads"));
    let (mut questions, asking) = io::pipe().expect("a pipe");
    let (answers, mut answering) = io::pipe().expect("a pipe");
    let served = direct.clone();
    thread::spawn(move || serve(Ok(served), &mut questions, &mut answering));
    let worker = RemoteBackend::connect(Box::new(answers), Box::new(asking), "a processor");
    (direct, worker.expect("it answers"))
}

/// Photos of one size that differ.
fn photos() -> [Frame; 5] {
    [0, 1, 2, 3, 4]
        .map(|i| Frame::from_fn(40, 28, |x, y| [(x * i) as u8, (y * 9) as u8, 77, (x + i) as u8]))
}

/// Layers and kernels of a run.
fn names(steps: &[StepTiming]) -> Vec<(&str, &str)> {
    let steps = steps.iter();
    steps.map(|s| (s.layer.as_str(), s.kernel.as_str())).collect()
}

#[test]
fn a_backend_behind_pipes_is_the_same() {
    let (direct, worker) = pair();
    assert_eq!(worker.device(), direct.device());
    assert_eq!(worker.modes(), direct.modes());
    assert_eq!(worker.free_bytes(), direct.free_bytes());
    assert_eq!(clock_mhz(&worker), clock_mhz(direct.as_ref()));
    for &variant in Variant::ALL {
        assert_eq!(worker.auto_precision(variant), direct.auto_precision(variant));
    }
    let (network, control) = (network(), RunControl::default());
    let photos = photos();
    for mode in direct.modes() {
        let spec = SessionSpec { batch: 2, ..SessionSpec::single(40, 28, mode) };
        assert_eq!(
            worker.predicted_bytes(network.graph(), &spec),
            direct.predicted_bytes(network.graph(), &spec)
        );
        let mut a = direct.open(&network, &spec).expect("a session");
        let mut b = worker.open(&network, &spec).expect("a session");
        assert_eq!(a.summary(), b.summary());
        let (mut x, mut y) = (photos.clone(), photos.clone());
        a.paint(&photos[0], &mut x[0], &control).expect("painted");
        b.paint(&photos[0], &mut y[0], &control).expect("painted");
        assert_eq!(x, y);
        assert_ne!(x[0], photos[0]);
        a.run(&photos, &mut x, &control, None).expect("painted");
        let control = RunControl::default();
        b.run(&photos, &mut y, &control, None).expect("painted");
        assert_eq!((&x, control.progress()), (&y, 1.0));
        let (a, b) = (look_into(a.as_mut()), look_into(b.as_mut()));
        let of_a = a.profile(&photos[1], &mut x[0], &control).expect("painted");
        let of_b = b.profile(&photos[1], &mut y[0], &control).expect("painted");
        assert!(of_a.len() > 5);
        assert_eq!((x, names(&of_a)), (y, names(&of_b)));
        assert_eq!(maps(a, &photos[2]), maps(b, &photos[2]), "{mode}");
        assert_eq!(a.run_tensor(&photos[2], None), b.run_tensor(&photos[2], None));
    }
}

fn clock_mhz(backend: &dyn Backend) -> Option<u32> {
    backend.inspect().expect("a look at it").clock_mhz()
}

fn look_into(session: &mut dyn Session) -> &mut dyn InspectSession {
    session.inspect().expect("a look into it")
}

/// The maps behind the norms, and the output.
fn maps(session: &mut dyn InspectSession, photo: &Frame) -> Vec<(String, Tensor)> {
    let mut maps = Vec::new();
    let mut tap = |norm: &str, map: Tensor| maps.push((norm.to_owned(), map));
    let output = session.run_tensor(photo, Some(&mut tap)).expect("maps");
    assert!(maps.len() > 5);
    maps.push((String::new(), output));
    maps
}

#[test]
fn a_refusal_behind_pipes_is_reported_as_usual() {
    let gpu = FakeGpu::of((7, 5));
    let worker = gpu.worker().expect("a GPU");
    let spec = |mode| SessionSpec::single(40, 28, mode);
    let bf16 = Mode::new(FUSED.variant, styleforge::mode::Precision::Bf16);
    for refused in [worker.supports(bf16), worker.open(&network(), &spec(bf16)).map(drop)] {
        let refused = refused.expect_err("no bf16 there");
        assert!(refused.to_string().contains("cannot paint in fused bf16"), "{refused}");
    }
    gpu.leave_free(100_000);
    assert_eq!(worker.free_bytes(), Some(100_000));
    let full = worker.open(&network(), &spec(FUSED)).map(drop);
    assert!(matches!(full, Err(BackendError::OutOfDeviceMemory { .. })), "{full:?}");
    gpu.leave_free(1_000_000_000);
    let mut session = worker.open(&network(), &spec(FUSED)).expect("a session");
    let (small, control) = (Frame::from_fn(8, 8, |_, _| [0; 4]), RunControl::default());
    let mut painted = photo();
    assert!(matches!(
        session.paint(&small, &mut painted, &control),
        Err(BackendError::WrongSize { width: 8, .. })
    ));
    assert!(matches!(
        session.run(&[photo()], &mut [], &control, None),
        Err(BackendError::WrongBatch { .. })
    ));
    assert!(matches!(
        session.run(&[], &mut [], &control, None),
        Err(BackendError::WrongBatch { .. })
    ));
    control.cancel();
    assert_eq!(session.paint(&photo(), &mut painted, &control), Err(BackendError::Cancelled));
    session
        .paint(&photo(), &mut painted, &RunControl::default())
        .expect("all is well after all that");
    drop((session, worker));
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn a_gpu_that_cannot_be_opened_there_is_reported() {
    let gpu = FakeGpu::new();
    gpu.refuse_to_open();
    let refused = gpu.worker().map(drop).expect_err("no GPU");
    assert!(
        matches!(&refused, BackendError::Unavailable { reason, .. } if reason.contains("error 100")),
        "{refused}"
    );
}

/// A process that says `said` and ends.
fn one_that_says(said: &str) -> Result<RemoteBackend, BackendError> {
    let (_, asking) = io::pipe().expect("a pipe");
    let (answers, mut answering) = io::pipe().expect("a pipe");
    if !said.is_empty() {
        let lengths = [said.len() as u64, 0].map(u64::to_le_bytes).concat();
        answering.write_all(&lengths).expect("room");
        answering.write_all(said.as_bytes()).expect("room");
    }
    drop(answering);
    RemoteBackend::connect(Box::new(answers), Box::new(asking), "GPU")
}

#[test]
fn a_process_that_ends_is_a_lost_device() {
    let device = r#"{"kind":"cuda","name":"GPU","threads":1,"instructions":"sm_90"}"#;
    let version = env!("CARGO_PKG_VERSION");
    let hello = format!(r#"{{"Ok":{{"version":"{version}","device":{device}}}}}"#);
    let worker = one_that_says(&hello).expect("it answers");
    let spec = SessionSpec::single(40, 28, FUSED);
    for _ in 0..2 {
        let lost = worker.open(&network(), &spec).map(drop);
        let lost = lost.expect_err("nobody is there");
        let said = lost.to_string();
        assert!(
            lost.is_lost() && said.starts_with("GPU was lost (its process does not answer: "),
            "{said}"
        );
    }
    assert_eq!(worker.free_bytes(), None);
    // In the first moment as well.
    assert!(one_that_says("").map(drop).expect_err("nobody").is_lost());
    assert!(one_that_says("?").map(drop).expect_err("what").is_lost());
    let other = hello.replace(version, "0.0.0-other");
    let refused = one_that_says(&other).map(drop).expect_err("another");
    assert_eq!(
        refused.to_string(),
        "GPU is not available: StyleForge's file is of version 0.0.0-other by now; start it again"
    );
}

/// Lets through what comes while some of it is left.
struct Cut<R>(R, usize);

impl<R: Read> Read for Cut<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let room = to.len().min(self.1);
        let read = self.0.read(&mut to[..room])?;
        self.1 -= read;
        Ok(read)
    }
}

#[test]
fn a_process_that_ends_in_the_middle_of_a_painting_is_a_lost_device() {
    let gpu = FakeGpu::new();
    let mut ways: [usize; 3] = [0; 3];
    for bytes in (0..40_000).step_by(500) {
        let (mut questions, asking) = io::pipe().expect("a pipe");
        let (answers, mut answering) = io::pipe().expect("a pipe");
        let backend = gpu.backend().map(|b| Arc::new(b) as Arc<dyn Backend>);
        let worker = thread::spawn(move || serve(backend, &mut questions, &mut answering));
        let answers = Box::new(Cut(answers, bytes));
        let painted =
            RemoteBackend::connect(answers, Box::new(asking), "GPU").and_then(|backend| {
                let mut session = backend.open(&network(), &SessionSpec::single(40, 28, FUSED))?;
                let mut painted = photo();
                session.paint(&photo(), &mut painted, &RunControl::default())?;
                session.paint(&photo(), &mut painted, &RunControl::default())
            });
        match painted {
            Ok(_) => ways[2] += 1,
            Err(error) => {
                assert!(error.is_lost(), "{bytes}: {error}");
                ways[usize::from(bytes > 4480)] += 1;
            }
        }
        worker.join().expect("no panic").ok();
    }
    assert!(ways.iter().all(|&times| times > 0), "{ways:?}");
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn requests_have_deadlines_by_their_kind() {
    let gpu = FakeGpu::new();
    let worker = gpu.worker().expect("a GPU");
    let seconds =
        |gpu: &FakeGpu| -> Vec<u64> { (gpu.patience().iter().map(Duration::as_secs)).collect() };
    assert_eq!(seconds(&gpu), [120], "opening the GPU");
    worker.free_bytes().expect("told");
    assert_eq!(seconds(&gpu), [30]);
    let spec = SessionSpec::single(40, 28, FUSED);
    let mut session = worker.open(&network(), &spec).expect("a session");
    assert_eq!(seconds(&gpu), [120], "opening a session");
    let flops = session.summary().flops;
    let mut painted = photo();
    let mut patience_ms = || {
        let control = RunControl::default();
        session.paint(&photo(), &mut painted, &control).expect("painted");
        let all = gpu.patience();
        assert_eq!(all.len(), 1);
        all[0].as_secs_f64() * 1e3
    };
    // Photo and painting at 0.1 GB/s; before the first frame its operations at 0.1 TFLOP/s.
    let pipes_ms = 2.0 * (4 * 40 * 28) as f64 / 1e5;
    let near = |ms: f64, predicted_ms: f64| {
        let expected_ms = 10.0 * (predicted_ms + pipes_ms) + 5000.0;
        assert!((ms - expected_ms).abs() < 1e-3, "{ms} {expected_ms}");
    };
    near(patience_ms(), flops as f64 / 1e8);
    // The fake GPU says so of every part of a frame: to the device, the frame, and back.
    near(patience_ms(), 3.0);
    drop((session, worker));
    assert_eq!(gpu.left_behind(), [""; 0]);
}

#[test]
fn a_hang_is_reported_with_the_request_and_nothing_is_requested_any_more() {
    let spec = SessionSpec::single(40, 28, FUSED);
    let hangs = |request: &str, waited_s| BackendError::DeviceHangs {
        device: super::fake::NAME.to_owned(),
        request: request.to_owned(),
        waited_s,
    };
    let gpu = FakeGpu::new();
    let worker = gpu.worker().expect("a GPU");
    gpu.hang("cuModuleLoadData", 0);
    for _ in 0..2 {
        let error = worker.open(&network(), &spec).map(drop).expect_err("hangs");
        assert_eq!(error, hangs("get ready for 40 x 28 pixels", 120));
        assert!(error.is_lost());
        assert_eq!(
            error.to_string(),
            "Fake GPU did not answer the request to get ready for 40 x 28 pixels within 120 s, its \
             driver hangs; restart the computer if it goes on"
        );
    }
    drop(worker);
    assert_eq!(gpu.left_behind(), [""; 0]);

    let gpu = FakeGpu::new();
    let worker = gpu.worker().expect("a GPU");
    gpu.hang("cuMemGetInfo", 0);
    assert_eq!(worker.free_bytes(), None);
    let error = worker.open(&network(), &spec).map(drop).expect_err("hangs");
    assert_eq!(error, hangs("tell its free memory", 30));
    drop(worker);
    assert_eq!(gpu.left_behind(), [""; 0]);
}

/// A clock by which everything from the question `first` on, counted from 0, is over at once.
fn over_from(first: usize) -> Timer {
    let asked = AtomicUsize::new(0);
    Arc::new(move |_| {
        if asked.fetch_add(1, Ordering::Relaxed) < first {
            return never();
        }
        let (sender, over) = bounded(1);
        sender.send(Instant::now()).expect("room");
        over
    })
}

#[test]
fn a_process_that_says_nothing_or_reads_nothing_is_not_waited_for() {
    let (_questions, asking) = io::pipe().expect("a pipe");
    let (answers, _answering) = io::pipe().expect("a pipe");
    let silent =
        RemoteBackend::connect_timed(Box::new(answers), Box::new(asking), "GPU", over_from(0));
    let said = silent.map(drop).expect_err("silent").to_string();
    assert!(said.starts_with("GPU did not answer the request to open it within 120 s"), "{said}");

    let (_questions, asking) = io::pipe().expect("a pipe");
    let (answers, mut answering) = io::pipe().expect("a pipe");
    answering.write_all(&hello_message()).expect("room");
    let deaf =
        RemoteBackend::connect_timed(Box::new(answers), Box::new(asking), "GPU", over_from(1));
    // Its weights fill the pipe.
    let spec = styleforge::models::johnson::NetworkSpec::with_widths([32, 64, 128]);
    let large = spec.random(5).expect("a valid shape");
    let session = SessionSpec::single(40, 28, FUSED);
    let opened = deaf.expect("it speaks").open(&Arc::new(large), &session);
    assert!(matches!(opened.map(drop), Err(BackendError::DeviceHangs { waited_s: 120, .. })));
}

/// What a GPU's process says first.
fn hello_message() -> Vec<u8> {
    let device = r#"{"kind":"cuda","name":"GPU","threads":1,"instructions":"sm_90"}"#;
    let version = env!("CARGO_PKG_VERSION");
    let hello = format!(r#"{{"Ok":{{"version":"{version}","device":{device}}}}}"#);
    let lengths = [hello.len() as u64, 0].map(u64::to_le_bytes).concat();
    [lengths, hello.into_bytes()].concat()
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_hangs_is_killed_and_leaves_the_list_of_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = folder.path().join("number");
    let number = {
        let told = told.clone();
        move || fs::read_to_string(&told).ok()?.trim().parse::<u32>().ok()
    };
    let guard = Instant::now() + Duration::from_secs(120);
    let waits = number.clone();
    // Over as soon as the process is there.
    let timer: Timer = Arc::new(move |_| {
        while waits().is_none() && Instant::now() < guard {
            thread::yield_now();
        }
        over_from(0)(Duration::ZERO)
    });
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$ > \"$0\"; exec sleep 1000000"]);
    command.arg(&told);
    let hangs = RemoteBackend::run(&mut command, "GPU", timer).map(drop);
    assert!(matches!(hangs, Err(BackendError::DeviceHangs { .. })), "{hangs:?}");
    let process = format!("/proc/{}", number().expect("it was started"));
    while Path::new(&process).exists() {
        assert!(Instant::now() < guard, "{process} is still there");
        thread::yield_now();
    }
}
