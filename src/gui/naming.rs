//! The question for a name.

use eframe::egui::{self, Id};

use super::{
    intent::{Intent, NameFor},
    theme,
};

/// A name that is being typed.
pub struct Naming {
    name_for: NameFor,
    /// The previous name, for the heading.
    before: String,
    text: String,
    /// Why the last typed name was rejected.
    pub problem: Option<String>,
}

impl Naming {
    /// Asks for a name, with a suggestion.
    pub fn new(name_for: NameFor, name: String) -> Self {
        Self { name_for, before: name.clone(), text: name, problem: None }
    }

    /// Asks again with the typed text, and the reason why it was rejected.
    pub fn refused(name_for: NameFor, before: String, text: String, problem: String) -> Self {
        Self { name_for, before, text, problem: Some(problem) }
    }
}

/// Draws the question into `ui`.
pub fn ui(ui: &mut egui::Ui, naming: &mut Naming, is_fresh: bool) {
    let (heading, button) = match &naming.name_for {
        NameFor::Style(_) => (format!("Rename {}", naming.before), "Rename"),
        NameFor::Mix(_) => ("Save mix as".to_owned(), "Keep"),
    };
    let heading = ui.heading(heading);
    ui.add_space(4.0);
    let field = egui::TextEdit::singleline(&mut naming.text).desired_width(f32::INFINITY);
    let field = ui.add(field).labelled_by(heading.id);
    if is_fresh {
        field.request_focus();
        mark_name(ui, field.id, "", &naming.text);
    }
    let is_entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
    if let Some(problem) = &naming.problem {
        let color = theme::palette(ui.visuals()).error;
        ui.label(egui::RichText::new(problem).color(color));
    }
    ui.add_space(theme::GAP);
    ui.horizontal(|ui| {
        let has_text = !naming.text.trim().is_empty();
        let take = theme::main_button(ui, button, has_text);
        if (ui.add_enabled(has_text, take).clicked() || is_entered) && has_text {
            let name = naming.text.trim().to_owned();
            Intent::TakeName(naming.name_for.clone(), name).send(ui);
        }
        if ui.button("Cancel").clicked() {
            Intent::CloseOverlay.send(ui);
        }
    });
}

/// Selects the text of a field that is after `short` and within `long`, two of its prefixes.
pub fn mark_name(ctx: &egui::Context, field: Id, short: &str, long: &str) {
    let count = |text: &str| text.chars().count();
    let [from, to] =
        [short, long].map(|text| egui::text::CCursor::new(egui::text::CharIndex(count(text))));
    let mut state = egui::TextEdit::load_state(ctx, field).unwrap_or_default();
    let range = egui::text::CCursorRange::two(from, to);
    state.cursor.set_char_range(Some(range));
    egui::TextEdit::store_state(ctx, field, state);
}
