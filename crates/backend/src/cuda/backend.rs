//! One GPU as a backend.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    SWEPT_BYTES,
    composer::Composer,
    device_network::{SessionDevice, driver_error},
    driver::{DevicePtr, Driver, DriverFailure, DriverResult, Function},
    kernels::Kernels,
    native::NativeDriver,
    session::CudaSession,
    transfers::timed,
};
use crate::{
    Backend, BackendError, BackendResult, DeviceInfo, Inspect, RunControl, Session, SessionSpec,
};
use network::{Network, graph::Graph};
use plan::{
    ConvProvider,
    cuda::{
        CudaPlan, CudaPlanError, DeviceLimits, flops_per_clock, leaves_convolutions, mode_supported,
    },
};
use values::{
    frame::largest_size,
    lock::lock,
    mode::{DeviceChoice, Mode, Precision, Variant},
    timing::{Ceiling, Percentiles},
};

/// Copies that are timed to measure the peak bandwidth.
const TIMED_COPIES: usize = 9;

/// Plans that are kept.
const KEPT_PLANS: usize = 8;

/// A GPU with its kernels.
pub struct CudaBackend {
    device: SessionDevice,
    limits: DeviceLimits,
    /// The latest plans, with the graph and session for which each was made, the newest last. After a session's memory
    /// was predicted, the session is usually opened; a server predicts a few sizes again and again.
    planned: Mutex<Vec<(Graph, SessionSpec, CudaPlan)>>,
    /// Only one session is opened at a time, because all of them are prepared in the same queues.
    opening: Mutex<()>,
    /// Memory that is overwritten to empty the caches; allocated at first use.
    swept: Mutex<Option<DevicePtr>>,
}

impl CudaBackend {
    /// Opens the GPU with this index in the driver's order.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] with the driver's message. [`BackendError::DeviceLost`] if the driver refuses a
    /// context because this process lost one before.
    pub fn open(ordinal: usize, name: &str) -> BackendResult<Self> {
        let (driver, limits) = NativeDriver::open(ordinal).map_err(|f| driver_error(f, name))?;
        Ok(Self::with_driver(Arc::new(driver), limits, name))
    }

    /// The same GPU, planned as if it had at most this many multiprocessors.
    pub(super) fn narrowed(mut self, multiprocessors: usize) -> Self {
        self.limits.multiprocessors = self.limits.multiprocessors.min(multiprocessors.max(1));
        self
    }

    /// The GPU with this index, with plans and kernels of an older one. The driver compiles them, which takes seconds
    /// for each file of kernels. A CTA may use at most `shared_bytes` of shared memory.
    ///
    /// # Errors
    /// As [`CudaBackend::open`].
    pub(super) fn open_as(
        ordinal: usize,
        name: &str,
        (major, minor): (i32, i32),
        shared_bytes: usize,
    ) -> BackendResult<Self> {
        let (driver, limits) = NativeDriver::open(ordinal).map_err(|f| driver_error(f, name))?;
        let driver: Arc<dyn Driver> = Arc::new(driver);
        let mut limits = limits.as_of((major, minor));
        limits.shared_bytes_per_cta = limits.shared_bytes_per_cta.min(shared_bytes);
        let kernels = Kernels::portable(driver.clone(), limits.compute_capability);
        let name = format!("{name} as compute capability {major}.{minor}");
        Ok(Self::with_kernels(driver, kernels, limits, &name))
    }

    /// A backend on any driver; for tests that simulate failures.
    pub fn with_driver(driver: Arc<dyn Driver>, limits: DeviceLimits, name: &str) -> Self {
        let kernels = Kernels::new(driver.clone(), limits.compute_capability);
        Self::with_kernels(driver, kernels, limits, name)
    }

    fn with_kernels(
        driver: Arc<dyn Driver>,
        kernels: Kernels,
        limits: DeviceLimits,
        name: &str,
    ) -> Self {
        let kernels = Arc::new(kernels);
        let device = SessionDevice {
            algorithms: Arc::default(),
            composer: Arc::new(Composer::new(kernels.clone())),
            kernels,
            driver,
            name: name.to_owned(),
        };
        Self {
            device,
            limits,
            planned: Mutex::default(),
            opening: Mutex::default(),
            swept: Mutex::default(),
        }
    }

    /// Bytes that a copy within the device's memory reads and writes per second, in units of 1e9: the median of several
    /// copies, each larger than the caches.
    fn copy_gb_per_s(&self) -> DriverResult<f64> {
        let driver = &self.device.driver;
        let memory = driver.allocate(2 * SWEPT_BYTES)?;
        let copy = || driver.copy(memory, memory.at(SWEPT_BYTES), SWEPT_BYTES);
        let times_ms = (driver.clear(memory, 2 * SWEPT_BYTES))
            .and_then(|()| timed(driver, TIMED_COPIES, copy));
        driver.free(memory);
        let median = Percentiles::of(&times_ms?).map_or(f64::INFINITY, |p| p.p50_ms);
        Ok(2.0 * SWEPT_BYTES as f64 / median / 1e6)
    }

    fn backend_error(&self, failure: DriverFailure) -> BackendError {
        driver_error(failure, &self.device.name)
    }

    /// The driver, for tests that launch kernels themselves. Returned as a reference, because the context is only
    /// released after the last owner drops the driver.
    pub fn driver(&self) -> &dyn Driver {
        self.device.driver.as_ref()
    }

    /// The entry point of a kernel, ready to be launched with `shared_bytes` of dynamic shared memory; for tests that
    /// launch kernels themselves. Valid as long as this backend exists.
    ///
    /// # Errors
    /// [`BackendError::Kernel`], [`BackendError::DeviceLost`].
    pub fn function(&self, file: &str, entry: &str, shared_bytes: u32) -> BackendResult<Function> {
        self.device.kernels.function(file, entry, shared_bytes, |f| self.backend_error(f))
    }

    /// The plan, made only once for repeated calls about a few sessions.
    fn planned(&self, graph: &Graph, spec: &SessionSpec) -> BackendResult<CudaPlan> {
        let mut planned = lock(&self.planned);
        let is_same =
            |(of, under, _): &&(Graph, SessionSpec, CudaPlan)| (of, under) == (graph, spec);
        if let Some((.., plan)) = planned.iter().find(is_same) {
            return Ok(plan.clone());
        }
        let plan = self.plan(graph, spec)?;
        if planned.len() >= KEPT_PLANS {
            planned.remove(0);
        }
        planned.push((graph.clone(), *spec, plan.clone()));
        Ok(plan)
    }

    /// The plan, with convolutions by a library in the modes that use one
    /// ([`leaves_convolutions`](plan::cuda::leaves_convolutions)). Without a library, the plan contains the
    /// reason why there is none.
    fn plan(&self, graph: &Graph, spec: &SessionSpec) -> BackendResult<CudaPlan> {
        if !leaves_convolutions(spec.mode) {
            return self.own_plan(graph, spec, None);
        }
        match self.device.driver.convolution_library() {
            Ok(library) => self.planned_with(graph, spec, Some(&library.name())),
            Err(reason) => self.own_plan(graph, spec, Some(ConvProvider::own(reason))),
        }
    }

    /// The plan with only the program's own kernels.
    fn own_plan(
        &self,
        graph: &Graph,
        spec: &SessionSpec,
        conv_provider: Option<ConvProvider>,
    ) -> BackendResult<CudaPlan> {
        Ok(CudaPlan { conv_provider, ..self.planned_with(graph, spec, None)? })
    }

    fn planned_with(
        &self,
        graph: &Graph,
        spec: &SessionSpec,
        library: Option<&str>,
    ) -> BackendResult<CudaPlan> {
        let (size, mode) = ((spec.height, spec.width), spec.mode);
        let limits = &self.limits;
        let plan = CudaPlan::with_library(graph, size, spec.batch, mode, limits, library);
        plan.map_err(|error| match error {
            CudaPlanError::Scores { .. } => BackendError::TooLarge {
                mode: mode.to_string(),
                device: self.device.name.clone(),
                width: spec.width,
                height: spec.height,
                reason: error.to_string(),
                fits: None,
            },
            other => self.unsupported(mode, &other),
        })
    }

    /// The error for a session that is too large, with the largest size that fits the free memory.
    fn with_size_that_fits(
        &self,
        mut error: BackendError,
        graph: &Graph,
        spec: &SessionSpec,
    ) -> BackendError {
        let (fits, free_bytes) = match &mut error {
            BackendError::TooLarge { fits, .. } => (fits, self.free_bytes()),
            BackendError::OutOfDeviceMemory { fits, free_bytes, .. } => (fits, Some(*free_bytes)),
            _ => return error,
        };
        let is_enough = |plan: CudaPlan| free_bytes.is_none_or(|free| plan.device_bytes() <= free);
        *fits = largest_size((spec.width, spec.height), |(width, height)| {
            let smaller = SessionSpec { width, height, ..*spec };
            self.plan(graph, &smaller).is_ok_and(is_enough)
        });
        error
    }
    /// A session of a plan.
    fn session(
        &self,
        network: &Arc<Network>,
        plan: CudaPlan,
        control: &RunControl,
    ) -> BackendResult<Box<dyn Session>> {
        let _alone = lock(&self.opening);
        let session = CudaSession::new(self.device.clone(), network.weights(), plan, control)?;
        Ok(Box::new(session))
    }

    fn unsupported(&self, mode: Mode, error: &CudaPlanError) -> BackendError {
        BackendError::Unsupported {
            mode: mode.to_string(),
            device: self.device.name.clone(),
            reason: error.to_string(),
        }
    }
}

impl Backend for CudaBackend {
    fn device(&self) -> DeviceInfo {
        let (major, minor) = self.limits.compute_capability;
        DeviceInfo {
            kind: DeviceChoice::Cuda,
            name: self.device.name.clone(),
            threads: self.limits.multiprocessors,
            instructions: format!("sm_{major}{minor}"),
        }
    }

    fn supports(&self, mode: Mode) -> BackendResult {
        mode_supported(mode, &self.limits).map_err(|e| self.unsupported(mode, &e))
    }

    fn auto_precision(&self, _variant: Variant) -> Precision {
        // Tensor cores support fp16 from 7.5, which is the minimum of this backend.
        Precision::Fp16
    }

    fn predicted_bytes(&self, graph: &Graph, spec: &SessionSpec) -> BackendResult<u64> {
        Ok(self.planned(graph, spec)?.device_bytes())
    }

    fn free_bytes(&self) -> Option<u64> {
        self.device.driver.memory_info().ok().map(|(free, _)| free as u64)
    }

    fn has_own_memory(&self) -> bool {
        true
    }

    fn load_libraries(&self) {
        // If there is no library, opening a session reports the reason.
        self.device.driver.convolution_library().ok();
        self.device.kernels.load_all();
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> BackendResult<Box<dyn Session>> {
        let opened = self.planned(network.graph(), spec).and_then(|plan| {
            match self.session(network, plan, control) {
                // Without the library, the program's own kernels do the same work, and the session's summary contains
                // the reason.
                Err(BackendError::Library { library, reason }) => {
                    let own = ConvProvider::own(format!("{library} failed: {reason}"));
                    let plan = self.own_plan(network.graph(), spec, Some(own))?;
                    self.session(network, plan, control)
                }
                opened => opened,
            }
        });
        opened.map_err(|error| self.with_size_that_fits(error, network.graph(), spec))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }
}

impl Inspect for CudaBackend {
    fn clock_mhz(&self) -> Option<u32> {
        self.device.driver.clocks_mhz()[0]
    }

    fn sweep_caches(&self) -> BackendResult {
        let mut swept = lock(&self.swept);
        let memory = match *swept {
            Some(memory) => memory,
            None => {
                let memory =
                    self.device.driver.allocate(SWEPT_BYTES).map_err(|f| self.backend_error(f))?;
                *swept.insert(memory)
            }
        };
        self.device.driver.clear(memory, SWEPT_BYTES).map_err(|f| self.backend_error(f))
    }

    fn ceiling(&self, precision: Precision) -> BackendResult<Option<Ceiling>> {
        let copy_gb_per_s = self.copy_gb_per_s().map_err(|f| self.backend_error(f))?;
        let rate = flops_per_clock(self.limits.compute_capability, precision.format().operand);
        let sms = self.limits.multiprocessors as u64;
        let megabytes = SWEPT_BYTES >> 20;
        let copy = format!("a copy of {megabytes} MiB in this run");
        let (peak_tflops, method) = match rate.zip(self.device.driver.clocks_mhz()[1]) {
            Some((rate, mhz)) => (
                Some((sms * rate * u64::from(mhz)) as f64 / 1e6),
                format!(
                    "{copy}; {sms} multiprocessors x {rate} operations a clock x {mhz} MHz by \
                     NVIDIA's figures"
                ),
            ),
            None => (None, copy),
        };
        Ok(Some(Ceiling { copy_gb_per_s, peak_tflops, method }))
    }
}

impl Drop for CudaBackend {
    fn drop(&mut self) {
        let swept = self.swept.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(memory) = swept.take() {
            self.device.driver.free(memory);
        }
    }
}
