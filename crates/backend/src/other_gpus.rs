//! GPUs that are not CUDA's: what the program that links their backend registers, so that this crate and those that use
//! it do not depend on it.

use std::sync::{Arc, OnceLock};

use super::{Backend, BackendError, BackendResult};

/// A GPU that a driver lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGpu {
    /// As its maker spells it.
    pub name: String,
    /// Driver with its version.
    pub driver: String,
    /// `Vulkan`, `Metal` or `DirectX 12`.
    pub interface: String,
    pub kind: GpuKind,
}

/// The kind of a GPU, in the order of the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GpuKind {
    Discrete,
    Integrated,
    /// Of a virtual machine, or unknown.
    Other,
    /// The processor, through a driver for GPUs.
    Software,
}

values::names!(
    GpuKind,
    Discrete = "discrete GPU",
    Integrated = "integrated GPU",
    Other = "GPU",
    Software = "software, slower than the CPU"
);

/// The backend of these GPUs.
pub trait OtherGpus: Send + Sync {
    /// All GPUs, in the order of their numbers.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`] if they cannot be listed.
    fn list(&self) -> BackendResult<Vec<ListedGpu>>;

    /// Opens a GPU by its number, or the first.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`].
    fn open(&self, number: Option<usize>) -> BackendResult<Arc<dyn Backend>>;
}

static REGISTERED: OnceLock<&'static dyn OtherGpus> = OnceLock::new();

/// Makes these GPUs available to this process. Only the first call counts.
pub fn register_gpus(gpus: &'static dyn OtherGpus) {
    let _ = REGISTERED.set(gpus);
}

/// The registered GPUs.
///
/// # Errors
/// [`BackendError::Unavailable`] in a program that has none.
pub fn other_gpus() -> BackendResult<&'static dyn OtherGpus> {
    REGISTERED.get().copied().ok_or_else(|| BackendError::Unavailable {
        device: "a GPU through Vulkan, Metal or DirectX".to_owned(),
        reason: "this build does not have it; choose cuda or cpu".to_owned(),
    })
}

/// The first discrete GPU, opened; `None` if there is none that can be opened.
pub fn discrete_gpu() -> Option<Arc<dyn Backend>> {
    let gpus = other_gpus().ok()?;
    let number = gpus.list().ok()?.iter().position(|gpu| gpu.kind == GpuKind::Discrete)?;
    gpus.open(Some(number)).ok()
}
