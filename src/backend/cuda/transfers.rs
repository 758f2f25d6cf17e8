//! Host memory that the device copies from and to, and events, for the transfer of frames.

use std::sync::Arc;

use super::driver::{Driver, DriverResult, Event, PinnedPtr};

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
