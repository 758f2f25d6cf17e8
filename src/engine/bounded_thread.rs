//! A thread whose end can be awaited for a bounded time, so that no window waits for ever for a
//! device or a wake-up that hangs.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

/// Called after every event, from the engine's threads; must return at once.
pub type WakeUp = Arc<dyn Fn() + Send + Sync>;

/// A thread of the engine's floor. Dropping it neither stops nor awaits the thread.
pub(super) struct BoundedThread {
    /// Nothing is ever sent here: it closes when the thread is done.
    ended: Receiver<()>,
    handle: Option<JoinHandle<()>>,
}

impl BoundedThread {
    /// Starts a thread of this name.
    ///
    /// # Errors
    /// The operating system's, when it starts no thread.
    pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (end_sender, ended) = bounded::<()>(0);
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped last, however the thread ends: its channel closes and the thread counts as done.
            let _end = end_sender;
            run();
        })?;
        Ok(Self { ended, handle: Some(handle) })
    }

    /// Waits at most `patience` for the thread, which must have been stopped. Returns whether
    /// it ended well and in time; one that did not is left behind and dies with the program.
    pub fn join_within(&mut self, patience: Duration) -> bool {
        let Some(handle) = self.handle.take() else {
            return true;
        };
        match self.ended.recv_timeout(patience) {
            Err(RecvTimeoutError::Timeout) => false,
            _ => handle.join().is_ok(),
        }
    }
}
