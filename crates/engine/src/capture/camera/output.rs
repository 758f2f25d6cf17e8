//! Virtual cameras: devices that pass the pictures of one program to others as a camera.

use serde::Serialize;

use super::setup::Setup;

/// A virtual camera of the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VirtualCamera {
    /// Its device file.
    pub device: String,
    /// The name under which other programs show it.
    pub label: String,
    /// Why it cannot be written, if that is already known.
    #[serde(skip)]
    pub problem: Option<OutputProblem>,
}

/// The requested output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRequest {
    /// A device file or label; `None` takes the first one that is free, ours first.
    pub device: Option<String>,
    /// Width and height, in pixels.
    pub size: (usize, usize),
    /// Pictures per second.
    pub fps: u32,
}

/// A virtual camera that is open for writing. Dropping it closes it. Belongs to one thread, which the driver may block.
pub trait Output: Send {
    /// The device that is written.
    fn camera(&self) -> &VirtualCamera;

    /// Width and height that the device takes, which may differ from the requested ones, and the bytes of a row.
    fn size(&self) -> (usize, usize, usize);

    /// Agrees on the size again, which a program that reads may have fixed.
    ///
    /// # Errors
    /// [`OutputProblem`] if the system refuses.
    fn agree(&mut self) -> Result<(), OutputProblem>;

    /// Writes one picture in YUYV. Returns whether the device took it; if not, the next one may be taken.
    ///
    /// # Errors
    /// [`OutputProblem`] if it takes no more pictures as agreed.
    fn write(&mut self, yuyv: &[u8]) -> Result<bool, OutputProblem>;

    /// Number of other programs that have the device open, as far as the system shows.
    fn readers(&self) -> usize;
}

/// Why pictures cannot be written to a virtual camera.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputProblem {
    /// The system has no virtual camera.
    #[error("there is no virtual camera: {}", .0.reason())]
    Missing(Setup),
    /// This one cannot be used.
    #[error("{device}: {why}")]
    Refused {
        /// Its device file.
        device: String,
        /// The reason, and what to do.
        why: String,
    },
}

impl OutputProblem {
    /// This device cannot be used, and why.
    pub fn refused(device: &str, why: impl Into<String>) -> Self {
        Self::Refused { device: device.to_owned(), why: why.into() }
    }
}
