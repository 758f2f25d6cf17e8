//! Names of styles: the name on the command line, which is also the folder's name, and the short texts of the file.

use std::{collections::BTreeMap, path::Path};

use itertools::Itertools;
use unicode_normalization::UnicodeNormalization;

use super::LibraryError;
use values::text::{MAX_TITLE_CHARS, cut, shows_nothing};

/// The command line's word for all styles.
pub const ALL_STYLES: &str = "all";
/// The command line's word for no style.
pub const NO_STYLE: &str = "none";

/// Replaces the path of weights that are built into the program.
pub const BUILT_IN: &str = "built in";

/// Maximum length of a style's folder name.
pub const MAX_ID_CHARS: usize = 64;

/// A folder name from free text: lower case letters and digits; each run of anything else becomes one `_`. An accent
/// may be a part of its letter, or follow it.
pub fn id_from(name: &str) -> String {
    let mut id = String::new();
    for c in name.trim().nfc().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() && !shows_nothing(c) {
            id.push(c);
        } else if !id.is_empty() && !id.ends_with('_') {
            id.push('_');
        }
    }
    id.chars().take(MAX_ID_CHARS).collect::<String>().trim_end_matches('_').to_owned()
}

/// The meaning of `id` on the command line, if it is reserved. No style can have a reserved name.
pub fn reserved_for(id: &str) -> Option<&'static str> {
    match id {
        ALL_STYLES => Some("every style"),
        NO_STYLE => Some("no style"),
        _ => None,
    }
}

/// The folder name for a new style or network of this title in the user's `folder`. Fails if it has a `meaning`, or is
/// taken.
pub fn free_id(
    title: &str,
    folder: Option<&Path>,
    meaning: impl Fn(&str) -> Option<&'static str>,
    is_taken: impl Fn(&str) -> bool,
) -> Result<String, LibraryError> {
    let (id, name) = (id_from(title), title.to_owned());
    if id.is_empty() {
        return Err(LibraryError::BadName { name });
    }
    if let Some(meaning) = meaning(&id) {
        return Err(LibraryError::Reserved { name, meaning });
    }
    if is_taken(&id) {
        return Err(LibraryError::Exists { id });
    }
    let folder = folder.ok_or(LibraryError::NoOwnFolder)?.join(&id);
    if folder.exists() {
        return Err(LibraryError::InTheWay { folder });
    }
    Ok(id)
}

/// The name of a file without its extension.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A text as a title: on one line, and cut to a readable length. Empty if nothing of it is visible.
pub fn title_of(text: &str) -> String {
    let title = text.split_whitespace().join(" ");
    if title.chars().all(|c| c == ' ' || shows_nothing(c)) {
        String::new()
    } else {
        cut(&title, MAX_TITLE_CHARS).into_owned()
    }
}

/// A short text of a style's file; `None` if it is missing, empty or `not stated`.
pub fn stated(metadata: &BTreeMap<String, String>, key: &str) -> Option<String> {
    let text = title_of(metadata.get(key)?);
    (!text.is_empty() && text != "not stated").then_some(text)
}

/// The title in the file, or the name of the file or folder with spaces and capitals.
pub fn title_from(metadata: &BTreeMap<String, String>, name: &str) -> String {
    stated(metadata, "title").unwrap_or_else(|| {
        let words = title_of(&name.replace(['_', '-'], " "));
        let mut chars = words.chars();
        match chars.next() {
            Some(first) => first.to_uppercase().chain(chars).collect(),
            None => title_of(name),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_folders() {
        assert_eq!(id_from("  My *Nice*  Style! "), "my_nice_style");
        assert_eq!(id_from("../../etc/passwd"), "etc_passwd");
        for accents in ["Été-2024", "E\u{301}te\u{301}-2024", "e\u{301}t\u{e9} 2024"] {
            assert_eq!(id_from(accents), "\u{e9}t\u{e9}_2024");
        }
        assert_eq!(id_from("..."), "");
        // Letters in Unicode, but invisible to a reader.
        assert_eq!(id_from("\u{3164}\u{115f}\u{ffa0}"), "");
        assert_eq!(id_from("\u{3164}wave"), "wave");
        assert_eq!(
            (title_of("\u{3164} \u{200b}"), title_of("❤\u{fe0f}").as_str()),
            (String::new(), "❤\u{fe0f}")
        );
        assert_eq!(id_from(&"x".repeat(300)).len(), MAX_ID_CHARS);
    }

    #[test]
    fn words_of_the_command_line_are_reserved_however_they_are_written() {
        for name in ["all", "ALL", " None! ", "_all_"] {
            assert!(reserved_for(&id_from(name)).is_some(), "{name}");
        }
        assert_eq!(reserved_for(&id_from("all of it")), None);
    }

    #[test]
    fn texts_of_a_file_are_one_line_of_bounded_length() {
        let metadata = |text: &str| BTreeMap::from([("title".to_owned(), text.to_owned())]);
        assert_eq!(title_from(&metadata("Blue\n  hour "), "x"), "Blue hour");
        assert_eq!(title_from(&metadata(" \n"), "my-own_one"), "My own one");
        assert_eq!(title_from(&BTreeMap::new(), "--"), "--");
        let long = title_from(&metadata(&"wave ".repeat(100_000)), "x");
        assert_eq!(long.chars().count(), MAX_TITLE_CHARS);
        assert_eq!(stated(&metadata("not stated"), "title"), None);
    }
}
