//! Fuzzes [`styleforge_fuzz::inspect`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::inspect(bytes));
