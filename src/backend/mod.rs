//! The seam between the program and the devices: a backend opens sessions, a session paints frames.
//!
//! A session runs a whole network on a frame, never one operation by itself, because fusion joins operations.
//! Only this floor holds `unsafe` code. It knows no files, no windows and no styles, only networks and frames.
//! The methods that only checks and measurements need are traits of their own, [`Inspect`] and
//! [`InspectSession`]. A [`Backend`] is shared between threads; a [`Session`] belongs to one at a time.
//!
//! # What unsafe code relies on
//!
//! Networks come from untrusted files. Whatever kernels rely on is established by a planner or a check, and
//! held again in release builds where that costs one comparison a row or a step. `tests/hostile_graphs.rs` tries random
//! graphs, the fuzz target `graphs` tries them under the address sanitizer.
//!
//! | unsafe code | relies on | established by | held in release builds by |
//! |---|---|---|---|
//! | every kernel of `cpu` | the processor has the instructions | `KernelSet::available` | detection of features |
//! | `Run::pixels`, `row`, `rows` | rows and columns are inside the map | `Op::shape`, the planner | an assertion |
//! | `Shared::slice` | the range is inside the allocation | `plan::arena` | an assertion |
//! | `Run::start`, `MapInput` | every map is inside the arena | `plan::arena` | an assertion for each plan |
//! | tasks of a step | maps that live together are apart | lifetimes of the planners | property tests |
//! | passes in place | no later node reads the map | `last_read`, `is_read_after` | the planner |
//! | `Store`, `PictureOutput` | the picture covers the photo | [`Graph::for_photo`] | the planner; `check_size` |
//! | `PhotoInput` | the photo has the plan's size | `check_photo` | an assertion for each step |
//! | staged rows | reflections are shorter than the side | `Op::shape` | positions are clamped |
//! | rows of a convolution | stride 1 for shifted columns | the planner | an assertion for each row |
//! | kept maps | the kernel that loads a map writes all of it | the planner | random graphs painted twice |
//! | convolutions of general plans | the planned length of scratch | `GeneralConv::scratch_len` | an assertion for each task |
//! | products of tiles | segments hold at least one row | `MAX_KERNEL_PX`; empty phases are left out | an assertion for each panel |
//! | packed weights | as many rows as are multiplied | packer and planner use one size | assertions for each task |
//! | scale and shift | one for each stored channel | `statistics::finish` | an assertion for each step |
//! | `Centre` | at most 512 stored channels | `ConvLayer::of_node` | an assertion for each task |
//! | attention | packed keys and values of every head | `Attention::packed_len` | assertions for each task |
//! | statistics | two values for each channel, read by norms alone | `is_statistics` | slices |
//! | trained values | as many as the node's shape says, of one node | [`Network::new`] | an error |
//! | sizes | sides to 2^20, channels to 4096, maps to 2^36 values | `Op::is_in_range`, `Op::shape` | an error |
//! | bytes of pixels | NaN becomes 0, others saturate | `level`, `store_bytes` | by construction |
//! | CUDA: indices | pixels and values of a row in 31 bits | `CudaPlan::new` | an error; an assertion for each number |
//! | CUDA: grids | at most 65,535 rows and images | `plan_general` | an error; the driver |
//! | CUDA: sums of maps | as many stored channels in both | `are_alike` | an error |
//! | CUDA: odd kernels, strides of 1 and 2 | tiles that are made for them | `unlike_specialised`, `has_tiles` | an error |
//! | CUDA: constants | no longer than their place | `Constant::new` | an assertion for each |
//! | pinned memory | as long as the copy, and the device is idle | `photo_bytes`, `wait` | slices; the driver |

pub mod allocator;
pub mod audit;
mod control;
pub mod cpu;
pub mod cuda;
mod error;
#[cfg(test)]
#[path = "../../tests/support/fake.rs"]
pub(crate) mod fake;
mod inspect;
mod job;
pub mod oracle;
mod select;

pub use control::RunControl;
pub(crate) use error::at_most;
pub use error::{BackendError, Declined};
pub use inspect::{Inspect, InspectSession, NormTap};
pub use job::{
    Capabilities, Composition, Input, Job, SentFrames, SessionSpec, run_one_by_one, unless_declined,
};
pub use select::{DeviceOptions, OlderDevice, OpenDevice, Selected, opener, select};

use std::sync::Arc;

use serde::Serialize;

use crate::{
    frame::Frame,
    graph::Graph,
    mode::{DeviceChoice, Mode, ModeChoice, Precision, Variant},
    network::Network,
    plan::PlanSummary,
    timing::RunTiming,
};

/// The facts of a device, for people and for reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// `cpu` or `cuda`.
    pub kind: DeviceChoice,
    /// The maker's name of the device.
    pub name: String,
    /// Units that work on a frame in parallel: threads of the processor, multiprocessors of a GPU.
    pub threads: usize,
    /// The instruction sets that the kernels use here, for example `AVX-512` or `sm_90`.
    pub instructions: String,
}

impl DeviceInfo {
    /// The units that work on a frame in parallel, in words: `2 threads`, `132 multiprocessors`.
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

/// A network prepared on a device for one picture size.
pub trait Session: Send {
    /// What a run does and needs.
    fn summary(&self) -> PlanSummary;

    /// The jobs that the device may do besides painting frames.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Does a job and returns the time that all of its frames took together, [`SessionSpec::batch`] of them at once if
    /// the device can. Alpha is carried through. If frames travel to the device, some travel while others are painted;
    /// the time is that of painting. `control` counts frame by frame on a device that paints them one after another.
    /// After an error, outputs may be painted in part.
    ///
    /// `meanwhile` is called again and again while a device paints a single batch, and must return at
    /// once. It is never called if painting keeps the thread itself busy.
    ///
    /// # Errors
    /// [`BackendError::Declined`] if the device does not do this job now: nothing was painted, and the caller does it
    /// in another way; [`BackendError::WrongBatch`], [`BackendError::WrongSize`], [`BackendError::Cancelled`], and
    /// what the device runs into: [`BackendError::OutOfMemory`], [`BackendError::DeviceLost`],
    /// [`BackendError::Kernel`].
    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError>;

    /// The frames of the last run, for other sessions of the device; `None` unless they were sent as they are, in one
    /// batch.
    fn sent(&self) -> Option<SentFrames> {
        None
    }

    /// The inspection for checks and measurements; `None` for a backend or session that only paints.
    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        None
    }
}

impl dyn Session + '_ {
    /// [`Session::run`] of one frame.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        self.run(Job::frame(input, output), control, None)
    }

    /// [`Session::run`] of any number of frames.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint_all(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        self.run(Job::frames(inputs, outputs), control, None)
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
    /// its own.
    ///
    /// # Errors
    /// Those of planning: [`BackendError::TooLarge`] where only a smaller picture can be painted, whatever memory there
    /// is, without a size that fits; [`BackendError::Unsupported`].
    fn predicted_bytes(&self, graph: &Graph, spec: &SessionSpec) -> Result<u64, BackendError>;

    /// Bytes of the device's own memory that are free now; `None` for a device that works in the
    /// system's memory.
    fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// Loads libraries and kernels in advance that would hold up frames if they were loaded while frames are
    /// painted. Takes a moment at the first call.
    fn load_libraries(&self) {}

    /// Prepares `network` for the pictures and the mode of `spec`; stops soon after `control` is cancelled. Any
    /// thread may open sessions while another paints with those that are open already.
    ///
    /// # Errors
    /// [`BackendError`] when the device does not have the mode or cannot hold the session, and
    /// [`BackendError::Cancelled`].
    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError>;

    /// [`Backend::open_unless_cancelled`] without cancelling.
    ///
    /// # Errors
    /// As [`Backend::open_unless_cancelled`].
    fn open(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
    ) -> Result<Box<dyn Session>, BackendError> {
        self.open_unless_cancelled(network, spec, &RunControl::default())
    }

    /// What checks and measurements need besides; `None` where only painting matters.
    fn inspect(&self) -> Option<&dyn Inspect> {
        None
    }

    /// The precision of moving pictures where none was chosen: the fastest in which nobody sees a difference.
    fn live_precision(&self, variant: Variant, _network: &Arc<Network>) -> Precision {
        self.auto_precision(variant)
    }

    /// The mode that a choice stands for on this device, whether or not the device has it.
    fn mode(&self, choice: ModeChoice) -> Mode {
        choice.with_auto(|variant| self.auto_precision(variant))
    }

    /// Every mode that the device has, by variant and then by precision.
    fn modes(&self) -> Vec<Mode> {
        Mode::all().filter(|&mode| self.supports(mode).is_ok()).collect()
    }
}
