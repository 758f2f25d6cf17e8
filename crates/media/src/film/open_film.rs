//! A clip that can be played: reads any part of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::{Receiver, never};

use super::{
    Clip, FilmError, Range, Tools,
    clip::Reader,
    decoder::{Decoder, Stop, unstopped},
    reading::Reading,
};
use crate::framing::Framing;
use crate::memory::{Flow, picture_bytes, too_much};
use pictures::{
    MediaError,
    encode::{self, Encoding, Format},
    folder::{is_animated, is_film},
};
use values::frame::Frame;

/// How long a decoder may do nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any picture.
const MAX_SIDE_PX: usize = 1 << 20;
/// By how many seconds the length of a clip may be too short, because not every picture has a time.
const MAX_SHORT: f64 = 1.0;
/// Frames per second of a clip that declares none.
const USUAL_FPS: f64 = 30.0;

/// A clip that can be played.
#[derive(Clone, Debug)]
pub struct OpenFilm {
    pub path: PathBuf,
    pub clip: Clip,
    /// Width and height of its pictures with square pixels, rotated as the file says.
    pub size: (usize, usize),
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
        Self::open_at(path, None, true, None)
    }

    /// As [`Self::open`], with the picture at `start` seconds, within this limit of memory.
    ///
    /// # Errors
    /// [`FilmError`].
    pub fn open_at(
        path: &Path,
        start: Option<f64>,
        deinterlaces: bool,
        max_memory_bytes: Option<u64>,
    ) -> Result<(Self, f64, Frame), FilmError> {
        let (tools, clip) = Tools::open(path, &Arc::default(), max_memory_bytes)?;
        let clip = Clip { deinterlaces, ..clip };
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
        let mut film = Self { path: path.to_owned(), size: clip.size, clip, tools, flow };
        let (mut decoder, _) =
            film.begin(Range { start, end: None }, |range| film.decoder(range, None))?;
        let Some((seconds, frame)) = decoder.next_timed()? else {
            return Err(decoder.without_pictures());
        };
        film.size = frame.size();
        Ok((film, seconds, frame))
    }

    /// Starts to read a range with `decoder`, which has its first picture. If no picture begins in the range, it begins
    /// with the one that is shown at its start. Also returns the range.
    ///
    /// # Errors
    /// [`FilmError`].
    pub fn begin(
        &self,
        mut range: Range,
        decoder: impl Fn(Range) -> Result<Decoder, FilmError>,
    ) -> Result<(Decoder, Range), FilmError> {
        let open = |range| -> Result<Decoder, FilmError> {
            let mut decoder = decoder(range)?;
            decoder.read_stream()?;
            Ok(decoder)
        };
        let mut decoder = open(range)?;
        if let Some(start) = range.start
            && decoder.is_empty()
            && let shown @ Some(_) = self.last_at(start)?
        {
            range.start = shown;
            decoder = open(range)?;
        }
        Ok((decoder, range))
    }

    /// Starts to read a part, whose pictures are scaled down to `long_side_px`.
    ///
    /// # Errors
    /// [`FilmError`].
    pub fn decoder(&self, range: Range, long_side_px: Option<usize>) -> Result<Decoder, FilmError> {
        Decoder::start(&self.tools, &self.reading(range, long_side_px))
    }

    fn reading(&self, range: Range, long_side_px: Option<usize>) -> Reading<'_> {
        let Self { path, clip, flow, .. } = self;
        let range = Range { start: range.start.filter(|&start| start > 0.0), ..range };
        // Pixels of pictures on the screen are square.
        let long_side_px = long_side_px.or((clip.pixel_aspect != 1.0).then_some(MAX_SIDE_PX));
        let (fps, skipped, key_frames, flow) = (None, 0, None, *flow);
        Reading { source: path, clip, range, fps, skipped, long_side_px, key_frames, flow }
    }

    /// A picture near this time, scaled down to `long_side_px`, and its time: the key frame before it, which is found
    /// quickly, or the picture itself in what has no key frames. One thread of a process decodes it.
    ///
    /// # Errors
    /// [`FilmError`].
    pub fn thumbnail(&self, at: f64, long_side_px: usize) -> Result<(f64, Frame), FilmError> {
        let has_keys = self.clip.reader == Reader::File && self.clip.plays.is_none();
        let range = Range { start: Some(at).filter(|_| !has_keys), end: None };
        let key_frames = has_keys.then_some(at);
        let reading = self.reading(range, Some(long_side_px));
        let reading = Reading { key_frames, flow: Flow::Frugal, ..reading };
        let mut decoder = Decoder::start(&self.tools, &reading)?;
        decoder.next_timed()?.ok_or_else(|| decoder.without_pictures())
    }

    /// The last picture before `end` and its time, in seconds, unless a message comes first.
    pub(super) fn last_before<T>(
        &self,
        end: f64,
        messages: &Receiver<T>,
    ) -> Result<Option<(f64, Frame)>, Stop<T>> {
        let (mut start, mut length) = (end, 2.5 * self.frame_seconds());
        while start > 0.0 {
            start = (end - length).max(0.0);
            let range = Range { start: Some(start), end: Some(end) };
            let mut decoder = self.decoder(range, None)?;
            let mut last = None;
            while let Some(picture) = decoder.next_or(messages)? {
                last = Some(picture);
            }
            if last.is_some() {
                return Ok(last);
            }
            length *= 4.0;
        }
        Ok(None)
    }

    /// The time of the picture that is shown at `start` seconds, if no later one begins.
    fn last_at(&self, start: f64) -> Result<Option<f64>, FilmError> {
        let Some(end) = self.clip.end.map(|end| end - self.clip.start) else { return Ok(None) };
        if start >= end + MAX_SHORT {
            return Ok(None);
        }
        let last = unstopped(self.last_before(start, &never()))?.map(|(seconds, _)| seconds);
        Ok(last.filter(|seconds| start < seconds.max(end) + self.frame_seconds()))
    }

    /// Turns and crops a picture of it, which may be smaller. A crop that does not fit shows the whole picture.
    pub fn framed(&self, framing: Framing, frame: Frame) -> Frame {
        if framing.is_plain() {
            return frame;
        }
        framing.scaled(self.size, frame.size()).applied(&frame).unwrap_or(frame)
    }

    /// Time between two pictures, in seconds.
    pub fn frame_seconds(&self) -> f64 {
        1.0 / self.clip.fps.unwrap_or(USUAL_FPS)
    }

    pub fn has_sound(&self) -> bool {
        self.clip.others.iter().any(|other| other.kind == "audio")
    }
}

/// The frame of a video at `start` seconds or at its beginning, as a PNG; `None` if the file is a picture. A picture with
/// several frames is a video if there is a start.
pub fn frame_of(
    path: &Path,
    start: Option<f64>,
    deinterlaces: bool,
    limit_bytes: u64,
) -> Option<Result<Vec<u8>, MediaError>> {
    (is_film(path) || start.is_some() && is_animated(path)).then(|| {
        let name = path.display().to_string();
        let opened = OpenFilm::open_at(path, start, deinterlaces, Some(limit_bytes));
        let (_, _, frame) = opened.map_err(|error| MediaError::Read {
            name: name.clone(),
            reason: match error {
                FilmError::File { reason, .. } => reason,
                other => other.to_string(),
            },
        })?;
        encode::to_bytes(&name, &frame, None, Encoding::of(Format::Png)).map(|(bytes, _)| bytes)
    })
}
