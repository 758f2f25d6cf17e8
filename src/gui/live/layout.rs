//! What stands below live pictures in the window, and the picture alone over the whole screen.

use eframe::egui::{self, Frame, Panel};

use super::{LiveIntent, chrome::leaving_hint};
use crate::gui::{app::App, batch::below_card, intent::Intent};

impl App {
    /// Only the picture, and what has to be known at once: problems, that a camera films, open questions, and
    /// for a while how to leave.
    pub(in crate::gui) fn full_screen_ui(&mut self, ui: &mut egui::Ui, intents: &mut Vec<Intent>) {
        egui::CentralPanel::no_frame().show(ui, |ui| {
            match &mut self.live {
                Some(live) => {
                    live.stage.names_one = false;
                    live.stage_ui(ui, self.gallery.cards(), None, intents);
                    let area = ui.min_rect();
                    let clear = below_card(ui.ctx(), area, self.batch.is_some());
                    live.over_stage(ui, area, clear, intents);
                    live.camera_badge(ui, area);
                    live.report_ui(ui.ctx(), intents);
                }
                None => {
                    self.stage.names_one = false;
                    self.photo_stage(ui, intents);
                }
            }
            let area = ui.min_rect();
            self.over_stage(ui, area, intents);
            let left = self.full_screen.hint_until - ui.input(|i| i.time);
            if left > 0.0 {
                leaving_hint(ui, area);
                ui.ctx().request_repaint_after_secs(left as f32 + 0.01);
            }
        });
    }

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
