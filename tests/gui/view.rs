//! The divider, zoom, themes, lists; a small window, a large photo, an idle window.

use std::time::Instant;

use eframe::egui::{self, Key, Modifiers, Role};
use egui_kittest::kittest::{Queryable, by};

use crate::window::Window;

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
fn dark_and_light_and_the_desktops_own() {
    let mut w = Window::open();
    let is_dark = |w: &Window| w.harness.ctx.theme() == egui::Theme::Dark;
    let drawn_dark = |w: &Window| w.harness.ctx.global_style().visuals.dark_mode;
    assert!(is_dark(&w), "the desktop says nothing here");
    // Every press is seen, the first one too, though the desktop's own was chosen before.
    w.key(Modifiers::NONE, Key::T);
    assert!(!is_dark(&w) && !drawn_dark(&w));
    w.key(Modifiers::NONE, Key::T);
    assert!(is_dark(&w) && drawn_dark(&w));
    w.keys_at_once(&[Key::T, Key::T, Key::T]);
    assert!(!is_dark(&w) && !drawn_dark(&w));
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
fn the_list_of_keys_fits_a_small_window_and_scrolls() {
    let mut w = Window::sized(1024.0, 700.0);
    w.key(Modifiers::NONE, Key::Questionmark);
    w.until_label("Close");
    let window = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1024.0, 700.0));
    for name in ["Shortcuts", "Open a photo", "Actual size", "Close"] {
        let mut nodes = w.harness.query_all_by_label(name);
        assert!(
            nodes.all(|node| window.contains_rect(node.rect())),
            "{name}"
        );
    }
    let top = |w: &Window| w.harness.get_by_label("Open a photo").rect().top();
    let before = top(&w);
    w.harness.hover_at(window.center());
    w.step();
    w.harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Line,
        delta: egui::vec2(0.0, -5.0),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: egui::MouseWheelSource::Wheel,
    });
    w.until("the list to move", |w| top(w) < before - 20.0);
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
fn the_chosen_style_is_in_view_however_it_was_chosen() {
    // Three cards have no room: the last one begins below the list.
    let chosen_at = |w: &Window, title: &str| {
        let card = by().label(title).role(Role::RadioButton);
        w.harness.get(card).rect()
    };
    let in_view = |w: &Window, title: &str| {
        let rect = chosen_at(w, title);
        // Between the title above and the button below.
        let add = w.harness.get_by_label("Add a style…").rect();
        rect.top() > 60.0 && rect.bottom() <= add.top()
    };
    let mut w = Window::sized(1000.0, 420.0);
    w.until_label("Wave");
    assert!(!in_view(&w, "Wave"), "the test needs a lower window");
    w.key(Modifiers::NONE, Key::Num3);
    w.until("the third style", |w| in_view(w, "Wave"));
    w.key(Modifiers::NONE, Key::ArrowDown);
    w.until("the first style", |w| {
        w.is_chosen("Candy") && in_view(w, "Candy")
    });
    w.key(Modifiers::NONE, Key::ArrowUp);
    w.until("the third style", |w| in_view(w, "Wave"));
    // It stays in view when the list becomes lower.
    w.harness.set_size(egui::vec2(1000.0, 380.0));
    w.step();
    w.until("the third style", |w| in_view(w, "Wave"));
    // And when the program starts.
    let mut w = Window::sized_after(1000.0, 420.0, |folder| {
        let text = "[choices]\nstyle = \"wave\"\n";
        std::fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until("the remembered style", |w| {
        w.has("Wave") && w.is_chosen("Wave") && in_view(w, "Wave")
    });
}
