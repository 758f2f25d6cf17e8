//! Turns a panic of a picture decoder into an error about the picture.
//!
//! Decoders of other crates index tables and rows by numbers from the file, and fuzzing finds files on which they
//! panic. This must not end a thread of this program. No state remains half-changed, because the decoder's output is
//! dropped.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
};

thread_local! {
    /// True while a decoder runs on this thread.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// The decoder panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs a decoder.
///
/// # Errors
/// [`Panicked`] if the decoder panics.
pub fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = DECODING.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(outer);
    decoded.map_err(|_| Panicked)
}

/// Suppresses the output of panics inside [`guarded`]. Each of them becomes an error with its own message, and a camera
/// may send thirty such frames a second. Other panics go to the current hook. Must be called once, before other threads
/// start.
pub fn silence_decoders() {
    let hook = take_hook();
    set_hook(Box::new(move |info| {
        // If the thread-local is already destroyed, no decoder runs.
        if !DECODING.try_with(Cell::get).unwrap_or(false) {
            hook(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_later_work_succeeds() {
        assert_eq!(guarded(|| 7), Ok(7));
        let nested = guarded(|| {
            assert_eq!(guarded(|| -> u8 { panic!("a table of length 0") }), Err(Panicked));
            assert!(DECODING.get(), "the outer one continues");
            8
        });
        assert_eq!(nested, Ok(8));
        assert!(!DECODING.get());
    }
}
