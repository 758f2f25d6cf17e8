//! AVIF, JPEG XL and kinds of TIFF: pixels are those that the reference decoders return, and hostile files end quickly.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use pictures::{
    ReadProblem,
    decode::{self, Photo},
};
use values::frame::Frame;

use crate::{colors::difference, made::*, real_time::within};

fn path(name: &str) -> PathBuf {
    crate::home::project().join("tests/pictures/formats").join(name)
}

fn photo(name: &str) -> Photo {
    decode::from_path(&path(name)).unwrap_or_else(|error| panic!("{error}"))
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).expect("fixture")
}

fn assert_close(name: &str, frame: &Frame, expected: &Frame, most: u8, most_mean: f64) {
    let (largest, mean) = difference(frame, expected);
    let is_close = largest <= most && mean <= most_mean;
    assert!(is_close, "{name}: at most {largest}, {mean:.3} on average");
}

#[test]
fn avif_of_every_layout_and_depth_has_the_pixels_of_libavif() {
    // Two decoders round chroma differently.
    for (name, most, mean) in [
        ("420", 2, 0.4),
        ("422", 2, 0.4),
        ("444", 1, 0.2),
        ("gray", 0, 0.0),
        ("limited", 2, 0.3),
        ("bt709", 1, 0.2),
        ("lossless", 0, 0.0),
        ("10bit", 1, 0.2),
        ("12bit", 1, 0.2),
        ("grid", 1, 0.3),
        ("crop", 1, 0.3),
        ("alpha", 1, 0.3),
    ] {
        let read = photo(&format!("{name}.avif"));
        let expected = photo(&format!("{name}.avif.expected.png"));
        assert_close(name, &read.frame, &expected.frame, most, mean);
        let is_deep = name.ends_with("bit");
        assert_eq!(read.notes.len(), usize::from(is_deep), "{name}: {:?}", read.notes);
        assert_eq!(read.profile, None, "{name}");
    }
}

#[test]
fn avif_is_shown_upright() {
    let stored = photo("turned.expected.png").frame;
    for orientation in 2..=8 {
        let name = format!("turned{orientation}.avif");
        let expected = upright(&stored, orientation);
        assert_close(&name, &photo(&name).frame, &expected, 1, 0.2);
    }
}

#[test]
fn premultiplied_colors_are_divided() {
    let read = photo("premultiplied.avif").frame;
    let expected = photo("premultiplied.avif.expected.png").frame;
    let pairs = read.rgba().chunks(4).zip(expected.rgba().chunks(4));
    for (a, b) in pairs {
        assert!(a[3].abs_diff(b[3]) <= 1);
        // A level of the product is 255 / alpha levels of the colour.
        let most = 3 + 2 * 255 / u32::from(b[3].max(1));
        assert!(a.iter().zip(b).all(|(a, b)| u32::from(a.abs_diff(*b)) <= most), "{a:?} {b:?}");
    }
}

#[test]
fn profiles_of_avif_and_jpeg_xl_are_applied() {
    let expected = crate::home::project().join("tests/pictures/colors/display_p3.srgb.png");
    let expected = decode::from_path(&expected).expect("read").frame;
    for (name, most, mean) in [("icc.avif", 20, 1.0), ("p3.avif", 2, 0.4), ("p3.jxl", 1, 0.2)] {
        let read = photo(name);
        assert_close(name, &read.frame, &expected, most, mean);
        assert!(read.profile.is_some(), "{name} can be converted back");
    }
}

#[test]
fn jpeg_xl_has_the_pixels_of_libjxl() {
    let scene = Frame::clone(&photo("scene.expected.png").frame);
    let gray = Frame::from_fn(scene.width(), scene.height(), |x, y| {
        let red = scene.pixel(x, y)[0];
        [red, red, red, 255]
    });
    let alpha = Frame::from_fn(scene.width(), scene.height(), |x, y| {
        let [r, g, b, _] = scene.pixel(x, y);
        [r, g, b, g]
    });
    for (name, expected) in
        [("lossless", &scene), ("16bit", &scene), ("gray", &gray), ("alpha", &alpha)]
    {
        let read = photo(&format!("{name}.jxl"));
        assert_close(name, &read.frame, expected, 0, 0.0);
        let is_deep = name == "16bit";
        assert_eq!(read.notes.len(), usize::from(is_deep), "{name}: {:?}", read.notes);
        assert_eq!(read.profile, None, "{name}");
    }
    // Grey that is stored as three channels, and larger than what is always read.
    let large = photo("gray.large.jxl").frame;
    assert_eq!(large.size(), (1600, 1000));
    assert!(large.pixel(9, 9)[1] < 9 && large.pixel(1590, 990)[1] > 246);
    // Samples in 32-bit floats, which are linear.
    let linear = photo("linear.jxl");
    assert_close("linear", &linear.frame, &scene, 1, 0.1);
    for name in ["lossy", "progressive"] {
        let expected = photo(&format!("{name}.jxl.expected.png"));
        assert_close(name, &photo(&format!("{name}.jxl")).frame, &expected.frame, 2, 0.5);
    }
}

#[test]
fn tiff_of_every_kind_shows_the_scene() {
    let scene = photo("scene.expected.png").frame;
    for name in ["half", "big", "planes", "thumbnail"] {
        assert_close(name, &photo(&format!("{name}.tiff")).frame, &scene, 0, 0.0);
    }
    for (name, most, mean) in [
        ("ycbcr", 1, 0.5),
        ("lab", 1, 0.1),
        ("jpeg", 3, 0.5),
        ("fax4", 0, 0.0),
        ("palette", 0, 0.0),
    ] {
        let expected = photo(&format!("{name}.tiff.expected.png")).frame;
        assert_close(name, &photo(&format!("{name}.tiff")).frame, &expected, most, mean);
    }
    for (name, words) in [("zstd", "ZSTD"), ("fax3", "Fax3")] {
        let error = refused(&bytes(&format!("{name}.tiff")));
        assert!(matches!(error, ReadProblem::Unsupported { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn raw_photos_that_are_tiff_are_named() {
    // The version of DNG, and a thumbnail whose picture is in another directory.
    for extra in [&[(50_706u16, 1u16, 4)][..], &[(254, 4, 1), (330, 4, 8)]] {
        let error = refused(&tiff(2, 2, &[0; 12], extra));
        assert!(error.to_string().contains("a raw photo"), "{error}");
    }
}

#[test]
fn the_first_frame_of_an_animation_is_used_and_reported() {
    let read = photo("moving.avif");
    assert_close("moving", &read.frame, &photo("scene.expected.png").frame, 30, 3.0);
    assert_eq!(read.notes, ["the file contains several frames; the first is used"]);
}

/// The offset of a box's type.
fn find(file: &[u8], what: &[u8]) -> usize {
    file.windows(what.len()).position(|part| part == what).expect("there")
}

#[test]
fn a_cut_file_is_damaged() {
    for name in ["420.avif", "grid.avif", "alpha.avif", "lossless.jxl", "lossy.jxl", "16bit.jxl"] {
        let whole = bytes(name);
        for share in [20, 50, 90] {
            let error = refused(&whole[..whole.len() * share / 100]);
            assert!(matches!(error, ReadProblem::Damaged { .. }), "{name} at {share} %: {error:?}");
        }
    }
}

#[test]
fn an_avif_whose_boxes_ask_for_too_much_is_refused() {
    let whole = bytes("444.avif");
    let size = find(&whole, b"ispe") + 8;
    let with_size = |width: u32, height: u32| {
        let mut file = whole.clone();
        file[size..size + 4].copy_from_slice(&width.to_be_bytes());
        file[size + 4..size + 8].copy_from_slice(&height.to_be_bytes());
        file
    };
    let error = refused(&with_size(60_000, 60_000));
    assert!(matches!(error, ReadProblem::TooManyPixels { .. }), "{error:?}");
    let error = refused(&with_size(u32::MAX, u32::MAX));
    assert!(matches!(error, ReadProblem::TooLong { .. }), "{error:?}");
    // The frame is smaller, or larger.
    for (width, height) in [(38, 23), (9000, 9000), (1, 1), (0, 5)] {
        let error = refused(&with_size(width, height));
        assert!(matches!(error, ReadProblem::Damaged { .. }), "{width} x {height}: {error:?}");
    }
    // A grid whose tiles are far larger than the picture, or far too many.
    let grid = bytes("grid.avif");
    let start = grid.len() - 8;
    let place =
        (0..start).rfind(|&at| grid[at..at + 8] == [0, 0, 1, 1, 0, 132, 0, 136]).expect("the grid");
    for (rows, columns) in [(0, 0), (255, 255), (1, 2)] {
        let mut file = grid.clone();
        file[place + 2..place + 4].copy_from_slice(&[rows, columns]);
        assert!(matches!(refused(&file), ReadProblem::Damaged { .. }), "{rows} x {columns}");
    }
}

/// A box.
fn item(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
}

/// An AVIF of 16 x 16 tiles, all of which are the image of `444.avif`, followed by `more` in its data.
fn of_one_tile(more: &[u8]) -> Vec<u8> {
    let single = bytes("444.avif");
    let data = [&single[find(&single, b"mdat") + 4..], more].concat();
    let config = find(&single, b"av1C");
    let config = item(b"av1C", &single[config + 4..config + 8]);
    let kind =
        |id: u8, kind: &[u8; 4]| item(b"infe", &[&[2, 0, 0, 0, 0, id, 0, 0], &kind[..]].concat());
    let kinds = [&[0, 0, 0, 0, 0, 2][..], &kind(1, b"grid"), &kind(2, b"av01")].concat();
    let tiles = [&[0, 1, 1, 0][..], &[0, 2].repeat(256)].concat();
    let size = |width: u32, height: u32| {
        item(b"ispe", &[&[0; 4][..], &width.to_be_bytes(), &height.to_be_bytes()].concat())
    };
    let properties = item(b"ipco", &[size(16 * 37, 16 * 23), size(37, 23), config].concat());
    let used = item(b"ipma", &[0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 2, 1, 3, 0, 2, 2, 2, 3]);
    let grid = [&[0, 0, 15, 15][..], &592u16.to_be_bytes(), &368u16.to_be_bytes()].concat();
    let places = |start: usize| {
        // The grid is in `idat`, the tile in the file.
        let of_grid = [0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 8];
        let start = (start as u32).to_be_bytes();
        let of_tile = [&[0, 2, 0, 0, 0, 0, 0, 1][..], &start, &(data.len() as u32).to_be_bytes()];
        item(b"iloc", &[&[1, 0, 0, 0, 0x44, 0, 0, 2][..], &of_grid, &of_tile.concat()].concat())
    };
    let file = |start: usize| {
        let meta = [
            vec![0; 4],
            item(b"pitm", &[0, 0, 0, 0, 0, 1]),
            item(b"iinf", &kinds),
            places(start),
            item(b"iprp", &[properties.clone(), used.clone()].concat()),
            item(b"iref", &[vec![0; 4], item(b"dimg", &tiles)].concat()),
            item(b"idat", &grid),
        ];
        let parts = [item(b"ftyp", b"avif\0\0\0\0avif"), item(b"meta", &meta.concat())];
        [parts.concat(), item(b"mdat", &data)].concat()
    };
    let start = find(&file(0), b"mdat") + 4;
    file(start)
}

#[test]
fn tiles_may_share_an_image_but_not_much_data() {
    let shared = read(&of_one_tile(&[])).frame;
    let tile = photo("444.avif").frame;
    assert_eq!(shared.size(), (592, 368));
    for (x, y) in [(0, 0), (36, 22), (37, 23), (591, 367)] {
        assert_eq!(shared.pixel(x, y), tile.pixel(x % 37, y % 23), "{x}, {y}");
    }
    // A unit of padding of 100,000 bytes, which would be read for each tile.
    let padding = [&[0x7a, 0xa0, 0x8d, 0x06][..], &[0x80; 100_000]].concat();
    let error = refused(&of_one_tile(&padding));
    assert!(error.to_string().contains("its tiles repeat too much data"), "{error}");
}

#[test]
fn boxes_that_repeat_themselves_end() {
    // Extents that take no bytes of the file: 65,535 for each of 65,535 items.
    let mut places = vec![0u8, 0, 0, 0, 0, 0, 0xff, 0xff];
    for id in 0..u16::MAX {
        places.extend(id.to_be_bytes());
        places.extend([0, 0, 0xff, 0xff]);
    }
    let primary = item(b"pitm", &[0, 0, 0, 0, 0, 1]);
    let meta = item(b"meta", &[&[0; 4][..], &primary, &item(b"iloc", &places)].concat());
    let file = [item(b"ftyp", b"avif\0\0\0\0avif"), meta].concat();
    assert!(matches!(refused(&file), ReadProblem::Damaged { .. }));
    // Boxes of length 8 and of a length beyond the file.
    let many = item(b"free", b"").repeat(100_000);
    let file =
        [item(b"ftyp", b"avif\0\0\0\0avif"), many, b"\xff\xff\xff\xffmeta".to_vec()].concat();
    assert!(matches!(refused(&file), ReadProblem::Damaged { .. }));
}

#[test]
fn frames_that_are_not_shown_are_limited() {
    let whole = bytes("444.avif");
    // A unit of type 6, a frame, with a length of 0, a thousand times: after the picture's own data, at its end.
    let places = find(&whole, b"iloc");
    let data = find(&whole, b"mdat") + 4;
    let length = u32::try_from(whole.len() - data).expect("small");
    let at = (places..data)
        .find(|&at| whole[at..at + 4] == length.to_be_bytes())
        .expect("the length of the data");
    let mut file = whole.clone();
    file[at..at + 4].copy_from_slice(&(length + 2000).to_be_bytes());
    file.extend([0x32, 0].repeat(1000));
    assert!(refused(&file).to_string().contains("too many frames"));
}

#[test]
fn flipped_bits_end_in_time() {
    let started = Instant::now();
    let mut random = 7u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize
    };
    for name in [
        "420.avif",
        "10bit.avif",
        "alpha.avif",
        "lossless.avif",
        "lossy.jxl",
        "alpha.jxl",
        "lab.tiff",
        "jpeg.tiff",
        "palette.tiff",
        "fax4.tiff",
        "half.tiff",
        "big.tiff",
        "planes.tiff",
        "thumbnail.tiff",
    ] {
        let whole = bytes(name);
        for _ in 0..100 {
            let mut file = whole.clone();
            for _ in 0..1 + next() % 4 {
                let at = next() % file.len();
                file[at] ^= 1 << (next() % 8);
            }
            decode::from_bytes("flipped", &file).ok();
        }
    }
    within("reading them", started.elapsed(), Duration::from_secs(30));
}
