//! What transfers of frames need: host memory that the device copies from and to, and events.

use std::sync::Arc;

use super::driver::{Driver, DriverFailure, Event, Graph, PinnedPtr, Queue};
use crate::timing::Percentiles;

/// Replays that come first and do not count where they are timed.
const WARMUP: u32 = 3;

/// Host memory that the device copies from and to; given back when dropped.
pub(super) struct Pinned {
    pub(super) start: PinnedPtr,
    bytes: usize,
    driver: Arc<dyn Driver>,
}

impl Pinned {
    pub(super) fn take(driver: &Arc<dyn Driver>, bytes: usize) -> Result<Self, DriverFailure> {
        Ok(Self { start: driver.allocate_pinned(bytes)?, bytes, driver: driver.clone() })
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

/// Events on the device's clock; given back when dropped.
pub(super) struct EventList {
    pub(super) list: Vec<Event>,
    driver: Arc<dyn Driver>,
}

impl EventList {
    pub(super) fn make(driver: &Arc<dyn Driver>, count: usize) -> Result<Self, DriverFailure> {
        let mut made = Self { list: Vec::with_capacity(count), driver: driver.clone() };
        for _ in 0..count {
            made.list.push(driver.event()?);
        }
        Ok(made)
    }

    /// Median milliseconds of so many replays, of which the first few do not count, between the first two events.
    pub(super) fn median_ms(&self, graph: Graph, rounds: u32) -> Result<f64, DriverFailure> {
        let [before, after, ..] = self.list[..] else {
            return Ok(0.0);
        };
        let mut times_ms = Vec::new();
        for round in 0..WARMUP + rounds {
            self.driver.record(before, Queue::Painting)?;
            self.driver.replay(graph)?;
            self.driver.record(after, Queue::Painting)?;
            self.driver.wait()?;
            if round >= WARMUP {
                let ms = self.driver.elapsed_ms(before, after)?;
                times_ms.push(f64::from(ms));
            }
        }
        Ok(Percentiles::of(&times_ms).map_or(0.0, |p| p.p50_ms))
    }
}

impl Drop for EventList {
    fn drop(&mut self) {
        for &event in &self.list {
            self.driver.free_event(event);
        }
    }
}
