//! Removes temporary files of a killed program, in the program's own folders at the next start.

use std::{
    fs::{self, File},
    path::Path,
};

use super::temporary::{Kind, remove_unowned};

/// Removes the file at `path`, made by [`create_owned`](super::create_owned), if its process has ended and
/// `is_worthless`, which may read the file, returns true. Returns whether it was removed. Never removes a link or
/// anything but a regular file.
pub fn remove_abandoned(path: &Path, is_worthless: impl FnOnce(&mut File) -> bool) -> bool {
    remove_unowned(path, Kind::File, is_worthless)
}

/// Removes the temporaries directly in `folder` that no running process owns, and returns their number. Use it only for
/// the program's own folders. Links and files that only look like temporaries stay. Those that cannot be removed stay
/// until the next time.
pub fn sweep(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        // The folder is missing or unreadable; code that needs it reports that.
        return 0;
    };
    let is_leftover = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        Kind::ALL
            .into_iter()
            .find(|kind| name.to_str().is_some_and(|name| kind.has_name(name)))
            .is_some_and(|kind| remove_unowned(&entry.path(), kind, |_| true))
    };
    entries.flatten().filter(is_leftover).count()
}
