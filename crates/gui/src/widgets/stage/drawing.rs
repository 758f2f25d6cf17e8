//! Draws over the pictures: the previous ones while these fade in, the divider, the names, and the colours of a pixel.

use eframe::egui::{
    Align2, Color32, Context, FontId, Order, Rect, Sense, Stroke, TextureHandle, Ui, WidgetInfo,
    pos2, vec2,
};

use super::Stage;
use crate::widgets::{
    texture::{draw_part, tag},
    theme::{self, floating_at},
};
use values::frame::Frame;

/// How long pictures take to fade in over others.
const FADE_SECONDS: f64 = 0.18;

/// Pictures as a stage last showed them: texture, full rectangle, and its visible part.
pub type ShownPictures = Vec<(TextureHandle, Rect, Rect)>;

/// Pictures that others fade in over.
pub struct Fade {
    before: ShownPictures,
    /// When the fade started, by egui's clock.
    since: f64,
    /// The others cover them.
    is_covered: bool,
}

impl Stage {
    /// The pictures as they were last drawn.
    pub fn seen_pictures(&self) -> ShownPictures {
        [&self.photo, &self.painting].into_iter().filter_map(|p| p.drawn()).collect()
    }

    /// Fades this stage's pictures in over those that another stage showed in the same place.
    pub fn appear_over(&mut self, ctx: &Context, before: ShownPictures) {
        self.fade = Some(Fade { before, since: ctx.input(|i| i.time), is_covered: false });
    }

    /// Fades the next painting of the same photo in over what is shown now. A fade in progress continues.
    pub fn fade_painting(&mut self, ctx: &Context) {
        let now = ctx.input(|i| i.time);
        self.fade.take_if(|fade| now - fade.since >= FADE_SECONDS);
        if self.fade.is_none() {
            self.fade = Some(Fade { before: self.seen_pictures(), since: now, is_covered: true });
        }
        // The next painting needs its own texture.
        self.painting.clear();
    }

    /// Draws the previous content while the fade lasts, and sets the opacity of what `ui` draws from now on.
    pub fn fade_ui(&mut self, ui: &mut Ui) {
        let Some(fade) = &self.fade else {
            return;
        };
        let share = ((ui.input(|i| i.time) - fade.since) / FADE_SECONDS) as f32;
        if share >= 1.0 || theme::reduces_motion(ui) {
            self.fade = None;
            return;
        }
        let opacity = if fade.is_covered { 1.0 } else { 1.0 - share };
        for (texture, rect, clip) in &fade.before {
            let tint = Color32::WHITE.gamma_multiply(opacity);
            draw_part(ui, texture, *rect, *clip, self.placing.is_flipped, tint);
        }
        ui.set_opacity(share);
        ui.request_repaint();
    }

    /// Shows the colours of the pixel under the pointer in both pictures, whose sizes may differ from the view's.
    pub fn pixel_ui(&self, ui: &Ui, area: Rect, [original, painted]: [&Frame; 2]) {
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
                    let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
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
            self.divider.at = (self.divider.at + 0.05 * steps).clamp(0.0, 1.0);
            ui.request_repaint();
        }
        let wipe = f64::from(self.divider.at * 100.0).round();
        let [left, right] = self.labels.names.each_ref().map(|name| name.to_lowercase());
        let name = format!("Divider between {left} and {right}");
        response.widget_info(|| WidgetInfo::slider(true, wipe, &name));

        let painter = ui.painter_at(visible.expand(24.0));
        let line = Color32::from_white_alpha(230);
        let shade = Color32::from_black_alpha(90);
        painter.vline(x, visible.y_range(), Stroke::new(4.0, shade));
        painter.vline(x, visible.y_range(), Stroke::new(2.0, line));
        painter.circle(handle, 15.0, line, Stroke::new(1.5, shade));
        let (middle, ink) = (Align2::CENTER_CENTER, Color32::from_gray(60));
        painter.text(handle, middle, "‹ ›", FontId::proportional(18.0), ink);
    }
}

/// The names of the pictures, in the upper corners of the parts that are seen of them.
pub fn name_chips(names: &[String; 2], ui: &Ui, [left, right]: [Rect; 2]) {
    let padding = vec2(7.0, 3.0);
    let aligned = [Align2::LEFT_TOP, Align2::RIGHT_TOP];
    for ((name, part), align) in names.iter().zip([left, right]).zip(aligned) {
        let painter = ui.painter_at(part);
        let letters =
            painter.layout_no_wrap(name.clone(), FontId::proportional(12.0), Color32::WHITE);
        if letters.size().x + 2.0 * padding.x + 16.0 <= part.width() {
            let corner = align.pos_in_rect(&part.shrink(10.0));
            tag(&painter, letters, align, corner, padding, theme::RADIUS);
        }
    }
}
