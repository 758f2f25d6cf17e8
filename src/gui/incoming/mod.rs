//! Dropped or pasted pictures: to paint, or to add as styles.
//!
//! While files are dragged over the window, the stage shows two drop targets. Most window systems do not report the
//! position of the pointer during a drag, so the system is queried repeatedly
//! ([`Platform::pointer`](super::platform::Platform::pointer)), and once for every drop. A drop outside the targets, or
//! at an unknown position, opens a photo, and a message offers to make a style of it instead.

mod flow;
mod targets;

use std::path::PathBuf;

use eframe::egui::{self, Pos2, Rect};

use super::opened::Opened;

/// How dropped or pasted pictures are used.
#[derive(Clone, Copy, PartialEq)]
pub enum PictureUse {
    /// Paint it.
    Photo,
    /// Paint them one after the other, as the user chooses: open the first one, and add the others to the list of
    /// recent photos.
    OneByOne,
    /// Add it as a style.
    Style,
    /// Not specified: open it as a photo, and show a message that offers to make a style of it.
    Unsaid,
    /// Ask the user.
    Asked,
}

/// What was shown before a photo.
pub struct Before {
    /// The photo on the table.
    pub photo: Option<Opened>,
    /// Whether live mode was active.
    pub was_live: bool,
}

/// Dragged files, dropped files, and what was shown before.
#[derive(Default)]
pub struct Incoming {
    /// The last known position of the pointer.
    pub pointer: Option<Pos2>,
    /// When the pointer is queried next while files are dragged, by egui's clock.
    pub ask_at: f64,
    /// The stage's area while the targets are shown over it.
    pub targets_over: Option<Rect>,
    /// The photo that is being opened because its use was not specified.
    pub unsaid: Option<PathBuf>,
    /// What was shown before the photo that a message is about.
    pub before: Option<Before>,
    /// Number of files and pictures that are being added as styles.
    pub importing: usize,
}

impl Incoming {
    pub fn end_import(&mut self) {
        self.importing = self.importing.saturating_sub(1);
    }

    /// Draws the targets over the stage while files are dragged over the window.
    pub fn ui(&mut self, ui: &egui::Ui, area: Rect, is_live: bool) {
        let shown = targets::ui(ui, area, self.pointer, is_live);
        self.targets_over = shown.then_some(area);
    }
}
