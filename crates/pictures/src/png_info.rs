//! What a PNG says before its pixels.

use std::io::Cursor;

/// Maximum bytes that the reader of a PNG's chunks may allocate.
const PNG_INFO_BYTES: usize = 8 << 20;

/// What the chunks of a PNG before its pixels say. `None` if one of them is damaged.
pub(super) fn png_info(bytes: &[u8]) -> Option<png::Info<'static>> {
    let limits = png::Limits { bytes: PNG_INFO_BYTES };
    let reader = png::Decoder::new_with_limits(Cursor::new(bytes), limits).read_info().ok()?;
    Some(reader.info().clone())
}
