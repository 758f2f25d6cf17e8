//! The formats that are read, and the limits of every decoder.

use image::{ImageFormat, Limits};

use super::heif;

/// Maximum number of pixels that a picture may declare.
pub const MAX_PIXELS: u64 = 200_000_000;

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Png,
    Jpeg,
    WebP,
    Bmp,
    Tiff,
    Gif,
    Avif,
    JpegXl,
    Heic,
}

impl Kind {
    /// The format by the first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let has_brand = |wanted: &[&[u8; 4]]| heif::brands(bytes).any(|b| wanted.contains(&b));
        if has_brand(&[b"avif", b"avis"]) {
            return Some(Self::Avif);
        }
        if has_brand(&HEIC_BRANDS) {
            return Some(Self::Heic);
        }
        if bytes.starts_with(b"\xff\x0a") || bytes.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n") {
            return Some(Self::JpegXl);
        }
        if bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+") {
            return Some(Self::Tiff);
        }
        Some(match image::guess_format(bytes).ok()? {
            ImageFormat::Png => Self::Png,
            ImageFormat::Jpeg => Self::Jpeg,
            ImageFormat::WebP => Self::WebP,
            ImageFormat::Bmp => Self::Bmp,
            ImageFormat::Tiff => Self::Tiff,
            ImageFormat::Gif => Self::Gif,
            _ => return None,
        })
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
            Self::Avif => "AVIF",
            Self::JpegXl => "JPEG XL",
            Self::Heic => "HEIC",
        }
    }
}

/// Brands of HEIF files; those with AVIF images also have a brand of their own.
const HEIC_BRANDS: [&[u8; 4]; 8] =
    [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"];

pub(super) fn limits(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}
