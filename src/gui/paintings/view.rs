//! A painting of the strip shown instead of the photo, and its buttons.

use std::path::{Path, PathBuf};

use eframe::egui;

use super::{is_video, kind};
use crate::gui::{
    intent::Intent,
    key_chips,
    opened::Opened,
    stage::{Framing, Stage},
    theme,
};

/// A painting that is shown large.
pub struct Viewed {
    pub path: PathBuf,
    /// Its name and size, as text.
    pub words: String,
    /// Its zoom.
    pub stage: Stage,
}

impl Viewed {
    /// Shows the opened painting, fitted to the stage.
    pub fn new(ctx: &egui::Context, path: PathBuf, opened: &Opened, framing: Framing) -> Self {
        let mut stage = Stage::default();
        stage.framing = framing;
        let name = format!("Saved {}", kind(&path));
        stage.set_names(&name, &name);
        let frame = &opened.photo.frame;
        stage.set_photo(ctx, &opened.preview, frame.clone());
        let (width, height) = (frame.width(), frame.height());
        Self { words: format!("{}, {width} × {height} px", opened.title()), path, stage }
    }
}

/// The actions for a painting of the strip, in display order: names and intents.
pub fn actions(path: &Path) -> Vec<(&'static str, Intent)> {
    let owned = || path.to_owned();
    let mut actions = vec![("Show in folder", Intent::ShowInFolder(owned()))];
    if is_video(path) {
        actions.insert(0, ("Play", Intent::Play(owned())));
    } else {
        actions.push(("Copy", Intent::CopyFile(owned())));
        actions.push(("Open as a photo", Intent::OpenFiles(vec![owned()])));
    }
    actions.push(("Remove from the list", Intent::ForgetPainting(owned())));
    actions
}

/// The buttons below a painting that is shown large.
pub fn buttons(ui: &mut egui::Ui, path: &Path) {
    ui.horizontal_wrapped(|ui| {
        let size = egui::vec2(0.0, 32.0);
        let back = theme::main_button(ui, "Back", true).min_size(size);
        if key_chips::hint(ui.add(back), "Show the photo again.", "Esc").clicked() {
            Intent::ClosePainting.send(ui);
        }
        for (name, intent) in actions(path) {
            let mut response = ui.add(egui::Button::new(name).min_size(size));
            if matches!(intent, Intent::ForgetPainting(_)) {
                response = response.on_hover_text("The file stays.");
            }
            if response.clicked() {
                intent.send(ui);
            }
        }
    });
}
