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
