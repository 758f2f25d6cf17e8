use super::{counting::peak_of, is_short};
use pictures::{decode, encode};
use settings::looks::SavedLook;
use std::io::Cursor;

/// Maximum number of pixels of a picture that is decoded.
const MAX_PIXELS: usize = 1 << 16;
/// Maximum bytes that a decoder keeps in addition to its prediction: profiles, tables, rows.
const SIDE_BYTES: u64 = 256 << 20;

/// Reads a picture file, and the look in it. Large pictures are skipped: they take longer to decode and show nothing that
/// small ones do not.
pub fn picture(bytes: &[u8]) {
    SavedLook::of(&encode::png_texts(Cursor::new(bytes)));
    let needs = match decode::needs("fuzzed", bytes) {
        Ok(needs) => needs,
        Err(error) => return is_short(&error.to_string()),
    };
    if needs.width.saturating_mul(needs.height) > MAX_PIXELS {
        return;
    }
    let (read, peak_bytes) = peak_of(|| decode::from_bytes("fuzzed", bytes));
    assert!(
        peak_bytes <= needs.bytes + SIDE_BYTES,
        "{peak_bytes} bytes of memory where {needs:?} were predicted"
    );
    match read {
        Err(error) => is_short(&error.to_string()),
        Ok(photo) => {
            let pixels = photo.frame.width() * photo.frame.height();
            assert_eq!(pixels, needs.width * needs.height);
            photo.notes.iter().for_each(|note| is_short(note));
        }
    }
}
