//! Paintings are noted when they are saved, shown again, and taken off the list.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Event};

use super::{
    Viewed, is_video, kind,
    small::{Stamp, open_painting},
    strip, view,
};
use crate::gui::{
    app::App,
    file_list::FileList,
    intent::Intent,
    label::{name_label, path_label},
    messages::Offer,
    opened::Opened,
    stage::Seen,
};

/// Least height of the window in which the strip has its place, in points; in a lower one a button shows it.
const ROOM_FROM: f32 = 640.0;

/// Whether the window is so low that the picture needs the room.
pub fn is_low(ctx: &egui::Context) -> bool {
    ctx.content_rect().height() < ROOM_FROM
}

impl App {
    /// Notes that a painting was written into this file.
    pub(in crate::gui) fn note_painting(&mut self, path: &Path) {
        self.note_file(FileList::Paintings, path);
        self.paintings.note_written(path);
    }

    /// Whether the strip stands below the photo. It does before the first painting is saved where there is room: the
    /// photo does not move then.
    pub(in crate::gui) fn has_strip(&self) -> bool {
        let has_paintings = !self.settings.state.paintings.is_empty();
        let has_place = if is_low(&self.ctx) {
            has_paintings && self.paintings.is_open_low
        } else {
            has_paintings || self.workspace.photo().is_some()
        };
        self.live.is_none() && !self.full_screen.is_on() && has_place
    }

    /// Whether only the strip's button is seen, or in a low window nothing of it.
    fn folds_strip(&self) -> bool {
        if is_low(&self.ctx) {
            !self.paintings.is_open_low
        } else {
            self.settings.state.folds_paintings
        }
    }

    /// The button that shows the strip in a low window, and hides it, where there is something in it.
    pub(in crate::gui) fn strip_button(&self, ui: &mut egui::Ui) {
        if is_low(ui) && !self.settings.state.paintings.is_empty() {
            let folds = self.folds_strip();
            strip::button(ui, folds, false);
        }
    }

    /// Has the small pictures made that the strip lacks, and files looked at again when the window gets the focus.
    pub(in crate::gui) fn serve_paintings(&mut self) {
        if !self.has_strip() || self.folds_strip() {
            return;
        }
        if self.ctx.input(|i| i.events.contains(&Event::WindowFocused(true))) {
            let stamps = self.paintings.stamps();
            let look = move || {
                let is_other = |(path, stamp): &(PathBuf, Option<Stamp>)| Stamp::of(path) != *stamp;
                let others = stamps.into_iter().filter(is_other).map(|(path, _)| path);
                Ok(others.collect::<Vec<_>>())
            };
            self.tasks.spawn(look, |app, changed| {
                app.paintings.outdated.extend(changed.into_iter().flatten());
            });
        }
        self.make_small_picture(FileList::Paintings);
    }

    /// Draws the strip, where there is one.
    pub(in crate::gui) fn strip_ui(&mut self, ui: &mut egui::Ui) {
        let folds = if is_low(ui) { None } else { Some(self.settings.state.folds_paintings) };
        let listed = &self.settings.state.paintings;
        self.paintings.strip(ui, listed, folds);
    }

    /// Opens a painting of the list, to be seen.
    pub(in crate::gui) fn show_painting(&mut self, path: PathBuf) {
        self.paintings.opening = Some(path.clone());
        let file = path.clone();
        self.tasks.spawn(
            move || open_painting(file),
            |app, opened| app.handle_painting_opened(path, opened),
        );
    }

    /// Shows the painting so many places to the right in the strip, if there is one.
    pub(in crate::gui) fn step_painting(&mut self, by: isize) {
        let listed = &self.settings.state.paintings;
        // The one that is on its way counts: keys come faster than files.
        let from = self.paintings.opening.as_ref();
        let from = from.or(self.paintings.viewed.as_ref().map(|v| &v.path));
        let place = from.and_then(|path| listed.iter().position(|listed| listed == path));
        let next = place.and_then(|place| listed.get(place.checked_add_signed(by)?));
        let next = next.map(|path| Intent::ShowPainting(path.clone()));
        self.intents.extend(next);
    }

    /// A painting was opened to be seen; not when its file is gone.
    fn handle_painting_opened(
        &mut self,
        path: PathBuf,
        result: Result<Option<Box<Opened>>, String>,
    ) {
        let was_awaited = self.paintings.opening.take_if(|opening| *opening == path);
        if was_awaited.is_none() {
            return;
        }
        match result {
            Ok(Some(opened)) => {
                let framing = self.stage.framing;
                let before = self.seen_pictures();
                let mut viewed = Viewed::new(&self.ctx, path, &opened, framing);
                viewed.stage.appear_over(&self.ctx, before);
                self.paintings.scrolls_to_viewed = true;
                self.paintings.viewed = Some(viewed);
            }
            Ok(None) => {
                self.forget_gone(FileList::Paintings, &path);
                self.close_forgotten();
            }
            // Its player may know more of it.
            Err(error) if is_video(&path) => {
                let name = name_label(&path);
                let text = format!("{name} cannot be previewed: {error}");
                let offer = Offer { label: "Play", intent: Intent::Play(path), otherwise: None };
                self.messages.offer(text, offer);
            }
            Err(error) => self.messages.error(error),
        }
    }

    /// The photo and its painting, or the saved painting that is seen large in their place.
    pub(in crate::gui) fn seen_pictures(&self) -> Seen {
        let viewed = self.paintings.viewed().map(|viewed| &viewed.stage);
        viewed.unwrap_or(&self.stage).seen_pictures()
    }

    /// Takes a painting off the list; its file stays.
    pub(in crate::gui) fn forget_painting(&mut self, path: &Path) {
        self.forget_file(FileList::Paintings, path);
        self.close_forgotten();
    }

    /// Takes all paintings off the list; their files stay.
    pub(in crate::gui) fn clear_paintings(&mut self) {
        self.clear_files(FileList::Paintings);
        self.close_forgotten();
    }

    /// Shows the photo again where the painting that is seen large is in the list no more.
    fn close_forgotten(&mut self) {
        let listed = &self.settings.state.paintings;
        let viewed = self.paintings.viewed();
        if viewed.is_some_and(|viewed| !listed.contains(&viewed.path)) {
            // One that is on its way is shown nevertheless.
            let opening = self.paintings.opening.take();
            self.close_painting();
            self.paintings.opening = opening;
        }
    }

    /// Lets the photo appear again over the painting that was seen large; `false` when none was seen or opened.
    pub(in crate::gui) fn close_painting(&mut self) -> bool {
        let viewed = self.paintings.viewed();
        if let Some(viewed) = viewed.filter(|_| self.workspace.photo().is_some()) {
            self.stage.appear_over(&self.ctx, viewed.stage.seen_pictures());
        }
        self.paintings.close_view()
    }

    /// Folds the strip away, or unfolds it.
    pub(in crate::gui) fn fold_paintings(&mut self, folds: bool) {
        if is_low(&self.ctx) {
            self.paintings.is_open_low = !folds
        } else {
            self.settings.state.folds_paintings = folds;
            self.settings_changed();
        }
    }

    /// Lets what is meant for the painting that is seen large reach it, and shows the photo again before it changes;
    /// `true` when nothing is left to do.
    pub(in crate::gui) fn meet_viewed(&mut self, intent: &Intent) -> bool {
        match (self.paintings.viewed(), intent) {
            (Some(viewed), Intent::Copy) if is_video(&viewed.path) => {
                self.messages.notice("A video cannot be copied as a picture. Use “Show in folder”.")
            }
            (Some(viewed), Intent::Copy) => self.copy_file(viewed.path.clone()),
            (Some(viewed), Intent::Save) => {
                let path = path_label(&viewed.path);
                let what = kind(&viewed.path);
                self.messages.notice(format!("This {what} is already saved as {path}"));
            }
            (
                _,
                Intent::PickStyle(_)
                | Intent::StepStyle(_)
                | Intent::Edit(_)
                | Intent::Undo
                | Intent::Redo
                | Intent::ToggleCrop
                | Intent::EnterLive,
            ) => {
                self.close_painting();
                return false;
            }
            _ => return false,
        }
        true
    }

    /// Whether a painting of the strip is seen large.
    pub(in crate::gui) fn shows_painting(&self) -> bool {
        self.live.is_none() && self.paintings.viewed().is_some()
    }

    /// Draws the buttons for the painting that is seen large; `false` when none is.
    pub(in crate::gui) fn viewed_buttons(&self, ui: &mut egui::Ui) -> bool {
        let viewed = self.paintings.viewed().filter(|_| self.live.is_none());
        if let Some(viewed) = viewed {
            view::buttons(ui, &viewed.path);
        }
        viewed.is_some()
    }
}
