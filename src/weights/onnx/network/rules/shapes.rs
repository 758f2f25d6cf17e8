//! Operators that only change the sides of a map.

use super::{Layout, MapValue, Part, Reader};
use crate::{
    graph::{BlockOrder, Op},
    weights::{
        Result,
        onnx::{
            numbers::{expanded, transposed},
            shown,
        },
    },
};

/// Maximum side of a block into which rows and columns are split.
const MAX_BLOCK_PX: usize = 16;
/// Steps to charge per side when a map is tried with other sides.
const STEPS_PER_SIDE: usize = 16;

impl Reader<'_> {
    pub fn transpose(&mut self) -> Result<MapValue> {
        let node = self.scope.node;
        let x = self.map(0)?;
        let count = x.layout.sides.len();
        let order = node.order(count);
        let layout = (order.len() == count).then(|| x.layout.transposed(&order)).flatten();
        let layout = layout.ok_or_else(|| node.refused("has an odd order"))?;
        let x = MapValue { node: x.node, layout };
        self.settled(x)
    }

    pub fn reshape(&mut self) -> Result<MapValue> {
        let node = self.scope.node;
        let x = self.map(0)?;
        let lengths = self.lengths(&x);
        let mut shapes = Vec::new();
        for (probe, own) in lengths.iter().enumerate() {
            let shape = if node.op_type == "Expand" {
                // Sides of length 1 may be added. A map cannot be repeated.
                let wanted = self.scope.int_lists("shape", 1)?;
                let long = |sides: &[usize]| {
                    sides.iter().copied().filter(|&side| side != 1).collect::<Vec<_>>()
                };
                let made = wanted.and_then(|wanted| expanded(own, &wanted[probe]));
                made.filter(|made| long(made) == long(own))
            } else {
                self.scope.sides_after(own, probe)?
            };
            let shape = shape.ok_or_else(|| {
                self.scope.of_size(node.refused(format!(
                    "gives a map with the sides {} others that do not fit",
                    shown(own)
                )))
            })?;
            shapes.push(shape);
        }
        if shapes == lengths {
            return Ok(x);
        }
        let sizes = self.sizes_of(x.node);
        let reshaped = match x.layout.reshaped(&sizes, &shapes) {
            Some(layout) => Some(MapValue { node: x.node, layout }),
            None => self.reshaped_in_blocks(&x, &shapes)?,
        };
        let x = reshaped.ok_or_else(|| {
            self.scope.of_size(node.refused(format!(
                "gives a map with the sides {} the sides {}, which cut through its pixels",
                self.sides_shown(&x),
                shown(shapes.first().map_or(&[][..], Vec::as_slice))
            )))
        })?;
        self.settled(x)
    }

    /// A map reshaped so that its rows and columns are split into blocks, which become channels; `None` if `shapes` are
    /// not such a split.
    fn reshaped_in_blocks(
        &mut self,
        x: &MapValue,
        shapes: &[Vec<usize>],
    ) -> Result<Option<MapValue>> {
        let sizes = self.sizes_of(x.node);
        let sides: usize = shapes.iter().map(Vec::len).sum();
        for block in 2..=MAX_BLOCK_PX {
            let is_cut = |size: &(usize, usize)| {
                size.0.is_multiple_of(block) && size.1.is_multiple_of(block)
            };
            if !sizes.iter().all(is_cut) {
                continue;
            }
            self.budget().steps(STEPS_PER_SIDE * sides)?;
            let smaller: Vec<(usize, usize)> =
                (sizes.iter()).map(|size| (size.0 / block, size.1 / block)).collect();
            let blocks = x.layout.in_blocks(block);
            let reshaped = blocks.and_then(|layout| layout.reshaped(&smaller, shapes));
            if let Some(layout) = reshaped {
                let node = self.add(Op::SpaceToDepth { block }, &[x.node])?;
                return Ok(Some(MapValue { node, layout }));
            }
        }
        Ok(None)
    }

    /// Adds the operation that a layout amounts to: the map was doubled, its channels became blocks of pixels, or their
    /// order changed.
    pub fn settled(&mut self, x: MapValue) -> Result<MapValue> {
        if let Some(layout) = x.layout.undoubled(&self.sizes_of(x.node)) {
            let node = self.add(Op::Upsample, &[x.node])?;
            return Ok(MapValue { node, layout });
        }
        // Each side keeps its rows or columns, which now have more values, or else all channels.
        let whole = |parts: &Vec<Part>| match parts.first() {
            Some(Part::Channel(_)) => vec![Part::Channel(0)],
            _ => parts.iter().copied().filter(|p| !matches!(p, Part::Channel(_))).collect(),
        };
        let sides = || x.layout.sides.iter().map(whole).collect();
        if let Some((block, order)) = x.layout.blocks() {
            let order = match order {
                [0, 1, 2] => Some(BlockOrder::ChannelFirst),
                [2, 0, 1] => Some(BlockOrder::BlockFirst),
                _ => None,
            };
            if let Some(order) = order {
                let node = self.add(Op::DepthToSpace { block, order }, &[x.node])?;
                let layout = Layout { factors: vec![self.channels(node)], sides: sides() };
                return Ok(MapValue { node, layout });
            }
        }
        let factors = &x.layout.factors;
        if let Some(order) = x.layout.shuffled()
            && let Some((_, channels)) = transposed(factors, &order)
        {
            let count: usize = factors.iter().product();
            self.budget().steps(count * factors.len())?;
            self.budget().bytes(count * size_of::<usize>())?;
            let channels: Vec<usize> = channels.collect();
            let layout = Layout { factors: vec![count], sides: sides() };
            return self.picked(&MapValue { node: x.node, layout }, &channels);
        }
        Ok(x)
    }
}
