//! Progress and cancellation of a run, or of anything else that takes long.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Shared between the caller that waits for a run and the device or process that works on it: the device reports progress,
/// and the caller can cancel. Never blocks.
#[derive(Debug, Default)]
pub struct RunControl {
    cancelled: AtomicBool,
    done_permille: AtomicU32,
    /// Index of the part in progress, below [`Self::parts`].
    part: AtomicU32,
    /// Number of equal parts of the run; 0 counts as 1.
    parts: AtomicU32,
}

impl RunControl {
    /// Cancels the run, which stops as soon as it can.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// # Errors
    /// `cancelled` if the run is cancelled.
    pub fn check<E>(&self, cancelled: E) -> Result<(), E> {
        if self.is_cancelled() { Err(cancelled) } else { Ok(()) }
    }

    /// Completed share of the work, from 0 to 1.
    pub fn progress(&self) -> f32 {
        self.done_permille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    /// From now on, progress is that of part `part` (from 0) of `parts`. (0, 1) is the whole run.
    pub fn begin_part(&self, part: u32, parts: u32) {
        self.part.store(part, Ordering::Relaxed);
        self.parts.store(parts, Ordering::Relaxed);
    }

    /// Calls `work` with each of `items`, as equal parts of the run, until it fails. A single item keeps the caller's
    /// progress, because it may be a part of a longer run.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn in_parts<T, E>(
        &self,
        items: impl ExactSizeIterator<Item = T>,
        mut work: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let parts = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if parts == 1 {
            return items.into_iter().try_for_each(work);
        }
        let done = (0..parts).zip(items).try_for_each(|(part, item)| {
            self.begin_part(part, parts);
            work(item)
        });
        self.begin_part(0, 1);
        done
    }

    /// Sets the completed share of the current part, from 0 to 1.
    pub fn set_progress(&self, share: f32) {
        let part = self.part.load(Ordering::Relaxed) as f32;
        let parts = self.parts.load(Ordering::Relaxed).max(1) as f32;
        let permille = ((part + share.clamp(0.0, 1.0)) / parts * 1000.0) as u32;
        self.done_permille.store(permille, Ordering::Relaxed);
    }
}
