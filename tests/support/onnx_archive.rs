//! The archives of `tests/onnx`.

#[path = "packed.rs"]
mod packed;

use std::{collections::HashMap, fs, path::Path};

/// The files of an archive in a folder of `tests/onnx`, by their names.
pub fn files(folder: &str, archive: &str) -> HashMap<String, Vec<u8>> {
    packed::files(&folder_of(folder).join(archive))
}

/// What is written about an archive in a folder of `tests/onnx`.
pub fn index<T: serde::de::DeserializeOwned>(folder: &str) -> T {
    let text = fs::read(folder_of(folder).join("index.json")).expect("the index is there");
    serde_json::from_slice(&text).expect("well formed")
}

fn folder_of(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/onnx")
        .join(name)
}
