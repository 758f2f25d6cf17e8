//! Pooling over windows.

use super::{
    MapValue, Reader,
    convolution::{pair, window_pads},
    equal,
};
use crate::Result;
use network::graph::{Op, PadMode, Pool, Sides};

impl Reader<'_> {
    pub fn pool(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let mut id = self.channels_first_node(&x)?;
        if node.ints("kernel_shape").len() != 2 {
            return Err(node.refused("has no windows of rows and columns"));
        }
        let (kernel, stride) = (pair(node, "kernel_shape")?, pair(node, "strides")?);
        if pair(node, "dilations")? != [1, 1] {
            return Err(node.refused("has windows with gaps"));
        }
        let is_ceil = node.flag("ceil_mode", false);
        let counts_padding = node.flag("count_include_pad", false);
        let is_max = node.op_type == "MaxPool";
        let pad = window_pads(node, kernel, stride)?;
        let of = |(height, width)| pad.padding(height, width).map(|(_, sides)| sides);
        let sides = match equal(self.sizes_of(id).into_iter().map(of)).flatten() {
            Some(sides) => sides,
            // A separate operation pads with zeros, which is right only if the padding counts and for means, not for
            // maxima.
            None if !is_max && counts_padding => {
                id = self.add(pad, &[id])?;
                Sides::default()
            }
            None => {
                return Err(self.scope.of_size(node.refused("pads by the size of the picture")));
            }
        };
        let mut pool = Pool { kernel, stride, sides, is_ceil };
        if !pool.has_short_sides() {
            if is_max || !counts_padding {
                return Err(node.refused("pads by more than a window"));
            }
            id = self.add(Op::Pad { mode: PadMode::Constant(0.0), sides }, &[id])?;
            pool.sides = Sides::default();
        }
        let op = if is_max { Op::MaxPool(pool) } else { Op::AveragePool { pool, counts_padding } };
        let made = self.add(op, &[id])?;
        Ok(self.channels_first(made))
    }
}
