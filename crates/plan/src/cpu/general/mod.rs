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

use super::{CpuOp, MapId, collector::Collector, padded_channels, strip_rows};
use crate::{Nodes, PlanError};
use attention::{Attention, HeadChannels};
use fusion::Unit;
use network::graph::{NodeId, Op, Sides};
use operations::kernel_name;
use values::tensor::Shape;

pub use convolution::{ConvAlgorithm, GeneralConv};
pub use operations::{GeneralOp, Pointwise};
pub use parts::{GeneralParts, ResizeSpec};

/// Collects steps and the lifetimes of maps.
pub struct GeneralBuilder<'a> {
    nodes: &'a Nodes<'a>,
    is_fused: bool,
    /// The map of every node that is kept.
    kept: Vec<Option<MapId>>,
    /// The step that reads each node's map last, given as the index of the step's last node.
    last_read: Vec<NodeId>,
    pub collected: Collector,
    pub parts: GeneralParts,
}

impl<'a> GeneralBuilder<'a> {
    pub fn plan(nodes: &'a Nodes<'a>, is_fused: bool) -> Result<Self, PlanError> {
        let mut builder = Self {
            nodes,
            is_fused,
            kept: vec![None; nodes.shapes.len()],
            last_read: vec![0; nodes.shapes.len()],
            collected: Collector::default(),
            parts: GeneralParts::default(),
        };
        let units = fusion::units(nodes, is_fused);
        for unit in &units {
            let own = unit.nodes.iter().chain(&unit.pad).copied();
            for id in own.flat_map(|id| seen_through(nodes, id)) {
                for &input in &nodes.node(id).inputs {
                    let last = &mut builder.last_read[input];
                    *last = (*last).max(unit.last());
                }
            }
        }
        for unit in &units {
            let planned = builder.unit(unit);
            planned.ok_or_else(|| nodes.no_kernel(unit.nodes[0]))?;
        }
        if let Some(unit) = units.last().filter(|_| nodes.graph.is_on_maps()) {
            builder.hand_out(unit).ok_or_else(|| nodes.no_kernel(unit.last()))?;
        }
        Ok(builder)
    }

    /// The channels that attention reads of an input. The next step reads them.
    fn head_channels(&mut self, input: NodeId) -> Option<HeadChannels> {
        let first = match self.kept[input] {
            Some(_) => None,
            None => self.nodes.slice_of_attention(input),
        };
        let source = first.map_or(input, |_| self.nodes.input(input));
        Some(HeadChannels { map: self.read(source)?, first: first.unwrap_or_default() })
    }

    /// Plans attention: keys and values are packed, and then the queries are processed.
    fn attention(&mut self, unit: &Unit, heads: usize) -> Option<()> {
        let head = unit.nodes[0];
        let inputs = &self.nodes.node(head).inputs;
        let (shape, of) = (self.nodes.shapes[head], self.nodes.shapes[inputs[1]]);
        let attention =
            Attention { heads, size: shape.channels / heads, keys: of.height * of.width };
        let from = [self.head_channels(inputs[1])?, self.head_channels(inputs[2])?];
        let len = attention.packed_len();
        let packed = self.collected.map_of(Shape::new(len, heads, 1), len);
        let op = GeneralOp::PackKeys { attention, from, to: packed };
        self.step(unit, "pack keys and values", op, 0, 0);
        let from = self.head_channels(inputs[0])?;
        self.collected.reads(packed);
        let to = self.write(head);
        self.collected.scratch(attention.scratch_len());
        let op = GeneralOp::Attention { attention, from, packed, to };
        let flops = attention.flops(shape.height * shape.width);
        self.step(unit, "attention", op, flops, 0);
        Some(())
    }

    /// Returns the map that a unit made as the result.
    fn hand_out(&mut self, unit: &Unit) -> Option<()> {
        let last = unit.last();
        let is_map = *self.nodes.op(last) != Op::InstanceStatistics;
        let from = self.read(last).filter(|_| is_map)?;
        self.step(unit, "hand out", GeneralOp::StoreMap { from }, 0, 0);
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
        let map = self.collected.map(self.nodes.shapes[node]);
        self.kept[node] = Some(map);
        map
    }

    /// Adds a step that makes the map of the unit's last node.
    fn step(
        &mut self,
        unit: &Unit,
        kernel: impl Into<String>,
        op: GeneralOp,
        flops: u64,
        weights: usize,
    ) {
        let last = unit.last();
        let inputs = unit.nodes.iter().flat_map(|&id| {
            self.nodes.node(id).inputs.iter().filter(|input| !unit.nodes.contains(input))
        });
        let shapes = &self.nodes.shapes;
        let read: usize = inputs.map(|&input| shapes[input].len()).sum();
        let elements = read + weights + shapes[last].len();
        self.collected.step((self.nodes, last), kernel.into(), CpuOp::General(op), flops, elements);
    }

    fn channel_values(&mut self, node: NodeId) -> usize {
        let name = self.nodes.node(node).name.clone();
        let stored = padded_channels(self.nodes.shapes[node].channels);
        self.parts.channel_nodes.push((name, stored));
        self.parts.channel_nodes.len() - 1
    }

    /// What a node does to every value of `before`. The next step reads the node's other inputs.
    fn pointwise(&mut self, id: NodeId, before: NodeId) -> Option<Pointwise> {
        let node = self.nodes.node(id);
        let mut pass = Pointwise::new(node.op, None);
        match node.op {
            Op::InstanceNorm { .. } => {
                pass.operand = Some(self.read(node.inputs[1])?);
                let one = Shape::new(self.nodes.shapes[id].channels, 1, 1);
                pass.scales = self.collected.map(one);
            }
            Op::Add => {
                let other = node.inputs.iter().find(|&&input| input != before);
                pass.operand = Some(self.read(other.copied().unwrap_or(before))?);
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
        let input = self.nodes.input(unit.nodes[0]);
        let before = [input].into_iter().chain(unit.nodes.iter().copied());
        unit.nodes
            .iter()
            .copied()
            .zip(before)
            .skip(done)
            .map(|(id, before)| self.pointwise(id, before))
            .collect()
    }

    /// Plans one unit.
    fn unit(&mut self, unit: &Unit) -> Option<()> {
        let graph = self.nodes.graph;
        let head = unit.nodes[0];
        let node = self.nodes.node(head);
        let shape = self.nodes.shapes[head];
        match node.op {
            // It only restricts the size of a map that no other node reads.
            Op::Sized(_) if self.nodes.only_reader(node.inputs[0]).is_some() => {
                self.kept[head] = self.kept[node.inputs[0]];
                return Some(());
            }
            Op::Conv2d(_) | Op::ConvTranspose2d { .. } => return self.conv(unit),
            Op::Attention { heads } => return self.attention(unit, heads),
            Op::InstanceStatistics | Op::SpatialMean | Op::SpatialMax => return self.reduce(unit),
            ref op if fusion::is_pointwise(op) => return self.values(unit),
            _ => {}
        }
        // A resize only takes the size of its second input.
        let read = if matches!(node.op, Op::Resize(_)) { 1 } else { node.inputs.len() };
        let from = node.inputs[..read]
            .iter()
            .map(|&input| self.read(input))
            .collect::<Option<Vec<_>>>()?;
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
                let of = self.nodes.shapes[node.inputs[0]];
                self.parts.resizes.push(ResizeSpec { resize, from: of, to: shape });
                self.collected.scratch(of.width * padded_channels(of.channels));
                (node.op, self.parts.resizes.len() - 1)
            }
            // The photo with its size rule. Every other map of the graph depends on it.
            Op::Sized(_) => (Op::Crop(Sides::default()), 0),
            Op::Pad { .. } | Op::PadSame { .. } => {
                let (mode, sides) = self.nodes.padding(head)?;
                (Op::Pad { mode, sides }, 0)
            }
            _ => (node.op, 0),
        };
        let to = match node.op {
            Op::Picture => from[0],
            _ => self.write(head),
        };
        let name = if matches!(node.op, Op::Sized(_)) { "size" } else { kernel_name(&op) };
        self.step(unit, name, GeneralOp::Node { op, from, to, part }, 0, 0);
        Some(())
    }

    /// Plans a reduction of whole channels.
    fn reduce(&mut self, unit: &Unit) -> Option<()> {
        let head = unit.nodes[0];
        let node = self.nodes.node(head);
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
        self.step(unit, kernel_name(&node.op), op, 0, 0);
        Some(())
    }

    /// Plans an elementwise pass, in place if no other node reads its map.
    fn values(&mut self, unit: &Unit) -> Option<()> {
        let (head, last) = (unit.nodes[0], unit.last());
        let input = self.nodes.input(head);
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
        let output = self.nodes.shapes[head];
        let input = self.nodes.input(unit.pad.unwrap_or(head));
        let pad = unit.pad.and_then(|pad| self.nodes.padding(pad));
        let mut conv = GeneralConv::new(self.nodes.node(head), pad, output, self.is_fused)?;
        if self.is_fused {
            let following = unit.nodes[1..].iter().map(|&id| self.nodes.node(id));
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
        let map = if conv.is_transposed { self.nodes.shapes[input] } else { output };
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
fn seen_through(nodes: &Nodes<'_>, id: NodeId) -> Vec<NodeId> {
    let is_attention = matches!(nodes.op(id), Op::Attention { .. });
    let is_slice = |input: &NodeId| matches!(nodes.op(*input), Op::Channels { .. });
    let slices = nodes.node(id).inputs.iter().copied().filter(is_slice);
    [id].into_iter().chain(slices.filter(|_| is_attention)).collect()
}
