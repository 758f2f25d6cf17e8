//! The colours of one pixel, shown while Alt is held over it.

use eframe::egui::{self, Align2, Color32, Order, Rect, vec2};

use super::Stage;
use crate::{
    frame::Frame,
    gui::theme::{self, floating_at},
};

impl Stage {
    /// Shows the colours of the pixel under the pointer in both pictures, whose sizes may differ from the view's.
    pub fn pixel_ui(&self, ui: &egui::Ui, area: Rect, [original, painted]: [&Frame; 2]) {
        let (alt, pointer) = ui.input(|i| (i.modifiers.alt, i.pointer.hover_pos()));
        let (Some((x, y)), Some(pointer), true) = (self.pointed_at, pointer, alt) else {
            return;
        };
        let (columns, rows) = self.size;
        let at = |frame: &Frame| {
            let place = |at: usize, of: usize, side: usize| (at * side / of.max(1)).min(side - 1);
            frame.pixel(place(x, columns, frame.width()), place(y, rows, frame.height()))
        };
        let place = (Align2::LEFT_TOP, pointer + vec2(16.0, 16.0), area);
        let card = floating_at(ui, "pixel", Order::Foreground, place, |ui| {
            theme::caption(ui, format!("x {x}, y {y}"));
            for (name, [r, g, b, _]) in [("Original", at(original)), ("Painted", at(painted))] {
                ui.horizontal(|ui| {
                    let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), egui::Sense::hover());
                    ui.painter().rect_filled(rect, 3.0, Color32::from_rgb(r, g, b));
                    ui.monospace(format!("{name:8} {r:3} {g:3} {b:3}"));
                });
            }
        });
        // Messages have the same order.
        ui.move_to_top(card.layer_id);
    }

    /// Both pictures of a photo as far as they are available: the finished ones or their previews.
    pub fn pictures(&self) -> Option<[&Frame; 2]> {
        Some([self.photo.frame()?, self.painting.frame()?])
    }
}
