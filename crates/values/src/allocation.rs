//! Fallible allocation for sizes that a file, a picture or a network declares.
//!
//! May be called from any thread.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
};

/// Bytes that stay free for allocations that must not fail: messages, threads, short lists.
const HEADROOM_BYTES: u64 = 8 << 20;
/// A list below this size does not reduce the headroom noticeably.
const SMALL_BYTES: usize = 64 << 10;

static IS_LIMITED: AtomicBool = AtomicBool::new(false);

/// Makes [`can_allocate`] ask the system from now on. Call it in a process with a limited address space (`ulimit -v`).
/// In any other process the system provides addresses without memory, so the answer proves nothing.
pub fn note_limit() {
    IS_LIMITED.store(true, Ordering::Relaxed);
}

/// True if the system provides this many bytes at once in addition to the headroom, or if this is unknown.
pub fn can_allocate(bytes: u64) -> bool {
    if !IS_LIMITED.load(Ordering::Relaxed) {
        return true;
    }
    let mut probe = Vec::<u8>::new();
    let bytes = usize::try_from(bytes.saturating_add(HEADROOM_BYTES));
    let can = bytes.is_ok_and(|bytes| probe.try_reserve_exact(bytes).is_ok());
    // Keeps the compiler from removing the allocation.
    black_box(&probe);
    can
}

/// An empty list with capacity for `count` items; `None` if the system does not provide it.
pub fn list<T>(count: usize) -> Option<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).ok()?;
    let is_small = count.saturating_mul(size_of::<T>()) < SMALL_BYTES;
    (is_small || can_allocate(0)).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_address_space_is_refused() {
        assert_eq!(list::<u64>(1 << 60), None);
        assert!(list::<u64>(20_000).is_some_and(|list| list.capacity() >= 20_000));
        assert!(can_allocate(u64::MAX));
        note_limit();
        assert!(can_allocate(1));
        assert!(!can_allocate(u64::MAX) && !can_allocate(1 << 60));
    }
}
