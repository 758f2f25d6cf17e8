//! Why pictures cannot be written to a virtual camera, as messages that tell the user what to do.

use super::setup::Setup;

/// Why pictures cannot be written to a virtual camera.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutputProblem {
    /// The system has no virtual camera.
    #[error("there is no virtual camera: {}", .0.reason())]
    Missing(Setup),
    /// The system has virtual cameras, but not this one.
    #[error("{name} is not a virtual camera; choose one of: {}", known.join(", "))]
    Unknown {
        /// The requested name.
        name: String,
        /// The device files of the virtual cameras.
        known: Vec<String>,
    },
    /// Another program writes to it.
    #[error("another program writes to {device}; end that there, or choose another device")]
    Busy {
        /// Its device file.
        device: String,
    },
    /// The user has no permission to open it.
    #[error("{device} may not be opened: {hint}")]
    Denied {
        /// Its device file.
        device: String,
        /// What to do.
        hint: String,
    },
    /// The picture to paint comes from it.
    #[error("{device} is the source of the picture; choose another source or another device")]
    IsSource {
        /// Its device file.
        device: String,
    },
    /// It was removed.
    #[error("{device} was removed; load the kernel module v4l2loopback again")]
    Gone {
        /// Its device file.
        device: String,
    },
    /// It accepts only other formats, because a program that reads it keeps an older one.
    #[error(
        "{device} accepts only pictures in {format}, as a program that reads it keeps them; close that program"
    )]
    Format {
        /// Its device file.
        device: String,
        /// The format.
        format: String,
    },
    /// It takes pictures of another size than agreed.
    #[error("{device} keeps changing its picture size; close the programs that read it")]
    Size {
        /// Its device file.
        device: String,
    },
    /// The driver has no memory for its pictures.
    #[error("{device} has no memory for pictures of this size; choose a smaller size")]
    NoMemory {
        /// Its device file.
        device: String,
    },
    /// Any other error of the system.
    #[error("{device} does not work: {reason}")]
    Device {
        /// Its device file.
        device: String,
        /// The system's error.
        reason: String,
    },
}

impl OutputProblem {
    /// What to set up, if there is no virtual camera.
    pub fn setup(&self) -> Option<&Setup> {
        match self {
            Self::Missing(setup) => Some(setup),
            _ => None,
        }
    }

    /// Whether agreeing on the size again may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Size { .. } | Self::Device { .. })
    }
}
