//! The tour of a user's first day: live painting, recordings and snapshots, a folder, an own style.

use std::{
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use image::{Rgb, RgbImage};

use crate::{
    driven::{Setup, Window, decoded, is_in_path},
    picture_files::{opened, save_png},
    screen::{apart, is_plain, part},
};

/// Width and height of the demo scene, in pixels.
const SCENE: (u32, u32) = (640, 480);
/// The picture area of the window, without the buttons at its lower edge, in pixels.
const STAGE: [u32; 4] = [214, 48, 820, 690];
/// A place below the picture that the buttons of the first start cover, and that is empty later.
const BELOW_PICTURE: [u32; 4] = [540, 745, 200, 30];
/// The button that continues with the demo scene.
const EXPLORE_DEMO: (u32, u32) = (700, 736);
/// The third style of the list.
const THIRD_STYLE: (u32, u32) = (100, 345);
/// The beginning of the name in the dialog that asks for a name, without the cursor after it.
const NAME: [u32; 4] = [392, 418, 28, 16];
/// Maximum difference between the frozen picture and the saved one, of 255.
const MAX_APART: f64 = 1.0;
/// Minimum duration of the recording.
const RECORDED: Duration = Duration::from_secs(3);
/// Accepted difference between the length of a video and the measured time, in seconds: the time of one frame.
const ROUNDING: f64 = 0.1;

pub fn tour() {
    let mut window = Window::begin("first-day", Setup::default());
    first_run(&window);
    styles(&window);
    freezing(&window);
    recording(&window);
    folder(&window);
    own_style(&mut window);
}

fn first_run(window: &Window) {
    window.wait_until("the ways to begin", || !is_plain(&window.part(BELOW_PICTURE)));
    // The first pictures are not painted. Starry Night's sky is a deeper blue than the scene's.
    window.wait_until("the demo scene, painted", || {
        let place = place_of_picture(window);
        place.is_some_and(|[x, y, width, height]| {
            let sky = window.part([x, y, width / 2, height / 8]);
            let sum = |of: usize| -> u64 { sky.pixels().map(|p| u64::from(p.0[of])).sum() };
            3 * sum(0) < sum(2)
        })
    });
    window.shot("first-run");
    window.until(
        "the ways to begin to go",
        || window.click(EXPLORE_DEMO),
        || is_plain(&window.part(BELOW_PICTURE)),
    );
    let put_away = window.remembers("has_seen_hint = true");
    window.wait_until("them not to come again", put_away);
    assert_eq!(window.snapshot_in("starry_night").dimensions(), SCENE);
}

fn styles(window: &Window) {
    let key = || window.keys(&["2"]);
    window.until("a style by its key", key, window.remembers("style = \"great_wave\""));
    window.snapshot_in("great_wave");
    window.shot("style-by-key");
    let click = || window.click(THIRD_STYLE);
    window.until("a style by a click", click, window.remembers("style = \"mosaic\""));
    window.snapshot_in("mosaic");
    window.shot("style-by-click");
}

/// The frozen picture becomes the finer one, and that one is saved.
fn freezing(window: &Window) {
    // Shows the picture at 100 %.
    window.keys(&["space", "ctrl+1"]);
    let shown = || {
        let place = place_of_picture(window)?;
        Some(window.part(place)).filter(|picture| picture.dimensions() == SCENE)
    };
    // The right side, because messages are on the left.
    let right = [SCENE.0 / 2, SCENE.1 / 4, SCENE.0 / 2, SCENE.1 / 2];
    let distance = |saved: &RgbImage| {
        shown()
            .map(|shown| part(&shown, right))
            .map_or(255.0, |shown| apart(&shown, &part(saved, right)))
    };
    let save = || window.keys(&["s"]);
    let held = || {
        window
            .snapshots()
            .into_iter()
            .map(|(_, png)| decoded(&png))
            .find(|saved| saved.dimensions() == SCENE && distance(saved) < MAX_APART)
    };
    window.until("the finer picture, as it is saved", save, || held().is_some());
    window.shot("held");
    let held = held().expect("it stays");
    window.keys(&["space"]);
    window.wait_until("the scene to go on", || distance(&held) > 4.0 * MAX_APART);
    window.keys(&["ctrl+0"]);
    window.wait_until("the scene to fit the window", || shown().is_none());
    window.shot("snapshot");
}

/// A recording plays as long as it was recorded.
fn recording(window: &Window) {
    let asked = Instant::now();
    window.keys(&["r"]);
    window.wait_until("a recording", || window.is_recording());
    let begun = Instant::now();
    sleep(RECORDED);
    window.shot("recording");
    let least = begun.elapsed().as_secs_f64();
    window.keys(&["r"]);
    window.wait_until("a video", || window.recorded().is_some());
    let most = asked.elapsed().as_secs_f64();
    window.shot("recorded");
    if !is_in_path("ffprobe") {
        println!("the video is not read: ffprobe is missing (apt-get install ffmpeg)");
        return;
    }
    let entries = "stream=codec_name,width,height,nb_read_frames:format=duration";
    let read = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "csv=p=0:nk=1"])
        .args(["-show_entries", entries])
        .arg(window.recorded().expect("a video"))
        .output()
        .expect("ffprobe runs");
    let facts = String::from_utf8_lossy(&read.stdout);
    let facts: Vec<&str> = facts.split([',', '\n']).collect();
    println!("{facts:?}, went on between {least:.2} s and {most:.2} s");
    let [codec, width, height, frames, seconds, ..] = facts[..] else {
        panic!("{facts:?}, {}", String::from_utf8_lossy(&read.stderr));
    };
    assert!(["h264", "mjpeg"].contains(&codec), "{codec}");
    let number = |text: &str| text.parse::<f64>().expect("a number");
    assert_eq!([width, height].map(number), [SCENE.0, SCENE.1].map(f64::from));
    assert!(number(frames) >= 2.0, "{frames} frames");
    let seconds = number(seconds);
    assert!(seconds >= least - ROUNDING, "{seconds} s of {least} s");
    assert!(seconds <= most + ROUNDING, "{seconds} s of {most} s");
}

/// A folder of photos is painted into a new folder next to it.
fn folder(window: &Window) {
    let album = window.file("album");
    fs::create_dir(&album).expect("a folder");
    let names = ["one", "two", "three"];
    for (place, name) in names.iter().enumerate() {
        save_stripes(&album.join(format!("{name}.png")), (96, 72), place as u8);
    }
    window.answer(&album);
    // Without a GPU, the queue waits while live pictures move.
    window.keys(&["space", "ctrl+b"]);
    let painted = names.map(|name| album.join(format!("painted/{name}-mosaic.png")));
    window.until(
        "a painted folder",
        || window.keys(&["Return"]),
        || painted.iter().all(|path| path.exists()),
    );
    window.shot("folder");
    for (name, path) in names.iter().zip(painted) {
        let [photo, painting] =
            [album.join(format!("{name}.png")), path].map(|path| opened(&path).to_rgb8());
        let distance = apart(&photo, &painting);
        println!("{name}: the painting is {distance:.1} from its photo");
        assert!(distance > 8.0, "{name} is {distance} from its photo");
    }
    window.keys(&["space"]);
}

/// A picture becomes a style, is renamed, removed and restored, and then removed permanently.
fn own_style(window: &mut Window) {
    let picture = window.file("amber.png");
    save_stripes(&picture, (128, 128), 4);
    window.answer(&picture);
    window.keys(&["ctrl+i"]);
    window.wait_until("a style of a picture", || {
        window.style("amber").exists() && window.settings().contains("style = \"amber\"")
    });
    window.snapshot_in("amber");
    window.shot("style-added");
    window.until_dialog(true, || window.keys(&["F2"]));
    let before = window.part(NAME);
    window.types("sketch");
    window.wait_until("what is typed", || window.part(NAME) != before);
    window.shot("style-naming");
    window.until_dialog(false, || window.keys(&["Return"]));
    window.wait_until("another name", || {
        window.style("sketch").exists() && !window.style("amber").exists()
    });
    window.snapshot_in("sketch");
    window.shot("style-renamed");
    window.keys(&["Delete"]);
    // The style above it is selected instead.
    window.snapshot_in("udnie");
    window.shot("style-removed");
    window.keys(&["ctrl+z"]);
    window.snapshot_in("sketch");
    window.shot("style-brought-back");
    window.keys(&["ctrl+q"]);
    window.wait_for_end();
    assert!(window.style("sketch").exists(), "it was brought back");

    window.reopen();
    window.snapshot_in("sketch");
    window.shot("opened-again");
    window.keys(&["Delete"]);
    window.snapshot_in("udnie");
    window.keys(&["ctrl+q"]);
    window.wait_for_end();
    assert!(!window.style("sketch").exists(), "it was removed");
}

/// The area of the picture in the picture area, in pixels of the window. Messages are below the row that is examined.
fn place_of_picture(window: &Window) -> Option<[u32; 4]> {
    let stage = window.part(STAGE);
    let (width, height) = stage.dimensions();
    let empty = stage.get_pixel(0, height / 4);
    let row = |x: &u32| stage.get_pixel(*x, height / 4) != empty;
    let column = |y: &u32| stage.get_pixel(width / 2, *y) != empty;
    let (left, right) = ((0..width).find(row)?, (0..width).rfind(row)?);
    let (top, bottom) = ((0..height).find(column)?, (0..height).rfind(column)?);
    let [width, height] = [right - left + 1, bottom - top + 1];
    Some([STAGE[0] + left, STAGE[1] + top, width, height])
}

/// A picture of stripes that differ for every `kind`.
fn save_stripes(path: &Path, (width, height): (u32, u32), kind: u8) {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let stripe = u8::from((x + y * u32::from(kind)) % 32 < 16);
        Rgb([230 * stripe, 40 + 40 * kind, 180 - 150 * stripe])
    });
    save_png(&picture, path);
}
