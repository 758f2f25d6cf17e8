//! Turns a panic of a picture decoder into an error about the picture.
//!
//! Decoders of other crates index tables and rows by numbers in a file; fuzzing finds files on which they
//! panic. That must not end a thread of ours. No state is left half-changed by it: the memory that a decoder
//! writes to is thrown away.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
};

thread_local! {
    /// Whether a decoder works on this thread.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// The decoder panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Runs a decoder.
///
/// # Errors
/// [`Panicked`] when it does.
pub fn guarded<T>(decode: impl FnOnce() -> T) -> Result<T, Panicked> {
    let outer = DECODING.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(outer);
    decoded.map_err(|_| Panicked)
}

/// Makes panics inside [`guarded`] print nothing: each becomes an error with words of its own, and a camera may
/// send thirty such frames a second. All others go to the hook that is set now. To be called once, before there
/// are other threads.
pub fn silence_decoders() {
    let hook = take_hook();
    set_hook(Box::new(move |info| {
        // Outside the thread's life nothing decodes.
        if !DECODING.try_with(Cell::get).unwrap_or(false) {
            hook(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_what_comes_after_is_none() {
        assert_eq!(guarded(|| 7), Ok(7));
        let nested = guarded(|| {
            assert_eq!(guarded(|| -> u8 { panic!("a table of length 0") }), Err(Panicked));
            assert!(DECODING.get(), "the outer one goes on");
            8
        });
        assert_eq!(nested, Ok(8));
        assert!(!DECODING.get());
    }
}
