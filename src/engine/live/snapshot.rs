//! The state of live painting, as a surface shows it.

use std::fmt::{Display, Formatter};

use super::input::SourceState;
use crate::mode::{DeviceChoice, Mode};

/// The state of live painting: its source, and what is being prepared. Plain data; each snapshot replaces the
/// one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The state of the source.
    pub source: SourceState,
    /// Frames of a camera that came truncated or damaged and were skipped.
    pub damaged_frames: u64,
    /// The session or device that is being prepared for the settings; painting continues as before meanwhile.
    /// Other settings cancel it.
    pub preparing: Option<Preparing>,
}

/// A session or device that is being prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparing {
    /// A session.
    Session {
        /// Variant and precision.
        mode: Mode,
        /// Columns and rows that the network sees, in pixels.
        size: (usize, usize),
    },
    /// The second device of a comparison.
    Device(DeviceChoice),
}

impl Display for Preparing {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session { mode, size: (width, height) } => {
                write!(f, "{mode} at {width} × {height} px")
            }
            Self::Device(kind) => write!(f, "the second device ({})", kind.name()),
        }
    }
}
