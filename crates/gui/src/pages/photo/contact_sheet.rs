//! The photo in every style as one picture: a batch of that photo, whose paintings are collected and then written.
//!
//! The sheet keeps its own photo, so the photo on the table may change in the meantime.

use std::path::PathBuf;

use crate::{
    app::App,
    jobs::batch::{Batch, Phase, Sheet},
    shell::platform::Dialog,
    styles::mix::Parts,
};
use pictures::encode::Encoding;
use values::disk::free_path;

/// Why no sheet can be made.
pub const NO_SHEET: &str =
    "Open a photo first, or wait until the folder or the contact sheet in progress is done.";

impl App {
    pub(crate) fn can_make_sheet(&self) -> bool {
        self.batch.as_ref().is_none_or(Batch::is_over) && self.workspace.photo().is_some()
    }

    /// Asks where to save the sheet.
    pub(crate) fn ask_contact_sheet(&mut self) {
        let format = self.format();
        let file_name = format!("{}-styles.{}", self.workspace.photo_stem(), format.extension());
        self.ask(Dialog::Save { file_name, format }, Self::begin_contact_sheet);
    }

    /// Starts the sheet that is to be saved at `path`, or under a similar name if that is taken.
    fn begin_contact_sheet(&mut self, path: PathBuf) {
        let Some(photo) = self.workspace.photo().filter(|_| self.can_make_sheet()) else {
            return self.messages.notice(NO_SHEET);
        };
        let (title, photo) = (photo.opened.title(), photo.framed.frame.clone());
        let (path, format) = self.with_format(path);
        let encoding =
            Encoding { quality: self.settings.choices.jpeg_quality, ..Encoding::of(format) };
        let sheet = Sheet::new(photo, free_path(path), encoding);
        let styles = self
            .gallery
            .cards
            .iter()
            .map(|card| self.batch_style(&card.id, &Parts::new()))
            .collect();
        self.confirm_styles(Batch::of_sheet(sheet, title), styles);
    }

    /// Writes the sheet whose styles have been painted.
    pub(crate) fn write_contact_sheet(&mut self) {
        let Some(batch) = self.batch.take_if(|batch| batch.sheet.is_some()) else {
            return;
        };
        let (Some(sheet), Phase::Ended { cancelled: false }) = (batch.sheet, batch.phase) else {
            return;
        };
        let failures: String =
            batch.failures.iter().map(|(name, why)| format!(" {name}: {why}.")).collect();
        if !failures.is_empty() {
            self.messages.error(format!("These styles are not on the contact sheet.{failures}"));
        }
        self.tasks.spawn_writing(
            move || sheet.write(),
            |app, path| match path {
                Ok(path) => {
                    app.report_saved(&path);
                    app.note_painting(&path);
                }
                Err(error) => app.messages.error(error),
            },
        );
    }
}
