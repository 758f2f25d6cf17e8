//! What stands below live pictures in the window.

use eframe::egui::{self, Frame, Panel, Rect, vec2};

use super::LiveIntent;
use crate::gui::{app::App, intent::Intent, theme};

/// Height of the Lab until it is changed, in points.
const LAB_HEIGHT: f32 = 280.0;

impl App {
    /// What stands between live pictures and the buttons below them: the Lab.
    pub(in crate::gui) fn live_panels(
        &mut self,
        ui: &mut egui::Ui,
        frame: Frame,
        intents: &mut Vec<Intent>,
    ) {
        let (Some(live), Some(device)) = (&mut self.live, &self.device.info) else {
            return;
        };
        if !live.panel_open {
            return;
        }
        let progress = self.engine.measuring_progress();
        let mut choices = self.settings.live.clone();
        // The picture keeps the larger half.
        let most = (0.5 * ui.available_height()).max(100.0);
        let lab = Panel::bottom("lab").resizable(true);
        let lab = lab.default_size(LAB_HEIGHT).size_range(100.0..=most);
        let shown = lab.frame(frame).show(ui, |ui| {
            // As high with every tab.
            ui.set_min_height(ui.available_height());
            live.lab_ui(ui, &mut choices, device, progress, intents);
        });
        // The edge can be dragged.
        let grip = shown.response.rect.center_top() + vec2(0.0, 3.0);
        let grip = Rect::from_center_size(grip, vec2(36.0, 3.0));
        let color = theme::palette(ui.visuals()).quiet;
        ui.painter().rect_filled(grip, 1.5, color);
        if choices != self.settings.live {
            intents.push(Intent::Live(LiveIntent::Set(Box::new(choices))));
        }
    }
}
