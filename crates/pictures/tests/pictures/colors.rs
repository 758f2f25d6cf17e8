//! Colour profiles and PNG chunks: pixels are those that LittleCMS makes in sRGB, or those of the PNG specification.

use std::path::PathBuf;

use pictures::{
    decode::{self, Photo},
    encode::{self, Encoding, Format},
};
use values::frame::Frame;

use crate::{made::png_chunk, picture_files::opened};

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
        let encoding = Encoding { format, quality: 100 };
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
