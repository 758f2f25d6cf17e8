//! A convolution with the nodes around it (padding, upsampling, norm), extracted from a graph. Packing of weights and
//! choice of tiles are based on it. Convolutions of other kinds (grouped, dilated, not square) have no such layer.

use network::graph::{Graph, NORM_EPS, Node, NodeId, Op};

/// Maximum number of channels for which the fused kernels have working memory.
pub const MAX_LAYER_CHANNELS: usize = 512;
/// Largest kernel that the fused kernels support, in pixels per side.
const MAX_LAYER_KERNEL_PX: usize = 15;

/// One convolution of a network and its place in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvLayer {
    /// Name of the layer, as its weights use it: `conv1`, `res1.conv2`.
    pub name: String,
    /// Name of the norm after it, for example `in1`; `None` if no norm follows.
    pub norm_name: Option<String>,
    /// Epsilon that the norm adds to the variance.
    pub norm_eps: f64,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Side of the kernel, in pixels.
    pub kernel: usize,
    pub stride: usize,
    /// Reflection padding in pixels on each side; below zero, what is cut off first.
    pub padding: isize,
    /// Its input is upsampled by 2 first.
    pub upsample: bool,
    pub reads_photo: bool,
    pub makes_picture: bool,
    /// Names of the affine steps before and after it that are folded into its weights.
    pub affine: [Option<String>; 2],
}

impl ConvLayer {
    /// All convolutions of a graph, in order.
    pub fn of_graph(graph: &Graph) -> Vec<Self> {
        let readers = graph.readers();
        graph
            .nodes()
            .iter()
            .enumerate()
            .filter_map(|(id, node)| Self::of_node(graph, &readers[id], node))
            .collect()
    }

    /// The layer of a node; `None` for a node of another kind.
    pub(super) fn of_node(graph: &Graph, readers: &[NodeId], node: &Node) -> Option<Self> {
        let Op::Conv2d(conv) = node.op else {
            return None;
        };
        let (kernel_px, stride_px) = conv.as_square()?;
        if conv.in_channels.max(conv.out_channels) > MAX_LAYER_CHANNELS
            || kernel_px > MAX_LAYER_KERNEL_PX
        {
            return None;
        }
        let nodes = graph.nodes();
        let (mut padding, mut upsample) = (0, false);
        let mut input = node.inputs[0];
        loop {
            match (nodes[input].op, nodes[input].op.margin_px()) {
                (_, Some(margin_px)) => padding += margin_px,
                (Op::Upsample, None) => upsample = true,
                _ => break,
            }
            input = nodes[input].inputs[0];
        }
        let readers = || readers.iter().map(|&reader| &nodes[reader]);
        let norm = readers().find_map(|reader| match reader.op {
            Op::InstanceNorm { eps } => Some((reader.name.clone(), eps)),
            _ => None,
        });
        let (norm_name, norm_eps) = norm.unzip();
        Some(Self {
            name: node.name.clone(),
            norm_name,
            norm_eps: norm_eps.unwrap_or(NORM_EPS),
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
            kernel: kernel_px,
            stride: stride_px,
            padding,
            upsample,
            reads_photo: nodes[input].op == Op::Photo,
            makes_picture: readers().any(|reader| reader.op == Op::Picture),
            affine: [None, None],
        })
    }

    /// Number of weights of the convolution (without bias).
    pub fn weight_count(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }

    /// Size of the output map for an input map of `height` x `width`.
    pub fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let side = |side: usize| {
            let doubled = if self.upsample { side * 2 } else { side };
            let padded = doubled.saturating_add_signed(2 * self.padding);
            (padded - self.kernel) / self.stride + 1
        };
        (side(height), side(width))
    }

    /// Floating-point operations (2 per multiply-add) of the direct form, for an output of `height` x `width`.
    pub fn flops(&self, height: usize, width: usize) -> u64 {
        2 * self.weight_count() as u64 * (height * width) as u64
    }
}

/// Which taps of a 3-kernel, in one direction, fall on tap `tap` of the small map if an upsampling by two is folded
/// into the kernel. After upsampling, the even phase reads the previous pixel once and its own pixel twice. The odd
/// phase reads its own pixel twice and the next pixel once.
pub fn phase_taps(phase: usize, tap: usize) -> std::ops::Range<usize> {
    match (phase, tap) {
        (0, 0) => 0..1,
        (0, _) => 1..3,
        (_, 0) => 0..2,
        _ => 2..3,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use network::models::johnson::NetworkSpec;

    #[test]
    fn layers_are_read_off_the_graph() {
        let graph = NetworkSpec::with_widths([8, 16, 32]).graph().expect("a graph");
        let layers = ConvLayer::of_graph(&graph);
        let shapes = graph.shapes(37, 52).expect("maps");
        let is_conv = |(node, _): &(&Node, _)| node.op.is_conv();
        let convs = graph.nodes().iter().zip(shapes).filter(is_conv);
        let (mut size, mut count) = ((37, 52), 0);
        for (layer, (node, shape)) in layers.iter().zip(convs) {
            size = layer.output_size(size.0, size.1);
            assert_eq!(layer.name, node.name);
            assert_eq!(size, (shape.height, shape.width), "{}", layer.name);
            assert_eq!(layer.padding, layer.kernel as isize / 2);
            count += 1;
        }
        assert_eq!((layers.len(), count), (16, 16));
        let (first, last) = (&layers[0], &layers[15]);
        assert_eq!(first.norm_name.as_deref(), Some("in1"));
        assert!(first.reads_photo && !first.makes_picture && !first.upsample);
        assert_eq!(last.norm_name, None);
        assert!(last.makes_picture && !last.reads_photo);
        assert!(layers[13].upsample && layers[13].norm_name.as_deref() == Some("in4"));
    }
}
