//! The list of shortcuts, and its search field.

use eframe::egui::{Grid, Id, ScrollArea, TextEdit, Ui};

use super::shortcuts::{Group, Line, groups, is_film};
use crate::widgets::{key_chips::chips, theme};

/// Width of the list, in points.
const WIDTH: f32 = 876.0;
/// Space next to the list in a narrow window, in points.
const WINDOW_MARGIN: f32 = 120.0;

/// Minimum width for two columns, in points.
const TWO_COLUMNS: f32 = 860.0;
/// Width of the keys, in points. The same in every group, so that the descriptions are aligned.
const KEYS_WIDTH: f32 = 146.0;

/// Draws the list into `ui`: the lines that match the search text `wanted`, or all of them if it is empty.
pub fn ui(ui: &mut Ui, wanted: &mut String, is_fresh: bool) {
    // The width does not depend on the search results.
    ui.set_min_width((ui.content_rect().width() - WINDOW_MARGIN).min(WIDTH));
    ui.heading("Shortcuts");
    ui.add_space(4.0);
    let field = TextEdit::singleline(wanted)
        .id(Id::unique("search shortcuts"))
        .hint_text("Search")
        .desired_width(f32::INFINITY);
    let field = ui.add(field).accessible_name("Search shortcuts");
    if is_fresh {
        field.request_focus();
    }
    if field.changed() {
        // Otherwise "Search" would be shown for a frame instead of the typed text.
        ui.request_discard("another text is searched");
    }
    ui.add_space(4.0);
    let found = found(wanted, is_film(ui));
    ScrollArea::vertical()
        .max_height(ui.available_height() - 48.0)
        // The height depends on the search results: the dialog is anchored at its top, so the field does not move.
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            if found.is_empty() {
                theme::caption(ui, "No matching shortcut.");
            }
            let count = if ui.available_width() < TWO_COLUMNS { 1 } else { 2 };
            ui.columns(count, |columns| {
                for (group, lines) in &found {
                    // Add the group to the shorter column.
                    let top = |column: &&mut Ui| column.cursor().top();
                    let shorter = columns.iter_mut().min_by(|a, b| top(a).total_cmp(&top(b)));
                    if let Some(column) = shorter {
                        group_ui(column, group, lines);
                    }
                }
            });
            theme::caption(
                ui,
                "In the picture: scroll to zoom, drag to pan, double-click to fit or enlarge. Tab moves through all controls.",
            );
        });
}

fn group_ui(ui: &mut Ui, group: &Group, lines: &[&Line]) {
    theme::group_title(ui, group.title);
    Grid::new(group.title)
        .num_columns(2)
        .min_col_width(KEYS_WIDTH)
        // Lines of text need less height than buttons, so more of them are visible. The same at every scale.
        .min_row_height(18.0)
        .spacing([12.0, 4.0])
        .show(ui, |ui| {
            for line in lines {
                chips(ui, line.keys);
                ui.label(line.does);
                ui.end_row();
            }
        });
    ui.add_space(4.0);
}

/// The lines that match, by group: every word of `wanted` is in the line's keys, its description, its search terms, or
/// its group's title.
fn found(wanted: &str, is_film: bool) -> Vec<(&'static Group, Vec<&'static Line>)> {
    let words: Vec<String> = wanted.split_whitespace().map(str::to_lowercase).collect();
    let of_group = |(group, mut lines): (&'static Group, Vec<&'static Line>)| {
        lines.retain(|line| {
            let text =
                format!("{} {} {} {}", group.title, line.keys, line.does, line.also).to_lowercase();
            words.iter().all(|word| text.contains(word))
        });
        (!lines.is_empty()).then_some((group, lines))
    };
    groups(is_film).filter_map(of_group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_their_words_their_keys_and_their_group() {
        let of = |wanted: &str| -> Vec<&str> {
            found(wanted, false)
                .iter()
                .flat_map(|(_, lines)| lines.iter().map(|line| line.does))
                .collect()
        };
        assert_eq!(of("full SCREEN  only").len(), 0);
        assert_eq!(of("undo"), ["Undo the last choice"]);
        assert_eq!(
            of("cam"),
            [
                "Freeze (Live); switch view (Photo)",
                "Switch to Live and back",
                "Save a snapshot",
                "Start or stop recording",
                "Start or stop camera out",
                "Turn the camera off at once",
            ]
        );
        assert_eq!(of("ctrl+z"), ["Undo the last choice"]);
        assert!(of("live").contains(&"Save a snapshot"), "{:?}", of("live"));
        let all: usize = groups(false).map(|(_, lines)| lines.len()).sum();
        assert_eq!((of("").len(), of("  ").len()), (all, all));
        // A film has its own use of some keys, and the list does not say two things about one.
        let film = |wanted: &str| -> Vec<(&str, &str)> {
            found(wanted, true)
                .into_iter()
                .flat_map(|(_, lines)| lines)
                .map(|line| (line.keys, line.does))
                .collect()
        };
        assert_eq!(film("colours"), [("Shift+K", "Keep the video's colours")]);
        assert_eq!(film("pause"), [("Space", "Play or pause"), ("K", "Pause")]);
        assert!(film("snapshot").is_empty());
    }
}
