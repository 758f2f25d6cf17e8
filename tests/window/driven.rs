//! The program in its window, driven by keys and clicks.

use std::{
    cell::Cell,
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use image::RgbImage;

use crate::{
    picture_files::save_png,
    real_time::PATIENCE,
    screen::{Running, Screen, part},
};

/// Maximum CPU use of a window while nothing moves, in percent of a core.
const IDLE_PERCENT: u64 = 5;
/// Minimum number of colours in a screenshot.
const MIN_COLOURS: usize = 64;
/// A part of the upper bar that is only covered by dialogs.
const BAR: [u32; 4] = [1140, 4, 20, 8];
/// After this time a key or click without a visible effect is repeated: it may have come too early.
const AGAIN: Duration = Duration::from_secs(4);
/// The same for a snapshot, which is painted again.
const SNAPSHOT: Duration = Duration::from_secs(20);

/// The environment in which the window opens.
pub struct Setup {
    /// In pixels.
    pub screen: [u32; 2],
    /// Pixels per point.
    pub scale: &'static str,
    /// There are file dialogs; they answer with the path that was set by [`Window::answer`].
    pub has_dialogs: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { screen: [1600, 1000], scale: "1", has_dialogs: true }
    }
}

/// The program in its window.
pub struct Window {
    pub program: Running,
    id: String,
    setup: Setup,
    screen: Screen,
    pub home: tempfile::TempDir,
    tour: &'static str,
    shots: Cell<usize>,
}

impl Window {
    /// The window at the first start.
    pub fn open() -> Self {
        Self::begin("", Setup::default())
    }

    /// The same, for a tour with screenshots.
    pub fn begin(tour: &'static str, setup: Setup) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let bin = home.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        if setup.has_dialogs {
            let answer = format!("#!/bin/sh\ncat '{}/answer'\n", home.path().display());
            let stand_in = bin.join("zenity");
            fs::write(&stand_in, answer).expect("written");
            let made = Command::new("chmod").arg("+x").arg(&stand_in).status();
            assert!(made.expect("chmod").success());
        }
        let screen = Screen::open(setup.screen, home.path());
        let mut window = Self {
            program: launch(&screen, &setup, home.path()),
            id: String::new(),
            setup,
            screen,
            home,
            tour,
            shots: Cell::new(0),
        };
        window.find();
        window
    }

    /// Opens the window again after [`Window::wait_for_end`].
    pub fn reopen(&mut self) {
        self.program = launch(&self.screen, &self.setup, self.home.path());
        self.find();
    }

    fn find(&mut self) {
        let started = Instant::now();
        let pid = self.program.0.id().to_string();
        self.id.clear();
        while self.id.is_empty() {
            assert!(started.elapsed() < PATIENCE, "no window came up");
            sleep(Duration::from_millis(50));
            let found = self.xdotool(&["search", "--onlyvisible", "--pid", &pid]);
            self.id = found.lines().next().unwrap_or_default().to_owned();
        }
        println!("the window came up after {:.2} s", started.elapsed().as_secs_f64());
    }

    pub fn xdotool(&self, arguments: &[&str]) -> String {
        let output = Command::new("xdotool")
            .args(arguments)
            .env("DISPLAY", &self.screen.display)
            .output()
            .expect("xdotool runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn resize(&self, width: &str, height: &str) {
        self.xdotool(&["windowsize", &self.id, width, height]);
    }

    pub fn keys(&self, keys: &[&str]) {
        self.xdotool(&["windowfocus", &self.id]);
        for key in keys {
            self.xdotool(&["key", "--window", &self.id, key]);
            sleep(Duration::from_millis(400));
        }
    }

    /// Types into the focused field.
    pub fn types(&self, text: &str) {
        self.xdotool(&["type", "--window", &self.id, text]);
    }

    pub fn click(&self, (x, y): (u32, u32)) {
        let [x, y] = [x, y].map(|at| at.to_string());
        self.xdotool(&["mousemove", &x, &y, "click", "1"]);
    }

    pub fn title(&self) -> String {
        self.xdotool(&["getwindowname", &self.id])
    }

    /// Left, top, width and height on the screen, in pixels.
    pub fn geometry(&self) -> [u32; 4] {
        let geometry = self.xdotool(&["getwindowgeometry", "--shell", &self.id]);
        ["X=", "Y=", "WIDTH=", "HEIGHT="].map(|name| {
            geometry
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|n| n.parse().ok())
                .expect("a number")
        })
    }

    /// A line of `/proc/PID/status` as a number.
    pub fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.program.0.id());
        let text = fs::read_to_string(path).expect("the program runs");
        text.lines()
            .find(|l| l.starts_with(name))
            .expect("such a line")
            .split_whitespace()
            .nth(1)
            .expect("a number")
            .parse()
            .expect("a number")
    }

    pub fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        assert!(
            within(PATIENCE, holds),
            "waited in vain for {what}; the window's title is {}",
            self.title()
        );
    }

    /// Repeats an action until its effect is visible.
    pub fn until(&self, what: &str, does: impl Fn(), holds: impl Fn() -> bool) {
        self.wait_until(what, || {
            does();
            within(AGAIN, &holds)
        });
    }

    /// CPU time so far, in hundredths of a second (proc(5), `utime` and `stime`).
    fn ticks(&self) -> u64 {
        let path = format!("/proc/{}/stat", self.program.0.id());
        let text = fs::read_to_string(path).expect("the program runs");
        // The name is in parentheses and may contain spaces.
        text.rsplit(')')
            .next()
            .expect("fields")
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|f| f.parse::<u64>().expect("a number"))
            .sum()
    }

    /// Waits until the window is idle, and checks that it stays idle for ten seconds.
    pub fn rests(&self, what: &str) {
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

    /// Waits until the program has ended successfully.
    pub fn wait_for_end(&mut self) {
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

    /// A file or folder of the user's.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Sets the answer of file dialogs.
    pub fn answer(&self, path: &Path) {
        let path = path.to_str().expect("a text");
        fs::write(self.file("answer"), path).expect("written");
    }

    /// The content of the settings file.
    pub fn settings(&self) -> String {
        fs::read_to_string(self.file("config/styleforge/settings.toml")).unwrap_or_default()
    }

    /// True if the settings contain this line.
    pub fn remembers(&self, line: &str) -> impl Fn() -> bool {
        move || self.settings().lines().any(|l| l == line)
    }

    /// The file of one of the user's own styles.
    pub fn style(&self, name: &str) -> PathBuf {
        self.file(&format!("data/styleforge/styles/{name}/full.safetensors"))
    }

    /// Name and content of every snapshot.
    pub fn snapshots(&self) -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(self.file("StyleForge")).into_iter().flatten();
        let named = files.filter_map(|file| {
            let file = file.ok()?;
            let name = file.file_name().into_string().ok()?;
            name.starts_with("snapshot-").then(|| Some((name, fs::read(file.path()).ok()?)))?
        });
        named.collect()
    }

    /// Saves snapshots until one is in this style.
    pub fn snapshot_in(&self, style: &str) -> RgbImage {
        let before: HashSet<String> = self.snapshots().into_iter().map(|(name, _)| name).collect();
        let wanted = format!("snapshot-{style}-");
        let new = || {
            self.snapshots()
                .into_iter()
                .find(|(name, _)| name.starts_with(&wanted) && !before.contains(name))
        };
        self.wait_until(&format!("a snapshot in {style}"), || {
            self.keys(&["s"]);
            within(SNAPSHOT, || new().is_some())
        });
        decoded(&new().expect("it is there").1)
    }

    /// The first recording, during and after writing.
    fn recording(&self) -> Option<PathBuf> {
        Some(self.file("StyleForge/recording-0001.mp4")).filter(|path| path.exists())
    }

    /// The first recording after it has ended, when it contains the index of all its frames.
    pub fn recorded(&self) -> Option<PathBuf> {
        self.recording().filter(|path| {
            let video = fs::read(path).unwrap_or_default();
            video.windows(4).any(|word| word == b"mfra")
        })
    }

    /// True if a part of the first recording is on disk.
    pub fn is_recording(&self) -> bool {
        self.recording()
            .and_then(|path| fs::metadata(path).ok())
            .is_some_and(|about| about.len() > 0)
    }

    pub fn picture(&self) -> RgbImage {
        let [.., width, height] = self.geometry();
        self.screen.picture([width, height])
    }

    pub fn part(&self, place: [u32; 4]) -> RgbImage {
        part(&self.picture(), place)
    }

    /// Repeats an action until a dialog covers the window or, with `open` false, until none does.
    pub fn until_dialog(&self, open: bool, does: impl Fn()) {
        // The window below a dialog is dark.
        let holds = || (self.part(BAR).get_pixel(0, 0).0[1] < 24) == open;
        self.until(&format!("a dialog to be open: {open}"), does, holds);
    }

    /// Saves a screenshot of a step.
    pub fn shot(&self, step: &str) {
        let picture = self.picture();
        let path = self.save(step, &picture);
        let colours: HashSet<_> = picture.pixels().collect();
        let path = path.display();
        assert!(colours.len() >= MIN_COLOURS, "{path} is empty");
    }

    fn save(&self, step: &str, picture: &RgbImage) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("window-tour");
        let number = self.shots.replace(self.shots.get() + 1);
        let path = folder.join(format!("{}-{number:02}-{step}.png", self.tour));
        fs::create_dir_all(&folder).expect("a folder");
        save_png(picture, &path);
        path
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.tour.is_empty() {
            let last = self.save("failed", &self.screen.picture(self.setup.screen));
            println!("{} shows the end; what was before lies beside it", last.display());
        }
    }
}

/// The decoded picture of a file.
pub fn decoded(file: &[u8]) -> RgbImage {
    image::load_from_memory(file).expect("a picture").to_rgb8()
}

fn launch(screen: &Screen, setup: &Setup, home: &Path) -> Running {
    let mut path = home.join("bin").into_os_string();
    if setup.has_dialogs {
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
    }
    let program = Command::new(env!("CARGO_BIN_EXE_styleforge"))
        // If no window can be opened, the program paints a sheet into its current folder.
        .current_dir(home)
        .env("DISPLAY", &screen.display)
        // Nothing answers there, so the program must use X11.
        .env("WAYLAND_DISPLAY", "styleforge-nowhere")
        .env("LIBGL_ALWAYS_SOFTWARE", "1")
        .env("WINIT_X11_SCALE_FACTOR", setup.scale)
        .env("PATH", path)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_PICTURES_DIR", home)
        .spawn();
    Running(program.expect("the program starts"))
}

/// True if a condition becomes true within some time.
fn within(time: Duration, holds: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if started.elapsed() > time {
            return false;
        }
        sleep(Duration::from_millis(100));
    }
}

pub fn is_in_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
