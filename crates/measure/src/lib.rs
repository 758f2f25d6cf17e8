//! Measures how long modes take for the same frames, painted in turn, and checks that backends compute correctly.
//!
//! | module | content |
//! |---|---|
//! | [`rounds`] | the measurement: several modes paint the same frames round by round |
//! | [`setup`] | a measurement on one device with a style and generated pictures; single measurements for the Lab |
//! | [`kernels`] | times of single kernels: as rows, as a CSV file, as a trace for a timeline viewer |
//! | [`mod@reference`] | times of single layers, as small graphs |
//! | [`comparison`] | comparison of two modes |
//! | [`report`] | the result of a comparison as text, JSON and CSV |
//! | [`styles`] | several styles of one frame |
//! | [`devices`] | several devices at the same time |
//! | [`sweep`] | one mode over sizes, blocks and batch sizes |
//! | [`mod@table`] | text tables |
//! | [`chart`] | charts of comparisons |
//! | [`verify`] | every mode of a backend against the oracle |
//!
//! It does not know arguments, files of weights and windows. It may use `backend`, `media`, `network`, `oracle`,
//! `pictures`, `plan` and `values`. It blocks the calling thread: the main thread for the command line, the engine's
//! thread for the window.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

#[cfg(feature = "drawing")]
pub mod chart;
pub mod comparison;
pub mod devices;
pub mod kernels;
pub mod reference;
pub mod report;
pub mod rounds;
pub mod setup;
pub mod styles;
pub mod sweep;
pub mod table;
pub mod verify;

use backend::{BackendError, at_most};
use network::NetworkError;

pub use comparison::Comparison;
pub use devices::SeveralDevices;
pub use kernels::{KernelRow, KernelTable};
pub use reference::ReferenceTiming;
pub use report::{CandidateReport, MeasureReport};
pub use rounds::{Candidate, InARow, Measured, MeasuredCandidate};
pub use setup::{Setup, Subject, test_pictures};
pub use styles::SeveralStyles;

/// Why a measurement failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// The device failed, does not support a mode, or the run was cancelled.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A network to measure with could not be built.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The measurement would not fit into memory.
    #[error(
        "{what} at {width} x {height} pixels needs {needed_mb} MB of memory, and {limit_mb} MB may be used; choose a smaller size{} or fewer modes, or close other programs",
        at_most(*fits, " (at most ", ")")
    )]
    Memory {
        /// The modes.
        what: String,
        width: usize,
        height: usize,
        /// Memory that all modes need together.
        needed_mb: u64,
        /// Memory limit.
        limit_mb: u64,
        /// The largest width and height of this aspect ratio that fit, if any do.
        fits: Option<(usize, usize)>,
    },
    /// The frames to paint differ in size, or there are none.
    #[error("the measured frames must have one size; choose another source")]
    Frames,
    /// A bug: the painting of a frame that was sent once differs from that of a frame sent for each style.
    #[error("a frame shared by several styles was painted differently; please report this")]
    Different,
    /// No runs were left to count.
    #[error("no frame was measured; choose a style and a source that sends frames")]
    Nothing,
    /// A report could not be written.
    #[error("the report could not be written as {format}: {reason}")]
    Report {
        /// `JSON` or `PNG`.
        format: &'static str,
        reason: String,
    },
}

impl MeasureError {
    /// A report could not be written as JSON.
    pub fn json(error: serde_json::Error) -> Self {
        Self::Report { format: "JSON", reason: error.to_string() }
    }
}
