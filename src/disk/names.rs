//! Names that are not taken.

use std::path::PathBuf;

/// Names that are tried.
const MOST_NAMES: u32 = 10_000;

/// The path itself, or one with a number behind its name that is not taken.
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
    (2..MOST_NAMES).map(name).find(|path| !path.exists()).unwrap_or_else(|| path.clone())
}
