//! The parts of the live page in the window.

use eframe::egui::{Context, Rect, Ui};

use super::{LivePage, LiveView, update::toggle_measuring};
use crate::{
    app::Shell,
    bars::{self, LowerPanel},
    pages::{PageView, Row, photo::paintings::is_low},
    styles::gallery::Subject,
};

impl PageView for LivePage {
    fn styles_ui(&self, shell: &mut Shell, subject: Subject, ui: &mut Ui) {
        let mix = shell.unkept_mix();
        let moves = |live: &&LiveView| shell.settings.live.moving_gallery || live.shows_previews;
        let moving = self.view.as_ref().filter(moves).map(|live| &live.previews);
        let style = shell.workspace.choice.style();
        shell.styles.gallery.ui(ui, subject, style, mix.as_ref(), None, moving);
    }

    fn controls(&self, shell: &Shell, ui: &mut Ui) {
        if let Some(live) = &self.view {
            self.live_controls(shell, ui, live);
        }
    }

    fn rows(&self, shell: &Shell, ui: &mut Ui) -> Vec<(Row, LowerPanel)> {
        let mut rows = vec![(Row::Actions, LowerPanel::row(ui, "action bar", 8))];
        let lab = self.lab_room(shell, ui);
        // In a low window the Lab replaces this row; keys do the same.
        let has_view = lab.is_none() || !is_low(ui);
        rows.extend(lab.map(|lab| (Row::Lab, lab)));
        if self.is_first_start(shell) {
            rows.push((Row::FirstStart, LowerPanel::row(ui, "first start", 6)));
        }
        if has_view {
            rows.push((Row::View, LowerPanel::on_canvas(ui, "view")));
        }
        rows
    }

    fn row_ui(&mut self, shell: &Shell, row: Row, ui: &mut Ui) {
        let Some(live) = &self.view else { return };
        match row {
            Row::Actions => live.tool_bar(ui, &self.camera_out),
            Row::Lab => self.lab_ui(shell, ui),
            Row::FirstStart => self.first_start_ui(shell, ui),
            Row::View => bars::view(ui, &live.stage, !live.shows_previews),
            Row::Paintings => {}
        }
    }

    fn stage_ui(&mut self, shell: &Shell, ui: &mut Ui) {
        let Some(live) = &mut self.view else { return };
        live.stage.placing.framing = shell.framing();
        let gallery = &shell.styles.gallery;
        let chosen = shell.chosen_style().filter(|_| !shell.window.full_screen.is_on);
        live.stage_ui(ui, (&gallery.cards, &gallery.thumbnails), chosen.as_deref());
    }

    fn over_stage(&self, ui: &Ui, area: Rect, is_alone: bool) {
        if let Some(live) = &self.view {
            live.over_stage(ui, area, is_alone);
        }
    }

    fn full_screen_buttons(&self, _: &Shell, ui: &mut Ui) {
        if let Some(live) = &self.view {
            live.take_buttons(ui, [false, true, true]);
        }
    }

    fn show_original(&mut self, ctx: &Context, shows: bool) {
        if let Some(live) = &mut self.view {
            live.show_original(ctx, shows);
        }
    }

    fn status(&self, shell: &Shell) -> [Option<String>; 3] {
        let in_full = self.view.as_ref().is_some_and(|live| live.lab.is_open);
        let status = |live: &LiveView| live.status(shell.device.cameras.as_ref(), in_full);
        let (source, pace) = self.view.as_ref().map(status).unwrap_or_default();
        [Some(source), pace, Some(shell.device.text(in_full))]
    }

    fn close_top(&mut self, shell: &mut Shell) -> bool {
        if shell.engine.measuring_progress().is_some() {
            toggle_measuring(shell);
            return true;
        }
        let closes = self.view.as_ref().and_then(LiveView::to_close);
        shell.intents.extend(closes.clone());
        closes.is_some()
    }
}
