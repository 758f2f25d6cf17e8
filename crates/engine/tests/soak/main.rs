//! Live painting for hours, used like by a user who tries everything: styles, modes, sizes, sources, failing cameras,
//! snapshots, recordings. The resources at the end are compared with those in minute five, in the same state.
//!
//! Runs only if `STYLEFORGE_SOAK_MINUTES` sets its duration; `tools/soak.sh` builds and runs it. It is one program that
//! can be copied to another computer. It reads the styles from the current folder (`styles`), and the fake camera
//! (`tests/camera/shim.c`) as `fake_camera.so` from its own folder. If that is missing, it builds it.
//! `STYLEFORGE_SOAK_DEVICE` is `auto`, `cpu` or `cuda`.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

#[path = "../../../../tests/camera/fake.rs"]
#[allow(dead_code, reason = "the camera's own tests use more of it")]
mod fake;
mod figures;
#[path = "../../../../tests/support/home.rs"]
mod home;
mod round;
mod studio;

use std::{
    env,
    process::{Command, ExitCode},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use backend::allocator;
use libtest_mimic::{Arguments, Failed, Trial};
use values::mode::DeviceChoice;

use fake::{Fake, PRELOAD, ROOT};
use figures::{HEAD, HeldMemory};
use round::Round;

const MINUTES: &str = "STYLEFORGE_SOAK_MINUTES";
const DEVICE: &str = "STYLEFORGE_SOAK_DEVICE";
/// Maximum growth between the compared minute and the end.
const GROWTH_BYTES: u64 = 8 * 1024 * 1024;
/// Longest time without a picture: beyond it something hung, on any computer.
const LONGEST_GAP: Duration = Duration::from_secs(60);
/// Maximum number of complaints that are printed at the end.
const MAX_COMPLAINTS: usize = 20;

fn minutes() -> Option<u64> {
    env::var(MINUTES).ok()?.parse().ok()
}

/// The minute from which on the start of a round is compared with the end: five, or an earlier one in short runs.
fn compared_minute(minutes: u64) -> u64 {
    match minutes {
        10.. => 5,
        4.. => 2,
        _ => 1,
    }
}

fn main() -> ExitCode {
    // The program has the same setting.
    allocator::return_large_blocks(false);
    if let Some(minutes) = minutes().filter(|_| env::var_os(ROOT).is_some()) {
        return match soak(minutes.max(2)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                println!("FAILED: {why}");
                ExitCode::FAILURE
            }
        };
    }
    let trial = Trial::test("live_for_hours", with_the_fake_camera)
        .with_kind(match minutes() {
            Some(_) => "",
            None => "runs for as many minutes as STYLEFORGE_SOAK_MINUTES says",
        })
        .with_ignored_flag(minutes().is_none());
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// Runs in a separate process with the fake camera.
fn with_the_fake_camera() -> Result<(), Failed> {
    let program = env::current_exe()?;
    let carried = program.with_file_name("fake_camera.so");
    let library = match carried.exists() {
        true => carried,
        false => fake::build_library()?,
    };
    let root = tempfile::tempdir()?;
    Fake::make(root.path()).write_jpegs();
    let ended = Command::new(program).env(PRELOAD, library).env(ROOT, root.path()).status()?;
    match ended.success() {
        true => Ok(()),
        false => Err(ended.to_string().into()),
    }
}

/// Panics in any thread, including those that are caught.
static PANICS: AtomicU64 = AtomicU64::new(0);

fn count_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |about| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(about);
    }));
}

fn soak(minutes: u64) -> Result<(), String> {
    count_panics();
    let device: DeviceChoice = env::var(DEVICE)
        .unwrap_or_else(|_| "auto".to_owned())
        .parse()
        .map_err(|e| format!("{DEVICE}: {e}"))?;
    let began = Instant::now();
    let mut round = Round::open(device)?;
    let modes: Vec<String> = round.studio.modes.iter().map(ToString::to_string).collect();
    println!("{minutes} minutes on {}; modes: {}", round.studio.device, modes.join(", "));
    if round.studio.is_gpu() {
        let whose = match round.studio.knows_own_gpu_bytes {
            true => "this process holds",
            false => "everybody holds: nothing else may use it",
        };
        println!("of the GPU's memory, what {whose}");
    }
    println!("minute {HEAD}  painted switches faults recordings snapshots");
    round.try_everything();
    // The resources at the start of each round, always in the same state, and the time since the start.
    let mut homes: Vec<(Duration, HeldMemory)> = Vec::new();
    loop {
        let home = round.home();
        homes.push((began.elapsed(), home));
        let counts = round.studio.counts;
        println!(
            "{:6.1} {home} {:8} {:8} {:6} {:10} {:9}",
            began.elapsed().as_secs_f64() / 60.0,
            counts.painted,
            counts.styles + counts.modes + counts.sizes,
            counts.faults,
            counts.recordings,
            counts.snapshots
        );
        if began.elapsed() >= Duration::from_secs(60 * minutes) {
            break;
        }
        round.wander(homes.len() - 1);
    }
    finish(round, &homes, minutes, began)
}

/// Prints the table and checks it.
fn finish(
    round: Round,
    homes: &[(Duration, HeldMemory)],
    minutes: u64,
    began: Instant,
) -> Result<(), String> {
    let (longest_gap, most) = (round.studio.longest_gap, round.studio.most);
    let (counts, mut wrong) = round.studio.close();
    wrong.truncate(MAX_COMPLAINTS);
    let panics = PANICS.load(Ordering::SeqCst);
    let compared = compared_minute(minutes);
    let is_compared = |(at, _): &&(Duration, HeldMemory)| *at >= Duration::from_secs(60 * compared);
    // The first round allocates everything that is needed only once: threads and files of a recording, of a lost
    // camera.
    let first = homes.iter().skip(1).find(is_compared);
    let compared = first.map_or(compared, |(at, _)| at.as_secs() / 60);
    let first = first.map(|(_, held)| held);
    let last = homes.last().map(|(_, held)| held);
    println!("\n                 {HEAD}");
    for (what, held) in [
        (format!("minute {compared}"), first),
        ("the end".to_owned(), last),
        ("at most, of all".to_owned(), most.as_ref()),
    ] {
        if let Some(held) = held {
            println!("{what:16} {held}");
        }
    }
    for (what, count) in [
        ("minutes", (began.elapsed().as_secs_f64() / 60.0).round() as u64),
        ("pictures painted", counts.painted),
        ("small pictures painted", counts.small_painted),
        ("switches of the style", counts.styles),
        ("switches of the mode", counts.modes),
        ("switches of the size", counts.sizes),
        ("sources started", counts.sources),
        ("faults of the camera", counts.faults),
        ("damaged frames left out", counts.damaged),
        ("recordings", counts.recordings),
        ("pictures recorded", counts.recorded),
        ("pictures left out of recordings", counts.left_out),
        ("snapshots", counts.snapshots),
        ("longest gap between pictures, ms", longest_gap.as_millis() as u64),
        ("pictures of an older frame", counts.went_back),
        ("panics", panics),
    ] {
        println!("{what:34} {count:10}");
    }
    if panics > 0 {
        wrong.push(format!("{panics} panics"));
    }
    if longest_gap > LONGEST_GAP {
        wrong.push(format!("no picture came for {} s", longest_gap.as_secs()));
    }
    match (first, last) {
        (Some(first), Some(last)) if !std::ptr::eq(first, last) => {
            wrong.extend(grown(first, last));
        }
        _ => wrong.push("the run was too short to compare anything".to_owned()),
    }
    if wrong.is_empty() {
        println!("nothing wrong");
        return Ok(());
    }
    Err(wrong.join("\n"))
}

/// Resources that grew since an earlier minute.
fn grown(first: &HeldMemory, last: &HeldMemory) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, first: u64, last: u64, allowed: u64| {
        if last > first + allowed {
            wrong.push(format!("{what} grew from {first} to {last}"));
        }
    };
    check("resident bytes", first.resident_bytes, last.resident_bytes, GROWTH_BYTES);
    check("bytes on the heap", first.heap_bytes, last.heap_bytes, GROWTH_BYTES);
    check("bytes on the GPU", first.gpu_bytes.unwrap_or(0), last.gpu_bytes.unwrap_or(0), 0);
    check("threads", first.threads, last.threads, 0);
    check("handles", first.handles, last.handles, 0);
    wrong
}
