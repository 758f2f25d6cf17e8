//! A finished picture to be written to a file or to the clipboard.

use std::{path::PathBuf, sync::Arc};

use super::choice::{NetworkOf, SavedKey};
use engine::{paint::Painting, protocol::Repainted};
use pictures::{encode::Encoding, metadata::Metadata};
use settings::painted_with::PaintedWith;
use values::frame::Frame;

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
    pub painted: PaintedWith,
}
