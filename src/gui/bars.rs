//! The bar above the stage (photos, undo, window) and the line below it (device, sizes, time).

use eframe::egui::{self, Align, Layout, Popup};

use super::{
    intent::Intent,
    live::LiveIntent,
    stage::{Compare, Stage, ViewStep},
    theme,
};
use crate::settings::{Choices, ThemeChoice};

/// What the upper bar needs to know.
pub struct TopView<'a> {
    /// What is remembered.
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

/// What the lower line needs to know.
pub struct StatusView {
    /// The device in words.
    pub device: String,
    /// What has to be said about the device: a fallback, or that there is none.
    pub device_notice: Option<String>,
    /// Name and size of the photo.
    pub photo: Option<String>,
    /// Size and time of the last run.
    pub last_run: Option<String>,
}

/// Draws the lower line into `ui`.
pub fn status(ui: &mut egui::Ui, view: &StatusView, stage: &mut Stage, has_photo: bool) {
    ui.horizontal(|ui| {
        let device = match &view.device_notice {
            Some(notice) => format!("{} ({notice})", view.device),
            None => view.device.clone(),
        };
        let color = theme::palette(ui.visuals()).quiet;
        let quiet = |text: &str| egui::RichText::new(text).small().color(color);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if has_photo {
                view_buttons(ui, stage);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 16.0;
                for part in [Some(&device), view.photo.as_ref(), view.last_run.as_ref()]
                    .into_iter()
                    .flatten()
                {
                    ui.add(egui::Label::new(quiet(part)).truncate());
                }
            });
        });
    });
}

/// Zoom and comparison; laid out from the right.
fn view_buttons(ui: &mut egui::Ui, stage: &mut Stage) {
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
            .add(small(name))
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
        .add(small("−"))
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
                stage.compare == compare,
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
                stage.compare = compare;
            }
        }
    }
}
