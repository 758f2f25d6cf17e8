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
    budget.steps(own.weight.len() + own.bias.len())?;
    let times = |value: f32, scale: f32| (f64::from(value) * f64::from(scale)) as f32;
    match (outputs, *op) {
        (Some((one, groups, out_channels)), Op::ConvTranspose2d { conv, .. }) => {
            let outs = out_channels / groups;
            let ins = conv.in_channels / groups;
            for (place, weight) in own.weight.iter_mut().enumerate() {
                let (input, output) = (place / one / outs, place / one % outs);
                *weight = times(*weight, step.weight[input / ins * outs + output]);
            }
        }
        (Some((one, ..)), _) => {
            for (place, weight) in own.weight.iter_mut().enumerate() {
                *weight = times(*weight, step.weight[place / one]);
            }
        }
        (None, _) => {
            for (weight, scale) in own.weight.iter_mut().zip(&step.weight) {
                *weight = times(*weight, *scale);
            }
        }
    }
    for ((bias, scale), shift) in own.bias.iter_mut().zip(&step.weight).zip(&step.bias) {
        *bias = (f64::from(*bias) * f64::from(*scale) + f64::from(*shift)) as f32;
    }
    Ok(true)
}
