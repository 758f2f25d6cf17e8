//! The styles as the window sees them: cards to show and networks to load.
//!
//! [`StyleSource`] is the seam to the style library; the window's background threads call it, and tests
//! put a scripted one in its place. Knows no egui.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use super::{
    label::stem,
    mix::{LastNetwork, MixedCodes, why_not_mixed},
    style_refusal::{no_weights, not_added, not_renamed},
};
use crate::{
    engine::{style_picture, trial::only_color},
    frame::Frame,
    media::{
        decode,
        scale::{scaled, size_within},
    },
    mode::ModelSize,
    network::Network,
    weights::{
        Checkpoint, CodeOf, LibraryError, MadeBy, PixelChoice, PixelFormat, Style, StyleLibrary,
        StyleNetwork, WeightsError,
    },
};

/// Long side of a thumbnail at most, in pixels.
pub const THUMBNAIL_PX: usize = 384;

/// Maximum memory to read the file of a thumbnail, in bytes.
const THUMBNAIL_BYTES: u64 = 64 << 20;

/// One style of the gallery.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// The style's id.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// Artist, year, status of the painting and licence of the weights, for people.
    pub credit: String,
    /// The model sizes that are at hand.
    pub models: Vec<ModelSize>,
    /// A small picture painted in the style, at most [`THUMBNAIL_PX`] a side.
    pub thumbnail: Option<Arc<Frame>>,
    /// Where it lies, if it is the person's own and can be renamed and removed.
    pub own: Option<PathBuf>,
    /// When that was written.
    pub changed: Option<SystemTime>,
    /// The network that made it of a picture, if it was made of one, which then is the thumbnail.
    pub made_by: Option<MadeBy>,
    /// Its number key, counted from 0, which it keeps; the gallery gives it.
    pub key: Option<usize>,
}

impl Card {
    /// Why the picture of another style cannot be mixed with that of this one; `None` where it can.
    pub fn why_not_mixed(&self, other: &Self) -> Option<String> {
        match (&self.made_by, &other.made_by) {
            (Some(own), Some(others)) => why_not_mixed(others, own),
            _ => Some("it was not made from a picture".to_owned()),
        }
    }

    /// This size where it is at hand, else the one that is.
    pub fn model(&self, requested: ModelSize) -> ModelSize {
        if self.models.contains(&requested) {
            requested
        } else {
            self.models.first().copied().unwrap_or(requested)
        }
    }

    /// Whether it was made of a picture.
    pub const fn is_picture(&self) -> bool {
        self.made_by.is_some()
    }
}

/// A style's network, ready for the engine.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The network.
    pub network: Arc<Network>,
    /// A note for people, for example that the smaller model is used instead.
    pub note: Option<String>,
}

/// The outcome of adding a file to the styles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Import {
    /// It is a style now.
    Added {
        /// The style's id.
        id: String,
        /// A sentence for people when its pictures look wrong.
        warning: Option<String>,
    },
    /// The file does not tell which values its network reads and makes, only these; a person has to say the others.
    Unclear(PixelChoice),
}

/// Where styles come from. Calls block; background threads make them.
pub trait StyleSource: Send + Sync {
    /// Every style, and what is wrong with files that should have been styles.
    fn cards(&self) -> (Vec<Card>, Vec<String>);

    /// The network of style `id` in the requested size, or in the other one when that is all there is.
    ///
    /// # Errors
    /// A sentence for people.
    fn load(&self, id: &str, requested: ModelSize) -> Result<Loaded, String>;

    /// Copies a checkpoint into the person's own styles, with what a person says of the values that its network reads
    /// and makes; copies nothing where neither the person nor the file tells.
    ///
    /// # Errors
    /// A sentence for people: why the file is no style.
    fn import(&self, path: &Path, pixels: PixelChoice) -> Result<Import, String>;

    /// Keeps a picture that lies in no file as a style of the person's own, called `name` or, where that is taken,
    /// with a number behind it.
    ///
    /// # Errors
    /// A sentence for people: why it cannot be one.
    fn import_picture(&self, picture: &Frame, name: &str) -> Result<Import, String>;

    /// The network of a mix of styles that were made of pictures, by their ids and weights.
    ///
    /// # Errors
    /// A sentence for people.
    fn mix(&self, parts: &[(String, u8)]) -> Result<Loaded, String>;

    /// Keeps a mix as a style of the person's own called `name`, with its parts in words; gives its id.
    ///
    /// # Errors
    /// A sentence for people: why it is not kept.
    fn keep_mix(&self, parts: &[(String, u8)], name: &str, words: &str) -> Result<String, String>;

    /// Calls a style of the person's own `name`; gives its id from now on.
    ///
    /// # Errors
    /// A sentence for people: why it has no other name.
    fn rename(&self, id: &str, name: &str) -> Result<String, String>;

    /// Removes a style of the person's own from the disk.
    ///
    /// # Errors
    /// A sentence for people: why it is still there.
    fn remove(&self, id: &str) -> Result<(), String>;

    /// The network of a file, read in this way.
    ///
    /// # Errors
    /// A sentence for people: why it cannot be read.
    fn network_as(&self, path: &Path, format: PixelFormat) -> Result<Arc<Network>, String>;
}

/// The program's style library as a [`StyleSource`].
pub struct Library {
    open: fn() -> StyleLibrary,
    /// Opened by the first call, on a background thread.
    library: Mutex<Option<StyleLibrary>>,
    mixes: LastNetwork,
}

impl Library {
    /// The styles of [`StyleLibrary::standard`], read at first use.
    pub fn standard() -> Self {
        Self {
            open: StyleLibrary::standard,
            library: Mutex::new(None),
            mixes: LastNetwork::default(),
        }
    }

    /// The styles of this library.
    pub fn of(library: StyleLibrary) -> Self {
        Self {
            open: StyleLibrary::standard,
            library: Mutex::new(Some(library)),
            mixes: LastNetwork::default(),
        }
    }

    fn with<T>(&self, use_library: impl FnOnce(&mut StyleLibrary) -> T) -> T {
        let mut held = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        use_library(held.get_or_insert_with(self.open))
    }
}

/// Most copies of one style name that a person may add.
const MOST_COPIES: usize = 9;

impl Library {
    /// What was made of the pictures of these styles, and their weights.
    fn codes(&self, parts: &[(String, u8)]) -> Result<MixedCodes, String> {
        // The library is not held while files are read.
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

    /// Keeps what was made of a picture under `name`, or with a number behind it.
    fn keep_picture(
        &self,
        code: &CodeOf,
        name: &str,
        thumbnail: &[u8],
        warning: Option<String>,
    ) -> Result<Import, String> {
        let kept = self.with(|library| {
            let first = library.keep_style_picture(code, name, thumbnail);
            or_numbered(name, first, |name| library.keep_style_picture(code, name, thumbnail))
        });
        let style = kept.map_err(|error| not_added(&error))?;
        Ok(Import::Added { id: style.id, warning })
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
        // The library is not held while weights are read.
        let style = self
            .with(|library| library.find(id).cloned())
            .ok_or_else(|| format!("The style {id} no longer exists. Choose another one."))?;
        let (checkpoint, note) = if style.models().contains(&requested) {
            style.load(requested).map(|checkpoint| (checkpoint, None))
        } else {
            style.load_or_lite(None).map(|(checkpoint, _, note)| (checkpoint, note))
        }
        .map_err(|e| format!("{} could not be loaded. {e}.", style.title))?;
        Ok(Loaded { network: checkpoint.network, note })
    }

    fn import(&self, path: &Path, pixels: PixelChoice) -> Result<Import, String> {
        // The library is not held while pictures and weights are read.
        if decode::has_picture_name(path) {
            let photo = decode::from_path(path).map_err(|e| not_added(&e))?;
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
        let style = kept.map_err(|error| not_added(&error))?;
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
        let network = StyleNetwork::built_in().map_err(|e| not_added(&e))?;
        let seen = style_picture::look_at(&network, picture);
        let (code, thumbnail) = seen.map_err(|e| not_added(&e))?;
        let caution = style_picture::caution(&format!("“{name}”"), picture);
        self.keep_picture(&code, name, &thumbnail, caution)
    }

    fn mix(&self, parts: &[(String, u8)]) -> Result<Loaded, String> {
        let painting = self.codes(parts)?.painting();
        Ok(Loaded {
            network: painting.map_err(|e| format!("The styles could not be mixed: {e}."))?,
            note: None,
        })
    }

    fn keep_mix(&self, parts: &[(String, u8)], name: &str, words: &str) -> Result<String, String> {
        let not_kept = |e: &dyn std::error::Error| format!("The mix was not saved: {e}.");
        let code = self.codes(parts)?.kept().map_err(|e| not_kept(&e))?;
        let pictures: Vec<_> = parts
            .iter()
            .filter_map(|(id, weight)| {
                let style = self.with(|library| library.find(id).cloned())?;
                Some((thumbnail(&style.thumbnail()?)?, *weight))
            })
            .collect();
        let picture = style_picture::thumbnail_of_mix(&pictures).map_err(|e| not_kept(&e))?;
        let kept = self.with(|library| library.keep_mix(&code, name, &picture, words));
        kept.map(|style| style.id).map_err(|e| not_kept(&e))
    }

    fn rename(&self, id: &str, name: &str) -> Result<String, String> {
        let renamed = self.with(|library| library.rename(id, name));
        let title_of = |id: &str| self.with(|library| library.find(id).map(|s| s.title.clone()));
        renamed.map(|style| style.id).map_err(|e| not_renamed(&e, title_of))
    }

    fn remove(&self, id: &str) -> Result<(), String> {
        match self.with(|library| library.remove(id)) {
            // The command line was faster.
            Ok(_) | Err(LibraryError::Unknown { .. }) => Ok(()),
            Err(error) => Err(format!("The style was not removed: {error}.")),
        }
    }

    fn network_as(&self, path: &Path, format: PixelFormat) -> Result<Arc<Network>, String> {
        let checkpoint = Checkpoint::read_as(path, PixelChoice::from(format));
        checkpoint.map(|checkpoint| checkpoint.network).map_err(|error| error.to_string())
    }
}

/// A name for the style of a picture: that of its file, with a word before one of digits alone.
fn picture_name(path: &Path) -> Cow<'_, str> {
    let stem = stem(path);
    if stem.contains(char::is_alphabetic) { stem } else { format!("Style {stem}").into() }
}

/// A style that was kept; called `stem`, or with a number behind that, where its own name is taken or one that no
/// style may have: a name is not asked for while styles are added.
fn or_numbered(
    stem: &str,
    mut result: Result<Style, LibraryError>,
    mut keep: impl FnMut(&str) -> Result<Style, LibraryError>,
) -> Result<Style, LibraryError> {
    for number in 1..=MOST_COPIES {
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
    if !style.hides.is_empty() {
        parts.push(format!("from {}", style.origin_in_words()));
    }
    Card {
        id: style.id.clone(),
        title: style.title.clone(),
        credit: parts.join(", "),
        models: style.models(),
        thumbnail: style.thumbnail().and_then(|bytes| thumbnail(&bytes)),
        own: style.own_path().map(Path::to_owned),
        changed: style.own_path().and_then(|path| path.metadata().ok()?.modified().ok()),
        made_by: style.made_by.clone(),
        key: None,
    }
}

/// A thumbnail's pixels; a broken one is as good as none.
fn thumbnail(bytes: &[u8]) -> Option<Arc<Frame>> {
    let frame = decode::from_bytes_within("thumbnail", bytes, THUMBNAIL_BYTES).ok()?.frame;
    let (width, height) = size_within(frame.width(), frame.height(), THUMBNAIL_PX);
    Some(Arc::new(scaled(&frame, width, height)))
}

#[cfg(test)]
mod tests;
