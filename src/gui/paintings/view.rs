//! A painting of the strip shown instead of the photo, and its buttons.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Button, Label, Rect, RichText, Ui, Vec2};

use super::{is_video, kind};
use crate::gui::{
    choice::Choice,
    fonts::icons,
    intent::{Intent, Sends},
    key_chips,
    label::label,
    opened::Opened,
    stage::{Framing, Stage},
    theme::{self, HintBeside},
};

/// Width and height of the play button over a video, in points.
const PLAY: f32 = 72.0;

/// A painting that is shown large.
pub struct Viewed {
    pub path: PathBuf,
    /// Its name and size, as text.
    pub words: String,
    /// Its settings: keywords and texts; empty if its file does not contain them.
    pub texts: Vec<(String, String)>,
    /// Its zoom.
    pub stage: Stage,
}

impl Viewed {
    /// Shows the opened painting, fitted to the stage.
    pub fn new(
        ctx: &egui::Context,
        path: PathBuf,
        (opened, texts): (&Opened, Vec<(String, String)>),
        framing: Framing,
    ) -> Self {
        let mut stage = Stage::default();
        stage.framing = framing;
        let name = format!("Saved {}", kind(&path));
        stage.set_names(&name, &name);
        let frame = &opened.photo.frame;
        stage.set_photo(ctx, &opened.preview, frame.clone());
        let (width, height) = frame.size();
        let words = format!("{}, {width} × {height} px", opened.title());
        Self { words, path, texts, stage }
    }

    /// Draws the painting, or the first frame of a video with a button that plays it.
    pub fn ui(&mut self, ui: &mut Ui) {
        self.stage.ui(ui);
        if is_video(&self.path) {
            let place = Rect::from_center_size(self.stage.rect.center(), Vec2::splat(PLAY));
            let play = Button::new(RichText::new(icons::PLAY).size(32.0)).corner_radius(PLAY / 2.0);
            let play = ui.put(place, play).accessible_name("Play the video");
            play.sends(Intent::Play(self.path.clone()));
        }
    }
}

/// The settings in a file, and the button that paints the photo with the `choice` that they make, unless that needs
/// the `missing` style.
pub fn settings(
    ui: &mut Ui,
    texts: &[(String, String)],
    (choice, missing): (Option<&Choice>, Option<&str>),
) {
    theme::group_title(ui, "Saved file");
    if texts.is_empty() {
        theme::caption(ui, "This file does not contain its settings.");
    }
    for (name, text) in texts {
        let text = label(text);
        theme::row(ui, &label(name), |ui, _| ui.add(Label::new(&text).truncate()));
    }
    if let Some(choice) = choice {
        ui.add_space(theme::GAP);
        let again = ui.add_enabled(missing.is_none(), Button::new("Paint again with these"));
        let missing = missing.map(|style| format!("The style {style} is not in the list."));
        let again = again.on_disabled_hover_text(missing.unwrap_or_default());
        again
            .hint_beside("Paint the open photo with these settings.")
            .sends(Intent::Edit(choice.clone()));
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
pub fn buttons(ui: &mut Ui, path: &Path) {
    ui.horizontal_wrapped(|ui| {
        let size = egui::vec2(0.0, 32.0);
        let back = theme::main_button(ui, "Back", true).min_size(size);
        key_chips::hint(ui.add(back), "Show the photo again.", "Esc").sends(Intent::ClosePainting);
        for (name, intent) in actions(path) {
            let mut response = ui.add(Button::new(name).min_size(size));
            if matches!(intent, Intent::ForgetPainting(_)) {
                response = response.on_hover_text("The file stays.");
            }
            response.sends(intent);
        }
    });
}
