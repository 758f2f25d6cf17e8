//! Triton's C functions, defined in the process of the test. They keep what the backend answers and count what it must
//! free.

use std::{
    ffi::{CStr, CString, c_char, c_void},
    ptr::{null, null_mut},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

/// Errors, messages and responses that are not freed.
pub static LIVE: AtomicIsize = AtomicIsize::new(0);
/// The minor version of the interface.
pub static MINOR: AtomicU32 = AtomicU32::new(16);
/// Lines of the log.
pub static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub struct Error {
    code: u32,
    message: CString,
}

type Status = *mut Error;

pub struct Model {
    pub config: Mutex<CString>,
    pub folder: CString,
    pub state: AtomicPtr<c_void>,
}

pub struct Instance {
    pub model: Box<Model>,
    pub kind: u32,
    pub state: AtomicPtr<c_void>,
    /// Successful and failed requests.
    pub reported: Mutex<(usize, usize)>,
    /// Pictures of each batch.
    pub batches: Mutex<Vec<u64>>,
}

pub struct Input {
    pub name: &'static CStr,
    pub kind: u32,
    pub shape: Vec<i64>,
    /// In parts.
    pub bytes: Vec<Vec<u8>>,
    pub memory: u32,
}

pub enum Parameter {
    Text(CString),
    Number(i64),
    Flag(bool),
}

#[derive(Default)]
pub struct Request {
    // The backend gets their addresses, which must not change.
    #[allow(clippy::vec_box)]
    pub inputs: Vec<Box<Input>>,
    pub parameters: Vec<(CString, Parameter)>,
    /// How often the server says that it is not cancelled before it says that it is; never cancelled if `None`.
    pub cancelled_after: Option<usize>,
    /// How often the backend asked whether it is cancelled.
    pub cancel_questions: AtomicUsize,
    /// The memory of the output, or `None` to refuse it.
    pub output_memory: Option<u32>,
    pub answer: Mutex<Option<Result<Answer, (u32, String)>>>,
    pub is_released: AtomicBool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub shape: Vec<i64>,
    pub bytes: Vec<u8>,
}

pub struct Response {
    request: *mut Request,
    answer: Option<Answer>,
}

const OK: Status = null_mut();

fn error(code: u32, message: &str) -> Status {
    LIVE.fetch_add(1, SeqCst);
    Box::into_raw(Box::new(Error { code, message: CString::new(message).expect("a text") }))
}

/// The code and message of a callback's error, which is freed.
pub fn taken(status: *mut c_void) -> Result<(), (u32, String)> {
    if status.is_null() {
        return Ok(());
    }
    LIVE.fetch_sub(1, SeqCst);
    // SAFETY: made by `error`.
    let error = unsafe { Box::from_raw(status.cast::<Error>()) };
    Err((error.code, error.message.to_string_lossy().into_owned()))
}

/// Defines functions of the server, whose pointers are valid while the test calls the backend.
macro_rules! server {
    ($(fn $name:ident($($argument:ident: $of:ty),*) $body:block)+) => { $(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $of),*) -> Status {
            // SAFETY: the backend passes pointers that the test gave it, and places for results.
            #[allow(unused_unsafe)]
            unsafe { $body }
        }
    )+ };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn TRITONSERVER_ErrorDelete(error: Status) {
    taken(error.cast()).ok();
}

#[unsafe(no_mangle)]
unsafe extern "C" fn TRITONSERVER_ErrorCode(error: Status) -> u32 {
    // SAFETY: made by `error`.
    unsafe { (*error).code }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn TRITONSERVER_ErrorMessage(error: Status) -> *const c_char {
    // SAFETY: made by `error`.
    unsafe { (*error).message.as_ptr() }
}

server! {
    fn TRITONSERVER_ErrorNew(code: u32, message: *const c_char) {
        error(code, &CStr::from_ptr(message).to_string_lossy())
    }
    fn TRITONSERVER_LogMessage(_level: u32, _file: *const c_char, _line: i32, message: *const c_char) {
        LOG.lock().expect("a log").push(CStr::from_ptr(message).to_string_lossy().into_owned());
        OK
    }
    fn TRITONSERVER_MessageNewFromSerializedJson(to: *mut *mut CString, json: *const c_char, bytes: usize) {
        LIVE.fetch_add(1, SeqCst);
        let json = std::slice::from_raw_parts(json.cast::<u8>(), bytes);
        *to = Box::into_raw(Box::new(CString::new(json).expect("JSON")));
        OK
    }
    fn TRITONSERVER_MessageSerializeToJson(message: *mut CString, json: *mut *const c_char, bytes: *mut usize) {
        let text = &*message;
        (*json, *bytes) = (text.as_ptr(), text.count_bytes());
        OK
    }
    fn TRITONSERVER_MessageDelete(message: *mut CString) {
        LIVE.fetch_sub(1, SeqCst);
        drop(Box::from_raw(message));
        OK
    }
    fn TRITONBACKEND_ApiVersion(major: *mut u32, minor: *mut u32) {
        (*major, *minor) = (1, MINOR.load(SeqCst));
        OK
    }
    fn TRITONBACKEND_BackendArtifacts(_backend: *mut c_void, kind: *mut u32, folder: *mut *const c_char) {
        (*kind, *folder) = (0, c"/nowhere".as_ptr());
        OK
    }
    fn TRITONBACKEND_ModelName(_model: *mut Model, name: *mut *const c_char) {
        *name = c"paint".as_ptr();
        OK
    }
    fn TRITONBACKEND_ModelVersion(_model: *mut Model, version: *mut u64) {
        *version = 1;
        OK
    }
    fn TRITONBACKEND_ModelRepository(model: *mut Model, kind: *mut u32, folder: *mut *const c_char) {
        (*kind, *folder) = (0, (*model).folder.as_ptr());
        OK
    }
    fn TRITONBACKEND_ModelBackend(_model: *mut Model, backend: *mut *mut c_void) {
        *backend = null_mut();
        OK
    }
    fn TRITONBACKEND_ModelConfig(model: *mut Model, _version: u32, config: *mut *mut CString) {
        LIVE.fetch_add(1, SeqCst);
        *config = Box::into_raw(Box::new((&*model).config.lock().expect("a config").clone()));
        OK
    }
    fn TRITONBACKEND_ModelSetConfig(model: *mut Model, _version: u32, config: *mut CString) {
        *(&*model).config.lock().expect("a config") = (*config).clone();
        OK
    }
    fn TRITONBACKEND_ModelAutoCompleteConfig(_model: *mut Model, may: *mut bool) {
        *may = true;
        OK
    }
    fn TRITONBACKEND_ModelState(model: *mut Model, state: *mut *mut c_void) {
        *state = (&*model).state.load(SeqCst);
        OK
    }
    fn TRITONBACKEND_ModelSetState(model: *mut Model, state: *mut c_void) {
        (&*model).state.store(state, SeqCst);
        OK
    }
    fn TRITONBACKEND_ModelInstanceName(_instance: *mut Instance, name: *mut *const c_char) {
        *name = c"paint_0".as_ptr();
        OK
    }
    fn TRITONBACKEND_ModelInstanceKind(instance: *mut Instance, kind: *mut u32) {
        *kind = (*instance).kind;
        OK
    }
    fn TRITONBACKEND_ModelInstanceDeviceId(_instance: *mut Instance, device: *mut i32) {
        *device = 0;
        OK
    }
    fn TRITONBACKEND_ModelInstanceModel(instance: *mut Instance, model: *mut *const Model) {
        *model = &raw const *(&*instance).model;
        OK
    }
    fn TRITONBACKEND_ModelInstanceState(instance: *mut Instance, state: *mut *mut c_void) {
        *state = (&*instance).state.load(SeqCst);
        OK
    }
    fn TRITONBACKEND_ModelInstanceSetState(instance: *mut Instance, state: *mut c_void) {
        (&*instance).state.store(state, SeqCst);
        OK
    }
    fn TRITONBACKEND_ModelInstanceReportStatistics(
        instance: *mut Instance, _request: *mut Request, success: bool,
        exec_start: u64, compute_start: u64, compute_end: u64, exec_end: u64
    ) {
        assert!(exec_start <= compute_start && compute_start <= compute_end && compute_end <= exec_end);
        let mut reported = (&*instance).reported.lock().expect("statistics");
        if success { reported.0 += 1 } else { reported.1 += 1 }
        OK
    }
    fn TRITONBACKEND_ModelInstanceReportBatchStatistics(
        instance: *mut Instance, size: u64, _exec_start: u64, _start: u64, _end: u64, _exec_end: u64
    ) {
        (&*instance).batches.lock().expect("statistics").push(size);
        OK
    }
    fn TRITONBACKEND_RequestInput(request: *mut Request, name: *const c_char, input: *mut *const Input) {
        match (&*request).inputs.iter().find(|input| input.name == CStr::from_ptr(name)) {
            Some(found) => {
                *input = &raw const **found;
                OK
            }
            None => error(3, "no such input"),
        }
    }
    fn TRITONBACKEND_RequestParameterCount(request: *mut Request, count: *mut u32) {
        *count = (&*request).parameters.len() as u32;
        OK
    }
    fn TRITONBACKEND_RequestParameter(
        request: *mut Request, index: u32, key: *mut *const c_char, kind: *mut u32, value: *mut *const c_void
    ) {
        let (name, parameter) = &(&*request).parameters[index as usize];
        *key = name.as_ptr();
        (*kind, *value) = match parameter {
            Parameter::Text(text) => (0, text.as_ptr().cast()),
            Parameter::Number(number) => (1, (&raw const *number).cast()),
            Parameter::Flag(flag) => (2, (&raw const *flag).cast()),
        };
        OK
    }
    fn TRITONBACKEND_RequestIsCancelled(request: *mut Request, is: *mut bool) {
        let request = &*request;
        let asked = request.cancel_questions.fetch_add(1, SeqCst);
        *is = request.cancelled_after.is_some_and(|count| asked >= count);
        OK
    }
    fn TRITONBACKEND_RequestRelease(request: *mut Request, _flags: u32) {
        assert!((&*request).answer.lock().expect("an answer").is_some(), "released without an answer");
        assert!(!(*request).is_released.swap(true, SeqCst), "released twice");
        OK
    }
    fn TRITONBACKEND_InputProperties(
        input: *mut Input, _name: *mut *const c_char, kind: *mut u32, shape: *mut *const i64,
        dimensions: *mut u32, _bytes: *mut u64, buffers: *mut u32
    ) {
        let input = &*input;
        *kind = input.kind;
        (*shape, *dimensions) = (input.shape.as_ptr(), input.shape.len() as u32);
        *buffers = input.bytes.len() as u32;
        OK
    }
    fn TRITONBACKEND_InputBuffer(
        input: *mut Input, index: u32, buffer: *mut *const c_void, bytes: *mut u64,
        memory: *mut u32, _device: *mut i64
    ) {
        let part = &(&*input).bytes[index as usize];
        *buffer = if part.is_empty() { null() } else { part.as_ptr().cast() };
        (*bytes, *memory) = (part.len() as u64, (*input).memory);
        OK
    }
    fn TRITONBACKEND_ResponseNew(response: *mut *mut Response, request: *mut Request) {
        LIVE.fetch_add(1, SeqCst);
        *response = Box::into_raw(Box::new(Response { request, answer: None }));
        OK
    }
    fn TRITONBACKEND_ResponseOutput(
        response: *mut Response, output: *mut *mut Response, name: *const c_char, _kind: u32,
        shape: *const i64, dimensions: u32
    ) {
        assert_eq!(CStr::from_ptr(name), c"PAINTING");
        let shape = std::slice::from_raw_parts(shape, dimensions as usize).to_vec();
        (*response).answer = Some(Answer { shape, bytes: Vec::new() });
        *output = response;
        OK
    }
    fn TRITONBACKEND_OutputBuffer(
        output: *mut Response, buffer: *mut *mut c_void, bytes: u64, memory: *mut u32, _device: *mut i64
    ) {
        let Some(kind) = (*(*output).request).output_memory else {
            return error(4, "no memory for the output");
        };
        let answer = (&mut *output).answer.as_mut().expect("an output");
        answer.bytes = vec![0; bytes as usize];
        (*buffer, *memory) = (answer.bytes.as_mut_ptr().cast(), kind);
        OK
    }
    fn TRITONBACKEND_ResponseSend(response: *mut Response, flags: u32, failure: Status) {
        LIVE.fetch_sub(1, SeqCst);
        let response = Box::from_raw(response);
        assert_eq!(flags, 1, "the final response");
        let answer = match failure.as_ref() {
            None => Ok(response.answer.expect("an output")),
            Some(failure) => Err((failure.code, failure.message.to_string_lossy().into_owned())),
        };
        let before = (&*response.request).answer.lock().expect("an answer").replace(answer);
        assert!(before.is_none(), "answered twice");
        OK
    }
}
