//! Paints videos: the user's `ffmpeg` decodes and encodes in processes of its own, this program paints in between.
//!
//! ```text
//! ffmpeg: decode --pictures--> this program: paint, compose --pictures--> ffmpeg: encode --> parts --> ffmpeg: join
//! ```
//!
//! A film is encoded in parts of a fixed number of frames, in a folder next to
//! the output (`painted.mp4.part`). A part gets its name when it is complete; after an interruption the same film
//! continues after the last one. At the end the parts are joined without being encoded again, together with the sound,
//! subtitles and chapters of the source, which are copied. The same command is tried on the first second before anything
//! is painted; at the end, what cannot be copied is encoded again or left out.
//!
//! | module | content |
//! | --- | --- |
//! | `job` | what is painted, and how |
//! | `parts` | the folder of parts |
//! | `join` | the finished file |
//! | `memory` | how many frames are on their way at once |
//! | `render` | the threads: decode, paint, encode |
//! | `estimate` | time and file size, from the first second |
//! | `comparison` | a part with several values of steadiness |

mod comparison;
mod estimate;
mod job;
mod join;
mod memory;
mod parts;
mod render;
#[cfg(all(test, unix))]
mod tests;

pub use comparison::Comparison;
pub use estimate::{Estimate, estimate};
pub use job::{Film, USUAL_QUALITY, bits_per_pixel, first_output, part_frames};
pub use memory::Share;
pub use parts::{discard, tidy};
pub use render::{Outlook, Paint, Rendered, check, render};

use super::paint::PaintError;
use media::{film::FilmError, framing::BeyondPhoto};
use values::disk::WriteError;

/// Why a film was not painted, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error(transparent)]
    Film(#[from] FilmError),
    #[error(transparent)]
    Paint(#[from] PaintError),
    #[error(transparent)]
    Framing(#[from] BeyondPhoto),
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Encoding stopped. What is painted so far stays.
    #[error("{reason}{}", stay(*frames, parts))]
    Stopped { reason: String, frames: u64, parts: String },
    /// The user stopped it. What is painted so far stays.
    #[error("stopped{}", stay(*frames, parts))]
    Cancelled { frames: u64, parts: String },
}

/// What an interrupted film leaves.
fn stay(frames: u64, parts: &str) -> String {
    match frames {
        0 => "; nothing is complete yet, so painting it again starts at the beginning".to_owned(),
        _ => format!(
            "; {frames} frames are painted and stay in {parts}; painting it again continues after them"
        ),
    }
}
