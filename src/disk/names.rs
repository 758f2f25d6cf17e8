//! Finds unused file names.

use std::path::PathBuf;

/// Maximum number of names to try.
const MAX_NAMES: u32 = 10_000;

/// `path` if it does not exist, otherwise the first unused name with a number appended.
pub fn free_path(path: PathBuf) -> PathBuf {
    if !path.exists() {
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
    (2..MAX_NAMES).map(name).find(|path| !path.exists()).unwrap_or_else(|| path.clone())
}
