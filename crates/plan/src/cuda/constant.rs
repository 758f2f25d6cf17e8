//! The sizes of constants of general graphs, as CUDA devices store them.

use super::stored_channels;
use crate::general::{Constant, ConstantValues, ConvWeights, WeightOrder};
use values::numeric::NumberFormat;

/// Bytes of a pixel or output channel that one step of the tiled convolution multiplies.
const TILED_STEP_BYTES: usize = 64;
/// Bytes per row of a panel, and also rows per panel.
const PANEL_BYTES: usize = 128;
const PANEL_ROWS: usize = 64;

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

impl Constant {
    /// A constant for maps and weights in `format`.
    pub fn new(values: ConstantValues, format: NumberFormat) -> Self {
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
