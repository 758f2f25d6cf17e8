//! The settings in use, and those that come while a picture is painted.
//!
//! Belongs to the engine's thread.

use crossbeam_channel::Receiver;

use super::settings::{LiveSettings, NumberedSettings};
use crate::mailbox::Reader;

/// The settings in use, and the mailbox of those that come.
pub struct Inbox {
    /// The settings in use, and their number.
    pub current: LiveSettings,
    number: u64,
    /// Number of the last settings that were carried out, as far as they could be.
    carried_out: u64,
    changes: Reader<Option<NumberedSettings>>,
    is_closed: bool,
    /// Settings that came while a picture was painted.
    pending: Option<NumberedSettings>,
}

impl Inbox {
    /// Begins with `settings`; newer ones come through `changes`.
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

    /// Signals when there may be new settings; `None` when there cannot be any more.
    pub fn ready(&self) -> Option<&Receiver<()>> {
        (!self.is_closed).then(|| self.changes.ready())
    }

    /// Nobody changes the settings any more.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether settings wait to be carried out.
    pub fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Settings that have just come; they wait until [`Inbox::take`].
    pub fn peek(&mut self) -> Option<&LiveSettings> {
        self.pending = Some(self.changes.receive()?);
        self.pending.as_ref().map(|(settings, _)| settings)
    }

    /// Takes the newest settings into use and gives those before; `None` when there are no new ones.
    pub fn take(&mut self) -> Option<LiveSettings> {
        let newest = self.changes.receive();
        let pending = self.pending.take();
        let (settings, number) = newest.or(pending)?;
        self.number = number;
        Some(std::mem::replace(&mut self.current, settings))
    }

    /// The settings in use are carried out, as far as they can be.
    pub fn note_carried_out(&mut self) {
        self.carried_out = self.number;
    }

    /// Number of the last settings that were carried out.
    pub fn carried_out(&self) -> u64 {
        self.carried_out
    }
}
