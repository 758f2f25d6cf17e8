//! The card of a style in the list: its picture, its name, its number key.

use std::sync::Arc;

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Galley, LayerId, Order, Rect, Response, Role,
    Sense, Stroke, StrokeKind, TextureHandle, UiBuilder, Visuals, WidgetInfo, pos2, vec2,
};

use super::{
    key_chips,
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
/// How much of a card is seen that is dragged.
const GHOST_OPACITY: f32 = 0.7;
/// How long a painted picture takes to appear over the style's own, in seconds.
const FADE_SECONDS: f32 = 0.18;

/// Draws a style by its `name` or that of a mix with it: its own picture and, over that, a painted one, beside which the picture that it was made of stays in a
/// corner; `painted` is the share of its painting that is done, while one is made, and the painted picture may be a live
/// one as in a mirror. While it is dragged, it is seen below the pointer, too.
pub fn card_ui(
    ui: &mut egui::Ui,
    (card, name): (&Card, &str),
    pictures: [Option<&TextureHandle>; 2],
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
    let fade = response.id.with("painted");
    let has_painted = pictures[1].is_some();
    let looks = Looks {
        is_chosen,
        is_hovered: response.hovered(),
        painted,
        is_flipped,
        fade: (ui.ctx()).animate_bool_with_time(fade, has_painted, FADE_SECONDS),
    };
    let color = match is_chosen {
        true => ui.visuals().strong_text_color(),
        false => ui.visuals().text_color(),
    };
    let font = FontId::proportional(13.0);
    let mut job = egui::text::LayoutJob::simple_singleline(name.to_owned(), font, color);
    job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width() - 40.0);
    let letters = ui.painter().layout_job(job);
    if ui.is_rect_visible(rect) {
        paint(ui, rect, (card, &letters), pictures, looks);
    }
    if let (true, Some(at)) = (response.dragged(), ui.input(|i| i.pointer.hover_pos())) {
        // Seen through: the place where it would go lies below it.
        let layer = LayerId::new(Order::Tooltip, response.id.with("ghost"));
        let mut ghost = ui.new_child(UiBuilder::new().layer_id(layer));
        ghost.set_clip_rect(ui.ctx().content_rect());
        ghost.set_opacity(GHOST_OPACITY);
        let place = Rect::from_center_size(at, rect.size());
        paint(&ghost, place, (card, &letters), pictures, looks);
    }
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    // A key stays with its style, wherever that stands: so it is shown as a key, not as a place.
    let key = card.key.map(|key| format!("Press {}", key + 1));
    let credit = Some(card.credit.clone()).filter(|credit| !credit.is_empty());
    let whole = letters.elided.then(|| name.to_owned());
    let hint: Vec<String> = whole.into_iter().chain(credit).chain(key).collect();
    match hint.is_empty() {
        true => response,
        false => response.hint_beside(&hint.join("\n")),
    }
}

/// How a card is drawn.
#[derive(Clone, Copy)]
struct Looks {
    is_chosen: bool,
    is_hovered: bool,
    painted: Option<f32>,
    is_flipped: bool,
    /// How much of the painted picture is seen.
    fade: f32,
}

impl Looks {
    /// The card's ground and its frame: what lies below the pointer is only tinted, so that it is not taken for chosen.
    fn ground(self, visuals: &Visuals) -> (Color32, Stroke) {
        let colors = theme::palette(visuals);
        let plain = Stroke::new(1.0, colors.outline);
        match self {
            Self {
                is_chosen: true, ..
            } => (colors.selected, Stroke::new(2.5, colors.quiet)),
            Self {
                is_hovered: true, ..
            } => (colors.card.lerp_to_gamma(colors.selected, 0.3), plain),
            _ => (colors.card, plain),
        }
    }
}

/// Draws a card at a place.
fn paint(
    ui: &egui::Ui,
    rect: Rect,
    (card, name): (&Card, &Arc<Galley>),
    [own, painted]: [Option<&TextureHandle>; 2],
    looks: Looks,
) {
    let colors = theme::palette(ui.visuals());
    let painter = ui.painter();
    let radius = CornerRadius::same(theme::RADIUS);
    let (fill, outline) = looks.ground(ui.visuals());
    painter.rect_filled(rect, radius, fill);
    let mut top = rect;
    top.set_height(THUMBNAIL_HEIGHT);
    let rounded = CornerRadius {
        sw: 0,
        se: 0,
        ..radius
    };
    let picture = |texture: &TextureHandle, is_flipped, seen| {
        let uv = mirrored(cover(texture.size_vec2(), top.size()), is_flipped);
        egui::Image::from_texture(texture)
            .uv(uv)
            .tint(Color32::WHITE.gamma_multiply(seen))
            .corner_radius(rounded)
            .paint_at(ui, top);
    };
    match own {
        // What is below is not seen.
        _ if painted.is_some() && looks.fade >= 1.0 => {}
        Some(own) => picture(own, false, 1.0),
        None => swatch(ui, top, rounded, &card.title),
    }
    if let Some(painted) = painted {
        picture(painted, looks.is_flipped, looks.fade);
    }
    // The picture that a style was made of.
    if let Some(inset) = own.filter(|_| card.is_picture() && painted.is_some()) {
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
    let name_rect = Align2::LEFT_CENTER.anchor_size(name_at, name.size());
    painter.galley(name_rect.min, name.clone(), Color32::PLACEHOLDER);
    let end = pos2(rect.right() - 10.0, name_at.y);
    if let Some(share) = looks.painted {
        theme::progress_ring(ui, end - vec2(7.0, 0.0), share);
    } else if let Some(key) = card.key {
        key_chips::chip(ui, end, &(key + 1).to_string());
    }
    painter.rect_stroke(rect, radius, outline, StrokeKind::Inside);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_the_pointer_is_not_taken_for_chosen() {
        for theme in [egui::Theme::Dark, egui::Theme::Light] {
            let looks = |is_chosen, is_hovered| Looks {
                is_chosen,
                is_hovered,
                painted: None,
                is_flipped: false,
                fade: 1.0,
            };
            let ground = |looks: Looks| looks.ground(&theme::visuals(theme));
            let (plain, frame) = ground(looks(false, false));
            let [hovered, chosen] =
                [(false, true), (true, false)].map(|(a, b)| ground(looks(a, b)));
            let apart = |color: Color32| i32::from(color.g().abs_diff(plain.g()));
            assert!(apart(hovered.0) > 0 && 2 * apart(hovered.0) < apart(chosen.0));
            assert!(hovered.1 == frame && chosen.1.width > 2.0 * frame.width);
        }
    }
}
