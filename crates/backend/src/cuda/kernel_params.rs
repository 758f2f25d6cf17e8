//! Builds the parameter block of a kernel from a step of the plan.

use super::{
    driver::DevicePtr,
    params::{KernelParams::*, *},
};
use network::graph::Op;
use plan::cuda::{
    ConvId, ConvLaunch, CudaOp, CudaPlan, FLAT_SHARE, MainLoop, MapId, MemoryLayout, Source, Taps,
    Target, merge_groups, stored_channels,
};

/// Converts a count to 32 bits, as the kernels need it. Plans have no more rows, columns or channels.
///
/// # Panics
/// If the number is larger, because a kernel would then access memory outside its maps.
pub fn int(value: usize) -> i32 {
    assert!(value <= i32::MAX as usize, "a kernel parameter of more than 31 bits");
    value as i32
}

/// Fills in where each step of a layer starts in the input tile.
pub fn fill_walk(walk: &mut [u32], launch: &ConvLaunch) {
    for (at, step) in walk.iter_mut().zip(launch.smem_steps()) {
        *at = step;
    }
}

/// Builds parameter blocks with the addresses of a session's memory.
pub struct ParamsMaker<'a> {
    pub plan: &'a CudaPlan,
    pub layout: &'a MemoryLayout,
    /// Start of the session's memory.
    pub memory: DevicePtr,
    /// The frame of the batch at which chains of convolutions start.
    pub first_frame: usize,
}

impl ParamsMaker<'_> {
    pub fn at(&self, offset: usize) -> u64 {
        self.memory.at(offset).0
    }

    pub fn map(&self, map: MapId) -> u64 {
        self.at(self.layout.arena + self.plan.maps[map].offset)
    }

    /// Address of the first frame's part of a map.
    fn map_of_frame(&self, map: MapId) -> u64 {
        self.map(map) + (self.plan.maps[map].bytes / self.plan.batch * self.first_frame) as u64
    }

    /// Address of the first frame's part of an array at `offset` that has a value for each stored channel of a
    /// convolution, frame after frame.
    fn of_channels(&self, offset: usize, conv: ConvId) -> u64 {
        let channels = stored_channels(self.plan.convs[conv].out_channels);
        self.at(offset + 4 * channels * self.first_frame)
    }

    pub fn map_or_null(&self, map: Option<MapId>) -> u64 {
        map.map_or(0, |id| self.map(id))
    }

    /// Rows, columns and stored channels of a map.
    pub fn size(&self, map: MapId) -> (i32, i32, i32) {
        let m = &self.plan.maps[map];
        (int(m.shape.height), int(m.shape.width), int(m.stored_channels))
    }

    /// Pixels and stored channels of a map.
    pub fn pixels(&self, map: MapId) -> (i32, i32) {
        let m = &self.plan.maps[map];
        (int(m.shape.height * m.shape.width), int(m.stored_channels))
    }

    /// The parameter block of a step's kernel; `None` for a step that a library runs.
    pub fn params(&self, op: &CudaOp) -> Option<KernelParams> {
        Some(match *op {
            CudaOp::Conv(ref launch) if launch.takes_chains() => {
                Chain(self.chain(0, &[launch], None))
            }
            CudaOp::Conv(ref launch) => Conv(self.conv(launch)),
            CudaOp::LibraryConv(_) => return None,
            CudaOp::Bias { conv, map, .. } => {
                let (height, width, channels) = self.size(map);
                Bias(BiasParams {
                    from: self.map(map),
                    to: self.map(map),
                    bias: self.at(self.layout.convs[conv].bias),
                    width,
                    height,
                    channels,
                })
            }
            CudaOp::LoadPhoto { to, scale } => {
                let (height, width, channels) = self.size(to);
                LoadPhoto(LoadPhotoParams {
                    photo: self.at(self.layout.photo),
                    map: self.map(to),
                    width,
                    height,
                    scale,
                    channels,
                })
            }
            CudaOp::Node { ref op, from, other, to } => self.node(op, from, other, to),
            CudaOp::Statistics { conv, map, strips, of_variance, finishes: true, eps } => {
                let (pixels, channels) = self.pixels(map);
                let memory = &self.layout.convs[conv];
                Finish(FinishParams {
                    sums: self.at(self.layout.partials),
                    result: self.at(if of_variance { memory.scale } else { memory.mean }),
                    mean: self.at(memory.mean),
                    pixels,
                    channels,
                    strips: int(strips.count),
                    eps,
                    flat_share: FLAT_SHARE,
                })
            }
            CudaOp::Statistics { conv, map, strips, .. } => {
                let (pixels, channels) = self.pixels(map);
                Partial(PartialParams {
                    map: self.map(map),
                    mean: self.at(self.layout.convs[conv].mean),
                    sums: self.at(self.layout.partials),
                    pixels,
                    channels,
                    strips: int(strips.count),
                    strip_pixels: int(strips.pixels),
                })
            }
            CudaOp::Normalise { conv, map } => {
                let (height, width, channels) = self.size(map);
                let memory = &self.layout.convs[conv];
                Normalise(NormaliseParams {
                    from: self.map(map),
                    to: self.map(map),
                    mean: self.at(memory.mean),
                    rstd: self.at(memory.scale),
                    width,
                    height,
                    channels,
                })
            }
            CudaOp::Affine { conv, map } => {
                let (height, width, channels) = self.size(map);
                let memory = &self.layout.convs[conv];
                Affine(AffineParams {
                    from: self.map(map),
                    to: self.map(map),
                    gamma: self.at(memory.gamma),
                    beta: self.at(memory.beta),
                    width,
                    height,
                    channels,
                })
            }
            CudaOp::NormStatistics { conv, map, strips, eps, .. } => {
                let (pixels, channels) = self.pixels(map);
                let memory = &self.layout.convs[conv];
                NormStatistics(NormStatisticsParams {
                    map: self.map(map),
                    moments: self.at(self.layout.partials),
                    tickets: self.at(self.layout.tickets),
                    gamma: self.at(memory.gamma),
                    scale: self.at(memory.scale),
                    mean: self.at(memory.mean),
                    pixels,
                    channels,
                    strips: int(strips.count),
                    strip_pixels: int(strips.pixels),
                    eps,
                })
            }
            CudaOp::NormApply { conv, map, residual, relu, strip_pixels } => {
                let (pixels, channels) = self.pixels(map);
                let memory = &self.layout.convs[conv];
                NormApply(NormApplyParams {
                    from: self.map(map),
                    residual: self.map_or_null(residual),
                    to: self.map(map),
                    scale: self.at(memory.scale),
                    mean: self.at(memory.mean),
                    beta: self.at(memory.beta),
                    pixels,
                    channels,
                    strip_pixels: int(strip_pixels),
                    relu: i32::from(relu),
                })
            }
            CudaOp::NormPlane { conv, map, residual, relu, group_packs, eps } => {
                let (pixels, channels) = self.pixels(map);
                let memory = &self.layout.convs[conv];
                NormPlane(NormPlaneParams {
                    from: self.map(map),
                    residual: self.map_or_null(residual),
                    to: self.map(map),
                    gamma: self.at(memory.gamma),
                    beta: self.at(memory.beta),
                    pixels,
                    channels,
                    group_packs: int(group_packs),
                    relu: i32::from(relu),
                    eps,
                })
            }
            CudaOp::StorePicture { from } => {
                let (map_height, map_width, channels) = self.size(from);
                StorePicture(StorePictureParams {
                    map: self.map(from),
                    photo: self.at(self.layout.photo),
                    picture: self.at(self.layout.painting),
                    map_width,
                    map_height,
                    channels,
                    width: int(self.plan.photo.1),
                    height: int(self.plan.photo.0),
                    photo_width: int(self.plan.extended.1),
                    photo_height: int(self.plan.extended.0),
                })
            }
            CudaOp::General(ref op) => self.general(op),
        })
    }

    /// The parameter block for a norm's statistics and their application in one launch.
    pub fn resident_norm(&self, statistics: &CudaOp, apply: &CudaOp) -> Option<NormResidentParams> {
        let (
            &CudaOp::NormStatistics { conv, map, resident: Some(resident), eps, .. },
            &CudaOp::NormApply { residual, relu, .. },
        ) = (statistics, apply)
        else {
            return None;
        };
        let (pixels, channels) = self.pixels(map);
        let memory = &self.layout.convs[conv];
        Some(NormResidentParams {
            from: self.map(map),
            residual: self.map_or_null(residual),
            to: self.map(map),
            gamma: self.at(memory.gamma),
            beta: self.at(memory.beta),
            moments: self.at(self.layout.partials),
            flags: self.at(self.layout.flags),
            pixels,
            channels,
            strips: int(resident.strips.count),
            strip_pixels: int(resident.strips.pixels),
            kept_pixels: int(resident.kept_pixels),
            flag_pitch: int(self.plan.flags_per_image()),
            relu: i32::from(relu),
            eps,
        })
    }

    /// The parameter block that writes the network's output before rounding instead of a step's picture.
    pub fn floats(&self, op: &CudaOp) -> Option<KernelParams> {
        match *op {
            CudaOp::Conv(ref launch) if launch.target == Target::Picture => {
                let output_floats = self.at(self.layout.floats);
                Some(Conv(ConvParams { output_floats, ..self.conv(launch) }))
            }
            CudaOp::StorePicture { from } => {
                let (map_height, map_width, channels) = self.size(from);
                Some(StoreFloats(StoreFloatsParams {
                    map: self.map(from),
                    planes: self.at(self.layout.floats),
                    map_width,
                    map_height,
                    channels,
                    width: int(self.plan.photo.1),
                    height: int(self.plan.photo.0),
                }))
            }
            _ => None,
        }
    }

    /// The parameter block of a padding, of a sum with another map, or of a kernel that only reads a map.
    fn node(&self, op: &Op, from: MapId, other: Option<MapId>, to: MapId) -> KernelParams {
        let (height, width, channels) = self.size(from);
        let (from, to) = (self.map(from), self.map(to));
        match (op.margin_px(), other) {
            (Some(margin_px), _) => {
                let margin = margin_px as i32;
                Pad(PadParams { from, to, width, height, channels, margin })
            }
            (None, Some(other)) => {
                let addend = self.map(other);
                Add(AddParams { map: to, addend, width, height, channels })
            }
            (None, None) => Map(MapParams { from, to, width, height, channels }),
        }
    }

    pub fn conv(&self, launch: &ConvLaunch) -> ConvParams {
        let conv = &self.plan.convs[launch.conv];
        let memory = &self.layout.convs[launch.conv];
        let (photo_height, photo_width) = self.plan.extended;
        let mut p = ConvParams {
            weights: self.at(memory.weights),
            photo: self.at(self.layout.photo),
            partials: self.at(self.layout.partials),
            tickets: self.at(self.layout.tickets),
            gamma: self.at(memory.gamma),
            beta: self.at(memory.beta),
            grid_height: int(launch.grid.0),
            grid_width: int(launch.grid.1),
            tiles_y: int(launch.tiles.0),
            tiles_x: int(launch.tiles.1),
            stride: int(launch.stride),
            origin: launch.origin as i32,
            taps_y: int(launch.tap_grid.0),
            taps_x: int(launch.tap_grid.1),
            phases: int(launch.phases),
            chunk_channels: int(launch.chunking.channels),
            chunks: int(launch.chunking.chunks),
            tile_rows: int(launch.input_tile.0),
            tile_columns: int(launch.input_tile.1),
            pitch: int(launch.chunking.pitch),
            edge: i32::from(launch.replicate),
            upsample: i32::from(launch.upsample),
            backwards: i32::from(launch.backwards),
            turned: i32::from(launch.turned),
            split: int(launch.split),
            photo_kernel: match launch.taps {
                Taps::PhotoRows | Taps::PhotoColumns | Taps::ShiftedColumns => int(conv.kernel),
                Taps::Direct | Taps::FourPhase => 1,
            },
            photo_height: int(photo_height),
            photo_width: int(photo_width),
            merge_groups: if launch.polls { 0 } else { int(merge_groups(launch.ctas.0)) },
            norm_channels: int(conv.out_channels),
            eps: launch.eps,
            flat_share: launch.flat_share,
            photo_scale: launch.photo_scale,
            out_relu: i32::from(launch.out_relu),
            overflow: self.overflow(),
            ..ConvParams::default()
        };
        if launch.main_loop == MainLoop::Wgmma {
            let walk = launch.smem_layout();
            p.ring_stages = int(launch.ring_stages);
            p.tile_bytes = int(launch.chunking.tile_bytes);
            p.walk_across = int(walk.across);
            p.walk_down = int(walk.down);
            p.walk_row = int(walk.row);
            p.walk_tile = int(walk.tile);
            p.walk_blocks = int(launch.blocks());
            fill_walk(&mut p.walk, launch);
        }
        if launch.bias {
            p.bias = self.at(memory.bias);
        }
        if launch.statistics {
            p.out_scale = self.of_channels(memory.scale, launch.conv);
            p.out_mean = self.of_channels(memory.mean, launch.conv);
        }
        match launch.source {
            Source::Photo => {
                p.input = self.at(self.layout.photo);
                (p.in_height, p.in_width) = (int(photo_height), int(photo_width));
                p.in_channels = 3;
            }
            Source::Map(map) => {
                p.input = self.map(map);
                (p.in_height, p.in_width, p.in_channels) = self.size(map);
            }
            Source::Normalised { map, conv: before, relu, skip, keep } => {
                p.input = self.map_of_frame(map);
                (p.in_height, p.in_width, p.in_channels) = self.size(map);
                let memory = &self.layout.convs[before];
                p.in_scale = self.of_channels(memory.scale, before);
                p.in_mean = self.of_channels(memory.mean, before);
                p.in_beta = self.at(memory.beta);
                p.relu = i32::from(relu);
                p.skip = skip.map_or(0, |map| self.map_of_frame(map));
                p.keep = keep.map_or(0, |map| self.map_of_frame(map));
            }
        }
        match launch.target {
            Target::Picture => {
                p.output = self.at(self.layout.painting);
                (p.out_height, p.out_width) = (int(self.plan.photo.0), int(self.plan.photo.1));
                p.out_channels = 3;
            }
            Target::Map(map) => {
                p.output = self.map_of_frame(map);
                (p.out_height, p.out_width, p.out_channels) = self.size(map);
            }
        }
        p
    }
}
