//! The layout of live pictures: full screen, small and large windows, zoom and divider.

use std::sync::Arc;

use eframe::egui::{Color32, Key, Modifiers, Pos2, Rect, Role, Shape, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};

use crate::{scripted::card, window::Window};

#[test]
fn freezing_moves_no_button_and_camera_out_has_its_name() {
    for width in [1000.0, 1100.0, 1280.0] {
        let mut w = Window::live_sized(width, 800.0);
        w.until_live();
        let places = |w: &Window| {
            ["Snapshot", "Record", "Camera out"].map(|name| {
                let button = by().label(name).role(Role::Button);
                w.harness.get(button).rect()
            })
        };
        let before = places(&w);
        assert!(before[2].width() > 90.0, "with its name: {before:?}");
        w.press(Key::Space);
        w.until_label("Show live version");
        w.step();
        assert_eq!(places(&w).map(|rect| rect.left()), before.map(|rect| rect.left()));
    }
}

#[test]
fn full_screen_shows_only_the_picture() {
    let mut w = Window::painting_live();
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Use camera") && !w.has("Settings"));
    assert!(w.has_containing("Picture, painted"));
    assert!(w.has("Press Esc to exit full screen"));
    w.press(Key::Num2);
    w.press(Key::Escape);
    w.until_label("Settings");
    assert!(w.is_chosen("Udnie"));
}

#[test]
fn full_screen_hides_nothing_that_has_to_be_known() {
    let mut w = Window::painting_live();
    w.choose_absent_camera();
    w.until_contains("here is no camera front");
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    assert!(w.has_containing("here is no camera front"), "why there is none");
    // An opened list is visible. The first Esc closes it; the second leaves the full screen.
    w.key(Modifiers::NONE, Key::Questionmark);
    w.until_label("Undo the last choice");
    w.press(Key::Escape);
    assert!(!w.has("Undo the last choice") && !w.has("Settings"));
    w.press(Key::Escape);
    w.until_label("Settings");
}

#[test]
fn the_divider_and_zoom_work_on_live_pictures() {
    let mut w = Window::painting_live();
    w.click("Show split");
    let name = "Divider between original and painted";
    w.until_label(name);
    assert_eq!(w.value(name), 50.0);
    w.press(Key::ArrowLeft);
    w.until("the divider", |w| w.value(name) < 50.0);
    w.click("Actual size");
    w.until("the zoom", |w| (w.zoom() - 100.0).abs() < 0.5);
}

#[test]
fn live_pictures_fill_a_large_window_and_a_fine_one() {
    for (width, height, scale) in [(3840.0, 2160.0, 1.0), (1024.0, 700.0, 2.0)] {
        let mut w = Window::live_sized(width, height);
        w.set_scale(scale);
        w.until_live();
        w.press(Key::P);
        w.until_label("Show counters");
        let window = Rect::from_min_size(Pos2::ZERO, vec2(width, height));
        if width < 1100.0 {
            w.click("Adjust");
        }
        let buttons = ["Live", "Freeze", "Full screen", "Show counters", "Candy", "Fit"];
        for name in buttons.iter().chain(&["Detail", "Use camera"]) {
            let rect = w.harness.get_by_label(name).rect();
            assert!(window.contains_rect(rect), "{name} is outside at {rect:?}");
            assert!(rect.height() < 200.0, "{name} is as large as {rect:?}");
        }
        let picture = w.harness.get_by_label_contains("Picture, ").rect();
        let share = picture.area() / window.area();
        assert!(share > 0.15, "the picture has {share} of the window");
    }
}

#[test]
fn the_list_begins_at_its_top_at_the_first_start() {
    let titles = (0..20).map(|n| format!("Style {n}")).chain(["Starry_Night".to_owned()]);
    let cards = titles.map(|title| card(&title)).collect();
    let mut w =
        Window::live_showing(Arc::new(tempfile::tempdir().expect("a folder")), cards, false);
    w.set_scale(2.0);
    w.until_live();
    for _ in 0..8 {
        w.step();
    }
    assert!(w.is_chosen("Starry_Night"), "chosen without being asked for");
    let place = |w: &Window, name: &str| w.harness.get_by_label(name).rect();
    let heading = place(&w, "Styles").bottom();
    let top = place(&w, "Style 0").top();
    assert!((heading..heading + 20.0).contains(&top), "{top}");
    // The user's choice is shown.
    w.key(Modifiers::NONE, Key::ArrowUp);
    let window = Rect::from_min_size(Pos2::ZERO, vec2(1300.0, 850.0));
    w.until("the one above", |w| {
        w.is_chosen("Style 19") && window.contains_rect(place(w, "Style 19"))
    });
}

#[test]
fn live_pictures_fit_a_small_window() {
    let mut w = Window::live_sized(1024.0, 700.0);
    w.until_live();
    w.press(Key::B);
    w.until_contains("times as fast");
    let window = Rect::from_min_size(Pos2::ZERO, vec2(1024.0, 700.0));
    for name in [
        "Live",
        "Photo",
        "Use camera",
        "Freeze",
        "Snapshot",
        "Record",
        "Gallery",
        "Compare",
        "Lab",
        "Full screen",
        "Show benchmark",
        "Show counters",
        "Export",
        "Candy",
        "Show side by side",
        "Adjust",
        "Fit",
        "Show split",
    ] {
        let nodes = w.harness.query_all_by_label(name);
        let rects: Vec<Rect> = nodes.map(|node| node.rect()).collect();
        assert!(!rects.is_empty(), "{name} is not there");
        for rect in rects {
            assert!(window.contains_rect(rect), "{name} is outside at {rect:?}");
        }
    }
    // The compared modes are visible without scrolling.
    for list in ["Left", "Right"] {
        for half in ["variant", "precision"] {
            let name = format!("{list}: {half}");
            let rect = w.harness.get_by_label(&name).rect();
            assert!(rect.bottom() < 640.0 && rect.top() > 40.0, "{name} is at {rect:?}");
        }
    }
    // Content that does not fit has a scroll bar that is visible without hovering.
    let scroll = w.harness.ctx.global_style().spacing.scroll;
    assert!(scroll.dormant_handle_opacity > 0.5 && scroll.floating_allocated_width > 0.0);
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    assert!(picture.height() > 120.0, "the picture has {picture:?}");
    // The line about device, source and pace is not truncated.
    let pace = w.pace();
    let line = w.harness.get_by_label(&pace).rect();
    assert!(window.contains_rect(line), "{pace} at {line:?}");
    let letters = 5.0 * pace.chars().count() as f32;
    assert!(line.width() > letters, "{pace} has {} points", line.width());
}

#[test]
fn the_zoom_counts_the_same_pixels_in_every_view() {
    let mut w = Window::live_after(|folder| {
        let path = folder.join("photo.png");
        let frame = crate::support::photo(800, 600);
        let png = pictures::encode::Encoding::of(pictures::encode::Format::Png);
        let keep = pictures::encode::Existing::Keep;
        pictures::encode::save(&path, &frame, None, png, keep).expect("saved");
        let source = path.display().to_string();
        let text = format!("[live]\nsource = {source:?}\nworking_px = 256\n");
        std::fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until_live();
    w.click("Actual size");
    w.until("the zoom", |w| (w.zoom() - 100.0).abs() < 0.5);
    let picture = |w: &Window| {
        w.harness.get_by_label_contains("Picture, ").accesskit_node().label().unwrap_or_default()
    };
    assert!(picture(&w).contains("800 × 600 px"), "{}", picture(&w));
    w.press(Key::B);
    w.until_contains("Picture, baseline fp32 and fused fp32, 800 × 600 px");
    assert!((w.zoom() - 100.0).abs() < 0.5, "{}", w.zoom());
}

/// Live pictures are not limited by the program or by the graphics card's texture size.
#[test]
fn large_live_pictures_are_painted_and_shown() {
    let mut w = Window::live_after(|folder| {
        let text = "[live]\nworking_px = 2560\n";
        std::fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until("a large picture", |w| {
        w.pace().contains("2560 × 1920 px") && w.has_containing("Picture, painted")
    });
}

#[test]
fn a_picture_alone_has_no_name_on_it() {
    let mut w = Window::painting_live();
    let named = |w: &Window| w.painted_texts().iter().any(|text| text == "Painted");
    // The button that shows it has the same name.
    let times = |w: &Window| w.painted_texts().iter().filter(|t| *t == "Painted").count();
    assert_eq!(times(&w), 2, "{:?}", w.painted_texts());
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    assert!(!named(&w), "{:?}", w.painted_texts());
    w.press(Key::V);
    w.until_contains("Picture, original");
    w.press(Key::V);
    w.until("both", |w| w.has_containing("Picture, original and painted"));
    assert!(named(&w), "which is which has to be known");
    w.press(Key::Escape);
    w.until_label("Settings");
}

/// Shapes as large as a button in the accent colour of the dark theme.
fn accents(w: &Window) -> Vec<Rect> {
    let accent = Color32::from_rgb(224, 152, 74);
    let mut shapes: Vec<&Shape> =
        (w.harness.output().shapes.iter()).map(|clipped| &clipped.shape).collect();
    let mut found = Vec::new();
    while let Some(shape) = shapes.pop() {
        match shape {
            Shape::Vec(more) => shapes.extend(more),
            Shape::Circle(circle) if circle.fill == accent => {
                found.push(circle.visual_bounding_rect());
            }
            Shape::Rect(rect) if rect.fill == accent => found.push(rect.rect),
            _ => {}
        }
    }
    found.retain(|rect| rect.size().min_elem() > 20.0);
    found
}

#[test]
fn one_button_has_the_accent() {
    let has = |w: &Window, name: &str| {
        let place = w.harness.get_by_label(name).rect();
        let found = accents(w);
        assert!(
            found.len() == 1 && place.contains_rect(found[0]),
            "{name} at {place:?}, {found:?}"
        );
    };
    let mut w = Window::painting_live();
    has(&w, "Snapshot");
    w.press(Key::B);
    w.until_contains("times as fast");
    has(&w, "Snapshot");
    w.click("Show benchmark");
    has(&w, "Start benchmark");
    w.click("Show counters");
    has(&w, "Snapshot");
    // Until a style is chosen, there is nothing to save.
    let mut w = Window::with_photo(40, 30);
    assert_eq!(accents(&w), []);
    w.click("Candy");
    w.until_painted();
    has(&w, "Save as…");
}

#[test]
fn the_window_speaks_the_words_of_its_field() {
    fn speaks(w: &Window, place: &str) {
        let mut texts = w.texts();
        texts.extend(w.painted_texts());
        // Tooltips in the accessibility tree, and the content of fields.
        for node in w.harness.root().children_recursive() {
            let node = node.accesskit_node();
            let more = [node.description(), node.value()];
            texts.extend(more.into_iter().flatten());
        }
        for text in texts {
            let lower = text.to_lowercase();
            let banned = [
                "left out",
                "delay",
                "usual",
                "got it",
                "not now",
                "stop the ",
                "stop it",
                "95 %",
                "working size",
                "wipe",
                "finer brush",
                "broader brush",
                "turn left",
                "turn right",
                "turn the photo",
                "turned",
            ];
            let word = banned.into_iter().find(|word| lower.contains(word));
            assert_eq!(word, None, "{place}: {text}");
        }
    }
    let mut w = Window::painting_live();
    speaks(&w, "live");
    w.click("Advanced");
    assert!(w.paints("Fused") && w.paints("Auto"), "{:?}", w.painted_texts());
    w.press(Key::P);
    w.until_label("Show counters");
    w.step();
    w.click("Show counters");
    assert!(w.paints("Dropped frames") && w.paints("Latency from capture to screen"));
    assert!(w.paints("p95") && w.has_containing("Painted at: "));
    speaks(&w, "the Lab");
    for tab in ["steps", "benchmark"] {
        w.click(&format!("Show {tab}"));
        speaks(&w, tab);
    }
    w.press(Key::B);
    w.until_contains("Fused fp32 is ");
    speaks(&w, "the comparison");
    w.click("Photo");
    w.until_contains("Drop a photo, video or painting");
    speaks(&w, "the first page");
    w.click("Sample");
    w.until_painted();
    w.click("Advanced");
    w.key(Modifiers::NONE, Key::OpenBracket);
    w.until_label("Reset detail");
    w.until_painted();
    assert!(w.has("Rotate left") && w.has("Rotate right"));
    speaks(&w, "a photo");
    w.press(Key::F1);
    w.step();
    speaks(&w, "the keys");
}

#[test]
fn the_lab_is_as_high_as_its_edge_is_dragged_with_every_tab() {
    let mut w = Window::painting_live();
    w.press(Key::P);
    w.until_label("Show counters");
    w.step();
    let tabs = |w: &Window| w.harness.get_by_label("Show counters").rect().top();
    let before = tabs(&w);
    // The grip is in the middle of the edge, above the tabs.
    for (by, settles) in [(90.0, before + 90.0), (-60.0, before + 30.0)] {
        let grip = Pos2::new(616.0, tabs(&w) - 6.0);
        w.drag(grip, grip + vec2(0.0, by));
        w.step();
        assert!((tabs(&w) - settles).abs() < 4.0, "{} for {settles}", tabs(&w));
    }
    let dragged = tabs(&w);
    for tab in ["steps", "compare", "benchmark", "counters"] {
        w.click(&format!("Show {tab}"));
        w.step();
        assert_eq!(tabs(&w), dragged, "with {tab}");
    }
}

#[test]
fn keys_are_shown_in_chips() {
    let mut w = Window::live();
    w.until_live();
    // On the first start.
    w.until_label("1 to 3");
    w.step();
    assert!(w.paints("3") && w.paints("change the style"));
    w.press(Key::B);
    w.until_contains("times as fast");
    w.click("Advanced");
    let difference = w.harness.get_by_label("Difference").rect().center();
    assert!(!w.paints("D"), "{:?}", w.painted_texts());
    w.harness.hover_at(difference);
    w.until("its key", |w| w.paints("D"));
    assert!(w.paints("Grey means equal; differences are amplified 16 times."));
    w.open_list("Model");
    let full = w.harness.get_by_label("Full").rect().center();
    assert!(!w.paints("M"), "{:?}", w.painted_texts());
    w.harness.hover_at(full);
    w.until("its key", |w| w.paints("M"));
    assert!(w.paints("Best quality."));
}
