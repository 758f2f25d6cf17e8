//! Shares a list of work among threads, and passes the results on in the order of the list.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crossbeam_channel::{bounded, unbounded};

use threads::process::spawn_scoped;
use values::lock::lock;

/// Does `work` with every item, on `threads` threads that each take the next item when they are free. This thread calls
/// `take` with the results, in the order of the items. At most `ahead` items, and at least one for each thread, are begun
/// before the first of their results is taken. After `take` returns [`ControlFlow::Break`], no item is begun any more,
/// but `take` still receives the results of those that were.
///
/// # Panics
/// If `items`, `work` or `take` panics, after the work that was begun has ended.
pub fn share_in_order<T, R: Send>(
    threads: usize,
    ahead: usize,
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> ControlFlow<()>,
) {
    let threads = threads.max(1);
    // Every thread needs a permit to find out that there are no more items.
    let ahead = ahead.max(threads);
    let (items, work) = (Mutex::new(items.enumerate()), &work);
    let next = || lock(&items).next();
    let is_over = AtomicBool::new(false);
    let (permit, permits) = bounded(ahead);
    let (sender, results) = unbounded();
    thread::scope(|scope| {
        // Dropped when this closure ends, also by a panic, so that no thread waits for a permit then.
        let permit = permit;
        (0..ahead).for_each(|_| permit.send(()).unwrap_or_default());
        for number in 0..threads {
            let (permits, sender, next, is_over) =
                (permits.clone(), sender.clone(), &next, &is_over);
            let started = spawn_scoped(scope, "share", move || {
                while permits.recv().is_ok() && !is_over.load(Ordering::Relaxed) {
                    let done = catch_unwind(AssertUnwindSafe(|| {
                        let (number, item) = next()?;
                        Some((number, work(item)))
                    }));
                    let (is_last, done) = match done {
                        Ok(Some(done)) => (false, Ok(done)),
                        Ok(None) => return,
                        Err(panic) => (true, Err(panic)),
                    };
                    if sender.send(done).is_err() || is_last {
                        return;
                    }
                }
            });
            // Without a thread, this one does the work.
            if started.is_err() && number == 0 {
                while let Some((_, item)) = next() {
                    if take(work(item)).is_break() {
                        break;
                    }
                }
                return;
            }
        }
        drop(sender);
        let (mut waiting, mut first) = (BTreeMap::new(), 0);
        for done in results {
            let (number, result) = done.unwrap_or_else(|panic| {
                is_over.store(true, Ordering::Relaxed);
                resume_unwind(panic)
            });
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&first) {
                first += 1;
                if take(result).is_break() {
                    is_over.store(true, Ordering::Relaxed);
                }
                // Never waits: a permit was taken for every result.
                permit.send(()).unwrap_or_default();
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_whichever_is_ready_first() {
        // The first item waits for the last one that may be begun before its result is taken.
        let (done, last) = bounded(1);
        let work = |item: usize| {
            match item {
                0 => last.recv().expect("the last one"),
                3 => done.send(()).expect("room"),
                _ => {}
            }
            item * item
        };
        let mut taken = Vec::new();
        share_in_order(2, 4, 0..10, work, |result| {
            taken.push(result);
            ControlFlow::Continue(())
        });
        assert_eq!(taken, (0..10).map(|item| item * item).collect::<Vec<_>>());
    }

    #[test]
    fn started_work_is_taken_after_a_break() {
        for threads in [0, 1, 3] {
            let begun = Mutex::new(Vec::new());
            let mut taken = Vec::new();
            let work = |item: usize| {
                begun.lock().expect("no panic").push(item);
                item
            };
            share_in_order(threads, 5, 0..1000, work, |result| {
                taken.push(result);
                if result == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let mut begun = begun.into_inner().expect("no panic");
            begun.sort_unstable();
            assert_eq!(begun, taken);
            // Five may be begun ahead of the result that ends it.
            assert!((3..=8).contains(&taken.len()), "{taken:?}");
        }
    }

    #[test]
    fn a_panic_ends_it() {
        let shared = || {
            let work = |item: usize| assert!(item != 5, "on purpose");
            share_in_order(3, 3, 0..1000, work, |()| ControlFlow::Continue(()));
        };
        assert!(catch_unwind(shared).is_err());
    }
}
