//! The calls of NVIDIA's driver that the backend makes, as a trait, so that a test can produce every failure
//! without a GPU.
//!
//! Handles are plain numbers; the caller that got one gives it back. An implementation may be used from any
//! thread; its queues belong to one at a time, and [`Driver::with_queues_for`] has others.

use std::{
    any::Any,
    ffi::c_void,
    fmt,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::plan::cuda::ConvolutionShape;

/// How long the host polls without a pause.
const QUICK: Duration = Duration::from_millis(2);
/// Pause between two polls for what takes longer.
const BETWEEN_LOOKS: Duration = Duration::from_micros(100);
/// How long work of unknown length is waited for: opening a session.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// An address in the device's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DevicePtr(pub u64);

impl DevicePtr {
    /// The address `bytes` behind this one.
    pub const fn at(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// Host memory that the device copies from and to directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedPtr(pub usize);

/// A loaded image of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Module(pub usize);

/// A kernel's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Function(pub usize);

/// A recorded list of launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Graph(pub usize);

/// A queue of work that the device does in order; different queues run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Launches, and everything else but transfers of frames.
    Painting,
    /// Transfers to the device.
    Upload,
    /// Transfers from the device.
    Download,
}

/// The purpose of a driver's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Painting.
    Painting,
    /// Preparing sessions while others paint.
    Preparing,
}

/// An event on the device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event(pub usize);

/// Why a call of the driver failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverFailure {
    /// The call, for example `cuMemAlloc`.
    pub call: &'static str,
    /// The driver's number (`CUresult`).
    pub code: u32,
    /// The driver's words.
    pub words: String,
}

impl DriverFailure {
    /// `CUDA_ERROR_OUT_OF_MEMORY`.
    pub const OUT_OF_MEMORY: u32 = 2;
    /// None of the driver's codes: the device did not answer in time, and is not asked again.
    pub const NO_ANSWER: u32 = u32::MAX;

    /// The failure of every call on a device that did not answer in time.
    pub fn no_answer(call: &'static str, patience: Duration) -> Self {
        let words = format!("no answer within {} s", patience.as_secs());
        Self { call, code: Self::NO_ANSWER, words }
    }

    /// A library that computes no convolution here.
    pub const fn of_library(words: String) -> Self {
        Self { call: "cudnnBackendFinalize", code: 3000, words }
    }

    /// Whether there was no memory.
    pub const fn is_out_of_memory(&self) -> bool {
        self.code == Self::OUT_OF_MEMORY
    }

    /// Whether it was the library of convolutions that failed and not the driver.
    pub fn is_of_library(&self) -> bool {
        self.call.starts_with("cudnn")
    }

    /// Whether the driver cannot do what was asked: too many CTAs that wait for each other, something that it does
    /// not support, or that cannot be recorded (cuda.h).
    pub const fn is_unsupported(&self) -> bool {
        matches!(self.code, 720 | 801 | 900..=907)
    }

    /// Whether the context is gone for good: every later call on it fails too.
    pub const fn is_lost(&self) -> bool {
        // Uncorrectable memory error, NVLink error, contained error, illegal address, launch
        // timeout, context destroyed, assertion, hardware stack, illegal instruction, misaligned
        // address, invalid address space, invalid program counter, launch failed, failure of an
        // external device, and unknown error, which is what a GPU gives that fell off the bus
        // (cuda.h).
        matches!(
            self.code,
            Self::NO_ANSWER | 214 | 220 | 226 | 700 | 702 | 709 | 710 | 714..=719 | 911 | 999
        )
    }
}

impl fmt::Display for DriverFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, code, words } = self;
        write!(f, "{call}: {words} (error {code})")
    }
}

/// How a kernel is launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchShape {
    /// CTAs in three dimensions.
    pub grid: (u32, u32, u32),
    /// Threads of a CTA.
    pub block: u32,
    /// Dynamic shared memory, in bytes.
    pub shared_bytes: u32,
    /// Whether all CTAs have to be on the device at once, so that they may wait for each other.
    pub cooperative: bool,
    /// Whether it may begin while the launch before still ends. The kernel itself waits before it
    /// touches what others write.
    pub early: bool,
}

impl LaunchShape {
    /// A thread for each pixel of so many columns and rows, in CTAs of 32 x 8.
    pub fn of_pixels(width: usize, height: usize) -> Self {
        Self {
            grid: (width.div_ceil(32) as u32, height.div_ceil(8) as u32, 1),
            block: 32 * 8,
            shared_bytes: 0,
            cooperative: false,
            early: false,
        }
    }

    /// CTAs of the whole grid.
    pub const fn ctas(&self) -> usize {
        self.grid.0 as usize * self.grid.1 as usize * self.grid.2 as usize
    }
}

/// The way in which a library computes a convolution of one shape; given back when the last copy is dropped.
#[derive(Clone)]
pub struct Algorithm {
    /// Bytes of the working memory that it needs.
    pub workspace_bytes: usize,
    /// The library's own.
    pub prepared: Arc<dyn Any + Send + Sync>,
}

/// Where the values of a convolution lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionBuffers {
    /// Padded map.
    pub input: DevicePtr,
    /// Filters.
    pub weights: DevicePtr,
    /// Map to write.
    pub output: DevicePtr,
    /// Working memory of the algorithm.
    pub workspace: DevicePtr,
}

/// A library that computes convolutions on a device, where one is installed.
///
/// Its failures carry its own numbers, which are no `CUresult`; their calls begin with its name.
pub trait ConvolutionLibrary: Send + Sync {
    /// Name and version, for example `cuDNN 9.14`.
    fn name(&self) -> String;
    /// Prepares the first algorithm, in the order of the library's own heuristics, that computes a convolution of
    /// this shape in its precision with the same bits every time, and needs at most
    /// [`ConvolutionShape::most_workspace_bytes`].
    fn prepare(&self, shape: &ConvolutionShape) -> Result<Algorithm, DriverFailure>;
    /// Launches in the order of the driver's launches, without waiting. An algorithm's first run may load
    /// kernels, which cannot be done while launches are recorded.
    ///
    /// # Safety
    /// All buffers have the bytes that the algorithm's shape says, the workspace what the algorithm
    /// needs, and they stay valid until the device was waited for.
    unsafe fn convolve(
        &self,
        algorithm: &Algorithm,
        buffers: &ConvolutionBuffers,
    ) -> Result<(), DriverFailure>;
}

/// A device's driver.
pub trait Driver: Send + Sync {
    /// The same device with the queues for a purpose. Queues of different purposes do not wait for each other,
    /// and painting has the highest priority. Memory, kernels, recordings, events and algorithms are shared.
    fn with_queues_for(&self, purpose: Purpose) -> Arc<dyn Driver>;
    /// Free and total memory of the device, in bytes.
    fn memory_info(&self) -> Result<(usize, usize), DriverFailure>;
    /// Takes device memory. What it holds is undefined.
    fn allocate(&self, bytes: usize) -> Result<DevicePtr, DriverFailure>;
    /// Gives device memory back.
    fn free(&self, memory: DevicePtr);
    /// Takes host memory that the device reaches, cached as usual (not write-combined).
    fn allocate_pinned(&self, bytes: usize) -> Result<PinnedPtr, DriverFailure>;
    /// Gives host memory back.
    fn free_pinned(&self, memory: PinnedPtr);
    /// Copies to the device and waits.
    fn upload(&self, to: DevicePtr, from: &[u8]) -> Result<(), DriverFailure>;
    /// Copies from the device and waits, after all launches before.
    fn download(&self, to: &mut [u8], from: DevicePtr) -> Result<(), DriverFailure>;
    /// Copies to the device in a queue, without waiting.
    ///
    /// # Safety
    /// `from` has `bytes` bytes, which do not change before the device is waited for.
    unsafe fn upload_pinned(
        &self,
        to: DevicePtr,
        from: PinnedPtr,
        bytes: usize,
        queue: Queue,
    ) -> Result<(), DriverFailure>;
    /// Copies from the device in a queue, without waiting.
    ///
    /// # Safety
    /// `to` has `bytes` bytes, which nobody touches before the device is waited for.
    unsafe fn download_pinned(
        &self,
        to: PinnedPtr,
        from: DevicePtr,
        bytes: usize,
        queue: Queue,
    ) -> Result<(), DriverFailure>;
    /// Copies within the device's memory, in the order of the launches, without waiting.
    fn copy(&self, to: DevicePtr, from: DevicePtr, bytes: usize) -> Result<(), DriverFailure>;
    /// Fills with zero bytes and waits.
    fn clear(&self, memory: DevicePtr, bytes: usize) -> Result<(), DriverFailure>;
    /// Loads compiled kernels.
    fn load(&self, image: &[u8]) -> Result<Module, DriverFailure>;
    /// Loads all entries of an image onto the device at once. Otherwise the driver loads each at its first
    /// launch and waits for the running frame before. A driver without such a call does nothing.
    fn load_entries(&self, module: Module) -> Result<(), DriverFailure>;
    /// Unloads them.
    fn unload(&self, module: Module);
    /// Finds an entry and lets it use `shared_bytes` of dynamic shared memory.
    fn function(
        &self,
        module: Module,
        entry: &str,
        shared_bytes: u32,
    ) -> Result<Function, DriverFailure>;
    /// CTAs of this shape that the whole device holds at once.
    fn resident_ctas(&self, function: Function, shape: LaunchShape)
    -> Result<usize, DriverFailure>;
    /// Launches without waiting. `params` points to the kernel's parameter block, which is read before
    /// the call returns.
    ///
    /// # Safety
    /// The block is what the kernel expects, and the addresses in it stay valid until the device
    /// was waited for.
    unsafe fn launch(
        &self,
        function: Function,
        shape: LaunchShape,
        params: *const c_void,
    ) -> Result<(), DriverFailure>;
    /// From here on launches are recorded instead of run.
    fn begin_recording(&self) -> Result<(), DriverFailure>;
    /// Ends the recording.
    fn end_recording(&self) -> Result<Graph, DriverFailure>;
    /// Runs a recording, without waiting.
    fn replay(&self, graph: Graph) -> Result<(), DriverFailure>;
    /// Gives a recording back.
    fn free_graph(&self, graph: Graph);
    /// Makes an event.
    fn event(&self) -> Result<Event, DriverFailure>;
    /// Puts the event behind what is in a queue.
    fn record(&self, event: Event, queue: Queue) -> Result<(), DriverFailure>;
    /// Work that is queued from now on waits for the event.
    fn wait_event(&self, queue: Queue, event: Event) -> Result<(), DriverFailure>;
    /// Whether the device has passed the event.
    fn has_passed(&self, event: Event) -> Result<bool, DriverFailure>;
    /// Milliseconds between two events that the device has passed.
    fn elapsed_ms(&self, from: Event, to: Event) -> Result<f32, DriverFailure>;
    /// Gives an event back.
    fn free_event(&self, event: Event);
    /// Gives up a device that did not answer within `patience`: every later call fails at once. Nothing is given back
    /// to it, because it may still write to its memory.
    fn abandon(&self, patience: Duration);
    /// The clock of waiting.
    fn now(&self) -> Instant {
        Instant::now()
    }
    /// Polls until `is_done`, and calls `meanwhile` between two polls. Abandons the device after `patience`: a driver
    /// that hangs reports no error.
    fn wait_until(
        &self,
        patience: Duration,
        is_done: &dyn Fn() -> Result<bool, DriverFailure>,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<(), DriverFailure> {
        let began = self.now();
        while !is_done()? {
            meanwhile();
            let waited = self.now().saturating_duration_since(began);
            if waited > patience {
                self.abandon(patience);
                return Err(DriverFailure::no_answer("cuEventQuery", patience));
            }
            // Polling without a pause keeps a quick frame from being late; during a slow one, other threads
            // need the driver.
            match waited < QUICK {
                true => thread::yield_now(),
                false => thread::sleep(BETWEEN_LOOKS),
            }
        }
        Ok(())
    }
    /// Waits until the device has passed the event.
    fn wait_for(&self, event: Event, patience: Duration) -> Result<(), DriverFailure> {
        self.wait_until(patience, &|| self.has_passed(event), &mut || ())
    }
    /// Waits at most `patience` until the device has done everything that is queued now.
    fn wait_within(&self, patience: Duration) -> Result<(), DriverFailure>;
    /// [`Driver::wait_within`] for work of unknown length.
    fn wait(&self) -> Result<(), DriverFailure> {
        self.wait_within(LONGEST_WAIT)
    }
    /// The library that computes convolutions here, or why there is none. Looked for at the first
    /// call, which takes a moment.
    fn convolution_library(&self) -> Result<&dyn ConvolutionLibrary, String>;
    /// The clock of the multiprocessors now, in MHz, where it is known.
    fn clock_mhz(&self) -> Option<u32> {
        None
    }
    /// Their highest clock, in MHz, where it is known.
    fn most_clock_mhz(&self) -> Option<u32> {
        None
    }
}
