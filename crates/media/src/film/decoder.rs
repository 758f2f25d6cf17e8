//! A process that decodes: delivers the pictures of a clip, each with its time.

use std::{
    error::Error,
    io::{self, BufReader, BufWriter, ErrorKind},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use super::{
    FilmError, Numbered, Tools,
    clip::Reader,
    decimal,
    reading::{BEGUN, Reading, resized},
    sent, webp,
};
use crate::{
    memory::{max_pixels_of, most_bytes},
    nut::{NutReader, NutStream},
};
use pictures::{
    alpha::fill_hidden,
    color::{ToSrgb, narrow_rgba},
    decode,
    guard::guarded,
};
use threads::process::{
    End, LOOK_EVERY, Missed, Process, Wait, limit_memory, spawn, standard_stream,
};
use values::{control::RunControl, frame::Frame, yuv420::Yuv420};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 20;

/// What ffmpeg prints if it has decoded nothing.
const NOTHING_READ: [&str; 2] =
    ["Cannot determine format of input", "Task finished with error code"];

/// What the decoder sends: its stream first, then pictures with their times in ticks.
enum Sent {
    Stream(NutStream),
    Picture(i64, Vec<u8>),
}

/// Why nothing more is read.
pub enum Stop<T> {
    /// A message came, or, if `None`, no one can send another.
    Message(Option<T>),
    Failed(FilmError),
}

impl<T> From<FilmError> for Stop<T> {
    fn from(error: FilmError) -> Self {
        Self::Failed(error)
    }
}

/// The process.
pub struct Decoder {
    process: Process,
    sent: Receiver<io::Result<Sent>>,
    name: String,
    /// Sends the pictures that ffmpeg cannot read, and returns why not all of them.
    sending: Option<JoinHandle<Option<String>>>,
    stream: NutStream,
    /// The first picture, after the description of all.
    first: Option<Sent>,
    /// Number of pictures that are still left out.
    skipped: u64,
    patience: Duration,
    control: Arc<RunControl>,
    /// Beginning of what is read, if it is not that of the clip, its end, and the length of the clip, in seconds.
    start: Option<f64>,
    end: f64,
    length: Option<f64>,
}

/// How a decoder has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// What it complained about, if anything.
    pub damage: Option<String>,
    /// That the pictures have several sizes.
    pub note: Option<String>,
}

impl Decoder {
    /// Starts it without waiting.
    ///
    /// # Errors
    /// [`FilmError::File`].
    pub fn start(tools: &Tools, reading: &Reading<'_>) -> Result<Self, FilmError> {
        let clip = reading.clip;
        let wrong = |reason: String| FilmError::file(&clip.name, reason);
        let mut command = tools.ffmpeg.command();
        command.args(reading.flow.options()).args(max_pixels_of(clip.size));
        reading.add_pictures(tools, &mut command);
        command.args(["-map", &format!("0:{}", clip.stream)]);
        command.args("-map_chapters -1 -map_metadata -1".split(' '));
        let yuv = clip.yuv();
        command.args(["-vf", &filters(reading, yuv.is_some())]);
        command.args(tools.ffmpeg.every_picture());
        command.args(["-output_ts_offset", &decimal(-reading.beginning())]);
        let (over, under) = reading.fps.map_or(clip.tick, |(over, under)| (under, over));
        command.args(["-enc_time_base", &format!("{over}:{under}")]);
        command.args("-c:v rawvideo -f nut pipe:1".split(' '));
        limit_memory(&mut command, most_bytes(clip.decoder_bytes(reading.flow)));
        let mut process = Process::start(command, End::Killed).map_err(wrong)?;
        let pictures = standard_stream(process.child.stdout.take()).map_err(wrong)?;
        let (sender, sent) = bounded(reading.flow.waiting());
        let points = clip.colors.converted();
        let to_srgb = points.and_then(|(primaries, curve)| ToSrgb::of_film(primaries, curve));
        let pictures = BufReader::with_capacity(BUFFER_BYTES, pictures);
        let has_alpha = clip.has_alpha;
        let work = move || read(pictures, yuv, (to_srgb.as_ref(), has_alpha), &sender);
        spawn("film decoder", work).map_err(wrong)?;
        let end = reading.range.end.unwrap_or(f64::INFINITY);
        let sending = process.child.stdin.take().map(|to| {
            let (path, size, reader) = (reading.source.to_owned(), clip.size, clip.reader);
            let range = reading.range.start.unwrap_or(0.0)..end;
            let fps = reading.pictures_fps();
            let send = move || {
                let to = BufWriter::new(to);
                let sent = match (reader, Numbered::of(&path)) {
                    (Reader::Numbered { first, .. }, Some(pictures)) => {
                        let pictures = pictures.held(first);
                        sent::send(size, (fps.1, fps.0), range, pictures, to)
                    }
                    _ => decode::bytes_of_path(&path).map_err(Box::from).and_then(|bytes| {
                        sent::send(size, webp::TICK, range, webp::pictures(&bytes, size), to)
                    }),
                };
                sent.err()
            };
            let why = |error: Box<dyn Error>| error.to_string();
            spawn("film sender", move || match guarded(send) {
                Ok(error) => error.map(why),
                Err(_) => Some("it cannot be decoded".to_owned()),
            })
        });
        let sending = sending.transpose().map_err(wrong)?;
        let start = reading.range.start;
        let length = clip.end.map(|end| end - clip.start);
        Ok(Self {
            process,
            sent,
            name: clip.name.clone(),
            sending,
            stream: NutStream::default(),
            first: None,
            skipped: reading.skipped,
            patience: tools.patience,
            control: tools.control.clone(),
            start,
            end,
            length,
        })
    }

    /// Waits for the first picture.
    ///
    /// # Errors
    /// See [`Self::next_picture`].
    pub(super) fn read_stream(&mut self) -> Result<(), FilmError> {
        if let Some(Sent::Stream(stream)) = self.receive()? {
            self.stream = stream;
            self.first = self.receive()?;
        }
        Ok(())
    }

    /// The description of all pictures, after `OpenFilm::begin`.
    pub fn stream(&self) -> NutStream {
        self.stream
    }

    /// True if there are no pictures, not even those that are left out, after `read_stream`.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The next picture and its time in ticks, after `read_stream`; `None` at the end.
    ///
    /// # Errors
    /// [`FilmError::File`] if the decoder fails or does nothing for too long.
    pub fn next_picture(&mut self) -> Result<Option<(i64, Frame)>, FilmError> {
        while let Some(Sent::Picture(ticks, pixels)) = self.receive()? {
            if self.skipped == 0 {
                return Ok(Some((ticks, self.frame(pixels)?)));
            }
            self.skipped -= 1;
        }
        Ok(None)
    }

    /// The next picture and its time in the film, in seconds, unless a message comes first.
    ///
    /// # Errors
    /// `Stop`.
    pub fn next_or<T>(&mut self, messages: &Receiver<T>) -> Result<Option<(f64, Frame)>, Stop<T>> {
        while let Some(sent) = self.receive_or(messages)? {
            match sent {
                Sent::Stream(stream) => self.stream = stream,
                Sent::Picture(ticks, pixels) => {
                    let (over, under) = self.stream.tick;
                    let later = ticks as f64 * over as f64 / under as f64;
                    let seconds = self.start.unwrap_or(0.0) + later;
                    // ffmpeg may deliver another picture after the end.
                    if seconds >= self.end {
                        break;
                    }
                    return Ok(Some((seconds, self.frame(pixels)?)));
                }
            }
        }
        Ok(None)
    }

    fn frame(&self, pixels: Vec<u8>) -> Result<Frame, FilmError> {
        let NutStream { width, height, .. } = self.stream;
        Frame::from_rgba(width, height, pixels).map_err(|error| self.wrong(error.to_string()))
    }

    fn receive(&mut self) -> Result<Option<Sent>, FilmError> {
        unstopped(self.receive_or(&never()))
    }

    /// The next picture and its time in the film, in seconds; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::next_picture`].
    pub fn next_timed(&mut self) -> Result<Option<(f64, Frame)>, FilmError> {
        unstopped(self.next_or(&never()))
    }

    /// What the decoder sends next, unless a message comes first.
    fn receive_or<T>(&mut self, messages: &Receiver<T>) -> Result<Option<Sent>, Stop<T>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let mut wait = Wait::new(self.patience, &self.control);
        let sent = loop {
            select! {
                recv(messages) -> message => return Err(Stop::Message(message.ok())),
                recv(self.sent) -> sent => break sent,
                default(LOOK_EVERY) => {}
            }
            let seconds = self.patience.as_secs_f32();
            let why = match wait.missed() {
                None => continue,
                Some(Missed::Late) => {
                    format!("ffmpeg read nothing for {seconds} s and was stopped")
                }
                Some(_) => "it was stopped".to_owned(),
            };
            return Err(self.wrong(why).into());
        };
        match sent {
            Ok(Ok(sent)) => Ok(Some(sent)),
            Ok(Err(error)) if error.kind() != ErrorKind::UnexpectedEof => {
                Err(self.wrong(format!("ffmpeg sent no valid pictures: {error}")).into())
            }
            _ => Ok(None),
        }
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ending {
        let (status, lines) = self.process.end(self.patience, &self.control);
        let failed = status.is_none_or(|status| !status.success());
        let NutStream { width, height, .. } = self.stream;
        let mut sizes = lines.iter().filter_map(|line| resized(line));
        let note = sizes.find(|(_, size)| *size != (width, height)).map(|(seconds, (columns, rows))| {
            format!(
                "its pictures have {columns}x{rows} pixels from {seconds} s on; all are scaled to {width}x{height}, the size \
                 of the first one"
            )
        });
        let begun = lines.iter().position(|line| line == BEGUN).map_or(0, |at| at + 1);
        let words =
            lines.into_iter().skip(begun).find(|line| line != BEGUN && resized(line).is_none());
        let sent = self.sending.take().and_then(|thread| thread.join().ok().flatten());
        let words = words.map(|words| match words.split_once("Picture size ") {
            Some((_, rest)) if rest.contains("max pixel count") => {
                let size = rest.split(' ').next().unwrap_or_default();
                format!("a picture has {size} pixels; the first one has {width}x{height}")
            }
            _ => words,
        });
        let words = words.or_else(|| failed.then(|| "ffmpeg failed".to_owned()));
        Ending { damage: words.or(sent), note }
    }

    /// The error if there was no picture.
    pub fn without_pictures(self) -> FilmError {
        let (name, start) = (self.name.clone(), self.start);
        let length = self.length.map(|length| format!("; it is {length:.2} s long"));
        let says_why = |words: &String| !NOTHING_READ.iter().any(|empty| words.contains(empty));
        let reason = match (self.end().damage.filter(says_why), start) {
            (Some(words), _) => format!("no picture of it can be read ({words})"),
            (None, None) => "no picture of it can be read; it is incomplete, or its index is damaged or needs more memory than \
                             the limit"
                .to_owned(),
            (None, Some(start)) => {
                format!("it has no picture after {start} s{}", length.unwrap_or_default())
            }
        };
        FilmError::file(name, reason)
    }

    fn wrong(&self, reason: String) -> FilmError {
        FilmError::file(&self.name, reason)
    }
}

/// What was read without messages.
pub(super) fn unstopped<R>(read: Result<Option<R>, Stop<()>>) -> Result<Option<R>, FilmError> {
    read.or_else(|stop| match stop {
        Stop::Failed(error) => Err(error),
        // Nothing comes from a channel that never delivers.
        Stop::Message(_) => Ok(None),
    })
}

/// Reads the stream to its end, or until no one receives.
fn read(
    from: BufReader<impl io::Read>,
    yuv: Option<Yuv420>,
    (to_srgb, has_alpha): (Option<&ToSrgb>, bool),
    sender: &Sender<io::Result<Sent>>,
) {
    let sends = || -> io::Result<()> {
        let mut reader = NutReader::open(from, yuv)?;
        let stream = NutStream { is_deep: false, ..reader.stream() };
        let mut next = Sent::Stream(stream);
        while sender.send(Ok(next)).is_ok() {
            let Some((ticks, mut pixels)) = reader.next_picture()? else { break };
            if let Some(to_srgb) = to_srgb.filter(|_| reader.stream().is_deep) {
                pixels = narrow_rgba(&pixels, stream.width, to_srgb);
            }
            if has_alpha {
                fill_hidden(&mut pixels, stream.width);
            }
            next = Sent::Picture(ticks, pixels);
        }
        Ok(())
    };
    if let Err(error) = sends() {
        sender.send(Err(error)).ok();
    }
}

/// The filters from the stored pictures to red, green and blue, if they do not stay in YUV.
fn filters(reading: &Reading<'_>, is_yuv: bool) -> String {
    let Reading { clip, fps, long_side_px, .. } = *reading;
    let mut filters = reading.stored_filters();
    if let Some((over, under)) = fps
        && !matches!(clip.reader, Reader::Numbered { .. })
    {
        filters.push(format!("fps={over}/{under}"));
    }
    if clip.colors.matrix.as_deref() == Some("ictcp") {
        // It is defined for these curves only.
        let is_hlg = clip.colors.transfer.as_deref() == Some("arib-std-b67");
        let curve = if is_hlg { "arib-std-b67" } else { "smpte2084" };
        let of = |end: &str| format!("transfer{end}={curve}:primaries{end}=bt2020");
        filters.push(format!("zscale=matrixin=ictcp:{}:matrix=bt2020nc:{}", of("in"), of("")));
    }
    // ffmpeg refuses colours that it cannot convert, and here it only needs the matrix, which `scale` gets below.
    let matrix = if clip.is_rgb { "" } else { ":colorspace=bt709" };
    filters.push(format!("setparams=color_primaries=bt709:color_trc=bt709{matrix}"));
    // A draft is made for speed.
    let flags = match long_side_px {
        None => "bilinear+accurate_rnd+full_chroma_int",
        Some(_) => "bilinear",
    };
    let mut scale = format!("scale=flags={flags}");
    if !clip.is_rgb && !is_yuv {
        let (matrix, range) = clip.stored_matrix_and_range();
        scale.push_str(&format!(":in_color_matrix={matrix}:in_range={range}"));
    }
    if let Some(px) = long_side_px {
        let side = |side: &str| format!("'max(1,round({side}*min(1,{px}/max(iw*sar,ih))))'");
        scale.push_str(&format!(":w={}:h={},setsar=1", side("iw*sar"), side("ih")));
    }
    // Otherwise the filter would copy each picture.
    if !is_yuv || long_side_px.is_some() {
        filters.push(scale);
    }
    let pixels = match clip.colors.converted() {
        Some(_) => "rgba64le",
        None if is_yuv => "yuv420p",
        None => "rgba",
    };
    filters.push(format!("format={pixels}"));
    filters.join(",")
}
