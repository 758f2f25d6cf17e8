//! A recording as a folder: one file per frame, and a table of their times.
//!
//! Every picture is written completely or not at all, with one line in the table.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{
    file::{self, refused},
    output::{Output, RecordingEnd, Shot},
};
use pictures::{
    MediaError,
    encode::{self, Attached, Encoding, Existing, Format},
};
use values::{
    disk::{self, FolderSync, WriteError, reason},
    text::csv_line,
};

/// Name of the table.
pub const TABLE: &str = "frames.csv";
/// Header of the table.
const TITLES: &str = "frame,file,seconds\n";

/// A folder of pictures.
pub struct Pictures {
    folder: PathBuf,
    format: Format,
    table: File,
    bytes: u64,
    pictures: u64,
}

impl Pictures {
    /// Creates the folder and the table in it.
    ///
    /// # Errors
    /// If the folder cannot be created or already contains a recording.
    pub fn create(folder: &Path, format: Format) -> Result<Self, MediaError> {
        disk::make_folder(folder)?;
        disk::sweep(folder);
        let mut table = file::create(&folder.join(TABLE), |bytes| bytes == TITLES.as_bytes())
            .map_err(|error| {
                with_reason(error, folder, "it already contains a recording; choose another folder")
            })?;
        let titled = table.write_all(TITLES.as_bytes());
        let pictures = Self {
            folder: folder.to_owned(),
            format,
            table,
            bytes: TITLES.len() as u64,
            pictures: 0,
        };
        titled.map_err(|error| {
            pictures.remove_table();
            refused(folder, reason(&error))
        })?;
        Ok(pictures)
    }

    /// Removes the table if nothing was recorded, so that another recording can use the folder.
    fn remove_table(&self) {
        // If it cannot be removed, it stays; the next recording may replace it.
        fs::remove_file(self.folder.join(TABLE)).ok();
    }

    /// Why the table cannot be written.
    fn unwritten(&self, error: io::Error) -> MediaError {
        refused(&self.folder.join(TABLE), reason(&error))
    }
}

/// `error`, with this reason if the file at `path` already exists.
fn with_reason(error: MediaError, path: &Path, why: &str) -> MediaError {
    match error {
        MediaError::Write(WriteError::Exists { .. }) => refused(path, why.to_owned()),
        other => other,
    }
}

impl Output for Pictures {
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError> {
        let file = format!("frame-{:06}.{}", shot.number, self.format.extension());
        let path = self.folder.join(&file);
        // The names of all pictures are synced once, when the recording ends.
        let (existing, sync) = (Existing::Keep, FolderSync::Later);
        disk::write_whole(&path, existing, sync, |to, name| {
            let (picture, encoding) = (Cow::Borrowed(&shot.frame), Encoding::of(self.format));
            encode::write(to, name, picture.into(), Attached::default(), encoding)
        })
        .map_err(|error| with_reason(error, &path, "it already exists; choose another folder"))?;
        self.pictures += 1;
        self.bytes += fs::metadata(&path).map_or(0, |about| about.len());
        // In a single write, so that a kill leaves no partial line.
        let seconds = format!("{:.4}", shot.at.as_secs_f64());
        let line = csv_line([shot.number.to_string(), file, seconds]);
        self.table.write_all(line.as_bytes()).map_err(|e| self.unwritten(e))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn end(&mut self) -> RecordingEnd {
        if self.pictures == 0 {
            self.remove_table();
            return RecordingEnd::default();
        }
        let synced = disk::sync_file(&self.table, &self.folder.join(TABLE))
            .and_then(|()| disk::sync_folder(&self.folder));
        RecordingEnd { failure: synced.err().map(|e| self.unwritten(e)), ..RecordingEnd::default() }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
