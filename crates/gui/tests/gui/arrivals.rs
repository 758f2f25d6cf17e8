//! Pictures that are dropped or pasted: as a photo or as a style.

use std::{fs, path::PathBuf};

use eframe::egui::{Key, Modifiers, Pos2, Rect, ViewportId, accesskit::Toggled};
use egui_kittest::kittest::{NodeT, Queryable};
use gui::platform::Clip;

use crate::{picture_files::save_png, support::photo, window::Window};

const PAINT: &str = "Paint this photo";
const USE: &str = "Use as style";

/// The centre of a target.
fn target(w: &Window, name: &str) -> Pos2 {
    w.harness.get_by_label(name).rect().center()
}

fn is_lit(w: &Window, name: &str) -> bool {
    w.harness.get_by_label(name).accesskit_node().toggled() == Some(Toggled::True)
}

/// Drags files over this place of the window.
fn hover_at(w: &mut Window, paths: &[&PathBuf], place: Pos2) {
    w.harness.hover_at(place);
    w.hover(paths);
    w.until("the answer", |_| true);
    w.step();
}

#[test]
fn a_drop_on_a_target_is_used_for_that_target() {
    let mut w = Window::open();
    let file = w.photo_file("barn.png", 30, 20);
    w.hover(&[&file]);
    w.until_label(PAINT);
    let [paint, make] = [PAINT, USE].map(|name| target(&w, name));
    assert!(paint.x < make.x);
    hover_at(&mut w, &[&file], make);
    w.until("the light", |w| is_lit(w, USE) && !is_lit(w, PAINT));
    hover_at(&mut w, &[&file], paint);
    w.until("the light", |w| is_lit(w, PAINT) && !is_lit(w, USE));
    w.harness.check_accessibility();
    w.drop_file(&file);
    w.until_label("barn.png, 30 × 20 px");
    assert!(!w.has(PAINT) && !w.has("Opened as a photo."));
    assert!(w.style_source.imports().is_empty());

    hover_at(&mut w, &[&file], make);
    w.until("the light", |w| is_lit(w, USE));
    w.drop_file(&file);
    w.until_label("barn");
    w.until("the choice", |w| w.is_chosen("barn"));
    w.until_painted();
    assert!(w.has("barn.png, 30 × 20 px"), "the photo stays");
}

#[test]
fn the_system_is_queried_for_a_pointer_that_the_window_does_not_receive() {
    let mut w = Window::open();
    let file = w.photo_file("barn.png", 30, 20);
    w.hover(&[&file]);
    w.until_label(USE);
    let make = target(&w, USE);
    // The window is somewhere on the screen, which has two pixels per point.
    let corner = Pos2::new(300.0, 100.0);
    let viewports = &mut w.harness.input_mut().viewports;
    let viewport = viewports.entry(ViewportId::ROOT).or_default();
    viewport.inner_rect = Some(Rect::from_min_size(corner, eframe::egui::vec2(1300.0, 850.0)));
    let on_screen = corner + make.to_vec2();
    w.platform.point(Some((on_screen.x as i32, on_screen.y as i32)));
    w.until("the light", |w| is_lit(w, USE));
    w.drop_file(&file);
    w.until("the style", |w| w.is_chosen("barn"));
    assert!(w.has("Drop a photo, video or painting"), "no photo was opened");
}

#[test]
fn a_drop_outside_the_targets_is_a_photo_and_can_become_a_style_instead() {
    let mut w = Window::unsaved(40, 30);
    w.drop_photo("barn.png", 30, 20);
    w.until_label("Save the painting first?");
    w.click("Open without saving");
    w.until_label("barn.png, 30 × 20 px");
    w.until_label("Painted as a photo.");
    w.until_painted();
    w.click("Use it as the style instead");
    w.until_label("photo.png, 40 × 30 px");
    w.until("the style", |w| w.is_chosen("barn"));
    w.until_painted();
    assert!(!w.has("Painted as a photo."));
    assert_eq!(w.style_source.imports().len(), 1);
}

#[test]
fn the_offer_goes_with_the_photo_that_it_is_about() {
    let mut w = Window::open();
    let file = w.photo_file("barn.png", 30, 20);
    w.drop_file(&file);
    w.until_label("Opened as a photo.");
    w.key(Modifiers::COMMAND, Key::E);
    w.until_contains("Sample photo, ");
    assert!(!w.has("Opened as a photo."));
    w.drop_file(&file);
    w.until_label("Opened as a photo.");
    w.click("Dismiss");
    w.step();
    assert!(!w.has("Use it as the style instead"));
}

#[test]
fn models_and_folders_go_their_way_on_any_target() {
    let mut w = Window::open();
    let photo = w.photo_file("barn.png", 30, 20);
    let model = w.path("mine.pth");
    fs::write(&model, "weights").expect("written");
    w.hover(&[&photo]);
    w.until_label(PAINT);
    let [paint, make] = [PAINT, USE].map(|name| target(&w, name));
    hover_at(&mut w, &[&photo], paint);
    w.until("the light", |w| is_lit(w, PAINT));
    w.drop_file(&model);
    w.until("the style", |w| w.is_chosen("mine"));
    let folder = w.folder_of_photos(&["a.png", "b.png"]);
    hover_at(&mut w, &[&folder], make);
    w.until("the light", |w| is_lit(w, USE));
    w.drop_file(&folder);
    w.until_label("Paint 2 photos");
    assert_eq!(w.style_source.imports().len(), 1, "the model alone");
}

#[test]
fn a_live_picture_takes_a_style_and_pauses_for_a_photo() {
    let mut w = Window::live();
    w.until_contains(" fps at ");
    let file = w.photo_file("barn.png", 30, 20);
    w.hover(&[&file]);
    w.until_label(USE);
    let [paint, make] = [PAINT, USE].map(|name| target(&w, name));
    hover_at(&mut w, &[&file], make);
    w.until("the light", |w| is_lit(w, USE));
    w.drop_file(&file);
    w.until("the style", |w| w.is_chosen("barn"));
    // Still live. On a busy computer pictures can be far apart.
    w.until_contains(" fps at ");
    hover_at(&mut w, &[&file], paint);
    w.until("the light", |w| is_lit(w, PAINT));
    w.drop_file(&file);
    w.until_label("barn.png, 30 × 20 px");
    // Without a target it is also a photo, and Back returns to the live picture.
    let mut w = Window::live();
    w.until_contains(" fps at ");
    w.drop_photo("barn.png", 30, 20);
    // Found by name: the message moves until the photo is painted and disappears after a while; the number of frames
    // that takes depends on the computer.
    let instead = "Use it as the style instead";
    w.until_label(instead);
    w.harness.get_by_label(instead).click_accesskit();
    w.until("the style", |w| w.is_chosen("barn"));
    w.until_contains(" fps at ");
}

#[test]
fn a_pasted_picture_is_asked_about() {
    let mut w = Window::with_photo(40, 30);
    w.platform.put_on_clipboard(Clip::Picture(photo(21, 12)));
    w.key(Modifiers::COMMAND, Key::V);
    w.until_label("Paint it, or use it as a style?");
    assert!(w.has("Pasted picture, 21 × 12 px") && w.paints("P") && w.paints("S"));
    assert!(w.textured().iter().any(|(name, ..)| name == "asked about"), "with the picture");
    w.harness.check_accessibility();
    w.key(Modifiers::NONE, Key::Escape);
    w.until("no question", |w| !w.has("Paint it, or use it as a style?"));
    assert!(w.has("photo.png, 40 × 30 px"));
    w.key(Modifiers::COMMAND, Key::V);
    w.until_label("Paint it, or use it as a style?");
    w.key(Modifiers::NONE, Key::S);
    w.until("the style", |w| w.is_chosen("Pasted picture 21x12"));
    assert!(w.has("photo.png, 40 × 30 px"));
    w.until_painted();
    w.lower_strength();
    w.key(Modifiers::COMMAND, Key::V);
    w.until_label("Paint it, or use it as a style?");
    w.key(Modifiers::NONE, Key::P);
    w.until_label("Save the painting first?");
    w.click("Open without saving");
    w.until_label("Pasted picture, 21 × 12 px");
}

#[test]
fn copied_files_are_asked_about_and_folders_are_not() {
    let mut w = Window::open();
    let files: Vec<PathBuf> =
        ["one.png", "two.png"].iter().map(|name| w.photo_file(name, 20, 10)).collect();
    w.platform.put_on_clipboard(Clip::Files(files.clone()));
    w.click("Paste");
    w.until_label("Paint them, or use them as styles?");
    w.click("Use as styles");
    w.until_label("two");
    w.until("both", |w| w.style_source.imports().len() == 2);
    w.platform.put_on_clipboard(Clip::Files(files[..1].to_vec()));
    w.click("Paste");
    w.until_label("one.png");
    w.click("Paint this photo");
    w.until_label("one.png, 20 × 10 px");
    let folder = w.folder_of_photos(&["a.png", "b.png"]);
    w.platform.put_on_clipboard(Clip::Files(vec![folder]));
    w.click("Paste");
    w.until_label("Paint 2 photos");
    w.click("Cancel");
    w.platform.put_on_clipboard(Clip::Nothing);
    w.click("Paste");
    w.until_contains("There is no picture on the clipboard");
}

#[test]
fn text_is_pasted_into_a_field_and_copied_out_of_it() {
    let mut w = Window::open();
    let file = w.photo_file("typed.png", 30, 20);
    w.platform.refuse("No file dialog is available.");
    w.click("Open…");
    w.until_label("Open a photo, video or style");
    w.step();
    // Replaces the folder in the field, instead of following it.
    w.platform.put_text(&format!("{}\n", file.display()));
    w.key(Modifiers::COMMAND, Key::V);
    let typed = file.display().to_string();
    w.until("the path", |w| w.has(&typed));
    w.key(Modifiers::COMMAND, Key::A);
    w.platform.allow();
    w.platform.put_text("");
    w.key(Modifiers::COMMAND, Key::C);
    let platform = w.platform.clone();
    w.until("the copy", |_| platform.text() == typed);
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("typed.png, 30 × 20 px");
}

#[test]
fn a_dark_style_picture_is_added_with_a_hint() {
    let mut w = Window::real();
    let file = w.path("night.png");
    let night = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8, y as u8, 40]));
    save_png(&night, &file);
    w.platform.answer(Some(file));
    w.key(Modifiers::COMMAND, Key::I);
    w.until_label("“night” is very dark, so expect dark paintings.");
    w.until_label("night");
}
