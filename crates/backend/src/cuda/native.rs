//! NVIDIA's driver, through cudarc's raw calls.
//!
//! One [`Context`] and a stream for each queue. Every call first makes the context current, so any thread may call.
//! Nothing here links CUDA. The library is loaded at the first call, after `probe` has checked that it exists.

use std::{
    ffi::{CStr, CString, c_int, c_uint, c_void},
    mem::{self, MaybeUninit},
    ptr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use cudarc::driver::{DriverError, result, sys::*};

use super::{
    context::Context,
    driver::{
        ConvolutionLibrary, DevicePtr, Driver, DriverResult, Event, Function, Graph, LaunchShape,
        Module, PinnedPtr, Purpose, Queue,
    },
    nvml::ClockMeter,
};
use plan::cuda::DeviceLimits;

/// A device's context, for one purpose.
pub struct NativeDriver {
    context: Arc<Context>,
    purpose: Purpose,
}

/// The driver's calls that load kernels onto the device before they are launched. They are newer than the oldest
/// supported driver, so they are looked up by name.
struct LoadingCalls {
    count: CountEntries,
    enumerate: EnumerateEntries,
    load: LoadEntry,
}

type CountEntries = unsafe extern "C" fn(*mut c_uint, CUmodule) -> CUresult;
type EnumerateEntries = unsafe extern "C" fn(*mut CUfunction, c_uint, CUmodule) -> CUresult;
type LoadEntry = unsafe extern "C" fn(CUfunction) -> CUresult;

impl LoadingCalls {
    /// The first version of the driver's interface with these calls, in the numbering of `cuGetProcAddress`.
    const SINCE: c_int = 12_040;

    fn find() -> Option<Self> {
        let named = |name: &CStr| {
            let (mut call, mut status) = (ptr::null_mut(), MaybeUninit::uninit());
            // SAFETY: writes a pointer and a status, and reads a name that ends with a zero.
            let asked = unsafe {
                let flags = 0;
                let (to, found) = (&mut call, status.as_mut_ptr());
                cuGetProcAddress_v2(name.as_ptr(), to, Self::SINCE, flags, found)
            };
            (asked.result().is_ok() && !call.is_null()).then_some(call)
        };
        let count = named(c"cuModuleGetFunctionCount")?;
        let enumerate = named(c"cuModuleEnumerateFunctions")?;
        let load = named(c"cuFuncLoad")?;
        // SAFETY: the driver's own calls of these names, with the types of cuda.h.
        unsafe {
            Some(Self {
                count: mem::transmute::<*mut c_void, CountEntries>(count),
                enumerate: mem::transmute::<*mut c_void, EnumerateEntries>(enumerate),
                load: mem::transmute::<*mut c_void, LoadEntry>(load),
            })
        }
    }
}

impl NativeDriver {
    /// Opens the device with this index and reads its limits.
    ///
    /// # Errors
    /// The driver's.
    pub fn open(ordinal: usize) -> DriverResult<(Self, DeviceLimits)> {
        let (context, limits) = Context::open(ordinal)?;
        let driver = Self { context: Arc::new(context), purpose: Purpose::Painting };
        Ok((driver, limits))
    }

    fn queue(&self, queue: Queue) -> CUstream {
        self.context.stream(self.purpose, queue)
    }

    /// The calls that load kernels onto the device, if the driver has them.
    fn loading(&self) -> Option<&'static LoadingCalls> {
        static CALLS: OnceLock<Option<LoadingCalls>> = OnceLock::new();
        CALLS.get_or_init(LoadingCalls::find).as_ref()
    }

    /// The stream of launches.
    fn stream(&self) -> CUstream {
        self.queue(Queue::Painting)
    }

    /// Makes the context current on this thread and runs `call`.
    fn with<T>(
        &self,
        name: &'static str,
        call: impl FnOnce() -> Result<T, DriverError>,
    ) -> DriverResult<T> {
        self.context.with(name, call)
    }
}

// The handles below are addresses that the driver returned; they are passed back unchanged.
impl Driver for NativeDriver {
    fn with_queues_for(&self, purpose: Purpose) -> Arc<dyn Driver> {
        Arc::new(Self { context: self.context.clone(), purpose })
    }

    fn memory_info(&self) -> DriverResult<(usize, usize)> {
        self.with("cuMemGetInfo", result::mem_get_info)
    }

    fn allocate(&self, bytes: usize) -> DriverResult<DevicePtr> {
        // SAFETY: the content is documented as undefined.
        self.with("cuMemAlloc", || unsafe { result::malloc_sync(bytes.max(1)) }).map(DevicePtr)
    }

    fn free(&self, memory: DevicePtr) {
        // SAFETY: the caller frees what `allocate` returned. Errors: see `drop`.
        self.with("cuMemFree", || unsafe { result::free_sync(memory.0) }).ok();
    }

    fn allocate_pinned(&self, bytes: usize) -> DriverResult<PinnedPtr> {
        // SAFETY: the content is documented as undefined; no flags means cached memory.
        self.with("cuMemHostAlloc", || unsafe { result::malloc_host(bytes.max(1), 0) })
            .map(|p| PinnedPtr(p as usize))
    }

    fn free_pinned(&self, memory: PinnedPtr) {
        // SAFETY: the caller frees what `allocate_pinned` returned.
        self.with("cuMemFreeHost", || unsafe { result::free_host(memory.0 as *mut c_void) }).ok();
    }

    fn upload(&self, to: DevicePtr, from: &[u8]) -> DriverResult {
        // Copies in the stream and waits for it. A copy without a stream returns when the bytes have left the slice,
        // and launches in another stream do not wait until they have arrived.
        // SAFETY: the bytes of a pageable slice have left it when the call returns; the target is the caller's memory.
        self.with("cuMemcpyHtoD", || unsafe {
            result::memcpy_htod_async(to.0, from, self.stream())
        })?;
        self.wait()
    }

    fn download(&self, to: &mut [u8], from: DevicePtr) -> DriverResult {
        self.wait()?;
        // SAFETY: the slice lives through the call, which waits.
        self.with("cuMemcpyDtoH", || unsafe { result::memcpy_dtoh_sync(to, from.0) })
    }

    unsafe fn upload_pinned(
        &self,
        to: DevicePtr,
        from: PinnedPtr,
        bytes: usize,
        queue: Queue,
    ) -> DriverResult {
        // SAFETY: the caller's promise.
        self.with("cuMemcpyHtoDAsync", || unsafe {
            let stream = self.queue(queue);
            cuMemcpyHtoDAsync_v2(to.0, from.0 as *const c_void, bytes, stream).result()
        })
    }

    unsafe fn download_pinned(
        &self,
        to: PinnedPtr,
        from: DevicePtr,
        bytes: usize,
        queue: Queue,
    ) -> DriverResult {
        // SAFETY: the caller's promise.
        self.with("cuMemcpyDtoHAsync", || unsafe {
            let stream = self.queue(queue);
            cuMemcpyDtoHAsync_v2(to.0 as *mut c_void, from.0, bytes, stream).result()
        })
    }

    fn copy(&self, to: DevicePtr, from: DevicePtr, bytes: usize) -> DriverResult {
        // SAFETY: both are the caller's memory.
        self.with("cuMemcpyDtoDAsync", || unsafe {
            cuMemcpyDtoDAsync_v2(to.0, from.0, bytes, self.stream()).result()
        })
    }

    fn clear(&self, memory: DevicePtr, bytes: usize) -> DriverResult {
        // SAFETY: the caller's memory.
        self.with("cuMemsetD8", || unsafe {
            result::memset_d8_async(memory.0, 0, bytes, self.stream())
        })?;
        self.wait()
    }

    fn load(&self, image: &[u8]) -> DriverResult<Module> {
        // PTX is text and must end with a zero byte; a cubin may also have one.
        let mut ended = image.to_vec();
        ended.push(0);
        // SAFETY: the image lives through the call and contains its own length.
        self.with("cuModuleLoadData", || unsafe {
            result::module::load_data(ended.as_ptr().cast())
        })
        .map(|m| Module(m as usize))
    }

    fn load_entries(&self, module: Module) -> DriverResult {
        let Some(calls) = self.loading() else {
            return Ok(());
        };
        let module = module.0 as CUmodule;
        let mut functions = Vec::new();
        self.with("cuModuleEnumerateFunctions", || {
            let mut count = 0;
            // SAFETY: the module is loaded; writes a number, and then that many entries.
            unsafe {
                (calls.count)(&mut count, module).result()?;
                functions.resize(count as usize, ptr::null_mut());
                (calls.enumerate)(functions.as_mut_ptr(), count, module).result()
            }
        })?;
        self.with("cuFuncLoad", || {
            // SAFETY: the driver's own entries of a loaded module.
            (functions.iter()).try_for_each(|&f| unsafe { (calls.load)(f) }.result())
        })
    }

    fn unload(&self, module: Module) {
        // SAFETY: the caller unloads what `load` returned.
        self.with("cuModuleUnload", || unsafe { result::module::unload(module.0 as CUmodule) })
            .ok();
    }

    fn function(&self, module: Module, entry: &str, shared_bytes: u32) -> DriverResult<Function> {
        let name = CString::new(entry).unwrap_or_default();
        self.with("cuModuleGetFunction", || {
            // SAFETY: the module is loaded.
            let function = unsafe { result::module::get_function(module.0 as CUmodule, name)? };
            use CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as MOST;
            // SAFETY: the function is the driver's own. The limit is only ever raised, because other launches of the
            // same entry rely on it.
            unsafe {
                if result::function::get_function_attribute(function, MOST)? < shared_bytes as i32 {
                    result::function::set_function_attribute(function, MOST, shared_bytes as i32)?;
                }
            }
            Ok(Function(function as usize))
        })
    }

    fn resident_ctas(&self, function: Function, shape: LaunchShape) -> DriverResult<usize> {
        let name = "cuOccupancyMaxActiveBlocksPerMultiprocessor";
        let each = self.with(name, || {
            let (threads, shared) = (shape.block as c_int, shape.shared_bytes as usize);
            // SAFETY: the function is the driver's own.
            unsafe {
                let function = function.0 as CUfunction;
                result::occupancy::max_active_block_per_multiprocessor(function, threads, shared)
            }
        })?;
        Ok(self.context.multiprocessors() * usize::try_from(each).unwrap_or_default())
    }

    unsafe fn launch(
        &self,
        function: Function,
        shape: LaunchShape,
        params: *const c_void,
    ) -> DriverResult {
        let mut blocks = [params.cast_mut()];
        let attribute = |id, value| CUlaunchAttribute { id, pad: [0; 4], value };
        let mut attributes = Vec::with_capacity(2);
        // An attribute that is not needed is left out, because older drivers refuse some attributes whatever their
        // value.
        if shape.cooperative {
            attributes.push(attribute(
                CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_COOPERATIVE,
                CUlaunchAttributeValue { cooperative: 1 },
            ));
        }
        if shape.early {
            attributes.push(attribute(
                CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
                CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
            ));
        }
        let (x, y, z) = shape.grid;
        let config = CUlaunchConfig {
            gridDimX: x,
            gridDimY: y,
            gridDimZ: z,
            blockDimX: shape.block,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: shape.shared_bytes,
            hStream: self.stream(),
            attrs: attributes.as_mut_ptr(),
            numAttrs: attributes.len() as u32,
        };
        self.with("cuLaunchKernelEx", || {
            // SAFETY: the caller's promise; configuration and parameters live until the call returns.
            unsafe {
                cuLaunchKernelEx(
                    &config,
                    function.0 as CUfunction,
                    blocks.as_mut_ptr(),
                    ptr::null_mut(),
                )
            }
            .result()
        })
    }

    fn begin_recording(&self) -> DriverResult {
        let mode = CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives as long as `self`.
        self.with("cuStreamBeginCapture", || unsafe {
            result::stream::begin_capture(self.stream(), mode)
        })
    }

    fn end_recording(&self) -> DriverResult<Graph> {
        self.with("cuStreamEndCapture", || {
            // SAFETY: the stream lives as long as `self`; the graph is only needed to create the executable graph.
            unsafe {
                let graph = result::stream::end_capture(self.stream())?;
                let mut executable = ptr::null_mut();
                let made = cuGraphInstantiateWithFlags(&mut executable, graph, 0).result();
                result::graph::destroy(graph).ok();
                made.map(|()| Graph(executable as usize))
            }
        })
    }

    fn replay(&self, graph: Graph) -> DriverResult {
        // SAFETY: the graph is one of ours.
        self.with("cuGraphLaunch", || unsafe {
            result::graph::launch(graph.0 as CUgraphExec, self.stream())
        })
    }

    fn free_graph(&self, graph: Graph) {
        // SAFETY: the caller releases what `end_recording` returned.
        self.with("cuGraphExecDestroy", || unsafe {
            result::graph::exec_destroy(graph.0 as CUgraphExec)
        })
        .ok();
    }

    fn event(&self) -> DriverResult<Event> {
        self.with("cuEventCreate", || result::event::create(CUevent_flags_enum::CU_EVENT_DEFAULT))
            .map(|e| Event(e as usize))
    }

    fn record(&self, event: Event, queue: Queue) -> DriverResult {
        // SAFETY: the event is one of ours.
        self.with("cuEventRecord", || unsafe {
            result::event::record(event.0 as CUevent, self.queue(queue))
        })
    }

    fn wait_event(&self, queue: Queue, event: Event) -> DriverResult {
        let flags = CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: stream and event are ours.
        self.with("cuStreamWaitEvent", || unsafe {
            result::stream::wait_event(self.queue(queue), event.0 as CUevent, flags)
        })
    }

    fn has_passed(&self, event: Event) -> DriverResult<bool> {
        self.with("cuEventQuery", || {
            // SAFETY: the event is one of ours.
            match unsafe { cuEventQuery(event.0 as CUevent) } {
                CUresult::CUDA_ERROR_NOT_READY => Ok(false),
                other => other.result().map(|()| true),
            }
        })
    }

    fn elapsed_ms(&self, from: Event, to: Event) -> DriverResult<f32> {
        // SAFETY: the events are ours.
        self.with("cuEventElapsedTime", || unsafe {
            result::event::elapsed(from.0 as CUevent, to.0 as CUevent)
        })
    }

    fn free_event(&self, event: Event) {
        // SAFETY: the caller releases what `event` returned.
        self.with("cuEventDestroy", || unsafe { result::event::destroy(event.0 as CUevent) }).ok();
    }

    fn wait_within(&self, patience: Duration) -> DriverResult {
        [Queue::Upload, Queue::Painting, Queue::Download].into_iter().try_for_each(|queue| {
            // An event marks the end of what is queued now, because other threads may continue to queue work.
            let waited = self.event().and_then(|event| {
                let waited =
                    self.record(event, queue).and_then(|()| self.wait_for(event, patience));
                self.free_event(event);
                waited
            });
            match waited {
                // Fallback without an event: callers access the memory next, so this must wait.
                Err(failure) if !failure.is_lost() => self.with("cuStreamSynchronize", || {
                    // SAFETY: the streams live as long as `self`.
                    unsafe { result::stream::synchronize(self.queue(queue)) }
                }),
                done => done,
            }
        })
    }

    fn abandon(&self, patience: Duration) {
        self.context.abandon(patience);
    }

    fn convolution_library(&self) -> Result<&dyn ConvolutionLibrary, String> {
        Ok(self.context.cudnn(self.purpose)?)
    }

    fn clocks_mhz(&self) -> [Option<u32>; 2] {
        self.context.clock().map_or([None; 2], ClockMeter::mhz)
    }
}
