//! What stands below live pictures in the window.

use eframe::egui::{self, Frame, Panel};

use super::LiveIntent;
use crate::gui::{app::App, intent::Intent};

impl App {
    /// What stands between live pictures and the buttons below them: the comparison, and the panel of figures.
    pub(in crate::gui) fn live_panels(
        &mut self,
        ui: &mut egui::Ui,
        frame: Frame,
        intents: &mut Vec<Intent>,
    ) {
        let Some(live) = &mut self.live else {
            return;
        };
        if live.is_comparing() {
            let progress = self.engine.measuring_progress();
            let mut choices = self.settings.live.clone();
            let device = self.device.info.as_ref();
            Panel::bottom("live comparison")
                .frame(frame)
                .show(ui, |ui| {
                    live.comparison_bar(ui, &mut choices, device, progress, intents);
                });
            if choices != self.settings.live {
                intents.push(Intent::Live(LiveIntent::Set(Box::new(choices))));
            }
        }
        if let (true, Some(device)) = (live.panel_open, &self.device.info) {
            // The picture keeps the larger half.
            let most = (0.5 * ui.available_height()).max(100.0);
            Panel::bottom("lab")
                .frame(frame)
                .resizable(true)
                .default_size(280.0)
                .size_range(100.0..=most)
                .show(ui, |ui| {
                    // As high with every tab.
                    ui.set_min_height(ui.available_height());
                    live.panel_ui(ui, device, intents);
                });
        }
    }
}
