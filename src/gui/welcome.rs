//! The stage without a photo: three ways to start, each on a card, and the recently opened photos, which are also listed
//! in the upper bar.

use std::path::{Path, PathBuf};

use eframe::egui::{
    self, Align, Align2, Color32, FontId, Id, Label, Layout, Popup, Rect, Response, RichText, Role,
    ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, vec2,
};

use super::{
    fonts::{self, icons},
    intent::{Intent, Sends},
    key_chips::{chips, hint},
    label::{name_label, path_label, remark},
    paintings::Paintings,
    shortcuts::plain_button,
    texture::paint_cover,
    theme,
};
use crate::capture::{Camera, Source};

/// Maximum width and height of a card, in points.
const CARD: egui::Vec2 = vec2(190.0, 164.0);
/// Minimum height of a card, in points.
const MIN_CARD: f32 = 156.0;
/// Space between cards, in points.
const BETWEEN: f32 = 12.0;
/// Maximum number of recent photos.
const MAX_SHOWN: usize = 4;
/// Height of the line of a recent photo, in points.
const LINE_HEIGHT: f32 = 24.0;
/// Minimum width of its name, in points.
const MIN_WIDTH: f32 = 60.0;
/// Width and height of its thumbnail, in points.
const SIZE: egui::Vec2 = vec2(30.0, 20.0);
/// Height of the whole page, in points.
const HEIGHT: f32 = 356.0;

/// The most recent list of cameras; `None` while it is being made.
pub type Cameras<'a> = Option<&'a Result<Vec<Camera>, String>>;

/// A way to start.
pub struct Way {
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
    let uses = Intent::UseCamera;
    match cameras {
        None => ("Looking for cameras…".to_owned(), uses),
        Some(Ok(found)) if found.is_empty() => {
            ("No camera found. Connect one, then click here.".to_owned(), Intent::LookForCamera)
        }
        Some(Ok(found)) if found.iter().all(|camera| camera.problem.is_some()) => {
            let problem = found.iter().find_map(|camera| camera.problem.as_ref());
            let why = problem.map(ToString::to_string).unwrap_or_default();
            (remark(&why), uses)
        }
        Some(Ok(_)) => ("Paint what it sees, live. Nothing leaves this computer.".to_owned(), uses),
        Some(Err(why)) => (remark(why), uses),
    }
}

/// The ways to start, with the known cameras.
pub fn ways(cameras: Cameras<'_>) -> [Way; 3] {
    let (camera_does, camera_intent) = camera(cameras);
    let way = |icon, title, does: &str, keys, intent| {
        let does = does.to_owned();
        Way { icon, title, does, keys, intent }
    };
    let photo = "Choose one, drop it here, or paste it.";
    let demo = "A moving scene, painted live. You need no camera or photo.";
    [
        way(icons::VIDEO, "Use camera", &camera_does, "", camera_intent),
        way(icons::IMAGE, "Open a photo…", photo, "Ctrl+O", Intent::AskOpen),
        way(icons::SPARKLE, "Explore the demo", demo, "L", Intent::UseSource(Source::Demo)),
    ]
}

/// Draws the ways to start into `ui`, or that a photo is being opened.
///
/// The recently opened photos are listed below them.
pub fn ui(ui: &mut Ui, opening: bool, cameras: Cameras<'_>, recent: Recent<'_>) {
    let rect = ui.available_rect_before_wrap();
    ui.allocate_rect(rect, Sense::hover());
    let colors = theme::palette(ui);
    ui.painter().rect_filled(rect, 0.0, colors.stage);
    let most = vec2(3.0 * CARD.x + 2.0 * BETWEEN + 56.0, HEIGHT + height(recent.files));
    let inner = Rect::from_center_size(rect.center(), most.min(rect.size() - vec2(32.0, 24.0)));
    theme::dashed(ui.painter(), inner, Stroke::new(1.5, colors.outline));
    let inside = inner.shrink2(vec2(20.0, 16.0));
    let layout = Layout::top_down(Align::Center);
    let ui = &mut ui.new_child(UiBuilder::new().max_rect(inside).layout(layout));
    // If the space is too small for the whole page, make the cards lower and let the page scroll.
    let card = (CARD.y + inner.height() - most.y).clamp(MIN_CARD, CARD.y);
    ScrollArea::vertical().show(ui, |ui| {
        ui.set_width(inside.width());
        contents(ui, opening, card, cameras, recent);
    });
}

/// The ways to start, on cards of this height.
fn contents(
    ui: &mut Ui,
    opening: bool,
    card_height: f32,
    cameras: Cameras<'_>,
    recent: Recent<'_>,
) {
    let inside = ui.max_rect();
    let colors = theme::palette(ui);
    ui.label(RichText::new("Drop a photo here").size(24.0).strong());
    let then = "or start with one of these, then pick a style on the left";
    ui.label(RichText::new(then).color(colors.quiet));
    ui.add_space(theme::GROUP_GAP);
    if opening {
        ui.label("Opening…");
        return;
    }
    let width = ((inside.width() - 2.0 * BETWEEN) / 3.0).min(CARD.x);
    let left = inside.center().x - (3.0 * width + 2.0 * BETWEEN) / 2.0;
    let top = ui.cursor().top();
    for (place, way) in ways(cameras).into_iter().enumerate() {
        let x = left + place as f32 * (width + BETWEEN);
        let at = Rect::from_min_size(egui::pos2(x, top), vec2(width, card_height));
        card(ui, at, &way).sends(way.intent);
    }
    ui.add_space(card_height + theme::GROUP_GAP);
    let sample = egui::Button::new("Try the sample photo").frame_when_inactive(false);
    hint(ui.add(sample), "Try it with the built-in photo.", "Ctrl+E").sends(Intent::OpenSample);
    ui.allocate_ui(vec2(280.0, 18.0), |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            for (keys, does) in [("Ctrl+V", "pastes a picture"), ("F1", "shows all keys")] {
                chips(ui, keys);
                theme::caption(ui, does);
            }
        });
    });
    on_first_page(ui, recent);
}

/// A card that acts as a button, with the mouse or the keyboard.
fn card(ui: &mut Ui, rect: Rect, way: &Way) -> Response {
    let response = ui.interact(rect, Id::unique(("way to begin", way.title)), Sense::click());
    theme::named(&response, Role::Button, way.title);
    let colors = theme::palette(ui);
    let (fill, edge) = if response.hovered() {
        (ui.visuals().widgets.hovered.weak_bg_fill, colors.quiet)
    } else {
        (colors.card, colors.outline)
    };
    let radius = 10.0;
    ui.painter().rect(rect, radius, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    // Use the accent for the most common way.
    let (disc, letters) = if way.intent == Intent::AskOpen {
        (colors.accent, colors.on_accent)
    } else {
        (colors.selected, ui.visuals().strong_text_color())
    };
    let center = rect.center_top() + vec2(0.0, 36.0);
    ui.painter().circle_filled(center, 21.0, disc);
    let font = FontId::proportional(22.0);
    ui.painter().text(center, Align2::CENTER_CENTER, way.icon, font, letters);
    let words = rect.with_min_y(center.y + 30.0).shrink2(vec2(10.0, 4.0));
    let layout = Layout::top_down(Align::Center);
    let ui = &mut ui.new_child(UiBuilder::new().max_rect(words).layout(layout));
    ui.spacing_mut().item_spacing.y = 4.0;
    // Not a label: screen readers already read the title as the card's name.
    let font = FontId::new(14.0, fonts::semibold());
    let (place, _) = ui.allocate_exact_size(vec2(words.width(), 18.0), Sense::hover());
    let strong = ui.visuals().strong_text_color();
    ui.painter().text(place.center(), Align2::CENTER_CENTER, way.title, font, strong);
    ui.add(Label::new(theme::small(ui, &way.does)).wrap());
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    match way.keys {
        "" => response,
        keys => hint(response, way.title.trim_end_matches('…'), keys),
    }
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
        Intent::SeeRecents.send(ui);
        for path in recent.files {
            entry(ui, path, recent.paintings);
        }
        ui.separator();
        plain_button(ui, "Clear recent photos", Intent::ClearRecents);
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
    Intent::SeeRecents.send(ui);
    ui.add_space(theme::GAP);
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.spacing_mut().interact_size.y = LINE_HEIGHT;
    ui.spacing_mut().button_padding.y = (LINE_HEIGHT - SIZE.y) / 2.0;
    let shown = &recent.files[..recent.files.len().min(MAX_SHOWN)];
    let font = egui::TextStyle::Button.resolve(ui.style());
    let width = |path: &PathBuf| {
        let letters = ui.painter().layout_no_wrap(name_label(path), font.clone(), Color32::WHITE);
        letters.size().x.ceil()
    };
    let spacing = ui.spacing();
    let beside = SIZE.x + spacing.icon_spacing + 2.0 * spacing.button_padding.x + 1.0;
    let widest = shown.iter().map(width).fold(MIN_WIDTH, f32::max) + beside;
    // A centered block of left-aligned lines.
    let block = vec2(widest.min(ui.available_width()), 0.0);
    ui.allocate_ui_with_layout(block, Layout::top_down(Align::Min), |ui| {
        ui.set_width(block.x);
        ui.horizontal(|ui| {
            ui.add_space(ui.spacing().button_padding.x);
            theme::caption(ui, "Recent");
        });
        for path in shown {
            entry(ui, path, recent.paintings);
        }
    });
}

fn entry(ui: &mut Ui, path: &Path, paintings: &Paintings) {
    let room = egui::Atom::custom(egui::IdSalt::new("small"), SIZE);
    let button = egui::Button::new((room, name_label(path))).frame_when_inactive(false).truncate();
    let response = ui.add(button).on_hover_text(path_label(path));
    if let Some(small) = paintings.small(path) {
        let left = response.rect.left_center() + vec2(ui.spacing().button_padding.x, 0.0);
        let place = Rect::from_center_size(left + vec2(SIZE.x / 2.0, 0.0), SIZE);
        paint_cover(ui, small, place, 2.0);
    }
    response.sends(Intent::OpenRecent(path.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unavailable_is_said_and_looked_for_again() {
        let (does, intent) = camera(Some(&Ok(Vec::new())));
        assert!(does.starts_with("No camera found"), "{does}");
        assert_eq!(intent, Intent::LookForCamera);
        let refused = Err("cameras cannot be listed here".to_owned());
        let (does, intent) = camera(Some(&refused));
        assert!(does.contains("cannot be listed"), "{does}");
        assert_eq!(intent, Intent::UseCamera);
        assert_eq!(camera(None).0, "Looking for cameras…");
    }

    #[test]
    fn one_way_has_the_accent() {
        let ways = ways(None);
        assert_eq!(ways.iter().filter(|way| way.intent == Intent::AskOpen).count(), 1);
    }
}
