//! The licences of everything in the program: its own and those of its parts.
//!
//! `build.rs` compresses the project's licence files and `THIRD-PARTY-LICENSES.txt`, which `tools/supply_chain.sh`
//! generates from `Cargo.lock`. The text is decompressed on each call, because it is rarely read. May be called from
//! any thread.

use std::io::{self, Read};

use lzma_rust2::LzmaReader;

use crate::disk::words;

/// The concatenated files, compressed.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/licences.lzma"));

/// Maximum size of the text, and of the memory to decompress it, so that a damaged program cannot take all memory.
const MAX_BYTES: u64 = 16 << 20;

/// The compressed texts are damaged.
#[derive(Debug, thiserror::Error)]
#[error("the licences inside the program cannot be read ({}); build the program again", words(.0))]
pub struct LicencesError(#[from] io::Error);

/// The texts of all licences, in lines that fit a window.
///
/// # Errors
/// [`LicencesError`] if the built-in data is damaged.
pub fn text() -> Result<String, LicencesError> {
    let reader = LzmaReader::new_mem_limit(PACKED, (MAX_BYTES >> 10) as u32, None)?;
    let mut text = String::new();
    reader.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_holds_our_own_licences_and_those_of_all_parts() {
        let text = text().unwrap_or_default();
        let manifest = include_str!("../Cargo.toml");
        let (_, parts) = manifest.split_once("\n[dependencies]\n").unwrap_or_default();
        let (parts, _) = parts.split_once("\n[").unwrap_or_default();
        let direct = parts.lines().filter_map(|line| line.split_once(" = "));
        let mut count = 0;
        for (name, _) in direct {
            assert!(
                text.contains(&format!("\n{name} ")),
                "no licence of {name}; run tools/supply_chain.sh write"
            );
            count += 1;
        }
        assert!(count > 20, "the list of parts was not found");
        for own in [include_str!("../LICENSE-MIT"), include_str!("../LICENSE-APACHE")] {
            assert!(text.contains(own));
        }
        for of_letters in [
            "UBUNTU FONT LICENCE Version 1.0",
            "Source Foundry Authors",
            "Bitstream Vera",
            "John Slegers",
        ] {
            assert!(text.contains(of_letters), "no {of_letters}");
        }
    }
}
