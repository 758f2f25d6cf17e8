//! Opening photos: by button, key, clipboard and drop; invalid files are refused.

use std::{fs, path::PathBuf};

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use engine::capture::{Camera, CameraId};
use gui::platform::Dialog;
use pictures::encode::{self, Encoding, Existing, Format};
use settings::{Settings, ThemeChoice};

use crate::{own_styles::focus_window, scripted::picture_card, support::photo, window::Window};

#[test]
fn a_photo_opens_by_button_and_is_painted_by_a_click() {
    let mut w = Window::open();
    let file = w.photo_file("beach.png", 40, 30);
    w.platform.answer(Some(file.clone()));
    w.click("Open a photo…");
    w.until_label("Picture, original, 40 × 30 px");
    assert_eq!(w.platform.asked(), [(Dialog::Open, None)]);
    w.until_label("beach.png, 40 × 30 px");
    assert!(w.has("Choose a style on the left to paint this photo"));
    w.click("Candy");
    w.until_label("Picture, original and painted, 40 × 30 px");
    w.until_contains("Painted at 40 × 30 px");
    assert!(w.has("CPU (no NVIDIA driver found)"));
    assert_eq!(w.script.runs(), [(40, 30)]);
    w.harness.check_accessibility();
}

#[test]
fn the_sample_opens_by_button_and_by_key() {
    let mut w = Window::open();
    w.click("Try the sample photo");
    w.until_contains("Sample photo, ");
    let mut w = Window::open();
    w.key(Modifiers::COMMAND, Key::E);
    w.until_contains("Sample photo, ");
}

#[test]
fn dropped_files_open_and_hovering_says_so() {
    let mut w = Window::open();
    let file = w.photo_file("dropped.png", 30, 20);
    let hints = |w: &Window| -> Vec<String> {
        w.texts().into_iter().filter(|text| text.starts_with("Drop to ")).collect()
    };
    assert_eq!(hints(&w), [""; 0]);
    let style = w.path("style.pth");
    let other = w.path("other.png");
    w.hover(&[&style]);
    assert_eq!(hints(&w), ["Drop to add the style"]);
    let other_style = w.path("other.pth");
    w.hover(&[&style, &other_style]);
    assert_eq!(hints(&w), ["Drop to add the styles"]);
    for (files, words) in [
        (vec![&file], ["Paint this photo", "Use as style"]),
        (vec![&file, &style], ["Paint this photo", "Use as style"]),
        // X11 sends the file name again with every motion.
        (vec![&file, &file], ["Paint this photo", "Use as style"]),
        (vec![&file, &other], ["Paint these photos", "Use as styles"]),
    ] {
        w.hover(&files);
        assert!(words.iter().all(|word| w.has(word)), "{words:?}");
        assert_eq!(hints(&w), [""; 0]);
    }
    // The drag leaves the window.
    w.hover(&[]);
    assert_eq!(hints(&w), [""; 0]);
    assert!(!w.has("Use as styles"));
    w.hover(&[&file]);
    w.drop_file(&file);
    w.until_label("dropped.png, 30 × 20 px");
    assert_eq!(hints(&w), [""; 0]);
}

#[test]
fn dialogs_open_by_key() {
    let mut w = Window::open();
    let file = w.photo_file("by-key.png", 30, 20);
    w.platform.answer(Some(file));
    w.key(Modifiers::COMMAND, Key::O);
    w.until_label("by-key.png, 30 × 20 px");
    let style = w.path("mine.pth");
    fs::write(&style, "weights").expect("written");
    w.platform.answer(Some(style));
    w.key(Modifiers::COMMAND, Key::I);
    w.until_label("mine");
    let folder = w.folder_of_photos(&["a.png", "b.png"]);
    w.platform.answer(Some(folder));
    w.key(Modifiers::COMMAND, Key::B);
    w.until_label("Paint 2 photos");
    let asked: Vec<Dialog> = w.platform.asked().into_iter().map(|(d, _)| d).collect();
    assert_eq!(asked, [Dialog::Open, Dialog::Style, Dialog::Folder]);
}

#[test]
fn files_without_a_picture_are_refused_with_text_and_the_photo_stays() {
    let mut w = Window::with_photo(40, 30);
    w.click("Dismiss");
    let text = w.path("notes.txt");
    fs::write(&text, "no picture at all").expect("written");
    w.drop_file(&text);
    w.until_contains("is not a picture");
    let missing = w.path("gone.png");
    w.drop_file(&missing);
    w.until_contains("gone.png could not be read");
    assert!(w.has("Picture, original, 40 × 30 px"));
    // A key closes the newest message, its button the other one.
    w.key(Modifiers::NONE, Key::Escape);
    w.step();
    assert!(!w.has_containing("gone.png could not be read"));
    w.click("Dismiss");
    w.step();
    assert!(!w.has_containing("is not a picture"));
}

#[test]
fn a_jpeg_without_its_end_marker_is_shown_with_a_note() {
    let mut w = Window::open();
    let file = w.path("cut.jpg");
    let jpeg = Encoding::of(Format::Jpeg);
    encode::save(&file, &photo(320, 240), None, jpeg, Existing::Keep).expect("saved");
    let whole = fs::read(&file).expect("a photo");
    fs::write(&file, &whole[..whole.len() * 6 / 10]).expect("written");
    w.drop_file(&file);
    w.until_label("cut.jpg, 320 × 240 px");
    w.show_queue();
    w.until_contains("The file is incomplete");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_the_next_photo_opens() {
    let mut w = Window::open();
    let pipe = w.path("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    // More than there are threads that open files.
    for _ in 0..8 {
        w.drop_file(&pipe);
        w.until_contains("pipe.png could not be read: it is not a regular file");
    }
    w.drop_photo("after.png", 30, 20);
    w.until_label("after.png, 30 × 20 px");
}

#[test]
fn a_newer_photo_overtakes_an_older_one() {
    let mut w = Window::open();
    let files: Vec<PathBuf> =
        (1..=6).map(|n| w.photo_file(&format!("{n}.png"), 10 * n, 10)).collect();
    for file in &files {
        w.drop_file(file);
    }
    w.until_label("6.png, 60 × 10 px");
}

#[test]
fn jpeg_and_other_formats_are_read_back() {
    let mut w = Window::open();
    let frame = photo(24, 16);
    for format in Format::ALL {
        let path = w.path(&format!("in.{}", format.extension()));
        encode::save(&path, &frame, None, Encoding::of(*format), Existing::Keep).expect("saved");
        w.drop_file(&path);
        w.until_label(&format!("in.{}, 24 × 16 px", format.extension()));
    }
}

#[test]
fn a_missing_dialog_is_explained() {
    let mut w = Window::open();
    w.platform.refuse("No file dialog is available. Install zenity.");
    w.click("Open…");
    w.until_contains("Install zenity");
}

#[test]
fn three_ways_to_begin_are_reached_by_keys() {
    let mut w = Window::open();
    w.until("the camera's card", |w| w.has_containing("No camera found"));
    w.harness.check_accessibility();
    let ways = ["Open a photo…", "Open a video…", "Use camera", "Explore the demo"];
    let mut reached = Vec::new();
    for _ in 0..40 {
        w.key(Modifiers::NONE, Key::Tab);
        let root = w.harness.root();
        let focused = root.children_recursive().find(|n| n.accesskit_node().is_focused());
        let name = focused.and_then(|node| node.accesskit_node().label());
        reached.extend(name.filter(|name| ways.contains(&name.as_str())));
        if reached.last().is_some_and(|name| name == ways[3]) {
            break;
        }
    }
    assert_eq!(reached, ways);
    w.key(Modifiers::NONE, Key::Enter);
    w.until_contains("Picture, painted");
}

#[test]
fn a_painting_of_the_start_page_becomes_a_style_for_the_sample() {
    let mut w = Window::open();
    w.until_label("Candy");
    w.click("Sunflowers by Vincent van Gogh");
    w.until_contains("“Sunflowers ");
    w.until_contains("Sample photo, ");
    w.until_painted();
    // Only once.
    let mut w = Window::open();
    w.until_label("Candy");
    w.style_source.change(|cards| cards.push(picture_card("Sunflowers")));
    focus_window(&mut w);
    w.until_label("Sunflowers");
    w.click("Sunflowers by Vincent van Gogh");
    w.until("it", |w| w.is_chosen("Sunflowers"));
    w.until_painted();
    assert!(!w.has_containing(" was added"));
}

#[test]
fn several_files_of_the_command_line_are_painted_like_the_first_one() {
    let mut w = Window::of_files(|folder| {
        ["b.png", "a.png", "c.png"].map(|name| {
            let path = folder.join(name);
            let encoding = Encoding::of(Format::Png);
            encode::save(&path, &photo(30, 20), None, encoding, Existing::Keep).expect("saved");
            path
        })
    });
    w.click("Same look for all…");
    w.until_label("Paint 3 photos");
    w.until_label("Candy");
    w.choose_style("Candy");
    w.start_folder();
    w.until_contains("3 photos painted into ");
    w.until("the marks", |w| ["a", "b", "c"].iter().all(|n| w.has(&format!("{n}.png, painted"))));
}

#[test]
fn a_camera_that_is_plugged_in_is_found_again() {
    let mut w = Window::open();
    w.until("the card", |w| w.has_containing("No camera found"));
    let camera = Camera {
        id: CameraId::new("front".to_owned()),
        name: "Front".to_owned(),
        description: String::new(),
        problem: None,
    };
    w.platform.plug_in(vec![camera]);
    w.click("Use camera");
    // It has gone again.
    w.until_contains("No camera found. Connect one, then click ");
    assert!(!w.has("Explore the demo"), "it was tried");
    // Without a camera the card stays, and a message reports it.
    let mut w = Window::open();
    w.until("the card", |w| w.has_containing("No camera found"));
    w.click("Use camera");
    w.until_contains("No camera found. Connect one, then click ");
    assert!(w.has("Explore the demo"));
}

#[test]
fn a_style_chosen_while_a_photo_opens_is_remembered_and_one_that_came_to_nothing_is_not() {
    let mut w = Window::open();
    w.until_label("Candy");
    let file = w.photo_file("photo.png", 40, 30);
    let at = w.harness.get_by_label("Styles").rect().center();
    // While the pointer is down the change continues: the photo arrives during it.
    w.harness.hover_at(at);
    w.harness.drag_at(at);
    w.step();
    w.key(Modifiers::NONE, Key::Num1);
    assert!(w.is_chosen("Candy"));
    w.drop_file(&file);
    w.until_label("photo.png, 40 × 30 px");
    w.harness.drop_at(at);
    w.until_painted();
    let style = |w: &Window| Settings::load(&w.settings_path()).0.choices.style;
    w.until("the settings", |w| style(w).as_deref() == Some("candy"));

    w.style_source.refuse("The weights of Wave are damaged.");
    w.click("Wave");
    w.until_contains("The weights of Wave are damaged");
    // Another setting that is saved with it.
    w.key(Modifiers::NONE, Key::T);
    w.until("the settings", |w| {
        Settings::load(&w.settings_path()).0.choices.theme != ThemeChoice::System
    });
    assert_eq!(style(&w).as_deref(), Some("candy"));
}
