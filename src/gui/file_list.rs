//! The lists of files that settings remember, the newest first: the photos that were opened and the paintings that were
//! saved.

use std::path::{Path, PathBuf};

use super::{app::App, label::path_label, paintings::SmallPicture};
use crate::settings::{MOST_PAINTINGS, MOST_RECENT, State};

/// One of the lists.
#[derive(Clone, Copy)]
pub(super) enum FileList {
    /// The photos that were opened.
    Recent,
    /// The paintings that were saved.
    Paintings,
}

impl FileList {
    /// Its files.
    fn files(self, state: &State) -> &[PathBuf] {
        match self {
            Self::Recent => &state.recent_photos,
            Self::Paintings => &state.paintings,
        }
    }

    /// Its files, to be changed, and how many it has at most.
    fn files_mut(self, state: &mut State) -> (&mut Vec<PathBuf>, usize) {
        match self {
            Self::Recent => (&mut state.recent_photos, MOST_RECENT),
            Self::Paintings => (&mut state.paintings, MOST_PAINTINGS),
        }
    }

    /// What it lists, in words.
    const fn words(self) -> &'static str {
        match self {
            Self::Recent => "recent photos",
            Self::Paintings => "saved paintings",
        }
    }
}

/// Puts a file first on a list of the newest ones, `most` of them; `false` where it is first already.
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
    /// Puts a file first on its list.
    pub(super) fn note_file(&mut self, list: FileList, path: &Path) {
        let (listed, most) = list.files_mut(&mut self.settings.state);
        if put_first(listed, path, most) {
            self.file_lists_changed();
        }
    }

    /// Takes a file off its list; the file stays.
    pub(super) fn forget_file(&mut self, list: FileList, path: &Path) {
        let (listed, _) = list.files_mut(&mut self.settings.state);
        listed.retain(|other| other != path);
        self.file_lists_changed();
    }

    /// Takes a file off its list that is not there any more, and says so.
    pub(super) fn forget_gone(&mut self, list: FileList, path: &Path) {
        self.forget_file(list, path);
        self.messages.error(format!(
            "{} no longer exists and was removed from the list of {}.",
            path_label(path),
            list.words()
        ));
    }

    /// Takes all files off a list; they stay.
    pub(super) fn clear_files(&mut self, list: FileList) {
        list.files_mut(&mut self.settings.state).0.clear();
        self.file_lists_changed();
    }

    /// Has the next small picture made that a list lacks, which is seen.
    pub(super) fn make_small_picture(&mut self, list: FileList) {
        let listed = list.files(&self.settings.state);
        if let Some(path) = self.paintings.begin_next(listed) {
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
        self.settings_changed();
    }
}
