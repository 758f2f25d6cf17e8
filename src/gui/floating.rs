//! Small cards that float over pictures.

use eframe::egui::{self, Align2, CornerRadius, Frame, Id, Margin, Order, Pos2, Rect, Stroke, Ui};

use super::theme;

/// Draws a card at `at`, by its corner `pivot`, inside `area`.
pub fn floating(
    ui: &Ui,
    id: &str,
    pivot: Align2,
    at: Pos2,
    area: Rect,
    contents: impl FnOnce(&mut egui::Ui),
) {
    let colors = theme::palette(ui.visuals());
    egui::Area::new(Id::unique(id))
        .order(Order::Middle)
        .pivot(pivot)
        .fixed_pos(at)
        .constrain_to(area)
        .show(ui.ctx(), |ui| {
            Frame::new()
                .fill(colors.card.gamma_multiply(0.94))
                .stroke(Stroke::new(1.0, colors.outline))
                .corner_radius(CornerRadius::same(10))
                .inner_margin(Margin::symmetric(10, 7))
                .show(ui, contents);
        });
}
