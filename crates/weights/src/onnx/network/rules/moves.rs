//! Operators that move values: padding, slices, concatenation, blocks of pixels.

use super::{Axis, MapValue, NodeId, Reader, equal};
use crate::{
    Result,
    error::shortened,
    onnx::{
        network::constants::Spread,
        numbers::{sliced, wrapped},
        shown,
    },
};
use network::graph::{
    BlockOrder, Op, PadMode, Sides,
    resize::{Coordinates, Interpolation, Resize, Target},
};
use values::tensor::Shape;

/// Maximum number of channels that are picked individually.
const MAX_PICKED: usize = 64;
/// Maximum number of pixels to whose multiples a map is padded.
const MAX_MULTIPLE_PX: usize = 256;

/// The part of a side that stays after values at its ends are removed, possibly backwards.
#[derive(Clone, Copy, Default, PartialEq)]
struct Cut {
    before: usize,
    after: usize,
    is_backwards: bool,
}

impl Reader<'_> {
    pub fn pad(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let count = x.layout.sides.len();
        let attribute = if node.attribute("paddings").is_some() { "paddings" } else { "pads" };
        let lists = self.scope.int_lists(attribute, 1)?;
        let lists = lists.ok_or_else(|| node.refused("has no amounts"))?;
        let axes = self.scope.ints("axes", 3)?.unwrap_or_else(|| (0..count as i64).collect());
        let odd = || node.refused(format!("pads by {}", shown(&lists[0])));
        // Pixels before and after the rows and the columns, at every probe.
        let mut ends = [vec![[0; 2]; lists.len()], vec![[0; 2]; lists.len()]];
        for (probe, pads) in lists.iter().enumerate() {
            if pads.len() != 2 * axes.len() {
                return Err(odd());
            }
            for (at, &axis) in axes.iter().enumerate() {
                let px = [pads[at], pads[at + axes.len()]];
                match x.layout.side(axis).map(|side| x.layout.axis(side)) {
                    Some(Axis::Rows) => ends[0][probe] = px,
                    Some(Axis::Columns) => ends[1][probe] = px,
                    Some(_) if px == [0; 2] => {}
                    _ => return Err(odd()),
                }
            }
        }
        let mode = match node.text("mode", "constant") {
            "reflect" => PadMode::Reflect,
            "edge" => PadMode::Replicate,
            "constant" => PadMode::Constant(self.number("value", 2, 0.0)?.into()),
            other => {
                return Err(node.refused(format!("pads in the mode {}", shortened(other))));
            }
        };
        let [Some(rows), Some(columns)] = ends.each_ref().map(|ends| equal(ends.iter().copied()))
        else {
            let fitted = (0..2).try_fold(x, |x, axis| self.fitted(&x, axis, &ends[axis], mode));
            return fitted.map_err(|error| self.scope.of_size(error));
        };
        let sides = |take: fn(i64) -> i64| {
            let px = |px: i64| usize::try_from(take(px).max(0)).unwrap_or(usize::MAX);
            Sides::of_ends(rows.map(px), columns.map(px))
        };
        let mut id = x.node;
        // Negative padding crops.
        let cut = sides(|px| px.saturating_neg());
        if cut != Sides::default() {
            id = self.add(Op::Crop(cut), &[id])?;
        }
        let added = sides(|px| px);
        if added != Sides::default() {
            id = self.add(Op::Pad { mode, sides: added }, &[id])?;
        }
        Ok(x.moved_to(id))
    }

    /// A map that is padded by different numbers of pixels at each probe, or cropped if they are negative: to the size
    /// of another map, or to a multiple.
    fn fitted(
        &mut self,
        x: &MapValue,
        axis: usize,
        ends: &[[i64; 2]],
        beyond: PadMode,
    ) -> Result<MapValue> {
        let odd = || self.refused("crops or pads to a size that no other map has");
        if ends.iter().all(|px| *px == [0; 2]) {
            return Ok(x.clone());
        }
        let is_centred = ends.iter().any(|px| px[0] != 0);
        if is_centred && ends.iter().any(|&[before, after]| before != (before + after) / 2) {
            return Err(odd());
        }
        if matches!(beyond, PadMode::Constant(value) if value != 0.0) {
            return Err(self.refused("pads with a number other than zero to the size of a map"));
        }
        let on_axis = |shape: &Shape| [shape.height, shape.width][axis];
        let own: Vec<usize> = self.shapes[x.node].iter().map(on_axis).collect();
        let made: Vec<usize> = (own.iter().zip(ends))
            .map(|(&own, px)| own.checked_add_signed(px.iter().sum::<i64>() as isize))
            .collect::<Option<_>>()
            .ok_or_else(odd)?;
        self.budget().steps((self.shapes.len() + MAX_MULTIPLE_PX) * made.len())?;
        let has = |id: &NodeId| self.shapes[*id].iter().map(on_axis).eq(made.iter().copied());
        let like = (0..self.shapes.len()).rev().find(has);
        let is_multiple =
            |px: &usize| own.iter().map(|own| own.next_multiple_of(*px)).eq(made.iter().copied());
        let target = match (like, (2..=MAX_MULTIPLE_PX).find(is_multiple)) {
            (Some(_), _) => Target::LikeOnAxis(axis),
            (_, Some(px)) => Target::MultipleOf([[px, 1], [1, px]][axis]),
            _ => return Err(odd()),
        };
        let interpolation = Interpolation::Fit { beyond, is_centred };
        let resize = Resize { interpolation, coordinates: Coordinates::Asymmetric, target };
        let inputs: Vec<NodeId> = std::iter::once(x.node).chain(like).collect();
        Ok(x.moved_to(self.add(Op::Resize(resize), &inputs)?))
    }

    pub fn slice(&mut self, mut x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let odd = || node.refused("takes an unsupported part of a map");
        // Each list may depend on the picture's size.
        let list = |name: &str, index: usize| self.scope.int_lists(name, index);
        let starts = list("starts", 1)?.ok_or_else(odd)?;
        let ends = list("ends", 2)?.ok_or_else(odd)?;
        let (axes, steps) = (list("axes", 3)?, list("steps", 4)?);
        for at in 0..starts[0].len() {
            let of =
                |lists: &[Vec<i64>], probe: usize| lists[probe].get(at).copied().ok_or_else(odd);
            let axis = axes.as_ref().map_or(Ok(at as i64), |axes| of(axes, 0))?;
            let side = x.layout.side(axis).ok_or_else(odd)?;
            let mut cuts = Vec::new();
            for (probe, lengths) in self.lengths(&x).iter().enumerate() {
                let step = steps.as_ref().map_or(Ok(1), |steps| of(steps, probe))?;
                let length = lengths[side];
                let (range, is_backwards) =
                    sliced(length, of(&starts, probe)?, of(&ends, probe)?, step).ok_or_else(odd)?;
                cuts.push(Cut { before: range.start, after: length - range.end, is_backwards });
            }
            if self.is_last_crop(&x, side, &cuts) {
                continue;
            }
            let axis = match x.layout.axis(side) {
                Axis::Rows => Some(0),
                Axis::Columns => Some(1),
                _ => None,
            };
            x = match (equal(cuts.iter().copied()), axis) {
                (Some(cut), _) => {
                    let cut = self.cut(&x, side, cut);
                    cut.ok_or_else(|| self.scope.of_size(odd()))??
                }
                (None, Some(axis)) if !cuts.iter().any(|cut| cut.is_backwards) => {
                    let px = |px: usize| -(px as i64);
                    let ends: Vec<_> =
                        cuts.iter().map(|cut| [px(cut.before), px(cut.after)]).collect();
                    let fitted = self.fitted(&x, axis, &ends, PadMode::Replicate);
                    fitted.map_err(|error| self.scope.of_size(error))?
                }
                _ => return Err(self.scope.of_size(odd())),
            };
        }
        Ok(x)
    }

    /// True if what remains of a side is the photo's side at every probe, as where a network crops its picture. The
    /// graph's own picture is cropped in this way, so that the map may stay as it is.
    fn is_last_crop(&mut self, x: &MapValue, side: usize, cuts: &[Cut]) -> bool {
        let photo_side: fn(&(usize, usize)) -> usize = match x.layout.axis(side) {
            Axis::Rows => |size| size.0,
            Axis::Columns => |size| size.1,
            _ => return false,
        };
        let lengths = self.lengths(x);
        let is_photo = |((size, cut), lengths): ((&(usize, usize), &Cut), &Vec<usize>)| {
            cut.before == 0 && !cut.is_backwards && lengths[side] - cut.after == photo_side(size)
        };
        let is_crop = !self.crops_at_once
            && self.sizes.iter().zip(cuts).zip(&lengths).all(is_photo)
            && equal(cuts.iter().copied()).is_none()
            && self.cropped.is_none_or(|node| node == x.node);
        if is_crop {
            self.cropped = Some(x.node);
        }
        is_crop
    }

    /// A map without the pixels at its border: left, top, right and bottom.
    pub fn cropped_by_border(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        self.channels_first_node(&x)?;
        let odd = || node.refused(format!("has the border {}", shown(node.ints("border"))));
        if node.attribute("scale").is_some() {
            return Err(node.refused("crops to a scale"));
        }
        let px = node.ints("border").iter().map(|&px| usize::try_from(px).ok());
        match px.collect::<Option<Vec<_>>>().ok_or_else(odd)?[..] {
            [left, top, right, bottom] => {
                self.with_op(&x, Op::Crop(Sides { top, left, bottom, right }))
            }
            _ => Err(odd()),
        }
    }

    /// The parts of a side.
    pub fn split(&mut self, x: MapValue) -> Result<Vec<MapValue>> {
        let node = self.scope.node;
        let odd = || node.refused("splits a side into unsupported parts");
        let side = x.layout.side(node.int("axis", 0)).ok_or_else(odd)?;
        let lengths = self.lengths(&x);
        let length = equal(lengths.iter().map(|lengths| lengths[side]))
            .ok_or_else(|| self.scope.of_size(odd()))?;
        let parts = node.output.len().max(1);
        let counts: Option<Vec<usize>> = match self.scope.ints("split", 1)? {
            Some(counts) => counts.iter().map(|&count| usize::try_from(count).ok()).collect(),
            None => {
                self.budget().steps(parts)?;
                self.budget().items::<usize>(parts)?;
                // The last part may be smaller.
                let most = length.div_ceil(parts);
                (0..parts).map(|part| Some(length.saturating_sub(part * most).min(most))).collect()
            }
        };
        let counts = counts.filter(|counts| counts.len() == parts).ok_or_else(odd)?;
        let (mut made, mut left) = (Vec::new(), length);
        for count in counts {
            let before = length - left;
            left = left.checked_sub(count).ok_or_else(|| self.scope.of_size(odd()))?;
            let part = self.cut(&x, side, Cut { before, after: left, is_backwards: false });
            made.push(part.ok_or_else(|| self.scope.of_size(odd()))??);
        }
        if left > 0 {
            return Err(self.scope.of_size(odd()));
        }
        Ok(made)
    }

    /// Channels picked by index.
    pub fn gather(&mut self, mut x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let odd = || node.refused("selects something other than channels");
        let (shape, indices) = self.scope.indices(1)?.ok_or_else(odd)?;
        // The side, the indices along it, and whether the side is removed.
        let (side, picked, is_one) = if node.op_type == "Gather" {
            let side = x.layout.side(node.int("axis", 0)).ok_or_else(odd)?;
            if shape.len() > 1 {
                return Err(odd());
            }
            (side, indices, shape.is_empty())
        } else {
            // The last side of the indices has an index for each of the map's first sides.
            let skipped = x.layout.side(node.int("batch_dims", 0)).ok_or_else(odd)?;
            let Some((&depth @ 1.., rows)) = shape.split_last() else {
                return Err(odd());
            };
            if rows.get(..skipped).is_none_or(|sides| sides.iter().any(|&side| side != 1))
                || rows.len() > skipped + 1
            {
                return Err(odd());
            }
            let is_one = rows.len() == skipped;
            for _ in 1..depth {
                if skipped + 1 >= x.layout.sides.len() || x.layout.axis(skipped) != Axis::One {
                    return Err(odd());
                }
                x.layout.sides.remove(skipped);
            }
            let last = indices.chunks_exact(depth).map(|row| match row {
                [outer @ .., last] if outer.iter().all(|&index| index == 0) => Some(*last),
                _ => None,
            });
            (skipped, last.collect::<Option<_>>().ok_or_else(odd)?, is_one)
        };
        let mut made = if x.layout.axis(side) == Axis::One && picked == [0] {
            x
        } else {
            let channels = self.channels(x.node);
            let places = (picked.iter().map(|&at| wrapped(at, channels)))
                .collect::<Option<Vec<_>>>()
                .filter(|_| x.layout.axis(side) == Axis::Channels)
                .ok_or_else(odd)?;
            self.picked(&x, &places)?
        };
        if is_one {
            made.layout.sides.remove(side);
        }
        Ok(made)
    }

    pub fn concat(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let (mut maps, mut what) = (Vec::new(), "maps");
        for index in 0..node.input.len() {
            maps.push(match self.map(index) {
                Ok(map) => map,
                Err(_) => {
                    what = "maps with constants";
                    self.constant_like(index, &x)?
                }
            });
        }
        let odd = || node.refused(format!("concatenates {what} along an axis other than channels"));
        let first = maps.first().ok_or_else(odd)?.clone();
        let side = first.layout.side(node.int("axis", 1)).ok_or_else(odd)?;
        if let [a, b] = maps.as_slice()
            && first.layout.axis(side) != Axis::Channels
            && self.original(a.node) == self.original(b.node)
            && a.layout == b.layout
        {
            // Upsampling, in the form that exports use for runtimes without it.
            let layout = first.layout.repeated(side).ok_or_else(|| {
                self.scope
                    .of_size(node.refused("repeats neither every pixel nor every row of a map"))
            })?;
            return self.settled(MapValue { node: self.original(a.node), layout });
        }
        let sides = |map: &MapValue| map.layout.with_channels(1);
        let is_alike = |map: &MapValue| map.layout.is_whole() && sides(map) == sides(&first);
        if first.layout.axis(side) != Axis::Channels || !maps.iter().all(is_alike) {
            return Err(odd());
        }
        let ids: Vec<NodeId> = maps.iter().map(|map| map.node).collect();
        let made = self.joined(&ids)?;
        Ok(self.with_channels(&first, made))
    }

    /// Turns channels into blocks of pixels, or the reverse.
    pub fn blocks(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let id = self.channels_first_node(&x)?;
        let block = usize::try_from(node.int("blocksize", 0)).unwrap_or_default();
        let op = match (node.op_type, node.text("mode", "DCR")) {
            ("SpaceToDepth", "DCR" | "CRD") => Op::SpaceToDepth { block },
            ("DepthToSpace", "DCR") => Op::DepthToSpace { block, order: BlockOrder::BlockFirst },
            ("DepthToSpace", "CRD") => Op::DepthToSpace { block, order: BlockOrder::ChannelFirst },
            (_, other) => {
                return Err(node.refused(format!("has the mode {}", shortened(other))));
            }
        };
        let made = self.add(op, &[id])?;
        let made = self.channels_first(made);
        if (node.op_type, node.text("mode", "DCR")) != ("SpaceToDepth", "CRD") {
            return Ok(made);
        }
        // The pixels of a block come together for each channel.
        let (channels, count) = (self.channels(id), self.channels(made.node));
        if count > MAX_PICKED {
            return Err(
                node.refused(format!("makes more than {MAX_PICKED} channels in the mode CRD"))
            );
        }
        let (pixels, all) = (count / channels, 0..count);
        let order: Vec<usize> = all.map(|n| n % pixels * channels + n / pixels).collect();
        self.picked(&made, &order)
    }

    /// A part of a side; `None` if it is not supported.
    fn cut(&mut self, x: &MapValue, side: usize, cut: Cut) -> Option<Result<MapValue>> {
        let Cut { before, after, is_backwards } = cut;
        if cut == Cut::default() {
            return Some(Ok(x.clone()));
        }
        let channels = self.channels(x.node);
        let sides = match x.layout.axis(side) {
            Axis::Channels if is_backwards => {
                let order: Vec<usize> = (before..channels - after).rev().collect();
                return (1..=MAX_PICKED).contains(&order.len()).then(|| self.picked(x, &order));
            }
            Axis::Channels => {
                let count = channels - before - after;
                return (count > 0).then(|| self.channel_range(x, before, count));
            }
            Axis::Rows if !is_backwards => Sides::of_ends([before, after], [0; 2]),
            Axis::Columns if !is_backwards => Sides::of_ends([0; 2], [before, after]),
            _ => return None,
        };
        Some(self.with_op(x, Op::Crop(sides)))
    }

    /// The constant at an input as a map with the number of sides of the map next to it.
    fn constant_like(&mut self, index: usize, map: &MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let odd = || node.refused("concatenates a map with unsupported constants");
        let constant = self.weights_at(index)?;
        if !map.layout.is_whole() || constant.sides.len() != map.layout.sides.len() {
            return Err(odd());
        }
        let (shape, values) = self.as_map(map, &constant)?;
        let id = self.constant_map(Spread::Map(shape, values))?;
        Ok(self.with_channels(map, id))
    }

    /// A contiguous range of channels.
    fn channel_range(&mut self, x: &MapValue, first: usize, count: usize) -> Result<MapValue> {
        let id = self.add(Op::Channels { first, count }, &[x.node])?;
        Ok(self.with_channels(x, id))
    }

    /// Channels in another order.
    pub fn picked(&mut self, x: &MapValue, order: &[usize]) -> Result<MapValue> {
        let mut ids = Vec::new();
        let mut at = 0;
        while at < order.len() {
            // Keep runs of neighbours together.
            let run = (order[at..].iter().enumerate())
                .take_while(|(i, place)| **place == order[at] + i)
                .count();
            ids.push(self.channel_range(x, order[at], run)?.node);
            at += run;
        }
        let id = self.joined(&ids)?;
        Ok(self.with_channels(x, id))
    }

    /// Concatenates maps along their channels.
    fn joined(&mut self, ids: &[NodeId]) -> Result<NodeId> {
        match ids {
            [one] => Ok(*one),
            _ => self.add(Op::Concat { count: ids.len() }, ids),
        }
    }
}
