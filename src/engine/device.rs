//! The device that paints, and what takes its place when it is lost.
//!
//! A GPU is lost when a kernel traps, the driver is restarted, or the card falls off its bus or does not answer. Its
//! memory is gone, every later call fails, and the driver refuses the process a new context (cuda.h says so of errors
//! 700, 719 and similar ones). The processor paints until the program is restarted, even when the user named the GPU:
//! the job is finished, and a message says that the GPU was lost. Knows no sessions; they have to be closed before the
//! device is replaced. Belongs to the thread that paints.

use std::sync::Arc;

use crate::{
    backend::{Backend, BackendError, OpenDevice},
    mode::{DeviceChoice, Mode, ModeChoice, PrecisionChoice},
    network::Network,
};

/// The device in use, and the function that opens others.
pub struct Device {
    backend: Arc<dyn Backend>,
    open: OpenDevice,
    /// Whether the processor paints instead of a lost GPU.
    took_over: bool,
}

impl Device {
    /// Paints on `backend` while it lasts; `open` opens what comes after.
    pub fn new(backend: Arc<dyn Backend>, open: OpenDevice) -> Self {
        Self { backend, open, took_over: false }
    }

    /// The device that paints now.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Opens other devices.
    pub fn opener(&self) -> OpenDevice {
        self.open.clone()
    }

    /// What a choice means on this device. A processor that took over paints in a mode of its own
    /// where it does not have the one that was chosen for the GPU.
    pub fn mode(&self, choice: ModeChoice) -> Mode {
        let requested = self.backend.mode(choice);
        if self.took_over && self.backend.supports(requested).is_err() {
            self.backend.mode(ModeChoice::default())
        } else {
            requested
        }
    }

    /// [`Device::mode`] for moving pictures in a network.
    pub fn live_mode(&self, choice: ModeChoice, network: &Arc<Network>) -> Mode {
        let precision = match choice.precision {
            PrecisionChoice::Auto => {
                PrecisionChoice::Fixed(self.backend.live_precision(choice.variant, network))
            }
            fixed @ PrecisionChoice::Fixed(_) => fixed,
        };
        network.mode(self.mode(ModeChoice { precision, ..choice }))
    }

    /// Replaces the GPU that was lost with `error` by the processor, and returns a sentence for the user. No session of
    /// the lost device may be left: they hold its memory.
    ///
    /// # Errors
    /// `error` itself when it is not a loss or the device is the processor, which nothing can replace; the
    /// error of opening the processor.
    pub fn replace_lost(&mut self, error: BackendError) -> Result<String, BackendError> {
        if self.backend.device().kind == DeviceChoice::Cpu || !error.is_lost() {
            return Err(error);
        }
        self.backend = (self.open)(DeviceChoice::Cpu)?.backend;
        self.took_over = true;
        let reason = match error {
            BackendError::DeviceLost { reason, .. } => reason,
            other => other.to_string(),
        };
        Ok(format!("CPU: the GPU was lost ({reason}); restart StyleForge to use the GPU again"))
    }
}
