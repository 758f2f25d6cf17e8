//! A network file that does not define its value range: the window asks which painting looks right.

use std::{fs, path::PathBuf};

use eframe::egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT, Queryable, by};
use pictures::encode::{self, Encoding, Existing, Format};
use values::frame::Frame;
use weights::{ChannelOrder, Checkpoint, PixelChoice, PixelFormat, PixelRange, StyleLibrary};

use crate::{onnx_corpus::network_file, support::Behaviour, window::Window};

const QUESTION: &str = "Which one looks right?";
const READINGS: [&str; 4] =
    ["0..255 in and out", "0..1 in and out", "-1..1 in and out", "imagenet in, 0..255 out"];

/// The user's choice of a reading with one range.
fn said(range: PixelRange) -> PixelChoice {
    PixelFormat { input: range, output: range, order: ChannelOrder::Rgb }.into()
}

/// A file with an undefined value range, which the scripted styles know as such.
fn unclear(w: &Window, name: &str) -> PathBuf {
    let path = w.path(name);
    fs::write(&path, "unclear").expect("written");
    path
}

/// A window that asks about `mosaic.onnx`.
fn asking() -> Window {
    let mut w = Window::open();
    w.until_label("Candy");
    w.drop_file(&unclear(&w, "mosaic.onnx"));
    w.until_label(QUESTION);
    w
}

/// Number of pictures in the question.
fn pictures(w: &Window) -> usize {
    w.textured().iter().filter(|(name, ..)| name == "reading").count()
}

fn is_focused(w: &Window, label: &str) -> bool {
    w.harness
        .query(by().label(label).role(Role::Button))
        .is_some_and(|card| card.accesskit_node().is_focused())
}

#[test]
fn a_network_of_unknown_values_is_painted_four_ways_and_added_as_chosen() {
    let mut w = Window::real();
    let file = w.path("mobilenet.onnx");
    fs::write(&file, network_file("mobilenet_relu6")).expect("written");
    w.drop_file(&file);
    w.until_label(QUESTION);
    for reading in READINGS {
        assert!(w.has(reading), "{reading} is not among {:#?}", w.texts());
    }
    w.until("four pictures", |w| pictures(w) == 4);
    assert!(!w.has("Painting…"));
    // A network with output from 0 to 1 has no other colours.
    assert!(w.has_containing("all white"), "{:#?}", w.texts());
    w.harness.check_accessibility();
    w.click(READINGS[2]);
    w.until_label("mobilenet");
    assert!(!w.has(QUESTION));

    // Stored in the same way as by the command line.
    let other = tempfile::tempdir().expect("a folder");
    let mut library = StyleLibrary::open(&[], other.path().to_owned());
    let choice = PixelChoice {
        input: Some(PixelRange::Signed),
        output: Some(PixelRange::Signed),
        order: None,
    };
    let checkpoint = Checkpoint::read_as(&file, choice).expect("read");
    library.keep(&checkpoint, &file, None).expect("imported");
    let kept = |folder: PathBuf| {
        let mut files = fs::read_dir(folder.join("mobilenet")).expect("a style");
        let file = files.next().expect("weights").expect("an entry").path();
        (file.file_name().map(ToOwned::to_owned), fs::read(&file).expect("read"))
    };
    let style = kept(w.path("styles"));
    assert!(style == kept(other.path().to_owned()));
    let checkpoint = Checkpoint::from_bytes(&style.1).expect("a style");
    assert_eq!(checkpoint.metadata["output_range"], "-1..1");

    // It is selected, and paints.
    w.drop_photo("beach.png", 40, 30);
    w.until_label("beach.png, 40 × 30 px");
    assert!(w.is_chosen("mobilenet"));
    w.until_painted();
}

#[test]
fn only_what_is_unknown_is_asked() {
    let mut w = Window::real();
    // Ends in Tanh.
    let file = w.path("signed.onnx");
    fs::write(&file, network_file("nhwc_edges")).expect("written");
    w.drop_file(&file);
    w.until_label(QUESTION);
    assert!(w.has_containing("which pixel range its network reads."));
    for reading in
        ["-1..1 in and out", "0..255 in, -1..1 out", "0..1 in, -1..1 out", "imagenet in, -1..1 out"]
    {
        assert!(w.has(reading), "{reading} is not among {:#?}", w.texts());
    }
    w.click("Cancel");
    w.until_contains("signed.onnx was not added as a style.");
    assert!(!w.path("styles").join("signed").exists());
}

#[test]
fn both_orders_are_painted_if_only_the_order_is_unknown() {
    let mut w = Window::real();
    // Divides by 255 first and multiplies by it last.
    let file = w.path("scaled.onnx");
    fs::write(&file, network_file("scaled_inside")).expect("written");
    w.drop_file(&file);
    w.until_label(QUESTION);
    assert!(w.has_containing("which channel order"));
    w.until("two pictures", |w| pictures(w) == 2);
    assert!(w.has("0..255 in and out, rgb"));
    w.click("0..255 in and out, bgr");
    w.until_label("scaled");
    let mut weights = fs::read_dir(w.path("styles").join("scaled")).expect("a style");
    let weights = weights.next().expect("weights").expect("an entry").path();
    let checkpoint = Checkpoint::read(&weights).expect("a style");
    assert_eq!(checkpoint.metadata["channel_order"], "bgr");
}

#[test]
fn keys_choose_a_reading() {
    let mut w = asking();
    w.until("the focus", |w| is_focused(w, READINGS[0]));
    w.key(Modifiers::NONE, Key::ArrowRight);
    w.key(Modifiers::NONE, Key::ArrowRight);
    w.until("the focus", |w| is_focused(w, READINGS[2]));
    w.key(Modifiers::NONE, Key::ArrowLeft);
    w.until("the focus", |w| is_focused(w, READINGS[1]));
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("mosaic");
    let wanted = ("mosaic".to_owned(), said(PixelRange::Unit));
    assert_eq!(w.style_source.imports(), [wanted]);
    assert!(!w.has(QUESTION));
}

#[test]
fn escape_and_cancel_add_nothing() {
    let mut w = asking();
    w.key(Modifiers::NONE, Key::Escape);
    w.until_contains("mosaic.onnx was not added as a style.");
    assert!(!w.has(QUESTION));
    w.drop_file(&unclear(&w, "wave.onnx"));
    w.until_label(QUESTION);
    w.click("Cancel");
    w.until_contains("wave.onnx was not added as a style.");
    assert!(!w.has(QUESTION));
    assert_eq!(w.style_source.imports(), []);
}

#[test]
fn a_reading_is_set_by_hand_and_painted() {
    let mut w = asking();
    w.until("four pictures", |w| pictures(w) == 4);
    w.click("More…");
    w.until("a fifth picture", |w| pictures(w) == 5);
    assert_eq!(w.script.runs().len(), 4, "it is one of the four at first");
    let list = by().label("Input range").role(Role::ComboBox);
    assert!(w.harness.get(list).accesskit_node().is_focused());
    w.choose("Input range", "caffe");
    w.choose("Channel order", "bgr");
    w.until("more pictures", |w| w.script.runs().len() >= 5 && pictures(w) == 5);
    w.click("Set by hand");
    w.until_label("mosaic");
    let format = PixelFormat {
        input: PixelRange::Caffe,
        output: PixelRange::Bytes,
        order: ChannelOrder::Bgr,
    };
    let wanted = ("mosaic".to_owned(), format.into());
    assert_eq!(w.style_source.imports(), [wanted]);
}

#[test]
fn the_open_photo_is_painted_and_a_picture_of_one_color_is_reported() {
    let mut w = Window::open();
    let black = w.path("black.png");
    let frame = Frame::from_fn(40, 20, |_, _| [0, 0, 0, 255]);
    encode::save(&black, &frame, None, Encoding::of(Format::Png), Existing::Keep).expect("saved");
    w.drop_file(&black);
    w.until_label("black.png, 40 × 20 px");
    w.drop_file(&unclear(&w, "mosaic.onnx"));
    // The scripted device inverts.
    w.until("four remarks", |w| w.texts().iter().filter(|t| *t == "all white").count() == 4);
    assert_eq!(w.script.runs(), [(40, 20); 4]);
}

#[test]
fn an_error_replaces_a_picture_and_the_reading_can_be_chosen() {
    let mut w = Window::open();
    w.script.behave(Behaviour::Fail);
    w.drop_file(&unclear(&w, "mosaic.onnx"));
    w.until("four errors", |w| {
        w.texts().iter().filter(|t| t.contains("could not be allocated")).count() == 4
    });
    assert_eq!(pictures(&w), 0);
    w.click(READINGS[1]);
    w.until_label("mosaic");
    let wanted = ("mosaic".to_owned(), said(PixelRange::Unit));
    assert_eq!(w.style_source.imports(), [wanted]);
}

#[test]
fn an_error_replaces_the_pictures_of_a_deleted_file() {
    let mut w = Window::open();
    w.script.hold();
    let file = unclear(&w, "mosaic.onnx");
    w.drop_file(&file);
    w.until_label(QUESTION);
    w.until("the first run", |w| w.script.runs().len() == 1);
    fs::remove_file(&file).expect("removed");
    w.script.release();
    w.until("three errors", |w| w.texts().iter().filter(|t| *t == "the file is gone").count() == 3);
    assert_eq!(pictures(&w), 1);
}

#[test]
fn several_files_are_asked_about_one_after_the_other() {
    let mut w = Window::open();
    w.until_label("Candy");
    let names = ["one.onnx", "two.onnx", "three.onnx"];
    let files: Vec<PathBuf> = names.iter().map(|name| unclear(&w, name)).collect();
    for file in &files {
        w.drop_file(file);
    }
    let mut asked = Vec::new();
    for turn in 0..3 {
        let name = |w: &Window| {
            w.texts()
                .iter()
                .find_map(|t| t.split_once(" does not say "))
                .map(|(name, _)| name.to_owned())
        };
        w.until("the next question", |w| name(w).is_some_and(|name| !asked.contains(&name)));
        asked.push(name(&w).expect("asked"));
        match turn {
            1 => w.key(Modifiers::NONE, Key::Escape),
            _ => w.click(READINGS[0]),
        }
    }
    w.until("two styles", |w| w.style_source.imports().len() == 2);
    asked.sort();
    assert_eq!(asked, ["one.onnx", "three.onnx", "two.onnx"]);
    w.step();
    assert!(!w.has(QUESTION));
}

#[test]
fn closing_the_window_is_as_cancelling() {
    let mut w = asking();
    w.script.hold();
    assert!(!w.close_is_held_back());
    assert!(!w.has(QUESTION));
    let source = w.style_source.clone();
    drop(w.end());
    assert_eq!(source.imports(), []);
}

#[test]
fn a_question_that_another_takes_the_place_of_is_asked_again() {
    let mut w = Window::unsaved(40, 30);
    w.drop_file(&unclear(&w, "mosaic.onnx"));
    w.until_label(QUESTION);
    w.drop_photo("next.png", 50, 20);
    w.until_label("Save the painting first?");
    assert!(!w.has(QUESTION));
    w.click("Cancel");
    w.until_label(QUESTION);
    w.until("four pictures", |w| pictures(w) == 4);
    w.click(READINGS[3]);
    w.until_label("mosaic");
}

#[test]
fn the_question_fits_the_smallest_window() {
    let mut w = Window::sized(1000.0, 640.0);
    w.drop_file(&unclear(&w, "mosaic.onnx"));
    w.until_label(QUESTION);
    w.click("More…");
    w.until("five pictures", |w| pictures(w) == 5);
    for label in READINGS.into_iter().chain(["Set by hand", "Cancel"]) {
        let found = w.harness.query_all(by().label(label).role(Role::Button));
        for node in found {
            let rect = node.rect();
            let is_inside = rect.top() >= 0.0 && rect.bottom() <= 640.0;
            assert!(is_inside && rect.left() >= 0.0 && rect.right() <= 1000.0, "{label}: {rect}");
        }
    }
}
