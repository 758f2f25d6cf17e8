//! Makes foreign text safe to display.
//!
//! Titles, and names of tensors, files and cameras come from elsewhere. A terminal acts on control characters in them,
//! a line break starts a line that looks like the program's own, and direction marks reorder the letters around them.
//! [`one_line`] escapes all of these; [`cut`] limits the length. The window and the command line display foreign text
//! only through these two.

use std::{borrow::Cow, fmt::Write as _};

/// Maximum length of a stored title, artist or other short text of a style.
pub const MAX_TITLE_CHARS: usize = 200;

/// True if `c` is invisible: a control character (C0, DEL and C1, which include the line breaks), a line or paragraph
/// separator, or a character without a glyph, such as a direction mark. The joiners (U+200C, U+200D) and the variation
/// selectors (U+FE0E, U+FE0F) count as visible, because they shape the letters and emoji around them.
pub fn is_unseen(c: char) -> bool {
    let forms_others = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || (shows_nothing(c) && !forms_others)
}

/// True if `c` has no glyph of its own: Unicode's property `Default_Ignorable_Code_Point`.
pub fn shows_nothing(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// `text` as one line of visible characters. Those for which [`is_unseen`] is true are escaped as in a Rust string,
/// `\u{1b}` or `\n`. Text that is already escaped is unchanged.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen, |shown, c| shown.extend(c.escape_default()))
}

/// `text`, to which `escape` appends every character for which `is_special` is true.
fn escaped(
    text: &str,
    is_special: fn(char) -> bool,
    escape: fn(&mut String, char),
) -> Cow<'_, str> {
    if !text.contains(is_special) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_special(c) { escape(&mut shown, c) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// At most `max_chars` characters of `text`; the last one is an ellipsis if the text is longer.
pub fn cut(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.char_indices().nth(max_chars).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect())
}

/// One line of a CSV file (RFC 4180, but with Unix line ends). A cell is quoted if it contains a special character.
pub fn csv_line<const CELLS: usize>(cells: [String; CELLS]) -> String {
    cells
        .map(|cell| {
            if cell.contains(['"', ',', '\n', '\r']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell
            }
        })
        .join(",")
        + "\n"
}

/// `json` with the characters for which [`is_unseen`] is true escaped as `\u` and a number inside its strings, which
/// parses to the same value. Line breaks between its lines stay.
pub fn json_escaped(json: &str) -> Cow<'_, str> {
    let in_a_string = |c: char| c != '\n' && is_unseen(c);
    escaped(json, in_a_string, |shown, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped_and_the_rest_stays() {
        for plain in ["", "Été – 北斎 🎨", "a\\n b", "\u{fffd}", "क्\u{200d}ष"] {
            assert!(matches!(one_line(plain), Cow::Borrowed(same) if same == plain));
        }
        assert_eq!(one_line("a\x1b]0;b\x07\r\n\tc"), "a\\u{1b}]0;b\\u{7}\\r\\n\\tc");
        assert_eq!(one_line("\u{202e}gpj.exe"), "\\u{202e}gpj.exe");
        let all: String = (0..0x1_0000).filter_map(char::from_u32).collect();
        let shown = one_line(&all);
        assert!(!shown.contains(is_unseen));
        assert_eq!(one_line(&shown), shown);
        // C0, DEL and C1; the separators; the ignorable characters of the first plane, minus those that shape others.
        assert_eq!(all.chars().filter(|c| is_unseen(*c)).count(), 65 + 2 + 66 - 4);
    }

    #[test]
    fn letters_that_show_nothing_are_escaped() {
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{2060}',
            '\u{2064}',
            '\u{3164}',
            '\u{fe00}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{e0001}',
            '\u{e007f}',
            '\u{e0100}',
        ] {
            assert_eq!(one_line(&format!("a{c}b")), format!("a\\u{{{:x}}}b", c as u32));
        }
        // They shape the characters around them.
        for plain in ["می\u{200c}خواهم", "👩\u{200d}🎨", "❤\u{fe0f}"] {
            assert_eq!(one_line(plain), plain);
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("äöüß", 2), "ä…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn cells_with_commas_are_quoted() {
        let cells = ["NVIDIA H200", "", "a, \"b\""].map(str::to_owned);
        assert_eq!(csv_line(cells), "NVIDIA H200,,\"a, \"\"b\"\"\"\n");
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let all: String = (0..0x3000).filter_map(char::from_u32).collect();
        let json = serde_json::to_string_pretty(&[&all]).expect("JSON");
        let shown = json_escaped(&json);
        assert!(!shown.replace('\n', "").contains(is_unseen));
        let read: Vec<String> = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(read, [all]);
    }
}
