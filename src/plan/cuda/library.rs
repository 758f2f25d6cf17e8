//! Convolutions that are left to a library: what it is asked for, and in which layout.
//!
//! Knows no library and no version. The library computes a plain convolution over a map that is
//! already padded; padding, bias and norm stay launches of their own, as a framework runs them.

use super::{Builder, CHANNEL_ALIGNMENT, ConvId, CudaOp, CudaStep, MapId, stored_channels};
use crate::{
    mode::{Mode, Variant},
    numeric::{NumberFormat, NumericFormat},
    plan::ConvLayer,
};

/// Most working memory of a convolution beyond one more copy of its input, weights and output, in
/// bytes: algorithms that reorder a map need those, and a little.
const SPARE_WORKSPACE_BYTES: usize = 16 << 20;

/// Whether a mode leaves its convolutions to a library where there is one.
///
/// `fused` folds everything into its own kernels. No library multiplies narrower numbers than those that
/// are stored, as `mixed` does.
pub const fn leaves_convolutions(mode: Mode) -> bool {
    let format = mode.precision.format();
    !matches!(mode.variant, Variant::Fused) && format.operand.bytes() == format.storage.bytes()
}

/// A convolution without padding over channels-last maps: filters are (output channel, row, column,
/// input channel), all channels as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvolutionShape {
    /// Images.
    pub batch: usize,
    /// Rows of the padded input, in pixels.
    pub height: usize,
    /// Columns of the padded input, in pixels.
    pub width: usize,
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Side of the kernel, in pixels.
    pub kernel: usize,
    /// Pixels from output to output.
    pub stride: usize,
    /// How values are stored, multiplied and added up.
    pub format: NumericFormat,
}

impl ConvolutionShape {
    /// Rows and columns of the output, in pixels.
    pub const fn output_size(&self) -> (usize, usize) {
        (
            (self.height - self.kernel) / self.stride + 1,
            (self.width - self.kernel) / self.stride + 1,
        )
    }

    const fn value_bytes(&self) -> usize {
        self.format.storage.bytes()
    }

    /// Bytes of the input.
    pub const fn input_bytes(&self) -> usize {
        self.batch * self.height * self.width * self.in_channels * self.value_bytes()
    }

    /// Bytes of the filters.
    pub const fn weight_bytes(&self) -> usize {
        self.out_channels * self.kernel * self.kernel * self.in_channels * self.value_bytes()
    }

    /// Bytes of the output.
    pub const fn output_bytes(&self) -> usize {
        let (height, width) = self.output_size();
        self.batch * height * width * self.out_channels * self.value_bytes()
    }

    /// Most working memory that an algorithm may take, in bytes.
    pub const fn most_workspace_bytes(&self) -> usize {
        self.input_bytes() + self.weight_bytes() + self.output_bytes() + SPARE_WORKSPACE_BYTES
    }
}

/// One convolution by the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LibraryConv {
    /// Whose weights.
    pub conv: ConvId,
    /// Padded input.
    pub from: MapId,
    /// Output, without bias.
    pub to: MapId,
    /// What the library is asked for.
    pub shape: ConvolutionShape,
}

/// Channels as stored of the photo's levels where a library reads them: padded as little as a load of
/// whole words allows. bfloat16 stays at 16 bytes a pixel, where libraries have more algorithms.
pub(super) const fn photo_channels(format: NumericFormat) -> usize {
    match format.storage {
        NumberFormat::Bf16 => 8,
        _ => 4,
    }
}

/// Channels as stored of the map that the picture is made of, where a library writes it: tensor cores
/// take 8, the plain fp32 algorithms are fast from 16 on.
pub(super) const fn picture_channels(format: NumericFormat) -> usize {
    match format.operand {
        NumberFormat::Fp32 => CHANNEL_ALIGNMENT,
        _ => 8,
    }
}

impl Builder<'_> {
    /// Channels as stored of a convolution's output.
    pub(super) fn output_channels(&self, conv: &ConvLayer) -> usize {
        match self.library {
            Some(_) if conv.makes_picture => picture_channels(self.format),
            _ => stored_channels(conv.out_channels),
        }
    }

    /// Appends a convolution by the library over the padded map `from`, and its bias.
    pub(super) fn library_conv(
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
            op: CudaOp::LibraryConv(LibraryConv {
                conv: id,
                from,
                to,
                shape,
            }),
        });
        self.reads(to);
        let grid = self.pack_grid(to);
        let len = output.shape.len();
        let op = CudaOp::Bias {
            conv: id,
            map: to,
            scale: bias_scale,
        };
        self.plain_step(&conv.name, "bias", op, grid, len, len);
    }
}
