//! The tile of an unsaved mix in the list of styles.

use eframe::egui::{self, Response, TextureHandle};

use super::Parts;
use crate::{
    intent::{Intent, StyleCommand},
    shell::shortcuts::menu,
    styles::{
        card::{Tile, card_ui},
        source::Card,
    },
    widgets::theme::ColumnTooltip,
};

/// The mix that paints.
pub struct UnkeptMix {
    /// Its styles and their weights.
    pub parts: Parts,
    /// Contains the mix's name, and an id that no style has.
    pub card: Card,
}

impl UnkeptMix {
    /// An id that no style has.
    pub const ID: &str = "a mix that is not kept";

    /// Draws its tile: the pictures of its styles with their shares of the width, like the thumbnail of a saved mix.
    pub fn ui<'a>(
        &self,
        ui: &mut egui::Ui,
        picture: impl Fn(&str) -> Option<&'a TextureHandle>,
        share: Option<f32>,
    ) -> Response {
        let own: Vec<_> = self
            .parts
            .iter()
            .filter_map(|(style, weight)| Some((picture(style)?, *weight)))
            .collect();
        let tile = Tile {
            card: &self.card,
            key: None,
            note: Some("Unsaved"),
            own: &own,
            painted: None,
            is_flipped: false,
            is_chosen: true,
            is_stop: true,
            share,
        };
        let response = card_ui(ui, &tile)
            .column_tooltip("Lost when you choose another style, unless you save it.");
        response.context_menu(|ui| {
            menu(
                ui,
                [
                    ("Save mix…", "F2", true, Intent::Style(StyleCommand::AskMixName)),
                    ("Remove", "Delete", true, Intent::Style(StyleCommand::DropMix)),
                ],
            );
        });
        response
    }
}
