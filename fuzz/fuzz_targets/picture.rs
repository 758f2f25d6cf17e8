//! Fuzzes [`styleforge_fuzz::picture`].

#![no_main]

use pictures::guard;

// The program continues after a panic in a decoder; only a panic that is not caught ends the run.
libfuzzer_sys::fuzz_target!(init: guard::silence_decoders(), |bytes: &[u8]| styleforge_fuzz::picture(bytes));
