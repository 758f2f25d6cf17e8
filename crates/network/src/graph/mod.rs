//! A network as operations on maps: nodes in an order in which they can run, each with its inputs.
//!
//! Pure data. A graph names operations and the layers they belong to. It contains no weights, no picture sizes and no
//! devices. Shapes follow from the picture's size ([`Graph::shapes`]). [`fusion`] decides how nodes are divided into
//! launches. Instance norm is two nodes, its statistics and their application, so that fusion only has to group nodes.

mod attributes;
pub mod fusion;
mod op;
pub mod resize;
mod shape;

use std::{collections::HashSet, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use values::tensor::{Shape, maps_text};

pub use attributes::{Arithmetic, BlockOrder, Conv, Function, PadMode, Pool, Sides, SizeRule};
pub use op::{Class, Op};

/// Maximum number of channels of a map.
pub const MAX_CHANNELS: usize = 4096;
/// Maximum kernel side, stride and dilation of a convolution.
pub const MAX_KERNEL_PX: usize = 32;
/// Maximum padding or crop on a side of a map.
pub const MAX_MARGIN_PX: usize = 1 << 10;
/// The default eps that instance norms add to the variance, as in PyTorch.
pub const NORM_EPS: f64 = 1e-5;
/// Maximum side of a map.
pub const MAX_MAP_SIDE_PX: usize = 1 << 20;
/// Maximum number of values of a map. The sum of bytes over all maps of a graph then fits 64 bits.
pub const MAX_MAP_LEN: usize = 1 << 36;
/// Upper bound of [`Graph::min_side_px`]. A graph whose reflections need larger pictures counts as one that runs at no
/// size.
const MAX_MIN_SIDE_PX: usize = 1 << 10;
/// Maximum number of pixels by which a side of a photo is extended.
const MAX_EXTENSION_PX: usize = 2 * MAX_MIN_SIDE_PX - 1;
/// Minimum budget for a search for a photo's side, in visited nodes and inputs. Fewer sides are tried for a large graph
/// than for a small one.
const MIN_SEARCH_STEPS: usize = 1 << 22;
/// Minimum number of sides that are tried, however large the graph.
const MIN_SEARCH_SIDES: usize = 64;
/// Cost of one operation on a single value, in multiply-adds of a convolution.
pub const SLOW_OPERATION: usize = 8;
/// Rows and columns of a photo at which a picture network has to run, after extension to the smallest size that works.
const PROBE_SIZE: [usize; 2] = [256; 2];

/// Index of a node in [`Graph::nodes`], and of the map that the node makes.
pub type NodeId = usize;

/// One operation of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The name of its weights in published checkpoints, if it has any: `conv1`, `in1`.
    pub name: String,
    /// The layer to which its time is attributed: the convolution that it prepares or follows.
    pub layer: String,
    pub op: Op,
    /// The nodes whose maps it reads.
    pub inputs: Vec<NodeId>,
}

/// Why nodes do not form a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// A node reads a different number of maps than its operation takes.
    #[error("{node} reads {got} maps, its operation takes {needed}")]
    Inputs { node: String, needed: usize, got: usize },
    /// A node reads a map that is made later, or never.
    #[error("{node} reads a map that is not computed before it")]
    Order { node: String },
    /// Channels, a kernel, a stride or a margin outside the supported range.
    #[error(
        "{node} has numbers beyond what this program runs: 1 to {MAX_CHANNELS} channels, kernels of 1 to {MAX_KERNEL_PX} \
         pixels, margins of at most {MAX_MARGIN_PX}"
    )]
    Range { node: String },
    /// The caller passes different maps than the graph reads.
    #[error("the network needs {needed} and got {got}")]
    Given {
        /// What the graph reads, as text.
        needed: String,
        /// What the caller passes, as text.
        got: String,
    },
    /// A node reads statistics as if they were a map, or a norm reads a map as if it were statistics.
    #[error("{node} reads statistics instead of a map, or a map instead of statistics")]
    Statistics { node: String },
    /// Not exactly one photo as input and one picture as output, or two nodes of the same name.
    #[error("it does not turn one image into one image, or two nodes have the same name")]
    NoPicture,
    /// The picture is smaller than the photo, however far the photo is extended.
    #[error("for a photo of {width} x {height} pixels it cannot make an image of that size")]
    TooSmall {
        /// Rows of the photo.
        height: usize,
        /// Columns of the photo.
        width: usize,
    },
    /// A node's maps do not fit its operation.
    #[error("{node} cannot read maps of {shapes}")]
    Shapes {
        node: String,
        /// The maps that the node reads, as text.
        shapes: String,
    },
}

/// The shape of a node's weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightShape {
    /// Convolution: `[out, in of a group, rows, columns]`; transposed, `[in, out of a group, rows, columns]`. Otherwise
    /// the shape of a norm's scales, of slopes, or of a constant map.
    pub weight: Vec<usize>,
    /// Number of biases of a convolution, or of shifts of a norm. Zero for slopes and constant maps.
    pub bias: usize,
}

impl WeightShape {
    /// Number of values in [`WeightShape::weight`].
    pub fn weight_len(&self) -> usize {
        self.weight.iter().product()
    }
}

/// Nodes in an order in which they can run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Node>", into = "Vec<Node>")]
pub struct Graph {
    nodes: Vec<Node>,
    /// Channels of every node's map; 0 if the node cannot read its inputs.
    channels: Vec<usize>,
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
    /// Appends a node; returns the id of its map.
    ///
    /// # Errors
    /// [`GraphError::Inputs`], [`GraphError::Order`], [`GraphError::Statistics`] and [`GraphError::Range`].
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
        let is_norm = matches!(op, Op::InstanceNorm { .. });
        let is_misread = |(place, &input): (usize, &NodeId)| {
            (self.nodes[input].op == Op::InstanceStatistics) != (is_norm && place == 1)
        };
        if inputs.iter().enumerate().any(is_misread) {
            return Err(GraphError::Statistics { node });
        }
        // Check the ranges before any of the numbers is used.
        if !op.is_in_range() {
            return Err(GraphError::Range { node });
        }
        let given: Vec<usize> = inputs.iter().map(|&input| self.channels[input]).collect();
        // A node that cannot read its inputs is reported later, when sizes are known.
        let channels = op.channels(&given).unwrap_or_default();
        if channels > MAX_CHANNELS {
            return Err(GraphError::Range { node });
        }
        self.channels.push(channels);
        self.nodes.push(Node { name: node, layer: layer.to_owned(), op, inputs: inputs.to_vec() });
        Ok(self.nodes.len() - 1)
    }

    /// Appends a node that is named after its layer and `what` it does there.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn then(
        &mut self,
        layer: &str,
        what: &str,
        op: Op,
        inputs: &[NodeId],
    ) -> Result<NodeId, GraphError> {
        self.add(&format!("{layer}.{what}"), layer, op, inputs)
    }

    /// Appends the instance norm of a map: its statistics, and their application, the node `name`.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn instance_norm(
        &mut self,
        name: &str,
        layer: &str,
        eps: f64,
        x: NodeId,
    ) -> Result<NodeId, GraphError> {
        let statistics = self.then(layer, "statistics", Op::InstanceStatistics, &[x])?;
        self.add(name, layer, Op::InstanceNorm { eps }, &[x, statistics])
    }

    /// All nodes, in the order in which they can run.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Channels of a node's map; 0 if the node cannot read its inputs.
    pub fn channels(&self, id: NodeId) -> usize {
        self.channels[id]
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

    /// The nodes whose maps the caller passes when the graph runs, with their channels. The caller passes them in this
    /// order.
    pub fn inputs(&self) -> impl Iterator<Item = (NodeId, usize)> {
        self.nodes.iter().enumerate().filter_map(|(id, node)| match node.op {
            Op::Input { channels } => Some((id, channels)),
            _ => None,
        })
    }

    /// True if the last node's map is the result, computed from maps that the caller passes. Such a graph reads no
    /// photo and makes no picture.
    pub fn is_on_maps(&self) -> bool {
        self.inputs().next().is_some()
            && !self.nodes.iter().any(|node| matches!(node.op, Op::Photo | Op::Picture))
    }

    /// The nodes that have weights, in order.
    pub fn weight_shapes(&self) -> impl Iterator<Item = (&Node, WeightShape)> {
        self.nodes.iter().enumerate().filter_map(|(id, node)| {
            let channels = self.channels[id];
            let shape = match node.op {
                Op::Conv2d(conv) | Op::ConvTranspose2d { conv, .. } => {
                    let (first, second) = if node.op.is_conv() {
                        (conv.out_channels, conv.in_channels)
                    } else {
                        (conv.in_channels, conv.out_channels)
                    };
                    let [rows, columns] = conv.kernel;
                    WeightShape {
                        weight: vec![first, second / conv.groups, rows, columns],
                        bias: conv.out_channels,
                    }
                }
                Op::InstanceNorm { .. } | Op::LayerNorm { .. } | Op::Affine => {
                    WeightShape { weight: vec![channels], bias: channels }
                }
                Op::Constant(Shape { height, width, .. }) => {
                    WeightShape { weight: vec![channels, height, width], bias: 0 }
                }
                Op::Prelu => WeightShape { weight: vec![channels], bias: 0 },
                _ => return None,
            };
            Some((node, shape))
        })
    }

    pub fn has_attention(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.op, Op::Attention { .. }))
    }

    /// Number of weights and biases of all nodes together.
    pub fn parameter_count(&self) -> usize {
        self.weight_shapes().map(|(_, shape)| shape.weight_len() + shape.bias).sum()
    }

    /// The smallest side of a photo, in pixels, for which every reflection stays inside its map. Smaller photos are
    /// extended to it first. `None` if the graph runs at no size.
    pub fn min_side_px(&self) -> Option<usize> {
        let runs = |side: usize, made: &mut Vec<usize>| {
            self.picture_side(side, 0, made).and(self.picture_side(side, 1, made)).is_some()
        };
        self.first_side(1..=MAX_MIN_SIDE_PX, runs)
    }

    /// The first of `sides` for which `fits` returns true. `fits` also gets a buffer to reuse. The number of tries is
    /// limited so that the steps stay below a constant or, for a large graph, proportional to its size.
    fn first_side(
        &self,
        sides: RangeInclusive<usize>,
        fits: impl Fn(usize, &mut Vec<usize>) -> bool,
    ) -> Option<usize> {
        let inputs: usize = self.nodes.iter().map(|node| 1 + node.inputs.len()).sum();
        let tried = (MIN_SEARCH_STEPS / inputs.max(1)).max(MIN_SEARCH_SIDES);
        let mut made = Vec::with_capacity(self.nodes.len());
        sides.take(tried).find(|&side| fits(side, &mut made))
    }

    /// Rows (axis 0) or columns (axis 1) of the smallest picture, or of the last map if there is no picture. `photo` is
    /// the same side of the photo. `None` if a node cannot read its maps.
    fn picture_side(&self, photo: usize, axis: usize, made: &mut Vec<usize>) -> Option<usize> {
        made.clear();
        let (mut given, mut picture) = (Vec::new(), None::<usize>);
        for node in &self.nodes {
            given.clear();
            given.extend(node.inputs.iter().map(|&input| made[input]));
            let side = node.op.side(&given, photo, axis)?;
            made.push(side);
            if node.op == Op::Picture {
                picture = Some(picture.map_or(side, |least| least.min(side)));
            }
        }
        picture.or(made.last().copied())
    }

    /// Rows and columns of the photo, if the graph accepts only one size.
    pub fn fixed_size(&self) -> Option<[usize; 2]> {
        self.nodes.iter().find_map(|node| match node.op {
            Op::Sized(SizeRule::Exactly(size)) => Some(size),
            _ => None,
        })
    }

    /// Checks that the graph makes one picture from one photo, and runs at some size.
    ///
    /// # Errors
    /// [`GraphError::NoPicture`], and those of [`Graph::for_photo`].
    pub fn check_is_picture_network(&self) -> Result<(), GraphError> {
        let pictures = self.nodes.iter().filter(|node| node.op == Op::Picture);
        if pictures.count() != 1 || self.nodes.last().is_none_or(|node| node.op != Op::Picture) {
            return Err(GraphError::NoPicture);
        }
        let [rows, columns] = self.fixed_size().unwrap_or(PROBE_SIZE);
        self.for_photo(rows, columns).map(drop)
    }

    /// The smallest rows and columns to which a photo has to be extended so that every node can read its maps and the
    /// picture covers the photo, and the shape of every node's map at that size. Planning starts with this call:
    /// kernels that write the picture rely on it covering the photo. Maps that the caller passes are never extended.
    ///
    /// # Errors
    /// [`GraphError::NoPicture`], [`GraphError::TooSmall`], and [`GraphError::Shapes`] if no size works.
    pub fn for_photo(
        &self,
        height: usize,
        width: usize,
    ) -> Result<((usize, usize), Vec<Shape>), GraphError> {
        if self.is_on_maps() {
            return Ok(((height, width), self.shapes(height, width)?));
        }
        let count = |op: Op| self.nodes.iter().filter(|node| node.op == op).count();
        let names: HashSet<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        if count(Op::Photo) != 1
            || count(Op::Picture) == 0
            || self.inputs().next().is_some()
            || names.len() != self.nodes.len()
        {
            return Err(GraphError::NoPicture);
        }
        let extended = |photo: usize, axis: usize| {
            let covers = |side: usize, made: &mut Vec<usize>| {
                self.picture_side(side, axis, made).is_some_and(|made| made >= photo)
            };
            match self.fixed_size() {
                Some(size) => self.first_side(size[axis]..=size[axis], covers),
                None => self.first_side(photo..=photo.saturating_add(MAX_EXTENSION_PX), covers),
            }
            .filter(|&side| side >= photo)
        };
        let (Some(rows), Some(columns)) = (extended(height, 0), extended(width, 1)) else {
            // The error of the node that cannot read its maps is the better message.
            self.shapes(height, width)?;
            return Err(GraphError::TooSmall { height, width });
        };
        Ok(((rows, columns), self.shapes(rows, columns)?))
    }

    /// The same graph with `px` pixels of reflection around the photo that are cut off the picture. A reflection or a
    /// last convolution's padding that is there already is enlarged or made smaller. `None` for a graph that does not
    /// make one picture from one photo, or only from a photo of one size.
    pub fn with_margin(&self, px: usize) -> Option<Self> {
        self.check_is_picture_network().ok()?;
        if self.fixed_size().is_some() || px > MAX_MARGIN_PX / 2 {
            return None;
        }
        let (nodes, readers) = (&self.nodes, self.readers());
        let is_pad = |&id: &NodeId| readers[id].len() == 1 && nodes[id].op.reflected_px().is_some();
        // Steps of single values may come before the padding and after the convolution.
        let keeps_places = |id: NodeId| {
            readers[id].len() == 1
                && match nodes[id].op {
                    Op::Sized(rule) => [0, 1].iter().all(|&axis| rule.allows_side(2 * px, axis)),
                    Op::Affine | Op::Function(_) => true,
                    _ => false,
                }
        };
        let photo = nodes.iter().position(|node| node.op == Op::Photo)?;
        let mut entry = photo;
        while let [only] = readers[entry][..] {
            entry = only;
            if !keeps_places(entry) {
                break;
            }
        }
        let entry = Some(entry).filter(is_pad);
        let picture = nodes.len() - 1;
        let mut last = nodes[picture].inputs[0];
        while keeps_places(last) {
            last = nodes[last].inputs[0];
        }
        let exit = match nodes[last].op {
            Op::Conv2d(conv) if conv.stride == [1; 2] && readers[last].len() == 1 => {
                Some(nodes[last].inputs[0])
            }
            _ => None,
        };
        let exit = exit.filter(|pad| is_pad(pad) && Some(*pad) != entry);
        let (mut graph, mut moved) = (Self::default(), Vec::new());
        for (id, node) in nodes.iter().enumerate() {
            let mut inputs: Vec<NodeId> = node.inputs.iter().map(|&input| moved[input]).collect();
            let own_px = node.op.reflected_px().unwrap_or_default();
            let op = if Some(id) == entry {
                Op::reflect(own_px + px)
            } else if Some(id) != exit {
                node.op
            } else if own_px < px {
                Op::Crop(Sides::all(px - own_px))
            } else {
                Op::reflect(own_px - px)
            };
            if id == picture && exit.is_none() {
                inputs =
                    vec![graph.then(&node.name, "cut", Op::Crop(Sides::all(px)), &inputs).ok()?];
            }
            let mut at = graph.add(&node.name, &node.layer, op, &inputs).ok()?;
            if id == photo && entry.is_none() {
                at = graph.then(&node.name, "margin", Op::reflect(px), &[at]).ok()?;
            }
            moved.push(at);
        }
        Some(graph)
    }

    /// Rows and columns at which the graph runs on maps of these channels, rows and columns. All maps must have the
    /// same rows and columns.
    ///
    /// # Errors
    /// [`GraphError::Given`] if the graph reads different maps or a photo; [`GraphError::Shapes`] if it does not run at
    /// their size.
    pub fn size_on_maps(&self, maps: &[[usize; 3]]) -> Result<(usize, usize), GraphError> {
        let (height, width) = maps.first().map_or((0, 0), |&[_, rows, columns]| (rows, columns));
        let of = |[channels, height, width]: [usize; 3]| Shape::new(channels, height, width);
        let given: Vec<Shape> = maps.iter().copied().map(of).collect();
        let needed: Vec<Shape> =
            (self.inputs()).map(|(_, channels)| Shape::new(channels, height, width)).collect();
        if !self.is_on_maps() || needed != given || height.min(width) == 0 {
            let needed = if self.is_on_maps() { maps_text(&needed) } else { "a photo".to_owned() };
            return Err(GraphError::Given { needed, got: maps_text(&given) });
        }
        self.shapes(height, width).map(|_| (height, width))
    }

    /// Approximate number of multiply-adds of one run with these maps. An operation on single values or windows counts
    /// as [`SLOW_OPERATION`] multiply-adds for every value that it reads.
    pub fn multiply_adds(&self, shapes: &[Shape]) -> u64 {
        let of_node = |(id, node): (NodeId, &Node)| {
            let product = |factors: [usize; 4]| {
                factors.iter().fold(1u64, |product, &factor| product.saturating_mul(factor as u64))
            };
            let read = |input: usize| shapes[node.inputs[input]];
            let made = shapes[id].len();
            match node.op {
                Op::Conv2d(conv) => conv.multiply_adds(shapes[id]),
                Op::ConvTranspose2d { conv, .. } => conv.multiply_adds(read(0)),
                Op::Attention { .. } => product([2, made, read(1).height, read(1).width]),
                Op::MaxPool(pool) | Op::AveragePool { pool, .. } => {
                    product([SLOW_OPERATION, made, pool.kernel[0], pool.kernel[1]])
                }
                _ => {
                    let read = node.inputs.iter().map(|&input| shapes[input].len()).max();
                    product([SLOW_OPERATION, made.max(read.unwrap_or(0)), 1, 1])
                }
            }
        };
        self.nodes.iter().enumerate().map(of_node).fold(0, u64::saturating_add)
    }

    /// The map of every node, before [`Op::Picture`] crops. The photo, or the maps that the caller passes, have
    /// `height` x `width` pixels. Statistics are one value per channel.
    ///
    /// # Errors
    /// [`GraphError::Shapes`] names the first node that cannot read its maps.
    pub fn shapes(&self, height: usize, width: usize) -> Result<Vec<Shape>, GraphError> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let given: Vec<Shape> = node.inputs.iter().map(|&input| shapes[input]).collect();
            let shape = node.op.shape(&given, (height, width)).ok_or_else(|| {
                let shapes: Vec<String> = given.iter().map(Shape::to_string).collect();
                GraphError::Shapes { node: node.name.clone(), shapes: shapes.join(" and ") }
            })?;
            shapes.push(shape);
        }
        Ok(shapes)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn invalid_graphs_are_refused() {
        let mut graph = Graph::default();
        let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        let inputs = graph.add("sum", "", Op::Add, &[photo]);
        assert!(matches!(inputs, Err(GraphError::Inputs { needed: 2, .. })));
        let order = graph.add("relu", "", Op::Relu, &[1]);
        assert!(matches!(order, Err(GraphError::Order { .. })));
        graph.add("pad", "", Op::reflect(4), &[photo]).expect("an input");
        let error = graph.shapes(4, 9).expect_err("the margin is too wide");
        assert!(error.to_string().contains("3 x 4 x 9"), "{error}");
        assert_eq!(graph.shapes(5, 9).expect("fits")[1], Shape::new(3, 13, 17));
    }

    #[test]
    fn photos_are_extended_to_where_a_graph_runs() {
        let of = |op| {
            let mut graph = Graph::default();
            let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
            let sized = graph.add("size", "", op, &[photo]).expect("an input");
            graph.add("picture", "", Op::Picture, &[sized]).expect("an input");
            graph
        };
        let fixed = of(Op::Sized(SizeRule::Exactly([32, 48])));
        let extended = |graph: &Graph, height, width| graph.for_photo(height, width).map(|of| of.0);
        assert_eq!(extended(&fixed, 32, 32), Ok((32, 48)));
        assert!(extended(&fixed, 33, 48).is_err());
        let multiple = of(Op::Sized(SizeRule::MultipleOf(8)));
        assert_eq!(extended(&multiple, 9, 16), Ok((16, 16)));
        // A picture that would be smaller than the photo is made from a larger photo.
        let cropped = of(Op::Crop(Sides::all(3)));
        assert_eq!(extended(&cropped, 10, 20), Ok((16, 26)));
    }

    #[test]
    fn a_margin_is_reflected_and_cut_off() {
        let chain = |ops: &[Op]| {
            let (mut graph, mut at) = (Graph::default(), vec![]);
            for (id, &op) in [&[Op::Photo], ops, &[Op::Picture]].concat().iter().enumerate() {
                at = vec![graph.add(&id.to_string(), "", op, &at).expect("an input")];
            }
            graph
        };
        let (pad, cut) = (Op::reflect, |px| Op::Crop(Sides::all(px)));
        let [conv, large] = [9, 17].map(|kernel_px| Op::Conv2d(Conv::square(3, 3, kernel_px, 1)));
        let sized = |px| Op::Sized(SizeRule::MultipleOf(px));
        // What is between photo and picture, without and with a margin of 6 pixels.
        for (plain, wide) in [
            (vec![], vec![pad(6), cut(6)]),
            (vec![pad(4), conv], vec![pad(10), conv, cut(6)]),
            (vec![pad(4), conv, pad(8), large], vec![pad(10), conv, pad(2), large]),
            (
                vec![sized(4), Op::Affine, pad(4), conv, pad(4), conv, Op::Affine],
                vec![sized(4), Op::Affine, pad(10), conv, cut(2), conv, Op::Affine],
            ),
            (vec![sized(8), pad(4), conv], vec![pad(6), sized(8), cut(2), conv]),
        ] {
            let found = chain(&plain).with_margin(6).expect("one photo and one picture");
            let ops: Vec<Op> = found.nodes().iter().map(|node| node.op).collect();
            assert_eq!(ops, [vec![Op::Photo], wide, vec![Op::Picture]].concat());
            let (_, shapes) = found.for_photo(12, 20).expect("a size");
            let Shape { height, width, .. } = shapes[shapes.len() - 1];
            assert!((12..20).contains(&height) && (20..28).contains(&width), "{plain:?}");
        }
        let fixed = chain(&[Op::Sized(SizeRule::Exactly([32, 48]))]);
        assert!(fixed.with_margin(6).is_none() && Graph::default().with_margin(6).is_none());
    }

    #[test]
    fn maps_are_handed_in_in_order() {
        let mut graph = Graph::default();
        let mut add =
            |name, op, inputs: &[NodeId]| graph.add(name, "", op, inputs).expect("a node");
        let first = add("first", Op::Input { channels: 5 }, &[]);
        let relu = add("relu", Op::Relu, &[first]);
        let second = add("second", Op::Input { channels: 2 }, &[]);
        add("both", Op::Concat { count: 2 }, &[relu, second]);
        let given = |channels: &[usize], height| {
            let maps = channels.iter().map(|&channels| [channels, height, 4]);
            graph.size_on_maps(&maps.collect::<Vec<_>>())
        };
        assert_eq!(given(&[5, 2], 3), Ok((3, 4)));
        let error = given(&[2, 5], 3).expect_err("in another order");
        let text = "the network needs maps of 5 x 3 x 4 and 2 x 3 x 4 and got maps of 2 x 3 x 4 and 5 x 3 x 4";
        assert_eq!(error.to_string(), text);
        assert!(given(&[], 3).is_err());
        assert!(given(&[5, 2], 0).is_err());
        assert_eq!(graph.check_is_picture_network(), Err(GraphError::NoPicture));
        let error = photo_and_picture().size_on_maps(&[]).expect_err("no maps");
        assert_eq!(error.to_string(), "the network needs a photo and got no maps");
    }

    fn photo_and_picture() -> Graph {
        let mut graph = Graph::default();
        let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        let picture = graph.add("picture", "", Op::Picture, &[photo]);
        picture.expect("an input");
        graph
    }

    #[test]
    fn every_reader_is_known() {
        let mut graph = Graph::default();
        let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        let relu = graph.add("relu", "", Op::Relu, &[photo]).expect("an input");
        let sum = graph.add("sum", "", Op::Add, &[relu, photo]).expect("inputs");
        assert_eq!(graph.readers(), [vec![relu, sum], vec![sum], vec![]]);
    }
}
