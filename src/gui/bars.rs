//! The bar above the stage (photos, undo, window) and the line below it (device, sizes, time).

use eframe::egui::{self, Align, Layout, Popup};

use super::{
    intent::Intent,
    live::LiveIntent,
    stage::{Compare, Stage, ViewStep},
    theme,
};
use crate::settings::{Choices, ThemeChoice};

/// The state that the upper bar shows.
pub struct TopView<'a> {
    /// The remembered choices.
    pub settings: &'a Choices,
    /// Whether there is a choice to go back to.
    pub can_undo: bool,
    /// Whether there is an undo to take back.
    pub can_redo: bool,
    /// Whether live pictures are shown, not photos.
    pub is_live: bool,
}

/// Draws the upper bar into `ui`.
pub fn top(ui: &mut egui::Ui, view: &TopView<'_>, intents: &mut Vec<Intent>) {
    ui.horizontal(|ui| {
        let mut ask = |ui: &mut egui::Ui, button: egui::Button<'_>, hint: &str, intent: Intent| {
            if ui.add(button).on_hover_text(hint).clicked() {
                intents.push(intent);
            }
        };
        let kind = |name: &'static str, is_on: bool| {
            egui::Button::selectable(is_on, name).frame_when_inactive(true)
        };
        ask(
            ui,
            kind("Live", view.is_live),
            "Paint a camera or the demo scene. L",
            Intent::Live(LiveIntent::Enter),
        );
        ask(
            ui,
            kind("Photo", !view.is_live),
            "Paint a photo. L",
            Intent::Live(LiveIntent::Leave),
        );
        ui.separator();
        let open = if view.is_live {
            egui::Button::new("Open…")
        } else {
            theme::main_button(ui, "Open…")
        };
        ask(ui, open, "Open a photo. Ctrl+O", Intent::AskOpen);
        let button = egui::Button::new;
        ask(
            ui,
            button("Paste"),
            "Open the picture or file on the clipboard. Ctrl+V",
            Intent::Paste,
        );
        ask(
            ui,
            button("Sample"),
            "Try it with the built-in photo. Ctrl+E",
            Intent::OpenSample,
        );
        ask(
            ui,
            button("Folder…"),
            "Paint every photo of a folder. Ctrl+B",
            Intent::AskFolder,
        );
        ui.separator();
        for (name, hint, can, intent) in [
            (
                "Undo",
                "Go one choice back. Ctrl+Z",
                view.can_undo,
                Intent::Undo,
            ),
            ("Redo", "Ctrl+Shift+Z", view.can_redo, Intent::Redo),
        ] {
            if ui
                .add_enabled(can, egui::Button::new(name))
                .on_hover_text(hint)
                .clicked()
            {
                intents.push(intent);
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("About").clicked() {
                intents.push(Intent::ToggleAbout);
            }
            if ui
                .button("Shortcuts")
                .on_hover_text("What the keys do. F1 or ?")
                .clicked()
            {
                intents.push(Intent::ToggleShortcuts);
            }
            let settings = ui.button("Settings");
            Popup::menu(&settings).show(|ui| {
                ui.set_min_width(220.0);
                theme::caption(ui, "Appearance");
                for choice in ThemeChoice::ALL {
                    let name = match choice {
                        ThemeChoice::System => "As the desktop",
                        ThemeChoice::Dark => "Dark",
                        ThemeChoice::Light => "Light",
                    };
                    if ui.radio(view.settings.theme == choice, name).clicked() {
                        intents.push(Intent::SetTheme(choice));
                    }
                }
                ui.separator();
                let mut asks = view.settings.ask_before_losing;
                if ui
                    .checkbox(&mut asks, "Ask before an unsaved painting is lost")
                    .clicked()
                {
                    intents.push(Intent::SetAskBeforeLosing(asks));
                }
            });
        });
    });
}

/// The texts of the lower line.
pub struct StatusView {
    /// The device in words.
    pub device: String,
    /// A notice about the device: a fallback, or that there is none.
    pub device_notice: Option<String>,
    /// Name and size of the photo.
    pub photo: Option<String>,
    /// Size and time of the last run.
    pub last_run: Option<String>,
}

/// Space between two parts of the lower line, in points.
const PART_GAP: f32 = 16.0;

/// Least width at which the words stand beside the view's buttons, in points; below, they have a line of
/// their own.
const ONE_LINE_WIDTH: f32 = 1360.0;

/// Draws the lower line into `ui`: words, and the buttons of the stage's view where there is one, with whether
/// it is what is seen. Text that does not fit is cut; its tooltip has all of it.
pub fn status(
    ui: &mut egui::Ui,
    view: &StatusView,
    stage: Option<(&mut Stage, bool)>,
    intents: &mut Vec<Intent>,
) {
    let has_one_line = stage.is_none() || ui.available_width() >= ONE_LINE_WIDTH;
    ui.spacing_mut().item_spacing.y = 2.0;
    if !has_one_line {
        ui.scope(|ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            ui.horizontal(|ui| words(ui, view));
        });
    }
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if let Some((stage, is_seen)) = stage {
                view_buttons(ui, stage, is_seen, intents);
            }
            if has_one_line {
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| words(ui, view));
            }
        });
    });
}

/// The words of the lower line, in what is left of it.
fn words(ui: &mut egui::Ui, view: &StatusView) {
    ui.spacing_mut().item_spacing.x = PART_GAP;
    let device = match &view.device_notice {
        Some(notice) => format!("{} ({notice})", view.device),
        None => view.device.clone(),
    };
    let color = theme::palette(ui.visuals()).quiet;
    let parts = [Some(&device), view.photo.as_ref(), view.last_run.as_ref()];
    let parts: Vec<&String> = parts.into_iter().flatten().collect();
    let font = egui::TextStyle::Small.resolve(ui.style());
    let width = |text: &String| {
        let letters = ui
            .painter()
            .layout_no_wrap(text.clone(), font.clone(), color);
        // Rounded up: a hair too little would cut the last letter.
        letters.size().x.ceil() + 1.0
    };
    let widths: Vec<f32> = parts.iter().copied().map(width).collect();
    let room = ui.available_width() - PART_GAP * parts.len() as f32;
    for (text, width) in parts.into_iter().zip(shares(&widths, room)) {
        let letters = egui::RichText::new(text.as_str()).small().color(color);
        let size = egui::vec2(width, font.size + 4.0);
        ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
            ui.add(egui::Label::new(letters).truncate());
        });
    }
}

/// Shares `room` among parts of these widths: short parts get their full width, long ones equal shares of the
/// rest.
fn shares(widths: &[f32], room: f32) -> Vec<f32> {
    let mut by_length: Vec<usize> = (0..widths.len()).collect();
    by_length.sort_by(|&a, &b| widths[a].total_cmp(&widths[b]));
    let mut given = vec![0.0; widths.len()];
    let mut left = room.max(0.0);
    for (done, &part) in by_length.iter().enumerate() {
        let fair = left / (widths.len() - done) as f32;
        given[part] = widths[part].min(fair);
        left -= given[part];
    }
    given
}

/// Zoom and comparison; laid out from the right.
fn view_buttons(ui: &mut egui::Ui, stage: &mut Stage, is_seen: bool, intents: &mut Vec<Intent>) {
    ui.spacing_mut().item_spacing.x = 4.0;
    let small = |name: &str| egui::Button::new(egui::RichText::new(name).size(13.0));
    let zoom = format!("{:.0} %", stage.zoom_percent());
    for (name, spoken, hint, step) in [
        ("Fit", "Fit", "The whole picture. Ctrl+0", ViewStep::Fit),
        (
            "100 %",
            "Actual size",
            "One picture pixel on one screen pixel. Ctrl+1",
            ViewStep::ActualSize,
        ),
        ("+", "Zoom in", "Zoom in. +", ViewStep::ZoomIn),
    ] {
        if ui
            .add_enabled(is_seen, small(name))
            .on_hover_text(hint)
            .accessible_name(spoken)
            .clicked()
        {
            stage.step(step);
        }
    }
    ui.add_sized(
        [52.0, 20.0],
        egui::Label::new(egui::RichText::new(&zoom).small()),
    )
    .accessible_name(format!("Zoom {zoom}"));
    if ui
        .add_enabled(is_seen, small("−"))
        .on_hover_text("Zoom out. −")
        .accessible_name("Zoom out")
        .clicked()
    {
        stage.step(ViewStep::ZoomOut);
    }
    if stage.has_painting() {
        ui.add_space(12.0);
        for (compare, name) in stage.looks().into_iter().rev() {
            let button = egui::Button::selectable(
                is_seen && stage.compare == compare,
                egui::RichText::new(&name).size(13.0),
            );
            let hint = match compare {
                Compare::Photo => "See it alone. V",
                Compare::Both => "See both, with a divider to drag. V",
                Compare::Painting => "See it alone. V",
                Compare::SideBySide => "See both, one beside the other, at the same zoom",
            };
            if ui
                .add(button)
                .on_hover_text(hint)
                .accessible_name(format!("Show {}", name.to_lowercase()))
                .clicked()
            {
                intents.push(Intent::Look(compare));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_longest_parts_are_cut() {
        assert_eq!(shares(&[300.0, 100.0, 50.0], 600.0), [300.0, 100.0, 50.0]);
        assert_eq!(shares(&[500.0, 100.0, 50.0], 400.0), [250.0, 100.0, 50.0]);
        assert_eq!(shares(&[500.0, 50.0, 400.0], 450.0), [200.0, 50.0, 200.0]);
        assert_eq!(shares(&[30.0], -5.0), [0.0]);
        assert!(shares(&[], 10.0).is_empty());
    }
}
