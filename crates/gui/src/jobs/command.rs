//! Commands for jobs.

use crate::jobs::exports::Action;

/// Commands for jobs.
#[derive(Debug, Clone, PartialEq)]
pub enum JobCommand {
    /// Ask where to save the contact sheet: the photo in every style.
    AskContactSheet,
    /// Show the dialog for the output folder of a batch.
    AskTargetFolder,
    StartBatch,
    StopBatch,
    /// Pause the batch after its current photo, or continue it.
    PauseBatch(bool),
    /// Also paint the photos that the batch skipped, and replace their existing paintings.
    ReplaceSkipped,
    /// Close the card of the batch.
    CloseBatch,
    Exports(Action),
    /// Show the form for an export of the film.
    ExportFilm,
}
