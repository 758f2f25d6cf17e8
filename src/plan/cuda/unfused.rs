//! The variants that keep every operation, or every norm, a launch of its own.
//!
//! `baseline` runs what a framework runs; `fused-norm` the same convolutions with one step for a whole
//! norm, its ReLU and its residual add.

use super::{
    Builder, ConvLaunch, CudaOp, CudaPlanError, CudaStep, MapId, Source, Storage, Taps, Target,
    conv::ConvShape, fused::PHOTO_DIVISOR, library::photo_channels,
};
use crate::{
    network::{ConvSpec, NORM_EPS, Tail},
    tensor::Shape,
};

/// Threads of the elementwise kernels' CTAs.
const ELEMENTWISE_THREADS: u32 = 256;
/// Threads of the kernels that gather a norm's statistics.
const NORM_THREADS: u32 = 512;
/// Static shared memory of `norm_plane`, at most, in bytes.
const NORM_PLANE_STATIC_BYTES: usize = 5 * 1024;
/// Least pixels of a strip whose sums are taken together.
const LEAST_STRIP_PIXELS: usize = 64;

/// How a map is cut into strips for its statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strips {
    /// Strips of one image.
    pub count: usize,
    /// Pixels of a strip.
    pub pixels: usize,
}

impl Strips {
    /// About two for every multiprocessor.
    fn of(pixels: usize, multiprocessors: usize) -> Self {
        let each = pixels.div_ceil(2 * multiprocessors).max(LEAST_STRIP_PIXELS);
        Self {
            count: pixels.div_ceil(each),
            pixels: each,
        }
    }
}

impl Builder<'_> {
    /// One launch for every operation, or, with `fused_norm`, for every norm with what follows it.
    pub(super) fn plan_unfused(
        &mut self,
        photo: (usize, usize),
        (height, width): (usize, usize),
        fused_norm: bool,
    ) -> Result<(), CudaPlanError> {
        let convs = self.convs;
        let picture = Shape::new(3, height, width);
        let mut input = match self.library {
            Some(_) => self.map_of(picture, photo_channels(self.precision)),
            None => self.map(picture),
        };
        let grid = self.pixel_grid((height, width));
        let scale = 1.0 / PHOTO_DIVISOR;
        self.plain_step(
            &convs[0],
            "load_photo",
            CudaOp::LoadPhoto { to: input, scale },
            grid,
            4 * picture.height * picture.width,
            picture.len(),
        );
        let mut skip = input;
        for (id, conv) in convs.iter().enumerate() {
            let opens_block = convs
                .get(id + 1)
                .is_some_and(|next| next.tail == Tail::NormAdd);
            if opens_block {
                skip = input;
            }
            if conv.upsample {
                input = self.upsample(conv, input);
            }
            let output = self.padded_conv(id, conv, input)?;
            if conv.tail == Tail::Picture {
                self.reads(output);
                let grid = self.pixel_grid(photo);
                let shape = self.maps[output].shape;
                self.plain_step(
                    conv,
                    "store_picture",
                    CudaOp::StorePicture { from: output },
                    grid,
                    3 * shape.height * shape.width,
                    photo.0 * photo.1,
                );
                return Ok(());
            }
            let residual = (conv.tail == Tail::NormAdd).then_some(skip);
            let eps = match id {
                0 => NORM_EPS / f64::from(PHOTO_DIVISOR * PHOTO_DIVISOR),
                _ => NORM_EPS,
            } as f32;
            if fused_norm {
                self.fused_norm(id, output, residual, eps);
            } else {
                self.plain_norm(id, output, residual, eps);
            }
            input = output;
        }
        Ok(())
    }

    /// Nearest neighbour, twice the size.
    fn upsample(&mut self, conv: &ConvSpec, from: MapId) -> MapId {
        let small = self.maps[from].shape;
        let big = Shape::new(small.channels, 2 * small.height, 2 * small.width);
        let to = self.map(big);
        self.reads(from);
        let grid = self.pack_grid(to);
        self.plain_step(
            conv,
            "upsample",
            CudaOp::Upsample { from, to },
            grid,
            small.len(),
            big.len(),
        );
        to
    }

    /// Reflection padding, then the convolution with its bias.
    fn padded_conv(
        &mut self,
        id: usize,
        conv: &ConvSpec,
        from: MapId,
    ) -> Result<MapId, CudaPlanError> {
        let s = self.maps[from].shape;
        let margin = conv.padding();
        let padded = Shape::new(s.channels, s.height + 2 * margin, s.width + 2 * margin);
        let to = self.map_of(padded, self.maps[from].stored_channels);
        self.reads(from);
        let grid = self.pack_grid(to);
        self.plain_step(
            conv,
            "pad",
            CudaOp::Pad { from, to, margin },
            grid,
            s.len(),
            padded.len(),
        );
        let (height, width) = (
            s.height.div_ceil(conv.stride),
            s.width.div_ceil(conv.stride),
        );
        let output = self.map_of(
            Shape::new(conv.out_channels, height, width),
            self.output_channels(conv),
        );
        let bias_scale = if id == 0 { 1.0 / PHOTO_DIVISOR } else { 1.0 };
        if let Some(library) = self.library {
            self.library_conv(library, id, (to, output), bias_scale);
            return Ok(output);
        }
        self.reads(to);
        let shape = ConvShape {
            taps: Taps::Direct,
            tap_grid: (conv.kernel, conv.kernel),
            phases: 1,
            stride: conv.stride,
            origin: 0,
            grid: (height, width),
            bias: true,
        };
        let launch = self.conv_launch(id, conv, shape, Source::Map(to), Target::Map(output))?;
        let launch = ConvLaunch {
            bias_scale,
            statistics: false,
            ..launch
        };
        self.conv_step(launch, padded);
        Ok(output)
    }

    /// Mean, variance, normalise, affine, then ReLU or the residual add, each by itself.
    fn plain_norm(&mut self, id: usize, map: MapId, residual: Option<MapId>, eps: f32) {
        let conv = &self.convs[id];
        let shape = self.maps[map].shape;
        let channels = self.maps[map].stored_channels;
        let strips = Strips::of(shape.height * shape.width, self.limits.multiprocessors);
        self.partial_values = self
            .partial_values
            .max(self.batch * strips.count * channels);
        let batch = self.batch as u32;
        let by_strip = (strips.count as u32, batch, 1);
        let by_channel = (channels.div_ceil(32) as u32, batch, 1);
        let by_pack = self.pack_grid(map);
        let (whole, sums) = (shape.len(), strips.count * channels);
        let steps = [
            (
                "mean_partial",
                CudaOp::MeanPartial {
                    conv: id,
                    map,
                    strips,
                },
                by_strip,
                whole,
                sums,
            ),
            (
                "mean_finish",
                CudaOp::MeanFinish {
                    conv: id,
                    map,
                    strips,
                },
                by_channel,
                sums,
                channels,
            ),
            (
                "variance_partial",
                CudaOp::VariancePartial {
                    conv: id,
                    map,
                    strips,
                },
                by_strip,
                whole,
                sums,
            ),
            (
                "variance_finish",
                CudaOp::VarianceFinish {
                    conv: id,
                    map,
                    strips,
                    eps,
                },
                by_channel,
                sums,
                channels,
            ),
            (
                "normalise",
                CudaOp::Normalise { conv: id, map },
                by_pack,
                whole,
                whole,
            ),
            (
                "affine",
                CudaOp::Affine { conv: id, map },
                by_pack,
                whole,
                whole,
            ),
        ];
        for (name, op, grid, read, written) in steps {
            self.reads(map);
            self.plain_step(conv, name, op, grid, read, written);
        }
        self.reads(map);
        match residual {
            Some(addend) => {
                self.reads(addend);
                self.plain_step(
                    conv,
                    "add",
                    CudaOp::Add { map, addend },
                    by_pack,
                    2 * whole,
                    whole,
                );
            }
            None => self.plain_step(conv, "relu", CudaOp::Relu { map }, by_pack, whole, whole),
        }
    }

    /// The whole norm: one launch with one pass over memory where a group of channels fits a CTA, else
    /// one for the statistics and one that applies them.
    pub(super) fn fused_norm(&mut self, id: usize, map: MapId, residual: Option<MapId>, eps: f32) {
        let conv = &self.convs[id];
        let shape = self.maps[map].shape;
        let channels = self.maps[map].stored_channels;
        let pixels = shape.height * shape.width;
        let packs = channels * Storage::of(self.precision).bytes() / 16;
        let batch = self.batch as u32;
        let whole = shape.len();
        let added = residual.map_or(0, |_| whole);
        let room = self.limits.shared_bytes_per_cta - NORM_PLANE_STATIC_BYTES;
        let group = [2, 1]
            .into_iter()
            .find(|g| packs.is_multiple_of(*g) && pixels * g * 16 <= room);
        let relu = residual.is_none();
        self.reads(map);
        if let Some(addend) = residual {
            self.reads(addend);
        }
        if let Some(group_packs) = group {
            let op = CudaOp::NormPlane {
                conv: id,
                map,
                residual,
                relu,
                group_packs,
                eps,
            };
            let grid = ((packs / group_packs) as u32, batch, 1);
            self.plain_step(conv, "norm_plane", op, grid, whole + added, whole);
            if let Some(step) = self.steps.last_mut() {
                step.block = NORM_THREADS;
                step.shared_bytes = (pixels * group_packs * 16) as u32;
            }
            return;
        }
        let strips = Strips::of(pixels, self.limits.multiprocessors);
        self.partial_values = self
            .partial_values
            .max(2 * self.batch * strips.count * channels);
        self.tickets = self.tickets.max(self.batch);
        let op = CudaOp::NormStatistics {
            conv: id,
            map,
            strips,
            eps,
        };
        self.plain_step(
            conv,
            "norm_statistics",
            op,
            (strips.count as u32, batch, 1),
            whole,
            2 * channels,
        );
        if let Some(step) = self.steps.last_mut() {
            step.block = NORM_THREADS;
        }
        self.norm_apply(id, map, residual, relu);
    }

    /// Applies the scale and shift of a norm whose statistics are known.
    pub(super) fn norm_apply(
        &mut self,
        id: usize,
        map: MapId,
        residual: Option<MapId>,
        relu: bool,
    ) {
        let conv = &self.convs[id];
        let shape = self.maps[map].shape;
        let pixels = shape.height * shape.width;
        let packs = self.maps[map].stored_channels * Storage::of(self.precision).bytes() / 16;
        let (batch, whole) = (self.batch as u32, shape.len());
        let added = residual.map_or(0, |_| whole);
        self.reads(map);
        if let Some(addend) = residual {
            self.reads(addend);
        }
        let strip_pixels = 4 * (ELEMENTWISE_THREADS as usize / packs).max(1);
        let op = CudaOp::NormApply {
            conv: id,
            map,
            residual,
            relu,
            strip_pixels,
        };
        let grid = (pixels.div_ceil(strip_pixels) as u32, batch, 1);
        self.plain_step(conv, "norm_apply", op, grid, whole + added, whole);
    }

    /// A thread for every pixel of a picture.
    fn pixel_grid(&self, (height, width): (usize, usize)) -> (u32, u32, u32) {
        let across = width.div_ceil(ELEMENTWISE_THREADS as usize);
        (across as u32, height as u32, self.batch as u32)
    }

    /// A thread for every 16 bytes of a map, or for every pixel where it has fewer.
    pub(super) fn pack_grid(&self, map: MapId) -> (u32, u32, u32) {
        let m = &self.maps[map];
        let pixel_bytes = m.stored_channels * Storage::of(self.precision).bytes();
        let packs = m.shape.width * (pixel_bytes / 16).max(1);
        let across = packs.div_ceil(ELEMENTWISE_THREADS as usize);
        (across as u32, m.shape.height as u32, self.batch as u32)
    }

    /// Appends a launch of an elementwise or norm kernel that reads and writes so many values of one
    /// image.
    pub(super) fn plain_step(
        &mut self,
        conv: &ConvSpec,
        kernel: &str,
        op: CudaOp,
        grid: (u32, u32, u32),
        read: usize,
        written: usize,
    ) {
        let storage = Storage::of(self.precision);
        let statistics = matches!(
            op,
            CudaOp::MeanPartial { .. }
                | CudaOp::VariancePartial { .. }
                | CudaOp::NormStatistics { .. }
                | CudaOp::NormApply { .. }
                | CudaOp::NormPlane { .. }
        );
        let finish = matches!(
            op,
            CudaOp::MeanFinish { .. } | CudaOp::VarianceFinish { .. }
        );
        let entry = if finish {
            kernel.to_owned()
        } else {
            format!("{kernel}_{}", storage.suffix())
        };
        self.steps.push(CudaStep {
            layer: conv.name.clone(),
            file: if statistics || finish {
                "instance_norm"
            } else {
                "elementwise"
            }
            .to_owned(),
            entry,
            op,
            grid,
            block: ELEMENTWISE_THREADS,
            shared_bytes: 0,
            flops: 0,
            bytes: (self.batch * storage.bytes() * (read + written)) as u64,
        });
    }
}
