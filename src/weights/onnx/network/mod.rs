//! Reads any picture network: every node that the picture goes through becomes operations of a graph.
//!
//! Nodes are taken in the file's order, which ONNX requires to be a possible order of running; a node that needs a
//! later value is refused, so nothing here recurses. The picture is followed at a few sizes at once, so that what the
//! file computes from sizes is known to hold at any. Transposed and reshaped maps are seen through ([`layout`]). What
//! the picture's values mean is told by [`range`]. Knows no model.

mod constants;
mod inputs;
mod layout;
mod norm;
mod range;
mod rules;
mod simplify;

use crate::{
    graph::{Graph, NodeId, Op},
    network::{Network, NodeWeights},
    tensor::Shape,
    weights::{
        Budget, StorageType, WeightsError, any_network::MAX_NODES, error::shortened, tensor::Dtype,
    },
};

use super::{
    check_unique,
    messages::{self, Node, ValueInfo},
    needed, numbers, refused,
    scope::{Scope, Value},
    tensors::stored,
};
use crate::weights::pixels::Pixels;
use layout::{Axis, Layout};

/// Longest side of a map that is followed, in pixels.
const MAX_SIDE_PX: usize = 1 << 20;
/// Heights and widths at which a graph with free sides is tried. The first are odd, which tells a factor of 2 from
/// everything that only looks like it at round sizes; many networks only run at multiples of some power of two.
const PROBES: [&[(usize, usize)]; 4] = [
    &[(64, 96), (61, 83), (338, 531)],
    &[(64, 96), (160, 128), (352, 544)],
    &[(72, 96), (168, 120), (312, 528)],
    &[(256, 512), (768, 256), (512, 1280)],
];

/// A picture network as a file holds it, with what is known of the values that it reads and makes.
#[derive(Debug)]
pub(in crate::weights) struct PictureNetwork {
    /// From the photo to the picture, as if both had the network's own values.
    pub(in crate::weights) network: Network,
    /// Values that it reads, as far as the file tells.
    pub(in crate::weights) input: Pixels,
    /// Values that it makes, as far as the file tells.
    pub(in crate::weights) output: Pixels,
    /// Rows and columns, where the file fixes them.
    pub(in crate::weights) size: Option<(usize, usize)>,
    /// How its weights are stored.
    pub(in crate::weights) storage: StorageType,
}

/// Reads the network of a graph.
///
/// # Errors
/// [`WeightsError::Graph`] with the first node that no picture network of this program has, or an error that names a
/// tensor.
pub(super) fn read(
    model: &messages::Model<'_>,
    graph: &messages::Graph<'_>,
    budget: &Budget,
) -> Result<PictureNetwork, WeightsError> {
    check_unique(graph.initializer.iter().map(|t| t.name), budget)?;
    let results = graph.node.iter().flat_map(|n| &n.output);
    check_unique(results.copied(), budget)?;
    let picture = inputs::the_picture(graph, budget)?;
    let [result] = graph.output.as_slice() else {
        return Err(refused(format!(
            "it has {} results, a picture network has one",
            graph.output.len()
        )));
    };
    let nodes = needed::nodes(graph, result.name, budget)?;
    let input = inputs::sides(picture)?;
    let mut first = None;
    for probes in PROBES {
        match read_at(
            model,
            graph,
            (picture, result),
            &nodes,
            &input,
            probes,
            budget,
        ) {
            Ok(network) => return Ok(network),
            Err(error @ WeightsError::TooCostly { .. }) => return Err(error),
            Err(error) => first = first.or(Some(error)),
        }
        if input.fixed_size.is_some() {
            break;
        }
    }
    Err(first.unwrap_or_else(|| refused("it has no nodes")))
}

fn read_at<'m>(
    model: &messages::Model<'_>,
    graph: &'m messages::Graph<'_>,
    (picture, result): (&ValueInfo<'m>, &ValueInfo<'m>),
    nodes: &[&'m Node<'m>],
    input: &inputs::InputSides,
    probes: &[(usize, usize)],
    budget: &'m Budget,
) -> Result<PictureNetwork, WeightsError> {
    let sizes = input
        .fixed_size
        .map_or_else(|| probes.to_vec(), |size| vec![size]);
    let mut reader = Reader {
        scope: Scope::new(sizes.len(), budget),
        graph: Graph::default(),
        weights: Vec::new(),
        shapes: Vec::new(),
        sizes,
        layer: String::new(),
        operator: "",
        opset: super::opset(model),
        storage: StorageType::F16,
    };
    for tensor in &graph.initializer {
        let value = reader.scope.tensor(stored(tensor.name, tensor, budget)?)?;
        budget.insert(&mut reader.scope.values, tensor.name, value)?;
    }
    let photo = reader.add(Op::Photo, &[], None)?;
    let start = MapValue {
        node: photo,
        layout: input.layout.clone(),
    };
    budget.insert(&mut reader.scope.values, picture.name, Value::Map(start))?;
    for node in nodes {
        // An operator looks at every input and a few times at every attribute.
        budget.steps(1 + 2 * node.input.len() + 8 * node.attribute.len())?;
        let values = reader.node(node)?;
        for (name, value) in node.output.iter().zip(values) {
            budget.bytes(value.size_bytes())?;
            budget.insert(&mut reader.scope.values, *name, value)?;
        }
    }
    let Some(Value::Map(made)) = reader.scope.values.get(result.name) else {
        return Err(refused("its result does not depend on the picture"));
    };
    let made = made.clone();
    let last = reader.the_result(&made)?;
    let (input_pixels, output_pixels) = range::pixels(model, picture, &reader, last);
    let storage = reader.storage;
    let network = reader.finish(last)?;
    Ok(PictureNetwork {
        network,
        input: input_pixels,
        output: output_pixels,
        size: input.fixed_size,
        storage,
    })
}

/// A map, and how the sides of the file's tensor stand for it.
#[derive(Clone, Debug)]
struct MapValue {
    node: NodeId,
    layout: Layout,
}

impl MapValue {
    /// The same sides of another node's map, which is as large.
    fn moved_to(&self, node: NodeId) -> Self {
        Self {
            node,
            layout: self.layout.clone(),
        }
    }
}

/// A graph while it is read.
struct Reader<'m> {
    scope: Scope<'m, MapValue>,
    graph: Graph,
    /// The weights of every node.
    weights: Vec<Option<NodeWeights>>,
    /// The size of every node's map at every probe.
    shapes: Vec<Vec<Shape>>,
    /// Rows and columns of the picture at every probe.
    sizes: Vec<(usize, usize)>,
    /// The convolution that comes last.
    layer: String,
    /// The operator that is read.
    operator: &'m str,
    opset: i64,
    /// The widest numbers of any weights.
    storage: StorageType,
}

impl<'m> Reader<'m> {
    fn budget(&self) -> &'m Budget {
        self.scope.budget
    }

    /// Adds a node, whose maps must fit at every probe.
    fn add(
        &mut self,
        op: Op,
        inputs: &[NodeId],
        weights: Option<NodeWeights>,
    ) -> Result<NodeId, WeightsError> {
        let id = self.graph.nodes().len();
        if id == MAX_NODES {
            return Err(refused(format!("it has more than {MAX_NODES} operations")));
        }
        let what = match self.operator {
            "" => "Input",
            operator => operator,
        };
        let name = format!("{id}.{}", shortened(what));
        if matches!(op, Op::Conv2d(_) | Op::ConvTranspose2d { .. }) || self.layer.is_empty() {
            self.layer.clone_from(&name);
        }
        let budget = self.budget();
        budget.steps(self.sizes.len() * (1 + inputs.len()))?;
        let held = size_of::<crate::graph::Node>() + 2 * name.len() + size_of_val(inputs);
        budget.bytes(held + self.sizes.len() * size_of::<Shape>() + 256)?;
        let mut shapes = Vec::new();
        for (probe, &size) in self.sizes.iter().enumerate() {
            let given: Vec<Shape> = inputs.iter().map(|&id| self.shapes[id][probe]).collect();
            let sides = |s: &Shape| format!("{} x {} x {}", s.channels, s.height, s.width);
            let shape = op.shape(&given, size).ok_or_else(|| {
                refused(format!(
                    "{name} cannot read maps of {}",
                    given
                        .iter()
                        .take(4)
                        .map(sides)
                        .collect::<Vec<_>>()
                        .join(" and ")
                ))
            })?;
            if shape.is_empty() || shape.height.max(shape.width) > MAX_SIDE_PX {
                return Err(refused(format!("{name} makes a map of {}", sides(&shape))));
            }
            shapes.push(shape);
        }
        let added = self.graph.add(&name, &self.layer, op, inputs);
        let id = added.map_err(|error| refused(error.to_string()))?;
        self.shapes.push(shapes);
        self.weights.push(weights);
        Ok(id)
    }

    /// The sides of a value at every probe.
    fn lengths(&self, map: &MapValue) -> Vec<Vec<usize>> {
        let sizes = self.sizes_of(map.node);
        sizes.iter().map(|&size| map.layout.lengths(size)).collect()
    }

    /// Rows and columns of a map at every probe.
    fn sizes_of(&self, id: NodeId) -> Vec<(usize, usize)> {
        self.shapes[id]
            .iter()
            .map(|shape| (shape.height, shape.width))
            .collect()
    }

    fn channels(&self, id: NodeId) -> usize {
        self.shapes[id].first().map_or(0, |shape| shape.channels)
    }

    /// A map whose sides are batch, channels, rows and columns.
    fn channels_first(&self, node: NodeId) -> MapValue {
        MapValue {
            node,
            layout: Layout::channels_first(self.channels(node)),
        }
    }

    /// Reads one node of the file; its results.
    fn node(&mut self, node: &'m Node<'m>) -> Result<Vec<Value<MapValue>>, WeightsError> {
        self.operator = node.op_type;
        if !matches!(node.domain, "" | "ai.onnx") {
            return Err(refused(format!(
                "{} of {} is no operator that this program has",
                node.label(),
                shortened(node.domain)
            )));
        }
        let mut on_map = false;
        for index in 0..node.input.len() {
            if node.input(index).is_some() {
                on_map |= matches!(self.scope.value(node, index)?, Value::Map(_));
            }
        }
        if matches!(node.op_type, "Shape" | "Size") {
            return self.shape_of(node).map(|value| vec![value]);
        }
        if !on_map {
            return self.constant(node).map(|value| vec![value]);
        }
        let rule = rules::rule(node.op_type).ok_or_else(|| {
            refused(match numbers::rule(node.op_type) {
                Some(_) => format!("{} is not done to pictures by this program", node.label()),
                None => format!("{} is no operator that this program has", node.label()),
            })
        })?;
        let maps = rule(self, node)?;
        Ok(maps.into_iter().map(Value::Map).collect())
    }

    /// The node of the result, which must be a picture.
    fn the_result(&mut self, made: &MapValue) -> Result<NodeId, WeightsError> {
        let axes: Vec<Axis> = (0..made.layout.sides.len())
            .map(|side| made.layout.axis(side))
            .collect();
        let is_picture = matches!(
            axes.as_slice(),
            [Axis::One, Axis::Channels, Axis::Rows, Axis::Columns]
                | [Axis::Channels, Axis::Rows, Axis::Columns]
                | [Axis::One, Axis::Rows, Axis::Columns, Axis::Channels]
                | [Axis::Rows, Axis::Columns, Axis::Channels]
        );
        let lengths = self.lengths(made);
        let shown = super::shown(lengths.first().map_or(&[][..], Vec::as_slice));
        if !is_picture || self.channels(made.node) != 3 {
            return Err(refused(format!(
                "its result has the sides {shown}, a picture is 3 x height x width"
            )));
        }
        for (shape, &(rows, columns)) in self.shapes[made.node].iter().zip(&self.sizes) {
            let is_same = |made: usize, photo: usize| made >= photo && made < 2 * photo;
            if !is_same(shape.height, rows) || !is_same(shape.width, columns) {
                return Err(refused(format!(
                    "of a picture of {columns} x {rows} pixels it makes one of {} x {}; networks that change \
                     the size are not run",
                    shape.width, shape.height
                )));
            }
        }
        Ok(made.node)
    }

    /// The network up to `last`.
    fn finish(self, last: NodeId) -> Result<Network, WeightsError> {
        let budget = self.budget();
        simplify::network(self.graph, self.weights, last, budget)
    }

    /// Notes how weights are stored.
    fn note_storage(&mut self, dtype: Dtype) {
        if let Dtype::Float(float) = dtype {
            self.storage = self.storage.max(float);
        }
    }
}
