//! What several targets judge by.

#![allow(dead_code, reason = "every target uses a part of it")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use styleforge::weights::{Checkpoint, WeightsError};

/// Most bytes of a message that a person is shown.
const MAX_MESSAGE_BYTES: usize = 2048;
/// Memory that reading any checkpoint may take, however small.
const BASE_BYTES: usize = 64 << 20;
/// Further memory for each byte of the file.
const BYTES_PER_BYTE: usize = 8;

/// Counts the bytes that are allocated at a time.
struct Counting;

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

fn grown(bytes: usize) {
    let held = HELD_BYTES.fetch_add(bytes, Relaxed) + bytes;
    PEAK_BYTES.fetch_max(held, Relaxed);
}

// SAFETY: every call is handed to the system's allocator as it is, and its answer back; counting
// touches no memory of the caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of this very call.
        let place = unsafe { System.alloc(layout) };
        if !place.is_null() {
            grown(layout.size());
        }
        place
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let place = unsafe { System.alloc_zeroed(layout) };
        if !place.is_null() {
            grown(layout.size());
        }
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) };
        HELD_BYTES.fetch_sub(layout.size(), Relaxed);
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let place = unsafe { System.realloc(place, layout, size) };
        if !place.is_null() {
            HELD_BYTES.fetch_sub(layout.size(), Relaxed);
            grown(size);
        }
        place
    }
}

/// The most bytes that `work` held at a time, and what it gave.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD_BYTES.load(Relaxed);
    PEAK_BYTES.store(before, Relaxed);
    let given = work();
    (PEAK_BYTES.load(Relaxed).saturating_sub(before), given)
}

/// Does `work` on a file of this size and holds it to the rule of checkpoints: memory follows from
/// the file's size.
pub fn within_memory<T>(file_bytes: usize, work: impl FnOnce() -> T) -> T {
    let (peak_bytes, given) = peak_of(work);
    assert!(
        peak_bytes <= BASE_BYTES + BYTES_PER_BYTE * file_bytes,
        "a file of {file_bytes} bytes took {peak_bytes} bytes of memory"
    );
    given
}

/// A message that people read has to have an end.
pub fn is_short(message: &str) {
    assert!(
        message.len() <= MAX_MESSAGE_BYTES,
        "a message of {} bytes: {}",
        message.len(),
        message.chars().take(300).collect::<String>()
    );
}

/// Reads a file's bytes as a checkpoint: what is read is finite and survives being saved, what is
/// refused is refused in a few words, and either way memory follows from the file's size.
pub fn reads(bytes: &[u8], read: impl Fn(&[u8]) -> Result<Checkpoint, WeightsError>) {
    match within_memory(bytes.len(), || read(bytes)) {
        Err(error) => is_short(&error.to_string()),
        Ok(checkpoint) => {
            for conv in checkpoint.network.convs() {
                let norm = conv.norm.iter().flat_map(|n| [&n.gamma, &n.beta]);
                let values = [&conv.weight, &conv.bias].into_iter().chain(norm).flatten();
                assert!(values.into_iter().all(|v| v.is_finite()));
            }
            let saved = match checkpoint.to_safetensors() {
                Ok(saved) => saved,
                Err(error) => panic!("it was read and cannot be saved: {error}"),
            };
            match Checkpoint::from_bytes(&saved) {
                Ok(again) => assert_eq!(again.network, checkpoint.network),
                Err(error) => panic!("it was saved and cannot be read: {error}"),
            }
        }
    }
}
