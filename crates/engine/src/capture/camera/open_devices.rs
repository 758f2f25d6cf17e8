//! The devices that this program has open.

use std::sync::{Mutex, MutexGuard};

use values::lock::lock;

/// What a device is open for.
#[derive(Clone, Copy, PartialEq)]
pub enum OpenFor {
    /// Reading pictures.
    Source,
    /// Writing the painting.
    Output,
}

/// One entry per opening.
static OPEN_DEVICES: Mutex<Vec<(OpenFor, String)>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<(OpenFor, String)>> {
    lock(&OPEN_DEVICES)
}

/// Number of times that the device is still open, including sessions that are ending or hanging.
pub fn open_count(open_for: OpenFor, device: &str) -> usize {
    held().iter().filter(|(of, held)| *of == open_for && held == device).count()
}

/// Registers that a device is open, until it is dropped.
pub struct OpenDevice(OpenFor, String);

impl OpenDevice {
    pub fn new(open_for: OpenFor, device: &str) -> Self {
        held().push((open_for, device.to_owned()));
        Self(open_for, device.to_owned())
    }
}

impl Drop for OpenDevice {
    fn drop(&mut self) {
        let mut held = held();
        if let Some(at) = held.iter().position(|(of, device)| *of == self.0 && *device == self.1) {
            held.swap_remove(at);
        }
    }
}
