//! The question how to use a pasted picture.

use eframe::egui::{self, Key, Modifiers};

use super::{IncomingPictures, PictureUse};
use crate::gui::{intent::Intent, label::name_label, theme};

/// Draws the question into `ui`.
pub fn question_ui(ui: &mut egui::Ui, pictures: &IncomingPictures, is_fresh: bool) {
    let count = match pictures {
        IncomingPictures::Picture(_) => 1,
        IncomingPictures::Files(files) => files.len(),
    };
    let (heading, choices) = match count {
        1 => (
            "How do you want to use this image?",
            [("Paint this photo", Key::P), ("Use as style", Key::S)],
        ),
        _ => (
            "How do you want to use these images?",
            [("Paint these photos", Key::P), ("Use as styles", Key::S)],
        ),
    };
    ui.heading(heading);
    ui.add_space(4.0);
    ui.label(match pictures {
        IncomingPictures::Picture(picture) => {
            let frame = &picture.photo.frame;
            let (w, h) = (frame.width(), frame.height());
            format!("{}, {w} × {h} px", picture.title())
        }
        IncomingPictures::Files(files) => match files.as_slice() {
            [one] => name_label(one),
            many => format!("{} pictures", many.len()),
        },
    });
    ui.add_space(theme::GAP);
    ui.horizontal(|ui| {
        let uses = [PictureUse::Photo, PictureUse::Style];
        for (place, ((name, key), picture_use)) in choices.into_iter().zip(uses).enumerate() {
            let button = match place {
                0 => theme::main_button(ui, name, true),
                _ => egui::Button::new(name),
            };
            let response = ui.add(button);
            if place == 0 && is_fresh {
                response.request_focus();
            }
            let is_pressed = ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
            if response.clicked() || is_pressed {
                Intent::UseAs(picture_use).send(ui);
            }
        }
        if ui.button("Cancel").clicked() {
            Intent::CloseOverlay.send(ui);
        }
    });
    ui.add_space(4.0);
    theme::caption(ui, "P: paint · S: use as style · Esc: cancel");
}
