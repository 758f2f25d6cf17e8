//! Measuring: how long modes take for the same frames, painted in turn, and reports of it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`rounds`] | the measuring: several modes paint the same frames round by round |
//! | [`setup`] | one device, a style and made-up pictures to do so with |
//! | [`sample`] | a single measurement of a device and of a session that paints |
//! | [`kernels`] | times of single kernels: as rows, as a CSV file, as a trace for a timeline viewer |
//! | [`mod@reference`] | times of single layers, as small graphs |
//! | [`comparison`] | two modes against each other |
//! | [`report`] | what a comparison found, for people, programs and tables |
//! | [`styles`] | several styles of one frame |
//! | [`sweep`] | one mode over sizes, blocks and frames at once |
//! | [`chart`] | a comparison or a sweep as a picture |
//!
//! Blocks, on the caller's thread: the command line's main thread, for the window the engine's. Knows no
//! arguments, no files and no window.

pub mod chart;
pub mod comparison;
pub mod kernels;
pub mod reference;
pub mod report;
pub mod rounds;
pub mod sample;
pub mod setup;
pub mod styles;
pub mod sweep;
mod table;

use crate::{
    backend::{BackendError, at_most},
    network::NetworkError,
};

pub use comparison::Comparison;
pub use kernels::{KernelRow, KernelTable};
pub use reference::ReferenceTiming;
pub use report::{CandidateReport, MeasureReport};
pub use rounds::{Candidate, InARow, Measured, MeasuredCandidate};
pub use setup::{Setup, Subject, test_pictures};
pub use styles::SeveralStyles;
pub use table::table;

/// Why there is no measurement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// The device failed, does not have a mode, or the run was cancelled.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A network to measure with cannot be made.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The measurement would not fit in memory.
    #[error(
        "{what} at {width} x {height} pixels needs {needed_mb} MB of memory, and {limit_mb} MB may be used; choose a smaller size{} or fewer modes, or close other programs",
        at_most(*fits, " (at most ", ")")
    )]
    Memory {
        /// The modes.
        what: String,
        /// Columns, in pixels.
        width: usize,
        /// Rows, in pixels.
        height: usize,
        /// Megabytes that all modes need together.
        needed_mb: u64,
        /// Megabytes that may be taken.
        limit_mb: u64,
        /// The largest columns and rows of this aspect that fit, if any do.
        fits: Option<(usize, usize)>,
    },
    /// The frames to paint differ in size, or there are none.
    #[error("the measured frames must have one size; choose another source")]
    Frames,
    /// A mistake of this program: a frame that was not sent again was painted in another way.
    #[error("a frame shared by several styles was painted differently; please report this")]
    Different,
    /// Nothing was left to count.
    #[error("no frame was measured; choose a style and a source that sends frames")]
    Nothing,
    /// A report could not be written.
    #[error("the report could not be written as {format}: {reason}")]
    Report {
        /// `JSON` or `PNG`.
        format: &'static str,
        /// What the writer says.
        reason: String,
    },
}

impl MeasureError {
    /// A report that could not be written as JSON.
    pub(crate) fn json(error: serde_json::Error) -> Self {
        Self::Report { format: "JSON", reason: error.to_string() }
    }
}
