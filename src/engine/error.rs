//! Why the engine did not paint.

use super::paint::PaintError;
use crate::backend::BackendError;

/// Why the engine did not paint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The run itself failed.
    #[error(transparent)]
    Paint(#[from] PaintError),
    /// No device could be opened.
    #[error("no device to paint on: {0}")]
    NoDevice(BackendError),
    /// A mistake of this program; the engine goes on.
    #[error("painting stopped because of a mistake in StyleForge ({0}); please report it")]
    Panicked(String),
}
