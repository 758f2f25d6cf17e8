//! The calls of NVIDIA's driver that the backend needs, as a trait. Tests can therefore simulate every failure without
//! a GPU.
//!
//! Handles are plain numbers. The caller that received one must release it. Any thread may use an implementation. Its
//! queues belong to one thread at a time; [`Driver::with_queues_for`] returns a driver with other queues.

use std::{
    any::Any,
    ffi::c_void,
    fmt,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use plan::cuda::ConvolutionShape;

/// How long the host polls without pauses.
const QUICK: Duration = Duration::from_millis(2);
/// Pause between two polls after that.
const BETWEEN_LOOKS: Duration = Duration::from_micros(100);
/// How long to wait for work of unknown length, such as opening a session.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// An address in the device's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DevicePtr(pub u64);

impl DevicePtr {
    /// The address `bytes` after this one.
    pub const fn at(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// Host memory that the device can access directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedPtr(pub usize);

/// A loaded image of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Module(pub usize);

/// A kernel's entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Function(pub usize);

/// A recorded list of launches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Graph(pub usize);

/// A queue of work that the device does in order. Different queues run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// Launches, and everything else except transfers of frames.
    Painting,
    /// Transfers to the device.
    Upload,
    /// Transfers from the device.
    Download,
}

/// The purpose of a driver's queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Painting,
    /// Preparing sessions while others paint.
    Preparing,
    /// All queues are this stream of the caller's.
    External(u64),
}

/// An event on the device's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event(pub usize);

/// Why a call of the driver failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverFailure {
    /// The call, for example `cuMemAlloc`.
    pub call: &'static str,
    /// The driver's error code (`CUresult`).
    pub code: u32,
    /// The driver's message.
    pub words: String,
}

/// The result of a call of the driver.
pub type DriverResult<T = ()> = Result<T, DriverFailure>;

impl DriverFailure {
    /// `CUDA_ERROR_OUT_OF_MEMORY`.
    pub const OUT_OF_MEMORY: u32 = 2;
    /// Not one of the driver's codes: the device did not respond in time and was abandoned.
    pub const NO_ANSWER: u32 = u32::MAX;

    /// The failure of every call on a device that did not respond in time.
    pub fn no_answer(call: &'static str, patience: Duration) -> Self {
        let words = format!("no answer within {} s", patience.as_secs());
        Self { call, code: Self::NO_ANSWER, words }
    }

    /// The failure of the convolution library.
    pub const fn of_library(words: String) -> Self {
        Self { call: "cudnnBackendFinalize", code: 3000, words }
    }

    pub const fn is_out_of_memory(&self) -> bool {
        self.code == Self::OUT_OF_MEMORY
    }

    /// True if the convolution library failed instead of the driver.
    pub fn is_of_library(&self) -> bool {
        self.call.starts_with("cudnn")
    }

    /// True if the driver cannot do what was requested: too many CTAs that wait for each other, an unsupported feature,
    /// or a call that cannot be recorded (cuda.h).
    pub const fn is_unsupported(&self) -> bool {
        matches!(self.code, 720 | 801 | 900..=907)
    }

    /// True if the context is lost, so that every later call on it fails too.
    pub const fn is_lost(&self) -> bool {
        // Uncorrectable memory error, NVLink error, contained error, illegal address, launch timeout, context
        // destroyed, assertion, hardware stack, illegal instruction, misaligned address, invalid address space, invalid
        // program counter, launch failed, failure of an external device, and unknown error, which a GPU reports that is
        // no longer reachable over the bus (cuda.h).
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaunchShape {
    /// CTAs in three dimensions.
    pub grid: (u32, u32, u32),
    /// Threads per CTA.
    pub block: u32,
    /// Dynamic shared memory.
    pub shared_bytes: u32,
    /// All CTAs must be on the device at once, so that they may wait for each other.
    pub cooperative: bool,
    /// It may start while the previous launch is ending. The kernel itself waits before it accesses what others write.
    pub early: bool,
}

impl LaunchShape {
    /// One thread for each pixel, in CTAs of 32 x 8.
    pub fn of_pixels((height, width): (usize, usize)) -> Self {
        Self {
            grid: (width.div_ceil(32) as u32, height.div_ceil(8) as u32, 1),
            block: 32 * 8,
            ..Self::default()
        }
    }

    /// CTAs in the whole grid.
    pub const fn ctas(&self) -> usize {
        self.grid.0 as usize * self.grid.1 as usize * self.grid.2 as usize
    }
}

/// How a library computes a convolution of one shape; released when the last copy is dropped.
#[derive(Clone)]
pub struct Algorithm {
    /// Working memory that it needs.
    pub workspace_bytes: usize,
    /// The library's own data.
    pub prepared: Arc<dyn Any + Send + Sync>,
}

/// The addresses of a convolution's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionBuffers {
    /// Padded map.
    pub input: DevicePtr,
    /// Filters.
    pub weights: DevicePtr,
    pub output: DevicePtr,
    /// Working memory of the algorithm.
    pub workspace: DevicePtr,
}

/// A library that computes convolutions on a device, if one is installed.
///
/// Its failures contain its own error codes, which are not `CUresult` values. The names of its calls start with its
/// name.
pub trait ConvolutionLibrary: Send + Sync {
    /// Name and version, for example `cuDNN 9.14`.
    fn name(&self) -> String;
    /// Prepares the algorithms that the library's heuristics suggest for a convolution of this shape in its precision:
    /// at least one, the most likely first. Each must produce the same bits every time and need at most
    /// [`ConvolutionShape::most_workspace_bytes`].
    fn prepare(&self, shape: &ConvolutionShape) -> DriverResult<Vec<Algorithm>>;
    /// Launches in the order of the driver's launches, without waiting. The first run of an algorithm may load kernels,
    /// which is not possible while launches are recorded.
    ///
    /// # Safety
    /// All buffers have the sizes of the algorithm's shape, and the workspace has the size that the algorithm needs.
    /// They stay valid until the device was waited for.
    unsafe fn convolve(&self, algorithm: &Algorithm, buffers: &ConvolutionBuffers) -> DriverResult;
}

/// A device's driver.
pub trait Driver: Send + Sync {
    /// The same device with the queues for a purpose. Queues of different purposes do not wait for each other, and
    /// painting has the highest priority. Memory, kernels, recordings, events and algorithms are shared.
    fn with_queues_for(&self, purpose: Purpose) -> Arc<dyn Driver>;
    /// Free and total memory of the device.
    fn memory_info(&self) -> DriverResult<(usize, usize)>;
    /// Allocates device memory. Its contents are undefined.
    fn allocate(&self, bytes: usize) -> DriverResult<DevicePtr>;
    /// Frees device memory.
    fn free(&self, memory: DevicePtr);
    /// Allocates host memory that the device can access, cached as usual (not write-combined).
    fn allocate_pinned(&self, bytes: usize) -> DriverResult<PinnedPtr>;
    /// Frees host memory.
    fn free_pinned(&self, memory: PinnedPtr);
    /// Copies to the device and waits.
    fn upload(&self, to: DevicePtr, from: &[u8]) -> DriverResult;
    /// Copies from the device and waits, after all previous launches.
    fn download(&self, to: &mut [u8], from: DevicePtr) -> DriverResult;
    /// Copies to the device in a queue, without waiting.
    ///
    /// # Safety
    /// `from` has `bytes` bytes, which do not change before the device was waited for.
    unsafe fn upload_pinned(
        &self,
        to: DevicePtr,
        from: PinnedPtr,
        bytes: usize,
        queue: Queue,
    ) -> DriverResult;
    /// Copies from the device in a queue, without waiting.
    ///
    /// # Safety
    /// `to` has `bytes` bytes, which nothing accesses before the device was waited for.
    unsafe fn download_pinned(
        &self,
        to: PinnedPtr,
        from: DevicePtr,
        bytes: usize,
        queue: Queue,
    ) -> DriverResult;
    /// Copies within the device's memory, in the order of the launches, without waiting.
    fn copy(&self, to: DevicePtr, from: DevicePtr, bytes: usize) -> DriverResult;
    /// Fills with zero bytes and waits.
    fn clear(&self, memory: DevicePtr, bytes: usize) -> DriverResult;
    /// Loads compiled kernels.
    fn load(&self, image: &[u8]) -> DriverResult<Module>;
    /// Loads all entry points of an image onto the device at once. Otherwise the driver loads each at its first launch,
    /// and waits for the running frame before that. A driver without such a call does nothing.
    fn load_entries(&self, module: Module) -> DriverResult;
    /// Unloads compiled kernels.
    fn unload(&self, module: Module);
    /// Finds an entry point and allows it to use `shared_bytes` of dynamic shared memory.
    fn function(&self, module: Module, entry: &str, shared_bytes: u32) -> DriverResult<Function>;
    /// CTAs of this shape that fit on the whole device at once.
    fn resident_ctas(&self, function: Function, shape: LaunchShape) -> DriverResult<usize>;
    /// Launches without waiting. `params` points to the kernel's parameter block, which is read before
    /// the call returns.
    ///
    /// # Safety
    /// The block is what the kernel expects, and the addresses in it stay valid until the device was waited for.
    unsafe fn launch(
        &self,
        function: Function,
        shape: LaunchShape,
        params: *const c_void,
    ) -> DriverResult;
    /// From now on, launches are recorded instead of executed.
    fn begin_recording(&self) -> DriverResult;
    fn end_recording(&self) -> DriverResult<Graph>;
    /// Runs a recording, without waiting.
    fn replay(&self, graph: Graph) -> DriverResult;
    /// Releases a recording.
    fn free_graph(&self, graph: Graph);
    /// Creates an event.
    fn event(&self) -> DriverResult<Event>;
    /// Records the event after the current work of a queue.
    fn record(&self, event: Event, queue: Queue) -> DriverResult;
    /// Work that is queued from now on waits for the event.
    fn wait_event(&self, queue: Queue, event: Event) -> DriverResult;
    /// True once the device has passed the event.
    fn has_passed(&self, event: Event) -> DriverResult<bool>;
    /// Milliseconds between two events that the device has passed.
    fn elapsed_ms(&self, from: Event, to: Event) -> DriverResult<f32>;
    /// Releases an event.
    fn free_event(&self, event: Event);
    /// Abandons a device that did not respond within `patience`. Every later call fails immediately. Nothing is
    /// released, because the device may still write to its memory.
    fn abandon(&self, patience: Duration);
    /// The current time, by the clock that limits waiting.
    fn now(&self) -> Instant {
        Instant::now()
    }
    /// Polls until `is_done`, and calls `meanwhile` between two polls. Abandons the device after `patience`, because a
    /// driver that hangs reports no error.
    fn wait_until(
        &self,
        patience: Duration,
        is_done: &dyn Fn() -> DriverResult<bool>,
        meanwhile: &mut dyn FnMut(),
    ) -> DriverResult {
        let began = self.now();
        while !is_done()? {
            meanwhile();
            let waited = self.now().saturating_duration_since(began);
            if waited > patience {
                self.abandon(patience);
                return Err(DriverFailure::no_answer("cuEventQuery", patience));
            }
            // Polling without pauses detects the end of a short frame immediately. During a long frame, other threads
            // need the driver.
            if waited < QUICK { thread::yield_now() } else { thread::sleep(BETWEEN_LOOKS) }
        }
        Ok(())
    }
    /// Waits until the device has passed the event.
    fn wait_for(&self, event: Event, patience: Duration) -> DriverResult {
        self.wait_until(patience, &|| self.has_passed(event), &mut || ())
    }
    /// Waits at most `patience` until the device has done all work that is queued now.
    fn wait_within(&self, patience: Duration) -> DriverResult;
    /// [`Driver::wait_within`] for work of unknown length.
    fn wait(&self) -> DriverResult {
        self.wait_within(LONGEST_WAIT)
    }
    /// The library that computes convolutions on this device, or the reason why there is none. The first call looks for
    /// it, which takes a moment.
    fn convolution_library(&self) -> Result<&dyn ConvolutionLibrary, String>;
    /// Current and highest clock rate of the multiprocessors, if known.
    fn clocks_mhz(&self) -> [Option<u32>; 2] {
        [None; 2]
    }
}
