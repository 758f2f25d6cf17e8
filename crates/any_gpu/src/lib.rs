//! Runs plans on any GPU through wgpu: Vulkan on Linux and Windows, DirectX 12 on Windows, Metal on macOS.
//!
//! Kernels are WGSL (`kernels`), which wgpu translates. All networks have general plans (`plan`). Only painting is on the
//! device; the program composes, upscales and steadies pictures itself.
//!
//! It does not know files, styles and windows. It may use `backend`, `plan`, `network`, `threads` and
//! `values`. Nothing here is
//! `unsafe`: kernels keep wgpu's checks of indices, and every number from a file passes through the planner.

mod gpu;
mod kernels;
mod listing;
mod plan;
mod session;
mod weights;

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;
#[cfg(test)]
#[allow(clippy::expect_used)]
#[path = "../tests/graphs/mod.rs"]
mod test_graphs;

use std::sync::Arc;

use backend::{
    Backend, BackendError, BackendResult, DeviceInfo, Inspect, ListedGpu, OtherGpus, RunControl,
    Session, SessionSpec,
};
use network::{Network, graph::Graph};
use values::mode::{AttentionChoice, DeviceChoice, Mode, ModeChoice, Precision, Variant};

use gpu::Gpu;
pub use listing::lists_for_another;
use plan::{GpuPlan, GpuPlanError, Limits};
use session::GpuSession;

/// A GPU that paints.
pub struct GpuBackend {
    gpu: Arc<Gpu>,
    limits: Limits,
}

impl GpuBackend {
    /// Opens a GPU by its number, or the first: discrete before integrated ones, software last.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] if there is none, or if its driver cannot open it.
    pub fn open(number: Option<usize>) -> BackendResult<Self> {
        let mut all = gpu::adapters();
        let index = number.unwrap_or(0);
        if index >= all.len() {
            let reason = match all.len() {
                0 => {
                    "no driver for Vulkan, Metal or DirectX 12 was found; install your GPU's driver"
                        .to_owned()
                }
                count => format!("there are {count}, counted from 0; choose one of them"),
            };
            return Err(BackendError::Unavailable { device: format!("wgpu GPU {index}"), reason });
        }
        let (info, adapter) = all.swap_remove(index);
        let gpu = Arc::new(Gpu::open(info, &adapter)?);
        Ok(Self { limits: gpu.limits, gpu })
    }

    /// The same GPU, with this many bytes of a buffer for a launch: maps are then computed in more parts. For checks.
    #[must_use]
    pub fn with_binding_bytes(&self, bytes: u64) -> Self {
        let limits = Limits { binding_bytes: bytes, ..self.limits };
        Self { gpu: Arc::clone(&self.gpu), limits }
    }

    /// Loses the device, as a crash of its driver does. For checks.
    pub fn lose(&self) {
        self.gpu.device.destroy();
    }

    pub fn adapter(&self) -> &ListedGpu {
        &self.gpu.info
    }

    /// The error of a plan.
    fn unplannable(&self, spec: &SessionSpec, error: &GpuPlanError) -> BackendError {
        let (mode, device) = (spec.mode.to_string(), self.gpu.info.name.clone());
        let reason = error.to_string();
        if error.is_too_large() {
            let SessionSpec { width, height, .. } = *spec;
            return BackendError::TooLarge { mode, device, width, height, reason, fits: None };
        }
        BackendError::Unsupported { mode, device, reason }
    }

    fn plan(&self, graph: &Graph, spec: &SessionSpec) -> BackendResult<GpuPlan> {
        GpuPlan::new(graph, (spec.height, spec.width), spec.mode, &self.limits)
            .map_err(|error| self.unplannable(spec, &error))
    }
}

/// All GPUs of this computer. Drivers list them in a process of its own, which is this program again: see
/// [`lists_for_another`].
pub struct AllGpus;

impl OtherGpus for AllGpus {
    fn list(&self) -> BackendResult<Vec<ListedGpu>> {
        listing::listed()
    }

    fn open(&self, number: Option<usize>) -> BackendResult<Arc<dyn Backend>> {
        // Drivers that crash then do so in another process.
        listing::listed()?;
        Ok(Arc::new(GpuBackend::open(number)?))
    }
}

impl Backend for GpuBackend {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: DeviceChoice::Wgpu,
            name: self.gpu.info.name.clone(),
            threads: 1,
            instructions: self.gpu.info.interface.clone(),
        }
    }

    fn supports(&self, mode: Mode) -> BackendResult {
        let spec = SessionSpec::single(1, 1, mode);
        plan::format(mode).map(|_| ()).map_err(|error| self.unplannable(&spec, &error))
    }

    fn auto_precision(&self, _: Variant) -> Precision {
        Precision::Fp16
    }

    fn mode(&self, choice: ModeChoice) -> Mode {
        // There is only one way to compute attention.
        choice
            .with_auto(|variant| self.auto_precision(variant))
            .with_attention(AttentionChoice::Auto)
    }

    fn predicted_bytes(&self, graph: &Graph, spec: &SessionSpec) -> BackendResult<u64> {
        Ok(self.plan(graph, spec)?.device_bytes())
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> BackendResult<Box<dyn Session>> {
        control.check(BackendError::Cancelled)?;
        let plan = self.plan(network.graph(), spec)?;
        control.check(BackendError::Cancelled)?;
        Ok(Box::new(GpuSession::new(Arc::clone(&self.gpu), network, plan)?))
    }

    fn inspect(&self) -> Option<&dyn Inspect> {
        Some(self)
    }
}

impl Inspect for GpuBackend {
    fn clock_mhz(&self) -> Option<u32> {
        None
    }
}
