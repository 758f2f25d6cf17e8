//! The place of the Lab in the window.

use eframe::egui::Ui;

use super::{LivePage, command::LiveCommand};
use crate::{app::Shell, bars::LowerPanel, intent::Command};

/// Default height of the Lab, in points, if there is enough space.
const LAB_HEIGHT: f32 = 300.0;

impl LivePage {
    /// The area between live pictures and the buttons below them for the Lab, if it is open.
    pub fn lab_room(&self, shell: &Shell, ui: &mut Ui) -> Option<LowerPanel> {
        self.view.as_ref().filter(|live| live.lab.is_open).zip(shell.device.info.as_ref())?;
        // The picture keeps the larger half.
        Some(LowerPanel::drawer(ui, "lab", 6, [LAB_HEIGHT, 0.5 * ui.available_height()]))
    }

    /// Draws the Lab.
    pub fn lab_ui(&mut self, shell: &Shell, ui: &mut Ui) {
        let (Some(live), Some(device)) = (&mut self.view, &shell.device.info) else {
            return;
        };
        let progress = shell.engine.measuring_progress();
        let mut choices = shell.settings.live.clone();
        live.lab_ui(ui, &mut choices, device, progress);
        if choices != shell.settings.live {
            LiveCommand::SetLive(Box::new(choices)).send(ui);
        }
    }
}
