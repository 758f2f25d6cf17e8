//! The styles as the window sees them: cards to show and networks to load.
//!
//! [`StyleSource`] is the interface to the style library. The window calls it on background threads, and tests replace
//! it with a scripted implementation. This module does not depend on egui.

use std::{
    borrow::Cow,
    fmt::Display,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use super::mix::{LastNetwork, MixedCodes, why_not_mixed};
use crate::{shell::tasks::OrText, widgets::label::stem};
use engine::{network_choice::NetworkChoice, style_picture, trial::only_color};
use network::Network;
use pictures::{
    decode::{self, FORMATS},
    encode::Existing,
    scale::{scaled, size_within},
};
use settings::{
    looks::{self, SavedLook},
    painted_with::Painted,
};
use values::{frame::Frame, lock::lock, mode::ModelSize};
use weights::{
    Checkpoint, LibraryError, MadeBy, PixelChoice, PixelFormat, Style, StyleLibrary, StyleNetwork,
    WeightsError,
};

/// Maximum long side of a thumbnail, in pixels.
pub const THUMBNAIL_PX: usize = 384;

/// Maximum memory for reading a thumbnail's file, in bytes.
const THUMBNAIL_BYTES: u64 = 64 << 20;

/// Maximum number of styles that may be added under the same name.
const MAX_COPIES: usize = 9;
/// Begins the credit of a saved mix.
pub const MIX_OF: &str = "mix of ";

/// A style in the gallery.
#[derive(Clone, Default)]
pub struct Card {
    pub id: String,
    /// Name for the user.
    pub title: String,
    /// The painting that it was made after, and the artist if known, for the user.
    pub after: Option<String>,
    /// Artist, year, status of the painting and licence of the weights, for the user.
    pub credit: String,
    /// The available model sizes.
    pub models: Vec<ModelSize>,
    /// A small picture painted in the style, at most [`THUMBNAIL_PX`] per side.
    pub thumbnail: Option<Arc<Frame>>,
    /// The file, if the style is the user's own and can be renamed and removed.
    pub own: Option<PathBuf>,
    /// Modification time of that file.
    pub changed: Option<SystemTime>,
    /// The network that made the style from a picture, if any. The picture is then the thumbnail.
    pub made_by: Option<MadeBy>,
}

impl Card {
    /// Why this style cannot be mixed with another; `None` if it can.
    pub fn why_not_mixed(&self, other: &Self) -> Option<String> {
        match (&self.made_by, &other.made_by) {
            (Some(own), Some(others)) => why_not_mixed(others, own),
            _ => Some("it was not made from a picture".to_owned()),
        }
    }

    /// The requested size if it is available, otherwise the one that is.
    pub fn model(&self, requested: ModelSize) -> ModelSize {
        if self.models.contains(&requested) {
            requested
        } else {
            self.models.first().copied().unwrap_or(requested)
        }
    }

    /// True if the style is a saved mix. Its thumbnail then shows the pictures of its styles side by side.
    pub fn is_mix(&self) -> bool {
        self.credit.starts_with(MIX_OF)
    }

    /// True if the style was made from a picture.
    pub const fn is_picture(&self) -> bool {
        self.made_by.is_some()
    }
}

/// A style's network, ready for the engine.
#[derive(Clone)]
pub struct Loaded {
    pub network: Arc<Network>,
    /// A note for the user, for example that the smaller model is used instead.
    pub note: Option<String>,
}

/// The outcome of adding a file to the styles.
#[derive(Debug, Clone, PartialEq)]
pub enum Import {
    /// The file is now a style.
    Added {
        /// The style's id.
        id: String,
        /// A message for the user if the style's pictures look wrong.
        warning: Option<String>,
    },
    /// The file does not specify its pixel format beyond these parts; the user must choose the rest.
    Unclear(PixelChoice),
}

/// The source of the styles. Calls block; make them on background threads.
pub trait StyleSource: Send + Sync {
    /// Returns every style, and the problems of files that are not valid styles.
    fn cards(&self) -> (Vec<Card>, Vec<String>);

    /// Loads the network of style `id` in the requested size, or in the other size if only that is available.
    ///
    /// # Errors
    /// A message for the user.
    fn load(&self, id: &str, requested: ModelSize) -> Result<Loaded, String>;

    /// Copies a checkpoint into the user's own styles, with the pixel format that the user chose. Copies nothing if
    /// neither the user nor the file specifies the format.
    ///
    /// # Errors
    /// A message for the user: why the file is not a style.
    fn import(&self, path: &Path, pixels: PixelChoice) -> Result<Import, String>;

    /// Adds a picture that has no file to the user's own styles, as `name` or, if that is taken, with a number
    /// appended.
    ///
    /// # Errors
    /// A message for the user: why the picture cannot be a style.
    fn import_picture(&self, picture: &Frame, name: &str) -> Result<Import, String>;

    /// Loads the network of a mix of styles made from pictures, given their ids and weights.
    ///
    /// # Errors
    /// A message for the user.
    fn mix(&self, parts: &[(String, u8)]) -> Result<Loaded, String>;

    /// Saves a mix as one of the user's own styles called `name`, with `words` as the description of its parts. Returns
    /// its id.
    ///
    /// # Errors
    /// A message for the user: why the mix is not saved.
    fn keep_mix(&self, parts: &[(String, u8)], name: &str, words: &str) -> Result<String, String>;

    /// Renames one of the user's own styles to `name`. Returns its new id.
    ///
    /// # Errors
    /// A message for the user: why the style is not renamed.
    fn rename(&self, id: &str, name: &str) -> Result<String, String>;

    /// Deletes one of the user's own styles from disk.
    ///
    /// # Errors
    /// A message for the user: why the style was not deleted.
    fn remove(&self, id: &str) -> Result<(), String>;

    /// Reads the network of a file with this pixel format.
    ///
    /// # Errors
    /// A message for the user: why the file cannot be read.
    fn network_as(&self, path: &Path, format: PixelFormat) -> Result<Arc<Network>, String>;

    /// The user's looks: names and files.
    fn looks(&self) -> Vec<(String, PathBuf)>;

    /// Adds the style pictures of a look that are not in the library.
    ///
    /// # Errors
    /// A message for the user: why the look cannot be used.
    fn adopt_look(&self, look: &SavedLook) -> Result<Painted, String>;

    /// Saves a look under a name, shown by `picture`.
    ///
    /// # Errors
    /// A message for the user: why it is not saved.
    fn keep_look(&self, look: Painted, name: &str, picture: &Frame) -> Result<(), String>;
}

/// The program's style library as a [`StyleSource`].
#[derive(Default)]
pub struct Library {
    /// Opened by the first call, on a background thread.
    library: Mutex<Option<StyleLibrary>>,
    mixes: LastNetwork,
}

impl Library {
    /// The styles of [`StyleLibrary::standard`], read at first use.
    pub fn standard() -> Self {
        Self::default()
    }

    pub fn of(library: StyleLibrary) -> Self {
        Self { library: Mutex::new(Some(library)), ..Self::default() }
    }

    fn with<T>(&self, use_library: impl FnOnce(&mut StyleLibrary) -> T) -> T {
        let mut guard = lock(&self.library);
        use_library(guard.get_or_insert_with(StyleLibrary::standard))
    }

    /// Returns the codes of these styles' pictures, with the weights.
    fn codes(&self, parts: &[(String, u8)]) -> Result<MixedCodes, String> {
        // Do not lock the library while reading files.
        let (styles, networks) = self.with(|library| {
            let style = |(id, weight): &(String, u8)| match library.find(id) {
                Some(style) => Ok((style.clone(), *weight)),
                None => Err(format!("The style {id} no longer exists.")),
            };
            let styles: Result<Vec<_>, _> = parts.iter().map(style).collect();
            (styles, library.networks())
        });
        self.mixes.codes(&networks, &styles?)
    }
}

impl StyleSource for Library {
    fn cards(&self) -> (Vec<Card>, Vec<String>) {
        self.with(|library| {
            library.refresh();
            let cards = library.styles().iter().map(card_of).collect();
            (cards, library.problems().to_vec())
        })
    }

    fn load(&self, id: &str, requested: ModelSize) -> Result<Loaded, String> {
        // Do not lock the library while reading weights.
        let style = self
            .with(|library| library.find(id).cloned())
            .ok_or_else(|| format!("The style {id} no longer exists. Choose another one."))?;
        let model = Some(requested).filter(|model| style.models().contains(model));
        let chosen = NetworkChoice::Style(&style, model)
            .load()
            .map_err(|e| format!("{} could not be loaded. {e}.", style.title))?;
        let chosen = chosen.with_margin(None);
        Ok(Loaded { network: chosen.network, note: chosen.notes.into_iter().next() })
    }

    fn import(&self, path: &Path, pixels: PixelChoice) -> Result<Import, String> {
        // Do not lock the library while reading pictures and weights.
        if decode::has_picture_name(path) {
            let photo = decode::from_path(path).map_err(not_added)?;
            return self.import_picture(&photo.frame, &picture_name(path));
        }
        let checkpoint = match Checkpoint::read_as(path, pixels) {
            Ok(checkpoint) => checkpoint,
            Err(WeightsError::PixelValues { known }) => return Ok(Import::Unclear(known)),
            Err(error) => return Err(no_weights(&error)),
        };
        if let Some(guessed) = checkpoint.guessed {
            let known = PixelChoice::from(guessed);
            return Ok(Import::Unclear(PixelChoice { order: None, ..known }));
        }
        let kept = self.with(|library| {
            let first = library.keep(&checkpoint, path, None);
            or_numbered(&stem(path), first, |name| library.keep(&checkpoint, path, Some(name)))
        });
        let style = kept.map_err(not_added)?;
        let flat = only_color(&checkpoint).map(|color| {
            format!(
                "{} paints everything {color}; its output range is probably wrong. Add the file again and choose another one.",
                style.title
            )
        });
        let assumed = style.assumed.map(|what| format!("It was assumed {what}."));
        let sentences: Vec<String> = flat.into_iter().chain(assumed).collect();
        Ok(Import::Added {
            warning: (!sentences.is_empty()).then(|| sentences.join(" ")),
            id: style.id,
        })
    }

    fn import_picture(&self, picture: &Frame, name: &str) -> Result<Import, String> {
        let network = StyleNetwork::built_in().map_err(not_added)?;
        let (code, thumbnail) = style_picture::look_at(&network, picture).map_err(not_added)?;
        let warning = style_picture::caution(&format!("“{name}”"), picture);
        let kept = self.with(|library| {
            let mut keep = |name: &str| library.keep_style_picture(&code, name, &thumbnail, None);
            or_numbered(name, keep(name), keep)
        });
        let style = kept.map_err(not_added)?;
        Ok(Import::Added { id: style.id, warning })
    }

    fn mix(&self, parts: &[(String, u8)]) -> Result<Loaded, String> {
        let network = self
            .codes(parts)?
            .painting()
            .map_err(|e| format!("The styles could not be mixed: {e}."))?;
        Ok(Loaded { network, note: None })
    }

    fn keep_mix(&self, parts: &[(String, u8)], name: &str, words: &str) -> Result<String, String> {
        fn not_kept(error: impl Display) -> String {
            format!("The mix was not saved: {error}.")
        }
        let code = self.codes(parts)?.kept().map_err(not_kept)?;
        let pictures: Vec<_> = parts
            .iter()
            .filter_map(|(id, weight)| {
                let style = self.with(|library| library.find(id).cloned())?;
                Some((thumbnail(&style.thumbnail()?)?, *weight))
            })
            .collect();
        let picture = style_picture::thumbnail_of_mix(&pictures).map_err(not_kept)?;
        self.with(|library| library.keep_style_picture(&code, name, &picture, Some(words)))
            .map(|style| style.id)
            .map_err(not_kept)
    }

    fn rename(&self, id: &str, name: &str) -> Result<String, String> {
        let renamed = self.with(|library| library.rename(id, name));
        let title_of = |id: &str| self.with(|library| library.find(id).map(|s| s.title.clone()));
        renamed.map(|style| style.id).map_err(|e| not_renamed(&e, title_of))
    }

    fn remove(&self, id: &str) -> Result<(), String> {
        match self.with(|library| library.remove(id)) {
            // `Unknown`: the command line has already removed the style.
            Ok(_) | Err(LibraryError::Unknown { .. }) => Ok(()),
            Err(error) => Err(format!("The style was not removed: {error}.")),
        }
    }

    fn network_as(&self, path: &Path, format: PixelFormat) -> Result<Arc<Network>, String> {
        Checkpoint::read_as(path, PixelChoice::from(format))
            .map(|checkpoint| checkpoint.network)
            .or_text()
    }

    fn looks(&self) -> Vec<(String, PathBuf)> {
        let file = |name: String| Some((looks::own(&name).ok()?, name));
        looks::names().into_iter().filter_map(file).map(|(path, name)| (name, path)).collect()
    }

    fn adopt_look(&self, look: &SavedLook) -> Result<Painted, String> {
        self.with(|library| look.adopt(library)).or_text()
    }

    fn keep_look(&self, look: Painted, name: &str, picture: &Frame) -> Result<(), String> {
        let mut look = SavedLook::new(look);
        self.with(|library| look.complete(library)).or_text()?;
        look.save(name, picture, Existing::Keep).or_text()
    }
}

/// A style name for a picture: its file's name, with a word in front if that has only digits.
fn picture_name(path: &Path) -> Cow<'_, str> {
    let stem = stem(path);
    if stem.contains(char::is_alphabetic) { stem } else { format!("Style {stem}").into() }
}

/// Saves a style as `stem`. If that name is taken or not allowed, appends a number, because the user is not asked for a
/// name while adding styles.
fn or_numbered(
    stem: &str,
    mut result: Result<Style, LibraryError>,
    mut keep: impl FnMut(&str) -> Result<Style, LibraryError>,
) -> Result<Style, LibraryError> {
    for number in 1..=MAX_COPIES {
        if !result.as_ref().is_err_and(LibraryError::is_about_the_name) {
            break;
        }
        let name = match number {
            1 => stem.to_owned(),
            _ => format!("{stem} {number}"),
        };
        result = keep(&name);
    }
    result
}

fn card_of(style: &Style) -> Card {
    let credit = &style.credit;
    let mut parts: Vec<String> = [&credit.painting, &credit.artist, &credit.year, &credit.status]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    parts.extend(credit.license.iter().map(|l| format!("weights: {l}")));
    Card {
        id: style.id.clone(),
        title: style.title.clone(),
        after: credit.painting.as_ref().map(|painting| match &credit.artist {
            Some(artist) => format!("After *{painting}* by {artist}"),
            None => format!("After {painting}"),
        }),
        credit: parts.join(", "),
        models: style.models(),
        thumbnail: style.thumbnail().and_then(|bytes| thumbnail(&bytes)),
        own: style.own_path().map(Path::to_owned),
        changed: style.own_path().and_then(|path| path.metadata().ok()?.modified().ok()),
        made_by: style.made_by.clone(),
    }
}

/// A thumbnail's pixels; `None` if it cannot be decoded.
fn thumbnail(bytes: &[u8]) -> Option<Arc<Frame>> {
    let frame = decode::from_bytes_within("thumbnail", bytes, THUMBNAIL_BYTES).ok()?.frame;
    let (width, height) = size_within(frame.width(), frame.height(), THUMBNAIL_PX);
    Some(Arc::new(scaled(&frame, width, height)))
}

/// Why a file was not added.
fn not_added(error: impl Display) -> String {
    format!("This file was not added as a style: {error}.")
}

/// Why a file of weights was not added. If it is not a weights file at all, it may have been meant as a picture.
fn no_weights(error: &WeightsError) -> String {
    match error {
        WeightsError::UnknownFormat { found } => format!(
            "This file was not added as a style: {found}. A style is an image ({FORMATS}) or a network (safetensors, PyTorch or ONNX)."
        ),
        other => not_added(other),
    }
}

/// Why a style was not renamed; `title_of` returns the title of the style that has the name.
fn not_renamed(error: &LibraryError, title_of: impl Fn(&str) -> Option<String>) -> String {
    let taken = match error {
        LibraryError::Exists { id } => title_of(id),
        _ => None,
    };
    match taken {
        Some(title) => format!("A style named “{title}” already exists. Choose another name."),
        None => format!("The style was not renamed: {error}."),
    }
}

#[cfg(test)]
mod tests;
