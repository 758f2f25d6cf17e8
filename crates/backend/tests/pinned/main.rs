//! Pinned decisions and results of the program: every plan field by field, and the CPU's pictures bit by bit. A
//! refactoring must not change any of them. An intended change is pinned again with `STYLEFORGE_PIN=1 cargo test --test
//! pinned` and appears in the diff of the files in this folder.
//!
//! The pinned text has its own field names, so that types may be renamed and moved.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../../tests/support/home.rs"]
mod home;
#[cfg(target_arch = "x86_64")]
mod pictures;
mod plans;
#[cfg(target_arch = "x86_64")]
#[path = "../../../../tests/support/shipped.rs"]
mod shipped;

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
};

use sha2::{Digest, Sha256};

/// A file of pinned values.
fn file(name: &str) -> PathBuf {
    crate::home::project().join("tests/pinned").join(name)
}

/// The text of a compressed file of pinned values.
fn unpacked(name: &str) -> String {
    let packed = fs::File::open(file(name)).expect("the pinned file is there");
    let mut text = String::new();
    lzma_rust2::XzReader::new(packed, false).read_to_string(&mut text).expect("text");
    text
}

fn write_packed(name: &str, text: &str) {
    let packed = fs::File::create(file(name)).expect("the pinned file is made");
    let options = lzma_rust2::XzOptions::with_preset(9);
    let mut writer = lzma_rust2::XzWriter::new(packed, options).expect("a writer");
    writer.write_all(text.as_bytes()).expect("written");
    writer.finish().expect("written");
}

/// The first 8 hexadecimal digits of the SHA-256.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares lines of `name value` with those of a file, or writes the file if `STYLEFORGE_PIN` is set.
fn hold_against(name: &str, lines: &[String]) {
    if std::env::var_os("STYLEFORGE_PIN").is_some() {
        write_packed(name, &(lines.join("\n") + "\n"));
        return;
    }
    let pinned = unpacked(name);
    let differing: Vec<String> = pinned
        .lines()
        .zip(lines)
        .filter(|(pinned, found)| pinned != found)
        .map(|(pinned, found)| format!("pinned {pinned}\n found {found}"))
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {} values of {name} differ, the first of them:\n{}",
        differing.len(),
        lines.len(),
        differing[..differing.len().min(12)].join("\n")
    );
    assert_eq!(pinned.lines().count(), lines.len(), "lines of {name}");
}
