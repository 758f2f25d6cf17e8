//! Adds files to the styles. If a file does not specify its network's pixel format, asks the user, about one file at a
//! time.
//!
//! A question that is replaced by another one is asked again afterwards. Closing the window or the question adds
//! nothing.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use eframe::egui::{TextureFilter, TextureOptions};

use super::{Reading, Trial, Unclear};
use crate::{
    engine::{
        error::EngineError,
        paint::Painting,
        protocol::{TrialJob, TrialNumber},
        trial::OneColor,
    },
    gui::{
        app::App,
        label::{name_label, remark},
        opened::for_trials,
        overlays::{Overlay, Question},
        style_source::{Import, StyleSource},
        texture::image_of,
    },
    media::decode,
    mode::ModelSize,
    weights::{PixelChoice, PixelFormat},
};

/// For a picture that is painted small and shown at about that size.
const PICTURE: TextureOptions =
    TextureOptions { mipmap_mode: Some(TextureFilter::Linear), ..TextureOptions::LINEAR };

impl App {
    /// Adds a file to the styles, as far as that is possible without a question.
    pub(crate) fn import(&mut self, path: PathBuf) {
        self.import_with(path, |styles, path| styles.import(path, PixelChoice::default()));
    }

    /// Adds the picture or checkpoint `path` to the styles.
    pub(crate) fn import_with(
        &mut self,
        path: PathBuf,
        import: impl FnOnce(&dyn StyleSource, &Path) -> Result<Import, String> + Send + 'static,
    ) {
        self.incoming.importing += 1;
        let (styles, file, name) = (self.style_source.clone(), path.clone(), name_label(&path));
        self.tasks.spawn_writing_or(
            move || import(&*styles, &file),
            move |imported| match imported {
                Ok(Import::Unclear(_)) => Some(format!(
                    "{name} was not added as a style: the window closed before its pixel format was chosen"
                )),
                other => other.err(),
            },
            move |app, imported| app.handle_imported(path, imported),
        );
    }

    fn handle_imported(&mut self, path: PathBuf, result: Result<Import, String>) {
        match result {
            Ok(Import::Added { id, warning }) => {
                if decode::has_picture_name(&path) {
                    // Load its network now, so that it paints as soon as it is listed.
                    self.load((id.clone(), ModelSize::Full));
                }
                self.list_styles(Some(id));
                if let Some(warning) = warning {
                    self.messages.notice(warning);
                }
            }
            Ok(Import::Unclear(known)) => {
                self.incoming.end_import();
                self.readings.waiting.push_back(Unclear { path, known });
            }
            Err(error) => {
                self.incoming.end_import();
                self.messages.error(error);
            }
        }
    }

    /// Asks about the next file if no other question is open, and paints the next picture.
    pub(crate) fn serve_readings(&mut self) {
        if !self.overlays.is_open()
            && !self.ending.is_closing
            && let Some(file) = self.readings.waiting.pop_front()
        {
            self.readings.number += 1;
            let photo = self.workspace.photo();
            let photo = photo.map(|photo| photo.opened.preview.clone());
            let reading = Reading::new(self.readings.number, file, photo);
            let question = Question::Reading(Box::new(reading));
            self.overlays.show(Overlay::Question(question));
        }
        let Some(reading) = self.overlays.reading() else {
            return;
        };
        if let Some(format) = reading.begin_next() {
            let (number, path) = (reading.number, reading.file.path.clone());
            let photo = reading.photo.clone();
            let styles = self.style_source.clone();
            let read = move || {
                let photo = for_trials(photo)?;
                Ok(TrialJob { network: styles.network_as(&path, format)?, photo })
            };
            self.tasks.spawn(read, move |app, read| {
                app.handle_read((number, format), read);
            });
        }
    }

    /// Paints the picture whose network was read.
    fn handle_read(&mut self, of: (u64, PixelFormat), result: Result<TrialJob, String>) {
        // A picture of an earlier question arrives too late.
        let is_awaited = |r: &Reading| r.running.is_some_and(|format| (r.number, format) == of);
        let Some(reading) = self.overlays.reading().filter(|r| is_awaited(r)) else {
            return;
        };
        match result {
            Ok(job) => {
                reading.photo = Some(job.photo.clone());
                self.postpone_style_picture();
                self.readings.trial = Some(self.engine.try_out(job));
            }
            Err(error) => reading.end(Trial::Failed(remark(&error))),
        }
    }

    /// Shows a picture that was painted for the open question, or why there is none.
    pub(crate) fn handle_tried(
        &mut self,
        number: TrialNumber,
        result: Result<Arc<Painting>, EngineError>,
    ) {
        if self.readings.trial.take_if(|trial| *trial == number).is_none() {
            return;
        }
        let Some(reading) = self.overlays.reading() else {
            return;
        };
        reading.end(match result {
            Ok(painting) => Trial::Painted {
                texture: self.ctx.load_texture("reading", image_of(&painting.painted), PICTURE),
                one_color: OneColor::of(&painting.painted),
            },
            Err(error) => Trial::Failed(remark(&error.to_string())),
        });
    }

    /// Adds the file of the open question with this pixel format.
    pub(crate) fn take_reading(&mut self, format: PixelFormat) {
        match self.overlays.take() {
            Overlay::Question(Question::Reading(reading)) => {
                self.stop_trial();
                self.import_with(reading.file.path, move |styles, path| {
                    styles.import(path, PixelChoice::from(format))
                });
            }
            other => self.overlays.show(other),
        }
    }

    /// Handles that the question was closed without an answer.
    pub(crate) fn leave_reading(&mut self, reading: &Reading) {
        self.stop_trial();
        let name = name_label(&reading.file.path);
        self.messages.notice(format!("{name} was not added as a style."));
    }

    /// Postpones the question because another one replaces it.
    pub(crate) fn postpone_reading(&mut self) {
        if self.overlays.reading().is_none() {
            return;
        }
        if let Overlay::Question(Question::Reading(reading)) = self.overlays.take() {
            self.stop_trial();
            self.readings.waiting.push_front(reading.file);
        }
    }

    fn stop_trial(&mut self) {
        self.engine.cancel_trial();
        self.readings.trial = None;
    }
}
