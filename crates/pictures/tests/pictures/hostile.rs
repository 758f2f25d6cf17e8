//! Decompression bombs, limits and damage.

use std::{
    io::Read,
    time::{Duration, Instant},
};

use pictures::{MediaError, ReadProblem, decode, encode::Format};
use proptest::prelude::*;
use values::frame::Frame;

use crate::{made::*, real_time::within};

#[test]
fn headers_that_declare_too_much_are_refused_by_the_limit() {
    let vp8l = |side: u32| {
        let packed = (side - 1) | ((side - 1) << 14);
        let chunk = [&b"VP8L\x0a\0\0\0\x2f"[..], &packed.to_le_bytes(), &[0; 5]].concat();
        [&b"RIFF"[..], &(chunk.len() as u32 + 4).to_le_bytes(), b"WEBP", &chunk].concat()
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
    let sof = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).expect("a frame header");
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
        assert!(matches!(error, ReadProblem::TooManyPixels { .. }), "{format}: {error:?}");
        assert!(error.to_string().contains("limit is 200 megapixels"), "{error}");
    }
}

#[test]
fn a_side_beyond_the_limit_is_refused_by_name() {
    // Rows of up to 1.6 GB, which no decoder may allocate.
    for (width, height, bits, color) in [
        (20_000_000, 1, 8, 2),
        (1, 20_000_000, 8, 0),
        (3, 60_000_000, 8, 2),
        (200_000_000, 1, 16, 6),
        (1_000_001, 1, 8, 0),
    ] {
        let pixels = [png_chunk(b"IDAT", &stored(&[0; 99])), png_chunk(b"IEND", &[])].concat();
        let png = [png_header(width, height, bits, color), pixels].concat();
        for bomb in [png, tiff(width, height, &[0; 3], &[])] {
            let error = refused(&bomb);
            assert!(matches!(error, ReadProblem::TooLong { .. }), "{error:?}");
            assert!(error.to_string().contains("limit is 1000000 pixels a side"), "{error}");
        }
    }
    let long = encoded(&Frame::from_fn(1_000_000, 1, |x, _| [x as u8, 1, 2, 255]), Format::Png);
    assert_eq!(read(&long).frame.width(), 1_000_000);
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
fn a_small_webp_with_a_huge_frame_is_refused_before_there_is_room_for_it() {
    // 5 x 4 pixels in its own header, 16,383 x 16,383 in that of the frame: 400 MB.
    let file = [
        &b"RIFF\x2e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x04\0\0\x03\0\0"[..],
        b"VP8 \x10\0\0\0\x10\x02\0\x9d\x01\x2a\xff\x3f\xff\x3f\0\0\0\0\0\0",
    ]
    .concat();
    let error = refused(&file).to_string();
    assert!(error.contains("not have its declared size"), "{error}");
}

#[test]
fn a_small_webp_with_huge_metadata_is_refused_before_there_is_room_for_them() {
    let mut file = encoded(&scene(19, 13), Format::WebP);
    // 4 GB of EXIF, of which two bytes exist.
    file.extend(b"EXIF\xf0\xff\xff\xff\0\0");
    let error = refused(&file).to_string();
    assert!(error.contains("part of it is damaged"), "{error}");
}

/// A grey TIFF of 64 pixels a row, whose strips of 8 rows are all the same JPEG.
fn strips_of(jpeg: &[u8], count: u32) -> Vec<u8> {
    let [offsets, lengths] =
        [8, jpeg.len() as u32].map(|number| number.to_le_bytes().repeat(count as usize));
    let after = 8 + jpeg.len() as u32;
    let entries = [
        (256u16, 1, 64u32),
        (257, 1, 8 * count),
        (258, 1, 8),
        (259, 1, 7),
        (262, 1, 1),
        (273, count, after),
        (278, 1, 8),
        (279, count, after + 4 * count),
    ];
    let mut file = [b"II*\0", &(after + 8 * count).to_le_bytes()[..], jpeg].concat();
    file.extend([offsets, lengths].concat());
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, count, value) in entries {
        file.extend(
            [&tag.to_le_bytes()[..], &[4, 0], &count.to_le_bytes(), &value.to_le_bytes()].concat(),
        );
    }
    [file, vec![0; 4]].concat()
}

#[test]
fn strips_that_share_a_large_jpeg_are_refused() {
    let grey = image::GrayImage::from_fn(64, 8, |x, y| image::Luma([(x * 3 + y) as u8]));
    let mut jpeg = with_image(grey.into(), image::ImageFormat::Jpeg);
    assert_eq!(read(&strips_of(&jpeg, 20)).frame.size(), (64, 160));
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).expect("a frame");
    // 2048 x 2048 pixels, of which the file contains a few.
    jpeg[frame + 5..frame + 9].copy_from_slice(&[8, 0, 8, 0]);
    let error = refused(&strips_of(&jpeg, 20)).to_string();
    assert!(error.contains("its strips or tiles are larger than the image"), "{error}");
}

#[test]
fn a_tile_that_is_much_wider_than_the_picture_is_refused() {
    // Rows of a tile of 12 GB.
    let tile = [(322, 4, u32::MAX), (323, 4, 2), (324, 4, 8), (325, 4, 12)];
    let file = tiff(2, 2, &[0; 12], &tile);
    // The same without its strip.
    let strip = |tag: u16| {
        let start = [tag.to_le_bytes(), 4u16.to_le_bytes()].concat();
        file.windows(4).position(|entry| entry == start).expect("an entry")
    };
    let (offset, length) = (strip(273), strip(279));
    let mut tiled = file.clone();
    tiled[offset..offset + 2].copy_from_slice(&270u16.to_le_bytes());
    tiled[length..length + 2].copy_from_slice(&280u16.to_le_bytes());
    let error = refused(&tiled).to_string();
    assert!(error.contains("its strips or tiles are larger than the image"), "{error}");
}

#[test]
fn a_refusal_does_not_list_what_is_in_the_file() {
    // A pixel of 60,000 samples, each of one bit.
    let count = 60_000u16;
    let mut file = tiff(2, 2, &[0; 12], &[]);
    let entry = |file: &[u8], tag: u16| {
        let start = [tag.to_le_bytes(), 3u16.to_le_bytes()].concat();
        file.windows(4).position(|w| w == start).expect("an entry")
    };
    let (bits, samples) = (entry(&file, 258), entry(&file, 277));
    let list = (file.len() as u32).to_le_bytes();
    file[bits + 4..bits + 12].copy_from_slice(&[u32::from(count).to_le_bytes(), list].concat());
    file[samples + 8..samples + 10].copy_from_slice(&count.to_le_bytes());
    file.extend([1, 0].repeat(usize::from(count)));
    let error = refused(&file).to_string();
    assert!(error.contains("bits per sample [1, 1"), "{error}");
    assert!(error.len() < 600, "{} bytes", error.len());
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
        // If there is not enough memory for such a picture, that is reported first.
        let fine =
            matches!(error, ReadProblem::Damaged { .. } | ReadProblem::NotEnoughMemory { .. });
        assert!(fine, "{error:?}");
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
    // A profile of 400 MB of zeros is dropped or refused; neither takes long.
    let icc = [b"p\0\0", &bomb[..]].concat();
    if let Ok(photo) = decode::from_bytes("p", &png_with(&png_chunk(b"iCCP", &icc), &scene(4, 3))) {
        assert_eq!(photo.profile, None);
    }
    within("reading them", started.elapsed(), Duration::from_secs(8));
}

#[test]
fn endless_streams_of_something_else_end_at_once() {
    let error = decode::bytes_of_reader("zeros", std::io::repeat(0)).expect_err("no picture");
    let is_unknown =
        matches!(&error, MediaError::Unreadable { problem: ReadProblem::UnknownFormat(_), .. });
    assert!(is_unknown, "{error}");
}

#[test]
fn truncated_pictures_are_refused_in_every_format() {
    let frame = scene(40, 30);
    // The available part of a JPEG is shown.
    let formats = Format::ALL.iter().filter(|&&f| f != Format::Jpeg);
    let mut pictures: Vec<_> = formats.map(|&f| (f.name(), encoded(&frame, f))).collect();
    pictures.push(("gif", fixture("animated.gif")));
    for (name, whole) in pictures {
        read(&whole);
        for share in [3, 30, 60, 90] {
            let cut = &whole[..whole.len() * share / 100];
            // A truncated second frame is no damage of the first.
            if name == "gif" && share > 30 {
                assert!(read(cut).notes[0].contains("is incomplete"), "{share} %");
                continue;
            }
            let error = refused(cut);
            assert!(
                matches!(error, ReadProblem::Damaged { .. } | ReadProblem::UnknownFormat { .. }),
                "{name} cut to {share} %: {error:?}"
            );
        }
    }
}

/// The offset of the data of a JPEG's first scan.
fn scan_start(jpeg: &[u8]) -> usize {
    let scan = jpeg.windows(2).position(|w| w == [0xff, 0xda]);
    let at = scan.expect("a scan");
    at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]))
}

#[test]
fn a_jpeg_without_its_end_marker_is_opened_with_a_note() {
    let whole = encoded(&scene(640, 480), Format::Jpeg);
    let all = read(&whole);
    assert_eq!(all.notes, [""; 0]);
    let start = scan_start(&whole);
    let block_bytes = 4 * all.frame.width() * 16;
    let half = start + (whole.len() - start) / 2;
    for end in [half, whole.len() - 2] {
        let photo = read(&whole[..end]);
        assert_eq!(photo.notes, ["the file is incomplete; part of the picture may be missing"]);
        assert_eq!(photo.frame.rgba()[..block_bytes], all.frame.rgba()[..block_bytes]);
    }
    for nothing in [start / 2, start] {
        let error = refused(&whole[..nothing]);
        assert!(matches!(error, ReadProblem::Damaged { .. }), "{error:?}");
    }
}

#[test]
fn a_refusal_is_one_sentence_of_what_is_wrong_and_what_to_do() {
    let whole = encoded(&scene(40, 30), Format::Jpeg);
    let mut png = encoded(&scene(40, 30), Format::Png);
    let middle = png.len() / 2;
    png[middle] ^= 0x10;
    for bytes in [&whole[..20], &whole[..100], &whole[..4], &png] {
        let error = refused(bytes).to_string();
        assert!(error.starts_with("is damaged and cannot be read as "), "{error}");
        assert!(
            error.ends_with("; copy it again from its source, or open another file"),
            "{error}"
        );
        assert!(!error.contains(char::is_control) && !error.contains("\\n"), "{error:?}");
        assert!(!error.contains("Format error decoding"), "{error}");
        assert!(error.chars().count() < 320, "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_if_waiting_cannot_be_cancelled() {
    let folder = tempfile::tempdir().expect("folder");
    let pipe = folder.path().join("photo.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let error = decode::from_path(&pipe).expect_err("a pipe");
    assert!(error.to_string().contains("not a regular file"), "{error}");
    let folder = pictures::folder::Folder::open(folder.path()).expect("listed");
    assert!(folder.photos.is_empty());
}

#[test]
fn a_flipped_bit_in_a_png_is_noticed() {
    let mut png = encoded(&scene(40, 30), Format::Png);
    let middle = png.len() / 2;
    png[middle] ^= 0x10;
    assert!(matches!(refused(&png), ReadProblem::Damaged { .. }));
}

#[test]
fn files_without_a_picture_are_reported() {
    for (bytes, word) in [
        (&b""[..], "it is empty"),
        (b"hello there, this is only text", "no supported format"),
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

#[test]
fn a_reader_that_fails_is_reported() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the cable was pulled"))
        }
    }
    let error = decode::bytes_of_reader("stream", Broken).expect_err("fails");
    assert!(error.to_string().contains("the cable was pulled"), "{error}");
}

/// Small complete files of every format and family.
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
    let icc = jpeg_segment(0xe2, &[b"ICC_PROFILE\0\x01\x01", &profile(b"RGB ")[..]].concat());
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
