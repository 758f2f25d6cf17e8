//! Which network a choice of style means: a style of the library, a file of weights, pictures, or a mix.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use super::style_picture::{self, StylePictureError};
use media::{film::frame_of, memory::limit_bytes};
use network::{Network, models::vit::StyleCode};
use pictures::{MediaError, decode};
use values::mode::ModelSize;
use weights::{
    Checkpoint, LibraryError, Origin, PixelChoice, Style, StyleLibrary, StyleNetwork, WeightsError,
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

/// The pixels around the photo that the network also paints, and that are cut off: reflections of the photo. Without
/// them the zeros and reflections inside the network show at the painting's border, in some styles as hatching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margin {
    /// 8 pixels.
    Auto,
    Px(usize),
}

/// Fineness of the outer 12 px of Candy over that of its interior with a margin of 0, 4, 8, 12, 16 px, measured with
/// `tools/measure_blemishes.py`: `lite` 1.43, 1.18, 1.05, 1.00, 0.99; `full` 1.47, 1.21, 1.08, 1.04, 1.03.
const AUTO_MARGIN_PX: usize = 8;
/// Largest margin that the user may type, in pixels.
const MAX_MARGIN_PX: usize = 64;

impl FromStr for Margin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(px) if px <= MAX_MARGIN_PX => Ok(Self::Px(px)),
            _ if text == "auto" => Ok(Self::Auto),
            _ => Err(format!("give \"auto\" or pixels, 0 to {MAX_MARGIN_PX}")),
        }
    }
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
    /// It is painted with a margin unless the user chooses otherwise: it is built in, or made from a picture. What other
    /// programs also paint with stays what they paint.
    pub has_margin: bool,
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
        Self { label, title, network, model: None, has_margin: false, notes, metadata }
    }

    /// The network as it paints, with the margin that the user chose.
    #[must_use]
    pub fn with_margin(mut self, chosen: Option<Margin>) -> Self {
        let px = match chosen {
            Some(Margin::Px(px)) => px,
            None if !self.has_margin => 0,
            None | Some(Margin::Auto) => AUTO_MARGIN_PX,
        };
        if px > 0 && self.network.graph().with_margin(px).is_none() {
            self.notes
                .push(format!("{} reads images of one size, so it has no margin", self.title));
        } else if px > 0 {
            self.network = Arc::new(Arc::unwrap_or_clone(self.network).with_margin(px));
        }
        self
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
                    has_margin: style.made_by.is_some() || !matches!(style.origin, Origin::User(_)),
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
                let made = ChosenNetwork::new(network.name.clone(), painting);
                Ok(ChosenNetwork { has_margin: true, ..made })
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn only_own_networks_have_no_margin() {
        let library = StyleLibrary::standard();
        let candy = library.find("candy").expect("built in");
        let of = |choice: NetworkChoice<'_>| choice.load().expect("loads");
        let lite = || of(NetworkChoice::Style(candy, Some(ModelSize::Lite)));
        let plain = lite().network;
        let margin = |px| Arc::new(Network::clone(&plain).with_margin(px));
        assert_eq!(lite().with_margin(None).network, margin(8));
        assert_eq!(lite().with_margin(Some(Margin::Px(3))).network, margin(3));
        assert_eq!(lite().with_margin(Some(Margin::Px(0))).network, plain);
        assert_ne!(plain.digest(), margin(8).digest());

        let own = || ChosenNetwork::new("own".to_owned(), plain.clone());
        assert_eq!(own().with_margin(None).network, plain);
        assert_eq!(own().with_margin(Some(Margin::Auto)).network, margin(8));
    }

    #[test]
    fn margins_are_read() {
        for (text, margin) in [("auto", Margin::Auto), ("0", Margin::Px(0)), ("64", Margin::Px(64))]
        {
            assert_eq!(text.parse(), Ok(margin));
        }
        for wrong in ["", "65", "-1", "8px"] {
            assert!(wrong.parse::<Margin>().is_err(), "{wrong}");
        }
    }
}
