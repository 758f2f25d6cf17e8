//! The interface between the program and the devices: a backend opens sessions, and a session paints frames.
//!
//! A session runs a whole network on a frame, never a single operation, because fusion joins operations. Methods that
//! only checks and measurements need are in separate traits, [`Inspect`] and [`InspectSession`]. A [`Backend`] is
//! shared between threads. A [`Session`] belongs to one thread at a time.
//!
//! It does not know files, styles and windows, only networks and frames. It may use `network`, `plan`, `steady` and
//! `values`. Only this crate contains `unsafe` code, except for SIMD in [`values::yuv420`] and two calls of a camera's
//! driver in `engine`.
//!
//! # What unsafe code relies on
//!
//! Networks come from untrusted files. A planner or a check establishes everything that kernels rely on. Release builds
//! check it again if that costs at most one comparison per row or step. `crates/backend/tests/hostile_graphs.rs` tries
//! random graphs, and the fuzz target `graphs` tries them under the address sanitizer.
//!
//! | unsafe code | relies on | established by | checked in release builds by |
//! |---|---|---|---|
//! | every kernel of `cpu` | the CPU has the instructions | `InstructionSet::available` | feature detection |
//! | [`values::yuv420`] | the CPU has AVX2 | its callers in the same file | feature detection |
//! | `Run::pixels`, `row`, `rows` | rows and columns are inside the map | `Op::shape`, the planner | an assertion |
//! | `Shared::slice` | the range is inside the allocation | `plan::arena` | an assertion |
//! | `Run::start`, `MapInput` | every map is inside the arena | `plan::arena` | an assertion for each plan |
//! | tasks of a step | maps that are alive at the same time do not overlap | lifetimes of the planners | property tests |
//! | passes in place | no later node reads the map | `last_read`, `is_read_after` | the planner |
//! | `Store`, `PictureOutput` | the picture covers the photo | [`Graph::for_photo`] | the planner; `check_size` |
//! | `PhotoInput` | the photo has the plan's size | `CpuSession::extended` | an assertion for each step |
//! | staged rows | reflections are shorter than the side | `Op::shape` | positions are clamped |
//! | rows of a convolution | stride 1 for shifted columns | the planner | an assertion for each row |
//! | kept maps | the kernel that loads a map writes all of it | the planner | random graphs, each painted twice |
//! | convolutions of general plans | the planned length of scratch | `GeneralConv::scratch_len` | an assertion for each task |
//! | products of tiles | segments contain at least one row | `MAX_KERNEL_PX`; empty phases are left out | an assertion for each panel |
//! | packed weights | as many rows as are multiplied | packer and planner use the same size | assertions for each task |
//! | scale and shift | one for each stored channel | `statistics::finish` | an assertion for each step |
//! | `Centre` | at most 512 stored channels | `ConvLayer::of_node` | an assertion for each task |
//! | attention | packed keys and values of every head | `Attention::packed_len` | assertions for each task |
//! | statistics | two values for each channel, read only by norms | [`Graph::add`] | slices |
//! | trained values | as many as the node's shape requires, all of that one node | [`Network::new`] | an error |
//! | sizes | sides up to 2^20, channels up to 4096, maps up to 2^36 values | `Op::is_in_range`, `Op::shape` | an error |
//! | bytes of pixels | NaN becomes 0, others saturate | `level`, `store_bytes` | by construction |
//! | CUDA: indices | pixels and values of a row fit in 31 bits | `CudaPlan::new` | an error; an assertion for each number |
//! | CUDA: grids | at most 65,535 rows and images | `plan_general` | an error; the driver |
//! | CUDA: sums of maps | both maps have the same number of stored channels | `are_alike` | an error |
//! | CUDA: odd kernels, strides of 1 and 2 | tiles that are made for them | `unlike_specialised`, `has_tiles` | an error |
//! | CUDA: constants | no longer than the space reserved for them | `Constant::new` | an assertion for each |
//! | pinned memory | as long as the copy, and the device is idle | `photo_bytes`, `wait` | slices; the driver |
//! | a caller's memory and stream | the caller's promise, [`ExternalSession::queue`] | `python/src/painter.rs` | the driver |

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

pub mod allocator;
pub mod audit;
pub mod cpu;
pub mod cuda;
mod error;
mod external;
mod inspect;
mod job;
mod select;
pub mod signal;

pub use error::{BackendError, BackendResult, Declined, at_most};
pub use external::{ExternalJob, ExternalSession};
pub use inspect::{Inspect, InspectSession, NormTap};
pub use job::{
    Capabilities, Composition, Input, Job, SentFrames, SessionSpec, Steadiness, run_one_by_one,
    unless_declined,
};
pub use select::{DeviceOptions, OlderDevice, OpenDevice, Selected, opener, select};
pub use values::control::RunControl;

use std::{borrow::Borrow, slice::from_mut, sync::Arc};

use serde::Serialize;

use network::{Network, graph::Graph};
use plan::PlanSummary;
use values::{
    frame::Frame,
    mode::{DeviceChoice, Mode, ModeChoice, Precision, Variant},
    timing::RunTiming,
};

/// What is known about a device, for the user and for reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    pub kind: DeviceChoice,
    /// The device's name as its manufacturer spells it.
    pub name: String,
    /// Units that work on a frame in parallel: threads of the CPU, or multiprocessors of a GPU.
    pub threads: usize,
    /// The instruction sets that the kernels use on this device, for example `AVX-512` or `sm_90`.
    pub instructions: String,
}

impl DeviceInfo {
    /// The units that work on a frame in parallel, as text: `2 threads`, `132 multiprocessors`.
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
    /// What a run does and how much memory it needs.
    fn summary(&self) -> PlanSummary;

    /// The jobs that the device can do in addition to painting frames.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Does a job and returns the time that all of its frames took together. The device paints [`SessionSpec::batch`]
    /// frames at once if it can. Alpha is copied from the input. Some frames may be transferred while others are
    /// painted; the returned time is that of painting. `control` counts frame by frame if the device paints them one
    /// after another. After an error, outputs may be partly painted.
    ///
    /// `meanwhile` is called repeatedly while a device paints a single batch, and must return immediately. It is never
    /// called if painting keeps the calling thread busy.
    ///
    /// # Errors
    /// [`BackendError::Declined`] if the device cannot do this job now. Nothing was painted, and the caller must do the
    /// job in another way.
    /// [`BackendError::WrongBatch`], [`BackendError::WrongSize`], [`BackendError::Cancelled`], and the device's own
    /// failures: [`BackendError::OutOfMemory`], [`BackendError::DeviceLost`], [`BackendError::Kernel`].
    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming>;

    /// The frames of the last run, for other sessions of the device. `None` unless they were sent unchanged in a single
    /// batch.
    fn sent(&self) -> Option<SentFrames> {
        None
    }

    /// What the next steadied painting depends on, for [`Session::restore_steady`]; empty if nothing is kept.
    ///
    /// # Errors
    /// The device's failures.
    fn save_steady(&self) -> BackendResult<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Lets the next steadied painting follow the one after which `state` was saved, if the bytes are such a state of a
    /// session of this size. Otherwise it starts anew.
    ///
    /// # Errors
    /// The device's failures.
    fn restore_steady(&mut self, _state: &[u8]) -> BackendResult {
        Ok(())
    }

    /// Paints in a caller's stream; `None` for a device without streams.
    fn external(&mut self) -> Option<&mut dyn ExternalSession> {
        None
    }

    /// The interface for checks and measurements; `None` for a backend or session that only paints.
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
    ) -> BackendResult<RunTiming> {
        self.run(Job::frames(&[input], from_mut(output)), control, None)
    }

    /// [`Session::run`] of any number of frames.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint_all(
        &mut self,
        inputs: &[impl Borrow<Frame>],
        outputs: &mut [Frame],
        control: &RunControl,
    ) -> BackendResult<RunTiming> {
        let inputs: Vec<&Frame> = inputs.iter().map(Borrow::borrow).collect();
        self.run(Job::frames(&inputs, outputs), control, None)
    }
}

/// A device that runs networks.
pub trait Backend: Send + Sync {
    fn device(&self) -> DeviceInfo;

    /// Checks that the device supports a mode.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] with the reason and what to choose instead.
    fn supports(&self, mode: Mode) -> BackendResult;

    /// The fastest precision that suits the device in `variant`.
    fn auto_precision(&self, variant: Variant) -> Precision;

    /// Maximum memory that one run holds, in bytes, weights included. This is device memory if the device has its own.
    ///
    /// # Errors
    /// Those of planning: [`BackendError::TooLarge`] if only a smaller picture can be painted, however much memory
    /// there is (without a size that fits); [`BackendError::Unsupported`].
    fn predicted_bytes(&self, graph: &Graph, spec: &SessionSpec) -> BackendResult<u64>;

    /// Free bytes of the device's own memory; `None` for a device that uses the system's memory.
    fn free_bytes(&self) -> Option<u64> {
        None
    }

    /// True if the device has its own memory. Unlike [`Backend::free_bytes`], this does not ask the driver.
    fn has_own_memory(&self) -> bool {
        self.free_bytes().is_some()
    }

    /// Loads libraries and kernels in advance. Otherwise they would be loaded while frames are painted and would delay
    /// them. The first call takes a moment.
    fn load_libraries(&self) {}

    /// Prepares `network` for the picture size and mode of `spec`. Stops soon after `control` is cancelled. Any thread
    /// may open sessions while other threads paint with sessions that are already open.
    ///
    /// # Errors
    /// [`BackendError`] if the device does not support the mode or has too little memory for the session, and
    /// [`BackendError::Cancelled`].
    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> BackendResult<Box<dyn Session>>;

    /// [`Backend::open_unless_cancelled`] without the option to cancel.
    ///
    /// # Errors
    /// As [`Backend::open_unless_cancelled`].
    fn open(&self, network: &Arc<Network>, spec: &SessionSpec) -> BackendResult<Box<dyn Session>> {
        self.open_unless_cancelled(network, spec, &RunControl::default())
    }

    /// The interface for checks and measurements; `None` for a backend that only paints.
    fn inspect(&self) -> Option<&dyn Inspect> {
        None
    }

    /// The precision for live video if none was chosen: the fastest one without a visible difference.
    fn live_precision(&self, variant: Variant, _network: &Arc<Network>) -> Precision {
        self.auto_precision(variant)
    }

    /// The mode that a choice means on this device, whether or not the device supports it.
    fn mode(&self, choice: ModeChoice) -> Mode {
        choice.with_auto(|variant| self.auto_precision(variant))
    }

    /// Every mode that the device supports, ordered by variant and then by precision.
    fn modes(&self) -> Vec<Mode> {
        Mode::all().filter(|&mode| self.supports(mode).is_ok()).collect()
    }
}
