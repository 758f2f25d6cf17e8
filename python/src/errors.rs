//! The errors as exceptions: Python's own ones if a Python programmer expects them.

use std::{fmt::Display, io, str::FromStr};

use backend::BackendError;
use engine::network_choice::NetworkChoiceError;
use pyo3::{
    Bound, PyErr, PyResult, create_exception,
    exceptions::{PyMemoryError, PyNotImplementedError, PyRuntimeError, PyValueError},
    types::{PyModule, PyModuleMethods},
};
use weights::{LibraryError, WeightsError};

create_exception!(
    styleforge,
    CheckpointError,
    PyValueError,
    "A file of weights is broken or contains another kind of network."
);
create_exception!(
    styleforge,
    DeviceLostError,
    PyRuntimeError,
    "The GPU stopped responding. Restart the process to use it again."
);

pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("CheckpointError", module.py().get_type::<CheckpointError>())?;
    module.add("DeviceLostError", module.py().get_type::<DeviceLostError>())
}

/// A `ValueError`.
pub fn wrong(what: impl Display) -> PyErr {
    PyValueError::new_err(what.to_string())
}

/// A choice by its name.
///
/// # Errors
/// `ValueError` with the names that exist.
pub fn parsed<T: FromStr<Err: Display>>(text: &str) -> PyResult<T> {
    text.parse().map_err(wrong)
}

pub fn raised(error: BackendError) -> PyErr {
    let text = error.to_string();
    match error {
        BackendError::OutOfMemory { .. } | BackendError::OutOfDeviceMemory { .. } => {
            PyMemoryError::new_err(text)
        }
        BackendError::WrongSize { .. }
        | BackendError::WrongInputs { .. }
        | BackendError::WrongBatch { .. }
        | BackendError::TooLarge { .. } => wrong(text),
        BackendError::Unsupported { .. } => PyNotImplementedError::new_err(text),
        BackendError::DeviceLost { device, reason } => DeviceLostError::new_err(format!(
            "{device} was lost ({reason}); restart this process to use it again"
        )),
        _ => PyRuntimeError::new_err(text),
    }
}

/// The error of a file that the system does not read: `FileNotFoundError`, `PermissionError` and so on.
pub fn unreadable(kind: io::ErrorKind, text: impl Display) -> PyErr {
    io::Error::new(kind, text.to_string()).into()
}

pub fn of_weights(error: &WeightsError, text: impl Display) -> PyErr {
    match error {
        WeightsError::Read { source, .. } => unreadable(source.kind(), text),
        WeightsError::Memory { .. } => PyMemoryError::new_err(text.to_string()),
        WeightsError::PixelValues { .. } => CheckpointError::new_err(
            "the file does not say which values are black and white; set input_range and output_range to 0..255, \
             0..1, -1..1, imagenet or caffe",
        ),
        _ => CheckpointError::new_err(text.to_string()),
    }
}

pub fn of_choice(error: &NetworkChoiceError) -> PyErr {
    match error {
        NetworkChoiceError::Weights { error: cause, .. } => of_weights(cause, error),
        NetworkChoiceError::Style(LibraryError::Weights { source, .. }) => {
            of_weights(source, error)
        }
        _ => wrong(error),
    }
}
