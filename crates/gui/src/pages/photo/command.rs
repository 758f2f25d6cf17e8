//! Commands of the photo page.

use std::path::PathBuf;

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
    /// Open a photo from the list of recent photos.
    OpenRecent(PathBuf),
    /// The list of recent photos was opened: load its thumbnails.
    SeeRecents,
    /// Clear the list of recent photos.
    ClearRecents,
    OpenSample,
    /// Read the clipboard.
    Paste,
    /// Show this saved painting large.
    ShowPainting(PathBuf),
    /// Show the photo again instead of a saved painting.
    ClosePainting,
    /// Remove this painting from the list of saved paintings; keep its file.
    ForgetPainting(PathBuf),
    /// Clear the list of saved paintings; keep the files.
    ClearPaintings,
    /// Show or hide the strip of saved paintings.
    ToggleStrip,
    /// Paint with the default detail.
    UsualDetail,
    /// Stop painting.
    Cancel,
    /// Start cropping the photo, or cancel it.
    ToggleCrop,
    /// Crop the photo to the chosen rectangle.
    ApplyCrop,
}
