//! Records what every kernel of a run reads and writes, for checks.
//!
//! Slow on purpose: launch by launch, with downloads before and after each. Kernels that only together compute
//! something (the baseline's mean and variance, statistics and the step that applies them) give one record
//! together.

use super::{
    device_network::DeviceNetwork,
    driver::{DevicePtr, DriverFailure, Function},
    launches::Prepared,
};
use crate::{
    backend::audit::{Fill, KernelRecord, Work},
    frame::Frame,
    plan::cuda::{ConvLaunch, CudaOp, LibraryConv, MapId, Source, Target},
    tensor::{Shape, Tensor},
};

/// What a launch will do, as far as the plan says.
struct Reading {
    work: Work,
    read: Vec<Tensor>,
    /// Where the result will be; `None` for the picture before rounding.
    target: Option<MapId>,
}

impl DeviceNetwork {
    /// Runs over an uploaded photo step by step and records what each step did. With `fill`, maps that are read
    /// as they are hold random values instead. `store_floats` is the kernel that writes the output before
    /// rounding.
    pub(super) fn audited(
        &self,
        launches: &[Prepared],
        store_floats: Function,
        photo: &Frame,
        fill: Option<Fill>,
        seen: &mut dyn FnMut(KernelRecord),
    ) -> Result<(), DriverFailure> {
        let (mut kernels, mut eps) = (Vec::new(), 0.0);
        for (step, prepared) in self.plan.steps.iter().zip(launches) {
            if let Some(fill) = fill {
                for map in read_as_they_are(&step.op) {
                    self.fill(map, fill)?;
                }
            }
            if let CudaOp::VarianceFinish { eps: its, .. }
            | CudaOp::NormStatistics { eps: its, .. } = step.op
            {
                eps = its;
            }
            if !matches!(step.op, CudaOp::General(_)) {
                kernels.push(step.entry.as_str());
            }
            let reading = self.reading(&step.op, photo, eps)?;
            self.launch(&self.writing_floats(step, prepared, store_floats))?;
            let Some(Reading { work, read, target }) = reading else {
                continue;
            };
            let kernel = std::mem::take(&mut kernels).join("+");
            let record = |work, read, wrote| KernelRecord {
                layer: step.layer.clone(),
                kernel: kernel.clone(),
                work,
                read,
                wrote,
            };
            if let CudaOp::Conv(launch) = &step.op {
                if let Source::Normalised { keep: Some(keep), relu, .. } = launch.source {
                    seen(record(Work::Keep { relu }, read.clone(), self.map(keep)?));
                }
                if let (true, Target::Map(map)) = (launch.statistics, launch.target) {
                    let statistics = Work::Statistics { conv: launch.conv, eps: launch.eps };
                    let at = DevicePtr(self.maker().map(map));
                    let applied = self.tensor(at, map, Some(launch.conv))?;
                    seen(record(statistics, vec![self.map(map)?], applied));
                }
            }
            let wrote = match target {
                Some(map) => self.map(map)?,
                None => self.floats()?,
            };
            seen(record(work, read, wrote));
        }
        Ok(())
    }

    /// What a launch reads; `None` for a launch that only prepares the next one.
    fn reading(
        &self,
        op: &CudaOp,
        photo: &Frame,
        eps: f32,
    ) -> Result<Option<Reading>, DriverFailure> {
        let (work, read, target) = match *op {
            CudaOp::MeanPartial { .. }
            | CudaOp::MeanFinish { .. }
            | CudaOp::VariancePartial { .. }
            | CudaOp::VarianceFinish { .. }
            | CudaOp::NormStatistics { .. }
            // General graphs are judged as a whole.
            | CudaOp::General(_) => return Ok(None),
            CudaOp::Conv(launch) if launch.is_general => return Ok(None),
            CudaOp::LoadPhoto { to, scale } => {
                let read = vec![self.levels(photo, 1.0)];
                (Work::Load { factor: scale }, read, Some(to))
            }
            CudaOp::Pad { from, to, margin } => {
                (Work::Pad { margin }, vec![self.map(from)?], Some(to))
            }
            CudaOp::Upsample { from, to } => (Work::Upsample, vec![self.map(from)?], Some(to)),
            CudaOp::Normalise { map, .. } => {
                (Work::Normalise { eps }, vec![self.map(map)?], Some(map))
            }
            CudaOp::Affine { conv, map } => {
                (Work::Affine { conv }, vec![self.map(map)?], Some(map))
            }
            CudaOp::LibraryConv(LibraryConv { conv, from, to, .. }) => {
                let work = Work::Conv {
                    conv,
                    relu: false,
                    doubled: false,
                    margin: 0,
                    bias_factor: 0.0,
                };
                (work, vec![self.map(from)?], Some(to))
            }
            CudaOp::Bias { conv, map, scale } => {
                let work = Work::Bias {
                    conv,
                    factor: scale,
                };
                (work, vec![self.map(map)?], Some(map))
            }
            CudaOp::Relu { map } => (Work::Relu, vec![self.map(map)?], Some(map)),
            CudaOp::Add { map, addend } => (
                Work::Add,
                vec![self.map(map)?, self.map(addend)?],
                Some(map),
            ),
            CudaOp::NormApply {
                conv,
                map,
                residual,
                relu,
                ..
            } => {
                let read = self.maps(map, residual)?;
                (Work::Norm { conv, eps, relu }, read, Some(map))
            }
            CudaOp::NormPlane {
                conv,
                map,
                residual,
                relu,
                eps,
                ..
            } => {
                let read = self.maps(map, residual)?;
                (Work::Norm { conv, eps, relu }, read, Some(map))
            }
            CudaOp::StorePicture { from } => (Work::Store, vec![self.map(from)?], None),
            CudaOp::Conv(ref launch) => {
                let (work, read) = self.conv_reading(launch, photo)?;
                let target = match launch.target {
                    Target::Map(map) => Some(map),
                    Target::Picture => None,
                };
                (work, read, target)
            }
        };
        Ok(Some(Reading { work, read, target }))
    }

    fn conv_reading(
        &self,
        launch: &ConvLaunch,
        photo: &Frame,
    ) -> Result<(Work, Vec<Tensor>), DriverFailure> {
        let conv = &self.plan.convs[launch.conv];
        // A map that is read as it is was padded and upsampled by launches before.
        let (read, relu, is_whole) = match launch.source {
            Source::Photo => (vec![self.levels(photo, launch.photo_scale)], false, true),
            Source::Map(map) => (vec![self.map(map)?], false, false),
            Source::Normalised { map, conv, relu, skip, .. } => {
                let at = DevicePtr(self.maker().map(map));
                let mut read = vec![self.tensor(at, map, Some(conv))?];
                if let Some(skip) = skip {
                    read.push(self.map(skip)?);
                }
                (read, relu, true)
            }
        };
        let work = Work::Conv {
            conv: launch.conv,
            relu,
            doubled: is_whole && conv.upsample,
            margin: if is_whole { conv.padding } else { 0 },
            bias_factor: launch.bias_scale,
        };
        Ok((work, read))
    }

    fn map(&self, map: MapId) -> Result<Tensor, DriverFailure> {
        self.tensor(DevicePtr(self.maker().map(map)), map, None)
    }

    fn maps(&self, map: MapId, second: Option<MapId>) -> Result<Vec<Tensor>, DriverFailure> {
        [Some(map), second].into_iter().flatten().map(|map| self.map(map)).collect()
    }

    /// The photo as the network sees it, times a factor.
    fn levels(&self, photo: &Frame, factor: f32) -> Tensor {
        let (height, width) = self.plan.extended;
        let extended = photo.extended(width, height);
        let mut tensor = Tensor::zeros(Shape::new(3, height, width));
        for (at, pixel) in extended.rgba().chunks_exact(4).enumerate() {
            for (channel, &level) in pixel[..3].iter().enumerate() {
                tensor.data[channel * height * width + at] = f32::from(level) * factor;
            }
        }
        tensor
    }

    /// Puts random values into the first image of a map; channels that are only stored stay zero.
    fn fill(&self, map: MapId, fill: Fill) -> Result<(), DriverFailure> {
        let buffer = &self.plan.maps[map];
        let (shape, stored) = (buffer.shape, buffer.stored_channels);
        let mut values = fill.values(map as u64, shape.len()).into_iter();
        let storage = self.plan.format().storage;
        let mut bytes = Vec::with_capacity(shape.height * shape.width * stored * storage.bytes());
        for _ in 0..shape.height * shape.width {
            for channel in 0..stored {
                let value =
                    if channel < shape.channels { values.next().unwrap_or_default() } else { 0.0 };
                storage.push(&mut bytes, value);
            }
        }
        self.driver.upload(DevicePtr(self.maker().map(map)), &bytes)
    }
}

/// The maps that a launch reads as they are: any values will do in them, because no statistics of them were
/// taken before.
fn read_as_they_are(op: &CudaOp) -> Vec<MapId> {
    match *op {
        CudaOp::Pad { from, .. } | CudaOp::Upsample { from, .. } => vec![from],
        CudaOp::MeanPartial { map, .. }
        | CudaOp::NormStatistics { map, .. }
        | CudaOp::Affine { map, .. }
        | CudaOp::Bias { map, .. }
        | CudaOp::Relu { map } => vec![map],
        CudaOp::LibraryConv(LibraryConv { from, .. }) => vec![from],
        CudaOp::Add { map, addend } => vec![map, addend],
        CudaOp::NormPlane { map, residual, .. } => {
            [Some(map), residual].into_iter().flatten().collect()
        }
        CudaOp::StorePicture { from } => vec![from],
        CudaOp::Conv(ConvLaunch { source: Source::Map(map), .. }) => vec![map],
        // These launches read the photo, or a map whose statistics were taken.
        CudaOp::Conv(_)
        | CudaOp::LoadPhoto { .. }
        | CudaOp::MeanFinish { .. }
        | CudaOp::VariancePartial { .. }
        | CudaOp::VarianceFinish { .. }
        | CudaOp::Normalise { .. }
        | CudaOp::NormApply { .. }
        | CudaOp::General(_) => Vec::new(),
    }
}
