//! What the decoders share: their interface, errors as those of the image crate, and the writing of samples.

use std::io;

use image::{
    ImageError, ImageResult,
    error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind},
    metadata::Orientation,
};

/// How the pixels of a picture are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pixels {
    /// 1 to 4: grey or RGB, with or without alpha.
    pub channels: usize,
    /// Bytes of a sample: whole numbers of 1 or 2, or floats of 4.
    pub sample_bytes: usize,
}

impl Pixels {
    pub fn new(is_gray: bool, has_alpha: bool, is_deep: bool) -> Self {
        let colors = if is_gray { 1 } else { 3 };
        Self { channels: colors + usize::from(has_alpha), sample_bytes: 1 + usize::from(is_deep) }
    }

    /// Bytes of a pixel.
    pub fn bytes(self) -> usize {
        self.channels * self.sample_bytes
    }

    pub fn is_gray(self) -> bool {
        self.channels < 3
    }
}

/// A picture whose header has been read.
pub(super) struct Opened<'a> {
    pub size: (u32, u32),
    /// The pixels that `read` writes; four inks count as RGBA.
    pub pixels: Pixels,
    pub is_cmyk: bool,
    /// Colours are multiplied by their alpha.
    pub is_premultiplied: bool,
    pub orientation: Orientation,
    pub icc: Option<Vec<u8>>,
    pub exif: Option<Vec<u8>>,
    pub xmp: Option<Vec<u8>>,
    pub iptc: Option<Vec<u8>>,
    /// What further pictures in the file are called (`frame`, `page`).
    pub further: Option<&'static str>,
    /// Pixels of a GIF's frame, which may be larger than the picture, of a tile of an AVIF, and of all channels of a
    /// JPEG XL.
    pub frame_pixels: u64,
    /// Bytes of a pixel as stored, if these are more than the decoded ones.
    pub stored_pixel_bytes: u64,
    /// Bytes of a copy of the file.
    pub copied_bytes: u64,
    /// Reads the pixels, with at most this many bytes of memory.
    pub read: Read<'a>,
}

pub(super) type Read<'a> = Box<dyn FnOnce(&mut [u8], u64) -> ImageResult<()> + 'a>;

impl<'a> Opened<'a> {
    /// Without metadata, upright.
    pub fn new(size: (u32, u32), pixels: Pixels, read: Read<'a>) -> Self {
        Self {
            size,
            pixels,
            is_cmyk: false,
            is_premultiplied: false,
            orientation: Orientation::NoTransforms,
            icc: None,
            exif: None,
            xmp: None,
            iptc: None,
            further: None,
            frame_pixels: 0,
            stored_pixel_bytes: 0,
            copied_bytes: 0,
            read,
        }
    }
}

/// The data contradicts the format.
pub(super) fn invalid(why: &str) -> ImageError {
    ImageError::Decoding(DecodingError::new(ImageFormatHint::Unknown, why))
}

/// A variant that is not read.
pub(super) fn unsupported(what: String) -> ImageError {
    let kind = UnsupportedErrorKind::GenericFeature(what);
    ImageError::Unsupported(UnsupportedError::from_format_and_kind(ImageFormatHint::Unknown, kind))
}

/// The file ends before the image does.
pub(super) fn cut() -> ImageError {
    ImageError::IoError(io::ErrorKind::UnexpectedEof.into())
}

/// Writes samples from 0 to 1 with this many bytes each; whole numbers are clamped.
pub(super) fn write_levels(to: &mut [u8], levels: &[f32], sample_bytes: usize) {
    // Casts of floats clamp.
    match sample_bytes {
        1 => write(to, levels, |level| [(level * 255.0).round() as u8]),
        2 => write(to, levels, |level| ((level * 65535.0).round() as u16).to_ne_bytes()),
        _ => write(to, levels, f32::to_ne_bytes),
    }
}

fn write<const N: usize>(to: &mut [u8], levels: &[f32], sample: impl Fn(f32) -> [u8; N]) {
    for (to, level) in to.as_chunks_mut().0.iter_mut().zip(levels) {
        *to = sample(*level);
    }
}

/// Red, green and blue of JFIF's luma and chroma (ITU-T T.871, 7); chroma is 0 for grey.
pub(super) fn from_ycbcr(y: f32, cb: f32, cr: f32) -> [f32; 3] {
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb]
}

/// True if turning so exchanges width and height.
pub(super) fn is_sideways(orientation: Orientation) -> bool {
    // EXIF's last four.
    orientation.to_exif() > 4
}
