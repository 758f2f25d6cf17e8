//! Operators that only change the sides of a map.

use super::{Layout, MapValue, Part, Reader, equal};
use crate::{
    Result,
    onnx::{numbers::expanded, shown},
};
use network::graph::{Conv, MAX_CHANNELS, Op};

/// Maximum side of a block into which rows and columns are split.
const MAX_BLOCK_PX: usize = 16;
/// Steps and bytes to charge per side and probe when a map is tried with other sides.
const STEPS_PER_SIDE: usize = 16;
const BYTES_PER_SIDE: usize = 16;

impl Reader<'_> {
    pub fn transpose(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let order = node.order(x.layout.sides.len());
        let layout = x.layout.transposed(&order).ok_or_else(|| node.refused("has an odd order"))?;
        self.settled(MapValue { layout, ..x })
    }

    /// A map with one channel or one pixel, repeated; other sides of length 1 are only added.
    pub fn expand(&mut self, mut x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let odd = || self.scope.of_size(node.refused("repeats more than one channel or pixel"));
        let is_tile = node.op_type == "Tile";
        let lists = self.scope.int_lists(if is_tile { "repeats" } else { "shape" }, 1)?;
        let lists = lists.ok_or_else(odd)?;
        let mut made = Vec::new();
        for (own, list) in self.lengths(&x).iter().zip(&lists) {
            let sides = if is_tile {
                let times = |(&own, &times): (&usize, &i64)| {
                    usize::try_from(times)
                        .ok()
                        .filter(|&times| own == 1 || times == 1)?
                        .checked_mul(own)
                };
                (own.len() == list.len())
                    .then(|| own.iter().zip(list).map(times).collect())
                    .flatten()
            } else {
                expanded(own, list)
            };
            made.push(sides.ok_or_else(odd)?);
        }
        if made.iter().any(|sides| sides.len() != 4) || !x.layout.is_channels_first() {
            return if is_tile { Err(odd()) } else { self.reshape(x) };
        }
        let channels = equal(made.iter().map(|sides| sides[1]));
        let channels = channels.filter(|&count| count <= MAX_CHANNELS).ok_or_else(odd)?;
        let sizes: Vec<(usize, usize)> = made.iter().map(|sides| (sides[2], sides[3])).collect();
        if made.iter().any(|sides| sides[0] != 1) {
            return Err(odd());
        }
        if channels != self.channels(x.node) {
            let node = self.small_conv(Conv::square(1, channels, 1, 1), x.node, 1.0, 0.0)?;
            x = self.channels_first(node);
        }
        if sizes == self.sizes_of(x.node) { Ok(x) } else { self.resized_to(&x, &sizes) }
    }

    pub fn reshape(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let lengths = self.lengths(&x);
        let is_expand = node.op_type == "Expand";
        let wanted = if is_expand { self.scope.int_lists("shape", 1)? } else { None };
        let mut shapes = Vec::new();
        for (probe, own) in lengths.iter().enumerate() {
            let shape = if is_expand {
                // Sides of length 1 may be added. A map cannot be repeated.
                let long = |sides: &[usize]| {
                    sides.iter().copied().filter(|&side| side != 1).collect::<Vec<_>>()
                };
                (wanted.as_ref())
                    .and_then(|wanted| expanded(own, &wanted[probe]))
                    .filter(|made| long(made) == long(own))
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
        self.budget().bytes(BYTES_PER_SIDE * shapes.iter().map(Vec::len).sum::<usize>())?;
        let reshaped = match x.layout.reshaped(&sizes, &shapes) {
            Some(layout) => Some(MapValue { layout, ..x }),
            None => self.reshaped_in_blocks(&x, &shapes)?,
        };
        let x = reshaped.ok_or_else(|| {
            self.scope.of_size(node.refused(format!(
                "gives a map with the sides {} the sides {}, which cut through its pixels",
                self.sides_shown(&x),
                shown(&shapes[0])
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
            self.budget().bytes(BYTES_PER_SIDE * sides)?;
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
            return Ok(MapValue { node: self.add(Op::Upsample, &[x.node])?, layout });
        }
        // Each side keeps its rows or columns, which now have more values, or else all channels.
        let whole = |parts: &Vec<Part>, channels: usize| match parts.first() {
            Some(Part::Channels { .. }) => vec![Part::all_channels(channels)],
            _ => parts.iter().copied().filter(|part| !part.is_channels()).collect(),
        };
        let layout = |channels: usize| Layout {
            sides: x.layout.sides.iter().map(|parts| whole(parts, channels)).collect(),
        };
        if let Some((block, order)) = x.layout.blocks() {
            let node = self.add(Op::DepthToSpace { block, order }, &[x.node])?;
            return Ok(MapValue { node, layout: layout(self.channels(node)) });
        }
        if let Some(parts) = x.layout.shuffled() {
            let count = self.channels(x.node);
            self.budget().steps(count * parts.len())?;
            self.budget().items::<usize>(count)?;
            let mut order = vec![0];
            for part in parts {
                if let Part::Channels { count, stride } = *part {
                    let from = |first: usize| (0..count).map(move |place| first + place * stride);
                    order = order.into_iter().flat_map(from).collect();
                }
            }
            return self.picked(&MapValue { layout: layout(count), ..x }, &order);
        }
        Ok(x)
    }
}
