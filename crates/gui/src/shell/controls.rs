//! The controls that pages share.

use eframe::egui::{ComboBox, Ui};

use crate::{
    app::Shell,
    choice::Choice,
    styles::mix,
    widgets::{
        list::list,
        theme::{self, ColumnTooltip},
    },
    workspace::Step,
};
use values::{compose::Look, mode::ModelSize};

/// The controls for painting that the pages share, and those for its `detail`. `source` is what is painted.
pub fn painting_controls(
    shell: &Shell,
    ui: &mut Ui,
    source: &str,
    choice: &mut Choice,
    detail: impl FnOnce(&mut Ui, &mut Choice),
) {
    theme::group_title(ui, "Painting");
    let Look { mut strength_percent, mut keep_colors } = choice.look;
    theme::slider(ui, "Strength", &mut strength_percent, 0..=100, 100, " %")
        .column_tooltip(&format!("0 %: the {source}. 100 %: the full effect."));
    detail(ui, choice);
    ui.checkbox(&mut keep_colors, format!("Keep the {source}'s colours"))
        .column_tooltip(&format!("Use the style's brushwork and the {source}'s colours."));
    choice.look = Look { strength_percent, keep_colors };
    let before = match &shell.workspace.before_change {
        Some(Step::Choice(before)) => Some(&**before),
        _ => None,
    };
    mix::ui(ui, &shell.styles.gallery.cards, choice, before);
    ui.add_space(theme::GROUP_GAP);
}

/// The list of model sizes, of which `in_use` paints; `None` is the automatic choice, which only live mode has.
pub fn model_row(
    shell: &Shell,
    ui: &mut Ui,
    value: &mut Option<ModelSize>,
    in_use: ModelSize,
    has_automatic: bool,
) {
    // The automatic choice shows which size it uses.
    let automatic = match value {
        None => format!("Automatic: {in_use}"),
        Some(_) => "Automatic".to_owned(),
    };
    let shown = match *value {
        None => automatic.clone(),
        Some(size) if size == in_use => model_name(size).to_owned(),
        Some(size) => format!("{}: no {size} model", model_name(in_use)),
    };
    theme::row(ui, "Model", |ui, label| {
        let button =
            ComboBox::from_id_salt("model").selected_text(shown).width(ui.available_width());
        list(ui, button, |ui, entries| {
            if has_automatic {
                entries.offer(ui, value, None, automatic).column_tooltip(
                    "Full on a GPU; lite on a CPU, which is about four times as fast.",
                );
            }
            for (size, hint) in [
                (ModelSize::Full, "Best quality."),
                (ModelSize::Lite, "About four times as fast, slightly coarser."),
            ] {
                let has = shell.models().is_empty() || shell.models().contains(&size);
                ui.add_enabled_ui(has, |ui| {
                    entries
                        .offer(ui, value, Some(size), model_name(size))
                        .column_tooltip_with_keys(hint, "M")
                        .on_disabled_hover_text("This style's model is not installed.");
                });
            }
        })
        .labelled_by(label);
    });
}

fn model_name(size: ModelSize) -> &'static str {
    match size {
        ModelSize::Full => "Full",
        ModelSize::Lite => "Lite",
    }
}
