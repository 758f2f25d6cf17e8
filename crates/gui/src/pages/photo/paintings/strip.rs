//! Draws the strip, and a painting of it instead of the photo with its buttons.

use std::path::{Path, PathBuf};

use eframe::egui::{
    self, Align2, Button, Color32, FontId, Key, Label, Modifiers, Rect, Response, RichText, Role,
    ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, vec2,
};

use super::{FileList, OpenedPainting, Paintings, Thumbnail, is_film, kind};
use crate::{
    intent::{Command, Intent, PhotoCommand, Sends, ShellCommand, StyleCommand},
    shell::shortcuts::{menu, plain_button},
    styles::looks::command::LookCommand,
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
/// Number of sheets below the first picture of a folder, and by how much each looks out, in points.
const SHEETS: u8 = 2;
const SHEET: f32 = 4.0;
/// Space between the opened set and the saved paintings, in points.
const GAP: f32 = 16.0;

/// What a tile of the strip shows.
#[derive(Clone, Copy, Debug, Hash, PartialEq)]
pub enum Tile {
    /// A photo of the opened set.
    Photo,
    /// A saved painting.
    Painting,
    /// A folder of paintings.
    Folder,
    /// A painting in the unfolded folder.
    InFolder,
}

impl Tile {
    /// The list with its file.
    fn list(self) -> Option<FileList> {
        match self {
            Self::Photo => Some(FileList::Opened),
            Self::Painting | Self::Folder => Some(FileList::Paintings),
            Self::InFolder => None,
        }
    }
}

impl Paintings {
    /// The tiles of the opened set and of the `listed` paintings.
    pub fn tiles<'a>(&'a self, listed: &'a [PathBuf]) -> Vec<(Tile, &'a PathBuf)> {
        let mut tiles: Vec<_> = self.set.iter().map(|path| (Tile::Photo, path)).collect();
        for path in listed.iter().filter(|path| !self.is_gone(path)) {
            let files = self.files_in(path);
            tiles.push((if files.is_some() { Tile::Folder } else { Tile::Painting }, path));
            let shown = files.filter(|_| self.unfolded.as_ref() == Some(path));
            tiles.extend(shown.into_iter().flatten().map(|path| (Tile::InFolder, path)));
        }
        tiles
    }

    /// Draws the strip of the opened set and of the `listed` paintings into `ui`. `current` is the file on the table.
    pub fn strip(&mut self, ui: &mut Ui, listed: &[PathBuf], current: Option<&Path>) {
        // The wheel scrolls the strip, which has no other direction.
        ui.style_mut().always_scroll_the_only_direction = true;
        // Reserve the height of the scroll bar, so that nothing above moves when it appears.
        ui.set_min_height(SIZE.y + ui.spacing().scroll.allocated_width());
        self.frames += 1;
        let scrolls = std::mem::take(&mut self.scrolls);
        let tiles = self.tiles(listed);
        if tiles.is_empty() {
            ui.set_width(ui.available_width());
            ui.add_space(ui.spacing().scroll.allocated_width());
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
        let (needed, clicked) = ui
            .horizontal_top(|ui| {
                if self.set.len() > 1 {
                    ui.vertical(|ui| {
                        theme::caption(ui, format!("{} opened", self.set.len()));
                        plain_button(ui, "Same look for all…", PhotoCommand::PaintOpened)
                            .on_hover_text("Paint all opened files with these settings.");
                    });
                }
                ui.vertical(|ui| self.tiles_ui(ui, &tiles, current, scrolls)).inner
            })
            .inner;
        if clicked.is_some() {
            self.unfolded = clicked.filter(|folder| self.unfolded.as_ref() != Some(folder));
        }
        if self.needed != needed {
            self.needed = needed;
            ui.request_repaint();
        }
    }

    /// Draws the tiles that are visible; returns these and their neighbours, and the folder that was clicked.
    fn tiles_ui(
        &self,
        ui: &mut Ui,
        tiles: &[(Tile, &PathBuf)],
        current: Option<&Path>,
        scrolls: bool,
    ) -> (Vec<PathBuf>, Option<PathBuf>) {
        let step = SIZE.x + ui.spacing().item_spacing.x;
        let from_left = |place: usize| {
            let is_after_set = !self.set.is_empty() && place >= self.set.len();
            place as f32 * step + if is_after_set { GAP } else { 0.0 }
        };
        let width = from_left(tiles.len());
        if width <= ui.available_width() {
            // Without a scroll bar, add its height here, so that the lower edges of thumbnails and button are aligned.
            ui.add_space(ui.spacing().scroll.allocated_width());
        }
        let is_shown = |(tile, path): (Tile, &PathBuf)| match tile {
            Tile::Photo => self.viewed.is_none() && current == Some(path),
            Tile::Folder => self.unfolded.as_ref() == Some(path),
            _ => self.viewed.as_ref().is_some_and(|viewed| viewed.path == *path),
        };
        ScrollArea::horizontal()
            .auto_shrink([false, true])
            .show_viewport(ui, |ui, visible| {
                ui.set_min_size(vec2(width, SIZE.y));
                let left = ui.max_rect().min;
                let place_of =
                    |place| Rect::from_min_size(left + vec2(from_left(place), 0.0), SIZE);
                if scrolls {
                    let shown = tiles.iter().position(|tile| is_shown(*tile));
                    ui.scroll_to_rect(place_of(shown.unwrap_or(0)), None);
                }
                // Tiles next to the visible ones are drawn for the keys that move the focus.
                let [first, last] =
                    [visible.left(), visible.right()].map(|at| (at / step) as usize);
                let drawn = first.saturating_sub(2)..(last + 3).min(tiles.len());
                let mut clicked = None;
                for place in drawn.clone() {
                    let (tile, path) = tiles[place];
                    let is_shown = is_shown((tile, path));
                    let response = self.tile_ui(ui, (tile, path), place_of(place), is_shown);
                    if response.gained_focus() {
                        response.scroll_to_me(None);
                    }
                    let deletes = response.has_focus()
                        && ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Delete));
                    if let Some(list) = tile.list().filter(|_| deletes) {
                        PhotoCommand::Forget(list, path.clone()).send(ui);
                    }
                    response.context_menu(|ui| {
                        let moves = self.thumbnails.get(path).is_some_and(|of| of.moves);
                        let of_file =
                            actions(path, tile, moves).into_iter().map(|(name, intent)| {
                                let deletes =
                                    matches!(intent, Intent::Photo(PhotoCommand::Forget(..)));
                                (name, if deletes { "Delete" } else { "" }, true, intent)
                            });
                        let clear = |list| {
                            ("Clear the list", "", true, Intent::Photo(PhotoCommand::Clear(list)))
                        };
                        menu(ui, of_file.chain(tile.list().map(clear)));
                    });
                    let command = match tile {
                        Tile::Folder => {
                            clicked = clicked.or(response.clicked().then(|| path.clone()));
                            continue;
                        }
                        Tile::Photo if current == Some(path) => PhotoCommand::ClosePainting,
                        Tile::Photo => PhotoCommand::OpenFiles(vec![path.clone()]),
                        _ => PhotoCommand::ShowPainting(path.clone()),
                    };
                    response.sends(command);
                }
                // As many on both sides are made in advance.
                let near = drawn.len();
                let near = drawn.start.saturating_sub(near)..(drawn.end + near).min(tiles.len());
                (drawn.chain(near).map(|place| tiles[place].1.clone()).collect(), clicked)
            })
            .inner
    }

    /// Draws a tile.
    fn tile_ui(
        &self,
        ui: &mut Ui,
        (tile, path): (Tile, &PathBuf),
        rect: Rect,
        is_shown: bool,
    ) -> Response {
        let thumbnail = self.thumbnails.get(path);
        let name = name_label(path);
        // The id comes from the path, so that the focus stays on the tile when it moves in the list.
        let response = ui.interact(rect, egui::Id::unique(("tile", tile, path)), Sense::click());
        let moves = thumbnail.is_some_and(|thumbnail| thumbnail.moves);
        let problem = match thumbnail.map(|thumbnail| &thumbnail.picture) {
            // A saved video's thumbnail may need a program that is no longer installed.
            Some(Err(why)) if !moves || tile == Tile::Photo => Some(why),
            _ => None,
        };
        let files = thumbnail.and_then(|thumbnail| thumbnail.files.as_ref());
        let is_painted = tile == Tile::Photo && self.painted.contains(path);
        let spoken = match (problem, files) {
            (Some(_), _) => format!("{name}, cannot be shown"),
            (None, Some(files)) => format!("{name}, folder of {}", files.len()),
            (None, None) if is_painted => format!("{name}, painted"),
            (None, None) => name.clone(),
        };
        theme::named_choice(&response, Role::Button, is_shown, &spoken);
        if ui.is_rect_visible(rect) {
            let colors = theme::palette(ui);
            let painter = ui.painter();
            let edge = Stroke::new(1.0, colors.outline);
            let mut rect = rect;
            if tile == Tile::Folder {
                // Sheets below the first picture, which look out at its upper right.
                for sheet in (1..=SHEETS).rev() {
                    let [low, high] = [SHEETS - sheet, sheet].map(|n| f32::from(n) * SHEET);
                    let at =
                        Rect::from_min_max(rect.min + vec2(high, low), rect.max - vec2(low, high));
                    painter.rect(at, theme::RADIUS, colors.card, edge, StrokeKind::Inside);
                }
                let looks_out = f32::from(SHEETS) * SHEET;
                rect = rect.with_min_y(rect.top() + looks_out).with_max_x(rect.right() - looks_out);
            } else if tile == Tile::InFolder {
                // A line below all pictures of a folder joins them.
                let line = rect.expand2(vec2(ui.spacing().item_spacing.x, 3.0));
                painter.hline(line.x_range(), line.bottom(), Stroke::new(2.0, colors.quiet));
            }
            painter.rect_filled(rect, theme::RADIUS, colors.card);
            let middle = Align2::CENTER_CENTER;
            let white = |text: String, size| {
                painter.layout_no_wrap(text, FontId::proportional(size), Color32::WHITE)
            };
            if let Some(Thumbnail { picture: Ok(texture), drawn_in, .. }) = thumbnail {
                drawn_in.set(self.frames);
                paint_cover(ui, texture, rect, theme::RADIUS);
                if moves {
                    let play = white(icons::PLAY.to_owned(), 15.0);
                    tag(painter, play, middle, rect.center(), vec2(6.0, 4.0), 13);
                }
            } else {
                // The thumbnail is not ready or not available, so show the name.
                let text = if moves { format!("{} {name}", icons::VIDEO) } else { name };
                let letters = cut_line(ui, text, colors.quiet, rect.width() - 8.0);
                let at = middle.anchor_size(rect.center(), letters.size()).min;
                painter.galley(at, letters, colors.quiet);
                if problem.is_some() {
                    let (at, font) = (rect.center_bottom(), FontId::proportional(10.0));
                    painter.text(at, Align2::CENTER_BOTTOM, "Cannot be shown", font, colors.quiet);
                }
            }
            let count = files.map(|files| files.len().to_string());
            if let Some(mark) = count.or(is_painted.then(|| icons::CHECK.to_owned())) {
                let corner = rect.right_bottom() - vec2(3.0, 3.0);
                tag(painter, white(mark, 11.0), Align2::RIGHT_BOTTOM, corner, vec2(4.0, 1.0), 6);
            }
            let outline = match (is_shown, response.hovered()) {
                (true, _) => Stroke::new(2.5, colors.quiet),
                (false, true) => Stroke::new(1.0, colors.quiet),
                (false, false) => edge,
            };
            painter.rect_stroke(rect, theme::RADIUS, outline, StrokeKind::Inside);
        }
        response.on_hover_cursor(egui::CursorIcon::PointingHand).on_hover_text(match problem {
            Some(why) => why.clone(),
            None => path_label(path),
        })
    }
}

/// The button that folds or unfolds the strip.
pub fn button(ui: &mut Ui, is_folded: bool) {
    let [text, name] =
        if is_folded { ["Show strip", "Show the strip"] } else { ["Hide strip", "Hide the strip"] };
    // Wide enough for both names, so that it stays below the pointer.
    ui.add(Button::new(text).frame_when_inactive(false).min_size(vec2(100.0, 32.0)))
        .on_hover_text("Opened photos and saved paintings")
        .accessible_name(name)
        .sends(PhotoCommand::ToggleStrip);
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
    /// It is a video or an animated picture.
    moves: bool,
    /// Its zoom.
    pub stage: Stage,
}

impl Viewed {
    /// Shows the opened painting, fitted to the stage.
    pub fn new(
        ctx: &egui::Context,
        path: PathBuf,
        painting: OpenedPainting,
        framing: Framing,
    ) -> Self {
        let OpenedPainting { opened, texts, moves } = painting;
        let mut stage = Stage::default();
        stage.placing.framing = framing;
        let name = format!("Saved {}", kind(&path));
        stage.set_names(&name, &name);
        let frame = &opened.photo.frame;
        stage.set_photo(ctx, &opened.preview, frame.clone());
        let (width, height) = frame.size();
        let words = format!("{}, {width} × {height} px", opened.title());
        Self { path, words, texts, moves, stage }
    }

    /// Draws the painting, or the first frame of a video with a button that plays it.
    pub fn ui(&mut self, ui: &mut Ui) {
        let path = &self.path;
        self.stage.ui(ui).context_menu(|ui| {
            let actions = actions(path, Tile::InFolder, self.moves)
                .into_iter()
                .map(|(name, intent)| (name, "", true, intent));
            let style = (
                "Use as style",
                "",
                !is_film(path),
                Intent::Style(StyleCommand::UseAsStyle(path.clone())),
            );
            menu(ui, actions.chain([style]));
        });
        if self.moves {
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

/// The settings in the file at `path`, and the button that paints the photo with them, if there is a look in the file.
pub fn settings(
    ui: &mut Ui,
    path: &Path,
    texts: &[(String, String)],
    mix: &str,
    has_look: bool,
    missing: Option<&str>,
) {
    theme::group_title(ui, "Saved file");
    if texts.is_empty() {
        theme::caption(ui, "This file does not contain its settings.");
    }
    for (name, text) in texts.iter().filter_map(|(name, text)| shown_setting(name, text, mix)) {
        theme::row(ui, &name, |ui, _| ui.add(Label::new(text).wrap()));
    }
    if has_look {
        ui.add_space(theme::GAP);
        let why_not =
            missing.map(|style| format!("The style {} is not in the list.", label(style)));
        ui.add_enabled(missing.is_none(), Button::new("Use this look"))
            .on_disabled_hover_text(why_not.unwrap_or_default())
            .column_tooltip("Paint the open photo with these settings.")
            .sends(LookCommand::Use(path.to_owned()));
    }
}

/// The actions for a file of the strip, in display order: names and intents. A file that `moves` can be played.
fn actions(path: &Path, tile: Tile, moves: bool) -> Vec<(&'static str, Intent)> {
    let owned = || path.to_owned();
    let mut actions = vec![("Show in folder", Intent::Shell(ShellCommand::ShowInFolder(owned())))];
    if moves {
        actions.insert(0, ("Play", Intent::Shell(ShellCommand::Play(owned()))));
    }
    if tile != Tile::Folder && !is_film(path) {
        actions.push(("Copy", Intent::Shell(ShellCommand::CopyFile(owned()))));
        actions.push(("Open as a photo", Intent::Photo(PhotoCommand::OpenFiles(vec![owned()]))));
    }
    let forget =
        |list| ("Remove from the list", Intent::Photo(PhotoCommand::Forget(list, owned())));
    actions.extend(tile.list().map(forget));
    actions
}

/// The buttons below a painting that is shown large.
pub fn buttons(ui: &mut Ui, viewed: &Viewed, tile: Tile) {
    let back = ui.add(theme::tall(Button::new("Back to photo")));
    key_chips::hint(back, "Show the photo again.", "Esc").sends(PhotoCommand::ClosePainting);
    for (name, intent) in actions(&viewed.path, tile, viewed.moves) {
        let mut response = ui.add(theme::tall(Button::new(name)));
        if matches!(intent, Intent::Photo(PhotoCommand::Forget(..))) {
            response = response.on_hover_text("The file stays.");
        }
        response.sends(intent);
    }
}
