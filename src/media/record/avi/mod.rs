//! A recording as Motion-JPEG in AVI, by this program alone.
//!
//! AVI has one rate for all pictures: [`RATE`] places a second. A picture goes to the place nearest to its time, or
//! the next one; places in between hold an empty chunk, which players show as the picture before. So the video is
//! as long as the recording was, and a picture is off by less than two places; what comes faster than the rate is
//! left out. The header is made true again once a second, so that the file of a program that was killed plays up to
//! there; only its index is missing. A file beyond a gigabyte goes on in further parts, as OpenDML defines them.

#[cfg(test)]
mod read_back;
mod riff;

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use self::riff::{Layout, MOST_PARTS};
use super::{
    fit::Fit,
    output::{Ended, Output, Shot},
    partial::{self, Partial},
    recorded::pictures,
};
use crate::{
    disk::{self, cannot_write, folder_of},
    media::{
        MediaError,
        encode::{self, Encoding, Format},
    },
};

/// Places for pictures in a second.
pub const RATE: u32 = 60;
/// Quality of the pictures, 1 to 100: 40 dB and more from the painting.
const QUALITY: u8 = 95;
/// Bytes of a part of the file at most. Some players read no further than this in one.
const PART_BYTES: u64 = 1 << 30;
/// Bytes that are gathered before they go to the system.
const BUFFER_BYTES: usize = 1 << 16;
/// Bytes that are read of a header, which has less.
const MOST_HEADER_BYTES: u64 = 1 << 16;

/// A file of Motion-JPEG.
pub struct Avi {
    path: PathBuf,
    /// Until the end.
    partial: Option<Partial>,
    file: File,
    video: Option<Video>,
    part_bytes: u64,
}

/// What is known from the first picture on.
struct Video {
    fit: Fit,
    layout: Layout,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    /// Bytes of the file that hold whole chunks.
    sound: u64,
    /// Places that were in the header when it was written last.
    told: u32,
    pictures: u64,
    too_fast: u64,
}

impl Avi {
    /// Makes the file.
    ///
    /// # Errors
    /// As [`Partial::create`].
    pub fn create(path: &Path) -> Result<Self, MediaError> {
        Self::with_parts(path, PART_BYTES)
    }

    /// How long the recording in `file` is by its header; `None` where that is none of ours. The last second may be
    /// missing there.
    ///
    /// # Errors
    /// The disk's.
    pub fn length_of(file: &mut File) -> io::Result<Option<Duration>> {
        let mut beginning = Vec::new();
        file.rewind()?;
        file.take(MOST_HEADER_BYTES).read_to_end(&mut beginning)?;
        let places = Layout::told_places(&beginning);
        // What it has beyond its tables can be rescued, so it is never nothing.
        let seconds = |places: u32| f64::from(places.max(1)) / f64::from(RATE);
        Ok(places.map(|places| Duration::from_secs_f64(seconds(places))))
    }

    fn with_parts(path: &Path, part_bytes: u64) -> Result<Self, MediaError> {
        let (partial, file) = Partial::create(path)?;
        Ok(Self { path: path.to_owned(), partial: Some(partial), file, video: None, part_bytes })
    }
}

impl Output for Avi {
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError> {
        let video = self.video.get_or_insert_with(|| {
            let (width, height) = (shot.frame.width(), shot.frame.height());
            Video::new(Fit::to(&shot.frame), Layout::new(width, height, RATE))
        });
        let place = (shot.at.as_secs_f64() * f64::from(RATE)).round() as u64;
        let Some(empty) = video.empty_before(place) else {
            video.too_fast += 1;
            return Ok(());
        };
        let encoding = Encoding { jpeg_quality: QUALITY, ..Encoding::of(Format::Jpeg) };
        let picture = video.fit.apply(&shot.frame);
        let mut jpeg = Cursor::new(Vec::new());
        // Only a size beyond the format's can go wrong.
        let picture = Cow::Borrowed(&*picture);
        encode::write(&mut jpeg, "the video", picture, None, encoding, &[])?;
        let jpeg = jpeg.into_inner();
        let written = video.add(&mut self.file, empty, &jpeg, self.part_bytes);
        written.map_err(|e| {
            let reason = cannot_write(folder_of(&self.path), &e);
            partial::refused(&self.path, reason)
        })
    }

    fn end(&mut self) -> Ended {
        let Some(partial) = self.partial.take() else {
            return Ended::default();
        };
        let Some(video) = self.video.as_mut().filter(|video| video.pictures > 0) else {
            partial.discard();
            return Ended { frames: Some(0), ..Ended::default() };
        };
        let finished = video.finish(&mut self.file);
        let synced = disk::sync_file(&self.file, partial.path());
        let written = finished.and(synced).map_err(|e| partial.unwritten(&e));
        Ended {
            frames: Some(video.pictures),
            notes: video.notes(),
            failure: written.and(partial.keep()).err(),
        }
    }

    fn bytes(&self) -> u64 {
        self.video.as_ref().map_or(0, |video| video.sound)
    }
}

impl Video {
    fn new(fit: Fit, layout: Layout) -> Self {
        let buffer = layout.header();
        Self { fit, layout, buffer, sound: 0, told: 0, pictures: 0, too_fast: 0 }
    }

    /// How many places stay empty before a picture for this one; `None` when even the next place is taken.
    fn empty_before(&self, place: u64) -> Option<u64> {
        let next = u64::from(self.layout.places());
        match place.checked_sub(next) {
            Some(empty) => Some(empty),
            None if place + 1 == next => Some(0),
            None => None,
        }
    }

    fn add(&mut self, file: &mut File, empty: u64, jpeg: &[u8], part: u64) -> io::Result<()> {
        for _ in 0..empty {
            self.chunk(&[], part)?;
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush(file)?;
            }
        }
        self.chunk(jpeg, part)?;
        self.flush(file)?;
        self.pictures += 1;
        if self.layout.places() - self.told >= RATE || self.told == 0 {
            self.write_header(file)?;
        }
        Ok(())
    }

    /// Puts a picture, or none, into the buffer.
    fn chunk(&mut self, jpeg: &[u8], part_bytes: u64) -> io::Result<()> {
        if self.layout.part_bytes() + self.layout.chunk_bytes(jpeg.len()) > part_bytes {
            if self.layout.parts() == MOST_PARTS {
                let most = format!("it has {MOST_PARTS} parts, the most that a video may have");
                return Err(io::Error::other(most + "; begin another recording"));
            }
            self.layout.end_part(&mut self.buffer);
            self.layout.begin_part(&mut self.buffer);
        }
        self.layout.chunk(jpeg, &mut self.buffer);
        Ok(())
    }

    fn flush(&mut self, file: &mut File) -> io::Result<()> {
        file.write_all(&self.buffer)?;
        self.sound += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what the header says by now: sizes and counts.
    fn write_header(&mut self, file: &mut File) -> io::Result<()> {
        for (at, bytes) in self.layout.patches() {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&bytes)?;
        }
        file.seek(SeekFrom::Start(self.sound))?;
        self.told = self.layout.places();
        Ok(())
    }

    /// Writes the index and the header. Where the disk takes no index, the file plays without.
    fn finish(&mut self, file: &mut File) -> io::Result<()> {
        // A chunk that was not written whole is none.
        self.layout.forget_after(self.sound);
        self.buffer.clear();
        let indexed = file.set_len(self.sound).and_then(|()| {
            file.seek(SeekFrom::Start(self.sound))?;
            self.layout.end_part(&mut self.buffer);
            self.flush(file)
        });
        if indexed.is_err() {
            self.layout.without_index(self.sound);
            file.set_len(self.sound)?;
        }
        self.write_header(file)?;
        indexed
    }

    fn notes(&self) -> Vec<String> {
        let too_fast = (self.too_fast > 0).then(|| {
            let fast = pictures(self.too_fast);
            format!("{fast} left out: they came faster than {RATE} a second, the most that fits into the AVI")
        });
        self.fit.note().into_iter().chain(too_fast).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        let mut avi = Avi::with_parts(&path, 20_000).expect("a file");
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

    /// As a kill leaves it: no index, and a header that was true a second before at the latest.
    #[test]
    fn a_file_that_is_cut_off_has_a_true_header() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("cut.avi");
        let mut avi = Avi::create(&path).expect("a file");
        for n in 0..100 {
            avi.add(&shot(n, Duration::from_millis(40 * n as u64))).expect("room");
        }
        let bytes = fs::read(here.path().join("cut.partial.avi")).expect("a file");
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

    #[test]
    fn chunks_that_did_not_reach_the_file_are_forgotten() {
        let mut layout = Layout::new(64, 48, RATE);
        let mut out = layout.header();
        layout.chunk(&[1; 101], &mut out);
        let sound = out.len() as u64;
        layout.chunk(&[2; 100], &mut out);
        layout.end_part(&mut out);
        let first = out.len() as u64;
        layout.begin_part(&mut out);
        layout.chunk(&[3; 100], &mut out);
        assert_eq!((layout.places(), layout.parts()), (3, 2));
        layout.forget_after(first);
        assert_eq!((layout.places(), layout.parts()), (2, 1));
        layout.end_part(&mut out);
        assert_eq!(out.len() as u64, first + 24 + 108, "it has ended");

        let mut layout = Layout::new(64, 48, RATE);
        let mut out = layout.header();
        layout.chunk(&[1; 101], &mut out);
        layout.chunk(&[2; 100], &mut out);
        layout.end_part(&mut out);
        layout.forget_after(sound + 50);
        assert_eq!(layout.places(), 1);
    }
}
