//! What a PNG says before its pixels.

use std::io::Cursor;

/// How much the reader of a PNG's chunks may allocate.
pub(super) const INFO_LIMITS: png::Limits = png::Limits { bytes: 8 << 20 };

/// What the chunks of a PNG before its pixels say. `None` if one of them is damaged.
pub(super) fn png_info(bytes: &[u8]) -> Option<png::Info<'static>> {
    let reader = png::Decoder::new_with_limits(Cursor::new(bytes), INFO_LIMITS).read_info().ok()?;
    Some(reader.info().clone())
}
