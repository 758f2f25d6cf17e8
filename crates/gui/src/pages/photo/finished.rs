//! A finished picture to be written to a file or to the clipboard.

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use crate::choice::{NetworkOf, SavedKey};
use engine::{
    paint::{OutputSize, Painting, WorkingSize},
    protocol::Repainted,
};
use pictures::{
    encode::{Encoding, Picture},
    metadata::Metadata,
};
use settings::painted_with::{PaintedWith, Texts};
use values::{compose::Look, frame::Frame};

/// The parts of a finished picture. They are combined when needed, outside the window's thread.
#[derive(Clone)]
pub struct FinishedPicture {
    /// The key under which the workspace notes that it was saved.
    pub key: SavedKey,
    pub photo: Arc<Frame>,
    /// The network's output for the photo.
    pub painting: Arc<Painting>,
}

impl FinishedPicture {
    /// Combines the parts.
    pub fn frame(&self) -> Frame {
        let (_, look, output) = &self.key;
        self.painting.finished(&self.photo, *output, *look)
    }
}

/// The finished picture of a painting of `photo`, with 16 bits per channel if the painting has them.
pub fn picture_of(
    photo: &Frame,
    painting: &Painting,
    output: OutputSize,
    look: Look,
) -> Picture<'static> {
    let deep = painting.deep.as_ref();
    match deep.and_then(|_| painting.clone().finished_deep(photo, output, look)) {
        Some(deep) => Picture::Deep(deep),
        None => Picture::Frame(Cow::Owned(painting.finished(photo, output, look))),
    }
}

/// The settings of a painting of `photo`, as texts for its file.
pub fn texts_of(
    network: &NetworkOf,
    photo: &Frame,
    painting: &Painting,
    look: Look,
    device: Option<String>,
) -> Texts {
    let working = painting.painted.size();
    let is_default = WorkingSize::Auto.resolve(photo.width(), photo.height()) == working;
    PaintedWith {
        style: Some(network.as_painted()),
        mode: Some(painting.mode),
        working: Some(working),
        detail: is_default.then_some(WorkingSize::Auto),
        look,
        steadiness: None,
        source: None,
        device,
    }
    .texts()
}

/// A picture to be saved as a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotPicture {
    pub picture: Frame,
    pub painted: PaintedWith,
}

impl SnapshotPicture {
    /// The same frame, repainted by this network.
    pub fn repainted(mut self, repainted: &Repainted, network: NetworkOf) -> Self {
        self.picture.clone_from(&repainted.picture);
        self.painted.style = Some(network.as_painted());
        self.painted.mode = Some(repainted.mode);
        self.painted.working = Some(repainted.working);
        self
    }
}

/// A result to be written to a file.
#[derive(Clone)]
pub struct Save {
    /// The target.
    pub path: PathBuf,
    /// The picture as it was when the save started.
    pub finished: FinishedPicture,
    pub encoding: Encoding,
    /// Of the photo.
    pub metadata: Metadata,
    /// Its settings.
    pub texts: Texts,
}
