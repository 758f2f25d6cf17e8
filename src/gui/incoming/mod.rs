//! Pictures that come from outside, dropped or pasted: to be painted, or to be a style.
//!
//! While files hover over the window two targets lie over the stage. Window systems hardly ever tell a window where
//! the pointer is meanwhile, so the system is asked ([`Platform::pointer`](super::platform::Platform::pointer)), also
//! once for every drop. A drop beside the targets, or where nobody knows the pointer, opens a photo, and a message
//! offers to make a style of it instead.

mod flow;
mod picture_use;
mod question;
mod targets;

use std::path::PathBuf;

use eframe::egui::{self, Pos2, Rect};

pub use picture_use::PictureUse;
pub use question::question_ui;

use super::opened::Opened;

/// Pictures that a question is about.
pub enum IncomingPictures {
    /// One of the clipboard.
    Picture(Box<Opened>),
    /// Files.
    Files(Vec<PathBuf>),
}

/// What was shown before a photo.
pub struct Before {
    /// The photo on the table.
    pub photo: Option<Opened>,
    /// Whether live pictures were shown.
    pub was_live: bool,
}

/// Files that hover, files that were dropped, and what was shown before.
#[derive(Default)]
pub struct Incoming {
    /// Where the pointer was when it was known last.
    pub pointer: Option<Pos2>,
    /// When the pointer was asked for last, by egui's clock.
    pub asked_at: Option<f64>,
    /// Whether the answer is still to come.
    pub is_asking: bool,
    /// The stage while the targets lie over it.
    pub targets_over: Option<Rect>,
    /// What was dropped while the pointer is being asked for, and the stage then.
    pub dropped: Vec<(Vec<PathBuf>, Option<Rect>)>,
    /// The photo that is being opened because nobody said what it is for.
    pub unsaid: Option<PathBuf>,
    /// What was shown before the photo that a message is about.
    pub before: Option<Before>,
    /// Files and pictures that are being added as styles.
    pub importing: usize,
}

impl Incoming {
    /// Draws the targets over the stage while files hover.
    pub fn ui(&mut self, ui: &egui::Ui, area: Rect, is_live: bool) {
        let shown = targets::ui(ui, area, self.pointer, is_live);
        self.targets_over = shown.then_some(area);
    }
}
