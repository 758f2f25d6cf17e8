//! Picture files of tests. `image::open` and `RgbImage::save` are generic: each program that calls them compiles the
//! decoders or encoders of all formats again. These functions call what is compiled once.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{fs, path::Path};

use image::{DynamicImage, RgbImage};
use pictures::encode::{self, Encoding, Existing, Format};
use values::frame::Frame;

pub fn opened(path: &Path) -> DynamicImage {
    let file = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    image::load_from_memory(&file).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Writes a PNG file; an existing one is replaced.
pub fn save_png(picture: &RgbImage, path: &Path) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let frame = Frame::from_fn(width, height, |x, y| {
        let [r, g, b] = picture.get_pixel(x as u32, y as u32).0;
        [r, g, b, 255]
    });
    encode::save(path, &frame, None, Encoding::of(Format::Png), Existing::Replace)
        .unwrap_or_else(|e| panic!("{e}"));
}
