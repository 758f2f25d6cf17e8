//! The tile of an unsaved mix in the list of styles.

use eframe::egui::{self, Key, Modifiers, Response, TextureHandle};

use super::Parts;
use crate::gui::{
    intent::Intent,
    style_card::{Tile, card_ui},
    style_source::Card,
    theme::HintBeside,
};

/// The mix that paints.
pub struct UnkeptMix {
    /// Its styles and their weights.
    pub parts: Parts,
    /// Contains the mix's name, and an id that no style has.
    card: Card,
}

impl UnkeptMix {
    /// An id that no style has.
    pub const ID: &str = "a mix that is not kept";

    /// Creates a mix with this name.
    pub fn new(parts: Parts, name: String) -> Self {
        let card = Card { id: Self::ID.to_owned(), title: name, ..Card::default() };
        Self { parts, card }
    }

    /// Draws its tile: the pictures of its styles with their shares of the width, like the thumbnail of a saved mix.
    pub fn ui<'a>(
        &self,
        ui: &mut egui::Ui,
        picture: impl Fn(&str) -> Option<&'a TextureHandle>,
        share: Option<f32>,
    ) -> Response {
        let parts = self.parts.iter();
        let own: Vec<_> =
            parts.filter_map(|(style, weight)| Some((picture(style)?, *weight))).collect();
        let tile = Tile {
            card: &self.card,
            note: Some("Unsaved"),
            own: &own,
            painted: None,
            is_flipped: false,
            is_chosen: true,
            share,
        };
        let response = card_ui(ui, &tile);
        let response =
            response.hint_beside("Lost when you choose another style, unless you save it.");
        let keep = ("Save mix…", "F2", Key::F2, Intent::AskMixName);
        let drop = ("Remove", "Delete", Key::Delete, Intent::DropMix);
        if response.has_focus() {
            for (.., key, intent) in [&keep, &drop] {
                if ui.input_mut(|i| i.consume_key(Modifiers::NONE, *key)) {
                    intent.clone().send(ui);
                }
            }
        }
        response.context_menu(|ui| {
            for (name, keys, _, intent) in [keep, drop] {
                let button = egui::Button::new(name).shortcut_text(keys);
                if ui.add(button).accessible_name(name).clicked() {
                    intent.send(ui);
                    ui.close();
                }
            }
        });
        response
    }
}
