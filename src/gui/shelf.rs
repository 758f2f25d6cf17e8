//! The styles as the window sees them: cards to show and networks to load.
//!
//! [`Shelf`] is the seam to the style library; the window's background threads call it, and tests
//! put a shelf of their own in its place. Knows no egui.

use std::{path::Path, sync::Arc};

use crate::{frame::Frame, mode::ModelSize, network::Network};

/// Long side of a thumbnail at most, in pixels.
pub const THUMBNAIL_PX: usize = 384;

/// One style of the gallery.
#[derive(Clone, Debug)]
pub struct Card {
    /// The style's id.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// Artist, year, status of the painting and licence of the weights, for people.
    pub credit: String,
    /// The model sizes that are at hand.
    pub models: Vec<ModelSize>,
    /// A small picture painted in the style, at most [`THUMBNAIL_PX`] a side.
    pub thumbnail: Option<Arc<Frame>>,
}

/// A style's network, ready for the engine.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The network.
    pub network: Arc<Network>,
    /// The size that was found.
    pub model: ModelSize,
    /// What a person should know, for example that the smaller model had to stand in.
    pub note: Option<String>,
}

/// Where styles come from. Calls block; background threads make them.
pub trait Shelf: Send + Sync {
    /// Every style, and what is wrong with files that should have been styles.
    fn cards(&self) -> (Vec<Card>, Vec<String>);

    /// The network of style `id` in the wanted size, or in the other one when that is all there is.
    ///
    /// # Errors
    /// A sentence for people.
    fn load(&self, id: &str, wanted: ModelSize) -> Result<Loaded, String>;

    /// Copies a checkpoint into the person's own styles and gives its id.
    ///
    /// # Errors
    /// A sentence for people: why the file is no style.
    fn import(&self, path: &Path) -> Result<String, String>;
}
