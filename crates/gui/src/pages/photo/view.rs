//! The parts of the photo page in the window. The page of videos has the same, and a timeline.

use eframe::egui::{Context, Ui};

use super::{PhotoPage, controls, crop, opened::Origin, welcome};
use crate::{
    app::Shell,
    bars::{self, LowerPanel},
    choice::NetworkOf,
    intent::{Intent, JobCommand, ShellCommand, StyleCommand, ViewCommand},
    pages::{PageView, Row, live},
    shell::{dock::Activity, shortcuts::menu},
    styles::gallery::Subject,
    widgets::theme,
    workspace::Page,
};
use engine::paint::Painting;

/// Minimum width at which all buttons below a photo have text, in points.
const WORDS_WIDTH: f32 = 640.0;

impl PageView for PhotoPage {
    fn styles_ui(&self, shell: &mut Shell, subject: Subject, ui: &mut Ui) {
        let share = shell.engine.progress().unwrap_or(0.0);
        let painting =
            self.painting.request.as_ref().map(|request| (&request.recipe.network, share));
        let viewed = self.paintings.viewed.as_ref().map(|_| self.paintings.viewed_choice(shell));
        let (style, mix) = match &viewed {
            // A saved file's own style, unless it is a mix.
            Some(choice) => {
                let alone = choice.as_ref().filter(|choice| choice.parts().is_empty());
                (alone.and_then(|choice| choice.style()), None)
            }
            None => (shell.workspace.choice.style(), shell.unkept_mix()),
        };
        shell.styles.gallery.ui(ui, subject, style, mix.as_ref(), painting, None);
    }

    fn controls(&self, shell: &Shell, ui: &mut Ui) {
        controls::ui(self, shell, ui);
    }

    fn rows(&self, shell: &Shell, ui: &mut Ui) -> Vec<(Row, LowerPanel)> {
        let mut rows = vec![(Row::Actions, LowerPanel::row(ui, "action bar", 8))];
        if self.paintings.has_strip(shell) {
            rows.push((Row::Paintings, LowerPanel::row(ui, "paintings", 6)));
        }
        if self.paintings.viewed.is_some() || shell.workspace.seen_photo().is_some() {
            rows.push((Row::View, LowerPanel::on_canvas(ui, "view")));
        }
        rows
    }

    fn row_ui(&mut self, shell: &Shell, row: Row, ui: &mut Ui) {
        let is_cropping = self.seen_crop(shell).is_some();
        match row {
            Row::Actions if self.paintings.viewed_buttons(shell, ui) => {}
            Row::Actions if is_cropping => crop::buttons(ui),
            Row::Actions => {
                let has_words = ui.available_width() >= WORDS_WIDTH;
                ui.horizontal(|ui| {
                    self.save_buttons(shell, ui);
                    theme::at_the_right(ui, "views of the photo", |ui| {
                        self.paintings.strip_button(shell, ui);
                        live::full_screen_button(ui, has_words);
                    });
                });
            }
            Row::Paintings => {
                let current = shell.workspace.shown_file();
                self.paintings.strip(ui, &shell.settings.state.paintings, current);
            }
            Row::View => match &mut self.cropping {
                Some(cropping) if is_cropping => cropping.ratio_row(ui),
                _ => {
                    let viewed = self.paintings.viewed.as_ref().map(|viewed| &viewed.stage);
                    bars::view(ui, viewed.unwrap_or(&self.stage), true);
                }
            },
            Row::Lab | Row::FirstStart => {}
        }
    }

    fn stage_ui(&mut self, shell: &Shell, ui: &mut Ui) {
        let framing = shell.framing();
        self.stage.placing.framing = framing;
        if let Some(viewed) = &mut self.paintings.viewed {
            viewed.stage.placing.framing = framing;
            return viewed.ui(ui);
        }
        if shell.workspace.seen_photo().is_none() {
            let is_video = shell.workspace.page() == Page::Video;
            let (opening, cameras) = (self.opening.is_running, shell.device.cameras.as_ref());
            return welcome::ui(ui, is_video, opening, cameras, self.recent(shell));
        }
        if let Some(cropping) = &mut self.cropping {
            return cropping.ui(ui, framing);
        }
        let saves = shell.workspace.finished().is_some() && !self.save.is_running;
        let file = shell.workspace.photo().and_then(|photo| match &photo.opened.origin {
            Origin::File(path) if photo.opened.film.is_none() => Some(path.clone()),
            _ => None,
        });
        self.stage.ui(ui).context_menu(|ui| {
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
        if let Some(pictures) = self.stage.pictures() {
            self.stage.pixel_ui(ui, ui.min_rect(), pictures);
        }
    }

    fn full_screen_buttons(&self, shell: &Shell, ui: &mut Ui) {
        self.save_buttons(shell, ui);
    }

    fn show_original(&mut self, _: &Context, shows: bool) {
        self.stage.shows_original = shows;
    }

    fn status(&self, shell: &Shell) -> [Option<String>; 3] {
        let device = Some(shell.device.text(false));
        if let Some(viewed) = &self.paintings.viewed {
            return [Some(viewed.words.clone()), None, device];
        }
        let size = shell.workspace.photo_size();
        let photo = shell.workspace.seen_photo().zip(size);
        let words = photo.map(|(photo, (w, h))| format!("{}, {w} × {h} px", photo.opened.title()));
        let shown = shell.workspace.shown().filter(|_| words.is_some());
        let run = shown.map(|shown| run_text(&shown.painting, size));
        [words, run, device]
    }

    fn activity(&self, shell: &Shell) -> Option<Activity> {
        if let Some(request) = &self.painting.request {
            let name = shell.styles.name_of(&request.recipe.network);
            let (does, share) = if shell.styles.loading().all(NetworkOf::is_mix) {
                ("Painting in", shell.engine.progress().unwrap_or(0.0))
            } else {
                ("Loading", 0.0)
            };
            return Some((format!("{does} {name}…"), Some(share)));
        }
        if self.opening.is_running && shell.workspace.photo().is_some() {
            return Some(("Opening…".to_owned(), None));
        }
        if shell.styles.gallery.importing > 0 {
            return Some(("Adding the style…".to_owned(), None));
        }
        let needs_style = self.cropping.is_none()
            && self.paintings.viewed.is_none()
            && shell.workspace.seen_photo().is_some()
            && shell.workspace.choice.style().is_none();
        let what = if shell.workspace.page() == Page::Video { "video" } else { "photo" };
        needs_style.then(|| (format!("Choose a style on the left to paint this {what}"), None))
    }

    fn close_top(&mut self, shell: &mut Shell) -> bool {
        if self.close_painting(shell) {
            return true;
        }
        let is_aside = shell.workspace.is_aside();
        if is_aside {
            shell.intents.push(ShellCommand::ShowPage(shell.workspace.photo_page()).into());
        }
        is_aside || self.cropping.take().is_some()
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
