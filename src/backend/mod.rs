//! The seam between the program and the devices: a backend opens sessions, a session paints frames.
//!
//! The seam is the whole network on a frame, never one operator, because fusion crosses operators.
//! Only this floor holds `unsafe` code. It knows no files, no windows and no styles, only networks
//! and frames. A [`Backend`] is shared between threads; a [`Session`] belongs to one at a time.

pub mod cpu;
pub mod cuda;
pub mod oracle;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use crate::{
    frame::Frame,
    mode::{DeviceChoice, Variant},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    tensor::Tensor,
    timing::StepTiming,
};

/// What a device is, for people and for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `cpu` or `cuda`.
    pub kind: DeviceChoice,
    /// The maker's name of the device.
    pub name: String,
    /// Threads (or streams) that work on a frame.
    pub threads: usize,
    /// The instruction sets that the kernels use here, for example `AVX-512`.
    pub instructions: String,
}

/// Why a device did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The run was cancelled; nothing was written.
    #[error("cancelled")]
    Cancelled,
    /// The device cannot be had.
    #[error("{device} is not available: {reason}")]
    Unavailable {
        /// What was asked for.
        device: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// Memory could not be had.
    #[error(
        "{needed_bytes} bytes of memory are needed for {width} x {height} pixels and could not be had; choose a smaller working size"
    )]
    OutOfMemory {
        /// Bytes of the allocation that failed.
        needed_bytes: u64,
        /// Columns, in pixels.
        width: usize,
        /// Rows, in pixels.
        height: usize,
    },
    /// A frame of another size than the session was opened for.
    #[error(
        "this session paints {expected_width} x {expected_height} pixels, the picture has {width} x {height}"
    )]
    WrongSize {
        /// Columns that the session was opened for.
        expected_width: usize,
        /// Rows that the session was opened for.
        expected_height: usize,
        /// Columns of the frame.
        width: usize,
        /// Rows of the frame.
        height: usize,
    },
    /// The device could not start its workers.
    #[error("the worker threads could not be started: {0}")]
    Threads(String),
}

/// Shared between the one who waits for a run and the device that works on it: progress one way,
/// a wish to stop the other way. Never blocks.
#[derive(Debug, Default)]
pub struct RunControl {
    cancelled: AtomicBool,
    done_permille: AtomicU32,
}

impl RunControl {
    /// Asks the run to stop as soon as it can.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Share of the work done, 0 to 1.
    pub fn progress(&self) -> f32 {
        self.done_permille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    /// Tells the share of the work done, 0 to 1.
    pub fn set_progress(&self, share: f32) {
        let permille = (share.clamp(0.0, 1.0) * 1000.0) as u32;
        self.done_permille.store(permille, Ordering::Relaxed);
    }
}

/// Receives the feature map after a norm: the layer's norm name (`res1.in2`) and the map as the
/// next layer reads it, before ReLU and before a residual add.
pub type NormTap<'a> = &'a mut dyn FnMut(&str, Tensor);

/// A network made ready on a device for one picture size.
pub trait Session: Send {
    /// What a run does and needs.
    fn summary(&self) -> PlanSummary;

    /// Paints `input` into `output` (both of the session's size; alpha is carried through) and
    /// tells how long each step took (host clock).
    ///
    /// # Errors
    /// [`BackendError::WrongSize`], [`BackendError::Cancelled`], [`BackendError::OutOfMemory`].
    fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError>;

    /// The network's output before clamping and rounding: 3 channels of the session's size. With a
    /// `tap`, every map behind a norm is handed over as well. For checks; slower than
    /// [`Session::paint`].
    ///
    /// # Errors
    /// As [`Session::paint`].
    fn run_tensor(
        &mut self,
        input: &Frame,
        tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError>;
}

/// A device that runs networks.
pub trait Backend: Send + Sync {
    /// What the device is.
    fn device(&self) -> DeviceInfo;

    /// Most memory that one run would hold, in bytes, weights included.
    fn predicted_bytes(
        &self,
        spec: &NetworkSpec,
        width: usize,
        height: usize,
        variant: Variant,
    ) -> u64;

    /// Makes `network` ready for pictures of `width` x `height` pixels.
    ///
    /// # Errors
    /// [`BackendError`] when the device cannot hold it.
    fn open(
        &self,
        network: &Arc<Network>,
        width: usize,
        height: usize,
        variant: Variant,
    ) -> Result<Box<dyn Session>, BackendError>;
}

/// A backend and what has to be said about how it was chosen.
pub struct Selected {
    /// The device to use.
    pub backend: Arc<dyn Backend>,
    /// A fallback in words, for example `CPU: no NVIDIA driver found`; announced, never silent.
    pub notice: Option<String>,
}

/// Finds the device for a choice. `threads` limits the processor's threads (all when `None`).
///
/// # Errors
/// [`BackendError::Unavailable`] when a device was asked for by name and cannot be had.
pub fn select(choice: DeviceChoice, threads: Option<usize>) -> Result<Selected, BackendError> {
    let cpu = |notice| -> Result<Selected, BackendError> {
        Ok(Selected {
            backend: Arc::new(cpu::CpuBackend::new(threads)?),
            notice,
        })
    };
    match choice {
        DeviceChoice::Cpu => cpu(None),
        DeviceChoice::Auto => cpu(Some(format!("CPU: {}", cuda::probe().reason_for_cpu()))),
        DeviceChoice::Cuda => Err(BackendError::Unavailable {
            device: "CUDA".to_owned(),
            reason: format!(
                "{}; choose --device cpu or auto",
                cuda::probe().reason_for_cpu()
            ),
        }),
    }
}
