//! The mailbox: passes values from one thread to another without waiting. Only the newest value is kept.
//!
//! There are three values: the writer owns one, the reader owns one, and one is shared between them. The writer swaps
//! its value with the shared one and signals; the reader swaps its value with the shared one. A value that the writer
//! replaces before the reader took it is counted as dropped. The lock is held only for a swap.
//!
//! Reused values such as frames are filled in place ([`Writer::value`], [`Writer::put`], [`Reader::take`]), which
//! allocates nothing. Values that are created each time are passed as an `Option` ([`Writer::send`],
//! [`Reader::receive`]), so that a replaced value is freed at once.
//!
//! Each end belongs to one thread at a time.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::lock::lock;

struct Slot<T> {
    value: T,
    fresh: bool,
}

struct Shared<T> {
    between: Mutex<Slot<T>>,
    written: AtomicU64,
    dropped: AtomicU64,
}

impl<T> Shared<T> {
    fn swap(&self, own: &mut T, writes: bool) -> bool {
        // The lock is held only for a swap, so the value is complete even if a thread panicked.
        let mut between = lock(&self.between);
        let was_fresh = between.fresh;
        if writes || was_fresh {
            std::mem::swap(own, &mut between.value);
            between.fresh = writes;
        }
        was_fresh
    }

    fn counts(&self) -> Counts {
        Counts {
            written: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

/// The writing end; belongs to one thread.
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    /// The value to write next; its old content is stale.
    pub value: T,
    signal: Sender<()>,
}

/// The reading end; belongs to one thread.
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    /// The value that was taken last.
    pub value: T,
    signal: Receiver<()>,
}

/// Counts since the mailbox was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values passed by the writer.
    pub written: u64,
    /// Values that were overwritten before the reader took them.
    pub dropped: u64,
}

/// A mailbox whose three values are created by `make`.
pub fn mailbox<T>(mut make: impl FnMut() -> T) -> (Writer<T>, Reader<T>) {
    let (sender, receiver) = bounded(1);
    let shared = Arc::new(Shared {
        between: Mutex::new(Slot { value: make(), fresh: false }),
        written: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
    });
    (
        Writer { shared: shared.clone(), value: make(), signal: sender },
        Reader { shared, value: make(), signal: receiver },
    )
}

impl<T> Writer<T> {
    /// Passes [`Writer::value`] to the reader and gets a stale value back. Never waits.
    pub fn put(&mut self) {
        self.shared.written.fetch_add(1, Ordering::Relaxed);
        if self.shared.swap(&mut self.value, true) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        // One pending signal is enough; without a reader the signal is not needed.
        let _ = self.signal.try_send(());
    }

    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }
}

impl<T> Writer<Option<T>> {
    /// Passes `value` to the reader. A pending value is replaced and freed here. Never waits.
    pub fn send(&mut self, value: T) {
        self.value = Some(value);
        self.put();
        // It may be large, so it is freed outside the lock.
        self.value = None;
    }

    /// Takes back the pending value, if there is one.
    pub fn withdraw(&mut self) {
        self.put();
        self.value = None;
    }
}

impl<T> Reader<T> {
    /// Takes the newest value into [`Reader::value`]. Returns `false` and changes nothing if there is no new value.
    /// Never waits.
    pub fn take(&mut self) -> bool {
        self.shared.swap(&mut self.value, false)
    }

    /// Signals when there may be a new value; closes when the writer is dropped.
    pub fn ready(&self) -> &Receiver<()> {
        &self.signal
    }

    /// True if there is a value that was not taken yet.
    pub fn has_new(&self) -> bool {
        lock(&self.shared.between).fresh
    }

    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }
}

impl<T> Reader<Option<T>> {
    /// The newest value, unless it was already received. Never waits.
    pub fn receive(&mut self) -> Option<T> {
        if self.take() { self.value.take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_and_losses_are_counted() {
        let (mut writer, mut reader) = mailbox(|| 0);
        assert!(!reader.take() && !reader.has_new());
        for value in [1, 2, 3] {
            writer.value = value;
            writer.put();
        }
        assert_eq!(reader.ready().len(), 1);
        assert!(reader.has_new() && reader.take());
        assert_eq!(reader.value, 3);
        assert!(!reader.take(), "taken once");
        assert_eq!(reader.value, 3);
        let counts = reader.counts();
        assert_eq!((counts.written, counts.dropped), (3, 2));
    }

    #[test]
    fn values_go_round_and_are_never_copied() {
        let mut made = 0;
        let (mut writer, mut reader) = mailbox(|| {
            made += 1;
            vec![made]
        });
        for round in 0..10 {
            writer.value.push(round);
            writer.put();
            assert!(reader.take());
        }
        assert_eq!(made, 3);
        let all: Vec<i32> = [writer.value.clone(), reader.value.clone()].concat();
        assert!(all.len() > 2);
    }

    #[test]
    fn a_value_is_received_once_and_freed_when_it_is_replaced() {
        let (mut writer, mut reader) = mailbox(|| None);
        let [first, second] = [Arc::new(1), Arc::new(2)];
        writer.send(first.clone());
        writer.send(second.clone());
        assert_eq!(Arc::strong_count(&first), 1, "replaced");
        assert_eq!(reader.receive().as_deref(), Some(&2));
        assert_eq!(reader.receive(), None);
        assert_eq!(Arc::strong_count(&second), 1, "nothing is kept");
        writer.send(first.clone());
        writer.withdraw();
        assert_eq!(reader.receive(), None);
        assert_eq!(Arc::strong_count(&first), 1, "withdrawn");
    }

    #[test]
    fn the_signal_closes_with_the_writer() {
        let (writer, reader) = mailbox(|| ());
        drop(writer);
        assert!(reader.ready().recv().is_err());
    }
}
