use std::{collections::BTreeSet, fs, path::Path, str::from_utf8};

/// Finds the folder of a film's parts with files of any names and contents: all names and contents, each ended by a zero.
/// Only files of the program are removed from it.
pub fn parts(bytes: &[u8]) {
    let Ok(place) = tempfile::tempdir() else { return };
    let output = place.path().join("film.mp4");
    let folder = place.path().join("film.mp4.part");
    if fs::create_dir(&folder).is_err() {
        return;
    }
    let pieces: Vec<&[u8]> = bytes.split(|&byte| byte == 0).collect();
    for pair in pieces.chunks(2) {
        if let [name, content @ ..] = pair
            && let Ok(name) = from_utf8(name)
            && !name.contains('/')
        {
            // The system refuses some names.
            fs::write(folder.join(name), content.concat()).ok();
        }
    }
    let before = names(&folder);
    engine::film::discard(&output);
    let after = names(&folder);
    for name in before.difference(&after) {
        assert!(could_be_ours(name), "a foreign file was removed: {name:?}");
    }
}

/// False if the program makes no such names.
fn could_be_ours(name: &str) -> bool {
    ["film.txt", "lock", "parts.ffconcat"].contains(&name)
        || name.contains(".unfinished.")
        || name.ends_with(".steady")
        || name.bytes().take(9).filter(u8::is_ascii_digit).count() == 9 && name.contains('-')
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
