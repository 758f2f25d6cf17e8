//! Commands of the photo page.

use std::path::PathBuf;

/// A list of files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FileList {
    /// The photos that were opened together.
    Opened,
    /// The recently opened photos.
    Recent,
    /// The saved paintings.
    Paintings,
}

/// Commands of the photo page.
#[derive(Debug, Clone, PartialEq)]
pub enum PhotoCommand {
    /// Show the dialog to open a photo.
    AskOpen,
    /// Show the dialog to open a video.
    AskVideo,
    /// Show the dialog to open a folder of photos.
    AskFolder,
    /// Open these files: a photo, a checkpoint, a folder, or several photos.
    OpenFiles(Vec<PathBuf>),
    /// Paint all opened photos as the one on the table.
    PaintOpened,
    /// Open a photo from the list of recent photos.
    OpenRecent(PathBuf),
    OpenSample,
    /// Read the clipboard.
    Paste,
    /// Show this saved painting large.
    ShowPainting(PathBuf),
    /// Show the photo again instead of a saved painting.
    ClosePainting,
    /// Remove a file from a list; keep the file.
    Forget(FileList, PathBuf),
    /// Clear a list; keep the files.
    Clear(FileList),
    /// Show or hide the strip.
    ToggleStrip,
    /// Paint with this brush.
    Detail(usize),
    /// Stop painting.
    Cancel,
    /// Start cropping the photo, or cancel it.
    ToggleCrop,
    /// Crop the photo to the chosen rectangle.
    ApplyCrop,
}
