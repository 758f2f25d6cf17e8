//! Finds and loads the network of `--style`: a style's name, or a file of weights; and that of `--style-network`.

use std::{ffi::OsStr, fmt::Display, fs, io::ErrorKind, path::Path, sync::Arc};

use super::{
    CliError,
    args::{LiveArgs, StylePicture, StylePictureArgs},
    terminal::{write_message, write_note},
    wrong_use,
};
use engine::{
    network_choice::{ChosenNetwork, NamedStyle, NetworkChoice, NetworkChoiceError},
    style_picture,
};
use measure::Subject;
use network::models::vit::{Spec, Transformer};
use pictures::{folder::is_film, sample};
use settings::looks::SavedLook;
use values::{disk::words, mode::ModelSize};
use weights::{
    BUILT_IN_NETWORK, LibraryError, NO_STYLE, PixelChoice, StyleLibrary, StyleNetwork, WeightsError,
};

/// Prints the notes about a choice.
pub fn print_notes(chosen: &ChosenNetwork) {
    chosen.notes.iter().for_each(write_note);
}

/// Loads a choice.
///
/// # Errors
/// [`CliError::WrongUse`] or [`CliError::Unusable`].
fn load(choice: NetworkChoice<'_>) -> Result<ChosenNetwork, CliError> {
    choice.load().map_err(|error| match error {
        NetworkChoiceError::Style(LibraryError::NoSuchModel { .. })
        | NetworkChoiceError::Mix(_) => CliError::wrong_use(error),
        NetworkChoiceError::Weights { path, error } => {
            CliError::Unusable(unreadable(&path, &error))
        }
        other => CliError::Unusable(other.to_string()),
    })
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
) -> Result<ChosenNetwork, CliError> {
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
) -> Result<ChosenNetwork, CliError> {
    match named(library, typed)? {
        NamedStyle::Weights(path) => {
            check_file_size(&path, model)?;
            load(NetworkChoice::Weights(&path, pixels))
        }
        NamedStyle::StyleNetwork(_) => wrong_use(format!(
            "{name} is a network for style pictures; use --style-picture FILE --style-network {name}",
            name = Path::new(typed).display()
        )),
        _ if pixels != PixelChoice::default() => Err(no_pixels(typed)),
        NamedStyle::Style(style) => load(NetworkChoice::Style(&style, model)),
        NamedStyle::Picture(path) => {
            check_file_size(&path, model)?;
            mixed(&style_network(library, None)?, &[StylePicture { path, weight: 1.0 }], None)
        }
    }
}

/// Why pixel values cannot be set for a style.
pub fn no_pixels(typed: &OsStr) -> CliError {
    CliError::wrong_use(format!(
        "{} is not a file of weights; leave out --input-range, --output-range and --channel-order",
        Path::new(typed).display()
    ))
}

/// As [`NamedStyle::find`], for a file by its path.
///
/// # Errors
/// [`CliError::WrongUse`] if there is neither.
pub fn named(library: &StyleLibrary, typed: &OsStr) -> Result<NamedStyle, CliError> {
    let path = Path::new(typed);
    let file = || match fs::metadata(path) {
        Ok(kind) if kind.is_file() => Ok(Some(path.to_owned())),
        Ok(kind) => {
            let what = if kind.is_dir() {
                "a folder; use a style name, or a file of weights in it"
            } else {
                "not a regular file; use a style name or a file of weights"
            };
            wrong_use(format!("{} is {what}", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => wrong_use(format!("{} could not be read: {}", path.display(), words(&error))),
    };
    if let Some(found) = NamedStyle::find(library, typed, file)? {
        return Ok(found);
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
    wrong_use(format!("'{}' is neither a style nor a file; {known}", path.display()))
}

/// Turns a mix of pictures into one style; `None` if there are no pictures. Videos show the frame at `start` seconds.
///
/// # Errors
/// [`CliError::WrongUse`] if a file or network does not exist, [`CliError::Unusable`] if it is not a valid picture or
/// network.
pub fn of_pictures(
    pictures: &StylePictureArgs,
    start: Option<f64>,
    model: Option<ModelSize>,
) -> Result<Option<ChosenNetwork>, CliError> {
    let typed = pictures.style_network.as_deref();
    if pictures.style_pictures.is_empty() {
        return match typed {
            None => Ok(None),
            Some(_) => wrong_use("--style-network needs a picture: add --style-picture FILE"),
        };
    }
    check_one_size(NETWORK, model)?;
    let network = style_network(&StyleLibrary::standard(), typed)?;
    mixed(&network, &pictures.style_pictures, start).map(Some)
}

/// The network of a look.
///
/// # Errors
/// [`CliError::Unusable`] if its style is missing, or its file is refused.
pub fn of_look(
    look: &SavedLook,
    library: &StyleLibrary,
    model: Option<ModelSize>,
) -> Result<ChosenNetwork, CliError> {
    look.network(library, model).map_err(|error| CliError::Unusable(error.to_string()))
}

/// As [`of_pictures`], for measuring and checking. A network without pictures uses the style of the sample. The name of
/// a plain network gets random weights.
///
/// # Errors
/// See [`of_pictures`].
pub fn measured_pictures(
    pictures: &StylePictureArgs,
    model: Option<ModelSize>,
) -> Result<Option<ChosenNetwork>, CliError> {
    if !pictures.is_given() {
        return Ok(None);
    }
    check_one_size(NETWORK, model)?;
    let typed = pictures.style_network.as_deref();
    let network = match typed.and_then(plain) {
        Some((name, spec)) => {
            let made = Transformer::made_up(spec).map_err(CliError::failed)?;
            StyleNetwork { name: name.to_owned(), transformer: Arc::new(made) }
        }
        None => style_network(&StyleLibrary::standard(), typed)?,
    };
    if !pictures.style_pictures.is_empty() {
        return mixed(&network, &pictures.style_pictures, None).map(Some);
    }
    // Random style codes would not do: a trained network produces output from them that no picture's style would.
    let photo = sample::sample().map_err(CliError::failed)?;
    let code = style_picture::code_of(&network.transformer, &photo.frame);
    let codes = [(code.map_err(CliError::failed)?, 1.0)];
    NetworkChoice::Mix(&network, &codes).load().map(Some).map_err(CliError::failed)
}

/// The network of `--style-network`: a user's network by name, a file of weights, or the built-in one.
///
/// # Errors
/// [`CliError::WrongUse`] if no network has this name, [`CliError::Unusable`] if its file is refused.
pub fn style_network(
    library: &StyleLibrary,
    typed: Option<&OsStr>,
) -> Result<StyleNetwork, CliError> {
    let Some(typed) = typed.filter(|typed| *typed != BUILT_IN_NETWORK) else {
        return StyleNetwork::built_in().map_err(CliError::failed);
    };
    if let Some((name, _)) = plain(typed) {
        return wrong_use(format!(
            "{name} is a network size without weights; bench, compare and check run it with random weights; to paint with it, train it with tools/train_any.py and import it with styles import"
        ));
    }
    let (networks, path, name) = (library.networks(), Path::new(typed), typed.to_string_lossy());
    if networks.has(&name) && path.components().count() == 1 {
        return networks.find(&name).map_err(|e| CliError::Unusable(e.to_string()));
    }
    if path.is_file() {
        let refused = |e| CliError::Unusable(format!("{}: {e}", path.display()));
        return StyleNetwork::read(path).map_err(refused);
    }
    let unknown = |e| CliError::WrongUse(format!("{e}; or use a file of weights"));
    networks.find(&name).map_err(unknown)
}

/// The plain network of this name, if there is one.
fn plain(typed: &OsStr) -> Option<(&'static str, Spec)> {
    Spec::plain_ones()
        .into_iter()
        .find_map(|(name, _, spec)| (name == typed).then_some((name, spec)))
}

/// What [`check_one_size`] calls a network for style pictures.
const NETWORK: &str = "the network for style pictures";

/// Refuses `--model` for something that has one size.
pub fn check_one_size(what: impl Display, model: Option<ModelSize>) -> Result<(), CliError> {
    match model {
        None => Ok(()),
        Some(size) => wrong_use(format!("{what} has one size; leave out --model {size}")),
    }
}

/// [`check_one_size`] for a file.
pub fn check_file_size(path: &Path, model: Option<ModelSize>) -> Result<(), CliError> {
    check_one_size(format_args!("{} is a file and", path.display()), model)
}

/// Computes the style of a mix of pictures, or frames of videos at `start` seconds, for a network.
fn mixed(
    network: &StyleNetwork,
    pictures: &[StylePicture],
    start: Option<f64>,
) -> Result<ChosenNetwork, CliError> {
    for StylePicture { path, .. } in pictures {
        if !path.exists() {
            return wrong_use(format!("there is no file {}", path.display()));
        }
    }
    let files: Vec<_> = pictures.iter().map(|of| (of.path.clone(), of.weight)).collect();
    let mut chosen = load(NetworkChoice::Pictures(network, &files, start))?;
    print_notes(&chosen);
    // They are printed even if nothing is painted.
    chosen.notes.clear();
    Ok(chosen)
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
            return Subject::random(model.unwrap_or_default()).map_err(CliError::failed);
        }
    };
    print_notes(&chosen);
    Ok(Subject { name: chosen.label, model: chosen.model, network: chosen.network })
}

/// The size of a measured network and why it has that size, after its name; empty if it has only one.
pub fn size_and_reason(size: Option<ModelSize>, requested: Option<ModelSize>) -> String {
    size.map_or_else(String::new, |size| {
        let why = match (requested, size) {
            (Some(_), _) => "chosen with --model",
            (None, ModelSize::Full) => "the default",
            (None, ModelSize::Lite) => "there is no full one",
        };
        format!(" {size} ({why})")
    })
}

/// The style to use if none is named. It is built in, and the window starts with it too.
const DEFAULT_STYLE: &str = "candy";

/// The style for live mode; `None` for `--style none`. Prints a note if the style was not named. If no size was chosen,
/// `preferred` is used if the style has it.
///
/// # Errors
/// See [`choose`].
pub fn live_style(
    args: &LiveArgs,
    preferred: Option<ModelSize>,
) -> Result<Option<ChosenNetwork>, CliError> {
    let model = args.painting.model;
    let margin = args.painting.margin;
    if let Some(mixed) = of_pictures(&args.pictures, None, model)? {
        return Ok(Some(mixed.with_margin(margin)));
    }
    let typed = args.style.as_deref();
    if typed.is_some_and(|typed| typed == NO_STYLE) {
        return Ok(None);
    }
    let library = StyleLibrary::standard();
    let look = args.painting.look.as_ref().filter(|_| typed.is_none());
    let of_size = |size| match look {
        Some(look) => of_look(look, &library, size),
        None => choose(&library, typed.unwrap_or(DEFAULT_STYLE.as_ref()), size),
    };
    let chosen = match (model, preferred) {
        (None, Some(_)) => of_size(preferred).or_else(|_| of_size(None)),
        _ => of_size(model),
    }?
    .with_margin(margin);
    print_notes(&chosen);
    if typed.is_none() && look.is_none() {
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

/// Why a file cannot be a style, and which files can.
pub fn unreadable(path: &Path, error: &WeightsError) -> String {
    let name = path.display();
    match error {
        WeightsError::UnknownFormat { .. } if is_film(path) => format!(
            "{name} is a video; use its frame with --style-picture {name}, for stylize with --start TIME"
        ),
        WeightsError::UnknownFormat { found } => format!(
            "{name} is not a network ({found}), and its name is not that of an image; a style is made from an image (.png, .jpg and others) or from a network (.pth, .safetensors or .onnx)"
        ),
        other => format!("{name}: {other}"),
    }
}
