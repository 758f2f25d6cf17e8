//! Opens the backend of the chosen device: at the start, or the CPU after a GPU was lost.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
    sync::Arc,
};

use super::{Backend, BackendError, BackendResult, cpu, cuda};
use values::mode::DeviceChoice;

/// A backend, and the notice if it is a fallback.
pub struct Selected {
    pub backend: Arc<dyn Backend>,
    /// Why the fallback was chosen, for example `CPU: no NVIDIA driver found`. It is always shown to the user.
    pub notice: Option<String>,
}

/// The options of a device in addition to its kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceOptions {
    /// Maximum number of CPU threads; all threads when `None`.
    pub threads: Option<usize>,
    /// Index of the GPU in the driver's order; the first GPU when `None`.
    pub gpu: Option<usize>,
    /// Use the kernels of this older device, and for a GPU also its plans; the device's own when `None`.
    pub kernels_of: Option<OlderDevice>,
}

/// An older device whose kernels also run on a newer one, where they can be measured and checked. Written `8.0` or
/// `avx2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OlderDevice {
    /// A GPU of this compute capability.
    Gpu(i32, i32),
    /// A CPU with these instructions and no better ones.
    Processor(&'static str),
}

impl Display for OlderDevice {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gpu(major, minor) => write!(f, "{major}.{minor}"),
            Self::Processor(instructions) => f.write_str(&instructions.to_lowercase()),
        }
    }
}

impl FromStr for OlderDevice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let gpus = cuda::OLDER_CAPABILITIES.map(|(major, minor)| Self::Gpu(major, minor));
        let processors = cpu::OLDER_INSTRUCTIONS.map(Self::Processor);
        let mut all = gpus.into_iter().chain(processors);
        all.find(|older| older.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| "use 8.0, 8.6 or 8.9 for a GPU, avx2 or sse2 for a CPU".to_owned())
    }
}

/// Opens the chosen device: at the start, the CPU after a GPU was lost, and the second device of a comparison. Any
/// thread may call it.
pub type OpenDevice = Arc<dyn Fn(DeviceChoice) -> BackendResult<Selected> + Send + Sync>;

/// [`select`] with `options`, as a function that can be called at any time.
pub fn opener(options: DeviceOptions) -> OpenDevice {
    Arc::new(move |choice| select(choice, &options))
}

/// Opens the chosen device. A GPU index or an older GPU's kernels imply the GPU, and then [`DeviceChoice::Auto`] does
/// not fall back to the CPU. An older CPU's kernels imply the CPU.
///
/// # Errors
/// [`BackendError::Unavailable`] if a device was explicitly chosen and cannot be opened, and the errors of opening it.
pub fn select(choice: DeviceChoice, options: &DeviceOptions) -> BackendResult<Selected> {
    let cpu = |notice| -> BackendResult<Selected> {
        Ok(Selected {
            backend: Arc::new(match options.kernels_of {
                Some(OlderDevice::Processor(name)) => {
                    cpu::CpuBackend::with_instructions(options.threads, name)?
                }
                _ => cpu::CpuBackend::new(options.threads)?,
            }),
            notice,
        })
    };
    let falls_back = match (choice, options.kernels_of) {
        (DeviceChoice::Cpu, _) | (DeviceChoice::Auto, Some(OlderDevice::Processor(_))) => {
            return cpu(None);
        }
        (DeviceChoice::Auto, kernels_of) => options.gpu.is_none() && kernels_of.is_none(),
        (DeviceChoice::Cuda, _) => false,
    };
    let opened = match options.kernels_of {
        Some(OlderDevice::Gpu(major, minor)) => {
            cuda::open_as(options.gpu, (major, minor), usize::MAX)
        }
        _ => cuda::open(options.gpu),
    };
    match opened {
        Ok(backend) => Ok(Selected { backend, notice: None }),
        Err(BackendError::Unavailable { reason, .. }) if falls_back => {
            cpu(Some(format!("CPU: {reason}")))
        }
        Err(error) if falls_back => cpu(Some(format!("CPU: {error}"))),
        Err(error) => Err(error),
    }
}
