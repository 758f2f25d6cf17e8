//! Parts of the network as separate graphs, for benchmarks that compare devices and other programs.

use super::padded_conv;
use crate::{
    graph::{Graph, NORM_EPS, Op},
    network::NetworkError,
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
        let mut x = padded_conv(&mut net, BEFORE, photo, (3, channels), KERNEL_PX, 1)?;
        x = net.instance_norm("before.in", BEFORE, NORM_EPS, x)?;
        x = net.then(BEFORE, "relu", Op::Relu, &[x])?;
        let mut y = padded_conv(&mut net, "conv1", x, (channels, channels), KERNEL_PX, 1)?;
        y = net.instance_norm("in1", "conv1", NORM_EPS, y)?;
        y = net.then("conv1", "relu", Op::Relu, &[y])?;
        if self == Self::ResidualBlock {
            y = padded_conv(&mut net, "conv2", y, (channels, channels), KERNEL_PX, 1)?;
            y = net.instance_norm("in2", "conv2", NORM_EPS, y)?;
            y = net.then("conv2", "add", Op::Add, &[x, y])?;
        }
        let last = channels.min(MAX_LAST_CHANNELS);
        y = padded_conv(&mut net, AFTER, y, (channels, last), KERNEL_PX, 1)?;
        y = net.instance_norm("after.in", AFTER, NORM_EPS, y)?;
        y = net.then(AFTER, "relu", Op::Relu, &[y])?;
        y = padded_conv(&mut net, "last", y, (last, 3), KERNEL_PX, 1)?;
        net.then("last", "picture", Op::Picture, &[y])?;
        Ok(net)
    }
}
