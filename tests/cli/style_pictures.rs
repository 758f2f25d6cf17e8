//! Pictures as styles: given for one run, mixed, and kept.

use std::{collections::HashMap, fs};

use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::Value;
use values::frame::Frame;

use crate::sandbox::Sandbox;

/// Two very different pictures and a photo.
fn with_pictures() -> Sandbox {
    let s = Sandbox::new();
    s.photo("Wide one.png", 70, 30);
    s.photo("other.png", 33, 64);
    s
}

const STYLE: &str = "--style-picture";

#[test]
fn a_picture_is_kept_as_a_style_and_paints_as_it_did_before() {
    let s = with_pictures();
    let run = s.styleforge(&["styles", "import", "Wide one.png"]).ends(0);
    assert!(run.text().contains("--style wide_one"), "{}", run.text());
    s.styleforge(&["styles", "import", "Wide one.png"]).ends(1).says("--name");
    s.styleforge(&["styles", "import", "other.png", "--name", "all"]).ends(1);
    let facts = s.styleforge(&["inspect", "wide_one", "--json"]).ends(0).json();
    assert_eq!(facts["family"], "style picture");
    s.styleforge(&["stylize", "photo.png", "--style", "wide_one", "-o", "kept.png"]).ends(0);
    s.styleforge(&["stylize", "photo.png", STYLE, "Wide one.png", "-o", "given.png"]).ends(0);
    s.styleforge(&["stylize", "photo.png", "--style", "./Wide one.png", "-o", "file.png"]).ends(0);
    assert!(s.read("kept.png") == s.read("given.png") && s.read("file.png") == s.read("given.png"));
    let photo = s.read("photo.png");
    assert!(s.read("given.png") != photo && (photo.width(), photo.height()) == (24, 16));
    s.styleforge(&["styles", "remove", "wide_one"]).ends(0);
    s.styleforge(&["inspect", "wide_one"]).ends(2);
}

#[test]
fn a_picture_without_strokes_is_reported_with_what_to_expect() {
    let s = with_pictures();
    s.photo("dot.png", 1, 1);
    let note = "note: dot.png has only one colour: it has no strokes";
    s.styleforge(&["styles", "import", "dot.png"]).ends(0).says(note);
    s.styleforge(&["stylize", "photo.png", STYLE, "dot.png", "-o", "out.png"]).ends(0).says(note);
}

#[test]
fn without_a_style_both_options_that_name_one_are_shown() {
    let run = with_pictures().styleforge(&["stylize", "photo.png", "-o", "out.png"]);
    run.ends(2)
        .says("--style <STYLE>|--style-picture <FILE[:WEIGHT]>|--look <NAME|FILE>|--contact-sheet");
}

#[test]
fn several_pictures_are_one_mix_by_their_weights() {
    let s = with_pictures();
    let painted = |name: &str, styles: &[&str]| {
        let mut arguments = vec!["stylize", "photo.png", "-o", name];
        arguments.extend(styles.iter().flat_map(|style| [STYLE, *style]));
        s.styleforge(&arguments).ends(0);
        s.read(name)
    };
    let first = painted("first.png", &["Wide one.png"]);
    let second = painted("second.png", &["other.png:3"]);
    assert!(first == painted("all.png", &["Wide one.png:2", "other.png:0"]));
    let mixed = painted("mixed.png", &["Wide one.png:70", "other.png:30"]);
    assert!(mixed != first && mixed != second);
    // An existing file takes precedence if its name ends like a weight.
    fs::copy(s.path("other.png"), s.path("other.png:5")).expect("copied");
    assert!(second == painted("named.png", &["other.png:5"]));
}

#[test]
fn unsuitable_style_pictures_are_refused() {
    let s = with_pictures();
    fs::write(s.path("damaged.png"), &fs::read(s.path("other.png")).expect("read")[..60])
        .expect("written");
    fs::write(s.path("text.png"), "not a supported image").expect("written");
    for (styles, words) in [
        (&["nowhere.png"][..], "nowhere.png"),
        (&["damaged.png"], "damaged.png"),
        (&["text.png"], "text.png"),
        (&["other.png:0"], "weight above zero"),
        (&["other.png:-1"], "must be 0 or more"),
        (&["other.png:nan"], "must be 0 or more"),
        (&["other.png", "nowhere.png"], "nowhere.png"),
    ] {
        let mut arguments = vec!["stylize", "photo.png", "-o", "out.png"];
        arguments.extend(styles.iter().flat_map(|style| [STYLE, *style]));
        s.styleforge(&arguments).ends(2).says(words);
        assert!(!s.path("out.png").exists());
    }
    s.styleforge(&["styles", "import", "damaged.png"]).ends(1).says("damaged.png");
    s.styleforge(&["stylize", "photo.png", STYLE, "other.png", "--model", "lite", "-o", "out.png"])
        .ends(2)
        .says("leave out --model");
    s.styleforge(&["bench", STYLE, "other.png", "--style", "candy"]).ends(2);
}

#[test]
fn pictures_of_one_pixel_and_transparent_ones_are_styles() {
    let s = with_pictures();
    s.photo("dot.png", 1, 1);
    s.photo("line.png", 1, 300);
    for name in ["dot.png", "line.png"] {
        s.styleforge(&["stylize", "photo.png", STYLE, name, "-o", "out.png", "--force"]).ends(0);
    }
}

/// A style picture is read like a photo. If it is too large, it is refused by its header, before memory is allocated.
#[cfg(target_os = "linux")]
#[test]
fn a_style_picture_too_large_is_refused_by_its_header() {
    let s = Sandbox::new();
    // 190 megapixels, which a computer with little memory refuses; and more than any computer accepts.
    s.hole("huge.bmp", 14_000, 13_572);
    s.hole("larger.bmp", 20_000, 10_001);
    let paint = "$STYLEFORGE stylize photo.png --device cpu --threads 1 -o out.png --style-picture";
    s.shell(&format!("ulimit -v 1200000; exec {paint} huge.bmp"))
        .ends(2)
        .says("huge.bmp has 14000 x 13572 pixels and needs 1521 MB of memory");
    s.shell(&format!("exec {paint} larger.bmp"))
        .ends(2)
        .says("larger.bmp declares 20000 x 10001 pixels; the limit is 200 megapixels");
    s.shell("ulimit -v 1200000; exec $STYLEFORGE styles import huge.bmp")
        .ends(1)
        .says("needs 1521 MB of memory");
    assert!(!s.path("out.png").exists());
}

#[test]
fn flat_transparent_and_grey_pictures_are_styles() {
    let s = Sandbox::new();
    let grey = |x: usize, y: usize| ((x * 5) ^ (y * 3)) as u8;
    s.picture("flat.png", &Frame::from_fn(64, 64, |_, _| [180, 60, 20, 255]));
    // Fully transparent pixels become paper, whatever colours the file stores there.
    s.picture("clear.png", &Frame::from_fn(64, 48, |x, y| [grey(x, y), 9, 200, 0]));
    s.picture("paper.png", &Frame::from_fn(64, 48, |_, _| [255; 4]));
    let levels: Vec<u8> = (0..64 * 48).map(|at| grey(at % 64, at / 64)).collect();
    let file = fs::File::create(s.path("grey.png")).expect("a file");
    let mut png = png::Encoder::new(file, 64, 48);
    png.set_color(png::ColorType::Grayscale);
    png.set_depth(png::BitDepth::Eight);
    let mut png = png.write_header().expect("a header");
    png.write_image_data(&levels).expect("pixels");
    png.finish().expect("written");
    s.picture(
        "grey in colour.png",
        &Frame::from_fn(64, 48, |x, y| {
            let level = grey(x, y);
            [level, level, level, 255]
        }),
    );
    let photo = s.read("photo.png");
    let painted = |style: &str| {
        let arguments = ["--style-picture", style, "-o", "out.png", "--force"];
        s.styleforge(&[&["stylize", "photo.png"], &arguments[..]].concat()).ends(0);
        let painted = s.read("out.png");
        assert_eq!((painted.width(), painted.height()), (24, 16), "{style}");
        assert!(painted != photo, "{style}");
        painted
    };
    let flat = painted("flat.png");
    let clear = painted("clear.png");
    assert!(clear == painted("paper.png") && clear != flat);
    let grey = painted("grey.png");
    assert!(grey == painted("grey in colour.png") && grey != clear);
}

/// Every command that accepts a style accepts a weighted mix of pictures, and names it by its pictures.
#[test]
fn every_command_takes_a_mix_of_pictures() {
    let s = with_pictures();
    let mix = [STYLE, "Wide one.png:70", STYLE, "other.png:30"];
    let brief = ["--device", "cpu", "--threads", "1"];
    let small = ["--size", "32x24", "--frames", "1", "--warmup", "0"];
    let run = |command: &[&str]| s.styleforge(&[command, &mix[..], &brief[..]].concat()).ends(0);
    run(&["stylize", "photo.png", "-o", "out.png"]);
    assert!(s.read("out.png") != s.read("photo.png"));
    let live = ["live", "--working-size", "64", "--frames", "2", "--json"];
    let report = run(&live).json();
    assert!(report["painted"].as_u64() >= Some(2), "{report}");
    let report = run(&[&["bench", "--json"], &small[..]].concat()).json();
    let names = |report: &Value, key: &str| -> Vec<String> {
        let rows = report[key].as_array().expect("rows").iter();
        rows.map(|row| {
            row.get("style")
                .or_else(|| row.get("network"))
                .and_then(Value::as_str)
                .expect("a name")
                .to_owned()
        })
        .collect()
    };
    assert_eq!(names(&report, "results"), ["Wide one+other"; 2]);
    let compare = ["compare", "baseline fp32", "fused fp32", "--json"];
    let report = run(&[&compare, &small[..]].concat()).json();
    assert_eq!(report["style"], "Wide one+other");
    assert!(report["equality"]["failure"].is_null(), "{report}");
    let report = run(&["check", "--variant", "fused", "--json"]).json();
    assert_eq!(names(&report, "checks"), ["Wide one+other"]);
    assert_eq!(report["passed"], true);
}

/// The kept file of a style with one change.
fn changed(file: &[u8], change: impl Fn(&mut Vec<f32>, &mut HashMap<String, String>)) -> Vec<u8> {
    let (_, head) = SafeTensors::read_metadata(file).expect("a head");
    let mut metadata = head.metadata().clone().expect("metadata");
    let tensors = SafeTensors::deserialize(file).expect("well formed");
    let code = tensors.tensor("code").expect("a code");
    let numbers = code.data().chunks_exact(4);
    let mut values: Vec<f32> =
        numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    change(&mut values, &mut metadata);
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(code.dtype(), vec![values.len()], &bytes).expect("a view");
    safetensors::serialize([("code", view)], Some(metadata)).expect("written")
}

#[test]
fn damaged_codes_are_refused_by_name() {
    let s = with_pictures();
    s.styleforge(&["styles", "import", "other.png", "--name", "one"]).ends(0);
    let kept = s.styleforge(&["styles", "--json"]).ends(0).json();
    let own = kept["styles"].as_array().expect("a list").iter().find(|style| style["id"] == "one");
    let folder = own.expect("kept")["origin"]["path"].as_str().expect("a path").to_owned();
    let file = fs::read(format!("{folder}/full.safetensors")).expect("read");
    assert!(file.len() < 100_000, "{} bytes", file.len());
    type Change = fn(&mut Vec<f32>, &mut HashMap<String, String>);
    let changes: [(Change, &str); 4] = [
        (|values, _| values[7] = f32::NAN, "NaN"),
        (|values, _| values.truncate(9), "shape [9]"),
        (|values, _| values.push(0.0), "shape"),
        (
            |_, metadata| {
                metadata.insert("styleforge.style_code".to_owned(), "0123".to_owned());
            },
            "import the picture again",
        ),
    ];
    for (change, words) in changes {
        fs::write(s.path("code.safetensors"), changed(&file, change)).expect("written");
        s.styleforge(&["stylize", "photo.png", "--style", "./code.safetensors", "-o", "out.png"])
            .ends(2)
            .says(words);
        s.styleforge(&["inspect", "./code.safetensors"]).says(words);
    }
    fs::write(s.path("code.safetensors"), changed(&file, |_, _| {})).expect("written");
    s.styleforge(&["stylize", "photo.png", "--style", "./code.safetensors", "-o", "out.png"])
        .ends(0);
}
