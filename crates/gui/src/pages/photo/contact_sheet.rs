//! The photo in every style as one picture: a batch of that photo, whose paintings are collected and then written.
//!
//! The sheet keeps its own photo, so the photo on the table may change in the meantime.

use std::path::PathBuf;

use crate::{
    app::Shell,
    jobs::{
        Jobs,
        batch::{Batch, Phase, Sheet},
    },
    shell::platform::Dialog,
    styles::mix::Parts,
};
use pictures::encode::Encoding;
use values::disk::free_path;

/// Why no sheet can be made.
pub const NO_SHEET: &str =
    "Open a photo first, or wait until the folder or the contact sheet in progress is done.";

impl Jobs {
    pub fn can_make_sheet(&self, shell: &Shell) -> bool {
        self.batch.as_ref().is_none_or(Batch::is_over) && shell.workspace.photo().is_some()
    }

    /// Starts the sheet that is to be saved at `path`, or under a similar name if that is taken.
    fn begin_contact_sheet(&mut self, shell: &mut Shell, path: PathBuf) {
        let Some(photo) = shell.workspace.photo().filter(|_| self.can_make_sheet(shell)) else {
            return shell.messages.notice(NO_SHEET);
        };
        let (title, photo) = (photo.opened.title(), photo.framed.frame.clone());
        let (path, format) = shell.with_format(path);
        let encoding =
            Encoding { quality: shell.settings.choices.jpeg_quality, ..Encoding::of(format) };
        let sheet = Sheet::new(photo, free_path(path), encoding);
        let styles = shell
            .styles
            .gallery
            .cards
            .iter()
            .map(|card| shell.batch_style(&card.id, &Parts::new()))
            .collect();
        self.confirm_styles(shell, Batch::of_sheet(sheet, title), styles);
    }

    /// Writes the sheet whose styles have been painted.
    pub fn write_contact_sheet(&mut self, shell: &mut Shell) {
        let Some(batch) = self.batch.take_if(|batch| batch.sheet.is_some()) else {
            return;
        };
        let (Some(sheet), Phase::Ended { cancelled: false }) = (batch.sheet, batch.phase) else {
            return;
        };
        let failures: String =
            batch.results.failures.iter().map(|(name, why)| format!(" {name}: {why}.")).collect();
        if !failures.is_empty() {
            shell.messages.error(format!("These styles are not on the contact sheet.{failures}"));
        }
        shell.tasks.spawn_writing(
            move || sheet.write(),
            |app, path| match path {
                Ok(path) => {
                    app.shell.messages.report_saved(&path);
                    app.photo.note_painting(&mut app.shell, &path);
                }
                Err(error) => app.shell.messages.error(error),
            },
        );
    }
}

/// Asks where to save the sheet.
pub fn ask_contact_sheet(shell: &mut Shell) {
    let format = shell.format();
    let file_name = format!("{}-styles.{}", shell.workspace.photo_stem(), format.extension());
    shell.ask(Dialog::Save { file_name, format }, |app, path| {
        app.jobs.begin_contact_sheet(&mut app.shell, path)
    });
}
