//! Simplifies a graph: removes operations that nothing reads, and merges affine steps into the operation before.

use std::collections::HashMap;

use crate::{Budget, Result};
use network::{
    Network, NetworkError, NodeWeights,
    graph::{Graph, NodeId, Op},
};

/// The network of a graph up to `last`. The map of `last` is the picture, or the result if the graph reads maps instead
/// of a photo.
pub fn network(
    graph: Graph,
    mut weights: Vec<Option<NodeWeights>>,
    last: NodeId,
    budget: &Budget,
) -> Result<Network> {
    let nodes = graph.nodes();
    let mut readers = vec![0usize; nodes.len()];
    let mut is_needed = vec![false; nodes.len()];
    is_needed[last] = true;
    readers[last] = 1;
    for id in (0..nodes.len()).rev() {
        if is_needed[id] {
            budget.steps(1 + nodes[id].inputs.len())?;
            for &input in &nodes[id].inputs {
                is_needed[input] = true;
                readers[input] += 1;
            }
        }
    }
    // The node that replaces each node whose step was merged.
    let mut instead: Vec<NodeId> = (0..nodes.len()).collect();
    for (id, node) in nodes.iter().enumerate() {
        if !is_needed[id] || node.op != Op::Affine {
            continue;
        }
        let before = instead[node.inputs[0]];
        let (earlier, own) = weights.split_at_mut(id);
        if readers[node.inputs[0]] == 1
            && let (Some(into), Some(step)) = (&mut earlier[before], &own[0])
            && take_over(&nodes[before].op, into, step, budget)?
        {
            instead[id] = before;
            is_needed[id] = false;
        }
    }
    let mut made = Graph::default();
    let mut all = HashMap::new();
    let mut ids = vec![0; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        if !is_needed[id] {
            continue;
        }
        let inputs: Vec<NodeId> = node.inputs.iter().map(|&input| ids[instead[input]]).collect();
        ids[id] =
            (made.add(&node.name, &node.layer, node.op, &inputs)).map_err(NetworkError::from)?;
        if let Some(own) = weights[id].take() {
            budget.insert(&mut all, node.name.clone(), own)?;
        }
    }
    if !made.is_on_maps() {
        let layer = made.nodes().last().map_or_else(String::new, |node| node.layer.clone());
        made.add("picture", &layer, Op::Picture, &[ids[instead[last]]])
            .map_err(NetworkError::from)?;
    }
    Ok(Network::new(made, all.into_iter().collect())?)
}

/// Merges an affine step into the operation before it; `false` if that operation cannot take it.
fn take_over(op: &Op, own: &mut NodeWeights, step: &NodeWeights, budget: &Budget) -> Result<bool> {
    // Weights are groups x inputs of a group x outputs of a group x values; these are the last three lengths.
    let [inputs, outputs, values] = match *op {
        Op::Conv2d(conv) => [1, conv.out_channels, own.weight.len() / conv.out_channels],
        Op::ConvTranspose2d { conv, .. } => [
            conv.in_channels / conv.groups,
            conv.out_channels / conv.groups,
            conv.kernel[0] * conv.kernel[1],
        ],
        Op::InstanceNorm { .. } | Op::LayerNorm { .. } | Op::Affine => [1, own.weight.len(), 1],
        _ => return Ok(false),
    };
    budget.steps(2 * (own.weight.len() + own.bias.len()))?;
    // The step's channel for the weight at `place`.
    let channel = |place: usize| {
        let group = place / (inputs * outputs * values);
        group * outputs + place / values % outputs
    };
    let times = |place: usize, value: f32| {
        (f64::from(value) * f64::from(step.weight[channel(place)])) as f32
    };
    let moved = |channel: usize, value: f32| {
        let (scale, shift) = (step.weight[channel], step.bias[channel]);
        (f64::from(value) * f64::from(scale) + f64::from(shift)) as f32
    };
    // If a product would not be finite, keep the separate step.
    let weights = own.weight.iter().enumerate();
    let biases = own.bias.iter().enumerate();
    let mut products =
        weights.map(|(at, &v)| times(at, v)).chain(biases.map(|(at, &v)| moved(at, v)));
    if !products.all(f32::is_finite) {
        return Ok(false);
    }
    for (place, weight) in own.weight.iter_mut().enumerate() {
        *weight = times(place, *weight);
    }
    for (channel, bias) in own.bias.iter_mut().enumerate() {
        *bias = moved(channel, *bias);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::graph::Conv;

    /// A convolution takes over the step after it, unless that makes a weight infinite.
    #[test]
    fn steps_too_large_for_a_weight_stay_steps() {
        for (scale, nodes) in [(0.5, 2), (1e3, 3)] {
            let mut graph = Graph::default();
            let mut add =
                |name, op, inputs: &[NodeId]| graph.add(name, "", op, inputs).expect("a node");
            let input = add("input", Op::Input { channels: 1 }, &[]);
            let conv = add("conv", Op::Conv2d(Conv::square(1, 1, 1, 1)), &[input]);
            let last = add("step", Op::Affine, &[conv]);
            let own = |weight: f32| Some(NodeWeights { weight: vec![weight], bias: vec![1.0] });
            let weights = vec![None, own(1e37), own(scale)];
            let made = network(graph, weights, last, &Budget::for_file(1 << 20)).expect("read");
            assert_eq!(made.graph().nodes().len(), nodes, "{scale}");
            let kept = &made.weights().of("conv").weight;
            assert_eq!(kept[..], [if nodes == 2 { 1e37 * scale } else { 1e37 }]);
        }
    }
}
