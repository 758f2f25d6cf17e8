//! Chooses the launch of a convolution: tile, grid, shared memory, weights, cost. The tables of tiles and their memory
//! are in `tiles`. The choice among Hopper's tiles is in `conv_wgmma`.

use super::{
    Builder, Chunking, ConvLaunch, CudaOp, CudaPlanError, CudaPlanResult, CudaStep, FLAT_SHARE,
    Fixed, MAX_PARTS, MainLoop, SmemLayout, Source, Taps, Target, Tile, block_bytes, block_steps,
    chain::MAX_CHAINED_OF_GROUP, chunking, merge_groups, precision::map_precision, product_columns,
    resident_at_once, resident_ctas, ring_stages, stage_bytes, static_bytes, step_channels,
    step_products, stored_channels, sums_gap,
};
use crate::ConvLayer;
use values::{
    mode::Precision,
    numeric::{NumberFormat, NumericFormat},
    tensor::Shape,
};

/// The shape of a convolution as a variant runs it.
pub struct ConvShape {
    pub taps: Taps,
    pub tap_grid: (usize, usize),
    pub phases: usize,
    pub stride: usize,
    pub origin: isize,
    /// Rows and columns that are computed, for each phase.
    pub grid: (usize, usize),
    /// A bias is added even if the output is not the picture.
    pub bias: bool,
    /// No statistics are collected over the map. If so, its channels may be divided among any number of CTAs.
    pub is_free: bool,
    /// Format of the operands.
    pub operand: NumberFormat,
}

impl ConvShape {
    /// Tiles down and across.
    pub fn tiles(&self, tile: Tile, kernel: usize) -> (usize, usize) {
        let columns = match self.taps {
            Taps::ShiftedColumns => tile.columns + 1 - kernel,
            _ => tile.columns,
        };
        (self.grid.0.div_ceil(tile.rows()), self.grid.1.div_ceil(columns))
    }

    /// Rows and columns of the input that a tile reads.
    pub fn input_tile(&self, tile: Tile) -> (usize, usize) {
        let reach = usize::from(self.phases == 4);
        let span = |tiles: usize, taps: usize| (tiles - 1) * self.stride + taps + reach;
        (span(tile.rows(), self.tap_grid.0), span(tile.columns, self.tap_grid.1))
    }

    /// Bytes of the picture's sums, which replace the input tile in shared memory.
    pub const fn sums_bytes(&self, tile: Tile, main_loop: MainLoop) -> usize {
        match self.taps {
            Taps::ShiftedColumns => {
                let columns = tile.columns + sums_gap(main_loop);
                4 * tile.rows() * 3 * self.tap_grid.0 * columns
            }
            _ => 0,
        }
    }
}

/// How a layer fits the device.
pub struct Fit {
    pub main_loop: MainLoop,
    pub tile: Tile,
    pub input_tile: (usize, usize),
    pub chunking: Chunking,
    pub ring_stages: usize,
}

/// Maximum number of CTAs in a group whose statistics are merged in order, if the CTAs exchange their statistics. A
/// lane reads this many at once.
const MAX_POLLED_OF_GROUP: usize = 9;
/// Maximum number of CTAs that then wait for the statistics of all others, per image and tile of channels.
const MERGING_CTAS: usize = 32;
/// Maximum number of launches that streams or programs may run at the same time. Together, their waiting CTAs never
/// occupy the whole device, so all CTAs that they wait for can run. This program itself paints in one stream.
const LAUNCHES_AT_ONCE: usize = 3;

impl ConvLaunch {
    /// Prefix of the names of its file and entry point.
    const fn family(&self) -> &'static str {
        match self.main_loop {
            MainLoop::Wgmma => "wgmma",
            MainLoop::Fma | MainLoop::Mma => "conv",
        }
    }

    /// Name of the kernel's entry point, without its precision.
    fn entry(&self, format: NumericFormat) -> String {
        let family = self.family();
        let kind = match (self.source, self.target) {
            (Source::Photo, _) => "photo_",
            (_, Target::Picture) if self.taps == Taps::ShiftedColumns => "picture_",
            _ => "",
        };
        // If registers limit a multiprocessor to one CTA, the only entry is the one for both cases. With two-byte
        // operands, the other entry keeps more loads in flight.
        let one_for_both = self.main_loop != MainLoop::Wgmma
            && self.tile == Tile::WIDE
            && format.storage == NumberFormat::Fp32;
        let chunked = if self.chunking.chunks > 1 || one_for_both { "_chunked" } else { "" };
        let Tile { pixels, channels, pieces, .. } = self.tile;
        match pieces {
            1 => format!("{family}_{kind}{pixels}x{channels}{chunked}"),
            _ => format!("{family}_{pieces}x{}x{channels}", pixels / pieces),
        }
    }

    /// How Hopper's main loop iterates over the input tile.
    pub const fn smem_layout(&self) -> SmemLayout {
        match self.taps {
            Taps::PhotoColumns => {
                let pitch = self.chunking.pitch;
                SmemLayout::over_photo(pitch, self.chunking.tile_bytes / self.input_tile.0 / pitch)
            }
            _ => {
                // Two planes of 16-bit values become one plane of bytes.
                let planes = match self.operand {
                    NumberFormat::Int8 => 2,
                    _ => 1,
                };
                let mut layout = SmemLayout::over_planes(
                    planes * self.chunking.pitch,
                    self.input_tile.1,
                    self.tile.columns,
                    self.stride,
                );
                layout.tile *= self.taps.rows_together(self.main_loop);
                if self.tile.pieces > 1 {
                    // Each product covers one piece.
                    layout.tile = self.input_tile.0 / self.tile.pieces * layout.row;
                }
                layout
            }
        }
    }

    /// Where in the input tile each step of a phase starts for Hopper's main loop, in units of 16 bytes. The order is
    /// tap after tap, each with all of its channels, repeated for each multiplication.
    pub fn smem_steps(&self) -> impl Iterator<Item = u32> {
        let layout = self.smem_layout();
        let (down, across) = self.taps.of_product(self.tap_grid, self.main_loop);
        let steps = self.chunking.channels / step_channels(self.operand);
        (0..self.steps()).map(move |product| {
            let (tap, step) = (product / steps % (down * across), product % steps);
            let bytes = tap / across * layout.row + layout.tap(tap % across) + step * layout.step;
            (bytes / 16) as u32
        })
    }

    /// Steps of the main loop for one chunk of channels.
    pub fn steps(&self) -> usize {
        let (down, across) = self.taps.of_product(self.tap_grid, self.main_loop);
        let steps = self.chunking.channels / step_channels(self.operand);
        down * across * steps * step_products(self.operand)
    }

    /// Columns of a CTA's products, for which weights are packed.
    pub const fn product_columns(&self) -> usize {
        product_columns(self.taps, self.tile)
    }

    /// Steps whose weights form one block.
    pub const fn block_steps(&self) -> usize {
        block_steps(self.taps, self.tile, self.main_loop)
    }

    /// Blocks of weights for one chunk of channels.
    pub fn blocks(&self) -> usize {
        self.steps().div_ceil(self.block_steps())
    }

    /// Bytes of the packed weights. Weights of bytes are followed by two words for each output channel.
    pub fn weight_bytes(&self) -> usize {
        let blocks = self.ctas.1 * self.phases * self.chunking.chunks * self.blocks();
        let factors = match self.operand {
            NumberFormat::Int8 => 8 * self.ctas.1 * self.tile.channels,
            _ => 0,
        };
        blocks * block_bytes(self.block_steps(), self.product_columns(), self.operand) + factors
    }

    /// True if its CTAs may exchange their statistics, given that `resident` of them fit on the device at once. Some of
    /// them wait for all others.
    pub(super) fn may_poll(&self, batch: usize, resident: usize) -> bool {
        let max_of_group =
            if self.takes_chains() { MAX_CHAINED_OF_GROUP } else { MAX_POLLED_OF_GROUP };
        let planes = batch * self.ctas.1;
        self.statistics
            && matches!(self.main_loop, MainLoop::Wgmma)
            && self.ctas.0 <= max_of_group * MAX_PARTS
            && planes * self.ctas.0 <= resident
            && LAUNCHES_AT_ONCE * planes * self.ctas.0.min(MERGING_CTAS) < resident
    }

    /// Words through which CTAs exchange the statistics of `frames` frames: sixteen bytes for each channel of each CTA.
    pub(super) const fn polled_words(&self, frames: usize) -> usize {
        4 * frames * self.ctas.1 * self.ctas.0 * self.tile.channels
    }

    /// CTAs per multiprocessor for which the kernel was compiled (its launch bounds).
    fn resident_by_registers(&self) -> usize {
        let wide = self.tile.channels == 128;
        let plain = matches!(self.taps, Taps::Direct | Taps::FourPhase);
        if wide || self.chunking.chunks > 1 || (self.operand == NumberFormat::Fp32 && plain) {
            1
        } else {
            2
        }
    }
}

impl Builder<'_> {
    /// The launch of a convolution, without the parts that only some variants fold in.
    pub fn conv_launch(
        &self,
        id: usize,
        conv: &ConvLayer,
        shape: ConvShape,
        source: Source,
        target: Target,
    ) -> CudaPlanResult<ConvLaunch> {
        let Fit { main_loop, tile, input_tile, chunking, ring_stages } =
            self.fitting(conv, &shape).ok_or_else(|| CudaPlanError::Layer {
                layer: conv.name.clone(),
                kernel: conv.kernel,
                channels: conv.in_channels,
            })?;
        let tiles = shape.tiles(tile, conv.kernel);
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
            main_loop,
            operand: shape.operand,
            chunking,
            ring_stages,
            input_tile,
            stride: shape.stride,
            origin: shape.origin,
            replicate: false,
            upsample: false,
            backwards: false,
            turned: false,
            split: 0,
            bias: shape.bias || shape.taps == Taps::ShiftedColumns,
            bias_scale: 1.0,
            grid: shape.grid,
            tiles,
            ctas: (1, channel_tiles),
            source,
            target,
            statistics: matches!(target, Target::Map(_)),
            polls: false,
            eps: conv.norm_eps as f32,
            flat_share: FLAT_SHARE,
            photo_scale: 1.0,
            out_relu: false,
            is_general: false,
        };
        let resident = resident_at_once(
            chunking.shared_bytes + static_bytes(tile, main_loop),
            launch.resident_by_registers(),
            self.limits,
        );
        let tiles = tiles.0 * tiles.1;
        if shape.phases == 4 && main_loop == MainLoop::Wgmma && !launch.takes_chains() {
            // If there are few tiles, more CTAs leave less work to each. A batch uses the same number of CTAs as a
            // single frame. Otherwise its statistics would be merged in another order.
            let fits = |&split: &usize| (launch.ctas.1 * tiles) << split <= resident;
            launch.split = [2, 1].into_iter().find(fits).unwrap_or(0);
        }
        launch.ctas.0 = match launch.split {
            0 if tile.pieces > 1 => tiles.div_ceil(tile.pieces),
            0 => resident_ctas(tiles, resident, self.limits),
            split => tiles << split,
        };
        launch.polls = launch.may_poll(self.batch, resident);
        Ok(launch)
    }

    /// A tile that fits the device: one of Hopper's if possible, otherwise the preferred tile if all channels fit in
    /// shared memory at once, otherwise one that processes the channels in chunks.
    pub fn fitting(&self, conv: &ConvLayer, shape: &ConvShape) -> Option<Fit> {
        let main_loop = MainLoop::of(shape.operand, self.limits);
        let is_hopper = main_loop == MainLoop::Wgmma;
        if is_hopper
            && let Some(fit) = self
                .wgmma_tiles(conv, shape)
                .into_iter()
                .find_map(|tile| self.fitting_wgmma(conv, shape, tile))
        {
            return Some(fit);
        }
        if shape.operand == NumberFormat::Fp16x2
            || (is_hopper && shape.operand == NumberFormat::Int8)
        {
            // No other loop multiplies sums of two halves, and on Hopper no other loop multiplies bytes.
            return None;
        }
        let main_loop = if is_hopper { MainLoop::Mma } else { main_loop };
        let fit = |tile| self.fit(conv, shape, tile, main_loop);
        let at_once = |tile| fit(tile).filter(|f| f.chunking.chunks == 1);
        match shape.taps {
            _ if shape.operand == NumberFormat::Int8 => {
                at_once(Tile::for_channels(conv.out_channels, main_loop))
            }
            Taps::PhotoRows => at_once(Tile::photo(main_loop)),
            Taps::ShiftedColumns => fit(Tile::picture(main_loop)),
            Taps::PhotoColumns => None,
            // Hopper has no other loops for these.
            Taps::Direct | Taps::FourPhase if is_hopper => fit(Tile::WIDE),
            Taps::Direct | Taps::FourPhase => {
                let preferred = Tile::for_channels(conv.out_channels, main_loop);
                let is_halved = preferred == Tile::WIDE && self.halves_pay(conv, shape);
                let first = if is_halved { Tile::MIDDLE } else { preferred };
                [first, preferred, Tile::MIDDLE]
                    .into_iter()
                    .find_map(at_once)
                    .or_else(|| fit(Tile::WIDE))
                    .or_else(|| fit(Tile::MIDDLE).filter(|_| shape.operand == NumberFormat::Fp32))
            }
        }
    }

    /// True if a layer is faster in tiles of half the channels, because they fill multiprocessors that would be idle
    /// and need no additional round of CTAs. Only in exact fp32, where a multiprocessor holds one CTA. Three rounds of
    /// half tiles instead of two were slower, because a half tile takes more than two thirds of the time of a whole
    /// tile.
    fn halves_pay(&self, conv: &ConvLayer, shape: &ConvShape) -> bool {
        let rounds = |tile| self.rounds(conv, shape, tile);
        shape.operand == NumberFormat::Fp32 && rounds(Tile::MIDDLE) <= rounds(Tile::WIDE)
    }

    /// Number of tiles that the busiest multiprocessor computes one after another.
    pub fn rounds(&self, conv: &ConvLayer, shape: &ConvShape, tile: Tile) -> usize {
        let (down, across) = shape.tiles(tile, conv.kernel);
        let channel_tiles = stored_channels(conv.out_channels).div_ceil(tile.channels);
        let ctas = (down * across).div_ceil(tile.pieces) * channel_tiles;
        ctas.div_ceil(self.limits.multiprocessors)
    }

    /// A tile for the loops that process channels pixel by pixel.
    fn fit(
        &self,
        conv: &ConvLayer,
        shape: &ConvShape,
        tile: Tile,
        main_loop: MainLoop,
    ) -> Option<Fit> {
        let in_channels = match shape.taps {
            Taps::PhotoRows => stored_channels(3 * conv.kernel),
            _ => stored_channels(conv.in_channels),
        };
        let input_tile = shape.input_tile(tile);
        let stages = ring_stages(self.limits);
        let steps = block_steps(shape.taps, tile, main_loop);
        let staged_bytes = match shape.taps {
            Taps::PhotoRows => 4 * input_tile.0 * (input_tile.1 + conv.kernel - 1),
            _ => 0,
        };
        let chunking = chunking(
            in_channels,
            input_tile.0 * input_tile.1,
            self.gathered(shape.operand),
            Fixed {
                min_tile_bytes: shape.sums_bytes(tile, main_loop),
                beside_bytes: stages * stage_bytes(steps, tile, shape.operand, main_loop)
                    + staged_bytes,
                static_bytes: static_bytes(tile, main_loop),
            },
            self.limits,
        )?;
        Some(Fit { main_loop, tile, input_tile, chunking, ring_stages: stages })
    }

    /// The format to which a tile's values are rounded in shared memory. Bytes are then computed from it in place.
    pub const fn gathered(&self, operand: NumberFormat) -> NumberFormat {
        match operand {
            NumberFormat::Int8 => self.format.storage,
            operand => operand,
        }
    }

    /// Appends the launch of a convolution that reads `input`.
    pub fn conv_step(&mut self, launch: ConvLaunch, input: Shape) {
        let conv = &self.convs[launch.conv];
        let scale = if launch.phases == 4 { 2 } else { 1 };
        let (height, width) = (launch.grid.0 * scale, launch.grid.1 * scale);
        let output = Shape::new(conv.out_channels, height, width);
        let weight_bytes = launch.weight_bytes();
        let value = self.format.storage.bytes();
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
            let planes = self.batch * launch.ctas.1;
            let (ctas, channels) = (launch.ctas.0, launch.tile.channels);
            if launch.polls {
                self.tickets = self.tickets.max(launch.polled_words(self.batch));
            } else {
                let groups = merge_groups(ctas);
                self.tickets = self.tickets.max(planes * (groups + 1));
                self.partial_values =
                    (self.partial_values).max(planes * (ctas + groups) * 3 * channels);
            }
        }
        self.weight_bytes[launch.conv] = weight_bytes;
        let precision = match launch.operand {
            NumberFormat::Int8 => Precision::Int8,
            _ => map_precision(self.mode.precision),
        };
        let file = format!("{}_{precision}", launch.family());
        self.steps.push(CudaStep {
            layer: conv.name.clone(),
            entry: format!("{}_{precision}", launch.entry(self.format)),
            file,
            grid: (launch.ctas.0 as u32, launch.ctas.1 as u32, self.batch as u32),
            block: launch.threads(),
            shared_bytes: launch.chunking.shared_bytes as u32,
            flops: self.batch as u64 * conv.flops(height, width),
            bytes: (self.batch * (read + written) + weight_bytes) as u64,
            op: CudaOp::Conv(launch),
        });
    }
}
