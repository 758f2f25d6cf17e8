//! Photos of the list are opened again.

use std::path::{Path, PathBuf};

use eframe::egui;

use super::Recent;
use crate::gui::{app::App, file_list::FileList};

impl App {
    /// The photos that were opened last.
    pub(in crate::gui) fn recent(&self) -> Recent<'_> {
        Recent { files: &self.settings.state.recent_photos, paintings: &self.paintings }
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
        self.forget_gone(ctx, FileList::Recent, path);
    }
}
