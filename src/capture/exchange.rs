//! Hands values from one thread to another without waiting and without allocating: the newest wins.
//!
//! Three values go round: one belongs to the writer, one to the reader, one lies between them. The
//! writer swaps its own for the one between and rings a doorbell; the reader swaps its own for it. A
//! value that is swapped away before the reader saw it is counted as dropped. The lock is held for
//! one swap only.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crossbeam_channel::{Receiver, Sender, bounded};

struct Between<T> {
    value: T,
    fresh: bool,
}

struct Shared<T> {
    between: Mutex<Between<T>>,
    written: AtomicU64,
    dropped: AtomicU64,
}

impl<T> Shared<T> {
    fn swap(&self, own: &mut T, writes: bool) -> bool {
        // Whoever panicked held the lock for a swap only: the value is whole.
        let mut between = self.between.lock().unwrap_or_else(PoisonError::into_inner);
        let was_fresh = between.fresh;
        if writes || was_fresh {
            std::mem::swap(own, &mut between.value);
            between.fresh = writes;
        }
        was_fresh
    }
}

/// The writing end; belongs to one thread.
pub struct Writer<T> {
    shared: Arc<Shared<T>>,
    /// The value that is written next: whatever was in it before is stale.
    pub value: T,
    bell: Sender<()>,
}

/// The reading end; belongs to one thread.
pub struct Reader<T> {
    shared: Arc<Shared<T>>,
    /// The value that was taken last.
    pub value: T,
    bell: Receiver<()>,
}

/// Counts of an exchange, from its beginning on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Values that were handed over by the writer.
    pub written: u64,
    /// Values that were overwritten before the reader took them.
    pub dropped: u64,
}

/// An exchange whose three values are made by `make`.
pub fn exchange<T>(mut make: impl FnMut() -> T) -> (Writer<T>, Reader<T>) {
    let (ring, bell) = bounded(1);
    let shared = Arc::new(Shared {
        between: Mutex::new(Between {
            value: make(),
            fresh: false,
        }),
        written: AtomicU64::new(0),
        dropped: AtomicU64::new(0),
    });
    let writer = Writer {
        shared: shared.clone(),
        value: make(),
        bell: ring,
    };
    let reader = Reader {
        shared,
        value: make(),
        bell,
    };
    (writer, reader)
}

impl<T> Writer<T> {
    /// Hands [`Writer::value`] over and takes a stale one in its place. Never waits.
    pub fn put(&mut self) {
        self.shared.written.fetch_add(1, Ordering::Relaxed);
        if self.shared.swap(&mut self.value, true) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        // A full doorbell rings already; without a reader there is no one to ring for.
        let _ = self.bell.try_send(());
    }

    /// What was handed over and what was lost.
    pub fn counts(&self) -> ExchangeCounts {
        counts(&self.shared)
    }
}

impl<T> Reader<T> {
    /// Takes the newest value into [`Reader::value`]. Returns `false`, and changes nothing, when there
    /// is none that was not taken yet. Never waits.
    pub fn take(&mut self) -> bool {
        self.shared.swap(&mut self.value, false)
    }

    /// Rings when there may be something new; closes when the writer is gone.
    pub fn doorbell(&self) -> &Receiver<()> {
        &self.bell
    }

    /// What was handed over and what was lost.
    pub fn counts(&self) -> ExchangeCounts {
        counts(&self.shared)
    }
}

fn counts<T>(shared: &Shared<T>) -> ExchangeCounts {
    ExchangeCounts {
        written: shared.written.load(Ordering::Relaxed),
        dropped: shared.dropped.load(Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_and_losses_are_counted() {
        let (mut writer, mut reader) = exchange(|| 0);
        assert!(!reader.take());
        for value in [1, 2, 3] {
            writer.value = value;
            writer.put();
        }
        assert_eq!(reader.doorbell().len(), 1);
        assert!(reader.take());
        assert_eq!(reader.value, 3);
        assert!(!reader.take(), "taken once");
        assert_eq!(reader.value, 3);
        let counts = reader.counts();
        assert_eq!((counts.written, counts.dropped), (3, 2));
    }

    #[test]
    fn values_go_round_and_are_never_copied() {
        let mut made = 0;
        let (mut writer, mut reader) = exchange(|| {
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
    fn the_doorbell_closes_with_the_writer() {
        let (writer, reader) = exchange(|| ());
        drop(writer);
        assert!(reader.doorbell().recv().is_err());
    }
}
