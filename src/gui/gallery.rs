//! The gallery: every style with its thumbnail and name; a click paints.

use std::collections::HashMap;

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Rect, Response, Role, ScrollArea, Sense, Stroke,
    StrokeKind, TextureHandle, TextureOptions, Vec2, WidgetInfo, pos2, vec2,
};

use super::{
    intent::Intent,
    label::{label, remark},
    live::PreviewGrid,
    style_source::Card,
    texture::image_of,
    theme,
};

/// Height of a thumbnail, in points.
const THUMBNAIL_HEIGHT: f32 = 80.0;
/// Height of the name below it, in points.
const NAME_HEIGHT: f32 = 28.0;

/// The styles that can be chosen.
#[derive(Default)]
pub struct Gallery {
    cards: Vec<Card>,
    thumbnails: HashMap<String, TextureHandle>,
    listed: bool,
    /// The chosen style as it was drawn last, and the height of the list then.
    seen: Option<(String, f32)>,
}

impl Gallery {
    /// Puts the styles of the library in.
    pub fn set_cards(&mut self, ctx: &egui::Context, cards: Vec<Card>) {
        self.listed = true;
        self.thumbnails = cards
            .iter()
            .filter_map(|card| {
                let frame = card.thumbnail.as_ref()?;
                let options = TextureOptions {
                    mipmap_mode: Some(egui::TextureFilter::Linear),
                    ..TextureOptions::LINEAR
                };
                let texture = ctx.load_texture(card.id.as_str(), image_of(frame), options);
                Some((card.id.clone(), texture))
            })
            .collect();
        self.cards = cards;
        for card in &mut self.cards {
            card.title = label(&card.title);
            card.credit = remark(&card.credit);
        }
    }

    /// Every style, in the order in which they are shown.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// The style of an id.
    pub fn card(&self, id: &str) -> Option<&Card> {
        self.cards.iter().find(|card| card.id == id)
    }

    /// The style so many places below the chosen one, round the ends.
    pub fn neighbour(&self, chosen: Option<&str>, by: isize) -> Option<&Card> {
        let count = isize::try_from(self.cards.len()).ok().filter(|&n| n > 0)?;
        let place = chosen.and_then(|id| self.cards.iter().position(|card| card.id == id));
        let next = match place {
            Some(place) => (isize::try_from(place).ok()? + by).rem_euclid(count),
            None if by < 0 => count - 1,
            None => 0,
        };
        self.cards.get(usize::try_from(next).ok()?)
    }

    /// Draws the gallery into `ui`. The chosen style is scrolled into view, and stays there when the window
    /// becomes lower.
    pub fn ui(
        &mut self,
        ui: &mut egui::Ui,
        chosen: Option<&str>,
        painting: Option<(&str, f32)>,
        moving: Option<&PreviewGrid>,
        intents: &mut Vec<Intent>,
    ) {
        ui.horizontal(|ui| {
            theme::group_title(ui, "Styles");
        });
        let add = |ui: &mut egui::Ui, intents: &mut Vec<Intent>| {
            let button =
                egui::Button::new("Add a style…").min_size(vec2(ui.available_width(), 0.0));
            let hint = "A painting or any other picture becomes a style, and so does a file of trained weights \
                        (.safetensors, .pth or .onnx), also when it is dropped onto the window.";
            if ui.add(button).on_hover_text(hint).clicked() {
                intents.push(Intent::AskStyle);
            }
        };
        let list_height = ui.available_height() - 28.0 - theme::GAP * 2.0;
        ScrollArea::vertical()
            .max_height(list_height)
            .auto_shrink([false, false])
            .show(ui, |ui| {
                if self.cards.is_empty() {
                    let text = if self.listed {
                        "No styles were found. Add one below: a picture, or a trained checkpoint \
                         (.safetensors, .pth or .onnx)."
                    } else {
                        "Looking for styles…"
                    };
                    theme::caption(ui, text);
                }
                for (place, card) in self.cards.iter().enumerate() {
                    let is_chosen = chosen == Some(card.id.as_str());
                    let share = painting.and_then(|(id, share)| (id == card.id).then_some(share));
                    let thumbnail = moving
                        .and_then(|grid| grid.texture(&card.id))
                        .or_else(|| self.thumbnails.get(&card.id));
                    let response = card_ui(ui, place, card, thumbnail, is_chosen, share);
                    let is_seen =
                        |(id, height): &(String, f32)| *id == card.id && *height == list_height;
                    if is_chosen && !self.seen.as_ref().is_some_and(is_seen) {
                        response.scroll_to_me(None);
                        self.seen = Some((card.id.clone(), list_height));
                    }
                    if response.clicked() {
                        intents.push(Intent::PickStyle(card.id.clone()));
                    }
                }
                if chosen.is_none() {
                    self.seen = None;
                }
            });
        ui.add_space(2.0);
        add(ui, intents);
    }
}

fn card_ui(
    ui: &mut egui::Ui,
    place: usize,
    card: &Card,
    thumbnail: Option<&TextureHandle>,
    is_chosen: bool,
    painted: Option<f32>,
) -> Response {
    let size = vec2(ui.available_width() - 4.0, THUMBNAIL_HEIGHT + NAME_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, is_chosen, &card.title));
    if ui.is_rect_visible(rect) {
        let colors = theme::palette(ui.visuals());
        let painter = ui.painter();
        let radius = CornerRadius::same(theme::RADIUS);
        painter.rect_filled(rect, radius, colors.card);
        let mut top = rect;
        top.set_height(THUMBNAIL_HEIGHT);
        let rounded = CornerRadius {
            sw: 0,
            se: 0,
            ..radius
        };
        match thumbnail {
            Some(texture) => {
                let uv = cover(texture.size_vec2(), top.size());
                egui::Image::from_texture(texture)
                    .uv(uv)
                    .corner_radius(rounded)
                    .paint_at(ui, top);
            }
            None => swatch(ui, top, rounded, &card.title),
        }
        let painter = ui.painter();
        let name_at = pos2(rect.left() + 10.0, rect.bottom() - NAME_HEIGHT / 2.0);
        let text_color = if is_chosen {
            ui.visuals().strong_text_color()
        } else {
            ui.visuals().text_color()
        };
        let room = rect.width() - 40.0;
        let mut job = egui::text::LayoutJob::simple_singleline(
            card.title.clone(),
            FontId::proportional(14.0),
            text_color,
        );
        job.wrap = egui::text::TextWrapping::truncate_at_width(room);
        let name = painter.layout_job(job);
        let name_rect = Align2::LEFT_CENTER.anchor_size(name_at, name.size());
        painter.galley(name_rect.min, name, text_color);
        let end = pos2(rect.right() - 10.0, name_at.y);
        if let Some(share) = painted {
            theme::progress_ring(ui, end - vec2(7.0, 0.0), share);
        } else if place < 9 {
            painter.text(
                end,
                Align2::RIGHT_CENTER,
                (place + 1).to_string(),
                FontId::proportional(12.0),
                colors.quiet,
            );
        }
        let outline = if is_chosen {
            Stroke::new(2.0, colors.accent)
        } else if response.has_focus() {
            Stroke::new(2.0, colors.notice)
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
        response.on_hover_text(&card.credit)
    }
}

/// The part of a picture that covers `target` without being stretched.
fn cover(picture: Vec2, target: Vec2) -> Rect {
    let scale = (target.x / picture.x).max(target.y / picture.y);
    let share = (target / scale) / picture;
    Rect::from_center_size(pos2(0.5, 0.5), share)
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
    fn neighbours_go_round() {
        let card = |id: &str| Card {
            id: id.to_owned(),
            title: id.to_owned(),
            credit: String::new(),
            models: Vec::new(),
            thumbnail: None,
        };
        let mut gallery = Gallery::default();
        assert!(gallery.neighbour(None, 1).is_none());
        gallery.cards = vec![card("a"), card("b"), card("c")];
        let at = |chosen, by| gallery.neighbour(chosen, by).map(|c| c.id.as_str());
        assert_eq!(at(None, 1), Some("a"));
        assert_eq!(at(None, -1), Some("c"));
        assert_eq!(at(Some("c"), 1), Some("a"));
        assert_eq!(at(Some("a"), -1), Some("c"));
    }

    #[test]
    fn thumbnails_are_cut_not_stretched() {
        let uv = cover(vec2(200.0, 200.0), vec2(200.0, 100.0));
        assert_eq!(uv.size(), vec2(1.0, 0.5));
    }
}
