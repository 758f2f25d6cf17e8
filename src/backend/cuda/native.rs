//! NVIDIA's driver itself, through cudarc's raw calls.
//!
//! One context (the device's primary one) and a stream for each queue. Every call makes the context
//! current first, so that any thread may call. Nothing here links CUDA; the library is loaded when the
//! first call is made, and `probe` has looked for it before.

use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr,
    sync::OnceLock,
};

use cudarc::driver::{DriverError, result, sys};

use super::{
    cudnn::Cudnn,
    driver::{
        ConvolutionLibrary, DevicePtr, Driver, DriverFailure, Event, Function, Graph, LaunchShape,
        Module, PinnedPtr, Queue,
    },
    nvml::ClockMeter,
};
use crate::plan::cuda::DeviceLimits;

/// A device with its context.
pub struct NativeDriver {
    device: sys::CUdevice,
    context: sys::CUcontext,
    /// Launches.
    stream: sys::CUstream,
    /// Transfers to the device, and from it.
    transfers: [sys::CUstream; 2],
    /// cuDNN on the launches' stream, or why there is none; looked for when it is first asked for.
    cudnn: OnceLock<Result<Cudnn, String>>,
    /// Looked for when the clock is first asked for.
    clock: OnceLock<Option<ClockMeter>>,
}

// SAFETY: the driver's handles may be used from any thread; each call sets the context first.
unsafe impl Send for NativeDriver {}
// SAFETY: as above; the driver locks what has to be locked.
unsafe impl Sync for NativeDriver {}

/// The driver's words for a failed call.
pub(super) fn words(error: DriverError) -> String {
    let words = error.error_string();
    words.map_or_else(
        |_| "unknown error".to_owned(),
        |words| words.to_string_lossy().into_owned(),
    )
}

fn failure(call: &'static str, error: DriverError) -> DriverFailure {
    DriverFailure {
        call,
        code: error.0 as u32,
        words: words(error),
    }
}

impl NativeDriver {
    /// Opens the device with this number, and tells its limits.
    ///
    /// # Errors
    /// The driver's.
    pub fn open(ordinal: usize) -> Result<(Self, DeviceLimits), DriverFailure> {
        use sys::CUdevice_attribute_enum as A;
        result::init().map_err(|e| failure("cuInit", e))?;
        let device = result::device::get(ordinal as i32).map_err(|e| failure("cuDeviceGet", e))?;
        let attribute = |which| {
            // SAFETY: the device is the driver's own.
            unsafe { result::device::get_attribute(device, which) }
                .map_err(|e| failure("cuDeviceGetAttribute", e))
        };
        let limits = DeviceLimits {
            compute_capability: (
                attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            multiprocessors: attribute(A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize,
            shared_bytes_per_cta: attribute(
                A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            )? as usize,
            shared_bytes_per_multiprocessor: attribute(
                A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
            )? as usize,
        };
        // SAFETY: the device is the driver's own; the context is released when this is dropped.
        let context = unsafe { result::primary_ctx::retain(device) }
            .map_err(|e| failure("cuDevicePrimaryCtxRetain", e))?;
        // SAFETY: the context was retained above.
        let stream = unsafe { result::ctx::set_current(context) }.and_then(|()| streams());
        match stream {
            Ok([stream, upload, download]) => Ok((
                Self {
                    device,
                    context,
                    stream,
                    transfers: [upload, download],
                    cudnn: OnceLock::new(),
                    clock: OnceLock::new(),
                },
                limits,
            )),
            Err(error) => {
                // SAFETY: retained above, and nothing uses it.
                unsafe { result::primary_ctx::release(device) }.ok();
                Err(failure("cuStreamCreate", error))
            }
        }
    }

    const fn queue(&self, queue: Queue) -> sys::CUstream {
        match queue {
            Queue::Painting => self.stream,
            Queue::Upload => self.transfers[0],
            Queue::Download => self.transfers[1],
        }
    }

    /// The library that knows the device's clock.
    fn clock(&self) -> Option<&ClockMeter> {
        let find = || {
            let mut bus: [c_char; 32] = [0; 32];
            // SAFETY: the device is the driver's own; at most so many bytes are written, zero included.
            let told = unsafe { sys::cuDeviceGetPCIBusId(bus.as_mut_ptr(), 32, self.device) };
            told.result().ok()?;
            // SAFETY: the driver ended it with a zero, and it was all zeros before.
            let bus = unsafe { CStr::from_ptr(bus.as_ptr()) };
            ClockMeter::open(bus.to_str().ok()?)
        };
        self.clock.get_or_init(find).as_ref()
    }

    /// Makes the context current on this thread and runs `call`.
    fn with<T>(
        &self,
        name: &'static str,
        call: impl FnOnce() -> Result<T, DriverError>,
    ) -> Result<T, DriverFailure> {
        // SAFETY: the context lives as long as `self`.
        unsafe { result::ctx::set_current(self.context) }
            .and_then(|()| call())
            .map_err(|e| failure(name, e))
    }
}

/// A stream for each queue, none of which waits for another by itself.
fn streams() -> Result<[sys::CUstream; 3], DriverError> {
    let mut made = Vec::new();
    for _ in 0..3 {
        match result::stream::create(result::stream::StreamKind::NonBlocking) {
            Ok(stream) => made.push(stream),
            Err(error) => {
                for stream in made {
                    // SAFETY: made above, and nothing uses it.
                    unsafe { result::stream::destroy(stream) }.ok();
                }
                return Err(error);
            }
        }
    }
    Ok([made[0], made[1], made[2]])
}

impl Drop for NativeDriver {
    fn drop(&mut self) {
        // The library's handle goes before what it was taken on.
        drop(self.cudnn.take());
        // SAFETY: sessions hold this through an `Arc`, so nothing uses the handles any more. A lost
        // context refuses; there is nothing left to do about that.
        unsafe {
            result::ctx::set_current(self.context).ok();
            for stream in [self.stream, self.transfers[0], self.transfers[1]] {
                result::stream::destroy(stream).ok();
            }
            result::primary_ctx::release(self.device).ok();
        }
    }
}

// The handles below are addresses that the driver gave out; they go back to it unchanged.
impl Driver for NativeDriver {
    fn memory_info(&self) -> Result<(usize, usize), DriverFailure> {
        self.with("cuMemGetInfo", result::mem_get_info)
    }

    fn allocate(&self, bytes: usize) -> Result<DevicePtr, DriverFailure> {
        // SAFETY: the content is documented as undefined.
        self.with("cuMemAlloc", || unsafe {
            result::malloc_sync(bytes.max(1))
        })
        .map(DevicePtr)
    }

    fn free(&self, memory: DevicePtr) {
        // SAFETY: the caller gives back what `allocate` gave. Errors: see `drop`.
        self.with("cuMemFree", || unsafe { result::free_sync(memory.0) })
            .ok();
    }

    fn allocate_pinned(&self, bytes: usize) -> Result<PinnedPtr, DriverFailure> {
        // SAFETY: the content is documented as undefined; no flags means cached memory.
        self.with("cuMemHostAlloc", || unsafe {
            result::malloc_host(bytes.max(1), 0)
        })
        .map(|p| PinnedPtr(p as usize))
    }

    fn free_pinned(&self, memory: PinnedPtr) {
        // SAFETY: the caller gives back what `allocate_pinned` gave.
        self.with("cuMemFreeHost", || unsafe {
            result::free_host(memory.0 as *mut c_void)
        })
        .ok();
    }

    fn upload(&self, to: DevicePtr, from: &[u8]) -> Result<(), DriverFailure> {
        // In the stream, and waited for there: the copy without a stream returns once the bytes left the
        // slice, and launches in a stream of its own do not wait for the rest of their way.
        // SAFETY: the slice lives through the call, which waits; the target is the caller's memory.
        self.with("cuMemcpyHtoD", || unsafe {
            result::memcpy_htod_async(to.0, from, self.stream)?;
            result::stream::synchronize(self.stream)
        })
    }

    fn download(&self, to: &mut [u8], from: DevicePtr) -> Result<(), DriverFailure> {
        // SAFETY: as for uploads.
        self.with("cuMemcpyDtoH", || unsafe {
            result::stream::synchronize(self.stream)?;
            result::memcpy_dtoh_sync(to, from.0)
        })
    }

    unsafe fn upload_pinned(
        &self,
        to: DevicePtr,
        from: PinnedPtr,
        bytes: usize,
        queue: Queue,
    ) -> Result<(), DriverFailure> {
        // SAFETY: the caller's promise.
        self.with("cuMemcpyHtoDAsync", || unsafe {
            let stream = self.queue(queue);
            sys::cuMemcpyHtoDAsync_v2(to.0, from.0 as *const c_void, bytes, stream).result()
        })
    }

    unsafe fn download_pinned(
        &self,
        to: PinnedPtr,
        from: DevicePtr,
        bytes: usize,
        queue: Queue,
    ) -> Result<(), DriverFailure> {
        // SAFETY: the caller's promise.
        self.with("cuMemcpyDtoHAsync", || unsafe {
            let stream = self.queue(queue);
            sys::cuMemcpyDtoHAsync_v2(to.0 as *mut c_void, from.0, bytes, stream).result()
        })
    }

    fn copy(&self, to: DevicePtr, from: DevicePtr, bytes: usize) -> Result<(), DriverFailure> {
        // SAFETY: both are the caller's memory.
        self.with("cuMemcpyDtoDAsync", || unsafe {
            sys::cuMemcpyDtoDAsync_v2(to.0, from.0, bytes, self.stream).result()
        })
    }

    fn clear(&self, memory: DevicePtr, bytes: usize) -> Result<(), DriverFailure> {
        // SAFETY: the caller's memory.
        self.with("cuMemsetD8", || unsafe {
            result::memset_d8_async(memory.0, 0, bytes, self.stream)?;
            result::stream::synchronize(self.stream)
        })
    }

    fn load(&self, image: &[u8]) -> Result<Module, DriverFailure> {
        // PTX is text and has to end with a zero byte; a cubin does not mind one.
        let mut ended = image.to_vec();
        ended.push(0);
        // SAFETY: the image lives through the call and tells its own length.
        self.with("cuModuleLoadData", || unsafe {
            result::module::load_data(ended.as_ptr().cast())
        })
        .map(|m| Module(m as usize))
    }

    fn unload(&self, module: Module) {
        // SAFETY: the caller gives back what `load` gave.
        self.with("cuModuleUnload", || unsafe {
            result::module::unload(module.0 as sys::CUmodule)
        })
        .ok();
    }

    fn function(
        &self,
        module: Module,
        entry: &str,
        shared_bytes: u32,
    ) -> Result<Function, DriverFailure> {
        let name = CString::new(entry).unwrap_or_default();
        self.with("cuModuleGetFunction", || {
            // SAFETY: the module is loaded.
            let function = unsafe { result::module::get_function(module.0 as sys::CUmodule, name)? };
            use sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as MOST;
            // SAFETY: the function is the driver's own. The limit is only ever raised: other launches
            // of the same entry rely on it.
            unsafe {
                if result::function::get_function_attribute(function, MOST)? < shared_bytes as i32 {
                    result::function::set_function_attribute(function, MOST, shared_bytes as i32)?;
                }
            }
            Ok(Function(function as usize))
        })
    }

    unsafe fn launch(
        &self,
        function: Function,
        shape: LaunchShape,
        params: *const c_void,
    ) -> Result<(), DriverFailure> {
        let mut arguments = [params.cast_mut()];
        let attribute = |id, value| sys::CUlaunchAttribute {
            id,
            pad: [0; 4],
            value,
        };
        let mut attributes = [
            attribute(
                sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_COOPERATIVE,
                sys::CUlaunchAttributeValue {
                    cooperative: i32::from(shape.cooperative),
                },
            ),
            attribute(
                sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
                sys::CUlaunchAttributeValue {
                    programmaticStreamSerializationAllowed: i32::from(shape.early),
                },
            ),
        ];
        let (x, y, z) = shape.grid;
        let config = sys::CUlaunchConfig {
            gridDimX: x,
            gridDimY: y,
            gridDimZ: z,
            blockDimX: shape.block,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: shape.shared_bytes,
            hStream: self.stream,
            attrs: attributes.as_mut_ptr(),
            numAttrs: attributes.len() as u32,
        };
        self.with("cuLaunchKernelEx", || {
            // SAFETY: the caller's promise; configuration and argument live until the call returns.
            unsafe {
                sys::cuLaunchKernelEx(
                    &config,
                    function.0 as sys::CUfunction,
                    arguments.as_mut_ptr(),
                    ptr::null_mut(),
                )
            }
            .result()
        })
    }

    fn begin_recording(&self) -> Result<(), DriverFailure> {
        let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives as long as `self`.
        self.with("cuStreamBeginCapture", || unsafe {
            result::stream::begin_capture(self.stream, mode)
        })
    }

    fn end_recording(&self) -> Result<Graph, DriverFailure> {
        self.with("cuStreamEndCapture", || {
            // SAFETY: the stream lives as long as `self`; the graph is only needed to make the
            // executable one.
            unsafe {
                let graph = result::stream::end_capture(self.stream)?;
                let mut executable = ptr::null_mut();
                let made = sys::cuGraphInstantiateWithFlags(&mut executable, graph, 0).result();
                result::graph::destroy(graph).ok();
                made.map(|()| Graph(executable as usize))
            }
        })
    }

    fn replay(&self, graph: Graph) -> Result<(), DriverFailure> {
        // SAFETY: the graph is one of ours.
        self.with("cuGraphLaunch", || unsafe {
            result::graph::launch(graph.0 as sys::CUgraphExec, self.stream)
        })
    }

    fn free_graph(&self, graph: Graph) {
        // SAFETY: the caller gives back what `end_recording` gave.
        self.with("cuGraphExecDestroy", || unsafe {
            result::graph::exec_destroy(graph.0 as sys::CUgraphExec)
        })
        .ok();
    }

    fn event(&self) -> Result<Event, DriverFailure> {
        self.with("cuEventCreate", || {
            result::event::create(sys::CUevent_flags_enum::CU_EVENT_DEFAULT)
        })
        .map(|e| Event(e as usize))
    }

    fn record(&self, event: Event, queue: Queue) -> Result<(), DriverFailure> {
        // SAFETY: the event is one of ours.
        self.with("cuEventRecord", || unsafe {
            result::event::record(event.0 as sys::CUevent, self.queue(queue))
        })
    }

    fn hold(&self, queue: Queue, event: Event) -> Result<(), DriverFailure> {
        let flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: stream and event are ours.
        self.with("cuStreamWaitEvent", || unsafe {
            result::stream::wait_event(self.queue(queue), event.0 as sys::CUevent, flags)
        })
    }

    fn wait_for(&self, event: Event) -> Result<(), DriverFailure> {
        // SAFETY: the event is one of ours.
        self.with("cuEventSynchronize", || unsafe {
            result::event::synchronize(event.0 as sys::CUevent)
        })
    }

    fn elapsed_ms(&self, from: Event, to: Event) -> Result<f32, DriverFailure> {
        // SAFETY: the events are ours.
        self.with("cuEventElapsedTime", || unsafe {
            result::event::elapsed(from.0 as sys::CUevent, to.0 as sys::CUevent)
        })
    }

    fn free_event(&self, event: Event) {
        // SAFETY: the caller gives back what `event` gave.
        self.with("cuEventDestroy", || unsafe {
            result::event::destroy(event.0 as sys::CUevent)
        })
        .ok();
    }

    fn wait(&self) -> Result<(), DriverFailure> {
        // SAFETY: the streams live as long as `self`.
        self.with("cuStreamSynchronize", || unsafe {
            for queue in [Queue::Upload, Queue::Painting, Queue::Download] {
                result::stream::synchronize(self.queue(queue))?;
            }
            Ok(())
        })
    }

    fn convolution_library(&self) -> Result<&dyn ConvolutionLibrary, String> {
        let cudnn = self.cudnn.get_or_init(|| {
            // SAFETY: both are ours, and the handle is given back before them.
            unsafe { Cudnn::open(self.context, self.stream) }
        });
        match cudnn {
            Ok(cudnn) => Ok(cudnn),
            Err(reason) => Err(reason.clone()),
        }
    }

    fn clock_mhz(&self) -> Option<u32> {
        self.clock()?.mhz()
    }

    fn most_clock_mhz(&self) -> Option<u32> {
        self.clock()?.most_mhz()
    }
}
