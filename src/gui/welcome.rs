//! The stage without a photo: three ways to start, each on a card.

use eframe::egui::{
    self, Align, Align2, Color32, FontId, Id, Label, Layout, Rect, Response, RichText, Role,
    ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, vec2,
};

use super::{
    fonts::{self, icons},
    intent::{Intent, Sends},
    key_chips::{chips, hint},
    label::remark,
    recents::{self, Recent},
    theme,
};
use crate::capture::{Camera, Source};

/// Maximum width and height of a card, in points.
const CARD: egui::Vec2 = vec2(190.0, 164.0);
/// Minimum height of a card, in points.
const MIN_CARD: f32 = 156.0;
/// Space between cards, in points.
const BETWEEN: f32 = 12.0;
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
    let most = vec2(3.0 * CARD.x + 2.0 * BETWEEN + 56.0, HEIGHT + recents::height(recent.files));
    let inner = Rect::from_center_size(rect.center(), most.min(rect.size() - vec2(32.0, 24.0)));
    theme::dashed(ui.painter(), inner, Stroke::new(1.5, colors.outline));
    let inside = inner.shrink2(vec2(20.0, 16.0));
    let layout = Layout::top_down(Align::Center);
    let ui = &mut ui.new_child(UiBuilder::new().max_rect(inside).layout(layout));
    // If the space is too small for the whole page, make the cards lower and let the page scroll.
    let card = (CARD.y + inner.height() - most.y).clamp(MIN_CARD, CARD.y);
    ScrollArea::vertical().show(ui, |ui| {
        ui.set_width(inside.width());
        contents(ui, opening, card, (cameras, recent));
    });
}

/// The ways to start, on cards of this height.
fn contents(
    ui: &mut Ui,
    opening: bool,
    card_height: f32,
    (cameras, recent): (Cameras<'_>, Recent<'_>),
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
    recents::on_first_page(ui, recent);
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
    icon(ui, center, way.icon, letters);
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

fn icon(ui: &Ui, center: egui::Pos2, icon: &str, color: Color32) {
    ui.painter().text(center, Align2::CENTER_CENTER, icon, FontId::proportional(22.0), color);
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
