//! The sample: a photo that is built into the program.

use super::{MediaError, decode};

/// Source and licence are in `assets/CREDITS.md`.
const BYTES: &[u8] = include_bytes!("../../../assets/sample.jpg");

/// Decodes the sample.
///
/// # Errors
/// [`MediaError`] if the program itself is damaged.
pub fn sample() -> Result<decode::Photo, MediaError> {
    decode::from_bytes("the sample", BYTES)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sample_is_a_picture() {
        let photo = super::sample().expect("embedded");
        assert!(photo.frame.pixel_count() > 10_000);
        assert!(photo.notes.is_empty(), "{:?}", photo.notes);
    }
}
