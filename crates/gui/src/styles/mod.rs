//! The styles: their list, their order, the networks, mixes, those of the user.

pub mod card;
pub mod command;
pub mod gallery;
pub mod looks;
pub mod mix;
pub mod networks;
pub mod order;
pub mod own;
mod perform;
pub mod reading;
pub mod source;
pub mod trials;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use self::{gallery::Gallery, looks::LookCard, reading::Unclear, source::StyleSource};
use crate::choice::NetworkOf;
use engine::{
    error::EngineError,
    protocol::{RepaintNumber, Repainted},
};
use network::Network;
use values::frame::Frame;

/// The styles, and the small pictures that are painted in them.
pub struct Styles<A> {
    pub gallery: Gallery,
    pub looks: Vec<LookCard>,
    pub source: Arc<dyn StyleSource>,
    /// The networks of styles, and of the newest mix.
    pub networks: HashMap<NetworkOf, Result<Arc<Network>, Missing>>,
    /// What follows the pictures that are being painted in parallel with other work.
    pub painted_apart: HashMap<RepaintNumber, Repaint<A>>,
    /// The small painting in progress, and that of the engine once the network is read.
    pub trial: Option<(Arc<()>, Option<RepaintNumber>)>,
    /// Files to ask about after the open question.
    pub unclear: VecDeque<Unclear>,
}

impl<A> Styles<A> {
    pub fn new(gallery: Gallery, source: Arc<dyn StyleSource>) -> Self {
        Self {
            gallery,
            looks: Vec::new(),
            source,
            networks: HashMap::new(),
            painted_apart: HashMap::new(),
            trial: None,
            unclear: VecDeque::new(),
        }
    }
}

/// Why a network is not there.
#[derive(Clone, Copy, PartialEq)]
pub enum Missing {
    Loading,
    /// Not retried automatically.
    Failed,
}

/// Why a picture was not painted.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The file of the network could not be read.
    #[error("{0}")]
    Unread(String),
    #[error(transparent)]
    Failed(#[from] EngineError),
}

/// A picture and its painting.
pub type TrialOutcome = Result<(Arc<Frame>, Arc<Repainted>), TrialError>;

/// Continues with a picture that was painted in parallel with other work, or with the failure.
pub type Repaint<S> = Box<dyn FnOnce(&mut S, RepaintNumber, Result<Arc<Repainted>, EngineError>)>;
