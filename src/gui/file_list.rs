//! The lists of files in the settings, newest first: the recently opened photos and the saved paintings.

use std::path::{Path, PathBuf};

use super::{app::App, label::path_label, paintings::SmallPicture};
use crate::settings::{MAX_PAINTINGS, MAX_RECENT, State};

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
    pub(super) fn note_file(&mut self, list: FileList, path: &Path) {
        let (listed, most, _) = list.of(&mut self.settings.state);
        if put_first(listed, path, most) {
            self.file_lists_changed();
        }
    }

    /// Removes a file from its list; keeps the file.
    pub(super) fn forget_file(&mut self, list: FileList, path: &Path) {
        list.of(&mut self.settings.state).0.retain(|other| other != path);
        self.file_lists_changed();
    }

    /// Removes a file that no longer exists from its list, and reports that.
    pub(super) fn forget_gone(&mut self, list: FileList, path: &Path) {
        self.forget_file(list, path);
        self.messages.error(format!(
            "{} no longer exists and was removed from the list of {}.",
            path_label(path),
            list.of(&mut self.settings.state).2
        ));
    }

    /// Clears a list; keeps the files.
    pub(super) fn clear_files(&mut self, list: FileList) {
        list.of(&mut self.settings.state).0.clear();
        self.file_lists_changed();
    }

    /// Makes the next missing thumbnail of a list that is shown.
    pub(super) fn make_small_picture(&mut self, list: FileList) {
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
