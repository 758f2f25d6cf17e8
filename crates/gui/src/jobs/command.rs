//! Commands for jobs.

/// Commands for jobs; ids are those of entries.
#[derive(Debug, Clone, PartialEq)]
pub enum JobCommand {
    /// Ask where to save the contact sheet: the photo in every style.
    AskContactSheet,
    /// Show the dialog for the output folder of the form.
    AskTargetFolder,
    /// Add what the form for a folder describes to the queue.
    PaintFolder,
    /// Show the form for an export of the film.
    ExportFilm,
    /// Show the dialog for the file of the form.
    AskFile,
    /// Add what the form for a video describes to the queue.
    Export,
    Pause(bool),
    /// Stop it; if some of it is done, it stays in the list.
    Cancel(u64),
    /// Remove it, with the parts of a video, from the list.
    Remove(u64),
    Retry(u64),
    /// Paint the photos that were skipped, and replace their existing paintings.
    ReplaceSkipped(u64),
    /// Have it run before another one, or last.
    Move(u64, Option<u64>),
    ClearDone,
}
