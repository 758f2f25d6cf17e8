//! Draws the question about a network's pixel format, and describes the formats.

use eframe::egui::{
    self, Align, Direction, FontId, Frame, Key, Label, Layout, Margin, Response, RichText, Role,
    Sense, Stroke, Ui, UiBuilder, Vec2, vec2,
};

use super::{Reading, Trial, Unclear};
use crate::{
    intent::{Sends, ShellCommand, StyleCommand},
    shell::shortcuts::plain_button,
    widgets::{
        label::name_label,
        list::{choose, steer},
        theme::{self, GAP},
    },
};
use weights::{ChannelOrder, PixelFormat, PixelRange};

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

/// Draws the question into `ui`; a click on a card sends [`StyleCommand::TakeReading`].
pub fn ui(ui: &mut Ui, reading: &mut Reading, is_fresh: bool) {
    ui.heading("Which one looks right?");
    ui.add_space(4.0);
    ui.label(explanation(&reading.file));
    ui.add_space(GAP);
    let size = card_size(ui, 1 + usize::from(reading.by_hand.is_some()));
    let mut cards = Vec::new();
    ui.horizontal_top(|ui| {
        for (place, &format) in reading.offered.iter().enumerate() {
            // Use the card's index as its id; otherwise it would lose the focus when an earlier card gets its picture.
            let words = title(&reading.file, format);
            let response = ui.push_id(place, |ui| card(ui, size, reading, format, &words)).inner;
            if place == 0 && is_fresh {
                response.request_focus();
            }
            cards.push(response.sends(StyleCommand::TakeReading(format)));
        }
    });
    // egui might move the focus to a widget below the question.
    let focused = cards.iter().position(Response::has_focus);
    if focused.is_some() {
        steer(ui, &cards, focused, [Key::ArrowLeft, Key::ArrowRight]);
    }
    if let Some(mut format) = reading.by_hand {
        ui.add_space(GAP);
        ui.horizontal_top(|ui| {
            ui.push_id("by hand", |ui| card(ui, size, reading, format, "Set by hand"))
                .inner
                .sends(StyleCommand::TakeReading(format));
            ui.add_space(GAP);
            let opens = std::mem::take(&mut reading.opens_lists);
            ui.vertical(|ui| by_hand(ui, &mut format, opens));
        });
        reading.by_hand = Some(format);
    }
    ui.add_space(GAP);
    ui.horizontal(|ui| {
        if reading.by_hand.is_none()
            && ui.button("More…").on_hover_text("Set both ranges and the channel order.").clicked()
        {
            reading.open_by_hand();
        }
        plain_button(ui, "Cancel", ShellCommand::CloseOverlay);
    });
}

/// The size of a card with its text, so that `rows` rows fit the window.
fn card_size(ui: &Ui, rows: usize) -> Vec2 {
    let gaps = GAP * (COLUMNS - 1) as f32;
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
    let colors = theme::palette(ui);
    let trial = reading.tried(format);
    let column = UiBuilder::new().sense(Sense::click()).layout(Layout::top_down(Align::Min));
    let drawn = ui.scope_builder(column, |ui| {
        let edge = if ui.response().hovered() { colors.quiet } else { colors.outline };
        let frame = Frame::new().fill(ui.visuals().panel_fill).corner_radius(theme::RADIUS);
        frame.stroke(Stroke::new(1.0, edge)).show(ui, |ui| {
            // Without the frame.
            let width = size.x - 2.0;
            ui.set_width(width);
            ui.spacing_mut().item_spacing.y = 0.0;
            let picture = vec2(width, size.y - WORDS_HEIGHT - 2.0);
            let middle = Layout::centered_and_justified(Direction::TopDown);
            ui.allocate_ui_with_layout(picture, middle, |ui| match trial {
                Some(Trial::Painted { texture, .. }) => {
                    ui.add(egui::Image::from_texture(texture).max_size(picture));
                }
                Some(Trial::Failed(error)) => {
                    ui.label(RichText::new(error).small().color(colors.error));
                }
                None => {
                    ui.label(RichText::new("Painting…").color(colors.quiet));
                }
            });
            Frame::new().inner_margin(Margin::symmetric(10, 8)).show(ui, |ui| {
                ui.set_height(WORDS_HEIGHT - 16.0);
                ui.spacing_mut().item_spacing.y = 2.0;
                let name = RichText::new(title).strong().font(FontId::proportional(14.0));
                ui.add(Label::new(name).truncate());
                theme::caption(ui, meaning(&reading.file, format));
                if let Some(Trial::Painted { one_color: Some(color), .. }) = trial {
                    ui.label(
                        RichText::new(format!("all {color}")).small().strong().color(colors.error),
                    );
                }
            });
        });
    });
    let response = drawn.response.on_hover_cursor(egui::CursorIcon::PointingHand);
    theme::named(&response, Role::Button, title);
    match trial {
        Some(Trial::Failed(error)) => response.on_hover_text(error),
        _ => response,
    }
}

/// What the question is about.
fn explanation(file: &Unclear) -> String {
    let name = name_label(&file.path);
    let unknown = match file.known.missing() {
        Some(does) => format!("which pixel range its network {does}"),
        None => "which channel order its network uses".to_owned(),
    };
    format!(
        "{name} does not say {unknown}. Choose the best-looking result; if they look alike, any will do."
    )
}

/// The name of a format, in the terms of the command line.
fn title(file: &Unclear, format: PixelFormat) -> String {
    let PixelFormat { input, output, order } = format;
    let ranges = if input == output {
        format!("{input} in and out")
    } else {
        format!("{input} in, {output} out")
    };
    // Leave out the default channel order unless the question is about the order.
    if order == ChannelOrder::default() && file.known.missing().is_some() {
        ranges
    } else {
        format!("{ranges}, {order}")
    }
}

/// The meaning of a format, in one or two sentences.
fn meaning(file: &Unclear, format: PixelFormat) -> String {
    let reads = values(format.input);
    let makes = values(format.output);
    let values = if reads == makes {
        format!("Reads and makes {reads}.")
    } else {
        format!("Reads {reads}, makes {makes}.")
    };
    match format.order {
        ChannelOrder::Bgr => format!("{values} Blue comes first."),
        ChannelOrder::Rgb if file.known.missing().is_none() => format!("{values} Red comes first."),
        ChannelOrder::Rgb => values,
    }
}

/// The values of a range.
const fn values(range: PixelRange) -> &'static str {
    match range {
        PixelRange::Bytes => "levels from 0 to 255",
        PixelRange::Unit => "values from 0 to 1",
        PixelRange::Signed => "values from -1 to 1",
        PixelRange::ImageNet => "values around ImageNet's mean",
        PixelRange::Caffe => "levels around ImageNet's mean",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use weights::PixelChoice;

    fn file(known: PixelChoice) -> Unclear {
        Unclear { path: PathBuf::from("nets/mosaic.onnx"), known }
    }

    fn format(input: PixelRange, output: PixelRange, order: ChannelOrder) -> PixelFormat {
        PixelFormat { input, output, order }
    }

    #[test]
    fn readings_are_named_as_on_the_command_line_and_explained() {
        let unknown = file(PixelChoice::default());
        let reading = format(PixelRange::Unit, PixelRange::Unit, ChannelOrder::Rgb);
        assert_eq!(title(&unknown, reading), "0..1 in and out");
        assert_eq!(meaning(&unknown, reading), "Reads and makes values from 0 to 1.");
        let reading = format(PixelRange::ImageNet, PixelRange::Bytes, ChannelOrder::Bgr);
        assert_eq!(title(&unknown, reading), "imagenet in, 0..255 out, bgr");
        assert_eq!(
            meaning(&unknown, reading),
            "Reads values around ImageNet's mean, makes levels from 0 to 255. Blue comes first."
        );
        let words = explanation(&unknown);
        assert!(
            words.starts_with("mosaic.onnx does not say which pixel range")
                && words.contains("its network reads and makes."),
            "{words}"
        );
    }

    #[test]
    fn the_order_is_shown_if_only_the_order_is_asked() {
        let ordered = file(PixelChoice {
            input: Some(PixelRange::Unit),
            output: Some(PixelRange::Unit),
            order: None,
        });
        let reading = format(PixelRange::Unit, PixelRange::Unit, ChannelOrder::Rgb);
        assert_eq!(title(&ordered, reading), "0..1 in and out, rgb");
        assert!(meaning(&ordered, reading).ends_with("Red comes first."));
        let words = explanation(&ordered);
        assert!(words.contains("which channel order"), "{words}");
    }
}
