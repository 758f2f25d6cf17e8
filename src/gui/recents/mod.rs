//! The photos that were opened last: remembered over restarts, offered in the upper bar and on the first page.

mod flow;

use std::path::{Path, PathBuf};

use eframe::egui::{self, Popup};

use super::{
    fonts::icons,
    intent::Intent,
    label::{name_label, path_label},
    theme,
};
/// Photos that the first page offers at most.
const ON_FIRST_PAGE: usize = 4;
/// Height of one of them on the first page, in points.
const LINE_HEIGHT: f32 = 24.0;

/// The button that opens the list.
pub fn button(ui: &mut egui::Ui, recent: &[PathBuf], intents: &mut Vec<Intent>) {
    let button = egui::Button::new(icons::RECENT).frame_when_inactive(false);
    let response = ui
        .add_enabled(!recent.is_empty(), button)
        .on_hover_text("Photos that were opened before")
        .on_disabled_hover_text("Photos that you open are listed here.")
        .accessible_name("Recent photos");
    Popup::menu(&response).show(|ui| {
        ui.set_min_width(220.0);
        for path in recent {
            entry(ui, path, intents);
        }
        ui.separator();
        if ui.button("Clear recent photos").clicked() {
            intents.push(Intent::ClearRecents);
        }
    });
}

/// Height of the list on the first page, in points.
pub fn height(recent: &[PathBuf]) -> f32 {
    match recent.len().min(ON_FIRST_PAGE) {
        0 => 0.0,
        shown => (shown + 1) as f32 * LINE_HEIGHT + theme::GROUP_GAP,
    }
}

/// The newest ones on the first page.
pub fn on_first_page(ui: &mut egui::Ui, recent: &[PathBuf], intents: &mut Vec<Intent>) {
    if recent.is_empty() {
        return;
    }
    ui.add_space(theme::GAP);
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.spacing_mut().interact_size.y = LINE_HEIGHT;
    theme::caption(ui, "Opened before");
    for path in recent.iter().take(ON_FIRST_PAGE) {
        entry(ui, path, intents);
    }
}

fn entry(ui: &mut egui::Ui, path: &Path, intents: &mut Vec<Intent>) {
    let button = egui::Button::new(name_label(path))
        .frame_when_inactive(false)
        .truncate();
    if ui.add(button).on_hover_text(path_label(path)).clicked() {
        intents.push(Intent::OpenRecent(path.to_owned()));
    }
}
