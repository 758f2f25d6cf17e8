//! A process of ffmpeg that encodes what it receives.

use std::{
    io::Write,
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use crossbeam_channel::{Sender, unbounded};

use super::{
    codec::{Codec, Colors, HARDWARE_PIXELS, Pace},
    ffmpeg::{Ffmpeg, Input, unwritten},
    memory::Flow,
    nut::{NutMuxer, NutStream, Track},
};
use threads::process::{End, Missed, Process, Wait, spawn, standard_stream};
use values::{control::RunControl, lock::lock, yuv420::Yuv420};

/// How the pictures of a stream are encoded.
pub struct Encoding<'a> {
    pub ffmpeg: &'a Ffmpeg,
    pub codec: Codec,
    /// 1 to 100; only used by lossy codecs.
    pub quality: u8,
    /// The encoder of a graphics card, by [`Codec::hardware`].
    pub hardware: Option<&'a str>,
    pub pace: Pace,
    pub flow: Flow,
    pub has_alpha: bool,
    /// ffmpeg's names of the order of their fields, for filters and for encoders, if they are interlaced.
    pub fields: Option<[&'a str; 2]>,
    /// Their colours, and ffmpeg's names of the matrix and range of these. `None` stores red, green, blue and alpha.
    pub colors: Option<(Colors, &'a str, &'a str)>,
}

impl Encoding<'_> {
    /// The encoder for pictures of this size, and its options.
    ///
    /// # Errors
    /// The reason, if this ffmpeg has no encoder.
    pub fn options(&self, size: (usize, usize)) -> Result<Vec<String>, String> {
        let Self { ffmpeg, codec, quality, hardware, pace, .. } = *self;
        match hardware {
            Some(encoder) => Ok(codec.hardware_options(encoder, quality)),
            None => codec.options(ffmpeg, size, quality, pace).map_err(|why| why.to_string()),
        }
    }

    /// ffmpeg's name of the pixel format in which pictures of this size are stored.
    fn pixels(&self, size: (usize, usize)) -> &'static str {
        match (&self.colors, self.hardware) {
            (None, _) => "bgra",
            (Some(_), Some(_)) => HARDWARE_PIXELS,
            (Some(_), None) => self.codec.pixels(size, self.has_alpha),
        }
    }

    /// How this program converts pictures of this size; `None` if ffmpeg does, which takes longer.
    pub fn yuv(&self, size: (usize, usize)) -> Option<Yuv420> {
        let (_, matrix, range) = self.colors.as_ref()?;
        let is_yuv = matches!(self.pixels(size), "yuv420p" | HARDWARE_PIXELS);
        Yuv420::named(matrix, range).filter(|_| is_yuv)
    }

    /// The command for such a stream, without its output.
    ///
    /// # Errors
    /// See [`Self::options`].
    pub fn command(&self, stream: &NutStream) -> Result<Command, String> {
        let Self { ffmpeg, colors, hardware, .. } = self;
        let size = (stream.width, stream.height);
        let pixels = self.pixels(size);
        let mut command = ffmpeg.command();
        // Otherwise SVT-AV1 writes its settings where errors belong.
        command.env("SVT_LOG", "1");
        if self.pace == Pace::Live {
            // The first picture is enough to detect the format; waiting for more would delay them.
            command.args("-probesize 32 -analyzeduration 0".split(' '));
        }
        Input::Sent.add_to(&mut command);
        command.args(["-map", "0:v:0"]);
        let mut filter = format!("format={pixels}");
        if let Some((colors, matrix, range)) = colors {
            let flags = "flags=bicubic+accurate_rnd+full_chroma_inp";
            let upload = hardware.map_or("", Codec::upload);
            let scale = match stream.yuv {
                Some(_) => String::new(),
                None => format!("scale=out_color_matrix={matrix}:out_range={range}:{flags},"),
            };
            filter = format!("{scale}{filter},{}{upload}", colors.tags());
        }
        if let Some([filtered, encoded]) = self.fields {
            filter.push_str(&format!(",setfield={filtered}"));
            command.args(["-field_order", encoded, "-flags", "+ildct"]);
        }
        command.args(["-vf", &filter]).args(ffmpeg.every_picture());
        let (over, under) = stream.tick;
        command.args(["-enc_time_base:v", &format!("{over}:{under}")]);
        command.args(self.options(size)?);
        if hardware.is_none() {
            command.args(self.codec.options_of(self.flow));
        }
        command.args(["-video_track_timescale", &under.to_string()]);
        Ok(command)
    }
}

/// A process that another thread may stop.
#[derive(Clone)]
pub struct Stoppable(Arc<Mutex<Process>>);

impl Stoppable {
    pub fn kill(&self) {
        lock(&self.0).child.kill().ok();
    }
}

/// An encoder at work. Its process ends with it.
pub struct Encoder {
    /// `None` once it has received everything.
    input: Option<ChildStdin>,
    muxer: NutMuxer,
    header: Vec<u8>,
    stream: NutStream,
    /// The last picture as the stream stores it.
    converted: Vec<u8>,
    /// Receives a message before and after each write; closed once the process was stopped because it accepted nothing.
    writes: Sender<()>,
    child: Stoppable,
    patience: Duration,
    control: Arc<RunControl>,
    /// It was stopped because it accepted nothing.
    is_stopped: bool,
    /// It ended although it could receive more.
    ended_early: bool,
}

impl Encoder {
    /// Starts a command that reads a NUT stream from its standard input. It is stopped if it accepts nothing, or does
    /// not end, for as long as the patience, and when `control` is cancelled. Without one, it is a recording, which is
    /// completed also if this program ends.
    ///
    /// # Errors
    /// The reason.
    pub fn start(
        mut command: Command,
        stream: &NutStream,
        patience: Duration,
        control: Option<&Arc<RunControl>>,
    ) -> Result<Self, String> {
        let end = if control.is_some() { End::Killed } else { End::Completed };
        command.stdin(Stdio::piped());
        let mut process = Process::start(command, end)?;
        let control = control.cloned().unwrap_or_default();
        let input = Some(standard_stream(process.child.stdin.take())?);
        let child = Stoppable(Arc::new(Mutex::new(process)));
        let (writes, written) = unbounded();
        let (watched, cancelled) = (child.clone(), control.clone());
        spawn("encoder watch", move || {
            while written.recv().is_ok() {
                match Wait::new(patience, &cancelled).receive(&written) {
                    Ok(()) => {}
                    Err(Missed::Closed) => return,
                    Err(_) => {
                        // First, so that the write that fails then can see why.
                        drop(written);
                        return watched.kill();
                    }
                }
            }
        })?;
        let (mut muxer, mut header) = (NutMuxer::default(), Vec::new());
        muxer.begin(stream, &mut header);
        Ok(Self {
            input,
            muxer,
            header,
            stream: *stream,
            converted: Vec::new(),
            writes,
            child,
            patience,
            control,
            is_stopped: false,
            ended_early: false,
        })
    }

    pub fn stoppable(&self) -> Stoppable {
        self.child.clone()
    }

    /// Sends a picture in RGBA8, or samples, which begin at `ticks`. Returns whether the process accepted them.
    pub fn send(&mut self, track: Track, ticks: u64, content: &[u8]) -> bool {
        let Some(input) = &mut self.input else {
            return false;
        };
        let NutStream { width, height, yuv, .. } = self.stream;
        let content = match yuv {
            Some(yuv) if track == Track::Pictures => {
                yuv.encode((width, height), content, &mut self.converted);
                &self.converted
            }
            _ => content,
        };
        self.muxer.frame(track, ticks, content.len(), &mut self.header);
        self.writes.send(()).ok();
        let sent = input.write_all(&self.header).and_then(|()| input.write_all(content));
        self.header.clear();
        self.is_stopped |= self.writes.send(()).is_err();
        self.ended_early |= sent.is_err();
        sent.is_ok()
    }

    /// True if the process has ended, so that [`Self::wait`] does not wait.
    pub fn has_ended(&self) -> bool {
        !matches!(lock(&self.child.0).child.try_wait(), Ok(None))
    }

    /// Closes its input, so that it completes its output.
    pub fn finish(&mut self) {
        self.ended_early |= self.input.is_some() && self.has_ended();
        self.input = None;
    }

    /// Waits until the output is complete.
    ///
    /// # Errors
    /// Why it is not.
    pub fn wait(mut self) -> Result<(), String> {
        self.finish();
        let (status, lines) = lock(&self.child.0).end(self.patience, &self.control);
        let seconds = self.patience.as_secs_f32();
        match status {
            _ if self.is_stopped => {
                Err(format!("ffmpeg encoded nothing for {seconds} s and was stopped"))
            }
            None => Err(format!("ffmpeg did not finish within {seconds} s and was stopped")),
            Some(status) if !status.success() => {
                let words = lines.into_iter().next().unwrap_or_else(|| status.to_string());
                Err(format!("ffmpeg cannot encode: {words}"))
            }
            Some(_) if self.ended_early => Err("ffmpeg ended early".to_owned()),
            Some(_) => unwritten(&lines.join("\n"))
                .map_or(Ok(()), |why| Err(format!("ffmpeg cannot encode: {why}"))),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        lock(&self.child.0).kill();
    }
}
