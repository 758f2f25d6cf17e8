//! What a general plan keeps of its network in addition to steps and maps.

use super::convolution::GeneralConv;
use network::graph::resize::Resize;
use values::tensor::Shape;

/// Values for one row or column of a resized map: four positions and four weights, and temporarily twice as many more
/// while they are computed.
const TAPS_LEN: usize = 24;

/// A resize, with its input and output maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResizeSpec {
    pub resize: Resize,
    pub from: Shape,
    pub to: Shape,
}

/// What a general plan keeps of its network in addition to steps and maps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneralParts {
    pub convs: Vec<GeneralConv>,
    /// Nodes with values for every channel, and their numbers of stored channels.
    pub channel_nodes: Vec<(String, usize)>,
    pub resizes: Vec<ResizeSpec>,
    /// Nodes whose maps are trained values, and the shapes of these maps.
    pub constants: Vec<(String, Shape)>,
}

impl GeneralParts {
    /// Size of everything that a session keeps of the network, in f32.
    pub fn weights_len(&self) -> usize {
        let convs = self.convs.iter().map(GeneralConv::packed_len);
        let values = self.channel_nodes.iter().map(|(_, stored)| 2 * stored);
        let tables = self.resizes.iter().map(|spec| TAPS_LEN * (spec.to.height + spec.to.width));
        let maps = self.constants.iter().map(|(_, shape)| shape.len());
        convs.chain(values).chain(tables).chain(maps).sum()
    }

    /// Upper bound of the descriptions of these parts and of `steps` steps, in bytes.
    pub fn description_bytes(&self, steps: usize) -> u64 {
        let phases = |conv: &GeneralConv| {
            let phases = conv.axes.iter().flat_map(|axis| &axis.phases);
            let taps: usize = phases.map(|phase| 96 + 32 * phase.taps.len()).sum();
            // Every pair of phases has its own panels.
            let panels = conv.axes[0].phases.len() * conv.axes[1].phases.len();
            1024 + 2 * taps + 128 * panels
        };
        let convs: usize = self.convs.iter().map(phases).sum();
        let small = self.channel_nodes.len() + self.resizes.len() + self.constants.len();
        (convs + 512 * small + 2048 * steps) as u64
    }
}
