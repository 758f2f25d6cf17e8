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
    engine::{style_picture, trial::only_color},
    frame::Frame,
    media::{
        decode,
        scale::{scaled, size_within},
    },
    mode::ModelSize,
    network::Network,
    weights::{
        Checkpoint, LibraryError, PixelChoice, PixelFormat, Style, StyleLibrary, WeightsError,
    },
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
}

impl Library {
    /// The styles of [`StyleLibrary::standard`], read at first use.
    pub fn standard() -> Self {
        Self {
            open: StyleLibrary::standard,
            library: Mutex::new(None),
        }
    }

    /// The styles of this library.
    pub fn of(library: StyleLibrary) -> Self {
        Self {
            open: StyleLibrary::standard,
            library: Mutex::new(Some(library)),
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

    fn import(&self, path: &Path, pixels: PixelChoice) -> Result<Import, String> {
        // The library is not held while pictures and weights are read.
        if decode::has_picture_name(path) {
            let (code, thumbnail) = style_picture::read(path).map_err(|e| not_added(&e))?;
            let kept = self.with(|library| {
                let first = library.keep_style_picture(&code, &stem(path), &thumbnail);
                or_numbered(path, first, |name| {
                    library.keep_style_picture(&code, name, &thumbnail)
                })
            });
            let style = kept.map_err(|error| not_added(&error))?;
            return Ok(Import::Added {
                id: style.id,
                warning: None,
            });
        }
        let checkpoint = match Checkpoint::read_as(path, pixels) {
            Ok(checkpoint) => checkpoint,
            Err(WeightsError::PixelValues { known }) => return Ok(Import::Unclear(known)),
            Err(error) => return Err(not_added(&error)),
        };
        if let Some(guessed) = checkpoint.guessed {
            let known = PixelChoice::from(guessed);
            return Ok(Import::Unclear(PixelChoice {
                order: None,
                ..known
            }));
        }
        let kept = self.with(|library| {
            let first = library.keep(&checkpoint, path, None);
            or_numbered(path, first, |name| {
                library.keep(&checkpoint, path, Some(name))
            })
        });
        let style = kept.map_err(|error| not_added(&error))?;
        let flat = only_color(&checkpoint).map(|color| {
            format!(
                "{} paints everything {color}: probably its output range is wrong. Add the file again and choose \
                 another one.",
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

    fn network_as(&self, path: &Path, format: PixelFormat) -> Result<Arc<Network>, String> {
        let checkpoint = Checkpoint::read_as(path, PixelChoice::from(format));
        checkpoint
            .map(|checkpoint| checkpoint.network)
            .map_err(|error| error.to_string())
    }
}

/// A style that was kept; under the name of its file, or with a number behind that, where its own name is taken or one
/// that no style may have: the window has no dialog for names.
fn or_numbered(
    path: &Path,
    mut result: Result<Style, LibraryError>,
    mut keep: impl FnMut(&str) -> Result<Style, LibraryError>,
) -> Result<Style, LibraryError> {
    let stem = stem(path);
    for number in 1..=MOST_COPIES {
        if !result.as_ref().is_err_and(LibraryError::is_about_the_name) {
            break;
        }
        let name = match number {
            1 => stem.clone().into_owned(),
            _ => format!("{stem} {number}"),
        };
        result = keep(&name);
    }
    result
}

/// Why a file was not added.
fn not_added(error: &dyn std::error::Error) -> String {
    format!("This file was not added as a style. {error}.")
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
    use crate::media::encode;

    #[test]
    fn a_picture_is_added_as_a_style_and_shows_itself() {
        let place = tempfile::tempdir().expect("a folder");
        let style_source = Library::of(StyleLibrary::open(&[], place.path().join("user")));
        let file = place.path().join("Red barn.png");
        let picture = Frame::from_fn(60, 40, |x, _| [200, (4 * x) as u8, 30, 255]);
        let encoding = encode::Encoding::of(encode::Format::Png);
        encode::save(&file, &picture, None, encoding, encode::Existing::Keep).expect("saved");
        for id in ["red_barn", "red_barn_1"] {
            let Ok(Import::Added {
                id: added,
                warning: None,
            }) = style_source.import(&file, PixelChoice::default())
            else {
                panic!("{id} was not added");
            };
            let (cards, problems) = style_source.cards();
            assert!(problems.is_empty(), "{problems:?}");
            let card = cards.iter().find(|card| card.id == added).expect("a card");
            assert!(card.thumbnail.is_some() && card.title.starts_with("Red barn"));
            let loaded = style_source.load(&added, ModelSize::Lite).expect("loaded");
            assert!(loaded.network.graph().check_is_picture_network().is_ok());
        }
        std::fs::write(&file, "no picture").expect("written");
        let refused = style_source.import(&file, PixelChoice::default());
        assert!(refused.is_err_and(|why| why.contains("Red barn.png")));
    }

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
            let import = style_source.import(&file, PixelChoice::default());
            let Ok(Import::Added { id, warning }) = import else {
                panic!("{import:?}");
            };
            assert_eq!(id, name);
            let told = warning.unwrap_or_default();
            let words = assumed.unwrap_or_default();
            assert!(told.contains(words), "{told}");
            assert_eq!(told.contains("It was assumed"), assumed.is_some(), "{told}");
            assert!(style_source.load(name, ModelSize::Full).is_ok());
        }
    }

    #[test]
    fn a_style_whose_name_is_taken_is_called_after_its_file() {
        let place = tempfile::tempdir().expect("a folder");
        let user = place.path().join("user");
        let style_source = Library::of(StyleLibrary::open(&[], user));
        let candy = concat!(env!("CARGO_MANIFEST_DIR"), "/styles/candy/lite.safetensors");
        let file = place.path().join("mine.safetensors");
        std::fs::copy(candy, &file).expect("copied");
        for id in ["mine", "mine_2", "mine_3"] {
            let import = style_source.import(&file, PixelChoice::default());
            let Ok(Import::Added { id: added, .. }) = import else {
                panic!("{import:?}");
            };
            assert_eq!(added, id);
        }
    }
}
