//! One GPU as a backend.

use std::sync::Arc;

use super::{
    driver::{Driver, Function},
    kernels::Kernels,
    native::NativeDriver,
    session::{CudaSession, refused, tell},
};
use crate::{
    backend::{Backend, BackendError, DeviceInfo, Session, SessionSpec},
    mode::{DeviceChoice, Mode, Precision, Variant},
    network::{Network, NetworkSpec},
    plan::cuda::{CudaPlan, CudaPlanError, DeviceLimits, precision_supported},
};

/// A GPU with its kernels.
pub struct CudaBackend {
    kernels: Arc<Kernels>,
    driver: Arc<dyn Driver>,
    limits: DeviceLimits,
    name: String,
}

impl CudaBackend {
    /// Opens the GPU with this number in the driver's order.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] with the driver's words.
    pub fn open(ordinal: usize, name: &str) -> Result<Self, BackendError> {
        let (driver, limits) =
            NativeDriver::open(ordinal).map_err(|failure| BackendError::Unavailable {
                device: name.to_owned(),
                reason: failure.to_string(),
            })?;
        Ok(Self::with_driver(Arc::new(driver), limits, name))
    }

    /// A backend on any driver; for tests that let it fail.
    pub fn with_driver(driver: Arc<dyn Driver>, limits: DeviceLimits, name: &str) -> Self {
        Self {
            kernels: Arc::new(Kernels::new(driver.clone(), limits.compute_capability)),
            driver,
            limits,
            name: name.to_owned(),
        }
    }

    /// The driver, for a test that launches by itself. Borrowed: the context is only released when
    /// nobody else holds the driver.
    pub fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }

    /// The entry of a kernel, ready to be launched with `shared_bytes` of dynamic shared memory;
    /// for a test that launches by itself. Good as long as this backend.
    ///
    /// # Errors
    /// [`BackendError::Kernel`], [`BackendError::DeviceLost`].
    pub fn function(
        &self,
        file: &str,
        entry: &str,
        shared_bytes: u32,
    ) -> Result<Function, BackendError> {
        self.kernels
            .function(file, entry, shared_bytes)
            .map_err(|refusal| refused(refusal, entry, |f| tell(f, &self.name)))
    }

    fn plan(&self, network: &NetworkSpec, spec: &SessionSpec) -> Result<CudaPlan, BackendError> {
        let size = (spec.height, spec.width);
        CudaPlan::new(network, size, spec.batch, spec.mode, &self.limits)
            .map_err(|e| self.unsupported(spec.mode, &e))
    }

    fn unsupported(&self, mode: Mode, error: &CudaPlanError) -> BackendError {
        BackendError::Unsupported {
            mode: mode.to_string(),
            device: self.name.clone(),
            reason: error.to_string(),
        }
    }
}

impl Backend for CudaBackend {
    fn device(&self) -> DeviceInfo {
        let (major, minor) = self.limits.compute_capability;
        DeviceInfo {
            kind: DeviceChoice::Cuda,
            name: self.name.clone(),
            threads: self.limits.multiprocessors,
            instructions: format!("sm_{major}{minor}"),
        }
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        precision_supported(mode.precision, &self.limits).map_err(|e| self.unsupported(mode, &e))
    }

    fn auto_precision(&self, _variant: Variant) -> Precision {
        // Tensor cores for fp16 exist from 7.5 on, which is the least this backend takes.
        Precision::Fp16
    }

    fn predicted_bytes(&self, network: &NetworkSpec, spec: &SessionSpec) -> u64 {
        self.plan(network, spec).map_or(0, |p| p.device_bytes())
    }

    fn free_bytes(&self) -> Option<u64> {
        self.driver.memory_info().ok().map(|(free, _)| free as u64)
    }

    fn open(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
    ) -> Result<Box<dyn Session>, BackendError> {
        let plan = self.plan(network.spec(), spec)?;
        let session = CudaSession::new(
            self.driver.clone(),
            &self.kernels,
            network,
            plan,
            &self.name,
        )?;
        Ok(Box::new(session))
    }
}
