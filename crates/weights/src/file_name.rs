//! File names in JSON. JSON contains only text, but a name on disk is bytes.
//!
//! A field with a path shows it as text. If that loses something, a second field next to it contains the name's bytes.

use std::path::Path;

use serde::Serializer;

/// Writes a path as text. Invalid UTF-8 becomes U+FFFD.
pub fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// The bytes of a path as hexadecimal digits; `None` if it is valid UTF-8, so that its text is complete.
pub fn bytes_in_hex(path: &Path) -> Option<String> {
    if path.to_str().is_some() {
        return None;
    }
    Some(path.as_os_str().as_encoded_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(all(test, unix))]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;

    #[test]
    fn only_names_that_are_not_text_are_shown_as_bytes() {
        assert_eq!(bytes_in_hex(Path::new("a/\u{e4}.pth")), None);
        let name = Path::new(OsStr::from_bytes(b"a\xff\x0a"));
        assert_eq!(bytes_in_hex(name).as_deref(), Some("61ff0a"));
    }
}
