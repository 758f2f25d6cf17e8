//! The device that paints, and what takes its place when it is lost.
//!
//! A GPU is lost when a kernel traps, the driver is restarted or the card falls off its bus: its memory is gone
//! and every later call fails. It is opened again once ([`crate::backend::cuda::open`] does so in another
//! process). The processor takes over after a second loss, when the GPU cannot be opened again, and when its
//! driver hangs, since it would only hang again. The processor takes over even where the person named the GPU:
//! the job is finished, and a message says that the GPU was lost. Knows no sessions; they have to be closed
//! before the device is replaced. Belongs to the thread that paints.

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
    losses: usize,
    /// Whether the processor paints in the place of a GPU.
    took_over: bool,
}

impl Device {
    /// Paints on `backend` while it lasts; `open` opens what comes after.
    pub fn new(backend: Arc<dyn Backend>, open: OpenDevice) -> Self {
        Self { backend, open, losses: 0, took_over: false }
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

    /// Puts another device in the place of the one that was lost with `error`, and says so in a sentence for
    /// people. No session of the lost device may be left: its context is released before another is opened, and
    /// the sessions hold the GPU's memory.
    ///
    /// # Errors
    /// `error` itself when it is not a loss or the device is the processor, which nothing can replace; the
    /// error of opening the processor.
    pub fn replace_lost(&mut self, error: BackendError) -> Result<String, BackendError> {
        let lost = self.backend.device();
        if lost.kind == DeviceChoice::Cpu || !error.is_lost() {
            return Err(error);
        }
        self.losses += 1;
        // The processor takes over at once, which releases the lost device.
        self.backend = (self.open)(DeviceChoice::Cpu)?.backend;
        self.took_over = true;
        let reason = match error {
            BackendError::DeviceHangs { request, waited_s, .. } => {
                return Ok(format!(
                    "CPU: the GPU did not answer the request to {request} within {waited_s} s, its \
                     driver hangs; the processor paints until StyleForge is started again"
                ));
            }
            BackendError::DeviceLost { reason, .. } => reason,
            other => other.to_string(),
        };
        if self.losses > 1 {
            return Ok(format!(
                "CPU: the GPU was lost twice ({reason}); the processor paints until StyleForge is \
                 started again"
            ));
        }
        match (self.open)(lost.kind) {
            Ok(selected) => {
                self.backend = selected.backend;
                self.took_over = false;
                Ok(format!("the GPU was lost and opened again ({reason})"))
            }
            Err(refused) => Ok(format!(
                "CPU: the GPU was lost and could not be opened again ({reason}; {refused})"
            )),
        }
    }
}
