//! Errors of our own decoders, as those of the image crate.

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
