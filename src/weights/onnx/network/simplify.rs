//! What a graph does not need is taken out of it: operations that nothing reads, and affine steps that the operation
//! before them can take over.

use std::collections::HashMap;

use crate::{
    graph::{Graph, NodeId, Op},
    network::{Network, NodeWeights, Weights},
    weights::{Budget, WeightsError},
};

/// The network of a graph up to `last`, whose map is the picture; or the result, where maps are handed in.
pub(super) fn network(
    graph: Graph,
    mut weights: Vec<Option<NodeWeights>>,
    last: NodeId,
    budget: &Budget,
) -> Result<Network, WeightsError> {
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
    // What stands for a node whose step was taken over.
    let mut instead: Vec<NodeId> = (0..nodes.len()).collect();
    for (id, node) in nodes.iter().enumerate() {
        if !is_needed[id] || node.op != Op::Affine {
            continue;
        }
        let before = instead[node.inputs[0]];
        let is_only_reader = readers[node.inputs[0]] == 1;
        let Some(step) = weights[id].take() else {
            continue;
        };
        let taken = match &mut weights[before] {
            Some(own) if is_only_reader => take_over(&nodes[before].op, own, &step, budget)?,
            _ => false,
        };
        if taken {
            instead[id] = before;
            is_needed[id] = false;
        } else {
            weights[id] = Some(step);
        }
    }
    let mut made = Graph::default();
    let mut all = HashMap::new();
    let mut ids = vec![0; nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        if !is_needed[id] {
            continue;
        }
        let inputs: Vec<NodeId> = node
            .inputs
            .iter()
            .map(|&input| ids[instead[input]])
            .collect();
        let added = made.add(&node.name, &node.layer, node.op, &inputs);
        ids[id] = added.map_err(crate::network::NetworkError::from)?;
        if let Some(own) = weights[id].take() {
            budget.insert(&mut all, node.name.clone(), own)?;
        }
    }
    if made.is_on_maps() {
        let all: Weights = all.into_iter().collect();
        return Ok(Network::new(made, all)?);
    }
    let layer = made
        .nodes()
        .last()
        .map_or_else(String::new, |node| node.layer.clone());
    let picture = made.add("picture", &layer, Op::Picture, &[ids[instead[last]]]);
    picture.map_err(crate::network::NetworkError::from)?;
    let all: Weights = all.into_iter().collect();
    Ok(Network::new(made, all)?)
}

/// Lets an operation do what an affine step behind it does; `false` for one that cannot.
fn take_over(
    op: &Op,
    own: &mut NodeWeights,
    step: &NodeWeights,
    budget: &Budget,
) -> Result<bool, WeightsError> {
    // The output channel of a weight by its place.
    let outputs = match *op {
        Op::Conv2d(conv) => {
            let one = own.weight.len() / conv.out_channels.max(1);
            Some((one, 1, conv.out_channels))
        }
        Op::ConvTranspose2d { conv, .. } => Some((
            conv.kernel[0] * conv.kernel[1],
            conv.groups,
            conv.out_channels,
        )),
        Op::InstanceNorm { .. } | Op::Affine => None,
        _ => return Ok(false),
    };
    budget.steps(2 * (own.weight.len() + own.bias.len()))?;
    // The step's channel that a weight belongs to.
    let channel = |place: usize| match (outputs, *op) {
        (Some((one, groups, out_channels)), Op::ConvTranspose2d { conv, .. }) => {
            let outs = out_channels / groups;
            let (input, output) = (place / one / outs, place / one % outs);
            input / (conv.in_channels / groups) * outs + output
        }
        (Some((one, ..)), _) => place / one,
        (None, _) => place,
    };
    let times = |place: usize, value: f32| {
        (f64::from(value) * f64::from(step.weight[channel(place)])) as f32
    };
    let moved = |channel: usize, value: f32| {
        let (scale, shift) = (step.weight[channel], step.bias[channel]);
        (f64::from(value) * f64::from(scale) + f64::from(shift)) as f32
    };
    // What is too large for a weight stays a step of its own.
    let weights = own.weight.iter().enumerate();
    let biases = own.bias.iter().enumerate();
    let mut products = weights
        .map(|(at, &v)| times(at, v))
        .chain(biases.map(|(at, &v)| moved(at, v)));
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
    use crate::graph::Conv;

    /// A convolution takes the step behind it over, but for one that makes a weight infinite.
    #[test]
    fn what_is_too_large_for_a_weight_stays_a_step() {
        for (scale, nodes) in [(0.5, 2), (1e3, 3)] {
            let mut graph = Graph::default();
            let mut add =
                |name, op, inputs: &[NodeId]| graph.add(name, "", op, inputs).expect("a node");
            let input = add("input", Op::Input { channels: 1 }, &[]);
            let conv = add("conv", Op::Conv2d(Conv::square(1, 1, 1, 1)), &[input]);
            let last = add("step", Op::Affine, &[conv]);
            let own = |weight: f32| {
                Some(NodeWeights {
                    weight: vec![weight],
                    bias: vec![1.0],
                })
            };
            let weights = vec![None, own(1e37), own(scale)];
            let made = network(graph, weights, last, &Budget::for_file(1 << 20)).expect("read");
            assert_eq!(made.graph().nodes().len(), nodes, "{scale}");
            let kept = &made.weights().of("conv").weight;
            assert_eq!(kept[..], [if nodes == 2 { 1e37 * scale } else { 1e37 }]);
        }
    }
}
