//! Draws the parts of the stage that are no pictures: the welcome, hints, progress.

use std::path::PathBuf;

use eframe::egui::{
    self, Align, Align2, CornerRadius, Frame, Id, Layout, Margin, Order, ProgressBar, Rect,
    RichText, Sense, Stroke, UiBuilder, vec2,
};

use super::{intent::Intent, recents, theme};

/// The stage without a photo: what to do first.
pub fn welcome(ui: &mut egui::Ui, opening: bool, recent: &[PathBuf], intents: &mut Vec<Intent>) {
    let rect = ui.available_rect_before_wrap();
    ui.allocate_rect(rect, Sense::hover());
    let colors = theme::palette(ui.visuals());
    ui.painter().rect_filled(rect, 0.0, colors.stage);
    let size = vec2(460.0, 300.0 + recents::height(recent)).min(rect.size() - vec2(48.0, 48.0));
    let inner = Rect::from_center_size(rect.center(), size);
    dashed(ui, inner, Stroke::new(1.5, colors.outline));
    let mut child = ui.new_child(
        UiBuilder::new()
            .max_rect(inner.shrink(28.0))
            .layout(Layout::top_down(Align::Center)),
    );
    let ui = &mut child;
    ui.add_space((inner.height() - 56.0 - 190.0 - recents::height(recent)).max(0.0) / 2.0);
    ui.label(RichText::new("Drop a photo here").size(24.0).strong());
    ui.add_space(2.0);
    ui.label(
        RichText::new("then choose a style on the left, and it is painted").color(colors.quiet),
    );
    ui.add_space(18.0);
    if opening {
        ui.label("Opening…");
        return;
    }
    let wide = vec2(210.0, 36.0);
    if ui
        .add(theme::main_button(ui, "Open a photo…").min_size(wide))
        .clicked()
    {
        intents.push(Intent::AskOpen);
    }
    if ui
        .add(egui::Button::new("Try the sample photo").min_size(wide))
        .clicked()
    {
        intents.push(Intent::OpenSample);
    }
    ui.add_space(8.0);
    ui.label(
        RichText::new("Ctrl+V pastes a picture. F1 shows what the keys do.")
            .small()
            .color(colors.quiet),
    );
    recents::on_first_page(ui, recent, intents);
}

/// A line over the bottom of the stage that says what to do next.
pub fn hint(ui: &egui::Ui, area: Rect, text: &str) {
    // Its size is remembered, so that each text has a chip of its own.
    chip(ui, area, Id::unique(("hint", text)), |ui| {
        ui.label(text);
    });
}

/// The name of the running painting, its progress, and a button that stops it.
pub fn progress(ui: &egui::Ui, area: Rect, text: &str, share: f32, intents: &mut Vec<Intent>) {
    chip(ui, area, Id::unique("progress"), |ui| {
        ui.horizontal(|ui| {
            ui.label(text);
            ui.add(
                ProgressBar::new(share)
                    .desired_width(140.0)
                    .desired_height(8.0),
            );
            let percent = format!("{:.0} %", share * 100.0);
            ui.add_sized([40.0, 20.0], egui::Label::new(percent));
            if ui.button("Stop").on_hover_text("Esc").clicked() {
                intents.push(Intent::Cancel);
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
        .show(ui.ctx(), |ui| {
            Frame::new()
                .fill(colors.card)
                .stroke(Stroke::new(1.0, colors.outline))
                .corner_radius(CornerRadius::same(10))
                .inner_margin(Margin::symmetric(16, 9))
                .shadow(ui.visuals().popup_shadow)
                .show(ui, contents);
        });
}

/// A dashed frame, into which something may be dropped.
pub fn dashed(ui: &egui::Ui, rect: Rect, stroke: Stroke) {
    let corners = [
        rect.left_top(),
        rect.right_top(),
        rect.right_bottom(),
        rect.left_bottom(),
        rect.left_top(),
    ];
    ui.painter()
        .extend(egui::Shape::dashed_line(&corners, stroke, 8.0, 6.0));
}
