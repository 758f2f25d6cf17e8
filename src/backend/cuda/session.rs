//! Runs a CUDA plan: owns the device's memory, the kernels' arguments and the recorded graph.
//!
//! Nothing is allocated per frame. All memory is one allocation, cut by the plan. A frame is: copy
//! into pinned memory, upload, replay of the graph, download.

use std::sync::Arc;

use super::{
    arguments::{Argument, ArgumentMaker},
    driver::{DevicePtr, Driver, DriverFailure, Event, Function, Graph, LaunchShape, PinnedPtr},
    kernels::{Kernels, Refusal},
    pack,
};
use crate::{
    backend::{BackendError, NormTap, RunControl, Session},
    frame::Frame,
    network::Network,
    plan::{
        PlanSummary,
        cuda::{CudaOp, CudaPlan, Places, Storage},
    },
    tensor::Tensor,
    timing::{RunTiming, StepTiming, TimingMethod},
};

/// One launch with its arguments.
#[derive(Clone, Copy)]
pub(super) struct Prepared {
    pub(super) function: Function,
    pub(super) shape: LaunchShape,
    pub(super) argument: Argument,
}

/// A network ready to run on a GPU for one picture size.
pub struct CudaSession {
    pub(super) driver: Arc<dyn Driver>,
    pub(super) plan: CudaPlan,
    pub(super) places: Places,
    memory: DevicePtr,
    pinned: PinnedPtr,
    pinned_bytes: usize,
    pub(super) launches: Vec<Prepared>,
    /// Writes the output before rounding, in the variants that store the picture by itself.
    pub(super) store_floats: Option<Function>,
    graph: Option<Graph>,
    events: Vec<Event>,
    device_name: String,
    /// Keeps the images loaded that `launches` and `graph` point into.
    kernels: Arc<Kernels>,
}

impl CudaSession {
    /// Takes the memory, uploads the weights, records the graph.
    ///
    /// # Errors
    /// [`BackendError::OutOfDeviceMemory`], [`BackendError::Kernel`], [`BackendError::DeviceLost`].
    pub fn new(
        driver: Arc<dyn Driver>,
        kernels: &Arc<Kernels>,
        network: &Arc<Network>,
        plan: CudaPlan,
        device_name: &str,
    ) -> Result<Self, BackendError> {
        let places = Places::of(&plan);
        let memory = driver
            .allocate(places.total)
            .map_err(|f| out_of_memory(&driver, f, places.total, &plan, device_name))?;
        let (height, width) = plan.photo;
        let pinned_bytes = 4 * plan.batch * (plan.extended.0 * plan.extended.1 + height * width);
        // From here on `drop` gives back what was taken.
        let mut session = Self {
            pinned: PinnedPtr(0),
            pinned_bytes: 0,
            launches: Vec::new(),
            store_floats: None,
            graph: None,
            events: Vec::new(),
            device_name: device_name.to_owned(),
            kernels: kernels.clone(),
            driver,
            plan,
            places,
            memory,
        };
        session.pinned = session.driver.allocate_pinned(pinned_bytes).map_err(|f| {
            match f.is_out_of_memory() {
                // The computer's memory, not the GPU's.
                true => BackendError::OutOfMemory {
                    needed_bytes: pinned_bytes as u64,
                    width,
                    height,
                },
                false => session.told(f),
            }
        })?;
        session.pinned_bytes = pinned_bytes;
        session
            .driver
            .clear(session.memory, session.places.total)
            .map_err(|f| session.told(f))?;
        session
            .upload_weights(network)
            .map_err(|f| session.told(f))?;
        session.prepare()?;
        session.record()?;
        Ok(session)
    }

    pub(super) fn at(&self, offset: usize) -> DevicePtr {
        self.memory.at(offset)
    }

    fn upload_weights(&self, network: &Network) -> Result<(), DriverFailure> {
        let upload = |offset: usize, values: &[f32]| {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.driver.upload(self.at(offset), &bytes)
        };
        for step in &self.plan.steps {
            let CudaOp::Conv(launch) = &step.op else {
                continue;
            };
            let (id, conv) = (launch.conv, &self.plan.convs[launch.conv]);
            let (weights, memory) = (&network.convs()[id], &self.places.convs[id]);
            let packed = pack::pack(conv, &weights.weight, launch, self.plan.mode.precision);
            self.driver.upload(self.at(memory.weights), &packed)?;
            // What reads scaled levels makes scaled sums, so its bias is scaled as well.
            let bias: Vec<f32> = weights.bias.iter().map(|b| b * launch.bias_scale).collect();
            upload(memory.bias, &bias)?;
            if let Some(norm) = &weights.norm {
                upload(memory.gamma, &norm.gamma)?;
                upload(memory.beta, &norm.beta)?;
            }
        }
        Ok(())
    }

    pub(super) fn maker(&self) -> ArgumentMaker<'_> {
        ArgumentMaker {
            plan: &self.plan,
            places: &self.places,
            memory: self.memory,
        }
    }

    /// Finds the kernels and fills in their arguments.
    fn prepare(&mut self) -> Result<(), BackendError> {
        for step in &self.plan.steps {
            let function = self.function(&step.file, &step.entry, step.shared_bytes)?;
            self.launches.push(Prepared {
                function,
                shape: LaunchShape {
                    grid: step.grid,
                    block: step.block,
                    shared_bytes: step.shared_bytes,
                    cooperative: false,
                },
                argument: self.maker().argument(&step.op),
            });
        }
        let stored = format!(
            "store_floats_{}",
            Storage::of(self.plan.mode.precision).suffix()
        );
        self.store_floats = Some(self.function("elementwise", &stored, 0)?);
        Ok(())
    }

    pub(super) fn launch(&self, prepared: &Prepared) -> Result<(), DriverFailure> {
        // SAFETY: the plan decided shape and argument together, the kernel was found by the plan's
        // name, and all addresses lie in memory that this session waits for before it frees it.
        unsafe {
            self.driver.launch(
                prepared.function,
                prepared.shape,
                prepared.argument.as_ptr(),
            )
        }
    }

    fn record(&mut self) -> Result<(), BackendError> {
        self.driver.begin_recording().map_err(|f| self.told(f))?;
        let launched = (self.plan.steps.iter())
            .zip(&self.launches)
            .try_for_each(|(step, l)| {
                self.launch(l)
                    .map_err(|f| refused(Refusal::Driver(f), &step.entry, |f| self.told(f)))
            });
        // Ends the recording whatever happened, or the stream could not be used any more; a graph of
        // half the launches is given back when the session is dropped.
        let graph = self.driver.end_recording().map_err(|f| self.told(f));
        self.graph = graph.as_ref().ok().copied();
        launched.and(graph.map(|_| ()))
    }

    /// The two halves of the pinned memory: photos in, paintings out.
    fn pinned_halves(&mut self) -> (&mut [u8], &mut [u8]) {
        let (height, width) = self.plan.extended;
        // SAFETY: the session's own allocation of this many bytes; the device does not work on it
        // while `self` is borrowed, since every run waits for the device.
        let all =
            unsafe { std::slice::from_raw_parts_mut(self.pinned.0 as *mut u8, self.pinned_bytes) };
        all.split_at_mut(4 * self.plan.batch * height * width)
    }

    /// Puts photos into pinned memory; places of the batch beyond them repeat the last.
    fn stage(&mut self, inputs: &[&Frame]) {
        let ((height, width), batch) = (self.plan.extended, self.plan.batch);
        let extend = (height, width) != self.plan.photo;
        let bytes = 4 * height * width;
        let (photos, _) = self.pinned_halves();
        for (place, to) in photos.chunks_exact_mut(bytes).enumerate().take(batch) {
            let Some(frame) = inputs.get(place).or(inputs.last()) else {
                return;
            };
            if extend {
                to.copy_from_slice(frame.extended(width, height).rgba());
            } else {
                to.copy_from_slice(frame.rgba());
            }
        }
    }

    /// Queues the upload of what was staged.
    pub(super) fn queue_upload(&self) -> Result<(), DriverFailure> {
        let (height, width) = self.plan.extended;
        let bytes = 4 * self.plan.batch * height * width;
        // SAFETY: pinned memory of this size; the run waits before anyone touches it again.
        unsafe {
            self.driver
                .upload_pinned(self.at(self.places.photo), self.pinned, bytes)
        }
    }

    /// Queues the download of the paintings.
    fn queue_download(&self) -> Result<(), DriverFailure> {
        let (height, width) = self.plan.photo;
        let (tall, wide) = self.plan.extended;
        let to = PinnedPtr(self.pinned.0 + 4 * self.plan.batch * tall * wide);
        let bytes = 4 * self.plan.batch * height * width;
        // SAFETY: as for the upload.
        unsafe {
            self.driver
                .download_pinned(to, self.at(self.places.painting), bytes)
        }
    }

    /// `count` marks, made when first needed.
    fn marks(&mut self, count: usize) -> Result<(), DriverFailure> {
        while self.events.len() < count {
            self.events.push(self.driver.event()?);
        }
        Ok(())
    }

    /// One replay over what was staged; milliseconds on the device's clock, transfers not included.
    fn replay(&mut self) -> Result<f64, DriverFailure> {
        self.marks(2)?;
        self.queue_upload()?;
        self.driver.record(self.events[0])?;
        match self.graph {
            Some(graph) => self.driver.replay(graph)?,
            None => {
                for l in &self.launches {
                    self.launch(l)?;
                }
            }
        }
        self.driver.record(self.events[1])?;
        self.queue_download()?;
        self.driver.wait()?;
        let ms = self.driver.elapsed_ms(self.events[0], self.events[1])?;
        Ok(f64::from(ms))
    }

    /// Paints at most a batch of frames with one replay; milliseconds on the device's clock.
    fn paint_group(
        &mut self,
        inputs: &[&Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<f64, BackendError> {
        for frame in inputs.iter().copied().chain(outputs.iter()) {
            BackendError::check_size(frame, self.plan.photo)?;
        }
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        self.stage(inputs);
        let total_ms = self.replay().map_err(|f| self.told(f))?;
        self.unstage(outputs);
        Ok(total_ms)
    }

    /// Takes the paintings out of pinned memory.
    fn unstage(&mut self, outputs: &mut [Frame]) {
        let (_, paintings) = self.pinned_halves();
        let mut from = paintings;
        for output in outputs {
            let to = output.rgba_mut();
            let (painting, rest) = from.split_at_mut(to.len());
            to.copy_from_slice(painting);
            from = rest;
        }
    }

    /// One frame launch by launch, with a mark between them.
    fn profiled(&mut self) -> Result<Vec<StepTiming>, DriverFailure> {
        self.marks(self.launches.len() + 1)?;
        self.queue_upload()?;
        self.driver.record(self.events[0])?;
        for (l, &event) in self.launches.iter().zip(&self.events[1..]) {
            self.launch(l)?;
            self.driver.record(event)?;
        }
        self.queue_download()?;
        self.driver.wait()?;
        self.plan
            .steps
            .iter()
            .zip(self.events.windows(2))
            .map(|(step, pair)| {
                Ok(StepTiming {
                    layer: step.layer.clone(),
                    kernel: step.entry.clone(),
                    ms: f64::from(self.driver.elapsed_ms(pair[0], pair[1])?),
                    flops: step.flops,
                    bytes: step.bytes,
                })
            })
            .collect()
    }

    fn told(&self, failure: DriverFailure) -> BackendError {
        let needed = self.places.total;
        out_of_memory(&self.driver, failure, needed, &self.plan, &self.device_name)
    }

    fn function(
        &self,
        file: &str,
        entry: &str,
        shared_bytes: u32,
    ) -> Result<Function, BackendError> {
        self.kernels
            .function(file, entry, shared_bytes)
            .map_err(|refusal| refused(refusal, entry, |f| self.told(f)))
    }
}

/// A driver's failure in the program's words.
pub(super) fn tell(failure: DriverFailure, device: &str) -> BackendError {
    let reason = failure.to_string();
    if failure.is_lost() {
        BackendError::DeviceLost {
            device: device.to_owned(),
            reason,
        }
    } else {
        BackendError::Unavailable {
            device: device.to_owned(),
            reason,
        }
    }
}

/// A kernel that cannot be had or launched, in the program's words; `told` tells what is not the
/// kernel's own fault.
pub(super) fn refused(
    refusal: Refusal,
    entry: &str,
    told: impl FnOnce(DriverFailure) -> BackendError,
) -> BackendError {
    match refusal {
        Refusal::Driver(failure) if failure.is_lost() || failure.is_out_of_memory() => {
            told(failure)
        }
        refusal => BackendError::Kernel {
            kernel: entry.to_owned(),
            reason: refusal.to_string(),
        },
    }
}

fn out_of_memory(
    driver: &Arc<dyn Driver>,
    failure: DriverFailure,
    needed: usize,
    plan: &CudaPlan,
    device: &str,
) -> BackendError {
    if !failure.is_out_of_memory() {
        return tell(failure, device);
    }
    let (height, width) = plan.photo;
    BackendError::OutOfDeviceMemory {
        needed_bytes: needed as u64,
        free_bytes: driver.memory_info().map_or(0, |(free, _)| free as u64),
        width,
        height,
    }
}

impl Drop for CudaSession {
    fn drop(&mut self) {
        self.driver.wait().ok();
        if let Some(graph) = self.graph.take() {
            self.driver.free_graph(graph);
        }
        for event in self.events.drain(..) {
            self.driver.free_event(event);
        }
        if self.pinned_bytes > 0 {
            self.driver.free_pinned(self.pinned);
        }
        self.driver.free(self.memory);
    }
}

/// The timing of frames that the device's own clock measured.
fn device_time(total_ms: f64) -> RunTiming {
    RunTiming {
        total_ms,
        method: TimingMethod::Device,
        steps: Vec::new(),
    }
}

impl Session for CudaSession {
    fn summary(&self) -> PlanSummary {
        self.plan.summary()
    }

    fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        let total_ms = self.paint_group(&[input], std::slice::from_mut(output), control)?;
        control.set_progress(1.0);
        Ok(device_time(total_ms))
    }

    fn paint_batch(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        if inputs.len() != outputs.len() || inputs.is_empty() {
            return Err(BackendError::WrongBatch {
                inputs: inputs.len(),
                outputs: outputs.len(),
            });
        }
        let (batch, all) = (self.plan.batch, inputs.len());
        let (mut total_ms, mut done) = (0.0, 0);
        for (group, to) in inputs.chunks(batch).zip(outputs.chunks_mut(batch)) {
            let frames: Vec<&Frame> = group.iter().collect();
            total_ms += self.paint_group(&frames, to, control)?;
            done += group.len();
            control.set_progress(done as f32 / all as f32);
        }
        Ok(device_time(total_ms))
    }

    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        BackendError::check_size(input, self.plan.photo)?;
        BackendError::check_size(output, self.plan.photo)?;
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        self.stage(&[input]);
        let steps = self.profiled().map_err(|f| self.told(f))?;
        self.unstage(std::slice::from_mut(output));
        Ok(steps)
    }

    fn run_tensor(
        &mut self,
        input: &Frame,
        tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError> {
        BackendError::check_size(input, self.plan.photo)?;
        self.stage(&[input]);
        self.run_steps(tap).map_err(|f| self.told(f))
    }
}
