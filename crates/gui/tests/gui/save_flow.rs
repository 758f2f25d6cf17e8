//! Saves, confirmations, photos and closing at the same time: nothing is lost and nothing hangs.

use std::fs;

use eframe::egui::{Key, Modifiers};
use image::{ImageEncoder, codecs::jpeg::JpegEncoder};

use crate::window::Window;

/// A window with a painting and the question whether to replace `exists.png`.
fn with_question_to_replace() -> Window {
    let mut w = Window::painted(40, 30);
    let taken = w.path("exists.png");
    fs::write(&taken, "old").expect("written");
    w.platform.answer(Some(taken));
    w.key(Modifiers::COMMAND, Key::S);
    w.until_label("Replace exists.png?");
    w
}

#[test]
fn a_painting_is_saved_with_the_resolution_for_printing() {
    let mut w = Window::painted(400, 300);
    w.choose("Print at", "300 dpi");
    w.until_label("Prints 3.4 × 2.5 cm (1.3 × 1.0 in)");
    w.save_as("print.png");
    let bytes = fs::read(w.path("print.png")).expect("saved");
    let at = bytes.windows(4).position(|name| name == b"pHYs").expect("a resolution");
    // 300 dots per inch are 11,811 per metre.
    assert_eq!(bytes[at + 4..at + 8], 11_811_u32.to_be_bytes());
}

#[test]
fn a_newer_message_about_saving_takes_the_place_of_the_one_before() {
    let mut w = Window::with_photo(40, 30);
    w.script.hold();
    w.click("Candy");
    w.until_label("Painting in Candy…");
    w.key(Modifiers::COMMAND, Key::S);
    let not_yet = "The painting is not finished yet";
    w.until_contains(not_yet);
    w.script.release();
    w.until_painted();
    w.save_as("first.png");
    assert!(!w.has_containing(not_yet));
    w.save_as("second.png");
    assert!(!w.has_containing("first.png."), "{:#?}", w.texts());
}

#[test]
fn closing_in_the_middle_of_a_question_about_replacing_leaves_nothing_stuck() {
    let mut w = with_question_to_replace();
    w.lower_strength();
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    assert!(!w.has("Replace exists.png?"));
    w.key(Modifiers::NONE, Key::Escape);
    w.until("an empty stage", |w| !w.has("Save the painting first?"));
    w.save_as("free.png");
    assert_eq!(fs::read(w.path("exists.png")).expect("read"), b"old");
    assert!(!w.close_is_held_back(), "all is saved");
}

#[test]
fn a_photo_that_arrives_during_a_question_about_replacing_leaves_nothing_stuck() {
    let mut w = with_question_to_replace();
    w.lower_strength();
    let next = w.photo_file("next.png", 50, 20);
    w.drop_file(&next);
    w.until_label("Save the painting first?");
    w.click("Cancel");
    w.step();
    w.save_as("free.png");
    w.drop_file(&next);
    w.until_label("next.png, 50 × 20 px");
    w.until_painted();
    // This painting was only made because its photo was opened, so closing asks nothing. A painting in another
    // style would have been the user's choice.
    assert!(!w.close_is_held_back());
}

#[test]
fn saving_over_a_file_before_closing_closes() {
    let mut w = Window::unsaved(40, 30);
    let taken = w.path("exists.png");
    fs::write(&taken, "old").expect("written");
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
    w.platform.answer(Some(taken.clone()));
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("Replace exists.png?");
    w.click("Replace");
    w.until("the window to close", |w| w.closes());
    assert_ne!(fs::read(&taken).expect("read"), b"old");
}

#[test]
fn an_answer_about_replacing_saves_the_picture_of_the_question() {
    let mut w = with_question_to_replace();
    // The window no longer shows that result, but the question is still about it.
    w.slider("Strength").set_value_accesskit(40.0);
    w.step();
    w.click("Replace");
    w.until_contains("Saved as ");
    let saved = pictures::decode::from_path(&w.path("exists.png")).expect("a picture");
    let expected = crate::support::inverted(&crate::support::photo(40, 30));
    assert_eq!(*saved.frame, expected);
    assert!(w.close_is_held_back(), "what is shown now is not saved");
}

#[test]
fn a_painting_keeps_the_metadata_of_its_photo() {
    let mut w = Window::open();
    w.until_label("Candy");
    let copyright = *b"MM\0*\0\0\0\x08\0\x01\x82\x98\0\x02\0\0\0\x09\0\0\0\x1a\0\0\0\0(c) Jane\0";
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new(&mut file);
    encoder.set_exif_metadata(copyright.to_vec()).expect("metadata");
    let photo = image::RgbImage::from_pixel(40, 30, image::Rgb([90, 120, 60]));
    photo.write_with_encoder(encoder).expect("encoded");
    fs::write(w.path("photo.jpg"), file).expect("written");
    let path = w.path("photo.jpg");
    w.drop_file(&path);
    w.until_contains("photo.jpg, 40 × 30 px");
    w.click("Candy");
    w.until_painted();
    for name in ["kept.jpg", "kept.png"] {
        w.save_as(name);
        let saved = fs::read(w.path(name)).expect("there");
        assert!(saved.windows(8).any(|part| part == b"(c) Jane"), "{name}");
    }
}

#[test]
fn unsaved_copies_are_asked_about() {
    let mut w = Window::unsaved(40, 30);
    w.key(Modifiers::COMMAND, Key::C);
    w.until_contains("The painting is on the clipboard");
    assert!(w.close_is_held_back());
    w.until_label("Save the painting first?");
}
