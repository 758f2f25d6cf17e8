//! The real program in a window of a virtual screen (Xvfb), driven by keys (xdotool), and ended by a signal.
//! Listed as ignored where these tools are missing.
//!
//! Two tests take minutes and judge what only a machine with nothing else to do shows, so that only
//! `tools/real_time.sh` runs them: the demo scene painted live for three minutes (`STYLEFORGE_LIVE_MINUTES=30`
//! makes it longer), and a window in which nothing moves.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

#[path = "support/real_time.rs"]
mod real_time;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Trial};

use real_time::PATIENCE;

/// What minute three may hold more than minute one, in KiB.
const GROWTH_KB: u64 = 8 * 1024;

/// What a window may take of a core while nothing moves, in percent.
const IDLE_PERCENT: u64 = 5;

/// Ends a program that a failed test leaves behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A virtual screen; gives its name, for example `:7`.
fn screen() -> (Running, String) {
    let mut server = Command::new("Xvfb")
        // Without `-noreset` it begins anew, and refuses who comes meanwhile, as soon as its only client has
        // gone: the program looks whether a display answers before it opens its window.
        .args(["-displayfd", "1", "-noreset"])
        .args(["-screen", "0", "1600x1000x24"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Xvfb starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("its output"))
        .read_line(&mut line)
        .expect("its number");
    (Running(server), format!(":{}", line.trim()))
}

/// The program in its window.
struct Window {
    program: Running,
    display: String,
    id: String,
    _screen: Running,
    home: tempfile::TempDir,
}

impl Window {
    fn open() -> Self {
        let (screen, display) = screen();
        let home = tempfile::tempdir().expect("a folder");
        let started = Instant::now();
        let program = Command::new(env!("CARGO_BIN_EXE_styleforge"))
            // Where no window comes up, the program paints a sheet into the folder that it runs in.
            .current_dir(home.path())
            .env("DISPLAY", &display)
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .env("XDG_DATA_HOME", home.path().join("data"))
            .env("XDG_PICTURES_DIR", home.path())
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .spawn()
            .expect("the program starts");
        let pid = program.id().to_string();
        let mut window = Self {
            program: Running(program),
            display,
            id: String::new(),
            _screen: screen,
            home,
        };
        while window.id.is_empty() {
            assert!(started.elapsed() < PATIENCE, "no window came up");
            sleep(Duration::from_millis(50));
            let found = window.xdotool(&["search", "--onlyvisible", "--pid", &pid]);
            window.id = found.lines().next().unwrap_or_default().to_owned();
        }
        println!(
            "the window came up after {:.2} s",
            started.elapsed().as_secs_f64()
        );
        window
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output()
            .expect("xdotool runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.xdotool(&["windowfocus", &self.id]);
        for key in keys {
            self.xdotool(&["key", "--window", &self.id, key]);
            sleep(Duration::from_millis(400));
        }
    }

    /// A line of `/proc/PID/status` as a number.
    fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.program.0.id());
        let text = fs::read_to_string(path).expect("the program runs");
        let line = text
            .lines()
            .find(|l| l.starts_with(name))
            .expect("such a line");
        let number = line.split_whitespace().nth(1).expect("a number");
        number.parse().expect("a number")
    }

    fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = Instant::now();
        while !holds() {
            assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
            sleep(Duration::from_millis(100));
        }
    }

    /// Processor time so far, in hundredths of a second (proc(5), `utime` and `stime`).
    fn ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.program.0.id());
        let text = fs::read_to_string(path).expect("the program runs");
        // The name stands in parentheses and may hold spaces.
        let rest = text.rsplit(')').next().expect("fields");
        let fields = rest.split_whitespace().skip(11).take(2);
        fields.map(|f| f.parse::<u64>().expect("a number")).sum()
    }

    /// Waits until the window rests, and holds it to that for ten seconds.
    fn rests(&self, what: &str) {
        let quiet = || {
            let before = self.ticks();
            sleep(Duration::from_secs(1));
            self.ticks() - before <= IDLE_PERCENT
        };
        self.wait_until(what, quiet);
        let (before, seconds) = (self.ticks(), 10);
        sleep(Duration::from_secs(seconds));
        let percent = (self.ticks() - before) as f64 / seconds as f64;
        println!("{percent} % of a core {what}");
        assert!(percent < IDLE_PERCENT as f64, "{percent} % {what}");
    }

    /// Waits until the program has ended well.
    fn wait_for_end(&mut self) {
        let started = Instant::now();
        let ended = loop {
            if let Some(status) = self.program.0.try_wait().expect("a child") {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "the window does not close");
            sleep(Duration::from_millis(50));
        };
        assert!(ended.success(), "{ended}");
    }

    /// Name and content of every snapshot.
    fn snapshots(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.home.path().join("StyleForge");
        fs::read_dir(folder).map_or_else(
            |_| Vec::new(),
            |files| {
                let names = files.filter_map(|f| f.ok()?.file_name().into_string().ok());
                let wanted = names.filter(|name| name.starts_with("snapshot-"));
                let read = |name: String| {
                    let png = fs::read(self.home.path().join("StyleForge").join(&name)).ok()?;
                    Some((name, png))
                };
                wanted.filter_map(read).collect()
            },
        )
    }
}

/// The scene is painted and moves, by key in another style, and the window closes.
fn paints_live_and_closes() {
    let mut window = Window::open();
    let until_saved = |what: &str, is_wanted: &dyn Fn(&str, &[u8]) -> bool| {
        let found = || {
            let mut saved = window.snapshots().into_iter();
            saved.find(|(name, png)| is_wanted(name, png))
        };
        window.wait_until(what, || {
            window.keys(&["s"]);
            found().is_some()
        });
        found().expect("it is there").1
    };
    let first = until_saved("a snapshot", &|name, _| name.contains("candy"));
    until_saved("the scene to move", &|name, png| {
        name.contains("candy") && png != first
    });
    window.keys(&["2"]);
    until_saved("another style", &|name, _| !name.contains("candy"));
    window.keys(&["ctrl+q"]);
    window.wait_for_end();
}

fn live_for_minutes() {
    let minutes = std::env::var("STYLEFORGE_LIVE_MINUTES")
        .ok()
        .and_then(|minutes| minutes.parse().ok())
        .unwrap_or(3);
    let mut window = Window::open();
    // Every style, every way to look, once, so that everything has been in memory.
    sleep(Duration::from_secs(5));
    window.keys(&["2", "3", "4", "5", "6", "1"]);
    window.keys(&["c"]);
    sleep(Duration::from_secs(6));
    window.keys(&["d", "Escape", "Escape", "g"]);
    sleep(Duration::from_secs(6));
    window.keys(&["Escape", "v", "p"]);
    window.xdotool(&["windowsize", &window.id, "1024", "700"]);
    sleep(Duration::from_secs(3));
    window.keys(&["p", "space", "space", "s"]);
    window.wait_until("the snapshot", || window.snapshots().len() == 1);
    window.xdotool(&["windowsize", &window.id, "1500", "950"]);
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
    assert!(
        last_threads <= first_threads,
        "{first_threads} threads, then {last_threads}"
    );
    // It still paints: a frozen or dead picture would be saved as it was.
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

/// A photo that was painted, and a live picture that is held, take next to no processor time.
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

/// SIGTERM, SIGHUP and Ctrl-C end the window as closing it does, with what is recorded whole on the disk.
fn a_signal_ends_it_whole() {
    for signal in ["-TERM", "-HUP", "-INT"] {
        let mut window = Window::open();
        let folder = window.home.path().join("StyleForge");
        let recording = |kind: &str| {
            let found =
                ["mp4", "avi"].map(|end| folder.join(format!("recording-0001{kind}.{end}")));
            found.into_iter().find(|path| path.exists())
        };
        // Until the first picture is there a recording is refused; the key that starts one also ends it.
        window.wait_until("a picture", || {
            window.keys(&["s"]);
            !window.snapshots().is_empty()
        });
        window.keys(&["r"]);
        window.wait_until("a recording", || {
            let begun = recording(".partial").and_then(|path| fs::metadata(path).ok());
            begun.is_some_and(|about| about.len() > 0)
        });
        let pid = window.program.0.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
        window.wait_for_end();
        assert_eq!(recording(".partial"), None);
        let video = fs::read(recording("").expect("a video")).expect("a file");
        let has = |word: &[u8]| video.windows(word.len()).any(|w| w == word);
        // The index of all frames stands at the end.
        assert!(has(b"mfra") || has(b"idx1"), "{signal}");
        let settings = window.home.path().join("config/styleforge/settings.toml");
        let settings = fs::read_to_string(settings).expect("settings");
        assert!(settings.contains("window_width"), "{settings}");
        println!("{signal} ended it with a video of {} bytes", video.len());
    }
}

/// Whether a program of this name is in the PATH.
fn is_there(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(name).is_file())
}

fn main() {
    let arguments = Arguments::from_args();
    let missing = ["Xvfb", "xdotool"].into_iter().find(|name| !is_there(name));
    // Whether it judges nothing but real time.
    let tests: [(&str, bool, fn()); 4] = [
        ("paints_live_and_closes", false, paints_live_and_closes),
        ("a_signal_ends_it_whole", false, a_signal_ends_it_whole),
        ("live_for_minutes", true, live_for_minutes),
        ("rests_when_nothing_moves", true, rests_when_nothing_moves),
    ];
    let trials = tests.map(|(name, in_real_time, test)| {
        let waits = in_real_time && !real_time::is_judged();
        let name = match missing {
            Some(tool) => format!("{name} (needs {tool}: apt-get install xvfb xdotool)"),
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
