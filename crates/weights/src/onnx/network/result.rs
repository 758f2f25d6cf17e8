//! The result of a graph: a picture, or any map.

use super::{Axis, MAX_TIMES, MapValue, NodeId, Reader, messages::Node, refused};
use crate::Result;
use network::graph::Class;

impl Reader<'_> {
    /// The node of the result, which must be a picture.
    pub fn the_picture(&mut self, made: &MapValue) -> Result<NodeId> {
        let is_picture = matches!(
            made.layout.axes()[..],
            [Axis::One, Axis::Channels, Axis::Rows, Axis::Columns]
                | [Axis::Channels, Axis::Rows, Axis::Columns]
                | [Axis::One, Axis::Rows, Axis::Columns, Axis::Channels]
                | [Axis::Rows, Axis::Columns, Axis::Channels]
        );
        if !is_picture || self.channels(made.node) != 3 {
            return Err(refused(format!(
                "its output has the shape {}; a picture has 3 channels, height and width",
                self.sides_shown(made)
            )));
        }
        let mut at = made.node;
        while self.cropped.is_some_and(|cropped| cropped != at) {
            // Only where every value depends on one value, it does not matter that the map is not cropped yet.
            at = match self.op(at) {
                (op, &[input]) if op.class() == Class::Pointwise => input,
                (op, _) => {
                    return Err(self.scope.of_size(refused(format!(
                        "it crops a map to the size of the photo before the operation {}",
                        op.name()
                    ))));
                }
            };
        }
        let sizes = || self.shapes[made.node].iter().zip(&self.sizes);
        let enlarges = |times: usize| {
            let is_so =
                |made: usize, photo: usize| made >= times * photo && made < 2 * times * photo;
            sizes().all(|(shape, &(h, w))| is_so(shape.height, h) && is_so(shape.width, w))
        };
        let Some((shape, &(rows, columns))) = sizes().max_by_key(|(_, (rows, _))| rows) else {
            return Ok(made.node);
        };
        if enlarges(1) {
            return Ok(made.node);
        }
        let times = shape.height / rows;
        if (2..=MAX_TIMES).contains(&times) && enlarges(times) {
            self.enlarges = Some(times);
        }
        Err(self.scope.of_size(refused(format!(
            "it turns a picture of {columns} x {rows} pixels into one of {} x {}; a style keeps the size or enlarges it 2 to {MAX_TIMES} times",
            shape.width, shape.height
        ))))
    }

    /// The node of the result, which must be a map with channels first. `maker` is the file's node that makes it.
    pub fn the_map(&self, made: &MapValue, maker: Option<&Node<'_>>) -> Result<NodeId> {
        if made.layout.is_channels_first() {
            return Ok(made.node);
        }
        Err(refused(format!(
            "{} makes an output with the sides {}, which are not batch, channels, rows and columns",
            maker.map_or_else(|| "nothing".to_owned(), Node::label),
            self.sides_shown(made)
        )))
    }
}
