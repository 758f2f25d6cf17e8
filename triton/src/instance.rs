//! An instance of a model: a device and its painter. One thread paints; any thread may ask whether it is ready.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::available_parallelism,
};

use backend::{Backend, BackendError, Declined, cpu::CpuBackend, cuda};
use engine::paint::{PaintError, PaintSettings, Painter, default_memory_limit_bytes};
use values::mode::{ModeChoice, Variant};

use crate::{
    api::{Code, Failure, InstanceHandle, Kind, Level, ModelHandle, Outcome, log},
    config,
    model::Model,
};

pub struct Instance {
    pub model: Arc<Model>,
    pub kind: Kind,
    /// The memory limit and the precision of all its paintings.
    pub settings: PaintSettings,
    name: String,
    painter: Mutex<Painter>,
    /// Why the device no longer paints.
    lost: OnceLock<String>,
}

impl Instance {
    /// Opens the device of the instance.
    ///
    /// # Errors
    /// If the device cannot be opened or lacks the precision.
    pub fn open(model: Arc<Model>, handle: &InstanceHandle, of: &ModelHandle) -> Outcome<Self> {
        let kind = handle.kind()?;
        let sharing = config::instances_on(&of.config()?, kind);
        let backend = match kind {
            Kind::Processor => {
                let cores = available_parallelism().map_or(1, NonZero::get);
                let threads = model.threads.unwrap_or((cores / sharing).max(1));
                CpuBackend::new(Some(threads)).map(|backend| Arc::new(backend) as Arc<dyn Backend>)
            }
            Kind::Gpu(index) => cuda::open(Some(index)),
        };
        let backend = backend.map_err(|error| Failure::new(Code::Unavailable, error))?;
        Self::on(backend, sharing, model, kind, handle.name()?)
    }

    /// An instance on a device that `sharing` instances use.
    ///
    /// # Errors
    /// If the device lacks the precision.
    pub fn on(
        backend: Arc<dyn Backend>,
        sharing: usize,
        model: Arc<Model>,
        kind: Kind,
        name: String,
    ) -> Outcome<Self> {
        let available =
            backend.free_bytes().unwrap_or_else(default_memory_limit_bytes) / sharing as u64;
        let settings = PaintSettings {
            mode: ModeChoice::new(Variant::default(), model.precision),
            max_memory_bytes: Some(model.memory_bytes.unwrap_or(available)),
            ..PaintSettings::default()
        };
        let mode = backend.mode(settings.mode);
        backend.supports(mode).map_err(|error| Failure::new(Code::Unsupported, error))?;
        backend.load_libraries();
        let device = backend.device();
        log(Level::Info, format!("{name}: {} ({}), {mode}", device.name, device.parallelism()));
        // A lost GPU is reported, never replaced.
        let painter =
            Painter::new(backend, Arc::new(|_| Err(BackendError::Declined(Declined::Unable))));
        let painter = Mutex::new(painter);
        Ok(Self { model, kind, settings, name, painter, lost: OnceLock::new() })
    }

    /// The painter. After a panic its sessions are closed, because one may be half-way through a run.
    pub fn painter(&self) -> MutexGuard<'_, Painter> {
        let is_suspect = self.painter.is_poisoned();
        let mut painter = self.painter.lock().unwrap_or_else(PoisonError::into_inner);
        if is_suspect {
            self.painter.clear_poison();
            painter.forget_sessions();
        }
        painter
    }

    /// # Errors
    /// [`Code::Unavailable`] with the reason if the device is lost.
    pub fn ready(&self) -> Outcome {
        let failure = |reason| Failure::new(Code::Unavailable, reason);
        self.lost.get().map(failure).map_or(Ok(()), Err)
    }

    /// The error for the client. After the loss of the device, the instance is no longer ready.
    pub fn failed(&self, error: PaintError) -> Failure {
        if let PaintError::Backend(BackendError::DeviceLost { device, reason }) = &error {
            let what = format!("{}: {device} was lost ({reason}); restart the server", self.name);
            if self.lost.set(what.clone()).is_ok() {
                log(Level::Error, &what);
            }
            return Failure::new(Code::Unavailable, what);
        }
        let code = match error {
            PaintError::MemoryLimit { .. } => Code::InvalidArgument,
            PaintError::Backend(ref error) => match error {
                BackendError::Cancelled => Code::Cancelled,
                BackendError::TooLarge { .. } => Code::InvalidArgument,
                BackendError::OutOfMemory { .. } | BackendError::OutOfDeviceMemory { .. } => {
                    Code::Unavailable
                }
                _ => Code::Internal,
            },
        };
        Failure::new(code, error)
    }
}
