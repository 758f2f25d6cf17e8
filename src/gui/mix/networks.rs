//! The network of a mix: one at a time is made, and the newest is kept.

use super::Parts;
use crate::gui::style_source::Loaded;

/// The network of the newest mix.
#[derive(Default)]
pub struct MixedNetworks {
    /// The newest one that is ready.
    pub newest: Option<(Parts, Loaded)>,
    /// The one that is being made.
    pub running: Option<Parts>,
    /// The last one that could not be made.
    pub failed: Option<Parts>,
}

impl MixedNetworks {
    /// Discards the mix if one of its styles has changed.
    pub fn forget(&mut self, is_gone: impl Fn(&str) -> bool) {
        self.newest.take_if(|(parts, _)| parts.iter().any(|(style, _)| is_gone(style)));
        self.failed = None;
    }
}
