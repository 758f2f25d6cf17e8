//! Colour profiles and PNG chunks: pixels are those that LittleCMS makes in sRGB, or those of the PNG specification.

use std::path::PathBuf;

use pictures::{
    decode::{self, Photo},
    encode::{self, Encoding, Format},
};
use values::frame::Frame;

use crate::{
    made::{jpeg_segment, jpeg_with, png_chunk, png_header, stored},
    picture_files::opened,
};

fn path(name: &str) -> PathBuf {
    crate::home::project().join("tests/pictures/colors").join(name)
}

fn photo(name: &str) -> Photo {
    decode::from_path(&path(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// The profile of Display P3.
pub fn display_p3() -> Vec<u8> {
    photo("display_p3.png").profile.expect("a profile")
}

/// Largest and mean difference of two pictures, in levels.
pub fn difference(a: &Frame, b: &Frame) -> (u8, f64) {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let differences: Vec<u8> = a.rgba().iter().zip(b.rgba()).map(|(a, b)| a.abs_diff(*b)).collect();
    let sum: f64 = differences.iter().map(|&d| f64::from(d)).sum();
    (differences.iter().copied().max().unwrap_or(0), sum / differences.len() as f64)
}

#[test]
fn numbers_of_other_colour_spaces_become_srgb() {
    for name in
        ["adobe_rgb", "display_p3", "prophoto", "swapped", "linear", "grey", "gama", "chrm", "cicp"]
    {
        let converted = photo(&format!("{name}.png"));
        let expected = photo(&format!("{name}.srgb.png"));
        let (largest, mean) = difference(&converted.frame, &expected.frame);
        assert!(largest <= 1 && mean < 0.2, "{name}: at most {largest}, {mean:.3} on average");
        assert_eq!(converted.notes, Vec::<String>::new(), "{name}");
        assert_eq!(expected.profile, None, "{name}");
    }
}

#[test]
fn hdr_becomes_sdr_with_a_note() {
    for (name, expected, curve, most, most_mean) in [
        ("pq.png", "hdr", "PQ", 2, 0.3),
        ("hlg.png", "hdr", "HLG", 2, 0.3),
        ("pq_limited.png", "hdr", "PQ", 2, 0.3),
        ("hlg_limited.png", "hdr", "HLG", 2, 0.3),
        ("pq_icc.png", "hdr", "PQ", 2, 0.3),
        ("pq_gray.png", "hdr_gray", "PQ", 2, 0.3),
        ("pq.avif", "hdr", "PQ", 30, 2.0),
        ("hlg.avif", "hdr", "HLG", 30, 2.0),
        #[cfg(feature = "jxl")]
        ("pq.jxl", "hdr", "PQ", 30, 2.0),
        #[cfg(feature = "jxl")]
        ("hlg.jxl", "hdr", "HLG", 30, 2.0),
        #[cfg(feature = "jxl")]
        ("pq_gray.jxl", "hdr_gray", "PQ", 2, 0.3),
    ] {
        let converted = photo(name);
        let expected = photo(&format!("{expected}.srgb.png"));
        let (largest, mean) = difference(&converted.frame, &expected.frame);
        assert!(largest <= most && mean < most_mean, "{name}: at most {largest}, mean {mean:.3}");
        let notes = converted.notes.join("\n");
        assert!(notes.contains(&format!("the photo is HDR ({curve})")), "{name}: {notes}");
        assert!(converted.is_hdr && converted.profile.is_none(), "{name}");
        assert!(!expected.is_hdr);
    }
}

#[test]
fn av1_data_may_name_hdr_where_the_file_does_not() {
    for name in ["pq.avif", "hlg.avif"] {
        let mut bytes = std::fs::read(path(name)).expect("a file");
        let named = decode::from_bytes(name, &bytes).expect("decoded");
        let at = bytes.windows(8).position(|part| part == b"colrnclx").expect("a box");
        bytes[at..at + 4].copy_from_slice(b"free");
        let unnamed = decode::from_bytes(name, &bytes).expect("decoded");
        assert_eq!((unnamed.frame, unnamed.notes), (named.frame, named.notes), "{name}");
    }
}

#[test]
fn highlights_of_hdr_stay_apart_and_colored() {
    // White paper, 400, 1000 and 10,000 candelas, and a red of 400 in BT.709.
    let levels = [[0.5807; 3], [0.6526; 3], [0.7518; 3], [1.0; 3], [0.603, 0.3855, 0.2675]];
    let levels = levels.as_flattened().iter().map(|level: &f64| (level * 65535.0) as u16);
    let rows: Vec<u8> = [0].into_iter().chain(levels.flat_map(u16::to_be_bytes)).collect();
    let chunks = [
        png_chunk(b"cICP", &[9, 16, 0, 1]),
        png_chunk(b"IDAT", &stored(&rows)),
        png_chunk(b"IEND", &[]),
    ];
    let png = [png_header(5, 1, 16, 2), chunks.concat()].concat();
    let frame = decode::from_bytes("test", &png).expect("decoded").frame;
    let reds = [0, 1, 2, 3].map(|x| frame.pixel(x, 0)[0]);
    assert!(
        reds[0] >= 245 && reds.is_sorted() && reds[0] < reds[1] && reds[1] < reds[3],
        "{reds:?}"
    );
    let [r, g, b, _] = frame.pixel(4, 0);
    assert!(r >= 245 && g < 40 && b < 40, "{r} {g} {b}");
}

#[test]
fn adobe_rgb_may_be_declared_by_exif_alone() {
    let pixels = opened(&path("adobe_rgb.png")).into_rgb8();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 100);
    pixels.write_with_encoder(encoder).expect("encoded");
    // Directories at 8, 26 and 56: EXIF; colour space and interoperability; its name.
    let exif = |space: u8, name: &[u8; 4]| {
        let mut data =
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0".to_vec();
        data.extend([
            2,
            0,
            1,
            0xa0,
            3,
            0,
            1,
            0,
            0,
            0,
            space,
            if space == 255 { 255 } else { 0 },
            0,
            0,
        ]);
        data.extend(b"\x05\xa0\x04\0\x01\0\0\0\x38\0\0\0\0\0\0\0");
        data.extend(b"\x01\0\x01\0\x02\0\x04\0\0\0");
        data.extend(name);
        data.extend([0; 4]);
        jpeg_with(&jpeg_segment(0xe1, &data), jpeg.get_ref())
    };
    let expected = photo("adobe_rgb.srgb.png");
    for (space, name, is_adobe) in
        [(255, b"R03\0", true), (2, b"R98\0", true), (255, b"R98\0", false), (1, b"R03\0", false)]
    {
        let photo = decode::from_bytes("test", &exif(space, name)).expect("decoded");
        let (_, mean) = difference(&photo.frame, &expected.frame);
        assert_eq!(mean < 3.0, is_adobe, "{space} {name:?}: {mean}");
        assert_eq!(photo.profile.is_some(), is_adobe);
    }
}

#[test]
fn inks_are_converted_by_their_profile() {
    for (name, expected) in [
        ("inks.jpg", "inks"),
        ("ink_levels.tiff", "ink_levels"),
        ("ink_perceptual.tiff", "ink_perceptual"),
    ] {
        let converted = photo(name);
        let expected = photo(&format!("{expected}.srgb.png"));
        let (largest, mean) = difference(&converted.frame, &expected.frame);
        // Two JPEG decoders round differently, and the profile is steep between the colours of its table.
        assert!(largest <= 3 && mean < 0.7, "{name}: at most {largest}, {mean:.3} on average");
        assert_eq!((converted.profile, converted.notes), (None, Vec::new()), "{name}");
    }
}

#[test]
fn the_profile_of_saved_files_is_well_formed() {
    let frame = Frame::from_fn(3, 2, |_, _| [1, 2, 3, 255]);
    let encoded = encode::to_bytes("test", &frame, None, Encoding::of(Format::Jpeg));
    let (jpeg, _) = encoded.expect("encoded");
    let signature = jpeg.windows(4).position(|part| part == b"acsp").expect("a profile");
    let profile = &jpeg[signature - 36..];
    let number = |at: usize| {
        let bytes = profile[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes) as usize
    };
    // Exactly D50 (ICC.1, 7.2.16).
    assert_eq!([68, 72, 76].map(number), [0xf6d6, 0x1_0000, 0xd32d]);
    let tags: Vec<usize> = (0..number(128)).map(|tag| 132 + 12 * tag).collect();
    for name in [b"desc", b"cprt", b"wtpt", b"rXYZ", b"rTRC"] {
        assert!(tags.iter().any(|&tag| &profile[tag..tag + 4] == name), "{name:?}");
    }
    for tag in tags {
        let (start, length) = (number(tag + 4), number(tag + 8));
        assert!(start % 4 == 0 && start + length <= number(0), "{start} + {length}");
    }
}

#[test]
fn pixels_in_srgb_are_not_touched() {
    let tagged = photo("same.png");
    let untagged = photo("gama.png");
    assert_eq!(tagged.profile, None);
    // The same numbers, which are linear here: so they differ.
    assert_ne!(tagged.frame, untagged.frame);
    let image = opened(&path("same.png")).into_rgba8();
    assert_eq!(tagged.frame.rgba(), image.as_raw().as_slice());
}

#[test]
fn deep_pixels_are_converted_before_they_are_reduced() {
    let ramp = image::ImageBuffer::from_fn(256, 1, |x, _| image::Rgb([(x * 257) as u16; 3]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    ramp.write_to(&mut bytes, image::ImageFormat::Png).expect("encoded");
    let bytes = bytes.into_inner();
    // gAMA of 1.0, before the pixels.
    let gamma = png_chunk(b"gAMA", &100_000u32.to_be_bytes());
    let linear = [&bytes[..33], &gamma, &bytes[33..]].concat();
    let photo = decode::from_bytes("ramp", &linear).expect("decoded");
    for level in 0..256 {
        let value = level as f64 / 255.0;
        let srgb = if value <= 0.003_130_8 {
            12.92 * value
        } else {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        };
        let expected = (255.0 * srgb).round() as u8;
        assert!(photo.frame.pixel(level, 0)[1].abs_diff(expected) <= 1, "{level}");
    }
}

#[test]
fn saved_files_are_tagged_and_can_keep_the_profile() {
    let original = photo("display_p3.png");
    let profile = original.profile.as_deref();
    for format in [Format::Png, Format::WebP, Format::Tiff, Format::Jpeg] {
        let encoding = Encoding { quality: 100, ..Encoding::of(format) };
        let saved = |profile| {
            let encoded = encode::to_bytes("test", &original.frame, profile, encoding);
            let (bytes, notes) = encoded.expect("encoded");
            assert_eq!(notes, Vec::<String>::new(), "{format}");
            let photo = decode::from_bytes("saved", &bytes).expect("decoded");
            (photo, bytes)
        };
        let most = if format == Format::Jpeg { 30 } else { 2 };
        let (plain, bytes) = saved(None);
        assert_eq!(plain.profile, None, "{format}");
        let tag: &[u8] = if format == Format::Png { b"sRGB" } else { b"acsp" };
        assert!(bytes.windows(4).any(|part| part == tag), "{format} is not tagged");
        assert!(difference(&plain.frame, &original.frame).0 <= most, "{format}");
        let (kept, _) = saved(profile);
        assert_eq!(kept.profile, original.profile, "{format}");
        assert!(difference(&kept.frame, &original.frame).0 <= most, "{format}");
    }
}
