//! A finished picture on its way into a file or to the clipboard.

use std::{path::PathBuf, sync::Arc};

use super::choice::SavedKey;
use crate::{
    compose::Look,
    engine::paint::{OutputSize, Painting},
    frame::Frame,
    media::encode::Encoding,
};

/// A finished picture in its parts; put together where it is needed, off the window's thread.
#[derive(Clone)]
pub struct Finished {
    /// The key under which the workspace notes that it was saved.
    pub key: SavedKey,
    /// The photo.
    pub photo: Arc<Frame>,
    /// The network's picture of it.
    pub painting: Arc<Painting>,
    /// Size of the finished picture.
    pub output: OutputSize,
    /// Strength and colours.
    pub look: Look,
}

impl Finished {
    /// The picture itself.
    pub fn frame(&self) -> Frame {
        self.painting.finished(&self.photo, self.output, self.look)
    }
}

/// A result on its way into a file.
#[derive(Clone)]
pub struct Save {
    /// The target.
    pub path: PathBuf,
    /// The picture as it was when the save began.
    pub finished: Finished,
    /// How it is encoded.
    pub encoding: Encoding,
}
