//! What is kept across restarts: settings are collected as they change, and written after a pause.

use std::mem::discriminant;

use crate::{
    app::{App, Shell},
    workspace::Step,
};
use settings::Settings;

/// How long settings must not change before they are written.
const SETTINGS_REST_SECONDS: f64 = 1.0;

impl Shell {
    /// Notes that a setting changed; it is written after a pause.
    pub fn settings_changed(&mut self) {
        self.settings_file.changed_at = Some(self.now());
        self.ctx.request_repaint();
    }

    /// Hides the hints of the first start for good.
    pub fn hide_hint(&mut self) {
        self.settings.state.has_seen_hint = true;
        self.settings_changed();
    }

    /// Writes the choices of both pages to the settings.
    pub fn remember_choice(&mut self) {
        let choices = &mut self.settings.choices;
        self.workspace.photo_choice().remember(choices);
        if let Some(live) = self.workspace.live_choice() {
            live.remember_live(choices);
        }
        self.settings_changed();
    }

    /// Ends a change in progress as one undo step, and writes it to the settings.
    pub fn end_change(&mut self) {
        match self.workspace.before_change.take() {
            Some(Step::Choice(before)) => {
                self.workspace.commit(before);
                self.remember_choice();
            }
            Some(other) => self.workspace.history.note(other),
            None => {}
        }
    }

    /// Notes a change in progress from this state. All steps of one drag are undone together.
    pub fn begin_change(&mut self, before: Step) {
        let running = self.workspace.before_change.as_ref();
        if running.is_some_and(|running| discriminant(running) != discriminant(&before)) {
            self.end_change();
        }
        self.workspace.before_change.get_or_insert(before);
    }

    /// Copies the order of the styles to the settings; returns whether it has changed.
    pub fn remember_order(&mut self) -> bool {
        let order = &self.styles.gallery.order.ids;
        let stored = &mut self.settings.state.style_order;
        let is_new = stored != order;
        if is_new {
            stored.clone_from(order);
        }
        is_new
    }

    /// Ends the change of a control that is no longer dragged as one undo step, and writes settings after their pause.
    pub fn finish_changes(&mut self) {
        if !self.ctx.input(|i| i.pointer.any_down()) {
            self.end_change();
        }
        if self.remember_order() {
            self.settings_changed();
        }
        let (now, viewport) = self.ctx.input(|i| (i.time, i.viewport().clone()));
        let state = &mut self.settings.state;
        let before = (state.is_maximized, state.window_size);
        if viewport.fullscreen != Some(true) {
            state.is_maximized = viewport.maximized.unwrap_or(state.is_maximized);
            let plain = viewport.inner_rect.filter(|_| viewport.maximized != Some(true));
            state.window_size =
                plain.map(|window| window.size().round().into()).or(state.window_size);
        }
        if before != (state.is_maximized, state.window_size) {
            self.settings_changed();
        }
        let Some(since) = self.settings_file.changed_at else {
            return;
        };
        let rest = since + SETTINGS_REST_SECONDS - now;
        if rest > 0.0 {
            // Request it every time: any frame that is drawn earlier cancels the request.
            self.ctx.request_repaint_after_secs(rest as f32 + 0.05);
        } else if let Some(write) = self.settings_file.write(&self.settings, Settings::save) {
            self.tasks.spawn_writing(write, App::report_failure);
        }
    }
}
