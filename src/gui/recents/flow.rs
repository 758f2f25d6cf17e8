//! Photos are noted when they are opened, and opened again.

use std::path::{Path, PathBuf};

use eframe::egui;

use super::Recent;
use crate::{
    gui::{app::App, label::path_label, paintings::put_first},
    settings::MOST_RECENT,
};

impl App {
    /// The photos that were opened last.
    pub(in crate::gui) fn recent(&self) -> Recent<'_> {
        Recent {
            files: &self.settings.state.recent_photos,
            paintings: &self.paintings,
        }
    }

    /// Notes that the photo of this file was opened.
    pub(in crate::gui) fn note_recent(&mut self, ctx: &egui::Context, path: &Path) {
        if put_first(&mut self.settings.state.recent_photos, path, MOST_RECENT) {
            self.settings_changed(ctx);
        }
    }

    /// Opens a photo of the list.
    pub(in crate::gui) fn open_recent(&mut self, path: PathBuf) {
        let ticket = self.ticket();
        self.opening.newest = ticket;
        self.opening.is_running = true;
        self.background.open_recent(ticket, path);
    }

    /// A photo of the list is not there any more.
    pub(in crate::gui) fn handle_recent_gone(
        &mut self,
        ctx: &egui::Context,
        ticket: u64,
        path: &Path,
    ) {
        if ticket == self.opening.newest {
            self.opening.is_running = false;
        }
        self.settings.state.recent_photos.retain(|p| p != path);
        self.settings_changed(ctx);
        self.messages.error(format!(
            "{} is no longer there. It was taken off the list of recent photos.",
            path_label(path)
        ));
    }

    /// Forgets which photos were opened.
    pub(in crate::gui) fn clear_recents(&mut self, ctx: &egui::Context) {
        self.settings.state.recent_photos.clear();
        self.settings_changed(ctx);
    }
}
