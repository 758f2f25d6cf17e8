//! Lays out the window: the bars, the gallery, the controls, and the parts that float over the picture.

use eframe::egui::{self, CentralPanel, Panel, Rect, Ui, Vec2, vec2};

use crate::{
    app::{App, Shell},
    bars::{LowerPanel, side},
    shell::dock,
    styles::{looks, trials::style_subject},
    widgets::theme,
};
/// Minimum size of the window if the screen is large enough, in points.
const MIN_SIZE: Vec2 = vec2(720.0, 480.0);
/// Minimum width at which the controls are always shown, in points.
const CONTROLS_FROM: f32 = 1100.0;
/// Minimum width at which the controls do not reduce the width of the styles, in points.
const BOTH_FROM: f32 = 860.0;
/// Minimum width of the styles, in points.
const MIN_STYLES: f32 = 120.0;
/// Minimum width of the picture between narrower styles and the controls, in points.
const MIN_PICTURE: f32 = 280.0;

/// The minimum size of the window on a screen of this size, in points; never larger than the screen.
fn min_size(screen: Vec2) -> Vec2 {
    MIN_SIZE.min(screen)
}

/// True if the controls reduce the width of the styles, and are above the buttons below the picture.
pub fn controls_narrow_styles(shell: &Shell) -> bool {
    shell.window.controls_open && shell.ctx.content_rect().width() < BOTH_FROM
}

impl App {
    /// Draws the picture with everything around it. Tab follows the drawing order.
    pub(super) fn window_ui(&mut self, ui: &mut Ui) {
        let may_fold = ui.available_width() < CONTROLS_FROM;
        let has_controls = !may_fold || self.shell.window.controls_open;
        Panel::top("top bar").frame(side(ui, 12, 8)).show(ui, |ui| self.top_bar(ui, may_fold));
        let status = LowerPanel::row(ui, "status", 4);
        let dock = dock::room(&self.shell, ui);
        let is_narrow = controls_narrow_styles(&self.shell);
        let left = ui.available_width() - theme::CONTROLS_WIDTH - MIN_PICTURE;
        let styles_width = if is_narrow {
            left.clamp(MIN_STYLES, theme::GALLERY_WIDTH)
        } else {
            theme::GALLERY_WIDTH
        };
        let styles = Panel::left("gallery").resizable(false).exact_size(styles_width);
        styles.frame(side(ui, 12, 8)).show(ui, |ui| {
            looks::ui(&self.shell.styles.looks, ui);
            let subject = style_subject(&self.shell, &self.film);
            let (page, shell) = self.page();
            page.styles_ui(shell, subject, ui);
        });
        let controls = Panel::right("controls").resizable(false).exact_size(theme::CONTROLS_WIDTH);
        let controls = controls.frame(side(ui, 12, 8));
        let mut controls = has_controls.then_some(controls);
        let (page, shell) = self.page();
        if let Some(controls) = controls.take_if(|_| !is_narrow) {
            controls.show(ui, |ui| page.controls(shell, ui));
        }
        CentralPanel::no_frame().show(ui, |ui| {
            let (page, shell) = self.page();
            let rows = page.rows(shell, ui);
            let timeline = self.timeline().map(|_| LowerPanel::on_canvas(ui, "film"));
            let (page, shell) = self.page();
            if let Some(controls) = controls {
                controls.show(ui, |ui| page.controls(shell, ui));
            }
            let area = CentralPanel::no_frame().show(ui, |ui| {
                page.stage_ui(shell, ui);
                ui.min_rect()
            });
            if let (Some(room), Some(film)) = (timeline, self.timeline()) {
                room.draw(|ui| film.bar(ui));
            }
            let (page, shell) = self.page();
            for (row, room) in rows.into_iter().rev() {
                room.draw(|ui| page.row_ui(shell, row, ui));
            }
            self.over_stage(ui, area.inner, false);
        });
        if let Some(dock) = dock {
            dock.draw(|ui| self.dock_ui(ui));
        }
        status.draw(|ui| self.status_ui(ui));
    }

    /// Draws everything that floats over the stage. In full screen, `is_alone` is set.
    pub(super) fn over_stage(&mut self, ui: &Ui, area: Rect, is_alone: bool) {
        self.page().0.over_stage(ui, area, is_alone);
        if is_alone {
            let is_bare = !self.shell.window.full_screen.shows_controls(self.shell.now());
            self.floating_status(ui, area, false, is_bare);
        }
        self.photo.incoming.ui(ui, area, self.shell.workspace.is_live());
    }
}

/// Sets the minimum size of the window when the screen becomes known, or it or its scale changes.
pub fn follow_monitor(shell: &mut Shell) {
    let (screen, scale) = shell.ctx.input(|i| {
        let viewport = i.viewport();
        // The window decorations of the desktop must fit, too.
        let frame = (viewport.outer_rect.zip(viewport.inner_rect))
            .map_or(Vec2::ZERO, |(outer, inner)| outer.size() - inner.size());
        (viewport.monitor_size.map(|size| size - frame), i.pixels_per_point)
    });
    // Some systems report a screen of size zero.
    let Some(screen) = screen.filter(|size| size.min_elem() > 1.0) else {
        return;
    };
    let now = (min_size(screen), scale);
    if shell.window.min_size != Some(now) {
        shell.window.min_size = Some(now);
        shell.ctx.send_viewport_cmd(egui::ViewportCommand::MinInnerSize(now.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_window_fits_its_screen() {
        for (pixels, scale, smallest) in [
            (vec2(1920.0, 1080.0), 1.0, vec2(720.0, 480.0)),
            (vec2(3840.0, 2160.0), 2.0, vec2(720.0, 480.0)),
            (vec2(1280.0, 800.0), 2.0, vec2(640.0, 400.0)),
            (vec2(1024.0, 1366.0), 2.0, vec2(512.0, 480.0)),
        ] {
            assert_eq!(min_size(pixels / scale), smallest, "{pixels:?}");
        }
    }
}
