//! The lists of files in the settings, newest first: the recently opened photos and the saved paintings. Adds paintings
//! when they are saved, shows them again, and removes them from the list.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use eframe::egui::{self, Ui};

use super::{
    FileList, Paintings, SmallPicture, Stamp, Viewed, is_film, kind, open_painting,
    strip::{self, Tile},
};
use crate::{
    app::Shell,
    choice::{Choice, of_painting},
    intent::{Intent, PhotoCommand, ShellCommand, StyleCommand, ViewCommand},
    pages::photo::PhotoPage,
    styles::mix,
    widgets::{
        label::{name_label, path_label},
        stage::ShownPictures,
        theme,
    },
};
use settings::{MAX_RECENT, State, keep_newest};

/// Window height below which the strip is folded at first, in points.
const ROOM_FROM: f32 = 640.0;
/// Maximum number of paintings whose thumbnails the queue's list needs.
const MAX_LISTED: usize = 24;

/// True if the window is so low that the picture needs the space of the strip.
pub fn is_low(ctx: &egui::Context) -> bool {
    ctx.content_rect().height() < ROOM_FROM
}

impl PhotoPage {
    /// Notes that a painting was written to this file.
    pub fn note_painting(&mut self, shell: &mut Shell, path: &Path) {
        self.note_file(shell, FileList::Paintings, path);
        self.paintings.note_written(path);
    }

    /// Makes missing thumbnails of the strip, and checks the files again when the window gets the focus.
    pub fn serve_paintings(&mut self, shell: &mut Shell) {
        // Before the list is opened, so that it opens with its pictures.
        self.make_small_picture(shell, &shell.settings.state.recent_photos);
        if shell.window.dock_open {
            let listed = &shell.settings.state.paintings;
            self.make_small_picture(shell, &listed[..listed.len().min(MAX_LISTED)]);
        }
        if !self.paintings.has_strip(shell) {
            return;
        }
        if shell.has_regained_focus() {
            let stamps = self.paintings.stamps();
            let look = move || {
                let others = stamps.into_iter().filter(|(path, stamp)| Stamp::of(path) != *stamp);
                Ok(others.map(|(path, _)| path).collect::<Vec<_>>())
            };
            shell.tasks.spawn(look, |app, changed| {
                app.photo.paintings.outdated.extend(changed.into_iter().flatten());
            });
        }
        let needed = std::mem::take(&mut self.paintings.needed);
        self.make_small_picture(shell, &needed);
        self.paintings.needed = needed;
    }

    /// Opens a painting of the list to show it large.
    pub fn show_painting(&mut self, shell: &mut Shell, path: PathBuf) {
        self.paintings.opening = Some(path.clone());
        let file = path.clone();
        shell.tasks.spawn(
            move || open_painting(file),
            |app, opened| {
                if app.photo.paintings.opening.take_if(|opening| *opening == path).is_none() {
                    return;
                }
                match opened {
                    Ok(Some(painting)) => {
                        let framing = app.photo.stage.placing.framing;
                        let before = app.photo.seen_pictures();
                        let mut viewed = Viewed::new(&app.shell.ctx, path, painting, framing);
                        viewed.stage.appear_over(&app.shell.ctx, before);
                        app.photo.paintings.scrolls = true;
                        app.photo.paintings.viewed = Some(viewed);
                    }
                    Ok(None) => app.photo.forget_gone(&mut app.shell, FileList::Paintings, &path),
                    // A video player may be able to play a file that cannot be read here.
                    Err(error) if is_film(&path) => {
                        let text = format!("{} cannot be previewed: {error}", name_label(&path));
                        app.shell
                            .messages
                            .offer(text, ("Play", Intent::Shell(ShellCommand::Play(path))));
                    }
                    Err(error) => app.shell.messages.error(error),
                }
            },
        );
    }

    /// The photo and its painting, or the saved painting that is shown large instead.
    pub fn seen_pictures(&self) -> ShownPictures {
        self.paintings.viewed.as_ref().map_or(&self.stage, |viewed| &viewed.stage).seen_pictures()
    }

    /// Fades the photo in over the painting that was shown large; returns `false` if none was shown or being opened.
    pub fn close_painting(&mut self, shell: &mut Shell) -> bool {
        let viewed = self.paintings.viewed.as_ref();
        if let Some(viewed) = viewed.filter(|_| shell.workspace.photo().is_some()) {
            self.stage.appear_over(&shell.ctx, viewed.stage.seen_pictures());
        }
        self.paintings.close_view()
    }

    /// Applies an intent to the painting that is shown large, or shows the photo again before the intent changes it.
    /// Returns `true` if the intent is done.
    pub fn perform_on_viewed(&mut self, shell: &mut Shell, intent: &Intent) -> bool {
        match (&self.paintings.viewed, intent) {
            (Some(viewed), Intent::View(ViewCommand::Copy)) if is_film(&viewed.path) => shell
                .messages
                .notice("A video cannot be copied as a picture. Use “Show in folder”."),
            (Some(viewed), Intent::View(ViewCommand::Copy)) => shell.copy_file(viewed.path.clone()),
            (Some(viewed), Intent::View(ViewCommand::Save)) => {
                let path = path_label(&viewed.path);
                let what = kind(&viewed.path);
                shell.messages.notice(format!("This {what} is already saved as {path}"));
            }
            (
                _,
                Intent::Style(StyleCommand::PickStyle(_))
                | Intent::Style(StyleCommand::StepStyle(_))
                | Intent::View(ViewCommand::Edit(_))
                | Intent::View(ViewCommand::Undo)
                | Intent::View(ViewCommand::Redo)
                | Intent::Photo(PhotoCommand::ToggleCrop)
                | Intent::Shell(ShellCommand::ShowPage(_)),
            ) => {
                self.close_painting(shell);
                return false;
            }
            _ => return false,
        }
        true
    }
}

impl PhotoPage {
    /// The files of a list, their maximum number, and their kind as text.
    fn list<'a>(
        &'a mut self,
        state: &'a mut State,
        list: FileList,
    ) -> (&'a mut Vec<PathBuf>, usize, &'static str) {
        match list {
            FileList::Opened => (Arc::make_mut(&mut self.paintings.set), usize::MAX, "photos"),
            FileList::Recent => (&mut state.recent_photos, MAX_RECENT, "recent photos"),
            FileList::Paintings => (&mut state.paintings, usize::MAX, "saved paintings"),
        }
    }

    /// Moves a file to the front of its list.
    pub fn note_file(&mut self, shell: &mut Shell, list: FileList, path: &Path) {
        let (listed, most, _) = self.list(&mut shell.settings.state, list);
        if listed.first().is_none_or(|first| first != path) {
            listed.insert(0, path.to_owned());
            keep_newest(listed, most);
            shell.settings_changed();
        }
    }

    /// Removes a file from its list; keeps the file.
    pub fn forget_file(&mut self, shell: &mut Shell, list: FileList, path: &Path) {
        self.list(&mut shell.settings.state, list).0.retain(|other| other != path);
        self.file_removed(shell, list, Some(path));
    }

    /// Removes a file that no longer exists from its list, and reports that.
    pub fn forget_gone(&mut self, shell: &mut Shell, list: FileList, path: &Path) {
        self.forget_file(shell, list, path);
        shell.messages.error(format!(
            "{} no longer exists and was removed from the list of {}.",
            path_label(path),
            self.list(&mut shell.settings.state, list).2
        ));
    }

    /// Clears a list; keeps the files.
    pub fn clear_files(&mut self, shell: &mut Shell, list: FileList) {
        self.list(&mut shell.settings.state, list).0.clear();
        self.file_removed(shell, list, None);
    }

    /// Makes the next missing thumbnail of files that are shown.
    pub fn make_small_picture(&mut self, shell: &Shell, files: &[PathBuf]) {
        if let Some(path) = self.paintings.begin_next(files) {
            let file = path.clone();
            shell.tasks.spawn(
                move || Ok(SmallPicture::of(&file)),
                |app, small| app.photo.paintings.take_in(&app.shell.ctx, path, small),
            );
        }
    }

    /// Follows the removal of a file, or of all files, from a list.
    fn file_removed(&mut self, shell: &mut Shell, list: FileList, path: Option<&Path>) {
        shell.settings_changed();
        let viewed = self.paintings.viewed.as_ref().filter(|_| list == FileList::Paintings);
        if viewed.is_some_and(|viewed| path.is_none_or(|path| path == viewed.path)) {
            // A painting that is being opened is still shown.
            let opening = self.paintings.opening.take();
            self.close_painting(shell);
            self.paintings.opening = opening;
        }
    }
}

impl Paintings {
    fn folds_strip(&self, shell: &Shell) -> bool {
        if is_low(&shell.ctx) { !self.is_open_low } else { shell.settings.state.folds_paintings }
    }

    pub fn has_strip(&self, shell: &Shell) -> bool {
        self.offers_strip(shell) && !self.folds_strip(shell) && !shell.window.full_screen.is_on
    }

    /// The button that shows or hides the strip.
    pub fn strip_button(&self, shell: &Shell, ui: &mut Ui) {
        if self.offers_strip(shell) {
            strip::button(ui, self.folds_strip(shell));
        }
    }

    /// Shows photos that were opened together.
    pub fn show_set(&mut self, shell: &mut Shell, set: Arc<Vec<PathBuf>>) {
        (self.set, self.at, self.is_behind, self.scrolls) = (set, None, false, true);
        self.painted.clear();
        if self.folds_strip(shell) {
            self.toggle_strip(shell);
        }
    }

    /// Folds or unfolds the strip.
    pub fn toggle_strip(&mut self, shell: &mut Shell) {
        let folds = if is_low(&shell.ctx) {
            &mut self.is_open_low
        } else {
            &mut shell.settings.state.folds_paintings
        };
        *folds = !*folds;
        shell.settings_changed();
    }

    pub fn shows_painting(&self, shell: &Shell) -> bool {
        !shell.workspace.is_live() && self.viewed.is_some()
    }

    /// The choice with the settings of the painting that is shown large, if its file contains them.
    pub fn viewed_choice(&self, shell: &Shell) -> Option<Choice> {
        of_painting(&self.viewed.as_ref()?.texts, &shell.workspace.choice)
    }

    /// Draws the settings of the painting that is shown large; returns `false` if no painting is shown large.
    pub fn viewed_settings(&self, shell: &Shell, ui: &mut Ui) -> bool {
        let Some(viewed) = &self.viewed else {
            return false;
        };
        let choice = self.viewed_choice(shell);
        let mut styles =
            choice.iter().flat_map(|choice| &choice.mix.styles).map(|(style, _)| style.as_str());
        let missing = styles.find(|style| shell.styles.gallery.card(style).is_none());
        let parts = choice.as_ref().map_or_else(Vec::new, Choice::parts);
        let mix = mix::text(&parts, |style| shell.styles.title_of(style));
        strip::settings(ui, &viewed.path, &viewed.texts, &mix, choice.is_some(), missing);
        true
    }

    /// Draws the buttons of the painting that is shown large; returns `false` if no painting is shown large.
    pub fn viewed_buttons(&self, shell: &Shell, ui: &mut Ui) -> bool {
        let viewed = self.viewed.as_ref().filter(|_| !shell.workspace.is_live());
        if let Some(viewed) = viewed {
            ui.horizontal_wrapped(|ui| {
                let tile = if shell.settings.state.paintings.contains(&viewed.path) {
                    Tile::Painting
                } else {
                    Tile::InFolder
                };
                strip::buttons(ui, viewed, tile);
                theme::at_the_right(ui, "views of the painting", |ui| self.strip_button(shell, ui));
            });
        }
        viewed.is_some()
    }

    /// True if there is a strip, shown or folded. If there is space, there is one even before the first painting is
    /// saved, so that the photo does not move then.
    fn offers_strip(&self, shell: &Shell) -> bool {
        let may_be_empty = !is_low(&shell.ctx) && shell.workspace.photo().is_some();
        let is_empty = self.set.is_empty() && shell.settings.state.paintings.is_empty();
        !shell.workspace.is_live() && (may_be_empty || !is_empty)
    }
}
