//! Convolutions that a library computes: their shapes and the layout of their maps.
//!
//! Knows no specific library or version. The library computes a plain convolution over a map that is already padded.
//! Padding, bias and norm remain separate launches, as in a framework.

use super::{
    Builder, CHANNEL_ALIGNMENT, ConvId, ConvolutionShape, CudaOp, CudaStep, LibraryConv, MapId,
    stored_channels,
};
use crate::ConvLayer;
use values::{
    mode::{Mode, Variant},
    numeric::{NumberFormat, NumericFormat},
};

/// True if a mode uses a library for its convolutions if there is one.
///
/// `fused` folds everything into its own kernels. In `mixed`, the products have fewer bits than the stored maps, which
/// no library supports.
pub const fn leaves_convolutions(mode: Mode) -> bool {
    let format = mode.precision.format();
    !matches!(mode.variant, Variant::Fused) && format.operand.bytes() == format.storage.bytes()
}

/// Stored channels of the photo's levels if a library reads them: the least padding for which whole words can be
/// loaded. bfloat16 keeps 16 bytes per pixel, for which libraries have more algorithms.
pub const fn photo_channels(format: NumericFormat) -> usize {
    match format.storage {
        NumberFormat::Bf16 => 8,
        _ => 4,
    }
}

/// Stored channels of the map from which the picture is made, if a library writes it. Tensor cores need 8 channels; the
/// plain fp32 algorithms are fast from 16.
pub const fn picture_channels(format: NumericFormat) -> usize {
    match format.operand {
        NumberFormat::Fp32 => CHANNEL_ALIGNMENT,
        _ => 8,
    }
}

impl Builder<'_> {
    /// Stored channels of a convolution's output.
    pub fn output_channels(&self, conv: &ConvLayer) -> usize {
        match self.library {
            Some(_) if conv.makes_picture => picture_channels(self.format),
            _ => stored_channels(conv.out_channels),
        }
    }

    /// Appends a convolution by the library over the padded map `from`, and its bias.
    pub fn library_conv(
        &mut self,
        library: &str,
        id: ConvId,
        (from, to): (MapId, MapId),
        bias_scale: f32,
    ) {
        let conv = &self.convs[id];
        let (input, output) = (self.maps[from], self.maps[to]);
        let shape = ConvolutionShape {
            batch: self.batch,
            height: input.shape.height,
            width: input.shape.width,
            in_channels: input.stored_channels,
            out_channels: output.stored_channels,
            kernel: conv.kernel,
            stride: conv.stride,
            format: self.format,
        };
        self.weight_bytes[id] = shape.weight_bytes();
        self.workspace_bytes = self.workspace_bytes.max(shape.most_workspace_bytes());
        let values = self.batch * (input.shape.len() + output.shape.len());
        self.reads(from);
        self.steps.push(CudaStep {
            layer: conv.name.clone(),
            file: String::new(),
            entry: format!("{library} convolution"),
            grid: (1, 1, 1),
            block: 1,
            shared_bytes: 0,
            flops: self.batch as u64 * conv.flops(output.shape.height, output.shape.width),
            bytes: (values * self.format.storage.bytes() + shape.weight_bytes()) as u64,
            op: CudaOp::LibraryConv(LibraryConv { conv: id, from, to, shape }),
        });
        self.reads(to);
        let grid = self.pack_grid(to);
        let len = output.shape.len();
        let op = CudaOp::Bias { conv: id, map: to, scale: bias_scale };
        self.plain_step(&conv.name, "bias", op, grid, len, len);
    }
}
