//! The licences of the program and its dependencies, as a scrollable list. It has thousands of lines, so only the
//! visible ones are laid out.

use eframe::egui::{self, RichText, ScrollArea, TextStyle};

use crate::licences;

use super::theme;

/// The text while it is shown.
pub struct Licences {
    lines: Vec<String>,
}

impl Licences {
    /// Decompresses the text.
    pub fn unpacked() -> Self {
        let lines = match licences::text() {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(error) => vec![error.to_string()],
        };
        Self { lines }
    }

    /// Draws heading and text, and leaves space for a button below.
    pub fn ui(&self, ui: &mut egui::Ui) {
        ui.heading("Licences of the program and its parts");
        theme::caption(ui, "Also printed by styleforge licences.");
        ui.add_space(theme::GAP);
        let font = TextStyle::Monospace.resolve(ui.style());
        let font = egui::FontId::new(font.size * 0.85, font.family);
        let height = ui.fonts_mut(|fonts| fonts.row_height(&font));
        ui.spacing_mut().item_spacing.y = 0.0;
        ScrollArea::both()
            .auto_shrink([false, true])
            .max_height(ui.available_height() - 60.0)
            .show_rows(ui, height, self.lines.len(), |ui, shown| {
                for line in self.lines.get(shown).unwrap_or_default() {
                    let text = RichText::new(line).font(font.clone());
                    ui.add(egui::Label::new(text).extend());
                }
            });
    }
}
