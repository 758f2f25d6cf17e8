//! Recently opened photos: in the top bar, on the first page, across restarts.

use std::fs;

use egui_kittest::kittest::Queryable;

use crate::window::Window;

#[test]
fn photos_that_were_opened_are_offered_over_a_restart_and_forgotten_when_asked() {
    let mut w = Window::with_photo(40, 30);
    let second = w.photo_file("second.png", 50, 20);
    w.drop_file(&second);
    w.until_label("second.png, 50 × 20 px");
    let mut w = w.reopened();
    w.until_label("Recent");
    w.step();
    let line = |name: &str| w.harness.get_by_label(name).rect();
    assert_eq!(line("photo.png").left(), line("second.png").left());
    let middle = line("Any picture can be a style").center().x;
    assert!((line("second.png").center().x - middle).abs() < 30.0);
    w.click("photo.png");
    w.until_label("photo.png, 40 × 30 px");
    w.click("Recent photos");
    w.click("second.png");
    w.until_label("second.png, 50 × 20 px");
    w.click("Recent photos");
    w.click("Clear recent photos");
    let w = w.reopened();
    assert!(!w.has("Recent"));
    assert!(!w.has("photo.png"));
}

#[test]
fn a_deleted_photo_is_reported_and_removed_from_the_list() {
    let mut w = Window::with_photo(40, 30);
    let second = w.photo_file("second.png", 50, 20);
    w.drop_file(&second);
    w.until_label("second.png, 50 × 20 px");
    fs::remove_file(w.path("photo.png")).expect("removed");
    w.click("Recent photos");
    w.click("photo.png");
    w.until_contains("no longer exists and was removed from the list of recent photos.");
    assert!(w.has("second.png, 50 × 20 px"), "the photo stays");
    w.click("Recent photos");
    w.until_label("Clear recent photos");
    assert!(w.has("second.png"));
    assert!(!w.has("photo.png"));
}

#[test]
fn ten_photos_are_remembered_and_each_once() {
    let mut w = Window::open();
    w.until_label("Candy");
    for number in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 3] {
        let name = format!("{number}.png");
        let file = w.photo_file(&name, 20 + number, 20);
        w.drop_file(&file);
        w.until_label(&format!("{name}, {} × 20 px", 20 + number));
    }
    w.click("Recent photos");
    w.until_label("Clear recent photos");
    let texts = w.texts();
    let listed = texts.iter().filter(|text| text.ends_with(".png")).count();
    assert_eq!(listed, 10, "{texts:?}");
    assert!(!w.has("1.png"), "the oldest has left");
    w.until("their pictures", |w| {
        w.textured()
            .into_iter()
            .filter(|(name, place, _)| name == "painting small" && place.width() < 40.0)
            .count()
            == 10
    });
}

#[test]
fn photos_that_were_opened_are_seen_small_and_damaged_ones_by_their_name_alone() {
    let mut w = Window::with_photo(40, 30);
    let second = w.photo_file("second.png", 50, 20);
    w.drop_file(&second);
    w.until_label("second.png, 50 × 20 px");
    let small =
        |w: &Window| w.textured().into_iter().filter(|(name, ..)| name == "painting small").count();
    // They are made before the list is opened.
    w.until("both pictures", |w| {
        w.harness
            .ctx
            .tex_manager()
            .read()
            .allocated()
            .filter(|(_, meta)| meta.name == "painting small")
            .count()
            == 2
    });
    w.click("Recent photos");
    w.until("them in the list", |w| small(w) == 2);
    fs::write(&second, "damaged").expect("written");
    let mut w = w.reopened();
    w.until("it on the first page", |w| small(w) == 1 && w.has("second.png"));
    let line = w.harness.get_by_label("second.png").rect();
    assert!(line.height() < 25.0, "all of them have room: {line:?}");
}
