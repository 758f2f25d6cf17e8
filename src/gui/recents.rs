//! The recently opened photos: kept across restarts, listed in the upper bar and on the start page.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Align, Color32, Layout, Popup, Rect, Ui, vec2};

use super::{
    fonts::icons,
    intent::{Intent, Sends},
    label::{name_label, path_label},
    paintings::Paintings,
    shortcuts::plain_button,
    texture::paint_cover,
    theme,
};

/// Maximum number of photos on the start page.
const ON_FIRST_PAGE: usize = 4;
/// Height of a photo's line on the start page, in points.
const LINE_HEIGHT: f32 = 24.0;
/// Minimum width of a name there, in points.
const MIN_WIDTH: f32 = 60.0;
/// Width and height of a photo's thumbnail, in points.
const SIZE: egui::Vec2 = vec2(30.0, 20.0);

/// The recently opened photos.
#[derive(Clone, Copy)]
pub struct Recent<'a> {
    /// Their files, newest first.
    pub files: &'a [PathBuf],
    /// Contains their thumbnails.
    pub paintings: &'a Paintings,
}

/// The button that opens the list.
pub fn button(ui: &mut Ui, recent: Recent<'_>, has_word: bool) {
    let button = theme::icon_button(icons::RECENT, "Recent", has_word).frame_when_inactive(false);
    let response = ui
        .add_enabled(!recent.files.is_empty(), button)
        .on_hover_text("Recently opened photos")
        .on_disabled_hover_text("Recently opened photos appear here.")
        .accessible_name("Recent photos");
    Popup::menu(&response).show(|ui| {
        ui.set_min_width(220.0);
        Intent::SeeRecents.send(ui);
        for path in recent.files {
            entry(ui, path, recent.paintings);
        }
        ui.separator();
        plain_button(ui, "Clear recent photos", Intent::ClearRecents);
    });
}

/// Height of the list on the start page, in points.
pub fn height(recent: &[PathBuf]) -> f32 {
    match recent.len().min(ON_FIRST_PAGE) {
        0 => 0.0,
        shown => (shown + 1) as f32 * LINE_HEIGHT + theme::GROUP_GAP,
    }
}

/// The newest photos on the start page.
pub fn on_first_page(ui: &mut Ui, recent: Recent<'_>) {
    if recent.files.is_empty() {
        return;
    }
    Intent::SeeRecents.send(ui);
    ui.add_space(theme::GAP);
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.spacing_mut().interact_size.y = LINE_HEIGHT;
    ui.spacing_mut().button_padding.y = (LINE_HEIGHT - SIZE.y) / 2.0;
    let shown = &recent.files[..recent.files.len().min(ON_FIRST_PAGE)];
    let font = egui::TextStyle::Button.resolve(ui.style());
    let width = |path: &PathBuf| {
        let letters = ui.painter().layout_no_wrap(name_label(path), font.clone(), Color32::WHITE);
        letters.size().x.ceil()
    };
    let spacing = ui.spacing();
    let beside = SIZE.x + spacing.icon_spacing + 2.0 * spacing.button_padding.x + 1.0;
    let widest = shown.iter().map(width).fold(MIN_WIDTH, f32::max) + beside;
    // A centered block of left-aligned lines.
    let block = vec2(widest.min(ui.available_width()), 0.0);
    ui.allocate_ui_with_layout(block, Layout::top_down(Align::Min), |ui| {
        ui.set_width(block.x);
        ui.horizontal(|ui| {
            ui.add_space(ui.spacing().button_padding.x);
            theme::caption(ui, "Recent");
        });
        for path in shown {
            entry(ui, path, recent.paintings);
        }
    });
}

fn entry(ui: &mut Ui, path: &Path, paintings: &Paintings) {
    let room = egui::Atom::custom(egui::IdSalt::new("small"), SIZE);
    let button = egui::Button::new((room, name_label(path))).frame_when_inactive(false).truncate();
    let response = ui.add(button).on_hover_text(path_label(path));
    if let Some(small) = paintings.small(path) {
        let left = response.rect.left_center() + vec2(ui.spacing().button_padding.x, 0.0);
        let place = Rect::from_center_size(left + vec2(SIZE.x / 2.0, 0.0), SIZE);
        paint_cover(ui, small, place, 2.0);
    }
    response.sends(Intent::OpenRecent(path.to_owned()));
}
