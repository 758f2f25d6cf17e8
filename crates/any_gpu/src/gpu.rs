//! A GPU: adapter, device, errors, waiting.
//!
//! Errors of wgpu come in three ways, and none of them panics: as the result of a scope around calls that allocate or
//! compile, as a message to the handler of all other errors, and as the notice that the device was lost. A wait ends
//! when the device has not finished anything for [`PATIENCE`].

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use backend::{BackendError, BackendResult, GpuKind, ListedGpu};
use values::{lock::lock, text::one_line};
use wgpu::{
    Adapter, Backends, CommandBuffer, Device, DeviceDescriptor, DeviceType, ErrorFilter, Features,
    Instance, InstanceDescriptor, MemoryHints, PollType, Queue, SubmissionIndex,
};

use crate::{kernels::Kernels, plan::Limits};

/// Maximum time that a device may work on the launches of one submission.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a wait blocks before the caller is asked whether it should end.
const WAIT: Duration = Duration::from_millis(2);
/// Maximum length of a name or message of a driver, in characters.
const MAX_TEXT: usize = 200;

/// Why a device stopped working.
#[derive(Clone, Debug)]
enum Failure {
    Lost(String),
    Memory,
    Other(String),
}

/// An open device with its compiled kernels.
pub struct Gpu {
    pub info: ListedGpu,
    pub limits: Limits,
    pub device: Device,
    pub queue: Queue,
    /// Held while launches are submitted and while a thread waits for a moment: wgpu asserts that no submission arrives
    /// while it looks whether the last one is done.
    turn: Mutex<()>,
    pub kernels: Kernels,
    failure: Arc<Mutex<Option<Failure>>>,
}

/// The result of a future of wgpu, which is ready at once on all systems but the web.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Text from a driver, as one short line.
fn line(text: &str) -> String {
    one_line(text).chars().take(MAX_TEXT).collect()
}

/// All adapters, in the order of the choice: discrete before integrated GPUs, software last.
pub fn adapters() -> Vec<(ListedGpu, Adapter)> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::PRIMARY,
        ..InstanceDescriptor::new_without_display_handle()
    });
    let all = ready(instance.enumerate_adapters(Backends::PRIMARY)).unwrap_or_default();
    let mut all: Vec<_> = all.into_iter().map(|adapter| (info(&adapter), adapter)).collect();
    all.sort_by_key(|(info, _)| info.kind);
    all
}

fn info(adapter: &Adapter) -> ListedGpu {
    let info = adapter.get_info();
    let driver = format!("{} {}", info.driver, info.driver_info);
    ListedGpu {
        name: line(&info.name),
        driver: line(driver.trim()),
        interface: match info.backend {
            wgpu::Backend::Dx12 => "DirectX 12".to_owned(),
            wgpu::Backend::Metal => "Metal".to_owned(),
            _ => "Vulkan".to_owned(),
        },
        kind: match info.device_type {
            DeviceType::DiscreteGpu => GpuKind::Discrete,
            DeviceType::IntegratedGpu => GpuKind::Integrated,
            DeviceType::VirtualGpu | DeviceType::Other => GpuKind::Other,
            DeviceType::Cpu => GpuKind::Software,
        },
    }
}

impl Gpu {
    /// Opens an adapter.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`].
    pub fn open(info: ListedGpu, adapter: &Adapter) -> BackendResult<Self> {
        let offered = adapter.limits();
        let opened = ready(adapter.request_device(&DeviceDescriptor {
            required_features: adapter.features() & Features::TIMESTAMP_QUERY,
            required_limits: offered.clone(),
            memory_hints: MemoryHints::MemoryUsage,
            ..DeviceDescriptor::default()
        }));
        let unavailable = |reason: String| BackendError::Unavailable {
            device: info.name.clone(),
            reason: format!("{reason}; update its driver, or choose another device"),
        };
        let (device, queue) = match opened {
            Some(Ok(opened)) => opened,
            Some(Err(error)) => return Err(unavailable(line(&error.to_string()))),
            None => return Err(unavailable("it does not answer".to_owned())),
        };
        let failure: Arc<Mutex<Option<Failure>>> = Arc::default();
        let note = |failure: &Arc<Mutex<Option<Failure>>>| {
            let failure = Arc::clone(failure);
            move |new: Failure| {
                lock(&failure).get_or_insert(new);
            }
        };
        let lost = note(&failure);
        device.set_device_lost_callback(move |_, reason| lost(Failure::Lost(line(&reason))));
        let other = note(&failure);
        device.on_uncaptured_error(Arc::new(move |error| other(Failure::of(&error))));
        Ok(Self {
            limits: Limits {
                binding_bytes: offered.max_storage_buffer_binding_size,
                buffer_bytes: offered.max_buffer_size,
                workgroups: offered.max_compute_workgroups_per_dimension,
            },
            kernels: Kernels::default(),
            info,
            device,
            queue,
            turn: Mutex::default(),
            failure,
        })
    }

    /// The error of a failure while a picture of `width` x `height` needed `bytes`.
    fn error(&self, failure: Failure, (height, width): (usize, usize), bytes: u64) -> BackendError {
        let kernel = "of a GPU".to_owned();
        match failure {
            Failure::Lost(reason) => {
                BackendError::DeviceLost { device: self.info.name.clone(), reason }
            }
            Failure::Memory => BackendError::OutOfMemory { needed_bytes: bytes, width, height },
            Failure::Other(reason) => BackendError::Kernel { kernel, reason },
        }
    }

    /// Fails if the device has failed since the last call. A lost device stays lost.
    ///
    /// # Errors
    /// [`BackendError::DeviceLost`], [`BackendError::OutOfMemory`], [`BackendError::Kernel`].
    pub fn check(&self, size: (usize, usize), bytes: u64) -> BackendResult {
        let mut failure = lock(&self.failure);
        match failure.clone() {
            None => Ok(()),
            Some(found) => {
                if !matches!(found, Failure::Lost(_)) {
                    *failure = None;
                }
                Err(self.error(found, size, bytes))
            }
        }
    }

    /// The result of calls that allocate or compile, unless one of them failed.
    ///
    /// # Errors
    /// As [`Gpu::check`].
    pub fn scoped<T>(
        &self,
        size: (usize, usize),
        bytes: u64,
        calls: impl FnOnce() -> T,
    ) -> BackendResult<T> {
        self.check(size, bytes)?;
        let filters = [ErrorFilter::Internal, ErrorFilter::Validation, ErrorFilter::OutOfMemory];
        let scopes = filters.map(|filter| self.device.push_error_scope(filter));
        let made = calls();
        let mut failed = None;
        for scope in scopes.into_iter().rev() {
            let error = ready(scope.pop()).flatten();
            failed = failed.or(error.map(|error| Failure::of(&error)));
        }
        match failed {
            Some(failure) => Err(self.error(failure, size, bytes)),
            None => self.check(size, bytes).map(|()| made),
        }
    }

    /// Submits commands.
    pub fn submit(&self, commands: impl IntoIterator<Item = CommandBuffer>) -> SubmissionIndex {
        let _turn = lock(&self.turn);
        self.queue.submit(commands)
    }

    /// Waits for a submission and calls `meanwhile` repeatedly, which may end the wait.
    ///
    /// # Errors
    /// [`BackendError::DeviceLost`] if it does not finish, and those of [`Gpu::check`] and of `meanwhile`.
    pub fn wait(
        &self,
        submission: &SubmissionIndex,
        size: (usize, usize),
        mut meanwhile: impl FnMut() -> BackendResult,
    ) -> BackendResult {
        let begin = Instant::now();
        loop {
            let wait =
                PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(WAIT) };
            let done = {
                let _turn = lock(&self.turn);
                self.device.poll(wait)
            };
            self.check(size, 0)?;
            if done.is_ok() {
                return Ok(());
            }
            meanwhile()?;
            if begin.elapsed() > PATIENCE {
                let seconds = PATIENCE.as_secs();
                let lost = Failure::Lost(format!("it has not answered for {seconds} seconds"));
                lock(&self.failure).get_or_insert(lost);
            }
        }
    }
}

impl Failure {
    fn of(error: &wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::Memory,
            other => {
                let text = line(&other.to_string());
                // Calls to a lost device fail before its notice arrives.
                if text.contains("is lost") { Self::Lost(text) } else { Self::Other(text) }
            }
        }
    }
}
