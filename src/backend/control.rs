//! What the one who waits for a run and the device that works on it share.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Shared between the one who waits for a run and the device that works on it: progress one way,
/// a wish to stop the other way. Never blocks.
#[derive(Debug, Default)]
pub struct RunControl {
    cancelled: AtomicBool,
    done_permille: AtomicU32,
    /// Which of [`Self::parts`] is being worked on.
    part: AtomicU32,
    /// Equal parts of the run; 0 counts as 1.
    parts: AtomicU32,
}

impl RunControl {
    /// Asks the run to stop as soon as it can.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Share of the work done, 0 to 1.
    pub fn progress(&self) -> f32 {
        self.done_permille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    /// What is told from now on is about part `part` (from 0) of `parts`; (0, 1) is the whole run.
    pub fn begin_part(&self, part: u32, parts: u32) {
        self.part.store(part, Ordering::Relaxed);
        self.parts.store(parts, Ordering::Relaxed);
    }

    /// Tells the share of the part in hand that is done, 0 to 1.
    pub fn set_progress(&self, share: f32) {
        let part = self.part.load(Ordering::Relaxed) as f32;
        let parts = self.parts.load(Ordering::Relaxed).max(1) as f32;
        let permille = ((part + share.clamp(0.0, 1.0)) / parts * 1000.0) as u32;
        self.done_permille.store(permille, Ordering::Relaxed);
    }
}
