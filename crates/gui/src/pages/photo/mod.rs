//! The photo page: a photo on the table, its painting, the saved paintings. `command` lists its commands, which `perform`
//! performs; `state` has the parts of its state without a module of their own, `view` the parts of the page in the window.

pub mod command;
pub mod controls;
pub mod crop;
pub mod finished;
pub mod incoming;
pub mod opened;
pub mod opening;
pub mod output_size;
pub mod painting;
pub mod paintings;
mod perform;
pub mod save_flow;
pub mod state;
mod view;
pub mod welcome;

use self::{
    crop::Cropping,
    incoming::Incoming,
    paintings::Paintings,
    state::{PhotoOpening, PhotoPainting, SaveFlow},
};
use crate::widgets::stage::Stage;
use engine::compositor::Compositor;

/// The photo page. The photo itself is in the workspace.
pub struct PhotoPage {
    pub compositor: Compositor,
    pub stage: Stage,
    /// The crop in progress.
    pub cropping: Option<Cropping>,
    pub painting: PhotoPainting,
    pub opening: PhotoOpening,
    pub save: SaveFlow,
    pub paintings: Paintings,
    /// Dragged, dropped and pasted pictures.
    pub incoming: Incoming,
}

impl PhotoPage {
    pub fn new(compositor: Compositor) -> Self {
        Self {
            compositor,
            stage: Stage::default(),
            cropping: None,
            painting: PhotoPainting::default(),
            opening: PhotoOpening::default(),
            save: SaveFlow::default(),
            paintings: Paintings::default(),
            incoming: Incoming::default(),
        }
    }
}
