//! Compressed archives of test data.

use std::{collections::HashMap, fs, io::Read, path::Path};

/// The files of a `.tar.xz` archive, by their names.
pub fn files(path: &Path) -> HashMap<String, Vec<u8>> {
    let packed = fs::File::open(path).expect("the archive is there");
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
