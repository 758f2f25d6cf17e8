//! The archives of `tests/onnx`.

use std::{collections::HashMap, fs, io::Read, path::Path};

/// The files of an archive in a folder of `tests/onnx`, by their names.
pub fn files(folder: &str, archive: &str) -> HashMap<String, Vec<u8>> {
    let packed = fs::File::open(folder_of(folder).join(archive)).expect("the archive is there");
    let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(packed, false));
    let mut files = HashMap::new();
    for entry in archive.entries().expect("well formed") {
        let mut entry = entry.expect("well formed");
        let name = entry.path().expect("a name").display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("whole");
        files.insert(name, bytes);
    }
    files
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
