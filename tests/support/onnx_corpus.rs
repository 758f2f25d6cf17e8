//! Networks of the ONNX corpus, by name.

use std::{fs::File, io::Read, path::Path};

/// The bytes of a network's file.
pub fn network_file(name: &str) -> Vec<u8> {
    let packed = crate::home::project().join("tests/onnx/networks/networks.tar.xz");
    let packed = File::open(packed).expect("the archive is there");
    let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(packed, false));
    let wanted = format!("{name}.onnx");
    for entry in archive.entries().expect("well formed") {
        let mut entry = entry.expect("well formed");
        if entry.path().expect("a name").as_ref() == Path::new(&wanted) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("whole");
            return bytes;
        }
    }
    panic!("there is no {wanted}");
}
