//! Host memory that the device copies from and to, and events, for the transfer of frames.

use std::sync::Arc;

use super::driver::{Driver, DriverResult, Event, PinnedPtr, Queue};

/// Host memory that the device copies from and to; freed when dropped.
pub struct Pinned {
    pub start: PinnedPtr,
    bytes: usize,
    driver: Arc<dyn Driver>,
}

impl Pinned {
    pub fn take(driver: &Arc<dyn Driver>, bytes: usize) -> DriverResult<Self> {
        Ok(Self { start: driver.allocate_pinned(bytes)?, bytes, driver: driver.clone() })
    }

    /// The first bytes and the rest: photos to upload, and paintings that were downloaded.
    pub fn halves(&mut self, first_bytes: usize) -> (&mut [u8], &mut [u8]) {
        // SAFETY: our own allocation of this size. The device does not use it now, because the session waits for a
        // slot's frames before it stages or copies out others.
        let all = unsafe { std::slice::from_raw_parts_mut(self.start.0 as *mut u8, self.bytes) };
        all.split_at_mut(first_bytes)
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.driver.free_pinned(self.start);
    }
}

/// Events on the device's clock; released when dropped.
pub struct EventList {
    pub list: Vec<Event>,
    driver: Arc<dyn Driver>,
}

impl EventList {
    pub fn make(driver: &Arc<dyn Driver>, count: usize) -> DriverResult<Self> {
        let mut made = Self { list: Vec::with_capacity(count), driver: driver.clone() };
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

/// Milliseconds of each of several runs of `work` in the painting queue. Waits after a failure too, so that the caller
/// can free the memory that it uses.
pub fn timed(
    driver: &Arc<dyn Driver>,
    runs: usize,
    work: impl Fn() -> DriverResult,
) -> DriverResult<Vec<f64>> {
    let events = EventList::make(driver, 2)?;
    let run = |_| {
        driver.record(events.list[0], Queue::Painting)?;
        work()?;
        driver.record(events.list[1], Queue::Painting)?;
        driver.wait()?;
        driver.elapsed_ms(events.list[0], events.list[1]).map(f64::from)
    };
    let times_ms: DriverResult<_> = (0..runs).map(run).collect();
    times_ms.inspect_err(|_| drop(driver.wait()))
}
