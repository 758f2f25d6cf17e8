//! Turns a graph's groups into a list of steps, with the lifetimes of their maps.

use super::{
    Algorithm, CpuOp, CpuVariant, MapId, PANEL_COLUMNS, TILE_COLUMNS, TILE_SLACK,
    collector::Collector,
    general::{GeneralOp, Pointwise},
    padded_channels,
    staging::fused_scratch,
    stored_inputs,
};
use crate::{Grouped, Source};
use network::graph::{NodeId, Op, fusion::Group};
use values::tensor::Shape;

/// Collects steps and buffer lifetimes.
pub struct Builder<'a> {
    pub grouped: &'a Grouped<'a>,
    variant: CpuVariant,
    /// The buffer of every node's map, for maps that are kept.
    kept: Vec<Option<MapId>>,
    pub collected: Collector,
}

impl<'a> Builder<'a> {
    pub fn new(grouped: &'a Grouped<'a>, variant: CpuVariant) -> Self {
        Self {
            grouped,
            variant,
            kept: vec![None; grouped.nodes.shapes.len()],
            collected: Collector::default(),
        }
    }

    /// Adds a step of the layer that `node` belongs to. The step makes that node's map.
    fn step(&mut self, node: NodeId, kernel: &str, op: CpuOp, flops: u64, elements: usize) {
        let of = (self.grouped.nodes, node);
        self.collected.step(of, kernel.to_owned(), op, flops, elements);
    }

    /// Plans one pass for a group of one operation.
    pub fn plan_single(&mut self, group: &Group) -> Option<()> {
        let id = group.op;
        let grouped = self.grouped;
        let node = grouped.nodes.node(id);
        let shapes = &grouped.nodes.shapes;
        let shape = shapes[id];
        let input = node.inputs.first().map_or(Shape::new(0, 0, 0), |&input| shapes[input]);
        let read = || node.inputs.first().and_then(|&input| self.kept[input]);
        self.kept[id] = match node.op {
            Op::Photo => {
                let to = self.collected.map_of(shape, shape.channels);
                self.node(id, "load", node.op, (Vec::new(), to), 2 * shape.len());
                Some(to)
            }
            Op::Upsample | Op::Pad { .. } | Op::Crop(_) => {
                let from = read()?;
                let name = match node.op {
                    Op::Upsample => "upsample",
                    _ => {
                        let margin_px = node.op.margin_px()?;
                        let mut convs = self.grouped.convs.iter();
                        convs.find(|c| c.name == node.layer && c.padding == margin_px)?;
                        "pad"
                    }
                };
                let to = self.collected.map_of(shape, self.collected.maps[from].stored_channels);
                self.node(id, name, node.op, (vec![from], to), input.len() + shape.len());
                Some(to)
            }
            Op::Conv2d(_) => {
                let from = read()?;
                let conv = self.grouped.conv_id(id)?;
                let to = self.collected.map(shape);
                self.collected.reads(from);
                let spec = &self.grouped.convs[conv];
                let inputs = self.collected.maps[from].stored_channels;
                if inputs != stored_inputs(spec) {
                    return None;
                }
                let elements = input.len() + spec.weight_count() + shape.len();
                let flops = spec.flops(shape.height, shape.width);
                self.step(id, "im2col", CpuOp::Im2col { conv, from, to }, flops, elements);
                let taps = spec.kernel * spec.kernel * inputs;
                let outputs = stored(shape).next_multiple_of(PANEL_COLUMNS);
                self.collected.scratch((TILE_COLUMNS + TILE_SLACK) * (taps + outputs));
                Some(to)
            }
            Op::InstanceStatistics => {
                let map = read()?;
                let conv = self.grouped.conv_id(node.inputs[0])?;
                self.collected.reads(map);
                let kernel = "mean and variance";
                self.step(id, kernel, CpuOp::Statistics { conv, map }, 0, input.len());
                if let Some(step) = self.collected.steps.last_mut() {
                    step.output = input;
                }
                None
            }
            Op::InstanceNorm { .. } => {
                let conv = grouped.conv_id(grouped.nodes.conv_of_norm(id)?)?;
                let map = self.in_place(id)?;
                self.collected.reads(map);
                let op = CpuOp::Normalise { conv, map };
                self.step(id, "normalise", op, 0, 2 * shape.len());
                self.collected.scratch(2 * stored(shape));
                Some(map)
            }
            Op::Relu | Op::Add => {
                let to = self.in_place(id)?;
                let mut addend = None;
                if node.op == Op::Add {
                    let mut maps = node.inputs.iter().filter_map(|&input| self.kept[input]);
                    let from = maps.find(|&map| map != to)?;
                    let stored = |map: MapId| self.collected.maps[map].stored_channels;
                    // The photo is stored without padding.
                    if stored(from) != stored(to) {
                        return None;
                    }
                    self.collected.reads(from);
                    addend = Some(from);
                }
                self.collected.reads(to);
                let chain = vec![Pointwise::new(node.op, addend)];
                let op = CpuOp::General(GeneralOp::Pointwise { from: to, to, chain });
                let maps = if addend.is_some() { 3 } else { 2 };
                self.step(id, node.op.name(), op, 0, maps * shape.len());
                Some(to)
            }
            Op::Picture => {
                let from = read()?;
                self.node(id, "store", node.op, (vec![from], from), 2 * shape.len());
                None
            }
            // Networks like Johnson's have no other operation; `general` plans the others.
            _ => return None,
        };
        Some(())
    }

    /// Adds a step that computes a node from maps to a map.
    fn node(
        &mut self,
        id: NodeId,
        kernel: &str,
        op: Op,
        (from, to): (Vec<MapId>, MapId),
        elements: usize,
    ) {
        from.iter().for_each(|&map| self.collected.reads(map));
        let op = CpuOp::General(GeneralOp::Node { op, from, to, part: 0 });
        self.step(id, kernel, op, 0, elements);
    }

    /// The buffer of the most recent input, which the node overwrites; `None` if a later node reads it.
    fn in_place(&self, id: NodeId) -> Option<MapId> {
        let youngest = *self.grouped.nodes.node(id).inputs.iter().max_by_key(|&&input| {
            // Statistics have no map.
            self.kept[input].map(|_| input)
        })?;
        if self.grouped.is_read_after(id, youngest) {
            return None;
        }
        self.kept[youngest]
    }

    /// Plans one step for a convolution with its source and epilogue.
    pub fn plan_fused(&mut self, group: &Group) -> Option<()> {
        let id = group.op;
        let conv = self.grouped.conv_id(id)?;
        let spec = &self.grouped.convs[conv];
        // A kernel writes either the picture or a map.
        if spec.makes_picture == group.writes.contains(&id) {
            return None;
        }
        let add_map = |shape| self.collected.map(shape);
        let (source, loaded) = self.grouped.source(group, &mut self.kept, add_map)?;
        source.maps().for_each(|map| self.collected.reads(map));
        let (input, keep) = (self.grouped.nodes.shapes[loaded], self.kept[loaded]);
        // The kernels apply ReLU or add the residual stream.
        if let Source::Normalised { relu, skip, .. } = source
            && relu == skip.is_some()
        {
            return None;
        }
        let shape = self.grouped.nodes.shapes[id];
        let algorithm = self.variant.algorithm(&self.grouped.convs, spec);
        // Its rows are staged for stride 1.
        if algorithm == Algorithm::ShiftedColumns && spec.stride != 1 {
            return None;
        }
        // Only these kernels write every pixel of the map that they load.
        let keeps_all = match algorithm {
            Algorithm::Winograd(_) => true,
            Algorithm::BlockedWinograd => false,
            _ => spec.stride == 1 && !spec.upsample,
        };
        if keep.is_some() && !keeps_all {
            return None;
        }
        let to = (group.writes.contains(&id)).then(|| self.collected.map(shape));
        self.kept[id] = to;
        let kept_elements = keep.map_or(0, |_| input.len());
        let elements = input.len() + spec.weight_count() + shape.len() + kept_elements;
        self.collected.scratch(fused_scratch(spec, algorithm, self.variant));
        let op = CpuOp::Fused { conv, algorithm, source, to };
        let flops = spec.flops(shape.height, shape.width);
        let label = algorithm.label(spec.kernel);
        let kernel = match self.variant {
            CpuVariant::FusedInt8 => format!("{label} bytes"),
            CpuVariant::Baseline | CpuVariant::Fused => label,
        };
        self.step(id, &kernel, op, flops, elements);
        Some(())
    }
}

/// Channels of a map as stored in memory.
fn stored(shape: Shape) -> usize {
    padded_channels(shape.channels)
}
