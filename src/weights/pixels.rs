//! What the values of a picture mean to a network, and the steps that turn a photo's levels into them and back.
//!
//! Styles are trained on levels of 0 to 255, on 0 to 1, on -1 to 1, or on values that the means and deviations of
//! ImageNet were taken from; some read blue first. A network is given these steps as operations of its graph, so that
//! nothing else has to know.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    graph::{Conv, Graph, NodeId, Op},
    network::{Network, NetworkError, NodeWeights, Weights},
};

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
    /// 0 and 1, without ImageNet's mean, by its deviation, each channel by its own.
    #[serde(rename = "imagenet")]
    ImageNet,
    /// 0 and 255, without ImageNet's mean levels, as Caffe's networks read them.
    #[serde(rename = "caffe")]
    Caffe,
}

/// Mean levels of red, green and blue over ImageNet's photos, as Caffe's networks have them.
const CAFFE_MEANS: [f64; 3] = [123.68, 116.779, 103.939];

/// Mean and deviation of red, green and blue over ImageNet's photos, of values from 0 to 1.
const IMAGENET: [(f64, f64); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];

impl PixelRange {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Bytes, Self::Unit, Self::Signed, Self::ImageNet, Self::Caffe];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "0..255",
            Self::Unit => "0..1",
            Self::Signed => "-1..1",
            Self::ImageNet => "imagenet",
            Self::Caffe => "caffe",
        }
    }

    /// Factor and summand that make its values of levels from 0 to 255; of red, green or blue.
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

impl fmt::Display for PixelRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that none of the choices has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown value {given}; choose one of {choices}")]
pub struct UnknownName {
    given: String,
    choices: &'static str,
}

impl FromStr for PixelRange {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|range| range.name() == text);
        found.ok_or_else(|| UnknownName {
            given: text.chars().take(40).collect(),
            choices: "0..255, 0..1, -1..1, imagenet and caffe",
        })
    }
}

/// Which color comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl ChannelOrder {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Rgb, Self::Bgr];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        }
    }

    /// The color of a channel: 0 is red.
    const fn color(self, channel: usize) -> usize {
        match self {
            Self::Rgb => channel,
            Self::Bgr => 2 - channel,
        }
    }
}

impl fmt::Display for ChannelOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ChannelOrder {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|order| order.name() == text);
        found.ok_or_else(|| UnknownName {
            given: text.chars().take(40).collect(),
            choices: "rgb and bgr",
        })
    }
}

/// What is known of the values of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pixels {
    /// Black and white.
    pub range: Option<PixelRange>,
    /// Which color comes first.
    pub order: Option<ChannelOrder>,
}

/// What is known of the values of a network: by its file, or because a person says so where the file does not tell, or
/// tells wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PixelChoice {
    /// Black and white of what it reads.
    pub input: Option<PixelRange>,
    /// Black and white of what it makes.
    pub output: Option<PixelRange>,
    /// Which color comes first, in both.
    pub order: Option<ChannelOrder>,
}

impl PixelChoice {
    /// With what the file tells of the values that were not chosen.
    pub(super) fn or(self, input: Pixels, output: Pixels) -> Self {
        Self {
            input: self.input.or(input.range),
            output: self.output.or(output.range),
            order: self.order.or(input.order),
        }
    }

    /// All values, red first where nobody tells; `None` where a range is not known.
    pub(super) fn completed(self) -> Option<PixelFormat> {
        Some(PixelFormat {
            input: self.input?,
            output: self.output?,
            order: self.order.unwrap_or_default(),
        })
    }

    /// What the network does with the picture whose range is not known: it reads it, makes it, or both. `None` where
    /// all is known but, perhaps, the order.
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

/// What a network reads and makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PixelFormat {
    /// Black and white of what it reads.
    pub input: PixelRange,
    /// Black and white of what it makes.
    pub output: PixelRange,
    /// Which color comes first, in both.
    pub order: ChannelOrder,
}

impl PixelFormat {
    /// Levels of red, green and blue: nothing has to be done.
    pub const LEVELS: Self =
        Self { input: PixelRange::Bytes, output: PixelRange::Bytes, order: ChannelOrder::Rgb };

    /// By the names that metadata have for them.
    pub(super) fn named(self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("input_range".to_owned(), self.input.to_string()),
            ("output_range".to_owned(), self.output.to_string()),
            ("channel_order".to_owned(), self.order.to_string()),
        ])
    }
}

/// The network between a photo's levels and a picture's, of one that has `format`'s values at both ends.
///
/// # Errors
/// [`NetworkError`] never for the graph of a network; passed on, not hidden.
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
            let step = levels_of(format);
            *last = add_step(&mut graph, &mut weights, "output", *last, step)?;
        }
        let mut id = graph.add(&node.name, &node.layer, node.op, &inputs)?;
        if node.op == Op::Photo {
            id = add_step(&mut graph, &mut weights, "input", id, values_of(format))?;
        }
        ids.push(id);
    }
    Network::new(graph, weights)
}

/// The channel that each channel is made of, with factor and summand.
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
    // No name of a file's node is a word alone.
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
        for range in PixelRange::ALL {
            assert_eq!(range.name().parse(), Ok(range));
        }
        assert_eq!("bgr".parse(), Ok(ChannelOrder::Bgr));
        let error = "grey".parse::<PixelRange>().expect_err("no range").to_string();
        assert!(error.contains("imagenet"), "{error}");
    }
}
