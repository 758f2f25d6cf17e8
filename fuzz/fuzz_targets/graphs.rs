//! Fuzzes [`styleforge_fuzz::graphs`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::graphs(bytes));
