//! The licences of everything that is inside the program: its own and those of its parts.
//!
//! `build.rs` packs the project's licence files and `THIRD-PARTY-LICENSES.txt`, which `tools/supply_chain.sh`
//! makes from `Cargo.lock`. Any thread may call; the text is unpacked each time, because it is hardly ever
//! read.

use std::io::{self, Read};

use lzma_rust2::LzmaReader;

use crate::disk::words;

/// The files, one behind the other, packed.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/licences.lzma"));

/// Most that the text and its unpacking may take each; a damaged program must not take all memory.
const MAX_BYTES: u64 = 16 << 20;

/// The packed texts are damaged.
#[derive(Debug, thiserror::Error)]
#[error("the licences inside the program cannot be read ({}); build the program again", words(.0))]
pub struct LicencesError(#[from] io::Error);

/// The texts of all licences, in lines that fit a window.
///
/// # Errors
/// [`LicencesError`] when what was built in is damaged.
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
