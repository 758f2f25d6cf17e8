//! Fuzzes the reader of checkpoints with files of any format.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| styleforge_fuzz::checkpoint(bytes));
