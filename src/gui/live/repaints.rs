//! Live frames that are painted once more: which ones, how, and what waits for them. Plain data; `repaint_flow` acts.

use std::sync::Arc;

use crate::{
    compose::Look,
    engine::protocol::{RepaintNumber, Repainted},
    frame::Frame,
    mode::{ModeChoice, ModelSize},
    network::Network,
};

/// The network of a finer picture.
#[derive(Clone)]
pub(super) enum Wanted {
    /// The network of this style, in this size.
    Style(String, ModelSize),
    /// The network of a mix, which has one size.
    Mix(Arc<Network>),
}

impl PartialEq for Wanted {
    /// The same network counts, not an equal one.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Style(a, m), Self::Style(b, n)) => (a, m) == (b, n),
            (Self::Mix(a), Self::Mix(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// How a live frame is painted once more.
#[derive(Clone, PartialEq)]
pub(super) struct Finer {
    pub(super) network: Wanted,
    pub(super) mode: ModeChoice,
    pub(super) look: Look,
}

impl Finer {
    /// The size of the style's network; `None` for a mix.
    pub(super) fn model(&self) -> Option<ModelSize> {
        match &self.network {
            Wanted::Style(_, model) => Some(*model),
            Wanted::Mix(_) => None,
        }
    }
}

/// The held picture.
pub(super) struct Held {
    /// Number of the source's frame.
    pub(super) sequence: u64,
    pub(super) finer: Finer,
    /// The request for the finer one, until its outcome is known.
    pub(super) number: Option<RepaintNumber>,
}

/// A snapshot that waits for its finer picture.
pub(super) struct Waiting {
    /// Its request; `None` while its network is loaded.
    pub(super) number: Option<RepaintNumber>,
    pub(super) frame: Arc<Frame>,
    pub(super) finer: Finer,
    /// What is saved where the finer picture cannot be had.
    pub(super) shown: Snapped,
}

/// The frames that are painted once more.
#[derive(Default)]
pub struct Repaints {
    pub(super) held: Option<Held>,
    /// Snapshots, in the order in which they were taken.
    pub(super) waiting: Vec<Waiting>,
}

impl Repaints {
    /// Whether a finer picture is awaited.
    pub fn is_awaited(&self) -> bool {
        let held = self.held.as_ref().and_then(|held| held.number);
        held.is_some() || !self.waiting.is_empty()
    }

    pub(super) fn is_awaited_by_a_snapshot(&self, number: RepaintNumber) -> bool {
        self.waiting.iter().any(|w| w.number == Some(number))
    }
}

/// A picture to be saved as a snapshot.
pub struct Snapped {
    /// Its style, for the file's name.
    pub(super) style: String,
    pub(super) picture: Frame,
    /// How it was painted.
    pub(super) texts: Vec<(&'static str, String)>,
}

impl Snapped {
    /// The same frame, painted once more with this size of the style's network.
    pub fn repainted(mut self, repainted: &Repainted, model: Option<ModelSize>) -> Self {
        let (width, height) = repainted.working;
        for (name, text) in &mut self.texts {
            match (*name, model) {
                ("Style", Some(model)) => *text = format!("{} {model}", self.style),
                ("Mode", _) => *text = repainted.mode.to_string(),
                ("Working size", _) => *text = format!("{width} x {height} px"),
                _ => {}
            }
        }
        self.picture.clone_from(&repainted.picture);
        self
    }
}
