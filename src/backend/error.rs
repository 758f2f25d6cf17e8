//! A backend's errors, in words for people.

use super::RunControl;
use crate::frame::Frame;

/// Why a session did nothing, so that the caller does the job in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// See [`Session::capabilities`](super::Session::capabilities).
    #[error("it cannot")]
    Unable,
    /// The job needs more of the device's memory than is free.
    #[error("it has no memory for it")]
    NoMemory,
    /// The sent frames no longer exist, are on another device or have another size.
    #[error("the frames are not there")]
    FramesGone,
}

/// Why a backend or a session failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// The run was cancelled; nothing was written.
    #[error("cancelled")]
    Cancelled,
    /// The device cannot be opened.
    #[error("{device} is not available: {reason}")]
    Unavailable {
        /// The requested device.
        device: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// Memory could not be had.
    #[error(
        "{needed_bytes} bytes of memory for {width} x {height} pixels could not be allocated; choose a smaller working size"
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
    /// Other maps than the network reads, or a photo for a network that reads maps.
    #[error("this session needs {needed} and got {got}")]
    WrongInputs {
        /// What the network reads, in words.
        needed: String,
        /// What it was given, in words.
        got: String,
    },
    /// A batch whose inputs and outputs are not equally many, or none.
    #[error(
        "a batch needs one output for every input and at least one: {inputs} inputs, {outputs} outputs"
    )]
    WrongBatch {
        /// Frames to paint.
        inputs: usize,
        /// Frames to paint into.
        outputs: usize,
    },
    /// The device does not have this mode.
    #[error("{device} cannot paint in {mode}: {reason}")]
    Unsupported {
        /// The mode, for example `fused bf16`.
        mode: String,
        /// What the device is called.
        device: String,
        /// Why not, and what to choose instead.
        reason: String,
    },
    /// The network is not computed at this size, however much memory there is.
    #[error(
        "{device} cannot paint {width} x {height} pixels in {mode}: {reason}{}",
        at_most(*fits, "; ", " pixels fit")
    )]
    TooLarge {
        /// The mode, for example `baseline fp16`.
        mode: String,
        /// What the device is called.
        device: String,
        /// Columns, in pixels.
        width: usize,
        /// Rows, in pixels.
        height: usize,
        /// What is too large, and what to choose instead.
        reason: String,
        /// The largest columns and rows of this aspect that fit the device, where they were looked for.
        fits: Option<(usize, usize)>,
    },
    /// The device's own memory could not be had.
    #[error(
        "{width} x {height} pixels need {needed_mb} MB of GPU memory, and {free_mb} MB are free; choose a smaller working size{} or close other programs that use the GPU",
        at_most(*fits, " (at most ", ")"),
        needed_mb = needed_bytes.div_ceil(1_000_000),
        free_mb = free_bytes / 1_000_000
    )]
    OutOfDeviceMemory {
        /// Bytes that the session needs.
        needed_bytes: u64,
        /// Bytes that the device had left.
        free_bytes: u64,
        /// Columns, in pixels.
        width: usize,
        /// Rows, in pixels.
        height: usize,
        /// The largest columns and rows of this aspect that fit, where they were looked for.
        fits: Option<(usize, usize)>,
    },
    /// The device stopped answering; every session that was open on it is dead.
    #[error("{device} was lost ({reason}); restart StyleForge to use it again")]
    DeviceLost {
        /// What the device is called.
        device: String,
        /// The driver's words.
        reason: String,
    },
    /// A kernel failed to load or to start.
    #[error(
        "the kernel {kernel} failed ({reason}); update the device's driver, or choose --device cpu"
    )]
    Kernel {
        kernel: String,
        /// The driver's words.
        reason: String,
    },
    /// A library that the device needs failed.
    #[error("the library {library} failed ({reason}); reinstall it, or choose --device cpu")]
    Library {
        library: String,
        /// Its words.
        reason: String,
    },
    /// The device did nothing, and the caller does the job in another way.
    #[error("the device left the work to the program: {0}")]
    Declined(Declined),
    /// A mistake of this program.
    #[error("a mistake in StyleForge ({0}); please report it")]
    Internal(&'static str),
    /// The device could not start its workers.
    #[error("the worker threads could not be started: {0}")]
    Threads(String),
}

/// A size that fits, in words between `before` and `behind`; nothing where none is known.
pub(crate) fn at_most(fits: Option<(usize, usize)>, before: &str, behind: &str) -> String {
    fits.map_or_else(String::new, |(width, height)| format!("{before}{width} x {height}{behind}"))
}

impl BackendError {
    /// Refuses a frame of another size than the rows and columns that a session was opened for.
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

    /// Refuses frames of another size than a session was opened for, and a run that was cancelled before
    /// it began.
    ///
    /// # Errors
    /// [`BackendError::WrongSize`], [`BackendError::Cancelled`].
    pub(crate) fn check_run(
        inputs: &[Frame],
        outputs: &[Frame],
        expected: (usize, usize),
        control: &RunControl,
    ) -> Result<(), Self> {
        for frame in inputs.iter().chain(outputs) {
            Self::check_size(frame, expected)?;
        }
        if control.is_cancelled() {
            return Err(Self::Cancelled);
        }
        Ok(())
    }

    /// No frames to paint.
    pub(crate) const EMPTY_BATCH: Self = Self::WrongBatch { inputs: 0, outputs: 0 };

    /// Refuses a batch without frames, or with another number of outputs.
    ///
    /// # Errors
    /// [`BackendError::WrongBatch`].
    pub(crate) const fn check_batch(inputs: &[Frame], outputs: &[Frame]) -> Result<(), Self> {
        if inputs.len() == outputs.len() && !inputs.is_empty() {
            return Ok(());
        }
        Err(Self::WrongBatch { inputs: inputs.len(), outputs: outputs.len() })
    }

    /// Whether the device itself is gone, so that only another device can help.
    pub const fn is_lost(&self) -> bool {
        matches!(self, Self::DeviceLost { .. })
    }
}
