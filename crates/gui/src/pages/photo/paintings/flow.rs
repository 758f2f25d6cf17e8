//! The lists of files in the settings, newest first: the recently opened photos and the saved paintings. Adds paintings
//! when they are saved, shows them again, and removes them from the list.

use std::path::{Path, PathBuf};

use eframe::egui::{self, Ui};

use super::{SmallPicture, Stamp, Viewed, is_film, kind, open_painting, strip};
use crate::{
    app::App,
    choice::{Choice, of_painting},
    intent::Intent,
    styles::mix,
    widgets::{
        label::{name_label, path_label},
        stage::ShownPictures,
        theme,
    },
};
use settings::{MAX_PAINTINGS, MAX_RECENT, State};

/// Window height below which the strip is folded at first, in points.
const ROOM_FROM: f32 = 640.0;

/// True if the window is so low that the picture needs the space of the strip.
pub fn is_low(ctx: &egui::Context) -> bool {
    ctx.content_rect().height() < ROOM_FROM
}

impl App {
    /// Notes that a painting was written to this file.
    pub(crate) fn note_painting(&mut self, path: &Path) {
        self.note_file(FileList::Paintings, path);
        self.paintings.note_written(path);
    }

    /// True if there is a strip, shown or folded. If there is space, there is one even before the first painting is
    /// saved, so that the photo does not move then.
    fn offers_strip(&self) -> bool {
        let may_be_empty = !is_low(&self.ctx) && self.workspace.photo().is_some();
        self.live.is_none() && (may_be_empty || !self.settings.state.paintings.is_empty())
    }

    fn folds_strip(&self) -> bool {
        if is_low(&self.ctx) {
            !self.paintings.is_open_low
        } else {
            self.settings.state.folds_paintings
        }
    }

    pub(crate) fn has_strip(&self) -> bool {
        self.offers_strip() && !self.folds_strip() && !self.full_screen.is_on
    }

    /// The button that shows or hides the strip.
    pub(crate) fn strip_button(&self, ui: &mut Ui) {
        if self.offers_strip() {
            strip::button(ui, self.folds_strip());
        }
    }

    /// Makes missing thumbnails of the strip, and checks the files again when the window gets the focus.
    pub(crate) fn serve_paintings(&mut self) {
        if self.live.is_none() {
            // Before the list is opened, so that it opens with its pictures.
            self.make_small_picture(FileList::Recent);
        }
        if !self.has_strip() {
            return;
        }
        if self.has_regained_focus() {
            let stamps = self.paintings.stamps();
            let look = move || {
                let others = stamps.into_iter().filter(|(path, stamp)| Stamp::of(path) != *stamp);
                Ok(others.map(|(path, _)| path).collect::<Vec<_>>())
            };
            self.tasks.spawn(look, |app, changed| {
                app.paintings.outdated.extend(changed.into_iter().flatten());
            });
        }
        self.make_small_picture(FileList::Paintings);
    }

    /// Opens a painting of the list to show it large.
    pub(crate) fn show_painting(&mut self, path: PathBuf) {
        self.paintings.opening = Some(path.clone());
        let file = path.clone();
        self.tasks.spawn(
            move || open_painting(file),
            |app, opened| {
                if app.paintings.opening.take_if(|opening| *opening == path).is_none() {
                    return;
                }
                match opened {
                    Ok(Some((painting, texts))) => {
                        let framing = app.stage.framing;
                        let before = app.seen_pictures();
                        let mut viewed = Viewed::new(&app.ctx, path, &painting, texts, framing);
                        viewed.stage.appear_over(&app.ctx, before);
                        app.paintings.scrolls_to_viewed = true;
                        app.paintings.viewed = Some(viewed);
                    }
                    Ok(None) => app.forget_gone(FileList::Paintings, &path),
                    // A video player may be able to play a file that cannot be read here.
                    Err(error) if is_film(&path) => {
                        let text = format!("{} cannot be previewed: {error}", name_label(&path));
                        app.messages.offer(text, ("Play", Intent::Play(path)));
                    }
                    Err(error) => app.messages.error(error),
                }
            },
        );
    }

    /// Shows the painting `by` positions to the right in the strip, if there is one.
    pub(crate) fn step_painting(&mut self, by: isize) {
        let listed: Vec<_> = self
            .settings
            .state
            .paintings
            .iter()
            .filter(|path| !self.paintings.is_gone(path))
            .collect();
        // Start from the painting that is being opened, because key presses are faster than reading files.
        let place = self
            .paintings
            .opening
            .as_ref()
            .or(self.paintings.viewed.as_ref().map(|v| &v.path))
            .and_then(|path| listed.iter().position(|listed| *listed == path));
        let next = place.and_then(|place| listed.get(place.checked_add_signed(by)?));
        self.intents.extend(next.map(|path| Intent::ShowPainting((*path).clone())));
    }

    /// The photo and its painting, or the saved painting that is shown large instead.
    pub(crate) fn seen_pictures(&self) -> ShownPictures {
        self.paintings.viewed.as_ref().map_or(&self.stage, |viewed| &viewed.stage).seen_pictures()
    }

    /// Shows the photo again if the painting that is shown large is no longer in the list.
    fn close_forgotten(&mut self) {
        let listed = &self.settings.state.paintings;
        let viewed = self.paintings.viewed.as_ref();
        if viewed.is_some_and(|viewed| !listed.contains(&viewed.path)) {
            // A painting that is being opened is still shown.
            let opening = self.paintings.opening.take();
            self.close_painting();
            self.paintings.opening = opening;
        }
    }

    /// Fades the photo in over the painting that was shown large; returns `false` if none was shown or being opened.
    pub(crate) fn close_painting(&mut self) -> bool {
        let viewed = self.paintings.viewed.as_ref();
        if let Some(viewed) = viewed.filter(|_| self.workspace.photo().is_some()) {
            self.stage.appear_over(&self.ctx, viewed.stage.seen_pictures());
        }
        self.paintings.close_view()
    }

    /// Folds or unfolds the strip.
    pub(crate) fn toggle_strip(&mut self) {
        let folds = if is_low(&self.ctx) {
            &mut self.paintings.is_open_low
        } else {
            &mut self.settings.state.folds_paintings
        };
        *folds = !*folds;
        self.settings_changed();
    }

    /// Applies an intent to the painting that is shown large, or shows the photo again before the intent changes it.
    /// Returns `true` if the intent is done.
    pub(crate) fn perform_on_viewed(&mut self, intent: &Intent) -> bool {
        match (&self.paintings.viewed, intent) {
            (Some(viewed), Intent::Copy) if is_film(&viewed.path) => {
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

    pub(crate) fn shows_painting(&self) -> bool {
        self.live.is_none() && self.paintings.viewed.is_some()
    }

    /// The choice with the settings of the painting that is shown large, if its file contains them.
    pub(crate) fn viewed_choice(&self) -> Option<Choice> {
        of_painting(&self.paintings.viewed.as_ref()?.texts, &self.workspace.choice)
    }

    /// Draws the settings of the painting that is shown large; returns `false` if no painting is shown large.
    pub(crate) fn viewed_settings(&self, ui: &mut Ui) -> bool {
        let Some(viewed) = &self.paintings.viewed else {
            return false;
        };
        let choice = self.viewed_choice();
        let mut styles =
            choice.iter().flat_map(|choice| &choice.mix.styles).map(|(style, _)| style.as_str());
        let missing = styles.find(|style| self.gallery.card(style).is_none());
        let parts = choice.as_ref().map_or_else(Vec::new, Choice::parts);
        let mix = mix::text(&parts, |style| self.title_of(style));
        strip::settings(ui, &viewed.texts, &mix, choice.as_ref(), missing);
        true
    }

    /// Draws the buttons of the painting that is shown large; returns `false` if no painting is shown large.
    pub(crate) fn viewed_buttons(&self, ui: &mut Ui) -> bool {
        let viewed = self.paintings.viewed.as_ref().filter(|_| self.live.is_none());
        if let Some(viewed) = viewed {
            ui.horizontal_wrapped(|ui| {
                strip::buttons(ui, &viewed.path);
                theme::at_the_right(ui, "views of the painting", |ui| self.strip_button(ui));
            });
        }
        viewed.is_some()
    }
}

#[derive(Clone, Copy)]
pub enum FileList {
    /// The recently opened photos.
    Recent,
    /// The saved paintings.
    Paintings,
}

impl FileList {
    /// The files, their maximum number, and their kind as text.
    fn of(self, state: &mut State) -> (&mut Vec<PathBuf>, usize, &'static str) {
        match self {
            Self::Recent => (&mut state.recent_photos, MAX_RECENT, "recent photos"),
            Self::Paintings => (&mut state.paintings, MAX_PAINTINGS, "saved paintings"),
        }
    }
}

/// Moves a file to the front of a list of at most `most` files; returns `false` if it already is at the front.
fn put_first(listed: &mut Vec<PathBuf>, path: &Path, most: usize) -> bool {
    let is_new = listed.first().is_none_or(|first| first != path);
    if is_new {
        listed.retain(|other| other != path);
        listed.insert(0, path.to_owned());
        listed.truncate(most);
    }
    is_new
}

impl App {
    /// Moves a file to the front of its list.
    pub(crate) fn note_file(&mut self, list: FileList, path: &Path) {
        let (listed, most, _) = list.of(&mut self.settings.state);
        if put_first(listed, path, most) {
            self.file_lists_changed();
        }
    }

    /// Removes a file from its list; keeps the file.
    pub(crate) fn forget_file(&mut self, list: FileList, path: &Path) {
        list.of(&mut self.settings.state).0.retain(|other| other != path);
        self.file_lists_changed();
    }

    /// Removes a file that no longer exists from its list, and reports that.
    pub(crate) fn forget_gone(&mut self, list: FileList, path: &Path) {
        self.forget_file(list, path);
        self.messages.error(format!(
            "{} no longer exists and was removed from the list of {}.",
            path_label(path),
            list.of(&mut self.settings.state).2
        ));
    }

    /// Clears a list; keeps the files.
    pub(crate) fn clear_files(&mut self, list: FileList) {
        list.of(&mut self.settings.state).0.clear();
        self.file_lists_changed();
    }

    /// Makes the next missing thumbnail of a list that is shown.
    pub(crate) fn make_small_picture(&mut self, list: FileList) {
        if let Some(path) = self.paintings.begin_next(list.of(&mut self.settings.state).0) {
            let file = path.clone();
            self.tasks.spawn(
                move || Ok(SmallPicture::of(&file)),
                |app, small| {
                    app.paintings.take_in(&app.ctx, path, small);
                    app.paintings.keep_only(&app.settings.state);
                },
            );
        }
    }

    fn file_lists_changed(&mut self) {
        self.paintings.keep_only(&self.settings.state);
        self.close_forgotten();
        self.settings_changed();
    }
}
