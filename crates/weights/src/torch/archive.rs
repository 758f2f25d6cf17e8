//! The zip container of PyTorch: stored (uncompressed) entries only, everything bounded by the bytes present.
//!
//! PyTorch never compresses the entries of a checkpoint, so an entry is a slice of the file and nothing is unpacked.
//! `rawzip` reads the directory entry by entry and reserves nothing for the number of entries that an archive declares.
//! Inconsistent archives are refused, not repaired. Names are keys and never become paths.

use std::{collections::HashMap, fs::File};

use rawzip::{
    CompressionMethod, ErrorKind, ZipArchive, ZipFileHeaderRecord, ZipLocator, ZipSliceArchive,
};

use super::{super::error::shortened, Budget, Result, WeightsError};

/// Maximum number of entries. A state dict of the deepest network has about 150.
const MAX_ENTRIES: u64 = 10_000;
/// Bytes that are read at once to find the directory in a file.
const BUFFER_BYTES: usize = 64 << 10;

/// Place of the directory's offset in the end record; its highest value refers to the 64-bit record.
const OFFSET_AT: usize = 16;

/// The bytes of an archive, and where its directory is.
pub type Zip<'a> = ZipSliceArchive<&'a [u8]>;

/// An entry as the directory describes it, and its bytes.
pub struct Entry<'z, 'a> {
    pub name: &'z str,
    record: ZipFileHeaderRecord<'z>,
    data: &'a [u8],
}

pub fn broken(problem: impl Into<String>) -> WeightsError {
    WeightsError::Archive(problem.into())
}

fn cut_off() -> WeightsError {
    broken("the archive has no directory at its end; it was cut off")
}

/// Checks that an archive has a directory, without reading all of the file.
///
/// # Errors
/// [`WeightsError::Archive`] if it is truncated.
pub fn check_end(file: File) -> Result<()> {
    match ZipLocator::new().locate_in_file(file, &mut vec![0; BUFFER_BYTES]) {
        // Reading the whole file reports such an error.
        Err((_, error)) if matches!(error.kind(), ErrorKind::IO(_)) => Ok(()),
        located => located.map(drop).map_err(|_| cut_off()),
    }
}

/// Finds the directory of an archive. It must be where the end record declares it, and nothing may follow that record.
///
/// # Errors
/// [`WeightsError::Archive`] if the archive is truncated.
pub fn locate(bytes: &[u8]) -> Result<Zip<'_>> {
    let zip = ZipArchive::from_slice(bytes).map_err(|_| cut_off())?;
    // `rawzip` also looks for the directory in other places.
    let record = bytes.get(zip.eocd_offset() as usize + OFFSET_AT..).unwrap_or_default();
    let declared = u32::from_le_bytes(*record.first_chunk().ok_or_else(cut_off)?);
    let is_declared = declared == u32::MAX || u64::from(declared) == zip.directory_offset();
    if is_declared && zip.end_offset() == bytes.len() as u64 { Ok(zip) } else { Err(cut_off()) }
}

/// Reads and checks the directory of an archive; returns its entries in their order.
///
/// # Errors
/// [`WeightsError::Archive`] names the entry that is a duplicate, has an unsafe path or overlaps another.
pub fn open<'z, 'a>(zip: &'z Zip<'a>, budget: &Budget) -> Result<Vec<Entry<'z, 'a>>> {
    let count = zip.entries_hint();
    if count > MAX_ENTRIES {
        return Err(broken(format!(
            "the archive declares {count} entries; the maximum is {MAX_ENTRIES}"
        )));
    }
    let mut entries = Vec::new();
    let mut names = HashMap::new();
    let mut ranges = Vec::new();
    for (index, record) in zip.entries().enumerate() {
        let entry = record.ok().and_then(|record| entry(zip, record));
        let (entry, range) =
            entry.ok_or_else(|| broken(format!("entry {index} of the archive is damaged")))?;
        let name = entry.name;
        if budget.insert(&mut names, name, ())?.is_some() {
            return Err(broken(format!("{} is in the archive twice", shortened(name))));
        }
        let climbs = name.split('/').any(|part| part == "..");
        if climbs || name.starts_with('/') || name.contains(['\\', ':', '\0']) {
            return Err(broken(format!(
                "the entry {} has a path outside the archive",
                shortened(name)
            )));
        }
        budget.push(&mut ranges, range)?;
        budget.push(&mut entries, entry)?;
    }
    if entries.len() as u64 != count {
        return Err(broken(format!(
            "the archive declares {count} entries, but its directory has {}",
            entries.len()
        )));
    }
    ranges.sort_unstable();
    if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(broken("entries of the archive overlap"));
    }
    Ok(entries)
}

/// An entry, and the range of its header and data; `None` if the header before the data does not agree with the record
/// or the data do not end before the directory.
fn entry<'z, 'a>(
    zip: &'z Zip<'a>,
    record: ZipFileHeaderRecord<'z>,
) -> Option<(Entry<'z, 'a>, (u64, u64))> {
    let found = zip.get_entry(record.wayfinder()).ok()?;
    let (start, end) = found.compressed_data_range();
    let name = record.file_path().as_bytes();
    let is_sound =
        found.local_header().file_path().as_bytes() == name && end <= zip.directory_offset();
    let range = (record.local_header_offset(), end);
    let data = zip.get_ref().get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
    let name = std::str::from_utf8(name).ok()?;
    is_sound.then_some((Entry { name, record, data }, range))
}

impl<'a> Entry<'_, 'a> {
    /// The bytes, checked against their CRC-32.
    ///
    /// # Errors
    /// [`WeightsError::Archive`] if the entry is compressed, encrypted or damaged.
    pub fn contents(&self) -> Result<&'a [u8]> {
        let Self { name, record, data } = self;
        let failed = |problem: &str| Err(broken(format!("{} {problem}", shortened(name))));
        if record.flags().is_encrypted() {
            return failed("is encrypted");
        }
        if record.compression_method() != CompressionMethod::STORE
            || record.uncompressed_size_hint() != data.len() as u64
        {
            return failed("is compressed, which PyTorch never does");
        }
        if crc32fast::hash(data) != record.crc32() {
            return failed("is damaged: its checksum (CRC-32) is wrong; download it again");
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Length of the end record without its comment.
    const END_BYTES: usize = 22;

    /// The directory record and the header before the data share most fields.
    fn archive(entries: &[(&str, &[u8])], wide: bool) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (name, data) in entries {
            let start = file.len() as u32;
            let crc32 = crc32fast::hash(data).to_le_bytes();
            let size = (data.len() as u32).to_le_bytes();
            let name_length = (name.len() as u16).to_le_bytes();
            file.extend(b"PK\x03\x04\0\0\0\0\0\0\0\0\0\0");
            file.extend([crc32, size, size].concat());
            file.extend([name_length, [0, 0]].concat());
            file.extend(name.as_bytes());
            file.extend(*data);
            directory.extend(b"PK\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0");
            directory.extend(crc32);
            directory.extend(if wide { [[0xff; 4]; 2].concat() } else { [size, size].concat() });
            directory.extend(name_length);
            directory.extend(if wide { [20, 0] } else { [0, 0] });
            directory.extend([0; 10]);
            directory.extend(start.to_le_bytes());
            directory.extend(name.as_bytes());
            if wide {
                let size = (data.len() as u64).to_le_bytes();
                directory.extend([1, 0, 16, 0]);
                directory.extend([size, size].concat());
            }
        }
        let (start, count) = (file.len() as u32, entries.len() as u16);
        let size = directory.len() as u32;
        file.extend(directory);
        if wide {
            let at = file.len() as u64;
            file.extend(b"PK\x06\x06\x2c");
            file.extend([0; 19]);
            file.extend(u64::from(count).to_le_bytes());
            for value in [u64::from(count), size.into(), start.into()] {
                file.extend(value.to_le_bytes());
            }
            file.extend(b"PK\x06\x07\0\0\0\0");
            file.extend(at.to_le_bytes());
            file.extend([0; 4]);
        }
        file.extend(b"PK\x05\x06\0\0\0\0");
        file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        file.extend(size.to_le_bytes());
        file.extend(if wide { [0xff; 4] } else { start.to_le_bytes() });
        file.extend([0, 0]);
        file
    }

    fn message(bytes: &[u8]) -> String {
        let budget = Budget::for_file(bytes.len());
        let read = || {
            let zip = locate(bytes)?;
            open(&zip, &budget)?.iter().try_for_each(|entry| entry.contents().map(drop))
        };
        read().expect_err("refused").to_string()
    }

    #[test]
    fn entries_are_slices_of_the_file() {
        for wide in [false, true] {
            let file = archive(&[("a/data.pkl", b"first"), ("a/data/0", b"")], wide);
            let zip = locate(&file).expect("has a directory");
            let entries = open(&zip, &Budget::for_file(file.len())).expect("opens");
            let contents =
                entries.iter().map(|entry| (entry.name, entry.contents().expect("sound")));
            let contents: Vec<_> = contents.collect();
            assert_eq!(contents, [("a/data.pkl", &b"first"[..]), ("a/data/0", b"")]);
        }
    }

    #[test]
    fn declared_counts_must_be_right() {
        let mut file = archive(&[("a", b"x")], false);
        let at = file.len() - END_BYTES + 8;
        for (count, problem) in [(u16::MAX, "the maximum is"), (9999, "its directory has 1")] {
            for place in [at, at + 2] {
                file[place..place + 2].copy_from_slice(&count.to_le_bytes());
            }
            assert!(message(&file).contains(problem), "{}", message(&file));
        }
        // The 64-bit record must agree with the end record.
        let mut wide = archive(&[("a", b"x")], true);
        let at = wide.windows(4).position(|w| w == b"PK\x06\x06").expect("there");
        wide[at + 32..at + 40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(message(&wide).contains("no directory"), "{}", message(&wide));
    }

    #[test]
    fn two_descriptions_must_agree() {
        let good = archive(&[("name", b"data")], false);
        let directory = good.windows(4).position(|w| w == b"PK\x01\x02").expect("there");
        for (at, value) in [
            (30, b'm'),                              // the name in front of the data
            (directory, b'Q'),                       // the signature
            (directory + 20, 200),                   // a size past the directory
            (good.len() - END_BYTES + OFFSET_AT, 1), // the directory's offset
        ] {
            let mut file = good.clone();
            file[at] = value;
            assert!(message(&file).contains("archive"), "{at}");
        }
        let mut file = good.clone();
        file[34] ^= 1;
        assert!(message(&file).contains("name is damaged"), "{}", message(&file));
    }
}
