//! The divider, zoom, themes, lists; a small window, a large photo, an idle window.

use std::time::{Duration, Instant};

use eframe::egui::{self, Key, Modifiers, Role, ViewportId};
use egui_kittest::kittest::{NodeT, Queryable, by};
use gui::style_source::{Library, StyleSource};
use settings::Settings;

use crate::{support::real_time::within, window::Window};

#[test]
fn the_divider_moves_by_key_by_hand_and_for_screen_readers() {
    let mut w = Window::painted(400, 300);
    let name = "Divider between original and painted";
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
    w.drag(picture.center() - egui::vec2(120.0, 90.0), picture.center() - egui::vec2(80.0, 60.0));
    w.step();
    assert_eq!(w.value(name), before);
    w.key(Modifiers::NONE, Key::Space);
    w.until_label("Picture, painted, 400 × 300 px");
    w.click("Show original");
    w.until_label("Picture, original, 400 × 300 px");
    w.click("Show split");
    w.until_label("Picture, original and painted, 400 × 300 px");
}

/// The place of the photo and the painting as a whole: both have the same place, and the divider is where one ends and
/// the other begins.
fn divided_picture(w: &Window) -> egui::Rect {
    let ((photo, left), (painting, right)) = (w.picture("photo"), w.picture("painting"));
    let off = |a: egui::Rect, b: egui::Rect| (a.min - b.min).length() + (a.max - b.max).length();
    assert!(off(photo, painting) < 0.1, "{photo:?} and {painting:?}");
    assert!((left.right() - right.left()).abs() < 0.1, "{left:?}, {right:?}");
    photo
}

#[test]
fn the_picture_is_moved_by_hand_and_by_key_on_both_sides_of_the_divider() {
    let mut w = Window::painted(400, 300);
    let divider = "Divider between original and painted";
    let whole = divided_picture(&w);
    let middle =
        w.harness.get_by_label_contains("Picture, ").rect().center() - egui::vec2(120.0, 90.0);
    w.drag(middle, middle + egui::vec2(40.0, 30.0));
    assert_eq!(divided_picture(&w), whole);
    // Zoomed until it is larger than its place on every side: a picture that fits cannot be moved.
    for _ in 0..4 {
        w.key(Modifiers::NONE, Key::Plus);
    }
    w.step();
    let zoom = w.zoom();
    let mut before = divided_picture(&w);
    let stage = w.harness.get_by_label_contains("Picture, ").rect();
    let from = stage.center() - egui::vec2(120.0, 90.0);
    let by = egui::vec2(40.0, 30.0);
    w.drag(from, from + by);
    let mut moved = |w: &Window, by: egui::Vec2| {
        let after = divided_picture(w);
        let off = after.translate(-by).min - before.min;
        assert!(off.length() < 1.0, "{before:?} to {after:?} is not {by:?}");
        assert!((after.size() - before.size()).length() < 0.1, "no zoom");
        before = after;
    };
    moved(&w, by);
    // The keys move the view over the picture, so the picture moves in the opposite direction.
    for (key, by) in [
        (Key::ArrowRight, egui::vec2(-80.0, 0.0)),
        (Key::ArrowDown, egui::vec2(0.0, -80.0)),
        (Key::ArrowLeft, egui::vec2(80.0, 0.0)),
        (Key::ArrowUp, egui::vec2(0.0, 80.0)),
    ] {
        w.key(Modifiers::SHIFT, key);
        w.step();
        moved(&w, by);
        assert_eq!((w.value(divider), w.zoom()), (50.0, zoom), "{key:?}");
    }
    // Side by side, both halves show the same point of the picture at the same place.
    w.click("Show side by side");
    w.step();
    let apart = |w: &Window| w.picture("painting").0.min - w.picture("photo").0.min;
    let (between, photo) = (apart(&w), w.picture("photo").0);
    w.key(Modifiers::SHIFT, Key::ArrowRight);
    w.step();
    assert!((apart(&w) - between).length() < 0.1);
    let step = w.picture("photo").0.min - photo.min;
    assert!((step - egui::vec2(-80.0, 0.0)).length() < 1.0, "{step:?}");
    // The whole picture again.
    w.key(Modifiers::COMMAND, Key::Num0);
    w.click("Show split");
    w.step();
    let whole = divided_picture(&w);
    assert!(stage.contains_rect(whole), "{whole:?} in {stage:?}");
    assert!((whole.center() - stage.center()).length() < 1.0);
}

#[test]
fn every_style_is_shown_by_its_own_thumbnail() {
    let (cards, problems) = Library::standard().cards();
    assert!(problems.is_empty(), "{problems:?}");
    assert!(cards.len() >= 6, "{} styles", cards.len());
    let mut w = Window::showing(cards.clone());
    for card in &cards {
        w.until_label(&card.title);
        let place = {
            let nodes = w.harness.query_all_by_label(&card.title);
            let rects: Vec<egui::Rect> = nodes.map(|node| node.rect()).collect();
            rects[0]
        };
        let thumbnail = card.thumbnail.as_ref().expect("a thumbnail");
        assert!(thumbnail.width() >= 64 && thumbnail.height() >= 64);
        let shown = w.textured().into_iter().filter(|(name, rect, part)| {
            *name == card.id && place.contains_rect(*rect) && part.area() > 0.2
        });
        assert_eq!(shown.count(), 1, "{}: {:?}", card.id, w.textured());
    }
    // All cards differ.
    for (a, b) in cards.iter().zip(&cards[1..]) {
        assert!(a.thumbnail != b.thumbnail, "{} and {}", a.id, b.id);
    }
}

#[test]
fn a_small_photo_fills_the_stage() {
    let w = Window::with_photo(160, 120);
    let stage = w.harness.get_by_label_contains("Picture, ").rect();
    let (photo, _) = w.picture("photo");
    let share = (photo.width() / stage.width()).max(photo.height() / stage.height());
    assert!(w.zoom() > 300.0 && share > 0.9, "{photo:?} in {stage:?}");
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
    w.key(Modifiers::NONE, Key::Minus);
    w.step();
    assert_eq!(w.zoom(), 80.0);
    w.key(Modifiers::COMMAND, Key::Num0);
    w.step();
    assert_eq!(w.zoom(), fitted);
    w.key(Modifiers::COMMAND, Key::Num1);
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
    // Every press has a visible effect, including the first one, even if the desktop's theme was in use.
    w.key(Modifiers::NONE, Key::T);
    assert!(!is_dark(&w) && !drawn_dark(&w));
    w.key(Modifiers::NONE, Key::T);
    assert!(is_dark(&w) && drawn_dark(&w));
    w.keys_at_once(Modifiers::NONE, &[Key::T, Key::T, Key::T]);
    assert!(!is_dark(&w) && !drawn_dark(&w));
    w.click("Settings");
    w.until("the menu", |w| w.has("Match system"));
    w.click("Dark");
    w.step();
    assert!(is_dark(&w));
}

#[test]
fn lists_of_keys_and_credits_open_and_close() {
    let mut w = Window::open();
    w.key(Modifiers::NONE, Key::Questionmark);
    w.until_label("Undo the last choice");
    // Keys do nothing under the open list.
    w.key(Modifiers::COMMAND, Key::E);
    w.step();
    assert!(!w.has_containing("Sample photo, "));
    w.key(Modifiers::NONE, Key::Escape);
    w.step();
    assert!(!w.has("Undo the last choice"));
    w.click("About");
    w.until_label("Licences");
    assert!(!w.has("A painter, public domain"), "in a tab of its own");
    w.click("Credits");
    w.until_label("A painter, public domain");
    w.click("Close");
    w.step();
    assert!(!w.has("Licences"));
}

#[test]
fn the_licences_of_the_parts_are_read_from_about() {
    let mut w = Window::sized(1024.0, 700.0);
    w.click("About");
    w.click("Licences");
    w.step();
    assert!(w.has_containing("Copyright (c) 2026 The StyleForge developers"));
    // Of thousands of lines, only the visible ones are laid out.
    let lines = w.texts().len();
    assert!(lines < 200, "{lines} texts are laid out");
    let window = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1024.0, 700.0));
    assert!(window.contains_rect(w.harness.get_by_label("Close").rect()));
    w.harness.hover_at(window.center());
    w.step();
    // Less than a page at a time, so that no line is skipped.
    for _ in 0..200 {
        if w.has_containing("accesskit 0.") {
            break;
        }
        w.harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Line,
            delta: egui::vec2(0.0, -3.0),
            phase: egui::TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: egui::MouseWheelSource::Wheel,
        });
        w.step();
    }
    assert!(w.has_containing("accesskit 0."), "{:?}", w.texts());
    w.key(Modifiers::NONE, Key::Escape);
    w.step();
    assert!(!w.has("Licences"));
}

#[test]
fn the_list_of_keys_fits_a_small_window_and_scrolls() {
    let mut w = Window::sized(1024.0, 700.0);
    w.key(Modifiers::NONE, Key::Questionmark);
    w.until_label("Close");
    let window = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1024.0, 700.0));
    for name in ["Shortcuts", "Open a photo or video", "Actual size", "Close"] {
        let mut nodes = w.harness.query_all_by_label(name);
        assert!(nodes.all(|node| window.contains_rect(node.rect())), "{name}");
    }
    let top = |w: &Window| w.harness.get_by_label("Open a photo or video").rect().top();
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
    w.open_photo(40, 30);
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
        "Adjust",
        "Save as…",
        "Copy",
        "Fit",
        "Zoom in",
        "Show split",
    ] {
        let rect = w.harness.get_by_label(name).rect();
        assert!(window.contains_rect(rect), "{name} is outside at {rect:?}");
    }
}

#[test]
fn the_way_to_strength_and_detail_is_a_word() {
    for (mut w, before) in [
        (Window::sized(1024.0, 700.0), "Redo"),
        (Window::live_sized(1024.0, 700.0), "Redo"),
        (Window::live_sized(960.0, 540.0), "Redo"),
    ] {
        w.until_label("Candy");
        w.until_label("Adjust");
        let texts = w.painted_texts();
        assert!(texts.iter().any(|text| text.ends_with(" Adjust")), "{texts:?}");
        let place = |w: &Window, name: &str| w.harness.get_by_label(name).rect();
        w.until("room", |w| place(w, "Adjust").left() > place(w, before).right());
    }
}

#[test]
fn a_narrow_window_folds_the_controls_away() {
    let mut w = Window::sized(1000.0, 640.0);
    w.open_photo(40, 30);
    assert!(!w.has("Strength"));
    w.click("Adjust");
    w.until_label("Strength");
    w.click("Adjust");
    w.until("them to go", |w| !w.has("Strength"));
}

#[test]
fn that_the_window_was_maximized_is_remembered() {
    let mut w = Window::open();
    let viewports = &mut w.harness.input_mut().viewports;
    viewports.entry(ViewportId::ROOT).or_default().maximized = Some(true);
    let path = w.settings_path();
    w.until("the settings file", |_| Settings::load(&path).0.state.is_maximized);
}

#[test]
fn tab_goes_through_the_window_as_it_is_read() {
    let mut w = Window::painted(40, 30);
    let focused = |w: &Window| {
        w.harness
            .root()
            .children_recursive()
            .find(|n| n.is_focused())
            .and_then(|n| n.accesskit_node().label())
    };
    let mut reached = Vec::new();
    for _ in 0..80 {
        w.key(Modifiers::NONE, Key::Tab);
        reached.extend(focused(&w));
    }
    let order = [
        "Photo",
        "Video",
        "Live",
        "Settings",
        "Candy",
        "Strength",
        "Divider between original and painted",
        "Show split",
        "Zoom out",
        "Fit",
        "Save as…",
        "Hide the strip",
        "Full screen",
    ];
    let place = |name: &str| reached.iter().position(|one| one == name);
    let places: Vec<_> = order.into_iter().map(place).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} in {reached:?}");
}

#[test]
fn a_large_photo_is_looked_at_closely_without_stalling() {
    let mut w = Window::painted(2800, 2000);
    w.click("Actual size");
    let mut slowest = Duration::ZERO;
    for _ in 0..40 {
        let started = Instant::now();
        w.harness.step();
        slowest = slowest.max(started.elapsed());
        w.slider("Strength").increment_accesskit();
    }
    within("a frame", slowest, Duration::from_millis(250));
}

#[test]
fn the_chosen_style_is_in_view_however_it_was_chosen() {
    // Three cards do not fit: the last one begins below the list.
    let chosen_at = |w: &Window, title: &str| {
        let card = by().label(title).role(Role::RadioButton);
        w.harness.get(card).rect()
    };
    let in_view = |w: &Window, title: &str| {
        let rect = chosen_at(w, title);
        let add = w.harness.get_by_label("Add a style…").rect();
        let fade = w.harness.ctx.global_style().spacing.scroll.fade.size;
        // Between the title above and the button below, outside the list's fade.
        rect.top() > 60.0 && rect.bottom() + fade / 2.0 <= add.top()
    };
    let mut w = Window::sized(1000.0, 420.0);
    w.until_label("Wave");
    assert!(!in_view(&w, "Wave"), "the test needs a lower window");
    w.key(Modifiers::NONE, Key::Num3);
    w.until("the third style", |w| in_view(w, "Wave"));
    w.key(Modifiers::NONE, Key::ArrowDown);
    w.until("the first style", |w| w.is_chosen("Candy") && in_view(w, "Candy"));
    w.key(Modifiers::NONE, Key::ArrowUp);
    w.until("the third style", |w| in_view(w, "Wave"));
    // It stays visible when the list becomes lower.
    w.harness.set_size(egui::vec2(1000.0, 380.0));
    w.step();
    w.until("the third style", |w| in_view(w, "Wave"));
    // Also when the program starts.
    let mut w = Window::sized_after(1000.0, 420.0, |folder| {
        let text = "[choices]\nstyle = \"wave\"\n";
        std::fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until("the remembered style", |w| w.has("Wave") && w.is_chosen("Wave") && in_view(w, "Wave"));
}

#[test]
fn alt_shows_the_colours_of_a_pixel_of_a_photo() {
    let mut w = Window::painted(64, 48);
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    // Inside the pixel that begins at the centre.
    let inside = picture.center() + egui::vec2(0.5, 0.5);
    w.harness.hover_at(inside);
    w.step();
    assert!(!w.has_containing("x 32, y 24"));
    w.harness.event(egui::Event::ModifiersChanged(Modifiers::ALT));
    w.until_contains("x 32, y 24");
    assert!(w.has_containing("Original ") && w.has_containing("Painted "));
}

#[test]
fn the_original_of_a_photo_is_seen_while_its_key_is_held() {
    let mut w = Window::painted(300, 200);
    w.click("Show split");
    let both = "Picture, original and painted, ";
    assert!(w.has_containing(both));
    w.harness.key_down(Key::C);
    w.until_contains("Picture, original, ");
    assert!(!w.has_containing("Divider"), "nothing to divide");
    w.harness.key_up(Key::C);
    w.until_contains(both);
    // With Ctrl the key copies; in a field it types a letter.
    w.harness.key_down_modifiers(Modifiers::COMMAND, Key::C);
    w.step();
    w.step();
    assert!(w.has_containing(both));
    w.harness.key_up(Key::C);
    w.step();
    let field = w.harness.get(by().label("Strength").role(Role::SpinButton));
    field.click();
    w.step();
    assert!(w.harness.ctx.text_edit_focused(), "a field for the number");
    w.harness.key_down(Key::C);
    w.step();
    w.step();
    assert!(w.has_containing(both));
    w.harness.key_up(Key::C);
}

#[test]
fn shortcuts_are_searched() {
    let mut w = Window::open();
    w.click("Shortcuts");
    w.until_label("Search shortcuts");
    w.harness.check_accessibility();
    assert!(w.has("Undo the last choice") && w.has("Dark or light"));
    assert!(w.has("Ctrl+Z"), "keys have a name");
    // The chips are below one text.
    assert!(w.paints("Ctrl+Z"));
    w.step();
    let whole = ["Search shortcuts", "Close"].map(|name| w.harness.get_by_label(name).rect().top());
    w.harness.event(egui::Event::Text("UNDO".to_owned()));
    w.harness.step();
    assert!(w.paints("UNDO") && !w.paints("Search"), "at once");
    w.until("only that", |w| !w.has("Dark or light"));
    assert!(w.has("Undo the last choice"));
    // Few results make the dialog low, and the field stays in place.
    let line = w.harness.get_by_label("Undo the last choice").rect();
    let places = |w: &Window| {
        ["Search shortcuts", "Close"].map(|name| w.harness.get_by_label(name).rect().top())
    };
    w.until("a low dialog", |w| places(w)[1] - line.bottom() < 80.0);
    assert_eq!(places(&w)[0], whole[0]);
    assert!(places(&w)[1] < whole[1] - 200.0, "{whole:?}");
    w.harness.event(egui::Event::Text(" nothing".to_owned()));
    w.until_label("No matching shortcut.");
    // The key that opened the list closes it, even while the field has the focus.
    w.key(Modifiers::NONE, Key::F1);
    w.until("the list to go", |w| !w.has("Search shortcuts"));
    w.key(Modifiers::NONE, Key::F1);
    w.until_label("Dark or light");
}

/// Frames around controls that are as wide as the focus frame.
fn focus_frames(w: &Window) -> Vec<egui::Rect> {
    fn gather(shape: &egui::Shape, color: egui::Color32, frames: &mut Vec<egui::Rect>) {
        match shape {
            egui::Shape::Rect(rect) if rect.stroke.color == color && rect.stroke.width > 1.0 => {
                frames.push(rect.rect);
            }
            egui::Shape::Vec(shapes) => shapes.iter().for_each(|s| gather(s, color, frames)),
            _ => {}
        }
    }
    let mut frames = Vec::new();
    // The focus colour of the dark theme.
    let ring = egui::Color32::from_rgb(222, 224, 228);
    for clipped in &w.harness.output().shapes {
        gather(&clipped.shape, ring, &mut frames);
    }
    frames
}

#[test]
fn one_frame_shows_the_focus_of_the_keyboard_and_none_that_of_the_mouse() {
    let mut w = Window::painted(40, 30);
    assert!(w.is_chosen("Candy"));
    assert_eq!(focus_frames(&w), [], "a chosen style has no frame of that kind");
    let card = w.harness.get(by().label("Udnie").role(Role::RadioButton));
    let at = card.rect().center();
    w.harness.hover_at(at);
    w.click("Udnie");
    w.until_painted();
    assert_eq!(focus_frames(&w), []);
    for _ in 0..4 {
        w.key(Modifiers::NONE, Key::Tab);
        let frames = focus_frames(&w);
        assert_eq!(frames.len(), 1, "{frames:?}");
        let root = w.harness.root();
        let focused = root.children_recursive().find(|n| n.accesskit_node().is_focused());
        let rect = focused.expect("a control").rect();
        assert!(frames[0].contains_rect(rect), "{rect:?} in {frames:?}");
    }
    // Using the mouse removes it.
    w.click("Candy");
    w.until_painted();
    assert_eq!(focus_frames(&w), []);
    // The window's keys work while a button has the focus.
    w.key(Modifiers::NONE, Key::Tab);
    w.key(Modifiers::NONE, Key::Num3);
    assert!(w.is_chosen("Wave"));
}

/// Hovers over a button until its tooltip shows.
fn rest_on(w: &mut Window, button: &str, tooltip: &str) {
    let at = w.harness.get_by_label(button).rect().center();
    w.harness.hover_at(at);
    w.until(tooltip, |w| w.paints(tooltip));
}

/// The tooltip of the settings.
const SETTINGS: &str = "Appearance, questions, previews, folders.";

#[test]
fn no_tooltip_of_the_page_is_above_a_dialog() {
    let mut w = Window::unsaved(40, 30);
    rest_on(&mut w, "Settings", SETTINGS);
    w.key(Modifiers::NONE, Key::F1);
    w.until_label("Close");
    assert!(!w.paints(SETTINGS), "{:?}", w.painted_texts());
    w.harness.hover_at(egui::pos2(700.0, 100.0));
    w.key(Modifiers::NONE, Key::Escape);
    w.until("the list to go", |w| !w.has("Close"));
    // Hovering again shows it again, and a question also removes it.
    rest_on(&mut w, "Settings", SETTINGS);
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    w.step();
    assert!(!w.paints(SETTINGS), "{:?}", w.painted_texts());
}

#[test]
fn tooltips_wait_for_a_pointer_that_points() {
    let mut w = Window::painted(400, 300);
    let hint = "Open a photo or video.";
    rest_on(&mut w, "Open…", hint);
    w.key(Modifiers::NONE, Key::V);
    w.until("it to go", |w| !w.paints(hint));
    let at = w.harness.get_by_label("Open…").rect().center();
    w.harness.hover_at(at + egui::vec2(1.0, 0.0));
    w.until(hint, |w| w.paints(hint));
    w.drag(at + egui::vec2(300.0, 300.0), at);
    for _ in 0..100 {
        w.step();
    }
    assert!(!w.paints(hint), "it was dragged there");
    // Something arrives while the tooltip is shown.
    w.harness.hover_at(at + egui::vec2(300.0, 300.0));
    rest_on(&mut w, "Open…", hint);
    let broken = w.path("broken.png");
    std::fs::write(&broken, "no picture").expect("written");
    w.drop_file(&broken);
    w.until_contains("is not a picture");
    w.step();
    assert!(!w.paints(hint), "it would cover the message");
}

#[test]
fn a_style_shows_what_it_was_made_after() {
    let mut w = Window::open();
    w.until_label("Candy");
    rest_on(&mut w, "Candy", "After June Tree by a painter");
    // The whole picture, which the card crops.
    let is_whole = |place: egui::Rect| (place.width() / place.height() - 1.5).abs() < 0.02;
    assert!(w.textured().iter().any(|(name, place, _)| name == "candy" && is_whole(*place)));
}

#[test]
fn the_picture_has_a_menu() {
    let mut w = Window::painted(40, 30);
    w.harness.get_by_label_contains("Picture, ").click_secondary();
    w.until_label("Use photo as style");
    w.click("Use photo as style");
    w.until("the style", |w| w.is_chosen("photo"));
}

#[test]
fn no_style_shows_the_photo_before() {
    let mut w = Window::with_photo(40, 30);
    w.click("Settings");
    w.click("Preview my photo in the style list");
    w.key(Modifiers::NONE, Key::Escape);
    let painted = |w: &Window| {
        w.textured().into_iter().filter(|(name, ..)| name.starts_with("painted ")).count()
    };
    w.until("the thumbnails", |w| painted(w) == 3);
    w.script.hold();
    w.drop_photo("next.png", 50, 20);
    w.until_label("next.png, 50 × 20 px");
    w.step();
    assert_eq!(painted(&w), 0);
    w.script.release();
    w.until("the new ones", |w| painted(w) == 3);
}

#[test]
fn a_photo_of_one_pixel_is_seen_and_painted() {
    let w = Window::painted(1, 1);
    assert_eq!(w.zoom(), 8000.0);
    assert!(w.has_containing("Painted at 1 × 1 px"));
}
