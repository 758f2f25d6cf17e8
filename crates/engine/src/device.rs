//! The device that paints, and its replacement after it is lost.
//!
//! A GPU is lost when a kernel traps, the driver is restarted, or the card falls off its bus or stops responding. Its
//! memory is gone, every later call fails, and the driver refuses the process a new context (cuda.h documents this for
//! errors 700, 719 and similar ones). The CPU then paints until the program is restarted, even if the user chose the
//! GPU. The job is finished, and a message reports the loss. If other GPUs share the work, they do it instead.
//!
//! This module knows no sessions. They must be closed before the device is replaced. Belongs to the thread that paints.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use backend::{Backend, BackendError, OpenDevice};
use network::Network;
use values::mode::{DeviceChoice, Mode, ModeChoice, PrecisionChoice};

/// The device in use, and the function that opens others.
pub struct Device {
    backend: Arc<dyn Backend>,
    /// Opens another device.
    pub open: OpenDevice,
    /// The CPU has replaced a lost GPU.
    took_over: bool,
    /// Number of devices that share the work, this one included. A lost device leaves its work to the others, unless it
    /// is the last one.
    pub sharing: Arc<AtomicUsize>,
}

impl Device {
    /// Paints on `backend`; `open` opens its replacement.
    pub fn new(backend: Arc<dyn Backend>, open: OpenDevice) -> Self {
        Self { backend, open, took_over: false, sharing: Arc::new(AtomicUsize::new(1)) }
    }

    /// True if others do the work of a lost device; it no longer counts then.
    fn leaves(&self) -> bool {
        let without = |count: usize| (count > 1).then(|| count - 1);
        self.sharing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, without).is_ok()
    }

    /// The current device.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// The mode that a choice resolves to on this device. If the CPU has replaced a GPU and lacks the chosen mode, it
    /// uses one of its own modes.
    pub fn mode(&self, choice: ModeChoice) -> Mode {
        let requested = self.backend.mode(choice);
        if self.took_over && self.backend.supports(requested).is_err() {
            self.backend.mode(ModeChoice::default())
        } else {
            requested
        }
    }

    /// [`Device::mode`] for live video in a network.
    pub fn live_mode(&self, choice: ModeChoice, network: &Arc<Network>) -> Mode {
        let precision = match choice.precision {
            PrecisionChoice::Auto => {
                PrecisionChoice::Fixed(self.backend.live_precision(choice.variant, network))
            }
            fixed @ PrecisionChoice::Fixed(_) => fixed,
        };
        network.mode(self.mode(ModeChoice { precision, ..choice }))
    }

    /// Replaces the GPU that was lost with `error` by the CPU, and returns a sentence for the user. All sessions of the
    /// lost device must be closed first, because they hold its memory.
    ///
    /// # Errors
    /// `error` itself if it is not a loss, the device is already the CPU, others do its work ([`Device::sharing`]), or
    /// the opener [declines](BackendError::Declined); otherwise the error of opening the CPU.
    pub fn replace_lost(&mut self, error: BackendError) -> Result<String, BackendError> {
        let is_cpu = self.backend.device().kind == DeviceChoice::Cpu;
        if is_cpu || !error.is_lost() || self.leaves() {
            return Err(error);
        }
        self.backend = match (self.open)(DeviceChoice::Cpu) {
            // The caller wants no other device.
            Err(BackendError::Declined(_)) => return Err(error),
            opened => opened?.backend,
        };
        self.took_over = true;
        let reason = match error {
            BackendError::DeviceLost { reason, .. } => reason,
            other => other.to_string(),
        };
        Ok(format!("CPU: the GPU was lost ({reason}); restart StyleForge to use the GPU again"))
    }
}
