//! The styles as the window sees them: cards to show and networks to load.
//!
//! [`StyleSource`] is the seam to the style library; the window's background threads call it, and tests
//! put a scripted one in its place. Knows no egui.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use super::label::stem;
use crate::{
    frame::Frame,
    media::{
        decode,
        scale::{scaled, size_within},
    },
    mode::ModelSize,
    network::Network,
    weights::{LibraryError, Style, StyleLibrary},
};

/// Long side of a thumbnail at most, in pixels.
pub const THUMBNAIL_PX: usize = 384;

/// One style of the gallery.
#[derive(Clone, Debug)]
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
}

/// A style's network, ready for the engine.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The network.
    pub network: Arc<Network>,
    /// A note for people, for example that the smaller model is used instead.
    pub note: Option<String>,
}

/// A checkpoint that became a style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The style's id.
    pub id: String,
    /// What was assumed of it because its file does not tell, in words that follow "assumed".
    pub assumed: Option<String>,
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

    /// Copies a checkpoint into the person's own styles.
    ///
    /// # Errors
    /// A sentence for people: why the file is no style.
    fn import(&self, path: &Path) -> Result<Added, String>;
}

/// The program's style library as a [`StyleSource`].
pub struct Library {
    open: fn() -> StyleLibrary,
    /// Opened by the first call, on a background thread.
    library: Mutex<Option<StyleLibrary>>,
}

impl Library {
    /// The styles of [`StyleLibrary::standard`], read at first use.
    pub fn standard() -> Self {
        Self {
            open: StyleLibrary::standard,
            library: Mutex::new(None),
        }
    }

    fn with<T>(&self, use_library: impl FnOnce(&mut StyleLibrary) -> T) -> T {
        let mut held = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        use_library(held.get_or_insert_with(self.open))
    }
}

/// Most copies of one style name that a person may add.
const MOST_COPIES: usize = 9;

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
            .ok_or_else(|| format!("The style {id} is no longer there. Choose another one."))?;
        let (checkpoint, note) = if style.models().contains(&requested) {
            style.load(requested).map(|checkpoint| (checkpoint, None))
        } else {
            style
                .load_or_lite(None)
                .map(|(checkpoint, _, note)| (checkpoint, note))
        }
        .map_err(|e| format!("{} could not be loaded. {e}.", style.title))?;
        Ok(Loaded {
            network: checkpoint.network,
            note,
        })
    }

    fn import(&self, path: &Path) -> Result<Added, String> {
        self.with(|library| {
            let mut result = library.import(path, None);
            // A name in the file that no style may have is replaced by the file's own, or gets a number: the
            // window has no dialog for names.
            let stem = stem(path);
            for number in 1..=MOST_COPIES {
                if !result.as_ref().is_err_and(LibraryError::is_about_the_name) {
                    break;
                }
                let name = match number {
                    1 => stem.clone().into_owned(),
                    _ => format!("{stem} {number}"),
                };
                result = library.import(path, Some(&name));
            }
            result
                .map(|style| Added {
                    id: style.id,
                    assumed: style.assumed,
                })
                .map_err(|e| format!("This file was not added as a style. {e}."))
        })
    }
}

fn card_of(style: &Style) -> Card {
    let credit = &style.credit;
    let mut parts: Vec<String> = [
        &credit.painting,
        &credit.artist,
        &credit.year,
        &credit.status,
    ]
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
    }
}

/// A thumbnail's pixels; a broken one is as good as none.
fn thumbnail(bytes: &[u8]) -> Option<Arc<Frame>> {
    let frame = decode::from_bytes("thumbnail", bytes).ok()?.frame;
    let (width, height) = size_within(frame.width(), frame.height(), THUMBNAIL_PX);
    Some(Arc::new(scaled(&frame, width, height)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assumed_of_a_file_is_told() {
        let place = tempfile::tempdir().expect("a folder");
        let style_source = Library {
            open: StyleLibrary::standard,
            library: Mutex::new(Some(StyleLibrary::open(&[], place.path().join("user")))),
        };
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/published.tar.xz");
        let packed = std::fs::File::open(golden).expect("the archive is there");
        let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(packed, false));
        archive.unpack(place.path()).expect("unpacked");
        for (name, assumed) in [
            ("plain", Some("that it is TransformerNetwork;")),
            ("tanh", Some("that it is TransformerNetworkTanh;")),
            ("unet", None),
            ("yakhyo", None),
        ] {
            let file = place.path().join(format!("{name}.pth"));
            let added = style_source.import(&file).expect("added");
            assert_eq!(added.id, name);
            let told = added.assumed.as_deref().unwrap_or_default();
            assert!(told.starts_with(assumed.unwrap_or_default()), "{told}");
            assert_eq!(added.assumed.is_some(), assumed.is_some(), "{told}");
            assert!(style_source.load(name, ModelSize::Full).is_ok());
        }
    }

    #[test]
    fn a_style_whose_name_is_taken_is_called_after_its_file() {
        let place = tempfile::tempdir().expect("a folder");
        let user = place.path().join("user");
        let style_source = Library {
            open: StyleLibrary::standard,
            library: Mutex::new(Some(StyleLibrary::open(&[], user))),
        };
        let candy = concat!(env!("CARGO_MANIFEST_DIR"), "/styles/candy/lite.safetensors");
        let file = place.path().join("mine.safetensors");
        std::fs::copy(candy, &file).expect("copied");
        for id in ["mine", "mine_2", "mine_3"] {
            assert_eq!(
                style_source.import(&file).map(|added| added.id),
                Ok(id.to_owned())
            );
        }
    }
}
