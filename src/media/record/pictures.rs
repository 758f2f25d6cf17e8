//! A recording as a folder: a file for each frame, and a table of their times.
//!
//! Every picture is written whole or not at all; `frames.csv` gets a line for each, appended in place.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use super::output::{Ended, Output, Shot};
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

/// A folder of pictures.
pub struct Pictures {
    folder: PathBuf,
    format: Format,
    table: File,
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
        let mut table = disk::create_new(&path).map_err(|error| match error {
            WriteError::Exists { .. } => {
                refused("it holds a recording already; choose another folder".to_owned())
            }
            other => other.into(),
        })?;
        let titles = b"frame,file,seconds\n";
        table.write_all(titles).map_err(|e| {
            // Nothing was recorded; another recording may begin here.
            fs::remove_file(&path).ok();
            refused(reason(&e))
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            format,
            table,
            bytes: titles.len() as u64,
        })
    }

    /// Removes a folder in which no picture is, unless it holds other files.
    pub fn discard(folder: &Path) {
        // What cannot be removed stays, and does no harm.
        let table = fs::remove_file(folder.join(TABLE));
        table.and_then(|()| fs::remove_dir(folder)).ok();
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
        self.table
            .write_all(line.as_bytes())
            .map_err(|e| self.refused(TABLE, reason(&e)))?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    fn end(&mut self) -> Ended {
        let synced = disk::sync_file(&self.table, &self.folder.join(TABLE))
            .and_then(|()| disk::sync_folder(&self.folder))
            .map_err(|e| self.refused(TABLE, reason(&e)));
        Ended {
            failure: synced.err(),
            ..Ended::default()
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
