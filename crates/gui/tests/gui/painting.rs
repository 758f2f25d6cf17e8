//! Styles, brush, strength, model: painting, stopping, undoing, answering while busy.

use std::{
    fs,
    time::{Duration, Instant},
};

use eframe::egui::{self, Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT, Queryable, by};
use settings::Settings;
use values::compose::{Look, compose};

use crate::{
    support::{Behaviour, inverted, photo, real_time::within},
    window::Window,
};

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
    assert_eq!(w.script.runs().len(), 3, "known paintings are not painted again");
}

#[test]
fn the_previous_painting_stays_until_the_next_is_there_and_can_be_kept() {
    let mut w = Window::painted(40, 30);
    w.script.hold();
    w.click("Udnie");
    w.until_label("Painting in Udnie…");
    assert!(w.has("Picture, original and painted, 40 × 30 px"));
    w.click("Cancel");
    w.until("the choice before", |w| w.is_chosen("Candy"));
    assert!(!w.has("Painting in Udnie…"));
    assert!(w.has("Picture, original and painted, 40 × 30 px"));
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
    assert!(w.has("Picture, original, 40 × 30 px"));
    w.script.release();
    w.click("Candy");
    w.until_painted();
}

#[test]
fn frames_continue_and_controls_respond_while_the_device_works() {
    let mut w = Window::painted(600, 400);
    w.script.hold();
    w.click("Udnie");
    w.until_label("Painting in Udnie…");
    let mut slowest = Duration::ZERO;
    for round in 0..60 {
        if round == 20 {
            w.slider("Strength").set_value_accesskit(40.0);
        }
        if round == 40 {
            w.key(Modifiers::NONE, Key::F1);
        }
        let started = Instant::now();
        w.harness.step();
        slowest = slowest.max(started.elapsed());
    }
    within("a frame", slowest, Duration::from_millis(250));
    assert!(w.has("Zoom in or out"), "the list of shortcuts is open");
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
    w.key(Modifiers::NONE, Key::OpenBracket);
    w.until("the draft's run", |w| w.script.runs().last() == Some(&(266, 133)));
    w.script.release();
    w.until_contains("Painted at 800 × 400 px in ");
    let runs = w.script.runs();
    assert_eq!(runs[runs.len() - 2..], [(266, 133), (800, 400)]);
    w.key(Modifiers::NONE, Key::CloseBracket);
    w.until_contains("Painted at 1000 × 500 px");
    // The slider does the same.
    w.slider("Detail").set_value_accesskit(4.0);
    w.until_contains("Painted at 640 × 320 px in ");
}

#[test]
fn a_key_that_finds_no_finer_brush_leaves_the_next_photo_alone() {
    let mut w = Window::with_photo(300, 200);
    w.key(Modifiers::NONE, Key::CloseBracket);
    w.step();
    w.drop_photo("larger.png", 1600, 800);
    w.until_contains("Painted at 1280 × 640 px");
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
    let look = Look::new(50, true);
    let source = photo(40, 30);
    let expected = compose(&source, inverted(&source), look).expect("same size");
    assert_eq!(saved, expected);
    assert_eq!(w.script.runs().len(), runs);
    for _ in 0..8 {
        w.key(Modifiers::NONE, Key::PageDown);
    }
    // Two key presses in one frame both count.
    w.keys_at_once(Modifiers::NONE, &[Key::PageDown, Key::PageDown]);
    w.key(Modifiers::NONE, Key::K);
    w.step();
    assert_eq!(w.value("Strength"), 0.0);
    assert_eq!(w.save_as("none.png"), source, "strength 0 is the photo");
}

#[test]
fn model_and_size_are_chosen() {
    let mut w = Window::painted(2000, 1000);
    assert_eq!(w.script.runs().last(), Some(&(1280, 640)));
    w.click("Advanced");
    w.choose("Model", "Lite");
    w.until("the other model to load", |w| w.style_source.loads().len() == 2);
    w.until_painted();
    w.key(Modifiers::NONE, Key::M);
    w.until_painted();
    w.choose("Size", "As painted, 1280 × 640");
    w.until_label("Picture, original and painted, 1280 × 640 px");
    assert_eq!(w.save_as("small.png").width(), 1280);
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
    w.until("the style before", |w| w.is_chosen("Candy") && w.is_painted());
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
fn a_checkpoint_becomes_a_style() {
    let mut w = Window::with_photo(40, 30);
    let file = w.path("Dots.safetensors");
    fs::write(&file, "weights").expect("written");
    w.drop_file(&file);
    w.until_label("Dots");
    w.until("it to be painted", |w| w.is_chosen("Dots") && w.is_painted());
    // The message disappears when the style is renamed.
    w.until_label("“Dots” was added to the styles.");
    w.key(Modifiers::NONE, Key::F2);
    w.until_label("Rename Dots");
    let typed = egui::Event::Text("Spots".to_owned());
    w.harness.input_mut().events.push(typed);
    w.step();
    w.key(Modifiers::NONE, Key::Enter);
    w.until("the name", |w| w.is_chosen("Spots"));
    w.step();
    assert!(!w.has_containing("was added to the styles"));
    let assumed = w.path("Lines.pth");
    fs::write(&assumed, "assumed").expect("written");
    w.drop_file(&assumed);
    w.show_queue();
    w.until_contains("It was assumed that it is one of two.");
    w.show_queue();
    let bad = w.path("broken.pth");
    fs::write(&bad, "bad").expect("written");
    w.platform.answer(Some(bad));
    w.click("Add a style…");
    w.until_contains("This file was not added as a style");
}

#[test]
fn errors_of_the_device_and_of_styles_are_shown_and_the_picture_stays() {
    let mut w = Window::painted(40, 30);
    w.script.behave(Behaviour::Fail);
    w.click("Udnie");
    w.until_contains("choose a smaller working size");
    assert!(w.is_chosen("Candy"));
    w.script.behave(Behaviour::Panic);
    w.click("Udnie");
    w.until_contains("please report it");
    w.script.behave(Behaviour::Invert);
    w.style_source.refuse("The weights of Wave are damaged.");
    w.click("Wave");
    w.until_contains("The weights of Wave are damaged");
    assert!(w.is_chosen("Candy"));
    assert!(w.has("Picture, original and painted, 40 × 30 px"));
}

#[test]
fn a_run_that_was_overtaken_is_not_taken_for_the_one_that_waits_for_its_network() {
    for behaviour in [Behaviour::Invert, Behaviour::Fail] {
        let mut w = Window::with_photo(40, 30);
        w.script.hold();
        w.script.ignore_cancelling();
        w.script.behave(behaviour);
        w.click("Candy");
        w.until("the run", |w| w.script.runs().len() == 1);
        let style_source = w.style_source.clone();
        let held = style_source.hold_loads();
        w.click("Udnie");
        w.until_label("Loading Udnie…");
        // Candy finishes although it was cancelled, because the engine has no other command.
        w.script.release();
        let idle = Instant::now();
        while idle.elapsed().as_millis() < 200 {
            w.step();
        }
        assert!(w.has("Loading Udnie…"), "{behaviour:?}");
        assert!(w.is_chosen("Udnie"), "{behaviour:?}");
        w.script.behave(Behaviour::Invert);
        drop(held);
        w.until_painted();
        assert!(w.is_chosen("Udnie"));
        assert_eq!(w.script.runs().len(), 2, "Udnie is painted on its own");
    }
}

#[test]
fn a_lost_gpu_is_shown_over_the_stage_and_in_the_lower_line() {
    let mut w = Window::with_photo(40, 30);
    w.script.lose_the_gpu();
    w.click("Candy");
    w.until_painted();
    let said = "CPU: the GPU was lost (scripted loss); restart StyleForge to use the GPU again";
    w.until_label(&format!("{said}."));
    assert!(w.has(&format!("Scripted processor ({said})")));
}

/// A window whose GPU is lost while it paints its photo.
fn without_its_gpu() -> Window {
    let mut w = Window::with_photo(40, 30);
    w.script.lose_the_gpu();
    w.click("Candy");
    w.until_painted();
    w.until_label("Restart StyleForge");
    w.lower_strength();
    w
}

#[test]
fn a_restart_after_a_loss_asks_about_the_painting_and_opens_the_photo_again() {
    let mut w = without_its_gpu();
    w.click("Restart StyleForge");
    w.until_label("Save the painting first?");
    w.click("Close without saving");
    w.until("the window to close", |w| w.closes());
    let platform = w.platform.clone();
    assert_eq!(platform.restarts(), [], "settings come first");
    let photo = w.path("photo.png");
    w.end();
    assert_eq!(platform.restarts(), [Some(photo)]);
}

#[test]
fn a_cancelled_restart_does_not_happen_at_a_later_closing() {
    let mut w = without_its_gpu();
    w.click("Restart StyleForge");
    w.until_label("Save the painting first?");
    w.click("Cancel");
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    w.click("Close without saving");
    w.until("the window to close", |w| w.closes());
    let platform = w.platform.clone();
    w.end();
    assert_eq!(platform.restarts(), []);
}

#[test]
fn a_restart_while_pictures_are_live_stays_live() {
    let mut w = Window::live();
    w.until_label("Candy");
    // The cards of the first start, which move messages up, come with the first picture.
    w.until_live();
    // The loss happens once, and a preview, 192 px wide, leaves it to the large picture to report it.
    w.script.only_from(193);
    w.script.lose_the_gpu();
    w.click("Candy");
    w.until_label("Restart StyleForge");
    w.click("Restart StyleForge");
    w.until("the window to close", |w| w.closes());
    let platform = w.platform.clone();
    let folder = w.end();
    assert_eq!(platform.restarts(), [None]);
    let (settings, _) = Settings::load(&folder.path().join("settings.toml"));
    assert!(!settings.state.shows_photos);
}

#[test]
fn the_number_of_a_slider_accepts_no_letters() {
    let mut w = Window::painted(40, 30);
    let field = w.harness.get(by().label("Strength").role(Role::SpinButton));
    field.click();
    w.step();
    for typed in ["a", "4", "x", "2"] {
        w.harness.event(egui::Event::Text(typed.to_owned()));
        w.step();
    }
    w.key(Modifiers::NONE, Key::Enter);
    assert_eq!(w.value("Strength"), 42.0);
}

#[test]
fn a_brush_size_holds_for_photos_of_one_size_and_returns_by_a_click() {
    let mut w = Window::with_photo(600, 400);
    let (kept, reset) = ("Using your last Detail", "Detail is the default again");
    w.click("Candy");
    w.until_painted();
    assert!(!w.has_containing(kept));
    let usual = w.value("Detail");
    for _ in 0..3 {
        w.key(Modifiers::NONE, Key::OpenBracket);
    }
    w.until_painted();
    let kept_at = w.value("Detail");
    assert!(kept_at != usual);
    w.save_as("first.png");
    w.drop_photo("turned.png", 400, 600);
    w.until_contains(kept);
    w.until_painted();
    assert_eq!(w.value("Detail"), kept_at);
    assert!(w.paints("Reset"), "{:?}", w.painted_texts());
    w.save_as("second.png");
    // It was chosen for another size.
    w.drop_photo("next.png", 640, 480);
    w.until_contains(reset);
    w.until("the usual strokes", |w| w.has("Painted at 640 × 480 px"));
    w.until_painted();
    w.click("Use last");
    w.until("the strokes before", |w| !w.has("Painted at 640 × 480 px"));
    w.until_painted();
    assert!(!w.has("Use last"));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the usual strokes", |w| w.has("Painted at 640 × 480 px"));
    w.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    w.until("the strokes before", |w| !w.has("Painted at 640 × 480 px"));
    w.double_click_slider("Detail");
    w.until("the usual strokes", |w| w.has("Painted at 640 × 480 px"));
    w.until_painted();
    w.save_as("third.png");
    let last = w.photo_file("last.png", 700, 500);
    w.drop_file(&last);
    w.until_label("last.png, 700 × 500 px");
    w.until_painted();
    assert!(w.has("Painted at 700 × 500 px"));
}

#[test]
fn arrow_keys_go_through_an_open_list_and_leave_the_style_alone() {
    const WEBP: &str = "WebP, lossless";
    let mut w = Window::painted(40, 30);
    let focused = |w: &Window| {
        let nodes = w.harness.root().children_recursive();
        nodes
            .filter(|node| node.accesskit_node().is_focused())
            .find_map(|node| node.accesskit_node().label())
    };
    w.open_list("Format");
    w.until_label(WEBP);
    // From the current format to PNG; past the ends nothing changes.
    for (key, to) in [
        (Key::ArrowDown, "JPEG"),
        (Key::ArrowDown, WEBP),
        (Key::ArrowUp, "JPEG"),
        (Key::ArrowUp, "PNG"),
        (Key::ArrowUp, "PNG"),
        (Key::ArrowDown, "JPEG"),
        (Key::ArrowDown, WEBP),
    ] {
        w.key(Modifiers::NONE, key);
        assert_eq!(focused(&w).as_deref(), Some(to), "after {key:?}");
    }
    assert!(w.is_chosen("Candy"));
    w.key(Modifiers::NONE, Key::Enter);
    w.until("the list to close", |w| !w.has("BMP"));
    let list = |w: &Window| {
        let list = w.harness.get(by().label("Format").role(Role::ComboBox));
        (list.accesskit_node().value(), list.accesskit_node().is_focused())
    };
    w.step();
    assert_eq!(list(&w), (Some(WEBP.to_owned()), true));
    assert!(!w.has("JPEG quality"));
}

#[test]
fn arrow_keys_are_the_windows_again_once_a_list_is_closed() {
    let mut w = Window::painted(40, 30);
    w.open_list("Format");
    w.until_label("BMP");
    w.key(Modifiers::NONE, Key::Escape);
    w.until("the list to close", |w| !w.has("BMP"));
    w.click("Settings");
    w.until_label("Match system");
    w.key(Modifiers::NONE, Key::ArrowUp);
    assert!(w.is_chosen("Candy"));
    w.key(Modifiers::NONE, Key::Escape);
    w.until("the menu to close", |w| !w.has("Match system"));
    w.key(Modifiers::NONE, Key::ArrowDown);
    w.until("the next style", |w| w.is_chosen("Udnie"));
}

#[test]
fn the_detail_is_what_the_photo_is_painted_at() {
    let w = Window::with_photo(425, 300);
    assert!(w.has("Painted at 425 × 300 px") && w.paints("425 px"));
    assert!(!w.paints("512 px"), "{:?}", w.painted_texts());
}

#[test]
fn photos_are_painted_by_the_engine_that_is_chosen() {
    let mut w = Window::painted(40, 30);
    // The picture shows which device painted it.
    w.script.let_the_baseline_be_off(9);
    let painted = |w: &Window| w.script.runs().len();
    w.click("Advanced");
    w.choose("Engine: variant", "Baseline");
    w.until("another painting", |w| painted(w) == 2 && w.is_painted());
    let darker = inverted(&photo(40, 30)).pixel(3, 3)[0].saturating_sub(9);
    assert_eq!(w.save_as("baseline.png").pixel(3, 3)[0], darker);
    assert!(!w.has("Engine: attention"), "a processor");
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the painting before", Window::is_painted);
    w.step();
    assert_eq!(w.save_as("fused.png"), inverted(&photo(40, 30)));
    assert_eq!(painted(&w), 2, "it is kept");
    w.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    w.until("the painting after", Window::is_painted);
    // The same applies to a folder, and to the next photo after a restart.
    let folder = w.folder_of_photos(&["a.png"]);
    w.drop_file(&folder);
    w.until_label("Paint 1 photo");
    w.start_folder();
    w.until_contains("1 photo painted into ");
    let of_folder = folder.join("painted").join("a-candy.png");
    let of_folder = pictures::decode::from_path(&of_folder).expect("painted");
    let darker = inverted(&photo(16, 12)).pixel(3, 3)[0].saturating_sub(9);
    assert_eq!(of_folder.frame.pixel(3, 3)[0], darker);
    let is_kept = |w: &Window| {
        let choices = settings::Settings::load(&w.settings_path()).0;
        choices.choices.mode.to_string() == "baseline auto"
            && choices.live.mode.to_string() == "fused auto"
    };
    w.until("the settings", is_kept);
}
