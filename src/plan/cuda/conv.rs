//! From a convolution's shape to its launch: tile, grid, shared memory, weights, cost.

use super::{
    Builder, CONV_THREADS, Chunking, ConvLaunch, CudaOp, CudaPlanError, CudaStep, Fixed, Source,
    Storage, Taps, Target, Tile, block_bytes, chunking, resident_ctas, statistics_bytes,
    step_channels, stored_channels,
};
use crate::{
    mode::Precision,
    network::{ConvSpec, NORM_EPS},
    tensor::Shape,
};

/// What a variant decides about a convolution.
pub(super) struct ConvShape {
    pub(super) taps: Taps,
    pub(super) tap_grid: (usize, usize),
    pub(super) phases: usize,
    pub(super) stride: usize,
    pub(super) origin: usize,
    /// Positions that are computed, a phase each.
    pub(super) grid: (usize, usize),
}

impl ConvLaunch {
    /// Name of the kernel's entry, without its precision.
    fn entry(&self, precision: Precision) -> String {
        let kind = match (self.source, self.target) {
            (Source::Photo, _) => "photo_",
            (_, Target::Picture) if self.taps == Taps::ShiftedColumns => "picture_",
            _ => "",
        };
        // Where registers let a multiprocessor hold one CTA anyway, the entry that can do both is the
        // only one; in two bytes the other one has more loads in flight.
        let one_for_both = self.tile == Tile::WIDE && Storage::of(precision) == Storage::F32;
        let chunked = if self.chunking.chunks > 1 || one_for_both {
            "_chunked"
        } else {
            ""
        };
        format!(
            "conv_{kind}{}x{}{chunked}",
            self.tile.pixels, self.tile.channels
        )
    }

    /// Steps of the main loop for one chunk of channels.
    pub fn steps(&self, precision: Precision) -> usize {
        self.tap_grid.0 * self.tap_grid.1 * (self.chunking.channels / step_channels(precision))
    }

    /// Blocks of weights for one chunk of channels: two steps each.
    pub fn blocks(&self, precision: Precision) -> usize {
        self.steps(precision).div_ceil(2)
    }

    /// Bytes of the packed weights.
    pub fn weight_bytes(&self, precision: Precision) -> usize {
        let blocks = self.ctas.1 * self.phases * self.chunking.chunks * self.blocks(precision);
        blocks * block_bytes(self.tile, precision)
    }

    /// CTAs that the kernel was compiled to let a multiprocessor hold (its launch bounds).
    fn resident_by_registers(&self, precision: Precision) -> usize {
        let wide = self.tile.channels == 128;
        let plain = matches!(self.taps, Taps::Direct | Taps::FourPhase);
        if wide || self.chunking.chunks > 1 || (precision == Precision::Fp32 && plain) {
            1
        } else {
            2
        }
    }
}

impl Builder<'_> {
    /// The launch of a convolution; what only some variants fold in is left out.
    pub(super) fn conv_launch(
        &self,
        id: usize,
        conv: &ConvSpec,
        shape: ConvShape,
        source: Source,
        target: Target,
    ) -> Result<ConvLaunch, CudaPlanError> {
        let preferred = match shape.taps {
            Taps::PhotoRows => Tile::PHOTO,
            Taps::ShiftedColumns => Tile::PICTURE,
            Taps::Direct | Taps::FourPhase => Tile::for_channels(conv.out_channels),
        };
        let (tile, input_tile, chunking) =
            self.fitting(conv, &shape, preferred)
                .ok_or_else(|| CudaPlanError::Layer {
                    layer: conv.name.clone(),
                    kernel: conv.kernel,
                    channels: conv.in_channels,
                })?;
        let block_columns = match shape.taps {
            Taps::ShiftedColumns => tile.columns + 1 - conv.kernel,
            _ => tile.columns,
        };
        let tiles = (
            shape.grid.0.div_ceil(tile.rows()),
            shape.grid.1.div_ceil(block_columns),
        );
        let channel_tiles = match shape.taps {
            Taps::ShiftedColumns => 1,
            _ => stored_channels(conv.out_channels).div_ceil(tile.channels),
        };
        let mut launch = ConvLaunch {
            conv: id,
            tile,
            taps: shape.taps,
            tap_grid: shape.tap_grid,
            phases: shape.phases,
            chunking,
            input_tile,
            stride: shape.stride,
            origin: shape.origin,
            replicate: false,
            upsample: false,
            bias: shape.taps == Taps::ShiftedColumns,
            bias_scale: 1.0,
            grid: shape.grid,
            tiles,
            ctas: (1, channel_tiles),
            source,
            target,
            statistics: matches!(target, Target::Map(_)),
            eps: NORM_EPS as f32,
            photo_scale: 1.0,
        };
        launch.ctas.0 = resident_ctas(
            tiles.0 * tiles.1,
            chunking.shared_bytes + statistics_bytes(tile, self.precision),
            launch.resident_by_registers(self.precision),
            self.limits,
        );
        Ok(launch)
    }

    /// A tile with its input tile and chunks: the preferred one if the channels fit at once, else one
    /// that takes them in turn.
    fn fitting(
        &self,
        conv: &ConvSpec,
        shape: &ConvShape,
        preferred: Tile,
    ) -> Option<(Tile, (usize, usize), Chunking)> {
        let in_channels = match shape.taps {
            Taps::PhotoRows => stored_channels(3 * conv.kernel),
            _ => stored_channels(conv.in_channels),
        };
        let reach = usize::from(shape.phases == 4);
        let fit = |tile: Tile| {
            let span = |tiles: usize, taps: usize| (tiles - 1) * shape.stride + taps + reach;
            let input_tile = (
                span(tile.rows(), shape.tap_grid.0),
                span(tile.columns, shape.tap_grid.1),
            );
            let fixed = match shape.taps {
                Taps::PhotoRows => Fixed {
                    staged_words: input_tile.0 * (input_tile.1 + conv.kernel - 1),
                    ..Fixed::default()
                },
                Taps::ShiftedColumns => Fixed {
                    least_tile_bytes: 4 * tile.pixels * (tile.channels + 1),
                    ..Fixed::default()
                },
                Taps::Direct | Taps::FourPhase => Fixed::default(),
            };
            let pixels = input_tile.0 * input_tile.1;
            let chunking = chunking(
                in_channels,
                pixels,
                tile,
                self.precision,
                fixed,
                self.limits,
            )?;
            Some((tile, input_tile, chunking))
        };
        let at_once = |tile: Tile| fit(tile).filter(|(_, _, c)| c.chunks == 1);
        match shape.taps {
            Taps::PhotoRows => at_once(preferred),
            Taps::ShiftedColumns => fit(preferred),
            Taps::Direct | Taps::FourPhase => at_once(preferred)
                .or_else(|| at_once(Tile::MIDDLE))
                .or_else(|| fit(Tile::WIDE))
                .or_else(|| fit(Tile::MIDDLE).filter(|_| self.precision == Precision::Fp32)),
        }
    }

    /// Appends the launch of a convolution that reads `input`.
    pub(super) fn conv_step(&mut self, launch: ConvLaunch, input: Shape) {
        let conv = &self.convs[launch.conv];
        let scale = if launch.phases == 4 { 2 } else { 1 };
        let (height, width) = (launch.grid.0 * scale, launch.grid.1 * scale);
        let output = Shape::new(conv.out_channels, height, width);
        let weight_bytes = launch.weight_bytes(self.precision);
        let value = Storage::of(self.precision).bytes();
        let picture_bytes = |s: Shape| 4 * s.height * s.width;
        let (mut read, mut written) = (value * input.len(), value * output.len());
        match launch.source {
            Source::Photo => read = picture_bytes(input),
            Source::Normalised { skip, keep, .. } => {
                read += skip.map_or(0, |_| value * input.len());
                written += keep.map_or(0, |_| value * input.len());
            }
            Source::Map(_) => {}
        }
        if launch.target == Target::Picture {
            written = picture_bytes(output);
        }
        if launch.statistics {
            let groups = self.batch * launch.ctas.1;
            self.tickets = self.tickets.max(groups);
            self.partial_values = self
                .partial_values
                .max(groups * launch.ctas.0 * 3 * launch.tile.channels);
        }
        self.weight_bytes[launch.conv] = weight_bytes;
        let file = format!("conv_{}", self.precision);
        self.steps.push(CudaStep {
            layer: conv.name.clone(),
            entry: format!("{}_{}", launch.entry(self.precision), self.precision),
            file,
            grid: (
                launch.ctas.0 as u32,
                launch.ctas.1 as u32,
                self.batch as u32,
            ),
            block: CONV_THREADS,
            shared_bytes: launch.chunking.shared_bytes as u32,
            flops: self.batch as u64 * conv.flops(height, width),
            bytes: (self.batch * (read + written) + weight_bytes) as u64,
            op: CudaOp::Conv(launch),
        });
    }
}
