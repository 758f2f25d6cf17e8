//! The fused variant: one step for every convolution, everything else folded into it; `chain` makes one
//! launch of several steps.

use super::{
    Builder, ConvLaunch, CudaPlanError, Source, Taps, Target, conv::ConvShape,
    four_phase_flat_share,
};
use crate::{
    network::{ConvSpec, NORM_EPS, Tail},
    tensor::Shape,
};

/// The photo's levels are divided by this on the way in: exact in every precision, and raw sums stay
/// inside fp16's range. The first norm takes it out again, with its eps divided by the square.
pub(super) const PHOTO_DIVISOR: f32 = 256.0;
/// Largest kernel of the layers that read and make the picture: three colours of 9 columns fit a tile
/// of 32.
const MOST_PICTURE_KERNEL: usize = 9;

impl Builder<'_> {
    /// One step for every convolution.
    pub(super) fn plan_fused(
        &mut self,
        photo: (usize, usize),
        extended: (usize, usize),
    ) -> Result<(), CudaPlanError> {
        let convs = self.convs;
        let (mut h, mut w) = extended;
        let mut stream = None;
        let mut raw = None;
        for (id, conv) in convs.iter().enumerate() {
            let input = Shape::new(conv.in_channels, h, w);
            let opens_block = convs
                .get(id + 1)
                .is_some_and(|next| next.tail == Tail::NormAdd);
            let keep = opens_block.then(|| self.map(input));
            let source = match raw {
                None => Source::Photo,
                Some(map) => {
                    self.reads(map);
                    let before = id - 1;
                    let skip = stream.filter(|_| convs[before].tail == Tail::NormAdd);
                    if let Some(skip) = skip {
                        self.reads(skip);
                    }
                    Source::Normalised {
                        map,
                        conv: before,
                        relu: convs[before].tail == Tail::NormRelu,
                        skip,
                        keep,
                    }
                }
            };
            stream = keep.or(stream);
            (h, w) = conv.output_size(h, w);
            let target = if conv.tail == Tail::Picture {
                Target::Picture
            } else {
                let map = self.map(Shape::new(conv.out_channels, h, w));
                raw = Some(map);
                Target::Map(map)
            };
            let output = match target {
                Target::Map(_) => (h, w),
                Target::Picture => photo,
            };
            let launch = self.fused_conv(
                id,
                conv,
                (input.height, input.width),
                output,
                source,
                target,
            )?;
            self.conv_step(launch, input);
        }
        Ok(())
    }

    /// The launch of one convolution of the fused variant.
    pub(super) fn fused_conv(
        &self,
        id: usize,
        conv: &ConvSpec,
        input: (usize, usize),
        output: (usize, usize),
        source: Source,
        target: Target,
    ) -> Result<ConvLaunch, CudaPlanError> {
        let k = conv.kernel;
        let picture = target == Target::Picture;
        let photo = source == Source::Photo;
        if (picture || photo) && k > MOST_PICTURE_KERNEL {
            return Err(CudaPlanError::Kernel {
                layer: conv.name.clone(),
                kernel: k,
                most: MOST_PICTURE_KERNEL,
            });
        }
        let four_phase = conv.upsample && k == 3;
        let (taps, tap_grid, phases) = match () {
            () if photo => (self.photo_taps(), (k, 1), 1),
            () if picture => (Taps::ShiftedColumns, (k, 1), 1),
            () if four_phase => (Taps::FourPhase, (2, 2), 4),
            () => (Taps::Direct, (k, k), 1),
        };
        let grid = if four_phase { input } else { output };
        let shape = ConvShape {
            taps,
            tap_grid,
            phases,
            stride: conv.stride,
            origin: if four_phase { 1 } else { conv.padding() },
            grid,
            bias: false,
        };
        let mut launch = self.conv_launch(id, conv, shape, source, target)?;
        launch.replicate = four_phase;
        if four_phase {
            launch.flat_share = four_phase_flat_share(self.precision);
        }
        launch.upsample = conv.upsample && !four_phase;
        if photo {
            launch.photo_scale = 1.0 / PHOTO_DIVISOR;
            launch.eps = (NORM_EPS / f64::from(PHOTO_DIVISOR * PHOTO_DIVISOR)) as f32;
        }
        Ok(launch)
    }
}
