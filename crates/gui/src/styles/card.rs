//! The card of a style, in the list and in the grid of previews: its picture, its name, its number key.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Image, LayerId, Order, Rect, Response, Role,
    Sense, Stroke, StrokeKind, TextureHandle, Ui, UiBuilder, pos2, vec2,
};

use itertools::Itertools;

use super::source::Card;
use crate::widgets::{
    key_chips,
    texture::{cover, cut_line, mirrored, paint_cover, tag},
    theme::{self, ColumnTooltip},
};

/// Space to the right of a card, in points.
pub const CARD_INSET: f32 = 4.0;
/// Height of a thumbnail, in points.
const THUMBNAIL_HEIGHT: f32 = 74.0;
/// Side of the inset with the picture that a style was made from, in points.
const INSET: f32 = 30.0;
/// Height of the name below it, in points.
pub const NAME_HEIGHT: f32 = 24.0;
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
    /// The painted picture is mirrored.
    pub is_flipped: bool,
    /// It is the style or mix that paints.
    pub is_chosen: bool,
    /// Tab stops at it.
    pub is_stop: bool,
    /// Progress of its painting, 0 to 1, if one is being made.
    pub share: Option<f32>,
}

/// Draws a tile in the list. While it is dragged, a copy is also drawn under the pointer.
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
    let is_cut = tile.paint(ui, &response, rect);
    if let (true, Some(at)) = (response.dragged(), ui.input(|i| i.pointer.hover_pos())) {
        // Translucent: the drop position is below it.
        let layer = LayerId::new(Order::Tooltip, response.id.with("ghost"));
        let mut ghost = ui.new_child(UiBuilder::new().layer_id(layer));
        ghost.set_clip_rect(ui.content_rect());
        ghost.set_opacity(GHOST_OPACITY);
        tile.paint(&ghost, &response, Rect::from_center_size(at, rect.size()));
    }
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    let key = tile.key.as_deref().unwrap_or_default();
    let about = card.after.as_ref().unwrap_or(&card.credit).clone();
    let about = Some(about).filter(|about| !about.is_empty());
    let hint = is_cut.then(|| card.title.clone()).into_iter().chain(about).join("\n");
    let picture = tile.own.first().filter(|_| !card.is_mix() && tile.note.is_none());
    if hint.is_empty() && key.is_empty() && picture.is_none() {
        return response;
    }
    let draw = |ui: &mut Ui| {
        if let Some((picture, _)) = picture {
            let size = picture.size_vec2() / ui.pixels_per_point();
            let most = ui.spacing().tooltip_width;
            ui.add(Image::from_texture(*picture).fit_to_exact_size(size).max_width(most));
        }
    };
    response.column_tooltip_below(draw, &hint, key)
}

impl Tile<'_> {
    /// Draws the tile at a position; `response` is that of the tile. Returns whether the title does not fit.
    pub fn paint(&self, ui: &Ui, response: &Response, rect: Rect) -> bool {
        let is_painted = self.painted.is_some();
        let seconds = theme::fade_seconds(ui, FADE_SECONDS);
        let fade = ui.animate_bool_with_time(response.id.with("painted"), is_painted, seconds);
        let colors = theme::palette(ui);
        let (fill, outline) = ground(colors, self.is_chosen, response.hovered());
        let visuals = ui.visuals();
        let ink = if self.is_chosen { visuals.strong_text_color() } else { visuals.text_color() };
        let name = cut_line(ui, self.card.title.clone(), ink, rect.width() - 40.0);
        let is_cut = name.elided;
        if !ui.is_rect_visible(rect) {
            return is_cut;
        }
        let painter = ui.painter();
        let radius = CornerRadius::same(theme::RADIUS);
        painter.rect_filled(rect, radius, fill);
        let top = rect.with_max_y(rect.bottom() - NAME_HEIGHT);
        let rounded = CornerRadius { sw: 0, se: 0, ..radius };
        // The picture underneath is hidden when the fade is complete.
        if !is_painted || fade < 1.0 {
            match self.own {
                [] => swatch(ui, top, rounded, &self.card.title),
                own => strips(ui, top, rounded, own),
            }
        }
        if let Some(painted) = self.painted {
            let uv = mirrored(cover(painted.size_vec2(), top.size()), self.is_flipped);
            Image::from_texture(painted)
                .uv(uv)
                .tint(Color32::WHITE.gamma_multiply(fade))
                .corner_radius(rounded)
                .paint_at(ui, top);
        }
        // The picture that a style was made from.
        let made_of = self.own.first().filter(|_| self.card.is_picture() && is_painted);
        if let Some((inset, _)) = made_of {
            let at = top.right_bottom() - vec2(6.0, 6.0);
            let place = Rect::from_min_max(at - vec2(INSET, INSET), at);
            let corners = 4;
            if self.card.is_mix() {
                // All of its pictures.
                Image::from_texture(*inset).corner_radius(corners).paint_at(ui, place);
            } else {
                paint_cover(ui, inset, place, corners);
            }
            painter.rect_stroke(place, corners, Stroke::new(1.5, colors.card), StrokeKind::Outside);
        }
        if let Some(note) = self.note {
            let letters =
                painter.layout_no_wrap(note.to_owned(), FontId::proportional(11.0), Color32::WHITE);
            let at = top.right_top() + vec2(-6.0, 6.0);
            tag(painter, letters, Align2::RIGHT_TOP, at, NOTE_MARGIN, 4);
        }
        let name_at = pos2(rect.left() + 10.0, rect.bottom() - NAME_HEIGHT / 2.0);
        let name_rect = Align2::LEFT_CENTER.anchor_size(name_at, name.size());
        painter.galley(name_rect.min, name, Color32::PLACEHOLDER);
        if let Some(key) = &self.key {
            key_chips::chip(ui, pos2(rect.right() - 10.0, name_at.y), key);
        }
        if let Some(share) = self.share {
            let mut bar = top.with_min_y(top.bottom() - PROGRESS_HEIGHT);
            bar.set_width(top.width() * share.clamp(0.05, 1.0));
            painter.rect_filled(bar, 0.0, colors.accent);
        }
        painter.rect_stroke(rect, radius, outline, StrokeKind::Inside);
        is_cut
    }
}

/// The background and the frame of a card. A hovered card is only tinted, so that it does not look chosen.
fn ground(colors: theme::Palette, is_chosen: bool, is_hovered: bool) -> (Color32, Stroke) {
    if is_chosen {
        return (colors.selected, Stroke::new(2.5, colors.quiet));
    }
    let tint = if is_hovered { 0.3 } else { 0.0 };
    (colors.card.lerp_to_gamma(colors.selected, tint), Stroke::new(1.0, colors.outline))
}

/// Draws pictures side by side, each as wide as its share of `rect`.
fn strips(ui: &Ui, rect: Rect, radius: CornerRadius, pictures: &[(&TextureHandle, u8)]) {
    let total: f32 = pictures.iter().map(|(_, share)| f32::from(*share)).sum();
    let mut rest = rect;
    for (place, (texture, share)) in pictures.iter().enumerate() {
        let width = rect.width() * f32::from(*share) / total.max(1.0);
        let (part, right) = rest.split_left_right_at_x(rest.left() + width);
        rest = right;
        let nw = if place == 0 { radius.nw } else { 0 };
        let ne = if place + 1 == pictures.len() { radius.ne } else { 0 };
        paint_cover(ui, texture, part, CornerRadius { nw, ne, ..CornerRadius::ZERO });
    }
}

/// Replaces a missing thumbnail: the first letter of the title on a colour that depends on it.
fn swatch(ui: &Ui, rect: Rect, radius: CornerRadius, title: &str) {
    let sum = title.bytes().fold(7u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
    let hue = (sum % 360) as f32 / 360.0;
    let color: Color32 = egui::ecolor::Hsva::new(hue, 0.35, 0.55, 1.0).into();
    ui.painter().rect_filled(rect, radius, color);
    ui.painter().text(
        rect.center(),
        Align2::CENTER_CENTER,
        title.chars().take(1).flat_map(char::to_uppercase).collect::<String>(),
        FontId::proportional(40.0),
        Color32::from_white_alpha(220),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_below_the_pointer_does_not_look_chosen() {
        for theme in [egui::Theme::Dark, egui::Theme::Light] {
            let colors = theme::palette_of(&theme::visuals(theme));
            let (plain, frame) = ground(colors, false, false);
            let hovered = ground(colors, false, true);
            let chosen = ground(colors, true, false);
            let apart = |color: Color32| i32::from(color.g().abs_diff(plain.g()));
            assert!(apart(hovered.0) > 0 && 2 * apart(hovered.0) < apart(chosen.0));
            assert!(hovered.1 == frame && chosen.1.width > 2.0 * frame.width);
        }
    }

    #[test]
    fn a_title_that_does_not_fit_is_cut() {
        egui::__run_test_ui(|ui| {
            let rect = Rect::from_min_size(egui::Pos2::ZERO, vec2(160.0, 120.0));
            let response = ui.interact(rect, ui.scope_id().with("card"), Sense::hover());
            let is_cut = |title: &str| {
                let card = Card { title: title.to_owned(), ..Card::default() };
                let tile = Tile {
                    card: &card,
                    key: None,
                    note: None,
                    own: &[],
                    painted: None,
                    is_flipped: false,
                    is_chosen: false,
                    is_stop: true,
                    share: None,
                };
                tile.paint(ui, &response, rect)
            };
            assert!(!is_cut("Candy"));
            assert!(is_cut("A night over the river and the hills behind it"));
        });
    }
}
