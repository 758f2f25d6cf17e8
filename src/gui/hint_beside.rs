//! Tooltips next to the columns of styles and controls: below a widget they would cover the next one.

use eframe::egui::{self, RectAlign};

use super::{
    key_chips,
    theme::{CONTROLS_WIDTH, GALLERY_WIDTH},
};

/// A tooltip next to the column of styles or controls that contains the widget.
pub trait HintBeside {
    /// Like `on_hover_text`, which would cover the control below.
    fn hint_beside(self, text: &str) -> Self;

    /// Like [`Self::hint_beside`], with the widget's keys, if any.
    fn keys_beside(self, text: &str, keys: &str) -> Self;
}

impl HintBeside for egui::Response {
    fn hint_beside(self, text: &str) -> Self {
        self.keys_beside(text, "")
    }

    fn keys_beside(self, text: &str, keys: &str) -> Self {
        let screen = self.ctx.content_rect();
        let (align, edge) = if self.rect.center().x > screen.center().x {
            (RectAlign::LEFT_START, screen.right() - CONTROLS_WIDTH)
        } else {
            (RectAlign::RIGHT_START, screen.left() + GALLERY_WIDTH)
        };
        let mut column = self.rect;
        column.extend_with_x(edge);
        let mut tooltip = egui::Tooltip::for_enabled(&self);
        tooltip.popup = tooltip.popup.anchor(column).align(align);
        tooltip.show(|ui| key_chips::contents(ui, text, keys));
        if self.ctx.has_accesskit_node(self.id) {
            let press = if keys.is_empty() { String::new() } else { format!("Press {keys}") };
            let spoken = format!("{text} {press}").trim().to_owned();
            self.ctx.accesskit_node_builder(self.id, |node| {
                node.set_description(spoken.as_str());
                let has_name = node.label().is_some_and(|name| !name.is_empty());
                if !has_name && node.labelled_by().is_empty() {
                    node.set_label(spoken);
                }
            });
        }
        self
    }
}
