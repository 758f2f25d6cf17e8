//! A network as operations on maps: nodes in the order in which they can run, each with its inputs.
//!
//! Pure data. A graph names operations and the layers they belong to, not weights' values, sizes of
//! pictures or devices: shapes follow from the picture's size ([`Graph::shapes`]), and how nodes are
//! cut into launches is decided in [`fusion`]. Instance norm is two nodes, its statistics and what
//! they are applied to, so that fusing is nothing but grouping nodes.

pub mod fusion;

use std::{
    hash::{Hash, Hasher},
    mem::discriminant,
};

use serde::{Deserialize, Serialize};

use crate::tensor::Shape;

/// Most channels of any map.
pub const MAX_CHANNELS: usize = 512;
/// Largest convolution kernel, in pixels a side.
pub const MAX_KERNEL_PX: usize = 15;
/// The eps that instance norms add to the variance unless a model says otherwise, as in PyTorch.
pub const NORM_EPS: f64 = 1e-5;
/// Upper bound of [`Graph::min_side_px`]: a graph whose reflections need larger pictures counts as one that
/// runs at no size.
const MAX_MIN_SIDE_PX: usize = 1 << 10;

/// Index of a node in [`Graph::nodes`]; also that of the map that the node makes.
pub type NodeId = usize;

/// The operation of a node. Maps are channels x rows x columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// The photo's red, green and blue, 0 to 255. No inputs.
    Photo,
    /// Reflection padding by so many pixels on every side: the edge itself is not repeated.
    ReflectPad {
        /// Pixels on every side.
        margin_px: usize,
    },
    /// Convolution without padding, with a bias for every output channel.
    Conv2d {
        /// Channels read.
        in_channels: usize,
        /// Channels made.
        out_channels: usize,
        /// Side of the kernel, in pixels.
        kernel_px: usize,
        /// Pixels from output to output.
        stride_px: usize,
    },
    /// Mean and biased variance of every channel.
    InstanceStatistics,
    /// `(x - mean) / sqrt(variance + eps) * scale + shift`, scale and shift by channel. Inputs: the map
    /// and its statistics.
    InstanceNorm {
        /// Added to the variance.
        eps: f64,
    },
    /// Negative values become zero.
    Relu,
    /// The sum of two maps.
    Add,
    /// Nearest neighbour, twice the rows and columns.
    Upsample,
    /// Values clamped to 0 to 255, rounded to nearest and cropped from the top left to the photo's size.
    Picture,
}

/// The kind of an operation, which decides how it can be fused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Comes from outside.
    Input,
    /// Every value from the values at its own place.
    Pointwise,
    /// Values at other places, unchanged.
    Index,
    /// Sums over a whole map.
    Reduce,
    /// Sums of products over channels and neighbours.
    Contract,
    /// Leaves the network.
    Output,
}

impl Hash for Op {
    fn hash<H: Hasher>(&self, state: &mut H) {
        discriminant(self).hash(state);
        match *self {
            Self::ReflectPad { margin_px } => margin_px.hash(state),
            Self::Conv2d {
                in_channels,
                out_channels,
                kernel_px,
                stride_px,
            } => [in_channels, out_channels, kernel_px, stride_px].hash(state),
            // The negative zero equals the other.
            Self::InstanceNorm { eps } => (eps + 0.0).to_bits().hash(state),
            Self::Photo
            | Self::InstanceStatistics
            | Self::Relu
            | Self::Add
            | Self::Upsample
            | Self::Picture => {}
        }
    }
}

impl Op {
    /// The kind of the operation.
    pub const fn class(&self) -> Class {
        match self {
            Self::Photo => Class::Input,
            Self::ReflectPad { .. } | Self::Upsample => Class::Index,
            Self::Conv2d { .. } => Class::Contract,
            Self::InstanceStatistics => Class::Reduce,
            Self::InstanceNorm { .. } | Self::Relu | Self::Add => Class::Pointwise,
            Self::Picture => Class::Output,
        }
    }

    /// Whether it is a convolution.
    pub const fn is_conv(&self) -> bool {
        matches!(self, Self::Conv2d { .. })
    }

    /// Whether its sizes are within the limits of this program.
    fn is_in_range(&self) -> bool {
        match *self {
            Self::Conv2d {
                in_channels,
                out_channels,
                kernel_px,
                stride_px,
            } => {
                let channels = 1..=MAX_CHANNELS;
                let pixels = 1..=MAX_KERNEL_PX;
                channels.contains(&in_channels)
                    && channels.contains(&out_channels)
                    && pixels.contains(&kernel_px)
                    && pixels.contains(&stride_px)
            }
            Self::ReflectPad { margin_px } => margin_px <= MAX_KERNEL_PX,
            Self::Photo
            | Self::InstanceStatistics
            | Self::InstanceNorm { .. }
            | Self::Relu
            | Self::Add
            | Self::Upsample
            | Self::Picture => true,
        }
    }

    /// How many maps it reads.
    pub const fn input_count(&self) -> usize {
        match self {
            Self::Photo => 0,
            Self::InstanceNorm { .. } | Self::Add => 2,
            Self::ReflectPad { .. }
            | Self::Conv2d { .. }
            | Self::InstanceStatistics
            | Self::Relu
            | Self::Upsample
            | Self::Picture => 1,
        }
    }
}

/// One operation of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The name that its weights carry in published checkpoints, where it has any: `conv1`, `in1`.
    pub name: String,
    /// The layer under which its time is counted: the convolution that it prepares or follows.
    pub layer: String,
    /// Its operation.
    pub op: Op,
    /// The nodes whose maps it reads.
    pub inputs: Vec<NodeId>,
}

/// Why nodes do not make a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A node reads another number of maps than its operation takes.
    #[error("{node} reads {got} maps, its operation takes {needed}")]
    Inputs {
        /// The node.
        node: String,
        /// Maps that its operation takes.
        needed: usize,
        /// Maps that it reads.
        got: usize,
    },
    /// A node reads a map that is made later, or never.
    #[error("{node} reads a map that is not made before it")]
    Order {
        /// The node.
        node: String,
    },
    /// Channels, a kernel, a stride or a margin that this program does not run.
    #[error(
        "{node} is too large: this program runs 1 to {MAX_CHANNELS} channels and kernels of 1 to \
         {MAX_KERNEL_PX} pixels"
    )]
    Range {
        /// The node.
        node: String,
    },
    /// Maps that do not go together.
    #[error("{node} cannot read maps of {shapes}")]
    Shapes {
        /// The node.
        node: String,
        /// The maps that it reads, in words.
        shapes: String,
    },
}

/// The trained values that a node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightShape {
    /// Sides of a convolution's weights (`[out, in, rows, columns]`), or of a norm's scales.
    pub weight: Vec<usize>,
    /// Biases of a convolution, or shifts of a norm.
    pub bias: usize,
}

impl WeightShape {
    /// Values of [`WeightShape::weight`].
    pub fn weight_len(&self) -> usize {
        self.weight.iter().product()
    }
}

/// Nodes in an order in which they can run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Node>", into = "Vec<Node>")]
pub struct Graph {
    nodes: Vec<Node>,
}

impl From<Graph> for Vec<Node> {
    fn from(graph: Graph) -> Self {
        graph.nodes
    }
}

impl TryFrom<Vec<Node>> for Graph {
    type Error = GraphError;

    fn try_from(nodes: Vec<Node>) -> Result<Self, GraphError> {
        let mut graph = Self::default();
        for node in nodes {
            graph.add(&node.name, &node.layer, node.op, &node.inputs)?;
        }
        Ok(graph)
    }
}

impl Graph {
    /// Appends a node; the id of its map.
    ///
    /// # Errors
    /// [`GraphError::Inputs`], [`GraphError::Order`] and [`GraphError::Range`].
    pub fn add(
        &mut self,
        name: &str,
        layer: &str,
        op: Op,
        inputs: &[NodeId],
    ) -> Result<NodeId, GraphError> {
        let node = name.to_owned();
        let (needed, got) = (op.input_count(), inputs.len());
        if needed != got {
            return Err(GraphError::Inputs { node, needed, got });
        }
        if inputs.iter().any(|&input| input >= self.nodes.len()) {
            return Err(GraphError::Order { node });
        }
        if !op.is_in_range() {
            return Err(GraphError::Range { node });
        }
        self.nodes.push(Node {
            name: node,
            layer: layer.to_owned(),
            op,
            inputs: inputs.to_vec(),
        });
        Ok(self.nodes.len() - 1)
    }

    /// All nodes, in the order in which they can run.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes that read each node's map, in order.
    pub fn readers(&self) -> Vec<Vec<NodeId>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                readers[input].push(id);
            }
        }
        readers
    }

    /// The nodes that have trained values, in order.
    pub fn weight_shapes(&self) -> impl Iterator<Item = (&Node, WeightShape)> {
        self.nodes.iter().filter_map(|node| {
            let shape = match node.op {
                Op::Conv2d {
                    in_channels,
                    out_channels,
                    kernel_px,
                    ..
                } => WeightShape {
                    weight: vec![out_channels, in_channels, kernel_px, kernel_px],
                    bias: out_channels,
                },
                Op::InstanceNorm { .. } => {
                    let channels = self.channels(node);
                    WeightShape {
                        weight: vec![channels],
                        bias: channels,
                    }
                }
                Op::Photo
                | Op::ReflectPad { .. }
                | Op::InstanceStatistics
                | Op::Relu
                | Op::Add
                | Op::Upsample
                | Op::Picture => return None,
            };
            Some((node, shape))
        })
    }

    /// Trained values of all nodes together.
    pub fn parameter_count(&self) -> usize {
        let all = self.weight_shapes();
        all.map(|(_, shape)| shape.weight_len() + shape.bias).sum()
    }

    /// Channels of a node's map.
    fn channels<'g>(&'g self, mut node: &'g Node) -> usize {
        loop {
            match (node.op, node.inputs.first()) {
                (Op::Conv2d { out_channels, .. }, _) => return out_channels,
                (_, Some(&input)) => node = &self.nodes[input],
                (_, None) => return 3,
            }
        }
    }

    /// Smallest side of a photo, in pixels, for which every reflection stays inside its map. Smaller
    /// photos are extended to it first. `None` for a graph that runs at no size.
    pub fn min_side_px(&self) -> Option<usize> {
        (1..=MAX_MIN_SIDE_PX).find(|&side| self.shapes(side, side).is_ok())
    }

    /// The map of every node for a photo of `height` x `width` pixels, before [`Op::Picture`] crops;
    /// statistics are one value for each channel.
    ///
    /// # Errors
    /// [`GraphError::Shapes`] names the first node that cannot read its maps.
    pub fn shapes(&self, height: usize, width: usize) -> Result<Vec<Shape>, GraphError> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let given: Vec<Shape> = node.inputs.iter().map(|&input| shapes[input]).collect();
            let shape = shape_of(&node.op, &given, (height, width)).ok_or_else(|| {
                let sides = |s: &Shape| format!("{} x {} x {}", s.channels, s.height, s.width);
                GraphError::Shapes {
                    node: node.name.clone(),
                    shapes: given.iter().map(sides).collect::<Vec<_>>().join(" and "),
                }
            })?;
            shapes.push(shape);
        }
        Ok(shapes)
    }
}

/// The map that an operation makes; `None` where it cannot read the given maps.
fn shape_of(op: &Op, given: &[Shape], (height, width): (usize, usize)) -> Option<Shape> {
    match (op, given) {
        (Op::Photo, []) => Some(Shape::new(3, height, width)),
        (Op::ReflectPad { margin_px }, [map]) => {
            // Reflection reaches at most to the far edge.
            let fits = map.height > *margin_px && map.width > *margin_px;
            let side = |side: usize| side + 2 * margin_px;
            fits.then(|| Shape::new(map.channels, side(map.height), side(map.width)))
        }
        (
            Op::Conv2d {
                in_channels,
                out_channels,
                kernel_px,
                stride_px,
            },
            [map],
        ) => {
            let side = |side: usize| Some(side.checked_sub(*kernel_px)? / stride_px + 1);
            let (height, width) = (side(map.height)?, side(map.width)?);
            (map.channels == *in_channels).then(|| Shape::new(*out_channels, height, width))
        }
        (Op::InstanceStatistics, [map]) => Some(Shape::new(map.channels, 1, 1)),
        (Op::InstanceNorm { .. }, [map, statistics]) => {
            (*statistics == Shape::new(map.channels, 1, 1)).then_some(*map)
        }
        (Op::Add, [a, b]) => (a == b).then_some(*a),
        (Op::Relu, [map]) => Some(*map),
        (Op::Picture, [map]) => (map.channels == 3).then_some(*map),
        (Op::Upsample, [map]) => Some(Shape::new(map.channels, 2 * map.height, 2 * map.width)),
        // Another number of maps, which no node reads.
        (
            Op::Photo
            | Op::ReflectPad { .. }
            | Op::Conv2d { .. }
            | Op::InstanceStatistics
            | Op::InstanceNorm { .. }
            | Op::Add
            | Op::Relu
            | Op::Picture
            | Op::Upsample,
            _,
        ) => None,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_run_is_refused() {
        let mut graph = Graph::default();
        let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        let inputs = graph.add("sum", "", Op::Add, &[photo]);
        assert!(matches!(inputs, Err(GraphError::Inputs { needed: 2, .. })));
        let order = graph.add("relu", "", Op::Relu, &[1]);
        assert!(matches!(order, Err(GraphError::Order { .. })));
        graph
            .add("pad", "", Op::ReflectPad { margin_px: 4 }, &[photo])
            .expect("an input");
        let error = graph.shapes(4, 9).expect_err("the margin is too wide");
        assert!(error.to_string().contains("3 x 4 x 9"), "{error}");
        assert_eq!(graph.shapes(5, 9).expect("fits")[1], Shape::new(3, 13, 17));
    }

    #[test]
    fn every_reader_is_known() {
        let mut graph = Graph::default();
        let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        let relu = graph.add("relu", "", Op::Relu, &[photo]).expect("an input");
        let sum = graph
            .add("sum", "", Op::Add, &[relu, photo])
            .expect("inputs");
        assert_eq!(graph.readers(), [vec![relu, sum], vec![sum], vec![]]);
    }
}
