//! Why a style or a network is not there.

use std::{io, path::PathBuf};

use crate::{
    disk::{WriteError, words},
    mode::ModelSize,
};

use super::WeightsError;

/// Why a style was not loaded or imported.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file of weights was refused.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file, or `built in` for a style inside the program.
        path: PathBuf,
        /// Why.
        source: WeightsError,
    },
    /// The style has no weights of this size.
    #[error("{title} has no {size} model here; choose {available}")]
    NoSuchModel {
        /// The style's title.
        title: String,
        /// The requested size.
        size: ModelSize,
        /// What there is.
        available: String,
    },
    /// The name leaves nothing to call a folder.
    #[error("'{name}' is not a valid style name; use letters or digits")]
    BadName {
        /// The name given.
        name: String,
    },
    /// The name is a word of the command line.
    #[error(
        "'{name}' cannot name a style: it means {meaning} on the command line; choose another name"
    )]
    Reserved {
        /// The name given.
        name: String,
        /// What it stands for.
        meaning: &'static str,
    },
    /// There is a style of this name.
    #[error("there is already a style or network named {id}; choose another name")]
    Exists {
        /// The name of its folder.
        id: String,
    },
    /// A folder of this name has no style or network in it.
    #[error(
        "{} contains neither a style nor a network; move or delete it, or choose another name",
        folder.display()
    )]
    InTheWay {
        /// The folder.
        folder: PathBuf,
    },
    /// There is no folder for the person's own styles and networks.
    #[error(
        "no folder for your styles: the home folder is unknown; set HOME or XDG_DATA_HOME to an absolute path"
    )]
    NoOwnFolder,
    /// There is no network for style pictures of this name.
    #[error("no network for style pictures is named {name}; available: {known}")]
    UnknownNetwork {
        /// The name given.
        name: String,
        /// What there is.
        known: String,
    },
    /// There is no style of this name.
    #[error("no style is named {name}")]
    Unknown {
        /// The name given.
        name: String,
    },
    /// The style is none of the person's own.
    #[error(
        "{title} is a built-in style and cannot be changed; your own are in {}",
        folder.display()
    )]
    NotYours {
        /// The style's title.
        title: String,
        /// Where the person's own styles are.
        folder: PathBuf,
    },
    /// The style could not be removed.
    #[error("{} could not be removed: {}", path.display(), words(source))]
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The style could not be written.
    #[error("the style could not be saved: {0}")]
    Write(WriteError),
}

impl LibraryError {
    /// Whether another name would do.
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
