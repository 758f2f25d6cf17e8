//! One style: its name, its credit, and where its weights and its thumbnail are stored.
//!
//! Loading blocks on the disk; any thread may do it.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{Display, Formatter},
    path::{Path, PathBuf},
};

use itertools::Itertools;
use serde::Serialize;

use network::models::vit::StyleCode;
use values::mode::ModelSize;

use super::{
    Checkpoint, Inspection, LibraryError, MadeBy, PixelChoice, StyleNetwork, any_picture,
    file_name::as_text,
    fit::ASSUMED,
    inspect::{describe, describe_bytes},
    names::{BUILT_IN, stated, title_from},
    plain_file, read_file,
};

/// Maximum size of a thumbnail that is read.
const MAX_THUMBNAIL_BYTES: u64 = 4 * 1024 * 1024;

/// The credit of a style, as its file states it. Missing parts are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Credit {
    /// Who painted the picture that the style was trained on.
    pub artist: Option<String>,
    pub year: Option<String>,
    /// The picture's title.
    pub painting: Option<String>,
    /// The picture's legal status, for example public domain.
    pub status: Option<String>,
    /// License of the weights.
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "path")]
pub enum Origin {
    /// Built into the program.
    Embedded,
    /// A folder of styles next to the program.
    #[serde(serialize_with = "as_text")]
    Installed(PathBuf),
    /// The user's own: a folder or a file.
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

/// Where a part of a style is stored.
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
    /// The displayed name: `Rain Princess`.
    pub title: String,
    pub credit: Credit,
    pub origin: Origin,
    /// The origins of styles of the same name that this one hides.
    pub hides: Vec<Origin>,
    /// What was assumed at import because the file does not say it.
    pub assumed: Option<String>,
    /// The network that made it, if it was made from a picture. It can be mixed with others of that network.
    pub made_by: Option<MadeBy>,
    pub(super) models: Vec<(ModelSize, Place)>,
    pub(super) thumbnail: Option<Place>,
}

impl Style {
    /// A style without models, as its file and its `name` describe it.
    pub(super) fn stated(name: &str, metadata: &BTreeMap<String, String>, origin: Origin) -> Self {
        Self {
            id: name.to_owned(),
            title: title_from(metadata, name),
            credit: Credit::from_metadata(metadata),
            origin,
            hides: Vec::new(),
            assumed: stated(metadata, ASSUMED),
            made_by: MadeBy::stated(metadata),
            models: Vec::new(),
            thumbnail: None,
        }
    }

    /// Sizes that can be loaded, the largest first.
    pub fn models(&self) -> Vec<ModelSize> {
        self.models.iter().map(|(size, _)| *size).collect()
    }

    /// Its origin and those that it hides, as text.
    pub fn origin_text(&self) -> String {
        if self.hides.is_empty() {
            return self.origin.to_string();
        }
        let mut hidden = self.hides.iter().map(|origin| match origin {
            Origin::Embedded => "the one built in".to_owned(),
            other => format!("the one in {other}"),
        });
        format!("{}, in place of {}", self.origin, hidden.join(" and "))
    }

    /// Reads the weights of one size.
    ///
    /// # Errors
    /// [`LibraryError::NoSuchModel`] or [`LibraryError::Weights`].
    pub fn load(&self, size: ModelSize) -> Result<Checkpoint, LibraryError> {
        let (path, result) = match self.place(size)? {
            Place::Memory(bytes) => (BUILT_IN.as_ref(), Checkpoint::from_bytes(bytes)),
            Place::File(path) => (path.as_path(), Checkpoint::read(path)),
        };
        result.map_err(LibraryError::of(path))
    }

    /// Its path, if it is the user's own.
    pub fn own_path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::User(path) => Some(path),
            Origin::Embedded | Origin::Installed(_) => None,
        }
    }

    /// The code that `network` made from the style's picture; `None` for another kind of style.
    ///
    /// # Errors
    /// As [`Style::load`], and if another network made the code.
    pub fn code(&self, network: &StyleNetwork) -> Result<Option<StyleCode>, LibraryError> {
        match self.models.first() {
            Some((_, Place::File(path))) if self.made_by.is_some() => read_file(path)
                .and_then(|bytes| any_picture::code_in(&bytes, network))
                .map_err(LibraryError::of(path)),
            _ => Ok(None),
        }
    }

    /// The paths of its weights files.
    pub(super) fn weight_files(&self) -> impl Iterator<Item = &Path> {
        self.models.iter().filter_map(|(_, place)| match place {
            Place::File(path) => Some(path.as_path()),
            Place::Memory(_) => None,
        })
    }

    /// Where the weights of one size are stored.
    fn place(&self, size: ModelSize) -> Result<&Place, LibraryError> {
        let found = self.models.iter().find(|(s, _)| *s == size);
        found.map(|(_, place)| place).ok_or_else(|| LibraryError::NoSuchModel {
            title: self.title.clone(),
            size,
            available: self.models().iter().join(" or "),
        })
    }

    /// Inspects the weights of one size or, without a size, of the largest available one.
    ///
    /// # Errors
    /// [`LibraryError::NoSuchModel`]. For a file that cannot be used, the returned value contains the error.
    pub fn describe(&self, size: Option<ModelSize>) -> Result<Inspection, LibraryError> {
        let best = self.models.first().map_or(ModelSize::Full, |(s, _)| *s);
        Ok(match self.place(size.unwrap_or(best))? {
            Place::Memory(bytes) => Inspection { path: BUILT_IN.into(), ..describe_bytes(bytes) },
            Place::File(path) => describe(path, PixelChoice::default()),
        })
    }

    /// Reads the requested size or, without a request, the largest available one. Returns a note for the user if that
    /// is only the `lite` one.
    ///
    /// # Errors
    /// As [`Style::load`].
    pub fn load_or_lite(
        &self,
        requested: Option<ModelSize>,
    ) -> Result<(Checkpoint, ModelSize, Option<String>), LibraryError> {
        let note = self.without_full().filter(|_| requested.is_none());
        let usual = if note.is_some() { ModelSize::Lite } else { ModelSize::Full };
        let size = requested.unwrap_or(usual);
        Ok((self.load(size)?, size, note))
    }

    /// A note for the user if it has no `full` model.
    pub fn without_full(&self) -> Option<String> {
        // An imported network has one size.
        let why = match self.origin {
            Origin::User(_) => "the only one of this style",
            _ => "the full one is not installed",
        };
        (!self.models().contains(&ModelSize::Full))
            .then(|| format!("{}: its lite model is used, {why}", self.title))
    }

    /// An encoded picture (JPEG or PNG) of the style, if it has one that can be read.
    pub fn thumbnail(&self) -> Option<Cow<'_, [u8]>> {
        match self.thumbnail.as_ref()? {
            Place::Memory(bytes) => Some(Cow::Borrowed(bytes)),
            Place::File(path) => plain_file::small(path, MAX_THUMBNAIL_BYTES).map(Cow::Owned),
        }
    }
}
