//! Looking into a run for checks: the maps behind the norms, and the output before rounding.
//!
//! Slow on purpose: step by step, with a download wherever a map is finished.

use super::{
    arguments::Argument,
    driver::{DevicePtr, DriverFailure, Function},
    resident::{KernelLaunch, Prepared, Resident},
};
use crate::{
    backend::NormTap,
    plan::cuda::{ConvId, ConvLaunch, CudaOp, CudaStep, MapBuffer, MapId, Storage, Target},
    tensor::{Shape, Tensor},
};

impl Resident {
    /// A map of the first image as a tensor, as it is or behind a convolution's norm.
    pub(super) fn tensor(
        &self,
        from: DevicePtr,
        map: MapId,
        norm: Option<ConvId>,
    ) -> Result<Tensor, DriverFailure> {
        let MapBuffer {
            shape,
            stored_channels: stored,
            ..
        } = self.plan.maps[map];
        let pixels = shape.height * shape.width;
        let storage = Storage::of(self.plan.mode.precision);
        let read = |from: DevicePtr, count: usize, storage: Storage| {
            let mut bytes = vec![0; count * storage.bytes()];
            self.driver.download(&mut bytes, from)?;
            Ok::<_, DriverFailure>(widened(&bytes, storage))
        };
        let values = read(from, pixels * stored, storage)?;
        let factors = match norm {
            None => [vec![0.0; stored], vec![1.0; stored], vec![0.0; stored]],
            Some(conv) => {
                let memory = &self.places.convs[conv];
                let read = |offset| read(self.at(offset), stored, Storage::F32);
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

    /// Runs step by step over an uploaded photo and hands over the map behind every norm.
    /// `store_floats` is the kernel that writes the output before rounding.
    pub(super) fn run_steps(
        &self,
        launches: &[Prepared],
        store_floats: Function,
        mut tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, DriverFailure> {
        for (step, prepared) in self.plan.steps.iter().zip(launches) {
            if let (Some(tap), Some((conv, map))) = (tap.as_mut(), self.norm_before(step)) {
                let tensor = self.tapped(prepared, map)?;
                let name = self.plan.convs[conv].norm_name.as_deref();
                tap(name.unwrap_or_default(), tensor);
            }
            self.launch(&self.writing_floats(step, prepared, store_floats))?;
            if let (Some(tap), Some((conv, map))) = (tap.as_mut(), statistics_of(&step.op)) {
                let name = self.plan.convs[conv].norm_name.as_deref();
                let tensor = self.tensor(DevicePtr(self.maker().map(map)), map, Some(conv))?;
                tap(name.unwrap_or_default(), tensor);
            }
        }
        self.floats()
    }

    /// Runs the last step again in the form that writes the picture before rounding, and hands that over.
    pub(super) fn output_floats(
        &self,
        launches: &[Prepared],
        store_floats: Function,
    ) -> Result<Tensor, DriverFailure> {
        if let (Some(step), Some(prepared)) = (self.plan.steps.last(), launches.last()) {
            self.launch(&self.writing_floats(step, prepared, store_floats))?;
        }
        self.floats()
    }

    /// The picture of the first image before rounding, where [`Self::writing_floats`] was launched.
    pub(super) fn floats(&self) -> Result<Tensor, DriverFailure> {
        let (height, width) = self.plan.photo;
        let mut bytes = vec![0; 12 * height * width];
        self.driver
            .download(&mut bytes, self.at(self.places.floats))?;
        let mut tensor = Tensor::zeros(Shape::new(3, height, width));
        tensor.data = widened(&bytes, Storage::F32);
        Ok(tensor)
    }

    /// The launch of a step; of one that makes the picture, the launch that writes it before rounding.
    pub(super) fn writing_floats(
        &self,
        step: &CudaStep,
        prepared: &Prepared,
        store_floats: Function,
    ) -> Prepared {
        let (Prepared::Kernel(launch), Some(argument)) = (prepared, self.maker().floats(&step.op))
        else {
            return *prepared;
        };
        let function = match &argument {
            Argument::StoreFloats(_) => store_floats,
            _ => launch.function,
        };
        Prepared::Kernel(KernelLaunch {
            function,
            argument,
            ..*launch
        })
    }

    /// The norm whose finished map a step takes in, before ReLU and residual add.
    fn norm_before(&self, step: &CudaStep) -> Option<(ConvId, MapId)> {
        match step.op {
            CudaOp::NormApply { conv, map, .. } | CudaOp::NormPlane { conv, map, .. } => {
                Some((conv, map))
            }
            CudaOp::Relu { map } | CudaOp::Add { map, .. } => {
                let conv = self.plan.convs.iter().position(|c| c.name == step.layer)?;
                Some((conv, map))
            }
            _ => None,
        }
    }

    /// The map behind a norm. Where the norm is fused with what follows it, the same kernel runs
    /// without ReLU and residual, into memory of its own.
    fn tapped(&self, prepared: &Prepared, map: MapId) -> Result<Tensor, DriverFailure> {
        let Prepared::Kernel(launch) = prepared else {
            return self.tensor(DevicePtr(self.maker().map(map)), map, None);
        };
        let mut argument = launch.argument;
        let (to, residual, relu) = match &mut argument {
            Argument::NormApply(p) => (&mut p.to, &mut p.residual, &mut p.relu),
            Argument::NormPlane(p) => (&mut p.to, &mut p.residual, &mut p.relu),
            _ => return self.tensor(DevicePtr(self.maker().map(map)), map, None),
        };
        let scratch = self.driver.allocate(self.plan.maps[map].bytes)?;
        (*to, *residual, *relu) = (scratch.0, 0, 0);
        let tensor = self
            .launch(&Prepared::Kernel(KernelLaunch {
                argument,
                ..*launch
            }))
            .and_then(|()| self.tensor(scratch, map, None));
        self.driver.free(scratch);
        tensor
    }
}

/// The norm whose result can be read behind a step: as a raw map with scale and shift.
fn statistics_of(op: &CudaOp) -> Option<(ConvId, MapId)> {
    match op {
        CudaOp::Conv(ConvLaunch {
            conv,
            target: Target::Map(map),
            statistics: true,
            ..
        }) => Some((*conv, *map)),
        _ => None,
    }
}

/// Stored values as f32.
fn widened(bytes: &[u8], storage: Storage) -> Vec<f32> {
    let pair = |b: &[u8]| [b[0], b[1]];
    match storage {
        Storage::F32 => bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect(),
        Storage::F16 => bytes
            .chunks_exact(2)
            .map(|b| half::f16::from_le_bytes(pair(b)).to_f32())
            .collect(),
        Storage::Bf16 => bytes
            .chunks_exact(2)
            .map(|b| half::bf16::from_le_bytes(pair(b)).to_f32())
            .collect(),
    }
}
