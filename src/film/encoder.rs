//! A process that encodes one part of a film.

use std::{
    io::Write,
    path::Path,
    process::{Child, ChildStdin, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;

use super::{Codec, Tools, job::Film, plain};
use crate::{
    disk::reason,
    frame::Frame,
    media::{
        ffmpeg,
        nut::{NutMuxer, NutStream},
        process::{complaints, status_until},
    },
};

/// A process that another thread may stop.
#[derive(Clone)]
pub struct Stoppable(Arc<Mutex<Child>>);

impl Stoppable {
    pub fn kill(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kill().ok();
    }
}

/// The encoder of a part. Its process ends with it.
pub struct Encoder {
    /// `None` once it has received all its pictures.
    pictures: Option<ChildStdin>,
    muxer: NutMuxer,
    header: Vec<u8>,
    child: Stoppable,
    complaints: Receiver<Vec<String>>,
    patience: Duration,
}

impl Encoder {
    /// Starts it; it writes the file `part`.
    ///
    /// # Errors
    /// The reason.
    pub fn start(
        tools: &Tools,
        film: &Film<'_>,
        stream: NutStream,
        part: &Path,
    ) -> Result<Self, String> {
        let mut command = tools.command();
        command.args("-f nut -i pipe:0 -map 0:v:0".split(' '));
        let size = (stream.width, stream.height);
        let pixels = film.pixels(size);
        let flags = "flags=bicubic+accurate_rnd+full_chroma_inp";
        let mut colors = Vec::new();
        let filter = if film.container.is_animation() {
            format!("format={pixels}")
        } else {
            let (matrix, range) = film.clip.matrix_and_range();
            let tags;
            (colors, tags) = film.clip.painted_colors().tags();
            let upload = film.hardware.as_deref().map_or("", Codec::upload);
            format!(
                "scale=out_color_matrix={matrix}:out_range={range}:{flags},format={pixels},{tags}{upload}"
            )
        };
        command.args(["-vf", &filter]);
        command.args(tools.ffmpeg.every_picture());
        let (over, under) = stream.tick;
        command.args(["-enc_time_base", &format!("{over}:{under}")]);
        command
            .args(film.codec.options(tools, size, film.quality, film.hardware.as_deref())?)
            .args(colors);
        command.args(["-video_track_timescale", &under.to_string()]);
        command.args(["-f", film.codec.part_extension(), "-y"]).arg(ffmpeg::file(part));
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().map_err(|e| reason(&e))?;
        let (Some(pictures), Some(errors)) = (child.stdin.take(), child.stderr.take()) else {
            child.kill().ok();
            return Err("ffmpeg has no standard streams".to_owned());
        };
        let complaints = complaints(errors)?;
        let child = Stoppable(Arc::new(Mutex::new(child)));
        let (mut muxer, mut header) = (NutMuxer::default(), Vec::new());
        muxer.begin(&stream, &mut header);
        let (pictures, patience) = (Some(pictures), tools.patience);
        Ok(Self { pictures, muxer, header, child, complaints, patience })
    }

    pub fn stoppable(&self) -> Stoppable {
        self.child.clone()
    }

    /// Sends a picture; `ticks` counts from the beginning of the part. Returns whether the process accepted it.
    pub fn send(&mut self, ticks: u64, frame: &Frame) -> bool {
        let Some(pictures) = &mut self.pictures else {
            return false;
        };
        self.muxer.frame(ticks, frame.rgba().len(), &mut self.header);
        let sent = pictures.write_all(&self.header);
        self.header.clear();
        sent.and_then(|()| pictures.write_all(frame.rgba())).is_ok()
    }

    /// Closes its input, so that it finishes the part.
    pub fn finish(&mut self) {
        self.pictures = None;
    }

    /// Whether the process has ended, so that [`Self::wait`] does not wait.
    pub fn has_ended(&self) -> bool {
        let mut child = self.child.0.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(child.try_wait(), Ok(None))
    }

    /// Closes its input, and waits until the part is complete.
    ///
    /// # Errors
    /// Why it is not.
    pub fn wait(mut self) -> Result<(), String> {
        self.finish();
        let status = {
            let mut child = self.child.0.lock().unwrap_or_else(PoisonError::into_inner);
            status_until(&mut child, Instant::now() + self.patience)
        };
        let Some(status) = status else {
            return Err(format!(
                "ffmpeg did not finish within {} s and was stopped",
                self.patience.as_secs_f32()
            ));
        };
        if status.success() {
            return Ok(());
        }
        let lines = self.complaints.recv_timeout(self.patience).unwrap_or_default();
        let words = lines.first().map_or_else(|| status.to_string(), |line| plain(line).to_owned());
        Err(format!("ffmpeg cannot encode: {words}"))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.child.kill();
        self.child.0.lock().unwrap_or_else(PoisonError::into_inner).wait().ok();
    }
}
