//! Content of pictures: orientation, depth, colour models, profiles, several frames.

use std::borrow::Cow;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use pictures::{
    decode::{self, Photo},
    encode::{self, Attached, Encoding, Format},
};
use values::frame::Frame;

use crate::made::*;

#[test]
fn every_orientation_comes_out_upright() {
    let frame = scene(5, 3);
    // Blocks that JPEG keeps exactly: 8 x 8 pixels of one colour.
    let blocks = Frame::from_fn(40, 24, |x, y| frame.pixel(x / 8, y / 8));
    for orientation in 1..=8 {
        let png = png_with(&png_chunk(b"eXIf", &exif(orientation)), &frame);
        assert_eq!(*read(&png).frame, upright(&frame, orientation), "PNG {orientation}");

        let rgb: Vec<u8> = frame.rgba().chunks(4).flat_map(|p| p[..3].to_vec()).collect();
        let tagged = tiff(5, 3, &rgb, &[(274, 3, u32::from(orientation))]);
        assert_eq!(*read(&tagged).frame, upright(&frame, orientation), "TIFF {orientation}");

        let segment = jpeg_segment(0xe1, &[b"Exif\0\0", &exif(orientation)[..]].concat());
        let jpeg = jpeg_with(&segment, &encoded(&blocks, Format::Jpeg));
        let (got, wanted) = (read(&jpeg).frame, upright(&blocks, orientation));
        assert_eq!((got.width(), got.height()), (wanted.width(), wanted.height()));
        for (x, y) in [(3, 3), (got.width() - 4, 3), (3, got.height() - 4)] {
            let (a, b) = (got.pixel(x, y), wanted.pixel(x, y));
            assert!(
                (0..3).all(|c| a[c].abs_diff(b[c]) < 30),
                "JPEG {orientation} at {x}, {y}: {a:?}, wanted {b:?}"
            );
        }
    }
    // An invalid orientation leaves the picture unchanged.
    let png = png_with(&png_chunk(b"eXIf", &exif(77)), &frame);
    assert_eq!(*read(&png).frame, frame);
}

#[test]
fn sixteen_bits_become_eight() {
    let deep = ImageBuffer::from_fn(16, 4, |x, y| Rgb([x as u16 * 4369, y as u16 * 257, 65_535]));
    let wanted = Frame::from_fn(16, 4, |x, y| [x as u8 * 17, y as u8, 255, 255]);
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let photo = read(&with_image(DynamicImage::ImageRgb16(deep.clone()), format));
        assert_eq!(*photo.frame, wanted, "{format:?}");
        assert!(photo.notes.iter().any(|n| n.contains("8 bits per channel")), "{:?}", photo.notes);
    }
    let float = ImageBuffer::from_fn(3, 1, |x, _| Rgb([x as f32 / 2.0, -1.0, f32::NAN]));
    let photo = read(&with_image(DynamicImage::ImageRgb32F(float), ImageFormat::Tiff));
    assert_eq!(photo.frame.pixel(2, 0)[..2], [255, 0]);
}

#[test]
fn grey_becomes_colour_without_a_word() {
    let grey = ImageBuffer::from_fn(7, 5, |x, y| Luma([(x * 30 + y) as u8]));
    let wanted = Frame::from_fn(7, 5, |x, y| {
        let v = (x * 30 + y) as u8;
        [v, v, v, 255]
    });
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let photo = read(&with_image(DynamicImage::ImageLuma8(grey.clone()), format));
        assert_eq!((&*photo.frame, photo.notes.len()), (&wanted, 0), "{format:?}");
    }
    let one_bit = [
        png_header(10, 2, 1, 0),
        png_chunk(b"IDAT", &stored(&[0, 0b1010_1010, 0b1000_0000, 0, 0, 0])),
        png_chunk(b"IEND", &[]),
    ]
    .concat();
    let frame = read(&one_bit).frame;
    assert_eq!((frame.pixel(0, 0)[0], frame.pixel(1, 0)[0], frame.pixel(8, 0)[0]), (255, 0, 255));
}

#[test]
fn palettes_are_looked_up_with_their_transparency() {
    let png = [
        png_header(3, 1, 8, 3),
        png_chunk(b"PLTE", &[10, 20, 30, 40, 50, 60]),
        png_chunk(b"tRNS", &[255, 9]),
        png_chunk(b"IDAT", &stored(&[0, 1, 0, 1])),
        png_chunk(b"IEND", &[]),
    ]
    .concat();
    assert_eq!(read(&png).frame.rgba(), [40, 50, 60, 9, 10, 20, 30, 255, 40, 50, 60, 9]);
    let palette = read(&fixture("palette.tiff")).frame;
    assert_eq!(palette.pixel(8, 6), [255, 0, 0, 255]);
}

#[test]
fn cmyk_is_converted_and_reported() {
    let quarters = [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]];
    for name in ["cmyk.jpg", "cmyk.tiff"] {
        let photo = read(&fixture(name));
        for ((x, y), wanted) in [(3, 3), (12, 3), (3, 12), (12, 12)].into_iter().zip(quarters) {
            let got = photo.frame.pixel(x, y);
            assert!(
                (0..3).all(|c| got[c].abs_diff(wanted[c]) < 8),
                "{name} at {x}, {y}: {got:?}, wanted {wanted:?}"
            );
        }
        assert!(photo.notes.iter().any(|n| n.contains("CMYK")), "{:?}", photo.notes);
    }
}

#[test]
fn a_profile_that_cannot_be_used_is_ignored_with_a_note() {
    for space in [b"RGB ", b"CMYK"] {
        let data = [b"ICC_PROFILE\0\x01\x01", &profile(space)[..]].concat();
        let gradient =
            image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8 * 20, y as u8 * 30, 9]));
        let mut plain = std::io::Cursor::new(Vec::new());
        gradient.write_to(&mut plain, image::ImageFormat::Jpeg).expect("encoded");
        let plain = plain.into_inner();
        let photo = read(&jpeg_with(&jpeg_segment(0xe2, &data), &plain));
        assert_eq!(photo.profile, None);
        assert!(photo.notes[0].contains("profile cannot be used"), "{:?}", photo.notes);
        assert_eq!(photo.frame, read(&plain).frame);
    }
}

#[test]
fn the_first_of_several_pictures_is_used_and_reported() {
    for (name, word) in [
        ("animated.gif", "frames"),
        ("animated.png", "frames"),
        ("animated.webp", "frames"),
        ("pages.tiff", "pages"),
    ] {
        let photo = read(&fixture(name));
        assert_eq!((photo.frame.width(), photo.frame.height()), (9, 7), "{name}");
        assert_eq!(photo.frame.pixel(4, 3), [255, 0, 0, 255], "{name}");
        assert!(photo.notes.iter().any(|n| n.contains(word)), "{name}: {:?}", photo.notes);
    }
    let still = with_image(
        DynamicImage::ImageRgba8(ImageBuffer::from_pixel(3, 3, Rgba([9, 9, 9, 255]))),
        ImageFormat::Gif,
    );
    assert!(read(&still).notes.is_empty());
}

#[test]
fn kinds_that_are_not_read_are_named_and_not_called_damaged() {
    let jpeg = |frame: u8, bits: u8| {
        let mut bytes = encoded(&scene(9, 7), Format::Jpeg);
        let at = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
        (bytes[at + 1], bytes[at + 4]) = (frame, bits);
        bytes
    };
    let png = encoded(&scene(9, 7), Format::Png);
    let iphone = [&png[..8], &png_chunk(b"CgBI", &[0; 4]), &png[8..]].concat();
    for (bytes, words) in [
        (jpeg(0xc9, 8), "unsupported kind of JPEG (arithmetic coding)"),
        (jpeg(0xc3, 8), "unsupported kind of JPEG (lossless JPEG)"),
        (jpeg(0xc1, 12), "unsupported kind of JPEG (12 bits a sample)"),
        (iphone, "unsupported kind of PNG (an iPhone PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "it is JPEG 2000; convert it"),
        (b"\0\0\0\x18ftypisom\0\0\0\0".to_vec(), "it is a video"),
    ] {
        let error = refused(&bytes).to_string();
        assert!(error.contains(words) && !error.contains("damaged"), "{error}");
    }
}

#[test]
fn a_png_may_lack_its_end_marker_but_no_pixels() {
    let frame = scene(40, 30);
    let whole = encoded(&frame, Format::Png);
    let photo = read(&whole[..whole.len() - 12]);
    assert_eq!(*photo.frame, frame);
    assert!(photo.notes[0].contains("incomplete"), "{:?}", photo.notes);
    for length in [whole.len() - 13, whole.len() / 2] {
        let error = refused(&whole[..length]).to_string();
        assert!(error.contains("it ends too early"), "{error}");
    }
}

/// The JPEG of a painting of a photo.
fn painting_of(photo: &Photo) -> Vec<u8> {
    let attached = Attached { metadata: Some(&photo.metadata), ..Attached::default() };
    let frame = Cow::Borrowed(&*photo.frame);
    encode::to_bytes_with("test", frame, attached, Encoding::of(Format::Jpeg)).expect("encoded").0
}

fn contains(data: &[u8], words: &[u8]) -> bool {
    data.windows(words.len()).any(|part| part == words)
}

#[test]
fn exif_of_a_tiff_is_kept_without_the_note_of_the_camera_s_maker() {
    // A directory with a time and a maker's note, which contains a JPEG, at offset 8.
    let mut data = b"\x02\0\x03\x90\x02\0\x14\0\0\0\x26\0\0\0".to_vec();
    data.extend(b"\x7c\x92\x07\0\x08\0\0\0\x3a\0\0\0\0\0\0\0");
    data.extend(b"2026:11:28 07:00:00\0\xff\xd8\xffNOTE");
    // An artist of one letter, and the directory.
    let artist = (315, 2, u32::from_le_bytes(*b"J\0\0\0"));
    let photo = read(&tiff(2, 2, &data, &[artist, (34_665, 4, 8)]));
    let painting = painting_of(&photo);
    assert!(contains(&painting, b"2026:11:28 07:00:00\0"));
    assert!(contains(&painting, b"\x3b\x01\x02\0\x01\0\0\0J"), "the artist");
    assert!(!contains(&painting, b"NOTE"));
    // How its pixels are stored is not what it says about the photo.
    let plain = read(&tiff(2, 2, &[0; 12], &[]));
    assert!(!contains(&painting_of(&plain), b"Exif"));
    // A directory that points to itself.
    read(&tiff(2, 2, &data, &[(34_665, 4, 8 + data.len() as u32)]));
}

#[test]
fn a_gain_map_is_named_and_not_promised_by_the_painting() {
    let jpeg = encoded(&scene(9, 7), Format::Jpeg);
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf:Description dc:title=\"Trip\" \
                xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" hdrgm:Version=\"1.0\"/></x:xmpmeta>";
    let iso = b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0";
    for (segment, has_gain_map) in [
        (jpeg_segment(0xe1, xmp), true),
        (jpeg_segment(0xe2, iso), true),
        (jpeg_segment(0xe2, b"urn:iso:std"), false),
    ] {
        let photo = read(&jpeg_with(&segment, &jpeg));
        assert_eq!(photo.is_hdr, has_gain_map);
        let is_noted = photo.notes.iter().any(|note| note.contains("gain map"));
        assert_eq!(is_noted, has_gain_map, "{:?}", photo.notes);
        let painting = painting_of(&photo);
        assert!(!contains(&painting, b"hdrgm"));
        assert_eq!(contains(&painting, b"Trip"), contains(&segment, b"Trip"));
    }
}

#[test]
fn metadata_of_an_avif_are_kept() {
    let folder = crate::home::project().join("tests/pictures/formats");
    let photo = decode::from_path(&folder.join("described.avif")).expect("read");
    let painting = painting_of(&photo);
    assert!(contains(&painting, b"(c) Jane Doe\0") && contains(&painting, b"<x:xmpmeta"));
}
