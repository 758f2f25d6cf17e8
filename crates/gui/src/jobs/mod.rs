//! Work in the background that the user waits for: folders, contact sheets, exports of videos.

pub mod batch;
pub mod command;
pub mod exports;
mod perform;
pub mod time_left;

use self::{batch::Batch, exports::Exports};

/// What is painted in the background.
#[derive(Default)]
pub struct Jobs {
    pub batch: Option<Batch>,
    pub exports: Exports,
}
