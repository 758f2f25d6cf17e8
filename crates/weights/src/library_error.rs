//! Why a style or network is not available.

use std::{
    io,
    path::{Path, PathBuf},
};

use values::{
    disk::{WriteError, words},
    mode::ModelSize,
};

use super::WeightsError;

/// Why a style was not loaded or imported.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file, or `built in` for a style inside the program.
        path: PathBuf,
        source: WeightsError,
    },
    #[error("{title} has no {size} model here; choose {available}")]
    NoSuchModel {
        title: String,
        size: ModelSize,
        /// The sizes that the style has.
        available: String,
    },
    /// The name has no letter or digit to form an id from.
    #[error("'{name}' is not a valid style name; use letters or digits")]
    BadName { name: String },
    /// The name has a meaning on the command line.
    #[error(
        "'{name}' cannot name a style: it means {meaning} on the command line; choose another name"
    )]
    Reserved { name: String, meaning: &'static str },
    #[error("there is already a style or network named {id}; choose another name")]
    Exists { id: String },
    /// A folder of this name contains no style and no network.
    #[error(
        "{} contains neither a style nor a network; move or delete it, or choose another name",
        folder.display()
    )]
    InTheWay { folder: PathBuf },
    /// The location of the user's styles and networks is unknown.
    #[error(
        "no folder for your styles: the home folder is unknown; set HOME or XDG_DATA_HOME to an absolute path"
    )]
    NoOwnFolder,
    /// No style network has this name.
    #[error("no network for style pictures is named {name}; available: {known}")]
    UnknownNetwork {
        name: String,
        /// The names that exist.
        known: String,
    },
    /// No style has this name.
    #[error("no style is named {name}")]
    Unknown { name: String },
    /// The style is not one of the user's own.
    #[error(
        "{title} is a built-in style and cannot be changed; your own are in {}",
        folder.display()
    )]
    NotYours {
        title: String,
        /// Where the user's own styles are.
        folder: PathBuf,
    },
    #[error("{} could not be removed: {}", path.display(), words(source))]
    Remove {
        /// The file or folder.
        path: PathBuf,
        source: io::Error,
    },
    #[error("the style could not be saved: {0}")]
    Write(WriteError),
}

impl LibraryError {
    /// The error for a file that was not read.
    pub(super) fn of(path: &Path) -> impl Fn(WeightsError) -> Self {
        |source| Self::Weights { path: path.to_owned(), source }
    }

    /// The error for a style or network that was not written. Another program may have written one of that name.
    pub(super) fn of_writing(id: &str) -> impl Fn(WriteError) -> Self {
        |error| match error {
            WriteError::Exists { .. } => Self::Exists { id: id.to_owned() },
            error => Self::Write(error),
        }
    }

    /// True if another name would solve the problem.
    pub fn is_about_the_name(&self) -> bool {
        matches!(
            self,
            Self::BadName { .. }
                | Self::Reserved { .. }
                | Self::Exists { .. }
                | Self::InTheWay { .. }
        )
    }
}
