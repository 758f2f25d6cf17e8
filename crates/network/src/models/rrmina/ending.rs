//! The end of the network after the last convolution: nothing, or tanh times 150. Neither has weights, so their names
//! do not show which.

use crate::{
    Network, NetworkError, NodeWeights,
    graph::{Function, Graph, Op},
};

/// The layer of the last convolution.
pub const LAST: &str = "DeconvBlock.4";
/// The norm before it.
const NORM: &str = "DeconvBlock.2.norm_layer";
/// The published factor after the tanh.
const FACTOR: f32 = 150.0;
/// Beyond this, tanh differs from one by less than a ten-thousandth.
const SATURATED: f32 = 5.0;

/// True if the last convolution outputs levels of 0 to 255. If so, its mean in at least one color is so large that tanh
/// would be saturated. With smaller levels, the picture would be black.
pub fn makes_levels(network: &Network) -> bool {
    let weights = network.weights();
    let (norm, last) = (weights.of(NORM), weights.of(&format!("{LAST}.conv_layer")));
    // The mean of a channel after norm and ReLU. Exact for a scale or a shift of zero and normally distributed values,
    // approximate otherwise.
    let mean = |(scale, shift): (&f32, &f32)| {
        let spread = scale * scale * std::f32::consts::FRAC_2_PI;
        0.5 * (shift + (shift * shift + spread).sqrt())
    };
    let means: Vec<f32> = norm.weight.iter().zip(&norm.bias).map(mean).collect();
    let each_color = last.weight.len() / 3;
    let each_channel = each_color.checked_div(means.len()).unwrap_or(0);
    if each_channel == 0 {
        return true;
    }
    last.weight.chunks_exact(each_color).zip(&last.bias).any(|(kernels, bias)| {
        let level: f32 = (kernels.chunks_exact(each_channel).zip(&means))
            .map(|(kernel, mean)| kernel.iter().sum::<f32>() * mean)
            .sum();
        (level + bias).abs() > SATURATED
    })
}

/// Adds tanh and the factor 150 before the picture.
///
/// # Errors
/// [`NetworkError`]; does not occur for the graph of a valid network.
pub fn ended(network: &Network) -> Result<Network, NetworkError> {
    let mut graph = Graph::default();
    let mut weights = network.weights().clone();
    for node in network.graph().nodes() {
        let mut inputs = node.inputs.clone();
        if let (Op::Picture, [last]) = (node.op, inputs.as_mut_slice()) {
            let name = |what: &str| format!("{LAST}.{what}");
            let tanh = Op::Function(Function::Tanh);
            *last = graph.add(&name("tanh"), LAST, tanh, &[*last])?;
            *last = graph.add(&name("multiplier"), LAST, Op::Affine, &[*last])?;
            *weights.of_mut(&name("multiplier")) = NodeWeights::repeated(3, FACTOR, 0.0);
        }
        graph.add(&node.name, &node.layer, node.op, &inputs)?;
    }
    Network::new(graph, weights)
}
