//! What fits where there is little room, and takes no more than it needs where there is much.

use eframe::egui::{Key, Rect, pos2};
use egui_kittest::kittest::Queryable;

use crate::{scripted::own_card, window::Window};

#[test]
fn the_zoom_fits_beside_the_controls_of_a_narrow_window() {
    let mut w = Window::sized(720.0, 480.0);
    w.set_scale(2.0);
    w.until_label("Candy");
    let file = w.photo_file("photo.png", 40, 30);
    w.drop_file(&file);
    w.until_label("photo.png, 40 × 30 px");
    w.click("Candy");
    w.until_painted();
    w.click("Controls");
    w.until_label("Detail");
    w.step();
    // Between the styles and the controls.
    let room = Rect::from_min_max(pos2(212.0, 0.0), pos2(720.0 - 280.0, 480.0));
    let names = ["Zoom out", "Zoom in", "Fit", "Actual size"];
    let looks = ["Show original", "Show split", "Show painted"];
    for name in names.iter().chain(&looks) {
        let rect = w.harness.get_by_label(name).rect();
        assert!(room.contains_rect(rect), "{name} is at {rect:?}");
    }
}

#[test]
fn one_row_holds_looks_and_zoom_where_there_is_room() {
    let w = Window::painted(40, 30);
    let center = |name: &str| w.harness.get_by_label(name).rect().center().y;
    assert_eq!(center("Show split"), center("Actual size"));
}

#[test]
fn a_message_is_as_wide_as_its_words() {
    let mut w = Window::showing(vec![own_card("Barn"), own_card("Aquarium")]);
    w.until_label("Barn");
    let right = |w: &Window| w.harness.get_by_label("Dismiss").rect().right();
    w.click("Barn");
    w.press(Key::Delete);
    w.until_label("“Barn” was removed.");
    w.step();
    let short = right(&w);
    assert!(short < 212.0 + 8.0 + 280.0, "it ends at {short}");
    w.click("Dismiss");
    w.until("it to go", |w| !w.has("Dismiss"));
    w.platform.refuse("No file manager could be opened, and a few more words make a line that is full and more than full.");
    let card = w.harness.get_by_label("Aquarium");
    card.click_secondary();
    w.until_label("Show file");
    w.click("Show file");
    w.until_contains("No file manager could be opened");
    w.step();
    let long = right(&w);
    assert!(long > short + 80.0 && long < 212.0 + 16.0 + 374.0, "{long}");
}

#[test]
fn the_controls_keep_their_edges_whatever_they_show() {
    let edges = |w: &Window| {
        let all = ["Strength", "Detail"].into_iter().flat_map(|name| {
            let controls = w.harness.query_all_by_label(name);
            controls.map(|node| node.rect().right()).collect::<Vec<_>>()
        });
        all.collect::<Vec<_>>()
    };
    let mut w = Window::open();
    w.until_label("Candy");
    w.step();
    let before = edges(&w);
    assert_eq!(before.len(), 4, "two sliders and their numbers: {before:?}");
    assert_eq!((before[0], before[1]), (before[2], before[3]));
    let rail = w.slider("Strength").rect().width();
    assert!(rail > 230.0, "of the 256 between the margins: {rail}");
    let file = w.photo_file("photo.png", 40, 30);
    w.drop_file(&file);
    w.until_label("photo.png, 40 × 30 px");
    w.step();
    assert_eq!(edges(&w), before);
}
