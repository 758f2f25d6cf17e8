//! A recording as Motion-JPEG in AVI, without external programs.
//!
//! AVI has one rate for all pictures: [`RATE`] slots a second. A picture is put into the slot nearest to its time, or
//! the next one. Slots in between contain an empty chunk, for which players repeat the previous picture. So the video
//! is as long as the recording, and a picture is displaced by less than two slots; pictures that come faster than the
//! rate are left out. The header is rewritten once a second, so that the file can be played up to there at any moment.
//! Only the index is written at the end. After a gigabyte the file continues in further parts, as defined by OpenDML.

#[cfg(test)]
#[path = "../../../../tests/live/avi.rs"]
mod read_back;
mod riff;

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Cursor, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use self::riff::{Chunk, Facts, Index, MAX_PARTS, Part};
use super::{
    file::{self, refused},
    fit::Fit,
    output::{Ended, Output, Shot},
    recorded::pictures,
};
use crate::{
    disk::{self, cannot_write, folder_of},
    media::{
        MediaError,
        encode::{self, Attached, Encoding, Format},
    },
};

/// Slots for pictures per second.
pub const RATE: u32 = 60;
/// JPEG quality, 1 to 100: 40 dB and more relative to the painting.
const QUALITY: u8 = 95;
/// Maximum size of a part of the file. Some players read no further than this in one part.
const PART_BYTES: u64 = 1 << 30;

/// A Motion-JPEG file.
pub struct Avi {
    path: PathBuf,
    file: File,
    part_bytes: u64,
    /// `None` before the first picture.
    fit: Option<Fit>,
    facts: Facts,
    /// The chunks of the last part.
    chunks: Vec<Chunk>,
    /// Number of slots in the header on the disk.
    stated_places: u32,
    pictures: u64,
    too_fast: u64,
}

impl Avi {
    /// Creates the file.
    ///
    /// # Errors
    /// See [`file::create`].
    pub fn create(path: &Path) -> Result<Self, MediaError> {
        let is_header = |bytes: &[u8]| bytes.starts_with(b"RIFF") && bytes.ends_with(b"movi");
        let file = file::create(path, is_header)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            part_bytes: PART_BYTES,
            fit: None,
            facts: Facts { parts: vec![Part::default()], ..Facts::default() },
            chunks: Vec::new(),
            stated_places: 0,
            pictures: 0,
            too_fast: 0,
        })
    }

    fn refused(&self, error: &io::Error) -> MediaError {
        refused(&self.path, cannot_write(folder_of(&self.path), error))
    }
}

impl Output for Avi {
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError> {
        let place = (shot.at.as_secs_f64() * f64::from(RATE)).round() as u64;
        let Some(empty) = self.empty_before(place) else {
            self.too_fast += 1;
            return Ok(());
        };
        let encoding = Encoding { quality: QUALITY, ..Encoding::of(Format::Jpeg) };
        let fit = self.fit.get_or_insert_with(|| Fit::to(&shot.frame));
        self.facts.size = fit.size();
        let picture = fit.apply(&shot.frame);
        let mut jpeg = Cursor::new(Vec::new());
        // The only possible error is a picture that is too large for the format.
        let picture = Cow::Borrowed(&*picture);
        encode::write(&mut jpeg, "the video", picture.into(), Attached::default(), encoding)?;
        self.add_picture(empty, &jpeg.into_inner()).map_err(|error| self.refused(&error))
    }

    fn end(&mut self) -> Ended {
        if self.pictures == 0 {
            // If it cannot be removed, it stays; the next recording may replace it.
            fs::remove_file(&self.path).ok();
            return Ended { frames: Some(0), ..Ended::default() };
        }
        let written = self.finish().and(disk::sync_file(&self.file, &self.path));
        Ended {
            frames: Some(self.pictures),
            notes: self.notes(),
            failure: written.err().map(|error| self.refused(&error)),
        }
    }

    fn bytes(&self) -> u64 {
        self.facts.bytes
    }
}

impl Avi {
    /// How many empty slots precede a picture for slot `place`; `None` if even the next slot is already used.
    fn empty_before(&self, place: u64) -> Option<u64> {
        let next = u64::from(self.facts.places);
        match place.checked_sub(next) {
            Some(empty) => Some(empty),
            None if place + 1 == next => Some(0),
            None => None,
        }
    }

    fn add_picture(&mut self, empty: u64, jpeg: &[u8]) -> io::Result<()> {
        if self.facts.bytes == 0 {
            self.write(&riff::header(&self.facts))?;
        }
        for _ in 0..empty {
            self.add_chunk(&[])?;
        }
        self.add_chunk(jpeg)?;
        self.pictures += 1;
        if self.facts.places - self.stated_places >= RATE || self.stated_places == 0 {
            self.write_header()?;
        }
        Ok(())
    }

    /// Writes a picture, or an empty chunk, into the next slot.
    fn add_chunk(&mut self, jpeg: &[u8]) -> io::Result<()> {
        let chunk = riff::picture(jpeg);
        // Both indexes have 24 bytes per chunk, and less than 64 other bytes.
        let indexes = 64 + 24 * (1 + self.chunks.len() as u64);
        if self.facts.bytes - self.part().at + chunk.len() as u64 + indexes > self.part_bytes {
            self.end_part()?;
            self.begin_part()?;
        }
        let offset = (self.facts.bytes - self.part().at) as u32 + 8;
        self.write(&chunk)?;
        let bytes = jpeg.len() as u32;
        self.chunks.push(Chunk { offset, bytes });
        self.part_mut().places += 1;
        self.facts.places += 1;
        self.facts.largest_chunk = self.facts.largest_chunk.max(bytes);
        Ok(())
    }

    /// Writes the indexes of the last part, unless they are already written.
    fn end_part(&mut self) -> io::Result<()> {
        if self.part().index.is_some() {
            return Ok(());
        }
        let mut indexes = riff::index(self.part(), &self.chunks);
        let (at, bytes) = (self.facts.bytes, indexes.len() as u32);
        if self.facts.parts.len() == 1 {
            indexes.extend(riff::old_index(&self.chunks));
        }
        self.write(&indexes)?;
        self.part_mut().index = Some(Index { at, bytes, part_end: self.facts.bytes });
        self.write_header()
    }

    fn begin_part(&mut self) -> io::Result<()> {
        if self.facts.parts.len() == MAX_PARTS {
            let most = format!("it has {MAX_PARTS} parts, the maximum for a video");
            return Err(io::Error::other(most + "; start another recording"));
        }
        let part = Part { at: self.facts.bytes, ..Part::default() };
        self.write(&riff::part_head(&part, self.facts.bytes))?;
        self.facts.parts.push(part);
        self.chunks.clear();
        Ok(())
    }

    /// Appends to the file. A failed write is not counted, and is truncated at the end.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.facts.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Writes the current lengths and counts.
    fn write_header(&mut self) -> io::Result<()> {
        if self.part().at > 0 {
            self.file.seek(SeekFrom::Start(self.part().at))?;
            self.file.write_all(&riff::part_head(self.part(), self.facts.bytes))?;
        }
        self.file.rewind()?;
        self.file.write_all(&riff::header(&self.facts))?;
        self.file.seek(SeekFrom::Start(self.facts.bytes))?;
        self.stated_places = self.facts.places;
        Ok(())
    }

    /// Writes the index and the header. If the index cannot be written, the file plays without it.
    fn finish(&mut self) -> io::Result<()> {
        self.file.set_len(self.facts.bytes)?;
        self.file.seek(SeekFrom::Start(self.facts.bytes))?;
        let indexed = self.end_part();
        if indexed.is_err() {
            self.file.set_len(self.facts.bytes)?;
        }
        self.write_header()?;
        indexed
    }

    fn part(&self) -> &Part {
        &self.facts.parts[self.facts.parts.len() - 1]
    }

    fn part_mut(&mut self) -> &mut Part {
        let last = self.facts.parts.len() - 1;
        &mut self.facts.parts[last]
    }

    fn notes(&self) -> Vec<String> {
        let too_fast = (self.too_fast > 0).then(|| {
            let fast = pictures(self.too_fast);
            format!("{fast} left out: they came faster than the AVI's {RATE} frames per second")
        });
        self.fit.iter().filter_map(Fit::note).chain(too_fast).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{read_back::pictures_of, *};
    use crate::frame::Frame;

    fn shot(n: usize, at: Duration) -> Shot {
        Shot {
            number: 1 + n as u64,
            at,
            frame: Frame::from_fn(64, 48, |x, y| [(x * n) as u8, (y * 3) as u8, n as u8, 255]),
        }
    }

    #[test]
    fn a_long_video_goes_on_in_further_parts() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("long.avi");
        let mut avi = Avi::create(&path).expect("a file");
        avi.part_bytes = 20_000;
        for n in 0..60 {
            avi.add(&shot(n, Duration::from_millis(40 * n as u64))).expect("room");
        }
        let ended = avi.end();
        assert_eq!((ended.frames, ended.failure), (Some(60), None));
        let bytes = fs::read(&path).expect("a file");
        let parts = bytes.windows(4).filter(|w| w == b"AVIX").count();
        assert!(parts >= 3, "{parts}");
        let places: Vec<u64> = pictures_of(&bytes).into_iter().map(|(place, _)| place).collect();
        let expected: Vec<u64> = (0..60).map(|n| (n as f64 * 2.4).round() as u64).collect();
        assert_eq!(places, expected);
    }

    #[test]
    fn pictures_that_come_at_once_take_the_next_place_and_then_none() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("fast.avi");
        let mut avi = Avi::create(&path).expect("a file");
        for (n, ms) in [0, 1, 2, 100, 100].into_iter().enumerate() {
            avi.add(&shot(n, Duration::from_millis(ms))).expect("room");
        }
        let ended = avi.end();
        assert_eq!(ended.frames, Some(4));
        assert!(ended.notes[0].starts_with("1 picture left out"), "{:?}", ended.notes);
        let pictures = pictures_of(&fs::read(&path).expect("a file"));
        let places: Vec<u64> = pictures.into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [0, 1, 6, 7]);
    }

    /// As after a kill: no index, and a header that is at most a second old.
    #[test]
    fn a_file_that_is_cut_off_has_a_true_header() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("cut.avi");
        let mut avi = Avi::create(&path).expect("a file");
        for n in 0..100 {
            avi.add(&shot(n, Duration::from_millis(40 * n as u64))).expect("room");
        }
        let bytes = fs::read(&path).expect("a file");
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
        let end = number(4) as usize + 8;
        assert!(end <= bytes.len());
        let movi = bytes.windows(4).position(|w| w == b"movi").expect("a list");
        let (mut at, mut places) = (movi + 4, 0);
        while at < end {
            assert_eq!(&bytes[at..at + 4], b"00dc");
            at += 8 + number(at + 4).next_multiple_of(2) as usize;
            places += 1;
        }
        assert_eq!((at, movi + number(movi - 4) as usize), (end, end));
        let main = bytes.windows(4).position(|w| w == b"avih").expect("a header") + 8;
        assert_eq!(number(main + 16), places);
        assert!(places >= 239 - RATE, "{places}");
        assert_eq!(number(main + 12) & 0x10, 0, "no index");
    }
}
