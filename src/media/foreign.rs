//! What the decoders share: their interface, errors as those of the image crate, and the writing of samples.

use std::io;

use image::{
    ColorType, ImageError, ImageResult,
    error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind},
    metadata::Orientation,
};

/// A picture whose header has been read.
pub(super) struct Opened<'a> {
    pub size: (u32, u32),
    /// The type of the pixels that `read` writes; four inks count as RGBA.
    pub color: ColorType,
    pub is_cmyk: bool,
    /// Whether colours are multiplied by their alpha.
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
    pub fn new(size: (u32, u32), color: ColorType, read: Read<'a>) -> Self {
        Self {
            size,
            color,
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

/// Writes samples from 0 to 1, clamped, in 8 or 16 bits each.
pub(super) fn write_levels(to: &mut [u8], levels: &[f32], is_deep: bool) {
    // Casts of floats clamp.
    if is_deep {
        for (to, level) in to.as_chunks_mut().0.iter_mut().zip(levels) {
            *to = ((level * 65535.0).round() as u16).to_ne_bytes();
        }
    } else {
        for (to, level) in to.iter_mut().zip(levels) {
            *to = (level * 255.0).round() as u8;
        }
    }
}

/// The type of pixels of 1 to 4 channels, of 8 or 16 bits each.
pub(super) const fn color_type(channels: usize, is_deep: bool) -> ColorType {
    match (channels, is_deep) {
        (1, false) => ColorType::L8,
        (1, true) => ColorType::L16,
        (2, false) => ColorType::La8,
        (2, true) => ColorType::La16,
        (3, false) => ColorType::Rgb8,
        (3, true) => ColorType::Rgb16,
        (_, false) => ColorType::Rgba8,
        (_, true) => ColorType::Rgba16,
    }
}

/// Whether turning so exchanges width and height.
pub(super) fn is_sideways(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}
