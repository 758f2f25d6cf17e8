//! Saving a result, and asking before it would be lost.
//!
//! A save is *running* (`SaveFlow::is_running`) until a background task reports. If its target exists, the save comes
//! back and *waits for an answer* inside [`Question::ReplaceFile`]. Removing that question also removes the save, so a
//! save is never left without a question. Opening another photo and closing the window wait for a running save. Both
//! are checked again afterwards, because the painting may have changed in the meantime.

use std::path::{Path, PathBuf};

use eframe::egui::ViewportCommand;

use super::{
    app::{App, NextStep},
    batch::Batch,
    finished::Save,
    intent::Intent,
    label::{editable, path_label, remark},
    live::{LiveView, own_folder},
    messages::{Offer, Topic},
    overlays::{Overlay, Question, TypedPath},
    platform::{Dialog, Purpose, path_in},
};
use crate::{
    disk::{WriteError, free_path},
    media::{
        MediaError,
        encode::{self, Encoding, Existing, Format},
    },
};

impl App {
    /// Asks where to save the result.
    pub(super) fn ask_target(&mut self) {
        if self.save.is_running {
            return;
        }
        if self.workspace.finished().is_none() {
            let goes_on = self.painting.request.is_some() || self.painting.framing.is_some();
            self.messages.about(Topic::Saving).notice(if goes_on {
                "The painting is not finished yet. Save it afterwards."
            } else {
                "There is no painting yet. Open a photo and choose a style."
            });
            self.save.after_save = None;
            return;
        }
        let format = self.format();
        let file_name = format!("{}.{}", self.workspace.result_stem(), format.extension());
        if !self.ask(Purpose::Save, Dialog::Save { file_name, format }) {
            self.save.after_save = None;
        }
    }

    /// Saves the result to the path that the user chose.
    pub(super) fn save_as(&mut self, path: std::path::PathBuf) {
        let Some(finished) = self.workspace.finished() else {
            self.save.after_save = None;
            return;
        };
        let (path, format) = self.with_format(path);
        let encoding = Encoding { format, jpeg_quality: self.settings.choices.jpeg_quality };
        let save = Save { path, finished, encoding };
        self.save(Box::new(save), Existing::Keep);
    }

    /// The path and format for a picture: a typed extension decides the format; without one, the chosen format's
    /// extension is added.
    pub(super) fn with_format(&self, path: PathBuf) -> (PathBuf, Format) {
        match Format::from_path(&path) {
            Some(format) => (path, format),
            None => {
                let format = self.format();
                let mut name = path.into_os_string();
                name.push(".");
                name.push(format.extension());
                (name.into(), format)
            }
        }
    }

    fn save(&mut self, save: Box<Save>, existing: Existing) {
        self.save.is_running = true;
        let write = move || {
            let (path, finished) = (&save.path, &save.finished);
            // Check before composing the picture, so that the question appears immediately.
            let result = encode::check_target(path, existing).and_then(|()| {
                encode::save(path, &finished.frame(), None, save.encoding, existing)
            });
            Ok((save, result))
        };
        self.tasks.spawn_writing_or(
            write,
            |saved| saved.and_then(|(_, result)| result.map_err(|e| e.to_string())).err(),
            |app, saved| match saved {
                Ok((save, result)) => app.handle_saved(save, result),
                Err(error) => app.save_failed(error),
            },
        );
    }

    fn save_failed(&mut self, error: String) {
        self.save.is_running = false;
        self.save.after_save = None;
        self.messages.about(Topic::Saving).error(error);
    }

    /// Replaces the file that the open question is about.
    pub(super) fn replace_file(&mut self) {
        match self.overlays.take() {
            Overlay::Question(Question::ReplaceFile(save)) => self.save(save, Existing::Replace),
            other => self.overlays.show(other),
        }
    }

    fn handle_saved(&mut self, save: Box<Save>, result: Result<Vec<String>, MediaError>) {
        self.save.is_running = false;
        match result {
            Ok(notes) => {
                self.tell_of_saved(&save.path);
                self.note_painting(&save.path);
                self.workspace.mark_saved(save.finished.key);
                for note in notes {
                    self.messages.notice(note);
                }
                match self.save.after_save.take() {
                    Some(NextStep::Close) => self.close(),
                    Some(step) => self.go_on_or_ask(step),
                    None => {}
                }
            }
            Err(MediaError::Write(WriteError::Exists { .. })) => {
                self.put_question(Question::ReplaceFile(save))
            }
            Err(error) => self.save_failed(error.to_string()),
        }
    }

    /// Performs a step that removes the result from the table; asks first if the result would be lost.
    pub(super) fn go_on_or_ask(&mut self, step: NextStep) {
        if !self.workspace.is_unsaved() || !self.settings.choices.ask_before_losing {
            self.go_on(step);
        } else if self.save.is_running {
            // Closing has priority.
            if !matches!(self.save.after_save, Some(NextStep::Close)) {
                self.save.after_save = Some(step);
            }
        } else {
            self.ask_before(step);
        }
    }

    /// Asks whether to save the result before it is lost.
    fn ask_before(&mut self, step: NextStep) {
        let (loss, what) = (step.loss(), self.result_in_words());
        self.put_question(Question::LoseResult { loss, what });
        self.save.after_question = Some(step);
    }

    /// Performs a step without a question.
    pub(super) fn go_on(&mut self, step: NextStep) {
        match step {
            NextStep::Put(opened) => self.put(*opened),
            NextStep::Close => self.close_now(),
        }
    }

    /// The user discards the result: performs the step that waited for the answer.
    pub(super) fn lose_result(&mut self) {
        self.overlays.close();
        if let Some(step) = self.save.after_question.take() {
            self.go_on(step);
        }
    }

    /// Keeps the window open while closing it would lose something.
    pub(super) fn guard_closing(&mut self) {
        let is_requested =
            !self.ending.is_closing && self.ctx.input(|i| i.viewport().close_requested());
        if is_requested {
            // The user cancelled an earlier restart at a question.
            self.ending.restarts = false;
        }
        if is_requested && self.overlays.reading().is_some() {
            self.close_overlay();
        }
        if is_requested && self.keeps_open() {
            self.ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        }
    }

    /// Closes the window, unless a question or a wait is necessary first.
    pub(super) fn close(&mut self) {
        if !self.keeps_open() {
            self.close_now();
        }
    }

    /// Closes the window without a question; [`App::end`] writes the remaining files.
    pub(super) fn close_without_question(&mut self) {
        self.ending.restarts = false;
        self.stop_batch();
        self.end_recording();
        self.close_now();
    }

    fn close_now(&mut self) {
        self.ending.is_closing = true;
        self.ctx.send_viewport_cmd(ViewportCommand::Close);
    }

    /// Asks about, or waits for, what closing would lose; returns `false` if nothing would be lost.
    fn keeps_open(&mut self) -> bool {
        if self.batch.as_ref().is_some_and(Batch::goes_on) {
            self.put_question(Question::StopBatch);
        } else if let Some((path, taken)) = self.live.as_ref().and_then(LiveView::recording) {
            let folder = || own_folder(&self.picture_folder());
            let path = path.map_or_else(folder, Path::to_owned);
            self.put_question(Question::StopRecording { path, taken });
        } else if self.ending.recordings > 0 {
            self.ending.when_recorded = true;
        } else if self.save.is_running {
            self.save.after_save = Some(NextStep::Close);
        } else if self.workspace.is_unsaved() && self.settings.choices.ask_before_losing {
            self.ask_before(NextStep::Close);
        } else {
            return false;
        }
        true
    }

    /// Describes the result on the table, which is not visible in live mode.
    fn result_in_words(&self) -> String {
        let photo = self.workspace.photo();
        let photo = photo.map_or_else(|| "the photo".to_owned(), |p| p.opened.title());
        // The user means the painting in progress, not the one that it replaces.
        let recipe = match &self.painting.request {
            Some(request) => Some(&request.recipe),
            None => self.workspace.shown().map(|shown| &shown.recipe),
        };
        let style = recipe.map(|recipe| self.name_of(&recipe.style, &recipe.mix));
        let style = style.map_or_else(String::new, |style| format!(" in “{style}”"));
        let place = match self.live {
            Some(_) => ", which waits under Photo,",
            None => "",
        };
        format!("The painting of {photo}{style}{place}")
    }

    /// Reports that a picture or report was saved, and offers to show it.
    pub(super) fn tell_of_saved(&mut self, path: &Path) {
        self.messages.about(Topic::Saving);
        self.tell_of_file(format!("Saved as {}", path_label(path)), path);
    }

    /// Reports that a file was written, and offers to show it.
    pub(super) fn tell_of_file(&mut self, text: String, path: &Path) {
        let offer = Offer {
            label: "Show in folder",
            intent: Intent::ShowInFolder(path.to_owned()),
            otherwise: None,
        };
        self.messages.offer(text, offer);
    }

    /// Called when a recording is completely written.
    pub(super) fn recording_ended(&mut self) {
        self.ending.recordings = self.ending.recordings.saturating_sub(1);
        if self.ending.recordings == 0 && std::mem::take(&mut self.ending.when_recorded) {
            self.close();
        }
    }

    /// Shows a path field instead of a file dialog; `why` is the reason.
    pub(super) fn ask_for_path(&mut self, purpose: Purpose, mut why: String) {
        if matches!(purpose, Purpose::Open | Purpose::Style | Purpose::Folder) {
            why.push_str(" You can also drop files onto the window.");
        }
        let text = match purpose {
            // A file name without a folder is relative to this folder.
            Purpose::Open | Purpose::Style | Purpose::Folder => {
                editable(&self.opened_folder().join(""))
            }
            Purpose::TargetFolder => {
                self.batch.as_ref().map(|batch| editable(&batch.target)).unwrap_or_default()
            }
            Purpose::Save => {
                let ending = self.format().extension();
                let name = format!("{}.{ending}", self.workspace.result_stem());
                editable(&free_path(self.picture_folder().join(name)))
            }
            Purpose::ContactSheet => {
                let stem = self.workspace.photo_stem();
                let name = format!("{stem}-styles.{}", self.format().extension());
                editable(&free_path(self.picture_folder().join(name)))
            }
            Purpose::Export => {
                let name = self.export.as_ref().map_or("report", |(name, _)| name);
                editable(&free_path(self.picture_folder().join(name)))
            }
        };
        self.put_question(Question::TypePath(TypedPath {
            purpose,
            text,
            why: remark(&why),
            problem: None,
        }));
    }

    /// The folder of the last opened file.
    fn opened_folder(&self) -> PathBuf {
        let opened = self.settings.state.open_folder.clone();
        opened.unwrap_or_else(|| self.picture_folder())
    }

    /// Continues with a typed path as with one from a dialog. Asks before replacing a file.
    pub(super) fn take_path(&mut self, purpose: Purpose, text: &str) {
        let typed = &path_in(pasted(text.trim()));
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let path = match (typed.strip_prefix("~"), home) {
            (Ok(below), Some(home)) => home.join(below),
            // A file name without a folder is relative to the suggested folder.
            _ => match purpose {
                Purpose::Open | Purpose::Style | Purpose::Folder => {
                    self.opened_folder().join(typed)
                }
                Purpose::TargetFolder | Purpose::Save | Purpose::ContactSheet | Purpose::Export => {
                    typed.to_owned()
                }
            },
        };
        if let (Some(problem), Some(field)) =
            (problem_of(purpose, &path), self.overlays.typed_path())
        {
            field.problem = Some(problem);
            return;
        }
        self.overlays.close();
        let path = match purpose {
            Purpose::Export => free_path(path),
            _ => path,
        };
        self.handle_dialog(purpose, Ok(Some(path)));
    }

    /// Shows a question instead of the previous overlay.
    pub(super) fn put_question(&mut self, question: Question) {
        self.postpone_reading();
        self.close_overlay();
        self.overlays.show(Overlay::Question(question));
    }

    /// Closes the overlay, and discards what waited for its answer.
    pub(super) fn close_overlay(&mut self) {
        match self.overlays.take() {
            // The save was in the question and is dropped with it.
            Overlay::Question(Question::ReplaceFile(_)) => self.save.after_save = None,
            Overlay::Question(Question::LoseResult { .. }) => self.save.after_question = None,
            Overlay::Question(Question::TypePath(path)) => self.no_target(path.purpose),
            Overlay::Question(Question::Reading(reading)) => self.leave_reading(&reading),
            Overlay::Question(
                Question::StopBatch
                | Question::StopRecording { .. }
                | Question::PictureUse(_)
                | Question::Name(_),
            )
            | Overlay::Shortcuts(_)
            | Overlay::About
            | Overlay::Licences(_)
            | Overlay::None => {}
        }
    }
}

/// Handles an absolute path that was pasted after a folder that ends with a separator: returns the whole text if that
/// path exists, otherwise the second path.
fn pasted(text: &str) -> &str {
    let Some(at) = text.rfind("//").filter(|&at| at > 0) else {
        return text;
    };
    let second = &text[at + 1..];
    let is_there = |path: &str| Path::new(path).exists();
    let has_folder = Path::new(text).parent().is_some_and(Path::is_dir);
    if is_there(text) || (has_folder && !is_there(second)) { text } else { second }
}

/// Why a typed path cannot be used for its purpose, as text.
fn problem_of(purpose: Purpose, path: &Path) -> Option<String> {
    let name = path_label(path);
    match purpose {
        Purpose::Open | Purpose::Style if !path.exists() => {
            Some(format!("There is no file {name}. Check the path."))
        }
        Purpose::Folder if !path.is_dir() => {
            Some(format!("There is no folder {name}. Check the path."))
        }
        Purpose::Save | Purpose::Export | Purpose::ContactSheet => {
            let folder = path.parent().filter(|f| !f.as_os_str().is_empty())?;
            let folder_name = path_label(folder);
            (!folder.is_dir())
                .then(|| format!("There is no folder {folder_name} to save into. Check the path."))
        }
        Purpose::Open | Purpose::Style | Purpose::Folder | Purpose::TargetFolder => None,
    }
}
