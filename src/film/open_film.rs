//! A clip that can be played: reads any part of it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crossbeam_channel::{Receiver, never};

use super::{
    Clip, FilmError, Range, Tools,
    decoder::{Decoder, Next},
    job::Reading,
};
use crate::frame::Frame;

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
}

impl OpenFilm {
    /// Opens the file; also returns its first picture and the time of that, in seconds.
    ///
    /// # Errors
    /// [`FilmError`].
    pub fn open(path: &Path) -> Result<(Self, f64, Frame), FilmError> {
        let (tools, clip) = Tools::open(path)?;
        let tools = Tools { patience: PATIENCE, ..tools };
        let film = Self { path: path.to_owned(), clip, tools };
        let mut run = film.run(Range::default(), None)?;
        match run.next::<()>(&never()) {
            Ok(Some((seconds, frame))) => Ok((film, seconds, frame)),
            Err(Stop::Failed(error)) => Err(error),
            _ => Err(run.without_pictures()),
        }
    }

    /// Starts to read a part, whose pictures are scaled down to `long_side_px`.
    pub(super) fn run(&self, range: Range, long_side_px: Option<usize>) -> Result<Run, FilmError> {
        let Self { path, clip, tools } = self;
        let start = range.start.filter(|&start| start > 0.0);
        let range = Range { start, ..range };
        let reading = Reading { source: path, clip, range, fps: None, skipped: 0, long_side_px };
        let decoder = Decoder::start(tools, &reading)?;
        Ok(Run { decoder, start: start.unwrap_or(0.0), end: range.end.unwrap_or(f64::INFINITY) })
    }

    /// Time between two pictures, in seconds.
    pub fn frame_seconds(&self) -> f64 {
        1.0 / self.clip.fps.unwrap_or(USUAL_FPS)
    }

    pub fn has_sound(&self) -> bool {
        self.clip.others.iter().any(|other| other.kind == "audio")
    }
}

/// A decoder of a part of a film.
pub(super) struct Run {
    decoder: Decoder,
    /// Beginning and end of the part, in seconds.
    start: f64,
    end: f64,
}

impl Run {
    /// The next picture and its time in the film, unless a message comes first.
    pub fn next<T>(&mut self, messages: &Receiver<T>) -> Result<Option<(f64, Frame)>, Stop<T>> {
        match self.decoder.next_or(messages)? {
            // ffmpeg may deliver another picture after the end.
            Next::Picture(later, _) if self.start + later >= self.end => Ok(None),
            Next::Picture(later, frame) => Ok(Some((self.start + later, frame))),
            Next::End => Ok(None),
            Next::Message(message) => Err(Stop::Message(message)),
        }
    }

    /// The error if there was no picture.
    pub fn without_pictures(self) -> FilmError {
        self.decoder.without_pictures()
    }
}

/// Why nothing more is read.
pub(super) enum Stop<T> {
    /// A message came, or, if `None`, no one can send another.
    Message(Option<T>),
    Failed(FilmError),
}

impl<T> From<FilmError> for Stop<T> {
    fn from(error: FilmError) -> Self {
        Self::Failed(error)
    }
}
