//! The card of a style in the list: its picture, its name, its number key.

use std::sync::Arc;

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Galley, Image, LayerId, Order, Rect, Response,
    Role, Sense, Stroke, StrokeKind, TextureHandle, Ui, UiBuilder, pos2, vec2,
};

use super::{
    key_chips,
    style_source::Card,
    texture::{cover, cut_line, mirrored, paint_cover, tag},
    theme::{self, HintBeside},
};

/// Space to the right of a card, in points.
pub const CARD_INSET: f32 = 4.0;
/// Height of a thumbnail, in points.
const THUMBNAIL_HEIGHT: f32 = 74.0;
/// Side of the inset with the picture that a style was made from, in points.
const INSET: f32 = 30.0;
/// Height of the name below it, in points.
const NAME_HEIGHT: f32 = 24.0;
/// Padding of a note, in points.
const NOTE_MARGIN: egui::Vec2 = vec2(5.0, 2.0);
/// Height of the bar that shows progress, in points.
const PROGRESS_HEIGHT: f32 = 4.0;
/// Opacity of a dragged card.
const GHOST_OPACITY: f32 = 0.7;
/// How long a painted thumbnail takes to fade in over the style's own.
const FADE_SECONDS: f32 = 0.18;

/// What a tile of the list shows.
pub struct Tile<'a> {
    pub card: &'a Card,
    /// The number key that chooses it.
    pub key: Option<String>,
    /// Shown over the picture of an unsaved mix. A tile with a note cannot be moved.
    pub note: Option<&'a str>,
    /// Its own pictures and their shares of the width.
    pub own: &'a [(&'a TextureHandle, u8)],
    /// A painted picture over these, which may be live; the picture that the style was made from stays in a corner.
    pub painted: Option<&'a TextureHandle>,
    /// Whether the painted picture is mirrored.
    pub is_flipped: bool,
    /// Whether it is the style or mix that paints.
    pub is_chosen: bool,
    /// Whether Tab stops at it.
    pub is_stop: bool,
    /// Progress of its painting, 0 to 1, if one is being made.
    pub share: Option<f32>,
}

/// Draws a tile. While it is dragged, a copy is also drawn under the pointer.
pub fn card_ui(ui: &mut Ui, tile: &Tile<'_>) -> Response {
    let card = tile.card;
    let size = vec2(ui.available_width() - CARD_INSET, THUMBNAIL_HEIGHT + NAME_HEIGHT);
    // On a touch screen, dragging scrolls.
    let is_fixed = tile.note.is_some() || ui.input(egui::InputState::has_touch_screen);
    let mut sense = if is_fixed { Sense::CLICK } else { Sense::CLICK | Sense::DRAG };
    sense.set(Sense::FOCUSABLE, tile.is_stop);
    let (_, rect) = ui.allocate_space(size);
    // The id comes from the style, so that the focus stays on it when it moves.
    let response = ui.interact(rect, egui::Id::unique(("style", &card.id)), sense);
    let spoken = match tile.note {
        Some(note) => format!("{}, {note}", card.title),
        None => card.title.clone(),
    };
    theme::named_choice(&response, Role::RadioButton, tile.is_chosen, &spoken);
    let fade = response.id.with("painted");
    let looks = Looks {
        is_chosen: tile.is_chosen,
        is_hovered: response.hovered(),
        fade: (ui).animate_bool_with_time(fade, tile.painted.is_some(), FADE_SECONDS),
    };
    let color =
        if tile.is_chosen { ui.visuals().strong_text_color() } else { ui.visuals().text_color() };
    let letters = cut_line(ui, card.title.clone(), color, rect.width() - 40.0);
    if ui.is_rect_visible(rect) {
        paint(ui, rect, (tile, &letters), looks);
    }
    if let (true, Some(at)) = (response.dragged(), ui.input(|i| i.pointer.hover_pos())) {
        // Translucent: the drop position is below it.
        let layer = LayerId::new(Order::Tooltip, response.id.with("ghost"));
        let mut ghost = ui.new_child(UiBuilder::new().layer_id(layer));
        ghost.set_clip_rect(ui.content_rect());
        ghost.set_opacity(GHOST_OPACITY);
        let place = Rect::from_center_size(at, rect.size());
        paint(&ghost, place, (tile, &letters), looks);
    }
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    let key = tile.key.as_deref().unwrap_or_default();
    let credit = Some(card.credit.as_str()).filter(|credit| !credit.is_empty());
    let whole = letters.elided.then_some(card.title.as_str());
    let hint: Vec<&str> = whole.into_iter().chain(credit).collect();
    if hint.is_empty() && key.is_empty() {
        response
    } else {
        response.keys_beside(&hint.join("\n"), key)
    }
}

/// How a card is drawn.
#[derive(Clone, Copy)]
struct Looks {
    is_chosen: bool,
    is_hovered: bool,
    /// Opacity of the painted picture.
    fade: f32,
}

impl Looks {
    /// The card's background and frame. A hovered card is only tinted, so that it does not look chosen.
    fn ground(self, colors: theme::Palette) -> (Color32, Stroke) {
        let plain = Stroke::new(1.0, colors.outline);
        match self {
            Self { is_chosen: true, .. } => (colors.selected, Stroke::new(2.5, colors.quiet)),
            Self { is_hovered: true, .. } => {
                (colors.card.lerp_to_gamma(colors.selected, 0.3), plain)
            }
            _ => (colors.card, plain),
        }
    }
}

/// Draws a card at a position.
fn paint(ui: &Ui, rect: Rect, (tile, name): (&Tile<'_>, &Arc<Galley>), looks: Looks) {
    let card = tile.card;
    let painted = tile.painted;
    let colors = theme::palette(ui);
    let painter = ui.painter();
    let radius = CornerRadius::same(theme::RADIUS);
    let (fill, outline) = looks.ground(colors);
    painter.rect_filled(rect, radius, fill);
    let mut top = rect;
    top.set_height(THUMBNAIL_HEIGHT);
    let rounded = CornerRadius { sw: 0, se: 0, ..radius };
    // The picture underneath is hidden when the fade is complete.
    if painted.is_none() || looks.fade < 1.0 {
        match tile.own {
            [] => swatch(ui, top, rounded, &card.title),
            own => strips(ui, top, rounded, own),
        }
    }
    if let Some(painted) = painted {
        let uv = mirrored(cover(painted.size_vec2(), top.size()), tile.is_flipped);
        Image::from_texture(painted)
            .uv(uv)
            .tint(Color32::WHITE.gamma_multiply(looks.fade))
            .corner_radius(rounded)
            .paint_at(ui, top);
    }
    // The picture that a style was made from.
    let made_of = tile.own.first().filter(|_| card.is_picture());
    if let Some((inset, _)) = made_of.filter(|_| painted.is_some()) {
        let at = top.right_bottom() - vec2(6.0, 6.0);
        let place = Rect::from_min_max(at - vec2(INSET, INSET), at);
        let corners = 4;
        let frame = Stroke::new(1.5, colors.card);
        if card.is_mix() {
            // All of its pictures.
            Image::from_texture(*inset).corner_radius(corners).paint_at(ui, place);
        } else {
            paint_cover(ui, inset, place, corners);
        }
        ui.painter().rect_stroke(place, corners, frame, StrokeKind::Outside);
    }
    let painter = ui.painter();
    if let Some(note) = tile.note {
        let letters =
            painter.layout_no_wrap(note.to_owned(), FontId::proportional(11.0), Color32::WHITE);
        let at = top.right_top() + vec2(-6.0, 6.0);
        tag(painter, letters, (Align2::RIGHT_TOP, at), (NOTE_MARGIN, 4));
    }
    let name_at = pos2(rect.left() + 10.0, rect.bottom() - NAME_HEIGHT / 2.0);
    let name_rect = Align2::LEFT_CENTER.anchor_size(name_at, name.size());
    painter.galley(name_rect.min, name.clone(), Color32::PLACEHOLDER);
    let end = pos2(rect.right() - 10.0, name_at.y);
    if let Some(key) = &tile.key {
        key_chips::chip(ui, end, key);
    }
    if let Some(share) = tile.share {
        let mut bar = top.with_min_y(top.bottom() - PROGRESS_HEIGHT);
        bar.set_width(top.width() * share.clamp(0.05, 1.0));
        painter.rect_filled(bar, 0.0, colors.accent);
    }
    painter.rect_stroke(rect, radius, outline, StrokeKind::Inside);
}

/// Draws pictures side by side, each as wide as its share and cut from a picture that covers all of `rect`.
fn strips(ui: &Ui, rect: Rect, radius: CornerRadius, pictures: &[(&TextureHandle, u8)]) {
    let total: f32 = pictures.iter().map(|(_, share)| f32::from(*share)).sum();
    let mut from = 0.0;
    for (place, (texture, share)) in pictures.iter().enumerate() {
        let until = from + f32::from(*share) / total.max(1.0);
        let part = |whole: Rect| {
            let across = egui::lerp(whole.x_range().min..=whole.x_range().max, from)
                ..=egui::lerp(whole.x_range().min..=whole.x_range().max, until);
            Rect::from_x_y_ranges(across, whole.y_range())
        };
        let is_last = place + 1 == pictures.len();
        let corners = CornerRadius {
            nw: if place == 0 { radius.nw } else { 0 },
            ne: if is_last { radius.ne } else { 0 },
            ..CornerRadius::ZERO
        };
        Image::from_texture(*texture)
            .uv(part(cover(texture.size_vec2(), rect.size())))
            .corner_radius(corners)
            .paint_at(ui, part(rect));
        from = until;
    }
}

/// Replaces a missing thumbnail: the first letter of the title on a colour that depends on it.
fn swatch(ui: &Ui, rect: Rect, radius: CornerRadius, title: &str) {
    let sum = title.bytes().fold(7u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
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
            let looks = |is_chosen, is_hovered| Looks { is_chosen, is_hovered, fade: 1.0 };
            let ground = |looks: Looks| looks.ground(theme::palette_of(&theme::visuals(theme)));
            let (plain, frame) = ground(looks(false, false));
            let [hovered, chosen] =
                [(false, true), (true, false)].map(|(a, b)| ground(looks(a, b)));
            let apart = |color: Color32| i32::from(color.g().abs_diff(plain.g()));
            assert!(apart(hovered.0) > 0 && 2 * apart(hovered.0) < apart(chosen.0));
            assert!(hovered.1 == frame && chosen.1.width > 2.0 * frame.width);
        }
    }
}
