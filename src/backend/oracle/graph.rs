//! The judge for any graph: walks its nodes in float64, one definition an operation.

use std::collections::HashMap;

use super::{Map, conv, mirror, reflect_pad, relu, upsample};
use crate::{
    frame::Frame,
    graph::{Graph, Node, Op},
};

/// The trained values of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeWeights {
    /// A convolution's `[out][in][row][column]`, or a norm's scale.
    pub weight: Vec<f64>,
    /// A convolution's bias, or a norm's shift.
    pub bias: Vec<f64>,
}

/// Weights by the names of their nodes.
pub type WeightsByName = HashMap<String, NodeWeights>;

/// The map that a node makes of its inputs, for a photo that is extended to `height` x `width` where it
/// is smaller. Statistics are maps of one row: means, and behind them the variances.
///
/// # Panics
/// Where the inputs are not those that the operation takes, or a node's weights are missing: the graph and
/// its shapes have been checked.
pub fn evaluate(
    node: &Node,
    inputs: &[&Map],
    weights: &WeightsByName,
    photo: &Frame,
    (height, width): (usize, usize),
) -> Map {
    let none = NodeWeights::default();
    let own = weights.get(&node.name).unwrap_or(&none);
    match node.op {
        Op::Photo => levels(photo, height, width),
        Op::ReflectPad { margin_px } => reflect_pad(inputs[0], margin_px),
        Op::Conv2d {
            kernel_px,
            stride_px,
            ..
        } => conv(inputs[0], &own.weight, &own.bias, kernel_px, stride_px),
        Op::InstanceStatistics => statistics(inputs[0]),
        Op::InstanceNorm { eps } => normalised(inputs[0], inputs[1], eps, own),
        Op::Relu => relu(inputs[0]),
        Op::Add => {
            let mut sum = inputs[0].clone();
            for (a, b) in sum.data.iter_mut().zip(&inputs[1].data) {
                *a += b;
            }
            sum
        }
        Op::Upsample => upsample(inputs[0]),
        // Clamping and rounding are the judgement's, so that differences stay visible.
        Op::Picture => super::crop(inputs[0], photo.height(), photo.width()),
    }
}

/// Every node's map, in the order of the graph.
///
/// # Panics
/// As [`evaluate`].
pub fn walk(
    graph: &Graph,
    weights: &WeightsByName,
    photo: &Frame,
    size: (usize, usize),
) -> Vec<Map> {
    let mut maps: Vec<Map> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let inputs: Vec<&Map> = node.inputs.iter().map(|&input| &maps[input]).collect();
        let map = evaluate(node, &inputs, weights, photo, size);
        maps.push(map);
    }
    maps
}

/// The photo's colours, reflected to the right and below where it is smaller.
fn levels(photo: &Frame, height: usize, width: usize) -> Map {
    let mut data = Vec::with_capacity(3 * height * width);
    for c in 0..3 {
        for y in 0..height {
            for x in 0..width {
                let from = photo.pixel(
                    mirror(x as isize, photo.width()),
                    mirror(y as isize, photo.height()),
                );
                data.push(f64::from(from[c]));
            }
        }
    }
    Map {
        channels: 3,
        height,
        width,
        data,
    }
}

/// Mean and biased variance of every channel.
fn statistics(input: &Map) -> Map {
    let count = input.height * input.width;
    let planes = input.data.chunks(count);
    let means: Vec<f64> = planes
        .clone()
        .map(|plane| plane.iter().sum::<f64>() / count as f64)
        .collect();
    let variances = planes.zip(&means).map(|(plane, mean)| {
        let squares = plane.iter().map(|v| (v - mean) * (v - mean));
        squares.sum::<f64>() / count as f64
    });
    Map {
        channels: input.channels,
        height: 1,
        width: 2,
        data: means
            .iter()
            .copied()
            .chain(variances.collect::<Vec<_>>())
            .collect(),
    }
}

fn normalised(input: &Map, statistics: &Map, eps: f64, own: &NodeWeights) -> Map {
    let mut out = input.clone();
    let (means, variances) = statistics.data.split_at(input.channels);
    let count = input.height * input.width;
    for (c, plane) in out.data.chunks_mut(count).enumerate() {
        for v in plane {
            *v = (*v - means[c]) / (variances[c] + eps).sqrt() * own.weight[c] + own.bias[c];
        }
    }
    out
}
