//! Fuzzes [`styleforge_fuzz::parts`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::parts(bytes));
