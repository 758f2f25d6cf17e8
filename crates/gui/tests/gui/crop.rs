//! Cropping with a rectangle over the photo.

use eframe::egui::{Key, Modifiers, Pos2, vec2};
use egui_kittest::kittest::Queryable;

use crate::{
    support::{inverted, photo},
    window::Window,
};

/// A painted photo of 400 x 300 pixels, in crop mode.
fn cropping() -> Window {
    let mut w = Window::painted(400, 300);
    w.click("Crop the photo");
    w.until_label("400 × 300 px");
    w
}

fn middle(w: &Window, name: &str) -> Pos2 {
    w.harness.get_by_label(name).rect().center()
}

/// Points of the screen per pixel of the photo.
fn scale(w: &Window) -> f32 {
    let right = middle(w, "Right edge of the crop").x;
    (right - middle(w, "Left edge of the crop").x) / 400.0
}

#[test]
fn a_part_is_chosen_by_its_handles_and_painted() {
    let mut w = cropping();
    let scale = scale(&w);
    let from = middle(&w, "Upper left corner of the crop");
    w.drag(from, from + vec2(100.0, 60.0) * scale);
    w.until_label("300 × 240 px");
    let from = middle(&w, "Right edge of the crop");
    w.drag(from, from - vec2(50.0, 0.0) * scale);
    w.until_label("250 × 240 px");
    w.click("Apply crop");
    w.until_label("photo.png, 250 × 240 px");
    w.until_painted();
    assert!(w.has("250 × 240 of 400 × 300 px"));
    let part = photo(400, 300).crop(100, 60, 250, 240);
    assert_eq!(w.save_as("part.png"), inverted(&part));
    // A cropped photo is rotated as shown, and the next crop starts with it.
    w.click("Rotate right");
    w.until_label("photo.png, 240 × 250 px");
    w.click("Crop the photo");
    w.until_label("240 × 250 px");
    w.click("Cancel");
    for _ in 0..2 {
        w.key(Modifiers::COMMAND, Key::Z);
    }
    w.until_label("photo.png, 400 × 300 px");
    w.until_painted();
}

#[test]
fn ratios_are_kept_while_the_rectangle_is_dragged() {
    let mut w = cropping();
    let scale = scale(&w);
    w.click("Ratio 1:1");
    w.until_label("300 × 300 px");
    let from = middle(&w, "Lower right corner of the crop");
    w.drag(from, from - vec2(100.0, 100.0) * scale);
    w.until_label("200 × 200 px");
    // The whole rectangle moves, and stays inside.
    let from = middle(&w, "Crop");
    w.drag(from, from + vec2(300.0, 300.0) * scale);
    w.until_label("200 × 200 px");
    w.click("Apply crop");
    w.until_label("photo.png, 200 × 200 px");
    w.until_painted();
    let part = photo(400, 300).crop(200, 100, 200, 200);
    assert_eq!(w.save_as("part.png"), inverted(&part));
    w.click("Crop the photo");
    w.click("Ratio 16:9");
    w.click("Ratio Original");
    w.click("Ratio Free");
    w.click("Ratio 4:3");
    w.key(Modifiers::NONE, Key::Escape);
    w.until("the end of cropping", |w| !w.has("Apply crop"));
    assert!(w.has("photo.png, 200 × 200 px"), "Esc leaves it as it was");
}

#[test]
fn a_ratio_is_turned_by_another_click_and_right_to_the_pixel() {
    let mut w = Window::painted(401, 299);
    w.click("Crop the photo");
    for (ratio, size) in [
        ("4:3", "399 × 299 px"),
        ("4:3", "224 × 299 px"),
        ("3:4", "399 × 299 px"),
        ("16:9", "401 × 226 px"),
        ("16:9", "168 × 299 px"),
        ("3:2", "401 × 267 px"),
        ("1:1", "299 × 299 px"),
        ("1:1", "299 × 299 px"),
    ] {
        w.click(&format!("Ratio {ratio}"));
        w.until_label(size);
    }
    assert!(w.has("Ratio 16:9"), "{:?}", w.texts());
    w.click("Apply crop");
    w.until_label("photo.png, 299 × 299 px");
}

#[test]
fn enter_applies_the_crop() {
    let mut w = cropping();
    let scale = scale(&w);
    let from = middle(&w, "Lower right corner of the crop");
    w.drag(from, from - vec2(100.0, 75.0) * scale);
    w.until_label("300 × 225 px");
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("photo.png, 300 × 225 px");
    assert!(!w.has("Apply crop"));
}

#[test]
fn a_new_rectangle_is_drawn_and_its_steps_are_its_own() {
    let mut w = cropping();
    let scale = scale(&w);
    let from = middle(&w, "Crop") - vec2(50.0, 30.0) * scale;
    w.drag(from, from + vec2(120.0, 90.0) * scale);
    w.until_label("120 × 90 px");
    w.click("Ratio 1:1");
    w.until_label("104 × 104 px");
    w.key(Modifiers::COMMAND, Key::Z);
    w.until_label("120 × 90 px");
    w.click("Undo");
    w.until_label("400 × 300 px");
    // The style of the photo is an earlier step, and stays.
    w.key(Modifiers::COMMAND, Key::Z);
    w.step();
    assert!(w.has("Apply crop") && w.is_chosen("Candy"));
    w.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    w.until_label("120 × 90 px");
    w.click("Apply crop");
    w.until_label("photo.png, 120 × 90 px");
    w.until_painted();
    let part = photo(400, 300).crop(150, 120, 120, 90);
    assert_eq!(w.save_as("part.png"), inverted(&part));
}

#[test]
fn another_photo_ends_cropping() {
    let mut w = cropping();
    w.click("Cancel");
    assert!(w.has("Picture, original and painted, 400 × 300 px"));
    w.save_as("painted.png");
    w.click("Crop the photo");
    w.until_label("Apply crop");
    let next = w.photo_file("next.png", 50, 90);
    w.drop_file(&next);
    w.until_label("next.png, 50 × 90 px");
    assert!(!w.has("Apply crop"));
    w.click("Crop the photo");
    w.until_label("Ratio 3:4");
}
