//! Which network a choice of style means: a style of the library, a file of weights, pictures, or a mix.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    sync::Arc,
};

use super::style_picture::{self, StylePictureError};
use media::{film::frame_of, memory::limit_bytes};
use network::{Network, models::vit::StyleCode};
use pictures::{MediaError, decode};
use values::mode::ModelSize;
use weights::{
    Checkpoint, LibraryError, PixelChoice, Style, StyleLibrary, StyleNetwork, WeightsError,
};

/// What a text means that names a style.
pub enum NamedStyle {
    /// A style of the library.
    Style(Box<Style>),
    /// A file with a picture's name.
    Picture(PathBuf),
    /// Any other file, which has to contain weights.
    Weights(PathBuf),
    /// The file of one of the user's own style networks, which needs a picture.
    StyleNetwork(PathBuf),
}

impl NamedStyle {
    /// Finds a style by name, or the file that `file` finds. If both exist, the style wins; `./name` always means the
    /// file. `None` if there is neither.
    ///
    /// # Errors
    /// Those of `file`.
    pub fn find<E>(
        library: &StyleLibrary,
        text: &OsStr,
        file: impl FnOnce() -> Result<Option<PathBuf>, E>,
    ) -> Result<Option<Self>, E> {
        let is_path =
            text.as_encoded_bytes().iter().any(|&b| b == b'/' || char::from(b) == MAIN_SEPARATOR);
        let name = text.to_str();
        if let Some(style) = name.filter(|_| !is_path).and_then(|name| library.find(name)) {
            return Ok(Some(Self::Style(Box::new(style.clone()))));
        }
        if let Some(path) = file()? {
            return Ok(Some(Self::of_file(path)));
        }
        let networks = library.networks();
        let own = name.filter(|name| networks.has(name)).and_then(|name| networks.file(name));
        Ok(own.map(Self::StyleNetwork))
    }

    /// What a file means, by its name.
    pub fn of_file(path: PathBuf) -> Self {
        if decode::has_picture_name(&path) { Self::Picture(path) } else { Self::Weights(path) }
    }
}

/// What is to paint.
pub enum NetworkChoice<'a> {
    /// A style of the library in this size, or in the largest one that it has.
    Style(&'a Style, Option<ModelSize>),
    /// A file of weights, and what the user says about its pixels.
    Weights(&'a Path, PixelChoice),
    /// Files of pictures with their weights, at least zero. Videos show the frame at these seconds.
    Pictures(&'a StyleNetwork, &'a [(PathBuf, f64)], Option<f64>),
    /// What pictures have become, with their weights.
    Mix(&'a StyleNetwork, &'a [(StyleCode, f64)]),
}

/// A network with what is known about it.
pub struct ChosenNetwork {
    /// Name for file names.
    pub label: String,
    /// Display name.
    pub title: String,
    pub network: Arc<Network>,
    /// Which size of a style it is; `None` for a file or a mix.
    pub model: Option<ModelSize>,
    /// Messages for the user about the choice.
    pub notes: Vec<String>,
    /// What its file says about it, such as title, credit and license; empty for pictures.
    pub metadata: BTreeMap<String, String>,
}

/// Why a choice has no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkChoiceError {
    #[error(transparent)]
    Style(#[from] LibraryError),
    #[error("{}: {error}", path.display())]
    Weights { path: PathBuf, error: Box<WeightsError> },
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("{} cannot be a style: {error}", path.display())]
    Picture { path: PathBuf, error: Box<StylePictureError> },
    #[error(transparent)]
    Mix(#[from] StylePictureError),
}

impl ChosenNetwork {
    /// A network that is not in the library; its name is its title.
    pub fn new(label: String, network: Arc<Network>) -> Self {
        let (title, notes, metadata) = (label.clone(), Vec::new(), BTreeMap::new());
        Self { label, title, network, model: None, notes, metadata }
    }

    /// The name, and the model size if the style has several.
    pub fn label_with_model(&self) -> String {
        match self.model {
            Some(model) => format!("{} {model}", self.label),
            None => self.label.clone(),
        }
    }
}

impl NetworkChoice<'_> {
    /// Reads the network. Reads files, and encodes pictures on the CPU.
    ///
    /// # Errors
    /// [`NetworkChoiceError`].
    pub fn load(&self) -> Result<ChosenNetwork, NetworkChoiceError> {
        match *self {
            Self::Style(style, model) => {
                let (checkpoint, size, note) = style.load_or_lite(model)?;
                Ok(ChosenNetwork {
                    label: style.id.clone(),
                    title: style.title.clone(),
                    network: checkpoint.network,
                    model: Some(size),
                    notes: note.into_iter().collect(),
                    metadata: checkpoint.metadata,
                })
            }
            Self::Weights(path, pixels) => {
                let checkpoint = Checkpoint::read_as(path, pixels).map_err(|error| {
                    NetworkChoiceError::Weights { path: path.to_owned(), error: error.into() }
                })?;
                let assumed = checkpoint.assumed();
                let notes = assumed.map(|what| format!("{}: assumed {what}", path.display()));
                let label = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let Checkpoint { network, metadata, .. } = checkpoint;
                let notes = notes.into_iter().collect();
                Ok(ChosenNetwork { notes, metadata, ..ChosenNetwork::new(label, network) })
            }
            Self::Pictures(network, pictures, start) => {
                let (mut codes, mut names, mut notes) = (Vec::new(), Vec::new(), Vec::new());
                for (path, weight) in pictures {
                    let name = path.display().to_string();
                    let picture = match frame_of(path, start, true, limit_bytes(None)) {
                        Some(bytes) => {
                            let seconds = start.unwrap_or(0.0);
                            notes.push(format!("{name}: the style is its frame at {seconds} s"));
                            decode::from_bytes(&name, &bytes?)?.frame
                        }
                        None => decode::from_path(path)?.frame,
                    };
                    let code = style_picture::code_of(&network.transformer, &picture);
                    let code = code.map_err(|error| NetworkChoiceError::Picture {
                        path: path.clone(),
                        error: error.into(),
                    })?;
                    notes.extend(style_picture::caution(&name, &picture));
                    codes.push((code, *weight));
                    names.push(path.file_stem().unwrap_or_default().to_string_lossy());
                }
                let mixed = NetworkChoice::Mix(network, &codes).load()?;
                let (label, title) = (names.join("+"), names.join(" + "));
                Ok(ChosenNetwork { label, title, notes, ..mixed })
            }
            Self::Mix(network, codes) => {
                let codes: Vec<_> = codes.iter().map(|(code, weight)| (code, *weight)).collect();
                let painting = style_picture::network_of(&network.transformer, &codes)?;
                Ok(ChosenNetwork::new(network.name.clone(), painting))
            }
        }
    }
}
