//! Converts text from outside the program to labels: titles, names of files and cameras, and remarks about them.
//!
//! A label is a text of limited length without control characters and direction marks; the window decides on its line
//! breaks. Paths and file names are converted to text only here.

use std::{borrow::Cow, path::Path};

use values::text::{MAX_TITLE_CHARS, cut, one_line};

/// Maximum length of a text with whole sentences, in characters.
const MAX_REMARK_CHARS: usize = 2000;

/// A name or title.
pub fn label(text: &str) -> String {
    cut(&one_line(text), MAX_TITLE_CHARS).into_owned()
}

/// A remark of whole sentences.
pub fn remark(text: &str) -> String {
    cut(&one_line(text), MAX_REMARK_CHARS).into_owned()
}

/// Capitalizes the first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// Makes an error a whole sentence for a message: errors of lower layers start in lower case, like parts of sentences.
/// Paths and names are not capitalized.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let is_word = text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .chars()
        .all(|c| c.is_lowercase() || c == '-');
    let mut sentence = if is_word { capital(text) } else { text.to_owned() };
    if !sentence.ends_with(['.', '!', '?', '…']) {
        sentence.push('.');
    }
    sentence
}

/// The whole path of a file or folder, with `~` for the home folder.
pub fn path_label(path: &Path) -> String {
    path_label_from(path, std::env::home_dir().as_deref())
}

fn path_label_from(path: &Path, home: Option<&Path>) -> String {
    let home = home.filter(|home| home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(below) => remark(&Path::new("~").join(below).to_string_lossy()),
        None => remark(&path.to_string_lossy()),
    }
}

/// The name of a file or folder.
pub fn name_label(path: &Path) -> String {
    path.file_name().map_or_else(|| path_label(path), |name| label(&name.to_string_lossy()))
}

/// A path to be edited in a field, where it cannot be mistaken for text of the window.
pub fn editable(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A file name without extension, as part of another file name.
pub fn stem(path: &Path) -> Cow<'_, str> {
    path.file_stem().unwrap_or_default().to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_bounded_line() {
        assert_eq!(label("Candy"), "Candy");
        assert_eq!(label("a\nb\u{202e}c"), "a\\nb\\u{202e}c");
        assert_eq!(label(&"é".repeat(70_000)).chars().count(), MAX_TITLE_CHARS);
        let path = Path::new("far/away/x\u{1b}[2J.png");
        assert_eq!(name_label(path), "x\\u{1b}[2J.png");
        assert_eq!(path_label(path), "far/away/x\\u{1b}[2J.png");
        assert_eq!(name_label(Path::new("/")), "/");
        for (path, home, expected) in [
            ("/home/anna/a.png", "/home/anna", "~/a.png"),
            ("/home/annabel/a.png", "/home/anna", "/home/annabel/a.png"),
            ("/a.png", "/", "/a.png"),
        ] {
            assert_eq!(path_label_from(Path::new(path), Some(Path::new(home))), expected);
        }
    }

    #[test]
    fn messages_are_sentences() {
        assert_eq!(sentence("the disk is full"), "The disk is full.");
        assert_eq!(sentence("beach.jpg is damaged"), "beach.jpg is damaged.");
        assert_eq!(sentence("/a/b is damaged."), "/a/b is damaged.");
    }
}
