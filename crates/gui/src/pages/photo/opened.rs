//! Opens files and pasted pictures as photos, and distinguishes photos from checkpoints by their names. Reads files, so
//! call it on background threads.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    pages::film::FilmFrame,
    shell::{platform::has_checkpoint_name, tasks::OrText},
    widgets::label::{name_label, path_label, remark, sentence},
};
use engine::{compositor::PREVIEW_PX, trial::TRIAL_PX};
use media::{film::OpenFilm, framing::Framing};
use pictures::{
    decode::{self, FORMATS},
    encode,
    folder::{Folder, is_animated, is_film},
    metadata::Metadata,
    sample::sample,
    scale::{scaled, size_within},
};
use values::{disk::words, frame::Frame};

/// Default folder for the paintings of a batch, inside the folder of the photos.
pub const PAINTED: &str = "painted";

/// Where a photo comes from.
#[derive(Clone, PartialEq)]
pub enum Origin {
    File(PathBuf),
    /// The embedded sample.
    Sample,
    Clipboard,
}

/// A photo, ready to show and to paint.
#[derive(Clone)]
pub struct Opened {
    pub photo: decode::Photo,
    /// The photo with a long side of at most [`PREVIEW_PX`](engine::compositor::PREVIEW_PX).
    pub preview: Arc<Frame>,
    pub origin: Origin,
    /// How to turn and crop the photo.
    pub framing: Framing,
    /// The film of which it is a frame.
    pub film: Option<FilmFrame>,
}

impl Opened {
    fn of(photo: decode::Photo, origin: Origin) -> Self {
        Self {
            preview: smaller(&photo.frame, PREVIEW_PX),
            photo,
            origin,
            framing: Framing::default(),
            film: None,
        }
    }

    /// A frame of a film as a photo.
    pub fn of_film(film: FilmFrame, frame: Frame) -> Self {
        let path = film.film.path.clone();
        let mut opened = from_clipboard(frame);
        opened.photo.name = name_label(&path);
        Self { origin: Origin::File(path), film: Some(film), ..opened }
    }

    /// Its pixels.
    pub fn whole(&self) -> Whole {
        Whole { frame: self.photo.frame.clone(), preview: self.preview.clone() }
    }

    /// Its name for the user.
    pub fn title(&self) -> String {
        match &self.origin {
            Origin::File(path) => name_label(path),
            Origin::Sample => "Sample photo".to_owned(),
            Origin::Clipboard => "Pasted picture".to_owned(),
        }
    }
}

/// The pixels of a photo without other information.
#[derive(Clone)]
pub struct Whole {
    pub frame: Arc<Frame>,
    /// The photo with a long side of at most [`PREVIEW_PX`](engine::compositor::PREVIEW_PX).
    pub preview: Arc<Frame>,
}

/// Files sorted by kind, as far as their names show it.
#[derive(Clone, Default, PartialEq)]
pub struct FilesByKind {
    /// Photos and videos, including those in folders.
    pub photos: Vec<PathBuf>,
    pub checkpoints: Vec<PathBuf>,
    pub has_folder: bool,
    /// Folders that cannot be read or contain no photos, and why.
    pub problems: Vec<String>,
    /// What was left out of the folders, as text.
    pub notes: Vec<String>,
}

pub fn opened(origin: Origin) -> Result<Box<Opened>, String> {
    if let Origin::File(path) = &origin
        && let Some(film) = film_at(path)
    {
        return film.map(Box::new);
    }
    let photo = match &origin {
        Origin::File(path) => decode::from_path(path),
        Origin::Sample | Origin::Clipboard => sample(),
    }
    .or_text()?;
    Ok(Box::new(Opened::of(photo, origin)))
}

/// Opens a file of a list with `open`; `None` if it no longer exists.
pub fn if_there<T>(
    path: &Path,
    open: impl FnOnce() -> Result<T, String>,
) -> Result<Option<T>, String> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        _ => open().map(Some),
    }
}

/// The first frame of a video; `None` if the file is a picture that is not known to move.
fn film_at(path: &Path) -> Option<Result<Opened, String>> {
    let is_film = is_film(path);
    if !is_film && !is_animated(path) {
        return None;
    }
    match OpenFilm::open(path) {
        Ok((film, seconds, frame)) if is_film || film.clip.frames.is_some_and(|n| n > 1) => {
            Some(Ok(Opened::of_film(FilmFrame { film: Arc::new(film), seconds }, frame)))
        }
        Err(error) if is_film => Some(Err(sentence(&remark(&error.to_string())))),
        _ => None,
    }
}

/// Turns and crops a photo.
pub fn framed(whole: Whole, framing: Framing) -> Result<Whole, String> {
    if framing.is_plain() {
        return Ok(whole);
    }
    let frame = Arc::new(framing.applied(&whole.frame).or_text()?);
    Ok(Whole { preview: smaller(&frame, PREVIEW_PX), frame })
}

pub fn from_clipboard(frame: Frame) -> Opened {
    let photo = decode::Photo {
        frame: Arc::new(frame),
        profile: None,
        metadata: Metadata::default(),
        notes: Vec::new(),
        is_hdr: false,
        name: "the pasted picture".to_owned(),
        natural_format: encode::Format::Png,
    };
    Opened::of(photo, Origin::Clipboard)
}

/// The picture for trials of networks: a small version of the photo, or of the sample without a photo.
pub fn for_trials(photo: Option<Arc<Frame>>) -> Result<Arc<Frame>, String> {
    let photo = match photo {
        Some(photo) => photo,
        None => sample().or_text()?.frame,
    };
    Ok(smaller(&photo, TRIAL_PX))
}

/// The frame with a long side of at most `long_side_px`.
pub fn smaller(frame: &Arc<Frame>, long_side_px: usize) -> Arc<Frame> {
    let size = size_within(frame.width(), frame.height(), long_side_px);
    if size == frame.size() { frame.clone() } else { Arc::new(scaled(frame, size.0, size.1)) }
}

pub fn sorted(files: Vec<PathBuf>) -> FilesByKind {
    let mut sorted = FilesByKind::default();
    let is_alone = files.len() == 1;
    for path in files {
        if path.is_dir() {
            sorted.has_folder = true;
            let name = path_label(&path);
            match Folder::open(&path).map(Folder::with_films) {
                Ok(folder) if folder.photos.is_empty() => {
                    let notes: String =
                        folder.notes(None).iter().map(|note| format!("; {note}")).collect();
                    sorted.problems.push(format!(
                        "There are no photos or videos in {name} ({FORMATS}){notes}."
                    ));
                }
                Ok(folder) => {
                    sorted.notes.extend(folder.notes(Some(&path.join(PAINTED))).iter().map(
                        |note| match is_alone {
                            true => note.clone(),
                            false => format!("{name}: {note}"),
                        },
                    ));
                    sorted.photos.extend(folder.photos);
                }
                Err(error) => {
                    sorted.problems.push(format!("{name} could not be read: {}", words(&error)))
                }
            }
        } else if has_checkpoint_name(&path) {
            sorted.checkpoints.push(path);
        } else {
            sorted.photos.push(path);
        }
    }
    sorted
}
