//! The queue between the thread that makes frames and the one that writes them, and the progress of a recording.
//!
//! The queue exists before the file, and frames wait while an encoder starts: at most [`MAX_WAITING_BYTES`], which is
//! 17 s of 640 x 480 px at 25 frames per second. A frame that does not fit is dropped and counted.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::output::Shot;
use values::frame::Frame;

/// Maximum memory of queued frames: 512 MiB.
pub const MAX_WAITING_BYTES: u64 = 512 << 20;
/// Maximum number of empty frames kept for reuse.
const EMPTIES: usize = 16;

/// The sink for a recording's frames; belongs to the thread that makes them. If it is dropped, the recording takes no
/// more frames but is still written.
pub struct FrameSink {
    frames: Sender<Shot>,
    /// Written frames return here for reuse.
    empties: Receiver<Frame>,
    pub(super) taken: u64,
    /// Time of the last frame.
    last: Option<Instant>,
    progress: Arc<Progress>,
    most_waiting: u64,
}

/// The frames that a [`FrameSink`] takes, for the [`Recorder`](super::Recorder) that will write them. If all copies are
/// dropped without a recorder, the sink takes no more frames.
#[derive(Clone)]
pub struct TakenFrames {
    pub(super) queue: Receiver<Shot>,
    pub(super) back: Sender<Frame>,
    pub(super) progress: Arc<Progress>,
}

/// The progress of a recording.
#[derive(Default)]
pub(super) struct Progress {
    pub written: AtomicU64,
    /// Bytes of the queued frames.
    waiting: AtomicU64,
    left_out: AtomicU64,
    /// How many of `left_out` were dropped before anything was written.
    left_out_at_start: AtomicU64,
    /// Bytes written to the files.
    pub bytes: AtomicU64,
    /// From the first frame to the last one written, in microseconds.
    pub length_us: AtomicU64,
    /// Time of the first frame.
    pub began: OnceLock<Instant>,
    /// The end of the last frame, if it was set.
    pub until: OnceLock<Instant>,
    /// Why there is no more sound, as text for the user.
    pub no_sound: OnceLock<String>,
    /// Set once no more frames are taken.
    pub has_ended: AtomicBool,
}

impl FrameSink {
    /// A sink that takes frames from now on, and the frames that it takes.
    pub fn open() -> (Self, TakenFrames) {
        Self::with_room(MAX_WAITING_BYTES)
    }

    pub(super) fn with_room(most_waiting: u64) -> (Self, TakenFrames) {
        // Limited by the count of queued bytes.
        let (frames, queue) = unbounded();
        let (back, empties) = bounded(EMPTIES);
        let progress = Arc::<Progress>::default();
        let sink = Self {
            frames,
            empties,
            taken: 0,
            last: None,
            progress: progress.clone(),
            most_waiting,
        };
        let taken = TakenFrames { queue, back, progress };
        (sink, taken)
    }

    /// True if the recording has ended and takes no more frames.
    pub fn has_ended(&self) -> bool {
        self.progress.has_ended.load(Ordering::Relaxed)
    }

    /// Takes a copy of `frame` with time `at`; times in the recording are relative to the first frame. Never waits.
    /// Does nothing after the recording has ended.
    pub fn push(&mut self, frame: &Frame, at: Instant) {
        let progress = &*self.progress;
        let is_late = progress.until.get().is_some_and(|until| at > *until);
        if self.has_ended() || is_late {
            return;
        }
        let bytes = frame.rgba().len() as u64;
        // Only this thread adds to it.
        let waiting = progress.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + bytes > self.most_waiting {
            progress.left_out.fetch_add(1, Ordering::Relaxed);
            if progress.bytes.load(Ordering::Relaxed) == 0 {
                progress.left_out_at_start.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        // A repainted picture can be newer than a frame captured before it, so times are kept monotonic.
        let at = at.max(self.last.unwrap_or(at));
        self.last = Some(at);
        let began = *progress.began.get_or_init(|| at);
        let copy = match self.empties.try_recv() {
            Ok(mut empty) if empty.size() == frame.size() => {
                empty.rgba_mut().copy_from_slice(frame.rgba());
                empty
            }
            _ => frame.clone(),
        };
        let shot =
            Shot { number: self.taken + 1, at: at.saturating_duration_since(began), frame: copy };
        progress.waiting.fetch_add(bytes, Ordering::Relaxed);
        match self.frames.send(shot) {
            Ok(()) => self.taken += 1,
            // The recorder is gone.
            Err(_) => progress.has_ended.store(true, Ordering::Relaxed),
        }
    }
}

impl values::sink::Sink for FrameSink {
    fn take(&mut self, picture: &Frame, at: Instant) {
        self.push(picture, at);
    }

    fn has_ended(&self) -> bool {
        Self::has_ended(self)
    }
}

impl TakenFrames {
    /// Ends the recording at time `at` and shows the last frame until then: it is written again at that time, and later
    /// frames are dropped. Only the first end counts.
    pub fn hold_until(&self, at: Instant) {
        self.progress.until.set(at).ok();
    }

    pub fn has_end(&self) -> bool {
        self.progress.until.get().is_some()
    }

    /// Duration at time `now`: from the first frame to `now`, or to the time set by [`Self::hold_until`].
    pub fn lasts(&self, now: Instant) -> Duration {
        let (began, until) = (self.progress.began.get(), self.progress.until.get());
        let until = until.copied().unwrap_or(now);
        began.map_or(Duration::ZERO, |began| until.saturating_duration_since(*began))
    }

    /// Subtracts a frame that left the queue.
    pub(super) fn is_out(&self, shot: &Shot) {
        let bytes = shot.frame.rgba().len() as u64;
        self.progress.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Progress {
    /// Number of dropped frames, and how many of them before the output started.
    pub fn left_out(&self) -> (u64, u64) {
        let all = self.left_out.load(Ordering::Relaxed);
        (all, self.left_out_at_start.load(Ordering::Relaxed))
    }
}
