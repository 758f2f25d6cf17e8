//! Standard output and standard error, without panics when nobody reads them.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use super::CliError;
use crate::disk::words;

pub use crate::measure::table;

/// Writes text to standard output.
///
/// # Errors
/// [`CliError::NobodyReads`] when the reader has gone, [`CliError::Failed`] otherwise.
pub fn print(text: &str) -> Result<(), CliError> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| match e.kind() {
            ErrorKind::BrokenPipe => CliError::NobodyReads,
            _ => CliError::Failed(format!(
                "standard output could not be written: {}",
                words(&e)
            )),
        })
}

/// Prints `value` as JSON with a line break.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| CliError::Failed(format!("the report could not be written as JSON: {e}")))?;
    print(&format!("{text}\n"))
}

/// A line for people, on standard error. Lost when nobody reads it.
pub fn tell(line: impl Display) {
    writeln!(io::stderr().lock(), "{line}").ok();
}
