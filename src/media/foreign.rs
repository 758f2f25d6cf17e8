//! What our own decoders share: errors, as those of the image crate, and the writing of samples.

use std::io;

use image::{
    ImageError,
    error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind},
};

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
