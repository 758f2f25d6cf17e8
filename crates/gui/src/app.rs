//! The window's state: the shell, the table of pages, and the jobs.
//!
//! Everything runs on the window's thread and never waits. [`Tasks`](crate::shell::tasks::Tasks) read and write files,
//! show dialogs and use the clipboard; the engine paints; the compositor combines paintings with photos. Only `frame`
//! knows every page of the table.

use std::{path::PathBuf, sync::Arc};

use crate::{
    jobs::Jobs,
    pages::{film::FilmPage, live::LivePage, photo::PhotoPage},
    shell::{platform::Platform, state::ShellOf},
    styles::source::StyleSource,
};
use backend::OpenDevice;
use settings::Settings;

/// The parts that a window starts with.
pub struct Launch {
    pub platform: Arc<dyn Platform>,
    pub style_source: Arc<dyn StyleSource>,
    /// Opens devices; runs on the engine's thread.
    pub open_device: OpenDevice,
    /// The stored settings, and warnings about their file.
    pub settings: (Settings, Vec<String>),
    /// Where settings are written; `None` does not write them.
    pub settings_path: Option<PathBuf>,
    /// Files to open at the start.
    pub files: Vec<PathBuf>,
    /// Starts in live mode if no photo is to be opened.
    pub live: bool,
    /// Returns the texts of all licences, or why they cannot be read.
    pub licences: fn() -> Result<String, String>,
}

/// What every page uses.
pub(crate) type Shell = ShellOf<App>;

/// The window.
pub struct App {
    pub(super) shell: Shell,
    pub(super) photo: PhotoPage,
    pub(super) film: FilmPage,
    pub(super) live: LivePage,
    pub(super) jobs: Jobs,
    pub(super) licences: fn() -> Result<String, String>,
}
