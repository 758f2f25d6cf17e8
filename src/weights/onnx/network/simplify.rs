//! Simplifies a graph: removes operations that nothing reads, merges affine steps into the operation before, and
//! replaces GELU that is written as several operations by one.

use std::collections::HashMap;

use crate::{
    graph::{Arithmetic, Function, Graph, Node, NodeId, Op},
    network::{Network, NetworkError, NodeWeights},
    weights::{Budget, Result},
};

/// The network of a graph up to `last`. The map of `last` is the picture, or the result if the graph reads maps instead
/// of a photo.
pub fn network(
    graph: Graph,
    mut weights: Vec<Option<NodeWeights>>,
    last: NodeId,
    budget: &Budget,
) -> Result<Network> {
    let nodes = with_gelu(&graph, &mut weights, budget)?;
    let nodes = nodes.as_slice();
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
        let inputs: Vec<NodeId> = node.inputs.iter().map(|&input| ids[instead[input]]).collect();
        let added = made.add(&node.name, &node.layer, node.op, &inputs);
        ids[id] = added.map_err(NetworkError::from)?;
        if let Some(own) = weights[id].take() {
            budget.insert(&mut all, node.name.clone(), own)?;
        }
    }
    if !made.is_on_maps() {
        let layer = made.nodes().last().map_or_else(String::new, |node| node.layer.clone());
        let picture = made.add("picture", &layer, Op::Picture, &[ids[instead[last]]]);
        picture.map_err(NetworkError::from)?;
    }
    Ok(Network::new(made, all.into_iter().collect())?)
}

/// Tolerance for the constants of a GELU that is written as several operations.
const GELU_TOLERANCE: f32 = 1e-6;

/// The nodes of a graph, with GELU in place of products of a map x with `(1 + erf(x / sqrt(2))) / 2`. Frameworks halve
/// x, the factor or the product. If they halve the product, the scale of the step after it is doubled.
fn with_gelu(
    graph: &Graph,
    weights: &mut [Option<NodeWeights>],
    budget: &Budget,
) -> Result<Vec<Node>> {
    budget.steps(graph.nodes().len())?;
    let mut nodes = graph.nodes().to_vec();
    let readers = graph.readers();
    for (id, node) in graph.nodes().iter().enumerate() {
        let (Op::Combine(Arithmetic::Product), &[a, b]) = (node.op, &node.inputs[..]) else {
            continue;
        };
        let (x, scale) = match gelu_scale(graph, weights, (a, b), budget)? {
            Some(scale) => (a, scale),
            None => match gelu_scale(graph, weights, (b, a), budget)? {
                Some(scale) => (b, scale),
                None => continue,
            },
        };
        if scale == 1.0 {
            let behind = match readers[id][..] {
                [only] if nodes[only].op == Op::Affine => weights[only].as_mut(),
                _ => None,
            };
            let Some(behind) = behind else {
                continue;
            };
            budget.steps(behind.weight.len())?;
            behind.weight.iter_mut().for_each(|weight| *weight *= 2.0);
        }
        nodes[id].op = Op::Function(Function::Gelu);
        nodes[id].inputs = vec![x];
    }
    Ok(nodes)
}

/// The number that multiplies `1 + erf(x / sqrt(2))` in `factor`, if it is 1 or 0.5.
fn gelu_scale(
    graph: &Graph,
    weights: &[Option<NodeWeights>],
    (x, factor): (NodeId, NodeId),
    budget: &Budget,
) -> Result<Option<f32>> {
    let nodes = graph.nodes();
    let is_erf = |id: NodeId| nodes[id].op == Op::Function(Function::Erf);
    let erf = match nodes[factor].inputs[..] {
        [erf] if nodes[factor].op == Op::Affine && is_erf(erf) => erf,
        _ => return Ok(None),
    };
    let inner = nodes[erf].inputs[0];
    if nodes[inner].inputs != [x] {
        return Ok(None);
    }
    let channels = |id: NodeId| weights[id].as_ref().map_or(0, |own| own.weight.len());
    budget.steps(2 * (channels(factor) + channels(inner)))?;
    // The scale and the shift of an affine node, if they are the same for all channels.
    let uniform =
        |id: NodeId| weights[id].as_ref().filter(|_| nodes[id].op == Op::Affine)?.uniform();
    let is_root = uniform(inner).is_some_and(|(weight, bias)| {
        bias == 0.0 && (weight - std::f32::consts::FRAC_1_SQRT_2).abs() < GELU_TOLERANCE
    });
    let scale = uniform(factor).filter(|(scale, shift)| scale == shift);
    let known = scale.filter(|(scale, _)| is_root && (*scale == 1.0 || *scale == 0.5));
    Ok(known.map(|(scale, _)| scale))
}

/// Merges an affine step into the operation before it; `false` if that operation cannot take it.
fn take_over(op: &Op, own: &mut NodeWeights, step: &NodeWeights, budget: &Budget) -> Result<bool> {
    // Values per output channel, groups, and output channels.
    let outputs = match *op {
        Op::Conv2d(conv) => {
            let one = own.weight.len() / conv.out_channels.max(1);
            Some((one, 1, conv.out_channels))
        }
        Op::ConvTranspose2d { conv, .. } => {
            Some((conv.kernel[0] * conv.kernel[1], conv.groups, conv.out_channels))
        }
        Op::InstanceNorm { .. } | Op::Affine => None,
        _ => return Ok(false),
    };
    budget.steps(2 * (own.weight.len() + own.bias.len()))?;
    // The step's channel for the weight at `place`.
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
    use crate::graph::Conv;

    /// GELU in parts becomes one operation, whichever factor is halved. With another factor it stays as it is.
    #[test]
    fn gelu_in_its_parts_is_one_operation() {
        let root = std::f32::consts::FRAC_1_SQRT_2;
        // The factors of x, of 1 + erf and of the product, and the product's factor afterwards.
        for (inner, factor, behind, left) in [
            (root, 1.0, 0.5, Some(1.0)),
            (root, 0.5, 3.0, Some(3.0)),
            (0.7, 1.0, 0.5, None),
            (root, 2.0, 0.25, None),
        ] {
            let mut graph = Graph::default();
            let mut add =
                |name, op, inputs: &[NodeId]| graph.add(name, "", op, inputs).expect("a node");
            let x = add("x", Op::Input { channels: 2 }, &[]);
            let scaled = add("scaled", Op::Affine, &[x]);
            let erf = add("erf", Op::Function(Function::Erf), &[scaled]);
            let gate = add("gate", Op::Affine, &[erf]);
            let product = add("product", Op::Combine(Arithmetic::Product), &[gate, x]);
            let last = add("last", Op::Affine, &[product]);
            let own = |weight: f32, bias: f32| {
                Some(NodeWeights { weight: vec![weight; 2], bias: vec![bias; 2] })
            };
            let weights =
                vec![None, own(inner, 0.0), None, own(factor, factor), None, own(behind, 0.0)];
            let made = network(graph, weights, last, &Budget::for_file(1 << 20)).expect("read");
            let is_one =
                (made.graph().nodes().iter()).any(|node| node.op == Op::Function(Function::Gelu));
            assert_eq!(is_one, left.is_some(), "{inner} {factor}");
            assert_eq!(made.graph().nodes().len(), if is_one { 3 } else { 6 });
            let kept = made.weights().of("last").weight[0];
            assert_eq!(kept, left.unwrap_or(behind));
        }
    }

    /// A convolution takes over the step after it, unless that makes a weight infinite.
    #[test]
    fn what_is_too_large_for_a_weight_stays_a_step() {
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
