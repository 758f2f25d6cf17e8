//! A thread that can be joined with a timeout, so that the window never hangs when a device or a wake-up does.

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

/// Called after every event, from the thread that reports it. Must return immediately.
pub type WakeUp = Arc<dyn Fn() + Send + Sync>;

/// A thread with an owner. Dropping it waits a bounded time for the thread, which must have been told to stop: the
/// owner declares the channel that keeps the thread running before this field, so that it is dropped first.
pub struct BoundedThread {
    /// Carries no messages; disconnects when the thread ends.
    ended: Receiver<()>,
    handle: Option<JoinHandle<()>>,
}

/// How long dropping waits. A thread that hangs with its device is abandoned.
const PATIENCE: Duration = Duration::from_secs(2);

impl Drop for BoundedThread {
    fn drop(&mut self) {
        self.join_within(PATIENCE);
    }
}

impl BoundedThread {
    /// # Errors
    /// The operating system could not start the thread.
    pub fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (end_sender, ended) = bounded::<()>(0);
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // Dropped last, even on a panic. That disconnects the channel, which marks the thread as ended.
            let _end = end_sender;
            run();
        })?;
        Ok(Self { ended, handle: Some(handle) })
    }

    /// Waits at most `patience` for the thread, which must have been stopped. Returns whether it ended in time and
    /// without a panic. Otherwise the thread is abandoned and ends with the process.
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
