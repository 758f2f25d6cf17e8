//! Looks: the row *My looks* above the styles, and using, saving, renaming, exporting and removing them.
//!
//! The files are those of [`settings::looks`].

pub mod command;
mod flow;

use std::path::PathBuf;

use eframe::egui::{
    Button, Id, Rect, Response, Role, ScrollArea, Sense, Stroke, StrokeKind, TextWrapMode,
    TextureHandle, Ui, Vec2, pos2, vec2,
};

use self::command::LookCommand;
use super::command::StyleCommand;
use crate::{
    intent::{Intent, Sends},
    shell::shortcuts::menu,
    widgets::{
        texture::{cut_line, paint_cover},
        theme::{self, ColumnTooltip},
    },
};

impl From<LookCommand> for Intent {
    fn from(command: LookCommand) -> Self {
        Self::Style(StyleCommand::Look(command))
    }
}

/// A look in the row.
pub struct LookCard {
    name: String,
    title: String,
    path: PathBuf,
    picture: TextureHandle,
}

/// Width and height of a look's picture, in points.
const PICTURE: Vec2 = vec2(80.0, 56.0);
/// Width and height of the button that saves a look, in points.
const SAVE: Vec2 = vec2(88.0, 22.0);
/// Height of a look's name below its picture, in points.
const NAME_HEIGHT: f32 = 20.0;

/// Draws the row of looks, and the button that saves the look that paints, at the right of the heading that follows.
pub fn ui(looks: &[LookCard], ui: &mut Ui) {
    if !looks.is_empty() {
        theme::group_title(ui, "My looks");
        ScrollArea::horizontal().id_salt("looks").auto_shrink([false, true]).show(ui, |ui| {
            ui.horizontal(|ui| looks.iter().for_each(|look| look.ui(ui)));
        });
    }
    let corner = pos2(ui.max_rect().right() - SAVE.x, ui.cursor().top() - 2.0);
    let save = Button::new("Save look…").small().wrap_mode(TextWrapMode::Extend);
    ui.place(Rect::from_min_size(corner, SAVE), save)
        .column_tooltip("Save style, detail, strength, colours and steadiness under a name.")
        .sends(LookCommand::Save);
}

impl LookCard {
    fn ui(&self, ui: &mut Ui) {
        let (_, rect) = ui.allocate_space(PICTURE + vec2(0.0, NAME_HEIGHT));
        let response = ui.interact(rect, Id::unique(("look", &self.name)), Sense::click());
        theme::named_choice(&response, Role::Button, false, &format!("Look {}", self.title));
        if ui.is_rect_visible(rect) {
            self.paint(ui, &response, rect);
        }
        response.context_menu(|ui| {
            let path = || self.path.clone();
            let entries = [
                ("Rename…", LookCommand::Rename(path())),
                ("Export…", LookCommand::Export(path())),
                ("Remove", LookCommand::Remove(path())),
            ];
            menu(ui, entries.map(|(name, command)| (name, "", true, command.into())));
        });
        response.on_hover_text(&self.title).sends(LookCommand::Use(self.path.clone()));
    }

    fn paint(&self, ui: &Ui, response: &Response, rect: Rect) {
        let (top, below) = rect.split_top_bottom_at_y(rect.top() + PICTURE.y);
        paint_cover(ui, &self.picture, top, theme::RADIUS);
        let colors = theme::palette(ui);
        let color = if response.hovered() { colors.quiet } else { colors.outline };
        ui.painter().rect_stroke(top, theme::RADIUS, Stroke::new(1.0, color), StrokeKind::Inside);
        let ink = ui.visuals().text_color();
        let name = cut_line(ui, self.title.clone(), ink, rect.width());
        ui.painter().galley(below.min + vec2(0.0, 2.0), name, ink);
    }
}
