//! Values that are uploaded with a network and read by launches of general graphs.

use super::stored_channels;
use network::graph::{Conv, resize::Resize};
use values::numeric::NumberFormat;

/// Index of a constant in [`super::CudaPlan::constants`].
pub type ConstantId = usize;

/// Bytes of a pixel or output channel that one step of the tiled convolution multiplies.
const TILED_STEP_BYTES: usize = 64;
/// Bytes per row of a panel, and also rows per panel.
const PANEL_BYTES: usize = 128;
const PANEL_ROWS: usize = 64;

/// The order of a general convolution's weights. All channels are as stored, in the maps' format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightOrder {
    /// `[tap][output][input]`, inputs padded to whole steps.
    Tiled,
    /// `[output / 64][panel of inputs][output % 64][input]`: panels of 128 bytes of inputs. Their 16-byte pieces are
    /// permuted as Hopper's products read them: piece p of row r is at p ^ r % 8. Inputs and outputs are both padded to
    /// whole panels. For 1x1 convolutions.
    Panels,
    /// `[tap][input of a group][output]`
    Grouped,
    /// `[tap][channel]`
    Depthwise,
}

/// The weights of a general convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvWeights {
    pub conv: Conv,
    /// Inputs come first in the network's own order.
    pub is_transposed: bool,
    /// How they are stored on the device.
    pub order: WeightOrder,
}

impl ConvWeights {
    /// Inputs and outputs of a tap as stored on the device.
    pub const fn sides(&self, format: NumberFormat) -> (usize, usize) {
        let mut outputs = stored_channels(self.conv.out_channels);
        let in_bytes = stored_channels(self.conv.in_channels) * format.bytes();
        let inputs = match self.order {
            WeightOrder::Tiled => in_bytes.next_multiple_of(TILED_STEP_BYTES) / format.bytes(),
            WeightOrder::Panels => {
                outputs = outputs.next_multiple_of(PANEL_ROWS);
                in_bytes.next_multiple_of(PANEL_BYTES) / format.bytes()
            }
            WeightOrder::Grouped => self.conv.in_channels / self.conv.groups,
            WeightOrder::Depthwise => 1,
        };
        (inputs, outputs)
    }

    /// Rows of a panel, and inputs per row.
    pub const fn panel(format: NumberFormat) -> (usize, usize) {
        (PANEL_ROWS, PANEL_BYTES / format.bytes())
    }

    const fn bytes(&self, format: NumberFormat) -> usize {
        let (inputs, outputs) = self.sides(format);
        self.conv.kernel[0] * self.conv.kernel[1] * inputs * outputs * format.bytes()
    }
}

/// One of a node's two arrays of trained values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Scales or slopes.
    Weight,
    /// Biases or shifts.
    Bias,
}

/// The contents of a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstantValues {
    /// The weights of a node.
    Conv {
        node: String,
        /// Their shape and order.
        weights: ConvWeights,
    },
    /// The weights of a linear layer after a layer norm, multiplied by the norm's scale.
    Linear {
        node: String,
        norm: Option<String>,
        /// Their shape and order.
        weights: ConvWeights,
    },
    /// The biases of such a layer, including the contribution of the norm's shift, in fp32.
    LinearBias {
        node: String,
        norm: Option<String>,
        /// Inputs per output.
        inputs: usize,
        /// Number of biases, as stored.
        count: usize,
        /// The sum of each output's weights follows, computed from the weights as stored.
        has_sums: bool,
    },
    /// A value of a node for each stored channel, in fp32; zero for padding channels.
    Channels { node: String, part: Part, count: usize },
    /// Integers that describe which taps an output reads.
    Integers(Vec<i32>),
    /// What rows and columns add to the halves of a token's channels: `half` fp32 numbers for every row, then for every
    /// column.
    Positions {
        /// Channels per half.
        half: usize,
        height: usize,
        width: usize,
    },
    /// Four positions and weights for every output row or column of a resize.
    Taps {
        resize: Resize,
        /// 0 for rows, 1 for columns.
        axis: usize,
        /// Pixels of the input along this axis.
        input: usize,
        /// Pixels of the output along this axis.
        output: usize,
    },
}

/// A constant with its size.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub values: ConstantValues,
    /// On the device.
    pub bytes: usize,
}

impl Constant {
    /// A constant for maps and weights in `format`.
    pub(super) fn new(values: ConstantValues, format: NumberFormat) -> Self {
        let bytes = match &values {
            ConstantValues::Conv { weights, .. } | ConstantValues::Linear { weights, .. } => {
                weights.bytes(format)
            }
            ConstantValues::Channels { count, .. } => 4 * count,
            ConstantValues::LinearBias { count, has_sums, .. } => {
                4 * count * if *has_sums { 2 } else { 1 }
            }
            ConstantValues::Integers(all) => 4 * all.len(),
            ConstantValues::Positions { half, height, width } => 4 * half * (height + width),
            ConstantValues::Taps { output, .. } => 32 * output,
        };
        Self { values, bytes }
    }
}
