//! Draws keys as chips, in the list of shortcuts and in tooltips. Tooltips of the columns of styles and controls are
//! next to them: below a widget they would cover the next one.

use eframe::egui::{
    self, Align, Align2, Color32, FontSelection, Pos2, RectAlign, Response, RichText, TextFormat,
    TextStyle, Ui, text::LayoutJob,
};

use super::theme::{self, CONTROLS_WIDTH, GALLERY_WIDTH};

/// Space between a key and what is next to it, in points.
const APART: f32 = 4.0;
/// Text between keys.
const BETWEEN: [&str; 5] = [", ", " and ", " or ", " to ", "+"];

/// Divides a text such as `Ctrl+Shift+Z`, `1 to 9` or `Page Up, Page Down` into keys and the text between them; `true`
/// for keys.
fn pieces(keys: &str) -> Vec<(&str, bool)> {
    for between in BETWEEN {
        // A plus sign alone is a key, not a separator.
        if let Some((before, after)) = keys.split_once(between).filter(|(key, _)| !key.is_empty()) {
            return [pieces(before), vec![(between, false)], pieces(after)].concat();
        }
    }
    vec![(keys, true)]
}

/// The text, with a chip under each key.
fn chips_of(ui: &Ui, keys: &str) -> LayoutJob {
    let font = TextStyle::Small.resolve(ui.style());
    // In the middle of the line, as the text before it.
    let format =
        |color| TextFormat { valign: Align::Center, ..TextFormat::simple(font.clone(), color) };
    let word = format(theme::palette(ui).quiet);
    let key = TextFormat {
        background: ui.visuals().widgets.inactive.weak_bg_fill,
        expand_bg: 2.0,
        ..format(ui.visuals().text_color())
    };
    let mut job = LayoutJob::default();
    for (piece, is_key) in pieces(keys) {
        job.append(piece, APART, if is_key { key.clone() } else { word.clone() });
    }
    job
}

/// Draws keys as chips.
pub fn chips(ui: &mut Ui, keys: &str) -> Response {
    ui.label(chips_of(ui, keys))
}

/// Draws a single key whose right edge is in the middle of `end`.
pub fn chip(ui: &Ui, end: Pos2, key: &str) {
    let letters = ui.painter().layout_job(chips_of(ui, key));
    let place = Align2::RIGHT_CENTER.anchor_size(end, letters.size());
    ui.painter().galley(place.min, letters, Color32::PLACEHOLDER);
}

/// Adds a tooltip to a widget: what it does, and its keys, if any.
pub fn hint(response: Response, does: &str, keys: &str) -> Response {
    response.on_hover_ui(|ui| contents(ui, does, keys))
}

/// The content of a tooltip: what a widget does, with `*titles*` in italics, and its keys, if any.
fn contents(ui: &mut Ui, does: &str, keys: &str) {
    ui.set_max_width(ui.spacing().tooltip_width);
    ui.horizontal_wrapped(|ui| {
        let does = if does.is_empty() { "Press" } else { does };
        let mut job = LayoutJob::default();
        for (place, part) in does.split('*').enumerate() {
            let part = RichText::new(part);
            let part = if place % 2 == 1 { part.italics() } else { part };
            part.append_to(&mut job, ui.style(), FontSelection::Default, Align::Center);
        }
        ui.label(job);
        if !keys.is_empty() {
            chips(ui, keys);
        }
    });
}

/// A tooltip next to the column of styles or controls that contains the widget.
pub trait ColumnTooltip {
    /// Like `on_hover_text`, which would cover the control below.
    fn column_tooltip(self, text: &str) -> Self;

    /// Like [`Self::column_tooltip`], with the widget's keys, if any.
    fn column_tooltip_with_keys(self, text: &str, keys: &str) -> Self;

    /// Like [`Self::column_tooltip_with_keys`], with `more` above the text.
    fn column_tooltip_below(self, more: impl FnOnce(&mut Ui), text: &str, keys: &str) -> Self;
}

impl ColumnTooltip for egui::Response {
    fn column_tooltip(self, text: &str) -> Self {
        self.column_tooltip_with_keys(text, "")
    }

    fn column_tooltip_with_keys(self, text: &str, keys: &str) -> Self {
        self.column_tooltip_below(|_| {}, text, keys)
    }

    fn column_tooltip_below(self, more: impl FnOnce(&mut Ui), text: &str, keys: &str) -> Self {
        let screen = self.ctx.content_rect();
        let (align, edge) = if self.rect.center().x > screen.center().x {
            (RectAlign::LEFT_START, screen.right() - CONTROLS_WIDTH)
        } else {
            (RectAlign::RIGHT_START, screen.left() + GALLERY_WIDTH)
        };
        let mut column = self.rect;
        column.extend_with_x(edge);
        let mut tooltip = egui::Tooltip::for_enabled(&self);
        tooltip.popup = tooltip.popup.anchor(column).align(align);
        tooltip.show(|ui| {
            more(ui);
            contents(ui, text, keys);
        });
        if self.ctx.has_accesskit_node(self.id) {
            let press = if keys.is_empty() { String::new() } else { format!("Press {keys}") };
            let spoken = format!("{text} {press}").replace('*', "").trim().to_owned();
            self.ctx.accesskit_node_builder(self.id, |node| {
                node.set_description(spoken.as_str());
                if node.label().is_none_or(|name| name.is_empty()) && node.labelled_by().is_empty()
                {
                    node.set_label(spoken);
                }
            });
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::shortcuts;

    #[test]
    fn keys_are_separated_from_the_words_between_them() {
        for (text, expected) in [
            ("F", vec!["F"]),
            ("Ctrl+Shift+Z", vec!["Ctrl", "Shift", "Z"]),
            ("1 to 9", vec!["1", "9"]),
            ("+ and −", vec!["+", "−"]),
            ("Page Up, Page Down", vec!["Page Up", "Page Down"]),
            ("F1 or ?", vec!["F1", "?"]),
        ] {
            let pieces = pieces(text);
            let keys: Vec<&str> =
                pieces.iter().filter(|(_, is_key)| *is_key).map(|(key, _)| *key).collect();
            assert_eq!(keys, expected, "{text}");
            let whole: String = pieces.iter().map(|(piece, _)| *piece).collect();
            assert_eq!(whole, text);
        }
    }

    #[test]
    fn keys_are_in_the_middle_of_the_line() {
        egui::__run_test_ui(|ui| {
            let chips = chips_of(ui, "Ctrl+F");
            assert!(chips.sections.iter().all(|part| part.format.valign == Align::Center));
        });
    }

    #[test]
    fn every_shortcut_has_keys_to_draw() {
        for line in
            [false, true].into_iter().flat_map(shortcuts::groups).flat_map(|(_, lines)| lines)
        {
            for (key, is_key) in pieces(line.keys) {
                if is_key {
                    assert!(!key.trim().is_empty(), "{}", line.keys);
                    assert!(key.chars().count() <= 9, "{key} of {}", line.keys);
                }
            }
        }
    }
}
