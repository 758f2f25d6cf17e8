//! Lays out the window: the bars, the gallery, the controls, and the parts that float over the picture.

use eframe::egui::{self, CentralPanel, Frame, Margin, Panel, Rect, Ui, Vec2, vec2};

use itertools::Itertools;

use crate::{
    app::{App, Shell},
    bars::{self, LowerPanel},
    intent::{Intent, JobCommand, StyleCommand, ViewCommand},
    pages::{
        live,
        photo::{crop, opened::Origin, paintings, welcome},
    },
    shell::shortcuts::menu,
    styles::{looks, trials::style_subject},
    widgets::{
        label::{label, remark},
        theme,
    },
    workspace::Page,
};
use engine::paint::Painting;
use values::mode::DeviceChoice;

/// Minimum size of the window if the screen is large enough, in points.
const MIN_SIZE: Vec2 = vec2(720.0, 480.0);
/// Minimum width at which all buttons below a photo have text, in points.
const WORDS_WIDTH: f32 = 640.0;
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

impl Shell {
    /// True if the controls reduce the width of the styles, and are above the buttons below the picture.
    pub fn controls_narrow_styles(&self) -> bool {
        self.window.controls_open && self.ctx.content_rect().width() < BOTH_FROM
    }
}

impl App {
    /// Draws the picture with everything around it. Tab follows the drawing order.
    pub(super) fn window_ui(&mut self, ui: &mut Ui) {
        let side = |ui: &Ui, x: i8, y: i8| {
            Frame::new().fill(ui.visuals().panel_fill).inner_margin(Margin::symmetric(x, y))
        };
        let may_fold = ui.available_width() < CONTROLS_FROM;
        let has_controls = !may_fold || self.shell.window.controls_open;
        Panel::top("top bar").frame(side(ui, 12, 8)).show(ui, |ui| self.top_bar(ui, may_fold));
        let status = LowerPanel::room(ui, "status", side(ui, 12, 4), true);
        let dock = self.dock_room(ui, side(ui, 12, 8));
        let is_narrow = self.shell.controls_narrow_styles();
        let left = ui.available_width() - theme::CONTROLS_WIDTH - MIN_PICTURE;
        let styles_width = if is_narrow {
            left.clamp(MIN_STYLES, theme::GALLERY_WIDTH)
        } else {
            theme::GALLERY_WIDTH
        };
        Panel::left("gallery")
            .resizable(false)
            .exact_size(styles_width)
            .frame(side(ui, 12, 8))
            .show(ui, |ui| {
                let share = self.shell.engine.progress().unwrap_or(0.0);
                let painting = self
                    .photo
                    .painting
                    .request
                    .as_ref()
                    .map(|request| (&request.recipe.network, share));
                let viewed = self
                    .photo
                    .paintings
                    .shows_painting(&self.shell)
                    .then(|| self.photo.paintings.viewed_choice(&self.shell));
                let (style, mix) = match &viewed {
                    // A saved file's own style, unless it is a mix.
                    Some(choice) => {
                        let alone = choice.as_ref().filter(|choice| choice.parts().is_empty());
                        (alone.and_then(|choice| choice.style()), None)
                    }
                    None => (self.shell.workspace.choice.style(), self.shell.unkept_mix()),
                };
                let live =
                    self.live.view.as_ref().filter(|live| {
                        self.shell.settings.live.moving_gallery || live.shows_previews
                    });
                let (subject, moving) =
                    (style_subject(&self.shell, &self.film), live.map(|live| &live.previews));
                let can_save = style.is_some() && viewed.is_none();
                looks::ui(&self.shell.styles.looks, ui, can_save);
                self.shell.styles.gallery.ui(ui, subject, style, mix.as_ref(), painting, moving);
            });
        let controls = Panel::right("controls").resizable(false).exact_size(theme::CONTROLS_WIDTH);
        let mut controls = Some(controls.frame(side(ui, 12, 8))).filter(|_| has_controls);
        if let Some(controls) = controls.take_if(|_| !is_narrow) {
            controls.show(ui, |ui| self.controls(ui));
        }
        CentralPanel::no_frame().show(ui, |ui| {
            let actions = LowerPanel::room(ui, "action bar", side(ui, 12, 8), true);
            let strip = self
                .photo
                .paintings
                .has_strip(&self.shell)
                .then(|| LowerPanel::room(ui, "paintings", side(ui, 12, 6), true));
            let lab = self.live.lab_room(&self.shell, ui, side(ui, 12, 6));
            let first_start = self
                .live
                .is_first_start(&self.shell)
                .then(|| LowerPanel::room(ui, "first start", side(ui, 12, 6), true));
            // Part of the canvas, not a separate bar.
            let canvas = side(ui, 12, 4).fill(theme::palette(ui).stage);
            // In a low window the Lab replaces this row; keys do the same.
            let is_seen = self.live.view.is_some()
                || self.photo.paintings.viewed.is_some()
                || self.shell.workspace.seen_photo().is_some();
            let has_view = is_seen && !(lab.is_some() && paintings::is_low(ui));
            let view = has_view.then(|| LowerPanel::room(ui, "view", canvas, false));
            let film = (self.photo.shows_film(&self.shell) && self.photo.cropping.is_none())
                .then(|| LowerPanel::room(ui, "film", canvas, false));
            if let Some(controls) = controls {
                controls.show(ui, |ui| self.controls(ui));
            }
            let chosen = self.shell.chosen_style();
            let area = CentralPanel::no_frame()
                .show(ui, |ui| {
                    if let Some(live) = &mut self.live.view {
                        let styles = (
                            &*self.shell.styles.gallery.cards,
                            &self.shell.styles.gallery.thumbnails,
                        );
                        live.stage_ui(ui, styles, chosen.as_deref());
                    } else {
                        self.photo_stage(ui);
                    }
                    ui.min_rect()
                })
                .inner;
            if let (Some(bar), Some(film)) = (film, &self.film.view) {
                bar.draw(|ui| film.bar(ui));
            }
            if let Some(view) = view {
                view.draw(|ui| self.view_row(ui));
            }
            if let Some(mut lab) = lab {
                self.live.lab_ui(&self.shell, &mut lab);
            }
            if let Some(first_start) = first_start {
                first_start.draw(|ui| self.live.first_start_ui(&self.shell, ui));
            }
            if let Some(strip) = strip {
                strip.draw(|ui| {
                    let current = self.shell.workspace.shown_file();
                    self.photo.paintings.strip(ui, &self.shell.settings.state.paintings, current)
                });
            }
            actions.draw(|ui| self.action_bar(ui));
            self.over_stage(ui, area, false);
        });
        if let Some(mut dock) = dock {
            self.dock_ui(&mut dock);
        }
        status.draw(|ui| self.status_ui(ui));
    }

    /// The buttons for the picture.
    fn action_bar(&self, ui: &mut Ui) {
        match &self.live.view {
            Some(live) => live.tool_bar(ui, &self.live.camera_out),
            None if self.photo.paintings.viewed_buttons(&self.shell, ui) => {}
            None if self.photo.seen_crop(&self.shell).is_some() => crop::buttons(ui),
            None => {
                let has_words = ui.available_width() >= WORDS_WIDTH;
                ui.horizontal(|ui| {
                    self.photo.save_buttons(&self.shell, ui);
                    theme::at_the_right(ui, "views of the photo", |ui| {
                        self.photo.paintings.strip_button(&self.shell, ui);
                        live::full_screen_button(ui, has_words);
                    });
                });
            }
        }
    }

    /// The row with compare mode and zoom.
    fn view_row(&mut self, ui: &mut Ui) {
        let is_grid = self.live.view.as_ref().is_some_and(|live| live.shows_previews);
        if self.photo.seen_crop(&self.shell).is_some()
            && let Some(cropping) = &mut self.photo.cropping
        {
            cropping.ratio_row(ui);
            return;
        }
        let viewed = self.photo.paintings.viewed.as_ref().map(|viewed| &viewed.stage);
        let live = self.live.view.as_ref().map(|live| &live.stage);
        bars::view(ui, live.or(viewed).unwrap_or(&self.photo.stage), !is_grid);
    }

    /// The photo, or the ways to open one.
    pub(super) fn photo_stage(&mut self, ui: &mut Ui) {
        let Self { shell, photo, live, .. } = self;
        if let Some(viewed) = &mut photo.paintings.viewed {
            viewed.ui(ui);
            return;
        }
        if shell.workspace.seen_photo().is_none() {
            let is_video = shell.workspace.page() == Page::Video;
            let (opening, cameras) = (photo.opening.is_running, live.cameras.as_ref());
            welcome::ui(ui, is_video, opening, cameras, photo.recent(shell));
            return;
        }
        if let Some(cropping) = &mut photo.cropping {
            cropping.ui(ui, photo.stage.placing.framing);
            return;
        }
        let saves = shell.workspace.finished().is_some() && !photo.save.is_running;
        let file = shell.workspace.photo().and_then(|photo| match &photo.opened.origin {
            Origin::File(path) if photo.opened.film.is_none() => Some(path.clone()),
            _ => None,
        });
        photo.stage.ui(ui).context_menu(|ui| {
            let entries = [
                ("Save as…", "Ctrl+S", saves, Intent::View(ViewCommand::Save)),
                ("Copy", "Ctrl+C", saves, Intent::View(ViewCommand::Copy)),
                ("Contact sheet…", "", true, Intent::Job(JobCommand::AskContactSheet)),
            ];
            let style = file.map(|path| {
                ("Use photo as style", "", true, Intent::Style(StyleCommand::UseAsStyle(path)))
            });
            menu(ui, entries.into_iter().chain(style));
        });
        if let Some(pictures) = photo.stage.pictures() {
            photo.stage.pixel_ui(ui, ui.min_rect(), pictures);
        }
    }

    fn controls(&self, ui: &mut Ui) {
        match &self.live.view {
            Some(live) => self.live.live_controls(&self.shell, ui, live),
            None => self.photo.photo_controls(&self.shell, ui),
        }
    }

    /// Draws everything that floats over the stage. In full screen, `is_alone` is set.
    pub(super) fn over_stage(&mut self, ui: &Ui, area: Rect, is_alone: bool) {
        if let Some(live) = &self.live.view {
            live.over_stage(ui, area, is_alone);
        }
        if is_alone {
            let is_bare = !self.shell.window.full_screen.shows_controls(self.shell.now());
            self.floating_status(ui, area, false, is_bare);
        }
        self.photo.incoming.ui(ui, area, self.live.view.is_some());
    }

    /// The status line. Modes and device capabilities are included only while the Lab is open.
    pub(super) fn status(&self) -> Vec<String> {
        let Self { shell, photo, live, .. } = self;
        let shows_details = live.view.as_ref().is_some_and(|live| live.lab.is_open);
        let device = match &shell.device.info {
            Some(info) if shows_details => {
                [info.name.as_str(), &info.parallelism(), &info.instructions]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .map(label)
                    .join(", ")
            }
            Some(info) if info.kind == DeviceChoice::Cpu => "CPU".to_owned(),
            Some(info) => label(&info.name),
            None if shell.device.notice.is_some() => "No device".to_owned(),
            None => "Looking for a device…".to_owned(),
        };
        let (photo, last_run) = match (&live.view, &photo.paintings.viewed) {
            (Some(view), _) => {
                let (source, pace) = view.status(live.cameras.as_ref(), shows_details);
                (Some(source), pace)
            }
            (None, Some(viewed)) => (Some(viewed.words.clone()), None),
            (None, None) => {
                let size = shell.workspace.photo_size();
                let photo = shell.workspace.seen_photo().zip(size);
                let words =
                    photo.map(|(photo, (w, h))| format!("{}, {w} × {h} px", photo.opened.title()));
                let shown = shell.workspace.shown().filter(|_| words.is_some());
                let run = shown.map(|shown| run_text(&shown.painting, size));
                (words, run)
            }
        };
        let device = match shell.device.notice.as_deref().map(remark) {
            Some(notice) if device == "CPU" => {
                format!("CPU ({})", notice.trim_start_matches("CPU: "))
            }
            Some(notice) => format!("{device} ({notice})"),
            None => device,
        };
        // The device is last: if the line is too long, its name is truncated.
        [photo, last_run, Some(device)].into_iter().flatten().collect()
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

/// Time of a run, and its size if that is not the photo's, as text.
fn run_text(painting: &Painting, photo: Option<(usize, usize)>) -> String {
    let (w, h) = painting.painted.size();
    let seconds = painting.total_ms / 1e3;
    let digits = if seconds < 10.0 { 1 } else { 0 };
    let size = if photo == Some((w, h)) { String::new() } else { format!("at {w} × {h} px ") };
    format!("Painted {size}in {seconds:.digits$} s")
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
