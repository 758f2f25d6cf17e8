//! Reads videos, and plays them: the user's `ffmpeg` decodes in processes of its own. `engine::film` paints them.
//!
//! Pictures travel as NUT streams (`media::nut`), each with the time that it has in the file, so that
//! nothing is rounded, doubled or dropped.
//!
//! | module | content |
//! | --- | --- |
//! | `clip` | what a file contains, by `ffprobe` |
//! | `numbered` | pictures with numbers in their names, as source or output |
//! | `webp`, `animation` | animated WebP files; times of GIF and APNG |
//! | `sent` | pictures that this program decodes itself |
//! | `reading` | which part of a clip is read |
//! | `fields` | finds out if pictures are interlaced |
//! | `decoder` | the process that reads pictures |
//! | `open_film`, `player`, `sound` | playing without painting: seeking, pace, sound |
//! | `target` | containers, and what they can hold |

mod animation;
mod clip;
mod decoder;
mod fields;
mod numbered;
mod open_film;
mod player;
mod reading;
mod sent;
mod sound;
mod target;
#[cfg(all(test, unix))]
mod tests;
mod webp;

use std::{fmt::Display, panic::resume_unwind, path::Path, sync::Arc, thread, time::Duration};

pub use clip::{Clip, FieldOrder, Reader, TIMECODE};
pub use decoder::{Decoder, Ending};
pub use numbered::Numbered;
pub use open_film::{OpenFilm, frame_of};
pub use player::{Order, Play, Player, PlayerEvent};
pub use reading::{Range, Reading};
pub use target::{Along, Container, OPUS};
pub use webp::set_length as set_webp_length;

pub use crate::{codec::Codec, ffmpeg::decimal};
use crate::{
    ffmpeg::{Ffmpeg, NoFfmpeg},
    memory::limit_bytes,
};
use threads::process::{self, spawn_scoped};
use values::control::RunControl;

/// See [`Tools::patience`].
const PATIENCE: Duration = Duration::from_secs(60);

/// The programs that read and write videos.
#[derive(Clone, Debug)]
pub struct Tools {
    pub ffmpeg: Ffmpeg,
    /// How long a process may do nothing before it is stopped.
    pub patience: Duration,
    /// Ends every process and every wait for one when it is cancelled.
    pub control: Arc<RunControl>,
    /// The limit of memory for this program and these processes, if one was chosen.
    pub max_memory_bytes: Option<u64>,
}

impl Tools {
    /// Searches PATH for both programs, and asks what ffmpeg can do and what the file at `path` contains: both at once,
    /// because each takes a tenth of a second.
    ///
    /// # Errors
    /// [`FilmError::NoFfmpeg`], [`FilmError::NoFfprobe`], and [`FilmError::File`] if the file has no video that can be
    /// painted or `control` is cancelled.
    pub fn open(
        path: &Path,
        control: &Arc<RunControl>,
        max_memory_bytes: Option<u64>,
    ) -> Result<(Self, Clip), FilmError> {
        let ffprobe = process::program("ffprobe");
        let open = || {
            let ffprobe = ffprobe.as_deref().ok_or(FilmError::NoFfprobe)?;
            Clip::open(ffprobe, path, PATIENCE, control, limit_bytes(max_memory_bytes))
        };
        let (clip, ffmpeg) = thread::scope(|scope| {
            let clip = spawn_scoped(scope, "ffprobe", open)
                .map_err(|why| FilmError::file(path.display(), why))?;
            let ffmpeg = Ffmpeg::find_unless(control);
            Ok::<_, FilmError>((clip.join().unwrap_or_else(|panic| resume_unwind(panic)), ffmpeg))
        })?;
        let (ffmpeg, mut clip, control) = (ffmpeg?, clip?, control.clone());
        if clip.field_order == FieldOrder::Unknown {
            clip.field_order = fields::detect(&ffmpeg, path, &clip, &control);
        }
        Ok((Self { ffmpeg, patience: PATIENCE, control, max_memory_bytes }, clip))
    }

    /// The memory that a film and its processes may take now.
    pub fn limit_bytes(&self) -> u64 {
        limit_bytes(self.max_memory_bytes)
    }
}

/// Why a film cannot be read, or not be written to this file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilmError {
    #[error("videos need ffmpeg, and {0} (Debian, Ubuntu: apt install ffmpeg)")]
    NoFfmpeg(#[from] NoFfmpeg),
    #[error(
        "videos are read by ffprobe, which is not installed; it is part of ffmpeg (Debian, Ubuntu: apt install ffmpeg)"
    )]
    NoFfprobe,
    /// The source cannot be read or has nothing to paint, or the output cannot hold what it contains.
    #[error("{name}: {reason}")]
    File { name: String, reason: String },
}

impl FilmError {
    /// This file cannot be used, and why.
    pub fn file(name: impl Display, reason: impl Into<String>) -> Self {
        Self::File { name: name.to_string(), reason: reason.into() }
    }
}
