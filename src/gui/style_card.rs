//! The card of a style in the list: its picture, its name, its number key.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Rect, Response, Role, Sense, Stroke, StrokeKind,
    TextureHandle, WidgetInfo, pos2, vec2,
};

use super::{
    style_source::Card,
    texture::{cover, mirrored},
    theme::{self, HintBeside},
};

/// Height of a thumbnail, in points.
const THUMBNAIL_HEIGHT: f32 = 74.0;
/// Side of the small picture that a style was made of, in points.
const INSET: f32 = 30.0;
/// Height of the name below it, in points.
const NAME_HEIGHT: f32 = 24.0;

/// Draws a style: its picture, and in a corner the one that it was made of; `painted` is the share of its painting that
/// is done, while one is made, and the picture may be a live one as in a mirror.
pub fn card_ui(
    ui: &mut egui::Ui,
    card: &Card,
    [thumbnail, inset]: [Option<&TextureHandle>; 2],
    is_chosen: bool,
    (painted, is_flipped): (Option<f32>, bool),
) -> Response {
    let size = vec2(ui.available_width() - 4.0, THUMBNAIL_HEIGHT + NAME_HEIGHT);
    // Where fingers drag, they scroll.
    let sense = match ui.input(egui::InputState::has_touch_screen) {
        true => Sense::click(),
        false => Sense::click_and_drag(),
    };
    let (_, rect) = ui.allocate_space(size);
    // The focus stays on the style, wherever that goes in the list.
    let response = ui.interact(rect, egui::Id::unique(("style", &card.id)), sense);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, is_chosen, &card.title));
    if ui.is_rect_visible(rect) {
        let colors = theme::palette(ui.visuals());
        let painter = ui.painter();
        let radius = CornerRadius::same(theme::RADIUS);
        let fill = if is_chosen {
            colors.selected
        } else {
            colors.card
        };
        painter.rect_filled(rect, radius, fill);
        let mut top = rect;
        top.set_height(THUMBNAIL_HEIGHT);
        let rounded = CornerRadius {
            sw: 0,
            se: 0,
            ..radius
        };
        match thumbnail {
            Some(texture) => {
                let uv = mirrored(cover(texture.size_vec2(), top.size()), is_flipped);
                egui::Image::from_texture(texture)
                    .uv(uv)
                    .corner_radius(rounded)
                    .paint_at(ui, top);
            }
            None => swatch(ui, top, rounded, &card.title),
        }
        if let Some(inset) = inset {
            let at = top.right_bottom() - vec2(6.0, 6.0);
            let place = Rect::from_min_max(at - vec2(INSET, INSET), at);
            let corners = CornerRadius::same(4);
            let frame = Stroke::new(1.5, colors.card);
            egui::Image::from_texture(inset)
                .uv(cover(inset.size_vec2(), place.size()))
                .corner_radius(corners)
                .paint_at(ui, place);
            ui.painter()
                .rect_stroke(place, corners, frame, StrokeKind::Outside);
        }
        let painter = ui.painter();
        let name_at = pos2(rect.left() + 10.0, rect.bottom() - NAME_HEIGHT / 2.0);
        let text_color = if is_chosen {
            ui.visuals().strong_text_color()
        } else {
            ui.visuals().text_color()
        };
        // Quiet letters cannot be read on what is chosen.
        let key_color = if is_chosen { text_color } else { colors.quiet };
        let room = rect.width() - 40.0;
        let mut job = egui::text::LayoutJob::simple_singleline(
            card.title.clone(),
            FontId::proportional(13.0),
            text_color,
        );
        job.wrap = egui::text::TextWrapping::truncate_at_width(room);
        let name = painter.layout_job(job);
        let name_rect = Align2::LEFT_CENTER.anchor_size(name_at, name.size());
        painter.galley(name_rect.min, name, text_color);
        let end = pos2(rect.right() - 10.0, name_at.y);
        if let Some(share) = painted {
            theme::progress_ring(ui, end - vec2(7.0, 0.0), share);
        } else if let Some(key) = card.key {
            painter.text(
                end,
                Align2::RIGHT_CENTER,
                (key + 1).to_string(),
                FontId::proportional(12.0),
                key_color,
            );
        }
        let outline = if is_chosen {
            Stroke::new(2.5, colors.quiet)
        } else if response.hovered() {
            Stroke::new(1.0, colors.quiet)
        } else {
            Stroke::new(1.0, colors.outline)
        };
        painter.rect_stroke(rect, radius, outline, StrokeKind::Inside);
    }
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    if card.credit.is_empty() {
        response
    } else {
        response.hint_beside(&card.credit)
    }
}

/// In place of a thumbnail: the first letter on a colour that belongs to the name.
fn swatch(ui: &egui::Ui, rect: Rect, radius: CornerRadius, title: &str) {
    let sum = title.bytes().fold(7u32, |sum, b| {
        sum.wrapping_mul(31).wrapping_add(u32::from(b))
    });
    let hue = (sum % 360) as f32 / 360.0;
    let color: Color32 = egui::ecolor::Hsva::new(hue, 0.35, 0.55, 1.0).into();
    ui.painter().rect_filled(rect, radius, color);
    let letter: String = title.chars().take(1).collect::<String>().to_uppercase();
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        letter,
        FontId::proportional(40.0),
        Color32::from_white_alpha(220),
    );
}
