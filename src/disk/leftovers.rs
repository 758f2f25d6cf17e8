//! What a killed program left: temporary files in the program's own folders are removed at the next start.

use std::{
    fs::{self, File},
    path::Path,
};

use super::temporary::{Kind, remove_unowned};

/// Removes the file at `path`, made by [`create_owned`](super::create_owned), when the process that made it is gone and
/// `is_worthless`, which reads it, agrees; returns whether it did. Never removes a link, nor what is no plain file.
pub fn remove_abandoned(path: &Path, is_worthless: impl FnOnce(&mut File) -> bool) -> bool {
    remove_unowned(path, Kind::File, is_worthless)
}

/// Removes the temporaries directly in `folder` that no living process owns, and gives how many. Only for
/// folders of the program's own. Links, and files that only look like temporaries, stay; so do those that
/// cannot be removed, until the next time.
pub fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        // The folder is missing or cannot be read; code that needs it reports that.
        return 0;
    };
    let is_leftover = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| name.to_str().is_some_and(|name| kind.has_name(name)));
        kind.is_some_and(|kind| remove_unowned(&entry.path(), kind, |_| true))
    };
    entries.flatten().filter(is_leftover).count()
}
