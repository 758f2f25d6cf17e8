//! What live painting does, as a surface shows it.

use std::fmt::{Display, Formatter};

use super::input::SourceState;
use crate::mode::{DeviceChoice, Mode};

/// What live painting does besides giving pictures. Plain data; the newest counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// What the source does.
    pub source: SourceState,
    /// Frames of a camera that came truncated or damaged and were skipped.
    pub damaged_frames: u64,
    /// What is being made ready for the settings; what was painted before goes on meanwhile. Choosing
    /// something else cancels it.
    pub preparing: Option<Preparing>,
}

/// Something that is being made ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparing {
    /// A session.
    Session {
        /// Variant and precision.
        mode: Mode,
        /// Columns and rows that the network sees, in pixels.
        size: (usize, usize),
        /// Whether the device tries out which of its library's algorithms is the fastest, which takes some
        /// seconds.
        searches: bool,
    },
    /// The second device of a comparison.
    Device(DeviceChoice),
}

impl Preparing {
    /// Whether it takes some seconds, because the device tries out what is fastest.
    pub fn searches(&self) -> bool {
        matches!(self, Self::Session { searches: true, .. })
    }
}

impl Display for Preparing {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session {
                mode,
                size: (width, height),
                searches,
            } => {
                write!(f, "{mode} at {width} × {height} px")?;
                match searches {
                    true => write!(
                        f,
                        ": the library's algorithms are tried, which takes some seconds"
                    ),
                    false => Ok(()),
                }
            }
            Self::Device(kind) => write!(f, "the second device ({})", kind.name()),
        }
    }
}
