//! Draws keys as chips, in the list of shortcuts and in tooltips.

use std::sync::Arc;

use eframe::egui::{
    self, Align2, Color32, Galley, Rect, Response, Role, Sense, Stroke, StrokeKind, TextStyle, Ui,
    Vec2, pos2, vec2,
};

use super::theme;

/// Padding of a chip, in points.
const PADDING: Vec2 = vec2(5.0, 1.5);
/// Space between two keys that are pressed together, in points.
const TOGETHER: f32 = 2.0;
/// Space next to a word, in points.
const APART: f32 = 5.0;

/// A part of a text that names keys.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    /// A key; `true` if it is pressed together with the previous one.
    Key(&'a str, bool),
    /// Text between keys; empty for a comma.
    Word(&'a str),
}

/// Parses a text such as `Ctrl+Shift+Z`, `1 to 9` or `Page Up, Page Down`.
fn pieces(keys: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = keys;
    loop {
        let between = [(", ", ""), (" and ", "and"), (" or ", "or"), (" to ", "to")];
        let next = between
            .into_iter()
            .filter_map(|(text, word)| Some((rest.find(text)?, text, word)))
            .min_by_key(|(at, ..)| *at);
        let together = match next {
            Some((at, ..)) => &rest[..at],
            None => rest,
        };
        // A plus sign alone is a key, not a separator.
        match together {
            "+" => pieces.push(Piece::Key(together, false)),
            _ => pieces
                .extend((together.split('+').enumerate()).map(|(at, key)| Piece::Key(key, at > 0))),
        }
        let Some((at, text, word)) = next else {
            return pieces;
        };
        pieces.push(Piece::Word(word));
        rest = &rest[at + text.len()..];
    }
}

/// Draws keys as chips in one line; screen readers read the text.
pub fn chips(ui: &mut Ui, keys: &str) -> Response {
    let font = TextStyle::Small.resolve(ui.style());
    let palette = theme::palette(ui);
    let letters = ui.visuals().text_color();
    let laid = |text: &str, color: Color32| -> Arc<Galley> {
        (ui.painter()).layout_no_wrap(text.to_owned(), font.clone(), color)
    };
    let height = font.size + 2.0 * PADDING.y + 3.0;
    let mut right: f32 = 0.0;
    let mut drawn = Vec::new();
    for piece in pieces(keys) {
        let (galley, is_key, gap) = match piece {
            Piece::Key(key, true) => (laid(key, letters), true, TOGETHER),
            Piece::Key(key, false) => (laid(key, letters), true, 0.0),
            Piece::Word(word) => (laid(word, palette.quiet), false, APART),
        };
        let padding = if is_key { PADDING.x } else { 0.0 };
        // A key is at least as wide as it is high.
        let least = if is_key { height } else { 0.0 };
        let width = (galley.size().x + 2.0 * padding).max(least).ceil();
        let left = right + gap;
        right = left + width + if is_key { 0.0 } else { gap };
        drawn.push((left, width, galley, is_key));
    }
    let (rect, response) = ui.allocate_exact_size(vec2(right, height), Sense::hover());
    theme::named(&response, Role::Label, keys);
    for (left, width, galley, is_key) in drawn {
        let place =
            Rect::from_min_size(pos2(rect.left() + left, rect.top()), vec2(width, rect.height()));
        let color = if is_key { letters } else { palette.quiet };
        if is_key {
            key_cap(ui, place);
        }
        let at = Align2::CENTER_CENTER.anchor_size(place.center(), galley.size());
        ui.painter().galley(at.min, galley, color);
    }
    response
}

/// Draws the shape of a key.
fn key_cap(ui: &Ui, place: Rect) {
    let fill = ui.visuals().widgets.inactive.weak_bg_fill;
    let edge = Stroke::new(1.0, theme::palette(ui).outline);
    (ui.painter()).rect(place, 4.0, fill, edge, StrokeKind::Inside);
}

/// Draws a single key whose right edge is in the middle of `end`.
pub fn chip(ui: &Ui, end: egui::Pos2, key: &str) {
    let font = TextStyle::Small.resolve(ui.style());
    let side = font.size + 2.0 * PADDING.y + 3.0;
    let place = Align2::RIGHT_CENTER.anchor_size(end, Vec2::splat(side));
    key_cap(ui, place);
    let letters = ui.visuals().text_color();
    (ui.painter()).text(place.center(), Align2::CENTER_CENTER, key, font, letters);
}

/// Adds a tooltip to a widget: what it does, and its keys, if any.
pub fn hint(response: Response, does: &str, keys: &str) -> Response {
    response.on_hover_ui(|ui| contents(ui, does, keys))
}

/// The content of a tooltip: what a widget does, and its keys, if any.
pub fn contents(ui: &mut Ui, does: &str, keys: &str) {
    ui.set_max_width(ui.spacing().tooltip_width);
    ui.horizontal_wrapped(|ui| {
        ui.label(if does.is_empty() { "Press" } else { does });
        if !keys.is_empty() {
            chips(ui, keys);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::shortcuts;

    #[test]
    fn keys_are_told_from_the_words_between_them() {
        use Piece::{Key, Word};
        for (keys, expected) in [
            ("F", vec![Key("F", false)]),
            ("Ctrl+Shift+Z", vec![Key("Ctrl", false), Key("Shift", true), Key("Z", true)]),
            ("1 to 9", vec![Key("1", false), Word("to"), Key("9", false)]),
            ("+ and −", vec![Key("+", false), Word("and"), Key("−", false)]),
            ("Page Up, Page Down", vec![Key("Page Up", false), Word(""), Key("Page Down", false)]),
            ("F1 or ?", vec![Key("F1", false), Word("or"), Key("?", false)]),
        ] {
            assert_eq!(pieces(keys), expected, "{keys}");
        }
    }

    #[test]
    fn every_shortcut_has_keys_to_draw() {
        for line in
            [false, true].into_iter().flat_map(shortcuts::groups).flat_map(|(_, lines)| lines)
        {
            for piece in pieces(line.keys) {
                if let Piece::Key(key, _) = piece {
                    assert!(!key.trim().is_empty(), "{}", line.keys);
                    assert!(key.chars().count() <= 9, "{key} of {}", line.keys);
                }
            }
        }
    }
}
