//! What to load: a style by name, a file of weights or a picture, bytes of weights, or a mix of pictures.

use std::{
    ffi::OsString,
    fmt::Display,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    str::FromStr,
};

use engine::network_choice::{ChosenNetwork, NamedStyle, NetworkChoice};
use pyo3::{FromPyObject, PyErr, PyResult, Python, pyfunction};
use values::mode::ModelSize;
use weights::{
    Checkpoint, Inspection, PixelChoice, StyleLibrary, StyleNetwork, describe, describe_bytes,
    user_styles_folder,
};

use crate::errors::{of_choice, of_weights, parsed, unreadable, wrong};

#[derive(FromPyObject)]
pub enum Source {
    Name(OsString),
    Bytes(Vec<u8>),
    /// Files with their weights.
    Pictures(Vec<(PathBuf, f64)>),
}

/// What the user says about the pixels of a file's network: the range of its input, of its output, the channel order.
pub type Pixels = [Option<String>; 3];

fn choice([input, output, order]: &Pixels) -> PyResult<PixelChoice> {
    fn read<T: FromStr<Err: Display>>(text: &Option<String>) -> PyResult<Option<T>> {
        text.as_deref().map(parsed).transpose()
    }
    Ok(PixelChoice { input: read(input)?, output: read(output)?, order: read(order)? })
}

/// The built-in styles, those in `folders`, and the user's own.
pub fn library(folders: &[PathBuf]) -> StyleLibrary {
    StyleLibrary::open(folders, user_styles_folder().unwrap_or_default())
}

/// The style or the file of this name.
fn named(text: &OsString, folders: &[PathBuf]) -> PyResult<NamedStyle> {
    let library = library(folders);
    let path = Path::new(text);
    let file = || match fs::metadata(path) {
        Ok(kind) if kind.is_file() => Ok(Some(path.to_owned())),
        Ok(_) => {
            Err(unreadable(ErrorKind::IsADirectory, format!("{} is not a file", path.display())))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PyErr::from(error)),
    };
    if let Some(found) = NamedStyle::find(&library, text, file)? {
        return Ok(found);
    }
    if path.components().count() > 1 || path.extension().is_some() {
        return Err(unreadable(
            ErrorKind::NotFound,
            format!("there is no file {}", path.display()),
        ));
    }
    let styles: Vec<&str> = library.styles().iter().map(|style| style.id.as_str()).collect();
    let known = styles.join(", ");
    Err(wrong(format!("'{}' is neither a style ({known}) nor a file", path.display())))
}

/// Refuses a model size for something that has one size.
fn has_one_size(model: Option<ModelSize>) -> PyResult<()> {
    model.map_or(Ok(()), |_| Err(wrong("only styles have several sizes; leave out model")))
}

fn mixed(pictures: &[(PathBuf, f64)]) -> PyResult<ChosenNetwork> {
    if let Some((path, _)) = pictures.iter().find(|(path, _)| !path.exists()) {
        return Err(unreadable(
            ErrorKind::NotFound,
            format!("there is no file {}", path.display()),
        ));
    }
    let network = StyleNetwork::built_in().map_err(|error| of_weights(&error, &error))?;
    NetworkChoice::Pictures(&network, pictures, None).load().map_err(|error| of_choice(&error))
}

impl Source {
    /// Reads files, and encodes pictures on the CPU.
    pub fn load(
        &self,
        folders: &[PathBuf],
        model: Option<ModelSize>,
        pixels: &Pixels,
    ) -> PyResult<ChosenNetwork> {
        let pixels = choice(pixels)?;
        let text = match self {
            Self::Name(text) => text,
            Self::Bytes(bytes) => {
                has_one_size(model)?;
                let read = Checkpoint::from_bytes_as(bytes, pixels);
                let read = read.map_err(|error| of_weights(&error, &error))?;
                let notes = read.assumed().map(|what| format!("assumed {what}"));
                let notes = notes.into_iter().collect();
                return Ok(ChosenNetwork {
                    notes,
                    ..ChosenNetwork::new(String::new(), read.network)
                });
            }
            Self::Pictures(pictures) => return mixed(pictures),
        };
        let named = named(text, folders)?;
        if !matches!(named, NamedStyle::Style(_)) {
            has_one_size(model)?;
        }
        let is_weights = matches!(named, NamedStyle::Weights(_));
        if pixels != PixelChoice::default() && !is_weights {
            return Err(wrong("only files of weights have ranges; leave them out"));
        }
        match &named {
            NamedStyle::Style(style) => NetworkChoice::Style(style, model).load(),
            NamedStyle::Picture(path) => return mixed(&[(path.clone(), 1.0)]),
            NamedStyle::Weights(path) | NamedStyle::StyleNetwork(path) => {
                NetworkChoice::Weights(path, pixels).load()
            }
        }
        .map_err(|error| of_choice(&error))
    }

    fn inspect(&self, folders: &[PathBuf], model: Option<ModelSize>) -> PyResult<Inspection> {
        Ok(match self {
            Self::Bytes(bytes) => describe_bytes(bytes),
            Self::Pictures(_) => return Err(wrong("a style of pictures has no file of weights")),
            Self::Name(text) => match named(text, folders)? {
                NamedStyle::Style(style) => style.describe(model).map_err(wrong)?,
                NamedStyle::Picture(path)
                | NamedStyle::Weights(path)
                | NamedStyle::StyleNetwork(path) => describe(&path, PixelChoice::default()),
            },
        })
    }
}

/// What `styleforge inspect --json` prints.
#[pyfunction]
pub fn inspect(
    py: Python<'_>,
    source: Source,
    folders: Vec<PathBuf>,
    model: Option<&str>,
) -> PyResult<String> {
    let model = model.map(parsed).transpose()?;
    let facts = py.detach(|| source.inspect(&folders, model))?;
    serde_json::to_string(&facts).map_err(wrong)
}
