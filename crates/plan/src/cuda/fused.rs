//! The fused variant: one step for every convolution, with everything else folded into it. `chain` combines several
//! steps into one launch.

use super::{
    BLOCK_ROW_BYTES, Builder, ConvLaunch, CudaPlanError, CudaPlanResult, MainLoop, MapId, Source,
    Taps, Target, Tile, conv::ConvShape, four_phase_flat_share,
};
use crate::{ConvLayer, Grouped};
use network::graph::Class;
use values::{mode::Precision, numeric::NumberFormat};

/// The photo's levels are divided by this when they are loaded. The division is exact in every precision, and raw sums
/// stay within fp16's range. The first norm cancels the factor; its eps is divided by the square.
pub const PHOTO_DIVISOR: f32 = 256.0;
/// Largest kernel of the layers that read the photo or make the picture: three colours of 9 columns fit a tile of 32.
const MAX_PICTURE_KERNEL: usize = 9;

impl Builder<'_> {
    /// Plans one step for every convolution.
    pub fn plan_fused(&mut self, grouped: &Grouped<'_>, photo: (usize, usize)) -> CudaPlanResult {
        let mut kept: Vec<Option<MapId>> = vec![None; grouped.nodes.shapes.len()];
        for group in &grouped.groups {
            let no_kernel = || grouped.nodes.no_kernel(group.op);
            let id = grouped.conv_id(group.op).ok_or_else(no_kernel)?;
            let source = grouped.source(group, &mut kept, |shape| self.map(shape));
            let (source, loaded) = source.ok_or_else(no_kernel)?;
            source.maps().for_each(|map| self.reads(map));
            let input = grouped.nodes.shapes[loaded];
            let shape = grouped.nodes.shapes[group.op];
            let makes_picture =
                (group.epilogue.iter()).any(|&id| grouped.nodes.op(id).class() == Class::Output);
            let (target, output) = if makes_picture {
                (Target::Picture, photo)
            } else {
                let map = self.map(shape);
                kept[group.op] = Some(map);
                (Target::Map(map), (shape.height, shape.width))
            };
            let conv = &self.convs[id];
            let size = (input.height, input.width);
            let launch = self.fused_conv(id, conv, (size, output), source, target, false)?;
            self.conv_step(launch, input);
        }
        Ok(())
    }

    /// The operand format of a layer. In int8, layers within residual blocks multiply bytes, because they have norms
    /// before and after, if there is a kernel for it.
    fn operand(
        &self,
        conv: &ConvLayer,
        shape: &ConvShape,
        source: Source,
        target: Target,
    ) -> NumberFormat {
        let in_bytes = ConvShape { operand: NumberFormat::Int8, ..*shape };
        let channels = conv.in_channels;
        let is_byte_layer = self.mode.precision == Precision::Int8
            && matches!(source, Source::Normalised { .. })
            && matches!(target, Target::Map(_))
            && (shape.taps, shape.stride, shape.bias) == (Taps::Direct, 1, false)
            && !conv.upsample
            && conv.out_channels == channels
            && channels > Tile::MIDDLE.channels
            && channels.is_multiple_of(BLOCK_ROW_BYTES)
            && self.fitting(conv, &in_bytes).is_some();
        if is_byte_layer { NumberFormat::Int8 } else { self.format.operand }
    }

    /// The launch of one convolution of the fused variant, from and to these numbers of rows and columns. It has either
    /// its own bias, or a following norm that would cancel the bias.
    pub fn fused_conv(
        &self,
        id: usize,
        conv: &ConvLayer,
        (input, output): ((usize, usize), (usize, usize)),
        source: Source,
        target: Target,
        bias: bool,
    ) -> CudaPlanResult<ConvLaunch> {
        let k = conv.kernel;
        let picture = target == Target::Picture;
        let photo = source == Source::Photo;
        if (picture || photo) && k > MAX_PICTURE_KERNEL {
            return Err(CudaPlanError::Kernel {
                layer: conv.name.clone(),
                kernel: k,
                most: MAX_PICTURE_KERNEL,
            });
        }
        let four_phase = conv.upsample && k == 3;
        let (taps, tap_grid, phases) = if photo {
            match MainLoop::of(self.format.operand, self.limits) {
                MainLoop::Wgmma => (Taps::PhotoColumns, (1, k), 1),
                MainLoop::Fma | MainLoop::Mma => (Taps::PhotoRows, (k, 1), 1),
            }
        } else if picture {
            (Taps::ShiftedColumns, (k, 1), 1)
        } else if four_phase {
            (Taps::FourPhase, (2, 2), 4)
        } else {
            (Taps::Direct, (k, k), 1)
        };
        let grid = if four_phase { input } else { output };
        let mut shape = ConvShape {
            taps,
            tap_grid,
            phases,
            stride: conv.stride,
            origin: if four_phase { 1 } else { conv.padding },
            grid,
            bias,
            is_free: bias,
            operand: self.format.operand,
        };
        shape.operand = self.operand(conv, &shape, source, target);
        let mut launch = self.conv_launch(id, conv, shape, source, target)?;
        launch.replicate = four_phase;
        if four_phase {
            launch.flat_share = four_phase_flat_share(self.format.storage);
        }
        launch.upsample = conv.upsample && !four_phase;
        if photo {
            launch.photo_scale = 1.0 / PHOTO_DIVISOR;
            launch.eps = (conv.norm_eps / f64::from(PHOTO_DIVISOR * PHOTO_DIVISOR)) as f32;
        }
        Ok(launch)
    }
}
