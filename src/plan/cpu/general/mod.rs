//! Plans of graphs for which the specialised planner has no kernels: any graph of known operations.
//!
//! Unfused, every node is a step. Fused, a convolution includes the padding before it and the elementwise operations
//! after it, and neighbouring elementwise operations are one pass. All maps, including the photo, have the same layout:
//! channels-last, with channels padded with zeros.

pub mod attention;
mod convolution;
mod fusion;
mod operations;
mod parts;

use super::{CpuOp, MapId, Step, collector::Collector, padded_channels, strip_rows};
use crate::{
    graph::{Graph, NodeId, Op, Sides},
    plan::PlanError,
    tensor::Shape,
};
use attention::{Attention, HeadChannels};
use fusion::Unit;
use operations::kernel_name;

pub use convolution::{ConvAlgorithm, GeneralConv};
pub use operations::{GeneralOp, Pointwise};
pub use parts::{GeneralParts, ResizeSpec};

/// Collects steps and the lifetimes of maps.
pub struct GeneralBuilder<'a> {
    graph: &'a Graph,
    shapes: &'a [Shape],
    /// The nodes that read each node's map.
    readers: Vec<Vec<NodeId>>,
    is_fused: bool,
    /// The map of every node that is kept.
    kept: Vec<Option<MapId>>,
    /// The step that reads each node's map last, given as the index of the step's last node.
    last_read: Vec<NodeId>,
    pub collected: Collector,
    pub parts: GeneralParts,
}

impl<'a> GeneralBuilder<'a> {
    pub fn plan(graph: &'a Graph, shapes: &'a [Shape], is_fused: bool) -> Result<Self, PlanError> {
        let count = graph.nodes().len();
        let mut builder = Self {
            graph,
            shapes,
            readers: graph.readers(),
            is_fused,
            kept: vec![None; count],
            last_read: vec![0; count],
            collected: Collector::default(),
            parts: GeneralParts::default(),
        };
        let units = fusion::units(graph, is_fused);
        for unit in &units {
            let nodes = unit.nodes.iter().chain(&unit.pad).copied();
            for id in nodes.flat_map(|id| seen_through(graph, id)) {
                for &input in &graph.nodes()[id].inputs {
                    let last = &mut builder.last_read[input];
                    *last = (*last).max(unit.last());
                }
            }
        }
        let no_kernel =
            |node: NodeId| PlanError::NoKernel { node: graph.nodes()[node].name.clone() };
        for unit in &units {
            let planned = builder.unit(unit);
            planned.ok_or_else(|| no_kernel(unit.nodes[0]))?;
        }
        if let Some(unit) = units.last().filter(|_| graph.is_on_maps()) {
            let made = builder.hand_out(unit);
            made.ok_or_else(|| no_kernel(unit.last()))?;
        }
        Ok(builder)
    }

    /// The channels that attention reads of an input. The next step reads them.
    fn head_channels(&mut self, input: NodeId) -> Option<HeadChannels> {
        if let Some(map) = self.read(input) {
            return Some(HeadChannels { map, first: 0 });
        }
        let node = &self.graph.nodes()[input];
        let Op::Channels { first, .. } = node.op else {
            return None;
        };
        if self.is_statistics(node.inputs[0]) {
            return None;
        }
        let map = self.read(node.inputs[0])?;
        Some(HeadChannels { map, first })
    }

    /// Plans attention: keys and values are packed, and then the queries are processed.
    fn attention(&mut self, unit: &Unit, heads: usize) -> Option<()> {
        let head = unit.nodes[0];
        let inputs = &self.graph.nodes()[head].inputs;
        let (shape, of) = (self.shapes[head], self.shapes[inputs[1]]);
        let attention =
            Attention { heads, size: shape.channels / heads, keys: of.height * of.width };
        let from = [self.head_channels(inputs[1])?, self.head_channels(inputs[2])?];
        let len = attention.packed_len();
        let packed = self.collected.map_of(Shape::new(len, heads, 1), len);
        let op = GeneralOp::PackKeys { attention, from, to: packed };
        self.step(unit, "pack keys and values".to_owned(), op, 0, 0);
        let from = self.head_channels(inputs[0])?;
        self.collected.reads(packed);
        let to = self.write(head);
        self.collected.scratch(attention.scratch_len());
        let op = GeneralOp::Attention { attention, from, packed, to };
        let flops = attention.flops(shape.height * shape.width);
        self.step(unit, "attention".to_owned(), op, flops, 0);
        Some(())
    }

    /// Returns the map that a unit made as the result.
    fn hand_out(&mut self, unit: &Unit) -> Option<()> {
        let last = unit.last();
        let from = self.read(last).filter(|_| !self.is_statistics(last))?;
        self.step(unit, "hand out".to_owned(), GeneralOp::StoreMap { from }, 0, 0);
        Some(())
    }

    /// The map of a node, which the next step reads.
    fn read(&mut self, node: NodeId) -> Option<MapId> {
        let map = self.kept[node]?;
        self.collected.reads(map);
        Some(map)
    }

    /// The map of a node, which the next step writes.
    fn write(&mut self, node: NodeId) -> MapId {
        let shape = self.shapes[node];
        let map = self.collected.map(shape);
        self.kept[node] = Some(map);
        map
    }

    /// Adds a step that makes the map of the unit's last node.
    fn step(&mut self, unit: &Unit, kernel: String, op: GeneralOp, flops: u64, weights: usize) {
        let last = unit.last();
        let inputs = unit.nodes.iter().flat_map(|&id| {
            let inputs = self.graph.nodes()[id].inputs.iter();
            inputs.filter(|input| !unit.nodes.contains(input))
        });
        let read: usize = inputs.map(|&input| self.shapes[input].len()).sum();
        let elements = read + weights + self.shapes[last].len();
        self.collected.steps.push(Step {
            layer: self.graph.nodes()[last].layer.clone(),
            kernel,
            op: CpuOp::General(op),
            output: self.shapes[last],
            flops,
            bytes: 4 * elements as u64,
        });
    }

    fn is_statistics(&self, node: NodeId) -> bool {
        self.graph.nodes()[node].op == Op::InstanceStatistics
    }

    fn channel_values(&mut self, node: NodeId) -> usize {
        let name = self.graph.nodes()[node].name.clone();
        let stored = padded_channels(self.shapes[node].channels);
        self.parts.channel_nodes.push((name, stored));
        self.parts.channel_nodes.len() - 1
    }

    /// What a node does to every value of `before`. The next step reads the node's other inputs.
    fn pointwise(&mut self, id: NodeId, before: NodeId) -> Option<Pointwise> {
        let node = &self.graph.nodes()[id];
        let mut pass = Pointwise::new(node.op, None);
        match node.op {
            Op::InstanceNorm { .. } => {
                // Only statistics have two values for each channel.
                let statistics = node.inputs[1];
                if !self.is_statistics(statistics) {
                    return None;
                }
                pass.operand = Some(self.read(statistics)?);
                let channels = self.shapes[id].channels;
                let one = Shape::new(channels, 1, 1);
                pass.scales = self.collected.map(one);
            }
            Op::Add => {
                let other = node.inputs.iter().find(|&&input| input != before);
                let other = other.copied().unwrap_or(before);
                if self.is_statistics(other) {
                    return None;
                }
                pass.operand = Some(self.read(other)?);
            }
            _ => {}
        }
        if matches!(
            node.op,
            Op::Affine | Op::InstanceNorm { .. } | Op::LayerNorm { .. } | Op::Prelu
        ) {
            pass.values = self.channel_values(id);
        }
        Some(pass)
    }

    /// The passes of a unit's nodes after its first `done`.
    fn chain(&mut self, unit: &Unit, done: usize) -> Option<Vec<Pointwise>> {
        let input = self.graph.nodes()[unit.nodes[0]].inputs[0];
        let before = [input].into_iter().chain(unit.nodes.iter().copied());
        let passes = unit.nodes.iter().copied().zip(before).skip(done);
        passes.map(|(id, before)| self.pointwise(id, before)).collect()
    }

    /// Plans one unit.
    fn unit(&mut self, unit: &Unit) -> Option<()> {
        let graph = self.graph;
        let head = unit.nodes[0];
        let node = &graph.nodes()[head];
        let shape = self.shapes[head];
        // Statistics are two values for each channel. Only a norm reads them, after its map.
        let maps = match node.op {
            Op::InstanceNorm { .. } => &node.inputs[..1],
            _ => &node.inputs[..],
        };
        if maps.iter().any(|&input| self.is_statistics(input)) {
            return None;
        }
        if self.is_same_map(unit) {
            self.kept[head] = self.kept[node.inputs[0]];
            return Some(());
        }
        match node.op {
            Op::Conv2d(_) | Op::ConvTranspose2d { .. } => return self.conv(unit),
            Op::Attention { heads } => return self.attention(unit, heads),
            ref op if fusion::is_pointwise(op) => return self.values(unit),
            _ => {}
        }
        if let Op::InstanceStatistics | Op::SpatialMean | Op::SpatialMax = node.op {
            return self.reduce(unit);
        }
        // A resize only takes the size of its second input.
        let read = if matches!(node.op, Op::Resize(_)) { 1 } else { node.inputs.len() };
        let from = node.inputs[..read].iter().map(|&input| self.read(input));
        let from = from.collect::<Option<Vec<_>>>()?;
        let (op, part) = match node.op {
            // In a graph with a photo or a picture, maps cannot be passed in.
            Op::Input { .. } => {
                let input = graph.inputs().position(|(input, _)| input == head);
                (node.op, input.filter(|_| graph.is_on_maps())?)
            }
            Op::Constant(_) => {
                self.parts.constants.push((node.name.clone(), shape));
                (node.op, self.parts.constants.len() - 1)
            }
            Op::Resize(resize) => {
                let of = self.shapes[node.inputs[0]];
                self.parts.resizes.push(ResizeSpec { resize, from: of, to: shape });
                self.collected.scratch(of.width * padded_channels(of.channels));
                (node.op, self.parts.resizes.len() - 1)
            }
            // The photo with its size rule. Every other map of the graph depends on it.
            Op::Sized(_) => (Op::Crop(Sides::default()), 0),
            Op::Pad { .. } | Op::PadSame { .. } => {
                let (mode, sides) = graph.padding(head, self.shapes)?;
                (Op::Pad { mode, sides }, 0)
            }
            _ => (node.op, 0),
        };
        let to = match node.op {
            Op::Picture => from[0],
            _ => self.write(head),
        };
        let name = if matches!(node.op, Op::Sized(_)) { "size" } else { kernel_name(&op) };
        self.step(unit, name.to_owned(), GeneralOp::Node { op, from, to, part }, 0, 0);
        Some(())
    }

    /// Whether a unit only restricts the size of a map that no other node reads.
    fn is_same_map(&self, unit: &Unit) -> bool {
        let &[node] = unit.nodes.as_slice() else {
            return false;
        };
        let node = &self.graph.nodes()[node];
        matches!(node.op, Op::Sized(_)) && self.readers[node.inputs[0]].len() == 1
    }

    /// Plans a reduction of whole channels.
    fn reduce(&mut self, unit: &Unit) -> Option<()> {
        let head = unit.nodes[0];
        let node = &self.graph.nodes()[head];
        let from = self.read(node.inputs[0])?;
        let of = self.collected.maps[from];
        let stored = of.stored_channels;
        let values = if node.op == Op::InstanceStatistics { 2 } else { 1 };
        // Count, means and squared distances of every task.
        let tasks = of.shape.height.div_ceil(strip_rows(of.shape.height));
        let part = 1 + 2 * stored;
        let parts = self.collected.map_of(Shape::new(part, tasks, 1), part);
        let to = self.collected.map_of(Shape::new(of.shape.channels, 1, values), stored);
        self.kept[head] = Some(to);
        self.collected.scratch(2 * stored);
        let op = GeneralOp::Reduce { op: node.op, from, parts, to };
        self.step(unit, kernel_name(&node.op).to_owned(), op, 0, 0);
        Some(())
    }

    /// Plans an elementwise pass, in place if no other node reads its map.
    fn values(&mut self, unit: &Unit) -> Option<()> {
        let (head, last) = (unit.nodes[0], unit.last());
        let input = self.graph.nodes()[head].inputs[0];
        let from = self.read(input)?;
        let chain = self.chain(unit, 0)?;
        let is_operand = chain.iter().any(|pass| pass.operand == Some(from));
        let to = if self.last_read[input] == last && !is_operand {
            self.kept[last] = Some(from);
            from
        } else {
            self.write(last)
        };
        let label = label(None, chain.iter().map(|pass| &pass.op));
        self.step(unit, label, GeneralOp::Pointwise { from, to, chain }, 0, 0);
        Some(())
    }

    /// Plans a convolution with the operations that are fused into it.
    fn conv(&mut self, unit: &Unit) -> Option<()> {
        let (head, last) = (unit.nodes[0], unit.last());
        let node = &self.graph.nodes()[head];
        let (input, output) = (node.inputs[0], self.shapes[head]);
        let (pad, input) = match unit.pad {
            Some(pad) => {
                (Some(self.graph.padding(pad, self.shapes)?), self.graph.nodes()[pad].inputs[0])
            }
            None => (None, input),
        };
        if self.is_statistics(input) {
            return None;
        }
        let mut conv = GeneralConv::new(node, pad, output, self.is_fused)?;
        if self.is_fused {
            let following = unit.nodes[1..].iter().map(|&id| &self.graph.nodes()[id]);
            let affines = following.take_while(|node| node.op == Op::Affine);
            conv.affines = affines.map(|node| node.name.clone()).collect();
        }
        let from = self.read(input)?;
        let epilogue = self.chain(unit, 1 + conv.affines.len())?;
        let pad = pad.map(|(mode, sides)| Op::Pad { mode, sides });
        let affines = conv.affines.iter().map(|_| &Op::Affine);
        let ops = pad.iter().chain(affines).chain(epilogue.iter().map(|pass| &pass.op));
        let label = label(Some(conv.label()), ops);
        let to = self.write(last);
        self.collected.scratch(conv.scratch_len());
        let map = if conv.is_transposed { self.shapes[input] } else { output };
        let flops = conv.conv.multiply_adds(map).saturating_mul(2);
        let weights = conv.conv.weight_count();
        self.parts.convs.push(conv);
        let op = GeneralOp::Conv { conv: self.parts.convs.len() - 1, from, to, epilogue };
        self.step(unit, label, op, flops, weights);
        Some(())
    }
}

/// The name of a kernel that computes these operations, after `own` if there is one.
fn label<'o>(own: Option<String>, ops: impl Iterator<Item = &'o Op>) -> String {
    let ops = ops.map(|op| kernel_name(op).to_owned());
    own.into_iter().chain(ops).collect::<Vec<_>>().join(", ")
}

/// A node, and for attention the slices of channels through which it reads.
fn seen_through(graph: &Graph, id: NodeId) -> Vec<NodeId> {
    let node = &graph.nodes()[id];
    let is_attention = matches!(node.op, Op::Attention { .. });
    let is_slice = |input: &NodeId| matches!(graph.nodes()[*input].op, Op::Channels { .. });
    let slices = node.inputs.iter().copied().filter(is_slice);
    [id].into_iter().chain(slices.filter(|_| is_attention)).collect()
}
