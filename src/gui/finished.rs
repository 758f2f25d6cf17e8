//! A finished picture to be written to a file or to the clipboard.

use std::{path::PathBuf, sync::Arc};

use super::{
    choice::SavedKey,
    painted_with::{self, Texts},
};
use crate::{
    engine::{paint::Painting, protocol::Repainted},
    frame::Frame,
    media::{encode::Encoding, metadata::Metadata},
    mode::ModelSize,
};

/// The parts of a finished picture. They are combined when needed, outside the window's thread.
#[derive(Clone)]
pub struct Finished {
    /// The key under which the workspace notes that it was saved.
    pub key: SavedKey,
    pub photo: Arc<Frame>,
    /// The network's output for the photo.
    pub painting: Arc<Painting>,
}

impl Finished {
    /// Combines the parts.
    pub fn frame(&self) -> Frame {
        let (_, look, output) = &self.key;
        self.painting.finished(&self.photo, *output, *look)
    }
}

/// A picture to be saved as a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotPicture {
    /// Its style, for the file name.
    pub style: String,
    pub picture: Frame,
    /// How it was painted.
    pub texts: Texts,
}

impl SnapshotPicture {
    /// The same frame, repainted with this size of the style's network.
    pub fn repainted(mut self, repainted: &Repainted, model: Option<ModelSize>) -> Self {
        let style = (self.style.as_str(), model);
        painted_with::repainted(&mut self.texts, style, repainted.mode, repainted.working);
        self.picture.clone_from(&repainted.picture);
        self
    }
}

/// A result to be written to a file.
#[derive(Clone)]
pub struct Save {
    /// The target.
    pub path: PathBuf,
    /// The picture as it was when the save started.
    pub finished: Finished,
    pub encoding: Encoding,
    /// Of the photo.
    pub metadata: Metadata,
    /// How the picture was painted.
    pub texts: Texts,
}
