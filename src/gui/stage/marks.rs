//! Draws over the pictures: the divider between them, and their names.

use eframe::egui::{self, Align2, FontId, Pos2, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{Compare, Stage};
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

/// The names of the pictures, in their upper corners.
pub fn name_chips(
    names: &[String; 2],
    ui: &Ui,
    [visible, other]: [Rect; 2],
    divider_x: f32,
    compare: Compare,
) {
    let font = FontId::proportional(12.0);
    let painter = ui.painter_at(visible.union(other));
    let chip = |text: &str, corner: Pos2, align: Align2, room: f32| {
        let letters = painter.layout_no_wrap(text.to_owned(), font.clone(), egui::Color32::WHITE);
        let padding = vec2(7.0, 3.0);
        if letters.size().x + 2.0 * padding.x + 16.0 <= room {
            tag(&painter, letters, (align, corner), (padding, theme::RADIUS));
        }
    };
    if compare != Compare::Painting {
        let room = match compare {
            Compare::Both => divider_x - visible.left(),
            _ => visible.width(),
        };
        chip(&names[0], visible.left_top() + vec2(10.0, 10.0), Align2::LEFT_TOP, room);
    }
    if compare != Compare::Photo {
        let room = match compare {
            Compare::Both => visible.right() - divider_x,
            _ => other.width(),
        };
        chip(&names[1], other.right_top() + vec2(-10.0, 10.0), Align2::RIGHT_TOP, room);
    }
}
