//! Pictures saved from a mirrored camera, checked by their pixels. The camera is that of `tests/camera`, in a separate
//! process that can see it.

use std::{env, process::Command};

use eframe::egui::Key;
use pictures::decode;
use values::frame::Frame;

use self::fake::{Fake, ID, MJPG, PRELOAD, ROOT, Switch};
use crate::window::{Window, records_pictures};

#[allow(dead_code, reason = "the camera's own tests use all of it")]
#[path = "../../../../../tests/camera/fake.rs"]
mod fake;

/// How much brighter the right half of a picture is than the left: the sum over its pixels, row by row.
fn slope(width: usize, height: usize, level: impl Fn(usize, usize) -> u8) -> i64 {
    let sum = |columns: std::ops::Range<usize>| -> i64 {
        columns
            .flat_map(|x| (0..height).map(move |y| (x, y)))
            .map(|(x, y)| i64::from(level(x, y)))
            .sum()
    };
    sum(width / 2..width) - sum(0..width / 2)
}

fn slope_of(frame: &Frame) -> i64 {
    slope(frame.width(), frame.height(), |x, y| frame.pixel(x, y)[0])
}

/// The slope of the picture on the screen.
fn seen(w: &Window) -> i64 {
    let (_, place) = w.picture("live right");
    let screen = w.pixels();
    let place = place.shrink(8.0);
    let at = |x: usize, y: usize| {
        (place.top() as usize + y) * screen.size[0] + place.left() as usize + x
    };
    let [width, height] = [place.width(), place.height()].map(|side| side as usize);
    slope(width, height, |x, y| screen.pixels[at(x, y)].r())
}

fn saved(w: &mut Window, number: u32) -> i64 {
    w.press(Key::S);
    let name = format!("snapshot-candy-{number:04}.png");
    w.until_contains(&name);
    let path = w.path(&format!("StyleForge/{name}"));
    slope_of(&decode::from_path(&path).expect("a picture").frame)
}

fn recorded(w: &mut Window, number: u32) -> i64 {
    w.press(Key::R);
    let first = w.path(&format!("StyleForge/recording-{number:04}/frame-000002.jpg"));
    w.until("frames", |_| first.exists());
    w.press(Key::R);
    w.until_contains(&format!("recording-{number:04}: "));
    slope_of(&decode::from_path(&first).expect("a picture").frame)
}

#[test]
fn a_mirror_is_saved_as_others_see_it_unless_that_is_asked_otherwise() {
    const NAME: &str =
        "live::mirror::a_mirror_is_saved_as_others_see_it_unless_that_is_asked_otherwise";
    if env::var_os(ROOT).is_none() {
        let library = fake::build_library().expect("a C compiler");
        let root = tempfile::tempdir().expect("a folder");
        let camera = Fake::make(root.path());
        // Brighter on one side.
        camera.set(Switch::Kinds, MJPG);
        camera.write_jpegs();
        let program = env::current_exe().expect("this program");
        let mut alone = Command::new(program);
        alone.args(["--exact", NAME, "--nocapture"]);
        let ended = alone.env(PRELOAD, library).env(ROOT, root.path()).output().expect("started");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        return;
    }
    let mut w = Window::live_after(|folder| {
        records_pictures(folder);
        let path = folder.join("settings.toml");
        let text = std::fs::read_to_string(&path).expect("settings");
        let source = format!("source = \"camera:{ID}\"\n");
        std::fs::write(&path, text + &source).expect("written");
    });
    w.until_live();
    let (seen_first, snapshot, recording) = (seen(&w), saved(&mut w, 1), recorded(&mut w, 1));
    assert!(seen_first * snapshot < 0, "{seen_first}, {snapshot}");
    assert!(snapshot * recording > 0, "{snapshot}, {recording}");
    w.click("Mirror saved files");
    w.until_live();
    w.until("the mirror", |w| seen(w) * seen_first > 0);
    let (again, also) = (saved(&mut w, 2), recorded(&mut w, 2));
    assert!(again * snapshot < 0 && also * snapshot < 0, "{again}, {also}");
    assert!(seen(&w) * again > 0, "what is seen stays a mirror");
}
