//! The channel of events from the engine's thread to the surface.
//!
//! Belongs to the engine's thread; the handle reads the other end.

use std::cell::Cell;

use crossbeam_channel::Sender;

use super::{paint::Painter, protocol::Event};
use threads::WakeUp;

/// An event on its way to the surface.
pub struct Sent {
    pub event: Event,
    /// Settings number with which live painting was last started when the event was sent.
    pub live: u64,
}

/// Sends events to the surface. Never waits.
pub struct Events {
    sender: Sender<Sent>,
    pub wake_up: WakeUp,
    /// See [`Sent::live`].
    pub live: Cell<u64>,
}

impl Events {
    pub fn new(sender: Sender<Sent>, wake_up: WakeUp) -> Self {
        Self { sender, wake_up, live: Cell::new(0) }
    }

    /// A sender for another thread. It must send nothing about live painting.
    pub fn another(&self) -> Self {
        Self::new(self.sender.clone(), self.wake_up.clone())
    }

    pub fn send(&self, event: Event) {
        let live = self.live.get();
        // Fails only if the surface is gone.
        let _ = self.sender.send(Sent { event, live });
        (self.wake_up)();
    }
}

/// Sends an event for every device that replaced a lost one.
pub fn send_notices(painter: &mut Painter, events: &Events) {
    for notice in painter.take_notices() {
        events.send(Event::Device { info: painter.backend().device(), notice: Some(notice) });
    }
}
