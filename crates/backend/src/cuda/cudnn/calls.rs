//! cuDNN's functions, loaded at run time, and its objects.
//!
//! The constants are cudarc's declarations, but the functions are not. cudarc loads the first library with any of
//! cuDNN's names, which may be version 8. It panics if a function is missing. It also returns a status as an enum, and
//! a value that a newer version adds would be undefined behaviour.
//!
//! Any thread may call; an object must be used by one thread at a time.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    ptr,
    sync::OnceLock,
};

use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Attribute, cudnnBackendAttributeType_t as AttributeType,
    cudnnBackendDescriptorType_t as Kind, cudnnBackendHeurMode_t as Heuristic,
    cudnnConvolutionMode_t as ConvolutionMode, cudnnDataType_t as DataType,
};
use libloading::Library;

use crate::cuda::driver::{DriverFailure, DriverResult};

/// The shared library of the version with this interface.
pub const FILE: &str = if cfg!(windows) { "cudnn64_9.dll" } else { "libcudnn.so.9" };
/// The result of a call; 0 means success.
pub type Status = c_int;
/// Pointer to one of cuDNN's objects.
pub type Raw = *mut c_void;

/// Declares the functions and how they are loaded.
macro_rules! calls {
    ($($field:ident = $symbol:literal: fn($($type:ty),*) -> $result:ty,)*) => {
        /// The library's calls.
        pub struct Calls {
            $(pub $field: unsafe extern "C" fn($($type),*) -> $result,)*
            /// Keeps the library loaded.
            _library: Library,
        }

        impl Calls {
            /// Loads the library.
            fn load() -> Result<Self, String> {
                // SAFETY: cuDNN's own initialisers run; they start nothing on a device.
                let library = unsafe { Library::new(FILE) }.map_err(|_| {
                    format!("cuDNN 9 is not installed ({FILE} was not found)")
                })?;
                // SAFETY: the types are those of cudnn_graph.h of version 9, and the pointers live as long as the
                // library, which is stored together with them.
                unsafe {
                    Ok(Self {
                        $($field: *library
                            .get($symbol)
                            .map_err(|_| format!("{FILE} lacks {}", $symbol))?,)*
                        _library: library,
                    })
                }
            }
        }
    };
}

calls! {
    version = "cudnnGetVersion": fn() -> usize,
    words = "cudnnGetErrorString": fn(Status) -> *const c_char,
    create = "cudnnCreate": fn(*mut Raw) -> Status,
    destroy = "cudnnDestroy": fn(Raw) -> Status,
    set_stream = "cudnnSetStream": fn(Raw, Raw) -> Status,
    create_descriptor = "cudnnBackendCreateDescriptor": fn(c_int, *mut Raw) -> Status,
    destroy_descriptor = "cudnnBackendDestroyDescriptor": fn(Raw) -> Status,
    finalize = "cudnnBackendFinalize": fn(Raw) -> Status,
    set_attribute = "cudnnBackendSetAttribute":
        fn(Raw, c_int, c_int, i64, *const c_void) -> Status,
    get_attribute = "cudnnBackendGetAttribute":
        fn(Raw, c_int, c_int, i64, *mut i64, *mut c_void) -> Status,
    execute = "cudnnBackendExecute": fn(Raw, Raw, Raw) -> Status,
}

/// The library, loaded at the first call and never unloaded, because it has its own threads.
pub fn calls() -> Result<&'static Calls, String> {
    static CALLS: OnceLock<Result<Calls, String>> = OnceLock::new();
    CALLS.get_or_init(Calls::load).as_ref().map_err(Clone::clone)
}

/// A Rust type that cuDNN supports for the values of an attribute.
pub trait Value {
    /// cuDNN's constant for this type.
    const TYPE: AttributeType;
}

macro_rules! values {
    ($($value:ty: $of:ident,)*) => {
        $(impl Value for $value {
            const TYPE: AttributeType = AttributeType::$of;
        })*
    };
}

values! {
    i64: CUDNN_TYPE_INT64,
    f32: CUDNN_TYPE_FLOAT,
    DataType: CUDNN_TYPE_DATA_TYPE,
    ConvolutionMode: CUDNN_TYPE_CONVOLUTION_MODE,
    Heuristic: CUDNN_TYPE_HEUR_MODE,
}

/// One of cuDNN's objects.
pub struct Descriptor {
    calls: &'static Calls,
    pub raw: Raw,
}

// SAFETY: cuDNN's descriptors are not bound to a thread; one thread at a time uses them.
unsafe impl Send for Descriptor {}

impl Descriptor {
    pub fn new(calls: &'static Calls, kind: Kind) -> DriverResult<Self> {
        let mut raw = ptr::null_mut();
        // SAFETY: writes one pointer.
        let status = unsafe { (calls.create_descriptor)(kind as c_int, &mut raw) };
        calls.check("cudnnBackendCreateDescriptor", status)?;
        Ok(Self { calls, raw })
    }

    /// Sets an attribute whose values have a Rust type.
    pub fn set<T: Value>(&self, name: Attribute, values: &[T]) -> DriverResult {
        self.set_as(name, T::TYPE, values)
    }

    /// Sets an attribute of the type `of` to `values`. Their Rust type must be the one that cuDNN reads for it.
    pub fn set_as<T>(&self, name: Attribute, of: AttributeType, values: &[T]) -> DriverResult {
        // SAFETY: cuDNN copies that many values of the attribute's type before it returns; the callers in this module
        // pass the type that `cudnn_graph.h` names for each.
        let status = unsafe {
            (self.calls.set_attribute)(
                self.raw,
                name as c_int,
                of as c_int,
                values.len() as i64,
                values.as_ptr().cast(),
            )
        };
        self.calls.check("cudnnBackendSetAttribute", status)
    }

    /// Sets an attribute to another descriptor.
    pub fn refer(&self, name: Attribute, to: &Self) -> DriverResult {
        self.set_as(name, AttributeType::CUDNN_TYPE_BACKEND_DESCRIPTOR, &[to.raw])
    }

    /// The number of values of an attribute.
    pub fn count(&self, name: Attribute, of: AttributeType) -> DriverResult<usize> {
        let mut count = 0;
        // SAFETY: requests no values, so only the count is written.
        let status = unsafe {
            (self.calls.get_attribute)(
                self.raw,
                name as c_int,
                of as c_int,
                0,
                &mut count,
                ptr::null_mut(),
            )
        };
        self.calls.check("cudnnBackendGetAttribute", status)?;
        Ok(count.max(0) as usize)
    }

    /// Reads at most `values.len()` values, whose Rust type must be the one that cuDNN writes for `of`. Returns how
    /// many there were.
    pub fn get_as<T>(
        &self,
        name: Attribute,
        of: AttributeType,
        values: &mut [T],
    ) -> DriverResult<usize> {
        let mut count = 0;
        // SAFETY: as for `set_as`; cuDNN writes at most as many values as the given length.
        let status = unsafe {
            (self.calls.get_attribute)(
                self.raw,
                name as c_int,
                of as c_int,
                values.len() as i64,
                &mut count,
                values.as_mut_ptr().cast(),
            )
        };
        self.calls.check("cudnnBackendGetAttribute", status)?;
        Ok((count.max(0) as usize).min(values.len()))
    }

    pub fn finalize(&self) -> DriverResult {
        // SAFETY: the descriptor is ours.
        let status = unsafe { (self.calls.finalize)(self.raw) };
        self.calls.check("cudnnBackendFinalize", status)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and is destroyed only once.
        unsafe { (self.calls.destroy_descriptor)(self.raw) };
    }
}

impl Calls {
    /// Success, or the failure of a status with cuDNN's message.
    pub fn check(&self, call: &'static str, status: Status) -> DriverResult {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: returns a text that lives as long as the library, for every number.
        let words = unsafe {
            let words = (self.words)(status);
            if words.is_null() {
                String::new()
            } else {
                CStr::from_ptr(words).to_string_lossy().into_owned()
            }
        };
        Err(DriverFailure { call, code: status as u32, words })
    }
}
