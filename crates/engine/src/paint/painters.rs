//! The painters of several GPUs, for threads that share work ([`share_in_order`](crate::share_in_order)).
//!
//! Each painter is used by one thread at a time. A painter whose GPU is lost leaves its work to the others; the last one
//! is replaced by the CPU, as a single painter is.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{PaintError, Painter};
use backend::BackendError;
use values::lock::lock;

/// A painter, and its GPU's number in the driver's order.
type Numbered = (usize, Painter);

/// The painters that share work; at least one. Any thread may call.
pub struct Painters {
    idle: Mutex<VecDeque<Numbered>>,
    returned: Condvar,
    /// Number of painters, without those that left.
    count: Arc<AtomicUsize>,
    notices: Mutex<Vec<String>>,
}

impl Painters {
    /// At least one painter. All get the memory limit of the smallest one, so that each paints a photo at the same size.
    pub fn new(painters: impl IntoIterator<Item = Numbered>) -> Self {
        let mut all: VecDeque<Numbered> = painters.into_iter().collect();
        let count = Arc::new(AtomicUsize::new(all.len()));
        let limit_bytes =
            all.iter().map(|(_, painter)| painter.pool.limit_bytes).min().unwrap_or_default();
        for (_, painter) in &mut all {
            painter.pool.limit_bytes = limit_bytes;
            painter.device.sharing = count.clone();
        }
        Self { idle: Mutex::new(all), returned: Condvar::new(), count, notices: Mutex::default() }
    }

    /// Number of devices that are left.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Takes the messages for the user about devices that were lost.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.notices))
    }

    /// Waits for a painter that no other thread uses. `work` must not wait for another one.
    pub fn with<T>(&self, work: impl FnOnce(&mut Painter) -> T) -> T {
        let (painter, done) = self.used(work);
        self.put_back(painter, done)
    }

    /// [`Painters::with`] for work that is done again with another painter if the GPU is lost.
    ///
    /// # Errors
    /// Those of `paint`.
    pub fn paint<T>(
        &self,
        mut paint: impl FnMut(&mut Painter) -> Result<T, PaintError>,
    ) -> Result<T, PaintError> {
        loop {
            match self.used(&mut paint) {
                // Only a painter that leaves its work to others returns a loss.
                (
                    (number, _),
                    Ok(Err(PaintError::Backend(BackendError::DeviceLost { device, reason }))),
                ) => {
                    lock(&self.notices).push(format!(
                        "GPU {number} ({device}) was lost ({reason}); the other GPUs do its work; restart StyleForge to use it again"
                    ));
                }
                (painter, done) => return self.put_back(painter, done),
            }
        }
    }

    /// Uses the painter that was idle for the longest time, so that all get work.
    fn used<T>(&self, work: impl FnOnce(&mut Painter) -> T) -> (Numbered, thread::Result<T>) {
        let mut idle = lock(&self.idle);
        let (number, mut painter) = loop {
            match idle.pop_front() {
                Some(painter) => break painter,
                None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(idle);
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut painter)));
        ((number, painter), done)
    }

    fn put_back<T>(&self, (number, mut painter): Numbered, done: thread::Result<T>) -> T {
        if done.is_err() {
            painter.forget_sessions();
        }
        lock(&self.notices).extend(painter.take_notices());
        lock(&self.idle).push_back((number, painter));
        self.returned.notify_one();
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }
}
