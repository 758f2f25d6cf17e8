//! Runs a plan: buffers, launches, the photo's way to the device and the painting's way back.
//!
//! A frame is several submissions, so that no single one keeps the device busy for long: a desktop that uses the same
//! device stays smooth, Windows ends submissions of more than two seconds, and a run can be cancelled in between.

use std::{borrow::Cow, sync::Arc, time::Instant};

use backend::{
    BackendError, BackendResult, InspectSession, Job, NormTap, RunControl, Session, run_one_by_one,
};
use network::Network;
use plan::{
    PlanSummary,
    general::{ConstantValues, GeneralOp, MapId},
};
use values::{
    frame::Frame,
    numeric::NumberFormat,
    tensor::{Shape, Tensor},
    timing::{RunTiming, StepTiming},
};
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, Buffer, BufferBinding,
    BufferDescriptor, BufferUsages, CommandEncoder, ComputePassDescriptor, MapMode,
    SubmissionIndex,
};

use crate::{
    gpu::Gpu,
    kernels::{Compiled, FIRST_INPUT},
    plan::{ALIGNMENT, Binding, FLAG_BYTES, GpuOp, GpuPlan, Launch, Place, buffer_bytes},
    weights,
};

/// Floating-point operations of a submission: some milliseconds of an integrated GPU.
const SUBMISSION_FLOPS: u64 = 8_000_000_000;

/// A launch with its kernel and everything that it reads and writes.
struct Prepared {
    kernel: Arc<Compiled>,
    group: BindGroup,
    grid: [u32; 3],
}

/// The buffers of a session.
struct Buffers {
    slots: Vec<Buffer>,
    weights: Buffer,
    tables: Buffer,
    parameters: Buffer,
    flag: Buffer,
    photo: Buffer,
    picture: Buffer,
    /// The picture and the flag, where the system can read them.
    read_back: Buffer,
    /// The unrounded picture, for checks.
    floats: Option<Buffer>,
}

pub struct GpuSession {
    gpu: Arc<Gpu>,
    plan: GpuPlan,
    network: Arc<Network>,
    buffers: Buffers,
    /// By step.
    launches: Vec<Vec<Prepared>>,
    floats: Option<Prepared>,
}

/// A new buffer.
fn buffer(gpu: &Gpu, label: &str, bytes: u64, usage: BufferUsages) -> Buffer {
    gpu.device.create_buffer(&BufferDescriptor {
        label: Some(label),
        size: buffer_bytes(bytes),
        usage,
        mapped_at_creation: false,
    })
}

impl Buffers {
    fn new(gpu: &Gpu, plan: &GpuPlan) -> Self {
        let storage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        let both = storage | BufferUsages::COPY_SRC;
        let slots = plan.slots.iter().map(|&bytes| buffer(gpu, "map", bytes, both)).collect();
        let uniform = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        let read = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        Self {
            slots,
            weights: buffer(gpu, "weights", plan.weight_bytes, storage),
            tables: buffer(gpu, "tables", plan.table_bytes, storage),
            parameters: buffer(gpu, "parameters", plan.parameter_bytes(), uniform),
            flag: buffer(gpu, "flag", FLAG_BYTES, both),
            photo: buffer(gpu, "photo", plan.photo_bytes(), storage),
            picture: buffer(gpu, "picture", plan.painting_bytes(), both),
            read_back: buffer(gpu, "painting", plan.painting_bytes() + FLAG_BYTES, read),
            floats: None,
        }
    }

    /// Bytes of all of them, without those for checks.
    fn bytes(&self) -> u64 {
        let Self { weights, tables, parameters, flag, photo, picture, read_back, .. } = self;
        let own = [weights, tables, parameters, flag, photo, picture, read_back];
        own.into_iter().chain(&self.slots).map(Buffer::size).sum()
    }

    fn of(&self, plan: &GpuPlan, place: Place) -> &Buffer {
        match place {
            Place::Map(map) => &self.slots[plan.slot_of[map]],
            Place::Weights => &self.weights,
            Place::Tables => &self.tables,
            Place::Photo => &self.photo,
            Place::Picture => &self.picture,
            Place::Floats => self.floats.as_ref().unwrap_or(&self.picture),
        }
    }

    fn bound<'b>(&'b self, plan: &GpuPlan, binding: &Binding) -> BindingResource<'b> {
        let buffer = self.of(plan, binding.place);
        let bytes = binding.bytes.min(buffer.size() - binding.offset);
        let size = std::num::NonZeroU64::new(bytes);
        BindingResource::Buffer(BufferBinding { buffer, offset: binding.offset, size })
    }

    /// A launch whose parameters are number `index`.
    fn prepare(
        &self,
        gpu: &Gpu,
        plan: &GpuPlan,
        kernel: Arc<Compiled>,
        (launch, index): (&Launch, usize),
    ) -> Prepared {
        let words: Vec<u8> = launch.parameters.iter().flat_map(|word| word.to_le_bytes()).collect();
        let offset = index as u64 * ALIGNMENT;
        gpu.queue.write_buffer(&self.parameters, offset, &words);
        let parameters = BufferBinding {
            buffer: &self.parameters,
            offset,
            size: std::num::NonZeroU64::new(ALIGNMENT),
        };
        let first = [
            BindingResource::Buffer(parameters),
            self.flag.as_entire_binding(),
            self.bound(plan, &launch.output),
        ];
        debug_assert_eq!(first.len(), FIRST_INPUT as usize);
        let inputs = launch.inputs.iter().map(|input| self.bound(plan, input));
        let entries: Vec<BindGroupEntry<'_>> = (0..)
            .zip(first.into_iter().chain(inputs))
            .map(|(binding, resource)| BindGroupEntry { binding, resource })
            .collect();
        let group = gpu.device.create_bind_group(&BindGroupDescriptor {
            label: None,
            layout: &kernel.layout,
            entries: &entries,
        });
        Prepared { kernel, group, grid: launch.grid }
    }
}

impl GpuSession {
    /// Compiles the kernels, allocates the memory and uploads the weights.
    ///
    /// # Errors
    /// [`BackendError::OutOfMemory`], [`BackendError::Kernel`], [`BackendError::DeviceLost`].
    pub fn new(gpu: Arc<Gpu>, network: &Arc<Network>, plan: GpuPlan) -> BackendResult<Self> {
        let size = plan.photo;
        let bytes = plan.device_bytes();
        let all = plan.steps.iter().flat_map(|step| &step.launches);
        // Threads of their own compile them, with the handler of all other errors.
        let kernels = gpu.kernels.of(&gpu.device, plan.format, all);
        gpu.check(size, bytes)?;
        let buffers = gpu.scoped(size, bytes, || Buffers::new(&gpu, &plan))?;
        debug_assert!(buffers.bytes() <= bytes, "more memory than predicted");
        let launches = gpu.scoped(size, bytes, || {
            for (buffer, is_weights) in [(&buffers.weights, true), (&buffers.tables, false)] {
                let values = weights::bytes(&plan, network.weights(), is_weights);
                gpu.queue.write_buffer(buffer, 0, &values);
            }
            let (mut kernels, mut index) = (kernels.into_iter(), 0);
            let steps = plan.steps.iter().map(|step| {
                let all = step.launches.iter().zip(kernels.by_ref());
                let prepared = all.map(|(launch, kernel)| {
                    index += 1;
                    buffers.prepare(&gpu, &plan, kernel, (launch, index - 1))
                });
                prepared.collect()
            });
            steps.collect()
        })?;
        // Uploads the weights now instead of with the first frame.
        gpu.submit([]);
        Ok(Self { gpu, network: Arc::clone(network), plan, buffers, launches, floats: None })
    }

    /// The photo, extended to the right and below if a side is too short for the network.
    fn extended<'f>(&self, photo: &'f Frame) -> BackendResult<Cow<'f, Frame>> {
        let (height, width) = self.plan.photo;
        if (photo.height(), photo.width()) != (height, width) {
            return Err(BackendError::WrongSize {
                expected_width: width,
                expected_height: height,
                width: photo.width(),
                height: photo.height(),
            });
        }
        let (height, width) = self.plan.extended;
        Ok(if (height, width) == self.plan.photo {
            Cow::Borrowed(photo)
        } else {
            Cow::Owned(photo.extended(width, height))
        })
    }

    fn upload(&self, photo: &Frame) -> BackendResult {
        let photo = self.extended(photo)?;
        self.gpu.queue.write_buffer(&self.buffers.photo, 0, photo.rgba());
        self.gpu.queue.write_buffer(&self.buffers.flag, 0, &[0; FLAG_BYTES as usize]);
        Ok(())
    }

    fn encoder(&self) -> CommandEncoder {
        self.gpu.device.create_command_encoder(&Default::default())
    }

    fn submit(&self, encoder: CommandEncoder) -> SubmissionIndex {
        self.gpu.submit([encoder.finish()])
    }

    fn encode<'p>(encoder: &mut CommandEncoder, launches: impl Iterator<Item = &'p Prepared>) {
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
        for launch in launches {
            let [x, y, z] = launch.grid;
            pass.set_pipeline(&launch.kernel.pipeline);
            pass.set_bind_group(0, &launch.group, &[]);
            pass.dispatch_workgroups(x, y, z);
        }
    }

    fn wait(
        &self,
        submission: &SubmissionIndex,
        meanwhile: impl FnMut() -> BackendResult,
    ) -> BackendResult {
        self.gpu.wait(submission, self.plan.photo, meanwhile)
    }

    /// Runs all steps in several submissions, of which two are on the device at a time, and waits for the last one.
    fn run_steps(
        &self,
        control: &RunControl,
        mut meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult {
        let total = self.plan.flops().max(1);
        let (mut before, mut here) = (None::<SubmissionIndex>, 0);
        let (mut done, mut first) = (0u64, 0);
        for (index, step) in self.plan.steps.iter().enumerate() {
            here += step.flops;
            let is_last = index + 1 == self.plan.steps.len();
            if here < SUBMISSION_FLOPS && !is_last {
                continue;
            }
            let mut encoder = self.encoder();
            Self::encode(&mut encoder, self.launches[first..=index].iter().flatten());
            if is_last {
                let bytes = self.plan.painting_bytes();
                let Buffers { picture, flag, read_back, .. } = &self.buffers;
                encoder.copy_buffer_to_buffer(picture, 0, read_back, 0, bytes);
                encoder.copy_buffer_to_buffer(flag, 0, read_back, bytes, FLAG_BYTES);
            }
            let submission = self.submit(encoder);
            let waited = if is_last { Some(&submission) } else { before.as_ref() };
            if let Some(waited) = waited {
                self.wait(waited, || {
                    if let Some(meanwhile) = &mut meanwhile {
                        meanwhile();
                    }
                    Ok(())
                })?;
            }
            control.check(BackendError::Cancelled)?;
            done = done.saturating_add(here);
            control.set_progress(done as f32 / total as f32);
            (before, here, first) = (Some(submission), 0, index + 1);
        }
        control.set_progress(1.0);
        Ok(())
    }

    /// Copies bytes from the device.
    fn download(&self, from: &Buffer, bytes: u64) -> BackendResult<Vec<u8>> {
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let bytes = bytes.next_multiple_of(4);
        let copy = self.gpu.scoped(self.plan.photo, bytes, || {
            let copy = buffer(&self.gpu, "copy", bytes, usage);
            let mut encoder = self.encoder();
            encoder.copy_buffer_to_buffer(from, 0, &copy, 0, bytes);
            self.submit(encoder);
            copy
        })?;
        let mut all = vec![0; bytes as usize];
        self.read(&copy, &mut all)?;
        Ok(all)
    }

    /// Reads the first bytes of a buffer when the device has done everything that was submitted.
    fn read(&self, from: &Buffer, to: &mut [u8]) -> BackendResult {
        let lost = |reason: &str| BackendError::DeviceLost {
            device: self.gpu.info.name.clone(),
            reason: reason.to_owned(),
        };
        let slice = from.slice(..to.len() as u64);
        slice.map_async(MapMode::Read, |_| {});
        let submission = self.gpu.submit([]);
        self.wait(&submission, || Ok(()))?;
        let range = slice.get_mapped_range();
        match &range {
            Ok(range) => to.copy_from_slice(range),
            Err(_) => return Err(lost("its memory could not be read")),
        }
        drop(range);
        from.unmap();
        Ok(())
    }

    fn paint_frame(
        &self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        control.check(BackendError::Cancelled)?;
        self.gpu.check(self.plan.photo, 0)?;
        let begin = Instant::now();
        let ms = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
        self.upload(input)?;
        let upload_ms = ms(begin);
        let begin = Instant::now();
        self.run_steps(control, meanwhile)?;
        let total_ms = ms(begin);
        let begin = Instant::now();
        let mut bytes = vec![0; (self.plan.painting_bytes() + FLAG_BYTES) as usize];
        self.read(&self.buffers.read_back, &mut bytes)?;
        let (pixels, flag) = bytes.split_at(self.plan.painting_bytes() as usize);
        if flag.iter().any(|&byte| byte != 0) {
            let device = self.gpu.info.name.clone();
            return Err(BackendError::overflow(self.plan.mode, device, self.plan.format));
        }
        output.rgba_mut().copy_from_slice(pixels);
        let download_ms = ms(begin);
        Ok(RunTiming { upload_ms, download_ms, ..RunTiming::host(total_ms) })
    }

    /// The map after a step's norm, from the map and the statistics that the step reads, and the norm's name.
    fn after_norm(&self, op: &GpuOp) -> BackendResult<Option<(String, Tensor)>> {
        let GpuOp::General(GeneralOp::Pointwise {
            from,
            statistics: Some((statistics, eps)),
            ref change,
            ..
        }) = *op
        else {
            return Ok(None);
        };
        let Some(scale) = change.affine.map(|[scale, _]| &self.plan.constants[scale].values) else {
            return Ok(None);
        };
        let ConstantValues::Channels { node, .. } = scale else {
            return Ok(None);
        };
        let own = self.network.weights().of(node);
        let mut map = self.map(from)?;
        let stored = self.plan.maps[from].stored_channels;
        let values = self.download(self.slot(statistics), 8 * stored as u64)?;
        let values = NumberFormat::Fp32.read(&values);
        let plane = map.shape.height * map.shape.width;
        for (channel, values_of) in map.data.chunks_exact_mut(plane).enumerate() {
            let (mean, variance) = (values[channel], values[stored + channel]);
            let share = 1.0 / (variance + eps).sqrt();
            for value in values_of {
                *value = (*value - mean) * share * own.weight[channel] + own.bias[channel];
            }
        }
        Ok(Some((node.clone(), map)))
    }

    fn slot(&self, map: MapId) -> &Buffer {
        self.buffers.of(&self.plan, Place::Map(map))
    }

    /// A map as it is stored.
    fn map(&self, map: MapId) -> BackendResult<Tensor> {
        let of = &self.plan.maps[map];
        let values = self.plan.format.read(&self.download(self.slot(map), of.bytes as u64)?);
        let mut tensor = Tensor::zeros(of.shape);
        let plane = of.shape.height * of.shape.width;
        for (channel, to) in tensor.data.chunks_exact_mut(plane).enumerate() {
            let own = values.iter().skip(channel).step_by(of.stored_channels);
            to.iter_mut().zip(own).for_each(|(to, value)| *to = *value);
        }
        Ok(tensor)
    }

    /// The launch that stores the unrounded picture, prepared when it is first needed.
    fn prepare_floats(&mut self) -> BackendResult {
        let Some(launch) = self.plan.floats.clone().filter(|_| self.floats.is_none()) else {
            return Ok(());
        };
        let Self { gpu, plan, buffers, .. } = self;
        let launches = std::iter::once(&launch);
        let kernels = gpu.kernels.of(&gpu.device, plan.format, launches);
        let bytes = launch.output.bytes;
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        buffers.floats =
            Some(gpu.scoped(plan.photo, bytes, || buffer(gpu, "floats", bytes, usage))?);
        let index = plan.steps.iter().map(|step| step.launches.len()).sum();
        let prepared = kernels.into_iter().map(|kernel| {
            gpu.scoped(plan.photo, bytes, || buffers.prepare(gpu, plan, kernel, (&launch, index)))
        });
        self.floats = prepared.last().transpose()?;
        Ok(())
    }
}

impl Session for GpuSession {
    fn summary(&self) -> PlanSummary {
        self.plan.summary()
    }

    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        mut meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        run_one_by_one(job, control, |input, output| {
            let meanwhile = meanwhile.as_mut().map(|call| &mut **call as &mut dyn FnMut());
            self.paint_frame(input, output, control, meanwhile)
        })
    }

    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        Some(self)
    }
}

impl InspectSession for GpuSession {
    fn run_tensor(
        &mut self,
        input: &Frame,
        control: &RunControl,
        mut tap: Option<NormTap<'_>>,
    ) -> BackendResult<Tensor> {
        control.check(BackendError::Cancelled)?;
        self.prepare_floats()?;
        self.upload(input)?;
        for (step, launches) in self.plan.steps.iter().zip(&self.launches) {
            if let Some(tap) = &mut tap
                && let Some((name, map)) = self.after_norm(&step.op)?
            {
                tap(&name, map);
            }
            let mut encoder = self.encoder();
            let is_picture = matches!(step.op, GpuOp::StorePicture { .. });
            let floats = self.floats.iter().filter(|_| is_picture);
            Self::encode(&mut encoder, launches.iter().chain(floats));
            self.submit(encoder);
        }
        let (height, width) = self.plan.photo;
        let shape = Shape::new(3, height, width);
        let from = self.buffers.of(&self.plan, Place::Floats);
        let values = NumberFormat::Fp32.read(&self.download(from, 4 * shape.len() as u64)?);
        Ok(Tensor { shape, data: values })
    }

    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> BackendResult<Vec<StepTiming>> {
        self.paint_frame(input, output, control, None)?;
        self.upload(input)?;
        let steps = self.plan.steps.iter().zip(&self.launches);
        let timed = steps.map(|(step, launches)| {
            control.check(BackendError::Cancelled)?;
            let mut encoder = self.encoder();
            Self::encode(&mut encoder, launches.iter());
            let begin = Instant::now();
            let submission = self.submit(encoder);
            self.wait(&submission, || Ok(()))?;
            let kernel = step.launches.first().map_or_else(String::new, |l| l.kernel.name());
            Ok(StepTiming {
                layer: step.layer.clone(),
                kernel,
                ms: begin.elapsed().as_secs_f64() * 1e3,
                flops: step.flops,
                bytes: step.bytes,
            })
        });
        timed.collect()
    }
}
