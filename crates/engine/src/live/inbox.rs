//! The settings in use, and newer ones that arrive while a picture is painted.
//!
//! Belongs to the engine's thread.

use crossbeam_channel::Receiver;

use super::settings::{LiveSettings, NumberedSettings};
use values::mailbox::Reader;

/// The settings in use, and the mailbox of newer ones.
pub struct Inbox {
    /// The settings in use, and their number.
    pub current: LiveSettings,
    number: u64,
    /// Number of the last settings with which a picture was painted or refused.
    pub carried_out: u64,
    changes: Reader<Option<NumberedSettings>>,
    /// No newer settings will arrive.
    pub is_closed: bool,
    /// Settings that arrived while a picture was painted.
    pub pending: Option<NumberedSettings>,
}

impl Inbox {
    /// Starts with `settings`; newer ones arrive through `changes`.
    pub fn new(
        (settings, number): NumberedSettings,
        changes: Reader<Option<NumberedSettings>>,
    ) -> Self {
        Self {
            current: settings,
            number,
            carried_out: number,
            changes,
            is_closed: false,
            pending: None,
        }
    }

    /// Signals when there may be new settings; `None` after the last ones.
    pub fn ready(&self) -> Option<&Receiver<()>> {
        (!self.is_closed).then(|| self.changes.ready())
    }

    /// Settings that have just arrived; they stay pending until [`Inbox::take`].
    pub fn peek(&mut self) -> Option<&LiveSettings> {
        self.pending = Some(self.changes.receive()?);
        self.pending.as_ref().map(|(settings, _)| settings)
    }

    /// Makes the newest settings current and returns the previous ones; `None` if there are no new ones.
    pub fn take(&mut self) -> Option<LiveSettings> {
        let newest = self.changes.receive();
        let pending = self.pending.take();
        let (settings, number) = newest.or(pending)?;
        self.number = number;
        Some(std::mem::replace(&mut self.current, settings))
    }

    /// Records that a picture was painted with the current settings, or refused.
    pub fn note_carried_out(&mut self) {
        self.carried_out = self.number;
    }
}
