//! The licences of everything in the program: its own and those of its parts.
//!
//! `build.rs` compresses the project's licence files and `THIRD-PARTY-LICENSES.txt`, which `tools/supply_chain.sh`
//! generates from `Cargo.lock`. The text is decompressed on each call, because it is rarely read. May be called from
//! any thread.

use std::io::{self, Read};

use lzma_rust2::LzmaReader;

use values::disk::words;

/// The concatenated files, compressed.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/licences.lzma"));

/// Maximum size of the text, and of the memory to decompress it, so that a damaged program cannot take all memory.
const MAX_BYTES: u64 = 16 << 20;

/// The texts of all licences, in lines that fit a window.
///
/// # Errors
/// The built-in data is damaged; as text for the user.
pub fn text() -> Result<String, String> {
    unpacked().map_err(|error| {
        format!(
            "the licences inside the program cannot be read ({}); build the program again",
            words(&error)
        )
    })
}

fn unpacked() -> io::Result<String> {
    let reader = LzmaReader::new_mem_limit(PACKED, (MAX_BYTES >> 10) as u32, None)?;
    let mut text = String::new();
    reader.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}
