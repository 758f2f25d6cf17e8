//! Draws the parts of the stage that are not pictures: hints, progress.

use eframe::egui::{
    self, Align2, CornerRadius, Frame, Id, Margin, Order, ProgressBar, Rect, Stroke, vec2,
};

use super::{intent::Intent, key_chips, theme};

/// A line over the bottom of the stage that says what to do next.
pub fn hint(ui: &egui::Ui, area: Rect, text: &str) {
    // egui stores the chip's size by id, so each text needs its own id.
    chip(ui, area, Id::unique(("hint", text)), |ui| {
        ui.label(text);
    });
}

/// The name of the running painting, its progress, and a button that cancels it.
pub fn progress(ui: &egui::Ui, area: Rect, text: &str, share: f32) {
    chip(ui, area, Id::unique("progress"), |ui| {
        ui.horizontal(|ui| {
            ui.label(text);
            ui.add(ProgressBar::new(share).desired_width(140.0).desired_height(8.0));
            let percent = format!("{:.0} %", share * 100.0);
            ui.add_sized([40.0, 20.0], egui::Label::new(percent));
            if key_chips::hint(ui.button("Cancel"), "Stop painting.", "Esc").clicked() {
                Intent::Cancel.send(ui);
            }
        });
    });
}

fn chip(ui: &egui::Ui, area: Rect, id: Id, contents: impl FnOnce(&mut egui::Ui)) {
    let colors = theme::palette(ui.visuals());
    egui::Area::new(id)
        .order(Order::Middle)
        .pivot(Align2::CENTER_BOTTOM)
        .fixed_pos(area.center_bottom() - vec2(0.0, 16.0))
        .constrain_to(area)
        .show(ui, |ui| {
            Frame::new()
                .fill(colors.card)
                .stroke(Stroke::new(1.0, colors.outline))
                .corner_radius(CornerRadius::same(10))
                .inner_margin(Margin::symmetric(16, 9))
                .shadow(ui.visuals().popup_shadow)
                .show(ui, contents);
        });
}

/// A dashed frame that marks a drop target.
pub fn dashed(ui: &egui::Ui, rect: Rect, stroke: Stroke) {
    let corners = [
        rect.left_top(),
        rect.right_top(),
        rect.right_bottom(),
        rect.left_bottom(),
        rect.left_top(),
    ];
    ui.painter().extend(egui::Shape::dashed_line(&corners, stroke, 8.0, 6.0));
}
