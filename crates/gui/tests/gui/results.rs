//! Results: saving, copying, confirmation, a folder run, and what is remembered.

use std::fs;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use gui::platform::Dialog;
use pictures::{decode, encode::Format};
use settings::{Settings, ThemeChoice};

use crate::{
    support::{inverted, photo},
    window::{Window, saves_there},
};

#[test]
fn saving_remembers_folder_and_format_and_asks_before_replacing() {
    let mut w = Window::painted(40, 30);
    w.choose("Format", "JPEG");
    w.until("the quality", |w| w.has("JPEG quality"));
    w.slider("JPEG quality").set_value_accesskit(60.0);
    w.step();
    // A name without an extension gets that of the chosen format.
    let bare = w.path("result");
    w.platform.answer(Some(bare));
    w.key(Modifiers::COMMAND, Key::S);
    w.until_contains("Saved as ");
    let (dialog, _) = w.platform.asked().pop().expect("a dialog");
    let file_name = "photo-candy.jpg".to_owned();
    assert_eq!(dialog, Dialog::Save { file_name, format: Format::Jpeg });
    let saved = fs::read(w.path("result.jpg")).expect("saved");
    assert_eq!(saved[..3], [0xff, 0xd8, 0xff]);

    // A typed extension takes precedence. An existing file is only replaced after confirmation.
    let taken = w.path("taken.png");
    fs::write(&taken, "old").expect("written");
    w.platform.answer(Some(taken.clone()));
    w.click("Save as…");
    w.until_label("Replace taken.png?");
    let (_, folder) = w.platform.asked().pop().expect("a dialog");
    assert_eq!(folder.as_deref(), taken.parent(), "the folder is remembered");
    w.click("Cancel");
    w.step();
    assert_eq!(fs::read(&taken).expect("read"), b"old");
    w.platform.answer(Some(taken.clone()));
    w.click("Save as…");
    w.until_label("Replace taken.png?");
    w.click("Replace");
    w.until("the new file", |_| {
        decode::from_path(&taken).is_ok_and(|p| *p.frame == inverted(&photo(40, 30)))
    });
    // The file has its name shortly before the save is done.
    w.until_contains(&format!("Saved as {}", taken.display()));
    // A different name instead.
    let other = w.path("other.png");
    w.platform.answer(Some(taken));
    w.click("Save as…");
    w.until_label("Replace taken.png?");
    w.platform.answer(Some(other.clone()));
    w.click("Choose another name…");
    w.until("the other file", |_| other.exists());
}

#[test]
fn the_folder_of_the_last_save_is_remembered_over_a_restart() {
    let mut w = Window::painted(40, 30);
    let folder = w.path("paintings");
    fs::create_dir(&folder).expect("created");
    w.save_as("paintings/first.png");
    let mut again = w.reopened();
    again.until_label("Candy");
    let file = again.photo_file("next.png", 33, 22);
    again.drop_file(&file);
    again.until_painted();
    again.platform.answer(None);
    again.click("Save as…");
    again.until("the dialog", |w| !w.platform.asked().is_empty());
    let (dialog, start) = again.platform.asked().remove(0);
    assert!(matches!(dialog, Dialog::Save { .. }), "{dialog:?}");
    assert_eq!(start, Some(folder));
}

#[test]
fn a_save_that_fails_says_why() {
    let mut w = Window::painted(40, 30);
    let nowhere = w.path("no/such/folder/a.png");
    w.platform.answer(Some(nowhere));
    w.click("Save as…");
    w.until_contains("could not be written");
    assert!(w.has("Save as…"));
}

#[test]
fn the_result_is_copied() {
    let mut w = Window::painted(40, 30);
    w.key(Modifiers::COMMAND, Key::C);
    w.until_contains("The painting is on the clipboard");
    assert_eq!(w.platform.copied(), [inverted(&photo(40, 30))]);
    w.platform.refuse("The clipboard is gone.");
    w.click("Copy");
    w.until_contains("The clipboard is gone");
}

#[test]
fn an_unsaved_painting_is_asked_about_before_another_photo_opens() {
    let mut w = Window::unsaved(40, 30);
    let next = w.photo_file("next.png", 50, 20);
    w.drop_file(&next);
    w.until_label("Save the painting first?");
    w.click("Cancel");
    w.step();
    assert!(w.has("photo.png, 40 × 30 px"));
    w.drop_file(&next);
    w.until_label("Save the painting first?");
    let target = w.path("kept.png");
    w.platform.answer(Some(target.clone()));
    w.harness.get_all_by_label("Save as…").last().expect("in the question").click();
    w.until_label("next.png, 50 × 20 px");
    assert!(target.exists());
    w.until_painted();
    // It was painted only because it was opened, and opening it repeats that: no confirmation.
    let last = w.photo_file("last.png", 20, 20);
    w.drop_file(&last);
    w.until_label("last.png, 20 × 20 px");
    w.until_painted();
    w.click("Udnie");
    w.until("the choice", |w| w.is_chosen("Udnie"));
    w.until_painted();
    // A look at another style is not worth a question.
    let again = w.photo_file("again.png", 22, 20);
    w.drop_file(&again);
    w.until_label("again.png, 22 × 20 px");
    w.until_painted();
    w.click("Wave");
    w.until_painted();
    w.slider("Strength").set_value_accesskit(50.0);
    w.step();
    // Without saving, and never asked again.
    let last = w.photo_file("last.png", 21, 20);
    w.drop_file(&last);
    w.until_label("Save the painting first?");
    w.click("Don't ask again");
    w.step();
    w.click("Open without saving");
    w.until_label("last.png, 21 × 20 px");
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
    let mut w = Window::unsaved(40, 30);
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    w.click("Close without saving");
    w.until("the window to close", |w| w.closes());
    assert!(!Window::with_photo(5, 5).close_is_held_back());
}

#[test]
fn the_question_at_closing_names_the_style_that_is_chosen_now() {
    let mut w = Window::unsaved(40, 30);
    w.script.hold();
    w.click("Udnie");
    w.until_label("Painting in Udnie…");
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    let what = "The painting of photo.png in Udnie is not saved.";
    assert!(w.has_containing(what), "{:#?}", w.texts());
    assert!(!w.has_containing("in Candy"), "what it replaces");
}

#[test]
fn a_folder_is_painted_and_the_bad_ones_are_named() {
    let mut w = Window::painted(40, 30);
    let folder = w.folder_of_photos(&["a.png", "c.png"]);
    fs::write(folder.join("b.png"), "rubbish").expect("written");
    fs::write(folder.join("readme.txt"), "no photo").expect("written");
    fs::create_dir(folder.join("deeper")).expect("made");
    w.platform.answer(Some(folder.clone()));
    w.click("Folder…");
    w.until_label("Paint 3 photos");
    let left_out =
        ["1 subfolder is not painted", "1 file skipped: readme.txt (not a photo or video)"];
    assert!(left_out.iter().all(|part| w.has_containing(part)), "{:#?}", w.texts());
    w.start_folder();
    w.until_contains("2 photos painted, 1 photo not painted");
    w.show_queue();
    w.until_label("b.png");
    assert!(w.has("Done. 2 photos painted, 1 photo not painted."), "{:#?}", w.texts());
    let painted = folder.join("painted").join("a-candy.png");
    let result = decode::from_path(&painted).expect("painted");
    assert_eq!(*result.frame, inverted(&photo(16, 12)));
    w.click("Clear completed");
    w.click("Close");
    w.step();
    // The second run replaces nothing unless requested.
    w.drop_file(&folder);
    w.until_label("Paint 3 photos");
    assert!(w.has_containing("1 subfolder"), "not the paintings");
    w.start_folder();
    w.until_contains("Nothing was painted. b.png: ");
    w.show_queue();
    w.until_label("Skipped, already exist (2)");
    assert!(w.has("1 photo not painted"));
    fs::write(&painted, "touched").expect("written");
    w.click_listed("Replace them");
    w.until("it to be replaced", |_| fs::read(&painted).is_ok_and(|now| now != b"touched"));
    let result = decode::from_path(&painted).expect("painted again");
    assert_eq!(*result.frame, inverted(&photo(16, 12)));
}

#[test]
fn a_folder_run_reports_notes_on_its_photos() {
    let mut w = Window::painted(40, 30);
    let folder = w.folder_of_photos(&["a.png"]);
    Window::photo_with_a_note(&folder.join("cut.jpg"));
    w.drop_file(&folder);
    w.until_label("Paint 2 photos");
    w.start_folder();
    w.until_contains("2 photos painted into ");
    w.show_queue();
    w.until_label("1 warning");
    assert!(w.has("cut.jpg"));
    assert!(w.has_containing("is incomplete"));
}

#[test]
fn an_empty_folder_is_explained() {
    let mut w = Window::open();
    let empty = w.path("empty");
    fs::create_dir(&empty).expect("created");
    w.drop_file(&empty);
    w.until_contains("There are no photos or videos in");
}

#[test]
fn choices_are_remembered() {
    let mut w = Window::painted(40, 30);
    w.slider("Strength").set_value_accesskit(70.0);
    w.key(Modifiers::NONE, Key::T);
    w.step();
    w.choose("Format", "WebP, lossless");
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
    assert_eq!(settings.choices.theme, ThemeChoice::Light);
    assert!(settings.state.open_folder.is_some());
    // A remembered style paints the next photo immediately.
    let file = again.photo_file("at-once.png", 33, 22);
    again.drop_file(&file);
    again.until_painted();
}

#[test]
fn settings_that_cannot_be_read_stay_as_they_are_and_are_reported() {
    for unreadable in [&b"[choices\nstyle = \"mine\""[..], b"\xff\xfe", b"version = 99"] {
        let mut w = Window::open_after(|folder| {
            fs::write(folder.join("settings.toml"), unreadable).expect("written");
        });
        w.until_contains("settings.toml");
        assert!(w.has_containing("defaults are used"), "{:#?}", w.texts());
        w.until_label("Candy");
        w.click("Candy");
        let w = w.reopened();
        let kept = fs::read(w.settings_path()).expect("there");
        assert_eq!(kept, unreadable);
        assert_eq!(fs::read_dir(w.path("")).expect("listed").count(), 1);
    }
}

#[test]
fn without_a_dialog_a_path_is_typed_and_nothing_is_replaced() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    let photo = w.photo_file("photo.png", 40, 30);
    w.drop_file(&photo);
    w.click("Candy");
    w.until_painted();
    w.platform.refuse("No file dialog is available.");
    for name in ["photo-candy.png", "photo-candy-2.png"] {
        let path = w.path(name);
        w.click("Save as…");
        w.until_label(&path.display().to_string());
        assert!(w.has_containing("No file dialog is available"));
        w.key(Modifiers::NONE, Key::Enter);
        w.until_contains(&format!("Saved as {}", path.display()));
        let saved = decode::from_path(&path).expect("a picture");
        assert_eq!(*saved.frame, inverted(&crate::support::photo(40, 30)));
    }
    // An existing name asks for confirmation, as always.
    w.click("Save as…");
    let offered = w.path("photo-candy-3.png").display().to_string();
    w.until_label(&offered);
    // The name is selected, without folder and extension: typing replaces it.
    w.harness.event(eframe::egui::Event::Text("photo-candy".to_owned()));
    w.step();
    w.click("Save");
    w.until_label("Replace photo-candy.png?");
    w.click("Cancel");
    w.step();
    // Nothing waits for a path that was not entered.
    w.click("Save as…");
    w.until_label("Save as");
    w.key(Modifiers::NONE, Key::Escape);
    w.until("the question to go", |w| !w.has("Save as"));
    // Opening a photo works the same way.
    let other = w.photo_file("other.png", 20, 10);
    w.click("Open…");
    w.until_label("Open a photo, video or style");
    w.harness.event(eframe::egui::Event::Text("other.png".to_owned()));
    w.step();
    assert!(other.exists());
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("other.png, 20 × 10 px");
    // A path that does not exist is reported, and can be corrected.
    w.click("Open…");
    w.until_label("Open a photo, video or style");
    w.harness.event(eframe::egui::Event::Text("nowhere.png".to_owned()));
    w.step();
    w.key(Modifiers::NONE, Key::Enter);
    w.until_contains("There is no file ");
    assert!(w.has("Open a photo, video or style"));
    // In the same field, with another path instead of the folder's.
    w.key(Modifiers::COMMAND, Key::A);
    w.harness.event(eframe::egui::Event::Text(other.display().to_string()));
    w.step();
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("other.png, 20 × 10 px");
    w.until("the question to go", |w| !w.has("Open a photo, video or style"));
    // A pasted path replaces the folder; pasted after the folder, it is also used alone.
    for (name, key) in [("third.png", None), ("fourth.png", Some(Key::End))] {
        let path = w.photo_file(name, 30, 20).display().to_string();
        w.click("Open…");
        w.until_label("Open a photo, video or style");
        if let Some(key) = key {
            w.key(Modifiers::NONE, key);
        }
        w.harness.event(eframe::egui::Event::Paste(path));
        w.step();
        w.key(Modifiers::NONE, Key::Enter);
        w.until_label(&format!("{name}, 30 × 20 px"));
    }
}

#[test]
fn a_message_keeps_its_position_when_a_dialog_opens_and_leaves_with_its_page() {
    let mut w = Window::painted(40, 30);
    w.save_as("out.png");
    w.until("one message", |w| w.harness.query_all_by_label("Dismiss").count() == 1);
    let place = |w: &Window| w.harness.get_by_label("Dismiss").rect();
    let before = place(&w);
    w.press(Key::F1);
    w.until_label("Shortcuts");
    w.step();
    assert_eq!(place(&w), before);
    w.press(Key::Escape);
    w.until("the list to go", |w| !w.has("Search shortcuts"));
    w.click("Live");
    w.until_live();
    assert!(!w.has_containing("Saved as "), "{:#?}", w.texts());
}

#[test]
fn a_key_of_live_video_is_explained_on_the_photo_page() {
    let mut w = Window::open();
    w.until_label("Candy");
    w.press(Key::P);
    w.until_contains("is only available in Live (L)");
}

#[test]
fn sixteen_bits_per_channel_are_painted_and_saved() {
    let mut w = Window::real();
    w.until_label("Candy");
    w.open_photo(40, 30);
    w.click("Candy");
    w.until_painted();
    w.choose("Format", "TIFF");
    w.until_label("16 bits per channel");
    w.choose("Format", "PNG");
    w.click("16 bits per channel");
    w.until_painted();
    w.save_as("deep.png");
    let file = fs::read(w.path("deep.png")).expect("saved");
    assert_eq!(file[24], 16, "bits per channel in the header");
    w.choose("Format", "JPEG");
    w.until("no choice", |w| !w.has("16 bits per channel"));
}
