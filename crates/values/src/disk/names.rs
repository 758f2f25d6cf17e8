//! Finds unused file names.

use std::path::PathBuf;

/// Maximum number of names to try.
const MAX_NAMES: u32 = 10_000;

/// `path` if it does not exist, otherwise the first unused name with a number appended.
pub fn free_path(path: PathBuf) -> PathBuf {
    numbered_path(path, |path| !path.exists())
}

/// `path` if it `is_free`, otherwise the first such name with a number appended.
pub fn numbered_path(path: PathBuf, is_free: impl Fn(&PathBuf) -> bool) -> PathBuf {
    if is_free(&path) {
        return path;
    }
    let name = |number: u32| {
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{number}"));
        if let Some(ending) = path.extension() {
            name.push(".");
            name.push(ending);
        }
        path.with_file_name(name)
    };
    (2..MAX_NAMES).map(name).find(is_free).unwrap_or_else(|| path.clone())
}
