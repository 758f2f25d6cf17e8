//! What a killed program left: temporary files in the program's own folders are removed at the next start, and others
//! can be taken over.

use std::{fs, path::Path};

use super::temporary::{self, Claim, Kind, remove_unowned};

/// Opens the file at `path`, made by [`create_owned`](super::create_owned), to be read, unless the process that made
/// it lives; never links, nor what is no plain file. No other process takes it over as long as it is open.
pub fn take_over(path: &Path) -> Claim {
    temporary::claim(path, Kind::File)
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
        kind.is_some_and(|kind| remove_unowned(&entry.path(), kind))
    };
    entries.flatten().filter(is_leftover).count()
}
