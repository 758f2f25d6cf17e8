//! Every failure of a camera, tested without one: `shim.c` replaces the driver, in a separate process for each test.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

mod allocations;
mod camera_out;
mod fake;
mod faults;
#[path = "../support/home.rs"]
mod home;
mod pictures;
mod program;
#[path = "../support/real_time.rs"]
mod real_time;
mod stage;

use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode},
    sync::OnceLock,
};

use libtest_mimic::{Arguments, Failed, Trial};

use fake::{Fake, PRELOAD, ROOT};

/// The environment variable that names the test to run in a process with the fake camera.
const TEST: &str = "FAKE_CAMERA_TEST";

/// Number of tests that run at the same time.
const AT_ONCE: usize = 8;

/// A test that runs in a process with the fake camera.
type Test = (&'static str, fn());

fn all() -> Vec<Test> {
    [
        pictures::ALL,
        pictures::IN_REAL_TIME,
        faults::ALL,
        allocations::ALL,
        program::ALL,
        camera_out::ALL,
    ]
    .concat()
}

/// A test that only checks real time is ignored unless real time is checked.
fn trial((name, _): Test) -> Trial {
    let in_real_time = pictures::IN_REAL_TIME.iter().any(|(n, _)| *n == name);
    let is_ignored = in_real_time && !real_time::is_judged();
    Trial::test(name, move || run(name))
        .with_kind(if is_ignored { real_time::IGNORED } else { "" })
        .with_ignored_flag(is_ignored)
}

fn main() -> ExitCode {
    if let Ok(name) = env::var(TEST) {
        let test = all().into_iter().find(|(n, _)| *n == name);
        test.expect("a test of this name").1();
        return ExitCode::SUCCESS;
    }
    let trials = all().into_iter().map(trial).collect();
    let mut arguments = Arguments::from_args();
    // They mostly wait: for frames at a camera's rate, and for time limits.
    if !real_time::is_judged() {
        arguments.test_threads.get_or_insert(AT_ONCE);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs a test in a separate process.
fn run(name: &str) -> Result<(), Failed> {
    let library = library().as_ref()?;
    let root = tempfile::tempdir()?;
    Fake::make(root.path());
    let program = env::current_exe()?;
    let ended = Command::new(program)
        .env(PRELOAD, library)
        .env(ROOT, root.path())
        .env(TEST, name)
        .output()?;
    if ended.status.success() {
        return Ok(());
    }
    Err(format!(
        "{}\n{}{}",
        ended.status,
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    )
    .into())
}

/// The library, built once with the system's C compiler.
fn library() -> &'static Result<PathBuf, String> {
    static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    LIBRARY.get_or_init(fake::build_library)
}
