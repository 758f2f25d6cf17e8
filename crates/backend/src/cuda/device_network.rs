//! A network in the device's memory: one allocation, divided by the plan, that contains the weights. Its launches are
//! in `launches`.
//!
//! Knows nothing about frames and their transfers. Belongs to one session and its thread.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use rayon::prelude::*;

use super::{
    algorithms::Algorithms,
    composer::{Composer, OnDevice},
    constants,
    driver::{Algorithm, DevicePtr, Driver, DriverFailure, DriverResult, Function},
    folded::folded,
    kernel_params::ParamsMaker,
    kernels::Kernels,
    pack,
    transfers::timed,
};
use crate::{BackendError, BackendResult, RunControl};
use network::Weights;
use plan::cuda::{ConvolutionShape, CudaOp, CudaPlan, LibraryConv, MemoryLayout, suffix};

/// Operations per second of the slowest GPU in its slowest mode, divided by a hundred: 0.01 TFLOP/s.
const MIN_FLOPS_PER_S: u64 = 10_000_000_000;
/// Minimum time that any run may take. Kernels may be compiled at their first launch, and other programs may use the
/// GPU.
const MIN_PATIENCE: Duration = Duration::from_secs(20);

/// How many times each suggested algorithm runs. The first run may load kernels.
const TIMED_RUNS: usize = 5;
/// A later suggestion is chosen if it takes at most this part of the time. The part is small, so that the choice, and
/// with it the bits of a painting, does not depend on chance.
const MUCH_FASTER: f64 = 0.6;

/// What the sessions of one device share.
#[derive(Clone)]
pub struct SessionDevice {
    /// The program's own kernels.
    pub kernels: Arc<Kernels>,
    /// The library's algorithms.
    pub algorithms: Arc<Algorithms>,
    pub composer: Arc<Composer>,
    pub driver: Arc<dyn Driver>,
    /// The device's name.
    pub name: String,
}

/// A network in the device's memory.
pub struct DeviceNetwork {
    pub plan: CudaPlan,
    pub layout: MemoryLayout,
    memory: DevicePtr,
    /// Its queues may be exchanged for others of the same device when they are empty.
    pub driver: Arc<dyn Driver>,
    /// The device's kernels, of which there is one set. Keeps the images loaded that the launches use.
    pub kernels: Arc<Kernels>,
    /// The library's algorithm for every shape that it computes.
    pub algorithms: HashMap<ConvolutionShape, Algorithm>,
    device_name: String,
    /// Every step is launched separately after the end of the previous one, because the driver refused joint launches.
    pub is_plain: AtomicBool,
}

impl DeviceNetwork {
    /// Prepares the library's algorithms, allocates the memory and uploads the weights, all in the queues of `device`.
    /// Stops when `control` is cancelled.
    pub fn new(
        device: SessionDevice,
        weights: &Weights,
        mut plan: CudaPlan,
        control: &RunControl,
    ) -> BackendResult<Self> {
        let SessionDevice { driver, kernels, name: device_name, algorithms: all, .. } = device;
        let failed = |plan: &CudaPlan, f| backend_error(driver.as_ref(), plan, &device_name, f);
        // The algorithms are prepared before the session's memory is allocated, because they determine how much working
        // memory it needs.
        let (mut algorithms, mut new) = (HashMap::new(), Vec::new());
        for conv in plan.library_convs() {
            if control.is_cancelled() {
                break;
            }
            if let Entry::Vacant(place) = algorithms.entry(conv.shape) {
                if let Some(kept) = all.find(&conv.shape) {
                    place.insert(kept);
                    continue;
                }
                let library = driver.convolution_library().map_err(DriverFailure::of_library);
                let suggested = library
                    .and_then(|library| library.prepare(&conv.shape))
                    .map_err(|f| failed(&plan, f))?;
                place.insert(suggested[0].clone());
                new.push((*conv, suggested));
            }
        }
        let suggested = new.iter().flat_map(|(_, suggested)| suggested);
        let workspaces = algorithms.values().chain(suggested).map(|a| a.workspace_bytes);
        plan.workspace_bytes = workspaces.max().unwrap_or(0);
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        let layout = MemoryLayout::of(&plan);
        let memory = driver.allocate(layout.total).map_err(|f| failed(&plan, f))?;
        // From here on, `drop` releases what was allocated.
        let mut network = Self {
            plan,
            layout,
            memory,
            driver,
            kernels,
            algorithms,
            device_name,
            is_plain: AtomicBool::new(false),
        };
        network
            .driver
            .clear(memory, network.layout.total)
            .and_then(|()| network.upload_weights(weights))
            .and_then(|()| network.upload_constants(weights))
            .and_then(|()| network.choose(new))
            .map_err(|f| network.backend_error(f))?;
        for (&shape, algorithm) in &network.algorithms {
            all.keep(shape, algorithm.clone());
        }
        Ok(network)
    }

    /// How long to wait for a run of the whole plan: a generous multiple of its predicted time.
    pub fn patience(&self) -> Duration {
        MIN_PATIENCE + Duration::from_secs(self.plan.flops() / MIN_FLOPS_PER_S)
    }

    pub fn at(&self, offset: usize) -> DevicePtr {
        self.memory.at(offset)
    }

    /// Uploads weights, biases and norms of all layers, which are contiguous, in one piece.
    fn upload_weights(&self, all: &Weights) -> DriverResult {
        let Some(first) = self.layout.convs.first() else {
            return Ok(());
        };
        let begin = first.weights;
        let mut image = vec![0u8; self.layout.partials - begin];
        let mut put = |offset: usize, bytes: &[u8]| {
            image[offset - begin..][..bytes.len()].copy_from_slice(bytes);
        };
        let bytes_of =
            |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        // Packing takes most of the time of opening a session, so it runs on all cores.
        let packed: Vec<_> = (self.plan.steps.par_iter())
            .filter_map(|step| match &step.op {
                CudaOp::Conv(launch) => {
                    let id = launch.conv;
                    let spec = &self.plan.convs[id];
                    let own = if launch.is_general {
                        let affine = spec.affine.each_ref().map(Option::as_deref);
                        let layer = (spec.name.as_str(), spec.in_channels);
                        folded(layer, affine, launch.photo_scale, all)
                    } else {
                        Cow::Borrowed(all.of(&spec.name))
                    };
                    let packed = pack::pack(spec, &own.weight, launch);
                    let bias = own.bias.iter().map(|b| b * launch.bias_scale).collect();
                    Some((id, Some(packed), Some(bias)))
                }
                CudaOp::LibraryConv(LibraryConv { conv, shape, .. }) => {
                    let spec = &self.plan.convs[*conv];
                    let weights = &all.of(&spec.name).weight;
                    let packed = pack::pack_for_library(spec, weights, shape);
                    Some((*conv, Some(packed), None))
                }
                CudaOp::Bias { conv, scale, .. } => {
                    let bias = &all.of(&self.plan.convs[*conv].name).bias;
                    // A layer that reads scaled levels computes scaled sums, so its bias is scaled as well.
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
                put(memory.bias, &bytes_of(&bias));
            }
        }
        for (conv, memory) in self.plan.convs.iter().zip(&self.layout.convs) {
            if let Some(norm) = &conv.norm_name {
                let norm = all.of(norm);
                put(memory.gamma, &bytes_of(&norm.weight));
                put(memory.beta, &bytes_of(&norm.bias));
            }
        }
        self.driver.upload(self.at(begin), &image)
    }

    /// Chooses among the suggested algorithms of new convolutions: the first, unless a later one is much faster. Each
    /// runs here, because the first run may load kernels, which cannot be recorded. Reads and writes maps that are
    /// still zero.
    fn choose(&mut self, new: Vec<(LibraryConv, Vec<Algorithm>)>) -> DriverResult {
        for (conv, suggested) in new {
            let mut best_ms = f64::INFINITY;
            for algorithm in suggested {
                let best = self.algorithms.insert(conv.shape, algorithm);
                let launch = self.library_launch(&conv, &self.maker());
                let times_ms = timed(&self.driver, TIMED_RUNS, || self.launch(&launch))?;
                let ms = times_ms.into_iter().fold(f64::INFINITY, f64::min);
                if ms <= best_ms * MUCH_FASTER {
                    best_ms = ms;
                } else {
                    self.algorithms.extend(best.map(|best| (conv.shape, best)));
                }
            }
        }
        Ok(())
    }

    /// Uploads what the launches of a general graph read in addition to maps. It is contiguous, so this is one piece.
    fn upload_constants(&self, weights: &Weights) -> DriverResult {
        let Some(&begin) = self.layout.constants.first() else {
            return Ok(());
        };
        let format = self.plan.format().storage;
        let packed: Vec<Vec<u8>> = (self.plan.constants.par_iter())
            .map(|constant| constants::bytes(constant, weights, format))
            .collect();
        let mut image = vec![0u8; self.layout.total - begin];
        let all = self.plan.constants.iter().zip(&self.layout.constants);
        for (bytes, (constant, offset)) in packed.iter().zip(all) {
            assert!(bytes.len() <= constant.bytes, "a constant's place");
            image[offset - begin..][..bytes.len()].copy_from_slice(bytes);
        }
        self.driver.upload(self.at(begin), &image)
    }

    pub fn maker(&self) -> ParamsMaker<'_> {
        self.maker_for(&self.layout)
    }

    /// Builds parameters for photos and paintings in this layout.
    pub fn maker_for<'a>(&'a self, layout: &'a MemoryLayout) -> ParamsMaker<'a> {
        ParamsMaker { plan: &self.plan, layout, memory: self.memory, first_frame: 0 }
    }

    /// The kernel that writes the output before rounding, in the variants in which storing the picture is a separate
    /// step.
    pub fn store_floats(&self) -> BackendResult<Function> {
        let storage = self.plan.format().storage;
        self.function("elementwise", &format!("store_floats_{}", suffix(storage)), 0)
    }

    /// The device data from which a single frame is composed.
    pub fn on_device(&self) -> OnDevice<'_> {
        OnDevice {
            driver: &self.driver,
            painting: self.at(self.layout.painting),
            scaled: self.at(self.layout.photo),
            size: self.plan.photo,
            extended: self.plan.extended,
        }
    }

    /// Converts a driver's failure to this backend's error.
    pub fn backend_error(&self, failure: DriverFailure) -> BackendError {
        backend_error(self.driver.as_ref(), &self.plan, &self.device_name, failure)
    }

    /// The error for a frame with values that the format of the maps, or of the products, cannot represent.
    pub fn overflow(&self) -> BackendError {
        let format = self.plan.format().operand;
        BackendError::overflow(self.plan.mode, self.device_name.clone(), format)
    }

    pub fn function(&self, file: &str, entry: &str, shared_bytes: u32) -> BackendResult<Function> {
        (self.kernels).function(file, entry, shared_bytes, |f| self.backend_error(f))
    }
}

impl Drop for DeviceNetwork {
    fn drop(&mut self) {
        self.driver.free(self.memory);
    }
}

/// Converts a driver's failure while a plan is prepared or run to this backend's error.
pub fn backend_error(
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

/// Converts a driver's or a library's failure that is not about memory to this backend's error.
pub fn driver_error(failure: DriverFailure, device: &str) -> BackendError {
    let reason = match failure.code {
        DriverFailure::NO_ANSWER => failure.words.clone(),
        _ => failure.to_string(),
    };
    if failure.is_lost() {
        BackendError::DeviceLost { device: device.to_owned(), reason }
    } else if failure.is_of_library() {
        BackendError::Library { library: "cuDNN".to_owned(), reason }
    } else {
        BackendError::Unavailable { device: device.to_owned(), reason }
    }
}
