//! Where live pictures come from, and how they travel: cameras, and the exchange that hands frames on.
//!
//! The only file that imports nokhwa. Opens no device. Asking may take a moment; any thread.

pub mod exchange;

use nokhwa::{query, utils::ApiBackend};

/// A camera that the system knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    /// The system's name for it.
    pub name: String,
    /// What else the system tells, for example its device file.
    pub description: String,
}

/// Why cameras could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system's cameras could not be listed: {0}")]
pub struct CaptureError(String);

/// The cameras that the system knows, in its order.
///
/// # Errors
/// [`CaptureError`] with the system's words.
pub fn cameras() -> Result<Vec<Camera>, CaptureError> {
    let found = query(ApiBackend::Auto).map_err(|e| CaptureError(e.to_string()))?;
    Ok(found
        .iter()
        .map(|camera| Camera {
            name: camera.human_name(),
            description: camera.description().to_owned(),
        })
        .collect())
}
