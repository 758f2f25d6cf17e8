//! The gallery: every style with its thumbnail and name; a click paints, and dragging moves a style.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use eframe::egui::{self, Context, ScrollArea, TextureHandle, Ui, vec2};

use super::{
    card::{CARD_INSET, Tile, card_ui},
    command::StyleCommand,
    mix::UnkeptMix,
    order::{Move, StyleOrder},
    source::Card,
};
use crate::{
    choice::NetworkOf,
    intent::{Command, Intent, Sends, ShellCommand},
    pages::live::PreviewGrid,
    shell::shortcuts::{self, menu},
    widgets::{
        drag::Drag,
        fonts::icons,
        label::{label, remark},
        texture::{MIPMAPPED, image_of},
        theme::{self, ColumnTooltip},
    },
};
use engine::protocol::Repainted;
use media::framing::Framing;
use values::{
    compose::{Look, compose_into},
    frame::Frame as PixelFrame,
};

/// Shown in an empty list.
const NO_STYLES: &str = "No styles found. Add one below: an image or a file of trained weights (.safetensors, .pth or .onnx).";

/// Minimum width at which the button below the list has text, in points.
const WORDS_WIDTH: f32 = 140.0;

/// The photo that the styles' painted thumbnails show: its number and framing; `None` for the sample.
pub type Subject = Option<(u64, Framing)>;

/// A painted thumbnail of a style.
pub struct PaintedPicture {
    subject: Subject,
    /// The picture that was painted.
    photo: Arc<PixelFrame>,
    painting: Arc<Repainted>,
    /// The strength and colours in which it is shown.
    look: Look,
    texture: TextureHandle,
}

impl PaintedPicture {
    /// A painting of `photo` in the style `id`, shown in a look.
    pub fn new(
        ctx: &Context,
        id: &str,
        subject: Subject,
        photo: Arc<PixelFrame>,
        painting: Arc<Repainted>,
        look: Look,
    ) -> Self {
        Self {
            texture: ctx.load_texture(
                format!("painted {id}"),
                image_in(look, &photo, &painting),
                MIPMAPPED,
            ),
            subject,
            photo,
            painting,
            look,
        }
    }
}

/// Applies a look to a painting.
fn image_in(look: Look, photo: &PixelFrame, painting: &Repainted) -> egui::ColorImage {
    let mut painted = painting.picture.clone();
    compose_into(photo, &mut painted, look);
    image_of(&painted)
}

/// The styles that can be chosen.
#[derive(Default)]
pub struct Gallery {
    /// The shown styles, in display order.
    pub cards: Vec<Card>,
    /// The removed styles, while the removal can be undone.
    hidden: Vec<Card>,
    /// The order of all styles, including those that are not available.
    pub order: StyleOrder,
    /// The styles' own thumbnails by id.
    pub thumbnails: HashMap<String, TextureHandle>,
    /// Painted thumbnails by style id; `None` if there cannot be one.
    pub painted: HashMap<String, Option<PaintedPicture>>,
    pub is_listed: bool,
    /// Number of files and pictures that are being added as styles.
    pub importing: usize,
    problems: Vec<String>,
    /// The chosen style when it was last drawn, and the height of the list then.
    seen: Option<(String, f32)>,
    /// The style that the program chose automatically, while it is chosen. The list does not scroll to it.
    pub unasked: Option<String>,
    /// The style that had the focus when it was last drawn. The window's keys then apply to it: it is the chosen one.
    pub focused: Option<String>,
}

impl Gallery {
    /// Creates a gallery without styles. Styles that are added get the given positions.
    pub fn ordered(ids: &[String]) -> Self {
        let mut gallery = Self::default();
        gallery.order.add(ids.iter().map(String::as_str));
        gallery
    }

    pub fn end_import(&mut self) {
        self.importing = self.importing.saturating_sub(1);
    }

    /// Moves a style. Returns the style that was next to it, or `None` if the style does not move.
    pub fn shift(&mut self, id: &str, to: &Move) -> Option<Option<String>> {
        let listed: Vec<&str> = self.cards.iter().map(|card| card.id.as_str()).collect();
        let next = self.order.next(id);
        if !self.order.shift(id, to, &listed) {
            return None;
        }
        self.sort();
        // Scroll to the chosen style's new position.
        self.seen.take_if(|(seen, _)| seen.as_str() == id);
        Some(next)
    }

    fn sort(&mut self) {
        self.cards.sort_by_cached_key(|card| self.order.place(&card.id));
    }

    /// Sets the styles of the library: known styles keep their positions, new ones are added at the end. Returns the
    /// ids of styles that are gone or whose appearance has changed.
    pub fn set_cards(&mut self, ctx: &Context, mut cards: Vec<Card>) -> HashSet<String> {
        self.is_listed = true;
        let removed = std::mem::take(&mut self.hidden);
        let before: Vec<&Card> = self.cards.iter().chain(&removed).collect();
        let is_same = |old: &Card| {
            cards
                .iter()
                .find(|card| card.id == old.id)
                .is_some_and(|new| new.thumbnail == old.thumbnail && new.made_by == old.made_by)
        };
        let changed: HashSet<String> =
            before.into_iter().filter(|old| !is_same(old)).map(|old| old.id.clone()).collect();
        for id in &changed {
            self.thumbnails.remove(id);
            self.painted.remove(id);
        }
        self.order.add(cards.iter().map(|card| card.id.as_str()));
        for card in &mut cards {
            card.title = label(&card.title);
            card.credit = remark(&card.credit);
            card.after = card.after.take().map(|after| remark(&after));
            if let (Some(frame), false) = (&card.thumbnail, self.thumbnails.contains_key(&card.id))
            {
                let texture = ctx.load_texture(card.id.as_str(), image_of(frame), MIPMAPPED);
                self.thumbnails.insert(card.id.clone(), texture);
            }
        }
        // A different style with the same id has not been removed.
        let is_removed = |card: &Card| {
            removed.iter().any(|old| (&old.id, old.changed) == (&card.id, card.changed))
        };
        (self.hidden, self.cards) = cards.into_iter().partition(is_removed);
        self.sort();
        changed
    }

    /// Stores the problems of the list; returns whether they differ from the previous ones.
    pub fn note_problems(&mut self, problems: &[String]) -> bool {
        let are_new = self.problems != problems;
        self.problems = problems.to_vec();
        are_new
    }

    /// Removes a style so that it can be restored.
    pub fn hide(&mut self, id: &str) {
        self.hidden.extend(self.cards.extract_if(.., |card| card.id == id));
    }

    /// True if a removed style has this title.
    pub fn has_hidden(&self, title: &str) -> bool {
        let title = title.trim().to_lowercase();
        self.hidden.iter().any(|card| card.title.to_lowercase() == title)
    }

    /// The style with this id, removed or not.
    pub fn known(&self, id: &str) -> Option<&Card> {
        self.card(id).or_else(|| self.hidden.iter().find(|card| card.id == id))
    }

    /// Restores a removed style at its position; returns `false` if the style was not removed.
    pub fn unhide(&mut self, id: &str) -> bool {
        let shown = self.cards.len();
        self.cards.extend(self.hidden.extract_if(.., |card| card.id == id));
        self.sort();
        self.cards.len() > shown
    }

    /// Discards the removed styles, and returns them.
    pub fn take_hidden(&mut self) -> Vec<Card> {
        let hidden = std::mem::take(&mut self.hidden);
        hidden.iter().for_each(|card| self.order.forget(&card.id));
        hidden
    }

    /// Notes that a style has a new id; its position and thumbnail stay.
    pub fn rename(&mut self, old: &str, new: &str) {
        self.order.rename(old, new);
        rename_key(&mut self.thumbnails, old, new);
        rename_key(&mut self.painted, old, new);
        for card in self.cards.iter_mut().filter(|card| card.id == old) {
            new.clone_into(&mut card.id);
        }
    }

    /// The first style for which `is_wanted` is true and that has no painted thumbnail of this subject yet; the
    /// `chosen` one is before all others.
    pub fn without_picture(
        &self,
        chosen: Option<&str>,
        subject: Subject,
        is_wanted: impl Fn(&Card) -> bool,
    ) -> Option<&str> {
        let lacks = |card: &&Card| {
            let painted = self.painted.get(&card.id);
            let is_other = |picture: &PaintedPicture| picture.subject != subject;
            painted.is_none_or(|picture| picture.as_ref().is_some_and(is_other)) && is_wanted(card)
        };
        chosen
            .and_then(|id| self.card(id))
            .into_iter()
            .chain(&self.cards)
            .find(lacks)
            .map(|card| card.id.as_str())
    }

    /// Shows the painted thumbnails in this strength and these colours.
    pub fn follow_look(&mut self, look: Look) {
        for picture in self.painted.values_mut().flatten().filter(|s| s.look != look) {
            picture.texture.set(image_in(look, &picture.photo, &picture.painting), MIPMAPPED);
            picture.look = look;
        }
    }

    /// The style with this id.
    pub fn card(&self, id: &str) -> Option<&Card> {
        self.cards.iter().find(|card| card.id == id)
    }

    /// The style `by` positions below the chosen one, wrapping around at the ends.
    pub fn neighbour(&self, chosen: Option<&str>, by: isize) -> Option<&Card> {
        let place = chosen.and_then(|id| self.cards.iter().position(|card| card.id == id));
        let count = self.cards.len();
        let next = match place {
            Some(place) => (place as isize + by).rem_euclid(count as isize) as usize,
            None if by < 0 => count.saturating_sub(1),
            None => 0,
        };
        self.cards.get(next)
    }

    /// Draws the gallery into `ui`. The current style is the chosen one, or an unsaved mix, which is first. Tab stops
    /// once, at the current style. It is scrolled into view, and stays in view when the window becomes lower. Painted
    /// thumbnails are those of the `subject`, or the `moving` ones.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        subject: Subject,
        chosen: Option<&str>,
        mix: Option<&UnkeptMix>,
        painting: Option<(&NetworkOf, f32)>,
        moving: Option<&PreviewGrid>,
    ) {
        theme::group_title(ui, "Styles");
        let list_height = ui.available_height() - 28.0 - theme::GAP * 2.0;
        let list = ScrollArea::vertical().max_height(list_height).auto_shrink([false, false]).show(
            ui,
            |ui| {
                if self.cards.is_empty() {
                    theme::caption(
                        ui,
                        if self.is_listed { NO_STYLES } else { "Looking for styles…" },
                    );
                }
                let chosen = mix.map(|_| UnkeptMix::ID).or(chosen);
                self.unasked.take_if(|id| chosen != Some(id.as_str()));
                let stop = chosen.or(self.cards.first().map(|card| card.id.as_str()));
                let had_focus = self.focused.take();
                let mut follow = |ui: &Ui, id: &str, response: &egui::Response| {
                    let is_seen =
                        |(seen, height): &(String, f32)| *seen == id && *height == list_height;
                    let is_new = self.unasked.is_none() && !self.seen.as_ref().is_some_and(is_seen);
                    if chosen.is_some() && is_new || response.gained_focus() {
                        // Keep the card out of the area where the list fades.
                        let fade = vec2(0.0, ui.spacing().scroll.fade.size);
                        ui.scroll_to_rect(response.rect.expand2(fade), None);
                        self.seen = chosen.map(|id| (id.to_owned(), list_height));
                    }
                    // The focus follows the choice.
                    if had_focus.as_ref().is_some_and(|focused| focused != id) {
                        response.request_focus();
                    }
                    if response.has_focus() {
                        theme::hold_arrows(ui, response.id, true, true);
                        self.focused = Some(id.to_owned());
                    }
                };
                if let Some(mix) = mix {
                    let response =
                        mix.ui(ui, |id| self.thumbnails.get(id), painting.map(|(_, share)| share));
                    follow(ui, UnkeptMix::ID, &response);
                }
                let mut drag = Drag::default();
                let last = self.cards.len().saturating_sub(1);
                for (place, card) in self.cards.iter().enumerate() {
                    let share = painting
                        .filter(|(of, _)| mix.is_none() && of.styles() == [&card.id])
                        .map(|(_, share)| share);
                    let moves = moving.and_then(|grid| grid.texture(&card.id));
                    let is_flipped = moves.is_some() && moving.is_some_and(|grid| grid.is_flipped);
                    // Live pictures and photos, or two photos, are not mixed in one list.
                    let picture = self
                        .painted
                        .get(&card.id)
                        .and_then(Option::as_ref)
                        .filter(|picture| moving.is_none() && picture.subject == subject)
                        .map(|picture| &picture.texture);
                    let own = self.thumbnails.get(&card.id).map(|own| (own, 1));
                    let is_stop = stop == Some(card.id.as_str());
                    let tile = Tile {
                        card,
                        key: shortcuts::style_key(place),
                        note: None,
                        own: own.as_slice(),
                        painted: moves.or(picture),
                        is_flipped,
                        is_chosen: chosen == Some(card.id.as_str()),
                        is_stop,
                        share,
                    };
                    let response = card_ui(ui, &tile);
                    if is_stop {
                        follow(ui, &card.id, &response);
                    }
                    response.context_menu(|ui| {
                        let is_own = card.own.is_some();
                        let id = || card.id.clone();
                        let file = card.own.clone().unwrap_or_default();
                        let moved = |to| Intent::Style(StyleCommand::MoveStyle(id(), to));
                        menu(
                            ui,
                            [
                                ("Move up", "Alt+Up", place > 0, moved(Move::Up)),
                                ("Move down", "Alt+Down", place < last, moved(Move::Down)),
                                (
                                    "Rename…",
                                    "F2",
                                    is_own,
                                    Intent::Style(StyleCommand::AskName(id())),
                                ),
                                (
                                    "Remove",
                                    "Delete",
                                    is_own,
                                    Intent::Style(StyleCommand::RemoveStyle(id())),
                                ),
                                (
                                    "Show file",
                                    "",
                                    is_own,
                                    Intent::Shell(ShellCommand::ShowInFolder(file)),
                                ),
                            ],
                        );
                        if !is_own {
                            theme::caption(ui, "This style is built in.");
                        }
                    });
                    drag.note(&response, card.id.clone());
                    response.sends(StyleCommand::PickStyle(card.id.clone()));
                }
                if chosen.is_none() {
                    self.seen = None;
                }
                if let Some((id, before)) = drag.ui(ui) {
                    StyleCommand::MoveStyle(id, Move::Before(before)).send(ui);
                }
            },
        );
        ui.add_space(2.0);
        let has_words = ui.available_width() >= WORDS_WIDTH;
        let button = theme::icon_button(icons::PLUS, "Add a style…", has_words)
            .min_size(vec2(list.inner_rect.width() - CARD_INSET, 0.0));
        let hint = "Use any image, or a file of trained weights (.safetensors, .pth or .onnx), as a style. You can also drop it onto the window.";
        ui.add(button)
            .column_tooltip(hint)
            .accessible_name("Add a style…")
            .sends(StyleCommand::AskStyle);
    }
}

/// Moves the value of one id to another id.
fn rename_key<V>(map: &mut HashMap<String, V>, old: &str, new: &str) {
    if let Some(value) = map.remove(old) {
        map.insert(new.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_go_round() {
        let card = |id: &str| Card { id: id.to_owned(), title: id.to_owned(), ..Card::default() };
        let mut gallery = Gallery::default();
        assert!(gallery.neighbour(None, 1).is_none());
        gallery.cards = vec![card("a"), card("b"), card("c")];
        let at = |chosen, by| gallery.neighbour(chosen, by).map(|c| c.id.as_str());
        assert_eq!(at(None, 1), Some("a"));
        assert_eq!(at(None, -1), Some("c"));
        assert_eq!(at(Some("c"), 1), Some("a"));
        assert_eq!(at(Some("a"), -1), Some("c"));
    }
}
