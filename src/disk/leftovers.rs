//! Removes, at the next start, temporary files that a killed program left in the program's own folders.

use std::{fs, path::Path};

use super::temporary::{Kind, remove_unowned};

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
        kind.is_some_and(|kind| remove_unowned(&entry.path(), kind))
    };
    entries.flatten().filter(is_leftover).count()
}
