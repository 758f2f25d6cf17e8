//! A tour with a video: it opens, plays, steps and is trimmed, and its processes end with the window.

use std::{
    cell::Cell, collections::HashSet, fs, path::Path, process::Command, thread::sleep,
    time::Duration,
};

use crate::{
    driven::{Setup, Window},
    screen::apart,
};

/// A part of the picture, the timeline, and the time next to the buttons below it, in pixels.
const PICTURE: [u32; 4] = [500, 200, 240, 250];
const TIMELINE: [u32; 4] = [220, 588, 806, 60];
const TIME: [u32; 4] = [900, 652, 130, 26];
/// Two places on the timeline, so that at least one of them seeks another frame.
const MIDDLES: [(u32, u32); 2] = [(500, 618), (700, 618)];
/// Minimum difference between two pictures of the film that plays, of 255.
const MOVES: f64 = 1.0;
/// How long a picture must stay the same to be held.
const HELD: Duration = Duration::from_secs(2);

pub fn tour() {
    let mut window = Window::begin("film", Setup::default());
    let clip = window.file("clip.mp4");
    make(&clip);
    window.answer(&clip);
    let open = || window.keys(&["ctrl+o"]);
    window.until("the film", open, || window.title().starts_with("clip.mp4"));
    let style = || window.keys(&["4"]);
    window.until("a style", style, window.remembers("style = \"rain_princess\""));
    is_held(&window, "the poster, painted");
    window.shot("poster");

    let time = || window.part(TIME);
    window.until("it to play", || window.keys(&["space"]), || moves(&window));
    window.shot("plays");
    window.until("it to run back", || window.keys(&["j", "j"]), || moves(&window));
    window.until("it to stop", || window.keys(&["k"]), || !moves(&window));
    is_held(&window, "the frame at which it stopped");
    window.shot("stopped");

    // It may have stopped at the last frame, which has none after it.
    let stopped = time();
    let side = Cell::new(0);
    let seek = || window.click(MIDDLES[side.replace(1 - side.get())]);
    window.until("a frame in the middle", seek, || time() != stopped);
    is_held(&window, "the frame in the middle");

    // A step forwards and one back lead to the same frame.
    let stopped = time();
    window.until("the next frame", || window.keys(&["period"]), || time() != stopped);
    let next = time();
    window.until("the frame before", || window.keys(&["comma"]), || time() == stopped);
    window.until("the next frame again", || window.keys(&["period"]), || time() == next);

    let bar = || window.part(TIMELINE);
    let whole = bar();
    window.until("the in point", || window.keys(&["i"]), || bar() != whole);
    let open_ended = bar();
    for _ in 0..3 {
        window.keys(&["period"]);
    }
    window.until("the out point", || window.keys(&["o"]), || bar() != open_ended);
    is_held(&window, "the last frame of the range");
    window.shot("trimmed");
    // Four frames are repeated, and no others are seen.
    let last = time();
    window.until("them to play", || window.keys(&["space"]), || time() != last);
    let (mut times, mut looks) = (HashSet::new(), 0);
    while looks < 20 || times.len() < 2 && looks < 600 {
        looks += 1;
        sleep(Duration::from_millis(100));
        times.insert(time().into_raw());
    }
    assert!((2..=4).contains(&times.len()), "{} frames", times.len());

    window.keys(&["ctrl+q"]);
    window.wait_for_end();
    window.wait_until("the processes to end", || readers(&clip) == 0);
}

/// Makes a short video with sound.
fn make(clip: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4"])
        .args(["-f", "lavfi", "-i", "sine=duration=4", "-shortest"])
        .arg(clip)
        .status();
    assert!(made.expect("ffmpeg runs").success());
}

fn moves(window: &Window) -> bool {
    let before = window.part(PICTURE);
    sleep(Duration::from_millis(700));
    apart(&before, &window.part(PICTURE)) > MOVES
}

fn is_held(window: &Window, what: &str) {
    window.wait_until(what, || {
        let before = window.part(PICTURE);
        sleep(HELD);
        before == window.part(PICTURE)
    });
}

/// Number of processes that read the file.
fn readers(clip: &Path) -> usize {
    let name = clip.to_str().expect("a text");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .filter(|command| String::from_utf8_lossy(command).contains(name))
        .count()
}
