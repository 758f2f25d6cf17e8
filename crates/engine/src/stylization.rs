//! How something is painted.

use super::paint::{PaintSettings, WorkingSize};
use network::{Network, SharedNetwork};
use values::{compose::Look, mode::ModeChoice};

use std::sync::Arc;

/// How photos and films ([`WorkingSize`]) or live video ([`LiveSize`](super::live::LiveSize)) are painted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stylization<Size> {
    /// The network of a style or mix; without one the source is shown unpainted.
    pub network: Option<SharedNetwork>,
    /// The size of the network's input.
    pub size: Size,
    pub mode: ModeChoice,
    /// Strength and colours.
    pub look: Look,
    /// How much of the painting before is kept in films and live video, 0 to 100 (see [`steady`]).
    pub steadiness: u8,
}

impl<Size> Stylization<Size> {
    /// The same in another network.
    pub fn with_network(self, network: &Arc<Network>) -> Self {
        Self { network: Some(network.clone().into()), ..self }
    }
}

impl Stylization<WorkingSize> {
    /// The settings of the network's run, within the default limits.
    pub fn paint_settings(&self) -> PaintSettings {
        // What is left out is for others than the network.
        let Self { network: _, size, mode, look: _, steadiness: _ } = *self;
        PaintSettings { working_size: size, ..PaintSettings::of_mode(mode) }
    }
}
