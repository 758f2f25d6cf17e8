//! The window over AccessKit, with a scripted device, scripted styles, dialogs and clipboard.

#![allow(
    clippy::expect_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

mod support;
mod window;

use std::{fs, path::PathBuf, time::Instant};

use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use styleforge::{
    compose::{Look, compose},
    gui::outside::{Clip, Dialog},
    media::{
        decode,
        encode::{self, Encoding, Existing, Format},
    },
    settings::{Settings, ThemeChoice},
};
use support::{Behaviour, inverted, photo};
use window::Window;

#[test]
fn a_photo_opens_by_button_and_is_painted_by_a_click() {
    let mut w = Window::open();
    let file = w.photo_file("beach.png", 40, 30);
    w.outside.answer(Some(file.clone()));
    w.click("Open a photo…");
    w.until_label("Picture, photo, 40 × 30 px");
    assert_eq!(w.outside.asked(), [(Dialog::Open, None)]);
    w.until_label("beach.png, 40 × 30 px");
    assert!(w.has("Choose a style on the left to paint this photo"));
    w.click("Candy");
    w.until_label("Picture, photo and painting, 40 × 30 px");
    w.until_contains("Painted at 40 × 30 px");
    assert!(w.has("Scripted processor, 3 threads, AVX2 (CPU: no NVIDIA driver found)"));
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
fn pictures_and_copied_files_are_pasted() {
    let mut w = Window::open();
    w.outside.put_on_clipboard(Clip::Picture(photo(21, 12)));
    w.key(Modifiers::COMMAND, Key::V);
    w.until_label("Pasted picture, 21 × 12 px");
    let file = w.photo_file("copied.png", 9, 8);
    w.outside.put_on_clipboard(Clip::Files(vec![file]));
    w.click("Paste");
    w.until_label("copied.png, 9 × 8 px");
    w.outside.put_on_clipboard(Clip::Nothing);
    w.click("Paste");
    w.until_contains("The clipboard holds no picture");
}

#[test]
fn dropped_files_open_and_hovering_says_so() {
    let mut w = Window::open();
    let file = w.photo_file("dropped.png", 30, 20);
    w.hover(&file);
    w.step();
    w.drop_file(&file);
    w.until_label("dropped.png, 30 × 20 px");
}

#[test]
fn what_is_no_picture_is_refused_in_words_and_the_photo_stays() {
    let mut w = Window::with_photo(40, 30);
    let text = w.path("notes.txt");
    fs::write(&text, "no picture at all").expect("written");
    w.drop_file(&text);
    w.until_contains("is not a picture that can be read");
    let missing = w.path("gone.png");
    w.drop_file(&missing);
    w.until_contains("gone.png could not be read");
    assert!(w.has("Picture, photo, 40 × 30 px"));
    // The newest message leaves by key, the other by its button.
    w.key(Modifiers::NONE, Key::Escape);
    w.step();
    assert!(!w.has_containing("gone.png could not be read"));
    w.click("Dismiss");
    w.step();
    assert!(!w.has_containing("is not a picture"));
}

#[test]
fn styles_are_chosen_by_number_and_arrow() {
    let mut w = Window::with_photo(40, 30);
    w.key(Modifiers::NONE, Key::Num2);
    w.until_painted();
    assert!(w.is_chosen("Udnie"));
    w.key(Modifiers::NONE, Key::ArrowDown);
    w.until("the third", |w| w.is_chosen("Wave") && w.is_painted());
    w.key(Modifiers::NONE, Key::ArrowDown);
    w.until("round the end", |w| w.is_chosen("Candy") && w.is_painted());
    w.key(Modifiers::NONE, Key::ArrowUp);
    w.until("back", |w| w.is_chosen("Wave"));
    assert_eq!(
        w.script.runs().len(),
        3,
        "known paintings are not painted again"
    );
}

#[test]
fn the_previous_painting_stays_until_the_next_is_there_and_can_be_kept() {
    let mut w = Window::painted(40, 30);
    w.script.hold();
    w.click("Udnie");
    w.until_label("Painting in Udnie…");
    assert!(w.has("Picture, photo and painting, 40 × 30 px"));
    w.click("Stop");
    w.until("the choice before", |w| w.is_chosen("Candy"));
    assert!(!w.has("Painting in Udnie…"));
    assert!(w.has("Picture, photo and painting, 40 × 30 px"));
    w.click("Udnie");
    w.until_label("Painting in Udnie…");
    w.key(Modifiers::NONE, Key::Escape);
    w.until("the choice before", |w| w.is_chosen("Candy"));
}

#[test]
fn stopping_the_first_painting_goes_back_to_the_photo() {
    let mut w = Window::with_photo(40, 30);
    w.script.hold();
    w.click("Candy");
    w.until_label("Painting in Candy…");
    w.key(Modifiers::NONE, Key::Escape);
    w.until_label("Choose a style on the left to paint this photo");
    assert!(w.has("Picture, photo, 40 × 30 px"));
    w.script.release();
    w.click("Candy");
    w.until_painted();
}

#[test]
fn frames_go_on_and_controls_answer_while_the_device_works() {
    let mut w = Window::painted(600, 400);
    w.script.hold();
    w.click("Udnie");
    w.until_label("Painting in Udnie…");
    let mut slowest = 0.0f64;
    for round in 0..60 {
        if round == 20 {
            w.slider("Strength").set_value_accesskit(40.0);
        }
        if round == 40 {
            w.key(Modifiers::NONE, Key::F1);
        }
        let started = Instant::now();
        w.harness.step();
        slowest = slowest.max(started.elapsed().as_secs_f64());
    }
    assert!(slowest < 0.25, "a frame took {slowest} s");
    assert!(w.has("Move the divider"), "the list of shortcuts is open");
    assert_eq!(w.value("Strength"), 40.0);
    assert!(w.has("Painting in Udnie…"), "and the device still works");
    w.script.release();
    w.key(Modifiers::NONE, Key::F1);
    w.until_painted();
}

#[test]
fn a_finer_brush_shows_a_draft_first() {
    let mut w = Window::painted(1000, 500);
    w.script.hold();
    w.key(Modifiers::NONE, Key::CloseBracket);
    w.until("the draft's run", |w| {
        w.script.runs().last() == Some(&(266, 133))
    });
    w.script.release();
    w.until_contains("Painted at 800 × 400 px");
    let runs = w.script.runs();
    assert_eq!(runs[runs.len() - 2..], [(266, 133), (800, 400)]);
    w.key(Modifiers::NONE, Key::OpenBracket);
    w.until_contains("Strokes as at 1000 × 500 px");
    // The slider does the same.
    w.slider("Brush size").set_value_accesskit(9.0);
    w.until_contains("Painted at 640 × 320 px");
}

#[test]
fn strength_and_colours_answer_without_the_device() {
    let mut w = Window::painted(40, 30);
    let runs = w.script.runs().len();
    w.slider("Strength").set_value_accesskit(50.0);
    w.step();
    w.click("Keep the photo's colours");
    w.step();
    let saved = w.save_as("half.png");
    let look = Look {
        strength_percent: 50,
        keep_colors: true,
    };
    let source = photo(40, 30);
    let expected = compose(&source, inverted(&source), look).expect("same size");
    assert_eq!(saved, expected);
    assert_eq!(w.script.runs().len(), runs);
    for _ in 0..8 {
        w.key(Modifiers::NONE, Key::PageDown);
    }
    // Two presses that arrive together both count.
    w.keys_at_once(&[Key::PageDown, Key::PageDown]);
    w.key(Modifiers::NONE, Key::K);
    w.step();
    assert_eq!(w.value("Strength"), 0.0);
    assert_eq!(w.save_as("none.png"), source, "strength 0 is the photo");
}

#[test]
fn the_divider_moves_by_key_by_hand_and_for_screen_readers() {
    let mut w = Window::painted(400, 300);
    let name = "Divider between photo and painting";
    assert_eq!(w.value(name), 50.0);
    w.key(Modifiers::NONE, Key::ArrowLeft);
    w.step();
    assert_eq!(w.value(name), 45.0);
    w.harness.get_by_label(name).increment_accesskit();
    w.step();
    w.step();
    assert_eq!(w.value(name), 50.0);
    let at = w.harness.get_by_label(name).rect().center();
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    w.drag(at, at + egui::vec2(picture.width() / 10.0, 0.0));
    w.until("the divider to follow", |w| w.value(name) > 54.0);
    // Away from the divider, dragging moves the picture and leaves the divider alone.
    let before = w.value(name);
    w.drag(
        picture.center() - egui::vec2(120.0, 90.0),
        picture.center() - egui::vec2(80.0, 60.0),
    );
    w.step();
    assert_eq!(w.value(name), before);
    w.key(Modifiers::NONE, Key::Space);
    w.until_label("Picture, painting, 400 × 300 px");
    w.click("Show photo");
    w.until_label("Picture, photo, 400 × 300 px");
    w.click("Show both");
    w.until_label("Picture, photo and painting, 400 × 300 px");
}

#[test]
fn zoom_follows_keys_buttons_and_wheel() {
    let mut w = Window::with_photo(4000, 2000);
    w.step();
    let fitted = w.zoom();
    assert!(fitted < 60.0, "fitted at {fitted} %");
    w.click("Actual size");
    w.step();
    assert_eq!(w.zoom(), 100.0);
    w.key(Modifiers::NONE, Key::Plus);
    w.step();
    assert_eq!(w.zoom(), 125.0);
    w.click("Zoom out");
    w.step();
    w.step();
    assert_eq!(w.zoom(), 100.0);
    w.key(Modifiers::COMMAND, Key::Num0);
    w.step();
    assert_eq!(w.zoom(), fitted);
    let center = w.harness.get_by_label_contains("Picture, ").rect().center();
    w.harness.hover_at(center);
    w.step();
    w.harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        delta: egui::vec2(0.0, 3.0),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: egui::MouseWheelSource::Wheel,
    });
    w.until("the wheel to zoom", |w| w.zoom() > fitted);
}

#[test]
fn model_and_size_are_chosen() {
    let mut w = Window::painted(2000, 1000);
    assert_eq!(w.script.runs().last(), Some(&(1280, 640)));
    w.click("Lite");
    w.until("the other model to load", |w| w.shelf.loads().len() == 2);
    w.until_painted();
    w.key(Modifiers::NONE, Key::M);
    w.until_painted();
    w.choose("Size", "As painted, 1280 × 640");
    w.until_label("Picture, photo and painting, 1280 × 640 px");
    assert_eq!(w.save_as("small.png").width(), 1280);
}

#[test]
fn saving_remembers_folder_and_format_and_asks_before_replacing() {
    let mut w = Window::painted(40, 30);
    w.choose("Format", "JPEG");
    w.until("the quality", |w| w.has("JPEG quality"));
    w.slider("JPEG quality").set_value_accesskit(60.0);
    w.step();
    // A name without an ending gets the chosen format's.
    let bare = w.path("result");
    w.outside.answer(Some(bare));
    w.key(Modifiers::COMMAND, Key::S);
    w.until_contains("Saved as ");
    let (dialog, _) = w.outside.asked().pop().expect("a dialog");
    let file_name = "photo-candy.jpg".to_owned();
    assert_eq!(
        dialog,
        Dialog::Save {
            file_name,
            format: Format::Jpeg
        }
    );
    let saved = fs::read(w.path("result.jpg")).expect("saved");
    assert_eq!(saved[..3], [0xff, 0xd8, 0xff]);

    // An ending that was typed wins. What exists is only replaced after a question.
    let taken = w.path("taken.png");
    fs::write(&taken, "old").expect("written");
    w.outside.answer(Some(taken.clone()));
    w.click("Save as…");
    w.until_label("Replace taken.png?");
    let (_, folder) = w.outside.asked().pop().expect("a dialog");
    assert_eq!(
        folder.as_deref(),
        taken.parent(),
        "the folder is remembered"
    );
    w.click("Cancel");
    w.step();
    assert_eq!(fs::read(&taken).expect("read"), b"old");
    w.outside.answer(Some(taken.clone()));
    w.click("Save as…");
    w.until_label("Replace taken.png?");
    w.click("Replace");
    w.until("the new file", |_| {
        decode::from_path(&taken).is_ok_and(|p| *p.frame == inverted(&photo(40, 30)))
    });
    // Another name instead.
    let other = w.path("other.png");
    w.outside.answer(Some(taken));
    w.click("Save as…");
    w.until_label("Replace taken.png?");
    w.outside.answer(Some(other.clone()));
    w.click("Choose another name…");
    w.until("the other file", |_| other.exists());
}

#[test]
fn a_save_that_fails_says_why() {
    let mut w = Window::painted(40, 30);
    let nowhere = w.path("no/such/folder/a.png");
    w.outside.answer(Some(nowhere));
    w.click("Save as…");
    w.until_contains("could not be written");
    assert!(w.has("Save as…"));
}

#[test]
fn the_result_is_copied() {
    let mut w = Window::painted(40, 30);
    w.key(Modifiers::COMMAND, Key::C);
    w.until_contains("The painting is on the clipboard");
    assert_eq!(w.outside.copied(), [inverted(&photo(40, 30))]);
    w.outside.refuse("The clipboard is gone.");
    w.click("Copy");
    w.until_contains("The clipboard is gone");
}

#[test]
fn a_missing_dialog_is_explained() {
    let mut w = Window::open();
    w.outside
        .refuse("No file dialog could be shown. Install zenity.");
    w.click("Open…");
    w.until_contains("Install zenity");
}

#[test]
fn choices_are_undone_and_redone() {
    let mut w = Window::painted(40, 30);
    w.click("Udnie");
    w.until_painted();
    w.slider("Strength").set_value_accesskit(30.0);
    w.step();
    w.key(Modifiers::COMMAND, Key::Z);
    w.step();
    assert_eq!(w.value("Strength"), 100.0);
    w.click("Undo");
    w.until("the style before", |w| {
        w.is_chosen("Candy") && w.is_painted()
    });
    w.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    w.until("redone", |w| w.is_chosen("Udnie"));
    w.click("Redo");
    w.step();
    w.step();
    assert_eq!(w.value("Strength"), 30.0);
    assert_eq!(w.script.runs().len(), 2);
}

#[test]
fn one_drag_of_a_slider_is_one_step_of_undo() {
    let mut w = Window::painted(40, 30);
    let rect = w.slider("Strength").rect();
    let from = egui::pos2(rect.right() - 4.0, rect.center().y);
    w.drag(from, egui::pos2(rect.left() + 30.0, rect.center().y));
    w.step();
    assert_ne!(w.value("Strength"), 100.0);
    w.key(Modifiers::COMMAND, Key::Z);
    w.step();
    assert_eq!(w.value("Strength"), 100.0);
    assert!(w.is_chosen("Candy"));
}

#[test]
fn an_unsaved_painting_is_asked_about_before_another_photo_opens() {
    let mut w = Window::painted(40, 30);
    let next = w.photo_file("next.png", 50, 20);
    w.drop_file(&next);
    w.until_label("Save the painting first?");
    w.click("Cancel");
    w.step();
    assert!(w.has("photo.png, 40 × 30 px"));
    w.drop_file(&next);
    w.until_label("Save the painting first?");
    let target = w.path("kept.png");
    w.outside.answer(Some(target.clone()));
    w.harness
        .get_all_by_label("Save as…")
        .last()
        .expect("in the question")
        .click();
    w.until_label("next.png, 50 × 20 px");
    assert!(target.exists());
    w.until_painted();
    // Without saving, and never asked again.
    let last = w.photo_file("last.png", 20, 20);
    w.drop_file(&last);
    w.until_label("Save the painting first?");
    w.click("Do not ask again");
    w.step();
    w.click("Open without saving");
    w.until_label("last.png, 20 × 20 px");
    w.until_painted();
    w.drop_file(&next);
    w.until_label("next.png, 50 × 20 px");
}

#[test]
fn saved_paintings_and_paintings_of_the_sample_are_not_asked_about() {
    let mut w = Window::painted(40, 30);
    w.save_as("safe.png");
    let next = w.photo_file("next.png", 50, 20);
    w.drop_file(&next);
    w.until_label("next.png, 50 × 20 px");
    let mut w = Window::open();
    w.click("Try the sample photo");
    w.until_contains("Sample photo, ");
    w.click("Candy");
    w.until_painted();
    assert!(!w.close_is_held_back());
}

#[test]
fn closing_asks_about_an_unsaved_painting() {
    let mut w = Window::painted(40, 30);
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    w.click("Close without saving");
    w.until("the window to close", |w| w.closes());
    assert!(!Window::with_photo(5, 5).close_is_held_back());
}

#[test]
fn a_folder_is_painted_and_the_bad_ones_are_named() {
    let mut w = Window::painted(40, 30);
    let folder = w.folder_of_photos(&["a.png", "c.png"]);
    fs::write(folder.join("b.png"), "rubbish").expect("written");
    fs::write(folder.join("readme.txt"), "no photo").expect("written");
    w.outside.answer(Some(folder.clone()));
    w.click("Folder…");
    w.until_label("Paint 3 photos");
    w.click("Start");
    w.until_label("2 photos painted, in");
    assert!(w.has("1 photo not painted"));
    assert!(w.has("b.png"));
    let painted = folder.join("painted").join("a-candy.png");
    let result = decode::from_path(&painted).expect("painted");
    assert_eq!(*result.frame, inverted(&photo(16, 12)));
    w.click("Put away");
    w.step();
    // The second time nothing is replaced unless asked.
    w.drop_file(&folder);
    w.until_label("Paint 3 photos");
    w.click("Start");
    w.until_label("3 photos not painted");
}

#[test]
fn a_folder_can_be_stopped_and_an_empty_one_is_explained() {
    let mut w = Window::painted(40, 30);
    let folder = w.folder_of_photos(&["a.png", "b.png", "c.png"]);
    w.script.hold();
    w.drop_file(&folder);
    w.until_label("Paint 3 photos");
    w.click("Start");
    w.until_label("Painting 1 of 3");
    assert!(w.close_is_held_back());
    w.until_label("Stop painting the folder?");
    w.click("Go on painting");
    w.step();
    w.click("Stop the folder");
    w.until_label("Stopped");
    w.script.release();
    let empty = w.path("empty");
    fs::create_dir(&empty).expect("created");
    w.drop_file(&empty);
    w.until_contains("There are no photos in");
}

#[test]
fn a_checkpoint_becomes_a_style() {
    let mut w = Window::with_photo(40, 30);
    let file = w.path("Dots.safetensors");
    fs::write(&file, "weights").expect("written");
    w.drop_file(&file);
    w.until_label("Dots");
    w.until("it to be painted", |w| {
        w.is_chosen("Dots") && w.is_painted()
    });
    let bad = w.path("broken.pth");
    fs::write(&bad, "bad").expect("written");
    w.outside.answer(Some(bad));
    w.click("Add a style…");
    w.until_contains("This file was not added as a style");
}

#[test]
fn errors_of_the_device_and_of_styles_are_told_and_the_picture_stays() {
    let mut w = Window::painted(40, 30);
    w.script.behave(Behaviour::Fail);
    w.click("Udnie");
    w.until_contains("choose a smaller working size");
    assert!(w.is_chosen("Candy"));
    w.script.behave(Behaviour::Panic);
    w.click("Udnie");
    w.until_contains("please report it");
    w.script.behave(Behaviour::Invert);
    w.shelf.refuse("The weights of Wave are damaged.");
    w.click("Wave");
    w.until_contains("The weights of Wave are damaged");
    assert!(w.is_chosen("Candy"));
    assert!(w.has("Picture, photo and painting, 40 × 30 px"));
}

#[test]
fn dark_and_light_and_the_desktops_own() {
    let mut w = Window::open();
    let is_dark = |w: &Window| w.harness.ctx.theme() == egui::Theme::Dark;
    w.key(Modifiers::NONE, Key::T);
    w.step();
    assert!(is_dark(&w));
    w.key(Modifiers::NONE, Key::T);
    w.step();
    assert!(!is_dark(&w));
    w.click("Settings");
    w.until("the menu", |w| w.has("As the desktop"));
    w.click("Dark");
    w.step();
    assert!(is_dark(&w));
}

#[test]
fn lists_of_keys_and_credits_open_and_close() {
    let mut w = Window::open();
    w.key(Modifiers::NONE, Key::Questionmark);
    w.until_label("Undo the last choice");
    // Keys below the list do nothing.
    w.key(Modifiers::COMMAND, Key::E);
    w.step();
    assert!(!w.has_containing("Sample photo, "));
    w.key(Modifiers::NONE, Key::Escape);
    w.step();
    assert!(!w.has("Undo the last choice"));
    w.click("About");
    w.until_label("Licences");
    assert!(w.has("A painter, public domain"));
    w.click("Close");
    w.step();
    assert!(!w.has("Licences"));
}

#[test]
fn choices_are_remembered() {
    let mut w = Window::painted(40, 30);
    w.slider("Strength").set_value_accesskit(70.0);
    w.key(Modifiers::NONE, Key::T);
    w.step();
    w.choose("Format", "WebP");
    let path = w.settings_path();
    w.until("the settings file", |_| {
        let (settings, warnings) = Settings::load(&path);
        assert!(warnings.is_empty(), "{warnings:?}");
        settings.choices.format == Some(Format::WebP)
    });
    let mut again = w.reopened();
    again.until_label("Candy");
    again.until("the style", |w| w.is_chosen("Candy"));
    assert_eq!(again.value("Strength"), 70.0);
    let (settings, _) = Settings::load(&path);
    assert_eq!(settings.choices.theme, ThemeChoice::Dark);
    assert!(settings.state.open_folder.is_some());
    // A remembered style paints the next photo at once.
    let file = again.photo_file("at-once.png", 33, 22);
    again.drop_file(&file);
    again.until_painted();
}

#[test]
fn damaged_settings_are_told() {
    let mut w = Window::open_after(|folder| {
        fs::write(folder.join("settings.toml"), "[choices\n").expect("written");
    });
    w.until_contains("The settings file is damaged");
}

#[test]
fn an_idle_window_does_not_draw() {
    let mut w = Window::painted(40, 30);
    w.until("quiet", |w| w.rests());
    let mut empty = Window::open();
    empty.until("quiet", |w| w.rests());
}

#[test]
fn everything_fits_a_small_window() {
    let mut w = Window::sized(1024.0, 700.0);
    let file = w.photo_file("photo.png", 40, 30);
    w.drop_file(&file);
    w.until_label("photo.png, 40 × 30 px");
    w.click("Candy");
    w.until_painted();
    let window = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1024.0, 700.0));
    for name in [
        "Open…",
        "Paste",
        "Sample",
        "Folder…",
        "Undo",
        "Redo",
        "Settings",
        "Shortcuts",
        "About",
        "Candy",
        "Udnie",
        "Add a style…",
        "Full",
        "Lite",
        "Save as…",
        "Copy",
        "Fit",
        "Zoom in",
        "Show both",
    ] {
        let rect = w.harness.get_by_label(name).rect();
        assert!(window.contains_rect(rect), "{name} is outside at {rect:?}");
    }
}

#[test]
fn a_large_photo_is_looked_at_closely_without_stalling() {
    let mut w = Window::painted(2800, 2000);
    w.click("Actual size");
    let mut slowest = 0.0f64;
    for _ in 0..40 {
        let started = Instant::now();
        w.harness.step();
        slowest = slowest.max(started.elapsed().as_secs_f64());
        w.slider("Strength").increment_accesskit();
    }
    assert!(slowest < 0.25, "a frame took {slowest} s");
}

#[test]
fn a_newer_photo_overtakes_an_older_one() {
    let mut w = Window::open();
    let files: Vec<PathBuf> = (1..=6)
        .map(|n| w.photo_file(&format!("{n}.png"), 10 * n, 10))
        .collect();
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
