//! The archives of `tests/onnx`.

#[path = "packed.rs"]
mod packed;

use std::collections::HashMap;

/// The files of an archive in a folder of `tests/onnx`, by their names.
pub fn files(folder: &str, archive: &str) -> HashMap<String, Vec<u8>> {
    packed::files(&folder_of(folder).join(archive))
}

/// The content of an archive's `index.json`.
pub fn index<T: serde::de::DeserializeOwned>(files: &HashMap<String, Vec<u8>>) -> T {
    serde_json::from_slice(&files["index.json"]).expect("well formed")
}

fn folder_of(name: &str) -> std::path::PathBuf {
    crate::home::project().join("tests/onnx").join(name)
}
