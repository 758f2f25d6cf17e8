//! The zip container of PyTorch: stored (uncompressed) entries only, everything bounded by the bytes present.
//!
//! PyTorch never compresses the entries of a checkpoint, so an entry is a slice of the file and nothing is unpacked.
//! The directory is read here rather than by a zip library: such libraries reserve memory for the number of entries
//! that an archive declares, and they repair inconsistent archives. Here such an archive is refused. Names are keys and
//! never become paths.

use std::collections::HashMap;

use super::{super::error::shortened, Budget, Result, WeightsError, input::little_endian};

/// Maximum number of entries. A state dict of the deepest network has about 150.
const MAX_ENTRIES: usize = 10_000;
/// Length of the end-of-central-directory record without its comment.
const END_BYTES: usize = 22;
/// The end record is within this many bytes of the file's end; its comment may have up to 64 KiB.
pub const LAST_BYTES: usize = END_BYTES + u16::MAX as usize;
/// Length of a directory record without its name, extra fields and comment.
const RECORD_BYTES: usize = 46;
/// Length of the header before an entry's data without its name and extra fields.
const HEADER_BYTES: usize = 30;
/// Marks a field whose value is in the 64-bit extension.
const IN_EXTENSION: u64 = u32::MAX as u64;

/// An entry as the directory describes it. The header before its data must agree.
struct Entry<'a> {
    name: &'a str,
    is_encrypted: bool,
    /// The compression method; 0 is stored.
    method: u64,
    crc32: u64,
    unpacked_bytes: usize,
    data: &'a [u8],
}

/// An archive whose directory has been checked.
pub struct Archive<'a> {
    entries: Vec<Entry<'a>>,
}

pub fn broken(problem: impl Into<String>) -> WeightsError {
    WeightsError::Archive(problem.into())
}

fn cut_off() -> WeightsError {
    broken("the archive has no directory at its end; it was cut off")
}

/// Checks that an archive has a directory, given its [`LAST_BYTES`].
///
/// # Errors
/// [`WeightsError::Archive`] if it is truncated.
pub fn check_end(last: &[u8]) -> Result<()> {
    end_at(last).map(|_| ()).ok_or_else(cut_off)
}

/// The offset of the end record.
fn end_at(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    (last.saturating_sub(usize::from(u16::MAX))..=last).rev().find(|at| {
        let comment = number(bytes, at + 20, 2);
        bytes[*at..].starts_with(b"PK\x05\x06") && comment == Some((last - at) as u64)
    })
}

/// A little-endian number of `count` bytes.
fn number(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    part(bytes, at, count).map(little_endian)
}

fn part(bytes: &[u8], at: usize, count: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(count)?)
}

/// Reads and checks the directory of an archive.
///
/// # Errors
/// [`WeightsError::Archive`] names the entry that is a duplicate, has an unsafe path or overlaps another.
pub fn open<'a>(bytes: &'a [u8], budget: &Budget) -> Result<Archive<'a>> {
    let directory = directory(bytes).ok_or_else(cut_off)?;
    if directory.count > MAX_ENTRIES {
        return Err(broken(format!(
            "the archive declares {} entries; the maximum is {MAX_ENTRIES}",
            directory.count
        )));
    }
    let mut at = directory.start;
    let mut entries = Vec::new();
    let mut names = HashMap::new();
    let mut ranges = Vec::new();
    for index in 0..directory.count {
        let record = record(bytes, directory.start, at)
            .ok_or_else(|| broken(format!("entry {index} of the archive is damaged")))?;
        let name = record.entry.name;
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
        budget.push(&mut ranges, (record.start, record.end))?;
        budget.push(&mut entries, record.entry)?;
        at = record.next;
    }
    if at != directory.end {
        return Err(broken("the archive's directory does not have its declared length"));
    }
    ranges.sort_unstable();
    if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(broken("entries of the archive overlap"));
    }
    Ok(Archive { entries })
}

/// Offset and length of the directory in bytes, and the number of records that it declares.
struct Directory {
    start: usize,
    end: usize,
    count: usize,
}

/// Finds the directory through the end record.
fn directory(bytes: &[u8]) -> Option<Directory> {
    let end = end_at(bytes)?;
    let [this_disk, first_disk] = [number(bytes, end + 4, 2)?, number(bytes, end + 6, 2)?];
    let mut count = number(bytes, end + 10, 2)?;
    let mut size = number(bytes, end + 12, 4)?;
    let mut start = number(bytes, end + 16, 4)?;
    let mut directory_limit = end;
    if count == u64::from(u16::MAX) || size == IN_EXTENSION || start == IN_EXTENSION {
        // A locator before this record contains the offset of the 64-bit record.
        let locator = part(bytes, end.checked_sub(20)?, 20)?;
        let at = usize::try_from(number(locator, 8, 8)?).ok()?;
        let large = part(bytes, at, 56)?;
        if !locator.starts_with(b"PK\x06\x07") || !large.starts_with(b"PK\x06\x06") {
            return None;
        }
        count = number(large, 32, 8)?;
        size = number(large, 40, 8)?;
        start = number(large, 48, 8)?;
        directory_limit = at;
    }
    let start = usize::try_from(start).ok()?;
    let directory_end = start.checked_add(usize::try_from(size).ok()?)?;
    let whole = this_disk == 0 && first_disk == 0 && directory_end <= directory_limit;
    whole.then_some(Directory {
        start,
        end: directory_end,
        count: usize::try_from(count).unwrap_or(usize::MAX),
    })
}

/// One record of the directory.
struct Record<'a> {
    entry: Entry<'a>,
    /// Offset of the entry, including its header.
    start: usize,
    end: usize,
    /// Offset of the next record.
    next: usize,
}

/// Reads the directory record at `at` and the header that it points to; the data must end before `limit`.
fn record(bytes: &[u8], limit: usize, at: usize) -> Option<Record<'_>> {
    let fixed = part(bytes, at, RECORD_BYTES)?;
    let field = |from: usize, count: usize| number(fixed, from, count);
    let length = |from: usize| Some(field(from, 2)? as usize);
    let name = part(bytes, at + RECORD_BYTES, length(28)?)?;
    let extra_at = at + RECORD_BYTES + name.len();
    let extra = part(bytes, extra_at, length(30)?)?;
    let next = extra_at + extra.len() + length(32)?;
    // Values that do not fit are in the extension, in this order.
    let mut extension = extension(extra);
    let mut wide = |value: u64| {
        if value < IN_EXTENSION {
            return Some(value);
        }
        let (first, rest) = extension.split_first_chunk::<8>()?;
        extension = rest;
        Some(u64::from_le_bytes(*first))
    };
    let unpacked_bytes = wide(field(24, 4)?)?;
    let stored_bytes = wide(field(20, 4)?)?;
    let start = usize::try_from(wide(field(42, 4)?)?).ok()?;
    let header = part(bytes, start, HEADER_BYTES)?;
    let data_at =
        start + HEADER_BYTES + number(header, 26, 2)? as usize + number(header, 28, 2)? as usize;
    let same_name = part(bytes, start + HEADER_BYTES, name.len())? == name
        && number(header, 26, 2)? as usize == name.len();
    let data = part(bytes, data_at, usize::try_from(stored_bytes).ok()?)?;
    let end = data_at + data.len();
    let sound = fixed.starts_with(b"PK\x01\x02") && header.starts_with(b"PK\x03\x04");
    (sound && same_name && end <= limit).then_some(Record {
        entry: Entry {
            name: std::str::from_utf8(name).ok()?,
            is_encrypted: field(8, 2)? & 1 == 1,
            method: field(10, 2)?,
            crc32: field(16, 4)?,
            unpacked_bytes: usize::try_from(unpacked_bytes).ok()?,
            data,
        },
        start,
        end,
        next,
    })
}

/// The 64-bit values in a record's extra fields.
fn extension(mut extra: &[u8]) -> &[u8] {
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let length = usize::from(head[2]) | usize::from(head[3]) << 8;
        let Some(field) = rest.get(..length) else {
            break;
        };
        if head[..2] == [1, 0] {
            return field;
        }
        extra = &rest[length..];
    }
    &[]
}

impl<'a> Archive<'a> {
    /// Names of all entries, in the directory's order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|entry| entry.name)
    }

    /// Name and bytes of each entry, checked against its CRC-32.
    ///
    /// # Errors
    /// [`WeightsError::Archive`] names the entry that is compressed, encrypted or damaged.
    pub fn contents(&self) -> impl Iterator<Item = Result<(&'a str, &'a [u8])>> {
        self.entries.iter().map(|entry| {
            let failed =
                |problem: &str| Err(broken(format!("{} {problem}", shortened(entry.name))));
            if entry.is_encrypted {
                return failed("is encrypted");
            }
            if entry.method != 0 || entry.unpacked_bytes != entry.data.len() {
                return failed("is compressed, which PyTorch never does");
            }
            if u64::from(crc32fast::hash(entry.data)) != entry.crc32 {
                return failed("is damaged: its checksum (CRC-32) is wrong; download it again");
            }
            Ok((entry.name, entry.data))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            file.extend(b"PK\x06\x06");
            file.extend([0; 28]);
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
        let result = open(bytes, &budget).and_then(|archive| archive.contents().collect());
        let result: Result<Vec<_>, _> = result;
        result.expect_err("refused").to_string()
    }

    #[test]
    fn entries_are_slices_of_the_file() {
        for wide in [false, true] {
            let file = archive(&[("a/data.pkl", b"first"), ("a/data/0", b"")], wide);
            let archive = open(&file, &Budget::for_file(file.len())).expect("opens");
            let contents: Vec<_> = archive.contents().map(|c| c.expect("sound")).collect();
            assert_eq!(contents, [("a/data.pkl", &b"first"[..]), ("a/data/0", b"")]);
        }
    }

    #[test]
    fn declared_counts_reserve_nothing() {
        let mut file = archive(&[("a", b"x")], true);
        let at = file.windows(4).position(|w| w == b"PK\x06\x06").expect("there");
        file[at + 32..at + 40].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(message(&file).contains("declares"), "{}", message(&file));
        file[at + 32..at + 40].copy_from_slice(&9999u64.to_le_bytes());
        assert!(message(&file).contains("entry 1"), "{}", message(&file));
    }

    #[test]
    fn two_descriptions_must_agree() {
        let good = archive(&[("name", b"data")], false);
        let directory = good.windows(4).position(|w| w == b"PK\x01\x02").expect("there");
        for (at, value) in [
            (30, b'm'),                       // the name in front of the data
            (directory, b'Q'),                // the signature
            (directory + 20, 200),            // a size past the directory
            (good.len() - END_BYTES + 12, 1), // the directory's size
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
