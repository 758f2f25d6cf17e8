//! Work in the background that the user waits for: folders, contact sheets, exports of videos.

pub mod batch;
pub mod exports;
pub mod time_left;
