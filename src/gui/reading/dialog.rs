//! Draws the question about a network's pixel format.

use eframe::egui::{
    self, Align, CornerRadius, FontId, Key, Label, Layout, Rect, Response, RichText, Role, Sense,
    Stroke, StrokeKind, Ui, UiBuilder, Vec2, vec2,
};

use super::{
    Reading, Trial,
    words::{explanation, meaning, title},
};
use crate::{
    gui::{
        intent::{Intent, Sends},
        list::choose,
        shortcuts::plain_button,
        theme,
    },
    weights::{ChannelOrder, PixelFormat, PixelRange},
};

/// Cards per row.
const COLUMNS: usize = 4;
/// Height of the text below a picture, in points: a title, two lines and a remark.
const WORDS_HEIGHT: f32 = 84.0;
/// Minimum height of a picture, in points.
const MIN_HEIGHT: f32 = 72.0;
/// Height of everything above, between and below the rows of cards, in points.
const OTHER_HEIGHT: f32 = 300.0;
/// Width of a list, in points.
const LIST_WIDTH: f32 = 130.0;

/// Draws the question into `ui`; a click on a card sends [`Intent::TakeReading`].
pub fn ui(ui: &mut Ui, reading: &mut Reading, is_fresh: bool) {
    ui.heading("Which one looks right?");
    ui.add_space(4.0);
    ui.label(explanation(&reading.file));
    ui.add_space(theme::GAP);
    let size = card_size(ui, 1 + usize::from(reading.by_hand.is_some()));
    let mut cards = Vec::new();
    ui.horizontal_top(|ui| {
        for (place, &format) in reading.offered.iter().enumerate() {
            // Use the card's index as its id; otherwise it would lose the focus when an earlier card gets its picture.
            let words = title(&reading.file, format);
            let drawn = ui.push_id(place, |ui| card(ui, size, reading, format, &words));
            let response = drawn.inner;
            if place == 0 && is_fresh {
                response.request_focus();
            }
            cards.push(response.sends(Intent::TakeReading(format)));
        }
    });
    steer(ui, &cards);
    if let Some(mut format) = reading.by_hand {
        ui.add_space(theme::GAP);
        ui.horizontal_top(|ui| {
            let drawn = ui.push_id("by hand", |ui| card(ui, size, reading, format, "Set by hand"));
            drawn.inner.sends(Intent::TakeReading(format));
            ui.add_space(theme::GAP);
            let opens = std::mem::take(&mut reading.opens_lists);
            ui.vertical(|ui| by_hand(ui, &mut format, opens));
        });
        reading.by_hand = Some(format);
    }
    ui.add_space(theme::GAP);
    ui.horizontal(|ui| {
        if reading.by_hand.is_none()
            && ui.button("More…").on_hover_text("Set both ranges and the channel order.").clicked()
        {
            reading.open_by_hand();
        }
        plain_button(ui, "Cancel", Intent::CloseOverlay);
    });
}

/// Moves the focus between cards with the left and right keys; egui might move it to a widget below the question.
fn steer(ui: &Ui, cards: &[Response]) {
    let Some(at) = cards.iter().position(Response::has_focus) else {
        return;
    };
    // A slow frame can contain several key presses.
    let presses = |key| ui.input(|input| input.num_presses(key));
    let right = presses(Key::ArrowRight);
    let left = presses(Key::ArrowLeft);
    let next = (at + right).saturating_sub(left).min(cards.len() - 1);
    if left + right > 0 {
        ui.memory_mut(|memory| memory.move_focus(egui::FocusDirection::None));
        cards[next].request_focus();
    }
}

/// The size of a card with its text, so that `rows` rows fit the window.
fn card_size(ui: &Ui, rows: usize) -> Vec2 {
    let gaps = theme::GAP * (COLUMNS - 1) as f32;
    let width = (ui.available_width() - gaps) / COLUMNS as f32;
    let room = (ui.content_rect().height() - OTHER_HEIGHT) / rows as f32 - WORDS_HEIGHT;
    vec2(width, room.clamp(MIN_HEIGHT, width * 0.75) + WORDS_HEIGHT)
}

/// The lists for setting a format by hand.
fn by_hand(ui: &mut Ui, format: &mut PixelFormat, opens: bool) {
    ui.horizontal(|ui| {
        let first = pick(ui, "Input range", &mut format.input, PixelRange::ALL);
        if opens {
            first.request_focus();
        }
        pick(ui, "Output range", &mut format.output, PixelRange::ALL);
        pick(ui, "Channel order", &mut format.order, ChannelOrder::ALL);
    });
    theme::caption(
        ui,
        "Value ranges of the network's input and output, and the channel order of both (use bgr if red and blue look swapped).",
    );
}

fn pick<T: Copy + PartialEq + std::fmt::Display>(
    ui: &mut Ui,
    title: &str,
    value: &mut T,
    offered: &[T],
) -> Response {
    ui.vertical(|ui| {
        let label = ui.label(title);
        choose(ui, title, LIST_WIDTH, value, offered.iter().copied(), |one| one.to_string())
            .labelled_by(label.id)
    })
    .inner
}

/// A clickable picture, with text below it.
fn card(ui: &mut Ui, size: Vec2, reading: &Reading, format: PixelFormat, title: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    theme::named(&response, Role::Button, title);
    let colors = theme::palette(ui);
    let radius = CornerRadius::same(theme::RADIUS);
    let trial = reading.tried(format);
    let (picture, words) = rect.split_top_bottom_at_y(rect.bottom() - WORDS_HEIGHT);
    let top = CornerRadius { sw: 0, se: 0, ..radius };
    ui.painter().rect_filled(rect, radius, ui.visuals().panel_fill);
    ui.painter().rect_filled(picture, top, colors.stage);
    match trial {
        Some(Trial::Painted { texture, .. }) => {
            let size = texture.size_vec2();
            let scale = (picture.width() / size.x).min(picture.height() / size.y);
            let place = Rect::from_center_size(picture.center(), size * scale);
            egui::Image::from_texture(texture)
                .corner_radius(if place.height() < picture.height() {
                    CornerRadius::ZERO
                } else {
                    top
                })
                .paint_at(ui, place);
        }
        Some(Trial::Failed(error)) => {
            let text = RichText::new(error).small().color(colors.error);
            let mut inner = inside(ui, picture.shrink(10.0));
            inner.add(Label::new(text).wrap());
        }
        None => {
            let mut inner = inside(ui, picture.shrink(10.0));
            inner.add_space((picture.height() - 40.0) / 2.0);
            inner.vertical_centered(|ui| {
                ui.label(RichText::new("Painting…").color(colors.quiet));
            });
        }
    }
    let mut inner = inside(ui, words.shrink2(vec2(10.0, 8.0)));
    inner.spacing_mut().item_spacing.y = 2.0;
    let letters = FontId::proportional(14.0);
    inner.add(Label::new(RichText::new(title).strong().font(letters)).truncate());
    theme::caption(&mut inner, meaning(&reading.file, format));
    if let Some(Trial::Painted { one_color: Some(color), .. }) = trial {
        let text = RichText::new(format!("all {color}")).small().strong();
        inner.label(text.color(colors.error));
    }
    let outline = if response.hovered() {
        Stroke::new(1.0, colors.quiet)
    } else {
        Stroke::new(1.0, colors.outline)
    };
    ui.painter().rect_stroke(rect, radius, outline, StrokeKind::Inside);
    let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
    match trial {
        Some(Trial::Failed(error)) => response.on_hover_text(error),
        _ => response,
    }
}

/// A child `ui` that clips its text to `rect`.
fn inside(ui: &mut Ui, rect: Rect) -> Ui {
    let layout = Layout::top_down(Align::LEFT);
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
    inner.set_clip_rect(rect.intersect(ui.clip_rect()));
    inner
}
