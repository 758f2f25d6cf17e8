//! A process of ffmpeg that encodes what it receives.

use std::{
    io::Write,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::{
    ffmpeg::plain,
    nut::{NutMuxer, NutStream, Track},
    process::{complaints, status_until},
};
use crate::disk::reason;

/// A process that another thread may stop.
#[derive(Clone)]
pub(crate) struct Stoppable(Arc<Mutex<Child>>);

impl Stoppable {
    pub fn kill(&self) {
        self.lock().kill().ok();
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An encoder at work.
pub(crate) struct Encoder {
    input: ChildStdin,
    muxer: NutMuxer,
    header: Vec<u8>,
    /// Receives a message before and after each write; closed once the process was stopped because it accepted nothing.
    writes: Sender<()>,
    ending: Ending,
}

/// An encoder that has received everything. Its process ends with it.
pub(crate) struct Ending {
    child: Stoppable,
    complaints: Receiver<Vec<String>>,
    patience: Duration,
    /// Whether it was stopped because it accepted nothing.
    is_stopped: bool,
    /// Whether it ended although it could receive more.
    ended_early: bool,
}

impl Encoder {
    /// Starts a command that reads a NUT stream from its standard input. It is stopped if it accepts nothing, or does
    /// not end, for as long as the patience.
    ///
    /// # Errors
    /// The reason.
    pub fn start(
        mut command: Command,
        stream: &NutStream,
        patience: Duration,
    ) -> Result<Self, String> {
        let mut child = command.stdin(Stdio::piped()).spawn().map_err(|e| reason(&e))?;
        let (Some(input), Some(errors)) = (child.stdin.take(), child.stderr.take()) else {
            child.kill().ok();
            return Err("ffmpeg has no standard streams".to_owned());
        };
        let child = Stoppable(Arc::new(Mutex::new(child)));
        let complaints = complaints(errors).inspect_err(|_| child.kill())?;
        let ending = Ending {
            child: child.clone(),
            complaints,
            patience,
            is_stopped: false,
            ended_early: false,
        };
        let (writes, written) = unbounded();
        let watch = move || {
            while written.recv().is_ok() {
                if written.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                    return child.kill();
                }
            }
        };
        let watching = thread::Builder::new().name("encoder watch".to_owned()).spawn(watch);
        watching.map_err(|e| reason(&e))?;
        let (mut muxer, mut header) = (NutMuxer::default(), Vec::new());
        muxer.begin(stream, &mut header);
        Ok(Self { input, muxer, header, writes, ending })
    }

    pub fn stoppable(&self) -> Stoppable {
        self.ending.child.clone()
    }

    /// Sends a picture or samples, which begin at `ticks`. Returns whether the process accepted them.
    pub fn send(&mut self, track: Track, ticks: u64, content: &[u8]) -> bool {
        self.muxer.frame(track, ticks, content.len(), &mut self.header);
        self.writes.send(()).ok();
        let sent = self.input.write_all(&self.header);
        self.header.clear();
        let is_sent = sent.and_then(|()| self.input.write_all(content)).is_ok();
        self.ending.is_stopped |= self.writes.send(()).is_err();
        self.ending.ended_early |= !is_sent;
        is_sent
    }

    /// Whether the process has ended although it may receive more.
    pub fn has_ended(&self) -> bool {
        self.ending.has_ended()
    }

    /// Closes its input, so that it finishes its output.
    pub fn finish(mut self) -> Ending {
        self.ending.ended_early |= self.has_ended();
        self.ending
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.child.kill();
        self.child.lock().wait().ok();
    }
}

impl Ending {
    /// Whether the process has ended, so that [`Ending::wait`] does not wait.
    pub fn has_ended(&self) -> bool {
        !matches!(self.child.lock().try_wait(), Ok(None))
    }

    /// Waits until the output is complete.
    ///
    /// # Errors
    /// Why it is not.
    pub fn wait(self) -> Result<(), String> {
        let status = status_until(&mut self.child.lock(), Instant::now() + self.patience);
        let seconds = self.patience.as_secs_f32();
        match status {
            _ if self.is_stopped => {
                Err(format!("ffmpeg encoded nothing for {seconds} s and was stopped"))
            }
            None => Err(format!("ffmpeg did not finish within {seconds} s and was stopped")),
            Some(status) if !status.success() => {
                let lines = self.complaints.recv_timeout(self.patience).unwrap_or_default();
                let line = lines.first().map(|line| plain(line).to_owned());
                let words = line.unwrap_or_else(|| status.to_string());
                Err(format!("ffmpeg cannot encode: {words}"))
            }
            Some(_) if self.ended_early => Err("ffmpeg ended early".to_owned()),
            Some(_) => Ok(()),
        }
    }
}
