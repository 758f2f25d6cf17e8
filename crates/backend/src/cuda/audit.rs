//! Records what every kernel of a run reads and writes, for checks.
//!
//! Deliberately slow: it runs launch by launch, with downloads before and after each. Kernels that compute something
//! only together (the baseline's mean and variance, or statistics and the step that applies them) make one record
//! together.

use super::{
    device_network::DeviceNetwork,
    driver::{DevicePtr, DriverResult, Function},
    launches::Prepared,
};
use crate::audit::{Fill, KernelRecord, Work, levels};
use plan::cuda::{ConvLaunch, CudaOp, LibraryConv, MapId, Source, Target};
use values::{frame::Frame, tensor::Tensor};

impl DeviceNetwork {
    /// Runs over an uploaded photo step by step and records what each step did. With `fill`, maps that are read
    /// unchanged contain random values instead. `store_floats` is the kernel that writes the output before rounding.
    pub fn audited(
        &self,
        launches: &[Prepared],
        store_floats: Function,
        photo: &Frame,
        fill: Option<Fill>,
        seen: &mut dyn FnMut(KernelRecord),
    ) -> DriverResult {
        let (mut kernels, mut eps) = (Vec::new(), 0.0);
        for (step, prepared) in self.plan.steps.iter().zip(launches) {
            if let CudaOp::Statistics { eps: its, .. } | CudaOp::NormStatistics { eps: its, .. } =
                step.op
            {
                eps = its;
            }
            if !matches!(step.op, CudaOp::General(_)) {
                kernels.push(step.entry.as_str());
            }
            let (work, maps, target) = self.reading(&step.op, eps);
            // A map without statistics yet may be filled with any values.
            let is_after_statistics =
                matches!(step.op, CudaOp::Normalise { .. } | CudaOp::NormApply { .. });
            if let (Some(fill), false) = (fill, is_after_statistics) {
                maps.iter().try_for_each(|&map| self.fill(map, fill))?;
            }
            let read = match (work, &step.op) {
                (None, _) => Vec::new(),
                (_, CudaOp::LoadPhoto { .. }) => vec![self.levels(photo, 1.0)],
                (_, CudaOp::Conv(launch)) => self.conv_input(launch, photo)?,
                _ => maps.iter().map(|&map| self.map(map, None)).collect::<Result<_, _>>()?,
            };
            self.launch(&self.writing_floats(step, prepared, store_floats))?;
            let Some(work) = work else {
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
                    seen(record(Work::Keep { relu }, read.clone(), self.map(keep, None)?));
                }
                if let (true, Target::Map(map)) = (launch.statistics, launch.target) {
                    let statistics = Work::Statistics { conv: launch.conv, eps: launch.eps };
                    let applied = self.map(map, Some(launch.conv))?;
                    seen(record(statistics, vec![self.map(map, None)?], applied));
                }
            }
            let wrote = match target {
                Some(map) => self.map(map, None)?,
                None => self.floats()?,
            };
            seen(record(work, read, wrote));
        }
        Ok(())
    }

    /// What a launch computes, the maps that it reads unchanged, and the map that it writes (`None` for the picture
    /// before rounding). There is no work for a launch that only prepares the next one.
    fn reading(&self, op: &CudaOp, eps: f32) -> (Option<Work>, Vec<MapId>, Option<MapId>) {
        let with = |map, residual: Option<MapId>| [map].into_iter().chain(residual).collect();
        let (work, maps, target) = match *op {
            CudaOp::Statistics { map, of_variance: false, finishes: false, .. }
            | CudaOp::NormStatistics { map, .. } => return (None, vec![map], None),
            CudaOp::Statistics { .. }
            // General graphs are judged as a whole.
            | CudaOp::General(_) => return (None, Vec::new(), None),
            CudaOp::LoadPhoto { to, scale } => (Work::Load { factor: scale }, Vec::new(), Some(to)),
            CudaOp::Node { op, from, other, to } => (Work::Node(op), with(from, other), Some(to)),
            CudaOp::Normalise { map, .. } => (Work::Normalise { eps }, vec![map], Some(map)),
            CudaOp::Affine { conv, map } => (Work::Affine { conv }, vec![map], Some(map)),
            CudaOp::LibraryConv(LibraryConv { conv, from, to, .. }) => {
                (Work::plain_conv(conv, 0.0), vec![from], Some(to))
            }
            CudaOp::Bias { conv, map, scale } => {
                (Work::Bias { conv, factor: scale }, vec![map], Some(map))
            }
            CudaOp::NormApply { conv, map, residual, relu, .. } => {
                (Work::Norm { conv, eps, relu }, with(map, residual), Some(map))
            }
            CudaOp::NormPlane { conv, map, residual, relu, eps, .. } => {
                (Work::Norm { conv, eps, relu }, with(map, residual), Some(map))
            }
            CudaOp::StorePicture { from } => (Work::Store, vec![from], None),
            CudaOp::Conv(ref launch) => {
                let conv = &self.plan.convs[launch.conv];
                // Earlier launches have padded and upsampled a map that is read unchanged.
                let (maps, relu, is_whole) = match launch.source {
                    Source::Photo => (Vec::new(), false, true),
                    Source::Map(map) => (vec![map], false, false),
                    Source::Normalised { relu, .. } => (Vec::new(), relu, true),
                };
                let work = Work::Conv {
                    conv: launch.conv,
                    relu,
                    doubled: is_whole && conv.upsample,
                    margin: if is_whole { conv.padding } else { 0 },
                    bias_factor: launch.bias_scale,
                };
                let target = match launch.target {
                    Target::Map(map) => Some(map),
                    Target::Picture => None,
                };
                return ((!launch.is_general).then_some(work), maps, target);
            }
        };
        (Some(work), maps, target)
    }

    fn conv_input(&self, launch: &ConvLaunch, photo: &Frame) -> DriverResult<Vec<Tensor>> {
        match launch.source {
            Source::Photo => Ok(vec![self.levels(photo, launch.photo_scale)]),
            Source::Map(map) => Ok(vec![self.map(map, None)?]),
            Source::Normalised { map, conv, skip, .. } => {
                let raw = self.map(map, Some(conv));
                [raw].into_iter().chain(skip.map(|skip| self.map(skip, None))).collect()
            }
        }
    }

    /// The photo as the network reads it, times a factor.
    fn levels(&self, photo: &Frame, factor: f32) -> Tensor {
        let (height, width) = self.plan.extended;
        levels(&photo.extended(width, height), factor)
    }

    /// Fills the first image of a map with random values. Padding channels stay zero.
    fn fill(&self, map: MapId, fill: Fill) -> DriverResult {
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
