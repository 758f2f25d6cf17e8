//! The gallery: every style with its thumbnail and name; a click paints.

use std::collections::{HashMap, HashSet};

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Rect, Response, Role, ScrollArea, Sense, Stroke,
    StrokeKind, TextureHandle, TextureOptions, Vec2, WidgetInfo, pos2, vec2,
};

use super::{
    fonts::icons,
    intent::Intent,
    label::{label, remark},
    live::PreviewGrid,
    style_source::Card,
    texture::image_of,
    theme,
};
use crate::frame::Frame as PixelFrame;

/// Height of a thumbnail, in points.
const THUMBNAIL_HEIGHT: f32 = 74.0;
/// Side of the small picture that a style was made of, in points.
const INSET: f32 = 30.0;
/// Width of a style's menu, in points.
const MENU_WIDTH: f32 = 160.0;
/// Height of the name below it, in points.
const NAME_HEIGHT: f32 = 24.0;

/// Thumbnails are shown smaller than they are.
const MIPMAPPED: TextureOptions = TextureOptions {
    mipmap_mode: Some(egui::TextureFilter::Linear),
    ..TextureOptions::LINEAR
};

/// The styles that can be chosen.
#[derive(Default)]
pub struct Gallery {
    /// Those that are shown, by their places.
    cards: Vec<Card>,
    /// Those that were removed, while that can be undone.
    hidden: Vec<Card>,
    removed: HashSet<String>,
    /// The place that every style of this session has, also of those that are gone.
    places: HashMap<String, usize>,
    thumbnails: HashMap<String, TextureHandle>,
    /// Painted pictures of the styles that were made of pictures.
    swatches: HashMap<String, TextureHandle>,
    listed: bool,
    problems: Vec<String>,
    /// The chosen style as it was drawn last, and the height of the list then.
    seen: Option<(String, f32)>,
}

impl Gallery {
    /// Puts the styles of the library in: those that were there keep their places, new ones come last. Gives the ids
    /// of those that are gone or look otherwise now.
    pub fn set_cards(&mut self, ctx: &egui::Context, mut cards: Vec<Card>) -> HashSet<String> {
        self.listed = true;
        let before: Vec<Card> = self.cards.drain(..).chain(self.hidden.drain(..)).collect();
        let is_same = |old: &Card| {
            let new = cards.iter().find(|card| card.id == old.id);
            new.is_some_and(|new| new.thumbnail == old.thumbnail && new.made_by == old.made_by)
        };
        let changed: HashSet<String> = before
            .iter()
            .filter(|old| !is_same(old))
            .map(|old| old.id.clone())
            .collect();
        for id in &changed {
            self.thumbnails.remove(id);
            self.swatches.remove(id);
        }
        for card in &mut cards {
            card.title = label(&card.title);
            card.credit = remark(&card.credit);
            let next = self.places.len();
            card.place = *self.places.entry(card.id.clone()).or_insert(next);
            if let (Some(frame), false) = (&card.thumbnail, self.thumbnails.contains_key(&card.id))
            {
                let texture = ctx.load_texture(card.id.as_str(), image_of(frame), MIPMAPPED);
                self.thumbnails.insert(card.id.clone(), texture);
            }
        }
        cards.sort_by_key(|card| card.place);
        let removed = &self.removed;
        (self.hidden, self.cards) = cards
            .into_iter()
            .partition(|card| removed.contains(&card.id));
        changed
    }

    /// Whether the styles were listed.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// Notes the problems of the list; whether they are others than before.
    pub fn note_problems(&mut self, problems: &[String]) -> bool {
        let are_new = self.problems != problems;
        self.problems = problems.to_vec();
        are_new
    }

    /// Takes a style out.
    pub fn hide(&mut self, id: &str) {
        self.removed.insert(id.to_owned());
        self.hidden
            .extend(self.cards.extract_if(.., |card| card.id == id));
    }

    /// Puts a style in again, at its place.
    pub fn unhide(&mut self, id: &str) {
        self.removed.remove(id);
        self.cards
            .extend(self.hidden.extract_if(.., |card| card.id == id));
        self.cards.sort_by_key(|card| card.place);
    }

    /// Forgets a style that was taken out.
    pub fn forget(&mut self, id: &str) {
        self.removed.remove(id);
        self.hidden.retain(|card| card.id != id);
        self.thumbnails.remove(id);
        self.swatches.remove(id);
    }

    /// Notes that a style has another id; its place and pictures stay.
    pub fn rename(&mut self, old: &str, new: &str) {
        if let Some(place) = self.places.remove(old) {
            self.places.insert(new.to_owned(), place);
        }
        for textures in [&mut self.thumbnails, &mut self.swatches] {
            if let Some(texture) = textures.remove(old) {
                textures.insert(new.to_owned(), texture);
            }
        }
        for card in self.cards.iter_mut().filter(|card| card.id == old) {
            new.clone_into(&mut card.id);
        }
    }

    /// A style made of a picture that has no painted one yet.
    pub fn without_swatch(&self, is_wanted: impl Fn(&str) -> bool) -> Option<&str> {
        let lacks = |card: &&Card| {
            card.is_picture() && !self.swatches.contains_key(&card.id) && is_wanted(&card.id)
        };
        self.cards.iter().find(lacks).map(|card| card.id.as_str())
    }

    /// Shows a style's painted picture.
    pub fn set_swatch(&mut self, ctx: &egui::Context, id: &str, painted: &PixelFrame) {
        let texture = ctx.load_texture(format!("painted {id}"), image_of(painted), MIPMAPPED);
        self.swatches.insert(id.to_owned(), texture);
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
            let button = theme::icon_button(icons::PLUS, "Add a style…", true)
                .min_size(vec2(ui.available_width(), 0.0));
            let hint = "A painting or any other picture becomes a style, and so does a file of trained weights \
                        (.safetensors, .pth or .onnx), also when it is dropped onto the window.";
            let response = ui.add(button).on_hover_text(hint);
            if response.accessible_name("Add a style…").clicked() {
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
                for card in &self.cards {
                    let is_chosen = chosen == Some(card.id.as_str());
                    let share = painting.and_then(|(id, share)| (id == card.id).then_some(share));
                    let painted = moving
                        .and_then(|grid| grid.texture(&card.id))
                        .or_else(|| self.swatches.get(&card.id));
                    let own = self.thumbnails.get(&card.id);
                    // The picture that a style was made of stays in a corner.
                    let inset = own.filter(|_| card.is_picture() && painted.is_some());
                    let pictures = [painted.or(own), inset];
                    let response = card_ui(ui, card, pictures, is_chosen, share);
                    menu(&response, card, intents);
                    if response.has_focus() {
                        focused_keys(ui, card, intents);
                    }
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

/// Keys belong to the card that has the focus; without one, to the chosen style.
fn focused_keys(ui: &egui::Ui, card: &Card, intents: &mut Vec<Intent>) {
    let pressed = |key| ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, key));
    if pressed(egui::Key::F2) {
        intents.push(Intent::AskName(card.id.clone()));
    }
    if pressed(egui::Key::Delete) {
        intents.push(Intent::RemoveStyle(card.id.clone()));
    }
}

/// What can be done with a style's file.
fn menu(response: &Response, card: &Card, intents: &mut Vec<Intent>) {
    response.context_menu(|ui| {
        ui.set_min_width(MENU_WIDTH);
        let is_own = card.own.is_some();
        for (name, keys, intent) in [
            ("Rename…", "F2", Intent::AskName(card.id.clone())),
            ("Remove", "Delete", Intent::RemoveStyle(card.id.clone())),
            ("Show file", "", Intent::ShowFile(card.id.clone())),
        ] {
            let button = match keys {
                "" => egui::Button::new(name),
                keys => egui::Button::new(name).shortcut_text(keys),
            };
            let response = ui.add_enabled(is_own, button).accessible_name(name);
            if response.clicked() {
                intents.push(intent);
                ui.close();
            }
        }
        if !is_own {
            theme::caption(ui, "This style comes with the program.");
        }
    });
}

fn card_ui(
    ui: &mut egui::Ui,
    card: &Card,
    [thumbnail, inset]: [Option<&TextureHandle>; 2],
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
        } else if card.place < 9 {
            painter.text(
                end,
                Align2::RIGHT_CENTER,
                (card.place + 1).to_string(),
                FontId::proportional(12.0),
                colors.quiet,
            );
        }
        let outline = if is_chosen {
            Stroke::new(2.5, colors.ring)
        } else if response.has_focus() {
            Stroke::new(1.5, colors.ring)
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
            ..Card::default()
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
