//! The preview grid: every style painting the same live picture at once.

use std::{collections::HashMap, sync::Arc};

use eframe::egui::{self, Color32, Rect, Role, Sense, TextureHandle, TextureOptions, Ui, vec2};

use super::command::LiveCommand;
use crate::{
    intent::{Command, Sends, StyleCommand},
    shell::shortcuts::style_key,
    styles::{
        card::{self as style_card, NAME_HEIGHT},
        source::Card,
    },
    widgets::{texture::opaque_image_of, theme},
};
use engine::live::{Preview, PreviewPicture};
use network::Network;
use values::mailbox::{Reader, mailbox};

/// Space between pictures, in points.
const GAP: f32 = 10.0;

/// The styles, and their own thumbnails by id.
pub type Styles<'a> = (&'a [Card], &'a HashMap<String, TextureHandle>);

struct Tile {
    style: String,
    network: Arc<Network>,
    pictures: Reader<PreviewPicture>,
}

/// The live previews of the styles.
#[derive(Default)]
pub struct PreviewGrid {
    tiles: Vec<Tile>,
    /// The last picture of every style that was in the grid; kept until there is a newer one.
    textures: HashMap<String, TextureHandle>,
    /// The previews are mirrored.
    pub is_flipped: bool,
}

impl PreviewGrid {
    /// Sets the grid's styles. Returns the previews for the engine if they have changed.
    pub fn set_styles(&mut self, styles: Vec<(String, Arc<Network>)>) -> Option<Vec<Preview>> {
        if self.tiles.len() == styles.len()
            && (self.tiles.iter().zip(&styles)).all(|(tile, (id, network))| {
                tile.style == *id && Arc::ptr_eq(&tile.network, network)
            })
        {
            return None;
        }
        self.tiles.clear();
        let mut previews = Vec::new();
        for (style, network) in styles {
            let (writer, pictures) = mailbox(PreviewPicture::empty);
            previews.push(Preview { network: network.clone(), output: writer });
            self.tiles.push(Tile { style, network, pictures });
        }
        Some(previews)
    }

    /// Removes the styles, because the engine no longer paints previews.
    pub fn stop(&mut self) {
        self.tiles.clear();
    }

    /// Takes the newest pictures.
    pub fn take_pictures(&mut self, ctx: &egui::Context) {
        for tile in &mut self.tiles {
            if !tile.pictures.take() {
                continue;
            }
            let image = opaque_image_of(&tile.pictures.value.painted);
            match self.textures.get_mut(&tile.style) {
                Some(texture) => texture.set(image, TextureOptions::LINEAR),
                None => {
                    let texture = ctx.load_texture("preview", image, TextureOptions::LINEAR);
                    self.textures.insert(tile.style.clone(), texture);
                }
            }
        }
    }

    /// The preview of a style, if there is one.
    pub fn texture(&self, style: &str) -> Option<&TextureHandle> {
        self.textures.get(style)
    }

    /// Draws every style into the remaining area of `ui`, on the background `around`; a click chooses a style. Until a
    /// style has painted, its thumbnail is shown.
    pub fn ui(
        &self,
        ui: &mut Ui,
        around: Color32,
        (cards, thumbnails): Styles<'_>,
        chosen: Option<&str>,
    ) {
        let area = ui.available_rect_before_wrap();
        ui.allocate_rect(area, Sense::hover());
        ui.painter().rect_filled(area, 0.0, around);
        let aspect = (self.textures.values().next()).map_or(4.0 / 3.0, TextureHandle::aspect_ratio);
        let area = area.shrink(GAP + 6.0);
        let (columns, width) = columns(area.size(), cards.len(), aspect);
        let size = vec2(width, width / aspect + NAME_HEIGHT);
        let step = size + vec2(GAP, GAP);
        let rows = cards.len().div_ceil(columns);
        let used = vec2(columns as f32, rows as f32) * step - vec2(GAP, GAP);
        let origin = area.center() - used / 2.0;
        for (place, card) in cards.iter().enumerate() {
            let at = vec2((place % columns) as f32, (place / columns) as f32) * step;
            let rect = Rect::from_min_size(origin + at, size);
            let is_chosen = chosen == Some(card.id.as_str());
            let id = ui.scope_id().with(("preview", &card.id));
            let response = ui.interact(rect, id, Sense::click());
            theme::named_choice(
                &response,
                Role::RadioButton,
                is_chosen,
                &format!("Paint live in {}", card.title),
            );
            let own = thumbnails.get(&card.id).map(|own| (own, 1));
            let tile = style_card::Tile {
                card,
                key: style_key(place),
                note: None,
                own: own.as_slice(),
                painted: self.texture(&card.id),
                is_flipped: self.is_flipped,
                is_chosen,
                is_stop: true,
                share: None,
            };
            let is_cut = tile.paint(ui, &response, rect);
            let response = if is_cut { response.on_hover_text(&card.title) } else { response };
            if response.sends(StyleCommand::PickStyle(card.id.clone())).double_clicked() {
                LiveCommand::TogglePreviews.send(ui);
            }
        }
    }
}

/// The number of columns that makes the pictures largest, and the width of a picture.
fn columns(area: egui::Vec2, count: usize, aspect: f32) -> (usize, f32) {
    let count = count.max(1);
    let width = |columns: usize| {
        let rows = count.div_ceil(columns) as f32;
        let across = (area.x + GAP) / columns as f32 - GAP;
        let down = ((area.y + GAP) / rows - GAP - NAME_HEIGHT) * aspect;
        across.min(down).max(16.0)
    };
    (1..=count)
        .map(|columns| (columns, width(columns)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((1, 16.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_as_large_as_they_can_be() {
        assert_eq!(columns(vec2(900.0, 450.0), 6, 4.0 / 3.0).0, 3);
        assert_eq!(columns(vec2(300.0, 1200.0), 6, 4.0 / 3.0).0, 1);
        assert_eq!(columns(vec2(2000.0, 200.0), 6, 4.0 / 3.0).0, 6);
    }
}
