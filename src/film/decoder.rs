//! A process that decodes: delivers the pictures of a clip, each with its time.

use std::{
    error::Error,
    io::{self, BufReader, BufWriter, ErrorKind},
    process::Child,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{
    FilmError, Tools,
    clip::Reader,
    decimal,
    job::{Film, Range},
    plain, webp,
};
use crate::{
    disk::reason,
    frame::Frame,
    media::{
        guard::guarded,
        nut::{NutReader, NutStream},
        process::{complaints, status_until},
    },
};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 1 << 20;
/// Pictures that wait to be painted, besides those of a batch.
const WAITING: usize = 2;

/// What the decoder sends: its stream first, then pictures with their times in ticks.
enum Sent {
    Stream(NutStream),
    Picture(i64, Vec<u8>),
}

pub struct Decoder {
    child: Child,
    sent: Receiver<io::Result<Sent>>,
    complaints: Receiver<Vec<String>>,
    name: String,
    /// Sends the pictures that ffmpeg cannot read, and returns why not all of them.
    sending: Option<JoinHandle<Option<String>>>,
    stream: NutStream,
    patience: Duration,
}

impl Decoder {
    /// Starts it after the first `skipped` pictures of the film, and waits for its headers.
    ///
    /// # Errors
    /// [`FilmError::Source`].
    pub fn start(tools: &Tools, film: &Film<'_>, skipped: u64) -> Result<Self, FilmError> {
        let clip = film.clip;
        let wrong = |reason: String| FilmError::Source { name: clip.name.clone(), reason };
        let mut command = tools.command();
        film.add_source(&mut command);
        command.args(["-map", &format!("0:{}", clip.stream)]);
        command.args("-map_chapters -1 -map_metadata -1".split(' '));
        command.args(["-vf", &filters(film, skipped)]);
        command.args(tools.ffmpeg.every_picture());
        command.args(["-output_ts_offset", &decimal(-film.beginning())]);
        let (over, under) = film.fps.map_or(clip.tick, |(over, under)| (under, over));
        command.args(["-enc_time_base", &format!("{over}:{under}")]);
        command.args("-c:v rawvideo -pix_fmt rgba -f nut pipe:1".split(' '));
        let mut child = command.spawn().map_err(|e| wrong(reason(&e)))?;
        let (Some(pictures), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            child.kill().ok();
            return Err(wrong("ffmpeg has no standard streams".to_owned()));
        };
        let (sender, sent) = bounded(WAITING);
        let complaints = complaints(errors).map_err(wrong)?;
        let work = move || read(BufReader::with_capacity(BUFFER_BYTES, pictures), &sender);
        let spawned = thread::Builder::new().name("film decoder".to_owned()).spawn(work);
        spawned.map_err(|e| wrong(reason(&e)))?;
        let (name, stream, patience) = (clip.name.clone(), NutStream::default(), tools.patience);
        let sending = child.stdin.take().map(|to| {
            let (path, size) = (film.source.to_owned(), clip.size);
            let Range { start, end } = film.range;
            let range = start.unwrap_or(0.0)..end.unwrap_or(f64::INFINITY);
            let send = move || webp::send(&path, size, range, BufWriter::new(to)).err();
            let why = |error: Box<dyn Error>| error.to_string();
            thread::spawn(move || match guarded(send) {
                Ok(error) => error.map(why),
                Err(_) => Some("it cannot be decoded".to_owned()),
            })
        });
        let mut decoder = Self { child, sent, complaints, name, sending, stream, patience };
        let Some(Sent::Stream(stream)) = decoder.receive()? else {
            return Err(decoder.without_pictures(film));
        };
        decoder.stream = stream;
        Ok(decoder)
    }

    pub fn stream(&self) -> NutStream {
        self.stream
    }

    /// The next picture and its time in ticks; `None` at the end.
    ///
    /// # Errors
    /// [`FilmError::Source`] if the decoder fails or does nothing for too long.
    pub fn next_picture(&mut self) -> Result<Option<(i64, Frame)>, FilmError> {
        let Some(Sent::Picture(ticks, pixels)) = self.receive()? else {
            return Ok(None);
        };
        let NutStream { width, height, .. } = self.stream;
        let frame = Frame::from_rgba(width, height, pixels);
        let frame = frame.map_err(|error| self.wrong(error.to_string()))?;
        Ok(Some((ticks, frame)))
    }

    fn receive(&mut self) -> Result<Option<Sent>, FilmError> {
        match self.sent.recv_timeout(self.patience) {
            Ok(Ok(sent)) => Ok(Some(sent)),
            Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Ok(Err(error)) => Err(self.wrong(format!("ffmpeg sent no valid pictures: {error}"))),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(self.wrong(format!(
                "ffmpeg read nothing for {} s and was stopped",
                self.patience.as_secs_f32()
            ))),
        }
    }

    /// What the decoder complained about, once it has ended. `None` if nothing.
    pub fn end(mut self) -> Option<String> {
        let status = status_until(&mut self.child, Instant::now() + self.patience);
        let lines = self.complaints.recv_timeout(self.patience).unwrap_or_default();
        let failed = status.is_none_or(|status| !status.success());
        let words = lines.first().map(|line| plain(line).to_owned());
        self.child.kill().ok();
        let sent = self.sending.take().and_then(|thread| thread.join().ok().flatten());
        let words = words.or_else(|| failed.then(|| "ffmpeg failed".to_owned()));
        words.or(sent)
    }

    /// The error if there was no picture.
    pub fn without_pictures(self, film: &Film<'_>) -> FilmError {
        let name = self.name.clone();
        let length =
            film.clip.end.map(|end| format!("; it is {:.2} s long", end - film.clip.start));
        let reason = match (self.end(), film.range.start) {
            (Some(words), _) => format!("no picture of it can be read ({words})"),
            (None, None) => "no picture of it can be read".to_owned(),
            (None, Some(start)) => {
                format!("it has no picture after {start} s{}", length.unwrap_or_default())
            }
        };
        FilmError::Source { name, reason }
    }

    fn wrong(&self, reason: String) -> FilmError {
        FilmError::Source { name: self.name.clone(), reason }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Reads the stream to its end, or until no one receives.
fn read(from: BufReader<impl io::Read>, sender: &Sender<io::Result<Sent>>) {
    let mut reader = match NutReader::open(from) {
        Ok(reader) => reader,
        Err(error) => {
            sender.send(Err(error)).ok();
            return;
        }
    };
    let mut next = Ok(Some(Sent::Stream(reader.stream())));
    while let Some(sent) = next.transpose() {
        let failed = sent.is_err();
        if sender.send(sent).is_err() || failed {
            return;
        }
        next = reader
            .next_picture()
            .map(|read| read.map(|(ticks, pixels)| Sent::Picture(ticks, pixels)));
    }
}

/// The filters from the stored pictures to red, green and blue.
fn filters(film: &Film<'_>, skipped: u64) -> String {
    let (clip, mut filters) = (film.clip, Vec::new());
    if let Some((over, under)) = film.fps
        && !matches!(clip.reader, Reader::Numbered { .. })
    {
        filters.push(format!("fps={over}/{under}"));
    }
    if skipped > 0 {
        filters.push(format!("select=gte(n\\,{skipped})"));
    }
    if clip.colors.hdr().is_some() {
        filters.push(
            "zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709,tonemap=hable:desat=0,\
             zscale=transfer=bt709:matrix=bt709:range=tv,format=yuv420p"
                .to_owned(),
        );
    }
    let flags = "flags=bicubic+accurate_rnd+full_chroma_int";
    filters.push(match clip.is_rgb {
        true => format!("scale={flags}"),
        false => {
            let (matrix, range) = clip.matrix_and_range();
            format!("scale=in_color_matrix={matrix}:in_range={range}:{flags}")
        }
    });
    filters.push("format=rgba".to_owned());
    filters.join(",")
}
