//! The real program in a window on a virtual screen (Xvfb), driven by keys and clicks (xdotool), and ended by a signal.
//! Listed as ignored if these tools are missing.
//!
//! Four tours use the program like a user on the first day, on a small screen of high resolution, without a mouse, and
//! with a video.
//! Each step saves a screenshot in `target/tmp/window-tour`.
//!
//! Two tests take minutes and need a machine without other work, so only `tools/real_time.sh` runs them: three minutes
//! of live painting of the demo scene (`STYLEFORGE_LIVE_MINUTES=30` makes it longer), and a window in which nothing
//! moves.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

mod driven;
mod film;
mod first_day;
#[path = "../support/home.rs"]
mod home;
#[path = "../support/picture_files.rs"]
mod picture_files;
#[path = "../support/real_time.rs"]
mod real_time;
mod screen;
mod ways;

use std::{
    fs,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Trial};

use driven::{Window, is_in_path};

/// Number of tests that run at the same time.
const AT_ONCE: usize = 5;
/// Maximum growth from minute one to minute three, in KiB.
const GROWTH_KB: u64 = 8 * 1024;

fn live_for_minutes() {
    let minutes = std::env::var("STYLEFORGE_LIVE_MINUTES")
        .ok()
        .and_then(|minutes| minutes.parse().ok())
        .unwrap_or(3);
    let mut window = Window::open();
    // Every style and every view once, so that everything has been loaded.
    sleep(Duration::from_secs(5));
    window.keys(&["2", "3", "4", "5", "6", "1"]);
    window.keys(&["c"]);
    sleep(Duration::from_secs(6));
    window.keys(&["d", "Escape", "Escape", "g"]);
    sleep(Duration::from_secs(6));
    window.keys(&["Escape", "v", "p"]);
    window.resize("1024", "700");
    sleep(Duration::from_secs(3));
    window.keys(&["p", "space", "space", "s"]);
    window.wait_until("the snapshot", || window.snapshots().len() == 1);
    window.resize("1500", "950");
    let began = Instant::now();
    let at = |minute: u64| {
        let due = Duration::from_secs(60 * minute);
        sleep(due.saturating_sub(began.elapsed()));
        (window.status("VmRSS"), window.status("Threads"))
    };
    let (first_kb, first_threads) = at(1);
    let (last_kb, last_threads) = at(minutes);
    println!(
        "{first_kb} KiB after a minute, {last_kb} KiB after {minutes}; {last_threads} threads"
    );
    assert!(
        last_kb <= first_kb + GROWTH_KB,
        "{first_kb} KiB after a minute, {last_kb} KiB after {minutes}"
    );
    assert!(last_threads <= first_threads, "{first_threads} threads, then {last_threads}");
    // It still paints: a frozen or dead picture would be saved unchanged.
    window.keys(&["s"]);
    window.wait_until("another snapshot", || window.snapshots().len() == 2);
    window.keys(&["ctrl+q"]);
    window.wait_for_end();
    let [a, b] = [1, 2].map(|n| {
        let name = format!("StyleForge/snapshot-candy-{n:04}.png");
        fs::read(window.home.path().join(name)).expect("a snapshot")
    });
    assert_ne!(a, b, "the scene moved between the two");
}

/// A painted photo and a frozen live picture take almost no CPU time.
fn rests_when_nothing_moves() {
    let mut window = Window::open();
    sleep(Duration::from_secs(3));
    window.keys(&["l", "ctrl+e"]);
    sleep(Duration::from_secs(2));
    window.keys(&["1"]);
    window.rests("with a painted photo");
    window.keys(&["l"]);
    sleep(Duration::from_secs(4));
    window.keys(&["space"]);
    window.rests("with a picture that is held");
    window.keys(&["ctrl+q"]);
    window.wait_for_end();
}

/// SIGTERM, SIGHUP and Ctrl-C end the program like closing its window, and the recording on disk is complete.
fn a_signal_ends_it_whole() {
    for signal in ["-TERM", "-HUP", "-INT"] {
        let mut window = Window::open();
        // Before the first picture a recording is refused; the key that starts one also ends it.
        window.wait_until("a picture", || {
            window.keys(&["s"]);
            !window.snapshots().is_empty()
        });
        window.keys(&["r"]);
        window.wait_until("a recording", || window.is_recording());
        let pid = window.program.0.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
        window.wait_for_end();
        let video = window.recorded().expect("a whole video");
        let settings = window.settings();
        assert!(settings.contains("window_width"), "{settings}");
        let bytes = fs::metadata(video).expect("a file").len();
        println!("{signal} ended it with a video of {bytes} bytes");
    }
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Each has a screen of its own, and mostly waits.
    if !real_time::is_judged() {
        arguments.test_threads.get_or_insert(AT_ONCE);
    }
    let missing = |name: &str| {
        let tools = [("Xvfb", "xvfb"), ("xdotool", "xdotool"), ("ffmpeg", "ffmpeg")];
        let count = if name == "film" { 3 } else { 2 };
        tools.into_iter().take(count).find(|(tool, _)| !is_in_path(tool))
    };
    // The flag marks tests that only check real time.
    let tests: [(&str, bool, fn()); 7] = [
        ("first_day", false, first_day::tour),
        ("small_screen", false, ways::small_screen),
        ("keys_alone", false, ways::keys_alone),
        ("film", false, film::tour),
        ("a_signal_ends_it_whole", false, a_signal_ends_it_whole),
        ("live_for_minutes", true, live_for_minutes),
        ("rests_when_nothing_moves", true, rests_when_nothing_moves),
    ];
    let trials = tests.map(|(name, in_real_time, test)| {
        let waits = in_real_time && !real_time::is_judged();
        let missing = missing(name);
        let name = match missing {
            Some((tool, package)) => format!("{name} (needs {tool}: apt-get install {package})"),
            None => name.to_owned(),
        };
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        trial
            .with_kind(if waits { real_time::IGNORED } else { "" })
            .with_ignored_flag(missing.is_some() || waits)
    });
    libtest_mimic::run(&arguments, trials.into()).exit();
}
