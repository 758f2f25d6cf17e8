//! A clip that can be played: reads any part of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::never;

use super::{
    Clip, FilmError, Range, Tools,
    decoder::{Decoder, Stop},
    reading::Reading,
};
use crate::memory::{Flow, picture_bytes, too_much};
use values::frame::Frame;

/// How long a decoder may do nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames per second of a clip that declares none.
const USUAL_FPS: f64 = 30.0;

/// A clip that can be played.
#[derive(Clone, Debug)]
pub struct OpenFilm {
    pub path: PathBuf,
    pub clip: Clip,
    pub tools: Tools,
    /// How many pictures a decoder has on their way.
    pub flow: Flow,
}

impl OpenFilm {
    /// Opens the file; also returns its first picture and the time of that, in seconds.
    ///
    /// # Errors
    /// [`FilmError`].
    pub fn open(path: &Path) -> Result<(Self, f64, Frame), FilmError> {
        let (tools, clip) = Tools::open(path, &Arc::default(), None)?;
        let tools = Tools { patience: PATIENCE, ..tools };
        let limit_bytes = tools.limit_bytes();
        let bytes = |flow: Flow| {
            clip.decoded_bytes(flow) + picture_bytes(clip.size) + clip.decoder_bytes(flow)
        };
        let flow = if bytes(Flow::Usual) <= limit_bytes { Flow::Usual } else { Flow::Frugal };
        if bytes(flow) > limit_bytes {
            let why = too_much(clip.size, bytes(flow), limit_bytes);
            return Err(FilmError::file(&clip.name, why));
        }
        let film = Self { path: path.to_owned(), clip, tools, flow };
        let mut decoder = film.decoder(Range::default(), None)?;
        match decoder.next_or::<()>(&never()) {
            Ok(Some((seconds, frame))) => Ok((film, seconds, frame)),
            Err(Stop::Failed(error)) => Err(error),
            _ => Err(decoder.without_pictures()),
        }
    }

    /// Starts to read a part, whose pictures are scaled down to `long_side_px`.
    pub(super) fn decoder(
        &self,
        range: Range,
        long_side_px: Option<usize>,
    ) -> Result<Decoder, FilmError> {
        let Self { path, clip, tools, flow } = self;
        let start = range.start.filter(|&start| start > 0.0);
        let range = Range { start, ..range };
        let (fps, skipped, flow) = (None, 0, *flow);
        let reading = Reading { source: path, clip, range, fps, skipped, long_side_px, flow };
        Decoder::start(tools, &reading)
    }

    /// Time between two pictures, in seconds.
    pub fn frame_seconds(&self) -> f64 {
        1.0 / self.clip.fps.unwrap_or(USUAL_FPS)
    }

    pub fn has_sound(&self) -> bool {
        self.clip.others.iter().any(|other| other.kind == "audio")
    }
}
