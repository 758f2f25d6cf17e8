//! Draws the strip of paintings, and a painting of it instead of the photo with its buttons.

use std::path::{Path, PathBuf};

use eframe::egui::{
    self, Align2, Button, Color32, FontId, Key, Label, Modifiers, Rect, Response, RichText, Role,
    ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, vec2,
};

use super::{Paintings, Thumbnail, is_film, kind};
use crate::{
    choice::Choice,
    intent::{Command, Intent, PhotoCommand, Sends, ShellCommand, StyleCommand, ViewCommand},
    pages::photo::opened::Opened,
    shell::shortcuts::menu,
    widgets::{
        fonts::icons,
        key_chips,
        label::{label, name_label, path_label},
        stage::{Framing, Stage},
        texture::{cut_line, paint_cover, tag},
        theme::{self, ColumnTooltip},
    },
};
use settings::painted_with::{COLOURS, DETAIL, MIX, OF_STYLE, STYLE, WORKING_SIZE};

/// Width and height of a thumbnail, in points.
const SIZE: egui::Vec2 = vec2(80.0, 56.0);

impl Paintings {
    /// Draws the strip of the `listed` files into `ui`.
    pub fn strip(&mut self, ui: &mut Ui, listed: &[PathBuf]) {
        let listed: Vec<&PathBuf> = listed.iter().filter(|path| !self.is_gone(path)).collect();
        // The wheel scrolls the strip, which has no other direction.
        ui.style_mut().always_scroll_the_only_direction = true;
        // Reserve the height of the scroll bar, so that nothing above moves when it appears.
        let bar = ui.spacing().scroll.allocated_width();
        ui.set_min_height(SIZE.y + bar);
        let width = (SIZE.x + ui.spacing().item_spacing.x) * listed.len() as f32;
        if width <= ui.available_width() {
            // Without a scroll bar, add its height here, so that the lower edges of thumbnails and button are aligned.
            ui.add_space(bar);
        }
        if listed.is_empty() {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                // A placeholder for the first painting.
                let (place, _) = ui.allocate_exact_size(SIZE, Sense::hover());
                theme::dashed(
                    ui.painter(),
                    place.shrink(0.5),
                    Stroke::new(1.0, theme::palette(ui).outline),
                );
                theme::caption(ui, "Saved paintings appear here.");
            });
            return;
        }
        let mut area = ScrollArea::horizontal().auto_shrink([false, true]);
        if std::mem::take(&mut self.has_new) {
            area = area.horizontal_scroll_offset(0.0);
        }
        area.show(ui, |ui| {
            ui.horizontal(|ui| {
                for path in listed {
                    let thumbnail = self.thumbnails.get(path);
                    let is_viewed = self.viewed.as_ref().is_some_and(|v| v.path == *path);
                    let response = picture(ui, path, thumbnail, is_viewed);
                    let comes = is_viewed && std::mem::take(&mut self.scrolls_to_viewed);
                    if response.gained_focus() || comes {
                        response.scroll_to_me(None);
                    }
                    if response.has_focus()
                        && ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Delete))
                    {
                        PhotoCommand::ForgetPainting(path.clone()).send(ui);
                    }
                    response.context_menu(|ui| {
                        let last = (
                            "Clear the list",
                            "",
                            true,
                            Intent::Photo(PhotoCommand::ClearPaintings),
                        );
                        let of_file = actions(path).into_iter().map(|(name, intent)| {
                            let deletes =
                                matches!(intent, Intent::Photo(PhotoCommand::ForgetPainting(_)));
                            (name, if deletes { "Delete" } else { "" }, true, intent)
                        });
                        menu(ui, of_file.chain([last]));
                    });
                    response.sends(PhotoCommand::ShowPainting(path.clone()));
                }
            });
        });
    }
}

/// The button that folds or unfolds the strip.
pub fn button(ui: &mut Ui, is_folded: bool) {
    let [text, name] = if is_folded {
        ["Show saved", "Show saved paintings"]
    } else {
        ["Hide saved", "Hide saved paintings"]
    };
    // Wide enough for both names, so that it stays below the pointer.
    ui.add(Button::new(text).frame_when_inactive(false).min_size(vec2(100.0, 32.0)))
        .on_hover_text("Recently saved paintings")
        .accessible_name(name)
        .sends(PhotoCommand::ToggleStrip);
}

/// A painting in the strip.
fn picture(ui: &mut Ui, path: &Path, thumbnail: Option<&Thumbnail>, is_viewed: bool) -> Response {
    let name = name_label(path);
    let (_, rect) = ui.allocate_space(SIZE);
    // The id comes from the path, so that the focus stays on the painting when it moves in the list.
    let response = ui.interact(rect, egui::Id::unique(("painting", path)), Sense::click());
    let problem = match thumbnail.map(|thumbnail| &thumbnail.picture) {
        // A video's thumbnail may need a program that is no longer installed.
        Some(Err(why)) if !is_film(path) => Some(why),
        _ => None,
    };
    let spoken = match problem {
        Some(_) => format!("{name}, cannot be shown"),
        None => name.clone(),
    };
    theme::named_choice(&response, Role::Button, is_viewed, &spoken);
    if ui.is_rect_visible(rect) {
        let colors = theme::palette(ui);
        ui.painter().rect_filled(rect, theme::RADIUS, colors.card);
        let painter = ui.painter();
        let middle = Align2::CENTER_CENTER;
        if let Some(Thumbnail { picture: Ok(texture), moves, .. }) = thumbnail {
            paint_cover(ui, texture, rect, theme::RADIUS);
            if *moves {
                let play = painter.layout_no_wrap(
                    icons::PLAY.to_owned(),
                    FontId::proportional(15.0),
                    Color32::WHITE,
                );
                tag(painter, play, middle, rect.center(), vec2(6.0, 4.0), 13);
            }
        } else {
            // The thumbnail is not ready or not available, so show the name.
            let text = if is_film(path) { format!("{} {name}", icons::VIDEO) } else { name };
            let letters = cut_line(ui, text, colors.quiet, rect.width() - 8.0);
            let at = middle.anchor_size(rect.center(), letters.size()).min;
            painter.galley(at, letters, colors.quiet);
        }
        let outline = match (is_viewed, response.hovered()) {
            (true, _) => Stroke::new(2.5, colors.quiet),
            (false, true) => Stroke::new(1.0, colors.quiet),
            (false, false) => Stroke::new(1.0, colors.outline),
        };
        ui.painter().rect_stroke(rect, theme::RADIUS, outline, StrokeKind::Inside);
    }
    response.on_hover_cursor(egui::CursorIcon::PointingHand).on_hover_text(match problem {
        Some(why) => why.clone(),
        None => path_label(path),
    })
}

/// Width and height of the play button over a video, in points.
const PLAY: f32 = 72.0;

/// A painting that is shown large.
pub struct Viewed {
    pub path: PathBuf,
    /// Its name and size, as text.
    pub words: String,
    /// Its settings: keywords and texts; empty if its file does not contain them.
    pub texts: Vec<(String, String)>,
    /// Its zoom.
    pub stage: Stage,
}

impl Viewed {
    /// Shows the opened painting, fitted to the stage.
    pub fn new(
        ctx: &egui::Context,
        path: PathBuf,
        opened: &Opened,
        texts: Vec<(String, String)>,
        framing: Framing,
    ) -> Self {
        let mut stage = Stage::default();
        stage.placing.framing = framing;
        let name = format!("Saved {}", kind(&path));
        stage.set_names(&name, &name);
        let frame = &opened.photo.frame;
        stage.set_photo(ctx, &opened.preview, frame.clone());
        let (width, height) = frame.size();
        Self { words: format!("{}, {width} × {height} px", opened.title()), path, texts, stage }
    }

    /// Draws the painting, or the first frame of a video with a button that plays it.
    pub fn ui(&mut self, ui: &mut Ui) {
        let path = &self.path;
        self.stage.ui(ui).context_menu(|ui| {
            let actions = actions(path).into_iter().map(|(name, intent)| (name, "", true, intent));
            let style = (
                "Use as style",
                "",
                !is_film(path),
                Intent::Style(StyleCommand::UseAsStyle(path.clone())),
            );
            menu(ui, actions.chain([style]));
        });
        if is_film(&self.path) {
            let place = Rect::from_center_size(self.stage.rect.center(), Vec2::splat(PLAY));
            let play = Button::new(RichText::new(icons::PLAY).size(32.0)).corner_radius(PLAY / 2.0);
            ui.put(place, play)
                .accessible_name("Play the video")
                .sends(ShellCommand::Play(self.path.clone()));
        }
    }
}

/// A setting in a file as it is shown: its name and its text. `mix` is that of the file, with the titles of its styles.
fn shown_setting(name: &str, text: &str, mix: &str) -> Option<(String, String)> {
    let shown = match name {
        STYLE if !mix.is_empty() => return None,
        DETAIL => return None,
        MIX if !mix.is_empty() => (MIX, mix.to_owned()),
        WORKING_SIZE => (DETAIL, text.replace(" x ", " × ")),
        COLOURS if text == OF_STYLE => (COLOURS, "Style".to_owned()),
        COLOURS => (COLOURS, "Original".to_owned()),
        _ => (name, label(text)),
    };
    Some((label(shown.0), shown.1))
}

/// The settings in a file, and the button that paints the photo with the `choice` that they make, unless that needs
/// the `missing` style.
pub fn settings(
    ui: &mut Ui,
    texts: &[(String, String)],
    mix: &str,
    choice: Option<&Choice>,
    missing: Option<&str>,
) {
    theme::group_title(ui, "Saved file");
    if texts.is_empty() {
        theme::caption(ui, "This file does not contain its settings.");
    }
    for (name, text) in texts.iter().filter_map(|(name, text)| shown_setting(name, text, mix)) {
        theme::row(ui, &name, |ui, _| ui.add(Label::new(text).wrap()));
    }
    if let Some(choice) = choice {
        ui.add_space(theme::GAP);
        let why_not =
            missing.map(|style| format!("The style {} is not in the list.", label(style)));
        ui.add_enabled(missing.is_none(), Button::new("Use this look"))
            .on_disabled_hover_text(why_not.unwrap_or_default())
            .column_tooltip("Paint the open photo with these settings.")
            .sends(ViewCommand::Edit(choice.clone()));
    }
}

/// The actions for a painting of the strip, in display order: names and intents.
fn actions(path: &Path) -> Vec<(&'static str, Intent)> {
    let owned = || path.to_owned();
    let mut actions = vec![("Show in folder", Intent::Shell(ShellCommand::ShowInFolder(owned())))];
    if is_film(path) {
        actions.insert(0, ("Play", Intent::Shell(ShellCommand::Play(owned()))));
    } else {
        actions.push(("Copy", Intent::Shell(ShellCommand::CopyFile(owned()))));
        actions.push(("Open as a photo", Intent::Photo(PhotoCommand::OpenFiles(vec![owned()]))));
    }
    actions.push(("Remove from the list", Intent::Photo(PhotoCommand::ForgetPainting(owned()))));
    actions
}

/// The buttons below a painting that is shown large.
pub fn buttons(ui: &mut Ui, path: &Path) {
    let back = ui.add(theme::tall(Button::new("Back to photo")));
    key_chips::hint(back, "Show the photo again.", "Esc").sends(PhotoCommand::ClosePainting);
    for (name, intent) in actions(path) {
        let mut response = ui.add(theme::tall(Button::new(name)));
        if matches!(intent, Intent::Photo(PhotoCommand::ForgetPainting(_))) {
            response = response.on_hover_text("The file stays.");
        }
        response.sends(intent);
    }
}
