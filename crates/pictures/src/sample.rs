//! The sample and the example styles: a photo and three paintings that are built into the program.

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

/// A painting to be used as a style.
pub struct Example {
    pub title: &'static str,
    pub artist: &'static str,
    bytes: &'static [u8],
}

/// Artists and years are in `assets/CREDITS.md`.
pub const EXAMPLES: [Example; 3] = [
    Example {
        title: "The Water-Lily Pond",
        artist: "Claude Monet",
        bytes: include_bytes!("../../../assets/paintings/water_lily_pond.webp"),
    },
    Example {
        title: "Sunflowers",
        artist: "Vincent van Gogh",
        bytes: include_bytes!("../../../assets/paintings/sunflowers.webp"),
    },
    Example {
        title: "Composition VIII",
        artist: "Wassily Kandinsky",
        bytes: include_bytes!("../../../assets/paintings/composition_viii.webp"),
    },
];

impl Example {
    /// Decodes the painting.
    ///
    /// # Errors
    /// [`MediaError`] if the program itself is damaged.
    pub fn picture(&self) -> Result<decode::Photo, MediaError> {
        decode::from_bytes(self.title, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_sample_is_a_picture() {
        let photo = super::sample().expect("embedded");
        assert!(photo.frame.pixel_count() > 10_000);
        assert!(photo.notes.is_empty(), "{:?}", photo.notes);
    }

    #[test]
    fn the_example_styles_are_pictures() {
        for example in super::EXAMPLES {
            let picture = example.picture().expect("embedded");
            assert!(picture.frame.pixel_count() > 10_000, "{}", example.title);
        }
    }
}
