//! Puts measurements into the gaps between frames, as far as there are any; frames never wait.
//!
//! The device's own priorities let a frame's launches pass before those that wait, but not before those that
//! run. Any thread may call.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a gap is waited for: a device that is never idle has none.
const PATIENCE: Duration = Duration::from_millis(250);

/// The frames that are on a device.
#[derive(Default)]
pub(super) struct FrameGaps {
    frames: Mutex<u32>,
    gap: Condvar,
}

/// A frame on the device, until it is dropped.
pub(super) struct FrameOnDevice<'a>(&'a FrameGaps);

impl FrameGaps {
    fn frames(&self) -> MutexGuard<'_, u32> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a frame is launched. Allocates nothing.
    pub(super) fn frame(&self) -> FrameOnDevice<'_> {
        *self.frames() += 1;
        FrameOnDevice(self)
    }

    /// Waits a bounded time until no frame is on the device.
    pub(super) fn wait_for_gap(&self) {
        // With a gap or without one, the measurement starts now.
        self.has_gap_within(PATIENCE);
    }

    /// Waits at most `patience` until no frame is on the device; whether that happened.
    fn has_gap_within(&self, patience: Duration) -> bool {
        let is_busy = |frames: &mut u32| *frames > 0;
        let waited = (self.gap).wait_timeout_while(self.frames(), patience, is_busy);
        let (frames, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *frames == 0
    }
}

impl Drop for FrameOnDevice<'_> {
    fn drop(&mut self) {
        *self.0.frames() -= 1;
        self.0.gap.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Bounds a test that would hang.
    const LONG: Duration = Duration::from_secs(120);

    #[test]
    fn what_is_measured_waits_for_frames_but_not_for_ever() {
        let gaps = FrameGaps::default();
        assert!(gaps.has_gap_within(Duration::ZERO), "nothing is painted");
        let frame = gaps.frame();
        assert!(!gaps.has_gap_within(Duration::ZERO), "it is painted yet");
        let is_over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                assert!(gaps.has_gap_within(LONG));
                assert!(is_over.load(Ordering::SeqCst), "before the frame was over");
            });
            std::thread::sleep(Duration::from_millis(20));
            is_over.store(true, Ordering::SeqCst);
            drop(frame);
        });
        // Ends although no gap comes.
        let _frame = gaps.frame();
        gaps.wait_for_gap();
    }
}
