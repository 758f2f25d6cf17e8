//! Paints videos: the user's `ffmpeg` decodes and encodes in processes of its own, this program paints in between.
//!
//! ```text
//! ffmpeg: decode --pictures--> this program: paint, compose --pictures--> ffmpeg: encode --> parts --> ffmpeg: join
//! ```
//!
//! Pictures travel as NUT streams (`media::nut`), each with the time that it has in the file, so that
//! nothing is rounded, doubled or dropped. A film is encoded in parts of a fixed number of frames, in a folder next to
//! the output (`painted.mp4.part`). A part gets its name when it is complete; after an interruption the same film
//! continues after the last one. At the end the parts are joined without being encoded again, together with the sound,
//! subtitles and chapters of the source, which are copied.
//!
//! | module | content |
//! | --- | --- |
//! | `clip` | what a file contains, by `ffprobe` |
//! | `numbered` | pictures with numbers in their names, as source or output |
//! | `webp` | animated WebP files as source |
//! | `job` | what is painted, and how |
//! | `target` | container of the output |
//! | `decoder` | the process that reads pictures |
//! | `parts` | the folder of parts |
//! | `join` | the finished file |
//! | `render` | the threads: decode, paint, encode |
//! | `open_film`, `player`, `sound` | playing without painting: seeking, pace, sound |

mod clip;
mod decoder;
mod job;
mod join;
mod numbered;
mod open_film;
mod parts;
mod player;
mod render;
mod sound;
mod target;
#[cfg(all(test, unix))]
mod tests;
mod webp;

use std::{fmt::Display, panic::resume_unwind, path::Path, thread, time::Duration};

pub use clip::Clip;
pub use job::{Film, Range, USUAL_QUALITY, first_output, part_frames};
pub use numbered::Numbered;
pub use open_film::OpenFilm;
pub use parts::{discard, tidy};
pub use player::{Order, Play, Player, PlayerEvent};
pub use render::{Rendered, render};
pub use target::Container;

pub use crate::media::codec::Codec;
use crate::{
    disk::WriteError,
    engine::paint::PaintError,
    media::{
        ffmpeg::{Ffmpeg, NoFfmpeg},
        framing::BeyondPhoto,
        process,
    },
};

/// See [`Tools::patience`].
const PATIENCE: Duration = Duration::from_secs(60);

/// The programs that read and write videos.
#[derive(Clone, Debug)]
pub struct Tools {
    pub ffmpeg: Ffmpeg,
    /// How long a process may do nothing before it is stopped.
    pub patience: Duration,
}

impl Tools {
    /// Searches PATH for both programs, and asks what ffmpeg can do and what the file at `path` contains: both at once,
    /// because each takes a tenth of a second.
    ///
    /// # Errors
    /// [`FilmError::NoFfmpeg`], [`FilmError::NoFfprobe`], and [`FilmError::File`] if the file has no video that can be
    /// painted.
    pub fn open(path: &Path) -> Result<(Self, Clip), FilmError> {
        let ffprobe = process::program("ffprobe");
        let ffprobe = ffprobe.as_deref();
        let (clip, ffmpeg) = thread::scope(|scope| {
            let clip = scope.spawn(|| ffprobe.map(|ffprobe| Clip::open(ffprobe, path, PATIENCE)));
            let ffmpeg = Ffmpeg::find();
            (clip.join().unwrap_or_else(|panic| resume_unwind(panic)), ffmpeg)
        });
        let ffmpeg = ffmpeg?;
        let clip = clip.ok_or(FilmError::NoFfprobe)??;
        Ok((Self { ffmpeg, patience: PATIENCE }, clip))
    }
}

/// Why a film was not painted, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilmError {
    #[error(
        "videos are read and written by ffmpeg, and {0}; install ffmpeg (Debian, Ubuntu: apt install ffmpeg)"
    )]
    NoFfmpeg(#[from] NoFfmpeg),
    #[error(
        "videos are read by ffprobe, which is not installed; it is part of ffmpeg (Debian, Ubuntu: apt install ffmpeg)"
    )]
    NoFfprobe,
    /// The source cannot be read or has nothing to paint, or the output cannot hold what it contains.
    #[error("{name}: {reason}")]
    File { name: String, reason: String },
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

impl FilmError {
    /// This file cannot be used, and why.
    fn file(name: impl Display, reason: impl Into<String>) -> Self {
        Self::File { name: name.to_string(), reason: reason.into() }
    }
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

/// Seconds as a decimal fraction, as ffmpeg reads them.
fn decimal(seconds: f64) -> String {
    format!("{seconds:.6}")
}
