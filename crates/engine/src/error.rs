//! Errors of the engine. A panic ends only its own job.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::paint::PaintError;
use backend::BackendError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Paint(#[from] PaintError),
    #[error("no device to paint on: {0}")]
    NoDevice(BackendError),
    /// A bug in this program; the engine continues.
    #[error("painting stopped because of a bug in StyleForge ({0}); please report it")]
    Panicked(String),
}

impl EngineError {
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Paint(error) if error.is_cancelled())
    }
}

/// The message of a panic.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Runs `job` and converts a panic to an error.
pub(super) fn caught<T>(job: impl FnOnce() -> T) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(job))
        .map_err(|panic| EngineError::Panicked(panic_message(panic.as_ref())))
}
