//! An allocator that counts. A test binary that includes this file allocates through it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Counts the bytes that all threads hold, their maximum, and the total that was ever allocated.
struct Counting;

static HELD: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);
static TAKEN: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);

fn took(bytes: usize) {
    let held = HELD.fetch_add(bytes as u64, Relaxed) + bytes as u64;
    PEAK.fetch_max(held, Relaxed);
    TAKEN.fetch_add(bytes as u64, Relaxed);
    CALLS.fetch_add(1, Relaxed);
}

// SAFETY: every call is passed to the system's allocator; the rest only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of a job.
#[derive(Clone, Copy, Debug)]
pub struct Allocated {
    /// Maximum bytes in use, beyond those in use before.
    pub peak: u64,
    /// Total bytes of all allocations, freed or not.
    pub taken: u64,
    /// Number of allocations.
    pub calls: u64,
}

/// Runs a job and returns its allocations.
pub fn counted<T>(job: impl FnOnce() -> T) -> (T, Allocated) {
    let (held, taken, calls) = (HELD.load(Relaxed), TAKEN.load(Relaxed), CALLS.load(Relaxed));
    PEAK.store(held, Relaxed);
    let done = job();
    let allocated = Allocated {
        peak: PEAK.load(Relaxed) - held,
        taken: TAKEN.load(Relaxed) - taken,
        calls: CALLS.load(Relaxed) - calls,
    };
    (done, allocated)
}

/// Maximum bytes that `job` had in use, beyond those in use before.
pub fn peak_of<T>(job: impl FnOnce() -> T) -> (T, u64) {
    let (done, allocated) = counted(job);
    (done, allocated.peak)
}

/// Runs one test at a time, because the counters are global.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
