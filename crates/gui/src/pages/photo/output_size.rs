//! The control for the size of finished pictures.

use eframe::egui::{self, ComboBox, Ui};

use crate::{
    choice::Choice,
    widgets::{key_chips::ColumnTooltip, list::list, theme},
};
use engine::paint::{MIN_WORKING_PX, OutputSize, most_long_side_px};

/// Default long side of the saved picture, in pixels.
const USUAL_LONG_SIDE_PX: usize = 2048;
/// Maximum long side of the saved picture if there is no photo, in pixels.
const MAX_LONG_SIDE_PX: usize = 8192;

/// Chooses the size of the finished picture; `whole` is the size of the original if it is known.
pub fn output_control(ui: &mut Ui, choice: &mut Choice, whole: Option<(usize, usize)>) {
    let long_side = whole.map_or(MAX_LONG_SIDE_PX, |(w, h)| w.max(h));
    let most = whole.map_or(MAX_LONG_SIDE_PX, most_long_side_px);
    let chosen = match choice.output {
        OutputSize::LongSide(px) => px,
        OutputSize::Original | OutputSize::Working => USUAL_LONG_SIDE_PX.min(long_side),
    };
    let working = choice.working_size();
    let size = |output: OutputSize| {
        let (w, h) = whole?;
        Some(output.resolve((w, h), working.resolve(w, h)))
    };
    let title = |output| match output {
        OutputSize::Original => "Original size",
        OutputSize::Working => "As painted",
        OutputSize::LongSide(_) => "Custom",
    };
    let mut output = choice.output;
    theme::row(ui, "Size", |ui, label| {
        let button = ComboBox::from_id_salt("output size")
            .selected_text(title(output))
            .width(ui.available_width())
            .truncate();
        list(ui, button, |ui, entries| {
            // A list is as narrow as its button, which would cut off the sizes.
            ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
            for entry in [OutputSize::Original, OutputSize::Working, OutputSize::LongSide(chosen)] {
                let name = match size(entry) {
                    Some((w, h)) => format!("{}, {w} × {h}", title(entry)),
                    None => title(entry).to_owned(),
                };
                entries.offer(ui, &mut output, entry, name);
            }
        })
        .labelled_by(label)
        .column_tooltip("Size of the saved painting.");
    });
    if let OutputSize::LongSide(px) = &mut output {
        let least = MIN_WORKING_PX.min(long_side);
        let usual = USUAL_LONG_SIDE_PX.min(long_side);
        // Limit only the shown value, so that a smaller photo does not change the setting for larger ones.
        let mut shown = (*px).min(most);
        let response = theme::slider(ui, "Long side", &mut shown, least..=most, usual, " px")
            .column_tooltip(
                "The long side of the saved image in pixels, at most four times the original's.",
            );
        if response.changed() {
            *px = shown;
        }
    }
    choice.output = output;
    // The size of the painting is shown next to its detail.
    if let Some((w, h)) = size(output).filter(|saved| Some(*saved) != size(OutputSize::Working)) {
        let enlarged = if w.max(h) > long_side {
            format!(", enlarged {:.1} times", w.max(h) as f32 / long_side as f32)
        } else {
            String::new()
        };
        theme::caption(ui, format!("Saved at {w} × {h} px{enlarged}"));
    }
}
