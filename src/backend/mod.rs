//! The seam between the program and the devices: a backend opens sessions, a session paints frames.
//!
//! The seam is the whole network on a frame, never one operator, because fusion crosses operators.
//! Only this floor holds `unsafe` code. It knows no files, no windows and no styles, only networks
//! and frames. A [`Backend`] is shared between threads; a [`Session`] belongs to one at a time.

pub mod allocator;
pub mod audit;
mod control;
pub mod cpu;
pub mod cuda;
mod error;
pub mod oracle;
mod select;
pub mod worker;

pub use control::RunControl;
pub use error::BackendError;
pub use select::{DeviceOptions, OpenDevice, Selected, opener, select};

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use audit::{Fill, KernelRecord};

use crate::{
    frame::Frame,
    mode::{DeviceChoice, Mode, Precision, PrecisionChoice, Variant},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    tensor::Tensor,
    timing::{Ceiling, OperationTiming, RunTiming, StepTiming},
};

/// What a device is, for people and for reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// `cpu` or `cuda`.
    pub kind: DeviceChoice,
    /// The maker's name of the device.
    pub name: String,
    /// What works on a frame side by side: threads of the processor, multiprocessors of a GPU.
    pub threads: usize,
    /// The instruction sets that the kernels use here, for example `AVX-512` or `sm_90`.
    pub instructions: String,
}

impl DeviceInfo {
    /// What works on a frame side by side, in words: `2 threads`, `132 multiprocessors`.
    pub fn parallelism(&self) -> String {
        let what = match self.kind {
            DeviceChoice::Cuda => "multiprocessor",
            DeviceChoice::Cpu | DeviceChoice::Auto => "thread",
        };
        match self.threads {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        }
    }
}

/// What a session is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionSpec {
    /// Columns of every frame, in pixels.
    pub width: usize,
    /// Rows of every frame, in pixels.
    pub height: usize,
    /// Frames that are painted at once where the device can; at least 1.
    pub batch: usize,
    /// Variant and precision.
    pub mode: Mode,
}

impl SessionSpec {
    /// For one frame at a time.
    pub const fn single(width: usize, height: usize, mode: Mode) -> Self {
        Self {
            width,
            height,
            batch: 1,
            mode,
        }
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
    /// tells how long it took.
    ///
    /// # Errors
    /// [`BackendError::WrongSize`], [`BackendError::Cancelled`], and what the device runs into:
    /// [`BackendError::OutOfMemory`], [`BackendError::DeviceLost`], [`BackendError::Kernel`].
    fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<RunTiming, BackendError>;

    /// [`Session::paint`], which calls `meanwhile` again and again while it waits for a device. It must
    /// return at once. Where painting keeps the thread itself busy, it is never called.
    ///
    /// # Errors
    /// As [`Session::paint`].
    fn paint_meanwhile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
        _meanwhile: &mut dyn FnMut(),
    ) -> Result<RunTiming, BackendError> {
        self.paint(input, output, control)
    }

    /// Paints every input into the output at the same place, [`SessionSpec::batch`] of them at once
    /// where the device can, and tells how long all of them took together. Where frames travel to the
    /// device, some travel while others are painted; the time is that of painting. The number of frames is
    /// free; a rest that does not fill a batch is painted as well. `control` counts frame by frame
    /// on a device that paints them one after another. After an error, outputs may be painted in
    /// part.
    ///
    /// # Errors
    /// [`BackendError::WrongBatch`], and as [`Session::paint`].
    fn paint_batch(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        BackendError::check_batch(inputs, outputs)?;
        let parts = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
        let mut runs = (0..parts)
            .zip(inputs.iter().zip(outputs))
            .map(|(part, (input, output))| {
                control.begin_part(part, parts);
                self.paint(input, output, control)
            });
        let all = match runs.next() {
            Some(first) => {
                first.and_then(|first| runs.try_fold(first, |sum, run| Ok(sum.then(run?))))
            }
            None => Err(BackendError::EMPTY_BATCH),
        };
        control.begin_part(0, 1);
        all
    }

    /// Paints as [`Session::paint`] does and tells how long every step took by itself: on a device
    /// that otherwise runs the whole plan as one piece, this run is slower than a usual one.
    ///
    /// # Errors
    /// As [`Session::paint`].
    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        self.paint(input, output, control)?;
        Ok(self.step_times())
    }

    /// Every step of the last run, on a device that measures them whenever it paints; empty on others,
    /// which [`Session::profile`] asks.
    fn step_times(&self) -> Vec<StepTiming> {
        Vec::new()
    }

    /// Paints as [`Session::paint`] does, but launches every step by itself where a usual run replays
    /// them as one recorded piece: what launching costs is the difference. `None`, and nothing is
    /// painted, on a device that records nothing.
    ///
    /// # Errors
    /// As [`Session::paint`].
    fn paint_step_by_step(
        &mut self,
        _input: &Frame,
        _output: &mut Frame,
        _control: &RunControl,
    ) -> Result<Option<RunTiming>, BackendError> {
        Ok(None)
    }

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

    /// Runs kernel by kernel and tells what each read and wrote; with `fill`, kernels that read a map
    /// as it is read random values instead. For checks. A device whose kernels cannot be told apart
    /// tells nothing.
    ///
    /// # Errors
    /// As [`Session::paint`].
    fn audit(
        &mut self,
        _input: &Frame,
        _fill: Option<Fill>,
        _seen: &mut dyn FnMut(KernelRecord),
    ) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A device that runs networks.
pub trait Backend: Send + Sync {
    /// What the device is.
    fn device(&self) -> DeviceInfo;

    /// Whether the device has a mode.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] says why not and what to choose instead.
    fn supports(&self, mode: Mode) -> Result<(), BackendError>;

    /// The fastest precision that the device does well in `variant`.
    fn auto_precision(&self, variant: Variant) -> Precision;

    /// Most memory that one run would hold, in bytes, weights included: of the device, where it has
    /// its own. Zero for a mode that the device does not have; [`Backend::open`] says so.
    fn predicted_bytes(&self, network: &NetworkSpec, spec: &SessionSpec) -> u64;

    /// Bytes of the device's own memory that are free now; `None` for a device that works in the
    /// system's memory.
    fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// Clock of the device at this moment, in MHz, where it can be told: it explains times that
    /// drift.
    fn clock_mhz(&self) -> Option<u32> {
        None
    }

    /// Overwrites what the device's caches hold, so that the next run finds neither weights nor pixels
    /// there; for measuring. Does nothing on a device without memory of its own.
    ///
    /// # Errors
    /// [`BackendError::OutOfDeviceMemory`], [`BackendError::DeviceLost`].
    fn sweep_caches(&self) -> Result<(), BackendError> {
        Ok(())
    }

    /// What the device can do at most in a precision, found out now; `None` where that is not known.
    ///
    /// # Errors
    /// As [`Backend::sweep_caches`].
    fn ceiling(&self, _precision: Precision) -> Result<Option<Ceiling>, BackendError> {
        Ok(None)
    }

    /// Times the single operations that a network is made of, each on the maps that it has in
    /// `network` at the size of `spec`; for tables. Empty on a device that has no such launches.
    ///
    /// # Errors
    /// [`BackendError`] when the device cannot hold or run them.
    fn time_operations(
        &self,
        _network: &NetworkSpec,
        _spec: &SessionSpec,
        _rounds: u32,
    ) -> Result<Vec<OperationTiming>, BackendError> {
        Ok(Vec::new())
    }

    /// Loads what sessions of some modes are going to need and what would hold up frames if it were loaded
    /// while they are painted. Takes a moment at the first call.
    fn load_libraries(&self) {}

    /// Makes `network` ready for the pictures and the mode of `spec`. Any thread may open sessions while
    /// another paints with those that are open already.
    ///
    /// # Errors
    /// [`BackendError`] when the device does not have the mode or cannot hold the session.
    fn open(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
    ) -> Result<Box<dyn Session>, BackendError>;

    /// [`Backend::open`], given up as soon as the device can once `control` is cancelled.
    ///
    /// # Errors
    /// As [`Backend::open`], and [`BackendError::Cancelled`].
    fn open_while_wanted(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        if control.is_cancelled() {
            return Err(BackendError::Cancelled);
        }
        self.open(network, spec)
    }

    /// Whether opening a session has to find out first how this device does it fastest, which takes long.
    fn searches(&self, _network: &NetworkSpec, _spec: &SessionSpec) -> bool {
        false
    }

    /// A session that paints as those of [`Backend::open`] do, and is there at once, though it may be slower.
    ///
    /// # Errors
    /// As [`Backend::open_while_wanted`].
    fn open_stand_in(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        self.open_while_wanted(network, spec, control)
    }

    /// The mode that a choice means on this device, whether or not the device has it.
    fn mode(&self, variant: Variant, choice: PrecisionChoice) -> Mode {
        let precision = match choice {
            PrecisionChoice::Auto => self.auto_precision(variant),
            PrecisionChoice::Fixed(precision) => precision,
        };
        Mode::new(variant, precision)
    }

    /// Every mode that the device has, by variant and then by precision.
    fn modes(&self) -> Vec<Mode> {
        Mode::all()
            .filter(|&mode| self.supports(mode).is_ok())
            .collect()
    }
}
