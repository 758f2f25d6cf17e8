//! The stage without a photo: three ways to start, three paintings to use as styles, and the recently opened photos,
//! which are also listed in the upper bar.

use std::path::{Path, PathBuf};

use eframe::egui::{
    Align, Align2, Atom, Button, FontId, Frame, Id, IdSalt, Image, Layout, Popup, Rect, Response,
    RichText, ScrollArea, Sense, Stroke, TextureHandle, TextureOptions, Ui, UiBuilder, Vec2, vec2,
};

use super::{
    command::PhotoCommand,
    paintings::{FileList, Paintings},
};
use crate::{
    intent::{Intent, LiveCommand, Sends},
    shell::shortcuts::plain_button,
    styles::command::StyleCommand,
    widgets::{
        fonts::icons,
        key_chips::hint,
        label::{name_label, path_label, remark},
        texture::{image_of, paint_cover},
        theme::{self, caption},
    },
};
use engine::capture::{Camera, Source};
use pictures::{decode, folder::is_film, sample::EXAMPLES};

/// Height of the button of a way to start, in points.
const BUTTON_HEIGHT: f32 = 36.0;
/// Minimum height of the contents of its card, in points.
const CARD_HEIGHT: f32 = 131.0;
/// Size of an icon of a card, in points.
const ICON_SIZE: f32 = 28.0;
/// Height of a painting to use as a style, in points.
const PAINTING_HEIGHT: f32 = 84.0;
/// Maximum number of recent photos.
const MAX_SHOWN: usize = 4;
/// Height of the line of a recent photo, in points.
const LINE_HEIGHT: f32 = 24.0;
/// Width and height of its thumbnail, in points.
const SIZE: Vec2 = vec2(30.0, 20.0);
/// Width of the list of recent photos, in points.
const LIST_WIDTH: f32 = 280.0;
/// Width of the page, and its height without recent photos, in points.
const WIDTH: f32 = 650.0;
const HEIGHT: f32 = 420.0;

/// What opening a video is for.
const VIDEO_DOES: &str = "Play it, paint its frames, and export it.";

/// The most recent list of cameras; `None` while it is being made.
pub type Cameras<'a> = Option<&'a Result<Vec<Camera>, String>>;

pub struct StartOption {
    pub icon: &'static str,
    pub title: &'static str,
    /// What it does, or why it cannot.
    pub does: String,
    /// The keys with the same effect.
    pub keys: &'static str,
    pub intent: Intent,
}

/// The text and the action of the camera's card.
fn camera(cameras: Cameras<'_>) -> (String, Intent) {
    let uses = Intent::Live(LiveCommand::UseCamera);
    match cameras {
        None => ("Looking for cameras…".to_owned(), uses),
        Some(Ok(found)) if found.is_empty() => (
            "No camera found. Connect one, then click again.".to_owned(),
            Intent::Live(LiveCommand::LookForCamera),
        ),
        Some(Ok(found)) if found.iter().all(|camera| camera.problem.is_some()) => {
            let why = found
                .iter()
                .find_map(|camera| camera.problem.as_ref())
                .map(ToString::to_string)
                .unwrap_or_default();
            (remark(&why), uses)
        }
        Some(Ok(_)) => ("Paint what it sees, live. Nothing leaves this computer.".to_owned(), uses),
        Some(Err(why)) => (remark(why), uses),
    }
}

/// The ways to start, with the known cameras.
pub fn start_options(cameras: Cameras<'_>) -> [StartOption; 3] {
    let (camera_does, camera_intent) = camera(cameras);
    let option = |icon, title, does: &str, keys, intent| {
        let does = does.to_owned();
        StartOption { icon, title, does, keys, intent }
    };
    let open = |command| Intent::Photo(command);
    [
        option(
            icons::IMAGE,
            "Open a photo…",
            "Choose one, drop it here, or paste it.",
            "Ctrl+O",
            open(PhotoCommand::AskOpen),
        ),
        option(icons::PLAY, "Open a video…", VIDEO_DOES, "", open(PhotoCommand::AskVideo)),
        option(icons::VIDEO, "Use camera", &camera_does, "", camera_intent),
    ]
}

impl StartOption {
    /// Its button, with its icon.
    pub fn button(&self, ui: &mut Ui) -> Response {
        let button = Button::new(theme::icon_text(self.icon, self.title, true));
        hint(ui.add(theme::tall(button)), &self.does, self.keys)
    }
}

/// Draws the ways to start into `ui`, or that a photo is being opened.
///
/// The recently opened photos are listed below them.
///
/// The page of videos (`is_video`) has only the way to open one.
pub fn ui(ui: &mut Ui, is_video: bool, opening: bool, cameras: Cameras<'_>, recent: Recent<'_>) {
    let rect = ui.available_rect_before_wrap();
    ui.allocate_rect(rect, Sense::hover());
    let colors = theme::palette(ui);
    ui.painter().rect_filled(rect, 0.0, colors.stage);
    let page = vec2(WIDTH, HEIGHT + height(recent.files)).min(rect.size() - vec2(32.0, 24.0));
    let frame = Rect::from_center_size(rect.center(), page);
    theme::dashed(ui.painter(), frame, Stroke::new(1.5, colors.outline));
    let inside = UiBuilder::new().max_rect(frame.shrink2(vec2(20.0, 16.0)));
    ui.scope_builder(inside.layout(Layout::top_down(Align::Center)), |ui| {
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            let drop = if is_video { "Drop a video" } else { "Drop a photo, video or painting" };
            ui.label(RichText::new(drop).size(24.0).strong());
            ui.add_space(theme::GAP);
            if opening {
                ui.label("Opening…");
            } else if is_video {
                let open = theme::main_button(ui, "Open video…", true);
                ui.add(theme::tall(open)).sends(PhotoCommand::AskVideo);
                caption(ui, VIDEO_DOES);
                on_first_page(ui, recent);
            } else {
                contents(ui, cameras, recent);
            }
        });
    });
}

/// The ways to start, and the recent photos.
fn contents(ui: &mut Ui, cameras: Cameras<'_>, recent: Recent<'_>) {
    let colors = theme::palette(ui);
    let frame = Frame::new()
        .fill(colors.card)
        .stroke(Stroke::new(1.0, colors.outline))
        .corner_radius(theme::RADIUS)
        .inner_margin(10);
    ui.columns(3, |columns| {
        for (place, (ui, option)) in columns.iter_mut().zip(start_options(cameras)).enumerate() {
            frame.show(ui, |ui| {
                ui.set_min_height(CARD_HEIGHT);
                ui.vertical_centered(|ui| {
                    ui.label(RichText::new(option.icon).size(ICON_SIZE).color(colors.quiet));
                    let title = option.title;
                    let button = theme::main_button(ui, title, place == 0);
                    let size = vec2(ui.available_width(), BUTTON_HEIGHT);
                    hint(ui.add(button.min_size(size)), &option.does, option.keys)
                        .accessible_name(title)
                        .sends(option.intent);
                    caption(ui, option.does);
                });
            });
        }
    });
    ui.add_space(theme::GAP);
    in_the_middle(ui, "without files", |ui| {
        for (name, does, keys, intent) in [
            (
                "Try the sample photo",
                "Try it with the built-in photo.",
                "Ctrl+E",
                Intent::Photo(PhotoCommand::OpenSample),
            ),
            (
                "Explore the demo",
                "A moving scene, painted live. You need no camera or photo.",
                "L",
                Intent::Live(LiveCommand::UseSource(Source::Demo)),
            ),
        ] {
            let button = Button::new(name).frame_when_inactive(false);
            hint(ui.add(button), does, keys).sends(intent);
        }
    });
    ui.add_space(theme::GAP);
    theme::group_title(ui, "Any picture can be a style");
    in_the_middle(ui, "examples", examples);
    on_first_page(ui, recent);
}

/// Draws a row of widgets in the middle of a column.
fn in_the_middle(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui)) {
    let id = ui.scope_id().with(name);
    let width: f32 = ui.data(|d| d.get_temp(id)).unwrap_or(0.0);
    ui.horizontal(|ui| {
        ui.add_space((0.5 * (ui.available_width() - width)).max(0.0));
        let now = ui.scope(contents).response.rect.width();
        if now != width {
            ui.data_mut(|d| d.insert_temp(id, now));
            ui.request_discard("another width of a row");
        }
    });
}

/// The paintings that become styles when they are clicked.
fn examples(ui: &mut Ui) {
    let id = Id::unique("example styles");
    let textures: Vec<TextureHandle> = ui.data(|d| d.get_temp(id)).unwrap_or_else(|| {
        let load = |painting: decode::Photo| {
            ui.load_texture("example style", image_of(&painting.frame), TextureOptions::LINEAR)
        };
        EXAMPLES.iter().filter_map(|example| example.picture().ok()).map(load).collect()
    });
    for (place, (example, texture)) in EXAMPLES.iter().zip(&textures).enumerate() {
        let picture = Image::from_texture(texture)
            .fit_to_exact_size(texture.size_vec2() * (PAINTING_HEIGHT / texture.size_vec2().y));
        let button = Button::new(picture.corner_radius(theme::RADIUS));
        let words = format!("{} by {}", example.title, example.artist);
        hint(
            ui.add(button),
            &format!("Paint in the style of *{}* by {}.", example.title, example.artist),
            "",
        )
        .accessible_name(words)
        .sends(StyleCommand::UseExample(place));
    }
    ui.data_mut(|d| d.insert_temp(id, textures));
}

/// The recently opened photos.
#[derive(Clone, Copy)]
pub struct Recent<'a> {
    /// Their files, newest first.
    pub files: &'a [PathBuf],
    /// Contains their thumbnails.
    pub paintings: &'a Paintings,
}

/// The button that opens the list.
pub fn recent_button(ui: &mut Ui, recent: Recent<'_>, has_word: bool) {
    let button = theme::icon_button(icons::RECENT, "Recent", has_word).frame_when_inactive(false);
    let response = ui
        .add_enabled(!recent.files.is_empty(), button)
        .on_hover_text("Recently opened photos")
        .on_disabled_hover_text("Recently opened photos appear here.")
        .accessible_name("Recent photos");
    Popup::menu(&response).show(|ui| {
        ui.set_min_width(220.0);
        for path in recent.files {
            entry(ui, path, recent.paintings);
        }
        ui.separator();
        plain_button(ui, "Clear recent photos", PhotoCommand::Clear(FileList::Recent));
    });
}

/// Height of the list on the start page, in points.
fn height(recent: &[PathBuf]) -> f32 {
    match recent.len().min(MAX_SHOWN) {
        0 => 0.0,
        shown => (shown + 1) as f32 * LINE_HEIGHT + theme::GROUP_GAP,
    }
}

/// The newest photos on the start page.
fn on_first_page(ui: &mut Ui, recent: Recent<'_>) {
    if recent.files.is_empty() {
        return;
    }
    ui.add_space(theme::GAP);
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.spacing_mut().interact_size.y = LINE_HEIGHT;
    ui.spacing_mut().button_padding.y = (LINE_HEIGHT - SIZE.y) / 2.0;
    let layout = Layout::top_down_justified(Align::Min);
    ui.allocate_ui_with_layout(vec2(LIST_WIDTH, 0.0), layout, |ui| {
        ui.horizontal(|ui| {
            ui.add_space(ui.spacing().button_padding.x);
            caption(ui, "Recent");
        });
        for path in recent.files.iter().take(MAX_SHOWN) {
            entry(ui, path, recent.paintings);
        }
    });
}

fn entry(ui: &mut Ui, path: &Path, paintings: &Paintings) {
    let room = Atom::custom(IdSalt::new("small"), SIZE);
    let button = Button::new((room, name_label(path))).frame_when_inactive(false).truncate();
    let response = ui.add(button).on_hover_text(path_label(path));
    let left = response.rect.left_center() + vec2(ui.spacing().button_padding.x, 0.0);
    let place = Rect::from_center_size(left + vec2(SIZE.x / 2.0, 0.0), SIZE);
    match paintings.small(path) {
        Some(small) => paint_cover(ui, small, place, 2.0),
        None => {
            let icon = if is_film(path) { icons::VIDEO } else { icons::IMAGE };
            let font = FontId::proportional(14.0);
            let quiet = theme::palette(ui).quiet;
            ui.painter().text(place.center(), Align2::CENTER_CENTER, icon, font, quiet);
        }
    }
    response.sends(PhotoCommand::OpenRecent(path.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_camera_is_reported_and_searched_again() {
        let (does, intent) = camera(Some(&Ok(Vec::new())));
        assert!(does.starts_with("No camera found"), "{does}");
        assert_eq!(intent, Intent::Live(LiveCommand::LookForCamera));
        let refused = Err("cameras cannot be listed here".to_owned());
        let (does, intent) = camera(Some(&refused));
        assert!(does.contains("cannot be listed"), "{does}");
        assert_eq!(intent, Intent::Live(LiveCommand::UseCamera));
        assert_eq!(camera(None).0, "Looking for cameras…");
    }
}
