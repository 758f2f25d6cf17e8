//! The formats that pictures are written in.

use std::{path::Path, str::FromStr};

use super::MediaError;
use values::names;

/// A format for writing pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Lossless, alpha, colour profile.
    #[default]
    Png,
    /// Lossy, no alpha, colour profile.
    Jpeg,
    /// Lossless WebP with alpha and colour profile; at most 16383 pixels a side.
    WebP,
    /// Uncompressed, alpha, no colour profile.
    Bmp,
    /// Lossless, alpha, colour profile.
    Tiff,
}

names!(Format, Png = "png", Jpeg = "jpeg", WebP = "webp", Bmp = "bmp", Tiff = "tiff");

impl Format {
    /// True if its files contain the resolution for printing.
    pub const fn has_resolution(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::Tiff)
    }

    pub const fn has_16_bits(self) -> bool {
        matches!(self, Self::Png | Self::Tiff)
    }

    pub const fn has_alpha(self) -> bool {
        !matches!(self, Self::Jpeg)
    }

    /// True if the quality of files can be chosen.
    pub const fn is_lossy(self) -> bool {
        matches!(self, Self::Jpeg)
    }

    /// File extension, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            other => other.name(),
        }
    }

    /// The format for a file name's extension; `None` if the extension is not that of a writable format.
    pub fn from_path(path: &Path) -> Option<Self> {
        path.extension()?.to_str()?.parse().ok()
    }

    /// Maximum pixels per side in a file of this format.
    pub(super) const fn max_side_px(self) -> usize {
        match self {
            Self::Jpeg => 65_535,
            Self::WebP => 16_383,
            Self::Png | Self::Bmp | Self::Tiff => i32::MAX as usize,
        }
    }
}

impl FromStr for Format {
    type Err = MediaError;

    /// Parses a format's name or a file extension, case-insensitively.
    fn from_str(s: &str) -> Result<Self, MediaError> {
        match s.to_ascii_lowercase().as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" | "jpe" | "jfif" | "jif" | "pjpeg" | "pjp" => Ok(Self::Jpeg),
            "webp" => Ok(Self::WebP),
            "bmp" => Ok(Self::Bmp),
            "tif" | "tiff" => Ok(Self::Tiff),
            _ => Err(MediaError::UnwritableFormat { name: s.to_owned() }),
        }
    }
}
