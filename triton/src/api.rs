//! Triton's C interface: the functions that the server exports, safe wrappers of them, and the functions that the
//! server calls in a backend.
//!
//! The only file with `unsafe`. The declarations follow `tritonbackend.h` and `tritonserver.h`, version 1.16. The
//! symbols are those of the server's process; nothing is linked. A panic must not leave an `extern "C"` function, so
//! each of them catches it.

use std::{
    ffi::{CStr, CString, c_char, c_void},
    fmt::{Display, Formatter},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    ptr::{null, null_mut},
    slice,
    sync::Arc,
};

use serde_json::Value;
use styleforge::engine::panic_message;

use crate::{execute, instance::Instance, model::Model};

/// The oldest version of the interface that has every function that is called here.
const API_VERSION: (u32, u32) = (1, 16);

macro_rules! opaque {
    ($($name:ident),+) => { $(
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
        }
    )+ };
}

opaque!(
    RawBackend,
    RawModel,
    RawInstance,
    RawRequest,
    RawResponse,
    RawInput,
    RawOutput,
    RawError,
    RawMessage
);

/// What the functions return: null if all is well.
type Status = *mut RawError;

/// A text that ends with 0.
type Text = *const c_char;
/// Where a function writes a result.
type Out<T> = *mut T;
/// What a callback stores and the server returns unchanged.
type State = *mut c_void;
type BackendPtr = *mut RawBackend;
type ModelPtr = *mut RawModel;
type InstancePtr = *mut RawInstance;
type RequestPtr = *mut RawRequest;
type InputPtr = *mut RawInput;
type ResponsePtr = *mut RawResponse;
type OutputPtr = *mut RawOutput;
type MessagePtr = *mut RawMessage;

#[rustfmt::skip]
unsafe extern "C" {
    fn TRITONSERVER_ErrorNew(code: u32, message: Text) -> Status;
    fn TRITONSERVER_ErrorDelete(error: Status);
    fn TRITONSERVER_ErrorCode(error: Status) -> u32;
    fn TRITONSERVER_ErrorMessage(error: Status) -> Text;
    fn TRITONSERVER_LogMessage(level: u32, file: Text, line: i32, message: Text) -> Status;
    fn TRITONSERVER_MessageNewFromSerializedJson(to: Out<MessagePtr>, json: Text, bytes: usize) -> Status;
    fn TRITONSERVER_MessageSerializeToJson(of: MessagePtr, json: Out<Text>, bytes: Out<usize>) -> Status;
    fn TRITONSERVER_MessageDelete(message: MessagePtr) -> Status;
    fn TRITONBACKEND_ApiVersion(major: Out<u32>, minor: Out<u32>) -> Status;
    fn TRITONBACKEND_BackendArtifacts(of: BackendPtr, kind: Out<u32>, folder: Out<Text>) -> Status;
    fn TRITONBACKEND_ModelName(of: ModelPtr, to: Out<Text>) -> Status;
    fn TRITONBACKEND_ModelVersion(of: ModelPtr, to: Out<u64>) -> Status;
    fn TRITONBACKEND_ModelRepository(of: ModelPtr, kind: Out<u32>, folder: Out<Text>) -> Status;
    fn TRITONBACKEND_ModelBackend(of: ModelPtr, to: Out<BackendPtr>) -> Status;
    fn TRITONBACKEND_ModelConfig(of: ModelPtr, version: u32, to: Out<MessagePtr>) -> Status;
    fn TRITONBACKEND_ModelSetConfig(of: ModelPtr, version: u32, config: MessagePtr) -> Status;
    fn TRITONBACKEND_ModelAutoCompleteConfig(of: ModelPtr, to: Out<bool>) -> Status;
    fn TRITONBACKEND_ModelState(of: ModelPtr, to: Out<State>) -> Status;
    fn TRITONBACKEND_ModelSetState(of: ModelPtr, state: State) -> Status;
    fn TRITONBACKEND_ModelInstanceName(of: InstancePtr, to: Out<Text>) -> Status;
    fn TRITONBACKEND_ModelInstanceKind(of: InstancePtr, to: Out<u32>) -> Status;
    fn TRITONBACKEND_ModelInstanceDeviceId(of: InstancePtr, to: Out<i32>) -> Status;
    fn TRITONBACKEND_ModelInstanceModel(of: InstancePtr, to: Out<ModelPtr>) -> Status;
    fn TRITONBACKEND_ModelInstanceState(of: InstancePtr, to: Out<State>) -> Status;
    fn TRITONBACKEND_ModelInstanceSetState(of: InstancePtr, state: State) -> Status;
    fn TRITONBACKEND_ModelInstanceReportStatistics(
        of: InstancePtr, request: RequestPtr, success: bool, begin_ns: u64, start_ns: u64, end_ns: u64, over_ns: u64,
    ) -> Status;
    fn TRITONBACKEND_ModelInstanceReportBatchStatistics(
        of: InstancePtr, batch_size: u64, begin_ns: u64, start_ns: u64, end_ns: u64, over_ns: u64,
    ) -> Status;
    fn TRITONBACKEND_RequestInput(of: RequestPtr, name: Text, to: Out<InputPtr>) -> Status;
    fn TRITONBACKEND_RequestParameterCount(of: RequestPtr, to: Out<u32>) -> Status;
    fn TRITONBACKEND_RequestParameter(
        of: RequestPtr, index: u32, key: Out<Text>, kind: Out<u32>, value: Out<*const c_void>,
    ) -> Status;
    fn TRITONBACKEND_RequestIsCancelled(of: RequestPtr, to: Out<bool>) -> Status;
    fn TRITONBACKEND_RequestRelease(of: RequestPtr, flags: u32) -> Status;
    fn TRITONBACKEND_InputProperties(
        of: InputPtr, name: Out<Text>, kind: Out<u32>, shape: Out<*const i64>, dimensions: Out<u32>,
        bytes: Out<u64>, buffers: Out<u32>,
    ) -> Status;
    fn TRITONBACKEND_InputBuffer(
        of: InputPtr, index: u32, start: Out<*const c_void>, bytes: Out<u64>, memory: Out<u32>, device: Out<i64>,
    ) -> Status;
    fn TRITONBACKEND_ResponseNew(to: Out<ResponsePtr>, request: RequestPtr) -> Status;
    fn TRITONBACKEND_ResponseOutput(
        of: ResponsePtr, to: Out<OutputPtr>, name: Text, kind: u32, shape: *const i64, dimensions: u32,
    ) -> Status;
    fn TRITONBACKEND_OutputBuffer(
        of: OutputPtr, start: Out<State>, bytes: u64, memory: Out<u32>, device: Out<i64>,
    ) -> Status;
    fn TRITONBACKEND_ResponseSend(response: ResponsePtr, flags: u32, error: Status) -> Status;
}

/// Calls a getter of the server on a live object: `ask!(FUNCTION(object) -> first value of the result)`.
macro_rules! ask {
    ($function:ident($of:expr) -> $value:expr) => {{
        let mut value = $value;
        // SAFETY: the object is live, and the place has the declared type.
        check(unsafe { $function($of, &mut value) }).map(|()| value)
    }};
}

const FINAL_RESPONSE: u32 = 1;
const RELEASE_ALL: u32 = 1;
/// Memory of a GPU; the others can be read by the processor.
const MEMORY_GPU: u32 = 2;

/// Triton's classes of errors, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u32);

impl Code {
    pub const INTERNAL: Self = Self(1);
    pub const NOT_FOUND: Self = Self(2);
    pub const INVALID_ARGUMENT: Self = Self(3);
    pub const UNAVAILABLE: Self = Self(4);
    pub const UNSUPPORTED: Self = Self(5);
    pub const CANCELLED: Self = Self(7);
}

/// An error for the client or for the server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Display) -> Self {
        Self { code, message: message.to_string() }
    }

    pub fn invalid(message: impl Display) -> Self {
        Self::new(Code::INVALID_ARGUMENT, message)
    }

    fn of_panic(message: &str) -> Self {
        Self::new(Code::INTERNAL, format!("a bug in StyleForge ({message}); please report it"))
    }

    fn raw(&self) -> Status {
        let message = c_string(&self.message);
        // SAFETY: the text ends with 0 and is copied.
        unsafe { TRITONSERVER_ErrorNew(self.code.0, message.as_ptr()) }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

pub type Outcome<T = ()> = Result<T, Failure>;

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// The error of a call, which is freed.
fn check(status: Status) -> Outcome {
    if status.is_null() {
        return Ok(());
    }
    // SAFETY: a live error of the server, whose text ends with 0 and is copied before the error is freed.
    unsafe {
        let code = Code(TRITONSERVER_ErrorCode(status));
        let message = owned(TRITONSERVER_ErrorMessage(status));
        TRITONSERVER_ErrorDelete(status);
        Err(Failure { code, message })
    }
}

/// What a call writes to its output argument.
fn fetch<T>(mut value: T, call: impl FnOnce(&mut T) -> Status) -> Outcome<T> {
    check(call(&mut value))?;
    Ok(value)
}

/// A copy of a text that the server owns.
fn owned(text: Text) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the server's texts end with 0 and live as long as the object that was asked, which is live.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Runs `work`; a panic becomes an error.
///
/// # Errors
/// That of `work`, or [`Code::INTERNAL`] after a panic.
pub fn caught<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Failure::of_panic(&panic_message(panic.as_ref()))))
}

/// Levels of the server's log.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Level {
    Info = 0,
    Warning = 1,
    Error = 2,
}

/// Writes a line to the server's log.
pub fn log(level: Level, message: impl Display) {
    let message = c_string(&message.to_string());
    // SAFETY: both texts end with 0 and are only read during the call.
    let status = unsafe {
        TRITONSERVER_LogMessage(level as u32, c"styleforge".as_ptr(), 0, message.as_ptr())
    };
    // A log that cannot be written cannot be reported.
    check(status).ok();
}

/// Logs an error that has no client.
fn log_failure(outcome: Outcome) {
    if let Err(failure) = outcome {
        log(Level::Error, failure);
    }
}

/// Nanoseconds of the monotonic clock, which the server's own times use.
pub fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A model of the server, valid during the callback that received it.
pub struct ModelHandle(ModelPtr);

impl ModelHandle {
    // SAFETY of all calls below: the handle is live during the callback, and the outputs are of the declared types.
    pub fn name(&self) -> Outcome<String> {
        Ok(owned(ask!(TRITONBACKEND_ModelName(self.0) -> null())?))
    }

    pub fn version(&self) -> Outcome<u64> {
        ask!(TRITONBACKEND_ModelVersion(self.0) -> 0)
    }

    /// The model's folder, which contains the folders of its versions.
    pub fn folder(&self) -> Outcome<PathBuf> {
        let mut kind = 0;
        // SAFETY: as above.
        let folder =
            fetch(null(), |to| unsafe { TRITONBACKEND_ModelRepository(self.0, &mut kind, to) });
        Ok(owned(folder?).into())
    }

    /// The folder of the backend's library.
    pub fn backend_folder(&self) -> Outcome<PathBuf> {
        let backend = ask!(TRITONBACKEND_ModelBackend(self.0) -> null_mut())?;
        let mut kind = 0;
        // SAFETY: the backend outlives its models.
        let folder =
            fetch(null(), |to| unsafe { TRITONBACKEND_BackendArtifacts(backend, &mut kind, to) });
        Ok(owned(folder?).into())
    }

    pub fn config(&self) -> Outcome<Value> {
        // SAFETY: as above.
        let message =
            fetch(null_mut(), |config| unsafe { TRITONBACKEND_ModelConfig(self.0, 1, config) })?;
        let mut bytes = 0;
        // SAFETY: the message is live until it is deleted below.
        let json = fetch(null(), |json| unsafe {
            TRITONSERVER_MessageSerializeToJson(message, json, &mut bytes)
        });
        let parsed = json.and_then(|json| {
            // SAFETY: the server's text of this length, owned by the message.
            let json = unsafe { slice::from_raw_parts(json.cast::<u8>(), bytes) };
            serde_json::from_slice(json)
                .map_err(|e| Failure::invalid(format!("the model's configuration: {e}")))
        });
        // SAFETY: the message is ours and not used again.
        check(unsafe { TRITONSERVER_MessageDelete(message) })?;
        parsed
    }

    /// Whether the server lets the backend complete the configuration.
    pub fn may_complete(&self) -> Outcome<bool> {
        ask!(TRITONBACKEND_ModelAutoCompleteConfig(self.0) -> false)
    }

    pub fn set_config(&self, config: &Value) -> Outcome {
        let json = config.to_string();
        // SAFETY: the text has this length and is copied.
        let message = fetch(null_mut(), |message| unsafe {
            TRITONSERVER_MessageNewFromSerializedJson(message, json.as_ptr().cast(), json.len())
        })?;
        // SAFETY: as above; the message is ours and not used again.
        unsafe {
            let set = check(TRITONBACKEND_ModelSetConfig(self.0, 1, message));
            check(TRITONSERVER_MessageDelete(message)).and(set)
        }
    }

    /// The state that [`TRITONBACKEND_ModelInitialize`] stored.
    fn state(&self) -> Outcome<*mut Arc<Model>> {
        Ok(ask!(TRITONBACKEND_ModelState(self.0) -> null_mut())?.cast())
    }
}

/// The kind of device of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Processor,
    /// With this index.
    Gpu(usize),
}

/// An instance of a model, valid until it is finalised.
#[derive(Clone, Copy)]
pub struct InstanceHandle(InstancePtr);

// SAFETY: the server's functions on an instance may be called from any thread.
unsafe impl Send for InstanceHandle {}
// SAFETY: as above.
unsafe impl Sync for InstanceHandle {}

impl InstanceHandle {
    pub fn name(&self) -> Outcome<String> {
        Ok(owned(ask!(TRITONBACKEND_ModelInstanceName(self.0) -> null())?))
    }

    /// # Errors
    /// [`Code::UNSUPPORTED`] for kinds that name no device.
    pub fn kind(&self) -> Outcome<Kind> {
        let device = ask!(TRITONBACKEND_ModelInstanceDeviceId(self.0) -> 0)?;
        match ask!(TRITONBACKEND_ModelInstanceKind(self.0) -> 0)? {
            1 => Ok(Kind::Processor),
            2 => Ok(Kind::Gpu(device.max(0) as usize)),
            _ => Err(Failure::new(Code::UNSUPPORTED, "use KIND_CPU or KIND_GPU in instance_group")),
        }
    }

    fn model(&self) -> Outcome<ModelHandle> {
        ask!(TRITONBACKEND_ModelInstanceModel(self.0) -> null_mut()).map(ModelHandle)
    }

    fn state(&self) -> Outcome<*mut Instance> {
        Ok(ask!(TRITONBACKEND_ModelInstanceState(self.0) -> null_mut())?.cast())
    }

    /// Reports a batch that was painted in one go.
    pub fn report_batch(&self, pictures: usize, times: Times) {
        let Times { begin_ns, compute_ns: (start, end) } = times;
        // SAFETY: the instance is live.
        log_failure(check(unsafe {
            TRITONBACKEND_ModelInstanceReportBatchStatistics(
                self.0,
                pictures as u64,
                begin_ns,
                start,
                end,
                now_ns(),
            )
        }));
    }
}

/// When the work on requests began, and when their pictures were painted. See [`now_ns`].
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub begin_ns: u64,
    /// First and last moment of painting.
    pub compute_ns: (u64, u64),
}

impl Times {
    /// The times of a request that was refused now.
    pub fn refused(begin_ns: u64) -> Self {
        let now = now_ns();
        Self { begin_ns, compute_ns: (now, now) }
    }
}

/// Types of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DataType {
    Uint8 = 2,
    /// Texts or files: each one has four bytes of its length, little-endian, and then its bytes.
    Bytes = 13,
}

/// An input of a request.
pub struct Input<'a> {
    pub kind: DataType,
    pub shape: &'a [i64],
    pub byte_count: u64,
    raw: InputPtr,
    buffers: u32,
}

impl<'a> Input<'a> {
    /// The parts of its bytes, in order.
    ///
    /// # Errors
    /// [`Code::UNSUPPORTED`] for memory of a GPU.
    pub fn parts(&self) -> Outcome<Vec<&'a [u8]>> {
        (0..self.buffers)
            .map(|index| {
                let (mut bytes, mut memory, mut device) = (0, 0, 0);
                // SAFETY: the input is live as long as its request, and the index exists.
                let start = fetch(null(), |start| unsafe {
                    TRITONBACKEND_InputBuffer(
                        self.raw,
                        index,
                        start,
                        &mut bytes,
                        &mut memory,
                        &mut device,
                    )
                })?;
                if memory == MEMORY_GPU {
                    let what =
                        "inputs in CUDA shared memory are not supported; use system shared memory";
                    return Err(Failure::new(Code::UNSUPPORTED, what));
                }
                if start.is_null() || bytes == 0 {
                    return Ok(&[][..]);
                }
                // SAFETY: memory of the processor, of this length, unchanged until the request is released.
                Ok(unsafe { slice::from_raw_parts(start.cast(), bytes as usize) })
            })
            .collect()
    }
}

/// What a request is answered with.
pub struct Tensor<'a> {
    pub kind: DataType,
    pub shape: Vec<i64>,
    pub byte_count: usize,
    /// Writes the bytes.
    pub write: &'a mut dyn FnMut(&mut [u8]),
}

/// A request, which is answered once. One that is dropped is answered with an error.
pub struct Request {
    raw: RequestPtr,
    instance: InstanceHandle,
    begin_ns: u64,
    is_answered: bool,
}

// SAFETY: the server's functions on a request may be called from any thread.
unsafe impl Send for Request {}
// SAFETY: as above; `&self` only reads.
unsafe impl Sync for Request {}

impl Request {
    pub fn begin_ns(&self) -> u64 {
        self.begin_ns
    }

    /// The input of this name.
    ///
    /// # Errors
    /// [`Code::INVALID_ARGUMENT`] if there is none, or if it has another type.
    pub fn input(&self, name: &str) -> Outcome<Input<'_>> {
        let c_name = c_string(name);
        // SAFETY: the request is live, and the name ends with 0.
        let raw = fetch(null_mut(), |input| unsafe {
            TRITONBACKEND_RequestInput(self.raw, c_name.as_ptr(), input)
        })
        .map_err(|failure| Failure::invalid(format!("the input {name} is missing: {failure}")))?;
        let (mut kind, mut shape, mut dimensions, mut byte_count) = (0, null(), 0, 0);
        // SAFETY: the input is live as long as its request; a name is not requested.
        let buffers = fetch(0, |buffers| unsafe {
            TRITONBACKEND_InputProperties(
                raw,
                null_mut(),
                &mut kind,
                &mut shape,
                &mut dimensions,
                &mut byte_count,
                buffers,
            )
        })?;
        let kind = match kind {
            2 => DataType::Uint8,
            13 => DataType::Bytes,
            _ => return Err(Failure::invalid(format!("the input {name} must be UINT8 or BYTES"))),
        };
        let shape = match dimensions {
            0 => &[][..],
            // SAFETY: as many numbers as dimensions, which the request owns.
            n => unsafe { slice::from_raw_parts(shape, n as usize) },
        };
        Ok(Input { kind, shape, byte_count, raw, buffers })
    }

    /// The client's parameters, as text.
    pub fn parameters(&self) -> Outcome<Vec<(String, String)>> {
        let count = ask!(TRITONBACKEND_RequestParameterCount(self.raw) -> 0)?;
        (0..count).map(|index| self.parameter(index)).collect()
    }

    fn parameter(&self, index: u32) -> Outcome<(String, String)> {
        let (mut kind, mut value) = (0, null());
        // SAFETY: the request is live, and the index exists.
        let key = owned(fetch(null(), |key| unsafe {
            TRITONBACKEND_RequestParameter(self.raw, index, key, &mut kind, &mut value)
        })?);
        // SAFETY: the value has the type that the server names, and lives as long as the request.
        let text = unsafe {
            match kind {
                0 => owned(value.cast()),
                1 => value.cast::<i64>().read().to_string(),
                2 => value.cast::<bool>().read().to_string(),
                3 => value.cast::<f64>().read().to_string(),
                _ => {
                    return Err(Failure::invalid(format!(
                        "the parameter {key} must be text or a number"
                    )));
                }
            }
        };
        Ok((key, text))
    }

    /// Whether the client no longer waits for the answer.
    pub fn is_cancelled(&self) -> bool {
        ask!(TRITONBACKEND_RequestIsCancelled(self.raw) -> false).unwrap_or(false)
    }

    /// Answers the request, and reports its times.
    pub fn answer(mut self, answer: Outcome<Tensor<'_>>, times: Times) {
        self.send(answer, times);
    }

    fn send(&mut self, answer: Outcome<Tensor<'_>>, times: Times) {
        self.is_answered = true;
        let sent = self.try_to_send(answer);
        let is_good = matches!(sent, Ok(true));
        log_failure(sent.map(|_| ()));
        let Times { begin_ns, compute_ns: (start, end) } = times;
        // SAFETY: the instance and the request are live.
        log_failure(check(unsafe {
            TRITONBACKEND_ModelInstanceReportStatistics(
                self.instance.0,
                self.raw,
                is_good,
                begin_ns,
                start,
                end,
                now_ns(),
            )
        }));
    }

    /// Sends the response, and returns whether it is a picture.
    fn try_to_send(&self, answer: Outcome<Tensor<'_>>) -> Outcome<bool> {
        // SAFETY: the request is live.
        let response =
            fetch(null_mut(), |response| unsafe { TRITONBACKEND_ResponseNew(response, self.raw) })?;
        let error = match answer.and_then(|tensor| caught(|| write(response, tensor))) {
            Ok(()) => null_mut(),
            Err(failure) => failure.raw(),
        };
        // SAFETY: the response is ours, and the server owns it from here on; the error is ours.
        unsafe {
            let sent = check(TRITONBACKEND_ResponseSend(response, FINAL_RESPONSE, error));
            if !error.is_null() {
                TRITONSERVER_ErrorDelete(error);
            }
            sent.map(|()| error.is_null())
        }
    }
}

/// Writes the output of a response.
fn write(response: ResponsePtr, tensor: Tensor<'_>) -> Outcome {
    let Tensor { kind, shape, byte_count, write } = tensor;
    // SAFETY: the response was not sent yet, the name ends with 0, and the shape has this length.
    let output = fetch(null_mut(), |output| unsafe {
        let dimensions = shape.len() as u32;
        TRITONBACKEND_ResponseOutput(
            response,
            output,
            c"PAINTING".as_ptr(),
            kind as u32,
            shape.as_ptr(),
            dimensions,
        )
    })?;
    let (mut memory, mut device) = (0, 0);
    // SAFETY: the output is live until the response is sent.
    let start = fetch(null_mut(), |start| unsafe {
        TRITONBACKEND_OutputBuffer(output, start, byte_count as u64, &mut memory, &mut device)
    })?;
    if memory == MEMORY_GPU {
        let what = "outputs in CUDA shared memory are not supported; use system shared memory";
        return Err(Failure::new(Code::UNSUPPORTED, what));
    }
    if byte_count > 0 {
        // SAFETY: memory of the processor, of this length, that only we access until the response is sent. Bytes of any
        // value are valid.
        write(unsafe { slice::from_raw_parts_mut(start.cast(), byte_count) });
    }
    Ok(())
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_answered {
            let failure = Failure::of_panic("the request was not answered");
            self.send(Err(failure), Times::refused(self.begin_ns));
        }
        // SAFETY: the request is ours and not used again.
        log_failure(check(unsafe { TRITONBACKEND_RequestRelease(self.raw, RELEASE_ALL) }));
    }
}

/// Drops the state of a model or an instance; null if its initialisation failed.
///
/// # Safety
/// A state that is not null is a leaked box, which is not used again.
unsafe fn drop_state<T>(state: *mut T) {
    if !state.is_null() {
        // SAFETY: as the caller promises.
        drop(unsafe { Box::from_raw(state) });
    }
}

/// Exports the functions that the server calls. An error or a panic becomes an error of the server.
macro_rules! callbacks {
    ($($(#[$documentation:meta])* fn $name:ident($($argument:ident: $of:ty),+) $body:block)+) => { $(
        $(#[$documentation])*
        ///
        /// # Safety
        /// As `tritonbackend.h` demands.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $of),+) -> Status {
            match caught(|| $body) {
                Ok(()) => null_mut(),
                Err(failure) => failure.raw(),
            }
        }
    )+ };
}

callbacks! {
    /// Called once, when the server loads the library.
    fn TRITONBACKEND_Initialize(_backend: BackendPtr) {
        let mut major = 0;
        let minor = ask!(TRITONBACKEND_ApiVersion(&mut major) -> 0)?;
        if major == API_VERSION.0 && minor >= API_VERSION.1 {
            return Ok(());
        }
        let (needed, at_least) = API_VERSION;
        let what = format!("this server has backend API {major}.{minor}; StyleForge needs {needed}.{at_least} or a later 1.x");
        Err(Failure::new(Code::UNSUPPORTED, what))
    }

    /// Loads a model.
    fn TRITONBACKEND_ModelInitialize(model: ModelPtr) {
        let state = Box::into_raw(Box::new(Arc::new(Model::load(&ModelHandle(model))?)));
        // SAFETY: the model is live. The server returns the state unchanged.
        check(unsafe { TRITONBACKEND_ModelSetState(model, state.cast()) })
    }

    /// Unloads a model, after its instances.
    fn TRITONBACKEND_ModelFinalize(model: ModelPtr) {
        let state = ModelHandle(model).state()?;
        // SAFETY: the box of `TRITONBACKEND_ModelInitialize`, which the server does not pass again.
        unsafe { drop_state(state) };
        Ok(())
    }

    /// Opens the device of an instance.
    fn TRITONBACKEND_ModelInstanceInitialize(instance: InstancePtr) {
        let handle = InstanceHandle(instance);
        let of = handle.model()?;
        // SAFETY: the model was initialised before its instances and is finalised after them.
        let model = unsafe { &*of.state()? };
        let state = Box::into_raw(Box::new(Instance::open(model.clone(), &handle, &of)?));
        // SAFETY: the instance is live. The server returns the state unchanged.
        check(unsafe { TRITONBACKEND_ModelInstanceSetState(instance, state.cast()) })
    }

    /// Closes the device of an instance.
    fn TRITONBACKEND_ModelInstanceFinalize(instance: InstancePtr) {
        let state = InstanceHandle(instance).state()?;
        // SAFETY: the box of `TRITONBACKEND_ModelInstanceInitialize`, which the server does not pass again.
        unsafe { drop_state(state) };
        Ok(())
    }

    /// Paints the pictures of requests and answers them.
    fn TRITONBACKEND_ModelInstanceExecute(instance: InstancePtr, requests: *mut RequestPtr, count: u32) {
        let (instance, begin_ns) = (InstanceHandle(instance), now_ns());
        // SAFETY: the state of `TRITONBACKEND_ModelInstanceInitialize`, shared with the question whether it is ready.
        let state = unsafe { &*instance.state()? };
        // SAFETY: as many requests as the server says. From here on they are ours.
        let requests = unsafe { slice::from_raw_parts(requests, count as usize) };
        let own = |&raw| Request { raw, instance, begin_ns, is_answered: false };
        let requests = requests.iter().map(own).collect();
        // After an error the requests would be the server's, but all of them are answered by now.
        log_failure(caught(|| {
            execute::execute(state, &instance, requests);
            Ok(())
        }));
        Ok(())
    }

    /// Whether an instance can paint. Servers later than 1.19 call it.
    fn TRITONBACKEND_ModelInstanceReady(instance: InstancePtr) {
        // SAFETY: the state of `TRITONBACKEND_ModelInstanceInitialize`, which may be shared.
        unsafe { &*InstanceHandle(instance).state()? }.ready()
    }
}
