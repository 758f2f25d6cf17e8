//! The state of live painting, as a surface shows it.

use std::fmt::{Display, Formatter};

use super::input::SourceState;
use crate::mode::{DeviceChoice, Mode};

/// The state of live painting: its source, and what is being prepared. Plain data; each snapshot replaces the previous
/// one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub source: SourceState,
    /// Number of truncated or damaged camera frames that were skipped.
    pub damaged_frames: u64,
    /// The session or device that is being prepared for the settings. Painting continues unchanged meanwhile. Other
    /// settings cancel it.
    pub preparing: Option<Preparing>,
}

/// A session or device that is being prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparing {
    Session {
        mode: Mode,
        /// Columns and rows of the network's input.
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
