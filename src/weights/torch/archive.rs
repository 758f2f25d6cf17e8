//! The zip container of PyTorch: stored entries only, everything bounded by the bytes present.
//!
//! PyTorch never compresses the entries of a checkpoint, so an entry is a slice of the file and
//! nothing is unpacked. Names are keys and never become paths.

use std::{
    collections::HashSet,
    io::{self, Cursor},
};

use zip::{CompressionMethod, ZipArchive};

use super::{super::error::shortened, Contents, WeightsError};

/// Most entries that are looked at; a state dict of the deepest network has some 150.
const MAX_ENTRIES: usize = 10_000;

/// An archive whose names have been checked.
pub(super) struct Entries<'a> {
    bytes: &'a [u8],
    zip: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
}

fn broken(problem: impl ToString) -> WeightsError {
    WeightsError::Archive(problem.to_string())
}

/// Reads the directory of an archive.
///
/// # Errors
/// [`WeightsError::Archive`] names the entry that is a duplicate, a path trick or an overlap.
pub(super) fn open(bytes: &[u8]) -> Result<Entries<'_>, WeightsError> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if zip.len() > MAX_ENTRIES {
        return Err(broken(format!(
            "the archive has {} entries; up to {MAX_ENTRIES} are read",
            zip.len()
        )));
    }
    if zip.has_duplicate_names() {
        let name = duplicate_name(bytes, zip.central_directory_start())
            .map_or_else(|| "an entry".to_owned(), |name| shortened(&name));
        return Err(broken(format!("{name} is in the archive twice")));
    }
    let mut names = Vec::new();
    for name in zip.file_names() {
        let name = name.map_err(broken)?.into_owned();
        let climbs = name.split(['/', '\\']).any(|part| part == "..");
        if climbs || name.starts_with('/') || name.contains(['\\', ':', '\0']) {
            return Err(broken(format!(
                "the entry {} is a path out of the archive",
                shortened(&name)
            )));
        }
        names.push(name);
    }
    if zip.has_overlapping_files().map_err(broken)? {
        return Err(broken("entries of the archive overlap"));
    }
    Ok(Entries { bytes, zip, names })
}

impl<'a> Entries<'a> {
    /// Names of all entries, in the directory's order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The bytes of all entries, each checked against its CRC-32.
    ///
    /// # Errors
    /// [`WeightsError::Archive`] names the entry that is compressed, encrypted or damaged.
    pub(super) fn contents(mut self) -> Result<Contents<'a>, WeightsError> {
        let mut contents = Contents::new();
        for (index, name) in self.names.into_iter().enumerate() {
            let failed = |problem: &dyn ToString| {
                broken(format!("{}: {}", shortened(&name), problem.to_string()))
            };
            let entry = self.zip.by_index_data(index).map_err(|e| failed(&e))?;
            if entry.compression() != CompressionMethod::Stored {
                return Err(failed(&format!(
                    "the entry is compressed ({:?}), which PyTorch never writes",
                    entry.compression()
                )));
            }
            if entry.compressed_size() != entry.size() {
                return Err(failed(&"the entry's two sizes differ"));
            }
            let mut entry = self.zip.by_index(index).map_err(|e| failed(&e))?;
            let size = entry.size();
            io::copy(&mut entry, &mut io::sink()).map_err(|e| failed(&e))?;
            let data = entry
                .data_start()
                .and_then(|start| {
                    let end = usize::try_from(start.checked_add(size)?).ok()?;
                    self.bytes.get(usize::try_from(start).ok()?..end)
                })
                .ok_or_else(|| failed(&"the entry reaches past the end of the file"))?;
            drop(entry);
            contents.insert(name, data);
        }
        Ok(contents)
    }
}

/// The first name that the central directory lists twice; for the message only.
fn duplicate_name(bytes: &[u8], directory_start: u64) -> Option<String> {
    let mut seen = HashSet::new();
    let mut at = usize::try_from(directory_start).ok()?;
    loop {
        let header = bytes.get(at..at + 46)?;
        if !header.starts_with(b"PK\x01\x02") {
            return None;
        }
        let length =
            |field: usize| usize::from(header[field]) | usize::from(header[field + 1]) << 8;
        let name = bytes.get(at + 46..at + 46 + length(28))?;
        if !seen.insert(name) {
            return Some(String::from_utf8_lossy(name).into_owned());
        }
        at += 46 + length(28) + length(30) + length(32);
    }
}
