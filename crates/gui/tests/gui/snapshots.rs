//! The look of the window: its main screens in both themes, at one and two pixels per point, compared with small
//! reference pictures in `tests/gui/snapshots`.
//!
//! `STYLEFORGE_WRITE_SNAPSHOTS=1` writes the reference pictures instead of comparing. If one differs, the current
//! picture is saved in the test's own folder, which the message names. Afterwards `jpegtran -optimize -progressive`
//! reduces the files by a quarter, losslessly.

use std::{env, path::Path};

use eframe::egui::{Key, Rect};
use egui_kittest::kittest::Queryable;
use image::RgbImage;
use pixels::compare::{difference, small};

use crate::{
    fades::{drawn, seen},
    picture_files::{opened, save_png},
    window::Window,
};

/// Size of the window, in points.
const SIZE: (f32, f32) = (1280.0, 800.0);
/// Maximum difference of a block's mean, in levels.
const LEVELS: f32 = 8.0;
/// JPEG quality of the reference pictures.
const QUALITY: u8 = 25;

/// A window in a theme.
fn window(theme: &str, live: bool) -> Window {
    let (width, height) = SIZE;
    let text = format!("[choices]\ntheme = \"{theme}\"\n[state]\nhas_seen_hint = true\n");
    let prepare =
        |folder: &Path| std::fs::write(folder.join("settings.toml"), text).expect("written");
    match live {
        false => Window::sized_after(width, height, prepare),
        true => Window::live_sized_after(width, height, prepare),
    }
}

/// Content that differs between runs.
#[derive(Clone, Copy, Default)]
struct Hidden<'a> {
    /// Widgets whose text contains one of these.
    parts: &'a [&'a str],
    /// Whole lines whose text contains one of these: their length moves their neighbours.
    lines: &'a [&'a str],
}

/// Compares the window with its reference picture, except for hidden places.
fn looks_as_before(w: &mut Window, screen: &str, theme: &str, scale: f32, hidden: Hidden<'_>) {
    w.set_scale(scale);
    // Lets fades finish.
    for _ in 0..8 {
        w.step();
    }
    let places = |part: &&str| {
        w.harness.query_all_by_label_contains(part).map(|node| node.rect()).collect::<Vec<_>>()
    };
    let mut hide: Vec<Rect> = hidden.parts.iter().flat_map(places).collect();
    let whole_line = |place: Rect| Rect::from_x_y_ranges(0.0..=f32::INFINITY, place.y_range());
    hide.extend(hidden.lines.iter().flat_map(places).map(whole_line));
    let now = small(w.pixels(), scale, &hide);
    // The same size in points at every scale.
    let name = format!("{screen}-{theme}.jpg");
    let kept = crate::home::project().join("tests/gui/snapshots").join(&name);
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    now.write_with_encoder(encoder).expect("memory");
    if scale == 1.0 && env::var_os("STYLEFORGE_WRITE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(kept.parent().expect("a folder")).expect("a folder");
        std::fs::write(kept, bytes).expect("a writable folder");
        return;
    }
    let before = opened(&kept).to_rgb8();
    // Compressed as well, so that both pictures have the same JPEG artefacts.
    let as_kept = image::load_from_memory(&bytes).expect("a picture").to_rgb8();
    // At larger scales letters differ more.
    let levels = scale * scale.sqrt() * LEVELS;
    if let Some(difference) = difference(&before, &as_kept, levels) {
        let shown = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(&name)
            .with_extension(format!("{scale}x.png"));
        save_png(&now, &shown);
        panic!(
            "{name} {difference}; now it is as {}. Look at both, and if that is meant: \
             STYLEFORGE_WRITE_SNAPSHOTS=1 cargo test --test gui snapshots",
            shown.display()
        );
    }
}

/// Runs a test in every theme and scale.
fn everywhere(look: impl Fn(&str, f32)) {
    for theme in ["dark", "light"] {
        for scale in [1.0, 2.0] {
            look(theme, scale);
        }
    }
}

#[test]
fn the_first_page() {
    everywhere(|theme, scale| {
        let mut w = window(theme, false);
        w.until_label("Candy");
        // Cameras are listed by another thread.
        w.until_contains("No camera found");
        looks_as_before(&mut w, "first", theme, scale, Hidden::default());
    });
}

#[test]
fn a_painted_photo() {
    everywhere(|theme, scale| {
        let mut w = window(theme, false);
        w.until_label("Candy");
        // Large enough to fill its place at every scale.
        let file = w.path("photo.png");
        let photo =
            RgbImage::from_fn(1920, 1280, |x, y| image::Rgb([(x / 8) as u8, (y / 6) as u8, 128]));
        save_png(&photo, &file);
        w.drop_file(&file);
        w.until_label("photo.png, 1920 × 1280 px");
        // Disappears after a while, possibly before the painting is finished.
        w.until_label("Opened as a photo.");
        w.click("Dismiss");
        // The draft stays until the painting, which is composed in the background, replaces it.
        w.script.only_from(600);
        w.script.hold();
        w.click("Candy");
        w.until("the draft alone", |w| seen(w, "painting") == [255]);
        let draft = drawn(&w, "painting");
        w.script.release();
        w.until("the painting alone", |w| {
            seen(w, "painting") == [255] && drawn(w, "painting") != draft && w.is_painted()
        });
        let hidden = Hidden { lines: &["Painted at"], ..Hidden::default() };
        looks_as_before(&mut w, "photo", theme, scale, hidden);
    });
}

#[test]
fn the_list_of_keys() {
    everywhere(|theme, scale| {
        let mut w = window(theme, false);
        w.until_label("Candy");
        w.press(Key::F1);
        w.step();
        // Its cursor blinks.
        let hidden = Hidden { parts: &["Search"], ..Hidden::default() };
        looks_as_before(&mut w, "keys", theme, scale, hidden);
    });
}

#[test]
fn live_pictures_that_are_compared() {
    everywhere(|theme, scale| {
        let mut w = window(theme, true);
        w.until_live();
        w.press(Key::B);
        w.until_contains("times as fast");
        // The style pictures are painted from the live picture.
        let hidden = Hidden {
            parts: &["Picture, ", " ms", "Candy", "Udnie", "Wave"],
            // The automatic size and its rate depend on the machine.
            lines: &[
                " fps",
                "Painted at",
                "frames a second",
                "pairs of frames",
                "times as fast",
                "Measuring",
            ],
        };
        looks_as_before(&mut w, "live", theme, scale, hidden);
    });
}
