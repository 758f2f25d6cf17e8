//! Frames between the thread that makes them and the one that writes them, and how far a recording is.
//!
//! The queue is there before the file, and frames wait while an encoder starts: at most [`MOST_WAITING_BYTES`], which
//! is 17 s of 640 x 480 px at 25 frames a second. A frame that finds no room is left out and counted.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::output::Shot;
use crate::frame::Frame;

/// Memory that frames may take which wait to be written: 512 MiB.
pub const MOST_WAITING_BYTES: u64 = 512 << 20;
/// Emptied frames that are kept to be filled again.
const EMPTIES: usize = 16;

/// The sink for a recording's frames; belongs to the thread that makes them. The recording goes on without it
/// and takes no more frames.
pub struct FrameSink {
    frames: Sender<Shot>,
    /// Emptied frames come back to be filled again.
    empties: Receiver<Frame>,
    pub(super) taken: u64,
    /// Time of the last frame.
    last: Option<Instant>,
    progress: Arc<Progress>,
    most_waiting: u64,
}

/// The frames that a [`FrameSink`] takes, for the [`Recorder`](super::Recorder) that will write them. Where all copies
/// are dropped without one, the sink takes no more.
#[derive(Clone)]
pub struct TakenFrames {
    pub(super) queue: Receiver<Shot>,
    pub(super) back: Sender<Frame>,
    pub(super) progress: Arc<Progress>,
}

/// How far a recording is.
#[derive(Default)]
pub(super) struct Progress {
    pub written: AtomicU64,
    /// Bytes of the frames that wait.
    waiting: AtomicU64,
    left_out: AtomicU64,
    /// Those of them that were left out before anything was written.
    left_out_at_start: AtomicU64,
    /// Of the files.
    pub bytes: AtomicU64,
    /// From the first frame to the last that was written, in microseconds.
    pub length_us: AtomicU64,
    /// Time of the first frame.
    pub began: OnceLock<Instant>,
    /// Until when the last frame is seen, where that is told.
    pub until: OnceLock<Instant>,
    /// Set once no frame is taken any more.
    pub has_ended: AtomicBool,
}

impl FrameSink {
    /// A sink that takes frames from now on, and the frames that it takes.
    pub fn open() -> (Self, TakenFrames) {
        Self::with_room(MOST_WAITING_BYTES)
    }

    pub(super) fn with_room(most_waiting: u64) -> (Self, TakenFrames) {
        // Bounded by the bytes that are counted.
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

    /// Whether the recording has ended and takes no more frames.
    pub fn has_ended(&self) -> bool {
        self.progress.has_ended.load(Ordering::Relaxed)
    }

    /// Takes a copy of `frame`, which is of this time; times in the recording count from the first frame's. Never
    /// waits. A recording that has ended takes nothing.
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
        // A picture that is painted again is newer than a frame that was captured before that.
        let at = at.max(self.last.unwrap_or(at));
        self.last = Some(at);
        let began = *progress.began.get_or_init(|| at);
        let copy = match self.empties.try_recv() {
            Ok(mut empty) if (empty.width(), empty.height()) == (frame.width(), frame.height()) => {
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
            // Nobody will write it.
            Err(_) => progress.has_ended.store(true, Ordering::Relaxed),
        }
    }
}

impl TakenFrames {
    /// As [`Recorder::hold_until`](super::Recorder::hold_until), before there is a recorder.
    pub fn hold_until(&self, at: Instant) {
        self.progress.hold_until(at);
    }

    /// Whether the end of the recording was told.
    pub fn has_end(&self) -> bool {
        self.progress.until.get().is_some()
    }

    /// As [`Recorder::lasts`](super::Recorder::lasts), before there is a recorder.
    pub fn lasts(&self, now: Instant) -> Duration {
        self.progress.lasts(now)
    }

    /// A frame that waited does so no more.
    pub(super) fn is_out(&self, shot: &Shot) {
        let bytes = shot.frame.rgba().len() as u64;
        self.progress.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Progress {
    /// Frames that were left out, and those of them that were before the output had begun.
    pub fn left_out(&self) -> (u64, u64) {
        let all = self.left_out.load(Ordering::Relaxed);
        (all, self.left_out_at_start.load(Ordering::Relaxed))
    }

    pub fn hold_until(&self, at: Instant) {
        // The first end is the end.
        self.until.set(at).ok();
    }

    pub fn lasts(&self, now: Instant) -> Duration {
        let (began, until) = (self.began.get(), self.until.get());
        let until = until.copied().unwrap_or(now);
        began.map_or(Duration::ZERO, |began| until.saturating_duration_since(*began))
    }
}
