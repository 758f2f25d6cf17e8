//! The button and the controls of camera out, which shows the painting to other programs as a camera.

use eframe::egui::{Button, Ui};

use super::command::LiveCommand;
use crate::{
    shell::shortcuts::button,
    widgets::{
        fonts::icons,
        label::label,
        list::{choose_row, or_automatic},
        theme,
    },
};
use engine::{
    camera_out::{CameraOut, CameraOutSize},
    capture::VirtualCamera,
};
use settings::LiveChoices;

/// Camera out, and the devices for it.
#[derive(Default)]
pub struct CameraOutView {
    pub running: Option<CameraOut>,
    /// The device is being opened.
    pub is_starting: bool,
    /// The most recent list of virtual cameras.
    pub cameras: Vec<VirtualCamera>,
}

impl CameraOutView {
    /// What readers get, as text; `None` if camera out is off.
    fn summary(&self) -> Option<String> {
        self.running.as_ref().map(|camera_out| camera_out.status().summary())
    }

    /// The button that starts or stops camera out, with a dot while it runs.
    pub fn button(&self, ui: &mut Ui, has_words: bool) {
        let mut text = theme::icon_text(icons::BROADCAST, "Camera out", has_words);
        let mut name = "Camera out".to_owned();
        let mut does = "Use the painting as a webcam in other apps.".to_owned();
        if let Some(words) = self.summary() {
            text = format!("{text} {}", icons::RECORD);
            name = format!("Stop camera out, {words}");
            does = format!("Stop camera out: {words}.");
        }
        let toggle = Button::selectable(self.running.is_some(), text);
        button(
            ui,
            !self.is_starting,
            theme::tall(toggle),
            [&name, &does],
            LiveCommand::ToggleCameraOut,
        );
    }

    /// The settings, and what readers get.
    pub fn controls(&self, ui: &mut Ui, choices: &mut LiveChoices) {
        let size_name = |size| match size {
            CameraOutSize::Hd720 => "1280 × 720",
            CameraOutSize::Hd1080 => "1920 × 1080",
            CameraOutSize::Source => "Source size",
        };
        choose_row(ui, "Camera out", &mut choices.camera_out_size, CameraOutSize::ALL, size_name);
        if self.cameras.len() > 1 {
            let chosen = choices.camera_out_device.as_ref();
            let before = self.cameras.iter().find(|camera| Some(&camera.device) == chosen);
            let mut camera = before;
            or_automatic(ui, "Device", &mut camera, &self.cameras, |camera| {
                format!("{} ({})", label(&camera.label), camera.device)
            });
            if camera != before {
                choices.camera_out_device = camera.map(|camera| camera.device.clone());
            }
        }
        if let Some(words) = self.summary() {
            theme::caption(ui, words);
        }
    }
}
