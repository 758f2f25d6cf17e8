//! What transfers of frames need: host memory that the device copies from and to, copies to and from it, and events.

use std::{
    num::NonZero,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::driver::{Driver, DriverFailure, Event, PinnedPtr};

/// Host memory that the device copies from and to; given back when dropped.
pub(super) struct Pinned {
    pub(super) start: PinnedPtr,
    bytes: usize,
    driver: Arc<dyn Driver>,
}

impl Pinned {
    pub(super) fn take(driver: &Arc<dyn Driver>, bytes: usize) -> Result<Self, DriverFailure> {
        Ok(Self {
            start: driver.allocate_pinned(bytes)?,
            bytes,
            driver: driver.clone(),
        })
    }

    /// The first bytes and the rest: photos in, paintings out.
    pub(super) fn halves(&mut self, first_bytes: usize) -> (&mut [u8], &mut [u8]) {
        // SAFETY: our own allocation of this many bytes. The device does not work on it now: the session waits
        // for a slot's frames before it stages or takes out others.
        let all = unsafe { std::slice::from_raw_parts_mut(self.start.0 as *mut u8, self.bytes) };
        all.split_at_mut(first_bytes)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.driver.free_pinned(self.start);
    }
}

/// Most threads that copy a frame: memory gives no more bytes a second to more of them.
const MOST_COPYING: usize = 8;
/// Bytes that a thread copies at once.
const COPIED_BYTES: usize = 256 << 10;

/// The threads that copy frames, those of others beside them; none where the processor has too few. They are of their own,
/// because a frame must not wait for anything else that threads do.
static COPYING: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, NonZero::get) / 2;
    let pool = ThreadPoolBuilder::new().num_threads(threads.min(MOST_COPYING));
    let pool = pool.thread_name(|at| format!("copies {at}"));
    (threads > 1).then(|| pool.build().ok()).flatten()
});

/// Copies between frames and pinned memory, of equal length. One thread copies some 8 GB a second, a fifth of what the bus
/// carries.
///
/// # Panics
/// When the lengths differ.
pub(super) fn copy(to: &mut [u8], from: &[u8]) {
    assert_eq!(to.len(), from.len(), "bytes of a frame");
    match COPYING.as_ref().filter(|_| to.len() > 2 * COPIED_BYTES) {
        Some(pool) => pool.install(|| {
            let parts = to.par_chunks_mut(COPIED_BYTES);
            parts
                .zip(from.par_chunks(COPIED_BYTES))
                .for_each(|(to, from)| to.copy_from_slice(from));
        }),
        None => to.copy_from_slice(from),
    }
}

/// Events on the device's clock; given back when dropped.
pub(super) struct EventList {
    pub(super) list: Vec<Event>,
    driver: Arc<dyn Driver>,
}

impl EventList {
    pub(super) fn make(driver: &Arc<dyn Driver>, count: usize) -> Result<Self, DriverFailure> {
        let mut made = Self {
            list: Vec::with_capacity(count),
            driver: driver.clone(),
        };
        for _ in 0..count {
            made.list.push(driver.event()?);
        }
        Ok(made)
    }
}

impl Drop for EventList {
    fn drop(&mut self) {
        for &event in &self.list {
            self.driver.free_event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_whole_at_any_length() {
        for length in [
            0,
            5,
            2 * COPIED_BYTES,
            2 * COPIED_BYTES + 1,
            7 * COPIED_BYTES - 3,
        ] {
            let from: Vec<u8> = (0..length).map(|i| (i * 7 / 5) as u8).collect();
            let mut to = vec![0; length];
            copy(&mut to, &from);
            assert_eq!(to, from, "{length}");
        }
    }
}
