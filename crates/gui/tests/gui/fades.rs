//! Pictures that change fade, on the test's own clock; dragging responds immediately.

use eframe::egui::{Key, Modifiers, Shape, TextureId};
use settings::Settings;

use crate::window::Window;

/// The opacity of each picture drawn with a texture of this name, in levels, bottom first.
pub fn seen(w: &Window, name: &str) -> Vec<u8> {
    drawn(w, name).into_iter().map(|(level, _)| level).collect()
}

/// As [`seen`], with the texture of each.
pub fn drawn(w: &Window, name: &str) -> Vec<(u8, TextureId)> {
    let textures = w.harness.ctx.tex_manager();
    let textures = textures.read();
    let has_name = |id| textures.meta(id).is_some_and(|meta| meta.name == name);
    let mut found = Vec::new();
    let mut shapes: Vec<&Shape> =
        (w.harness.output().shapes.iter().rev()).map(|clipped| &clipped.shape).collect();
    while let Some(shape) = shapes.pop() {
        match shape {
            Shape::Vec(more) => shapes.extend(more.iter().rev()),
            Shape::Mesh(mesh) if has_name(mesh.texture_id) => {
                let level = mesh.vertices.first().map(|vertex| vertex.color.a());
                found.extend(level.map(|level| (level, mesh.texture_id)));
            }
            _ => {}
        }
    }
    found
}

/// Number of textures with this name. Pictures that have just begun to fade in are not drawn yet.
fn textures(w: &Window, name: &str) -> usize {
    w.harness.ctx.tex_manager().read().allocated().filter(|(_, meta)| meta.name == name).count()
}

impl Window {
    /// Stops the window's clock after all fades have ended; returns the time.
    fn with_own_clock(&mut self) -> f64 {
        self.step();
        let now = self.harness.ctx.input(|i| i.time) + 1.0;
        self.at(now);
        now
    }

    /// Draws the window at this time and keeps its clock stopped.
    fn at(&mut self, seconds: f64) {
        self.harness.input_mut().time = Some(seconds);
        self.step();
    }
}

fn is_half(level: u8) -> bool {
    (120..=136).contains(&level)
}

#[test]
fn the_next_painting_fades_in() {
    let mut w = Window::with_photo(40, 30);
    let now = w.with_own_clock();
    assert_eq!((seen(&w, "photo").len(), seen(&w, "painting").len()), (1, 0));
    w.click("Candy");
    w.until("the first painting", |w| textures(w, "painting") == 1);
    w.at(now + 0.09);
    // Over the photo in its place.
    assert!(is_half(seen(&w, "painting")[0]), "{:?}", seen(&w, "painting"));
    assert_eq!(seen(&w, "photo")[0], 255);
    assert!(!w.rests(), "it continues automatically");
    w.at(now + 0.2);
    assert_eq!((seen(&w, "photo"), seen(&w, "painting")), (vec![255], vec![255]));

    let now = w.with_own_clock();
    w.click("Udnie");
    w.until("the next painting", |w| textures(w, "painting") == 2);
    assert_eq!(seen(&w, "painting"), [255]);
    w.at(now + 0.09);
    let [before, after] = seen(&w, "painting")[..] else {
        panic!("{:?}", seen(&w, "painting"));
    };
    assert!(before == 255 && is_half(after), "{before}, {after}");
    w.at(now + 0.2);
    assert_eq!(seen(&w, "painting"), [255]);
    // Messages and tooltips have also disappeared: an unchanged picture requests no frames.
    w.at(now + 60.0);
    w.until("the rest", Window::rests);

    // A cached picture also fades in.
    w.with_own_clock();
    w.click("Undo");
    w.until("the painting before", |w| w.is_chosen("Candy"));
    w.until("both", |w| textures(w, "painting") == 2);
}

#[test]
fn a_painting_fades_in_over_its_draft() {
    let mut w = Window::painted(1000, 500);
    let now = w.with_own_clock();
    w.script.hold();
    w.click("Udnie");
    w.until("the draft's run", |w| w.script.runs().len() == 3);
    // The painting is held back, its draft no longer.
    w.script.only_from(600);
    w.until("the draft", |w| textures(w, "painting") == 2);
    w.at(now + 0.2);
    w.until("only the draft", |w| seen(w, "painting") == [255]);
    w.script.release();
    w.until("the painting", |w| textures(w, "painting") == 2);
    assert_eq!(seen(&w, "painting"), [255]);
}

#[test]
fn dragging_responds_at_once() {
    let mut w = Window::painted(40, 30);
    w.with_own_clock();
    let before = w.pixels();
    w.slider("Strength").set_value_accesskit(30.0);
    let (_, place) = w.picture("painting");
    let at = place.lerp_inside(eframe::egui::vec2(0.7, 0.3));
    let level = |pixels: &eframe::egui::ColorImage| pixels[(at.x as usize, at.y as usize)];
    // With a stopped clock a picture that fades in would stay invisible.
    w.until("the other strength", |w| level(&w.pixels()) != level(&before));
    assert_eq!(seen(&w, "painting"), [255]);
}

#[test]
fn a_saved_painting_fades_in_and_the_photo_comes_back() {
    let mut w = Window::painted(40, 30);
    w.save_as("first.png");
    let now = w.with_own_clock();
    w.click("first.png");
    w.until("the saved painting", |w| w.has("Picture, saved painting, 40 × 30 px"));
    // Photo and painting, with the new picture on top, still transparent.
    assert_eq!((seen(&w, "photo"), seen(&w, "painting")), (vec![255], vec![255]));
    w.at(now + 0.09);
    let shares = [seen(&w, "photo"), seen(&w, "painting")].concat();
    assert!(shares.len() == 3 && shares.iter().all(|s| is_half(*s)), "{shares:?}");
    assert!(!w.rests());
    w.at(now + 0.2);
    assert_eq!((seen(&w, "photo"), seen(&w, "painting")), (vec![255], vec![]));
    let now = w.with_own_clock();
    w.click("Back to photo");
    w.until("the photo", |w| w.has_containing("Picture, original and painted"));
    assert_eq!((seen(&w, "photo"), seen(&w, "painting")), (vec![255], vec![]));
    w.at(now + 0.09);
    let shares = [seen(&w, "photo"), seen(&w, "painting")].concat();
    assert!(shares.len() == 3 && shares.iter().all(|s| is_half(*s)), "{shares:?}");
    w.at(now + 0.2);
    assert_eq!((seen(&w, "photo"), seen(&w, "painting")), (vec![255], vec![255]));
}

#[test]
fn another_photo_fades_in_over_the_one_before() {
    let mut w = Window::with_photo(40, 30);
    let now = w.with_own_clock();
    let [(255, before)] = drawn(&w, "photo")[..] else {
        panic!("{:?}", drawn(&w, "photo"));
    };
    w.drop_photo("tall.png", 30, 40);
    w.until_label("tall.png, 30 × 40 px");
    // The previous picture, with the new one on top, still transparent.
    assert_eq!(drawn(&w, "photo"), [(255, before)]);
    w.at(now + 0.09);
    let both = drawn(&w, "photo");
    let [(old, first), (new, second)] = both[..] else {
        panic!("{both:?}");
    };
    assert!(is_half(old) && is_half(new), "{both:?}");
    assert!(first == before && second != before, "{both:?}");
    assert!(!w.rests(), "it continues automatically");
    w.at(now + 0.2);
    assert_eq!(drawn(&w, "photo"), [(255, second)]);

    // Over live pictures a photo appears immediately.
    w.click("Live");
    w.until_live();
    w.drop_photo("third.png", 40, 30);
    w.until_label("third.png, 40 × 30 px");
    assert_eq!(seen(&w, "photo"), [255]);
}

#[test]
fn nothing_fades_if_motion_is_reduced() {
    let mut w = Window::with_photo(40, 30);
    w.click("Settings");
    w.click("Reduce motion");
    w.key(Modifiers::NONE, Key::Escape);
    w.with_own_clock();
    w.click("Candy");
    // With a stopped clock a picture that fades in would stay invisible.
    w.until("the painting", |w| seen(w, "painting") == [255]);
    w.until("the settings", |w| {
        Settings::load(&w.settings_path()).0.choices.reduce_motion == Some(true)
    });
    w = w.reopened();
    w.until("the setting", |w| w.harness.ctx.global_style().animation_time == 0.0);
}
