//! A backend's errors, with messages for the user.

use super::RunControl;
use values::{frame::Frame, mode::Mode, numeric::NumberFormat};

/// Why a session did nothing. The caller then does the job in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// See [`Session::capabilities`](super::Session::capabilities).
    #[error("it cannot")]
    Unable,
    /// The job needs more device memory than is free.
    #[error("it has no memory for it")]
    NoMemory,
    /// The sent frames no longer exist, are on another device or have another size.
    #[error("the frames are not there")]
    FramesGone,
}

/// The result of a call of a backend or a session.
pub type BackendResult<T = ()> = Result<T, BackendError>;

/// Why a backend or a session failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The run was cancelled; nothing was written.
    #[error("cancelled")]
    Cancelled,
    #[error("{device} is not available: {reason}")]
    Unavailable {
        /// The requested device.
        device: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// Memory could not be allocated.
    #[error(
        "{needed_bytes} bytes of memory for {width} x {height} pixels could not be allocated; choose a smaller working size"
    )]
    OutOfMemory {
        /// Bytes of the allocation that failed.
        needed_bytes: u64,
        width: usize,
        height: usize,
    },
    /// The frame does not have the size for which the session was opened.
    #[error(
        "this session paints {expected_width} x {expected_height} pixels, the picture has {width} x {height}"
    )]
    WrongSize { expected_width: usize, expected_height: usize, width: usize, height: usize },
    /// These are not the maps that the network reads, or a photo was passed to a network that reads maps.
    #[error("this session needs {needed} and got {got}")]
    WrongInputs {
        /// What the network reads, as text.
        needed: String,
        /// What was passed to it, as text.
        got: String,
    },
    /// The numbers of inputs and outputs differ, or both are zero.
    #[error(
        "a batch needs one output for every input and at least one: {inputs} inputs, {outputs} outputs"
    )]
    WrongBatch { inputs: usize, outputs: usize },
    /// The device does not support this mode.
    #[error("{device} cannot paint in {mode}: {reason}")]
    Unsupported {
        /// For example `fused bf16`.
        mode: String,
        /// The device's name.
        device: String,
        /// Why not, and what to choose instead.
        reason: String,
    },
    /// The network cannot be computed at this size, however much memory there is.
    #[error(
        "{device} cannot paint {width} x {height} pixels in {mode}: {reason}{}",
        at_most(*fits, "; ", " pixels fit")
    )]
    TooLarge {
        /// For example `baseline fp16`.
        mode: String,
        /// The device's name.
        device: String,
        width: usize,
        height: usize,
        /// What is too large, and what to choose instead.
        reason: String,
        /// The largest width and height of this aspect ratio that fit, if a search was made.
        fits: Option<(usize, usize)>,
    },
    /// The device's own memory could not be allocated.
    #[error(
        "{width} x {height} pixels need {needed_mb} MB of GPU memory, and {free_mb} MB are free; choose a smaller working size{} or close other programs that use the GPU",
        at_most(*fits, " (at most ", ")"),
        needed_mb = needed_bytes.div_ceil(1_000_000),
        free_mb = free_bytes / 1_000_000
    )]
    OutOfDeviceMemory {
        /// Bytes that the session needs.
        needed_bytes: u64,
        /// Bytes that were free on the device.
        free_bytes: u64,
        width: usize,
        height: usize,
        /// The largest width and height of this aspect ratio that fit, if a search was made.
        fits: Option<(usize, usize)>,
    },
    /// The device stopped responding. All of its open sessions are unusable.
    #[error("{device} was lost ({reason}); restart StyleForge to use it again")]
    DeviceLost {
        /// The device's name.
        device: String,
        /// The driver's message.
        reason: String,
    },
    /// A kernel failed to load or to start.
    #[error("the kernel {kernel} failed ({reason}); update the device's driver, or choose the CPU")]
    Kernel {
        kernel: String,
        /// The driver's message.
        reason: String,
    },
    /// A library that the device needs failed.
    #[error("the library {library} failed ({reason}); reinstall it, or choose the CPU")]
    Library {
        library: String,
        /// The library's message.
        reason: String,
    },
    /// The device did nothing. The caller does the job in another way.
    #[error("the device left the work to the program: {0}")]
    Declined(Declined),
    /// A bug in this program.
    #[error("a mistake in StyleForge ({0}); please report it")]
    Internal(&'static str),
    /// The device could not start its worker threads.
    #[error("the worker threads could not be started: {0}")]
    Threads(String),
}

/// A size that fits, as text between `before` and `after`; empty if none is known.
pub fn at_most(fits: Option<(usize, usize)>, before: &str, after: &str) -> String {
    fits.map_or_else(String::new, |(width, height)| format!("{before}{width} x {height}{after}"))
}

impl BackendError {
    /// Checks that a frame has the rows and columns for which a session was opened.
    ///
    /// # Errors
    /// [`BackendError::WrongSize`].
    pub(crate) fn check_size(
        frame: &Frame,
        (expected_height, expected_width): (usize, usize),
    ) -> Result<(), Self> {
        if (frame.height(), frame.width()) == (expected_height, expected_width) {
            return Ok(());
        }
        Err(Self::WrongSize {
            expected_width,
            expected_height,
            width: frame.width(),
            height: frame.height(),
        })
    }

    /// Checks that frames have the size for which a session was opened, and that the run was not cancelled before it
    /// began.
    ///
    /// # Errors
    /// [`BackendError::WrongSize`], [`BackendError::Cancelled`].
    pub(crate) fn check_run(
        inputs: &[&Frame],
        outputs: &[Frame],
        expected: (usize, usize),
        control: &RunControl,
    ) -> Result<(), Self> {
        for frame in inputs.iter().copied().chain(outputs) {
            Self::check_size(frame, expected)?;
        }
        if control.is_cancelled() {
            return Err(Self::Cancelled);
        }
        Ok(())
    }

    /// The device cannot do the work.
    pub const UNABLE: Self = Self::Declined(Declined::Unable);

    /// No frames to paint.
    pub const EMPTY_BATCH: Self = Self::WrongBatch { inputs: 0, outputs: 0 };

    /// Refuses a batch without frames, or with different numbers of inputs and outputs.
    ///
    /// # Errors
    /// [`BackendError::WrongBatch`].
    pub(crate) const fn check_batch(inputs: &[&Frame], outputs: &[Frame]) -> Result<(), Self> {
        if inputs.len() == outputs.len() && !inputs.is_empty() {
            return Ok(());
        }
        Err(Self::WrongBatch { inputs: inputs.len(), outputs: outputs.len() })
    }

    /// The error for a picture, or with 16 bits a map, with values that the format of numbers cannot represent.
    pub(crate) fn overflow(mode: Mode, device: String, format: NumberFormat) -> Self {
        let largest = match format {
            NumberFormat::Fp16 | NumberFormat::Fp16x2 => half::f16::MAX.to_f32(),
            NumberFormat::Bf16 => half::bf16::MAX.to_f32(),
            NumberFormat::Fp32 | NumberFormat::Tf32 | NumberFormat::Int8 => f32::MAX,
        };
        let reason = if format.bytes() == 2 {
            format!(
                "this network makes values above {largest:.5}, the maximum of {format}; choose fp32"
            )
        } else {
            "this network makes colours that are NaN or infinite; choose the input range with which it was \
             trained, or open a file with other weights"
                .to_owned()
        };
        Self::Unsupported { mode: mode.to_string(), device, reason }
    }

    /// True if the device itself is lost, so that only another device can continue.
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::DeviceLost { .. })
    }
}
