//! From what was typed after `--style` to a network: a style's name, or a file of weights.

use std::{
    ffi::OsStr,
    path::{MAIN_SEPARATOR, Path},
    sync::Arc,
};

use super::{CliError, terminal::tell};
use crate::{
    measure::Subject,
    mode::ModelSize,
    network::Network,
    weights::{Checkpoint, LibraryError, Style, StyleLibrary},
};

/// A style that is ready to paint.
pub struct ChosenStyle {
    /// Its name in file names.
    pub label: String,
    /// The weights.
    pub network: Arc<Network>,
    /// Which of the style's sizes it is; unknown for a file.
    pub model: Option<ModelSize>,
    /// What the person should know about the choice.
    pub note: Option<String>,
}

/// Loads a style by name, or a file of weights by path.
///
/// # Errors
/// [`CliError::WrongUse`] when there is no such style or no such size of it, [`CliError::Failed`]
/// when its file is refused.
pub fn choose(
    library: &StyleLibrary,
    typed: &OsStr,
    model: Option<ModelSize>,
) -> Result<ChosenStyle, CliError> {
    let path = Path::new(typed);
    // A name that is also a file's is the style's; ./name is always the file.
    if let Some(style) = typed.to_str().and_then(|name| library.find(name))
        && !looks_like_path(typed)
    {
        return from_library(style, model);
    }
    if path.is_file() {
        return from_file(path, model);
    }
    let names: Vec<&str> = library.styles().iter().map(|s| s.id.as_str()).collect();
    let known = if names.is_empty() {
        "no style is installed; give a file of weights".to_owned()
    } else {
        format!(
            "choose one of {}, or give a file of weights",
            names.join(", ")
        )
    };
    Err(CliError::WrongUse(format!(
        "'{}' is neither a style nor a file; {known}",
        path.display()
    )))
}

/// What is measured with: the style that was typed, or random weights of the model's size.
///
/// # Errors
/// [`CliError`] when the style cannot be had.
pub fn subject(style: Option<&OsStr>, model: Option<ModelSize>) -> Result<Subject, CliError> {
    let Some(typed) = style else {
        return Subject::random(model.unwrap_or_default())
            .map_err(|e| CliError::Failed(e.to_string()));
    };
    let chosen = choose(&StyleLibrary::standard(), typed, model)?;
    if let Some(note) = &chosen.note {
        tell(format!("note: {note}"));
    }
    Ok(Subject {
        name: chosen.label,
        model: chosen.model,
        network: chosen.network,
    })
}

/// The style that two modes are compared on when none is named: one of those inside the program, since what
/// is compared is what people see.
const COMPARED: &str = "candy";

/// What two modes are compared on: the style that was typed, or [`COMPARED`], which is said.
///
/// # Errors
/// [`CliError`] when the style cannot be had.
pub fn compared_subject(
    style: Option<&OsStr>,
    model: Option<ModelSize>,
) -> Result<Subject, CliError> {
    let subject = subject(Some(style.unwrap_or(COMPARED.as_ref())), model)?;
    if style.is_none() {
        let label = subject.label();
        tell(format!("style: {label}; --style names another"));
    }
    Ok(subject)
}

fn looks_like_path(typed: &OsStr) -> bool {
    let bytes = typed.as_encoded_bytes();
    bytes
        .iter()
        .any(|&b| b == b'/' || char::from(b) == MAIN_SEPARATOR)
}

fn from_library(style: &Style, model: Option<ModelSize>) -> Result<ChosenStyle, CliError> {
    let (checkpoint, size, note) = style.load_or_lite(model).map_err(|error| match error {
        LibraryError::NoSuchModel { .. } => CliError::WrongUse(error.to_string()),
        other => CliError::Failed(other.to_string()),
    })?;
    Ok(ChosenStyle {
        label: style.id.clone(),
        network: checkpoint.network,
        model: Some(size),
        note,
    })
}

fn from_file(path: &Path, model: Option<ModelSize>) -> Result<ChosenStyle, CliError> {
    if let Some(size) = model {
        return Err(CliError::WrongUse(format!(
            "{} is a file and has one size; leave out --model {size}",
            path.display()
        )));
    }
    let checkpoint =
        Checkpoint::read(path).map_err(|e| CliError::Failed(format!("{}: {e}", path.display())))?;
    let label = path.file_stem().unwrap_or_default().to_string_lossy();
    Ok(ChosenStyle {
        label: label.into_owned(),
        network: checkpoint.network,
        model: None,
        note: None,
    })
}
