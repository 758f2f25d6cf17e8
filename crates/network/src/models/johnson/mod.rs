//! Johnson's TransformerNet: its graph, and how it is recognised.
//!
//! Architecture and semantics are those of the fast neural style example of PyTorch (Johnson, Alahi, Fei-Fei 2016): RGB
//! 0 to 255 as input and output, reflection padding of half the kernel, instance normalisation with the picture's own
//! biased variance and eps 1e-5, and nearest upsampling. Residual blocks add their input after the second norm, without
//! a ReLU.
//!
//! Width, depth and kernel sizes are data here, read from a checkpoint's shapes and never assumed. This module knows no
//! file format, no device and no plan.

pub mod checkpoint;
pub mod keys;
pub mod reference;
pub mod structure;

use crate::{
    Network, NetworkError,
    graph::{Conv, Graph, GraphError, NORM_EPS, NodeId, Op},
};

/// Maximum number of channels of a map.
pub const MAX_CHANNELS: usize = 512;
/// Maximum kernel side.
pub const MAX_KERNEL_PX: usize = 15;
/// Maximum number of residual blocks.
pub const MAX_BLOCKS: usize = 16;

/// Kernel sides in pixels; all odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// The first convolution, from RGB (9 in the published networks).
    pub first: usize,
    /// The two that halve the map.
    pub down: [usize; 2],
    /// Both convolutions of every residual block.
    pub residual: usize,
    /// The two after an upsampling.
    pub up: [usize; 2],
    /// The last one, to RGB (9 in the published networks).
    pub last: usize,
}

impl Default for Kernels {
    fn default() -> Self {
        Self { first: 9, down: [3; 2], residual: 3, up: [3; 2], last: 9 }
    }
}

impl Kernels {
    /// All kernels in execution order, each with the first convolution that has it.
    pub const fn by_layer(&self) -> [(&'static str, usize); 7] {
        let Self { first, down: [down1, down2], residual, up: [up1, up2], last } = *self;
        [
            ("conv1", first),
            ("conv2", down1),
            ("conv3", down2),
            ("res1.conv1", residual),
            ("deconv1", up1),
            ("deconv2", up2),
            ("deconv3", last),
        ]
    }
}

/// In what a network of this kind differs from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Names of the convolutions after the residual blocks.
    pub last: [&'static str; 3],
    /// Residual blocks add their input a second time.
    pub adds_twice: bool,
}

impl Form {
    pub const JOHNSON: Self = Self { last: ["deconv1", "deconv2", "deconv3"], adds_twice: false };

    /// The name of a convolution that Johnson's network calls `layer`.
    pub fn own_name<'l>(&self, layer: &'l str) -> &'l str {
        Self::JOHNSON
            .last
            .iter()
            .position(|name| *name == layer)
            .map_or(layer, |place| self.last[place])
    }
}

/// The shape of a TransformerNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Channels at full, half and quarter size (32, 64, 128 in the published networks).
    pub widths: [usize; 3],
    /// Number of residual blocks.
    pub blocks: usize,
    pub kernels: Kernels,
}

/// Number of residual blocks of the published networks.
pub const PUBLISHED_BLOCKS: usize = 5;

impl NetworkSpec {
    /// The published shape with these widths.
    pub fn with_widths(widths: [usize; 3]) -> Self {
        Self { widths, blocks: PUBLISHED_BLOCKS, kernels: Kernels::default() }
    }

    /// The shape of a network with `blocks` blocks. `conv` returns the output channels and the kernel side of a
    /// convolution, by its name.
    ///
    /// # Errors
    /// Those of `conv`.
    pub fn of_convs<E>(
        blocks: usize,
        conv: impl Fn(&str) -> Result<(usize, usize), E>,
    ) -> Result<Self, E> {
        let (first_width, first) = conv("conv1")?;
        let (second_width, down1) = conv("conv2")?;
        let (third_width, down2) = conv("conv3")?;
        Ok(Self {
            widths: [first_width, second_width, third_width],
            blocks,
            kernels: Kernels {
                first,
                down: [down1, down2],
                residual: conv("res1.conv1")?.1,
                up: [conv("deconv1")?.1, conv("deconv2")?.1],
                last: conv("deconv3")?.1,
            },
        })
    }

    /// The shape of this network; `None` if the graph is another model's.
    pub fn recognise(graph: &Graph) -> Option<Self> {
        let spec = Self::of_graph(graph)?;
        (spec.graph().as_ref() == Ok(graph)).then_some(spec)
    }

    /// The shape that the convolutions of a graph describe, in execution order. Valid only if the rest of the graph is
    /// this network's as well.
    fn of_graph(graph: &Graph) -> Option<Self> {
        let convs: Vec<Conv> = (graph.nodes().iter())
            .filter_map(|node| match node.op {
                Op::Conv2d(conv) => Some(conv),
                _ => None,
            })
            .collect();
        let layers = Kernels::default().by_layer();
        let outside_blocks = layers.len() - 1;
        let blocks = convs.len().checked_sub(outside_blocks)? / 2;
        Self::of_convs(blocks, |name| {
            let layer = layers.iter().position(|(layer, _)| *layer == name).ok_or(())?;
            // The last three follow the blocks.
            let place = if layer < 4 { layer } else { convs.len() + layer - layers.len() };
            let conv = convs.get(place).ok_or(())?;
            let (side, _) = conv.as_square().ok_or(())?;
            Ok::<_, ()>((conv.out_channels, side))
        })
        .ok()
    }

    /// Checks that this program can run the network.
    ///
    /// # Errors
    /// [`NetworkError::OutOfRange`] names the first value that is not supported.
    pub fn validate(&self) -> Result<(), NetworkError> {
        let range = |what: &str, got: usize, high: usize, odd: bool| {
            if (1..=high).contains(&got) && (!odd || got % 2 == 1) {
                return Ok(());
            }
            let kind = if odd { "odd values from " } else { "" };
            Err(NetworkError::OutOfRange {
                what: what.to_owned(),
                got,
                limits: format!("{kind}1 to {high}"),
            })
        };
        for (name, width) in ["first", "second", "third"].iter().zip(self.widths) {
            range(&format!("the {name} width"), width, MAX_CHANNELS, false)?;
        }
        range("the number of residual blocks", self.blocks, MAX_BLOCKS, false)?;
        for (layer, kernel) in self.kernels.by_layer() {
            range(&format!("the kernel of {layer}"), kernel, MAX_KERNEL_PX, true)?;
        }
        Ok(())
    }

    /// One node per operation, named as in the published state dicts.
    ///
    /// # Errors
    /// [`NetworkError::OutOfRange`] if the shape is out of range.
    pub fn graph(&self) -> Result<Graph, NetworkError> {
        self.graph_of(&Form::JOHNSON)
    }

    /// The graph of a network of this shape in another form.
    ///
    /// # Errors
    /// As [`NetworkSpec::graph`].
    pub fn graph_of(&self, form: &Form) -> Result<Graph, NetworkError> {
        self.validate()?;
        let [full, half, quarter] = self.widths;
        let [up1, up2, last] = form.last;
        let k = self.kernels;
        let mut net = Graph::default();
        let mut x = net.add("photo", "conv1", Op::Photo, &[])?;
        for (conv, norm, channels, kernel_px, stride_px) in [
            ("conv1", "in1", (3, full), k.first, 1),
            ("conv2", "in2", (full, half), k.down[0], 2),
            ("conv3", "in3", (half, quarter), k.down[1], 2),
        ] {
            x = conv_norm_relu(&mut net, (conv, norm), x, channels, kernel_px, stride_px)?;
        }
        for block in 1..=self.blocks {
            let [(conv1, norm1), (conv2, norm2)] = [1, 2]
                .map(|half| (format!("res{block}.conv{half}"), format!("res{block}.in{half}")));
            let channels = (quarter, quarter);
            let mut y = conv_norm_relu(&mut net, (&conv1, &norm1), x, channels, k.residual, 1)?;
            y = conv_norm(&mut net, (&conv2, &norm2), y, channels, k.residual, 1)?;
            y = net.then(&conv2, "add", Op::Add, &[x, y])?;
            if form.adds_twice {
                y = net.then(&conv2, "add_again", Op::Add, &[y, x])?;
            }
            x = y;
        }
        for (conv, norm, channels, kernel_px) in
            [(up1, "in4", (quarter, half), k.up[0]), (up2, "in5", (half, full), k.up[1])]
        {
            x = net.then(conv, "upsample", Op::Upsample, &[x])?;
            x = conv_norm_relu(&mut net, (conv, norm), x, channels, kernel_px, 1)?;
        }
        x = padded_conv(&mut net, last, x, (full, 3), k.last, 1)?;
        net.then(last, "picture", Op::Picture, &[x])?;
        Ok(net)
    }

    /// This network with random weights, as [`Network::random`].
    ///
    /// # Errors
    /// As [`NetworkSpec::graph`].
    pub fn random(&self, seed: u64) -> Result<Network, NetworkError> {
        Network::random(self.graph()?, seed)
    }
}

/// Appends a convolution after its padding, its norm and a ReLU.
fn conv_norm_relu(
    graph: &mut Graph,
    names: (&str, &str),
    x: NodeId,
    channels: (usize, usize),
    kernel_px: usize,
    stride_px: usize,
) -> Result<NodeId, GraphError> {
    let x = conv_norm(graph, names, x, channels, kernel_px, stride_px)?;
    graph.then(names.0, "relu", Op::Relu, &[x])
}

/// Appends a convolution after its padding, and its norm.
fn conv_norm(
    graph: &mut Graph,
    (conv, norm): (&str, &str),
    x: NodeId,
    channels: (usize, usize),
    kernel_px: usize,
    stride_px: usize,
) -> Result<NodeId, GraphError> {
    let x = padded_conv(graph, conv, x, channels, kernel_px, stride_px)?;
    graph.instance_norm(norm, conv, NORM_EPS, x)
}

/// Appends a convolution after its padding.
fn padded_conv(
    graph: &mut Graph,
    name: &str,
    x: NodeId,
    (in_channels, out_channels): (usize, usize),
    kernel_px: usize,
    stride_px: usize,
) -> Result<NodeId, GraphError> {
    let padded = graph.then(name, "pad", Op::reflect(kernel_px / 2), &[x])?;
    let op = Op::Conv2d(Conv::square(in_channels, out_channels, kernel_px, stride_px));
    graph.add(name, name, op, &[padded])
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn maps(spec: &NetworkSpec, height: usize, width: usize) -> Vec<(usize, usize)> {
        let graph = spec.graph().expect("valid");
        let shapes = graph.shapes(height, width).expect("large enough");
        graph
            .nodes()
            .iter()
            .zip(shapes)
            .filter(|(node, _)| node.op.is_conv())
            .map(|(_, shape)| (shape.height, shape.width))
            .collect()
    }

    #[test]
    fn the_published_network_has_its_known_size() {
        let graph = NetworkSpec::with_widths([32, 64, 128]).graph().expect("valid");
        assert_eq!(graph.parameter_count(), 1_679_235);
        let convs = graph.nodes().iter().filter(|node| node.op.is_conv());
        assert_eq!(convs.count(), 16);
        assert_eq!(graph.min_side_px(), Some(5));
    }

    #[test]
    fn maps_follow_the_rule_for_odd_sizes() {
        let sizes = maps(&NetworkSpec::with_widths([8, 16, 32]), 338, 531);
        assert_eq!(sizes[..3], [(338, 531), (169, 266), (85, 133)]);
        assert_eq!(sizes[13..], [(170, 266), (340, 532), (340, 532)]);
    }

    #[test]
    fn ranges_are_checked() {
        let mut spec = NetworkSpec::with_widths([8, 16, 32]);
        spec.blocks = 17;
        let error = spec.graph().expect_err("too deep").to_string();
        assert_eq!(error, "the number of residual blocks is 17; supported: 1 to 16");
        spec.blocks = 1;
        spec.kernels.last = 4;
        let error = spec.graph().expect_err("an even kernel").to_string();
        assert!(error.starts_with("the kernel of deconv3 is 4"), "{error}");
    }

    #[test]
    fn it_recognises_itself() {
        let spec = NetworkSpec { blocks: 2, ..NetworkSpec::with_widths([2, 3, 4]) };
        let graph = spec.graph().expect("valid");
        assert_eq!(NetworkSpec::recognise(&graph), Some(spec));
        let mut other = graph.clone();
        let last = other.nodes().len() - 1;
        other.add("more", "", Op::Relu, &[last]).expect("a node");
        assert_eq!(NetworkSpec::recognise(&other), None);
        assert_eq!(NetworkSpec::recognise(&Graph::default()), None);
    }
}
