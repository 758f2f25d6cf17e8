//! Parts of the network as separate graphs, for benchmarks that compare devices and other programs.

use super::{conv_norm, conv_norm_relu, padded_conv};
use crate::{
    NetworkError,
    graph::{Graph, Op},
};

/// The layer that reads the photo: a convolution with its norm and ReLU.
pub const BEFORE: &str = "before";
/// The layer that reads the part: a convolution with its norm and ReLU, before the one that makes the picture.
pub const AFTER: &str = "after";
/// Side of all kernels.
const KERNEL_PX: usize = 3;
/// Maximum channels of the map that the picture is made from: in fp16x2, more do not fit a GPU's shared memory.
const MAX_LAST_CHANNELS: usize = 32;

/// A part between [`BEFORE`] and [`AFTER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A convolution, its norm and ReLU.
    Layer,
    /// Two convolutions with their norms, ReLU between them, and the addition of the input.
    ResidualBlock,
}

impl Part {
    /// The part on maps of `channels` channels, as large as the photo.
    ///
    /// # Errors
    /// [`NetworkError`]; does not occur for channel counts of a network.
    pub fn graph(self, channels: usize) -> Result<Graph, NetworkError> {
        let mut net = Graph::default();
        let photo = net.add("photo", BEFORE, Op::Photo, &[])?;
        let own = (channels, channels);
        let names = (BEFORE, "before.in");
        let x = conv_norm_relu(&mut net, names, photo, (3, channels), KERNEL_PX, 1)?;
        let mut y = conv_norm_relu(&mut net, ("conv1", "in1"), x, own, KERNEL_PX, 1)?;
        if self == Self::ResidualBlock {
            y = conv_norm(&mut net, ("conv2", "in2"), y, own, KERNEL_PX, 1)?;
            y = net.then("conv2", "add", Op::Add, &[x, y])?;
        }
        let last = channels.min(MAX_LAST_CHANNELS);
        y = conv_norm_relu(&mut net, (AFTER, "after.in"), y, (channels, last), KERNEL_PX, 1)?;
        y = padded_conv(&mut net, "last", y, (last, 3), KERNEL_PX, 1)?;
        net.then("last", "picture", Op::Picture, &[y])?;
        Ok(net)
    }
}
