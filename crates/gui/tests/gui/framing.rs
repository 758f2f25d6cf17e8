//! Rotating a photo, and saving it in a custom size.

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use media::framing::{Rotation, turn_into};
use values::frame::Frame;

use crate::{
    support::{inverted, photo},
    window::Window,
};

fn turned(photo: &Frame, rotate: Rotation) -> Frame {
    let mut turned = photo.clone();
    turn_into(photo, &mut turned, rotate, false);
    turned
}

#[test]
fn a_photo_is_turned_painted_so_and_turned_back_by_undo() {
    let mut w = Window::painted(40, 30);
    w.click("Rotate right");
    w.until_label("photo.png, 30 × 40 px");
    w.until_painted();
    assert!(w.has("Picture, original and painted, 30 × 40 px"));
    let expected = inverted(&turned(&photo(40, 30), Rotation::Quarter));
    assert_eq!(w.save_as("turned.png"), expected);
    w.click("Rotate right");
    w.until_label("photo.png, 40 × 30 px");
    w.until_painted();
    let expected = inverted(&turned(&photo(40, 30), Rotation::Half));
    assert_eq!(w.save_as("over.png"), expected);
    w.click("Rotate left");
    w.until_label("photo.png, 30 × 40 px");
    w.until_painted();
    let runs = w.script.runs().len();
    for turned in ["40 × 30", "30 × 40", "40 × 30"] {
        w.key(Modifiers::COMMAND, Key::Z);
        w.until_label(&format!("photo.png, {turned} px"));
        w.until_painted();
    }
    assert_eq!(w.save_as("back.png"), inverted(&photo(40, 30)));
    assert_eq!(w.script.runs().len(), runs, "known paintings are not painted again");
}

#[test]
fn a_photo_is_mirrored_saved_as_it_is_shown_and_mirrored_back_by_undo() {
    let mut w = Window::painted(40, 30);
    let until_it_can_be_saved = |w: &mut Window| {
        w.until("the painting", |w| {
            let save = w.harness.get_by_label("Save as…");
            w.is_painted() && !save.accesskit_node().is_disabled()
        });
    };
    let mirrored = |photo: &Frame| {
        let mut mirrored = photo.clone();
        turn_into(photo, &mut mirrored, Rotation::None, true);
        mirrored
    };
    let once = mirrored(&photo(40, 30));
    w.click("Mirror");
    until_it_can_be_saved(&mut w);
    assert_eq!(w.save_as("mirrored.png"), inverted(&once));
    // The shown picture is rotated.
    w.click("Rotate right");
    until_it_can_be_saved(&mut w);
    let expected = inverted(&turned(&once, Rotation::Quarter));
    assert_eq!(w.save_as("turned.png"), expected);
    for _ in 0..2 {
        w.key(Modifiers::COMMAND, Key::Z);
        until_it_can_be_saved(&mut w);
    }
    assert_eq!(w.save_as("back.png"), inverted(&photo(40, 30)));
}

#[test]
fn another_photo_begins_as_it_is() {
    let mut w = Window::painted(40, 30);
    w.click("Rotate left");
    w.until_label("photo.png, 30 × 40 px");
    w.until_painted();
    w.save_as("turned.png");
    let next = w.photo_file("next.png", 50, 20);
    w.drop_file(&next);
    w.until_label("next.png, 50 × 20 px");
    // A picture that was dropped without a target can become a style: the previous photo returns with its rotation.
    w.click("Use it as the style instead");
    w.until_label("photo.png, 30 × 40 px");
}

#[test]
fn rotating_while_the_device_works_restarts_the_painting() {
    let mut w = Window::with_photo(40, 30);
    w.script.hold();
    w.click("Candy");
    w.until_label("Painting in Candy…");
    w.click("Rotate left");
    w.until_label("photo.png, 30 × 40 px");
    w.script.release();
    w.until_painted();
    let expected = inverted(&turned(&photo(40, 30), Rotation::ThreeQuarters));
    assert_eq!(w.save_as("turned.png"), expected);
}

#[test]
fn the_saved_picture_has_the_long_side_that_was_chosen() {
    let mut w = Window::painted(600, 400);
    assert!(!w.has_containing("Saved at "), "as large as painted");
    let runs = w.script.runs().len();
    w.choose("Size", "Custom, 600 × 400");
    w.slider("Long side").set_value_accesskit(300.0);
    w.until_label("Saved at 300 × 200 px");
    w.until_label("Picture, original and painted, 300 × 200 px");
    let saved = w.save_as("small.png");
    assert_eq!((saved.width(), saved.height()), (300, 200));
    assert_eq!(w.script.runs().len(), runs, "painted only once");
    // The size stays for other photos, enlarging smaller ones, and across a restart.
    w.drop_photo("tiny.png", 40, 90);
    w.until_label("Saved at 133 × 300 px, enlarged 3.3 times");
    w.until_painted();
    assert_eq!(w.script.runs().last(), Some(&(40, 90)), "painted at its own size");
    let saved = w.save_as("tiny-painted.png");
    assert_eq!((saved.width(), saved.height()), (133, 300));
    let mut w = w.reopened();
    w.drop_photo("again.png", 600, 600);
    w.until_label("Saved at 300 × 300 px");
}
