//! The picture alone on the full screen: its placement, and the controls that appear for a while.

use eframe::egui::{Event, Key, Modifiers, Shape, Vec2, pos2, vec2};
use egui_kittest::kittest::Queryable;
use settings::Settings;

use crate::window::{Window, records_pictures};

const LEAVE: &str = "Exit full screen";
/// The usual window without the margin that tests have around it, in points.
const SCREEN: Vec2 = vec2(1284.0, 834.0);

impl Window {
    fn full_screen(mut self) -> Self {
        self.press(Key::F);
        self.until("the rest to go", |w| !w.has("Settings"));
        self
    }

    fn move_mouse(&mut self, x: f32, y: f32) {
        self.harness.event(Event::PointerMoved(pos2(x, y)));
        self.step();
    }

    /// Visible size of the picture, in points.
    fn picture_size(&self) -> Vec2 {
        let shapes = self.harness.output().shapes.iter();
        let pictures = shapes.filter_map(|clipped| match &clipped.shape {
            Shape::Mesh(mesh) => Some(mesh.calc_bounds().size()),
            _ => None,
        });
        pictures.max_by(|a, b| a.x.total_cmp(&b.x)).unwrap_or_default()
    }

    /// The window's clock in seconds, which advances with every drawn frame.
    fn clock(&self) -> f64 {
        self.harness.ctx.input(|i| i.time)
    }
}

#[test]
fn a_button_of_the_photo_page_leads_there_too() {
    let mut w = Window::painted(40, 30);
    w.click("Full screen");
    w.until("the rest to go", |w| !w.has("Settings"));
    assert!(w.has_containing("Picture, original and painted"));
    w.press(Key::Escape);
    w.until_label("Settings");
}

#[test]
fn the_controls_come_with_the_mouse_and_go_two_seconds_later() {
    let mut w = Window::painting_live().full_screen();
    assert!(!w.has(LEAVE), "the mouse has not moved");
    w.move_mouse(600.0, 200.0);
    assert!(w.has(LEAVE) && w.has("Snapshot") && w.has("Freeze"));
    let since = w.clock();
    w.until("the controls to go", |w| !w.has(LEAVE));
    let stayed = w.clock() - since;
    assert!((1.0..4.0).contains(&stayed), "{stayed} s");
    // While the pointer is over the controls they stay.
    w.move_mouse(640.0, 810.0);
    let since = w.clock();
    w.until("time to pass", |w| w.clock() > since + 4.0);
    assert!(w.has(LEAVE));
    w.click(LEAVE);
    w.until_label("Settings");
}

#[test]
fn another_styles_name_is_shown_for_a_second() {
    let mut w = Window::painting_live().full_screen();
    assert!(!w.paints("Candy"), "it was chosen before");
    let since = w.clock();
    // Each separate event would be a frame of a quarter of a second.
    w.keys_at_once(Modifiers::NONE, &[Key::Num2]);
    assert!(w.paints("Udnie"));
    w.until("the name to go", |w| !w.paints("Udnie"));
    let stayed = w.clock() - since;
    assert!((1.0..2.5).contains(&stayed), "{stayed} s");
    w.keys_at_once(Modifiers::NONE, &[Key::ArrowDown]);
    assert!(w.paints("Wave"));
}

#[test]
fn the_picture_fits_the_screen_or_fills_it_and_that_is_remembered() {
    let mut w = Window::painting_live();
    // The hints of the first start go with the first key, and the picture gets their room.
    w.press(Key::Num1);
    w.until("no hints", |w| !w.has("change the style"));
    let in_window = w.picture_size();
    w.press(Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    // It fills the screen in one direction, whatever the source's size.
    let fitted = w.picture_size();
    let left = SCREEN - fitted;
    assert!(left.min_elem().abs() < 1.0, "{fitted:?}");
    w.move_mouse(600.0, 200.0);
    w.click("Fill the screen");
    w.until("all of the screen", |w| (w.picture_size() - SCREEN).length() < 1.0);
    w.until("the settings", |w| Settings::load(&w.settings_path()).0.choices.full_screen_fills);
    w.key(Modifiers::SHIFT, Key::F);
    w.until("the settings", |w| !Settings::load(&w.settings_path()).0.choices.full_screen_fills);
    w.press(Key::Escape);
    w.until_label("Settings");
    // The demo scene may have grown on the larger screen, so the zoom may be another one.
    assert!((w.picture_size() - in_window).length() < 1.0, "as before");
}

#[test]
fn around_the_picture_all_is_black() {
    for theme in ["dark", "light"] {
        let text = format!("[choices]\ntheme = \"{theme}\"\n");
        let write = |folder: &std::path::Path| {
            std::fs::write(folder.join("settings.toml"), text).expect("written");
        };
        let mut w = Window::live_after(write);
        w.until_live();
        let mut w = w.full_screen();
        let is_black = |w: &Window| {
            let pixels = w.pixels();
            // The demo scene is narrower than the window.
            let row = pixels.size[1] / 2;
            let at = |x: usize| pixels.pixels[row * pixels.size[0] + x];
            [12, pixels.size[0] - 13].map(at) == [eframe::egui::Color32::BLACK; 2]
        };
        assert!(is_black(&w), "{theme}");
        w.press(Key::G);
        w.until("every style", |w| !w.has_containing("Picture, "));
        assert!(is_black(&w), "{theme}, every style");
    }
}

#[test]
fn the_controls_are_reached_by_tab() {
    let mut w = Window::painting_live().full_screen();
    w.press(Key::Tab);
    w.until_label(LEAVE);
    // While one of them has the focus, they stay.
    let button = w.harness.get_by_label("Fit the screen");
    button.focus();
    w.step();
    let since = w.clock();
    w.until("time to pass", |w| w.clock() > since + 4.0);
    assert!(w.has(LEAVE));
}

#[test]
fn a_photo_is_saved_from_the_full_screen() {
    let mut w = Window::painted(300, 200);
    w.key(Modifiers::NONE, Key::F);
    w.until("the rest to go", |w| !w.has("Settings"));
    w.move_mouse(600.0, 200.0);
    w.save_as("full.png");
    w.key(Modifiers::NONE, Key::Escape);
    w.until_label("Settings");
}

#[test]
fn in_full_screen_a_recording_is_shown_and_other_notices_wait_for_the_mouse() {
    let mut w = Window::live_after(records_pictures);
    w.until_live();
    let mut w = w.full_screen();
    w.press(Key::R);
    w.until_a_second_is_recorded();
    w.press(Key::R);
    w.until_contains("Recorded ");
    assert!(!w.has(LEAVE) && w.has("Show in folder"));
    w.press(Key::S);
    w.until("the snapshot", |w| w.path("StyleForge/snapshot-candy-0001.png").exists());
    let since = w.clock();
    w.until("time to pass", |w| w.clock() > since + 1.0);
    assert!(!w.has_containing("snapshot-candy"));
    w.move_mouse(600.0, 200.0);
    w.move_mouse(640.0, 810.0);
    w.until_contains("snapshot-candy");
}
