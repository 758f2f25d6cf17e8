//! Commands for the looks.

use std::{path::PathBuf, sync::Arc};

/// Commands for the looks.
#[derive(Debug, Clone, PartialEq)]
pub enum LookCommand {
    /// Paint in the look of this file.
    Use(PathBuf),
    /// Show again what was shown before the photo in this file, and paint it in the file's look.
    Prefer(PathBuf),
    /// Ask for a name for the look that paints.
    Save,
    /// Ask for a new name for the look in this file.
    Rename(PathBuf),
    /// Ask for a file to write the look in this file to.
    Export(PathBuf),
    Remove(PathBuf),
    /// Write the file of a removed look again.
    Restore(PathBuf, Arc<[u8]>),
}
