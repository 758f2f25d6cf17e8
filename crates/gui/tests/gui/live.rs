//! Live pictures: the demo scene on the scripted device, every button and key, every refusal.

mod attention;
mod camera_out;
mod compare;
mod full_screen;
mod keeping;
mod layout;
#[cfg(target_os = "linux")]
mod mirror;
mod recording;

use eframe::egui::{Event, Key, Modifiers, PointerButton, Role, accesskit::Toggled, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use engine::{
    capture::{CameraId, Source},
    live::LiveSize,
};
use settings::Settings;
use values::mode::ModelSize;

use crate::{scripted::card, support::Behaviour, window::Window};

impl Window {
    /// A live window that shows painted pictures.
    fn painting_live() -> Self {
        let mut w = Self::live();
        w.until_live();
        // Until the style is loaded, the source is shown unpainted.
        w.until("the style", |w| !w.pace().is_empty() && !w.pace().contains("not painted"));
        w
    }

    pub fn until_live(&mut self) {
        self.until("live pictures", |w| {
            w.has_containing(" fps at ") && w.has_containing("Picture, painted")
        });
    }

    /// The status line about the pictures' pace.
    fn pace(&self) -> String {
        let line =
            self.texts().into_iter().find(|l| l.contains(" fps at ") || l.starts_with("Frozen ·"));
        line.unwrap_or_default()
    }

    pub fn press(&mut self, key: Key) {
        self.key(Modifiers::NONE, key);
    }
}

#[test]
fn the_first_start_shows_the_demo_scene_painted() {
    let mut w = Window::painting_live();
    assert!(w.is_chosen("Candy"), "the first style");
    assert!(w.has("Use camera") && w.paints("Demo scene"));
    w.until("every style's picture", |w| w.style_source.loads().len() == 3);
    assert!(
        w.style_source.loads().contains(&("candy".to_owned(), ModelSize::Lite)),
        "the automatic size takes the lite model on a processor"
    );
    w.click("Explore the demo");
    w.until("it to begin", |w| !w.has("Explore the demo"));
    // Modes, and what a processor can do, are for those who look at such things.
    assert!(w.has("CPU (no NVIDIA driver found)"), "{:#?}", w.texts());
    w.click("Advanced");
    assert!(!w.pace().contains("fp32"), "{}", w.pace());
    w.press(Key::P);
    w.until("the mode", |w| w.pace().contains("fused fp32"));
    w.until_label("Scripted processor, 3 threads, AVX2 (CPU: no NVIDIA driver found)");
    w.press(Key::P);
    w.until("the plain line", |w| !w.pace().contains("fp32"));
}

#[test]
fn nothing_is_called_painted_before_it_is() {
    let mut w = Window::live_after(|folder| {
        let text = "[live]\nmoving_gallery = false\n";
        std::fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until_live();
    let styles = w.style_source.clone();
    let loads = styles.hold_loads();
    for key in [Key::Num2, Key::L, Key::L] {
        w.press(key);
    }
    w.until_contains(", not painted");
    assert!(w.has_containing("Picture, original, "), "{:#?}", w.texts());
    // The button that shows it has the same name.
    let named = |w: &Window| w.painted_texts().iter().filter(|t| *t == "Painted").count();
    assert_eq!(named(&w), 1);
    drop(loads);
    w.until_live();
    assert_eq!(named(&w), 2);
}

#[test]
fn the_first_start_offers_the_ways_to_begin_until_a_key_is_pressed() {
    let mut w = Window::painting_live();
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    for way in ["Open a photo…", "Open a video…", "Use camera", "Explore the demo"] {
        let button = w.harness.get_by_label(way).rect();
        assert!(button.top() >= picture.bottom(), "{way} at {button:?} lies on the picture");
    }
    w.press(Key::Num2);
    assert!(!w.has("Explore the demo") && w.is_chosen("Udnie"));
    w.until("the settings", |w| Settings::load(&w.settings_path()).0.state.has_seen_hint);
    assert!(!w.reopened_live().has("Explore the demo"));
    // Or if one is chosen.
    let mut w = Window::painting_live();
    w.click("Open a photo…");
    w.until("the dialog", |w| w.platform.asked().len() == 1);
    w.until("them to go", |w| !w.has("Explore the demo"));
    // Without a camera the card searches for one, and reports that there is none.
    let mut w = Window::painting_live();
    w.click("Use camera");
    w.until_contains("No camera found. Connect one, then click ");
}

#[test]
fn the_first_tab_leads_to_the_ways_to_begin() {
    let mut w = Window::painting_live();
    let has_focus = |w: &Window, way: &str| {
        w.harness.query_by_label(way).is_some_and(|card| card.accesskit_node().is_focused())
    };
    w.press(Key::Tab);
    w.step();
    assert!(has_focus(&w, "Open a photo…"), "{:#?}", w.texts());
    w.press(Key::Tab);
    w.step();
    assert!(has_focus(&w, "Open a video…"), "{:#?}", w.texts());
    w.press(Key::Enter);
    w.until("the dialog", |w| w.platform.asked().len() == 1);
    w.until("them to go", |w| !w.has("Explore the demo"));
}

#[test]
fn brackets_change_the_detail_of_live_pictures_too() {
    let mut w = Window::painting_live();
    let size = |w: &Window| Settings::load(&w.settings_path()).0.live.size;
    assert!(matches!(size(&w), LiveSize::Auto { .. }));
    w.press(Key::CloseBracket);
    w.until("a size of its own", |w| matches!(size(w), LiveSize::LongSide(px) if px > 256));
    w.choose("Detail", "320 px");
    w.until_label("Painted at 320 × 240 px");
    w.press(Key::CloseBracket);
    w.until_label("Painted at 384 × 288 px");
    for painted in ["320 × 240", "288 × 216", "256 × 192"] {
        w.press(Key::OpenBracket);
        w.until_label(&format!("Painted at {painted} px"));
    }
    w.press(Key::OpenBracket);
    w.until_contains("This is the lowest detail for live video.");
}

#[test]
fn the_first_photo_says_what_it_has_from_live_pictures() {
    let mut w = Window::painting_live();
    w.press(Key::K);
    w.press(Key::PageDown);
    w.open_photo(300, 200);
    w.show_queue();
    w.until_contains(
        "The photo starts with your live settings: strength 95 %, the photo's colours kept.",
    );
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
    w.until("the picture to be held", |w| w.pace().starts_with("Frozen ·"));
    // The small pictures of the gallery do not count.
    let large = |w: &Window| w.script.runs().iter().filter(|(width, _)| *width > 192).count();
    let runs = large(&w);
    std::thread::sleep(std::time::Duration::from_millis(200));
    w.step();
    // The pictures in flight, the held frame for the hold command, and its finer picture.
    assert!(large(&w) <= runs + 3, "{} after {runs}", large(&w));
    // A style is still painted on the held frame.
    let runs = large(&w);
    w.press(Key::Num2);
    w.until("the other style", |w| large(w) > runs);
    w.click("Freeze");
    w.until("it to go on", |w| !w.pace().starts_with("Frozen ·"));
}

#[test]
fn without_a_camera_the_demo_continues_and_the_choice_is_not_remembered() {
    let mut w = Window::painting_live();
    w.click("Use camera");
    w.until_contains("No camera found. Connect one, then click ");
    w.until_live();
    // Nothing is highlighted: the demo continues on its own.
    let accent = eframe::egui::Color32::from_rgb(224, 152, 74);
    let stands_out = |w: &Window, name: &str| {
        let place = w.harness.get_by_label(name).rect().left_center() + vec2(4.0, 0.0);
        let pixels = w.pixels();
        pixels.pixels[place.y as usize * pixels.size[0] + place.x as usize] == accent
    };
    assert!(!stands_out(&w, "Use camera"));
    assert!(w.has("Use camera") && !w.has("Turn off"), "{:#?}", w.texts());
    assert!(w.paints("Demo scene"));
    let ticked = w.harness.get(by().label("Mirror").role(Role::CheckBox));
    assert_eq!(ticked.accesskit_node().toggled(), Some(Toggled::False));
    let path = w.settings_path();
    let mut again = w.reopened_live();
    assert_eq!(Settings::load(&path).0.live.source, Source::Demo);
    again.until_live();
    assert!(again.has("Use camera") && !again.has_containing("No camera found"));
}

#[test]
fn a_camera_that_was_named_is_waited_for_and_nothing_can_be_saved_meanwhile() {
    let mut w = Window::painting_live();
    w.choose_absent_camera();
    w.until_contains("here is no camera front");
    assert!(w.has("Waiting for the camera") && w.has("Not painted yet"));
    let shown = |w: &Window, part: &str| w.texts().iter().filter(|l| l.contains(part)).count();
    assert_eq!(shown(&w, "here is no camera front"), 1, "{:#?}", w.texts());
    assert_eq!(shown(&w, "Waiting for"), 1, "{:#?}", w.texts());
    for button in ["Freeze", "Snapshot", "Record"] {
        let node = w.harness.get(by().label(button).role(Role::Button));
        assert!(node.accesskit_node().is_disabled(), "{button}");
    }
    w.press(Key::S);
    w.press(Key::R);
    w.until_contains("There is no live picture yet");
    assert_eq!(shown(&w, "no live picture"), 1, "{:#?}", w.texts());
    w.click("Show the demo scene");
    w.until_live();
    assert!(w.has("Use camera"));
    w.choose_absent_camera();
    w.press(Key::X);
    w.until_label("Use camera");
    w.until_contains("The camera is off");
    w.until_live();
}

#[test]
fn a_camera_missing_at_the_next_start_is_replaced_by_the_demo_and_stays_remembered() {
    let mut w = Window::live_after(|folder| {
        let path = folder.join("settings.toml");
        let (mut settings, _) = Settings::load(&path);
        settings.live.source = Source::Camera(CameraId::new("front"));
        settings.save(&path).expect("saved");
    });
    w.until_contains("No camera found. Connect one, then click ");
    w.until_live();
    assert!(w.has("Use camera"));
    let folder = w.end();
    let (settings, _) = Settings::load(&folder.path().join("settings.toml"));
    assert_eq!(settings.live.source, Source::Camera(CameraId::new("front")));
}

#[test]
fn every_style_paints_at_once() {
    let mut w = Window::painting_live();
    w.press(Key::G);
    for style in ["Candy", "Udnie", "Wave"] {
        w.until_label(&format!("Paint live in {style}"));
    }
    w.until("small pictures", |w| w.script.runs().iter().any(|&(width, _)| width == 192));
    w.click("Paint live in Udnie");
    assert!(w.is_chosen("Udnie"));
    w.press(Key::Num3);
    assert!(w.is_chosen("Wave") && w.has("Paint live in Wave"), "still every style");
    // The view modes for one picture do nothing here.
    let split = w.harness.get_by_label("Show split");
    assert!(split.accesskit_node().is_disabled());
    w.click("Gallery");
    w.click("Show split");
    w.until_contains("Picture, original and painted");
    w.press(Key::G);
    w.until_label("Paint live in Wave");
    w.click("Gallery");
    w.until_contains("Picture, original and painted");
    // A double click shows one alone.
    w.click("Gallery");
    w.until_label("Paint live in Udnie");
    let at = w.harness.get_by_label("Paint live in Udnie").rect().center();
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
    w.until_contains("Picture, original and painted");
    assert!(w.is_chosen("Udnie"));
}

#[test]
fn photos_and_live_pictures_keep_out_of_each_others_way() {
    let mut w = Window::painting_live();
    w.open_photo(300, 200);
    w.until_painted();
    assert!(!w.has("Use camera"), "a dropped photo is seen at once");
    w.click("Live");
    w.until_live();
    // The style changes only for live pictures: the photo's painting stays, and each page has its own undo.
    w.press(Key::Num3);
    w.press(Key::PageDown);
    assert!(w.is_chosen("Wave"));
    let large = |w: &Window| w.script.runs().iter().filter(|size| size.0 == 300).count();
    let painted = large(&w);
    w.click("Photo");
    w.until("the photo as it was", |w| w.is_painted() && w.is_chosen("Candy"));
    assert_eq!((w.value("Strength"), large(&w)), (100.0, painted));
    w.click("Live");
    w.until_live();
    assert!(w.is_chosen("Wave") && w.value("Strength") == 95.0);
    let mut w = w.reopened();
    w.until_label("Drop a photo, video or painting");
}

#[test]
fn working_size_and_mirror_are_kept() {
    let mut w = Window::painting_live();
    w.choose("Detail", "320 px");
    w.until("the size", |w| w.pace().contains("320 × 240 px"));
    w.click("Advanced");
    w.choose("Model", "Full");
    w.until("the full model", |w| {
        w.style_source.loads().contains(&("candy".to_owned(), ModelSize::Full))
    });
    w.click("Mirror");
    w.until("the settings", |w| {
        let text = std::fs::read_to_string(w.settings_path()).unwrap_or_default();
        text.contains("working_px = 320") && text.contains("mirror = true")
    });
    w.until_live();
}

#[test]
fn failures_are_shown_and_the_window_lives() {
    let mut w = Window::painting_live();
    w.script.behave(Behaviour::Fail);
    w.until_contains("Live painting is not possible");
    w.script.behave(Behaviour::Invert);
    w.press(Key::Num2);
    w.until("pictures again", |w| w.has_containing(" fps at "));
    w.script.behave(Behaviour::Panic);
    w.until_contains("bug in StyleForge");
    w.script.behave(Behaviour::Invert);
    // Live painting ended with the failure; choosing the source again restarts it.
    w.click("Photo");
    w.click("Live");
    w.until_live();
}

#[test]
fn the_pixel_below_the_pointer_is_read() {
    let mut w = Window::painting_live();
    w.press(Key::Space);
    w.until("the picture to be held", |w| w.pace().starts_with("Frozen ·"));
    let picture = w.harness.get_by_label_contains("Picture, ").rect();
    // Empty sky, where neighbouring pixels have nearly the same colour: scaling may shift positions by a pixel.
    w.harness.hover_at(picture.lerp_inside(vec2(0.1, 0.3)));
    w.step();
    assert!(!w.has_containing("Original "), "only while Alt is held");
    w.harness.event(Event::ModifiersChanged(Modifiers::ALT));
    w.until_contains("Original ");
    let line = |w: &Window, name: &str| -> Vec<u8> {
        w.texts()
            .into_iter()
            .find(|l| l.starts_with(name) && !l.contains("px"))
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|v| v.parse().ok())
            .collect()
    };
    let (before, after) = (line(&w, "Original"), line(&w, "Painted"));
    assert_eq!((before.len(), after.len()), (3, 3), "{:#?}", w.texts());
    // The scripted device inverts.
    for (a, b) in before.iter().zip(&after) {
        assert!((255 - a).abs_diff(*b) < 40, "{before:?} {after:?}");
    }
}

#[test]
fn the_performance_panel_shows_live_numbers() {
    let mut w = Window::painting_live();
    w.press(Key::P);
    w.until_label("Show counters");
    for tab in ["Show steps", "Show roofline", "Show counters"] {
        w.click(tab);
    }
    let path = w.path("figures.json");
    w.platform.answer(Some(path.clone()));
    w.click("Export");
    w.until("the file", |_| path.exists());
    w.press(Key::P);
    w.until("the panel to go", |w| !w.has("Show steps"));
}

#[test]
fn escape_closes_a_list_before_anything_else() {
    let mut w = Window::painting_live();
    w.press(Key::G);
    w.until_label("Paint live in Wave");
    w.open_list("Detail");
    w.until_label("448 px");
    w.press(Key::Escape);
    w.until("the list to close", |w| !w.has("448 px"));
    assert!(w.has("Paint live in Wave"), "only the list was closed");
    w.click("Settings");
    w.until_label("Match system");
    w.press(Key::Escape);
    w.until("the menu to close", |w| !w.has("Match system"));
    w.press(Key::Escape);
    w.until("the styles to go", |w| !w.has("Paint live in Wave"));
}

#[test]
fn while_the_picture_is_held_the_figures_of_before_stay() {
    let mut w = Window::painting_live();
    w.press(Key::P);
    let zeros = ["Shown: 0.0 fps", "Network: median 0.0"];
    let shows_zero = |w: &Window| zeros.iter().any(|zero| w.has_containing(zero));
    // The scripted device reports one millisecond.
    w.until("figures", |w| {
        w.has_containing("Network: median 1.0") && !shows_zero(w) && !w.pace().starts_with("0 ")
    });
    w.press(Key::Space);
    w.until("the picture to be held", |w| w.pace().starts_with("Frozen ·"));
    // Longer than the seconds that figures are taken over.
    std::thread::sleep(std::time::Duration::from_millis(3300));
    w.step();
    let pace = w.pace();
    assert!(pace.starts_with("Frozen ·") && !pace.contains("fps"), "{pace}");
    assert!(!shows_zero(&w), "{:#?}", w.texts());
    assert!(!w.has_containing(" fps (target "), "{:#?}", w.texts());
    assert!(w.has("Paused"), "the panel says so");
    assert!(!w.has_containing("Network: median –"));
    w.press(Key::Space);
    w.until("it to go on", |w| !w.pace().starts_with("Frozen ·"));
    assert!(!w.has("Paused"));
}

#[test]
fn live_pictures_have_a_model_of_their_own() {
    let mut w = Window::painting_live();
    w.click("Advanced");
    w.until("lite: on a processor, left to the program", |w| w.paints("Automatic: lite"));
    w.press(Key::M);
    w.until("the full one", |w| w.paints("Full"));
    w.until("the full model", |w| {
        w.style_source.loads().contains(&("candy".to_owned(), ModelSize::Full))
    });
    w.press(Key::M);
    w.until("the lite one", |w| w.paints("Lite"));
    w.until("the settings", |w| {
        let (settings, _) = Settings::load(&w.settings_path());
        settings.live.model == Some(ModelSize::Lite) && settings.choices.model == ModelSize::Full
    });
    // With a custom size the automatic model of a CPU is still lite.
    w.press(Key::M);
    w.until("the full one", |w| w.paints("Full"));
    w.choose("Detail", "320 px");
    w.until("the size", |w| w.pace().contains("320 × 240 px"));
    assert!(w.paints("Full"), "what was chosen holds");
    w.choose("Model", "Automatic");
    w.until("lite", |w| w.paints("Automatic: lite"));
}

#[test]
fn the_original_is_seen_while_its_key_is_held() {
    let mut w = Window::painting_live();
    w.harness.key_down(Key::C);
    w.until_contains("Picture, original, ");
    // It stays, whatever was chosen before.
    w.step();
    assert!(w.has_containing("Picture, original, "));
    w.harness.key_up(Key::C);
    w.until_contains("Picture, painted, ");
    // It replaces the gallery and the comparison, too.
    w.press(Key::G);
    w.until_label("Paint live in Wave");
    w.harness.key_down(Key::C);
    w.until_contains("Picture, original, ");
    assert!(!w.has("Paint live in Wave"));
    w.harness.key_up(Key::C);
    w.until_label("Paint live in Wave");
    w.press(Key::B);
    w.until_contains("Picture, baseline fp32 and fused fp32, ");
    let place = |w: &Window| w.harness.get_by_label("Show baseline fp32").rect();
    let switch = place(&w);
    w.harness.key_down(Key::C);
    w.until_contains("Picture, original, ");
    assert_eq!(place(&w), switch, "the switch does not move");
    w.harness.key_up(Key::C);
    w.until_contains("Picture, baseline fp32 and fused fp32, ");
    // A key left pressed when another window takes the focus is released.
    w.harness.key_down(Key::C);
    w.until_contains("Picture, original, ");
    w.harness.event(Event::WindowFocused(false));
    w.until_contains("Picture, baseline fp32 and fused fp32, ");
}

#[test]
fn a_camera_is_a_mirror_and_what_is_saved_is_not_unless_that_is_asked() {
    let mut w = Window::painting_live();
    let ticked = |w: &Window, name: &str| {
        let node = w.harness.get(by().label(name).role(Role::CheckBox));
        node.accesskit_node().toggled() == Some(Toggled::True)
    };
    assert!(!ticked(&w, "Mirror") && !w.has("Mirror saved files"));
    w.choose_absent_camera();
    assert!(ticked(&w, "Mirror") && !ticked(&w, "Mirror saved files"));
    w.click("Mirror");
    w.click("Mirror saved files");
    w.until("the settings", |w| {
        let live = Settings::load(&w.settings_path()).0.live;
        !live.mirror_preview && live.mirror_saved && !live.mirror
    });
    w.press(Key::X);
    w.until_label("Use camera");
    assert!(!ticked(&w, "Mirror"), "that of the demo scene is its own");
}

#[test]
fn the_first_start_on_a_processor_shows_a_style_that_looks_well_when_small() {
    for (text, on_gpu, first) in [
        ("", false, "Starry_night"),
        ("", true, "Candy"),
        ("[state]\nhas_seen_hint = true\n", false, "Candy"),
        ("[choices]\nstyle = \"candy\"\n", false, "Candy"),
    ] {
        let mut folder = std::sync::Arc::new(tempfile::tempdir().expect("a folder"));
        std::fs::write(folder.path().join("settings.toml"), text).expect("written");
        // It stays after the first start.
        for _ in 0..2 {
            let cards = ["Candy", "Starry_night"].map(card).to_vec();
            let mut w = Window::live_showing(folder, cards, on_gpu);
            w.until(first, |w| w.is_chosen(first));
            w.press(Key::C);
            w.until_live();
            assert!(w.is_chosen(first), "{text}");
            folder = w.end();
        }
    }
}
