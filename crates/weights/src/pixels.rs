//! The meaning of pixel values to a network, and the conversion from a photo's levels to these values and back.
//!
//! Networks are trained on levels of 0 to 255, on 0 to 1, on -1 to 1, or on values normalized by ImageNet's means and
//! deviations. Some expect BGR. The conversions are added to the network's graph as operations, so that the rest of the
//! program only has to know levels.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use network::{
    Network, NetworkError, NodeWeights, Weights,
    graph::{Conv, Graph, NodeId, Op},
};
use values::named;

/// The values that stand for black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PixelRange {
    /// 0 and 255.
    #[serde(rename = "0..255")]
    Bytes,
    /// 0 and 1.
    #[serde(rename = "0..1")]
    Unit,
    /// -1 and 1.
    #[serde(rename = "-1..1")]
    Signed,
    /// 0 and 1, minus ImageNet's mean, divided by its deviation, per channel.
    #[serde(rename = "imagenet")]
    ImageNet,
    /// 0 and 255, minus ImageNet's mean levels, as Caffe's networks expect.
    #[serde(rename = "caffe")]
    Caffe,
}

/// Mean levels of red, green and blue over ImageNet's photos, as Caffe's networks use them.
const CAFFE_MEANS: [f64; 3] = [123.68, 116.779, 103.939];

/// Mean and deviation of red, green and blue over ImageNet's photos, for values from 0 to 1.
const IMAGENET: [(f64, f64); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];

impl PixelRange {
    /// Factor and summand that convert levels from 0 to 255 to this range, for red (0), green or blue.
    const fn of_levels(self, color: usize) -> (f64, f64) {
        match self {
            Self::Bytes => (1.0, 0.0),
            Self::Unit => (1.0 / 255.0, 0.0),
            Self::Signed => (1.0 / 127.5, -1.0),
            Self::ImageNet => {
                let (mean, deviation) = IMAGENET[color];
                (1.0 / 255.0 / deviation, -mean / deviation)
            }
            Self::Caffe => (1.0, -CAFFE_MEANS[color]),
        }
    }
}

named!(
    PixelRange,
    "range of pixel values",
    Bytes = "0..255",
    Unit = "0..1",
    Signed = "-1..1",
    ImageNet = "imagenet",
    Caffe = "caffe"
);

/// Which color comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    #[default]
    Rgb,
    Bgr,
}

impl ChannelOrder {
    /// The color of a channel: 0 is red.
    const fn color(self, channel: usize) -> usize {
        match self {
            Self::Rgb => channel,
            Self::Bgr => 2 - channel,
        }
    }
}

named!(ChannelOrder, "channel order", Rgb = "rgb", Bgr = "bgr");

/// What is known about a network's input and output values: from its file, or from the user if the file does not say it
/// or says it wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PixelChoice {
    /// The range of the input.
    pub input: Option<PixelRange>,
    /// The range of the output.
    pub output: Option<PixelRange>,
    /// The channel order of both.
    pub order: Option<ChannelOrder>,
}

impl PixelChoice {
    /// Fills in what the file says for the values that the user did not choose.
    pub(super) fn or(self, file: Self) -> Self {
        Self {
            input: self.input.or(file.input),
            output: self.output.or(file.output),
            order: self.order.or(file.order),
        }
    }

    /// The complete format, with RGB if the order is unknown; what is known if a range is unknown.
    pub(super) fn completed(self) -> Result<PixelFormat, Self> {
        match self {
            Self { input: Some(input), output: Some(output), order } => {
                Ok(PixelFormat { input, output, order: order.unwrap_or_default() })
            }
            known => Err(known),
        }
    }

    /// What the network does with the picture whose range is unknown, as a verb for a message: it reads it, makes it,
    /// or both. `None` if both ranges are known, even if the order is not.
    pub fn missing(self) -> Option<&'static str> {
        match (self.input, self.output) {
            (Some(_), Some(_)) => None,
            (Some(_), None) => Some("makes"),
            (None, Some(_)) => Some("reads"),
            (None, None) => Some("reads and makes"),
        }
    }
}

impl From<PixelFormat> for PixelChoice {
    fn from(format: PixelFormat) -> Self {
        Self { input: Some(format.input), output: Some(format.output), order: Some(format.order) }
    }
}

/// The values of a network's input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PixelFormat {
    /// The range of the input.
    pub input: PixelRange,
    /// The range of the output.
    pub output: PixelRange,
    /// The channel order of both.
    pub order: ChannelOrder,
}

impl PixelFormat {
    /// Levels of red, green and blue: no conversion is needed.
    pub const LEVELS: Self =
        Self { input: PixelRange::Bytes, output: PixelRange::Bytes, order: ChannelOrder::Rgb };

    /// The format as metadata entries.
    pub(super) fn named(self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("input_range".to_owned(), self.input.to_string()),
            ("output_range".to_owned(), self.output.to_string()),
            ("channel_order".to_owned(), self.order.to_string()),
        ])
    }
}

/// Wraps a network whose input and output have `format`'s values, so that it reads and makes levels.
///
/// # Errors
/// [`NetworkError`]; does not occur for the graph of a valid network.
pub fn with_levels(network: Network, format: PixelFormat) -> Result<Network, NetworkError> {
    if format == PixelFormat::LEVELS {
        return Ok(network);
    }
    let mut graph = Graph::default();
    let mut weights = network.weights().clone();
    let mut ids: Vec<NodeId> = Vec::new();
    for node in network.graph().nodes() {
        let mut inputs: Vec<NodeId> = node.inputs.iter().map(|&input| ids[input]).collect();
        if let (Op::Picture, [last]) = (node.op, inputs.as_mut_slice()) {
            *last = add_step(&mut graph, &mut weights, "output", *last, levels_of(format))?;
        }
        let mut id = graph.add(&node.name, &node.layer, node.op, &inputs)?;
        if node.op == Op::Photo {
            id = add_step(&mut graph, &mut weights, "input", id, values_of(format))?;
        }
        ids.push(id);
    }
    Network::new(graph, weights)
}

/// For each output channel: the input channel, factor and summand.
type Step = [(usize, f64, f64); 3];

/// From levels to the network's values.
fn values_of(format: PixelFormat) -> Step {
    [0, 1, 2].map(|channel| {
        let color = format.order.color(channel);
        let (factor, summand) = format.input.of_levels(color);
        (color, factor, summand)
    })
}

/// From the network's values to levels.
fn levels_of(format: PixelFormat) -> Step {
    [0, 1, 2].map(|color| {
        let (factor, summand) = format.output.of_levels(color);
        (format.order.color(color), 1.0 / factor, -summand / factor)
    })
}

fn add_step(
    graph: &mut Graph,
    weights: &mut Weights,
    name: &str,
    from: NodeId,
    step: Step,
) -> Result<NodeId, NetworkError> {
    if step == [0, 1, 2].map(|channel| (channel, 1.0, 0.0)) {
        return Ok(from);
    }
    // The node's name is unique: names of a file's nodes are never a single word.
    let is_in_order = (0..3).all(|channel| step[channel].0 == channel);
    let bias = step.iter().map(|&(.., summand)| summand as f32).collect();
    let (op, weight) = if is_in_order {
        (Op::Affine, step.iter().map(|&(_, factor, _)| factor as f32).collect())
    } else {
        let mut matrix = vec![0.0; 9];
        for (row, &(from, factor, _)) in step.iter().enumerate() {
            matrix[3 * row + from] = factor as f32;
        }
        (Op::Conv2d(Conv::square(3, 3, 1, 1)), matrix)
    };
    let id = graph.add(name, name, op, &[from])?;
    *weights.of_mut(name) = NodeWeights { weight, bias };
    Ok(id)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for &range in PixelRange::ALL {
            assert_eq!(range.name().parse(), Ok(range));
        }
        assert_eq!("bgr".parse(), Ok(ChannelOrder::Bgr));
        let error = "grey".parse::<PixelRange>().expect_err("no range").to_string();
        assert!(error.contains("imagenet"), "{error}");
    }
}
