//! What a general plan keeps of its network besides steps and maps.

use super::convolution::GeneralConv;
use crate::{graph::resize::Resize, tensor::Shape};

/// Values that one row or column of a resized map keeps: four places and four weights, and while they are computed
/// twice as much again.
const TAPS_LEN: usize = 24;

/// A change of size: how, and from which map to which.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResizeSpec {
    pub resize: Resize,
    /// The map that is read.
    pub from: Shape,
    /// The map that is written.
    pub to: Shape,
}

/// What a general plan keeps of its network besides steps and maps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneralParts {
    /// Convolutions.
    pub convs: Vec<GeneralConv>,
    /// Nodes with values for every channel, and how many channels are stored.
    pub channel_nodes: Vec<(String, usize)>,
    /// Changes of size.
    pub resizes: Vec<ResizeSpec>,
    /// Nodes whose maps are trained values, and these maps' extents.
    pub constants: Vec<(String, Shape)>,
}

impl GeneralParts {
    /// Everything that a session keeps of the network, in f32.
    pub(in crate::plan::cpu) fn len(&self) -> usize {
        let convs = self.convs.iter().map(GeneralConv::packed_len);
        let values = self.channel_nodes.iter().map(|(_, stored)| 2 * stored);
        let tables = self.resizes.iter();
        let tables = tables.map(|spec| TAPS_LEN * (spec.to.height + spec.to.width));
        let maps = self.constants.iter().map(|(_, shape)| shape.len());
        convs.chain(values).chain(tables).chain(maps).sum()
    }

    /// Upper bound of what describes them and `steps` steps, in bytes.
    pub(in crate::plan::cpu) fn description_bytes(&self, steps: usize) -> u64 {
        let phases = |conv: &GeneralConv| {
            let phases = conv.axes.iter().flat_map(|axis| &axis.phases);
            let taps: usize = phases.map(|phase| 96 + 32 * phase.taps.len()).sum();
            // Every pair of phases has its panels.
            let panels = conv.axes[0].phases.len() * conv.axes[1].phases.len();
            1024 + 2 * taps + 128 * panels
        };
        let convs: usize = self.convs.iter().map(phases).sum();
        let small = self.channel_nodes.len() + self.resizes.len() + self.constants.len();
        (convs + 512 * small + 2048 * steps) as u64
    }
}
