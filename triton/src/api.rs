//! Triton's C interface: the functions that the server exports, safe wrappers of them, and the functions that the
//! server calls in a backend.
//!
//! The only file with `unsafe`. The declarations follow `tritonbackend.h` and `tritonserver.h`, version 1.16. The
//! symbols are those of the server's process; nothing is linked. A panic must not leave an `extern "C"` function, so
//! each of them catches it.

use std::{
    ffi::{CStr, CString, c_char, c_void},
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    ptr::{null, null_mut},
    slice,
    sync::Arc,
};

use engine::panic_message;
use serde_json::Value;

use crate::{execute, instance::Instance, model::Model};

/// The oldest version of the interface that has every function that is called here.
const API_VERSION: (u32, u32) = (1, 16);

macro_rules! opaque {
    ($($name:ident $pointer:ident),+) => { $(
        #[repr(C)]
        pub struct $name {
            _private: [u8; 0],
        }
        type $pointer = *mut $name;
    )+ };
}

opaque!(
    RawBackend BackendPtr,
    RawModel ModelPtr,
    RawInstance InstancePtr,
    RawRequest RequestPtr,
    RawResponse ResponsePtr,
    RawInput InputPtr,
    RawOutput OutputPtr,
    RawMessage MessagePtr,
    // What the functions return: null if all is well.
    RawError Status
);

/// A text that ends with 0.
type Text = *const c_char;
/// Where a function writes a result.
type Out<T> = *mut T;
/// What a callback stores and the server returns unchanged.
type State = *mut c_void;

unsafe extern "C" {
    fn TRITONSERVER_ErrorDelete(error: Status);
    fn TRITONSERVER_ErrorCode(error: Status) -> u32;
    fn TRITONSERVER_ErrorMessage(error: Status) -> Text;
}

/// Declares functions that return a [`Status`], by the types of their arguments. The headers name the arguments.
macro_rules! declare {
    ($($name:ident($($of:ty),+))+) => {
        unsafe extern "C" { $(fn $name($(_: $of),+) -> Status;)+ }
    };
}

declare! {
    TRITONSERVER_ErrorNew(u32, Text)
    TRITONSERVER_LogMessage(u32, Text, i32, Text)
    TRITONSERVER_MessageNewFromSerializedJson(Out<MessagePtr>, Text, usize)
    TRITONSERVER_MessageSerializeToJson(MessagePtr, Out<Text>, Out<usize>)
    TRITONSERVER_MessageDelete(MessagePtr)
    TRITONBACKEND_ApiVersion(Out<u32>, Out<u32>)
    TRITONBACKEND_BackendArtifacts(BackendPtr, Out<u32>, Out<Text>)
    TRITONBACKEND_ModelName(ModelPtr, Out<Text>)
    TRITONBACKEND_ModelVersion(ModelPtr, Out<u64>)
    TRITONBACKEND_ModelRepository(ModelPtr, Out<u32>, Out<Text>)
    TRITONBACKEND_ModelBackend(ModelPtr, Out<BackendPtr>)
    TRITONBACKEND_ModelConfig(ModelPtr, u32, Out<MessagePtr>)
    TRITONBACKEND_ModelSetConfig(ModelPtr, u32, MessagePtr)
    TRITONBACKEND_ModelAutoCompleteConfig(ModelPtr, Out<bool>)
    TRITONBACKEND_ModelState(ModelPtr, Out<State>)
    TRITONBACKEND_ModelSetState(ModelPtr, State)
    TRITONBACKEND_ModelInstanceName(InstancePtr, Out<Text>)
    TRITONBACKEND_ModelInstanceKind(InstancePtr, Out<u32>)
    TRITONBACKEND_ModelInstanceDeviceId(InstancePtr, Out<i32>)
    TRITONBACKEND_ModelInstanceModel(InstancePtr, Out<ModelPtr>)
    TRITONBACKEND_ModelInstanceState(InstancePtr, Out<State>)
    TRITONBACKEND_ModelInstanceSetState(InstancePtr, State)
    // True if it succeeded; when its execution began, painting began, painting ended, and its execution ended.
    TRITONBACKEND_ModelInstanceReportStatistics(InstancePtr, RequestPtr, bool, u64, u64, u64, u64)
    // Its number of pictures, and the same times.
    TRITONBACKEND_ModelInstanceReportBatchStatistics(InstancePtr, u64, u64, u64, u64, u64)
    TRITONBACKEND_RequestInput(RequestPtr, Text, Out<InputPtr>)
    TRITONBACKEND_RequestParameterCount(RequestPtr, Out<u32>)
    // Name, type and value of the parameter with this index.
    TRITONBACKEND_RequestParameter(RequestPtr, u32, Out<Text>, Out<u32>, Out<*const c_void>)
    TRITONBACKEND_RequestIsCancelled(RequestPtr, Out<bool>)
    TRITONBACKEND_RequestRelease(RequestPtr, u32)
    // Name, type, shape, number of dimensions, bytes, and number of buffers. Each may be null.
    TRITONBACKEND_InputProperties(
        InputPtr, Out<Text>, Out<u32>, Out<*const i64>, Out<u32>, Out<u64>, Out<u32>
    )
    // Start, bytes, type of memory and device of the buffer with this index.
    TRITONBACKEND_InputBuffer(InputPtr, u32, Out<*const u8>, Out<u64>, Out<u32>, Out<i64>)
    TRITONBACKEND_ResponseNew(Out<ResponsePtr>, RequestPtr)
    // Name, type, shape and number of dimensions of an output.
    TRITONBACKEND_ResponseOutput(ResponsePtr, Out<OutputPtr>, Text, u32, *const i64, u32)
    TRITONBACKEND_OutputBuffer(OutputPtr, Out<*mut u8>, u64, Out<u32>, Out<i64>)
    TRITONBACKEND_ResponseSend(ResponsePtr, u32, Status)
}

/// Calls a function of the server: `call!(FUNCTION(arguments))`. With `-> value` it appends a place for a result, which is
/// `value` before the call, and returns the result. The places, texts and objects of all calls are live during the call.
macro_rules! call {
    ($function:ident($($argument:expr),*)) => {
        // SAFETY: objects are live, texts end with 0, and places have the declared types, as this file's calls ensure.
        check(unsafe { $function($($argument),*) })
    };
    ($function:ident($($argument:expr),*) -> $value:expr) => {{
        let mut value = $value;
        call!($function($($argument,)* &mut value)).map(|()| value)
    }};
}

const FINAL_RESPONSE: u32 = 1;
const RELEASE_ALL: u32 = 1;
/// Memory of a GPU; the others can be read by the processor.
const MEMORY_GPU: u32 = 2;

/// Triton's classes of errors.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Code {
    Internal = 1,
    NotFound,
    InvalidArgument,
    Unavailable,
    Unsupported,
    Cancelled = 7,
}

/// An error for the client or for the server's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// A [`Code`], or another of the server's.
    code: u32,
    message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Display) -> Self {
        Self { code: code as u32, message: message.to_string() }
    }

    pub fn invalid(message: impl Display) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    fn of_panic(message: &str) -> Self {
        Self::new(Code::Internal, format!("a bug in StyleForge ({message}); please report it"))
    }

    fn raw(&self) -> Status {
        let message = c_string(&self.message);
        // SAFETY: the text ends with 0 and is copied.
        unsafe { TRITONSERVER_ErrorNew(self.code, message.as_ptr()) }
    }
}

/// A failure of [`Code::InvalidArgument`] with a formatted message.
macro_rules! invalid {
    ($($message:tt)+) => {
        $crate::api::Failure::invalid(format!($($message)+))
    };
}
pub(crate) use invalid;

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
        let code = TRITONSERVER_ErrorCode(status);
        let message = owned(TRITONSERVER_ErrorMessage(status));
        TRITONSERVER_ErrorDelete(status);
        Err(Failure { code, message })
    }
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
/// That of `work`, or [`Code::Internal`] after a panic.
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
    // A log that cannot be written cannot be reported.
    call!(TRITONSERVER_LogMessage(level as u32, c"styleforge".as_ptr(), 0, message.as_ptr())).ok();
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
    pub fn name(&self) -> Outcome<String> {
        call!(TRITONBACKEND_ModelName(self.0) -> null()).map(owned)
    }

    pub fn version(&self) -> Outcome<u64> {
        call!(TRITONBACKEND_ModelVersion(self.0) -> 0)
    }

    /// The model's folder, which contains the folders of its versions.
    pub fn folder(&self) -> Outcome<PathBuf> {
        let folder = call!(TRITONBACKEND_ModelRepository(self.0, &mut 0) -> null())?;
        Ok(owned(folder).into())
    }

    /// The folder of the backend's library.
    pub fn backend_folder(&self) -> Outcome<PathBuf> {
        let backend = call!(TRITONBACKEND_ModelBackend(self.0) -> null_mut())?;
        let folder = call!(TRITONBACKEND_BackendArtifacts(backend, &mut 0) -> null())?;
        Ok(owned(folder).into())
    }

    pub fn config(&self) -> Outcome<Value> {
        let message = call!(TRITONBACKEND_ModelConfig(self.0, 1) -> null_mut())?;
        let mut json = null();
        let bytes = call!(TRITONSERVER_MessageSerializeToJson(message, &mut json) -> 0);
        let parsed = bytes.and_then(|bytes| {
            // SAFETY: the server's text of this length, owned by the message.
            serde_json::from_slice(unsafe { slice::from_raw_parts(json.cast(), bytes) })
                .map_err(|e| invalid!("the model's configuration: {e}"))
        });
        call!(TRITONSERVER_MessageDelete(message))?;
        parsed
    }

    /// Asks the server whether the backend may complete the configuration.
    pub fn may_complete(&self) -> Outcome<bool> {
        call!(TRITONBACKEND_ModelAutoCompleteConfig(self.0) -> false)
    }

    pub fn set_config(&self, config: &Value) -> Outcome {
        let json = config.to_string();
        let (mut message, text) = (null_mut(), json.as_ptr().cast());
        call!(TRITONSERVER_MessageNewFromSerializedJson(&mut message, text, json.len()))?;
        let set = call!(TRITONBACKEND_ModelSetConfig(self.0, 1, message));
        call!(TRITONSERVER_MessageDelete(message)).and(set)
    }

    /// The state that [`TRITONBACKEND_ModelInitialize`] stored.
    fn state(&self) -> Outcome<*mut Arc<Model>> {
        call!(TRITONBACKEND_ModelState(self.0) -> null_mut()).map(State::cast)
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

impl InstanceHandle {
    pub fn name(&self) -> Outcome<String> {
        call!(TRITONBACKEND_ModelInstanceName(self.0) -> null()).map(owned)
    }

    /// # Errors
    /// [`Code::Unsupported`] for kinds that name no device.
    pub fn kind(&self) -> Outcome<Kind> {
        let device = call!(TRITONBACKEND_ModelInstanceDeviceId(self.0) -> 0)?;
        match call!(TRITONBACKEND_ModelInstanceKind(self.0) -> 0)? {
            1 => Ok(Kind::Processor),
            2 => Ok(Kind::Gpu(device.max(0) as usize)),
            _ => Err(Failure::new(Code::Unsupported, "use KIND_CPU or KIND_GPU in instance_group")),
        }
    }

    fn state(&self) -> Outcome<*mut Instance> {
        call!(TRITONBACKEND_ModelInstanceState(self.0) -> null_mut()).map(State::cast)
    }

    /// Reports pictures that were painted together, and when ([`now_ns`]).
    pub fn report_batch(&self, pictures: usize, (begin, end): Period) {
        let (count, now) = (pictures as u64, now_ns());
        let of = self.0;
        log_failure(call!(TRITONBACKEND_ModelInstanceReportBatchStatistics(
            of, count, begin, begin, end, now
        )));
    }
}

/// First and last moment of work, see [`now_ns`].
pub type Period = (u64, u64);

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
    /// Its bytes, in order.
    pub parts: Vec<&'a [u8]>,
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

// SAFETY: the server's functions on a request may be called from any thread; `&self` only reads.
unsafe impl Sync for Request {}

impl Request {
    /// The input of this name.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] if there is none, or if it has another type; [`Code::Unsupported`] for memory of a GPU.
    pub fn input(&self, name: &str) -> Outcome<Input<'_>> {
        let c_name = c_string(name);
        let input = call!(TRITONBACKEND_RequestInput(self.raw, c_name.as_ptr()) -> null_mut())
            .map_err(|failure| invalid!("the input {name} is missing: {failure}"))?;
        let (mut kind, mut shape, mut dimensions) = (0, null(), 0);
        let buffers = call!(TRITONBACKEND_InputProperties(
            input, null_mut(), &mut kind, &mut shape, &mut dimensions, null_mut()
        ) -> 0)?;
        let kind = match kind {
            2 => DataType::Uint8,
            13 => DataType::Bytes,
            _ => return Err(invalid!("the input {name} must be UINT8 or BYTES")),
        };
        // SAFETY: as many numbers as dimensions, which the request owns.
        let shape = unsafe { borrowed(shape, dimensions as usize) };
        let parts = (0..buffers).map(|index| {
            let (mut start, mut bytes, mut memory) = (null(), 0, 0);
            call!(TRITONBACKEND_InputBuffer(
                input, index, &mut start, &mut bytes, &mut memory
            ) -> 0)?;
            refuse_gpu(memory)?;
            // SAFETY: memory of the processor, of this length, unchanged until the request is released.
            Ok(unsafe { borrowed(start, bytes as usize) })
        });
        Ok(Input { kind, shape, parts: parts.collect::<Outcome<_>>()? })
    }

    /// The client's parameters, as text.
    pub fn parameters(&self) -> Outcome<Vec<(String, String)>> {
        let count = call!(TRITONBACKEND_RequestParameterCount(self.raw) -> 0)?;
        let parameter = |index| {
            let (mut key, mut kind) = (null(), 0);
            let value = call!(TRITONBACKEND_RequestParameter(
                self.raw, index, &mut key, &mut kind
            ) -> null())?;
            let key = owned(key);
            // SAFETY: the value has the type that the server names, and lives as long as the request.
            let text = unsafe {
                match kind {
                    0 => owned(value.cast()),
                    1 => value.cast::<i64>().read().to_string(),
                    2 => value.cast::<bool>().read().to_string(),
                    3 => value.cast::<f64>().read().to_string(),
                    _ => return Err(invalid!("the parameter {key} must be text or a number")),
                }
            };
            Ok((key, text))
        };
        (0..count).map(parameter).collect()
    }

    pub fn is_cancelled(&self) -> bool {
        call!(TRITONBACKEND_RequestIsCancelled(self.raw) -> false).unwrap_or(false)
    }

    /// Answers the request, once, and reports when its pictures were painted, if they were.
    pub fn answer(&mut self, answer: Outcome<Tensor<'_>>, painted: Option<Period>) {
        self.is_answered = true;
        let sent = self.send(answer);
        let (instance, is_good) = (self.instance.0, matches!(sent, Ok(true)));
        log_failure(sent.map(|_| ()));
        let now = now_ns();
        let (start, end) = painted.unwrap_or((now, now));
        log_failure(call!(TRITONBACKEND_ModelInstanceReportStatistics(
            instance,
            self.raw,
            is_good,
            self.begin_ns,
            start,
            end,
            now
        )));
    }

    /// Sends the response, and returns whether it is a picture.
    fn send(&self, answer: Outcome<Tensor<'_>>) -> Outcome<bool> {
        let mut response = null_mut();
        call!(TRITONBACKEND_ResponseNew(&mut response, self.raw))?;
        let error = match answer.and_then(|tensor| caught(|| write(response, tensor))) {
            Ok(()) => null_mut(),
            Err(failure) => failure.raw(),
        };
        // From here on the server owns the response. We still own the error, which the last call frees.
        let sent = call!(TRITONBACKEND_ResponseSend(response, FINAL_RESPONSE, error));
        let is_good = check(error).is_ok();
        sent.map(|()| is_good)
    }
}

/// Writes the output of a response.
fn write(response: ResponsePtr, tensor: Tensor<'_>) -> Outcome {
    let Tensor { kind, shape, byte_count, write } = tensor;
    let (mut output, mut start, mut memory) = (null_mut(), null_mut(), 0);
    let (name, dimensions) = (c"PAINTING".as_ptr(), shape.len() as u32);
    call!(TRITONBACKEND_ResponseOutput(
        response,
        &mut output,
        name,
        kind as u32,
        shape.as_ptr(),
        dimensions
    ))?;
    call!(TRITONBACKEND_OutputBuffer(
        output, &mut start, byte_count as u64, &mut memory
    ) -> 0)?;
    refuse_gpu(memory)?;
    if byte_count > 0 {
        // SAFETY: memory of the processor, of this length, that only we access until the response is sent. Bytes of any
        // value are valid.
        write(unsafe { slice::from_raw_parts_mut(start, byte_count) });
    }
    Ok(())
}

/// # Errors
/// [`Code::Unsupported`] for memory of a GPU.
fn refuse_gpu(memory: u32) -> Outcome {
    if memory == MEMORY_GPU {
        let what = "tensors in CUDA shared memory are not supported; use system shared memory";
        return Err(Failure::new(Code::Unsupported, what));
    }
    Ok(())
}

/// # Safety
/// `start` is the start of `count` values that live and do not change during `'a`, unless there are none.
unsafe fn borrowed<'a, T>(start: *const T, count: usize) -> &'a [T] {
    if start.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(start, count) }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_answered {
            let failure = Failure::of_panic("the request was not answered");
            self.answer(Err(failure), None);
        }
        log_failure(call!(TRITONBACKEND_RequestRelease(self.raw, RELEASE_ALL)));
    }
}

/// Drops the state of a model or an instance; null if its initialisation failed.
///
/// # Safety
/// A state that is not null is a leaked box, which is not used again.
unsafe fn drop_state<T>(state: Outcome<*mut T>) -> Outcome {
    let state = state?;
    if !state.is_null() {
        // SAFETY: as the caller promises.
        drop(unsafe { Box::from_raw(state) });
    }
    Ok(())
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
        let minor = call!(TRITONBACKEND_ApiVersion(&mut major) -> 0)?;
        if major == API_VERSION.0 && minor >= API_VERSION.1 {
            return Ok(());
        }
        let (needed, at_least) = API_VERSION;
        let what = format!("this server has backend API {major}.{minor}; StyleForge needs {needed}.{at_least} or a later 1.x");
        Err(Failure::new(Code::Unsupported, what))
    }

    /// Loads a model.
    fn TRITONBACKEND_ModelInitialize(model: ModelPtr) {
        let state = Box::into_raw(Box::new(Arc::new(Model::load(&ModelHandle(model))?)));
        call!(TRITONBACKEND_ModelSetState(model, state.cast()))
    }

    /// Unloads a model, after its instances.
    fn TRITONBACKEND_ModelFinalize(model: ModelPtr) {
        // SAFETY: the box of `TRITONBACKEND_ModelInitialize`, which the server does not pass again.
        unsafe { drop_state(ModelHandle(model).state()) }
    }

    /// Opens the device of an instance.
    fn TRITONBACKEND_ModelInstanceInitialize(instance: InstancePtr) {
        let handle = InstanceHandle(instance);
        let of = call!(TRITONBACKEND_ModelInstanceModel(instance) -> null_mut()).map(ModelHandle)?;
        // SAFETY: the model was initialised before its instances and is finalised after them.
        let model = unsafe { &*of.state()? };
        let state = Box::into_raw(Box::new(Instance::open(model.clone(), &handle, &of)?));
        call!(TRITONBACKEND_ModelInstanceSetState(instance, state.cast()))
    }

    /// Closes the device of an instance.
    fn TRITONBACKEND_ModelInstanceFinalize(instance: InstancePtr) {
        // SAFETY: the box of `TRITONBACKEND_ModelInstanceInitialize`, which the server does not pass again.
        unsafe { drop_state(InstanceHandle(instance).state()) }
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

    /// True if an instance can paint. Servers later than 1.19 call it.
    fn TRITONBACKEND_ModelInstanceReady(instance: InstancePtr) {
        // SAFETY: the state of `TRITONBACKEND_ModelInstanceInitialize`, which may be shared.
        unsafe { &*InstanceHandle(instance).state()? }.ready()
    }
}
