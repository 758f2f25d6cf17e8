//! Pictures that people have and pictures that somebody made to do harm: read upright and exactly,
//! or refused quickly with a reason. And results: written whole, or not at all.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::{
    fs,
    io::{Cursor, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use proptest::prelude::*;
use styleforge::{
    frame::Frame,
    media::{
        MediaError, decode,
        decode::Photo,
        encode::{self, Encoding, Existing, Format},
    },
};

// ---------------------------------------------------------------- pictures made here

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/pictures")
        .join(name);
    fs::read(path).expect("fixture")
}

/// Colours that tell every pixel of a small picture from every other.
fn scene(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        [
            (x * 37 + 20) as u8,
            (y * 53 + 10) as u8,
            (x * y * 11) as u8,
            255,
        ]
    })
}

fn translucent(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        [
            200,
            (x * 40) as u8,
            30,
            255u8.wrapping_sub(((x + y * 3) * 9) as u8),
        ]
    })
}

fn encoded(frame: &Frame, format: Format) -> Vec<u8> {
    encode::to_bytes("test", frame, None, Encoding::of(format))
        .expect("encodes")
        .0
}

fn with_image(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

fn read(bytes: &[u8]) -> Photo {
    decode::from_bytes("test picture", bytes).expect("a picture")
}

/// The error for bytes that must be refused, and quickly.
fn refused(bytes: &[u8]) -> MediaError {
    let started = Instant::now();
    let error = decode::from_bytes("bad picture", bytes).expect_err("must be refused");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?} for: {error}");
    assert!(error.to_string().contains("bad picture"), "{error}");
    error
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| {
            if c & 1 == 1 {
                (c >> 1) ^ 0xedb8_8320
            } else {
                c >> 1
            }
        })
    })
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    [
        &(data.len() as u32).to_be_bytes()[..],
        &body,
        &crc(&body).to_be_bytes(),
    ]
    .concat()
}

fn png_header(width: u32, height: u32, bits: u8, color: u8) -> Vec<u8> {
    let mut data = [width.to_be_bytes(), height.to_be_bytes()].concat();
    data.extend([bits, color, 0, 0, 0]);
    [b"\x89PNG\r\n\x1a\n", &png_chunk(b"IHDR", &data)[..]].concat()
}

/// zlib without compression.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in data {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let head = [
        &[0x78, 1, 1][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
    ]
    .concat();
    [&head[..], data, &((b << 16) | a).to_be_bytes()].concat()
}

/// zlib for `count` zeros (roughly), a thousandth of their size: one literal, then copies of 258.
fn zeros_bomb(count: usize) -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false];
    bits.extend([false, false, true, true, false, false, false, false]);
    for _ in 0..count / 258 {
        // Length code 285 in the fixed table, then distance code 0.
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    let mut out = vec![0x78, 1];
    for byte in bits.chunks(8) {
        out.push(
            byte.iter()
                .rev()
                .fold(0, |b, &bit| (b << 1) | u8::from(bit)),
        );
    }
    out.extend([0; 4]);
    out
}

/// A PNG with extra chunks between header and pixels.
fn png_with(extra: &[u8], frame: &Frame) -> Vec<u8> {
    let bytes = encoded(frame, Format::Png);
    [&bytes[..33], extra, &bytes[33..]].concat()
}

/// A little-endian TIFF of one uncompressed 8-bit RGB strip.
fn tiff(width: u32, height: u32, pixels: &[u8], extra: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut entries = vec![
        (256u16, 4u16, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 2),
        (273, 4, 8),
        (277, 3, 3),
        (278, 4, height),
        (279, 4, pixels.len() as u32),
    ];
    entries.extend(extra);
    entries.sort();
    let mut bytes = [
        &b"II*\0"[..],
        &(8 + pixels.len() as u32).to_le_bytes(),
        pixels,
    ]
    .concat();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes
}

/// EXIF data that holds nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut data = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    data.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    data
}

fn jpeg_segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker][..], &length, data].concat()
}

/// A JPEG with a segment behind its first marker.
fn jpeg_with(segment: &[u8], jpeg: &[u8]) -> Vec<u8> {
    [&jpeg[..2], segment, &jpeg[2..]].concat()
}

/// A colour profile as far as anybody here looks: 128 bytes of header with a colour space.
fn profile(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 132];
    profile[16..20].copy_from_slice(space);
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

/// What EXIF (CIPA DC-008, 4.6.4) means by an orientation: the upright pixel (x, y) lies at these
/// coordinates of the stored picture of `w` x `h` pixels.
fn stored_at(orientation: u8, x: usize, y: usize, w: usize, h: usize) -> (usize, usize) {
    match orientation {
        1 => (x, y),
        2 => (w - 1 - x, y),
        3 => (w - 1 - x, h - 1 - y),
        4 => (x, h - 1 - y),
        5 => (y, x),
        6 => (y, h - 1 - x),
        7 => (w - 1 - y, h - 1 - x),
        _ => (w - 1 - y, x),
    }
}

fn upright(stored: &Frame, orientation: u8) -> Frame {
    let (w, h) = (stored.width(), stored.height());
    let (width, height) = if orientation > 4 { (h, w) } else { (w, h) };
    Frame::from_fn(width, height, |x, y| {
        let (sx, sy) = stored_at(orientation, x, y, w, h);
        stored.pixel(sx, sy)
    })
}

// ---------------------------------------------------------------- bombs and limits

#[test]
fn headers_that_declare_too_much_are_refused_by_the_limit() {
    let vp8l = |side: u32| {
        let packed = (side - 1) | ((side - 1) << 14);
        let chunk = [&b"VP8L\x0a\0\0\0\x2f"[..], &packed.to_le_bytes(), &[0; 5]].concat();
        [
            &b"RIFF"[..],
            &(chunk.len() as u32 + 4).to_le_bytes(),
            b"WEBP",
            &chunk,
        ]
        .concat()
    };
    let mut bmp = vec![0u8; 54];
    bmp[..2].copy_from_slice(b"BM");
    bmp[10] = 54;
    bmp[14] = 40;
    bmp[18..22].copy_from_slice(&16_384u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&16_384u32.to_le_bytes());
    bmp[26] = 1;
    bmp[28] = 24;
    let png = [
        png_header(16_384, 16_384, 8, 2),
        png_chunk(b"IDAT", &[0x78, 1, 3, 0, 0, 0, 0, 1]),
        png_chunk(b"IEND", &[]),
    ]
    .concat();
    assert!(png.len() <= 65, "{}", png.len());
    let mut jpeg = encoded(&scene(8, 8), Format::Jpeg);
    let sof = jpeg
        .windows(2)
        .position(|w| w == [0xff, 0xc0])
        .expect("a frame header");
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xff; 4]);
    let gif = [
        &b"GIF89a\xff\xff\xff\xff\x80\0\0"[..],
        &[0, 0, 0, 255, 255, 255],
        b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b",
    ]
    .concat();
    let bombs = [
        ("PNG", png),
        ("WebP", vp8l(16_383)),
        ("TIFF", tiff(16_384, 16_384, &[0; 3], &[])),
        ("BMP", bmp),
        ("GIF", gif),
        ("JPEG", jpeg),
    ];
    for (format, bomb) in bombs {
        let error = refused(&bomb);
        assert!(
            matches!(error, MediaError::TooManyPixels { .. }),
            "{format}: {error:?}"
        );
        assert!(
            error.to_string().contains("limit is 200 megapixels"),
            "{error}"
        );
    }
}

#[test]
fn an_icon_is_refused_by_name_before_it_is_parsed() {
    let mut icon = b"\0\0\x01\0\x01\0\0\0\0\0\x01\0\x20\0".to_vec();
    icon.extend(65u32.to_le_bytes());
    icon.extend(22u32.to_le_bytes());
    icon.extend(png_header(16_384, 16_384, 8, 6));
    assert!(refused(&icon).to_string().contains("an icon (ICO)"));
}

#[test]
fn sizes_just_below_the_limit_without_pixels_are_damaged_not_fatal() {
    let png = [
        png_header(14_000, 14_000, 8, 2),
        png_chunk(b"IDAT", &[0x78, 1, 3, 0, 0, 0, 0, 1]),
        png_chunk(b"IEND", &[]),
    ]
    .concat();
    for bomb in [png, tiff(14_000, 14_000, &[0; 3], &[])] {
        let error = refused(&bomb);
        assert!(matches!(error, MediaError::Damaged { .. }), "{error:?}");
    }
}

#[test]
fn compressed_text_and_profiles_cannot_blow_up() {
    let bomb = zeros_bomb(400_000_000);
    assert!(bomb.len() < 4_000_000);
    let text = [b"Comment\0\0", &bomb[..]].concat();
    let started = Instant::now();
    let photo = read(&png_with(&png_chunk(b"zTXt", &text), &scene(4, 3)));
    assert_eq!(*photo.frame, scene(4, 3));
    // A profile of 400 MB of zeros is dropped or refused; either way nobody waits for it.
    let icc = [b"p\0\0", &bomb[..]].concat();
    if let Ok(photo) = decode::from_bytes("p", &png_with(&png_chunk(b"iCCP", &icc), &scene(4, 3))) {
        assert_eq!(photo.icc, None);
    }
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn endless_streams_of_something_else_end_at_once() {
    let error = decode::from_reader("zeros", std::io::repeat(0)).expect_err("no picture");
    assert!(matches!(error, MediaError::UnknownFormat { .. }), "{error}");
}

// ---------------------------------------------------------------- damage

#[test]
fn truncated_pictures_are_refused_in_every_format() {
    let frame = scene(40, 30);
    let mut pictures: Vec<_> = Format::ALL
        .iter()
        .map(|&f| (f.name(), encoded(&frame, f)))
        .collect();
    pictures.push(("gif", fixture("animated.gif")));
    pictures.push(("cmyk jpeg", fixture("cmyk.jpg")));
    for (name, whole) in pictures {
        read(&whole);
        for share in [3, 30, 60, 90] {
            // A second frame that is cut off is not the first one's damage.
            if name == "gif" && share > 30 {
                continue;
            }
            let cut = &whole[..whole.len() * share / 100];
            let error = refused(cut);
            assert!(
                matches!(
                    error,
                    MediaError::Damaged { .. } | MediaError::UnknownFormat { .. }
                ),
                "{name} cut to {share} %: {error:?}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_in_a_png_is_noticed() {
    let mut png = encoded(&scene(40, 30), Format::Png);
    let middle = png.len() / 2;
    png[middle] ^= 0x10;
    assert!(matches!(refused(&png), MediaError::Damaged { .. }));
}

#[test]
fn what_is_no_picture_is_said_to_be_none() {
    for (bytes, word) in [
        (&b""[..], "it is empty"),
        (b"hello there, this is only text", "no known format"),
        (b"\x76\x2f\x31\x01 and so on, whatever", "OpenEXR"),
    ] {
        assert!(refused(bytes).to_string().contains(word));
    }
    let folder = tempfile::tempdir().expect("folder");
    let error = decode::from_path(folder.path()).expect_err("a folder");
    assert!(error.to_string().contains("it is a folder"), "{error}");
    let error = decode::from_path(&folder.path().join("none.png")).expect_err("missing");
    assert!(error.to_string().contains("none.png"), "{error}");
}

/// Small whole files of every format and family.
fn corpus() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = Format::ALL
        .iter()
        .flat_map(|&f| [encoded(&scene(9, 7), f), encoded(&translucent(5, 6), f)])
        .collect();
    let names = [
        "animated.gif",
        "animated.png",
        "animated.webp",
        "cmyk.jpg",
        "cmyk.tiff",
        "pages.tiff",
        "palette.tiff",
    ];
    files.extend(names.map(fixture));
    let icc = jpeg_segment(
        0xe2,
        &[b"ICC_PROFILE\0\x01\x01", &profile(b"RGB ")[..]].concat(),
    );
    files.push(jpeg_with(&icc, &encoded(&scene(9, 7), Format::Jpeg)));
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// The same public function that the fuzz target calls.
    #[test]
    fn mutated_files_never_panic(
        pick in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
        inserted in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let files = corpus();
        let mut bytes = files[pick.index(files.len())].clone();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(at) = cut {
            let at = at.index(bytes.len());
            bytes.splice(at..at, inserted);
            bytes.truncate(at.max(1) * 2);
        }
        if let Ok(photo) = decode::from_bytes("mutated", &bytes) {
            prop_assert!(photo.frame.pixel_count() as u64 <= decode::MAX_PIXELS);
        }
    }
}

// ---------------------------------------------------------------- what pictures look like inside

#[test]
fn every_orientation_comes_out_upright() {
    let frame = scene(5, 3);
    // Blocks that JPEG keeps: 8 pixels a side of one colour.
    let blocks = Frame::from_fn(40, 24, |x, y| frame.pixel(x / 8, y / 8));
    for orientation in 1..=8 {
        let png = png_with(&png_chunk(b"eXIf", &exif(orientation)), &frame);
        assert_eq!(
            *read(&png).frame,
            upright(&frame, orientation),
            "PNG {orientation}"
        );

        let rgb: Vec<u8> = frame
            .rgba()
            .chunks(4)
            .flat_map(|p| p[..3].to_vec())
            .collect();
        let tagged = tiff(5, 3, &rgb, &[(274, 3, u32::from(orientation))]);
        assert_eq!(
            *read(&tagged).frame,
            upright(&frame, orientation),
            "TIFF {orientation}"
        );

        let segment = jpeg_segment(0xe1, &[b"Exif\0\0", &exif(orientation)[..]].concat());
        let jpeg = jpeg_with(&segment, &encoded(&blocks, Format::Jpeg));
        let (got, wanted) = (read(&jpeg).frame, upright(&blocks, orientation));
        assert_eq!(
            (got.width(), got.height()),
            (wanted.width(), wanted.height())
        );
        for (x, y) in [(3, 3), (got.width() - 4, 3), (3, got.height() - 4)] {
            let (a, b) = (got.pixel(x, y), wanted.pixel(x, y));
            assert!(
                (0..3).all(|c| a[c].abs_diff(b[c]) < 30),
                "JPEG {orientation} at {x}, {y}: {a:?}, wanted {b:?}"
            );
        }
    }
    // An orientation that does not exist leaves the picture as it is.
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
        assert!(
            photo.notes.iter().any(|n| n.contains("8 bits per channel")),
            "{:?}",
            photo.notes
        );
    }
    let float = ImageBuffer::from_fn(3, 1, |x, _| Rgb([x as f32 / 2.0, -1.0, f32::NAN]));
    let photo = read(&with_image(
        DynamicImage::ImageRgb32F(float),
        ImageFormat::Tiff,
    ));
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
        assert_eq!(
            (&*photo.frame, photo.notes.len()),
            (&wanted, 0),
            "{format:?}"
        );
    }
    let one_bit = [
        png_header(10, 2, 1, 0),
        png_chunk(b"IDAT", &stored(&[0, 0b1010_1010, 0b1000_0000, 0, 0, 0])),
        png_chunk(b"IEND", &[]),
    ]
    .concat();
    let frame = read(&one_bit).frame;
    assert_eq!(
        (
            frame.pixel(0, 0)[0],
            frame.pixel(1, 0)[0],
            frame.pixel(8, 0)[0]
        ),
        (255, 0, 255)
    );
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
    assert_eq!(
        read(&png).frame.rgba(),
        [40, 50, 60, 9, 10, 20, 30, 255, 40, 50, 60, 9]
    );
    let error = refused(&fixture("palette.tiff"));
    assert!(matches!(error, MediaError::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("save it as PNG"), "{error}");
}

#[test]
fn cmyk_is_converted_and_said_so() {
    let quarters = [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]];
    for name in ["cmyk.jpg", "cmyk.tiff"] {
        let photo = read(&fixture(name));
        for ((x, y), wanted) in [(3, 3), (12, 3), (3, 12), (12, 12)]
            .into_iter()
            .zip(quarters)
        {
            let got = photo.frame.pixel(x, y);
            assert!(
                (0..3).all(|c| got[c].abs_diff(wanted[c]) < 8),
                "{name} at {x}, {y}: {got:?}, wanted {wanted:?}"
            );
        }
        assert!(
            photo.notes.iter().any(|n| n.contains("CMYK")),
            "{:?}",
            photo.notes
        );
    }
}

#[test]
fn only_a_profile_that_fits_rgb_goes_on() {
    let tagged = |space| {
        let data = [b"ICC_PROFILE\0\x01\x01", &profile(space)[..]].concat();
        jpeg_with(
            &jpeg_segment(0xe2, &data),
            &encoded(&scene(9, 7), Format::Jpeg),
        )
    };
    let photo = read(&tagged(b"RGB "));
    assert_eq!(photo.icc, Some(profile(b"RGB ")));
    assert!(photo.notes.is_empty(), "{:?}", photo.notes);
    let photo = read(&tagged(b"CMYK"));
    assert_eq!(photo.icc, None);
    assert!(photo.notes[0].contains("profile"), "{:?}", photo.notes);
}

#[test]
fn of_several_pictures_the_first_is_used_and_said_so() {
    for (name, word) in [
        ("animated.gif", "frames"),
        ("animated.png", "frames"),
        ("animated.webp", "frames"),
        ("pages.tiff", "pages"),
    ] {
        let photo = read(&fixture(name));
        assert_eq!(
            (photo.frame.width(), photo.frame.height()),
            (9, 7),
            "{name}"
        );
        assert_eq!(photo.frame.pixel(4, 3), [255, 0, 0, 255], "{name}");
        assert!(
            photo.notes.iter().any(|n| n.contains(word)),
            "{name}: {:?}",
            photo.notes
        );
    }
    let still = with_image(
        DynamicImage::ImageRgba8(ImageBuffer::from_pixel(3, 3, Rgba([9, 9, 9, 255]))),
        ImageFormat::Gif,
    );
    assert!(read(&still).notes.is_empty());
}

// ---------------------------------------------------------------- writing

#[test]
fn lossless_formats_give_back_every_pixel_at_any_size() {
    for (width, height) in [(1, 1), (1, 9), (7, 1), (7, 5), (338, 531)] {
        for frame in [scene(width, height), translucent(width, height)] {
            for format in [Format::Png, Format::WebP, Format::Bmp, Format::Tiff] {
                let photo = read(&encoded(&frame, format));
                assert_eq!(*photo.frame, frame, "{format} {width} x {height}");
                assert_eq!(photo.natural_format, format);
            }
            let photo = read(&encoded(&frame, Format::Jpeg));
            assert_eq!((photo.frame.width(), photo.frame.height()), (width, height));
        }
    }
}

#[test]
fn jpeg_lays_transparency_on_white_and_says_so() {
    let clear = Frame::from_fn(16, 16, |_, _| [0, 0, 0, 0]);
    let (bytes, notes) =
        encode::to_bytes("test", &clear, None, Encoding::of(Format::Jpeg)).expect("encodes");
    assert!(notes[0].contains("laid on white"), "{notes:?}");
    assert!(read(&bytes).frame.pixel(8, 8).iter().all(|&v| v > 250));
}

#[test]
fn jpeg_quality_is_heeded() {
    let frame = Frame::from_fn(64, 64, |x, y| {
        [(x * y) as u8, (x * 7) as u8, (y * 5) as u8, 255]
    });
    let size = |jpeg_quality| {
        let format = Format::Jpeg;
        let encoding = Encoding {
            format,
            jpeg_quality,
        };
        encode::to_bytes("test", &frame, None, encoding)
            .expect("encodes")
            .0
            .len()
    };
    assert!(size(30) < size(92) && size(92) < size(100));
}

#[test]
fn the_profile_is_embedded_where_the_format_has_a_place() {
    let icc = profile(b"RGB ");
    for &format in Format::ALL {
        let (bytes, notes) =
            encode::to_bytes("test", &scene(9, 7), Some(&icc), Encoding::of(format))
                .expect("encodes");
        if format == Format::Bmp {
            assert!(notes[0].contains("no colour profile"), "{notes:?}");
        } else {
            assert_eq!(read(&bytes).icc.as_ref(), Some(&icc), "{format}");
        }
    }
}

#[test]
fn sides_that_a_format_cannot_hold_are_refused() {
    let wide = Frame::from_fn(16_384, 1, |_, _| [1, 2, 3, 255]);
    let wider = Frame::from_fn(65_536, 1, |_, _| [1, 2, 3, 255]);
    for (frame, format) in [(&wide, Format::WebP), (&wider, Format::Jpeg)] {
        let error =
            encode::to_bytes("test", frame, None, Encoding::of(format)).expect_err("too wide");
        assert!(error.to_string().contains("choose PNG"), "{error}");
    }
    assert_eq!(*read(&encoded(&wider, Format::Tiff)).frame, wider);
}

#[test]
fn endings_name_formats() {
    for (name, format) in [
        ("a.JPG", Some(Format::Jpeg)),
        ("a.b.Tif", Some(Format::Tiff)),
        ("a.gif", None),
        ("png", None),
    ] {
        assert_eq!(Format::from_path(Path::new(name)), format, "{name}");
    }
}

fn save(path: &Path, frame: &Frame, existing: Existing) -> Result<Vec<String>, MediaError> {
    encode::save(path, frame, None, Encoding::of(Format::Png), existing)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("folder")
        .map(|e| e.expect("entry").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn what_exists_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("out.png");
    save(&path, &scene(4, 4), Existing::Keep).expect("new");
    let error = save(&path, &scene(5, 5), Existing::Keep).expect_err("exists");
    assert!(matches!(error, MediaError::Exists { .. }), "{error}");
    assert_eq!(decode::from_path(&path).expect("there").frame.width(), 4);
    assert!(encode::check_target(&path, Existing::Keep).is_err());
    save(&path, &scene(5, 5), Existing::Replace).expect("replaced");
    assert_eq!(decode::from_path(&path).expect("there").frame.width(), 5);
    assert_eq!(entries(folder.path()), [path]);
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_devices_stay_devices() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir().expect("folder");
    let (real, link) = (
        folder.path().join("real.png"),
        folder.path().join("link.png"),
    );
    save(&real, &scene(4, 4), Existing::Keep).expect("new");
    let mode = |p: &Path| fs::metadata(p).expect("there").permissions().mode() & 0o777;
    assert_ne!(
        mode(&real) & 0o044,
        0,
        "others may read a picture as any new file"
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("permissions");
    symlink(&real, &link).expect("link");
    save(&link, &scene(6, 6), Existing::Replace).expect("replaced");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(decode::from_path(&real).expect("there").frame.width(), 6);
    assert_eq!(mode(&real), 0o640);
    let error = save(Path::new("/dev/null"), &scene(4, 4), Existing::Replace).expect_err("device");
    assert!(
        matches!(error, MediaError::NotReplaceable { .. }),
        "{error}"
    );
    let dangling = folder.path().join("dangling.png");
    symlink(folder.path().join("nowhere.png"), &dangling).expect("link");
    assert!(save(&dangling, &scene(4, 4), Existing::Keep).is_err());
}

#[test]
fn places_that_cannot_be_written_are_named_and_left_clean() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("file");
    let cases = [
        (folder.path().join("missing/out.png"), "does not exist"),
        (file.join("out.png"), "is not a folder"),
        (folder.path().to_owned(), "not an ordinary file"),
    ];
    for (path, word) in cases {
        for error in [
            save(&path, &scene(4, 4), Existing::Replace).expect_err("cannot be written"),
            encode::check_target(&path, Existing::Replace).expect_err("cannot be written"),
        ] {
            assert!(error.to_string().contains(word), "{error}");
        }
    }
    if cfg!(target_os = "linux") {
        let path = Path::new("/proc/out.png");
        let error = save(path, &scene(4, 4), Existing::Replace).expect_err("read-only");
        assert!(error.to_string().contains("/proc/out.png"), "{error}");
    }
    // A picture that the format cannot hold leaves nothing behind either.
    let wide = Frame::from_fn(16_384, 1, |_, _| [1, 2, 3, 255]);
    let path = folder.path().join("wide.webp");
    assert!(
        encode::save(
            &path,
            &wide,
            None,
            Encoding::of(Format::WebP),
            Existing::Keep
        )
        .is_err()
    );
    assert_eq!(entries(folder.path()), [file]);
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn names_that_are_not_utf8_work() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(OsStr::from_bytes(b"caf\xe9.png"));
    save(&path, &scene(4, 3), Existing::Keep).expect("saved");
    assert!(decode::has_picture_name(&path));
    assert_eq!(*decode::from_path(&path).expect("read").frame, scene(4, 3));
}

#[test]
fn a_reader_that_fails_is_reported() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable was pulled"))
        }
    }
    let error = decode::from_reader("stream", Broken).expect_err("fails");
    assert!(
        error.to_string().contains("the cable was pulled"),
        "{error}"
    );
}
