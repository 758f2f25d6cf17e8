//! Saving a result, file dialogs, and asking before something would be lost.
//!
//! What follows a dialog or a question is stored in it: closing it drops what would follow. A save is *running*
//! (`SaveFlow::is_running`) until a background task reports. If its target exists, the save waits in a question.
//! Opening another photo and closing the window wait for a running save. Both are checked again afterwards, because the
//! painting may have changed in the meantime.

use std::path::{Path, PathBuf};

use eframe::egui::ViewportCommand;

use super::{
    PhotoPage,
    finished::{Save, picture_of, texts_of},
    state::{NextStep, SaveFlow},
};
use crate::{
    app::{App, Shell},
    intent::{Intent, ShellCommand},
    pages::live::LiveView,
    shell::{
        messages::{Messages, Topic},
        overlays::{Answer, Buttons, Field, Overlay, Overlays},
        platform::Dialog,
        tasks::OrText,
    },
    widgets::label::{name_label, path_label},
};
use pictures::{
    MediaError,
    encode::{self, Attached, Encoding, Existing, Format},
};
use values::disk::WriteError;

impl Shell {
    /// True if the result on the table would be lost, and the user wants to be asked.
    fn would_lose_result(&self) -> bool {
        self.workspace.is_unsaved() && self.settings.choices.ask_before_losing
    }

    /// The path and format for a picture: a typed extension decides the format; without one, the chosen format's
    /// extension is added.
    pub fn with_format(&self, mut path: PathBuf) -> (PathBuf, Format) {
        let typed = Format::from_path(&path);
        let format = typed.unwrap_or_else(|| self.format());
        if typed.is_none() {
            path.as_mut_os_string().push(format!(".{}", format.extension()));
        }
        (path, format)
    }

    /// Closes the overlay, and drops what waited for its answer.
    pub fn close_overlay(&mut self) {
        if let Some(Overlay::Reading(reading)) = self.overlays.take() {
            self.stop_trial();
            let name = name_label(&reading.file.path);
            self.messages.notice(format!("{name} was not added as a style."));
        }
    }
}

impl App {
    fn handle_saved(
        &mut self,
        save: Save,
        result: Result<Vec<String>, MediaError>,
        step: Option<NextStep>,
    ) {
        match result {
            Ok(notes) => {
                self.shell.messages.report_saved(&save.path);
                self.photo.note_painting(&mut self.shell, &save.path);
                if let Some(photo) = self.shell.workspace.shown_file() {
                    self.photo.paintings.painted.insert(photo.to_owned());
                }
                self.shell.workspace.saved.push(save.finished.key);
                for note in notes {
                    self.shell.messages.notice(note);
                }
                match step {
                    Some(NextStep::Close) => self.close(),
                    Some(step) => self.ask_or_perform(step),
                    None => {}
                }
            }
            Err(MediaError::Write(WriteError::Exists { .. })) => {
                ask_to_replace(&mut self.shell, save, step)
            }
            Err(error) => self.shell.messages.about(Topic::Saving).error(error.to_string()),
        }
    }

    /// Performs a step that removes the result from the table; asks first if the result would be lost.
    pub(crate) fn ask_or_perform(&mut self, step: NextStep) {
        if !self.shell.would_lose_result() {
            self.perform_step(step);
        } else if self.photo.save.is_running {
            // Closing has priority.
            if !matches!(self.photo.save.then, Some(NextStep::Close)) {
                self.photo.save.then = Some(step);
            }
        } else {
            let other = step.clone();
            self.shell.overlays.put_buttons(Buttons {
                heading: "Save the painting first?".to_owned(),
                text: format!(
                    "{} is not saved. Opening another file will discard it.",
                    self.photo.result_text(&self.shell)
                ),
                answers: vec![
                    Answer::new("Save as…", |app: &mut Self| {
                        app.photo.ask_target(&mut app.shell, Some(step))
                    }),
                    Answer::new("Open without saving", |app: &mut Self| app.perform_step(other)),
                    Answer::cancel("Cancel"),
                ],
                picture: None,
                can_turn_off: true,
            });
        }
    }

    /// Performs a step without a question.
    fn perform_step(&mut self, step: NextStep) {
        match step {
            NextStep::Put(opened) => self.put(*opened),
            NextStep::Close => self.shell.ending.close(&self.shell.ctx),
        }
    }

    /// Keeps the window open while closing it would lose something.
    pub(crate) fn guard_closing(&mut self) {
        let is_requested = !self.shell.ending.is_closing
            && self.shell.ctx.input(|i| i.viewport().close_requested());
        if is_requested {
            // The user cancelled an earlier restart at a question.
            self.shell.ending.restarts = false;
        }
        if is_requested && matches!(self.shell.overlays.shown(), Some(Overlay::Reading(_))) {
            self.shell.close_overlay();
        }
        if is_requested && self.keeps_open() {
            self.shell.ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        }
    }

    /// Closes the window, unless a question or a wait is necessary first.
    pub(crate) fn close(&mut self) {
        if !self.keeps_open() {
            self.shell.ending.close(&self.shell.ctx);
        }
    }

    /// Closes the window without a question; [`App::end`] writes the remaining files.
    pub(crate) fn close_without_question(&mut self) {
        self.shell.ending.restarts = false;
        self.live.end_recording(&mut self.shell);
        self.shell.ending.close(&self.shell.ctx);
    }

    /// Asks about, or waits for, what closing would lose; returns `false` if nothing would be lost.
    fn keeps_open(&mut self) -> bool {
        let Self { shell, photo, live, .. } = self;
        let mut losses = Vec::new();
        if let Some((path, taken)) = live.view.as_ref().and_then(LiveView::recording) {
            let path = path_label(&path.map_or_else(|| shell.snapshot_folder(), Path::to_owned));
            losses.push((
                ["Stop recording?", "Keep recording", "Stop and close"],
                format!("Recording to {path}, {taken} so far. The recording so far is kept."),
            ));
        }
        let is_unsaved = shell.would_lose_result() && !photo.save.is_running;
        if is_unsaved {
            let what = photo.result_text(shell);
            losses.push((
                ["Save the painting first?", "Cancel", "Close without saving"],
                format!("{what} is not saved. Closing the window will discard it."),
            ));
        }
        let first = losses.first().map(|(words, _)| *words);
        let Some(([heading, keep, _], [.., stop])) =
            first.zip(losses.last().map(|(words, _)| *words))
        else {
            if shell.ending.recordings > 0 {
                shell.ending.when_recorded = true;
            } else if photo.save.is_running {
                photo.save.then = Some(NextStep::Close);
            } else {
                return false;
            }
            return true;
        };
        let mut answers = vec![
            Answer::cancel(keep),
            Answer::new(stop, |app: &mut Self| {
                app.live.end_recording(&mut app.shell);
                app.shell.ending.when_recorded = app.shell.ending.recordings > 0;
                if !app.shell.ending.when_recorded {
                    app.shell.ending.close(&app.shell.ctx);
                }
            }),
        ];
        if is_unsaved {
            let save = Answer::new("Save as…", |app: &mut Self| {
                app.photo.ask_target(&mut app.shell, Some(NextStep::Close))
            });
            answers.insert(usize::from(losses.len() > 1), save);
            // Saving is the main answer, unless something else would be stopped.
            if losses.len() == 1 {
                answers.swap(1, 2);
            }
        }
        let texts: Vec<String> = losses.into_iter().map(|(_, text)| text).collect();
        shell.overlays.put_buttons(Buttons {
            heading: heading.to_owned(),
            text: texts.join(" "),
            answers,
            picture: None,
            can_turn_off: is_unsaved,
        });
        true
    }

    /// Continues with the answer to the open question.
    pub(crate) fn answer(&mut self, button: usize) {
        match self.shell.overlays.take() {
            Some(Overlay::Buttons(mut question)) => {
                (question.answers.swap_remove(button).then)(self);
            }
            Some(Overlay::Field(field)) => (field.then)(self, field.text.trim().to_owned()),
            other => other.into_iter().for_each(|other| self.shell.overlays.show(other)),
        }
    }
}

impl PhotoPage {
    /// Asks where to save the result; `step` follows the save.
    pub fn ask_target(&mut self, shell: &mut Shell, step: Option<NextStep>) {
        if self.save.is_running {
            return;
        }
        if shell.workspace.finished().is_none() {
            let is_painting = self.painting.request.is_some() || self.painting.framing.is_some();
            shell.messages.about(Topic::Saving).notice(if is_painting {
                "The painting is not finished yet. Save it afterwards."
            } else {
                "There is no painting yet. Open a photo and choose a style."
            });
            return;
        }
        let format = shell.format();
        let file_name = format!("{}.{}", shell.workspace.result_stem(), format.extension());
        shell.ask(Dialog::Save { file_name, format }, |app, path| {
            app.photo.save_as(&mut app.shell, path, step)
        });
    }

    /// Saves the result to the path that the user chose.
    fn save_as(&mut self, shell: &mut Shell, path: PathBuf, step: Option<NextStep>) {
        if let Some(finished) = shell.workspace.finished() {
            let (path, format) = shell.with_format(path);
            let encoding =
                Encoding { quality: shell.settings.choices.jpeg_quality, ..Encoding::of(format) };
            let photo = shell.workspace.photo().map(|photo| &photo.opened.photo);
            let mut metadata = photo.map(|photo| photo.metadata.clone()).unwrap_or_default();
            shell.settings.choices.print_dpi.into_iter().for_each(|dpi| metadata.set_dpi(dpi));
            let (recipe, look, _) = &finished.key;
            let texts = texts_of(
                &recipe.network,
                &finished.photo,
                &finished.painting,
                *look,
                shell.device.name(),
            );
            self.save(
                shell,
                Save { path, finished, encoding, metadata, texts },
                Existing::Keep,
                step,
            );
        }
    }

    fn save(&mut self, shell: &mut Shell, save: Save, existing: Existing, then: Option<NextStep>) {
        self.save = SaveFlow { is_running: true, then };
        let write = move || {
            let path = &save.path;
            let finished = &save.finished;
            // Check before composing the picture, so that the question appears immediately.
            let result = encode::check_target(path, existing).and_then(|()| {
                let metadata = Some(&save.metadata);
                let attached = Attached { metadata, texts: &save.texts, ..Attached::default() };
                let (_, look, output) = finished.key;
                let picture = picture_of(&finished.photo, &finished.painting, output, look);
                encode::save_with(path, picture, attached, save.encoding, existing)
            });
            Ok((save, result))
        };
        shell.tasks.spawn_writing_or(
            write,
            |saved| saved.and_then(|(_, result)| result.or_text()).err(),
            |app, saved| {
                let step = std::mem::take(&mut app.photo.save).then;
                match saved {
                    Ok((save, result)) => app.handle_saved(save, result, step),
                    Err(error) => app.shell.messages.about(Topic::Saving).error(error),
                }
            },
        );
    }

    /// Describes the result on the table, which is not visible in live mode.
    fn result_text(&self, shell: &Shell) -> String {
        let photo =
            shell.workspace.photo().map_or_else(|| "the photo".to_owned(), |p| p.opened.title());
        // The user means the painting in progress, not the one that it replaces.
        let recipe = match &self.painting.request {
            Some(request) => Some(&request.recipe),
            None => shell.workspace.shown().map(|shown| &shown.recipe),
        };
        let style = recipe
            .map(|recipe| shell.styles.name_of(&recipe.network))
            .map_or_else(String::new, |style| format!(" in {style}"));
        let place = match shell.workspace.is_live() {
            true => ", which waits under Photo,",
            false => "",
        };
        format!("The painting of {photo}{style}{place}")
    }
}

impl Messages {
    /// Reports that a picture or report was saved, and offers to show it.
    pub fn report_saved(&mut self, path: &Path) {
        self.about(Topic::Saving);
        self.report_file(format!("Saved as {}", path_label(path)), path);
    }

    /// Reports that a file was written, and offers to show it.
    pub fn report_file(&mut self, text: String, path: &Path) {
        self.offer(
            text,
            ("Show in folder", Intent::Shell(ShellCommand::ShowInFolder(path.to_owned()))),
        );
    }
}

impl Overlays<App> {
    pub fn put_buttons(&mut self, buttons: Buttons<App>) {
        self.show(Overlay::Buttons(buttons));
    }

    /// Asks for a name, which is selected.
    pub fn put_name(
        &mut self,
        [heading, text]: [String; 2],
        button: &'static str,
        problem: Option<String>,
        then: impl FnOnce(&mut App, String) + 'static,
    ) {
        let selected = 0..text.len();
        let why = String::new();
        let then = Box::new(then);
        let field = Field { heading, button, text, selected, why, problem, then };
        self.show(Overlay::Field(field));
    }
}

fn ask_to_replace(shell: &mut Shell, save: Save, step: Option<NextStep>) {
    let folder = save.path.parent().map(path_label);
    let heading = format!("Replace {}?", name_label(&save.path));
    let other = step.clone();
    shell.overlays.put_buttons(Buttons {
        heading,
        text: format!(
            "A file with this name already exists in {}. Replacing it deletes its contents.",
            folder.unwrap_or_else(|| "this folder".to_owned())
        ),
        answers: vec![
            Answer::new("Choose another name…", |app: &mut App| {
                app.photo.ask_target(&mut app.shell, other)
            }),
            Answer::new("Replace", |app: &mut App| {
                app.photo.save(&mut app.shell, save, Existing::Replace, step)
            }),
            Answer::cancel("Cancel"),
        ],
        picture: None,
        can_turn_off: false,
    });
}
