//! Means, sums, maxima and minima over channels or over whole maps, and softmax.

use super::{Axis, MapValue, NodeId, Part, Reader};
use crate::{
    graph::{Arithmetic, Conv, Function, Op},
    weights::{Result, WeightsError, onnx::refused},
};

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
    pub fn reduce(&mut self) -> Result<MapValue> {
        let node = self.scope.node;
        let mut x = self.map(0)?;
        let count = x.layout.sides.len();
        let odd = || node.refused("reduces neither all channels nor all rows and columns");
        let all = || (0..count).collect::<Vec<_>>();
        let (axes, keeps) = if node.op_type.starts_with("Global") {
            ((2..count).collect(), true)
        } else {
            let axes = self.scope.ints("axes", 1)?;
            let axes = match axes.as_deref() {
                None | Some([]) if node.flag("noop_with_empty_axes", false) => return Ok(x),
                None | Some([]) => all(),
                Some(axes) => {
                    let axes: Option<Vec<usize>> =
                        axes.iter().map(|&axis| x.layout.side(axis)).collect();
                    axes.ok_or_else(odd)?
                }
            };
            (axes, node.flag("keepdims", true))
        };
        // Sides of channels and sides of pixels; those of length 1 do not matter.
        let lengths = self.lengths(&x);
        let is_one = |side: usize| lengths.iter().all(|lengths| lengths[side] == 1);
        let (mut channels, mut pixels) = (Vec::new(), Vec::new());
        for side in all().into_iter().filter(|&side| !is_one(side)) {
            let parts = &x.layout.sides[side];
            match (parts.iter().any(Part::is_channels), parts.iter().all(Part::is_channels)) {
                (true, true) => channels.push(axes.contains(&side)),
                (false, _) => pixels.push(axes.contains(&side)),
                (true, false) => return Err(odd()),
            }
        }
        let is_over = |sides: &[bool]| match (sides.contains(&true), sides.contains(&false)) {
            (true, true) => Err(odd()),
            (is_over, _) => Ok(is_over),
        };
        let (over_channels, over_pixels) = (is_over(&channels)?, is_over(&pixels)?);
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
            for &side in &axes {
                layout.sides[side].retain(|part| !part.is_channels());
            }
            // The side that keeps the only channel.
            if let Some(&side) =
                axes.iter().find(|&&side| !is_one(side) && layout.sides[side].is_empty())
            {
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
    pub fn softmax(&mut self) -> Result<MapValue> {
        let node = self.scope.node;
        let x = self.map(0)?;
        let absent = if self.opset < 13 { 1 } else { -1 };
        let axis = node.int("axis", absent);
        let side = x.layout.side(axis);
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
                let sizes = self.sizes_of(id);
                let count = sizes.first().map_or(0, |(rows, columns)| rows * columns);
                if sizes.iter().any(|(rows, columns)| rows * columns != count) {
                    let error = format!("{} sums up all pixels of any picture", node.label());
                    return Err(self.scope.of_size(refused(error)));
                }
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
        let mut one = |first: usize| {
            let part = self.add(Op::Channels { first, count: 1 }, &[id])?;
            Ok::<_, WeightsError>(self.channels_first(part))
        };
        let parts = (0..channels).map(&mut one).collect::<Result<Vec<_>, _>>()?;
        let mut parts = parts.into_iter();
        let Some(mut made) = parts.next() else {
            return Ok(id);
        };
        for part in parts {
            made = self.extreme(kind == Kind::Max, &made, &part)?;
        }
        Ok(made.node)
    }
}
