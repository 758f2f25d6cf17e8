//! State shared by a source's threads and the handle: settings that change while the source runs, the event channel,
//! and the stop signal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded, select};

use super::problem::{CaptureEvent, CaptureProblem};

/// Settings of a running source that the handle changes, and counters of its threads.
pub(super) struct SourceControl {
    source_px: AtomicUsize,
    /// The picture is held, so that new frames are not shown.
    pub held: AtomicBool,
    /// The reader accepts a camera's frames in the camera's own format.
    pub takes_raw: AtomicBool,
    changed: (Sender<()>, Receiver<()>),
    /// Truncated or damaged frames that were skipped.
    pub damaged_frames: AtomicU64,
}

impl SourceControl {
    pub fn new(source_px: usize) -> Self {
        Self {
            source_px: AtomicUsize::new(source_px),
            held: AtomicBool::new(false),
            takes_raw: AtomicBool::new(false),
            changed: bounded(1),
            damaged_frames: AtomicU64::new(0),
        }
    }

    /// Long side that the source's frames should have, in pixels.
    pub fn source_px(&self) -> usize {
        self.source_px.load(Ordering::Relaxed)
    }

    pub fn set_source_px(&self, px: usize) {
        if self.source_px.swap(px, Ordering::Relaxed) != px {
            self.notify();
        }
    }

    pub fn set_held(&self, held: bool) {
        if self.held.swap(held, Ordering::Relaxed) != held {
            self.notify();
        }
    }

    fn notify(&self) {
        // If a signal is already pending, its receiver will read the newest values.
        let _ = self.changed.0.try_send(());
    }
}

/// Sends events. If the channel is full, the oldest event is dropped.
#[derive(Clone)]
pub(super) struct Events {
    pub sender: Sender<CaptureEvent>,
    /// The other end, for dropping events.
    pub waiting: Receiver<CaptureEvent>,
}

impl Events {
    pub fn send(&self, mut event: CaptureEvent) {
        while let Err(TrySendError::Full(back)) = self.sender.try_send(event) {
            event = back;
            let _ = self.waiting.try_recv();
        }
    }
}

/// Everything that a source needs in addition to its writer.
pub(super) struct Feed {
    pub events: Events,
    pub control: Arc<SourceControl>,
    /// Disconnects when the source has to stop.
    pub stopped: Receiver<()>,
}

impl Feed {
    /// Waits. Returns whether the source continues.
    pub fn wait(&self, duration: Duration) -> bool {
        matches!(self.stopped.recv_timeout(duration), Err(RecvTimeoutError::Timeout))
    }

    /// Waits for a change of [`SourceControl`] until `deadline`, or without limit if it is `None`. Returns whether the
    /// source continues.
    pub fn wait_for_change(&self, deadline: Option<Instant>) -> bool {
        let timer = deadline.map_or_else(crossbeam_channel::never, crossbeam_channel::at);
        select! {
            recv(self.stopped) -> _ => false,
            recv(self.control.changed.1) -> _ => true,
            recv(timer) -> _ => true,
        }
    }

    pub fn started(&self, described: String) {
        self.events.send(CaptureEvent::Started { described, format: None });
    }

    pub fn waiting(&self, problem: CaptureProblem) {
        self.events.send(CaptureEvent::Waiting(problem));
    }

    pub fn ended(&self, problem: CaptureProblem) {
        self.events.send(CaptureEvent::Ended(problem));
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_event_is_dropped() {
        let (sender, receiver) = bounded(2);
        let events = Events { sender, waiting: receiver.clone() };
        for problem in [CaptureProblem::NoCamera, CaptureProblem::Busy, CaptureProblem::Unplugged] {
            events.send(CaptureEvent::Waiting(problem));
        }
        let left: Vec<CaptureEvent> = receiver.try_iter().collect();
        assert_eq!(
            left,
            [
                CaptureEvent::Waiting(CaptureProblem::Busy),
                CaptureEvent::Waiting(CaptureProblem::Unplugged)
            ]
        );
    }
}
