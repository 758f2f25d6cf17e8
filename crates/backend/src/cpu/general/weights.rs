//! The trained values of a general plan, in the order in which its kernels read them.

use rayon::prelude::*;

use super::super::{
    pack::{self, Panels},
    winograd::FourOutputs,
};
use network::{Network, NodeWeights};
use plan::{
    Phase,
    cpu::{
        general::{ConvAlgorithm, GeneralConv, GeneralParts, ResizeSpec},
        padded_channels,
    },
};

/// A convolution with packed weights.
pub struct PackedGeneral {
    /// For every phase of the rows, one for every phase of the columns.
    pub panels: Vec<Panels>,
    /// For a depthwise convolution: for every tap, one weight for every stored channel.
    pub taps: Vec<f32>,
    /// One value for every stored output channel.
    pub bias: Vec<f32>,
}

/// What each row and column of a resized map reads.
pub struct ResizeTables {
    /// For each row, the source rows and their weights.
    pub rows: Vec<[(u32, f32); 4]>,
    /// For each column, the source columns and their weights.
    pub columns: Vec<[(u32, f32); 4]>,
}

/// What a session keeps of a network for a general plan.
#[derive(Default)]
pub struct GeneralWeights {
    pub convs: Vec<PackedGeneral>,
    /// Of nodes with values for every channel: scales or slopes, and shifts, which are zero after slopes. One for every
    /// stored channel, zero for padding channels.
    pub values: Vec<NodeWeights>,
    pub resizes: Vec<ResizeTables>,
    /// Maps of trained values, channel-major.
    pub constants: Vec<Vec<f32>>,
}

impl GeneralWeights {
    /// Packs everything that a plan refers to, for vectors of `lanes` values.
    pub fn new(parts: &GeneralParts, network: &Network, lanes: usize) -> Self {
        let convs = parts.convs.par_iter();
        let values = |(node, stored): &(String, usize)| {
            let own = network.weights().of(node);
            let padded = |values: &[f32]| {
                let mut padded = values.to_vec();
                padded.resize(*stored, 0.0);
                padded
            };
            NodeWeights { weight: padded(&own.weight), bias: padded(&own.bias) }
        };
        Self {
            convs: convs.map(|conv| packed(conv, network, lanes)).collect(),
            values: parts.channel_nodes.iter().map(values).collect(),
            resizes: parts.resizes.iter().map(tables).collect(),
            constants: (parts.constants.iter())
                .map(|(node, _)| network.weights().of(node).weight.clone())
                .collect(),
        }
    }
}

fn tables(spec: &ResizeSpec) -> ResizeTables {
    let axis = |axis: usize, from: usize, to: usize| {
        let taps = spec.resize.taps(axis, from, to);
        let narrow = |(at, weight): (usize, f64)| (at as u32, weight as f32);
        taps.into_iter().map(|taps| taps.map(narrow)).collect()
    };
    ResizeTables {
        rows: axis(0, spec.from.height, spec.to.height),
        columns: axis(1, spec.from.width, spec.to.width),
    }
}

fn packed(layer: &GeneralConv, network: &Network, lanes: usize) -> PackedGeneral {
    let own = network.weights().of(&layer.node);
    let mut scales = vec![1.0f64; layer.conv.out_channels];
    let mut shifts: Vec<f64> = own.bias.iter().map(|&v| f64::from(v)).collect();
    for affine in &layer.affines {
        let factors = network.weights().of(affine);
        let values = factors.weight.iter().zip(&factors.bias);
        for ((scale, shift), (&by, &plus)) in scales.iter_mut().zip(&mut shifts).zip(values) {
            *scale *= f64::from(by);
            *shift = *shift * f64::from(by) + f64::from(plus);
        }
    }
    let mut bias = vec![0.0; padded_channels(layer.conv.out_channels)];
    for (to, &shift) in bias.iter_mut().zip(&shifts) {
        *to = shift as f32;
    }
    let groups = layer.conv.groups;
    let (ins, outs) = (layer.conv.in_channels / groups, layer.conv.out_channels / groups);
    let [kernel_rows, kernel_columns] = layer.conv.kernel;
    // The weight of an input and an output channel of a group.
    let at = |group: usize, i: usize, o: usize, ky: usize, kx: usize| {
        let pair = if layer.is_transposed {
            (group * ins + i) * outs + o
        } else {
            (group * outs + o) * ins + i
        };
        let weight = own.weight[(pair * kernel_rows + ky) * kernel_columns + kx];
        (f64::from(weight) * scales[group * outs + o]) as f32
    };
    let mut taps = Vec::new();
    let panels = match layer.algorithm {
        ConvAlgorithm::Rows => {
            let [rows, columns] = &layer.axes;
            let columns = &columns.phases;
            let phases =
                rows.phases.iter().flat_map(|row| columns.iter().map(move |column| (row, column)));
            let panel = |(row, column): (&_, &_)| phase_panels(row, column, layer, lanes, &at);
            phases.map(panel).collect()
        }
        ConvAlgorithm::ShiftedColumns => {
            let value = |_: usize, k: usize, n: usize| at(0, k % ins, n % outs, k / ins, n / outs);
            let columns = layer.product_columns();
            vec![Panels::new(1, kernel_rows * ins, columns, lanes, value)]
        }
        ConvAlgorithm::Depthwise => {
            let stored = padded_channels(groups);
            taps.resize(kernel_rows * kernel_columns * stored, 0.0);
            for (tap, weights) in taps.chunks_exact_mut(stored).enumerate() {
                for (channel, weight) in weights.iter_mut().take(groups).enumerate() {
                    *weight = at(channel, 0, 0, tap / kernel_columns, tap % kernel_columns);
                }
            }
            Vec::new()
        }
        ConvAlgorithm::Winograd => {
            let scale = |o: usize| scales[o];
            let stored = padded_channels(ins);
            vec![pack::winograd_panels::<FourOutputs>(
                (ins, outs),
                &own.weight,
                &scale,
                stored,
                lanes,
            )]
        }
    };
    PackedGeneral { panels, taps, bias }
}

/// The weights of one phase. Rows of K iterate over the taps of the phase's rows, then over those of its columns, then
/// over the inputs.
fn phase_panels(
    row: &Phase,
    column: &Phase,
    layer: &GeneralConv,
    lanes: usize,
    at: &impl Fn(usize, usize, usize, usize, usize) -> f32,
) -> Panels {
    let ins = layer.staged_channels();
    let depth = row.taps.len() * column.taps.len() * ins;
    let value = |group: usize, k: usize, o: usize| {
        let (tap, i) = (k / ins, k % ins);
        let ky = row.taps[tap / column.taps.len()].kernel;
        let kx = column.taps[tap % column.taps.len()].kernel;
        at(group, i, o, ky, kx)
    };
    let columns = layer.product_columns();
    Panels::new(layer.conv.groups, depth, columns, lanes, value)
}
