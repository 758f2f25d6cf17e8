//! The photo in every style as one picture.

use pictures::decode;
use values::frame::Frame;

use crate::{
    scripted::card,
    support::{Behaviour, inverted, photo},
    window::Window,
};

fn read(w: &Window, name: &str) -> Frame {
    let photo = decode::from_path(&w.path(name)).expect("a picture");
    (*photo.frame).clone()
}

/// Requests a sheet with this file name.
fn ask(w: &mut Window, name: &str) {
    w.platform.answer(Some(w.path(name)));
    w.click("Contact sheet…");
}

#[test]
fn every_style_of_the_photo_is_painted_on_one_sheet() {
    let mut w = Window::with_photo(480, 320);
    ask(&mut w, "sheet.png");
    w.until_contains("styles painted");
    // The photo and three styles in two rows, each with room for its title.
    let sheet = read(&w, "sheet.png");
    let (width, height) = (2 * 480 + 3 * 8, 2 * (320 + 34) + 3 * 8);
    assert_eq!((sheet.width(), sheet.height()), (width, height));
    let source = photo(480, 320);
    assert_eq!(sheet.crop(8, 8, 480, 320), source);
    for (x, y) in [(496, 8), (8, 370), (496, 370)] {
        assert_eq!(sheet.crop(x, y, 480, 320), inverted(&source), "at {x}, {y}");
    }
    assert!(w.has("Picture, original, 480 × 320 px"), "the photo stays as it is");
    w.click("Show in folder");
    w.until("the folder", |w| w.platform.shown() == [w.path("sheet.png")]);
    // An existing file is not replaced.
    ask(&mut w, "sheet.png");
    w.until_contains("sheet-2.png");
    assert_eq!(read(&w, "sheet.png"), sheet);
}

#[test]
fn a_sheet_can_be_stopped_and_leaves_no_file() {
    let mut w = Window::painted(60, 40);
    w.script.hold();
    ask(&mut w, "sheet.png");
    w.until_contains("Contact sheet added to the queue.");
    w.show_queue();
    w.until_label("0 of 3 styles. Starting…");
    w.click("Cancel job");
    w.until_label("Cancelled at 0 of 3 styles");
    assert!(!w.path("sheet.png").exists());
    w.script.release();
    w.click("Resume");
    w.until_label("Done. 3 styles painted.");
    assert!(w.path("sheet.png").exists());
}

#[test]
fn failed_styles_are_reported_and_the_others_are_on_the_sheet() {
    let mut w = Window::with_photo(480, 320);
    w.style_source.refuse("The weights of Candy are damaged.");
    ask(&mut w, "sheet.png");
    w.until_contains("The weights of Candy are damaged.");
    w.until_contains("styles painted");
    // The photo and two styles.
    assert_eq!(read(&w, "sheet.png").width(), 3 * 480 + 4 * 8);
    w.script.behave(Behaviour::Fail);
    ask(&mut w, "none.png");
    w.until_contains("The contact sheet was not made.");
    assert!(!w.path("none.png").exists());
}

#[test]
fn all_pictures_of_a_sheet_have_one_size() {
    let mut w = Window::showing(["Barn", "Night", "Sea", "Storm"].map(card).to_vec());
    w.until_label("Barn");
    w.open_photo(480, 320);
    ask(&mut w, "sheet.png");
    w.until_contains("styles painted");
    // The photo and two styles above two more, each above its title.
    let sheet = read(&w, "sheet.png");
    let (width, height) = (3 * 480 + 4 * 8, 2 * (320 + 34) + 3 * 8);
    assert_eq!((sheet.width(), sheet.height()), (width, height));
    let source = photo(480, 320);
    assert_eq!(sheet.crop(8, 8, 480, 320), source);
    let dark =
        |x, y| sheet.crop(x, y + 320, 480, 34).rgba().chunks(4).filter(|p| p[0] < 120).count();
    for (x, y) in [(496, 8), (984, 8), (8, 370), (496, 370)] {
        assert_eq!(sheet.crop(x, y, 480, 320), inverted(&source), "at {x}, {y}");
        assert!(dark(x, y) > 50, "the title at {x}, {y}");
    }
    let rest = sheet.crop(984, 370, 480, 354);
    let paper = rest.pixel(0, 0);
    assert!(rest.rgba().chunks(4).all(|p| p == paper), "nothing more");
}
