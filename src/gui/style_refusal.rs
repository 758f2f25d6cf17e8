//! Messages why a file is not a style, or why a style cannot have a name.

use crate::weights::{LibraryError, WeightsError};

/// Why a file was not added.
pub fn not_added(error: &dyn std::error::Error) -> String {
    format!("This file was not added as a style: {error}.")
}

/// Why a file of weights was not added. If it is not a weights file at all, it may have been meant as a picture.
pub fn no_weights(error: &WeightsError) -> String {
    match error {
        WeightsError::UnknownFormat { found } => format!(
            "This file was not added as a style: {found}. A style is an image (PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF, JPEG XL or HEIC) or a network (safetensors, PyTorch or ONNX)."
        ),
        other => not_added(other),
    }
}

/// Why a style was not renamed; `title_of` returns the title of the style that has the name.
pub fn not_renamed(error: &LibraryError, title_of: impl Fn(&str) -> Option<String>) -> String {
    let taken = match error {
        LibraryError::Exists { id } => title_of(id),
        _ => None,
    };
    match taken {
        Some(title) => format!("A style named “{title}” already exists. Choose another name."),
        None => format!("The style was not renamed: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_style_is_told_what_one_is() {
        let found = "it is text".to_owned();
        let text = no_weights(&WeightsError::UnknownFormat { found });
        assert!(text.contains("it is text. A style is an image (PNG"), "{text}");
        let other = no_weights(&WeightsError::Onnx("cut off".to_owned()));
        assert!(other.ends_with("broken ONNX file: cut off."), "{other}");
    }

    #[test]
    fn a_name_that_is_taken_is_told_as_it_is_shown() {
        let taken = LibraryError::Exists { id: "red_barn".to_owned() };
        let text = not_renamed(&taken, |id| (id == "red_barn").then(|| "Red barn".to_owned()));
        assert_eq!(text, "A style named “Red barn” already exists. Choose another name.");
        // A network has no title.
        let text = not_renamed(&taken, |_| None);
        assert!(text.contains("named red_barn"), "{text}");
    }
}
