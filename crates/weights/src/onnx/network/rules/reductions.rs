//! Means, sums, maxima and minima over channels or over whole maps, and softmax.

use super::{Axis, MapValue, NodeId, Part, Reader, equal};
use crate::{Result, WeightsError};
use network::graph::{Arithmetic, Conv, Function, Op};

/// Maximum number of channels that are compared with each other.
const MAX_COMPARED: usize = 64;

/// What is made of several values.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Mean,
    Sum,
    Max,
    Min,
}

impl Reader<'_> {
    pub fn reduce(&mut self, mut x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let count = x.layout.sides.len();
        let odd = || node.refused("reduces neither all channels nor all rows and columns");
        let (axes, keeps) = if node.op_type.starts_with("Global") {
            ((2..count).collect(), true)
        } else {
            let axes = self.scope.ints("axes", 1)?;
            let axes = match axes.as_deref() {
                None | Some([]) if node.flag("noop_with_empty_axes", false) => return Ok(x),
                None | Some([]) => (0..count).collect(),
                Some(axes) => (axes.iter().map(|&axis| x.layout.side(axis)))
                    .collect::<Option<Vec<_>>>()
                    .ok_or_else(odd)?,
            };
            (axes, node.flag("keepdims", true))
        };
        let is_mixed = |&side: &usize| {
            let parts = &x.layout.sides[side];
            parts.iter().any(Part::is_channels) && parts.iter().any(Part::is_pixels)
        };
        if axes.iter().any(is_mixed) {
            return Err(odd());
        }
        let sizes = self.sizes_of(x.node);
        let is_over = |is_of_kind: fn(&Part) -> bool| {
            x.layout.covers(&axes, is_of_kind, &sizes).ok_or_else(odd)
        };
        let (over_channels, over_pixels) = (is_over(Part::is_channels)?, is_over(Part::is_pixels)?);
        let kind = match node.op_type {
            "GlobalMaxPool" | "ReduceMax" => Kind::Max,
            "ReduceMin" => Kind::Min,
            "ReduceMean" | "GlobalAveragePool" => Kind::Mean,
            _ => Kind::Sum,
        };
        match node.op_type {
            "ReduceL2" | "ReduceSumSquare" => x = self.product(&x, &x)?,
            "ReduceL1" => x = self.function(&x, Function::Abs)?,
            _ => {}
        }
        let mut id = x.node;
        if over_pixels || node.op_type.starts_with("Global") {
            id = self.of_pixels(id, kind)?;
        }
        let mut layout = x.layout;
        if over_channels {
            id = self.of_channels(id, kind)?;
            let mut with_channels = axes.clone();
            with_channels.retain(|&side| layout.sides[side].iter().any(Part::is_channels));
            for &side in &with_channels {
                layout.sides[side].retain(Part::is_pixels);
            }
            // The side that keeps the only channel.
            if let Some(&side) = with_channels.first() {
                layout.sides[side].push(Part::all_channels(1));
            }
        }
        if node.op_type == "ReduceL2" {
            id = self.add(Op::Function(Function::Sqrt), &[id])?;
        }
        let mut made = MapValue { node: id, layout };
        for &side in &axes {
            // A side of rows and columns together is reduced to a side of length 1.
            if made.layout.axis(side) == Axis::Other {
                made.layout.sides[side].clear();
            }
        }
        if !keeps {
            let mut side = 0;
            made.layout.sides.retain(|_| {
                side += 1;
                !axes.contains(&(side - 1))
            });
        }
        Ok(made)
    }

    /// `exp(x) / sum(exp(x))` over channels.
    pub fn softmax(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let absent = if self.opset < 13 { 1 } else { -1 };
        let side = x.layout.side(node.int("axis", absent));
        let lengths = self.lengths(&x);
        // Before opset 13, all sides after the axis belong to it.
        let has_more = |side: usize| {
            self.opset < 13
                && lengths.iter().any(|l| l[side + 1..].iter().any(|&length| length != 1))
        };
        if !side.is_some_and(|side| x.layout.axis(side) == Axis::Channels && !has_more(side)) {
            return Err(node.refused("is over something other than channels"));
        }
        // Relative to the largest, no power exceeds 1.
        let most = self.of_channels(x.node, Kind::Max)?;
        let below = self.with(Arithmetic::Difference, &x, &x.moved_to(most))?;
        let powers = self.function(&below, Function::Exp)?;
        let sum = self.of_channels(powers.node, Kind::Sum)?;
        self.with(Arithmetic::Quotient, &powers, &x.moved_to(sum))
    }

    /// One value for each channel.
    fn of_pixels(&mut self, id: NodeId, kind: Kind) -> Result<NodeId> {
        let node = self.scope.node;
        let x = self.channels_first(id);
        match kind {
            Kind::Mean => self.add(Op::SpatialMean, &[id]),
            Kind::Max => self.add(Op::SpatialMax, &[id]),
            Kind::Min => {
                let negative = self.scaled(&x, -1.0, 0.0)?;
                let most = self.add(Op::SpatialMax, &[negative.node])?;
                Ok(self.scaled(&x.moved_to(most), -1.0, 0.0)?.node)
            }
            Kind::Sum => {
                let counts = self.sizes_of(id).into_iter().map(|(rows, columns)| rows * columns);
                let count = equal(counts).ok_or_else(|| {
                    self.scope.of_size(node.refused("sums up all pixels of any picture"))
                })?;
                let mean = self.add(Op::SpatialMean, &[id])?;
                Ok(self.scaled(&x.moved_to(mean), count as f32, 0.0)?.node)
            }
        }
    }

    /// One channel for all of a map.
    fn of_channels(&mut self, id: NodeId, kind: Kind) -> Result<NodeId> {
        let channels = self.channels(id);
        if let Kind::Mean | Kind::Sum = kind {
            let share = if kind == Kind::Mean { 1.0 / channels as f32 } else { 1.0 };
            return self.small_conv(Conv::square(channels, 1, 1, 1), id, share, 0.0);
        }
        if channels > MAX_COMPARED {
            return Err(self.refused(format!("compares {channels} channels")));
        }
        let one = |reader: &mut Self, first: usize| {
            let part = reader.add(Op::Channels { first, count: 1 }, &[id])?;
            Ok::<_, WeightsError>(reader.channels_first(part))
        };
        let mut made = one(self, 0)?;
        for channel in 1..channels {
            let part = one(self, channel)?;
            made = self.extreme(kind == Kind::Max, &made, &part)?;
        }
        Ok(made.node)
    }
}
