//! A network in the device's memory: one allocation, cut by the plan, with the weights in it and the
//! launches that work on it.
//!
//! Knows no frames and no transfers of them. Belongs to one session and its thread.

use std::{
    borrow::Cow,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rayon::prelude::*;

use super::{
    composer::{Composer, OnDevice},
    constants,
    convolutions::{self, Convolutions, Found},
    driver::{
        Algorithm, ConvolutionBuffers, DevicePtr, Driver, DriverFailure, Function, Graph,
        LaunchShape,
    },
    folded::folded,
    frame_gaps::FrameOnDevice,
    kernel_params::ParamsMaker,
    kernels::{Kernels, Refusal, refused},
    nvtx, pack,
    params::KernelParams,
    raw_decoder,
};
use crate::{
    backend::{BackendError, RunControl},
    network::Weights,
    numeric::NumberFormat,
    plan::cuda::{CudaOp, CudaPlan, LibraryConv, MemoryLayout, suffix},
};

/// The range that a profiler shows around the launches of a frame that are not replayed from a graph; the
/// ranges of the layers lie in it.
const FRAME_RANGE: &str = "frame";

/// What the sessions of one device share.
#[derive(Clone)]
pub struct SessionDevice {
    /// The device.
    pub driver: Arc<dyn Driver>,
    /// Our own kernels.
    pub kernels: Arc<Kernels>,
    /// A library's algorithms.
    pub convolutions: Arc<Convolutions>,
    /// What composes.
    pub composer: Arc<Composer>,
    /// What the device is called.
    pub name: String,
}

/// All steps, ready to be launched.
pub(super) struct Launches {
    /// Step by step.
    pub(super) single: Vec<Prepared>,
    /// As few as possible, several steps in one where the plan has it so and the device holds all their CTAs.
    pub(super) together: Vec<Together>,
}

impl Launches {
    /// The steps that run together, one after another.
    pub(super) fn steps(&self) -> Vec<Range<usize>> {
        let steps = self.together.iter().map(|together| together.steps.clone());
        steps.collect()
    }
}

/// What runs some steps.
pub(super) struct Together {
    /// The steps.
    pub(super) steps: Range<usize>,
    /// One launch, or one after another for some frames of a batch each.
    pub(super) launches: Vec<Prepared>,
}

/// One step, or several in one launch, ready to be launched.
// A session has some hundred of them; that they are copied freely is worth the bytes.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy)]
pub(super) enum Prepared {
    /// By one of our kernels.
    Kernel(KernelLaunch),
    /// By the library of convolutions.
    Library(Algorithm, ConvolutionBuffers),
}

/// One launch of a kernel with its parameter block.
#[derive(Clone, Copy)]
pub(super) struct KernelLaunch {
    pub(super) function: Function,
    pub(super) shape: LaunchShape,
    pub(super) params: KernelParams,
}

/// A network in the device's memory.
pub(super) struct DeviceNetwork {
    pub(super) plan: CudaPlan,
    pub(super) layout: MemoryLayout,
    memory: DevicePtr,
    pub(super) driver: Arc<dyn Driver>,
    /// Keeps the images loaded that launches point into.
    kernels: Arc<Kernels>,
    convolutions: Arc<Convolutions>,
    /// The convolution of every step that the library runs, with its algorithm, which is kept for as long as
    /// launches name it; `None` for a step of our own kernels.
    by_library: Vec<Option<(LibraryConv, Found)>>,
    device_name: String,
    /// Whether every step is launched by itself, behind the end of the one before: the driver refused more.
    is_plain: AtomicBool,
}

impl DeviceNetwork {
    /// Takes the library's algorithms, which are searched for if they were not before, and the memory, and
    /// uploads the weights, all in the queues of `device`; stops when `control` is cancelled.
    pub(super) fn new(
        device: SessionDevice,
        weights: &Weights,
        mut plan: CudaPlan,
        control: &RunControl,
    ) -> Result<Self, BackendError> {
        let SessionDevice {
            driver,
            kernels,
            convolutions,
            name: device_name,
            ..
        } = device;
        let failed = |plan: &CudaPlan, f| backend_error(driver.as_ref(), plan, &device_name, f);
        // The algorithms come before the session's memory, because they decide how much working memory it needs.
        let mut workspace_bytes = 0;
        let mut by_library = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let CudaOp::LibraryConv(conv) = step.op else {
                by_library.push(None);
                continue;
            };
            let found = convolutions.fastest(driver.as_ref(), &conv.shape, control);
            let found = found.map_err(|f| failed(&plan, f))?;
            let found = found.ok_or(BackendError::Cancelled)?;
            workspace_bytes = workspace_bytes.max(found.workspace_bytes);
            by_library.push(Some((conv, found)));
        }
        plan.workspace_bytes = workspace_bytes;
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        let layout = MemoryLayout::of(&plan);
        let memory = driver
            .allocate(layout.total)
            .map_err(|f| failed(&plan, f))?;
        // From here on `drop` gives back what was taken.
        let network = Self {
            plan,
            layout,
            memory,
            driver,
            kernels,
            convolutions,
            by_library,
            device_name,
            is_plain: AtomicBool::new(false),
        };
        network
            .driver
            .clear(memory, network.layout.total)
            .and_then(|()| network.upload_weights(weights))
            .and_then(|()| network.upload_constants(weights))
            .and_then(|()| network.run_new_algorithms())
            .map_err(|f| network.backend_error(f))?;
        Ok(network)
    }

    /// Notes that a frame is on the device, until the returned value is dropped.
    pub(super) fn frame(&self) -> FrameOnDevice<'_> {
        self.convolutions.frame()
    }

    /// Uses the queues of `driver`, which is of the same device, from now on. The queues before must be empty.
    pub(super) fn move_to(&mut self, driver: Arc<dyn Driver>) {
        self.driver = driver;
    }

    pub(super) fn at(&self, offset: usize) -> DevicePtr {
        self.memory.at(offset)
    }

    /// Uploads weights, biases and norms of all layers, which lie side by side, as one piece.
    fn upload_weights(&self, all: &Weights) -> Result<(), DriverFailure> {
        let Some(first) = self.layout.convs.first() else {
            return Ok(());
        };
        let begin = first.weights;
        let mut image = vec![0u8; self.layout.partials - begin];
        let mut put = |offset: usize, bytes: &[u8]| {
            image[offset - begin..][..bytes.len()].copy_from_slice(bytes);
        };
        let bytes_of = |values: &mut dyn Iterator<Item = f32>| -> Vec<u8> {
            values.flat_map(f32::to_le_bytes).collect()
        };
        // Packing takes most of the time of opening a session: it runs on all cores.
        let packed: Vec<_> = (self.plan.steps.par_iter())
            .filter_map(|step| match &step.op {
                CudaOp::Conv(launch) => {
                    let id = launch.conv;
                    let spec = &self.plan.convs[id];
                    let own = match launch.is_general {
                        true => {
                            let affine = spec.affine.each_ref().map(Option::as_deref);
                            let layer = (spec.name.as_str(), spec.in_channels);
                            folded(layer, affine, launch.photo_scale, all)
                        }
                        false => Cow::Borrowed(all.of(&spec.name)),
                    };
                    let packed = pack::pack(spec, &own.weight, launch);
                    let bias = own.bias.iter().map(|b| b * launch.bias_scale).collect();
                    Some((id, Some(packed), Some(bias)))
                }
                CudaOp::LibraryConv(LibraryConv { conv, shape, .. }) => {
                    let spec = &self.plan.convs[*conv];
                    let weights = &all.of(&spec.name).weight;
                    let packed = convolutions::weights(spec, weights, shape);
                    Some((*conv, Some(packed), None))
                }
                CudaOp::Bias { conv, scale, .. } => {
                    let bias = &all.of(&self.plan.convs[*conv].name).bias;
                    // A layer that reads scaled levels makes scaled sums, so its bias is scaled as well.
                    let bias: Vec<f32> = bias.iter().map(|b| b * scale).collect();
                    Some((*conv, None, Some(bias)))
                }
                _ => None,
            })
            .collect();
        for (id, packed, bias) in packed {
            let memory = &self.layout.convs[id];
            if let Some(packed) = packed {
                put(memory.weights, &packed);
            }
            if let Some(bias) = bias {
                put(memory.bias, &bytes_of(&mut bias.into_iter()));
            }
        }
        for (conv, memory) in self.plan.convs.iter().zip(&self.layout.convs) {
            if let Some(norm) = &conv.norm_name {
                let norm = all.of(norm);
                put(memory.gamma, &bytes_of(&mut norm.weight.iter().copied()));
                put(memory.beta, &bytes_of(&mut norm.bias.iter().copied()));
            }
        }
        self.driver.upload(self.at(begin), &image)
    }

    /// Runs each of the library's algorithms that never ran, because it was prepared without a search: the first
    /// run may load kernels, which cannot be recorded. Reads and writes the zeros of maps that hold nothing yet.
    fn run_new_algorithms(&self) -> Result<(), DriverFailure> {
        let mut library = self.by_library.iter().flatten();
        if library.all(|(_, found)| found.has_run()) {
            return Ok(());
        }
        self.convolutions.wait_for_gap();
        let maker = self.maker();
        let mut new = (self.by_library.iter().flatten()).filter(|(_, found)| !found.has_run());
        let ran = new.try_for_each(|(conv, found)| {
            self.launch(&self.library_launch(conv, found.algorithm(), &maker))?;
            // Other layers of its shape need not run it again.
            found.note_run();
            Ok(())
        });
        // Waits after a failure too: the memory is given back then.
        let waited = self.driver.wait();
        ran.and(waited)
    }

    /// Uploads what the launches of a general graph read beside maps, which lies side by side, as one piece.
    fn upload_constants(&self, weights: &Weights) -> Result<(), DriverFailure> {
        let Some(&begin) = self.layout.constants.first() else {
            return Ok(());
        };
        let format = self.plan.format().storage;
        let packed: Vec<Vec<u8>> = (self.plan.constants.par_iter())
            .map(|constant| constants::bytes(constant, weights, format))
            .collect();
        let mut image = vec![0u8; self.layout.total - begin];
        for (bytes, offset) in packed.iter().zip(&self.layout.constants) {
            image[offset - begin..][..bytes.len()].copy_from_slice(bytes);
        }
        self.driver.upload(self.at(begin), &image)
    }

    pub(super) fn maker(&self) -> ParamsMaker<'_> {
        self.maker_for(&self.layout)
    }

    /// Fills in parameters for photos and paintings in this layout.
    fn maker_for<'a>(&'a self, layout: &'a MemoryLayout) -> ParamsMaker<'a> {
        ParamsMaker {
            plan: &self.plan,
            layout,
            memory: self.memory,
            first_frame: 0,
        }
    }

    /// Finds the kernels and fills in their parameters, for photos and paintings in this layout.
    fn prepare(&self, layout: &MemoryLayout) -> Result<Launches, BackendError> {
        let maker = self.maker_for(layout);
        let mut single = Vec::with_capacity(self.plan.steps.len());
        for (step, by_library) in self.plan.steps.iter().zip(&self.by_library) {
            single.push(match (by_library, maker.params(&step.op)) {
                (Some((conv, found)), _) => self.library_launch(conv, found.algorithm(), &maker),
                (None, Some(params)) => Prepared::Kernel(KernelLaunch {
                    function: self.function(&step.file, &step.entry, step.shared_bytes)?,
                    shape: LaunchShape {
                        grid: step.grid,
                        block: step.block,
                        shared_bytes: step.shared_bytes,
                        cooperative: false,
                        early: self.plan.has_early_launches
                            && !self.is_plain.load(Ordering::Relaxed)
                            && step.may_begin_early()
                            && !single.is_empty(),
                    },
                    params,
                }),
                (None, None) => continue,
            });
        }
        let mut together = Vec::with_capacity(self.plan.launches.len());
        for steps in &self.plan.launches {
            if let Some(launches) = self.chain(&single, steps, &maker)? {
                let steps = steps.clone();
                together.push(Together { steps, launches });
            } else {
                together.extend(steps.clone().map(|step| Together {
                    steps: step..step + 1,
                    launches: vec![single[step]],
                }));
            }
        }
        Ok(Launches { single, together })
    }

    /// Several steps as one launch for some frames each, whose CTAs wait for each other; `None` for a single step, and where the driver
    /// counts fewer CTAs at once than the plan does.
    fn chain(
        &self,
        single: &[Prepared],
        steps: &Range<usize>,
        maker: &ParamsMaker<'_>,
    ) -> Result<Option<Vec<Prepared>>, BackendError> {
        if steps.len() < 2 || self.is_plain.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let Prepared::Kernel(first) = single[steps.start] else {
            return Ok(None);
        };
        let at_once = self.plan.frames_at_once(steps);
        // Of other steps the grid has all frames already.
        let grid_of = |frames: usize| match at_once {
            Some(_) => (first.shape.grid.0, first.shape.grid.1, frames as u32),
            None => first.shape.grid,
        };
        let frames = at_once.unwrap_or(self.plan.batch);
        let mut shape = LaunchShape {
            cooperative: true,
            grid: grid_of(frames),
            ..first.shape
        };
        let mut function = first.function;
        if let Some(joint) = self.plan.joint_kernel(steps) {
            shape.shared_bytes = joint.shared_bytes;
            function = self.function(&joint.file, &joint.entry, joint.shared_bytes)?;
        }
        let resident = self.driver.resident_ctas(function, shape);
        let resident = resident.map_err(|f| self.backend_error(f))?;
        if shape.ctas() > resident {
            return Ok(None);
        }
        let launches = (0..self.plan.batch).step_by(frames).map(|first_frame| {
            let left = self.plan.batch - first_frame;
            let params = ParamsMaker {
                first_frame,
                ..*maker
            }
            .chained(steps)?;
            Some(Prepared::Kernel(KernelLaunch {
                function,
                shape: LaunchShape {
                    grid: grid_of(left.min(frames)),
                    ..shape
                },
                params,
            }))
        });
        Ok(launches.collect())
    }

    /// The launch of a convolution that the library computes.
    fn library_launch(
        &self,
        conv: &LibraryConv,
        algorithm: Algorithm,
        maker: &ParamsMaker<'_>,
    ) -> Prepared {
        let buffers = ConvolutionBuffers {
            input: DevicePtr(maker.map(conv.from)),
            weights: self.at(self.layout.convs[conv.conv].weights),
            output: DevicePtr(maker.map(conv.to)),
            workspace: self.at(self.layout.workspace),
        };
        Prepared::Library(algorithm, buffers)
    }

    /// The kernel that writes the output before rounding, in the variants that store the picture by
    /// itself.
    pub(super) fn store_floats(&self) -> Result<Function, BackendError> {
        let storage = self.plan.format().storage;
        self.function(
            "elementwise",
            &format!("store_floats_{}", suffix(storage)),
            0,
        )
    }

    /// The device's kernels, of which there is one set for each device.
    pub(super) const fn kernels(&self) -> &Arc<Kernels> {
        &self.kernels
    }

    /// What is composed of a single frame.
    pub(super) fn on_device(&self) -> OnDevice<'_> {
        OnDevice {
            driver: &self.driver,
            painting: self.at(self.layout.painting),
            scaled: self.at(self.layout.photo),
            size: self.plan.photo,
            extended: self.plan.extended,
        }
    }

    /// The kernel that decodes a camera's frame.
    pub(super) fn raw_decoder(&self) -> Result<Function, BackendError> {
        self.function(raw_decoder::KERNEL, raw_decoder::KERNEL, 0)
    }

    pub(super) fn launch(&self, prepared: &Prepared) -> Result<(), DriverFailure> {
        // SAFETY: the plan decided shape and parameters together, the kernel was found by the plan's name, and
        // all addresses lie in memory that the session waits for before it frees it. The plan's workspace is as
        // large as the algorithm needs.
        unsafe {
            match prepared {
                Prepared::Kernel(l) => self.driver.launch(l.function, l.shape, l.params.as_ptr()),
                Prepared::Library(algorithm, buffers) => {
                    convolutions::convolve(self.driver.as_ref(), *algorithm, buffers)
                }
            }
        }
    }

    /// [`Self::launch`], but not before the launch before has ended: an event between them would count its
    /// neighbours.
    pub(super) fn launch_alone(&self, prepared: &Prepared) -> Result<(), DriverFailure> {
        match *prepared {
            Prepared::Kernel(l) => self.launch(&Prepared::Kernel(KernelLaunch {
                shape: LaunchShape {
                    early: false,
                    ..l.shape
                },
                ..l
            })),
            Prepared::Library(..) => self.launch(prepared),
        }
    }

    /// Hands what is launched of a frame to `launch` one after another, each in a range of its layers' names
    /// for profilers.
    pub(super) fn step_by_step(
        &self,
        launches: &Launches,
        mut launch: impl FnMut(&Together) -> Result<(), DriverFailure>,
    ) -> Result<(), DriverFailure> {
        let _frame = nvtx::range(FRAME_RANGE);
        launches.together.iter().try_for_each(|together| {
            let _layers = nvtx::range(&self.plan.layers(&together.steps));
            launch(together)
        })
    }

    /// Launches what runs some steps.
    pub(super) fn launch_together(&self, together: &Together) -> Result<(), DriverFailure> {
        (together.launches.iter()).try_for_each(|prepared| self.launch(prepared))
    }

    /// The launches for photos and paintings in this layout, and all of them as one graph, which the caller gives
    /// back. A driver that does not support some way to launch is asked for plain launches from then on.
    pub(super) fn recorded(
        &self,
        layout: &MemoryLayout,
    ) -> Result<(Launches, Graph), BackendError> {
        let launches = self.prepare(layout)?;
        match self.record(&launches) {
            Ok(graph) => Ok((launches, graph)),
            Err((_, failure))
                if failure.is_unsupported() && !self.is_plain.swap(true, Ordering::Relaxed) =>
            {
                self.recorded(layout)
            }
            Err((Some(entry), failure)) => Err(refused(Refusal::Driver(failure), &entry, |f| {
                self.backend_error(f)
            })),
            Err((None, failure)) => Err(self.backend_error(failure)),
        }
    }

    /// The launches as one graph, or the failure and the entry that could not be launched.
    fn record(&self, launches: &Launches) -> Result<Graph, (Option<String>, DriverFailure)> {
        self.driver.begin_recording().map_err(|f| (None, f))?;
        let launched = launches.together.iter().try_for_each(|together| {
            let entry = || self.plan.entry(&together.steps);
            (self.launch_together(together)).map_err(|f| (Some(entry()), f))
        });
        // Ends the recording after a failure too, or the stream could not be used any more.
        let graph = self.driver.end_recording().map_err(|f| (None, f));
        if let (Err(_), Ok(half)) = (&launched, &graph) {
            self.driver.free_graph(*half);
        }
        launched.and(graph)
    }

    /// A driver's failure as this backend's error.
    pub(super) fn backend_error(&self, failure: DriverFailure) -> BackendError {
        backend_error(self.driver.as_ref(), &self.plan, &self.device_name, failure)
    }

    /// The error for a frame with values that the maps' format, or that of the products, cannot hold.
    pub(super) fn overflow(&self) -> BackendError {
        let format = self.plan.format().operand;
        let largest = match format {
            NumberFormat::Fp16 | NumberFormat::Fp16x2 => half::f16::MAX.to_f32(),
            NumberFormat::Bf16 => half::bf16::MAX.to_f32(),
            NumberFormat::Fp32 | NumberFormat::Tf32 => f32::MAX,
            NumberFormat::Int8 => f32::from(i8::MAX),
        };
        BackendError::Unsupported {
            mode: self.plan.mode.to_string(),
            device: self.device_name.clone(),
            reason: format!(
                "this network makes values beyond {largest:.5}, the largest that {format} holds; choose fp32"
            ),
        }
    }

    fn function(
        &self,
        file: &str,
        entry: &str,
        shared_bytes: u32,
    ) -> Result<Function, BackendError> {
        (self.kernels).function(file, entry, shared_bytes, |f| self.backend_error(f))
    }
}

impl Drop for DeviceNetwork {
    fn drop(&mut self) {
        self.driver.free(self.memory);
    }
}

/// A driver's failure while a plan is prepared or run, as this backend's error.
pub(super) fn backend_error(
    driver: &dyn Driver,
    plan: &CudaPlan,
    device_name: &str,
    failure: DriverFailure,
) -> BackendError {
    if !failure.is_out_of_memory() {
        return driver_error(failure, device_name);
    }
    let (height, width) = plan.photo;
    let info = driver.memory_info();
    BackendError::OutOfDeviceMemory {
        needed_bytes: plan.device_bytes(),
        free_bytes: info.map_or(0, |(free, _)| free as u64),
        width,
        height,
        fits: None,
    }
}

/// A driver's or a library's failure as this backend's error, where memory is not the reason.
pub(super) fn driver_error(failure: DriverFailure, device: &str) -> BackendError {
    let reason = failure.to_string();
    if failure.is_lost() {
        BackendError::DeviceLost {
            device: device.to_owned(),
            reason,
        }
    } else if failure.is_of_library() {
        BackendError::Library {
            library: "cuDNN".to_owned(),
            reason,
        }
    } else {
        BackendError::Unavailable {
            device: device.to_owned(),
            reason,
        }
    }
}
