//! Metadata of a photo: its painting gets a copy, in every format that can contain it.

use std::{fs, io::Cursor};

use image::{ImageDecoder, ImageReader};
use pictures::encode;

use crate::sandbox::Sandbox;

const XMP: &str = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" dc:rights=\"(c) Jane\"/>";

/// A JPEG of 24 x 16 pixels at 300 dpi, stored sideways, with EXIF, XMP and IPTC, a place and a thumbnail.
fn photo(s: &Sandbox) {
    s.photo("plain.jpg", 16, 24);
    let plain = fs::read(s.path("plain.jpg")).expect("there");
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08".to_vec();
    exif.extend(b"\0\x03\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
    exif.extend(b"\x82\x98\0\x02\0\0\0\x09\0\0\0\x32\x88\x25\0\x04\0\0\0\x01\0\0\0\x3c");
    exif.extend(b"\0\0\0\x56(c) Jane\0\0");
    exif.extend(b"\0\x01\0\x01\0\x02\0\0\0\x08\0\0\0\x4e\0\0\0\0NORTHERN");
    exif.extend(b"\0\x02\x02\x01\0\x04\0\0\0\x01\0\0\0\x74\x02\x02\0\x04\0\0\0\x01\0\0\0\x05");
    exif.extend(b"\0\0\0\0UNPAINTED");
    let segment = |marker: u8, data: &[u8]| {
        [&[0xff, marker][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat()
    };
    let xmp = [b"http://ns.adobe.com/xap/1.0/\0", XMP.as_bytes()].concat();
    let iptc = b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x74\0\x03(c)";
    let mut file = plain[..20].to_vec();
    // Pixels per inch.
    file[13..18].copy_from_slice(&[1, 1, 44, 1, 44]);
    for (marker, data) in [(0xe1, &exif[..]), (0xe1, &xmp), (0xed, iptc)] {
        file.extend(segment(marker, data));
    }
    file.extend(&plain[20..]);
    fs::write(s.path("photo.jpg"), file).expect("written");
}

fn contains(data: &[u8], word: &str) -> bool {
    data.windows(word.len()).any(|part| part == word.as_bytes())
}

#[test]
fn a_painting_keeps_what_the_file_says_about_the_photo() {
    let s = Sandbox::new();
    photo(&s);
    for (name, has_exif) in [("a.jpg", true), ("a.png", true), ("a.webp", true), ("a.tiff", false)]
    {
        let run = s.stylize(&["photo.jpg", "-o", name]).ends(0);
        let file = fs::read(s.path(name)).expect("written");
        for (word, is_kept) in [
            ("(c) Jane", true),
            (XMP, true),
            ("NORTHERN", has_exif),
            ("\x1c\x02\x74\0\x03(c)", matches!(name, "a.jpg" | "a.tiff")),
            ("UNPA", false),
        ] {
            assert_eq!(contains(&file, word), is_kept, "{word:?} in {name}");
        }
        assert_eq!(run.stderr.contains("metadata"), name != "a.jpg", "{}", run.stderr);
        let reader = ImageReader::new(Cursor::new(&file)).with_guessed_format().expect("read");
        let mut decoder = reader.into_decoder().expect("a picture");
        assert_eq!(decoder.dimensions(), (24, 16), "{name} is upright");
        let orientation = decoder.orientation().expect("read");
        assert_eq!(orientation, image::metadata::Orientation::NoTransforms, "{name}");
    }
    let jpeg = fs::read(s.path("a.jpg")).expect("written");
    assert_eq!(jpeg[13..18], [1, 1, 44, 1, 44], "300 dpi");
    // 300 dpi are 11811 pixels per metre.
    let png = fs::read(s.path("a.png")).expect("written");
    assert!(contains(&png, "pHYs\0\0\x2e\x23\0\0\x2e\x23\x01"));
    // The painting of a painting keeps them as well.
    for from in ["a.png", "a.webp", "a.tiff"] {
        s.stylize(&[from, "-o", "again.jpg", "--force"]).ends(0);
        let file = fs::read(s.path("again.jpg")).expect("written");
        assert!(contains(&file, "(c) Jane"), "{from}");
        assert_eq!(file[13..18] == [1, 1, 44, 1, 44], from != "a.webp", "{from}");
    }
    let run = s.stylize(&["photo.jpg", "-o", "a.bmp"]).ends(0);
    run.says("EXIF and XMP and IPTC metadata cannot be written to bmp");
}

#[test]
fn a_painting_names_the_settings_that_made_it() {
    let s = Sandbox::new();
    s.photo("in/a.jpg", 24, 16);
    s.photo("in/b.png", 24, 16);
    let has_settings = |name: &str, strength: &str| {
        let texts = encode::texts(&s.path(name));
        let has = |pair: (&str, &str)| texts.contains(&(pair.0.to_owned(), pair.1.to_owned()));
        let strength = has(("Strength", strength));
        [has(("Style", "tiny")), has(("Working size", "24 x 16 px")), strength]
    };
    s.stylize(&["in", "-o", "out", "--strength", "60"]).ends(0);
    for name in ["out/a-tiny.jpg", "out/b-tiny.png"] {
        assert_eq!(has_settings(name, "60 %"), [true; 3], "{name}");
    }
    s.styleforge(&["stylize", "in/b.png", "--style", "candy", "--model", "lite", "-o", "one.png"])
        .ends(0);
    assert!(encode::texts(&s.path("one.png")).contains(&("Style".into(), "candy lite".into())));
    s.stylize(&["in/b.png", "-o", "bare.png", "--strip-metadata"]).ends(0);
    assert_eq!(encode::texts(&s.path("bare.png")), []);
}

#[test]
fn metadata_are_stripped_on_request() {
    let s = Sandbox::new();
    photo(&s);
    for (name, strength) in [("a.jpg", "100"), ("b.jpg", "0")] {
        let stripped = |option: &str| {
            s.stylize(&["photo.jpg", option, "--strength", strength, "--force", "-o", name])
                .ends(0);
            fs::read(s.path(name)).expect("written")
        };
        let file = stripped("--strip-location");
        assert!(contains(&file, "(c) Jane") && !contains(&file, "NORTHERN"), "{name}");
        let file = stripped("--strip-metadata");
        assert!(!contains(&file, "Jane") && !contains(&file, "Exif"), "{name}");
        assert_ne!(file[13..18], [1, 1, 44, 1, 44]);
    }
}
