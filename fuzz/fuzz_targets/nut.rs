//! Fuzzes [`styleforge_fuzz::nut`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::nut(bytes));
