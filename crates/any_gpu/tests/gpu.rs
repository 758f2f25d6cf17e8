//! Every adapter's first GPU against the float64 oracle; Mesa's software driver is enough. Ignored, with the reason, on a
//! computer without any driver.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod graphs;
#[path = "../../../tests/support/home.rs"]
mod home;

use std::{process::ExitCode, sync::Arc};

use any_gpu::GpuBackend;
use backend::{Backend, BackendError, RunControl, Session, SessionSpec};
use libtest_mimic::{Arguments, Failed, Trial};
use measure::verify::{Subject, Verdict, adversarial_subjects, verify};
use network::{Network, models::johnson::NetworkSpec};
use values::{frame::Frame, mode::ModeChoice};

/// Pictures of a subject that are painted: all of them take minutes in software.
const PICTURES: [&str; 5] =
    ["hot corners", "flat grey", "noise 33 x 21", "noise 1 x 9", "noise 45 x 31"];
/// The network that is also painted with short parts of buffers for a launch, so that maps are computed in parts.
const IN_PARTS: &str = "every operation";
/// Bytes for each byte of a value.
const NARROW_BYTES: u64 = 32 << 10;

fn main() -> ExitCode {
    let backend = GpuBackend::open(None).map(Arc::new);
    let mut subjects = adversarial_subjects().expect("valid networks");
    let everything = Network::random(graphs::everything(), 7).expect("a network");
    let noise = |x: usize, y: usize| ((x * 71 + y * 37 + x * y * 13) as u32).to_le_bytes();
    subjects.push(Subject {
        name: IN_PARTS.to_owned(),
        network: Arc::new(everything),
        pictures: vec![("noise 45 x 31".to_owned(), Frame::from_fn(45, 31, noise))],
    });
    let trials = subjects.into_iter().map(|subject| {
        let name = format!("paints {}", subject.name);
        match &backend {
            Ok(backend) => {
                let backend = Arc::clone(backend);
                Trial::test(name, move || is_right(&backend, subject))
            }
            Err(error) => {
                Trial::test(name, || Ok(())).with_kind(error.to_string()).with_ignored_flag(true)
            }
        }
    });
    let lost = match &backend {
        Ok(_) => Trial::test("reports a lost device", || Ok(lost_device()?)),
        Err(error) => Trial::test("reports a lost device", || Ok(()))
            .with_kind(error.to_string())
            .with_ignored_flag(true),
    };
    let trials = trials.chain([lost]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn is_right(backend: &GpuBackend, mut subject: Subject) -> Result<(), Failed> {
    subject.pictures.retain(|(name, _)| PICTURES.contains(&name.as_str()));
    let modes = backend.modes();
    let mut failures = Vec::new();
    let mut note = |verdict: Verdict| {
        if let Some(failure) = verdict.failure {
            let of = format!("{} of {}", verdict.mode, verdict.picture);
            failures.push(format!("{of}: {failure} (worst norm {})", verdict.worst_norm));
        }
    };
    verify(backend, &subject, &modes, 1, &mut note)?;
    if subject.name == IN_PARTS {
        for mode in modes {
            let bytes = mode.precision.format().storage.bytes() as u64;
            let narrow = backend.with_binding_bytes(NARROW_BYTES * bytes);
            verify(&narrow, &subject, &[mode], 1, &mut note)?;
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

/// A session of a lost device fails, also again, and a new device in the same process paints the same.
fn lost_device() -> Result<(), BackendError> {
    let network = Arc::new(NetworkSpec::with_widths([8, 16, 32]).random(3).expect("a network"));
    let photo = Frame::from_fn(20, 16, |x, y| [(x * 12) as u8, (y * 15) as u8, 90, 255]);
    let spec = |backend: &GpuBackend| {
        let mode = backend.mode(ModeChoice::default());
        SessionSpec::single(photo.width(), photo.height(), mode)
    };
    let paint = |session: &mut dyn Session| {
        let mut painted = photo.clone();
        session.paint(&photo, &mut painted, &RunControl::default()).map(|_| painted)
    };
    let backend = GpuBackend::open(None)?;
    let mut session = backend.open(&network, &spec(&backend))?;
    let before = paint(session.as_mut())?;
    backend.lose();
    for _ in 0..2 {
        let error = paint(session.as_mut()).expect_err("the device is lost");
        assert!(error.is_lost(), "{error}");
    }
    assert!(backend.open(&network, &spec(&backend)).is_err_and(|error| error.is_lost()));
    let backend = GpuBackend::open(None)?;
    let mut session = backend.open(&network, &spec(&backend))?;
    assert_eq!(paint(session.as_mut())?, before);
    Ok(())
}
