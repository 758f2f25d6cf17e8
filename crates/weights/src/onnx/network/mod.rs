//! Reads any picture network: converts every node that depends on the picture to operations of a graph.
//!
//! Nodes are read in the file's order, which ONNX requires to be a valid order of execution. A node that needs a later
//! value is refused, so nothing here recurses. The picture is followed at several sizes (probes) at once, so that what
//! the file computes from sizes is known to be right at any size. Transposed and reshaped maps are tracked by
//! [`layout`] without moving values. [`range`] finds out what the picture's values mean. This module knows no model.

mod constants;
mod inputs;
mod layout;
mod norm;
mod range;
mod result;
mod rules;
mod scope;
mod simplify;
#[cfg(test)]
mod tests;

use std::fmt;

use itertools::Itertools;

use crate::{
    Budget, Result, StorageType, WeightsError,
    any_network::MAX_NODES,
    error::shortened,
    pixels::{PixelChoice, PixelRange},
    tensor::Dtype,
};
use network::{
    Network, NodeWeights,
    graph::{self, Graph, NodeId, Op, Pool, SizeRule},
};
use values::tensor::Shape;

use super::{
    check_unique, is_own,
    messages::{self, Name, Node, ValueInfo},
    needed,
    numbers::{self, Numbers, Values},
    refused, shown,
    tensors::stored,
};
use inputs::InputSides;
use layout::{Axis, Layout};
use scope::{Scope, TensorId, Value};

/// Numbers of pixels that the picture's sides may have to be multiples of, in the order in which they are tried.
const MULTIPLES: [usize; 12] = [1, 2, 3, 4, 6, 8, 16, 24, 32, 64, 128, 256];
/// Heights and widths at which a graph is tried, in units of the multiple: odd numbers, multiples of 16, and others.
/// Odd numbers distinguish a factor of 2 from other arithmetic that returns the same at round sizes.
const PROBES: [(usize, usize); 4] = [(65, 97), (64, 112), (338, 530), (67, 103)];

/// The probes whose sides are multiples of `px`.
fn probes(px: usize) -> Vec<(usize, usize)> {
    PROBES.map(|(height, width)| (px * height, px * width)).to_vec()
}

/// Maximum factor by which a network may enlarge its picture.
const MAX_TIMES: usize = 8;

/// Bytes and steps to charge for reading one node, in addition to those for its inputs.
const BYTES_PER_NODE: usize = 2048;
const STEPS_PER_NODE: usize = 28 * PROBES.len();
/// Bytes and steps to charge per input.
const BYTES_PER_INPUT: usize = 512;
const STEPS_PER_INPUT: usize = 8;
/// Maximum length of a list of numbers of a node.
const MAX_LIST: usize = 64;

/// A picture network as a file stores it, with what is known about its input and output values.
#[derive(Debug)]
pub struct PictureNetwork {
    /// From the photo to the picture, as if both had the network's own values.
    pub network: Network,
    /// It may be the network of a known model. False if an affine step follows a convolution: the step is merged into
    /// the weights and may change what the picture's values mean.
    pub may_be_model: bool,
    /// Number of pictures per run.
    pub batch: usize,
    /// Input and output values, as far as the file says.
    pub pixels: PixelChoice,
    /// Rows and columns, if the file fixes them.
    pub size: Option<(usize, usize)>,
    /// How its weights are stored.
    pub storage: StorageType,
}

/// Reads the picture network of a graph.
///
/// # Errors
/// [`WeightsError::Graph`] with the first node that is not supported, or an error that names a tensor.
pub fn read(
    model: &messages::Model<'_>,
    graph: &messages::Graph<'_>,
    budget: &Budget,
) -> Result<PictureNetwork> {
    let picture = needed::the_picture(graph, budget)?;
    let input = inputs::picture_sides(picture)?;
    let (mut reader, last) = read_at_some_size(model, graph, (picture, &input), budget)?;
    let pixels = range::pixels(model, picture, &reader, last);
    let last = match pixels.output {
        Some(PixelRange::Bytes) => reader.without_rounding(last)?,
        _ => last,
    };
    let nodes = reader.graph.nodes();
    Ok(PictureNetwork {
        may_be_model: !(nodes.iter())
            .any(|node| node.op == Op::Affine && nodes[node.inputs[0]].op.is_conv()),
        batch: input.batch,
        pixels,
        size: match reader.rule {
            SizeRule::Exactly([height, width]) => Some((height, width)),
            SizeRule::MultipleOf(_) => None,
        },
        storage: reader.storage,
        network: reader.finish(last)?,
    })
}

/// Reads a graph that computes a map from a map, both with channels first and any number of channels.
///
/// # Errors
/// As [`read`].
pub fn read_on_map(
    model: &messages::Model<'_>,
    graph: &messages::Graph<'_>,
    budget: &Budget,
) -> Result<Network> {
    let map = needed::the_picture(graph, budget)?;
    let input = inputs::map_sides(map)?;
    let (reader, last) = read_at_some_size(model, graph, (map, &input), budget)?;
    reader.finish(last)
}

/// Reads a graph with as few conditions on the picture's size as it allows. Returns the node of its result.
fn read_at_some_size<'m>(
    model: &'m messages::Model<'_>,
    graph: &'m messages::Graph<'m>,
    (source, input): (&ValueInfo<'m>, &InputSides),
    budget: &'m Budget,
) -> Result<(Reader<'m>, NodeId)> {
    check_unique(graph.initializer.iter().map(|t| t.name), budget)?;
    let results = graph.node.iter().flat_map(|n| &n.output);
    check_unique(results.filter(|name| name.call == 0).map(|name| name.text), budget)?;
    let [result] = graph.output.as_slice() else {
        return Err(refused(format!("it has {} outputs; a style needs one", graph.output.len())));
    };
    let nodes = needed::nodes(graph, result.name.into(), budget)?;
    if let Some(node) = nodes.iter().find(|node| !is_known(node, budget)) {
        let domain = if is_own(node.domain) {
            String::new()
        } else {
            format!(" of {}", shortened(node.domain))
        };
        return Err(refused(format!("the operator {}{domain} is not supported", node.label())));
    }
    let ends = (source, result);
    let mut first = None;
    // A file runs at its own size, so that size must be a multiple of the rule's.
    let is_of_own_size = |px: &&usize| {
        input.fixed_size.is_none_or(|(h, w)| h.is_multiple_of(**px) && w.is_multiple_of(**px))
    };
    let free =
        MULTIPLES.iter().filter(is_of_own_size).map(|&px| (SizeRule::MultipleOf(px), probes(px)));
    // If no multiple works, read the graph for its own size only.
    let fixed = input.fixed_size.iter().map(|&size| (SizeRule::Exactly(size.into()), vec![size]));
    for (rule, sizes) in free.chain(fixed) {
        let opset = super::opset(&model.opset_import).unwrap_or_default();
        let read = |(times, crops_at_once): (usize, bool)| {
            let mut reader = Reader::new(rule, &sizes, times, opset, budget);
            reader.crops_at_once = crops_at_once;
            let last = reader.read(graph, ends, &nodes, input);
            (reader, last)
        };
        // The first reading finds out how the graph has to be read.
        let mut way = (1, false);
        let (mut reader, mut last) = read(way);
        for _ in 0..2 {
            let crops_at_once = way.1 || last.is_err() && reader.cropped.is_some();
            let next = (reader.enlarges.unwrap_or(way.0), crops_at_once);
            if next != way {
                way = next;
                (reader, last) = read(way);
            }
        }
        match last {
            Ok(last) => {
                // Photos are extended to a size at which the graph runs; a map is not.
                let runs_at = |(height, width)| reader.graph.shapes(height, width).is_ok();
                if input.op == Op::Photo || input.fixed_size.is_none_or(runs_at) {
                    return Ok((reader, last));
                }
            }
            Err(error @ WeightsError::TooCostly { .. }) => return Err(error),
            Err(error) if !reader.scope.depends_on_size.get() => return Err(error),
            // For a fixed size, the error of the last trial is the relevant one.
            Err(error) if input.fixed_size.is_some() => first = Some(error),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| refused("it has no nodes")))
}

/// True if the operator is supported, on maps or on constants.
fn is_known(node: &Node<'_>, budget: &Budget) -> bool {
    let operator = node.op_type;
    is_own(node.domain)
        && (rules::rule(operator).is_some()
            || numbers::Call::new(node, &[], 0, budget).is_known()
            || matches!(
                operator,
                "Constant" | "DynamicQuantizeLinear" | "If" | "Shape" | "Size" | "Split"
            ))
}

/// What all probes have in common; `None` if they differ.
fn equal<T: PartialEq>(mut probes: impl Iterator<Item = T>) -> Option<T> {
    let first = probes.next()?;
    probes.all(|other| other == first).then_some(first)
}

/// A map, and the layout of the file's tensor for it.
#[derive(Clone, Debug)]
struct MapValue {
    node: NodeId,
    layout: Layout,
}

impl MapValue {
    /// The same layout, of another node's map of the same size.
    fn moved_to(&self, node: NodeId) -> Self {
        Self { node, layout: self.layout.clone() }
    }
}

/// The weights of a node while its graph is read.
#[derive(Clone, Debug)]
enum PendingWeights {
    /// Computed weights, a few per channel.
    Own(NodeWeights),
    /// Stored weights of a convolution. They are large, and only read once the graph is known to be supported.
    Stored {
        weight: TensorId,
        /// The name of the tensor in the file.
        key: String,
        bias: Vec<f32>,
    },
}

/// The state while a graph is read.
struct Reader<'m> {
    scope: Scope<'m>,
    graph: Graph,
    /// The weights of every node.
    weights: Vec<Option<PendingWeights>>,
    /// The size of every node's map at every probe, of which there is at least one.
    shapes: Vec<Vec<Shape>>,
    /// The photo sizes that the graph is read for.
    rule: SizeRule,
    /// Rows and columns of the photo at every probe.
    sizes: Vec<(usize, usize)>,
    /// Factor by which the photo is reduced before the network. Equals the factor by which the network enlarges its
    /// picture, so that its result has the photo's size.
    times: usize,
    /// Factor by which the result is larger than the photo, once known.
    enlarges: Option<usize>,
    /// The node whose map the file crops to the photo's size.
    cropped: Option<NodeId>,
    /// Maps are cropped to the photo's size where the file does it. Otherwise only the picture is cropped, which is less
    /// work.
    crops_at_once: bool,
    /// The most recent convolution.
    layer: String,
    opset: i64,
    /// The widest number type among the weights.
    storage: StorageType,
}

impl<'m> Reader<'m> {
    /// For pictures of these `sizes`, which `rule` allows, made from photos that are `times` as large.
    fn new(
        rule: SizeRule,
        sizes: &[(usize, usize)],
        times: usize,
        opset: i64,
        budget: &'m Budget,
    ) -> Self {
        let large = sizes.iter().map(|&(h, w)| (times * h, times * w)).collect();
        Self {
            scope: Scope::new(sizes.len(), budget),
            graph: Graph::default(),
            weights: Vec::new(),
            shapes: Vec::new(),
            rule: rule.times(times),
            sizes: large,
            times,
            enlarges: None,
            cropped: None,
            crops_at_once: false,
            layer: String::new(),
            opset,
            storage: StorageType::F16,
        }
    }

    /// Reads all nodes; returns the one that makes the picture.
    fn read(
        &mut self,
        graph: &'m messages::Graph<'_>,
        (source, result): (&ValueInfo<'m>, &ValueInfo<'m>),
        nodes: &[&'m Node<'m>],
        input: &InputSides,
    ) -> Result<NodeId> {
        let budget = self.budget();
        self.initializers(graph)?;
        let mut first = self.add(input.op, &[])?;
        if self.rule != SizeRule::MultipleOf(1) {
            first = self.add(Op::Sized(self.rule), &[first])?;
        }
        if self.times > 1 {
            let smaller = Op::AveragePool { pool: Pool::blocks(self.times), counts_padding: false };
            first = self.add(smaller, &[first])?;
        }
        let start = MapValue { node: first, layout: input.layout.clone() };
        budget.insert(&mut self.scope.values, source.name.into(), Value::Map(start))?;
        nodes.iter().try_for_each(|node| self.run(node))?;
        let Some(Value::Map(made)) = self.scope.values.get(&result.name.into()) else {
            return Err(refused("its result does not depend on the picture"));
        };
        let made = made.clone();
        match input.op {
            Op::Photo => self.the_picture(&made),
            _ => {
                let maker = nodes.iter().find(|node| node.output.contains(&result.name.into()));
                self.the_map(&made, maker.copied())
            }
        }
    }

    /// Adds the weights of a graph to the values.
    fn initializers(&mut self, graph: &'m messages::Graph<'_>) -> Result<()> {
        let budget = self.budget();
        for tensor in &graph.initializer {
            let value = self.scope.tensor(stored(tensor.name, tensor, budget)?)?;
            let name = Name { text: tensor.name, call: graph.call };
            budget.insert(&mut self.scope.values, name, value)?;
        }
        Ok(())
    }

    /// Reads one node and adds its results to the values.
    fn run(&mut self, node: &'m Node<'m>) -> Result<()> {
        let budget = self.budget();
        // An operator reads every input once and every attribute a few times.
        budget.steps(1 + 2 * node.input.len() + 8 * node.attribute.len())?;
        self.scope.node = node;
        let values = if node.op_type == "If" { self.branch()? } else { self.node()? };
        for (name, value) in node.output.iter().zip(values) {
            budget.bytes(value.size_bytes())?;
            budget.insert(&mut self.scope.values, *name, value)?;
        }
        Ok(())
    }

    /// Reads the branch of a node that does not choose by the picture's pixels; returns the branch's results.
    fn branch(&mut self) -> Result<Vec<Value>> {
        let node = self.scope.node;
        let chosen = self
            .scope
            .fixed_numbers(0)?
            .and_then(|numbers| numbers.scalar())
            .ok_or_else(|| node.refused("has no single condition"))?;
        let name = if chosen == 0.0 { "else_branch" } else { "then_branch" };
        let branch = node
            .attribute(name)
            .and_then(|attribute| attribute.g.as_deref())
            .ok_or_else(|| node.refused("lacks a branch"))?;
        self.initializers(branch)?;
        branch.node.iter().try_for_each(|node| self.run(node))?;
        let of = |output: &ValueInfo<'m>| {
            self.scope
                .values
                .get(&Name { text: output.name, call: branch.call })
                .cloned()
                .ok_or_else(|| node.refused("has a branch without its results"))
        };
        branch.output.iter().map(of).collect()
    }

    fn budget(&self) -> &'m Budget {
        self.scope.budget
    }

    /// Why the node that is read is not supported: `problem` follows its label.
    fn refused(&self, problem: impl fmt::Display) -> WeightsError {
        self.scope.node.refused(problem)
    }

    /// Adds a node without weights; its maps must fit at every probe.
    fn add(&mut self, op: Op, inputs: &[NodeId]) -> Result<NodeId> {
        self.add_held(op, inputs, None)
    }

    /// Adds a node with computed weights.
    fn add_weighted(&mut self, op: Op, inputs: &[NodeId], own: NodeWeights) -> Result<NodeId> {
        self.budget().items::<f32>(own.weight.len() + own.bias.len())?;
        self.add_held(op, inputs, Some(PendingWeights::Own(own)))
    }

    fn add_held(
        &mut self,
        op: Op,
        inputs: &[NodeId],
        weights: Option<PendingWeights>,
    ) -> Result<NodeId> {
        let count = self.graph.nodes().len();
        if count == MAX_NODES {
            return Err(refused(format!("it has more than {MAX_NODES} operations")));
        }
        let name = format!("{count}.{}", shortened(self.scope.node.op_type));
        if matches!(op, Op::Conv2d(_) | Op::ConvTranspose2d { .. }) || self.layer.is_empty() {
            self.layer.clone_from(&name);
        }
        let budget = self.budget();
        budget.steps(self.sizes.len() * (1 + inputs.len()))?;
        let lists = size_of::<(graph::Node, Vec<Shape>, Option<PendingWeights>)>();
        let held = lists + 2 * name.len() + size_of_val(inputs);
        // The sizes at every probe: of the node, and twice of its inputs meanwhile.
        let shapes = self.sizes.len() * (1 + 2 * inputs.len());
        budget.bytes(held + shapes * size_of::<Shape>() + 256)?;
        let id = (self.graph.add(&name, &self.layer, op, inputs))
            .map_err(|error| refused(error.to_string()))?;
        let mut shapes = Vec::new();
        for (probe, &size) in self.sizes.iter().enumerate() {
            let given: Vec<Shape> = inputs.iter().map(|&id| self.shapes[id][probe]).collect();
            let shape = op.shape(&given, size).ok_or_else(|| {
                self.scope.of_size(refused(format!(
                    "{name} cannot read maps of {}",
                    given.iter().take(4).join(" and ")
                )))
            })?;
            shapes.push(shape);
        }
        self.shapes.push(shapes);
        self.weights.push(weights);
        Ok(id)
    }

    /// The lengths of a value's sides at every probe.
    fn lengths(&self, map: &MapValue) -> Vec<Vec<usize>> {
        self.sizes_of(map.node).iter().map(|&size| map.layout.lengths(size)).collect()
    }

    /// The lengths of a value's sides for a message.
    fn sides_shown(&self, map: &MapValue) -> String {
        shown(&self.lengths(map)[0])
    }

    /// Rows and columns of a map at every probe.
    fn sizes_of(&self, id: NodeId) -> Vec<(usize, usize)> {
        self.shapes[id].iter().map(|shape| (shape.height, shape.width)).collect()
    }

    fn channels(&self, id: NodeId) -> usize {
        self.graph.channels(id)
    }

    /// A map with other channels than `x`, and the same sides.
    fn with_channels(&self, x: &MapValue, node: NodeId) -> MapValue {
        MapValue { node, layout: x.layout.with_channels(self.channels(node)) }
    }

    /// A map whose sides are batch, channels, rows and columns.
    fn channels_first(&self, node: NodeId) -> MapValue {
        MapValue { node, layout: Layout::channels_first(self.channels(node)) }
    }

    /// Reads one node of the file; returns its results.
    fn node(&mut self) -> Result<Vec<Value>> {
        let node = self.scope.node;
        // Each node that reads a map copies its layout a few times.
        let inputs = node.input.len();
        self.budget().steps(STEPS_PER_NODE + STEPS_PER_INPUT * inputs)?;
        self.budget().bytes(BYTES_PER_NODE + BYTES_PER_INPUT * inputs)?;
        if let Some(attribute) =
            node.attribute.iter().find(|a| a.ints.len().max(a.floats.len()) > MAX_LIST)
            && node.op_type != "Constant"
        {
            return Err(node.refused(format!(
                "has a list of {} numbers as its {}",
                attribute.ints.len().max(attribute.floats.len()),
                shortened(attribute.name)
            )));
        }
        let mut first_map = None;
        for index in 0..node.input.len() {
            if node.input(index).is_some() && matches!(self.scope.value(index)?, Value::Map(_)) {
                first_map.get_or_insert(index);
            }
        }
        if matches!(node.op_type, "Shape" | "Size") {
            return self.shape_of().map(|value| vec![value]);
        }
        let Some(first) = first_map else {
            return self.constant().map(|value| vec![value]);
        };
        let operator = node.op_type;
        let x = self.map(if rules::may_begin_with_constants(operator) { first } else { 0 })?;
        let maps = if operator == "Split" {
            self.split(x)?
        } else if operator == "DynamicQuantizeLinear" {
            // The integers' scale depends on the map, and rounding to it adds nothing: they stay what they stand for.
            let number = |number| Value::Numbers(vec![number; self.sizes.len()]);
            let one = Numbers::few(Vec::new(), Values::Float(vec![1.0]));
            let scaling = one.into_iter().chain(Numbers::int(0)).map(number);
            return Ok(std::iter::once(Value::Map(x)).chain(scaling).collect());
        } else {
            let rule = rules::rule(operator)
                .ok_or_else(|| node.refused("is not done to pictures by this program"))?;
            vec![rule(self, x)?]
        };
        Ok(maps.into_iter().map(Value::Map).collect())
    }

    /// The network up to `last`.
    fn finish(mut self, last: NodeId) -> Result<Network> {
        let budget = self.budget();
        let mut weights = Vec::new();
        for held in std::mem::take(&mut self.weights) {
            let own = match held {
                Some(PendingWeights::Stored { weight, key, bias }) => {
                    Some(NodeWeights { weight: self.finite_values(weight, &key)?, bias })
                }
                Some(PendingWeights::Own(own)) => Some(own),
                None => None,
            };
            budget.push(&mut weights, own)?;
        }
        simplify::network(self.graph, weights, last, budget)
    }

    /// Records how weights are stored.
    fn note_storage(&mut self, dtype: Dtype) {
        if let Dtype::Float(float) = dtype {
            self.storage = self.storage.max(float);
        }
    }
}
