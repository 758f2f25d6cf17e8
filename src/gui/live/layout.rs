//! The middle of the window while live pictures are shown, and the picture alone over the whole screen.

use eframe::egui::{self, Frame, Margin, Panel};

use super::chrome::leaving_hint;
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

    pub(in crate::gui) fn live_stage(&mut self, ui: &mut egui::Ui, intents: &mut Vec<Intent>) {
        let chosen = self.workspace.choice.style.as_deref();
        let shows_hint = !self.settings.state.has_seen_hint;
        let Some(live) = &mut self.live else {
            return;
        };
        let bar = Frame::new()
            .fill(ui.visuals().panel_fill)
            .inner_margin(Margin::symmetric(12, 6));
        Panel::top("live source").frame(bar).show(ui, |ui| {
            live.source_bar(ui, shows_hint, intents);
        });
        Panel::bottom("live tools").frame(bar).show(ui, |ui| {
            live.tool_bar(ui, intents);
        });
        if live.is_comparing() {
            let progress = self.engine.measuring_progress();
            Panel::bottom("live comparison").frame(bar).show(ui, |ui| {
                live.comparison_bar(ui, progress, intents);
            });
        }
        if let (true, Some(device)) = (live.panel_open, &self.device.info) {
            // The picture keeps the larger half.
            let most = (0.5 * ui.available_height()).max(100.0);
            Panel::bottom("performance")
                .frame(bar)
                .resizable(true)
                .default_size(280.0)
                .size_range(100.0..=most)
                .show(ui, |ui| {
                    // As high with every tab.
                    ui.set_min_height(ui.available_height());
                    live.panel_ui(ui, device, intents);
                });
        }
        egui::CentralPanel::no_frame().show(ui, |ui| {
            live.stage.names_one = true;
            live.stage_ui(ui, self.gallery.cards(), chosen, intents);
            let area = ui.min_rect();
            let clear = below_card(ui.ctx(), area, self.batch.is_some());
            live.over_stage(ui, area, clear, intents);
        });
        live.report_ui(ui.ctx(), intents);
    }
}
