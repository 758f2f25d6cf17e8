//! One style: its name, its credit, and where its weights and its thumbnail lie.
//!
//! Loading blocks on the disk; any thread may do it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{Display, Formatter},
    io::{self, Read},
    path::PathBuf,
};

use serde::Serialize;

use crate::{
    disk::{WriteError, words},
    mode::ModelSize,
};

use super::{
    Checkpoint, Inspection, WeightsError,
    file_name::as_text,
    inspect::{describe, describe_bytes},
    names::stated,
    plain_file,
};

/// What stands for the path of weights inside the program.
const BUILT_IN: &str = "built in";
/// Largest thumbnail that is read, in bytes.
const MAX_THUMBNAIL_BYTES: u64 = 4 * 1024 * 1024;

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
    #[error("'{name}' cannot name a style; choose a name with letters or digits")]
    BadName {
        /// The name given.
        name: String,
    },
    /// The name is a word of the command line.
    #[error(
        "'{name}' cannot name a style: it stands for {meaning} on the command line; choose another name"
    )]
    Reserved {
        /// The name given.
        name: String,
        /// What it stands for.
        meaning: &'static str,
    },
    /// There is a style of this name.
    #[error("there is already a style named {id}; choose another name")]
    Exists {
        /// The name of its folder.
        id: String,
    },
    /// There is no style of this name.
    #[error("there is no style named {name}")]
    Unknown {
        /// The name given.
        name: String,
    },
    /// The style is none of the person's own.
    #[error(
        "{title} is none of your own styles and stays; only those in {} can be removed",
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
            Self::BadName { .. } | Self::Reserved { .. } | Self::Exists { .. }
        )
    }
}

/// Who a style goes back to, in the words of its file. Parts that the file does not tell are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Credit {
    /// Who painted the picture that the style was trained on.
    pub artist: Option<String>,
    /// When.
    pub year: Option<String>,
    /// The picture's title.
    pub painting: Option<String>,
    /// The picture's legal status, for example public domain.
    pub status: Option<String>,
    /// Licence of the weights.
    pub license: Option<String>,
    /// Who trained the weights.
    pub credit: Option<String>,
}

impl Credit {
    pub(super) fn from_metadata(metadata: &BTreeMap<String, String>) -> Self {
        let text = |key: &str| stated(metadata, key);
        Self {
            artist: text("artist"),
            year: text("year"),
            painting: text("painting"),
            status: text("painting_status"),
            license: text("license"),
            credit: text("credit"),
        }
    }
}

/// Where a style comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "path")]
pub enum Origin {
    /// Inside the program.
    Embedded,
    /// A folder of styles beside the program.
    #[serde(serialize_with = "as_text")]
    Installed(PathBuf),
    /// The person's own: a folder or a file.
    #[serde(serialize_with = "as_text")]
    User(PathBuf),
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("built in"),
            Self::Installed(path) => write!(f, "{}", path.display()),
            Self::User(path) => write!(f, "{} (your own)", path.display()),
        }
    }
}

/// Where a piece of a style lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Memory(&'static [u8]),
    File(PathBuf),
}

/// A named set of trained weights with its credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// The name on the command line and of its folder: `rain_princess`.
    pub id: String,
    /// The name for people: `Rain Princess`.
    pub title: String,
    /// Who it goes back to.
    pub credit: Credit,
    /// Where it comes from.
    pub origin: Origin,
    /// Where styles of the same name lie that this one hides.
    pub hides: Vec<Origin>,
    /// What was assumed when it was imported, because its file did not tell.
    pub assumed: Option<String>,
    pub(super) models: Vec<(ModelSize, Place)>,
    pub(super) thumbnail: Option<Place>,
}

impl Style {
    /// Sizes that can be loaded, the largest first.
    pub fn models(&self) -> Vec<ModelSize> {
        self.models.iter().map(|(size, _)| *size).collect()
    }

    /// Where it comes from and which ones of its name it hides, in words.
    pub fn origin_in_words(&self) -> String {
        let hidden: Vec<String> = self
            .hides
            .iter()
            .map(|origin| match origin {
                Origin::Embedded => "the one built in".to_owned(),
                other => format!("the one in {other}"),
            })
            .collect();
        match hidden.is_empty() {
            true => self.origin.to_string(),
            false => format!("{}, in place of {}", self.origin, hidden.join(" and ")),
        }
    }

    /// Reads the weights of one size.
    ///
    /// # Errors
    /// [`LibraryError::NoSuchModel`] or [`LibraryError::Weights`].
    pub fn load(&self, size: ModelSize) -> Result<Checkpoint, LibraryError> {
        let (path, result) = match self.place(size)? {
            Place::Memory(bytes) => (PathBuf::from(BUILT_IN), Checkpoint::from_bytes(bytes)),
            Place::File(path) => (path.clone(), Checkpoint::read(path)),
        };
        result.map_err(|source| LibraryError::Weights { path, source })
    }

    /// Where the weights of one size lie.
    fn place(&self, size: ModelSize) -> Result<&Place, LibraryError> {
        let found = self.models.iter().find(|(s, _)| *s == size);
        found.map(|(_, place)| place).ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|(s, _)| s.name()).collect();
            LibraryError::NoSuchModel {
                title: self.title.clone(),
                size,
                available: names.join(" or "),
            }
        })
    }

    /// Tells what the weights of one size are or, when none is named, of the best that there is.
    ///
    /// # Errors
    /// [`LibraryError::NoSuchModel`]; for a file that cannot be used the returned value has the error.
    pub fn describe(&self, size: Option<ModelSize>) -> Result<Inspection, LibraryError> {
        let best = || self.models.first().map_or(ModelSize::Full, |(s, _)| *s);
        Ok(match self.place(size.unwrap_or_else(best))? {
            Place::Memory(bytes) => Inspection {
                path: BUILT_IN.into(),
                ..describe_bytes(bytes)
            },
            Place::File(path) => describe(path),
        })
    }

    /// Reads the requested size, or, without a request, the best there is, with a note for the person when that
    /// is only the `lite` one.
    ///
    /// # Errors
    /// As [`Style::load`].
    pub fn load_or_lite(
        &self,
        requested: Option<ModelSize>,
    ) -> Result<(Checkpoint, ModelSize, Option<String>), LibraryError> {
        let size = match requested {
            Some(size) => size,
            None if self.models().contains(&ModelSize::Full) => ModelSize::Full,
            None => ModelSize::Lite,
        };
        let note = (requested.is_none() && size == ModelSize::Lite).then(|| {
            format!(
                "{}: painted with the lite model, the full one is not installed",
                self.title
            )
        });
        Ok((self.load(size)?, size, note))
    }

    /// An encoded picture (JPEG or PNG) of the style, if it has one that can be read.
    pub fn thumbnail(&self) -> Option<Cow<'_, [u8]>> {
        match self.thumbnail.as_ref()? {
            Place::Memory(bytes) => Some(Cow::Borrowed(bytes)),
            Place::File(path) => {
                let file = plain_file::open(path).ok()?;
                let mut bytes = Vec::new();
                let most = MAX_THUMBNAIL_BYTES + 1;
                file.take(most).read_to_end(&mut bytes).ok()?;
                (bytes.len() as u64 <= MAX_THUMBNAIL_BYTES).then_some(Cow::Owned(bytes))
            }
        }
    }
}
