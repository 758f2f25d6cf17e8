//! Finds and loads the network of `--style`: a style's name, or a file of weights.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::ErrorKind,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    sync::Arc,
};

use super::{
    CliError,
    args::{StylePicture, StylePictureArgs},
    style_networks,
    terminal::write_message,
};
use crate::{
    disk::words,
    engine::style_picture,
    measure::Subject,
    media::{decode, sample},
    mode::ModelSize,
    network::Network,
    weights::{Checkpoint, LibraryError, NO_STYLE, PixelChoice, Style, StyleLibrary, StyleNetwork},
};

/// A loaded style.
pub struct ChosenStyle {
    /// Name for file names.
    pub label: String,
    /// Display name.
    pub title: String,
    pub network: Arc<Network>,
    /// Which size of the style it is; `None` for a file.
    pub model: Option<ModelSize>,
    /// A note about the choice, to print.
    pub note: Option<String>,
    /// What its file says about it, such as title, credit and license; empty for pictures.
    pub metadata: BTreeMap<String, String>,
}

impl ChosenStyle {
    /// The name, and the model size if the style has several.
    pub fn label_with_model(&self) -> String {
        match self.model {
            Some(model) => format!("{} {model}", self.label),
            None => self.label.clone(),
        }
    }
}

/// Loads a style by name, or a file of weights by path.
///
/// # Errors
/// [`CliError::WrongUse`] if there is no such style or it does not have this size, [`CliError::Unusable`] if its file
/// is refused.
pub fn choose(
    library: &StyleLibrary,
    typed: &OsStr,
    model: Option<ModelSize>,
) -> Result<ChosenStyle, CliError> {
    choose_as(library, typed, model, PixelChoice::default())
}

/// As [`choose`]. `pixels` is what the user says about the network of a file.
///
/// # Errors
/// As [`choose`], and if `pixels` says anything about another style than a file.
pub fn choose_as(
    library: &StyleLibrary,
    typed: &OsStr,
    model: Option<ModelSize>,
    pixels: PixelChoice,
) -> Result<ChosenStyle, CliError> {
    match named(library, typed)? {
        Named::File(path) if !decode::has_picture_name(path) => from_file(path, model, pixels),
        Named::Style(_) | Named::File(_) if pixels != PixelChoice::default() => {
            Err(CliError::WrongUse(format!(
                "{} is not a file of weights; leave out --input-range, --output-range and --channel-order",
                Path::new(typed).display()
            )))
        }
        Named::Style(style) => from_library(style, model),
        Named::File(path) => {
            check_file_size(path, model)?;
            let picture = StylePicture { path: path.to_owned(), weight: 1.0 };
            let network = style_networks::chosen(&StyleLibrary::standard(), None)?;
            mixed(&network, &[picture])
        }
        Named::Network(..) => Err(CliError::WrongUse(format!(
            "{name} is a network for style pictures; use --style-picture FILE --style-network {name}",
            name = Path::new(typed).display()
        ))),
    }
}

pub enum Named<'a> {
    /// A style of the library.
    Style(&'a Style),
    /// A file of weights.
    File(&'a Path),
    /// The file of one of the user's own networks for style pictures.
    Network(PathBuf),
}

/// Finds a style by name, or a file by path. If both exist, the style wins; `./name` always means the file.
///
/// # Errors
/// [`CliError::WrongUse`] if it is neither.
pub fn named<'a>(library: &'a StyleLibrary, typed: &'a OsStr) -> Result<Named<'a>, CliError> {
    let path = Path::new(typed);
    if let Some(style) = typed.to_str().and_then(|name| library.find(name))
        && !looks_like_path(typed)
    {
        return Ok(Named::Style(style));
    }
    match fs::metadata(path) {
        Ok(kind) if kind.is_file() => return Ok(Named::File(path)),
        Ok(kind) => {
            let what = if kind.is_dir() {
                "a folder; use a style name, or a file of weights in it"
            } else {
                "not a regular file; use a style name or a file of weights"
            };
            return Err(CliError::WrongUse(format!("{} is {what}", path.display())));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            let what = format!("{} could not be read: {}", path.display(), words(&error));
            return Err(CliError::WrongUse(what));
        }
        Err(_) => {}
    }
    let networks = library.networks();
    if let Some(file) =
        typed.to_str().filter(|name| networks.has(name)).and_then(|name| networks.file(name))
    {
        return Ok(Named::Network(file));
    }
    let names: Vec<&str> = library.styles().iter().map(|s| s.id.as_str()).collect();
    let name = typed.to_string_lossy();
    let is_alike =
        |known: &&&str| known.starts_with(&*name) || strsim::levenshtein(known, &name) <= 2;
    let alike = names.iter().find(is_alike).filter(|_| name.len() > 2);
    let alike = alike.map_or_else(String::new, |known| format!("did you mean {known}? "));
    let known = if names.is_empty() {
        "no style is installed; use a file of weights".to_owned()
    } else {
        format!("{alike}use one of {}, or a file of weights", names.join(", "))
    };
    Err(CliError::WrongUse(format!("'{}' is neither a style nor a file; {known}", path.display())))
}

/// Turns a mix of pictures into one style; `None` if there are no pictures.
///
/// # Errors
/// [`CliError::WrongUse`] if a file or network does not exist, [`CliError::Unusable`] if it is not a valid picture or
/// network.
pub fn of_pictures(
    pictures: &StylePictureArgs,
    model: Option<ModelSize>,
) -> Result<Option<ChosenStyle>, CliError> {
    let typed = pictures.style_network.as_deref();
    if pictures.style_pictures.is_empty() {
        return match typed {
            None => Ok(None),
            Some(_) => Err(CliError::WrongUse(
                "--style-network needs a picture: add --style-picture FILE".to_owned(),
            )),
        };
    }
    check_one_size(model)?;
    let network = style_networks::chosen(&StyleLibrary::standard(), typed)?;
    mixed(&network, &pictures.style_pictures).map(Some)
}

/// As [`of_pictures`], for measuring. A network without pictures uses the style of the sample. The name of a plain
/// network gets random weights.
fn measured_pictures(
    pictures: &StylePictureArgs,
    model: Option<ModelSize>,
) -> Result<Option<ChosenStyle>, CliError> {
    let typed = pictures.style_network.as_deref();
    if !pictures.is_given() {
        return Ok(None);
    }
    check_one_size(model)?;
    let network = style_networks::measured(&StyleLibrary::standard(), typed)?;
    if !pictures.style_pictures.is_empty() {
        return mixed(&network, &pictures.style_pictures).map(Some);
    }
    // Random style codes would not do: a trained network produces output from them that no picture's style would.
    let failed = |e: &dyn std::fmt::Display| CliError::Failed(e.to_string());
    let photo = sample::sample().map_err(|e| failed(&e))?;
    let transformer = &network.transformer;
    let code = style_picture::code_of(transformer, &photo.frame).map_err(|e| failed(&e))?;
    Ok(Some(ChosenStyle {
        network: Arc::new(transformer.network(&code).map_err(|e| failed(&e))?),
        title: network.name.clone(),
        label: network.name,
        model: None,
        note: None,
        metadata: BTreeMap::new(),
    }))
}

fn check_one_size(model: Option<ModelSize>) -> Result<(), CliError> {
    match model {
        None => Ok(()),
        Some(size) => Err(CliError::WrongUse(format!(
            "the network for style pictures has one size; leave out --model {size}"
        ))),
    }
}

/// Computes the style of a mix of pictures for a network.
fn mixed(network: &StyleNetwork, pictures: &[StylePicture]) -> Result<ChosenStyle, CliError> {
    let unusable = |path: &Path, problem: &dyn std::fmt::Display| {
        CliError::Unusable(format!("{} cannot be a style: {problem}", path.display()))
    };
    let transformer = &network.transformer;
    let mut codes = Vec::new();
    let mut names = Vec::new();
    for StylePicture { path, weight } in pictures {
        if !path.exists() {
            let what = format!("there is no file {}", path.display());
            return Err(CliError::WrongUse(what));
        }
        let photo = decode::from_path(path).map_err(|e| CliError::Unusable(e.to_string()))?;
        let code =
            style_picture::code_of(transformer, &photo.frame).map_err(|e| unusable(path, &e))?;
        if let Some(caution) = style_picture::caution(&path.display().to_string(), &photo.frame) {
            write_message(format!("note: {caution}"));
        }
        codes.push((code, *weight));
        let stem = path.file_stem().unwrap_or_default();
        names.push(stem.to_string_lossy().into_owned());
    }
    let parts: Vec<_> = codes.iter().map(|(code, weight)| (code, *weight)).collect();
    let network = style_picture::network_of(transformer, &parts);
    Ok(ChosenStyle {
        label: names.join("+"),
        title: names.join(" + "),
        network: network.map_err(|e| CliError::WrongUse(e.to_string()))?,
        model: None,
        note: None,
        metadata: BTreeMap::new(),
    })
}

/// The style of pictures, or the network for style pictures, to which the check is limited.
///
/// # Errors
/// See [`of_pictures`].
pub fn checked_pictures(pictures: &StylePictureArgs) -> Result<Option<ChosenStyle>, CliError> {
    measured_pictures(pictures, None)
}

/// The network to measure with: that of the chosen style, or one with random weights of the chosen size.
///
/// # Errors
/// [`CliError`] if the style cannot be loaded.
pub fn subject(
    style: Option<&OsStr>,
    pictures: &StylePictureArgs,
    model: Option<ModelSize>,
) -> Result<Subject, CliError> {
    let chosen = match (measured_pictures(pictures, model)?, style) {
        (Some(mixed), _) => mixed,
        (None, Some(typed)) => choose(&StyleLibrary::standard(), typed, model)?,
        (None, None) => {
            return Subject::random(model.unwrap_or_default())
                .map_err(|e| CliError::Failed(e.to_string()));
        }
    };
    if let Some(note) = &chosen.note {
        write_message(format!("note: {note}"));
    }
    Ok(Subject { name: chosen.label, model: chosen.model, network: chosen.network })
}

/// The style to use if none is named. It is built in, and the window starts with it too.
const DEFAULT_STYLE: &str = "candy";

/// The style for live mode; `None` for `--style none`. Prints a note if the style was not named. If no size was chosen,
/// `preferred` is used if the style has it.
///
/// # Errors
/// See [`choose`].
pub fn live_style(
    library: &StyleLibrary,
    typed: Option<&OsStr>,
    pictures: &StylePictureArgs,
    model: Option<ModelSize>,
    preferred: Option<ModelSize>,
) -> Result<Option<ChosenStyle>, CliError> {
    if let Some(mixed) = of_pictures(pictures, model)? {
        return Ok(Some(mixed));
    }
    if typed.is_some_and(|typed| typed == NO_STYLE) {
        return Ok(None);
    }
    let name = typed.unwrap_or(DEFAULT_STYLE.as_ref());
    let chosen = match (model, preferred) {
        (None, Some(size)) => {
            choose(library, name, Some(size)).or_else(|_| choose(library, name, None))
        }
        (model, _) => choose(library, name, model),
    }?;
    if let Some(note) = &chosen.note {
        write_message(format!("note: {note}"));
    }
    if typed.is_none() {
        let label = chosen.label_with_model();
        write_message(format!(
            "style: {label}; --style names another, --style {NO_STYLE} shows the source as it is"
        ));
    }
    Ok(Some(chosen))
}

/// The style with which two modes are compared: the named one, or [`DEFAULT_STYLE`] with a note.
///
/// # Errors
/// [`CliError`] if the style cannot be loaded.
pub fn compared_subject(
    style: Option<&OsStr>,
    pictures: &StylePictureArgs,
    model: Option<ModelSize>,
) -> Result<Subject, CliError> {
    let subject = subject(Some(style.unwrap_or(DEFAULT_STYLE.as_ref())), pictures, model)?;
    if style.is_none() && !pictures.is_given() {
        let label = subject.label();
        write_message(format!("style: {label}; --style names another"));
    }
    Ok(subject)
}

fn looks_like_path(typed: &OsStr) -> bool {
    let bytes = typed.as_encoded_bytes();
    bytes.iter().any(|&b| b == b'/' || char::from(b) == MAIN_SEPARATOR)
}

fn from_library(style: &Style, model: Option<ModelSize>) -> Result<ChosenStyle, CliError> {
    let (checkpoint, size, note) = style.load_or_lite(model).map_err(|error| match error {
        LibraryError::NoSuchModel { .. } => CliError::WrongUse(error.to_string()),
        other => CliError::Unusable(other.to_string()),
    })?;
    Ok(ChosenStyle {
        label: style.id.clone(),
        title: style.title.clone(),
        network: checkpoint.network,
        model: Some(size),
        note,
        metadata: checkpoint.metadata,
    })
}

fn check_file_size(path: &Path, model: Option<ModelSize>) -> Result<(), CliError> {
    match model {
        None => Ok(()),
        Some(size) => Err(CliError::WrongUse(format!(
            "{} is a file and has one size; leave out --model {size}",
            path.display()
        ))),
    }
}

fn from_file(
    path: &Path,
    model: Option<ModelSize>,
    pixels: PixelChoice,
) -> Result<ChosenStyle, CliError> {
    check_file_size(path, model)?;
    let checkpoint = Checkpoint::read_as(path, pixels)
        .map_err(|e| CliError::Unusable(format!("{}: {e}", path.display())))?;
    let note = checkpoint.assumed();
    let note = note.map(|what| format!("{}: assumed {what}", path.display()));
    let label = path.file_stem().unwrap_or_default().to_string_lossy();
    let label = label.into_owned();
    Ok(ChosenStyle {
        title: label.clone(),
        label,
        network: checkpoint.network,
        model: None,
        note,
        metadata: checkpoint.metadata,
    })
}
