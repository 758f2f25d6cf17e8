//! The place of the Lab in the window.

use eframe::egui::{self, Frame, Panel, Rect, Ui, vec2};

use super::{LivePage, command::LiveCommand};
use crate::{app::Shell, intent::Command, widgets::theme};

/// Default height of the Lab, in points, if there is enough space.
const LAB_HEIGHT: f32 = 300.0;
/// Minimum height of the Lab, in points.
const MIN_HEIGHT: f32 = 100.0;

impl LivePage {
    /// The area between live pictures and the buttons below them for the Lab, if it is open.
    pub fn lab_room(&self, shell: &Shell, ui: &mut Ui, frame: Frame) -> Option<Ui> {
        self.view.as_ref().filter(|live| live.lab.is_open).zip(shell.device.info.as_ref())?;
        // The picture keeps the larger half.
        let most = (0.5 * ui.available_height()).max(MIN_HEIGHT);
        let lab = Panel::bottom("lab")
            .resizable(true)
            .default_size(LAB_HEIGHT.min(most))
            .size_range(MIN_HEIGHT..=most);
        let shown = lab.frame(frame).show(ui, |ui| {
            // The same height with every tab.
            ui.set_min_height(ui.available_height());
            ui.new_child(egui::UiBuilder::new().max_rect(ui.max_rect()))
        });
        // A grip shows that the edge can be dragged.
        let grip = shown.response.rect.center_top() + vec2(0.0, 3.0);
        let grip = Rect::from_center_size(grip, vec2(36.0, 3.0));
        ui.painter().rect_filled(grip, 1.5, theme::palette(ui).quiet);
        Some(shown.inner)
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
