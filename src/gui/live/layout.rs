//! What stands below live pictures in the window.

use eframe::egui::{self, Frame, Panel};

use super::LiveIntent;
use crate::gui::{app::App, intent::Intent};

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
        // A comparison is for the pictures: it takes the rows that it needs.
        let lab = match live.panel.shows_comparison() {
            true => Panel::bottom("lab's comparison"),
            false => {
                // The picture keeps the larger half.
                let most = (0.5 * ui.available_height()).max(100.0);
                let lab = Panel::bottom("lab").resizable(true);
                lab.default_size(280.0).size_range(100.0..=most)
            }
        };
        lab.frame(frame).show(ui, |ui| {
            if !live.panel.shows_comparison() {
                // As high with every tab.
                ui.set_min_height(ui.available_height());
            }
            live.lab_ui(ui, &mut choices, device, progress, intents);
        });
        if choices != self.settings.live {
            intents.push(Intent::Live(LiveIntent::Set(Box::new(choices))));
        }
    }
}
