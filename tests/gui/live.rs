//! Live pictures: the demo scene on the scripted device, every button and key, every refusal.

use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, ViewportId, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use styleforge::{capture::Source, media::decode, mode::ModelSize, settings::Settings};

use crate::{
    support::Behaviour,
    window::{Window, saves_there},
};

impl Window {
    /// A live window that shows painted pictures.
    fn painting_live() -> Self {
        let mut w = Self::live();
        w.until_live();
        w
    }

    fn until_live(&mut self) {
        self.until("live pictures", |w| {
            w.has_containing(" fps at ") && w.has_containing("Picture, result")
        });
    }

    /// The line about the pictures' pace.
    fn pace(&self) -> String {
        let line = self.texts().into_iter().find(|l| l.contains(" fps at "));
        line.unwrap_or_default()
    }

    fn press(&mut self, key: Key) {
        self.key(Modifiers::NONE, key);
    }
}

#[test]
fn the_first_start_shows_the_demo_scene_painted() {
    let mut w = Window::painting_live();
    assert!(w.is_chosen("Candy"), "the first style");
    assert!(w.has("Use camera") && w.has("Demo scene"));
    assert_eq!(
        w.style_source.loads().first(),
        Some(&("candy".to_owned(), ModelSize::Lite)),
        "the automatic size takes the lite model on a processor"
    );
    w.until("the mode", |w| w.pace().contains("fused fp32"));
    w.until("every style's picture", |w| {
        w.style_source.loads().len() == 3
    });
    w.click("Got it");
    w.until("the hint to go", |w| !w.has("Got it"));
}

#[test]
fn styles_change_by_key_and_by_hand() {
    let mut w = Window::painting_live();
    w.press(Key::Num2);
    assert!(w.is_chosen("Udnie"));
    w.press(Key::ArrowDown);
    assert!(w.is_chosen("Wave"));
    w.click("Candy");
    assert!(w.is_chosen("Candy"));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the style before", |w| w.is_chosen("Wave"));
    assert!(w.has_containing(" fps at "));
}

#[test]
fn freezing_holds_the_picture() {
    let mut w = Window::painting_live();
    w.press(Key::Space);
    w.until("the picture to be held", |w| w.pace().starts_with("held"));
    // The small pictures of the gallery do not count.
    let large = |w: &Window| {
        w.script
            .runs()
            .iter()
            .filter(|(width, _)| *width > 192)
            .count()
    };
    let runs = large(&w);
    std::thread::sleep(std::time::Duration::from_millis(200));
    w.step();
    // What was on its way, and the held frame for the order to hold it.
    assert!(large(&w) <= runs + 2, "{} after {runs}", large(&w));
    // A style is still painted on what is held.
    let runs = large(&w);
    w.press(Key::Num2);
    w.until("the other style", |w| large(w) > runs);
    w.click("Freeze");
    w.until("it to go on", |w| !w.pace().starts_with("held"));
}

#[test]
fn there_is_no_camera_and_a_way_back() {
    let mut w = Window::painting_live();
    w.click("Use camera");
    w.until_contains("no camera is connected".trim_start_matches("no "));
    assert!(w.has("Waiting for the camera") && w.has("Turn off"));
    let told = |w: &Window, part: &str| w.texts().iter().filter(|l| l.contains(part)).count();
    assert_eq!(told(&w, "camera is connected"), 1, "{:#?}", w.texts());
    assert_eq!(told(&w, "Waiting for"), 1, "{:#?}", w.texts());
    w.click("Show the demo scene");
    w.until_live();
    assert!(w.has("Use camera"));
    w.click("Use camera");
    w.until_label("Turn off");
    w.press(Key::X);
    w.until_label("Use camera");
    w.until_contains("The camera is off");
    w.until_live();
}

#[test]
fn two_modes_are_compared_and_a_ratio_stands_beside_the_check() {
    let mut w = Window::painting_live();
    w.press(Key::C);
    w.until_contains("fused fp32 is ");
    assert!(w.has_containing("times as fast") && w.has_containing("Same picture: no byte differs"));
    assert!(w.has_containing("Picture, baseline fp32 and fused fp32"));
    w.choose("Right: variant", "fused-norm");
    w.until_contains("fused-norm fp32 is ");
    w.click("Show side by side");
    w.click("Show where they differ");
    w.until_contains("Picture, difference and difference");
    w.press(Key::Escape);
    w.press(Key::Escape);
    w.until_contains("Picture, result");
    assert!(!w.has_containing("times as fast"));
}

#[test]
fn what_takes_long_to_prepare_is_told_and_another_choice_cancels_it() {
    let mut w = Window::painting_live();
    w.until("the style", |w| w.pace().contains("fused fp32"));
    w.script.search();
    w.choose("How it is computed: variant", "baseline");
    w.until_contains("Preparing baseline fp32 at ");
    assert!(w.has_containing("the library's algorithms are tried"));
    assert!(w.pace().contains("fused fp32"), "the old goes on");
    w.choose("How it is computed: variant", "fused");
    w.until("nothing", |w| !w.has_containing("Preparing "));
    w.choose("How it is computed: variant", "baseline");
    w.until_contains("Preparing baseline fp32 at ");
    w.script.release();
    w.until("the baseline", |w| {
        w.pace().contains("baseline fp32") && !w.has_containing("Preparing ")
    });
}

#[test]
fn pictures_that_differ_show_no_ratio() {
    let mut w = Window::painting_live();
    w.script.let_the_baseline_be_off(3);
    w.press(Key::C);
    w.until_contains("Not comparable: ");
    assert!(w.has_containing("off by 3"), "{:#?}", w.texts());
    assert!(!w.has_containing("times as fast"));
    // Once unequal, unequal until something changes: a ratio must not flicker.
    w.script.let_the_baseline_be_off(0);
    std::thread::sleep(std::time::Duration::from_millis(700));
    w.step();
    assert!(w.has_containing("Not comparable: ") && !w.has_containing("times as fast"));
    w.choose("Right: variant", "fused-norm");
    w.until_contains("fused-norm fp32 is ");
    assert!(!w.has_containing("Not comparable"));
}

#[test]
fn the_choice_of_a_camera_is_remembered() {
    let mut w = Window::painting_live();
    w.click("Use camera");
    w.until_label("Turn off");
    let path = w.settings_path();
    let source = || Settings::load(&path).0.live.source;
    w.until("the settings file", |_| source() != Source::Demo);
    let mut again = w.reopened_live();
    again.until_label("Turn off");
    assert!(!again.has("Use camera"));
    again.press(Key::X);
    again.until_label("Use camera");
}

#[test]
fn every_style_paints_at_once() {
    let mut w = Window::painting_live();
    w.press(Key::G);
    for style in ["Candy", "Udnie", "Wave"] {
        w.until_label(&format!("Paint live in {style}"));
    }
    w.until("small pictures", |w| {
        w.script.runs().iter().any(|&(width, _)| width == 192)
    });
    w.click("Paint live in Udnie");
    assert!(w.is_chosen("Udnie"));
    w.press(Key::Num3);
    assert!(
        w.is_chosen("Wave") && w.has("Paint live in Wave"),
        "still every style"
    );
    // The ways to look lead to the picture alone.
    w.click("Show both");
    w.until_contains("Picture, original and result");
    w.press(Key::G);
    w.until_label("Paint live in Wave");
    w.click("Gallery");
    w.until_contains("Picture, original and result");
    // A double click shows one alone.
    w.click("Gallery");
    w.until_label("Paint live in Udnie");
    let at = w
        .harness
        .get_by_label("Paint live in Udnie")
        .rect()
        .center();
    w.harness.hover_at(at);
    w.step();
    for pressed in [true, false, true, false] {
        w.harness.input_mut().events.push(Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
    }
    w.step();
    w.until_contains("Picture, original and result");
    assert!(w.is_chosen("Udnie"));
}

#[test]
fn snapshots_and_recordings_are_files() {
    let mut w = Window::live_after(saves_there);
    w.until_live();
    w.click("Mirror");
    w.until_live();
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    let path = w.path("StyleForge/snapshot-candy-0001.png");
    let saved = decode::from_path(&path).expect("a picture");
    assert!(saved.frame.width() >= 256);
    let bytes = std::fs::read(&path).expect("a file");
    let has = |words: &str| bytes.windows(words.len()).any(|w| w == words.as_bytes());
    for words in [
        "candy lite",
        "fused fp32",
        "demo, mirrored",
        "100 %",
        " px",
        "Device",
    ] {
        assert!(has(words), "no {words} in the snapshot");
    }
    let (width, height) = (saved.frame.width(), saved.frame.height());
    assert!(w.has_containing(&format!("Saved with {width} × {height} px as ")));
    w.press(Key::S);
    w.until_contains("snapshot-candy-0002.png");

    w.press(Key::R);
    let folder = w.path("StyleForge/recording-0001");
    w.until("frames to be written", |_| {
        folder.join("frame-000002.jpg").exists()
    });
    w.press(Key::R);
    w.until_contains("frames recorded in");
    assert!(folder.join("frames.csv").exists());
}

#[test]
fn photos_and_live_pictures_keep_out_of_each_others_way() {
    let mut w = Window::painting_live();
    let photo = w.photo_file("photo.png", 300, 200);
    w.drop_file(&photo);
    w.until_contains("photo.png, 300 × 200 px");
    w.until_painted();
    assert!(!w.has("Use camera"), "a dropped photo is seen at once");
    w.click("Live");
    w.until_live();
    w.press(Key::Num3);
    w.click("Photo");
    w.until("the photo in the new style", |w| {
        w.is_painted() && w.is_chosen("Wave")
    });
    let mut w = w.reopened();
    w.until_label("Drop a photo here");
}

#[test]
fn working_size_and_mirror_are_kept() {
    let mut w = Window::painting_live();
    w.choose("Working size", "320 px");
    w.until("the size", |w| w.pace().contains("320 × 240 px"));
    w.click("Full");
    w.until("the full model", |w| {
        w.style_source
            .loads()
            .contains(&("candy".to_owned(), ModelSize::Full))
    });
    w.click("Mirror");
    w.until("the settings", |w| {
        let text = std::fs::read_to_string(w.settings_path()).unwrap_or_default();
        text.contains("working_px = 320") && text.contains("mirror = true")
    });
    w.until_live();
}

#[test]
fn what_goes_wrong_is_told_and_the_window_lives() {
    let mut w = Window::painting_live();
    w.script.behave(Behaviour::Fail);
    w.until_contains("This cannot be painted live");
    w.script.behave(Behaviour::Invert);
    w.press(Key::Num2);
    w.until("pictures again", |w| w.has_containing(" fps at "));
    w.script.behave(Behaviour::Panic);
    w.until_contains("mistake in StyleForge");
    w.script.behave(Behaviour::Invert);
    // Live painting ended with the mistake; choosing the source again begins anew.
    w.click("Photo");
    w.click("Live");
    w.until_live();
}

#[test]
fn full_screen_shows_only_the_picture() {
    let mut w = Window::painting_live();
    w.press(Key::F);
    w.until("the rest to go", |w| {
        !w.has("Use camera") && !w.has("Settings")
    });
    assert!(w.has_containing("Picture, result"));
    assert!(w.has("Esc leaves the full screen"));
    w.press(Key::Num2);
    w.press(Key::Escape);
    w.until_label("Settings");
    assert!(w.is_chosen("Udnie"));
}

#[test]
fn full_screen_hides_nothing_that_has_to_be_known() {
    let mut w = Window::painting_live();
    w.click("Use camera");
    w.until_contains("camera is connected");
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    assert!(w.has_containing("camera is connected"), "why there is none");
    // A list that is asked for is seen, closed by the first Esc; the second leaves.
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
    w.click("Show both");
    let name = "Divider between original and result";
    w.until_label(name);
    assert_eq!(w.value(name), 50.0);
    w.press(Key::ArrowLeft);
    w.until("the divider", |w| w.value(name) < 50.0);
    w.click("Actual size");
    w.until("the zoom", |w| (w.zoom() - 100.0).abs() < 0.5);
}

#[test]
fn the_pixel_below_the_pointer_is_read() {
    let mut w = Window::painting_live();
    w.press(Key::Space);
    w.until("the picture to be held", |w| w.pace().starts_with("held"));
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    // Empty sky, where a neighbour has nearly the same colour: the working size may lie a pixel beside.
    w.harness.hover_at(picture.lerp_inside(vec2(0.1, 0.3)));
    w.step();
    assert!(!w.has_containing("Original "), "only while Alt is held");
    w.harness.event(Event::ModifiersChanged(Modifiers::ALT));
    w.until_contains("Original ");
    let line = |w: &Window, name: &str| -> Vec<u8> {
        let line = w.texts().into_iter().find(|l| l.starts_with(name));
        let line = line.unwrap_or_default();
        line.split_whitespace()
            .filter_map(|v| v.parse().ok())
            .collect()
    };
    let (before, after) = (line(&w, "Original"), line(&w, "Result"));
    assert_eq!((before.len(), after.len()), (3, 3), "{:#?}", w.texts());
    // The scripted device inverts.
    for (a, b) in before.iter().zip(&after) {
        assert!((255 - a).abs_diff(*b) < 40, "{before:?} {after:?}");
    }
}

#[test]
fn live_pictures_fill_a_large_window_and_a_fine_one() {
    for (width, height, scale) in [(3840.0, 2160.0, 1.0), (1024.0, 700.0, 2.0)] {
        let mut w = Window::live_sized(width, height);
        let viewports = &mut w.harness.input_mut().viewports;
        let screen = viewports.get_mut(&ViewportId::ROOT).expect("a screen");
        screen.native_pixels_per_point = Some(scale);
        w.until_live();
        w.press(Key::P);
        w.until_label("Show counters");
        let window = Rect::from_min_size(Pos2::ZERO, vec2(width, height));
        let buttons = [
            "Live",
            "Freeze",
            "Full screen",
            "Show counters",
            "Candy",
            "Fit",
        ];
        for name in buttons.iter().chain(&["Working size", "Use camera"]) {
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
fn a_measurement_gives_a_report_to_keep() {
    let mut w = Window::painting_live();
    w.press(Key::C);
    w.until_contains("times as fast");
    w.click("Measure");
    w.until_contains("200 frames of each in turn after");
    assert!(w.has_containing("Same picture by the rule for fp32"));
    w.until("the chart", |w| !w.has("The chart is being drawn…"));
    for (button, name, words) in [
        ("JSON…", "report.json", "\"ratio\""),
        ("CSV…", "report.csv", "p50_ms"),
        ("Text…", "report.txt", "candy lite at "),
        ("Chart…", "report.png", "PNG"),
    ] {
        let path = w.path(name);
        w.platform.answer(Some(path.clone()));
        w.click(button);
        w.until("the file", |_| path.exists());
        let bytes = std::fs::read(&path).expect("a file");
        assert!(
            bytes.windows(words.len()).any(|w| w == words.as_bytes()),
            "{name}"
        );
    }
    w.press(Key::Escape);
    w.until("the report to go", |w| {
        !w.has_containing("200 frames of each in turn after")
    });
    // A measurement can be stopped.
    w.script.hold();
    w.click("Measure");
    w.click("Stop measuring");
    w.script.release();
    w.until_contains("times as fast");
    assert!(!w.has_containing("Nothing was measured"));
}

#[test]
fn a_chart_is_drawn_beside_the_window_and_comes_when_it_is_done() {
    let mut w = Window::painting_live();
    w.press(Key::C);
    w.until_contains("times as fast");
    w.until("every style", |w| w.style_source.loads().len() >= 3);
    // Styles that wait for their networks keep every thread busy that could draw.
    let style_source = w.style_source.clone();
    let held = style_source.hold_loads();
    for name in ["One.pth", "Two.pth"] {
        let file = w.path(name);
        std::fs::write(&file, b"weights").expect("written");
        w.drop_file(&file);
    }
    w.until("both styles", |w| w.has("One") && w.has("Two"));
    w.click("Measure");
    w.until_contains("200 frames of each in turn after");
    assert!(w.has("The chart is being drawn…"));
    drop(held);
    w.until("the chart", |w| !w.has("The chart is being drawn…"));
    let path = w.path("chart.png");
    w.platform.answer(Some(path.clone()));
    w.click("Chart…");
    w.until("the file", |_| path.exists());
}

#[test]
fn the_performance_panel_shows_live_numbers() {
    let mut w = Window::painting_live();
    w.press(Key::P);
    w.until_label("Show counters");
    for tab in [
        "Show steps",
        "Show timeline",
        "Show roofline",
        "Show counters",
    ] {
        w.click(tab);
    }
    let path = w.path("counters.csv");
    w.platform.answer(Some(path.clone()));
    w.click("Export");
    w.click("Counters as CSV…");
    w.until("the file", |_| path.exists());
    w.press(Key::P);
    w.until("the panel to go", |w| !w.has("Show steps"));
}

#[test]
fn live_pictures_fit_a_small_window() {
    let mut w = Window::live_sized(1024.0, 700.0);
    w.until_live();
    w.press(Key::C);
    w.until_contains("times as fast");
    w.press(Key::P);
    w.until_label("Show counters");
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
        "Performance",
        "Full screen",
        "Measure",
        "Show counters",
        "Export",
        "Candy",
        "Show side by side",
        "Working size",
        "Fit",
        "Show both",
    ] {
        let nodes = w.harness.query_all_by_label(name);
        let rects: Vec<Rect> = nodes.map(|node| node.rect()).collect();
        assert!(!rects.is_empty(), "{name} is not there");
        for rect in rects {
            assert!(window.contains_rect(rect), "{name} is outside at {rect:?}");
        }
    }
    // What is compared can be chosen without looking for it.
    for list in ["Left", "Right"] {
        for half in ["variant", "precision"] {
            let name = format!("{list}: {half}");
            let rect = w.harness.get_by_label(&name).rect();
            assert!(
                rect.bottom() < 640.0 && rect.top() > 40.0,
                "{name} is at {rect:?}"
            );
        }
    }
    // What does not fit has a bar beside it that is seen before anybody points at it.
    let scroll = w.harness.ctx.global_style().spacing.scroll;
    assert!(scroll.dormant_handle_opacity > 0.5 && scroll.floating_allocated_width > 0.0);
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    assert!(picture.height() > 120.0, "the picture has {picture:?}");
    // Nothing of the line about the device, the source and the pace is cut.
    let pace = w.pace();
    let line = w.harness.get_by_label(&pace).rect();
    assert!(window.contains_rect(line), "{pace} at {line:?}");
    let letters = 5.0 * pace.chars().count() as f32;
    assert!(line.width() > letters, "{pace} has {} points", line.width());
}

#[test]
fn escape_closes_a_list_before_anything_else() {
    let mut w = Window::painting_live();
    w.press(Key::G);
    w.until_label("Paint live in Wave");
    w.open_list("Working size");
    w.until_label("448 px");
    w.press(Key::Escape);
    w.until("the list to close", |w| !w.has("448 px"));
    assert!(w.has("Paint live in Wave"), "only the list was closed");
    w.click("Settings");
    w.until_label("As the desktop");
    w.press(Key::Escape);
    w.until("the menu to close", |w| !w.has("As the desktop"));
    w.press(Key::Escape);
    w.until("the styles to go", |w| !w.has("Paint live in Wave"));
}

#[test]
fn while_the_picture_is_held_the_figures_of_before_stay() {
    let mut w = Window::painting_live();
    w.press(Key::P);
    let zeros = ["Shown: 0.0 fps", "Network: median 0.0"];
    let shows_zero = |w: &Window| zeros.iter().any(|zero| w.has_containing(zero));
    // The scripted device says that it takes a millisecond.
    w.until("figures", |w| {
        w.has_containing("Network: median 1.0") && !shows_zero(w) && !w.pace().starts_with("0 ")
    });
    w.press(Key::Space);
    w.until("the picture to be held", |w| w.pace().starts_with("held"));
    // A slow machine may have lost the rate before.
    let was_lost = w.has_containing("are too many here");
    // Longer than the seconds that figures are taken over.
    std::thread::sleep(std::time::Duration::from_millis(3300));
    w.step();
    let pace = w.pace();
    assert!(
        pace.starts_with("held, was ") && !pace.contains("was 0 fps"),
        "{pace}"
    );
    assert!(!shows_zero(&w), "{:#?}", w.texts());
    assert_eq!(w.has_containing("are too many here"), was_lost);
    assert!(w.has("Held"), "the panel says so");
    assert!(!w.has_containing("Network: median –"));
    w.press(Key::Space);
    w.until("it to go on", |w| !w.pace().starts_with("held"));
    assert!(!w.has("Held"));
}

#[test]
fn live_pictures_have_a_model_of_their_own() {
    let mut w = Window::painting_live();
    assert!(w.has("Model: lite"), "on a processor, left to the program");
    w.press(Key::M);
    w.until_label("Model: full");
    w.until("the full model", |w| {
        w.style_source
            .loads()
            .contains(&("candy".to_owned(), ModelSize::Full))
    });
    w.press(Key::M);
    w.until_label("Model: lite");
    w.until("the settings", |w| {
        let (settings, _) = Settings::load(&w.settings_path());
        settings.live.model == Some(ModelSize::Lite) && settings.choices.model == ModelSize::Full
    });
    // A size of its own changes nothing about what a processor takes.
    w.press(Key::M);
    w.until_label("Model: full");
    w.choose("Working size", "320 px");
    w.until("the size", |w| w.pace().contains("320 × 240 px"));
    assert!(w.has("Model: full"), "what was chosen holds");
    w.click("Automatic");
    w.until_label("Model: lite");
}

#[test]
fn the_zoom_counts_the_same_pixels_in_every_view() {
    let mut w = Window::live_after(|folder| {
        let path = folder.join("photo.png");
        let frame = crate::support::photo(800, 600);
        let png = styleforge::media::encode::Encoding::of(styleforge::media::encode::Format::Png);
        let keep = styleforge::media::encode::Existing::Keep;
        styleforge::media::encode::save(&path, &frame, None, png, keep).expect("saved");
        let source = path.display().to_string();
        let text = format!("[live]\nsource = {source:?}\nworking_px = 256\n");
        std::fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until_live();
    w.click("Actual size");
    w.until("the zoom", |w| (w.zoom() - 100.0).abs() < 0.5);
    let picture = |w: &Window| {
        w.harness
            .get_by_label_contains("Picture, ")
            .accesskit_node()
            .label()
            .unwrap_or_default()
    };
    assert!(picture(&w).contains("800 × 600 px"), "{}", picture(&w));
    w.press(Key::C);
    w.until_contains("Picture, baseline fp32 and fused fp32, 800 × 600 px");
    assert!((w.zoom() - 100.0).abs() < 0.5, "{}", w.zoom());
}

/// Live pictures are not cut to a size of the program's, nor to what the graphics card takes.
#[test]
fn large_live_pictures_are_painted_and_shown() {
    let mut w = Window::live_after(|folder| {
        let text = "[live]\nworking_px = 2560\n";
        std::fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until("a large picture", |w| {
        w.pace().contains("2560 × 1920 px") && w.has_containing("Picture, result")
    });
}

#[test]
fn a_picture_alone_has_no_name_on_it() {
    let mut w = Window::painting_live();
    let named = |w: &Window| w.painted_texts().iter().any(|text| text == "Result");
    // The button that shows it has the same name.
    let times = |w: &Window| w.painted_texts().iter().filter(|t| *t == "Result").count();
    assert_eq!(times(&w), 2, "{:?}", w.painted_texts());
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    assert!(!named(&w), "{:?}", w.painted_texts());
    w.press(Key::V);
    w.until_contains("Picture, original");
    w.press(Key::V);
    w.until("both", |w| w.has_containing("Picture, original and result"));
    assert!(named(&w), "which is which has to be known");
    w.press(Key::Escape);
    w.until_label("Settings");
}

#[test]
fn closing_while_recording_asks_and_keeps_what_was_recorded() {
    let mut w = Window::live_after(saves_there);
    w.until_live();
    w.press(Key::R);
    let folder = w.path("StyleForge/recording-0001");
    w.until("frames to be written", |_| {
        folder.join("frame-000002.jpg").exists()
    });
    assert!(w.close_is_held_back());
    w.until_label("Stop recording?");
    assert!(w.has_containing("recording-0001"), "{:#?}", w.texts());
    w.click("Go on recording");
    w.until("the question to go", |w| !w.has("Stop recording?"));
    let written = |name: &str| folder.join(name).exists();
    w.until("more frames", |_| written("frame-000005.jpg"));
    assert!(w.close_is_held_back());
    w.until_label("Stop recording?");
    w.click("Stop and close");
    w.until("the window to close", |w| w.closes());
    let table = std::fs::read_to_string(folder.join("frames.csv")).expect("a table");
    let last = table.lines().last().expect("lines");
    let name = last.split(',').nth(1).expect("a file");
    assert!(written(name), "{last}");
    let half: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.contains("part"))
        .collect();
    assert!(half.is_empty(), "{half:?}");
}

#[test]
fn a_recording_that_fails_ends_at_once_and_is_told() {
    let mut w = Window::live_after(saves_there);
    w.until_live();
    w.press(Key::R);
    let folder = w.path("StyleForge/recording-0001");
    w.until("frames to be written", |_| {
        folder.join("frame-000002.jpg").exists()
    });
    // As a disk that is unplugged.
    let gone = w.path("gone");
    std::fs::rename(&folder, &gone).expect("renamed");
    w.until_contains("The recording in ");
    let told = w.texts();
    let told = told.iter().find(|t| t.contains("The recording in "));
    let told = told.expect("told just now");
    let written = std::fs::read_dir(&gone).expect("a folder");
    let written = written
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".jpg"))
        .count();
    let ended = format!("{} ended after {written} pictures: ", folder.display());
    assert!(told.contains(&ended), "{told}");
    assert!(told.contains("does not exist"), "{told}");
    assert!(!w.has_containing("Recorded: "), "the count must not go on");
    // Another one begins afresh.
    w.press(Key::R);
    w.until("a new recording", |_| {
        folder.join("frame-000001.jpg").exists()
    });
    w.press(Key::R);
    w.until_contains("frames recorded in");
}

#[test]
fn a_request_to_end_asks_nothing_and_loses_nothing_of_a_recording() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    let photo = w.photo_file("photo.png", 40, 30);
    w.drop_file(&photo);
    w.click("Candy");
    w.until_painted();
    w.click("Live");
    w.until_live();
    w.press(Key::R);
    let recorded = |w: &Window| {
        let folder = w.path("StyleForge/recording-0001");
        folder.join("frame-000002.jpg").exists()
    };
    w.until("frames to be written", recorded);
    let recording = w.path("StyleForge/recording-0001");
    assert!(w.close_is_held_back(), "by hand it is asked first");
    w.ask_to_end();
    w.until("the window to close", |w| w.closes());
    let folder = w.end();
    let table = std::fs::read_to_string(recording.join("frames.csv")).expect("a table");
    let pictures = std::fs::read_dir(&recording).expect("listed").count() - 1;
    assert_eq!(table.lines().count(), 1 + pictures, "{table}");
    let settings = std::fs::read_to_string(folder.path().join("settings.toml")).expect("settings");
    assert!(settings.contains("style = \"candy\""), "{settings}");
}

#[test]
fn leftovers_of_a_kill_among_the_pictures_go_at_the_next_start() {
    let mut w = Window::live_after(|folder| {
        saves_there(folder);
        let recording = folder.join("StyleForge/recording-0001");
        std::fs::create_dir_all(&recording).expect("made");
        for place in [folder, &folder.join("StyleForge"), &recording] {
            std::fs::write(place.join(".styleforge-Killed.part"), "half").expect("written");
        }
        std::fs::create_dir(folder.join("StyleForge/mine")).expect("made");
        std::fs::write(folder.join("StyleForge/mine/.styleforge-Killed.part"), "")
            .expect("written");
    });
    let left = |name: &'static str| {
        move |w: &Window| w.path(name).join(".styleforge-Killed.part").exists()
    };
    w.until("the sweep", |w| !left("StyleForge/recording-0001")(w));
    assert!(!left("StyleForge")(&w) && !left("")(&w));
    assert!(left("StyleForge/mine")(&w), "no folder of ours");
}

#[test]
fn closing_live_pictures_says_which_painting_would_be_lost() {
    let mut w = Window::painted(40, 30);
    w.click("Live");
    w.until_live();
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    let what = "The painting of photo.png in Candy, which waits under Photo, is not saved.";
    assert!(w.has_containing(what), "{:#?}", w.texts());
    w.click("Close without saving");
    w.until("the window to close", |w| w.closes());
}

#[test]
fn a_folders_card_does_not_lie_over_what_goes_wrong_live() {
    let mut w = Window::live_sized(1000.0, 640.0);
    w.until_live();
    w.click("Use camera");
    w.until_label("Show the demo scene");
    let names = ["a.png", "b.png", "c.png", "d.png", "e.png", "f.png"];
    let folder = w.folder_of_photos(&names);
    for name in names {
        std::fs::write(folder.join(name), "rubbish").expect("written");
    }
    w.drop_file(&folder);
    w.until_label("Paint 6 photos");
    w.click("Start");
    // The list of what failed makes the card high.
    w.until_label("Nothing was painted");
    w.step();
    // The card's edge, too.
    let card = w.harness.get_by_label("Put away").rect().expand(16.0);
    for part in ["Show the demo scene", "camera is connected"] {
        let rect = w.harness.get_by_label_contains(part).rect();
        assert!(
            rect.top() > card.bottom() && rect.bottom() < 560.0,
            "{part} is at {rect:?}, the card ends at {card:?}"
        );
    }
}
