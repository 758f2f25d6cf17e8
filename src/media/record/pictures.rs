//! A recording as a folder: a file for each frame, and a table of their times.
//!
//! Every picture is written whole or not at all; the table gets a line for each, appended in place. It is called
//! `frames.partial.csv` until the recording ends, and `frames.csv` then.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    output::{Ended, Output, Shot},
    partial::{self, Partial},
};
use crate::{
    disk::{self, FolderSync, WriteError, reason},
    media::{
        MediaError,
        encode::{self, Encoding, Existing, Format},
    },
    text::csv_line,
};

/// Name of the table.
pub const TABLE: &str = "frames.csv";
/// The table's first line.
const TITLES: &str = "frame,file,seconds\n";
/// Most bytes of a table that are read back: those of two days.
const MOST_TABLE_BYTES: u64 = 1 << 28;

/// A folder of pictures.
pub struct Pictures {
    folder: PathBuf,
    format: Format,
    table: File,
    /// Its name; `None` once the recording has ended.
    partial: Option<Partial>,
    bytes: u64,
}

impl Pictures {
    /// Makes the folder and the table in it.
    ///
    /// # Errors
    /// When the folder cannot be made or holds a recording already.
    pub fn create(folder: &Path, format: Format) -> Result<Self, MediaError> {
        disk::make_folder(folder)?;
        disk::sweep(folder);
        let path = folder.join(TABLE);
        let refused = |reason: String| -> MediaError {
            let name = folder.display().to_string();
            WriteError::Refused { name, reason }.into()
        };
        let (partial, mut table) = Partial::create(&path).map_err(|error| match error {
            MediaError::Write(WriteError::Exists { .. }) => {
                refused("it holds a recording already; choose another folder".to_owned())
            }
            other => other,
        })?;
        if let Err(error) = table.write_all(TITLES.as_bytes()) {
            // Nothing was recorded; another recording may begin here.
            partial.discard();
            return Err(refused(reason(&error)));
        }
        Ok(Self {
            folder: folder.to_owned(),
            format,
            table,
            partial: Some(partial),
            bytes: TITLES.len() as u64,
        })
    }

    /// How many pictures the table of a recording tells of that was not ended, and when the last one came after the
    /// first; `None` where it is no such table.
    ///
    /// # Errors
    /// The disk's.
    pub fn extent_of(table: &mut File) -> io::Result<Option<(u64, Duration)>> {
        let mut text = String::new();
        table.take(MOST_TABLE_BYTES).read_to_string(&mut text)?;
        let Some(lines) = text.strip_prefix(TITLES) else {
            return Ok(None);
        };
        // A line without its end was being written.
        let whole = lines.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let mut extent = (0, Duration::ZERO);
        for line in whole {
            let seconds = line.trim_end().rsplit(',').next();
            let seconds = seconds.and_then(|seconds| seconds.parse().ok());
            let Some(Ok(at)) = seconds.map(Duration::try_from_secs_f64) else {
                return Ok(None);
            };
            extent = (extent.0 + 1, at);
        }
        Ok(Some(extent))
    }

    /// Removes a folder in which no picture is, unless it holds other files.
    pub fn discard(folder: &Path) {
        // What cannot be removed stays, and does no harm.
        let table = folder.join(TABLE);
        for table in [partial::partial_name(&table), table] {
            fs::remove_file(table).ok();
        }
        fs::remove_dir(folder).ok();
    }

    fn refused(&self, file: &str, reason: String) -> MediaError {
        let name = self.folder.join(file).display().to_string();
        WriteError::Refused { name, reason }.into()
    }
}

impl Output for Pictures {
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError> {
        let file = format!("frame-{:06}.{}", shot.number, self.format.extension());
        let path = self.folder.join(&file);
        // The names of all pictures are brought to the disk once, when the recording ends.
        let (existing, sync) = (Existing::Keep, FolderSync::Later);
        disk::write_whole(&path, existing, sync, |to, name| {
            let encoding = Encoding::of(self.format);
            encode::write(to, name, Cow::Borrowed(&shot.frame), None, encoding, &[])
        })
        .map_err(|error| match error {
            MediaError::Write(WriteError::Exists { .. }) => {
                let why = "it exists already and was not touched; choose another folder";
                self.refused(&file, why.to_owned())
            }
            other => other,
        })?;
        self.bytes += fs::metadata(&path).map_or(0, |about| about.len());
        // In one piece, so that a kill tears no line.
        let seconds = format!("{:.4}", shot.at.as_secs_f64());
        let line = csv_line([shot.number.to_string(), file, seconds]);
        self.table.write_all(line.as_bytes()).map_err(|e| self.refused(TABLE, reason(&e)))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn end(&mut self) -> Ended {
        let synced = disk::sync_file(&self.table, &self.folder.join(TABLE))
            .map_err(|e| self.refused(TABLE, reason(&e)));
        // The name of the table brings those of all pictures to the disk, too.
        let kept = self.partial.take().map_or(Ok(()), Partial::keep);
        Ended { failure: synced.and(kept).err(), ..Ended::default() }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
