//! `styleforge stylize`: rotated and cropped photos, sizes of results, contact sheets.

use media::framing::{Crop, Framing, Rotation};
use values::frame::{Frame, PictureDifference};

use crate::sandbox::Sandbox;

fn size(frame: &Frame) -> (usize, usize) {
    (frame.width(), frame.height())
}

#[test]
fn a_photo_is_turned_mirrored_and_then_cropped() {
    let s = Sandbox::new();
    let photo = s.read("photo.png");
    let framing = Framing {
        rotate: Rotation::Quarter,
        mirror: true,
        crop: Some(Crop { x: 2, y: 3, width: 10, height: 15 }),
    };
    let flags = ["photo.png", "--rotate", "90", "--mirror", "--crop", "10x15+2+3"];
    // At strength 0 nothing is painted, so rotation and crop can be compared exactly.
    s.stylize(&[&flags[..], &["--strength", "0", "-o", "0.png"]].concat()).ends(0);
    let expected = framing.applied(&photo).expect("inside");
    assert_eq!(s.read("0.png"), expected);
    s.stylize(&[&flags[..], &["-o", "painted.png"]].concat()).ends(0);
    let painted = s.read("painted.png");
    let difference = PictureDifference::between(&expected, &painted).expect("same size");
    assert!(difference.mean > 5.0, "it was painted: {difference:?}");
}

#[test]
fn a_crop_beyond_one_photo_does_not_stop_the_others() {
    let s = Sandbox::new();
    s.photo("large.png", 60, 50);
    let run = s.stylize(&["photo.png", "large.png", "--crop", "30x20+10+10", "-o", "out/"]).ends(1);
    run.says(
        "photo.png: the crop 30x20+10+10 extends beyond the picture, which has 24 x 16 pixels",
    );
    assert_eq!(size(&s.read("out/large-tiny.png")), (30, 20));
    for (flag, wrong, advice) in [
        ("--crop", "30x20", "640x480+10+20"),
        ("--crop", "0x20+1+1", "640x480+10+20"),
        ("--rotate", "45", "give 0, 90, 180 or 270"),
        ("--output-size", "big", "the long side in pixels"),
        ("--output-size", "3", "the long side in pixels, 16 to 65535"),
        ("--output-size", "9999999", "16 to 65535"),
        ("--working-size", "3", "the long side in pixels, 16 to 65535"),
        ("--working-size", "9999999", "\"original\" or the long side in pixels, 16 to 65535"),
    ] {
        s.stylize(&["photo.png", flag, wrong, "-o", "x.png"]).ends(2).says(advice);
    }
}

#[test]
fn results_have_the_requested_long_side() {
    let s = Sandbox::new();
    s.photo("large.png", 60, 40);
    s.stylize(&["photo.png", "large.png", "--output-size", "30", "-o", "out/"]).ends(0);
    assert_eq!(size(&s.read("out/large-tiny.png")), (30, 20));
    let enlarged = s.read("out/photo-tiny.png");
    assert_eq!(size(&enlarged), (30, 20));
    s.stylize(&["photo.png", "--output-size", "2000", "-o", "most.png"]).ends(0);
    assert_eq!(size(&s.read("most.png")), (96, 64), "four times as long at most");
    s.stylize(&["large.png", "--output-size", "30", "--strength", "0", "-o", "0.png"]).ends(0);
    assert_eq!(size(&s.read("0.png")), (30, 20));
}

#[test]
fn every_style_of_a_photo_is_on_one_sheet() {
    let s = Sandbox::new();
    s.style("other.safetensors", &[]);
    let styles = ["--style", "./other.safetensors", "--contact-sheet"];
    let run = s.stylize(&[&["photo.png"][..], &styles, &["-o", "sheet.png"]].concat()).ends(0);
    assert_eq!(run.text(), "sheet.png\n");
    // The photo and two paintings in one row, with space for their titles below.
    let sheet = s.read("sheet.png");
    assert_eq!(size(&sheet), (3 * 480 + 4 * 8, 320 + 34 + 2 * 8));
    let photo = s.read("photo.png");
    let first = sheet.crop(8, 8, 480, 320);
    assert_eq!(size(&first), (480, 320));
    let middle = |frame: &Frame| frame.pixel(frame.width() / 2, frame.height() / 2);
    for (of_sheet, of_photo) in middle(&first).into_iter().zip(middle(&photo)).take(3) {
        assert!(of_sheet.abs_diff(of_photo) < 30, "the photo comes first");
    }
    // Several photos are written to a folder, and no file is replaced.
    s.photo("second.png", 20, 20);
    s.stylize(&["photo.png", "second.png", "--contact-sheet", "-o", "sheets/"]).ends(0);
    assert_eq!(s.names("sheets"), ["photo-styles.png", "second-styles.png"]);
    // The count is of photos, not of the paintings on their sheets.
    std::fs::write(s.path("bad.png"), "no picture").expect("written");
    let all = ["photo.png", "bad.png", "second.png"];
    let others = [&styles[..], &["-o", "more/"]].concat();
    s.stylize(&[&all[..], &others[..]].concat()).ends(1).says("1 of 3 photos failed");
    assert_eq!(s.names("more"), ["photo-styles.png", "second-styles.png"]);
    s.stylize(&["photo.png", "--contact-sheet", "-o", "sheet.png"]).ends(1).says("sheet.png");
    s.stylize(&["photo.png", "--contact-sheet", "--output-size", "90", "-o", "x.png"])
        .ends(2)
        .says("--contact-sheet");
}

#[test]
fn a_sheet_without_named_styles_has_all_of_them() {
    let s = Sandbox::new();
    let flags = ["--working-size", "16", "--model", "lite", "--threads", "1"];
    let run = s
        .styleforge(
            &[&["stylize", "photo.png", "--contact-sheet", "-o", "all.png"][..], &flags].concat(),
        )
        .ends(0);
    assert_eq!(run.text(), "all.png\n");
    // The photo and six styles: rows of four and three, all the same size.
    let sheet = s.read("all.png");
    assert_eq!(size(&sheet), (4 * 480 + 5 * 8, 2 * (320 + 34) + 3 * 8));
}
