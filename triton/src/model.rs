//! A model: its style and the settings that all of its instances share.

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use engine::{
    network_choice::{NamedStyle, NetworkChoice, NetworkChoiceError},
    style_picture,
};
use network::Network;
use values::{
    frame::Frame,
    mode::{ModelSize, PrecisionChoice},
};
use weights::{PixelChoice, StyleLibrary, StyleNetwork, user_styles_folder};

use crate::{
    api::{Code, Failure, Level, ModelHandle, Outcome, invalid, log},
    config::{self, PICTURES, Tensors},
    options::{self, Options},
};

/// Styles of pictures that are kept, the most recently used first. Each holds a network of about 40 MB.
const KEPT_STYLES: usize = 8;
/// The value of the parameter `style` for a style that comes with each picture.
const STYLE_INPUT: &str = "input";
/// The folder next to the backend's library that is searched for styles.
const STYLES_FOLDER: &str = "styles";
const NAMES: [&str; 7] =
    ["style", "style_network", "model", "precision", "threads", "memory_mb", PICTURES];

/// What all instances of a model share.
pub struct Model {
    pub tensors: Tensors,
    pub defaults: Options,
    pub precision: PrecisionChoice,
    /// Threads of each instance on the processor.
    pub threads: Option<usize>,
    /// Maximum memory of each instance, in bytes.
    pub memory_bytes: Option<u64>,
    style: ModelStyle,
}

enum ModelStyle {
    Own(Arc<Network>),
    /// Styles come as pictures; those that are kept.
    Input(StyleNetwork, Mutex<Vec<(Arc<Frame>, Arc<Network>)>>),
}

/// The parameters of a model, read one after another.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Outcome<Option<T>> {
        let refused = |error| invalid!("the parameter {name}: {error}");
        self.text(name).map(|text| text.parse().map_err(refused)).transpose()
    }

    fn count(&self, name: &str) -> Outcome<Option<usize>> {
        match self.text(name).map(|text| (text, text.parse())) {
            None => Ok(None),
            Some((_, Ok(count @ 1..))) => Ok(Some(count)),
            Some((text, _)) => {
                Err(invalid!("the parameter {name} is '{text}'; use a number above zero"))
            }
        }
    }
}

impl Model {
    /// Completes the configuration and loads the style.
    ///
    /// # Errors
    /// What is wrong with the configuration or the style, and what to write instead.
    pub fn load(handle: &ModelHandle) -> Outcome<Self> {
        let mut config = handle.config()?;
        let parameters = Parameters(config::parameters(&config));
        let mut defaults = Options::default();
        for (name, text) in &parameters.0 {
            if options::NAMES.contains(&name.as_str()) {
                defaults.set(name, text)?;
            } else if !NAMES.contains(&name.as_str()) {
                let known = [&NAMES[..], &options::NAMES].concat().join(", ");
                return Err(invalid!("there is no parameter {name}; use {known}"));
            }
        }
        let has_style = parameters.text("style") == Some(STYLE_INPUT);
        if handle.may_complete()? {
            config::complete(&mut config, has_style)?;
            handle.set_config(&config)?;
        }
        let (style, title) = style(handle, &parameters)?;
        log(Level::Info, format!("{}: {title}", handle.name()?));
        Ok(Self {
            tensors: config::tensors(&config, has_style)?,
            defaults,
            precision: parameters.parsed("precision")?.unwrap_or_default(),
            threads: parameters.count("threads")?,
            memory_bytes: parameters.count("memory_mb")?.map(|mb| mb as u64 * 1_000_000),
            style,
        })
    }

    /// The network for a picture that comes with this style, if the model has that input.
    ///
    /// # Errors
    /// If the style cannot be read from its picture.
    pub fn network(&self, style: Option<&Arc<Frame>>) -> Outcome<Arc<Network>> {
        let (network, kept) = match &self.style {
            ModelStyle::Own(network) => return Ok(network.clone()),
            ModelStyle::Input(network, kept) => (network, kept),
        };
        let picture = style.ok_or_else(|| Failure::invalid("the input STYLE is missing"))?;
        // Held while a style is computed, so that instances with the same new style compute it once.
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let made = match kept.iter().position(|(known, _)| known == picture) {
            Some(at) => kept.remove(at).1,
            None => styled(network, picture).map_err(|e| invalid!("STYLE: {e}"))?,
        };
        kept.truncate(KEPT_STYLES - 1);
        kept.insert(0, (picture.clone(), made.clone()));
        Ok(made)
    }
}

/// The network for the style of a picture.
fn styled(network: &StyleNetwork, picture: &Frame) -> Result<Arc<Network>, NetworkChoiceError> {
    let codes = [(style_picture::code_of(&network.transformer, picture)?, 1.0)];
    NetworkChoice::Mix(network, &codes).load().map(|chosen| chosen.network)
}

fn of_file(path: &Path, error: impl Display) -> Failure {
    invalid!("{}: {error}", path.display())
}

/// The model's style and its description: a style by name, a file of weights, a picture, or [`STYLE_INPUT`].
fn style(handle: &ModelHandle, parameters: &Parameters) -> Outcome<(ModelStyle, String)> {
    let folder = handle.folder()?;
    let version = folder.join(handle.version()?.to_string());
    let found = |text: &str| {
        [&version, &folder].map(|folder| folder.join(text)).into_iter().find(|path| path.is_file())
    };
    let size = parameters.parsed::<ModelSize>("model")?;
    let style_network = || match parameters.text("style_network") {
        None => StyleNetwork::built_in().map_err(Failure::invalid),
        Some(text) => {
            let path =
                found(text).ok_or_else(|| invalid!("style_network: there is no file {text}"))?;
            StyleNetwork::read(&path).map_err(|e| of_file(&path, e))
        }
    };
    let named = match parameters.text("style") {
        Some(STYLE_INPUT) => {
            let style = ModelStyle::Input(style_network()?, Mutex::default());
            return Ok((style, "the style comes with each picture".to_owned()));
        }
        Some(text) => {
            let folders = [handle.backend_folder()?.join(STYLES_FOLDER)];
            let library = StyleLibrary::open(&folders, user_styles_folder().unwrap_or_default());
            let named = NamedStyle::find(&library, text.as_ref(), || Outcome::Ok(found(text)))?;
            // A style network alone has no style.
            named.filter(|named| !matches!(named, NamedStyle::StyleNetwork(_))).ok_or_else(
                || {
                    let styles = library.styles().iter().map(|style| style.id.as_str());
                    let names = styles.collect::<Vec<_>>().join(", ");
                    let what = format!(
                        "'{text}' is neither a style ({names}) nor a file in {}",
                        version.display()
                    );
                    Failure::new(Code::NotFound, what)
                },
            )?
        }
        None => NamedStyle::of_file(only_file(&version)?),
    };
    let chosen = match &named {
        NamedStyle::Style(style) => NetworkChoice::Style(style, size).load(),
        NamedStyle::Picture(path) | NamedStyle::Weights(path) | NamedStyle::StyleNetwork(path)
            if size.is_some() =>
        {
            return Err(of_file(path, "a file has one size; leave out the parameter model"));
        }
        NamedStyle::Picture(path) => {
            NetworkChoice::Pictures(&style_network()?, &[(path.clone(), 1.0)], None).load()
        }
        NamedStyle::Weights(path) | NamedStyle::StyleNetwork(path) => {
            NetworkChoice::Weights(path, PixelChoice::default()).load()
        }
    };
    let chosen = chosen.map_err(Failure::invalid)?;
    chosen.notes.iter().for_each(|note| log(Level::Warning, note));
    let what = match &named {
        NamedStyle::Style(style) => {
            let size = chosen.model.map_or_else(String::new, |size| format!(" {size}"));
            format!("{}{size}", style.title)
        }
        NamedStyle::Picture(path) | NamedStyle::Weights(path) | NamedStyle::StyleNetwork(path) => {
            path.display().to_string()
        }
    };
    Ok((ModelStyle::Own(chosen.network), what))
}

/// The only file of a model's version, which is its style.
fn only_file(version: &Path) -> Outcome<PathBuf> {
    let entries = fs::read_dir(version).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    if let (1, Some(file)) = (files.len(), files.pop()) {
        return Ok(file);
    }
    let what = "does not contain exactly one file; put one file of weights or one picture there";
    let what = format!("{} {what}, or set the parameter style", version.display());
    Err(Failure::new(Code::NotFound, what))
}
