//! The network of a mix: one at a time is made, the newest one is kept.

use super::Parts;
use crate::gui::style_source::Loaded;

/// The network of the newest mix.
#[derive(Default)]
pub struct MixedNetworks {
    /// The newest that is here.
    pub newest: Option<(Parts, Loaded)>,
    /// The one that is being made.
    pub running: Option<Parts>,
    /// The one that could not be made last.
    pub failed: Option<Parts>,
}

impl MixedNetworks {
    /// Forgets the mix when a style of it is another one now.
    pub fn forget(&mut self, is_gone: impl Fn(&str) -> bool) {
        self.newest.take_if(|(parts, _)| parts.iter().any(|(style, _)| is_gone(style)));
        self.failed = None;
    }
}
