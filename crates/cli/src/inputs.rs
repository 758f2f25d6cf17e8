//! The inputs of `stylize`: photos, videos, numbered pictures and folders of them.

use std::{
    ffi::OsString,
    fs,
    io::{ErrorKind, IsTerminal, stdin},
    path::{Path, PathBuf},
};

use itertools::Itertools;

use super::{CliError, args::StylizeArgs, wrong_use};
use media::film::Numbered;
use pictures::folder::{FileInFolder, Folder};
use values::disk::words;

/// The argument that means standard input or output.
pub const STANDARD_STREAM: &str = "-";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhotoInput {
    File(PathBuf),
    Stdin,
}

impl PhotoInput {
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stdin => None,
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }
}

pub fn is_numbered(path: &Path) -> bool {
    !path.exists() && Numbered::of(path).is_some_and(|pictures| !pictures.numbers().is_empty())
}

pub fn stem_of(path: &Path) -> OsString {
    match Numbered::of(path).filter(|_| is_numbered(path)) {
        Some(pictures) => pictures.title().to_owned(),
        None => path.file_stem().unwrap_or(path.as_os_str()).to_owned(),
    }
}

pub struct Inputs {
    /// Each with its folder below the input that was named.
    pub sources: Vec<(PhotoInput, PathBuf)>,
    /// An input was a folder.
    pub from_folder: bool,
    /// Notes about the inputs, to print.
    pub notes: Vec<String>,
}

/// Expands the inputs to photos. Files that do not exist stay in the list if there are others; each one fails later with
/// its own message.
/// The folder `output` is left out, so that paintings are not painted again.
pub fn inputs(inputs: &[PathBuf], output: &Path, recursive: bool) -> Result<Inputs, CliError> {
    let (mut sources, mut from_folder, mut notes) = (Vec::new(), false, Vec::new());
    let named = |input| (input, PathBuf::new());
    for input in inputs {
        if input.as_os_str() == STANDARD_STREAM {
            if sources.iter().any(|(source, _)| *source == PhotoInput::Stdin) {
                return wrong_use("standard input is given twice");
            }
            if stdin().is_terminal() {
                return wrong_use("standard input is a terminal; pipe an image into it");
            }
            sources.push(named(PhotoInput::Stdin));
        } else if input.is_dir() {
            from_folder = true;
            let (photos, of_folder) = pictures_in(input, output, recursive)?;
            sources.extend(photos.into_iter().map(|(photo, at)| (PhotoInput::File(photo), at)));
            notes.extend(of_folder);
        } else {
            sources.push(named(PhotoInput::File(input.clone())));
        }
    }
    let is_missing = |(source, _): &(PhotoInput, PathBuf)| {
        source
            .file()
            .filter(|path| !is_numbered(path))
            .and_then(|path| path.metadata().err())
            .is_some_and(|error| error.kind() == ErrorKind::NotFound)
    };
    if sources.iter().all(is_missing) {
        let names = sources.iter().map(|(source, _)| source.name()).join(", ");
        return wrong_use(format!("no such file: {names}"));
    }
    Ok(Inputs { sources, from_folder, notes })
}

/// The inputs of `--watch` before anything has arrived: only folders, none of them in that of the paintings.
pub fn watched(args: &StylizeArgs) -> Result<Inputs, CliError> {
    let output = fs::canonicalize(&args.output).ok();
    for input in &args.inputs {
        let name = input.display();
        if !input.is_dir() {
            return wrong_use(format!("--watch is for folders, and {name} is none"));
        }
        let real = fs::canonicalize(input).ok();
        if output.as_ref().zip(real).is_some_and(|(output, real)| real.starts_with(output)) {
            return wrong_use(format!(
                "paintings in {} would arrive in the folder {name}, which is watched; choose another folder with -o",
                args.output.display()
            ));
        }
    }
    Ok(Inputs { sources: Vec::new(), from_folder: true, notes: Vec::new() })
}

/// The photos of a folder, each with its subfolder, and notes about what is left out; `output` is left out silently.
fn pictures_in(
    path: &Path,
    output: &Path,
    recursive: bool,
) -> Result<(Vec<FileInFolder>, Vec<String>), CliError> {
    let (photos, notes) = listed(path, output, recursive)?;
    if photos.is_empty() {
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        let name = path.display();
        return wrong_use(format!("no photos or videos in the folder {name}{notes}"));
    }
    Ok((photos, notes))
}

/// As [`pictures_in`] of a folder that may be empty.
pub fn listed(
    path: &Path,
    output: &Path,
    recursive: bool,
) -> Result<(Vec<FileInFolder>, Vec<String>), CliError> {
    let name = path.display();
    let listed = if recursive {
        Folder::open_tree(path, Some(output))
    } else {
        Folder::open(path).map(|folder| {
            let folder = folder.with_films();
            let notes = folder
                .notes(Some(output))
                .into_iter()
                .map(|note| format!("{name}: {note}"))
                .collect();
            (folder.photos.into_iter().map(|photo| (photo, PathBuf::new())).collect(), notes)
        })
    };
    listed.map_err(|e| {
        CliError::Failed(format!("the folder {name} could not be read: {}", words(&e)))
    })
}
