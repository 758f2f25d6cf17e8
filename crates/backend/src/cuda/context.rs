//! One context on a device (its primary context), with all of its streams.
//!
//! There are streams for painting and one for preparing sessions at the same time, so that neither waits for the other.
//! Painting has the highest priority. Handles of memory, kernels, graphs and events belong to the context and are valid
//! in all streams. Any thread may use it.

use std::{
    ffi::{CStr, c_char, c_int},
    ptr,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use cudarc::driver::{DriverError, result, sys::*};

use super::{
    cudnn::{Cudnn, EnterContext},
    driver::{DriverFailure, DriverResult, Purpose, Queue},
    nvml::ClockMeter,
};
use plan::cuda::DeviceLimits;

/// The driver's message for a failed call.
pub fn words(error: DriverError) -> String {
    error
        .error_string()
        .map_or_else(|_| "unknown error".to_owned(), |words| words.to_string_lossy().into_owned())
}

pub fn failure(call: &'static str, error: DriverError) -> DriverFailure {
    DriverFailure { call, code: error.0 as u32, words: words(error) }
}

/// A device's context and its streams; released when dropped.
pub struct Context {
    device: CUdevice,
    multiprocessors: usize,
    raw: CUcontext,
    streams: Streams,
    /// cuDNN on the launch stream of each purpose, or the reason why there is none; loaded at first use.
    cudnn: OnceLock<Result<[Cudnn; 2], String>>,
    /// Loaded when the clock is first read.
    clock: OnceLock<Option<ClockMeter>>,
    /// How long the device did not respond, if it was abandoned for that reason.
    abandoned: OnceLock<Duration>,
}

// SAFETY: the driver's handles may be used from any thread; each call sets the context first.
unsafe impl Send for Context {}
// SAFETY: as above; the driver has its own locks.
unsafe impl Sync for Context {}

impl Context {
    /// Opens the device with this index and reads its limits.
    ///
    /// # Errors
    /// The driver's.
    pub fn open(ordinal: usize) -> DriverResult<(Self, DeviceLimits)> {
        use CUdevice_attribute_enum::*;
        result::init().map_err(|e| failure("cuInit", e))?;
        let device = result::device::get(ordinal as i32).map_err(|e| failure("cuDeviceGet", e))?;
        let attribute = |which| {
            // SAFETY: the driver returned this device.
            unsafe { result::device::get_attribute(device, which) }
                .map_err(|e| failure("cuDeviceGetAttribute", e))
        };
        let limits = DeviceLimits {
            compute_capability: (
                attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            multiprocessors: attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? as usize,
            shared_bytes_per_cta: attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?
                as usize,
            shared_bytes_per_multiprocessor: attribute(
                CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
            )? as usize,
        };
        // SAFETY: the driver returned this device; the context is released when this is dropped.
        let raw = unsafe { result::primary_ctx::retain(device) }
            .map_err(|e| failure("cuDevicePrimaryCtxRetain", e))?;
        // SAFETY: the context was retained above.
        let streams = unsafe { result::ctx::set_current(raw) }.and_then(|()| Streams::make());
        match streams {
            Ok(streams) => Ok((
                Self {
                    device,
                    multiprocessors: limits.multiprocessors,
                    raw,
                    streams,
                    cudnn: OnceLock::new(),
                    clock: OnceLock::new(),
                    abandoned: OnceLock::new(),
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

    /// Multiprocessors of the device.
    pub const fn multiprocessors(&self) -> usize {
        self.multiprocessors
    }

    /// Makes the context current on this thread and runs `call`.
    pub fn with<T>(
        &self,
        name: &'static str,
        call: impl FnOnce() -> Result<T, DriverError>,
    ) -> DriverResult<T> {
        if let Some(patience) = self.abandoned.get() {
            return Err(DriverFailure::no_answer(name, *patience));
        }
        // SAFETY: the context lives as long as `self`.
        unsafe { result::ctx::set_current(self.raw) }
            .and_then(|()| call())
            .map_err(|e| failure(name, e))
    }

    /// From now on every call fails immediately, and nothing is released.
    pub fn abandon(&self, patience: Duration) {
        self.abandoned.get_or_init(|| patience);
    }

    /// The stream of a queue. Preparing sessions has one stream for all queues.
    pub const fn stream(&self, purpose: Purpose, queue: Queue) -> CUstream {
        match (purpose, queue) {
            (Purpose::External(stream), _) => stream as CUstream,
            (Purpose::Preparing, _) => self.streams.0[3],
            (Purpose::Painting, Queue::Painting) => self.streams.0[0],
            (Purpose::Painting, Queue::Upload) => self.streams.0[1],
            (Purpose::Painting, Queue::Download) => self.streams.0[2],
        }
    }

    /// cuDNN on the launch stream of a purpose, or the reason why there is none.
    pub fn cudnn(self: &Arc<Self>, purpose: Purpose) -> Result<&Cudnn, String> {
        if self.abandoned.get().is_some() {
            return Err("the GPU does not answer".to_owned());
        }
        let each = self.cudnn.get_or_init(|| {
            self.enter().map_err(|f| f.to_string())?;
            let context: Weak<dyn EnterContext> = Arc::<Self>::downgrade(self);
            let open = |purpose| {
                // SAFETY: the stream belongs to this context; `drop` destroys the handle before it.
                unsafe { Cudnn::open(context.clone(), self.stream(purpose, Queue::Painting)) }
            };
            Ok([open(Purpose::Painting)?, open(Purpose::Preparing)?])
        });
        let [painting, preparing] = each.as_ref().map_err(Clone::clone)?;
        Ok(match purpose {
            Purpose::Painting => painting,
            Purpose::Preparing => preparing,
            Purpose::External(_) => return Err("it only runs in our own streams".to_owned()),
        })
    }

    /// Reads the device's clock.
    pub fn clock(&self) -> Option<&ClockMeter> {
        let find = || {
            let mut bus: [c_char; 32] = [0; 32];
            // SAFETY: the driver returned this device; at most 32 bytes are written, including the terminating zero.
            let result = unsafe { cuDeviceGetPCIBusId(bus.as_mut_ptr(), 32, self.device) };
            result.result().ok()?;
            // SAFETY: the driver terminated it with a zero, and it was all zeros before.
            let bus = unsafe { CStr::from_ptr(bus.as_ptr()) };
            ClockMeter::open(bus.to_str().ok()?)
        };
        self.clock.get_or_init(find).as_ref()
    }
}

impl EnterContext for Context {
    fn enter(&self) -> DriverResult {
        self.with("cuCtxSetCurrent", || Ok(()))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let (cudnn, entered) = (self.cudnn.take(), self.enter());
        if entered.is_err() {
            std::mem::forget(cudnn);
        } else {
            // The library's handles are destroyed before their streams.
            drop(cudnn);
        }
        if self.abandoned.get().is_some() {
            // Releasing anything would wait for the device.
            return;
        }
        // SAFETY: sessions keep this alive through their drivers, so nothing uses the handles any more. A lost context
        // refuses the calls, which is ignored.
        unsafe {
            self.streams.destroy();
            result::primary_ctx::release(self.device).ok();
        }
    }
}

/// For painting, three streams: launches, uploads and downloads. For preparing, one stream. None of them waits
/// implicitly for another or for the context's default stream.
struct Streams([CUstream; 4]);

impl Streams {
    /// Creates the streams in the current context.
    fn make() -> Result<Self, DriverError> {
        let (mut least, mut greatest): (c_int, c_int) = (0, 0);
        // SAFETY: writes two numbers.
        unsafe { cuCtxGetStreamPriorityRange(&mut least, &mut greatest) }.result()?;
        let mut made = Self([ptr::null_mut(); 4]);
        let priorities = [greatest, greatest, greatest, least];
        for (stream, priority) in made.0.iter_mut().zip(priorities) {
            let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
            // SAFETY: writes one handle.
            let done = unsafe { cuStreamCreateWithPriority(stream, flags, priority) };
            if let Err(error) = done.result() {
                *stream = ptr::null_mut();
                // SAFETY: nothing uses them.
                unsafe { made.destroy() };
                return Err(error);
            }
        }
        Ok(made)
    }

    /// Destroys the streams that were created.
    ///
    /// # Safety
    /// Nothing uses them any more, and their context is current.
    unsafe fn destroy(&self) {
        for &stream in self.0.iter().filter(|stream| !stream.is_null()) {
            // SAFETY: created here, and the caller's promise.
            unsafe { result::stream::destroy(stream) }.ok();
        }
    }
}
