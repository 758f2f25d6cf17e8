//! Pictures for the tests, written byte by byte if no encoder would make them.

use std::{
    fs,
    io::Cursor,
    time::{Duration, Instant},
};

use image::{DynamicImage, ImageFormat};
use pictures::{
    MediaError, ReadProblem,
    decode::{self, Photo},
    encode::{self, Encoding, Format},
};
use values::frame::Frame;

use crate::real_time::within;

pub fn fixture(name: &str) -> Vec<u8> {
    let path = crate::home::project().join("tests/pictures").join(name);
    fs::read(path).expect("fixture")
}

/// Every pixel of a small picture has another colour.
pub fn scene(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        [(x * 37 + 20) as u8, (y * 53 + 10) as u8, (x * y * 11) as u8, 255]
    })
}

pub fn translucent(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        [200, (x * 40) as u8, 30, 255u8.wrapping_sub(((x + y * 3) * 9) as u8).max(1)]
    })
}

pub fn encoded(frame: &Frame, format: Format) -> Vec<u8> {
    encode::to_bytes("test", frame, None, Encoding::of(format)).expect("encodes").0
}

pub fn with_image(picture: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

pub fn read(bytes: &[u8]) -> Photo {
    decode::from_bytes("test picture", bytes).expect("a picture")
}

/// The error for bytes that must be refused quickly.
pub fn refused(bytes: &[u8]) -> ReadProblem {
    let started = Instant::now();
    let error = decode::from_bytes("bad picture", bytes).expect_err("must be refused");
    let what = format!("refusing it ({error})");
    within(&what, started.elapsed(), Duration::from_secs(5));
    assert!(error.to_string().starts_with("bad picture "), "{error}");
    match error {
        MediaError::Unreadable { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

pub fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |c, _| {
                if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 }
            },
        )
    })
}

pub fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat()
}

pub fn png_header(width: u32, height: u32, bits: u8, color: u8) -> Vec<u8> {
    let mut data = [width.to_be_bytes(), height.to_be_bytes()].concat();
    data.extend([bits, color, 0, 0, 0]);
    [b"\x89PNG\r\n\x1a\n", &png_chunk(b"IHDR", &data)[..]].concat()
}

/// zlib without compression.
pub fn stored(data: &[u8]) -> Vec<u8> {
    let length = data.len() as u16;
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in data {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let head = [&[0x78, 1, 1][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
    [&head[..], data, &((b << 16) | a).to_be_bytes()].concat()
}

/// zlib for `count` zeros (roughly), a thousandth of their size: one literal, then copies of 258.
pub fn zeros_bomb(count: usize) -> Vec<u8> {
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
        out.push(byte.iter().rev().fold(0, |b, &bit| (b << 1) | u8::from(bit)));
    }
    out.extend([0; 4]);
    out
}

/// A PNG with extra chunks between header and pixels.
pub fn png_with(extra: &[u8], frame: &Frame) -> Vec<u8> {
    let bytes = encoded(frame, Format::Png);
    [&bytes[..33], extra, &bytes[33..]].concat()
}

/// A little-endian TIFF of one uncompressed 8-bit RGB strip.
pub fn tiff(width: u32, height: u32, pixels: &[u8], extra: &[(u16, u16, u32)]) -> Vec<u8> {
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
    let mut bytes = [&b"II*\0"[..], &(8 + pixels.len() as u32).to_le_bytes(), pixels].concat();
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

/// EXIF data that contains only an orientation.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut data = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    data.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    data
}

pub fn jpeg_segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker][..], &length, data].concat()
}

/// A JPEG with a segment after its first marker.
pub fn jpeg_with(segment: &[u8], jpeg: &[u8]) -> Vec<u8> {
    [&jpeg[..2], segment, &jpeg[2..]].concat()
}

/// The part of a colour profile that the program reads: a header of 128 bytes with a colour space.
pub fn profile(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 132];
    profile[16..20].copy_from_slice(space);
    profile[36..40].copy_from_slice(b"acsp");
    profile
}

/// The meaning of an orientation in EXIF (CIPA DC-008, 4.6.4): the upright pixel (x, y) is at these coordinates of the
/// stored picture of `w` x `h` pixels.
pub fn stored_at(orientation: u8, x: usize, y: usize, w: usize, h: usize) -> (usize, usize) {
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

pub fn upright(stored: &Frame, orientation: u8) -> Frame {
    let (w, h) = (stored.width(), stored.height());
    let (width, height) = if orientation > 4 { (h, w) } else { (w, h) };
    Frame::from_fn(width, height, |x, y| {
        let (sx, sy) = stored_at(orientation, x, y, w, h);
        stored.pixel(sx, sy)
    })
}
