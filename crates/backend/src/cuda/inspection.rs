//! Inspects a run for checks and measurements: the maps after the norms, the output before rounding, and the time of
//! every step.
//!
//! Deliberately slow: it runs step by step, with a download whenever a map is finished.

use std::slice::{from_mut, from_ref};

use super::{
    device_network::DeviceNetwork,
    driver::{DevicePtr, DriverFailure, DriverResult, Function, Queue},
    launches::{KernelLaunch, Prepared},
    params::KernelParams,
    session::CudaSession,
    transfers::EventList,
};
use crate::{
    BackendError, BackendResult, InspectSession, NormTap, RunControl,
    audit::{Fill, KernelRecord},
};
use plan::cuda::{
    ConstantValues, ConvId, ConvLaunch, CudaOp, CudaStep, GeneralOp, MapBuffer, MapId, Target,
};
use values::{
    frame::Frame,
    numeric::NumberFormat,
    tensor::{Shape, Tensor},
    timing::{RunTiming, StepTiming},
};

impl CudaSession {
    /// Uploads a photo and lets `look` run the launches on it one by one.
    fn looked_into<T>(
        &mut self,
        input: &Frame,
        look: impl FnOnce(&DeviceNetwork, &[Prepared], Function) -> DriverResult<T>,
    ) -> BackendResult<T> {
        BackendError::check_size(input, self.network.plan.photo)?;
        self.first.stage(&self.network.plan, &[input]);
        let run = self
            .first
            .queue_upload(&self.network, Queue::Painting)
            .and_then(|()| look(&self.network, &self.first.launches.single, self.store_floats));
        // Waits after a failure too, because the pinned memory may be in use.
        let waited = self.network.driver.wait_within(self.network.patience());
        run.and_then(|result| waited.map(|()| result)).map_err(|f| self.network.backend_error(f))
    }

    /// Runs one frame launch by launch, with an event between launches.
    fn profiled(&mut self) -> DriverResult<Vec<StepTiming>> {
        let Self { first, network, .. } = self;
        let list = match self.step_events.take() {
            Some(list) => list,
            None => EventList::make(&network.driver, first.launches.together.len() + 1)?,
        };
        let events = &self.step_events.insert(list).list;
        let driver = network.driver.as_ref();
        let queued = first.queue_upload(network, Queue::Painting).and_then(|()| {
            let mut ahead = events.iter();
            let mut record_next =
                || ahead.next().map_or(Ok(()), |&event| driver.record(event, Queue::Painting));
            record_next()?;
            network.step_by_step(&first.launches, |together| {
                (together.launches.iter()).try_for_each(|l| network.launch_alone(l))?;
                record_next()
            })?;
            first.queue_download(network, 0, Queue::Painting)
        });
        // Waits in any case, because the pinned memory may be in use.
        let waited = driver.wait_within(network.patience());
        queued.and(waited)?;
        (first.launches.together.iter())
            .zip(events.windows(2))
            .map(|(together, pair)| {
                let steps = &together.steps;
                let all = &network.plan.steps[steps.clone()];
                Ok(StepTiming {
                    layer: network.plan.layers(steps),
                    kernel: network.plan.entry(steps),
                    ms: f64::from(driver.elapsed_ms(pair[0], pair[1])?),
                    flops: all.iter().map(|s| s.flops).sum(),
                    bytes: all.iter().map(|s| s.bytes).sum(),
                })
            })
            .collect()
    }
}

impl InspectSession for CudaSession {
    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> BackendResult<Vec<StepTiming>> {
        self.check(&[input], from_ref(output), control)?;
        self.first.stage(&self.network.plan, &[input]);
        let steps = self.profiled().map_err(|f| self.network.backend_error(f))?;
        self.first.unstage(&self.network, from_mut(output))?;
        Ok(steps)
    }

    fn paint_step_by_step(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> BackendResult<Option<RunTiming>> {
        self.paint_group(&[input], from_mut(output), control, false, None).map(Some)
    }

    fn run_tensor(
        &mut self,
        input: &Frame,
        control: &RunControl,
        tap: Option<NormTap<'_>>,
    ) -> BackendResult<Tensor> {
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        self.looked_into(input, |network, launches, store| network.run_steps(launches, store, tap))
    }

    fn audit(
        &mut self,
        input: &Frame,
        fill: Option<Fill>,
        seen: &mut dyn FnMut(KernelRecord),
    ) -> BackendResult {
        self.looked_into(input, |network, launches, store| {
            network.audited(launches, store, input, fill, seen)
        })
    }
}

impl DeviceNetwork {
    /// A map of the first image as a tensor, unchanged or with a convolution's norm applied.
    pub fn map(&self, map: MapId, norm: Option<ConvId>) -> DriverResult<Tensor> {
        self.tensor(DevicePtr(self.maker().map(map)), map, norm)
    }

    /// As [`Self::map`], for values of a map that are at `from`.
    fn tensor(&self, from: DevicePtr, map: MapId, norm: Option<ConvId>) -> DriverResult<Tensor> {
        let MapBuffer { shape, stored_channels: stored, .. } = self.plan.maps[map];
        let pixels = shape.height * shape.width;
        let storage = self.plan.format().storage;
        let read = |from: DevicePtr, count: usize, storage: NumberFormat| {
            let mut bytes = vec![0; count * storage.bytes()];
            self.driver.download(&mut bytes, from)?;
            Ok::<_, DriverFailure>(storage.read(&bytes))
        };
        let values = read(from, pixels * stored, storage)?;
        let factors = match norm {
            None => [vec![0.0; stored], vec![1.0; stored], vec![0.0; stored]],
            Some(conv) => {
                let memory = &self.layout.convs[conv];
                let read = |offset| read(self.at(offset), stored, NumberFormat::Fp32);
                [read(memory.mean)?, read(memory.scale)?, read(memory.beta)?]
            }
        };
        let [mean, scale, beta] = factors;
        let mut tensor = Tensor::zeros(shape);
        for c in 0..shape.channels {
            for p in 0..pixels {
                tensor.data[c * pixels + p] =
                    (values[p * stored + c] - mean[c]) * scale[c] + beta[c];
            }
        }
        Ok(tensor)
    }

    /// Runs step by step over an uploaded photo and passes on the map after every norm. `store_floats` is the kernel
    /// that writes the output before rounding.
    pub fn run_steps(
        &self,
        launches: &[Prepared],
        store_floats: Function,
        mut tap: Option<NormTap<'_>>,
    ) -> DriverResult<Tensor> {
        for (step, prepared) in self.plan.steps.iter().zip(launches) {
            let name =
                |conv: ConvId| self.plan.convs[conv].norm_name.as_deref().unwrap_or_default();
            if let (Some(tap), Some((conv, map))) = (tap.as_mut(), norm_before(&step.op)) {
                tap(name(conv), self.tapped(prepared, map)?);
            }
            self.launch(&self.writing_floats(step, prepared, store_floats))?;
            if let (Some(tap), Some((conv, map, applied))) = (tap.as_mut(), norm_after(&step.op)) {
                tap(name(conv), self.map(map, applied)?);
            }
            if let (Some(tap), Some((name, map))) = (tap.as_mut(), self.norm_made(step)) {
                tap(name, self.tapped(prepared, map)?);
            }
        }
        self.floats()
    }

    /// The picture of the first image before rounding, if [`Self::writing_floats`] was launched.
    pub fn floats(&self) -> DriverResult<Tensor> {
        let (height, width) = self.plan.photo;
        let mut bytes = vec![0; 12 * height * width];
        self.driver.download(&mut bytes, self.at(self.layout.floats))?;
        let mut tensor = Tensor::zeros(Shape::new(3, height, width));
        tensor.data = NumberFormat::Fp32.read(&bytes);
        Ok(tensor)
    }

    /// The launch of a step. For a step that makes the picture, the launch that writes it before rounding.
    pub fn writing_floats(
        &self,
        step: &CudaStep,
        prepared: &Prepared,
        store_floats: Function,
    ) -> Prepared {
        let (Prepared::Kernel(launch), Some(params)) = (prepared, self.maker().floats(&step.op))
        else {
            return prepared.clone();
        };
        let function = match &params {
            KernelParams::StoreFloats(_) => store_floats,
            _ => launch.function,
        };
        Prepared::Kernel(KernelLaunch { function, params, ..*launch })
    }

    /// The norm that a launch of a general graph computed, and its output map.
    fn norm_made(&self, step: &CudaStep) -> Option<(&str, MapId)> {
        let CudaOp::General(GeneralOp::Pointwise { to, statistics: Some(_), change, .. }) = step.op
        else {
            return None;
        };
        let [scale, _] = change.affine?;
        match &self.plan.constants[scale].values {
            ConstantValues::Channels { node, .. } => Some((node, to)),
            _ => None,
        }
    }

    /// The map after a norm. If the norm is fused with following operations, the same kernel runs without them, into
    /// separate memory.
    fn tapped(&self, prepared: &Prepared, map: MapId) -> DriverResult<Tensor> {
        let Prepared::Kernel(launch) = prepared else {
            return self.map(map, None);
        };
        let mut params = launch.params;
        let (to, second, function) = match &mut params {
            KernelParams::NormApply(p) => (&mut p.to, &mut p.residual, &mut p.relu),
            KernelParams::NormPlane(p) => (&mut p.to, &mut p.residual, &mut p.relu),
            KernelParams::GeneralPointwise(p) => (&mut p.to, &mut p.slopes, &mut p.function),
            _ => return self.map(map, None),
        };
        let scratch = self.driver.allocate(self.plan.maps[map].bytes)?;
        (*to, *second, *function) = (scratch.0, 0, 0);
        let tensor = self
            .launch(&Prepared::Kernel(KernelLaunch { params, ..*launch }))
            .and_then(|()| self.tensor(scratch, map, None));
        self.driver.free(scratch);
        tensor
    }
}

/// The norm whose finished map a step reads, before ReLU and residual add.
const fn norm_before(op: &CudaOp) -> Option<(ConvId, MapId)> {
    match *op {
        CudaOp::NormApply { conv, map, .. } | CudaOp::NormPlane { conv, map, .. } => {
            Some((conv, map))
        }
        _ => None,
    }
}

/// The norm whose result can be read after a step: a finished map, or a raw map with the norm that is applied to it.
const fn norm_after(op: &CudaOp) -> Option<(ConvId, MapId, Option<ConvId>)> {
    match *op {
        CudaOp::Affine { conv, map } => Some((conv, map, None)),
        CudaOp::Conv(ConvLaunch { conv, target: Target::Map(map), statistics: true, .. }) => {
            Some((conv, map, Some(conv)))
        }
        _ => None,
    }
}
