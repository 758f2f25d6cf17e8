//! Draws over the pictures: the divider between them, and their names.

use eframe::egui::{self, Align2, FontId, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::Stage;
use crate::gui::{texture::tag, theme};

impl Stage {
    /// The divider, which keyboards and screen readers use as a slider.
    pub fn divider(&mut self, ui: &Ui, visible: Rect, x: f32) {
        if !visible.is_positive() {
            return;
        }
        let handle = pos2(x, visible.center().y);
        let id = ui.scope_id().with("divider");
        let touch = Rect::from_center_size(handle, vec2(32.0, 32.0));
        // The stage handles dragging; this widget only has the focus and the accessible name.
        let response = ui.interact(touch, id, Sense::focusable_noninteractive());
        let steps = theme::slider_steps(ui, &response);
        if steps != 0.0 {
            self.wipe = (self.wipe + 0.05 * steps).clamp(0.0, 1.0);
            ui.request_repaint();
        }
        let wipe = f64::from(self.wipe * 100.0).round();
        let [left, right] = self.names.each_ref().map(|name| name.to_lowercase());
        let name = format!("Divider between {left} and {right}");
        response.widget_info(|| WidgetInfo::slider(true, wipe, &name));

        let painter = ui.painter_at(visible.expand(24.0));
        let line = egui::Color32::from_white_alpha(230);
        let shade = egui::Color32::from_black_alpha(90);
        painter.vline(x, visible.y_range(), Stroke::new(4.0, shade));
        painter.vline(x, visible.y_range(), Stroke::new(2.0, line));
        painter.circle(handle, 15.0, line, Stroke::new(1.5, shade));
        let (middle, ink) = (Align2::CENTER_CENTER, egui::Color32::from_gray(60));
        painter.text(handle, middle, "‹ ›", FontId::proportional(18.0), ink);
    }
}

/// The names of the pictures, in the upper corners of the parts that are seen of them.
pub fn name_chips(names: &[String; 2], ui: &Ui, [left, right]: [Rect; 2]) {
    let padding = vec2(7.0, 3.0);
    let aligned = [Align2::LEFT_TOP, Align2::RIGHT_TOP];
    for ((name, part), align) in names.iter().zip([left, right]).zip(aligned) {
        let painter = ui.painter_at(part);
        let font = FontId::proportional(12.0);
        let letters = painter.layout_no_wrap(name.clone(), font, egui::Color32::WHITE);
        if letters.size().x + 2.0 * padding.x + 16.0 <= part.width() {
            let corner = align.pos_in_rect(&part.shrink(10.0));
            tag(&painter, letters, (align, corner), (padding, theme::RADIUS));
        }
    }
}
