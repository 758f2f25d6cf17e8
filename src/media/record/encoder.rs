//! An encoder in a separate process: reads pictures and writes a file.
//!
//! Three threads serve its pipes: one sends pictures to it, one writes its output to the file, and one reads its error
//! messages, because the process would block if that pipe were full. The recorder's thread waits for none of them
//! longer than the patience; then it kills the process.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};

use super::{file::refused, fragments::Fragments};
use crate::{
    disk::{self, cannot_write, folder_of, reason},
    media::{
        MediaError,
        process::{self, status_until},
    },
};

/// Maximum bytes to read from the encoder at once.
const PIECE_BYTES: usize = 1 << 16;
/// How many times the patience may pass at the end while the encoder makes progress. At most two pictures are left to
/// encode then.
const MAX_PATIENCES: u32 = 3;

/// A process that encodes.
pub struct Encoder {
    child: Child,
    /// Of the file.
    path: PathBuf,
    /// `None` once there are no more pictures.
    pictures: Option<Sender<Vec<u8>>>,
    /// Used buffers, to be filled again.
    empties: Receiver<Vec<u8>>,
    /// The result of writing the file, sent when the encoder's output ends.
    stored: Receiver<io::Result<()>>,
    /// Closed when the encoder's output ends.
    broken: Receiver<()>,
    complaints: Receiver<Vec<String>>,
    progress: Arc<Progress>,
    patience: Duration,
    /// Whether it was killed because it accepted no picture.
    stands_still: bool,
    /// Whether it stopped accepting pictures although there were more.
    ended_by_itself: bool,
}

/// The progress of the threads.
#[derive(Default)]
struct Progress {
    /// Pictures written to the pipe.
    fed: AtomicU64,
    /// Bytes in the file.
    bytes: AtomicU64,
    /// Frames in the file that can be played.
    frames: AtomicU64,
    /// Set when nothing may be written to the file any more.
    is_closed: AtomicBool,
}

impl Encoder {
    /// Takes over a process that was just started; its output goes to `file`, which is at `path`.
    ///
    /// # Errors
    /// If the process has no pipes or no thread can be started, as text.
    pub fn over(
        mut child: Child,
        file: Arc<File>,
        path: &Path,
        patience: Duration,
    ) -> Result<Self, String> {
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(to), Some(from), Some(complaining)) = pipes else {
            child.kill().ok();
            return Err("it has no standard streams".to_owned());
        };
        let progress = Arc::<Progress>::default();
        let (pictures, waiting) = bounded::<Vec<u8>>(1);
        let (back, empties) = bounded(2);
        let (tell_stored, stored) = bounded(1);
        let (still_whole, broken) = bounded::<()>(0);
        let complaints = process::complaints(complaining).inspect_err(|_| {
            child.kill().ok();
            child.wait().ok();
        })?;
        let fed = progress.clone();
        let feeding = move || feed(to, &waiting, &back, &fed);
        let seen = progress.clone();
        let stored_path = path.to_owned();
        let storing = move || {
            let result = store(from, &file, &seen);
            let result = result.and_then(|()| disk::sync_file(&file, &stored_path));
            tell_stored.send(result).ok();
            drop(still_whole);
        };
        let works: [Box<dyn FnOnce() + Send>; 2] = [Box::new(feeding), Box::new(storing)];
        for work in works {
            let thread = thread::Builder::new().name("video".to_owned());
            if let Err(error) = thread.spawn(work) {
                child.kill().ok();
                child.wait().ok();
                return Err(reason(&error));
            }
        }
        Ok(Self {
            child,
            path: path.to_owned(),
            pictures: Some(pictures),
            empties,
            stored,
            broken,
            complaints,
            progress,
            patience,
            stands_still: false,
            ended_by_itself: false,
        })
    }

    /// An empty buffer to fill.
    pub fn buffer(&self) -> Vec<u8> {
        let mut buffer = self.empties.try_recv().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Sends a picture; waits while the previous one is still being sent. Returns `false` if the encoder accepts no
    /// more pictures; [`Encoder::end`] returns the reason. An encoder that makes no progress for as long as the
    /// patience is killed.
    pub fn send(&mut self, picture: Vec<u8>) -> bool {
        let Some(pictures) = &self.pictures else {
            return false;
        };
        match pictures.send_timeout(picture, self.patience) {
            Ok(()) => true,
            Err(SendTimeoutError::Timeout(_)) => {
                self.stands_still = true;
                self.child.kill().ok();
                false
            }
            Err(SendTimeoutError::Disconnected(_)) => {
                self.ended_by_itself = true;
                false
            }
        }
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    /// Ready once the encoder's output has ended.
    pub fn broken(&self) -> Receiver<()> {
        self.broken.clone()
    }

    /// Lets the encoder finish, and waits until the file is on the disk. The encoder is killed if it makes no progress
    /// for as long as the patience, or does not end within three times that. Returns why not everything was encoded,
    /// and the bytes and frames in the file.
    pub fn end(mut self) -> (Result<(), MediaError>, u64, u64) {
        let result = self.wait();
        let frames = self.progress.frames.load(Ordering::Relaxed);
        (result, self.bytes(), frames)
    }

    fn wait(&mut self) -> Result<(), MediaError> {
        // It ended although its input was still open.
        self.ended_by_itself |= !self.stored.is_empty();
        self.pictures = None;
        let (stored, hangs) = self.stored();
        let (status, goes_on) = self.status();
        let what = match stored {
            Some(Err(error)) => {
                let reason = cannot_write(folder_of(&self.path), &error);
                return Err(refused(&self.path, reason));
            }
            _ if hangs || self.stands_still => {
                let seconds = self.patience.as_secs_f64();
                format!("ffmpeg made no progress for {seconds} s and was stopped")
            }
            _ if goes_on => "ffmpeg did not end with the recording and was stopped".to_owned(),
            _ if !self.ended_by_itself && status.is_some_and(|status| status.success()) => {
                return Ok(());
            }
            _ => ended(status),
        };
        let mut reasons = vec![what];
        reasons.extend(self.complaints.recv_timeout(self.patience).ok().map(|c| c.join("; ")));
        reasons.retain(|reason| !reason.is_empty());
        Err(refused(&self.path, reasons.join(": ")))
    }

    /// The result of writing the file, and whether the encoder had to be killed for it.
    fn stored(&mut self) -> (Option<io::Result<()>>, bool) {
        let mut before = self.moved();
        // Limited, because an encoder that writes endlessly also makes progress.
        for _ in 0..MAX_PATIENCES {
            match self.stored.recv_timeout(self.patience) {
                Ok(result) => return (Some(result), false),
                Err(RecvTimeoutError::Disconnected) => return (None, false),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.moved();
            if now == before {
                break;
            }
            before = now;
        }
        self.child.kill().ok();
        let result = self.stored.recv_timeout(self.patience).ok();
        // A child of the encoder may still hold the pipe open.
        self.progress.is_closed.store(true, Ordering::Relaxed);
        (result, true)
    }

    /// A value that changes with any progress.
    fn moved(&self) -> (u64, u64) {
        (self.progress.fed.load(Ordering::Relaxed), self.bytes())
    }

    /// The exit status, and whether the process continued after its output ended and had to be killed.
    fn status(&mut self) -> (Option<ExitStatus>, bool) {
        if let Some(status) = status_until(&mut self.child, Instant::now() + self.patience) {
            return (Some(status), false);
        }
        self.child.kill().ok();
        (self.child.wait().ok(), true)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // Has no effect if the process has already ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn ended(status: Option<ExitStatus>) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.and_then(|status| status.signal()) {
            return format!("ffmpeg was stopped by signal {signal}");
        }
    }
    match status.and_then(|status| status.code()) {
        Some(0) => "ffmpeg ended by itself".to_owned(),
        Some(code) => format!("ffmpeg ended with exit code {code}"),
        None => "ffmpeg ended".to_owned(),
    }
}

/// Sends pictures to the encoder until there are no more or it accepts none.
fn feed(
    mut to: impl Write,
    waiting: &Receiver<Vec<u8>>,
    back: &Sender<Vec<u8>>,
    progress: &Progress,
) {
    for picture in waiting {
        // The process's own error messages contain the reason.
        if to.write_all(&picture).and_then(|()| to.flush()).is_err() {
            return;
        }
        progress.fed.fetch_add(1, Ordering::Relaxed);
        back.try_send(picture).ok();
    }
}

/// Writes the encoder's output to the file.
fn store(mut from: impl Read, mut file: &File, progress: &Progress) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut fragments = Fragments::default();
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if progress.is_closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        file.write_all(&piece[..read])?;
        fragments.pass(&piece[..read]);
        progress.bytes.fetch_add(read as u64, Ordering::Relaxed);
        progress.frames.store(fragments.frames(), Ordering::Relaxed);
    }
}
