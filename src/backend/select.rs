//! Opens the backend of a choice of device: at the start, and again when a device was lost.

use std::sync::Arc;

use super::{Backend, BackendError, cpu, cuda};
use crate::mode::DeviceChoice;

/// A backend, and the notice of a fallback.
pub struct Selected {
    /// The device to use.
    pub backend: Arc<dyn Backend>,
    /// A fallback in words, for example `CPU: no NVIDIA driver found`; announced, never silent.
    pub notice: Option<String>,
}

/// The options of a device besides its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceOptions {
    /// Most threads of the processor; all when `None`.
    pub threads: Option<usize>,
    /// Number of the GPU, in the driver's order; the first when `None`.
    pub gpu: Option<usize>,
    /// Compute capability of an older GPU whose kernels and plans are used; the GPU's own when `None`.
    pub kernels_of: Option<(i32, i32)>,
}

/// Opens a device by choice: once at the start, and again when a device was lost, then by its own
/// kind and never [`DeviceChoice::Auto`]. Any thread may call it.
pub type OpenDevice = Arc<dyn Fn(DeviceChoice) -> Result<Selected, BackendError> + Send + Sync>;

/// [`select`] with `options` for as long as the program runs.
pub fn opener(options: DeviceOptions) -> OpenDevice {
    Arc::new(move |choice| select(choice, &options))
}

/// Opens the device of a choice. A number of a GPU is a choice of the GPU: then [`DeviceChoice::Auto`] does not
/// fall back.
///
/// # Errors
/// [`BackendError::Unavailable`] when a device was chosen by name and cannot be opened, and the errors of
/// opening it.
pub fn select(choice: DeviceChoice, options: &DeviceOptions) -> Result<Selected, BackendError> {
    let cpu = |notice| -> Result<Selected, BackendError> {
        Ok(Selected {
            backend: Arc::new(cpu::CpuBackend::new(options.threads)?),
            notice,
        })
    };
    let falls_back = match choice {
        DeviceChoice::Cpu => return cpu(None),
        DeviceChoice::Auto => options.gpu.is_none() && options.kernels_of.is_none(),
        DeviceChoice::Cuda => false,
    };
    let opened = match options.kernels_of {
        None => cuda::open(options.gpu),
        Some(older) => cuda::open_as(options.gpu, older),
    };
    match opened {
        Ok(backend) => Ok(Selected {
            backend,
            notice: None,
        }),
        Err(BackendError::Unavailable { reason, .. }) if falls_back => {
            cpu(Some(format!("CPU: {reason}")))
        }
        Err(error) if falls_back => cpu(Some(format!("CPU: {error}"))),
        Err(BackendError::Unavailable { device, reason }) => Err(BackendError::Unavailable {
            device,
            reason: match options.gpu {
                Some(_) => format!("{reason}; leave out --gpu for what there is"),
                None => format!("{reason}; choose --device cpu or auto"),
            },
        }),
        Err(error) => Err(error),
    }
}
